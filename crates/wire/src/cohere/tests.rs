//! What this dialect does that no fixture shows.

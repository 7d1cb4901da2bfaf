//! Decisions: which targets a call takes, what a failure means, what an attempt may cost at most.
//!
//! It never does I/O; it talks to stores only by trait.

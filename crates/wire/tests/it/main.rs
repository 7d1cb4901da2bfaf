//! What the dialects promise, over fixtures written from the vendors' documentation.
//!
//! `golden` pins what every fixture becomes in every dialect; `bypass` that what passes, passes unchanged; `props` and
//! `fuzz` what must hold for any input.

mod bypass;
mod fixtures;
mod fuzz;
mod golden;
mod props;

//! What the dialects promise, over fixtures written from the vendors' documentation.
//!
//! `golden` pins what every fixture becomes in every dialect; `bypass` that what passes, passes unchanged; `props` and
//! `fuzz` what must hold for any input.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what fails here fails the test")]

mod bypass;
mod fixtures;
mod fuzz;
mod golden;
mod props;

//! What the dialects promise, over fixtures written from the vendors' documentation.
//!
//! `golden` pins what every fixture becomes in every dialect; `bypass` that what passes, passes unchanged; `props` and
//! `fuzz` what must hold for any input; `representable` proves, cell by cell, what can be carried between two dialects.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what fails here fails the test")]

mod bypass;
mod embeddings;
mod fixtures;
mod fuzz;
mod golden;
mod props;
mod representable;

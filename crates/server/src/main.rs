//! The binary: command line, listeners and wiring.
//!
//! It is the only place that chooses implementations.

fn main() {}

//! Fixtures, fakes and the store suite, for tests of the other crates.
//!
//! It is never a dependency of the binary.

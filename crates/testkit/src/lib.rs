//! Fixtures, fakes and the store suite, for tests of the other crates.
//!
//! It is never a dependency of the binary.

pub mod fixture;
pub mod strategy;

mod reference;
mod store_suite;
mod test_dir;

pub use reference::{Sums, percentile, sums_by};
pub use store_suite::store_suite;
pub use test_dir::TestDir;

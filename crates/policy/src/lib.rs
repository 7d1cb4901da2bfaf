//! Decisions: which targets a call takes, what a failure means, what an attempt may cost at most.
//!
//! It never does I/O; it talks to stores only by trait.

pub mod estimate;

mod admission;
mod pricing;
mod routing;
mod verdict;

pub use admission::{Admission, Permit};
pub use pricing::Pricing;
pub use routing::{Choice, Routing};
pub use verdict::{MAX_ATTEMPTS, Next, after};

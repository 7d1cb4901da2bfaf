//! The ledger and its journal behind small traits, and the databases that implement them.
//!
//! It is the only crate that knows a database; it never decides policy.

//! What was measured: the call record to the ledger, metrics and logs.
//!
//! It is the only crate that names a metric; it never slows a call to report it.

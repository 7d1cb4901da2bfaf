//! The life of a call: decode, identify, admit, plan, attempt, settle.
//!
//! It never speaks SQL and never names a provider.

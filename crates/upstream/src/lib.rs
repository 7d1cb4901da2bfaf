//! One attempt at one provider: connections, TLS, pools and timeouts.
//!
//! It is the only crate that calls providers; it never retries and never reads a body it carries.

//! One attempt at one provider: connections, TLS, pools and timeouts.
//!
//! It is the only crate that calls providers; it never retries and never reads a body it carries.
//!
//! The connection belongs to the call while the call uses it: the same task drives both sockets, so that a byte from a
//! provider costs one wake-up and no channel between tasks. When the reply has ended the connection goes back to its
//! worker's [`Upstream`] pool.

mod connection;
mod credential;
mod error;
mod exchange;
mod origin;
mod pool;
mod stream;
mod timer;
mod tls;

pub use credential::{Credential, CredentialError, GoogleToken};
pub use error::Error;
pub use exchange::{Exchange, Progress};
pub use origin::{Origin, OriginError};
pub use pool::{Limits, Upstream};
pub use tls::{Tls, TlsError};

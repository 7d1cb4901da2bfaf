//! Why a simulator could not be made.

use std::io;
use std::net::SocketAddr;

/// Why a simulator could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address could not be listened on.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The options contradict themselves; the text says which.
    #[error("simulator options: {0}")]
    Options(String),
}

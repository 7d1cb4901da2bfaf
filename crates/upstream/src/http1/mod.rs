//! HTTP/1.1, the client's side of it: heads parsed by `httparse`, bodies unframed in place, over any stream.
//!
//! It is our own for two reasons, both measured (`ARCHITECTURE.md`, "Where we chose otherwise"): a burst of events comes
//! out as one piece instead of one message a chunk through a channel, and an exchange that waits holds no buffer.
//!
//! The rules are RFC 9112's: <https://www.rfc-editor.org/rfc/rfc9112>.

mod framing;
mod head;
mod transport;

pub use head::{Head, Headers};
pub(crate) use transport::Transport;

use std::io;

/// How a connection, or the HTTP spoken over it, broke.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The socket, or TLS over it, failed.
    #[error("{0}")]
    Io(#[source] io::Error),
    /// The provider closed the connection.
    #[error("the connection was closed")]
    Closed,
    /// The head of a reply is not HTTP/1.1.
    #[error("its head is not HTTP/1.1: {0}")]
    Head(#[source] httparse::Error),
    /// The head of a reply does not end.
    #[error("its head is longer than {0} bytes")]
    HeadTooLong(usize),
    /// A reply whose length cannot be known, or whose chunks are not chunks.
    #[error("{0}")]
    Framing(&'static str),
}

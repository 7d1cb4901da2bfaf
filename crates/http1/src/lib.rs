//! HTTP/1.1 over any stream, both ends of it: heads parsed by `httparse`, bodies unframed in place.
//!
//! It never opens a socket and never knows what the messages are about.
//!
//! It is our own for reasons that are measured (`ARCHITECTURE.md`, "Where we chose otherwise"): a burst of chunks comes out as
//! one piece, a connection that waits holds no buffer, and a header that nobody asks for stays the bytes it came as.
//! The rules are RFC 9112's, <https://www.rfc-editor.org/rfc/rfc9112>; where it leaves a choice we take the strict one.

pub mod client;
mod framing;
mod head;
mod headers;
mod inlet;
mod outgoing;
mod request;
mod room;
pub mod server;

pub use head::{ReplyHead, RequestHead};
pub use headers::{HeaderLines, Headers, Line};
pub use room::Room;

use std::io;

/// How a connection, or the HTTP spoken over it, broke.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The socket, or TLS over it, failed.
    #[error("{0}")]
    Io(#[source] io::Error),
    /// The other end closed the connection.
    #[error("the connection was closed")]
    Closed,
    /// The head of a message is not HTTP/1.1.
    #[error("its head is not HTTP/1.1: {0}")]
    Head(#[source] httparse::Error),
    /// The head of a message does not end.
    #[error("its head is longer than {0} bytes")]
    HeadTooLong(usize),
    /// A message whose length cannot be known, or whose chunks are not chunks.
    #[error("{0}")]
    Framing(&'static str),
}

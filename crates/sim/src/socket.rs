//! The server's end of a connection, which can be hung up in the middle of a reply, politely or not.
//!
//! The reply's body says that it wants to hang up; the socket does so once everything before it is written. So a
//! reply that is cut after an event has all of that event on the wire.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How a connection is hung up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum HangUp {
    /// With FIN.
    Close = 1,
    /// With RST.
    Reset = 2,
}

/// The word between a reply and its socket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line(Arc<AtomicU8>);

impl Line {
    /// Asks the socket to hang up once it has written what it was given.
    pub(crate) fn hang_up(&self, how: HangUp) {
        self.0.store(how as u8, Ordering::Release);
    }

    fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }

    fn is_reset(&self) -> bool {
        self.0.load(Ordering::Acquire) == HangUp::Reset as u8
    }
}

/// A connection that listens to its line.
pub(crate) struct Socket {
    stream: TokioIo<TcpStream>,
    line: Line,
}

impl Socket {
    /// The connection `stream`, hung up by `line`.
    pub(crate) fn new(stream: TcpStream, line: Line) -> Self {
        Self { stream: TokioIo::new(stream), line }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.line.is_reset() {
            // Closing a socket that must not linger sends RST. If that fails the peer sees FIN, and a test tells.
            self.stream.inner().set_zero_linger().unwrap_or_default();
        }
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    /// Called only when all is written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.line.is_open() {
            return Pin::new(&mut self.stream).poll_flush(context);
        }
        Poll::Ready(Err(io::Error::from(io::ErrorKind::BrokenPipe)))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.line.is_reset() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }
}

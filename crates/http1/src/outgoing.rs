//! A message on its way out.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::AsyncWrite;

/// Content up to this long is copied behind its head, in bytes. Copying a page costs less than what the kernel does more
/// for a list of slices than for one run of bytes.
pub(crate) const COPIED: usize = 4096;

/// What is being written: a head, content, and what follows it, in one write where the stream takes it.
#[derive(Default)]
pub(crate) struct Outgoing {
    pub(crate) head: Vec<u8>,
    pub(crate) body: Bytes,
    pub(crate) tail: &'static [u8],
    written: usize,
    state: State,
}

#[derive(Default)]
enum State {
    #[default]
    Sent,
    Writing,
    Flushing,
    Failed(io::Error),
}

impl Outgoing {
    pub(crate) fn new(mut head: Vec<u8>, body: Bytes, tail: &'static [u8]) -> Self {
        let (body, tail) = if !head.is_empty() && body.len() <= COPIED {
            head.reserve(body.len() + tail.len());
            head.extend_from_slice(&body);
            head.extend_from_slice(tail);
            (Bytes::new(), &[][..])
        } else {
            (body, tail)
        };
        Self { head, body, tail, written: 0, state: State::Writing }
    }

    /// Whether all of it was sent.
    pub(crate) const fn is_sent(&self) -> bool {
        matches!(self.state, State::Sent)
    }

    /// Notes that nothing more can be sent, and why.
    pub(crate) fn fail(&mut self, error: io::Error) {
        self.state = State::Failed(error);
    }

    /// Why it could not be sent, once.
    pub(crate) fn take_failure(&mut self) -> Option<io::Error> {
        match std::mem::take(&mut self.state) {
            State::Failed(error) => Some(error),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// Writes what can be written. Ready when all of it was, or nothing more can be.
    pub(crate) fn poll(
        &mut self,
        mut stream: Pin<&mut impl AsyncWrite>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match self.state {
                State::Sent | State::Failed(_) => return Poll::Ready(Ok(())),
                State::Writing => {
                    let (head, body) = (self.head.len(), self.body.len());
                    let parts = [
                        self.head.get(self.written..).unwrap_or_default(),
                        self.body.get(self.written.saturating_sub(head)..).unwrap_or_default(),
                        self.tail.get(self.written.saturating_sub(head + body)..).unwrap_or_default(),
                    ];
                    let written = ready!(match parts {
                        [one, [], []] | [[], one, []] | [[], [], one] => stream.as_mut().poll_write(cx, one),
                        parts => stream.as_mut().poll_write_vectored(cx, &parts.map(IoSlice::new)),
                    })?;
                    if written == 0 {
                        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                    }
                    self.written += written;
                    if self.written == head + body + self.tail.len() {
                        // Not kept for as long as the answer takes.
                        *self = Self { state: State::Flushing, ..Self::default() };
                    }
                }
                State::Flushing => {
                    ready!(stream.as_mut().poll_flush(cx))?;
                    self.state = State::Sent;
                }
            }
        }
    }
}

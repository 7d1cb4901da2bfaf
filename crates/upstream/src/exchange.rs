//! A reply as it arrives.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use stepwell_http1::{Headers, ReplyHead};

use crate::connection::Connection;
use crate::pool::Slot;
use crate::timer::Timer;
use crate::{Error, Upstream};

/// A reply whose head has arrived. Dropped before its end, it closes the connection.
pub struct Exchange {
    upstream: Arc<Upstream>,
    slot: Arc<Slot>,
    /// None once the reply has ended and the connection has gone back.
    connection: Option<Connection>,
    head: ReplyHead,
    timer: Timer,
    idle: Duration,
}

/// Whether a reply goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// There may be more.
    More,
    /// The reply has ended, properly framed. Whether it is complete is the dialect's question.
    End,
}

impl Exchange {
    pub(crate) fn new(
        upstream: Arc<Upstream>,
        slot: Arc<Slot>,
        connection: Connection,
        head: ReplyHead,
        timer: Timer,
        idle: Duration,
    ) -> Self {
        Self { upstream, slot, connection: Some(connection), head, timer, idle }
    }

    /// The reply's status and headers.
    pub const fn head(&self) -> &ReplyHead {
        &self.head
    }

    /// The reply's headers, taken away.
    pub fn take_headers(&mut self) -> Headers {
        std::mem::take(&mut self.head.headers)
    }

    /// Gives everything that is there now as one piece, and waits only if there is nothing. An error comes after what
    /// arrived before it.
    ///
    /// A provider that writes twenty events at once is read, scanned and passed on once, not twenty times.
    pub fn poll_burst(&mut self, cx: &mut Context<'_>) -> Poll<Result<(Bytes, Progress), Error>> {
        let Some(connection) = &mut self.connection else {
            return Poll::Ready(Ok((Bytes::new(), Progress::End)));
        };
        let polled = connection.http.poll_body(cx, &mut self.upstream.room.enter());
        match polled {
            Poll::Ready(Ok(piece)) => {
                if piece.is_last {
                    self.end();
                    return Poll::Ready(Ok((piece.bytes, Progress::End)));
                }
                self.timer.expect_within(self.idle);
                Poll::Ready(Ok((piece.bytes, Progress::More)))
            }
            Poll::Ready(Err(broken)) => {
                self.connection = None;
                Poll::Ready(Err(Error::Truncated(broken)))
            }
            Poll::Pending => self.timer.poll(&mut connection.alarm, cx).map(|expired| {
                self.connection = None;
                Err(expired.into_error(Error::IdleTimeout))
            }),
        }
    }

    /// Reads the whole reply, at most `limit` bytes of it.
    pub async fn read_all(&mut self, limit: usize) -> Result<Bytes, Error> {
        let (first, progress) = poll_fn(|cx| self.poll_burst(cx)).await?;
        if progress == Progress::End && first.len() <= limit {
            return Ok(first);
        }
        let mut whole = BytesMut::from(&first[..]);
        let mut progress = progress;
        while progress == Progress::More && whole.len() <= limit {
            let piece;
            (piece, progress) = poll_fn(|cx| self.poll_burst(cx)).await?;
            whole.extend_from_slice(&piece);
        }
        if whole.len() > limit {
            self.connection = None;
            return Err(Error::TooLarge(limit));
        }
        Ok(whole.freeze())
    }

    /// Gives the connection back, if it may serve again: whether the server still thinks so is looked at then.
    fn end(&mut self) {
        if let Some(connection) = self.connection.take()
            && connection.http.may_go_on()
        {
            self.slot.give_back(connection);
        }
    }
}

//! A reply as it arrives.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::connection::Connection;
use crate::origin::OriginKey;
use crate::{Error, Upstream};

/// How much one burst may gather before it is passed on.
const BURST: usize = 64 * 1024;

/// A reply whose head has arrived. Dropped before its end, it closes the connection.
pub struct Exchange {
    upstream: Arc<Upstream>,
    key: OriginKey,
    /// None once the reply has ended and the connection has gone back.
    connection: Option<Connection>,
    head: http::response::Parts,
    body: Incoming,
    timer: Timer,
    idle: Duration,
}

/// What [`Exchange::poll_burst`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Bytes arrived; there may be more.
    More,
    /// The reply has ended, properly framed. Whether it is complete is the dialect's question.
    End,
}

impl Exchange {
    pub(crate) fn new(
        upstream: Arc<Upstream>,
        key: OriginKey,
        connection: Connection,
        reply: http::Response<Incoming>,
        timer: Timer,
        idle: Duration,
    ) -> Self {
        let (head, body) = reply.into_parts();
        Self { upstream, key, connection: Some(connection), head, body, timer, idle }
    }

    /// The reply's status and headers.
    pub const fn head(&self) -> &http::response::Parts {
        &self.head
    }

    /// The reply's headers, to be taken from.
    pub const fn headers_mut(&mut self) -> &mut http::HeaderMap {
        &mut self.head.headers
    }

    /// Gathers everything that is there now into `out`, and waits only if there is nothing.
    ///
    /// A provider that writes twenty events at once is read, scanned and passed on once, not twenty times.
    pub fn poll_burst(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut Vec<Bytes>,
    ) -> Poll<Result<Progress, Error>> {
        let Some(connection) = &mut self.connection else {
            return Poll::Ready(Ok(Progress::End));
        };
        let body = &mut self.body;
        let mut gathered = 0;
        // Each pass moves bytes from the socket to the body, then takes from the body what is there.
        let polled = connection.pass(cx, |cx| {
            while gathered < BURST {
                match std::task::ready!(Pin::new(&mut *body).poll_frame(cx)) {
                    Some(Ok(frame)) => {
                        if let Ok(bytes) = frame.into_data() {
                            gathered += bytes.len();
                            out.push(bytes);
                        }
                    }
                    Some(Err(error)) => return Poll::Ready(Err(Error::Truncated(error))),
                    None => return Poll::Ready(Ok(Progress::End)),
                }
            }
            Poll::Ready(Ok(Progress::More))
        });
        match polled {
            Poll::Ready(Ok(Progress::End)) => self.end(cx),
            Poll::Ready(Err(_)) => self.connection = None,
            Poll::Ready(Ok(Progress::More)) => {}
            Poll::Pending if gathered > 0 => {}
            Poll::Pending => {
                return self.timer.poll(cx).map(|expired| {
                    self.connection = None;
                    Err(expired.into_error(Error::IdleTimeout))
                });
            }
        }
        self.timer.expect_within(self.idle);
        match polled {
            Poll::Ready(progress) => Poll::Ready(progress),
            Poll::Pending => Poll::Ready(Ok(Progress::More)),
        }
    }

    /// Reads the whole reply, at most `limit` bytes of it.
    pub async fn read_all(&mut self, limit: usize) -> Result<Bytes, Error> {
        let mut pieces = Vec::with_capacity(2);
        let mut length = 0;
        loop {
            let before = pieces.len();
            let progress = poll_fn(|cx| self.poll_burst(cx, &mut pieces)).await?;
            length += pieces[before..].iter().map(Bytes::len).sum::<usize>();
            if length > limit {
                self.connection = None;
                return Err(Error::TooLarge(limit));
            }
            if progress == Progress::End {
                break;
            }
        }
        Ok(join(&mut pieces))
    }

    /// Gives the connection back, if it can serve again.
    fn end(&mut self, cx: &Context<'_>) {
        if let Some(mut connection) = self.connection.take()
            && connection.is_reusable(cx)
        {
            self.upstream.give_back(&self.key, connection);
        }
    }
}

/// Takes all pieces as one: a single one as it is, several copied together.
pub fn join(pieces: &mut Vec<Bytes>) -> Bytes {
    match pieces.as_slice() {
        [_] => pieces.pop().unwrap_or_default(),
        several => {
            let mut whole = BytesMut::with_capacity(several.iter().map(Bytes::len).sum());
            for piece in pieces.drain(..) {
                whole.extend_from_slice(&piece);
            }
            whole.freeze()
        }
    }
}

/// The deadline of a call and the patience of its present step, in one timer that is armed only while the call waits
/// and is not touched by progress: when it fires too early it is armed again.
pub(crate) struct Timer {
    deadline: Instant,
    patience: Duration,
    expected: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

/// Which of the two ran out.
pub(crate) enum Expired {
    Patience(Duration),
    Deadline,
}

impl Expired {
    pub(crate) fn into_error(self, of_patience: fn(u128) -> Error) -> Error {
        match self {
            Self::Patience(patience) => of_patience(patience.as_millis()),
            Self::Deadline => Error::Deadline,
        }
    }
}

impl Timer {
    pub(crate) fn new(deadline: Instant) -> Self {
        Self { deadline, patience: Duration::MAX, expected: deadline, sleep: None }
    }

    /// Begins a step that may take `patience`.
    pub(crate) fn expect_within(&mut self, patience: Duration) {
        self.patience = patience;
        self.expected = Instant::now() + patience;
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Expired> {
        let due = self.expected.min(self.deadline);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        loop {
            if sleep.deadline() > due {
                sleep.as_mut().reset(due);
            }
            std::task::ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= due {
                let out_of_time = self.deadline <= self.expected;
                return Poll::Ready(if out_of_time {
                    Expired::Deadline
                } else {
                    Expired::Patience(self.patience)
                });
            }
            sleep.as_mut().reset(due);
        }
    }
}

//! The server's end: requests in, responses out, one after the other, until one side wants no more.
//!
//! While a request is handled the client is watched: when it goes away, the handler is dropped.

mod head;
mod incoming;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body::Body;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use self::head::{Form, head_of, refusal};
pub use self::incoming::Incoming;
use crate::head::{HEADERS, Parsed, parse_request};
use crate::headers::push_number;
use crate::inlet::Inlet;
use crate::outgoing::Outgoing;
use crate::{Broken, HeaderLines, RequestHead, Room};

/// How much of a next request is read while one is handled, in bytes.
const AHEAD: usize = 64 * 1024;

/// How much of a body that nobody wants is read so that the connection can go on, in bytes.
const UNWANTED: usize = 64 * 1024;

/// How long, and for how many bytes, a client that still sends is listened to after the last response: closing at once
/// would reset the connection, and the client would lose the response that it has not read yet.
const LINGER: (Duration, usize) = (Duration::from_secs(2), 4 << 20);

/// A request: its head, and its body as it comes.
pub struct Request<S> {
    /// Its head.
    pub head: RequestHead,
    /// Its body.
    pub body: Incoming<S>,
}

/// A response.
pub struct Response<B> {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, but for those that say where it ends.
    pub headers: HeaderLines,
    /// Its body.
    pub body: B,
}

impl<B> Response<B> {
    /// The same with another body.
    pub fn map<C>(self, map: impl FnOnce(B) -> C) -> Response<C> {
        Response { status: self.status, headers: self.headers, body: map(self.body) }
    }
}

/// What a client may send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Headers of a request, 100 at most.
    pub headers: usize,
    /// Bytes of a request's head.
    pub head: usize,
}

/// The connection as its loop and the body that is being read share it.
struct Shared<S> {
    inlet: Mutex<Inlet<S>>,
    room: Room,
}

/// Serves a connection until it ends: the client closes it, either side breaks HTTP, or `stop` is over and no request is
/// under way. `handle` answers a request; its future is dropped if the client goes away.
///
/// The error is what the client did to the connection, or the network.
pub async fn serve<S, H, F, B>(
    stream: S,
    limits: Limits,
    room: Room,
    handle: H,
    stop: impl Future<Output = ()>,
) -> Result<(), Broken>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Request<S>) -> F,
    F: Future<Output = Response<B>>,
    B: Body<Data = Bytes, Error = Infallible> + Unpin,
{
    let shared = Arc::new(Shared { inlet: Mutex::new(Inlet::new(stream)), room });
    let mut stop = pin!(stop);
    let mut is_stopping = false;
    loop {
        let next = poll_fn(|cx| {
            let head = shared.poll_request(cx, limits);
            is_stopping = is_stopping || (head.is_pending() && stop.as_mut().poll(cx).is_ready());
            // Nothing of a request has come: there is nobody to be left without an answer.
            if is_stopping && head.is_pending() && !shared.inlet.lock().holds_something() {
                return Poll::Ready(Ok(None));
            }
            head
        });
        let parsed = match next.await {
            Ok(Some(parsed)) => parsed,
            Ok(None) => return Ok(()),
            Err(broken) => {
                if let Some(refusal) = refusal(&broken) {
                    shared.send(Outgoing::new(refusal, Bytes::new(), b"")).await?;
                    shared.linger().await;
                }
                return Err(broken);
            }
        };
        let Parsed { head, framing, persists, is_1_1, .. } = parsed;
        let form = Form { has_body: head.method != Method::HEAD, is_1_1 };
        let body = Incoming::new(&shared, &head, framing, is_1_1);
        let response = {
            let mut handling = pin!(handle(Request { head, body }));
            poll_fn(|cx| match handling.as_mut().poll(cx) {
                Poll::Ready(response) => Poll::Ready(Some(response)),
                Poll::Pending => shared.poll_gone(cx).map(|()| None),
            })
            .await
        };
        let Some(response) = response else { return Ok(()) };
        is_stopping = is_stopping || poll_fn(|cx| Poll::Ready(stop.as_mut().poll(cx).is_ready())).await;
        let goes_on = persists && !is_stopping && shared.is_next_in_reach().await;
        let goes_on = shared.respond(response, form, goes_on).await?;
        if !goes_on {
            if shared.still_sends() {
                shared.linger().await;
            }
            return Ok(());
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    fn poll_request(
        &self,
        cx: &mut Context<'_>,
        limits: Limits,
    ) -> Poll<Result<Option<Parsed<RequestHead>>, Broken>> {
        self.inlet.lock().poll_head(cx, &mut self.room.enter(), limits.head, |bytes| {
            let parsed = parse_request(bytes, limits.headers.min(HEADERS))?;
            Ok(parsed.map(|parsed| {
                let (length, framing) = (parsed.length, parsed.framing);
                (parsed, length, framing)
            }))
        })
    }

    /// Ready when the client has gone, as far as that can be seen: whoever still reads the body sees it there.
    fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inlet = self.inlet.lock();
        if !inlet.is_body_over() {
            return Poll::Pending;
        }
        inlet.poll_ended(cx, &mut self.room.enter(), AHEAD)
    }

    /// Whether the client has sent, or is sending, what nobody reads.
    fn still_sends(&self) -> bool {
        let inlet = self.inlet.lock();
        !inlet.is_body_over() || inlet.holds_something()
    }

    /// Whether the body has been read to its end, or can be without waiting.
    async fn is_next_in_reach(&self) -> bool {
        poll_fn(|cx| {
            let mut inlet = self.inlet.lock();
            let mut unwanted = 0;
            while !inlet.is_body_over() && unwanted <= UNWANTED {
                match inlet.poll_body(cx, &mut self.room.enter()) {
                    Poll::Ready(Ok(piece)) => unwanted += piece.bytes.len(),
                    Poll::Ready(Err(_)) | Poll::Pending => return Poll::Ready(false),
                }
            }
            Poll::Ready(inlet.is_body_over())
        })
        .await
    }

    /// Sends a response. Whether the connection goes on after it.
    async fn respond<B>(&self, response: Response<B>, form: Form, goes_on: bool) -> Result<bool, Broken>
    where
        B: Body<Data = Bytes, Error = Infallible> + Unpin,
    {
        let Response { status, headers, mut body } = response;
        let length = body.size_hint().exact();
        let is_chunked = length.is_none() && form.is_1_1;
        let goes_on = goes_on && (length.is_some() || is_chunked);
        let mut out = head_of(status, &headers, length, form, goes_on);
        if !form.has_body {
            self.send(Outgoing::new(out, Bytes::new(), b"")).await?;
            return Ok(goes_on);
        }
        let mut left = length;
        loop {
            let bytes = match self.next(&mut body, out.is_empty()).await {
                Next::Content(bytes) => bytes,
                Next::End => Bytes::new(),
                Next::Later => {
                    self.send(Outgoing::new(std::mem::take(&mut out), Bytes::new(), b"")).await?;
                    continue;
                }
                Next::Gone => return Err(Broken::Closed),
            };
            let is_last = bytes.is_empty() || body.is_end_stream();
            if let Some(left) = &mut left {
                let after = left.checked_sub(bytes.len() as u64).filter(|after| !is_last || *after == 0);
                *left = after.ok_or(Broken::Framing("a response is not as long as it says"))?;
            }
            let tail: &[u8] = match (is_chunked, bytes.is_empty(), is_last) {
                (false, ..) => b"",
                (true, true, _) => b"0\r\n\r\n",
                (true, false, false) => b"\r\n",
                (true, false, true) => b"\r\n0\r\n\r\n",
            };
            if is_chunked && !bytes.is_empty() {
                push_number(&mut out, bytes.len() as u64, 16);
                out.extend_from_slice(b"\r\n");
            }
            if !(out.is_empty() && bytes.is_empty() && tail.is_empty()) {
                self.send(Outgoing::new(std::mem::take(&mut out), bytes, tail)).await?;
            }
            if is_last {
                return Ok(goes_on);
            }
        }
    }

    /// What comes next of a body. Waits only if `may_wait`, watching the client: what it no longer waits for is not made.
    async fn next<B>(&self, body: &mut B, may_wait: bool) -> Next
    where
        B: Body<Data = Bytes, Error = Infallible> + Unpin,
    {
        poll_fn(|cx| {
            loop {
                return match Pin::new(&mut *body).poll_frame(cx) {
                    Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                        Ok(bytes) if !bytes.is_empty() => Poll::Ready(Next::Content(bytes)),
                        // Nothing, or trailers, which nobody here sends.
                        Ok(_) | Err(_) => continue,
                    },
                    Poll::Ready(Some(Err(never))) => match never {},
                    Poll::Ready(None) => Poll::Ready(Next::End),
                    Poll::Pending if may_wait => self.poll_gone(cx).map(|()| Next::Gone),
                    Poll::Pending => Poll::Ready(Next::Later),
                };
            }
        })
        .await
    }

    async fn send(&self, mut outgoing: Outgoing) -> Result<(), Broken> {
        poll_fn(|cx| outgoing.poll(Pin::new(&mut self.inlet.lock().stream), cx)).await.map_err(Broken::Io)
    }

    /// Says that nothing more comes, and listens until the client has stopped as well.
    async fn linger(&self) {
        let listening = async {
            if poll_fn(|cx| Pin::new(&mut self.inlet.lock().stream).poll_shutdown(cx)).await.is_err() {
                return;
            }
            let mut heard = 0;
            while heard < LINGER.1 {
                match poll_fn(|cx| self.inlet.lock().poll_fill(cx, &mut self.room.enter(), 0)).await {
                    0 => return,
                    bytes => heard += bytes,
                }
            }
        };
        // Longer than that nobody is waited for.
        drop(timeout(LINGER.0, listening).await);
    }
}

/// What comes next of a response's body.
enum Next {
    Content(Bytes),
    End,
    /// Nothing yet.
    Later,
    /// Nothing that anybody waits for.
    Gone,
}

//! The server's end: requests in, responses out, one after the other, until one side wants no more.
//!
//! While a request is handled the client is watched: when it goes away, the handler is dropped.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body::{Body, Frame, SizeHint};
use httpdate::HttpDate;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::framing::Framing;
use crate::head::{HEADERS, Parsed, parse_request};
use crate::headers::push_number;
use crate::inlet::{Inlet, Piece};
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

/// The body of a request. It can be read until the request is answered.
pub struct Incoming<S> {
    shared: Arc<Shared<S>>,
    length: Option<u64>,
    is_over: bool,
    /// The client waits to be told to send it, and with what.
    invitation: Option<Outgoing>,
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

/// What the request says of the form of its response.
#[derive(Clone, Copy)]
struct Form {
    has_body: bool,
    is_1_1: bool,
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
            left = left.map(|left| left.checked_sub(bytes.len() as u64)).unwrap_or_default();
            if length.is_some() && (left.is_none() || is_last && left != Some(0)) {
                return Err(Broken::Framing("a response is not as long as it says"));
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

impl<S> Incoming<S> {
    fn new(shared: &Arc<Shared<S>>, head: &RequestHead, framing: Framing, is_1_1: bool) -> Self {
        let is_invited = is_1_1 && !framing.is_over() && head.headers.lists("expect", "100-continue");
        let invitation =
            is_invited.then(|| Outgoing::new(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), Bytes::new(), b""));
        let length = match framing {
            Framing::Length(length) => Some(length),
            Framing::Chunked { .. } | Framing::UntilClose => None,
        };
        Self { shared: Arc::clone(shared), length, is_over: framing.is_over(), invitation }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Body for Incoming<S> {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        if this.is_over {
            return Poll::Ready(None);
        }
        let mut inlet = this.shared.inlet.lock();
        if let Some(invitation) = &mut this.invitation {
            // What has come already needs none.
            if !inlet.holds_something()
                && let Err(error) = ready!(invitation.poll(Pin::new(&mut inlet.stream), cx))
            {
                this.is_over = true;
                return Poll::Ready(Some(Err(Broken::Io(error))));
            }
            this.invitation = None;
        }
        match ready!(inlet.poll_body(cx, &mut this.shared.room.enter())) {
            Ok(Piece { bytes, is_last }) => {
                this.is_over = is_last;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Err(broken) => {
                this.is_over = true;
                Poll::Ready(Some(Err(broken)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map(SizeHint::with_exact).unwrap_or_default()
    }
}

/// The head of a response, up to where its body begins.
fn head_of(
    status: StatusCode,
    headers: &HeaderLines,
    length: Option<u64>,
    form: Form,
    goes_on: bool,
) -> Vec<u8> {
    let mut line = Vec::with_capacity(headers.as_bytes().len() + 192);
    // Old clients take a version that is not theirs for a mistake.
    line.extend_from_slice(if form.is_1_1 { b"HTTP/1.1 " } else { b"HTTP/1.0 " });
    line.extend_from_slice(status.as_str().as_bytes());
    line.push(b' ');
    line.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    line.extend_from_slice(b"\r\n");
    let mut head = HeaderLines::behind(line);
    head.extend(headers);
    match length {
        Some(length) => head.put_number("content-length", length),
        None if form.is_1_1 => head.put("transfer-encoding", b"chunked"),
        None => {}
    }
    match (goes_on, form.is_1_1) {
        (false, _) => head.put("connection", b"close"),
        (true, false) => head.put("connection", b"keep-alive"),
        (true, true) => {}
    }
    DATE.with_borrow_mut(|date| head.put("date", date.now()));
    head.into_whole()
}

thread_local! {
    static DATE: RefCell<Date> = const { RefCell::new(Date { second: u64::MAX, text: Vec::new() }) };
}

/// The time as headers have it, written once a second.
struct Date {
    second: u64,
    text: Vec<u8>,
}

impl Date {
    #[expect(clippy::disallowed_methods, reason = "for the client to read: nothing here is decided by it")]
    fn now(&mut self) -> &[u8] {
        let now = SystemTime::now();
        let second = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if second != self.second {
            self.second = second;
            self.text = HttpDate::from(now).to_string().into_bytes();
        }
        &self.text
    }
}

/// What a client is told that does not speak HTTP/1.1. None where it has gone.
fn refusal(broken: &Broken) -> Option<Vec<u8>> {
    let status = match broken {
        Broken::Io(_) | Broken::Closed => return None,
        Broken::Head(httparse::Error::TooManyHeaders) | Broken::HeadTooLong(_) => {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        }
        Broken::Head(_) | Broken::Framing(_) => StatusCode::BAD_REQUEST,
    };
    let text = format!("the request cannot be read: {broken}\n");
    let mut headers = HeaderLines::default();
    headers.put("content-type", b"text/plain");
    let form = Form { has_body: true, is_1_1: true };
    let mut out = head_of(status, &headers, Some(text.len() as u64), form, false);
    out.extend_from_slice(text.as_bytes());
    Some(out)
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bolero::check;
    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::sync::Notify;

    use super::*;

    const LIMITS: Limits = Limits { headers: 10, head: 1_000 };

    /// A body of these pieces; of a known length, if it says so.
    struct Pieces {
        pieces: std::vec::IntoIter<&'static str>,
        length: Option<u64>,
    }

    impl Pieces {
        fn new(pieces: &[&'static str], is_known: bool) -> Self {
            let pieces = pieces.to_vec();
            let length = is_known.then(|| pieces.iter().map(|piece| piece.len() as u64).sum());
            Self { pieces: pieces.into_iter(), length }
        }
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.pieces.next().map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))))
        }

        fn is_end_stream(&self) -> bool {
            self.pieces.as_slice().is_empty()
        }

        fn size_hint(&self) -> SizeHint {
            self.length.map(SizeHint::with_exact).unwrap_or_default()
        }
    }

    /// Reads a body to its end. Gives its length.
    async fn read<S: AsyncRead + AsyncWrite + Unpin>(mut body: Incoming<S>) -> Result<u64, Broken> {
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame?.into_data().map_or(0, |bytes| bytes.len() as u64);
        }
        Ok(length)
    }

    /// Answers by path: `/echo` reads the body and gives its length, `/stream` streams, all else reads nothing.
    async fn answer<S: AsyncRead + AsyncWrite + Unpin>(request: Request<S>) -> Response<Pieces> {
        let mut headers = HeaderLines::default();
        headers.put("x-path", request.head.path().as_bytes());
        let body = match request.head.path() {
            "/echo" => match read(request.body).await {
                Ok(length) => {
                    headers.put_number("x-read", length);
                    Pieces::new(&["read"], true)
                }
                Err(broken) => {
                    headers.put("x-broken", broken.to_string().as_bytes());
                    Pieces::new(&["broken"], true)
                }
            },
            "/stream" => Pieces::new(&["one", "", "two"], false),
            "/nothing" => Pieces::new(&[], true),
            _ => Pieces::new(&["hello"], true),
        };
        Response { status: StatusCode::OK, headers, body }
    }

    /// What a client that sends these pieces and then nothing more hears, and how the connection ended. Dates are left
    /// out.
    async fn talk(pieces: &[&[u8]], limits: Limits) -> (String, Result<(), Broken>) {
        let (ours, mut theirs) = duplex(1 << 20);
        let serving = serve(ours, limits, Room::new(64), answer, pending());
        let talking = async {
            for piece in pieces {
                theirs.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            theirs.shutdown().await.unwrap();
            let mut heard = Vec::new();
            theirs.read_to_end(&mut heard).await.unwrap();
            String::from_utf8(heard).unwrap()
        };
        let (ended, heard) = tokio::join!(serving, talking);
        let lines: Vec<_> = heard.split("\r\n").filter(|line| !line.starts_with("date: ")).collect();
        (lines.join("\r\n"), ended)
    }

    async fn heard(text: &str) -> String {
        talk(&[text.as_bytes()], LIMITS).await.0
    }

    #[tokio::test]
    async fn requests_are_answered_in_order_however_they_arrive() {
        let text = "GET /a HTTP/1.1\r\n\r\n\r\nPOST /echo HTTP/1.1\r\ncontent-length: 300\r\n\r\n".to_owned()
            + &"x".repeat(300)
            + "POST /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nt: 1\r\n\r\n\
               GET /nothing HTTP/1.1\r\n\r\nGET /stream?q HTTP/1.1\r\n\r\n";
        let expected = "HTTP/1.1 200 OK\r\nx-path: /a\r\ncontent-length: 5\r\n\r\nhello\
                        HTTP/1.1 200 OK\r\nx-path: /echo\r\nx-read: 300\r\ncontent-length: 4\r\n\r\nread\
                        HTTP/1.1 200 OK\r\nx-path: /echo\r\nx-read: 5\r\ncontent-length: 4\r\n\r\nread\
                        HTTP/1.1 200 OK\r\nx-path: /nothing\r\ncontent-length: 0\r\n\r\n\
                        HTTP/1.1 200 OK\r\nx-path: /stream\r\ntransfer-encoding: chunked\r\n\r\n\
                        3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n";
        for size in [1, 7, 64, 1_000] {
            let pieces: Vec<_> = text.as_bytes().chunks(size).collect();
            let (heard, ended) = talk(&pieces, LIMITS).await;
            assert_eq!(heard, expected, "in pieces of {size}");
            ended.unwrap();
        }
    }

    #[tokio::test]
    async fn a_request_that_cannot_be_read_is_told_why_and_ends_the_connection() {
        let many = "x: 1\r\n".repeat(11);
        let long = "x".repeat(1_000);
        for (text, status, why) in [
            ("GET / HTTP/2.0\r\n\r\n".to_owned(), 400, "invalid HTTP version"),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 400, "invalid HTTP version"),
            ("GET * HTTP/1.1\r\n\r\n".to_owned(), 400, "its target is neither a path nor a URL"),
            ("GET / HTTP/1.1\r\nno colon\r\n\r\n".to_owned(), 400, "invalid header name"),
            (
                "POST / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
                400,
                "both a transfer-encoding and a content-length",
            ),
            (format!("GET / HTTP/1.1\r\n{many}\r\n"), 431, "too many headers"),
            (format!("GET / HTTP/1.1\r\na: {long}\r\n\r\n"), 431, "longer than 1000 bytes"),
            (format!("GET / HTTP/1.1\r\na: {long}"), 431, "longer than 1000 bytes"),
        ] {
            let (heard, ended) = talk(&[text.as_bytes(), b"GET /next HTTP/1.1\r\n\r\n"], LIMITS).await;
            assert!(heard.starts_with(&format!("HTTP/1.1 {status} ")), "{heard}");
            assert!(heard.contains(why) && heard.contains("connection: close"), "{heard}");
            assert!(!heard.contains("/next"), "{heard}");
            ended.unwrap_err();
        }
    }

    #[tokio::test]
    async fn a_body_that_nobody_reads_is_skipped_or_ends_the_connection() {
        let next = "GET /next HTTP/1.1\r\n\r\n";
        let short = heard(&format!("POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\n12345{next}")).await;
        assert!(short.contains("/next"), "{short}");
        let long = heard(&format!("POST / HTTP/1.1\r\ncontent-length: 999999\r\n\r\n{next}")).await;
        assert!(!long.contains("/next") && long.contains("connection: close"), "{long}");
        let broken = heard(&format!("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz{next}")).await;
        assert!(!broken.contains("/next") && broken.contains("connection: close"), "{broken}");
        let read = heard("POST /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc").await;
        assert!(
            read.contains("x-broken: its chunks are not") && read.contains("connection: close"),
            "{read}"
        );
        let cut = heard("POST /echo HTTP/1.1\r\ncontent-length: 9\r\n\r\n12345").await;
        assert!(cut.contains("x-broken: the connection was closed"), "{cut}");
    }

    #[tokio::test]
    async fn a_client_that_sends_on_still_hears_why_it_was_refused() {
        // More than the pipe holds: whoever closed before reading would leave the client stuck, or reset.
        let text = "POST / HTTP/1.1\r\ncontent-length: 3000000\r\n\r\n".to_owned() + &"x".repeat(3_000_000);
        let heard = heard(&text).await;
        assert!(heard.ends_with("hello") && heard.contains("connection: close"), "{heard}");
    }

    #[tokio::test]
    async fn old_and_odd_clients_get_what_they_understand() {
        let old = heard("GET / HTTP/1.0\r\n\r\nGET /next HTTP/1.0\r\n\r\n").await;
        let once = "HTTP/1.0 200 OK\r\nx-path: /\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
        assert_eq!(old, once);
        let kept = heard("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\nGET /next HTTP/1.0\r\n\r\n").await;
        assert!(kept.contains("connection: keep-alive") && kept.contains("/next"), "{kept}");
        let streamed = heard("GET /stream HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").await;
        assert!(streamed.ends_with("connection: close\r\n\r\nonetwo"), "{streamed}");
        let asked = heard("GET / HTTP/1.1\r\nconnection: close\r\n\r\nGET /next HTTP/1.1\r\n\r\n").await;
        assert!(asked.contains("connection: close") && !asked.contains("/next"), "{asked}");
        let head = heard("HEAD / HTTP/1.1\r\n\r\nGET /next HTTP/1.1\r\n\r\n").await;
        assert!(head.contains("content-length: 5\r\n\r\nHTTP/1.1 200 OK\r\nx-path: /next"), "{head}");
    }

    /// A client of a server that answers as `handle` does.
    fn connect<F, B>(
        handle: impl Fn(Request<DuplexStream>) -> F + Send + 'static,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> (DuplexStream, tokio::task::JoinHandle<Result<(), Broken>>)
    where
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes, Error = Infallible> + Unpin + Send + 'static,
    {
        let (ours, theirs) = duplex(1 << 16);
        (theirs, tokio::spawn(serve(ours, LIMITS, Room::new(64), handle, stop)))
    }

    async fn until(stream: &mut DuplexStream, end: &str) -> String {
        let mut heard = Vec::new();
        while !heard.ends_with(end.as_bytes()) {
            heard.push(stream.read_u8().await.unwrap());
        }
        String::from_utf8(heard).unwrap()
    }

    #[tokio::test]
    async fn a_client_that_waits_to_be_invited_is() {
        let (mut client, serving) = connect(answer, pending());
        let head = b"POST /echo HTTP/1.1\r\nexpect: 100-Continue\r\ncontent-length: 2\r\n\r\n";
        client.write_all(head).await.unwrap();
        assert_eq!(until(&mut client, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
        client.write_all(b"{}").await.unwrap();
        assert!(until(&mut client, "\r\n\r\nread").await.contains("x-read: 2"));
        let head = b"POST /refused HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n";
        client.write_all(head).await.unwrap();
        let refused = until(&mut client, "hello").await;
        assert!(refused.starts_with("HTTP/1.1 200") && refused.contains("connection: close"), "{refused}");
        drop(client);
        serving.await.unwrap().unwrap();
    }

    /// Counts those that were dropped.
    struct Dropped(Arc<AtomicUsize>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn a_handler_is_dropped_when_its_client_goes_away() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let begun = Arc::new(Notify::new());
        let (mut client, serving) = connect(
            {
                let (dropped, begun) = (Arc::clone(&dropped), Arc::clone(&begun));
                move |request| {
                    let (guard, begun) = (Dropped(Arc::clone(&dropped)), Arc::clone(&begun));
                    async move {
                        read(request.body).await.unwrap();
                        begun.notify_one();
                        let _guard = guard;
                        pending::<Response<Pieces>>().await
                    }
                }
            },
            pending(),
        );
        client.write_all(b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
        begun.notified().await;
        assert_eq!(dropped.load(Ordering::SeqCst), 0);
        drop(client);
        serving.await.unwrap().unwrap();
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
    }

    /// Gives one piece, then nothing, for ever.
    struct Endless(Option<Bytes>, #[expect(dead_code, reason = "it is there to be dropped")] Dropped);

    impl Body for Endless {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0.take().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(Frame::data(bytes)))))
        }
    }

    #[tokio::test]
    async fn a_stream_is_dropped_when_its_client_goes_away() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&dropped);
        let (mut client, serving) = connect(
            move |_| {
                let body = Endless(Some(Bytes::from_static(b"first")), Dropped(Arc::clone(&counter)));
                async move { Response { status: StatusCode::OK, headers: HeaderLines::default(), body } }
            },
            pending(),
        );
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert!(until(&mut client, "first\r\n").await.contains("5\r\nfirst"));
        assert_eq!(dropped.load(Ordering::SeqCst), 0);
        drop(client);
        assert!(matches!(serving.await.unwrap(), Err(Broken::Closed)));
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_stop_ends_idle_connections_at_once_and_others_after_their_response() {
        let stop = Arc::new(Notify::new());
        let stopped = |stop: &Arc<Notify>| {
            let stop = Arc::clone(stop);
            async move { stop.notified().await }
        };
        let (_client, serving) = connect(answer, stopped(&stop));
        tokio::task::yield_now().await;
        stop.notify_one();
        serving.await.unwrap().unwrap();

        let (mut client, serving) = connect(answer, stopped(&stop));
        client.write_all(b"POST /echo HTTP/1.1\r\ncontent-length: 2\r\n\r\n{").await.unwrap();
        tokio::task::yield_now().await;
        stop.notify_one();
        tokio::task::yield_now().await;
        client.write_all(b"}").await.unwrap();
        let last = until(&mut client, "\r\n\r\nread").await;
        assert!(last.contains("x-read: 2") && last.contains("connection: close"), "{last}");
        serving.await.unwrap().unwrap();
    }

    /// Longer, by hand: `BOLERO_RANDOM_ITERATIONS=5000000 cargo test --release -p stepwell-http1 nothing_a_client`.
    #[test]
    fn nothing_a_client_says_makes_it_panic_or_hang() {
        const STARTS: [&str; 6] = [
            "",
            "POST / HTTP/1.1\r\n",
            "POST /echo HTTP/1.1\r\ncontent-length: 12\r\n\r\n",
            "POST /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
            "GET /stream HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n",
            "POST /echo HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n",
        ];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        check!().with_iterations(2_000).with_max_len(128).for_each(|input: &[u8]| {
            let (choice, rest) = input.split_first().unwrap_or((&0, &[]));
            let (size, rest) = rest.split_first().unwrap_or((&0, &[]));
            let wire = [STARTS[usize::from(*choice) % STARTS.len()].as_bytes(), rest].concat();
            let (client, serving) = {
                let (ours, theirs) = duplex(1 << 16);
                (theirs, serve(ours, LIMITS, Room::new(64), answer, pending()))
            };
            runtime.block_on(async {
                let talking = async {
                    let mut client = client;
                    for piece in wire.chunks(usize::from(*size % 32) + 1) {
                        if client.write_all(piece).await.is_err() {
                            break;
                        }
                        tokio::task::yield_now().await;
                    }
                    drop(client.shutdown().await);
                    drop(client.read_to_end(&mut Vec::new()).await);
                };
                drop(tokio::join!(serving, talking));
            });
        });
    }
}

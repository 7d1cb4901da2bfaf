//! One connection: requests out, replies in, one after the other.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::Framing;
use super::{Broken, Head, head};
use crate::Request;

/// The longest head of a reply, in bytes.
const HEAD: usize = 256 * 1024;

/// A piece of a body.
#[derive(Debug)]
pub(crate) struct Piece {
    /// Content; empty only at the end.
    pub(crate) bytes: Bytes,
    /// Whether it is the last.
    pub(crate) is_last: bool,
}

/// A stream that speaks HTTP/1.1. What it reads it reads into a buffer that it is lent: it holds none while it waits.
pub(crate) struct Transport<S> {
    stream: S,
    outgoing: Outgoing,
    /// What was read and not taken yet: the start of a head, or what came with a head of the body behind it.
    held: Vec<u8>,
    /// How the reading side ended, once it has.
    ended: Option<Result<(), io::Error>>,
    framing: Framing,
    /// What broke the body behind the last piece that was given.
    fault: Option<Broken>,
    persists: bool,
}

/// A request on its way out.
#[derive(Default)]
struct Outgoing {
    head: Vec<u8>,
    body: Bytes,
    written: usize,
    state: Sending,
}

#[derive(Default)]
enum Sending {
    #[default]
    Sent,
    Writing,
    Flushing,
    Failed(io::Error),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport<S> {
    pub(crate) fn new(stream: S) -> Self {
        let (outgoing, held) = (Outgoing::default(), Vec::new());
        Self { stream, outgoing, held, ended: None, framing: Framing::Length(0), fault: None, persists: true }
    }

    /// Begins a request. The reply to the one before must have ended, and the connection be reusable.
    pub(crate) fn begin(&mut self, request: Request) {
        let Request { mut head, body } = request;
        head.extend_from_slice(b"\r\n");
        self.outgoing = Outgoing { head, body, written: 0, state: Sending::Writing };
    }

    /// Sends what can be sent, and gives the reply's head once it is there. A reply may come before all of its request
    /// is sent: a provider that refuses a body does not wait for its end.
    pub(crate) fn poll_head(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<Result<Head, Broken>> {
        self.send(cx);
        loop {
            let filled = ready!(self.poll_fill(cx, room, 0));
            if filled == 0 {
                return Poll::Ready(Err(self.why_no_head()));
            }
            if let Some(head) = self.take_head(&room[..filled])? {
                return Poll::Ready(Ok(head));
            }
        }
    }

    /// Sends what can be sent, and gives as much of the body as is there, in one piece.
    pub(crate) fn poll_body(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<Result<Piece, Broken>> {
        self.send(cx);
        if let Some(fault) = self.fault.take() {
            return Poll::Ready(Err(fault));
        }
        loop {
            if self.framing.is_over() {
                return Poll::Ready(Ok(Piece { bytes: Bytes::new(), is_last: true }));
            }
            let held = self.take_held(room);
            let filled = ready!(self.poll_fill(cx, room, held));
            if filled == 0 {
                return Poll::Ready(self.end_of_stream());
            }
            let decoded = self.framing.decode(&mut room[..filled]);
            // What stands behind a reply belongs to nothing: nobody asked for it.
            self.persists &= decoded.consumed == filled;
            let is_last = self.framing.is_over();
            if decoded.content > 0 || is_last {
                self.fault = decoded.fault;
                let bytes = Bytes::copy_from_slice(&room[..decoded.content]);
                return Poll::Ready(Ok(Piece { bytes, is_last }));
            }
            if let Some(fault) = decoded.fault {
                return Poll::Ready(Err(fault));
            }
        }
    }

    /// Whether another request can be sent. Looks at the stream: a provider that hung up meanwhile, or said something
    /// that nobody asked for, is noticed.
    pub(crate) fn is_reusable(&mut self, cx: &mut Context<'_>) -> bool {
        self.persists
            && self.ended.is_none()
            && self.held.is_empty()
            && self.framing.is_over()
            && matches!(self.outgoing.state, Sending::Sent)
            && self.poll_fill(cx, &mut [0], 0).is_pending()
    }

    fn send(&mut self, cx: &mut Context<'_>) {
        if let Poll::Ready(Err(error)) = self.outgoing.poll(Pin::new(&mut self.stream), cx) {
            // The provider may have answered before it closed its ears: the reply is worth more than this error.
            self.outgoing.state = Sending::Failed(error);
        }
    }

    /// Fills `room` behind its first `filled` bytes with all that is there. Waits only if there is nothing at all.
    /// Gives how much of it is filled now, which is nothing at the end of the stream.
    fn poll_fill(&mut self, cx: &mut Context<'_>, room: &mut [u8], filled: usize) -> Poll<usize> {
        let mut buffer = ReadBuf::new(room);
        buffer.set_filled(filled);
        while self.ended.is_none() && buffer.remaining() > 0 {
            let before = buffer.filled().len();
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if buffer.filled().len() > before => {}
                Poll::Ready(end) => self.ended = Some(end),
                Poll::Pending if before > 0 => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(buffer.filled().len())
    }

    /// Moves what is held into `room`, as much as fits. Gives how much that is.
    fn take_held(&mut self, room: &mut [u8]) -> usize {
        let length = self.held.len().min(room.len());
        if length > 0 {
            room[..length].copy_from_slice(&self.held[..length]);
            self.held.drain(..length);
            if self.held.is_empty() {
                self.held = Vec::new();
            }
        }
        length
    }

    /// Takes the head from what is held and has `arrived` now, and holds what stands behind it. None where it is not
    /// whole.
    fn take_head(&mut self, arrived: &[u8]) -> Result<Option<Head>, Broken> {
        let mut whole = std::mem::take(&mut self.held);
        let is_first = whole.is_empty();
        let mut bytes = if is_first {
            arrived
        } else {
            whole.extend_from_slice(arrived);
            &whole
        };
        // A head that comes byte by byte is read again for each of its lines, not for each byte.
        while is_first || memchr::memchr(b'\n', arrived).is_some() {
            // Some servers end a body with an empty line too many.
            while let [b'\r' | b'\n', rest @ ..] = bytes {
                bytes = rest;
            }
            let Some(parsed) = head::parse(bytes)? else { break };
            bytes = &bytes[parsed.length..];
            if parsed.head.status == http::StatusCode::SWITCHING_PROTOCOLS {
                return Err(Broken::Framing("it switches protocols, which nobody asked for"));
            }
            if !parsed.head.status.is_informational() {
                self.framing = parsed.framing;
                self.persists &= parsed.persists;
                self.held = bytes.to_vec();
                return Ok(Some(parsed.head));
            }
        }
        if bytes.len() > HEAD {
            return Err(Broken::HeadTooLong(HEAD));
        }
        self.held = bytes.to_vec();
        Ok(None)
    }

    fn why_no_head(&mut self) -> Broken {
        match (std::mem::take(&mut self.outgoing.state), self.ended.take()) {
            (Sending::Failed(error), _) | (_, Some(Err(error))) => Broken::Io(error),
            _ => Broken::Closed,
        }
    }

    fn end_of_stream(&mut self) -> Result<Piece, Broken> {
        self.persists = false;
        match self.ended.take() {
            Some(Err(error)) => Err(Broken::Io(error)),
            _ if self.framing == Framing::UntilClose => {
                self.framing = Framing::Length(0);
                Ok(Piece { bytes: Bytes::new(), is_last: true })
            }
            _ => Err(Broken::Closed),
        }
    }
}

impl Outgoing {
    fn poll(&mut self, mut stream: Pin<&mut impl AsyncWrite>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.state {
                Sending::Sent | Sending::Failed(_) => return Poll::Ready(Ok(())),
                Sending::Writing => {
                    let head = self.head.get(self.written..).unwrap_or_default();
                    let body = &self.body[self.written.saturating_sub(self.head.len())..];
                    let written = if head.is_empty() {
                        ready!(stream.as_mut().poll_write(cx, body))?
                    } else {
                        let slices = [IoSlice::new(head), IoSlice::new(body)];
                        ready!(stream.as_mut().poll_write_vectored(cx, &slices))?
                    };
                    if written == 0 {
                        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                    }
                    self.written += written;
                    if self.written == self.head.len() + self.body.len() {
                        // Not kept for as long as the reply takes.
                        *self = Self { state: Sending::Flushing, ..Self::default() };
                    }
                }
                Sending::Flushing => {
                    ready!(stream.as_mut().poll_flush(cx))?;
                    self.state = Sending::Sent;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use bolero::check;
    use http::{HeaderMap, Method};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::{Origin, Template};

    fn request(body: usize) -> Request {
        let origin = Origin::parse("http://provider").unwrap();
        let template = Template::new(&Method::POST, &origin, "/", &HeaderMap::new()).unwrap();
        Request::new(&template, Bytes::from(vec![b'x'; body]))
    }

    async fn head<S: AsyncRead + AsyncWrite + Unpin>(transport: &mut Transport<S>) -> Result<Head, Broken> {
        let mut room = [0; 64];
        poll_fn(|cx| transport.poll_head(cx, &mut room)).await
    }

    /// The body, and the error that broke it.
    async fn body<S: AsyncRead + AsyncWrite + Unpin>(
        transport: &mut Transport<S>,
    ) -> (Vec<u8>, Option<Broken>) {
        let (mut room, mut whole) = ([0; 64], Vec::new());
        loop {
            match poll_fn(|cx| transport.poll_body(cx, &mut room)).await {
                Ok(piece) => {
                    whole.extend_from_slice(&piece.bytes);
                    if piece.is_last {
                        return (whole, None);
                    }
                }
                Err(broken) => return (whole, Some(broken)),
            }
        }
    }

    async fn is_reusable<S: AsyncRead + AsyncWrite + Unpin>(transport: &mut Transport<S>) -> bool {
        poll_fn(|cx| Poll::Ready(transport.is_reusable(cx))).await
    }

    /// A transport with a request sent, and the provider's end of it.
    fn asked() -> (Transport<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(1 << 20);
        let mut transport = Transport::new(ours);
        transport.begin(request(2));
        (transport, theirs)
    }

    #[tokio::test]
    async fn one_reply_follows_another_on_a_connection() {
        let (mut transport, mut provider) = asked();
        for (reply, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello"),
            (
                "\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
                "abcde",
            ),
            ("HTTP/1.1 103 Early\r\na: b\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n", ""),
        ] {
            provider.write_all(reply.as_bytes()).await.unwrap();
            head(&mut transport).await.unwrap();
            let (content, broken) = body(&mut transport).await;
            assert_eq!((String::from_utf8(content).unwrap(), broken.is_none()), (expected.to_owned(), true));
            assert!(is_reusable(&mut transport).await);
            transport.begin(request(0));
        }
        let mut sent = vec![0; 1024];
        let length = provider.read(&mut sent).await.unwrap();
        let sent = String::from_utf8(sent[..length].to_vec()).unwrap();
        assert!(
            sent.starts_with("POST / HTTP/1.1\r\nhost: provider\r\ncontent-length: 2\r\n\r\nxxPOST / "),
            "{sent}"
        );
    }

    #[tokio::test]
    async fn a_connection_with_anything_wrong_is_not_used_again() {
        for (reply, why) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab", "more than was asked for"),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200", "another reply"),
            ("HTTP/1.1 204 No\r\n\r\nx", "a body where there is none"),
            ("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", "it says so"),
        ] {
            let (mut transport, mut provider) = asked();
            provider.write_all(reply.as_bytes()).await.unwrap();
            head(&mut transport).await.unwrap();
            assert!(body(&mut transport).await.1.is_none());
            assert!(!is_reusable(&mut transport).await, "{why}");
        }
        let (mut transport, mut provider) = asked();
        provider.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        head(&mut transport).await.unwrap();
        assert!(body(&mut transport).await.1.is_none());
        assert!(is_reusable(&mut transport).await);
        drop(provider);
        assert!(!is_reusable(&mut transport).await, "it was closed while idle");
    }

    #[tokio::test]
    async fn what_arrived_before_the_end_comes_before_its_error() {
        for (reply, expected, ok) in [
            ("HTTP/1.1 200 OK\r\n\r\nuntil it closes", "until it closes", true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello", "hello", false),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", "hello", false),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", "hello", false),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz", "hello", false),
        ] {
            let (mut transport, mut provider) = asked();
            provider.write_all(reply.as_bytes()).await.unwrap();
            drop(provider);
            head(&mut transport).await.unwrap();
            let (content, broken) = body(&mut transport).await;
            assert_eq!(
                (String::from_utf8(content).unwrap(), broken.is_none()),
                (expected.to_owned(), ok),
                "{reply}"
            );
            assert!(!is_reusable(&mut transport).await);
        }
    }

    #[tokio::test]
    async fn a_provider_may_answer_before_it_has_the_whole_request() {
        let (ours, mut provider) = duplex(1_000);
        let mut transport = Transport::new(ours);
        transport.begin(request(100_000));
        let provider = tokio::spawn(async move {
            provider.read_exact(&mut [0; 500]).await.unwrap();
            provider.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
            provider
        });
        assert_eq!(head(&mut transport).await.unwrap().status, 413);
        assert_eq!(body(&mut transport).await.0, b"no");
        assert!(!is_reusable(&mut transport).await, "the rest of the request is on its way");
        drop(provider.await.unwrap());
    }

    #[tokio::test]
    async fn a_large_request_arrives_whole() {
        let (ours, mut provider) = duplex(1_000);
        let mut transport = Transport::new(ours);
        transport.begin(request(100_000));
        let provider = tokio::spawn(async move {
            let mut whole = vec![
                0;
                "POST / HTTP/1.1\r\nhost: provider\r\ncontent-length: 100000\r\n\r\n".len()
                    + 100_000
            ];
            provider.read_exact(&mut whole).await.unwrap();
            provider.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            assert!(whole.ends_with(b"\r\n\r\nxxx") || whole.ends_with(b"xxxx"));
            provider
        });
        assert_eq!(head(&mut transport).await.unwrap().status, 200);
        assert!(is_reusable(&mut transport).await);
        drop(provider.await.unwrap());
    }

    #[tokio::test]
    async fn a_provider_that_closes_or_talks_nonsense_gives_no_head() {
        for (reply, expected) in [
            ("", "the connection was closed"),
            ("HTTP/1.1 200 OK\r\ncontent-", "the connection was closed"),
            ("HTTP/1.1 101 Switching\r\n\r\n", "it switches protocols, which nobody asked for"),
            ("SSH-2.0-OpenSSH\r\n", "its head is not HTTP/1.1: invalid HTTP version"),
        ] {
            let (mut transport, mut provider) = asked();
            provider.write_all(reply.as_bytes()).await.unwrap();
            provider.shutdown().await.unwrap();
            assert_eq!(head(&mut transport).await.unwrap_err().to_string(), expected);
        }
        let (mut transport, mut provider) = asked();
        let endless = [b"HTTP/1.1 200 OK\r\na: ".as_slice(), &b"a".repeat(HEAD)].concat();
        let (found, _) = tokio::join!(head(&mut transport), provider.write_all(&endless));
        assert!(matches!(found, Err(Broken::HeadTooLong(HEAD))));
    }

    /// Gives its pieces one by one, then ends; takes whatever is written.
    struct Script(std::vec::IntoIter<Vec<u8>>);

    impl AsyncRead for Script {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            match self.0.next() {
                Some(piece) if piece.is_empty() => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(piece) => buffer.put_slice(&piece[..piece.len().min(buffer.remaining())]),
                None => {}
            }
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Script {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Longer, by hand: `BOLERO_RANDOM_ITERATIONS=5000000 cargo test --release -p stepwell-upstream nothing_a_provider`.
    #[test]
    fn nothing_a_provider_says_makes_it_panic_or_hang() {
        const STARTS: [&str; 6] = [
            "",
            "HTTP/1.1 ",
            "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
        ];
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        check!().with_iterations(3_000).with_max_len(128).for_each(|input: &[u8]| {
            let (choice, rest) = input.split_first().unwrap_or((&0, &[]));
            let (size, rest) = rest.split_first().unwrap_or((&0, &[]));
            let wire = [STARTS[usize::from(*choice) % STARTS.len()].as_bytes(), rest].concat();
            let mut pieces: Vec<_> = wire.chunks(usize::from(*size % 32) + 1).map(<[u8]>::to_vec).collect();
            pieces.insert(usize::from(*size) % (pieces.len() + 1), Vec::new());
            let mut transport = Transport::new(Script(pieces.into_iter()));
            transport.begin(request(1));
            runtime.block_on(async {
                if head(&mut transport).await.is_ok() {
                    let (content, _) = body(&mut transport).await;
                    assert!(content.len() <= wire.len());
                }
            });
        });
    }
}

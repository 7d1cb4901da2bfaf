//! The client's end: requests out, replies in, one after the other.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::head::parse_reply;
use crate::inlet::Inlet;
pub use crate::inlet::Piece;
use crate::outgoing::Outgoing;
pub use crate::request::{Request, Template};
use crate::{Broken, ReplyHead};

/// The longest head of a reply, in bytes.
const HEAD: usize = 256 * 1024;

/// A connection to a server. Whoever holds it must drive it: nothing moves otherwise.
pub struct Connection<S> {
    inlet: Inlet<S>,
    outgoing: Outgoing,
    persists: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A connection over a stream on which nothing was said yet.
    pub fn new(stream: S) -> Self {
        Self { inlet: Inlet::new(stream), outgoing: Outgoing::default(), persists: true }
    }

    /// Begins a request. The reply to the one before must have ended, and the connection be reusable.
    pub fn begin(&mut self, request: Request) {
        self.outgoing = Outgoing::new(request.head.into_whole(), request.body, b"");
    }

    /// Sends what can be sent, and gives the reply's head once it is there. A reply may come before all of its request
    /// is sent: a server that refuses a body does not wait for its end. `room` is read into.
    pub fn poll_head(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<Result<ReplyHead, Broken>> {
        self.send(cx);
        loop {
            let parsed = ready!(self.inlet.poll_head(cx, room, HEAD, |bytes| {
                Ok(parse_reply(bytes)?
                    .map(|parsed| ((parsed.head, parsed.persists), parsed.length, parsed.framing)))
            }));
            let (head, persists) = match parsed {
                Ok(Some(parsed)) => parsed,
                Ok(None) => return Poll::Ready(Err(self.why_unsent().unwrap_or(Broken::Closed))),
                Err(Broken::Io(error)) => {
                    return Poll::Ready(Err(self.why_unsent().unwrap_or(Broken::Io(error))));
                }
                Err(broken) => return Poll::Ready(Err(broken)),
            };
            if head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Poll::Ready(Err(Broken::Framing("it switches protocols, which nobody asked for")));
            }
            if !head.status.is_informational() {
                self.persists &= persists;
                return Poll::Ready(Ok(head));
            }
        }
    }

    /// Sends what can be sent, and gives as much of the body as is there, in one piece. What breaks it comes after what
    /// came before it.
    pub fn poll_body(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<Result<Piece, Broken>> {
        self.send(cx);
        self.inlet.poll_body(cx, room)
    }

    /// Whether another request may be sent, as far as what was said tells.
    pub fn may_go_on(&self) -> bool {
        self.persists && self.inlet.is_body_over() && !self.inlet.holds_something() && self.outgoing.is_sent()
    }

    /// Whether another request can be sent. Looks at the stream: a server that hung up meanwhile, or said something
    /// that nobody asked for, is noticed.
    pub fn is_reusable(&mut self, cx: &mut Context<'_>) -> bool {
        self.may_go_on() && self.inlet.poll_fill(cx, &mut [0], 0).is_pending()
    }

    fn send(&mut self, cx: &mut Context<'_>) {
        if let Poll::Ready(Err(error)) = self.outgoing.poll(Pin::new(&mut self.inlet.stream), cx) {
            // The server may have answered before it closed its ears: the reply is worth more than this error.
            self.outgoing.fail(error);
            self.persists = false;
        }
    }

    fn why_unsent(&mut self) -> Option<Broken> {
        self.outgoing.take_failure().map(Broken::Io)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use bolero::check;
    use bytes::Bytes;
    use http::uri::PathAndQuery;
    use http::{HeaderMap, HeaderValue, Method};
    use std::io;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadBuf, duplex};

    use super::*;

    fn request(body: usize) -> Request {
        let (host, target) = (HeaderValue::from_static("server"), PathAndQuery::from_static("/"));
        let template = Template::new(&Method::POST, &host, &target, &HeaderMap::new());
        Request::new(&template, Bytes::from(vec![b'x'; body]))
    }

    async fn head<S: AsyncRead + AsyncWrite + Unpin>(
        connection: &mut Connection<S>,
    ) -> Result<ReplyHead, Broken> {
        let mut room = [0; 64];
        poll_fn(|cx| connection.poll_head(cx, &mut room)).await
    }

    /// The body, and the error that broke it.
    async fn body<S: AsyncRead + AsyncWrite + Unpin>(
        connection: &mut Connection<S>,
    ) -> (Vec<u8>, Option<Broken>) {
        let (mut room, mut whole) = ([0; 64], Vec::new());
        loop {
            match poll_fn(|cx| connection.poll_body(cx, &mut room)).await {
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

    async fn is_reusable<S: AsyncRead + AsyncWrite + Unpin>(connection: &mut Connection<S>) -> bool {
        poll_fn(|cx| Poll::Ready(connection.is_reusable(cx))).await
    }

    /// A connection with a request sent, and the server's end of it.
    fn asked() -> (Connection<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(1 << 20);
        let mut connection = Connection::new(ours);
        connection.begin(request(2));
        (connection, theirs)
    }

    #[tokio::test]
    async fn one_reply_follows_another_on_a_connection() {
        let (mut connection, mut server) = asked();
        for (reply, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello"),
            (
                "\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
                "abcde",
            ),
            ("HTTP/1.1 103 Early\r\na: b\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n", ""),
        ] {
            server.write_all(reply.as_bytes()).await.unwrap();
            head(&mut connection).await.unwrap();
            let (content, broken) = body(&mut connection).await;
            assert_eq!((String::from_utf8(content).unwrap(), broken.is_none()), (expected.to_owned(), true));
            assert!(is_reusable(&mut connection).await);
            connection.begin(request(0));
        }
        let mut sent = vec![0; 1024];
        let length = server.read(&mut sent).await.unwrap();
        let sent = String::from_utf8(sent[..length].to_vec()).unwrap();
        assert!(
            sent.starts_with("POST / HTTP/1.1\r\nhost: server\r\ncontent-length: 2\r\n\r\nxxPOST / "),
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
            let (mut connection, mut server) = asked();
            server.write_all(reply.as_bytes()).await.unwrap();
            head(&mut connection).await.unwrap();
            assert!(body(&mut connection).await.1.is_none());
            assert!(!is_reusable(&mut connection).await, "{why}");
        }
        let (mut connection, mut server) = asked();
        server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        head(&mut connection).await.unwrap();
        assert!(body(&mut connection).await.1.is_none());
        assert!(is_reusable(&mut connection).await);
        drop(server);
        assert!(!is_reusable(&mut connection).await, "it was closed while idle");
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
            let (mut connection, mut server) = asked();
            server.write_all(reply.as_bytes()).await.unwrap();
            drop(server);
            head(&mut connection).await.unwrap();
            let (content, broken) = body(&mut connection).await;
            assert_eq!(
                (String::from_utf8(content).unwrap(), broken.is_none()),
                (expected.to_owned(), ok),
                "{reply}"
            );
            assert!(!is_reusable(&mut connection).await);
        }
    }

    #[tokio::test]
    async fn a_server_may_answer_before_it_has_the_whole_request() {
        let (ours, mut server) = duplex(1_000);
        let mut connection = Connection::new(ours);
        connection.begin(request(100_000));
        let server = tokio::spawn(async move {
            server.read_exact(&mut [0; 500]).await.unwrap();
            server.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
            server
        });
        assert_eq!(head(&mut connection).await.unwrap().status, 413);
        assert_eq!(body(&mut connection).await.0, b"no");
        assert!(!is_reusable(&mut connection).await, "the rest of the request is on its way");
        drop(server.await.unwrap());
    }

    #[tokio::test]
    async fn a_large_request_arrives_whole() {
        let (ours, mut server) = duplex(1_000);
        let mut connection = Connection::new(ours);
        connection.begin(request(100_000));
        let server = tokio::spawn(async move {
            let mut whole =
                vec![0; "POST / HTTP/1.1\r\nhost: server\r\ncontent-length: 100000\r\n\r\n".len() + 100_000];
            server.read_exact(&mut whole).await.unwrap();
            server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            assert!(whole.ends_with(b"\r\n\r\nxxx") || whole.ends_with(b"xxxx"));
            server
        });
        assert_eq!(head(&mut connection).await.unwrap().status, 200);
        assert!(is_reusable(&mut connection).await);
        drop(server.await.unwrap());
    }

    #[tokio::test]
    async fn a_server_that_closes_or_talks_nonsense_gives_no_head() {
        for (reply, expected) in [
            ("", "the connection was closed"),
            ("HTTP/1.1 200 OK\r\ncontent-", "the connection was closed"),
            ("HTTP/1.1 101 Switching\r\n\r\n", "it switches protocols, which nobody asked for"),
            ("SSH-2.0-OpenSSH\r\n", "its head is not HTTP/1.1: invalid HTTP version"),
        ] {
            let (mut connection, mut server) = asked();
            server.write_all(reply.as_bytes()).await.unwrap();
            server.shutdown().await.unwrap();
            assert_eq!(head(&mut connection).await.unwrap_err().to_string(), expected);
        }
        let (mut connection, mut server) = asked();
        let endless = [b"HTTP/1.1 200 OK\r\na: ".as_slice(), &b"a".repeat(HEAD)].concat();
        let (found, _) = tokio::join!(head(&mut connection), server.write_all(&endless));
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

    /// Longer, by hand: `BOLERO_RANDOM_ITERATIONS=5000000 cargo test --release -p stepwell-http1 nothing_a_server`.
    #[test]
    fn nothing_a_server_says_makes_it_panic_or_hang() {
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
            let mut connection = Connection::new(Script(pieces.into_iter()));
            connection.begin(request(1));
            runtime.block_on(async {
                if head(&mut connection).await.is_ok() {
                    let (content, _) = body(&mut connection).await;
                    assert!(content.len() <= wire.len());
                }
            });
        });
    }
}

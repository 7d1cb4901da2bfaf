//! What clients of every kind are answered, and what ends a connection.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};

use bolero::check;
use http_body::{Frame, SizeHint};
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
    assert!(read.contains("x-broken: its chunks are not") && read.contains("connection: close"), "{read}");
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

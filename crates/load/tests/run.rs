//! Runs against a server that answers exactly what a test tells it to.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stepwell_load::{Error, Length, LoadOptions, Loop, Phase, run};
use stepwell_types::Dialect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the server does with the call of this number, counted from 0.
type Script = fn(u64) -> Answer;

#[derive(Clone, Copy)]
enum Answer {
    /// These bytes, and the connection stays open.
    Send(&'static str),
    /// These bytes, and the connection is closed.
    SendAndClose(&'static str),
    /// Nothing, ever.
    Silence,
}

const PLAIN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy";
const EMPTY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const SHORT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{}";
const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n\
    1a\r\ndata: {\"a\":1}\n\ndata: [DONE\r\n3\r\n]\n\n\r\n0\r\n\r\n";
const STREAM_WITHOUT_END: &str =
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nf\r\ndata: {\"a\":1}\n\n\r\n0\r\n\r\n";
const STREAM_CUT: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nf\r\ndata: {\"a\":1}\n\n\r\n";
const STREAM_ERROR: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
    14\r\ndata: {\"error\":{}}\n\n\r\n0\r\n\r\n";
const MESSAGES: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
    39\r\nevent: ping\ndata: {}\n\nevent: message_stop\ndata: {\"a\":1}\n\n\r\n0\r\n\r\n";
const RESPONSE: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
    46\r\nevent: response.created\ndata: {}\n\nevent: response.completed\ndata: {}\n\n\r\n0\r\n\r\n";

async fn serve(script: Script) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let calls = Arc::new(AtomicU64::new(0));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(answer(stream, script, Arc::clone(&calls)));
        }
    });
    address
}

async fn answer(mut stream: TcpStream, script: Script, calls: Arc<AtomicU64>) {
    while read_request(&mut stream).await.is_some() {
        match script(calls.fetch_add(1, Ordering::SeqCst)) {
            Answer::Send(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            Answer::SendAndClose(text) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                return;
            }
            Answer::Silence => std::future::pending().await,
        }
    }
}

/// One request with its body, or nothing at the end of the connection.
async fn read_request(stream: &mut TcpStream) -> Option<()> {
    let mut seen = Vec::new();
    loop {
        if let Some(head) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&seen[..head]).to_ascii_lowercase();
            let (_, length) = text.split_once("content-length: ").unwrap();
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            if seen.len() >= head + 4 + length {
                return Some(());
            }
        }
        if stream.read_buf(&mut seen).await.ok()? == 0 {
            return None;
        }
    }
}

fn options(address: SocketAddr, calls: u64) -> LoadOptions {
    LoadOptions {
        connections: 3,
        length: Length::Calls(calls),
        warmup: Duration::ZERO,
        ..LoadOptions::new(format!("http://{address}"), Dialect::OpenaiChat, "sim/small")
    }
}

fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[tokio::test]
async fn a_closed_loop_makes_exactly_the_calls_asked_for() {
    let address = serve(|_| Answer::Send(PLAIN)).await;
    let report = run(LoadOptions { threads: 2, ..options(address, 500) }, |_| {}).await.unwrap();
    assert_eq!((report.calls, report.succeeded, report.failed), (500, 500, 0));
    assert_eq!((report.latency.count, report.bytes, report.connections_opened), (500, 1_000, 3));
    assert!(report.is_clean() && report.first_event.is_none() && report.wait.is_none());
}

#[tokio::test]
async fn an_open_loop_makes_exactly_rate_times_duration_calls_and_skips_the_warm_up() {
    let address = serve(|_| Answer::Send(PLAIN)).await;
    let report = run(
        LoadOptions {
            mode: Loop::Open { rate: 2_000.0, backlog: 10_000 },
            length: Length::For(Duration::from_millis(100)),
            warmup: Duration::from_millis(50),
            ..options(address, 1)
        },
        |_| {},
    )
    .await
    .unwrap();
    assert_eq!((report.calls, report.failed, report.not_sent), (200, 0, 0));
    assert_eq!(report.wait.unwrap().count, 200);
    assert_eq!(report.offered_per_second, Some(2_000.0));
}

#[tokio::test]
async fn every_way_to_fail_without_a_stream_is_counted_as_what_it_is() {
    let address = serve(|call| match call {
        0 | 1 => Answer::Send(BUSY),
        2 => Answer::Send(EMPTY),
        3 => Answer::SendAndClose(SHORT),
        4 => Answer::SendAndClose(""),
        _ => Answer::Send(PLAIN),
    })
    .await;
    let report = run(LoadOptions { connections: 1, ..options(address, 10) }, |_| {}).await.unwrap();
    let expected = counts(&[("cut reply", 1), ("empty reply", 1), ("no reply", 1), ("status 503", 2)]);
    assert_eq!(report.failures, expected);
    assert_eq!((report.calls, report.succeeded, report.failed), (10, 5, 5));
    assert_eq!(report.latency.count, 5);
    assert!(!report.is_clean());
    assert!(report.table().contains("THIS RUN HAS FAILURES"));
}

#[tokio::test]
async fn a_stream_without_its_last_event_is_cut_however_politely_it_ends() {
    let address = serve(|call| match call {
        0 => Answer::Send(STREAM_WITHOUT_END),
        1 => Answer::SendAndClose(STREAM_CUT),
        2 => Answer::Send(STREAM_ERROR),
        3 => Answer::Send(BUSY),
        _ => Answer::Send(STREAM),
    })
    .await;
    let options = LoadOptions { connections: 1, stream: true, ..options(address, 10) };
    let report = run(options, |_| {}).await.unwrap();
    assert_eq!(report.failures, counts(&[("cut stream", 2), ("error event", 1), ("status 503", 1)]));
    assert_eq!(report.succeeded, 6);
    assert_eq!(report.events, 3 + 6 * 2);
    assert_eq!(report.first_event.unwrap().count, 6);
}

#[tokio::test]
async fn the_end_of_a_stream_is_the_dialects_own() {
    let address = serve(|_| Answer::Send(MESSAGES)).await;
    let anthropic = LoadOptions { stream: true, dialect: Dialect::Anthropic, ..options(address, 4) };
    let report = run(anthropic.clone(), |_| {}).await.unwrap();
    assert_eq!((report.succeeded, report.events), (4, 8));
    for dialect in [Dialect::OpenaiChat, Dialect::OpenaiResponses] {
        let openai = LoadOptions { dialect, ..anthropic.clone() };
        let report = run(openai, |_| {}).await.unwrap();
        assert_eq!(report.failures, counts(&[("cut stream", 4)]));
    }
    let address = serve(|_| Answer::Send(RESPONSE)).await;
    let responses = LoadOptions { stream: true, dialect: Dialect::OpenaiResponses, ..options(address, 4) };
    let report = run(responses, |_| {}).await.unwrap();
    assert_eq!((report.succeeded, report.events), (4, 8));
}

#[tokio::test]
async fn a_server_that_never_answers_times_out() {
    let address = serve(|_| Answer::Silence).await;
    let options = LoadOptions { timeout: Duration::from_millis(20), ..options(address, 6) };
    let report = run(options, |_| {}).await.unwrap();
    assert_eq!(report.failures, counts(&[("timeout", 6)]));
    assert_eq!(report.latency.count, 0);
}

#[tokio::test]
async fn a_connection_the_server_closes_between_calls_is_opened_anew_and_is_no_failure() {
    const LAST: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    let address = serve(|_| Answer::SendAndClose(LAST)).await;
    let report = run(LoadOptions { connections: 1, ..options(address, 5) }, |_| {}).await.unwrap();
    assert_eq!((report.succeeded, report.connections_opened), (5, 5));
}

/// A server whose every answer waits for the test.
async fn serve_when_released(release: watch::Receiver<bool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut release = release.clone();
            tokio::spawn(async move {
                while read_request(&mut stream).await.is_some() {
                    release.wait_for(|released| *released).await.unwrap();
                    stream.write_all(PLAIN.as_bytes()).await.unwrap();
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn calls_that_wait_for_a_stalled_server_count_their_waiting_from_when_they_were_due() {
    let (release, released) = watch::channel(false);
    let address = serve_when_released(released).await;
    let options = LoadOptions {
        connections: 1,
        mode: Loop::Open { rate: 100.0, backlog: 100 },
        progress_every: Duration::from_millis(1),
        ..options(address, 10)
    };
    // The stall ends only when all ten calls are due: one on the only connection, nine waiting.
    let report = run(options, move |progress| {
        if progress.waiting == 9 {
            release.send_replace(true);
        }
    })
    .await
    .unwrap();
    assert_eq!((report.calls, report.not_sent), (10, 0));
    // Call i was due 10 ms × i after the first and none was answered before the last was due, so call i took at
    // least 10 ms × (9 - i). Measured from when they were sent, all but the first would take next to nothing.
    assert!(report.latency.max_us >= 89_000.0, "{:?}", report.latency);
    assert!(report.latency.p50_us >= 39_000.0, "{:?}", report.latency);
    assert!(report.wait.unwrap().max_us >= 79_000.0, "{:?}", report.wait);
}

#[tokio::test]
async fn calls_beyond_the_backlog_are_reported_as_not_sent() {
    let (release, released) = watch::channel(false);
    let address = serve_when_released(released).await;
    let options = LoadOptions {
        connections: 1,
        mode: Loop::Open { rate: 1_000.0, backlog: 4 },
        progress_every: Duration::from_millis(1),
        ..options(address, 300)
    };
    let report = run(options, move |progress| {
        if progress.phase == Phase::Ending {
            release.send_replace(true);
        }
    })
    .await
    .unwrap();
    // Besides the four that wait, one is on the connection.
    assert_eq!((report.calls, report.not_sent), (5, 295));
    assert!(!report.is_clean());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_and_not_a_report() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert!(matches!(run(options(address, 1), |_| {}).await, Err(Error::Unreachable { .. })));
}

#[tokio::test]
async fn a_server_that_goes_away_makes_calls_that_cannot_connect() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        drop(listener);
        read_request(&mut stream).await;
        stream.write_all(PLAIN.as_bytes()).await.unwrap();
    });
    let report = run(LoadOptions { connections: 1, ..options(address, 4) }, |_| {}).await.unwrap();
    assert_eq!(report.succeeded, 1);
    assert_eq!(report.failed, 3);
    assert!(report.failures.get("connect").is_some_and(|count| *count >= 2), "{:?}", report.failures);
}

#[tokio::test]
async fn the_cpu_of_a_process_is_measured_per_call() {
    let address = serve(|_| Answer::Send(PLAIN)).await;
    // Enough work for the coarsest of the system's clocks: ticks of 10 ms.
    let options = LoadOptions { pids: vec![std::process::id()], ..options(address, 5_000) };
    let report = run(options, |_| {}).await.unwrap();
    let process = report.process.unwrap();
    assert!(process.pids.contains(&std::process::id()));
    assert!(process.cpu_us_per_call.is_some_and(|micros| micros > 0.0));
    assert!(process.rss_bytes > 0);
}

#[tokio::test]
async fn dropping_a_run_ends_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (answered, mut answers) = watch::channel(0_u64);
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        while read_request(&mut stream).await.is_some() {
            answered.send_modify(|count| *count += 1);
            stream.write_all(PLAIN.as_bytes()).await.unwrap();
        }
    });
    let endless = LoadOptions {
        connections: 1,
        progress_every: Duration::from_millis(1),
        ..options(address, u64::MAX)
    };
    tokio::select! {
        report = run(endless, |_| {}) => unreachable!("{report:?}"),
        count = answers.wait_for(|count| *count > 10) => drop(count.unwrap()),
    }
    // The server ends when its only connection does.
    tokio::time::timeout(Duration::from_secs(30), server).await.unwrap().unwrap();
}

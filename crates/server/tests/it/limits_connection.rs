//! Bounds on connections and heads: what is malformed, too large, too slow or too many.

use stepwell_types::Dialect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{PATIENCE, Simulator, config, eventually, run};
use crate::harness_client::{ask, get, question, raw, read_answer, start as begin};
use crate::limits::{fine, head, start, status};

#[tokio::test]
async fn a_head_over_its_bounds_is_refused() {
    let (_sim, stepwell) = start("").await;
    let many = "x-h: 1\r\n".repeat(120);
    let answer = raw(stepwell.api, head(stepwell.api, &many).as_bytes()).await;
    assert_eq!(status(&answer), 431, "{answer}");
    let large = format!("x-large: {}\r\n", "x".repeat(70_000));
    let answer = raw(stepwell.api, head(stepwell.api, &large).as_bytes()).await;
    assert_eq!(status(&answer), 431, "{answer}");
    // Within the bounds it is served.
    let (many, large) = (&many[..many.len() / 2], "x".repeat(30_000));
    let many = &many[..=many.rfind('\n').unwrap()];
    let body = fine();
    let headers = format!("{many}x-large: {large}\r\ncontent-length: {}\r\n", body.len());
    let answer = raw(stepwell.api, (head(stepwell.api, &headers) + &body).as_bytes()).await;
    assert_eq!(status(&answer), 200, "{answer}");
    let answer = raw(stepwell.api, b"not http at all\r\n\r\n").await;
    assert_eq!(status(&answer), 400, "{answer}");
    assert_eq!(get(stepwell.api, "/healthz").await.status, 200);
}

#[tokio::test]
async fn requests_that_two_servers_could_read_differently_are_refused() {
    let (sim, stepwell) = start("").await;
    let body = fine();
    let length = body.len();
    for headers in [
        format!("content-length: {length}\r\ncontent-length: 5\r\n"),
        "content-length: -1\r\n".to_owned(),
        "content-length: 1e2\r\n".to_owned(),
        "transfer-encoding: gzip\r\n".to_owned(),
        "transfer-encoding: chunked, identity\r\n".to_owned(),
        "x-folded: a\r\n b\r\n".to_owned() + &format!("content-length: {length}\r\n"),
        "x-space : a\r\n".to_owned() + &format!("content-length: {length}\r\n"),
    ] {
        let answer = raw(stepwell.api, (head(stepwell.api, &headers) + &body).as_bytes()).await;
        assert_eq!(status(&answer), 400, "{headers:?}: {answer}");
    }
    let answer =
        raw(stepwell.api, (head(stepwell.api, "transfer-encoding: chunked\r\n") + "zz\r\n").as_bytes()).await;
    assert_eq!(status(&answer), 400, "{answer}");
    assert_eq!(sim.oracle.totals().requests, 0);
}

#[tokio::test]
async fn a_client_that_is_slow_on_purpose_is_let_go() {
    let server = "body_timeout = \"300ms\"\nheader_timeout = \"1s\"\nfirst_byte_timeout = \"1s\"\nidle_timeout = \"1s\"";
    let (sim, stepwell) = start(server).await;
    let address = stepwell.api;
    // A body that stops.
    let answer = raw(address, (head(address, "content-length: 500\r\n") + "{\"model\":").as_bytes()).await;
    assert_eq!(status(&answer), 408, "{answer}");
    assert!(answer.contains("request_timeout"), "{answer}");
    // A body that trickles: it never pauses for long, and is far below the least rate.
    let mut trickle = TcpStream::connect(address).await.unwrap();
    trickle.write_all(head(address, "content-length: 100000\r\n").as_bytes()).await.unwrap();
    let (mut reader, mut writer) = trickle.into_split();
    let dripping = tokio::spawn(async move {
        while writer.write_all(b" ").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    let mut start_of_answer = [0; 12];
    let read = tokio::time::timeout(PATIENCE, reader.read_exact(&mut start_of_answer)).await.unwrap();
    read.unwrap();
    assert_eq!(&start_of_answer, b"HTTP/1.1 408");
    dripping.abort();
    // A head that stops, a connection that never speaks, and one that has nothing more to say.
    for bytes in [&b"POST /v1/chat/comp"[..], b"", b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        if bytes.ends_with(b"\r\n\r\n") {
            assert_eq!(status(&read_answer(&mut stream).await), 200);
        }
        assert_eq!(read_answer(&mut stream).await, "", "the connection is closed without a word");
    }
    assert_eq!(sim.oracle.totals().requests, 0);
    // A stream is not idle, however long it lasts.
    let body = question(Dialect::OpenaiChat, "oai/small", true, "draw [[sim:tokens=50 event-ms=60]]");
    let reply = ask(address, Dialect::OpenaiChat, &[], &body).await;
    assert!(reply.is_whole && reply.text().ends_with("data: [DONE]\n\n"), "{}", reply.text());
}

#[tokio::test]
async fn only_loopback_is_listened_on_without_keys() {
    let sim = Simulator::start().await;
    for server in ["listen = \"0.0.0.0:0\"", "admin_listen = \"0.0.0.0:0\"", "listen = \"[::]:0\""] {
        let dir = stepwell_testkit::TestDir::new("listen");
        std::fs::write(dir.path().join("stepwell.toml"), config(server, &sim.providers())).unwrap();
        for command in ["serve", "check"] {
            let ran = run(&dir, &[command]);
            assert_eq!(ran.code, Some(1), "{server}: {}", ran.err);
            assert!(ran.err.contains("stepwell.toml:") && ran.err.contains("loopback"), "{}", ran.err);
        }
        assert!(!dir.path().join("data").exists(), "nothing is made by a start that is refused");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_over_the_most_are_closed_and_those_within_go_on() {
    let (_sim, stepwell) = start("max_connections = 3").await;
    eventually("the readiness probe's connection to end", || async {
        (stepwell.gauge("stepwell_connections_open").await == 0).then_some(())
    })
    .await;
    let body = question(Dialect::OpenaiChat, "oai/small", true, "draw [[sim:tokens=4000 event-ms=10]]");
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(begin(stepwell.api, Dialect::OpenaiChat, &[], &body).await);
    }
    let mut over = TcpStream::connect(stepwell.api).await.unwrap();
    assert_eq!(read_answer(&mut over).await, "", "closed, not left to wait");
    for stream in &mut streams {
        assert!(stream.next().await.unwrap().is_ok());
    }
    drop(streams);
    eventually("room again", || async {
        let mut stream = TcpStream::connect(stepwell.api).await.unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.ok()?;
        read_answer(&mut stream).await.starts_with("HTTP/1.1 200").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_is_told_to_go_on_or_not_to() {
    let (_sim, stepwell) = start("body_limit = \"2KB\"").await;
    let body = fine();
    let mut stream = TcpStream::connect(stepwell.api).await.unwrap();
    let headers = format!("expect: 100-continue\r\ncontent-length: {}\r\n", body.len());
    stream.write_all(head(stepwell.api, &headers).as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut go_on)).await.unwrap().unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).await.unwrap();
    assert_eq!(status(&read_answer(&mut stream).await), 200);
    let headers = "expect: 100-continue\r\ncontent-length: 999999\r\n";
    let answer = raw(stepwell.api, head(stepwell.api, headers).as_bytes()).await;
    assert_eq!(status(&answer), 413, "nothing is asked for that would be refused: {answer}");
}

#[tokio::test]
async fn one_connection_serves_many_calls_refused_ones_included() {
    let (sim, stepwell) = start("").await;
    let mut stream = TcpStream::connect(stepwell.api).await.unwrap();
    let address = stepwell.api;
    let good = fine();
    for (body, expected) in [(good.as_str(), 200), ("{}", 400), (&good, 200), ("nothing", 400), (&good, 200)]
    {
        let text = head(address, &format!("content-length: {}\r\n", body.len())) + body;
        stream.write_all(text.as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert_eq!(status(&answer), expected, "{answer}");
    }
    assert_eq!(sim.oracle.totals().requests, 3);
    let old = raw(address, b"GET /healthz HTTP/1.0\r\n\r\n").await;
    assert_eq!(&old[..12], "HTTP/1.0 200", "old probes of load balancers name no host: {old}");
}

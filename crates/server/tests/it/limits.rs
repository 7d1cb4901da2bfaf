//! What may not come in, and how it is told: every bound of the data plane from outside.

use std::fmt::Write as _;
use std::net::SocketAddr;

use serde_json::{Value, json};
use stepwell_types::{Code, Dialect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::faults::check_error;
use crate::harness::{PATIENCE, Simulator, Stepwell, call_of, config, eventually, run};
use crate::harness_client::{
    Reply, ask, get, headers_of, path_of, question, raw, read_answer, send, start as begin,
};

const CHAT: &str = "/v1/chat/completions";

async fn start(server: &str) -> (Simulator, Stepwell) {
    let sim = Simulator::start().await;
    let stepwell = Stepwell::start(server, &sim.providers()).await;
    (sim, stepwell)
}

/// Posts to the chat endpoint with exactly these headers, and `host`.
async fn post(stepwell: &Stepwell, headers: &[(&str, &str)], body: impl Into<bytes::Bytes>) -> Reply {
    send(stepwell.api, "POST", CHAT, headers, body).await
}

fn fine() -> String {
    question(Dialect::OpenaiChat, "oai/small", false, "draw [[sim:tokens=3]]").to_string()
}

/// A request line and headers by hand; the body follows.
fn head(address: SocketAddr, headers: &str) -> String {
    format!("POST {CHAT} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n{headers}\r\n")
}

/// The status line's number.
fn status(answer: &str) -> u16 {
    let number = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    number.unwrap_or_else(|| panic!("no answer: {answer:?}")).parse().unwrap()
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_announced_or_not() {
    let (sim, stepwell) = start("body_limit = \"2KB\"").await;
    for client in Dialect::ALL {
        let body = question(client, "oai/small", false, &"x".repeat(3_000));
        let reply = ask(stepwell.api, client, &[], &body).await;
        assert_eq!(reply.status, 413);
        check_error(client, &reply, Code::BodyTooLarge, &reply.text());
        let record = stepwell.record(&call_of(&reply)).await;
        assert_eq!((&record["code"], &record["attempts"]), (&json!("body_too_large"), &json!([])));
    }
    // Announced and never sent: the answer does not wait for it.
    let answer = raw(stepwell.api, head(stepwell.api, "content-length: 999999999\r\n").as_bytes()).await;
    assert_eq!(status(&answer), 413, "{answer}");
    // Not announced: a chunked body that does not end.
    let mut text = head(stepwell.api, "transfer-encoding: chunked\r\n");
    for _ in 0..5 {
        write!(text, "3e8\r\n{}\r\n", "x".repeat(1_000)).unwrap();
    }
    let answer = raw(stepwell.api, text.as_bytes()).await;
    assert_eq!(status(&answer), 413, "{answer}");
    // Exactly the limit passes.
    let mut body = fine();
    body += &" ".repeat(2_000 - body.len());
    let reply = post(&stepwell, headers_of(Dialect::OpenaiChat), body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(sim.oracle.totals().requests, 1);
}

#[tokio::test]
async fn nesting_is_bounded_before_anything_parses_it() {
    let (sim, stepwell) = start("").await;
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        format!(
            "{{\"model\":\"oai/small\",\"messages\":[{{\"role\":\"user\",\"content\":\"x\"}}],\"x\":{open}{close}}}"
        )
    };
    for depth in [65, 1_000, 100_000, 1_000_000] {
        for client in Dialect::ALL {
            let reply = send(stepwell.api, "POST", path_of(client), headers_of(client), nested(depth)).await;
            assert_eq!(reply.status, 400, "{depth}");
            check_error(client, &reply, Code::JsonTooDeep, &reply.text());
        }
    }
    let unclosed = post(&stepwell, headers_of(Dialect::OpenaiChat), "[".repeat(200_000)).await;
    assert_eq!(unclosed.code(), "json_too_deep");
    assert_eq!(sim.oracle.totals().requests, 0);
    let reply = post(&stepwell, headers_of(Dialect::OpenaiChat), nested(64)).await;
    // The simulator does not know the field `x`: that is its word, not ours.
    assert_eq!(sim.oracle.totals().requests, 1, "{}", reply.text());
}

#[tokio::test]
async fn a_body_that_is_no_request_is_refused_with_what_is_wrong() {
    let (sim, stepwell) = start("").await;
    for (body, code) in [
        ("", Code::InvalidJson),
        ("{\"model\":", Code::InvalidJson),
        ("model=oai", Code::InvalidJson),
        ("[]", Code::InvalidRequest),
        ("{}", Code::InvalidRequest),
        ("{\"model\":7}", Code::InvalidRequest),
        ("{\"model\":\"a\",\"model\":\"b\"}", Code::InvalidRequest),
        ("{\"model\":\"nobody/has-it\",\"messages\":[]}", Code::ModelNotFound),
        ("{\"model\":\"unheard-of\",\"messages\":[]}", Code::ModelNotFound),
    ] {
        for client in Dialect::ALL {
            let reply = send(stepwell.api, "POST", path_of(client), headers_of(client), body).await;
            let seen = format!("{body}: {} {}", reply.status, reply.text());
            assert_eq!(reply.status, code.status(), "{seen}");
            check_error(client, &reply, code, &seen);
        }
    }
    let broken = post(&stepwell, headers_of(Dialect::OpenaiChat), &b"{\"model\":\"\xff\"}"[..]).await;
    assert_eq!(broken.code(), "invalid_json");
    assert_eq!(sim.oracle.totals().requests, 0);
}

#[tokio::test]
async fn only_plain_json_comes_in() {
    let (sim, stepwell) = start("").await;
    for content_type in
        ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "multipart/form-data"]
    {
        let reply = post(&stepwell, &[("content-type", content_type)], fine()).await;
        assert_eq!((reply.status, reply.code().as_str()), (415, "unsupported_media_type"), "{content_type}");
    }
    let reply = post(&stepwell, &[], fine()).await;
    assert_eq!(reply.status, 415, "no content type at all");
    let json = ("content-type", "application/json");
    for encoding in ["gzip", "br", "zstd"] {
        let reply = post(&stepwell, &[json, ("content-encoding", encoding)], fine()).await;
        assert_eq!((reply.status, reply.code().as_str()), (415, "unsupported_media_type"), "{encoding}");
    }
    assert_eq!(sim.oracle.totals().requests, 0);
    for content_type in ["application/json", "Application/JSON; charset=utf-8"] {
        let reply = post(&stepwell, &[("content-type", content_type)], fine()).await;
        assert_eq!(reply.status, 200, "{content_type}");
    }
}

#[tokio::test]
async fn foreign_pages_and_foreign_names_are_turned_away() {
    let (sim, stepwell) = start("allowed_hosts = [\"gateway.internal\"]").await;
    let json = ("content-type", "application/json");
    for (headers, expected) in [
        (vec![("host", "evil.example")], 403),
        (vec![("host", "evil.example:7070")], 403),
        (vec![("host", "127.0.0.1.evil.example")], 403),
        (vec![("host", "10.0.0.1")], 403),
        (vec![("origin", "https://evil.example")], 403),
        (vec![("origin", "null")], 403),
        (vec![("host", "localhost:1")], 200),
        (vec![("host", "[::1]:7070")], 200),
        (vec![("host", "Gateway.Internal:7070")], 200),
        (vec![("origin", "http://localhost:3000")], 200),
    ] {
        let mut all = vec![json];
        all.extend(&headers);
        let reply = post(&stepwell, &all, fine()).await;
        assert_eq!(reply.status, expected, "{headers:?}: {}", reply.text());
        if expected == 403 {
            assert_eq!(reply.code(), "forbidden_origin");
        }
        let mut all = headers.clone();
        all.push(("anthropic-version", "2023-06-01"));
        let reply = send(stepwell.api, "GET", "/v1/models", &all, "").await;
        assert_eq!(reply.status, expected, "{headers:?}");
    }
    assert_eq!(sim.oracle.totals().requests, 4);
    let two = format!("GET /v1/models HTTP/1.1\r\nhost: {0}\r\nhost: evil.example\r\n\r\n", stepwell.api);
    let answer = raw(stepwell.api, two.as_bytes()).await;
    assert_eq!(status(&answer), 400, "{answer}");
    assert!(answer.contains("invalid_request"), "{answer}");
    let none = raw(stepwell.api, b"GET /v1/models HTTP/1.1\r\n\r\n").await;
    assert_eq!(status(&none), 400, "{none}");
    let absolute =
        raw(stepwell.api, b"GET http://evil.example/v1/models HTTP/1.1\r\nhost: evil.example\r\n\r\n").await;
    assert_eq!(status(&absolute), 403, "{absolute}");
}

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
async fn an_unknown_path_or_method_is_told_what_there_is() {
    let (_sim, stepwell) = start("").await;
    for (method, path) in
        [("GET", "/"), ("POST", "/v1/embeddings"), ("GET", "/v1/chat"), ("POST", "/v1/chat/completions/")]
    {
        let reply = send(stepwell.api, method, path, &[("content-type", "application/json")], "{}").await;
        assert_eq!((reply.status, reply.code().as_str()), (404, "not_found"), "{method} {path}");
    }
    for (method, path, allow) in [
        ("GET", "/v1/chat/completions", "POST"),
        ("PUT", "/v1/messages", "POST"),
        ("DELETE", "/v1/messages/count_tokens", "POST"),
        ("POST", "/v1/models", "GET"),
        ("POST", "/healthz", "GET"),
        ("POST", "/v1/models/oai/small", "GET"),
    ] {
        let reply = send(stepwell.api, method, path, &[("content-type", "application/json")], "{}").await;
        assert_eq!((reply.status, reply.code().as_str()), (405, "method_not_allowed"), "{method} {path}");
        assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
        let error = &reply.json()["error"];
        assert!(error["docs"].as_str().unwrap().ends_with("#method_not_allowed"), "{error}");
    }
    let reply = send(stepwell.api, "GET", "/v1/messages", &[], "").await;
    assert_eq!(reply.json()["type"], "error", "in the dialect of the path");
}

#[tokio::test]
async fn what_a_caller_claims_is_checked_and_recorded() {
    let (sim, stepwell) = start("").await;
    let client = Dialect::OpenaiChat;
    let body: Value = serde_json::from_str(&fine()).unwrap();
    let long = "x".repeat(129);
    for (name, value) in [
        ("x-stepwell-tags", "feature"),
        ("x-stepwell-tags", "a=1,a=2"),
        ("x-stepwell-user", &long),
        ("x-stepwell-session", ""),
        ("x-stepwell-priority", "urgent"),
        ("x-stepwell-deadline-ms", "soon"),
        ("x-stepwell-deadline-ms", "0"),
        ("x-stepwell-deadline-ms", "-5"),
    ] {
        let reply = ask(stepwell.api, client, &[(name, value)], &body).await;
        assert_eq!(reply.status, 400, "{name}: {value}");
        check_error(client, &reply, Code::InvalidRequest, &reply.text());
        let error = &reply.json()["error"];
        assert_eq!(error["param"], name);
        assert!(error["message"].as_str().unwrap().contains(name), "{error}");
    }
    assert_eq!(sim.oracle.totals().requests, 0);
    let claims = [
        ("x-stepwell-tags", "market=nl, feature=search"),
        ("x-stepwell-user", "u-1"),
        ("x-stepwell-session", "s-1"),
        ("x-stepwell-priority", "critical"),
        ("x-stepwell-deadline-ms", "30000"),
    ];
    let reply = ask(stepwell.api, client, &claims, &body).await;
    let record = stepwell.record(&call_of(&reply)).await;
    assert_eq!((&record["user"], &record["session"]), (&json!("u-1"), &json!("s-1")));
    assert_eq!(record["tags"], json!({"feature": "search", "market": "nl"}));
    let list = stepwell.ask("/admin/v1/calls?tag.feature=search").await;
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    // The bodies' own fields work as well.
    let mut body = body;
    body["user"] = json!("u-2");
    body["metadata"] = json!({"feature": "chat"});
    let reply = ask(stepwell.api, client, &[], &body).await;
    let record = stepwell.record(&call_of(&reply)).await;
    assert_eq!((&record["user"], &record["tags"]), (&json!("u-2"), &json!({"feature": "chat"})));
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

//! What may not come in, and how it is told: every bound of the data plane from outside.

use std::fmt::Write as _;
use std::net::SocketAddr;

use serde_json::{Value, json};
use stepwell_types::{Code, Dialect};

use crate::faults::check_error;
use crate::harness::{Simulator, Stepwell, call_of};
use crate::harness_client::{BY_BODY, Reply, ask, headers_of, path_of, question, raw, send};

const CHAT: &str = "/v1/chat/completions";

pub(crate) async fn start(server: &str) -> (Simulator, Stepwell) {
    let sim = Simulator::start().await;
    let stepwell = Stepwell::start(server, &sim.providers()).await;
    (sim, stepwell)
}

/// Posts to the chat endpoint with exactly these headers, and `host`.
async fn post(stepwell: &Stepwell, headers: &[(&str, &str)], body: impl Into<bytes::Bytes>) -> Reply {
    send(stepwell.api, "POST", CHAT, headers, body).await
}

pub(crate) fn fine() -> String {
    question(Dialect::OpenaiChat, "oai/small", false, "draw [[sim:tokens=3]]").to_string()
}

/// A request line and headers by hand; the body follows.
pub(crate) fn head(address: SocketAddr, headers: &str) -> String {
    format!("POST {CHAT} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n{headers}\r\n")
}

/// The status line's number.
pub(crate) fn status(answer: &str) -> u16 {
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
        for client in BY_BODY {
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
        for client in BY_BODY {
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
    // What curl makes of Ollama's examples, and a page in a browser could send unasked.
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let reply = send(stepwell.api, "POST", "/api/chat", &form, fine()).await;
    assert_eq!(reply.status, 415);
    check_error(Dialect::Ollama, &reply, Code::UnsupportedMediaType, &reply.text());
    assert!(reply.json()["error"].as_str().unwrap().contains("content-type: application/json"));
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

/// What is turned away at the door is no call: nobody can look it up under an id.
fn names_no_call(reply: &Reply) {
    let body = reply.json();
    assert_eq!(body["error"].get("call_id"), Some(&Value::Null), "{body}");
    assert!(body.get("request_id").is_none_or(Value::is_null), "{body}");
    assert_eq!(reply.header("x-stepwell-call-id"), None);
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
        if expected == 403 {
            names_no_call(&reply);
        }
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
async fn an_unknown_path_or_method_is_told_what_there_is() {
    let (_sim, stepwell) = start("").await;
    for (method, path) in [
        ("GET", "/"),
        ("POST", "/v1/images/generations"),
        ("GET", "/v1/chat"),
        ("POST", "/v1/chat/completions/"),
    ] {
        let reply = send(stepwell.api, method, path, &[("content-type", "application/json")], "{}").await;
        assert_eq!((reply.status, reply.code().as_str()), (404, "not_found"), "{method} {path}");
        names_no_call(&reply);
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
    names_no_call(&reply);
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

//! Providers that do what no provider should: answers that break HTTP or their dialect in ways of their own.

use serde_json::json;
use stepwell_types::Dialect;

use crate::harness::{Simulator, Stepwell, call_of, provider};
use crate::harness_client::{End, ask, question, send};
use crate::harness_scripted::Scripted;

const SSE: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";

const START: &str = "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";
const WORD: &str = "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"well \"},\"finish_reason\":null}]}\n\n";
const END: &str = "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
    data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n\
    data: [DONE]\n\n";

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

fn whole(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

/// What a client of an OpenAI provider that gives `answer` gets: its status and the code in the ledger.
async fn outcome(name: &str, answer: String, stream: bool, status: u16, code: &str) {
    let scripted = Scripted::start(answer).await;
    let rest = provider("p", "openai", scripted.address, "prices.m = { input = 1, output = 1 }");
    let stepwell = Stepwell::start("", &rest).await;
    for client in Dialect::ALL {
        let reply = ask(stepwell.api, client, &[], &question(client, "p/m", stream, "x")).await;
        let seen = format!("{name}, {client}: {} {}", reply.status, reply.text());
        assert_eq!(reply.status, status, "{seen}");
        assert!(reply.is_whole, "{seen}");
        let record = stepwell.record(&call_of(&reply)).await;
        let seen = format!("{seen} {record:#}");
        assert_eq!(record["code"], code, "{seen}");
        if status == 200 {
            assert_eq!(reply.end(client), End::Error(code.to_owned()), "{seen}");
            assert_eq!(record["outcome"], "cut", "{seen}");
        } else {
            assert_eq!(reply.code(), code, "{seen}");
            assert_eq!(record["outcome"], "failed", "{seen}");
        }
    }
    assert_eq!(scripted.seen().len(), Dialect::ALL.len(), "{name}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_none_are_never_taken_for_replies() {
    let json = "content-type: application/json\r\n";
    let error = r#"{"error":{"message":"no capacity","type":"server_error","code":503}}"#;
    let refused_key = r#"{"error":{"message":"no such key","code":"invalid_api_key"}}"#;
    let many: String = "x-many: 1\r\n".repeat(150);
    let large = format!("x-large: {}\r\n", "x".repeat(800_000));
    let cases = [
        ("an error inside a 200", whole("200 OK", json, error), 502, "upstream_invalid"),
        ("an empty object", whole("200 OK", json, "{}"), 502, "upstream_invalid"),
        ("nothing in a 200", whole("200 OK", json, ""), 502, "upstream_invalid"),
        ("a redirect", whole("302 Found", "location: http://127.0.0.1:1/\r\n", ""), 502, "upstream_invalid"),
        ("no content", "HTTP/1.1 204 No Content\r\n\r\n".to_owned(), 502, "upstream_invalid"),
        ("another protocol", "SSH-2.0-OpenSSH_9.9\r\n".to_owned(), 502, "upstream_unreachable"),
        ("too many headers", whole("200 OK", &many, "{}"), 502, "upstream_unreachable"),
        ("too large a head", whole("200 OK", &large, "{}"), 502, "upstream_unreachable"),
        ("a truncated head", "HTTP/1.1 200 OK\r\ncontent-ty".to_owned(), 502, "upstream_unreachable"),
        ("a key refused as a bad request", whole("400 Bad Request", json, refused_key), 401, "upstream_auth"),
        ("a status of its own", whole("599 Whatever", json, "oops"), 599, "upstream_error"),
    ];
    for (name, answer, status, code) in cases {
        outcome(name, answer, false, status, code).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_are_none_are_never_taken_for_streams() {
    let huge = format!("data: {{\"x\":\"{}\"}}\n\n", "x".repeat(17 << 20));
    let cases = [
        (
            "JSON in place of a stream",
            whole("200 OK", "content-type: application/json\r\n", "{}"),
            502,
            "upstream_invalid",
        ),
        ("a stream by no name", whole("200 OK", "", &[START, WORD, END].concat()), 502, "upstream_invalid"),
        ("no events", whole("200 OK", "content-type: text/event-stream\r\n", ""), 502, "upstream_cut"),
        ("an end before content", format!("{SSE}\r\n{START}"), 502, "upstream_cut"),
        ("an event beyond all bounds first", format!("{SSE}\r\n{START}{huge}"), 502, "upstream_invalid"),
        ("an event beyond all bounds", format!("{SSE}\r\n{START}{WORD}{huge}{END}"), 200, "upstream_invalid"),
        ("no end", format!("{SSE}\r\n{START}{WORD}"), 200, "upstream_cut"),
        ("half an event at the end", format!("{SSE}\r\n{START}{WORD}data: [DONE]"), 200, "upstream_cut"),
        (
            "broken framing",
            format!("{SSE}transfer-encoding: chunked\r\n\r\n{}zz\r\n", chunk(&[START, WORD].concat())),
            200,
            "upstream_cut",
        ),
    ];
    for (name, answer, status, code) in cases {
        outcome(name, answer, true, status, code).await;
    }
}

#[tokio::test]
async fn a_stream_is_whole_once_its_last_event_has_come_whatever_the_connection_does() {
    let all = [START, WORD, WORD, END].concat();
    for (name, answer) in [
        ("no last chunk", format!("{SSE}transfer-encoding: chunked\r\n\r\n{}", chunk(&all))),
        ("a shorter body than announced", format!("{SSE}content-length: 99999\r\n\r\n{all}")),
        ("broken framing behind it", format!("{SSE}transfer-encoding: chunked\r\n\r\n{}zz\r\n", chunk(&all))),
        ("words behind it", format!("{SSE}\r\n{all}data: {{\"late\":1}}\n\n%%%")),
    ] {
        let scripted = Scripted::start(answer).await;
        let rest = provider("p", "openai", scripted.address, "prices.m = { input = 1, output = 1 }");
        let stepwell = Stepwell::start("", &rest).await;
        for client in Dialect::ALL {
            let reply = ask(stepwell.api, client, &[], &question(client, "p/m", true, "x")).await;
            let seen = format!("{name}, {client}: {} {}", reply.status, reply.text());
            assert_eq!(reply.end(client), End::Complete, "{seen}");
            assert_eq!(reply.content(client, true), "well well ", "{seen}");
            let record = stepwell.record(&call_of(&reply)).await;
            assert_eq!(
                (&record["outcome"], &record["cost_usd"]),
                (&json!("ok"), &json!("0.000005000")),
                "{seen}"
            );
        }
    }
}

#[tokio::test]
async fn a_reply_larger_than_any_is_not_read_to_its_end() {
    let body = format!("{{\"x\":\"{}\"}}", "x".repeat(65 << 20));
    let answer = whole("200 OK", "content-type: application/json\r\n", &body);
    outcome("65 MiB", answer, false, 502, "upstream_too_large").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_whose_connections_are_all_taken_is_overloaded_for_now_and_passed_over() {
    let sim = Simulator::start().await;
    let rest = sim.provider("narrow", "openai", "max_connections = 1")
        + &sim.providers()
        + "[routes.either]\ntargets = [\"narrow/small\", \"ant/small\"]\n";
    let stepwell = Stepwell::start("", &rest).await;
    let client = Dialect::OpenaiChat;
    let endless = question(client, "narrow/small", true, "draw [[sim:tokens=4000 event-ms=20]]");
    let mut held = Vec::new();
    let refused = loop {
        let open = crate::harness_client::start(stepwell.api, client, &[], &endless).await;
        if open.status != 200 {
            break open.read().await;
        }
        held.push(open);
        assert!(held.len() <= 2, "each of two workers has one");
    };
    assert_eq!((refused.status, refused.code().as_str()), (503, "overloaded"), "{}", refused.text());
    assert_eq!(refused.header("retry-after"), Some("1"), "{:?}", refused.headers);
    let record = stepwell.record(&call_of(&refused)).await;
    assert_eq!(
        (&record["cost_usd"], &record["attempts"][0]["usage_source"]),
        (&json!("0.000000000"), &json!("none"))
    );
    while held.len() < 2 {
        held.push(crate::harness_client::start(stepwell.api, client, &[], &endless).await);
    }
    let reply = ask(stepwell.api, client, &[], &question(client, "either", false, "draw")).await;
    assert_eq!((reply.status, reply.header("x-stepwell-provider")), (200, Some("ant")), "{}", reply.text());
}

#[tokio::test]
async fn a_count_of_tokens_fails_over_as_any_call_does() {
    let sim = Simulator::start().await;
    let rest = sim.provider("bad", "anthropic", "headers = { x-sim-fault = \"status 500\" }")
        + &sim.providers()
        + "[routes.count]\ntargets = [\"bad/small\", \"ant/small\"]\n";
    let stepwell = Stepwell::start("", &rest).await;
    let body = json!({"model": "count", "messages": [{"role": "user", "content": "draw some water"}]});
    let headers = crate::harness_client::headers_of(Dialect::Anthropic);
    let reply = send(stepwell.api, "POST", "/v1/messages/count_tokens", headers, body.to_string()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(
        (reply.header("x-stepwell-attempts"), reply.header("x-stepwell-provider")),
        (Some("2"), Some("ant"))
    );
    assert!(reply.json()["input_tokens"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn a_provider_that_hangs_up_between_calls_costs_none_of_them() {
    // It says nothing of `connection: close`: the connection looks as if it could be used again.
    let reply = "{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\
        \"finish_reason\":\"stop\",\"message\":{\"role\":\"assistant\",\"content\":\"well\"}}]}";
    let scripted = Scripted::json("", reply).await;
    let stepwell = Stepwell::start("", &provider("p", "openai", scripted.address, "")).await;
    let body = question(Dialect::OpenaiChat, "p/m", false, "x");
    for call in 0..100 {
        let reply = ask(stepwell.api, Dialect::OpenaiChat, &[], &body).await;
        assert_eq!(reply.status, 200, "call {call}: {}", reply.text());
    }
    assert_eq!(scripted.seen().len(), 100);
}

#[tokio::test]
async fn what_a_provider_says_of_our_key_inside_a_stream_is_not_the_client_s_business() {
    let error = "data: {\"error\":{\"message\":\"Incorrect API key provided: sk-ours.\",\"type\":\"invalid_request_error\",\
                 \"code\":\"invalid_api_key\"}}\n\n";
    let content =
        "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
    for stream in [error.to_owned(), format!("{content}{error}")] {
        let scripted = Scripted::events(&stream).await;
        let rest = provider("p", "openai", scripted.address, "");
        let stepwell = Stepwell::start("", &rest).await;
        let client = Dialect::OpenaiChat;
        let reply = ask(stepwell.api, client, &[], &question(client, "p/m", true, "x")).await;
        assert!(reply.text().contains("upstream_auth"), "{}", reply.text());
        assert!(!reply.text().contains("sk-ours"), "{}", reply.text());
    }
}

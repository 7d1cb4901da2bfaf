//! The list of faults, streamed and not, in every dialect: what is on the wire, and what the account says.

use serde_json::{Value, json};
use stepwell_sim::{Ended, Fault, Scripted, SimOptions, Timing};
use stepwell_types::Dialect;

use crate::client::{Got, NoAnswer, Server, chat, content, input, message, start, start_with, with};

async fn ask(server: &Server, dialect: Dialect, stream: bool, fault: &str) -> Result<Got, NoAnswer> {
    let text = "draw water [[sim:tokens=8]]";
    let more = json!({"stream": stream});
    let fault = [("x-sim-fault", fault)];
    match dialect {
        Dialect::OpenaiChat => server.openai_with(&fault, &with(chat(text), more)).await,
        Dialect::OpenaiResponses => server.responses_with(&fault, &with(input(text), more)).await,
        Dialect::Anthropic => server.anthropic_with(&fault, &with(message(text), more)).await,
        Dialect::Gemini => {
            let call = if stream { "small:streamGenerateContent?alt=sse" } else { "small:generateContent" };
            server.gemini_with(&fault, call, &content(text)).await
        }
        Dialect::Cohere => server.cohere_with(&fault, &with(chat(text), more)).await,
    }
}

/// Whether a reply looks like one that is whole.
fn looks_whole(dialect: Dialect, stream: bool, got: &Got) -> bool {
    if !got.complete || got.status != 200 {
        return false;
    }
    let text = String::from_utf8_lossy(&got.body);
    match (stream, dialect) {
        (false, _) => serde_json::from_slice::<Value>(&got.body).is_ok(),
        (true, Dialect::OpenaiChat) => text.ends_with("data: [DONE]\n\n") && !text.contains("garbage"),
        (true, Dialect::Anthropic) => text.contains("event: message_stop") && !text.contains("garbage"),
        (true, Dialect::OpenaiResponses) => {
            text.contains("event: response.completed") && !text.contains("garbage")
        }
        (true, Dialect::Gemini) => text.contains("\"finishReason\"") && !text.contains("garbage"),
        (true, Dialect::Cohere) => {
            text.contains("event: message-end") && !text.contains("garbage") && !text.contains("\"error\"")
        }
    }
}

/// A stream that is a list, with a fault.
async fn ask_for_list(server: &Server, fault: &str) -> Got {
    let fault = [("x-sim-fault", fault)];
    let ask = content("draw water [[sim:tokens=8]]");
    server.gemini_with(&fault, "small:streamGenerateContent", &ask).await.unwrap()
}

/// What a fault does to a reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Seen {
    NoAnswer(&'static str),
    Status(u16),
    /// A 200 that does not end.
    Cut,
    /// A 200 that ends as a body does, and yet is not whole.
    Broken,
    Whole,
}

fn seen(dialect: Dialect, stream: bool, got: &Result<Got, NoAnswer>) -> Seen {
    match got {
        Err(NoAnswer::Reset) => Seen::NoAnswer("reset"),
        Err(_) => Seen::NoAnswer("closed"),
        Ok(got) if got.status != 200 => Seen::Status(got.status.as_u16()),
        Ok(got) if !got.complete => Seen::Cut,
        Ok(got) if looks_whole(dialect, stream, got) => Seen::Whole,
        Ok(_) => Seen::Broken,
    }
}

/// One row per fault: streamed and not, and how the account says it ended, with what was billed of the output.
const TABLE: &[(&str, Seen, Seen, Ended)] = &[
    ("refuse", Seen::NoAnswer("closed"), Seen::NoAnswer("closed"), Ended::CutByFault),
    ("reset", Seen::NoAnswer("reset"), Seen::NoAnswer("reset"), Ended::CutByFault),
    ("reset-after-headers", Seen::Cut, Seen::Cut, Ended::CutByFault),
    ("status 400", Seen::Status(400), Seen::Status(400), Ended::Error),
    ("status 403", Seen::Status(403), Seen::Status(403), Ended::Error),
    ("status 500", Seen::Status(500), Seen::Status(500), Ended::Error),
    ("status 529", Seen::Status(529), Seen::Status(529), Ended::Error),
    ("rate-limit 3", Seen::Status(429), Seen::Status(429), Ended::Error),
    ("html", Seen::Status(502), Seen::Status(502), Ended::Error),
    ("cut 0", Seen::Cut, Seen::Cut, Ended::CutByFault),
    ("cut 4", Seen::Cut, Seen::Cut, Ended::CutByFault),
    ("cut 999", Seen::Cut, Seen::Cut, Ended::CutByFault),
    ("truncate", Seen::Cut, Seen::Cut, Ended::CutByFault),
    ("truncate 4", Seen::Cut, Seen::Cut, Ended::CutByFault),
    ("eof 0", Seen::Broken, Seen::Broken, Ended::CutByFault),
    ("eof 4", Seen::Broken, Seen::Broken, Ended::CutByFault),
    ("eof 999", Seen::Broken, Seen::Broken, Ended::CutByFault),
    ("garbage 3", Seen::Broken, Seen::Broken, Ended::Finished),
    ("garbage-sse 3", Seen::Broken, Seen::Broken, Ended::Finished),
    ("slow-headers 1", Seen::Whole, Seen::Whole, Ended::Finished),
];

#[tokio::test]
async fn every_fault_does_what_it_says_streamed_or_not_in_every_dialect() {
    let server = start().await;
    let mut requests = 0;
    for dialect in Dialect::ALL {
        for stream in [true, false] {
            for (fault, streamed, whole, ended) in TABLE {
                let got = ask(&server, dialect, stream, fault).await;
                let expected = if stream { *streamed } else { *whole };
                let case = format!("{fault} {dialect} stream={stream}");
                assert_eq!(seen(dialect, stream, &got), expected, "{case}: {got:?}");
                requests += 1;
                let entry = server.ended(requests).await;
                // A body that is garbage from its first byte is one the fault cut.
                let garbage = !stream && fault.starts_with("garbage");
                let ended = if garbage { Ended::CutByFault } else { *ended };
                assert_eq!(entry.ended, ended, "{case}");
                assert_eq!(entry.fault, fault.split(' ').next(), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_cut_stream_has_exactly_its_events_and_is_billed_for_them() {
    let server = start().await;
    for events in 0_u32..9 {
        let got = ask(&server, Dialect::OpenaiChat, true, &format!("cut {events}")).await.unwrap();
        let sent: Vec<_> = got.events();
        assert_eq!(sent.len(), usize::try_from(events).unwrap(), "{}", got.text());
        let entry = server.ended(u64::from(events) + 1).await;
        // The role chunk carries no output.
        assert_eq!(entry.billed_usage.output_tokens, u64::from(events.saturating_sub(1)));
        assert!(entry.billed_usage.input_tokens > 0);
    }
}

#[tokio::test]
async fn a_torn_event_ends_in_its_middle() {
    let server = start().await;
    let got = ask(&server, Dialect::Anthropic, true, "truncate 3").await.unwrap();
    assert!(!got.complete);
    let text = got.text();
    assert_eq!(text.matches("\n\n").count(), 3);
    assert!(!text.ends_with("\n\n"));
}

#[tokio::test]
async fn an_overload_inside_a_stream_comes_before_the_first_content_or_after_its_events() {
    let server = start().await;
    let got = ask(&server, Dialect::OpenaiChat, true, "stream-error").await.unwrap();
    assert!(got.complete);
    let data = got.data();
    assert_eq!(data.len(), 2);
    assert_eq!(data[1]["error"]["code"], "server_overloaded");
    assert_eq!(server.ended(1).await.billed.as_nanos(), 0);
    let got = ask(&server, Dialect::Anthropic, true, "stream-error").await.unwrap();
    let names: Vec<String> = got.events().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["message_start", "ping", "content_block_start", "error"]);
    assert_eq!(got.data()[3]["error"]["type"], "overloaded_error");
    let got = ask(&server, Dialect::Anthropic, true, "stream-error 6").await.unwrap();
    assert_eq!(got.events().len(), 7);
    let entry = server.ended(3).await;
    assert_eq!((entry.ended, entry.billed_usage.output_tokens), (Ended::CutByFault, 3));
    let got = ask(&server, Dialect::Anthropic, false, "stream-error").await.unwrap();
    assert_eq!(got.status, 529);
    let got = ask(&server, Dialect::OpenaiChat, false, "stream-error").await.unwrap();
    assert_eq!(got.status, 503);
}

#[tokio::test]
async fn error_statuses_have_the_dialects_body() {
    let server = start().await;
    let got = ask(&server, Dialect::OpenaiChat, false, "status 429 insufficient_quota").await.unwrap();
    let error = &got.json()["error"];
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("insufficient_quota"), &json!("insufficient_quota"))
    );
    let kinds = [
        (401, "authentication_error"),
        (402, "billing_error"),
        (413, "request_too_large"),
        (500, "api_error"),
    ];
    for (status, kind) in kinds {
        let got = ask(&server, Dialect::Anthropic, true, &format!("status {status}")).await.unwrap();
        assert_eq!(got.json()["error"]["type"], kind);
    }
    let got = ask(&server, Dialect::Anthropic, true, "rate-limit 7").await.unwrap();
    assert_eq!(got.headers["retry-after"], "7");
    assert_eq!(got.headers["anthropic-ratelimit-requests-remaining"], "0");
    assert_eq!(got.json()["error"]["type"], "rate_limit_error");
    let got = ask(&server, Dialect::OpenaiChat, true, "rate-limit").await.unwrap();
    assert_eq!(
        (&got.headers["retry-after"], &got.headers["x-ratelimit-remaining-requests"]),
        (&"1".parse().unwrap(), &"0".parse().unwrap())
    );
    let got = ask(&server, Dialect::OpenaiChat, true, "html 503").await.unwrap();
    assert_eq!((got.status.as_u16(), &got.headers["content-type"]), (503, &"text/html".parse().unwrap()));
}

#[tokio::test]
async fn a_stream_of_gemini_breaks_in_its_own_shapes() {
    let server = start().await;
    let overload = json!({"error": {
        "code": 503,
        "message": "The model is overloaded. Please try again later.",
        "status": "UNAVAILABLE",
    }});
    let got = ask(&server, Dialect::Gemini, true, "stream-error").await.unwrap();
    assert_eq!(got.data(), std::slice::from_ref(&overload));
    assert_eq!(server.ended(1).await.billed.as_nanos(), 0);
    let got = ask(&server, Dialect::Gemini, true, "stream-error 3").await.unwrap();
    assert!(got.complete && got.text().ends_with("}\r\n\r\n"));
    assert_eq!((got.data().len(), &got.data()[3]), (4, &overload));
    let entry = server.ended(2).await;
    assert_eq!((entry.ended, entry.billed_usage.output_tokens), (Ended::CutByFault, 3));
    assert_eq!(ask(&server, Dialect::Gemini, false, "stream-error").await.unwrap().json(), overload);
    for (fault, steps) in [("stream-error", 1), ("stream-error 3", 4)] {
        let list = ask_for_list(&server, fault).await.json();
        assert_eq!(list.as_array().unwrap().len(), steps);
        assert_eq!(list[steps - 1], overload);
    }
    for fault in ["eof 3", "garbage 0", "garbage 3", "garbage-sse 3"] {
        let got = ask_for_list(&server, fault).await;
        assert!(got.complete && serde_json::from_slice::<Value>(&got.body).is_err(), "{fault}");
    }
    let got = ask(&server, Dialect::Gemini, true, "cut 3").await.unwrap();
    assert!(!got.complete && got.data().len() == 3);
}

#[tokio::test]
async fn a_stream_of_responses_breaks_in_its_own_shapes() {
    let server = start().await;
    let names = |got: &Got| -> Vec<String> { got.events().into_iter().map(|(name, _)| name).collect() };
    let got = ask(&server, Dialect::OpenaiResponses, true, "stream-error").await.unwrap();
    assert!(got.complete);
    assert_eq!(
        names(&got),
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "error",
            "response.failed",
        ]
    );
    let overload = "Our servers are currently overloaded. Please try again later.";
    let data = got.data();
    assert_eq!(
        data[4],
        json!({
            "type": "error",
            "error": {
                "type": "service_unavailable_error",
                "code": "server_is_overloaded",
                "message": overload,
                "param": null,
            },
            "sequence_number": 4,
        })
    );
    assert_eq!((&data[5]["type"], &data[5]["sequence_number"]), (&json!("response.failed"), &json!(5)));
    let failed = &data[5]["response"];
    assert_eq!(failed["id"], data[0]["response"]["id"]);
    assert_eq!((&failed["status"], &failed["output"]), (&json!("failed"), &json!([])));
    assert_eq!(failed["error"], json!({"code": "server_is_overloaded", "message": overload}));
    assert_eq!(server.ended(1).await.billed.as_nanos(), 0);
    let got = ask(&server, Dialect::OpenaiResponses, true, "stream-error 7").await.unwrap();
    assert_eq!((got.events().len(), &got.data()[8]["sequence_number"]), (9, &json!(8)));
    let entry = server.ended(2).await;
    assert_eq!((entry.ended, entry.billed_usage.output_tokens), (Ended::CutByFault, 3));
    let got = ask(&server, Dialect::OpenaiResponses, true, "stream-error 0").await.unwrap();
    assert_eq!(names(&got), ["error", "response.failed"]);
    let got = ask(&server, Dialect::OpenaiResponses, false, "stream-error").await.unwrap();
    assert_eq!(got.status, 503);
    let got = ask(&server, Dialect::OpenaiResponses, true, "garbage 4").await.unwrap();
    assert_eq!(names(&got)[4], "response.output_text.delta");
    assert!(got.text().contains("{\"garbage\": not json\n\n"));
    for events in [0, 3, 6] {
        let got = ask(&server, Dialect::OpenaiResponses, true, &format!("cut {events}")).await.unwrap();
        assert!(!got.complete);
        assert_eq!(got.events().len(), events, "{}", got.text());
    }
}

#[tokio::test]
async fn error_statuses_of_responses_have_openais_body_and_headers() {
    let server = start().await;
    let got = ask(&server, Dialect::OpenaiResponses, true, "rate-limit 7").await.unwrap();
    assert_eq!((got.status.as_u16(), &got.headers["retry-after"]), (429, &"7".parse().unwrap()));
    assert_eq!(got.headers["x-ratelimit-remaining-requests"], "0");
    assert!(got.headers["x-request-id"].to_str().unwrap().starts_with("req_"));
    assert_eq!(got.json()["error"]["code"], "rate_limit_exceeded");
    let got = ask(&server, Dialect::OpenaiResponses, false, "status 429 insufficient_quota").await.unwrap();
    assert_eq!(got.json()["error"]["code"], "insufficient_quota");
    let got = ask(&server, Dialect::OpenaiResponses, false, "html 503").await.unwrap();
    assert_eq!((got.status.as_u16(), &got.headers["content-type"]), (503, &"text/html".parse().unwrap()));
}

#[tokio::test]
async fn error_statuses_have_geminis_body() {
    let server = start().await;
    let names = [
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (500, "INTERNAL"),
        (503, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
    ];
    for (status, name) in names {
        let got = ask(&server, Dialect::Gemini, false, &format!("status {status}")).await.unwrap();
        assert_eq!(got.json()["error"]["status"], name);
        assert_eq!(got.json()["error"]["code"], status);
    }
    let got = ask(&server, Dialect::Gemini, true, "rate-limit 7").await.unwrap();
    assert_eq!(got.status, 429);
    assert!(!got.headers.contains_key("retry-after"));
    let error = &got.json()["error"];
    assert_eq!(error["status"], "RESOURCE_EXHAUSTED");
    let quota = &error["details"][0];
    assert_eq!(quota["@type"], "type.googleapis.com/google.rpc.QuotaFailure");
    assert_eq!(quota["violations"][0]["quotaId"], "GenerateRequestsPerMinutePerProjectPerModel");
    let retry = json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"});
    assert_eq!(error["details"][1], retry);
    let got = ask(&server, Dialect::Gemini, true, "status 429 ABORTED").await.unwrap();
    let error = &got.json()["error"];
    assert_eq!((&error["status"], error["details"].as_array().unwrap().len()), (&json!("ABORTED"), 1));
    // A stream that is a list fails as one.
    let got = ask_for_list(&server, "status 500").await;
    assert_eq!((got.status.as_u16(), &got.json()[0]["error"]["status"]), (500, &json!("INTERNAL")));
}

#[tokio::test]
async fn cohere_fails_by_status_and_a_stream_of_its_in_the_event_that_ends_it() {
    let server = start().await;
    let got = ask(&server, Dialect::Cohere, false, "status 500").await.unwrap();
    let body = got.json();
    assert_eq!((got.status.as_u16(), body["message"].as_str()), (500, Some("simulated fault: status 500")));
    assert!(body["id"].is_string() && body.as_object().unwrap().len() == 2, "{body}");
    let got = ask(&server, Dialect::Cohere, true, "rate-limit 7").await.unwrap();
    assert_eq!((got.status.as_u16(), got.headers["retry-after"].to_str().unwrap()), (429, "7"));
    let got = ask(&server, Dialect::Cohere, true, "stream-error").await.unwrap();
    let message = "The service is overloaded, please try again later.";
    let error = json!({"type": "message-end", "delta": {"error": message, "finish_reason": "ERROR"}});
    assert_eq!(got.data().len(), 3, "{}", got.text());
    assert_eq!(got.data()[2], error);
    let got = ask(&server, Dialect::Cohere, false, "stream-error").await.unwrap();
    assert_eq!((got.status.as_u16(), got.json()["message"].as_str()), (503, Some(message)));
}

#[tokio::test(start_paused = true)]
async fn a_stall_holds_the_stream_for_its_time_and_then_lets_it_go_on() {
    let server = start().await;
    for stream in [true, false] {
        let before = tokio::time::Instant::now();
        let got = ask(&server, Dialect::OpenaiChat, stream, "stall 3 50").await.unwrap();
        assert!(before.elapsed() >= std::time::Duration::from_secs(50));
        assert!(looks_whole(Dialect::OpenaiChat, stream, &got));
    }
}

#[tokio::test(start_paused = true)]
async fn what_never_answers_is_left_by_its_client() {
    let server = start().await;
    for (requests, (fault, stream, ended)) in
        (1..).zip([("blackhole", false, Ended::CutByFault), ("stall 2", true, Ended::ClientGone)])
    {
        let limit = std::time::Duration::from_mins(15);
        let got = tokio::time::timeout(limit, ask(&server, Dialect::Anthropic, stream, fault)).await;
        assert!(got.is_err());
        assert_eq!(server.ended(requests).await.ended, ended, "{fault}");
    }
}

#[tokio::test]
async fn directives_name_faults_where_headers_do_not_get_through() {
    let server = start().await;
    let got = server.openai(&chat("hello [[fault:status 503]]")).await;
    assert_eq!(got.status, 503);
    let parts = json!([{"type": "text", "text": "hello"}, {"type": "text", "text": "[[fault:html]]"}]);
    let got = server
        .anthropic(&with(message("x"), json!({"messages": [{"role": "user", "content": parts}]})))
        .await;
    assert_eq!(got.status, 502);
    let earlier = json!([
        {"role": "user", "content": "[[fault:status 500]]"},
        {"role": "assistant", "content": "no"},
        {"role": "user", "content": "and now?"},
    ]);
    let got = server.openai(&json!({"model": "small", "messages": earlier})).await;
    assert_eq!(got.status, 200);
}

#[tokio::test]
async fn a_script_is_applied_to_the_next_requests() {
    let server = start().await;
    let script = json!([
        {"fault": "status 500", "times": 2, "model": "sim/large"},
        {"fault": "status 418"},
    ]);
    let post = async |body: &str| server.send("POST", "/sim/faults", &[], body).await.unwrap();
    assert_eq!(post(&script.to_string()).await.status, 200);
    let mut statuses = Vec::new();
    for model in ["small", "large", "large", "large", "small"] {
        let got = server.openai(&with(chat("x"), json!({"model": model}))).await;
        statuses.push(got.status.as_u16());
    }
    assert_eq!(statuses, [418, 500, 500, 200, 200]);
    assert_eq!(post(&json!({"fault": "explode"}).to_string()).await.status, 400);
    assert_eq!(post(&json!({"fault": "reset", "model": "none"}).to_string()).await.status, 400);
    assert_eq!(post(&json!({"fault": "reset", "typo": 1}).to_string()).await.status, 400);
    assert!(server.handle.faults().push(Scripted { fault: Fault::Reset, times: 9, model: None }));
    let pending = server.send("GET", "/sim/faults", &[], "").await.unwrap().json();
    assert_eq!(pending["data"][0], json!({"fault": "reset", "times": 9, "model": null}));
    assert_eq!(server.send("DELETE", "/sim/faults", &[], "").await.unwrap().status, 200);
    assert_eq!(server.openai(&chat("x")).await.status, 200);
}

#[tokio::test]
async fn the_options_name_a_fault_for_every_request_that_names_none() {
    let options = SimOptions {
        fault: Some("status 503".parse().unwrap()),
        timing: Timing { tokens: Some(3), ..Timing::default() },
        ..SimOptions::default()
    };
    let server = start_with(options).await;
    assert_eq!(server.openai(&chat("x")).await.status, 503);
    let got = server.openai_with(&[("x-sim-fault", "slow-headers 0")], &chat("x")).await.unwrap();
    assert_eq!(got.json()["usage"]["completion_tokens"], 3);
}

#[tokio::test]
async fn a_simulator_that_refuses_is_not_listening_and_comes_back_at_the_same_address() {
    let server = start().await;
    assert_eq!(server.openai(&chat("x")).await.status, 200);
    assert_eq!(server.send("POST", "/sim/refuse?ms=300", &[], "").await.unwrap().status, 200);
    let attempt = async || server.openai_with(&[], &chat("x")).await;
    let mut refused = false;
    let wait = async {
        loop {
            match attempt().await {
                Err(NoAnswer::Refused) => refused = true,
                Ok(_) if refused => break,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), wait).await.unwrap();
    assert!(refused);
}

//! What only this dialect does: quirks of its servers on the way in, quirks of its providers on the way out.

use bytes::Bytes;
use stepwell_types::{Code, Dialect, Finish};

use crate::chat::{Chat, Part, Role, Source, Thinking, Turn};
use crate::framing::{Framing, Splitter};
use crate::stream::Event;
use crate::{Codec, Edits, Facts, Fault, Quirks, codec};

fn openai() -> &'static dyn Codec {
    codec(Dialect::OpenaiChat)
}

fn delta(delta: &str) -> String {
    format!("data: {{\"id\":\"chatcmpl-9\",\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n")
}

/// The tool calls of a stream, each as `id name arguments`.
fn calls(deltas: &[&str]) -> Result<Vec<String>, Fault> {
    let mut reader = openai().stream_reader();
    let mut splitter = Splitter::new(Framing::Sse);
    let mut calls: Vec<String> = Vec::new();
    let stream: String = deltas.iter().map(|calls| delta(&format!("{{\"tool_calls\":[{calls}]}}"))).collect();
    splitter.push(stream.as_bytes(), &mut |frame| {
        reader.push(&frame, &mut |event| match event {
            Event::ToolCall { id, name, .. } => calls.push(format!("{id} {name} ")),
            Event::ToolArguments { fragment, .. } => calls.last_mut().unwrap().push_str(&fragment),
            _ => {}
        })
    })?;
    Ok(calls)
}

#[test]
fn a_call_is_known_by_its_index_whatever_servers_repeat() {
    let repeated = calls(&[
        r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}"#,
        r#"{"index":0,"id":"a","function":{"name":"f","arguments":"\"x\":"}}"#,
        r#"{"index":0,"id":"","function":{"name":"","arguments":"1}"}}"#,
        r#"{"index":1,"id":"b","function":{"name":"f","arguments":{"y": 2}}}"#,
    ]);
    assert_eq!(repeated.unwrap(), [r#"a f {"x":1}"#, r#"b f {"y": 2}"#]);
}

#[test]
fn calls_without_ids_get_ones_that_no_other_reply_has() {
    let nameless = calls(&[
        r#"{"index":0,"function":{"name":"f","arguments":"{}"}},{"index":1,"function":{"name":"g"}}"#,
    ]);
    assert_eq!(nameless.unwrap(), ["call_chatcmpl-9_0 f {}", "call_chatcmpl-9_1 g "]);
}

#[test]
fn going_back_to_a_call_that_was_complete_is_a_fault() {
    let back = calls(&[
        r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}"#,
        r#"{"index":1,"id":"b","function":{"name":"f","arguments":"{}"}}"#,
        r#"{"index":0,"function":{"arguments":"}"}}"#,
    ]);
    assert!(matches!(back, Err(Fault::Invalid(_))));
    let unnamed = calls(&[r#"{"index":0,"id":"a","function":{"arguments":"{"}}"#]);
    assert!(matches!(unnamed, Err(Fault::Invalid(_))));
}

fn tapped(stream: &str) -> (Facts, String) {
    let mut tap = openai().tap(false);
    let mut out = Vec::new();
    tap.push(Bytes::copy_from_slice(stream.as_bytes()), &mut out).unwrap();
    (tap.facts().clone(), String::from_utf8(out.concat()).unwrap())
}

#[test]
fn a_reply_is_committed_by_what_the_client_is_shown_and_by_nothing_before() {
    let filter = "data: {\"id\":\"\",\"choices\":[],\"prompt_filter_results\":[]}\n\n";
    let before = [filter.to_owned(), delta(r#"{"role":"assistant","content":""}"#), ": ping\n\n".to_owned()];
    let (facts, passed) = tapped(&before.concat());
    assert!(!facts.committed);
    assert_eq!(passed, before.concat());
    assert_eq!(facts.id.as_deref(), Some("chatcmpl-9"));
    for shown in [
        r#"{"content":"a"}"#,
        r#"{"reasoning_content":"a"}"#,
        r#"{"reasoning":"a"}"#,
        r#"{"refusal":"a"}"#,
        r#"{"tool_calls":[{"index":0}]}"#,
        r#"{"audio":{"id":"x"}}"#,
    ] {
        assert!(tapped(&delta(shown)).0.committed, "{shown}");
    }
    assert!(tapped("data: [DONE]\n\n").0.committed);
}

#[test]
fn an_error_is_seen_in_every_form_servers_give_it_and_never_passes() {
    for (event, code) in [
        ("data: {\"error\":{\"message\":\"m\",\"code\":429}}", Code::UpstreamRateLimited),
        ("event: error\ndata: {\"message\":\"m\",\"type\":\"server_error\"}", Code::UpstreamError),
        ("data: {\"object\":\"error\",\"message\":\"m\",\"code\":503}", Code::UpstreamOverloaded),
    ] {
        for before in [String::new(), delta(r#"{"content":"a"}"#), delta(r#"{"content":"a"}"#).repeat(20)] {
            let (facts, passed) = tapped(&format!("{before}{event}\n\n{before}data: [DONE]\n\n"));
            let error = facts.error.unwrap();
            assert_eq!((error.code, error.message.as_str()), (code, "m"), "{event}");
            assert_eq!(passed, before);
            assert!(!facts.terminal);
        }
    }
}

#[test]
fn usage_and_reason_are_found_after_any_number_of_chunks_of_one_form() {
    for chunks in [0, 1, 9, 40] {
        let text = delta(r#"{"content":"a"}"#).repeat(chunks);
        let end = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"},\"finish_reason\": \"length\"}],\
                   \"usage\" : {\"prompt_tokens\":3,\"completion_tokens\":4}}\n\ndata: [DONE]\n\n";
        let (facts, passed) = tapped(&format!("{text}{end}"));
        assert_eq!(passed, format!("{text}{end}"));
        assert_eq!(facts.finish, Some(Finish::Length));
        assert_eq!(facts.usage.map(|usage| usage.output_tokens), Some(4));
        assert_eq!(facts.events, chunks as u64 + 1);
    }
}

fn written(chat: &Chat<'_>, quirks: Quirks) -> (String, Vec<String>) {
    let written = openai().write_request(chat, &Edits::default(), quirks).unwrap();
    (String::from_utf8(written.body).unwrap(), written.losses.paths().to_vec())
}

fn text(text: &str) -> Part<'_> {
    Part::Text { text: text.into(), cache: None }
}

#[test]
fn a_providers_quirks_change_what_it_is_sent() {
    let body =
        br#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":5,
        "temperature":0.5,"messages":[{"role":"developer","content":"d"}]}"#;
    let chat = openai().read_request(body).unwrap();
    let (plain, lost) = written(&chat, Quirks::default());
    assert!(lost.is_empty());
    for field in ["\"max_completion_tokens\":5", "\"developer\"", "stream_options", "\"temperature\":0.5"] {
        assert!(plain.contains(field), "{field} in {plain}");
    }
    let quirks = Quirks {
        max_tokens_only: true,
        no_developer_role: true,
        no_stream_options: true,
        no_sampling: true,
        ..Quirks::default()
    };
    let (quirky, lost) = written(&chat, quirks);
    assert_eq!(
        quirky,
        r#"{"model":"m","messages":[{"role":"system","content":"d"}],"max_tokens":5,"stream":true}"#
    );
    assert_eq!(lost, ["/temperature"]);
}

#[test]
fn results_stand_behind_their_calls_and_their_images_with_the_user() {
    let image = Part::Image { source: Source::Url("https://x/y.png".into()), detail: None, cache: None };
    let result =
        |id: &'static str, parts| Part::ToolResult { id: id.into(), parts, is_error: false, cache: None };
    let parts = vec![result("a", vec![text("one"), image]), result("b", vec![]), text("go on")];
    let chat = Chat { model: "m".into(), turns: vec![Turn { role: Role::User, parts }], ..Chat::default() };
    let (body, lost) = written(&chat, Quirks::default());
    assert_eq!(
        body,
        r#"{"model":"m","messages":[{"role":"tool","tool_call_id":"a","content":"one"},{"role":"tool","tool_call_id":"b","content":""},{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}},{"type":"text","text":"go on"}]}]}"#
    );
    assert!(lost.is_empty());
}

#[test]
fn what_openai_cannot_say_is_lost_by_name() {
    let long = "x".repeat(64);
    let call = Part::ToolCall {
        id: long.as_str().into(),
        name: "f".into(),
        arguments: "".into(),
        signature: None,
        cache: None,
    };
    let signed = Part::Thinking { text: "t".into(), signature: Some("s".into()) };
    let result = Part::ToolResult { id: long.as_str().into(), parts: vec![], is_error: true, cache: None };
    let chat = Chat {
        turns: vec![
            Turn { role: Role::System, parts: vec![text("s")] },
            Turn { role: Role::Assistant, parts: vec![signed, call] },
            Turn { role: Role::User, parts: vec![result] },
        ],
        stop: (0..6).map(|_| "x".into()).collect(),
        thinking: Some(Thinking::Off),
        ..Chat::default()
    };
    let (body, lost) = written(&chat, Quirks::default());
    assert_eq!(
        lost,
        ["/messages/0/content/0", "/messages/1/content/0/is_error", "/stop_sequences/4", "/thinking"]
    );
    let id = body.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(id.len(), 37, "an id that is too long is shortened");
    assert!(body.contains(&format!("\"tool_call_id\":\"{id}\"")), "and its result still answers it");
    assert!(body.contains(r#""arguments":"{}""#), "a call without arguments has empty ones");
}

//! Requests: read, written again, and written for callers of other dialects.

use std::borrow::Cow;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use stepwell_types::Code;

use super::{fixture, value, without};
use crate::anthropic::Anthropic;
use crate::chat::{Chat, Extra, Format, Part, Role, Source, Thinking, Tool, ToolChoice, Turn};
use crate::{Codec, Edits, Quirks};

fn text(text: &str) -> Part<'_> {
    Part::Text { text: text.into(), cache: None }
}

fn said(role: Role, words: &str) -> Turn<'_> {
    Turn { role, parts: vec![text(words)] }
}

fn asking(turns: Vec<Turn<'_>>) -> Chat<'_> {
    Chat { model: "m".into(), turns, ..Chat::default() }
}

fn written(chat: &Chat<'_>) -> (Value, Vec<String>) {
    written_for(chat, Quirks::default())
}

fn written_for(chat: &Chat<'_>, quirks: Quirks) -> (Value, Vec<String>) {
    let written = Anthropic.write_request(chat, &Edits::default(), quirks).unwrap();
    (value(&written.body), written.losses.paths().to_vec())
}

/// Reads a request and writes it again.
fn again(body: &str) -> (Value, Vec<String>) {
    written(&Anthropic.read_request(body.as_bytes()).unwrap())
}

#[test]
fn requests_come_back_as_they_were_read() {
    let cases: [(&str, &[&str], &[&str]); 4] = [
        (
            fixture!("conversation.request.json"),
            &["/service_tier", "/future_field"],
            &["/service_tier", "/future_field"],
        ),
        (fixture!("cached_tools.request.json"), &["/tools/1/type"], &[]),
        (fixture!("tool_round.request.json"), &["/messages/1/content/2/caller"], &[]),
        (
            fixture!("media.request.json"),
            &["/messages/0/content/3/citations"],
            &["/messages/0/content/3/citations"],
        ),
    ];
    for (body, dropped, losses) in cases {
        let (mut back, lost) = again(body);
        let mut expected = without(body, dropped);
        shorten(&mut back);
        shorten(&mut expected);
        assert_eq!(back, expected);
        assert_eq!(lost, losses);
    }
}

/// A lone text block and a string say the same.
fn shorten(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                shorten(value);
                if (key == "content" || key == "system")
                    && let Value::Array(blocks) = value
                    && let [Value::Object(block)] = blocks.as_slice()
                    && block.len() == 2
                    && let Some(text) = block.get("text")
                {
                    *value = text.clone();
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(shorten),
        _ => {}
    }
}

#[test]
fn what_only_this_dialect_has_is_a_loss_each() {
    let (back, lost) = again(fixture!("structured.request.json"));
    assert_eq!(back["thinking"], json!({"type": "adaptive"}));
    assert_eq!(back["output_config"], value(fixture!("structured.request.json").as_bytes())["output_config"]);
    assert_eq!(lost, ["/thinking/display"]);
    let (back, lost) = again(fixture!("hosted.request.json"));
    assert_eq!(back["thinking"], json!({"type": "enabled", "budget_tokens": 2048}));
    assert_eq!(back["messages"], json!([{"role": "user", "content": "Search."}]));
    assert_eq!(back["system"].as_array().unwrap().len(), 3, "a system turn in mid-conversation is hoisted");
    assert_eq!(lost, ["/container", "/tools/0", "/messages/0/content/0"]);
}

#[test]
fn a_request_that_is_not_one_names_its_field() {
    for (body, param) in [
        (r#"{"messages":[]}"#, "model"),
        (r#"{"model":"m"}"#, "messages"),
        (r#"{"model":"m","messages":[{"role":"user"}]}"#, "messages[0].content"),
        (r#"{"model":"m","messages":[{"role":"tool","content":""}]}"#, "messages[0].role"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}"#,
            "messages[0].content[0].text",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image","source":{"type":"url"}}]}]}"#,
            "messages[0].content[0].source.url",
        ),
        (r#"{"model":"m","messages":[],"tool_choice":{"type":"some"}}"#, "tool_choice.type"),
        (
            r#"{"model":"m","messages":[],"thinking":{"type":"enabled","budget_tokens":-1}}"#,
            "thinking.budget_tokens",
        ),
    ] {
        let error = Anthropic.read_request(body.as_bytes()).unwrap_err();
        assert_eq!((error.code, error.param.as_deref()), (Code::InvalidRequest, Some(param)), "{body}");
    }
}

#[test]
fn instructions_are_hoisted_and_neighbours_merged_wherever_they_stand() {
    let chat = asking(vec![
        said(Role::System, "one"),
        said(Role::User, "a"),
        said(Role::Developer, "two"),
        said(Role::User, "b"),
        said(Role::Assistant, "  "),
        said(Role::Assistant, "c"),
    ]);
    let (body, losses) = written(&chat);
    assert_eq!(body["system"], json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]));
    let user = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    assert_eq!(
        body["messages"],
        json!([{"role": "user", "content": user}, {"role": "assistant", "content": "c"}])
    );
    assert_eq!(body["max_tokens"], 4096, "Anthropic requires a limit");
    assert!(losses.is_empty());
}

#[test]
fn instructions_alone_are_said_by_the_user() {
    let (body, losses) = written(&asking(vec![said(Role::System, "one"), said(Role::System, "two")]));
    assert_eq!(body["system"], "one");
    assert_eq!(body["messages"], json!([{"role": "user", "content": "two"}]));
    assert_eq!(losses, ["/messages/1/role"]);
    let error =
        Anthropic.write_request(&asking(Vec::new()), &Edits::default(), Quirks::default()).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("messages"));
}

fn call<'a>(id: &'a str, arguments: &'a str) -> Part<'a> {
    Part::ToolCall {
        id: id.into(),
        name: "f".into(),
        arguments: arguments.into(),
        signature: None,
        cache: None,
    }
}

fn result<'a>(id: &'a str, words: &'a str) -> Part<'a> {
    Part::ToolResult { id: id.into(), parts: vec![text(words)], is_error: false, cache: None }
}

#[test]
fn results_of_parallel_tools_stand_in_one_turn_before_anything_else() {
    let turn = |part| Turn { role: Role::User, parts: vec![part] };
    let chat = asking(vec![
        said(Role::User, "go"),
        Turn { role: Role::Assistant, parts: vec![call("a", ""), call("functions.f:1", r#"{"x":1.50}"#)] },
        turn(result("a", "1")),
        said(Role::User, "and?"),
        turn(result("functions.f:1", "")),
    ]);
    let (body, losses) = written(&chat);
    assert_eq!(
        body["messages"][1]["content"],
        json!([
            {"type": "tool_use", "id": "a", "name": "f", "input": {}},
            {"type": "tool_use", "id": "swid-functions-2ef-3a1", "name": "f", "input": {"x": 1.50}},
        ])
    );
    assert_eq!(
        body["messages"][2]["content"],
        json!([
            {"type": "tool_result", "tool_use_id": "a", "content": "1"},
            {"type": "tool_result", "tool_use_id": "swid-functions-2ef-3a1"},
            {"type": "text", "text": "and?"},
        ])
    );
    assert!(losses.is_empty());
    let back = Anthropic.write_request(&chat, &Edits::default(), Quirks::default()).unwrap().body;
    let chat = Anthropic.read_request(&back).unwrap();
    assert!(matches!(&chat.turns[1].parts[1], Part::ToolCall { id, arguments, .. }
        if id == "functions.f:1" && arguments == r#"{"x":1.50}"#));
}

#[test]
fn arguments_that_are_no_object_are_wrapped_and_noted() {
    for arguments in ["[1]", "{\"a\":", "plain"] {
        let turns =
            vec![said(Role::User, "go"), Turn { role: Role::Assistant, parts: vec![call("a", arguments)] }];
        let (body, losses) = written(&asking(turns));
        assert_eq!(body["messages"][1]["content"][0]["input"], json!({"arguments": arguments}));
        assert_eq!(losses, ["/messages/1/tool_calls"]);
    }
}

#[test]
fn what_anthropic_cannot_be_told_is_noted() {
    let raw = RawValue::from_string("2".to_owned()).unwrap();
    let null = RawValue::from_string("null".to_owned()).unwrap();
    let detail = Some(Cow::Borrowed("high"));
    let parts = vec![
        Part::Image { source: Source::Url("u".into()), detail, cache: None },
        Part::Other(Extra { path: "/messages/0/content/1".to_owned(), value: &raw }),
        text("t"),
    ];
    let thought = Part::Thinking { text: "unsigned".into(), signature: None };
    let chat = Chat {
        turns: vec![
            Turn { role: Role::User, parts },
            Turn { role: Role::Assistant, parts: vec![thought, text("x")] },
        ],
        temperature: Some(&raw),
        stop: vec!["\n".into(), "END".into()],
        format: Some(Format::JsonObject),
        tool_choice: Some(ToolChoice::Required),
        extra: vec![
            Extra { path: "/n".to_owned(), value: &raw },
            Extra { path: "/logit_bias".to_owned(), value: &null },
        ],
        ..asking(Vec::new())
    };
    let (body, losses) = written(&chat);
    let expected = [
        "/n",
        "/messages/0/content/0/detail",
        "/messages/0/content/1",
        "/messages/1/content/0",
        "/tool_choice",
        "/temperature",
        "/stop",
        "/response_format",
    ];
    assert_eq!(losses, expected);
    assert_eq!(body["temperature"], 1);
    assert_eq!(body["stop_sequences"], json!(["END"]));
    assert_eq!(body["messages"][1], json!({"role": "assistant", "content": "x"}));
}

#[test]
fn tools_are_written_with_the_type_anthropic_requires() {
    let untyped = RawValue::from_string(r#"{ "properties":{"type":{"enum":[1]}} }"#.to_owned()).unwrap();
    let tool =
        |schema| Tool { name: "f".into(), description: None, schema, strict: Some(false), cache: None };
    let chat = Chat {
        tools: vec![tool(Some(Cow::Borrowed(&*untyped))), tool(None)],
        parallel_tool_calls: Some(false),
        ..asking(vec![said(Role::User, "go")])
    };
    let (body, _) = written(&chat);
    let typed = json!({"type": "object", "properties": {"type": {"enum": [1]}}});
    assert_eq!(body["tools"][0], json!({"name": "f", "input_schema": typed, "strict": false}));
    assert_eq!(body["tools"][1]["input_schema"], json!({"type": "object", "properties": {}}));
    assert_eq!(body["tool_choice"], json!({"type": "auto", "disable_parallel_tool_use": true}));
    for (choice, expected) in [
        (ToolChoice::None, json!({"type": "none"})),
        (ToolChoice::Required, json!({"type": "any", "disable_parallel_tool_use": true})),
        (
            ToolChoice::Named("f".into()),
            json!({"type": "tool", "name": "f", "disable_parallel_tool_use": true}),
        ),
    ] {
        let chat = Chat { tool_choice: Some(choice), ..chat.clone() };
        assert_eq!(written(&chat).0["tool_choice"], expected);
    }
}

#[test]
fn effort_becomes_adaptive_thinking_or_a_budget_that_leaves_room() {
    let old = Quirks { thinking_by_budget: true, ..Quirks::default() };
    let ask = |level: &str, limit| Chat {
        thinking: Some(Thinking::Effort(level.to_owned())),
        max_output_tokens: limit,
        ..asking(vec![said(Role::User, "go")])
    };
    let (body, _) = written(&ask("minimal", None));
    assert_eq!(
        (&body["thinking"], &body["output_config"]),
        (&json!({"type": "adaptive"}), &json!({"effort": "low"}))
    );
    assert_eq!(written(&ask("none", None)).0["thinking"], json!({"type": "disabled"}));
    for (level, limit, budget, max) in [
        ("low", None, Some(2048), 6144),
        ("high", Some(60_000), Some(16_384), 60_000),
        ("high", Some(4000), Some(2000), 4000),
        ("high", Some(2000), None, 2000),
    ] {
        let (body, losses) = written_for(&ask(level, limit), old);
        let thinking = budget.map(|budget| json!({"type": "enabled", "budget_tokens": budget}));
        assert_eq!(body.get("thinking"), thinking.as_ref(), "{level} {limit:?}");
        assert_eq!(body["max_tokens"], max);
        assert_eq!(losses.is_empty(), budget.is_some());
    }
}

#[test]
fn thinking_gives_way_where_anthropic_would_refuse_it() {
    let half = RawValue::from_string("0.5".to_owned()).unwrap();
    let tool = Tool { name: "f".into(), description: None, schema: None, strict: None, cache: None };
    let forced = Chat {
        thinking: Some(Thinking::Effort("high".to_owned())),
        tools: vec![tool],
        tool_choice: Some(ToolChoice::Required),
        temperature: Some(&half),
        ..asking(vec![said(Role::User, "go")])
    };
    let (body, losses) = written(&forced);
    assert_eq!((body.get("thinking"), &body["output_config"]["effort"]), (None, &json!("high")));
    assert_eq!((&body["temperature"], losses), (&json!(0.5), vec!["/reasoning_effort".to_owned()]));
    let free = Chat { tool_choice: None, ..forced };
    let (body, losses) = written(&free);
    assert_eq!((body.get("temperature"), losses), (None, vec!["/temperature".to_owned()]));
    let round = vec![
        said(Role::User, "go"),
        Turn { role: Role::Assistant, parts: vec![call("a", "{}")] },
        Turn { role: Role::User, parts: vec![result("a", "1")] },
    ];
    let budget = Chat { thinking: Some(Thinking::Budget(2048)), turns: round, temperature: None, ..free };
    let (body, losses) = written(&budget);
    assert_eq!((body.get("thinking"), losses), (None, vec!["/reasoning_effort".to_owned()]));
}

#[test]
fn a_model_without_sampling_is_not_told_of_it() {
    let body =
        r#"{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":0,"top_p":1,"top_k":3}"#;
    let chat = Anthropic.read_request(body.as_bytes()).unwrap();
    let (body, losses) = written_for(&chat, Quirks { no_sampling: true, ..Quirks::default() });
    assert_eq!(losses, ["/temperature", "/top_k"]);
    assert!(["temperature", "top_p", "top_k"].iter().all(|key| body.get(key).is_none()));
}

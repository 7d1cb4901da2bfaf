//! What this dialect does that no fixture shows.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use stepwell_types::{Code, Dialect, Finish};

use super::BedrockConverse;
use crate::chat::{Chat, Part, Role, Source, Thinking, Tool, ToolChoice, Turn};
use crate::framing::event_stream;
use crate::{Codec, Edits, Fault, Pipe, Quirks, codec, translate};

fn claude() -> Quirks {
    Quirks { claude: true, ..Quirks::default() }
}

fn written(chat: &Chat<'_>, quirks: Quirks) -> (Value, Vec<String>) {
    let written = BedrockConverse.write_request(chat, &Edits::default(), quirks).unwrap();
    (serde_json::from_slice(&written.body).unwrap(), written.losses.paths().to_vec())
}

fn turn(role: Role, parts: Vec<Part<'_>>) -> Turn<'_> {
    Turn { role, parts }
}

fn text(text: &str) -> Part<'_> {
    Part::Text { text: Cow::Borrowed(text), cache: None }
}

fn call<'a>(id: &'a str, name: &'a str) -> Part<'a> {
    Part::ToolCall { id: id.into(), name: name.into(), arguments: "{}".into(), signature: None, cache: None }
}

fn result<'a>(id: &'a str, said: &'a str) -> Part<'a> {
    Part::ToolResult { id: id.into(), parts: vec![text(said)], is_error: false, cache: None }
}

fn tool(name: &str) -> Tool<'_> {
    Tool { name: name.into(), description: None, schema: None, strict: None, cache: None }
}

fn asked(parts: Vec<Part<'_>>) -> Chat<'_> {
    Chat { turns: vec![turn(Role::User, parts)], ..Chat::default() }
}

fn raw(json: &'static str) -> &'static RawValue {
    serde_json::from_str(json).unwrap()
}

/// A talk in which a tool of this name was called.
fn called<'a>(id: &'a str, name: &'a str) -> Chat<'a> {
    let turns = vec![
        turn(Role::User, vec![text("hi")]),
        turn(Role::Assistant, vec![call(id, name)]),
        turn(Role::User, vec![text("and?"), result(id, "41")]),
    ];
    Chat { turns, ..Chat::default() }
}

#[test]
fn what_is_claudes_own_is_said_to_claude_and_to_no_other() {
    let ask = |thinking| Chat {
        thinking: Some(thinking),
        top_k: Some(raw("40")),
        max_output_tokens: Some(8192),
        ..asked(vec![text("hi")])
    };
    let (body, losses) = written(&ask(Thinking::Budget(2048)), claude());
    let thinking = json!({"thinking": {"type": "enabled", "budget_tokens": 2048}});
    assert_eq!(body["additionalModelRequestFields"], thinking);
    assert_eq!(losses, ["/top_k"], "Claude takes none beside thinking");
    let (body, losses) = written(&ask(Thinking::Off), claude());
    let fields = json!({"thinking": {"type": "disabled"}, "top_k": 40});
    assert_eq!((&body["additionalModelRequestFields"], losses), (&fields, vec![]));
    let by_budget = Quirks { thinking_by_budget: true, ..claude() };
    let unlimited = Chat { max_output_tokens: None, ..ask(Thinking::Effort("low".to_owned())) };
    let (body, _) = written(&unlimited, by_budget);
    let budget = &body["additionalModelRequestFields"]["thinking"]["budget_tokens"];
    assert!(body["inferenceConfig"]["maxTokens"].as_u64() > budget.as_u64(), "{body}");
    for thinking in [Thinking::Budget(2048), Thinking::Off, Thinking::Adaptive] {
        let (body, losses) = written(&ask(thinking), Quirks::default());
        assert!(body.get("additionalModelRequestFields").is_none(), "{body}");
        assert_eq!(losses, ["/reasoning_effort", "/top_k"]);
    }
}

#[test]
fn no_limit_is_made_up_where_none_is_asked_for() {
    let (body, _) = written(&asked(vec![text("hi")]), claude());
    assert_eq!(body, json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}));
}

#[test]
fn a_talk_in_which_tools_were_called_always_offers_some() {
    let (body, losses) = written(&called("a", "depth"), Quirks::default());
    let spec =
        json!({"toolSpec": {"name": "depth", "inputSchema": {"json": {"type": "object", "properties": {}}}}});
    assert_eq!((&body["toolConfig"], losses), (&json!({"tools": [spec]}), vec!["/tools".to_owned()]));
    let none = |chat| Chat { tools: vec![tool("depth")], tool_choice: Some(ToolChoice::None), ..chat };
    let (body, losses) = written(&none(called("a", "depth")), Quirks::default());
    assert_eq!((body["toolConfig"].get("toolChoice"), losses), (None, vec!["/tool_choice".to_owned()]));
    assert_eq!(body["toolConfig"]["tools"][0]["toolSpec"]["name"], "depth");
    let (body, losses) = written(&none(asked(vec![text("hi")])), Quirks::default());
    assert_eq!((body.get("toolConfig"), losses), (None, vec!["/tool_choice".to_owned()]));
}

#[test]
fn results_stand_first_and_match_their_calls_whatever_the_ids_are() {
    for id in ["tooluse_a", "functions.f:0", "a/b", "", &"x".repeat(99)] {
        let (body, _) = written(&called(id, "depth"), Quirks::default());
        let result = &body["messages"][2]["content"][0]["toolResult"];
        assert_eq!(result["toolUseId"], body["messages"][1]["content"][0]["toolUse"]["toolUseId"]);
        assert_eq!(body["messages"][2]["content"][1]["text"], "and?");
    }
}

#[test]
fn a_tools_name_that_bedrock_refuses_comes_back_as_it_was() {
    let name = "wells.depth";
    let chat = Chat { tools: vec![tool(name)], ..asked(vec![text("hi")]) };
    let (body, losses) = written(&chat, Quirks::default());
    let fitted = body["toolConfig"]["tools"][0]["toolSpec"]["name"].as_str().unwrap();
    assert!(fitted != name && losses.is_empty(), "{fitted} {losses:?}");
    let reply = json!({"output": {"message": {"role": "assistant", "content": [
        {"toolUse": {"toolUseId": "a", "name": fitted, "input": {}}},
    ]}}});
    let reply = reply.to_string();
    let reply = BedrockConverse.read_reply(reply.as_bytes()).unwrap();
    assert!(matches!(&reply.parts[0], Part::ToolCall { name: said, .. } if said == name));
    let start = json!({"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "a", "name": fitted}}});
    let mut pipe = translate(&BedrockConverse, codec(Dialect::OpenaiChat).stream_writer(true, 0));
    let mut out = Vec::new();
    pipe.push(frame("contentBlockStart", &start.to_string()), &mut out).unwrap();
    assert!(String::from_utf8(out.concat()).unwrap().contains("\"name\":\"wells.depth\""));
    // One that is too long for that as well is another's, and said to be lost.
    let long = "é".repeat(40);
    let (_, losses) =
        written(&Chat { tools: vec![tool(&long)], ..asked(vec![text("hi")]) }, Quirks::default());
    assert_eq!(losses, ["/tools/0/name"]);
}

#[test]
fn no_blank_text_and_no_empty_message_is_sent() {
    let turns = vec![
        turn(Role::System, vec![text(" ")]),
        turn(Role::User, vec![text("hi"), text("\n")]),
        turn(Role::Assistant, vec![text("")]),
        turn(
            Role::User,
            vec![Part::ToolResult { id: "a".into(), parts: vec![text(" ")], is_error: false, cache: None }],
        ),
    ];
    let (body, _) = written(&Chat { turns, ..Chat::default() }, Quirks::default());
    assert_eq!(body.get("system"), None);
    // Between turns of one side no other is left: they are one message.
    let messages = json!([
        {"role": "user", "content": [{"toolResult": {"toolUseId": "a", "content": []}}, {"text": "hi"}]},
    ]);
    assert_eq!(body["messages"], messages);
}

#[test]
fn documents_have_names_of_their_own() {
    let paper = |name: Option<&'static str>| Part::Document {
        source: Source::Base64 { media_type: "application/pdf".into(), data: "JVBERi0=".into() },
        name: name.map(Cow::Borrowed),
        cache: None,
    };
    let parts = vec![paper(Some("a.pdf")), paper(Some("a.pdf")), paper(None), paper(None), text("which?")];
    let (body, losses) = written(&asked(parts), Quirks::default());
    let names: Vec<_> =
        (0..4).map(|at| body["messages"][0]["content"][at]["document"]["name"].clone()).collect();
    assert_eq!(
        (names, losses),
        (vec![json!("a"), json!("a 2"), json!("document"), json!("document 2")], vec![])
    );
}

#[test]
fn metadata_that_bedrock_refuses_is_left_out_and_said_to_be() {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"hi"}],"metadata":{"a":"b c","d":"\u00e9","":"f"}}"#;
    let chat = codec(Dialect::OpenaiChat).read_request(body).unwrap();
    let (body, losses) = written(&chat, Quirks::default());
    assert_eq!((&body["requestMetadata"], losses), (&json!({"a": "b c"}), vec!["/metadata".to_owned()]));
}

#[test]
fn a_schema_in_a_string_is_no_deeper_than_one_in_the_body() {
    let ask = |schema: &str| {
        let definition = json!({"jsonSchema": {"schema": schema}});
        let format = json!({"textFormat": {"type": "json_schema", "structure": definition}});
        json!({"messages": [], "outputConfig": format}).to_string()
    };
    let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for (schema, is_read) in [
        ("{}", true),
        (&*nested(64), true),
        (&nested(65), false),
        (&nested(200_000), false),
        ("{", false),
        ("", false),
    ] {
        let body = ask(schema);
        let read = BedrockConverse.read_request(body.as_bytes());
        assert_eq!(read.is_ok(), is_read, "{} bytes", schema.len());
        if let Err(error) = read {
            let at = "outputConfig.textFormat.structure.jsonSchema.schema";
            assert_eq!((error.code, error.param.as_deref()), (Code::InvalidRequest, Some(at)));
        }
    }
}

#[test]
fn errors_name_the_field() {
    for (body, param) in [
        (r"{}", "messages"),
        (r#"{"messages":[{"role":"nobody","content":[]}]}"#, "messages[0].role"),
        (r#"{"messages":[{"role":"user"}]}"#, "messages[0].content"),
        (r#"{"messages":[{"role":"user","content":[{"text":7}]}]}"#, "messages[0].content[0].text"),
        (
            r#"{"messages":[{"role":"assistant","content":[{"toolUse":{"name":"f"}}]}]}"#,
            "messages[0].content[0].toolUse.toolUseId",
        ),
        (r#"{"messages":[],"toolConfig":{"tools":[{"toolSpec":{}}]}}"#, "toolConfig.tools[0].toolSpec.name"),
        (r#"{"messages":[],"toolConfig":{"toolChoice":{"auto":{},"any":{}}}}"#, "toolConfig.toolChoice"),
        (r#"{"messages":[],"outputConfig":{"textFormat":{"type":"xml"}}}"#, "outputConfig.textFormat.type"),
    ] {
        let error = BedrockConverse.read_request(body.as_bytes()).unwrap_err();
        assert_eq!((error.code, error.param.as_deref()), (Code::InvalidRequest, Some(param)), "{body}");
    }
}

#[test]
fn a_provider_s_reply_may_nest_as_deep_as_it_likes() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    for field in ["text", "image", "toolUse", "toolResult", "citationsContent", "reasoningContent", "video"] {
        let inner = format!(r#"{{"{field}":{{"input":{deep},"content":{deep},"source":{deep}}}}}"#);
        let reply = format!(r#"{{"output":{{"message":{{"content":[{inner}]}}}},"trace":{deep}}}"#);
        drop(BedrockConverse.read_reply(reply.as_bytes()));
        let mut reader = BedrockConverse.stream_reader();
        let data = format!(r#"{{"contentBlockIndex":0,"delta":{inner},"start":{inner},"trace":{deep}}}"#);
        for event in ["contentBlockDelta", "contentBlockStart", "messageStop", "metadata", "aException"] {
            let frame = crate::framing::Frame { event: Some(event), data: &data };
            drop(reader.push(&frame, &mut |_| {}));
        }
    }
    drop(BedrockConverse.read_error(400, format!(r#"{{"message":"m","x":{deep}}}"#).as_bytes()));
}

fn frame(event: &str, payload: &str) -> Bytes {
    let kind = if event.ends_with("Exception") { "exception" } else { "event" };
    let name = format!(":{kind}-type");
    let mut out = Vec::new();
    event_stream::write(&mut out, &[(&name, event), (":message-type", kind)], |out| {
        out.extend_from_slice(payload.as_bytes());
    });
    Bytes::from(out)
}

const START: (&str, &str) = ("messageStart", r#"{"role":"assistant"}"#);
const WORD: (&str, &str) = ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"well "}}"#);
const STOP: (&str, &str) = ("messageStop", r#"{"stopReason":"end_turn"}"#);
const METADATA: (&str, &str) = ("metadata", r#"{"usage":{"inputTokens":1,"outputTokens":1}}"#);

type Sent = (Result<(), Fault>, Vec<u8>);

fn sent(pipe: &mut Box<dyn Pipe>, events: &[(&str, &str)]) -> Sent {
    let mut out = Vec::new();
    let result = events.iter().try_for_each(|(kind, payload)| pipe.push(frame(kind, payload), &mut out));
    pipe.end(&mut out);
    (result, out.concat())
}

#[test]
fn a_stream_without_its_usage_is_not_complete_and_its_reason_to_stop_does_not_pass() {
    let mut pipe = BedrockConverse.tap(false);
    let (result, out) = sent(&mut pipe, &[START, WORD, STOP]);
    result.unwrap();
    assert_eq!(out, [frame(START.0, START.1), frame(WORD.0, WORD.1)].concat());
    assert_eq!((pipe.facts().finish, pipe.facts().terminal), (Some(Finish::Stop), false));
    let mut pipe = BedrockConverse.tap(false);
    let whole = [START, WORD, STOP, METADATA];
    let (result, out) = sent(&mut pipe, &[&whole[..], &[WORD]].concat());
    result.unwrap();
    assert!(pipe.facts().terminal);
    assert_eq!(
        out,
        whole.map(|(kind, payload)| frame(kind, payload)).concat(),
        "nothing behind the end passes"
    );
    for target in Dialect::ALL {
        let mut pipe = translate(&BedrockConverse, codec(target).stream_writer(true, 0));
        let (result, out) = sent(&mut pipe, &[START, WORD, STOP]);
        result.unwrap();
        assert!(!pipe.facts().terminal, "{target}");
        let mut tap = codec(target).tap(false);
        tap.push(Bytes::from(out), &mut Vec::new()).unwrap();
        tap.end(&mut Vec::new());
        assert!(!tap.facts().terminal, "{target}");
    }
}

#[test]
fn a_reason_to_stop_alone_commits_nothing_before_it_passes() {
    let mut pipe = BedrockConverse.tap(false);
    sent(&mut pipe, &[START, STOP]).0.unwrap();
    assert!(!pipe.facts().committed, "another target can still answer");
}

#[test]
fn exceptions_and_errors_end_a_stream_with_their_own_status() {
    for (event, status, code) in [
        ("throttlingException", 429, Code::UpstreamRateLimited),
        ("serviceUnavailableException", 503, Code::UpstreamOverloaded),
        ("validationException", 400, Code::UpstreamRejected),
        ("internalServerException", 500, Code::UpstreamError),
        ("modelStreamErrorException", 424, Code::UpstreamError),
        ("modelTimeoutException", 408, Code::UpstreamTimeout),
        ("someNewException", 500, Code::UpstreamError),
    ] {
        let mut pipe = BedrockConverse.tap(false);
        let failed = [START, (event, r#"{"message":"m","originalStatusCode":500}"#), METADATA];
        let (result, out) = sent(&mut pipe, &failed);
        result.unwrap();
        let error = pipe.facts().error.clone().unwrap();
        assert_eq!((error.status, error.code, &*error.message), (status, code, "m"), "{event}");
        assert_eq!((error.kind.as_deref(), out), (Some(event), frame(START.0, START.1).to_vec()));
        assert!(!pipe.facts().terminal);
    }
    let mut failed = Vec::new();
    let headers =
        [(":message-type", "error"), (":error-code", "ThrottlingException"), (":error-message", "slow down")];
    event_stream::write(&mut failed, &headers, |_| {});
    let mut pipe = BedrockConverse.tap(false);
    pipe.push(Bytes::from(failed), &mut Vec::new()).unwrap();
    let error = pipe.facts().error.clone().unwrap();
    assert_eq!((error.status, &*error.message), (429, "slow down"));
}

#[test]
fn a_stream_that_contradicts_itself_is_a_fault() {
    let tool = r#"{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"a","name":"f"}}}"#;
    let input = r#"{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{}"}}}"#;
    let start = ("contentBlockStart", tool);
    for events in [
        &[start, start][..],
        &[start, WORD],
        &[("contentBlockDelta", input)],
        &[("contentBlockDelta", r#"{"delta":{"text":"x"}}"#)],
        &[("contentBlockStart", r#"{"contentBlockIndex":0,"start":{"toolUse":{"name":"f"}}}"#)],
        &[("messageStop", "{}")],
        &[("messageStart", "[]")],
    ] {
        let mut pipe = translate(&BedrockConverse, codec(Dialect::OpenaiChat).stream_writer(true, 0));
        assert!(matches!(sent(&mut pipe, events).0, Err(Fault::Invalid(_))), "{events:?}");
    }
    let open = |index: usize| {
        let payload = format!(r#"{{"contentBlockIndex":{index},"delta":{{"text":"x"}}}}"#);
        frame("contentBlockDelta", &payload)
    };
    let mut pipe = translate(&BedrockConverse, codec(Dialect::OpenaiChat).stream_writer(true, 0));
    let pushed = (0..1_000).try_for_each(|index| pipe.push(open(index), &mut Vec::new()));
    assert!(pushed.is_err(), "so many blocks are never open at once");
}

#[test]
fn a_call_that_was_cut_off_is_no_call_of_a_whole_reply() {
    let reply =
        br#"{"choices":[{"index":0,"message":{"role":"assistant","content":"x","tool_calls":[{"id":"a",
        "type":"function","function":{"name":"f","arguments":"{\"a\":"}}]},"finish_reason":"length"}]}"#;
    let reply = codec(Dialect::OpenaiChat).read_reply(reply).unwrap();
    let written = BedrockConverse.write_reply(&reply);
    let body: Value = serde_json::from_slice(&written.body).unwrap();
    assert_eq!(body["output"]["message"]["content"], json!([{"text": "x"}]));
    assert_eq!((&body["stopReason"], written.losses.is_empty()), (&json!("max_tokens"), false));
}

//! What this dialect does that no fixture shows.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::{Value, json};
use stepwell_types::{Code, Dialect, Finish};

use super::Cohere;
use crate::chat::{Chat, Part, Role, Source, Thinking, Tool, ToolChoice, Turn};
use crate::{Codec, Edits, Facts, Pipe, Quirks, codec, translate};

fn written(chat: &Chat<'_>) -> (Value, Vec<String>) {
    let written = Cohere.write_request(chat, &Edits::default(), Quirks::default()).unwrap();
    (serde_json::from_slice(&written.body).unwrap(), written.losses.paths().to_vec())
}

fn turn(role: Role, parts: Vec<Part<'_>>) -> Turn<'_> {
    Turn { role, parts }
}

fn text(text: &str) -> Part<'_> {
    Part::Text { text: Cow::Borrowed(text), cache: None }
}

fn call<'a>(id: &'a str, arguments: &'a str) -> Part<'a> {
    Part::ToolCall {
        id: id.into(),
        name: "depth".into(),
        arguments: arguments.into(),
        signature: None,
        cache: None,
    }
}

/// A request read from OpenAI's dialect, written here.
fn from_openai(more: &Value) -> (Value, Vec<String>) {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let body = body.to_string();
    written(&codec(Dialect::OpenaiChat).read_request(body.as_bytes()).unwrap())
}

#[test]
fn instructions_wherever_they_stand_become_the_one_first_message() {
    let turns = vec![
        turn(Role::System, vec![text("a")]),
        turn(Role::User, vec![text("hi")]),
        turn(Role::Developer, vec![text("b")]),
    ];
    let (body, losses) = written(&Chat { turns, ..Chat::default() });
    let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    let messages = json!([{"role": "system", "content": parts}, {"role": "user", "content": "hi"}]);
    assert_eq!(body["messages"], messages);
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn text_beside_calls_is_their_plan_and_results_stand_behind_them() {
    let document = Part::Document { source: Source::Text("41 C".into()), name: None, cache: None };
    let image = Part::Image { source: Source::Url("https://x/y.png".into()), detail: None, cache: None };
    let result = Part::ToolResult {
        id: "a".into(),
        parts: vec![text("30 m"), document, image],
        is_error: true,
        cache: None,
    };
    let turns = vec![
        turn(Role::User, vec![text("hi")]),
        turn(Role::Assistant, vec![text("I look. "), call("a", ""), text("Both.")]),
        turn(Role::User, vec![result, text("go on")]),
    ];
    let (body, losses) = written(&Chat { turns, ..Chat::default() });
    let function = json!({"name": "depth", "arguments": "{}"});
    let calls = json!([{"id": "a", "type": "function", "function": function}]);
    assert_eq!(
        body["messages"][1],
        json!({"role": "assistant", "tool_plan": "I look. Both.", "tool_calls": calls})
    );
    let given = json!([{"type": "text", "text": "30 m"}, {"type": "text", "text": "41 C"}]);
    assert_eq!(body["messages"][2], json!({"role": "tool", "tool_call_id": "a", "content": given}));
    assert_eq!(body["messages"][3], json!({"role": "user", "content": "go on"}));
    assert_eq!(losses, ["/messages/2/content/0/is_error", "/messages/2/content/0/content/2"]);
}

#[test]
fn a_number_out_of_range_becomes_the_nearest_and_is_named() {
    for (field, given, own, taken, is_lost) in [
        ("temperature", json!(1.7), "temperature", json!(1), true),
        ("temperature", json!(0.30), "temperature", json!(0.30), false),
        ("top_p", json!(1), "p", json!(0.99), true),
        ("top_p", json!(0), "p", json!(0.01), true),
        ("top_p", json!(0.75), "p", json!(0.75), false),
        ("top_k", json!(40), "k", json!(40), false),
        ("top_k", json!(1000), "k", json!(500), true),
        ("presence_penalty", json!(-0.5), "presence_penalty", json!(0), true),
        ("frequency_penalty", json!(1.5), "frequency_penalty", json!(1), true),
    ] {
        let (body, losses) = from_openai(&json!({ field: given }));
        assert_eq!(body[own], taken, "{field} {given}");
        let expected = if is_lost { vec![format!("/{field}")] } else { Vec::new() };
        assert_eq!(losses, expected, "{field} {given}");
    }
    let (body, losses) = from_openai(&json!({"stop": ["1", "2", "3", "4", "5", "6"]}));
    assert_eq!((body["stop_sequences"].as_array().unwrap().len(), losses), (5, vec!["/stop/5".to_owned()]));
}

#[test]
fn the_one_tool_that_must_be_called_is_the_only_one_offered() {
    let tool = |name: &'static str| Tool {
        name: name.into(),
        description: None,
        schema: None,
        strict: None,
        cache: None,
    };
    let named = |name: &'static str| Chat {
        turns: vec![turn(Role::User, vec![text("hi")])],
        tools: vec![tool("depth"), tool("weather")],
        tool_choice: Some(ToolChoice::Named(name.into())),
        ..Chat::default()
    };
    let (body, losses) = written(&named("weather"));
    let parameters = json!({"type": "object", "properties": {}});
    let offered = json!([{"type": "function", "function": {"name": "weather", "parameters": parameters}}]);
    assert_eq!((&body["tools"], &body["tool_choice"]), (&offered, &json!("REQUIRED")));
    assert_eq!(losses, ["/tool_choice/function/name"]);
    // What is wrong with a name that no tool has is for the provider to say.
    assert_eq!(written(&named("gone")).0["tools"].as_array().unwrap().len(), 2);
}

#[test]
fn how_much_to_think_is_said_where_cohere_has_a_word_for_it() {
    for (thinking, said, lost) in [
        (Thinking::Off, json!({"type": "disabled"}), None),
        (Thinking::Effort("none".to_owned()), json!({"type": "disabled"}), None),
        (Thinking::Budget(500), json!({"type": "enabled", "token_budget": 500}), None),
        (Thinking::Adaptive, json!({"type": "enabled"}), None),
        (Thinking::Effort("high".to_owned()), Value::Null, Some("/reasoning_effort")),
    ] {
        let (body, losses) = written(&Chat { thinking: Some(thinking), ..Chat::default() });
        assert_eq!((&body["thinking"], losses.first().map(String::as_str)), (&said, lost));
    }
    let chat = |thinking: &str| {
        let body = format!(r#"{{"model":"m","messages":[],"thinking":{thinking}}}"#);
        Cohere.read_request(body.as_bytes()).map(|chat| chat.thinking)
    };
    assert_eq!(chat(r#"{"token_budget":7}"#).unwrap(), Some(Thinking::Budget(7)));
    assert_eq!(chat(r#"{"type":"enabled"}"#).unwrap(), Some(Thinking::Adaptive));
    assert_eq!(chat(r#"{"type":"disabled","token_budget":7}"#).unwrap(), Some(Thinking::Off));
}

#[test]
fn documents_are_heard_before_the_last_thing_that_the_user_says() {
    let call = r#"{"id":"a","function":{"name":"f"}}"#;
    let body = format!(
        r#"{{"model":"m","documents":["one",{{"id":"2","data":{{"text":"two"}}}}],"messages":[{{"role":"user","content":"hi"}},
        {{"role":"assistant","tool_calls":[{call}]}},{{"role":"tool","tool_call_id":"a","content":"r"}}]}}"#
    );
    let chat = Cohere.read_request(body.as_bytes()).unwrap();
    let said: Vec<_> = chat.turns[0]
        .parts
        .iter()
        .map(|part| match part {
            Part::Document { source: Source::Text(text), name, .. } => (&**text, name.as_deref()),
            Part::Text { text, .. } => (&**text, None),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(said, [("one", None), (r#"{"text":"two"}"#, Some("2")), ("hi", None)]);
    let alone = br#"{"model":"m","documents":["one"],"messages":[]}"#;
    assert_eq!(Cohere.read_request(alone).unwrap().turns.len(), 1);
}

#[test]
fn a_mistake_is_named_by_its_field() {
    let base = |more: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{more}}}"#);
    let message = |message: &str| format!(r#"{{"model":"m","messages":[{message}]}}"#);
    for (body, param) in [
        (r#"{"messages":[]}"#.to_owned(), "model"),
        (r#"{"model":"m"}"#.to_owned(), "messages"),
        (message(r#"{"content":"x"}"#), "messages[0].role"),
        (message(r#"{"role":"developer","content":"x"}"#), "messages[0].role"),
        (message(r#"{"role":"tool","content":"x"}"#), "messages[0].tool_call_id"),
        (message(r#"{"role":"user","content":[{"type":"text","text":7}]}"#), "messages[0].content[0].text"),
        (message(r#"{"role":"assistant","tool_calls":[{"id":"a"}]}"#), "messages[0].tool_calls[0].function"),
        (
            message(r#"{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}"#),
            "messages[0].tool_calls[0].id",
        ),
        (base(r#""tools":[{"type":"function"}]"#), "tools[0].function"),
        (base(r#""tools":[{"function":{}}]"#), "tools[0].function.name"),
        (base(r#""tool_choice":"auto""#), "tool_choice"),
        (base(r#""response_format":{"type":"json_schema"}"#), "response_format.type"),
        (base(r#""response_format":{"type":"text","json_schema":{}}"#), "response_format.json_schema"),
        (base(r#""thinking":{"type":"adaptive"}"#), "thinking.type"),
        (base(r#""thinking":{"token_budget":0}"#), "thinking.token_budget"),
        (base(r#""stop_sequences":"END""#), "stop_sequences"),
        (base(r#""documents":["a",7]"#), "documents[1]"),
        (base(r#""documents":[{"id":"x"}]"#), "documents[0]"),
        (base(r#""max_tokens":"many""#), "max_tokens"),
    ] {
        let error = Cohere.read_request(body.as_bytes()).unwrap_err();
        assert_eq!(
            (error.code, error.param.as_deref()),
            (Code::InvalidRequest, Some(param)),
            "{body}: {error}"
        );
    }
}

/// What comes out of a pipe that gets these bytes, whether it then broke, and what it knows once they are over.
fn piped(mut pipe: Box<dyn Pipe>, stream: &str) -> (String, bool, Facts) {
    let mut out = Vec::new();
    let broke = pipe.push(Bytes::copy_from_slice(stream.as_bytes()), &mut out).is_err();
    pipe.end(&mut out);
    (String::from_utf8(out.concat()).unwrap(), broke, pipe.facts().clone())
}

fn event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap())
}

fn to_openai() -> Box<dyn Pipe> {
    translate(&Cohere, codec(Dialect::OpenaiChat).stream_writer(true, 0))
}

#[test]
fn a_reply_is_committed_by_what_the_client_is_shown_and_by_nothing_before() {
    let start = event(&json!({"type": "message-start", "id": "x"}));
    let begun = json!({"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}});
    let before = format!("{start}: ping\n\n{}", event(&begun));
    let tapped = |stream: &str| piped(Cohere.tap(false), stream).2;
    let facts = tapped(&before);
    assert_eq!((facts.committed, facts.id.as_deref()), (false, Some("x")));
    for shown in [
        json!({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "a"}}}}),
        json!({"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": "a"}}}}),
        json!({"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "a"}}}),
        json!({"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": {"id": "a", "function": {"name": "f"}}}}}),
        json!({"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}),
    ] {
        let stream = format!("{before}{}", event(&shown));
        assert!(tapped(&stream).committed, "{shown}");
        assert!(piped(to_openai(), &stream).2.committed, "{shown}");
    }
}

#[test]
fn what_stands_behind_the_end_is_nobodys_business() {
    let stream = event(&json!({"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}));
    for pipe in [Cohere.tap(false), to_openai()] {
        let (_, broke, facts) = piped(pipe, &format!("{stream}data: [DONE]\n\n"));
        assert!(!broke && facts.terminal && facts.finish == Some(Finish::Stop), "{facts:?}");
    }
}

#[test]
fn a_generation_that_broke_off_is_an_error_and_never_an_end() {
    for (delta, status, message) in [
        (json!({"finish_reason": "ERROR", "error": "why"}), 500, "why"),
        (json!({"error": "why"}), 500, "why"),
        (json!({"finish_reason": "TIMEOUT"}), 504, "the provider answered with status 504 and no message"),
    ] {
        let stream = event(&json!({"type": "message-end", "delta": delta}));
        for pipe in [Cohere.tap(false), to_openai()] {
            let (_, _, facts) = piped(pipe, &stream);
            let error = facts.error.clone().unwrap();
            assert_eq!((error.status, &*error.message, facts.terminal), (status, message, false), "{delta}");
        }
    }
}

#[test]
fn a_whole_reply_whose_generation_broke_off_is_none() {
    for (reason, is_reply) in
        [("ERROR", false), ("TIMEOUT", false), ("COMPLETE", true), ("OF_NEXT_YEAR", true)]
    {
        let body = json!({"id": "r", "message": {"role": "assistant"}, "finish_reason": reason}).to_string();
        assert_eq!(Cohere.reply_facts(body.as_bytes()).is_ok(), is_reply, "{reason}");
        if let Err(error) = Cohere.read_reply(body.as_bytes()) {
            let at = (error.code, error.param.as_deref());
            assert_eq!(at, (Code::UpstreamInvalid, Some("finish_reason")), "{error}");
        }
    }
}

#[test]
fn calls_are_known_by_their_number_and_one_that_is_complete_is_not_gone_back_to() {
    let begin = |index: u64| {
        let call = json!({"type": "function", "function": {"name": "f", "arguments": ""}});
        event(&json!({"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": call}}}))
    };
    let more = |index: u64| {
        let call = json!({"function": {"arguments": "{}"}});
        event(&json!({"type": "tool-call-delta", "index": index, "delta": {"message": {"tool_calls": call}}}))
    };
    let start = event(&json!({"type": "message-start", "id": "r"}));
    let (out, broke, _) =
        piped(to_openai(), &format!("{start}{}{}{}{}", begin(0), more(0), begin(1), more(1)));
    assert!(!broke && out.contains("\"call_r_0\"") && out.contains("\"call_r_1\""), "{out}");
    for stream in
        [format!("{}{}", begin(0), more(1)), format!("{}{}{}", begin(0), begin(1), more(0)), more(0)]
    {
        assert!(piped(to_openai(), &stream).1, "{stream}");
    }
    let nameless =
        json!({"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": {"id": "a"}}}});
    assert!(piped(to_openai(), &event(&nameless)).1);
    let many: String = (0..1_025).map(begin).collect();
    assert!(piped(to_openai(), &many).1, "a reply calls so many tools at most");
}

#[test]
fn a_providers_reply_may_nest_as_deep_as_it_likes() {
    let deep = "[".repeat(20_000) + &"]".repeat(20_000);
    let reply = format!(
        r#"{{"id":"r","message":{{"role":"assistant","content":[{{"type":"text","text":"x","deep":{deep}}}],
        "citations":{deep},"more":{deep}}},"finish_reason":"COMPLETE","logprobs":{deep}}}"#
    );
    assert!(Cohere.reply_facts(reply.as_bytes()).is_ok());
    let read = Cohere.read_reply(reply.as_bytes()).unwrap();
    assert_eq!(read.extra.len(), 4);
    let start = format!("event: message-start\ndata: {{\"type\":\"message-start\",\"deep\":{deep}}}\n\n");
    let delta = format!(
        "event: content-delta\ndata: {{\"type\":\"content-delta\",\"delta\":{{\"message\":{{\"content\":{{\"text\":\"x\",\"deep\":{deep}}}}}}}}}\n\n"
    );
    for pipe in [Cohere.tap(false), to_openai()] {
        let (_, broke, facts) = piped(pipe, &format!("{start}{delta}"));
        assert!(!broke && facts.committed, "{facts:?}");
    }
}

#[test]
fn a_reply_that_says_nothing_has_an_empty_text_and_one_that_calls_tools_has_none() {
    let reply = |parts| crate::chat::Reply { parts, ..crate::chat::Reply::default() };
    let message = |reply: &crate::chat::Reply<'_>| {
        let body = Cohere.write_reply(reply).body;
        serde_json::from_slice::<Value>(&body).unwrap()["message"].clone()
    };
    assert_eq!(message(&reply(Vec::new()))["content"], json!([{"type": "text", "text": ""}]));
    assert_eq!(message(&reply(vec![call("a", "{}")])).get("content"), None);
}

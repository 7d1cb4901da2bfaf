//! What this dialect does that no fixture shows.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::json;
use stepwell_types::Dialect;

use super::Gemini;
use crate::chat::{Chat, Part, Role, Turn};
use crate::framing::EVENT_LIMIT;
use crate::{Codec, Edits, Facts, Pipe, Quirks, codec, translate};

fn written(chat: &Chat<'_>, quirks: Quirks) -> (serde_json::Value, Vec<String>) {
    let written = Gemini.write_request(chat, &Edits::default(), quirks).unwrap();
    (serde_json::from_slice(&written.body).unwrap(), written.losses.paths().to_vec())
}

fn turn(role: Role, parts: Vec<Part<'_>>) -> Turn<'_> {
    Turn { role, parts }
}

fn text(text: &str) -> Part<'_> {
    Part::Text { text: Cow::Borrowed(text), cache: None }
}

fn call<'a>(id: &'a str, name: &'a str, signature: Option<&'a str>) -> Part<'a> {
    Part::ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: "{}".into(),
        signature: signature.map(Cow::Borrowed),
        cache: None,
    }
}

fn result<'a>(id: &'a str, said: &'a str) -> Part<'a> {
    Part::ToolResult { id: id.into(), parts: vec![text(said)], is_error: false, cache: None }
}

#[test]
fn a_result_has_the_name_of_the_function_it_is_of() {
    let turns = vec![
        turn(Role::User, vec![text("hi")]),
        turn(Role::Assistant, vec![call("a", "depth", None), call("b", "weather", None)]),
        turn(Role::User, vec![result("b", "41"), result("a", "30 m"), result("lost", "x")]),
    ];
    let (body, losses) = written(&Chat { turns, ..Chat::default() }, Quirks::default());
    let names: Vec<_> = (0..3)
        .map(|part| {
            body["contents"][2]["parts"][part]["functionResponse"]["name"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(names, ["weather", "depth", "lost"]);
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn a_model_that_wants_signatures_gets_one_with_the_first_call_of_a_step() {
    let turns = vec![
        turn(Role::User, vec![text("hi")]),
        turn(Role::Assistant, vec![call("a", "f", None), call("b", "f", None)]),
        turn(Role::User, vec![result("a", "1"), result("b", "2")]),
        turn(Role::Assistant, vec![call("c", "f", Some("c2ln"))]),
    ];
    let chat = Chat { turns, ..Chat::default() };
    let signature = |body: &serde_json::Value, content: usize, part: usize| {
        body["contents"][content]["parts"][part]["thoughtSignature"].as_str().map(str::to_owned)
    };
    let (plain, _) = written(&chat, Quirks::default());
    assert_eq!((signature(&plain, 1, 0), signature(&plain, 3, 0).as_deref()), (None, Some("c2ln")));
    let (signed, _) = written(&chat, Quirks { signed_calls: true, ..Quirks::default() });
    assert_eq!(signature(&signed, 1, 0).as_deref(), Some("skip_thought_signature_validator"));
    assert_eq!((signature(&signed, 1, 1), signature(&signed, 3, 0).as_deref()), (None, Some("c2ln")));
}

#[test]
fn what_a_function_gives_back_reads_back_whatever_it_looks_like() {
    for said in [
        "30 m",
        r#"{"celsius":41}"#,
        r#"{"result":"x"}"#,
        r#"{"error":"x"}"#,
        "[1]",
        "",
        r#"{"output":1,"a":2}"#,
    ] {
        let turns = vec![
            turn(Role::Assistant, vec![call("a", "f", None)]),
            turn(Role::User, vec![result("a", said)]),
        ];
        let chat = Chat { turns, ..Chat::default() };
        let written = Gemini.write_request(&chat, &Edits::default(), Quirks::default()).unwrap();
        let back = Gemini.read_request(&written.body).unwrap();
        let Part::ToolResult { parts, is_error, .. } = &back.turns[1].parts[0] else { panic!("{back:?}") };
        assert!(matches!(&parts[..], [Part::Text { text, .. }] if text == said), "{said}: {parts:?}");
        assert!(!is_error);
    }
}

#[test]
fn calls_without_ids_are_matched_with_their_results_in_order() {
    let body = br#"{"contents":[
        {"role":"model","parts":[{"functionCall":{"name":"f"}},{"functionCall":{"name":"g"}},{"functionCall":{"name":"f"}}]},
        {"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}},{"functionResponse":{"name":"f","response":{}}},
        {"functionResponse":{"name":"g","response":{}}}]}]}"#;
    let chat = Gemini.read_request(body).unwrap();
    let ids = |turn: usize| -> Vec<String> {
        let id = |part: &Part<'_>| match part {
            Part::ToolCall { id, .. } | Part::ToolResult { id, .. } => id.to_string(),
            other => panic!("{other:?}"),
        };
        chat.turns[turn].parts.iter().map(id).collect()
    };
    assert_eq!(ids(0), ["call_0", "call_1", "call_2"]);
    assert_eq!(ids(1), ["call_0", "call_2", "call_1"]);
}

#[test]
fn a_mistake_is_named_by_its_field() {
    for (body, param) in [
        (r"{}", "contents"),
        (r#"{"contents":[{"role":"assistant","parts":[]}]}"#, "contents[0].role"),
        (r#"{"contents":[{"parts":[{"functionCall":{}}]}]}"#, "contents[0].parts[0].functionCall.name"),
        (
            r#"{"contents":[],"tools":[{"functionDeclarations":[{}]}]}"#,
            "tools[0].functionDeclarations[0].name",
        ),
        (r#"{"contents":[{"parts":[{"text":7}]}]}"#, "contents[0].parts[0].text"),
        (
            r#"{"contents":[],"toolConfig":{"functionCallingConfig":{"mode":"SOME"}}}"#,
            "toolConfig.functionCallingConfig.mode",
        ),
        (r#"{"contents":[],"generationConfig":{"topK":1,"top_k":2}}"#, "generationConfig.top_k"),
    ] {
        let error = Gemini.read_request(body.as_bytes()).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{body}: {error}");
    }
}

/// What comes out of a pipe that gets these bytes, whether it then broke, and what it knows once they are over.
fn piped(mut pipe: Box<dyn Pipe>, stream: &str) -> (String, bool, Facts) {
    let mut out = Vec::new();
    let broke = pipe.push(Bytes::copy_from_slice(stream.as_bytes()), &mut out).is_err();
    if !broke {
        pipe.end(&mut out);
    }
    (String::from_utf8(out.concat()).unwrap(), broke, pipe.facts().clone())
}

/// A stream of OpenAI's that calls one tool, with the arguments in the pieces given.
fn openai_call<'a>(fragments: impl Iterator<Item = &'a str>, reason: &str) -> String {
    let mut stream = String::new();
    let mut chunk = |delta: serde_json::Value, reason: Option<&str>| {
        let chunk = json!({"id": "x", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]});
        stream.extend(["data: ", &chunk.to_string(), "\n\n"]);
    };
    chunk(json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}]}), None);
    for fragment in fragments {
        chunk(json!({"tool_calls": [{"index": 0, "function": {"arguments": fragment}}]}), None);
    }
    chunk(json!({}), Some(reason));
    stream + "data: [DONE]\n\n"
}

fn from_openai() -> Box<dyn Pipe> {
    translate(codec(Dialect::OpenaiChat), Gemini.stream_writer(true, 0))
}

#[test]
fn a_providers_reply_may_nest_as_deep_as_it_likes() {
    let nested = |levels: usize| {
        let (open, close) = (r#"{"functionResponse":{"name":"f","parts":["#, "]}}");
        let part = open.repeat(levels) + "{\"text\":\"x\"}" + &close.repeat(levels);
        format!(r#"{{"candidates":[{{"content":{{"parts":[{part}]}},"finishReason":"STOP","index":0}}]}}"#)
    };
    let reply = nested(20_000);
    assert!(Gemini.reply_facts(reply.as_bytes()).is_ok());
    assert!(Gemini.read_reply(reply.as_bytes()).is_ok());
    let stream = format!("data: {reply}\r\n\r\n");
    let other = translate(&Gemini, codec(Dialect::OpenaiChat).stream_writer(true, 0));
    for pipe in [Gemini.tap(false), other] {
        let (_, broke, facts) = piped(pipe, &stream);
        assert!(!broke && facts.terminal, "{facts:?}");
    }
}

#[test]
fn arguments_over_several_lines_stay_within_their_event() {
    let stream = openai_call(["{\n  \"city\"", ": \"Par\\nis\"\r\n\n}"].into_iter(), "tool_calls");
    let (out, broke, facts) = piped(from_openai(), &stream);
    assert!(!broke && facts.losses.is_empty(), "{facts:?}");
    let events: Vec<&str> = out.split_terminator("\r\n\r\n").collect();
    assert!(events.iter().all(|event| !event.contains(['\r', '\n'])), "{events:?}");
    let steps: Vec<serde_json::Value> = events
        .iter()
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
        .collect();
    let call = &steps[0]["candidates"][0]["content"]["parts"][0]["functionCall"];
    assert_eq!(call["args"], json!({"city": "Par\nis"}));
}

#[test]
fn a_call_cut_off_within_its_arguments_is_left_out_and_named() {
    let (out, _, facts) = piped(from_openai(), &openai_call(["{\"path\":\"/tm"].into_iter(), "length"));
    assert!(!out.contains("functionCall") && out.contains("MAX_TOKENS"), "{out}");
    assert_eq!(facts.losses.paths(), ["/content/0/arguments"]);
    let body = json!({"id": "x", "model": "m", "choices": [{"index": 0, "finish_reason": "length", "message": {
        "role": "assistant", "content": null,
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"path\":\"/tm"}}],
    }}]})
    .to_string();
    let written = Gemini.write_reply(&codec(Dialect::OpenaiChat).read_reply(body.as_bytes()).unwrap());
    assert!(!String::from_utf8(written.body).unwrap().contains("functionCall"));
    assert_eq!(written.losses.paths(), ["/content/0/arguments"]);
}

#[test]
fn arguments_are_gathered_up_to_the_limit_of_an_event() {
    let fragment = "x".repeat(EVENT_LIMIT / 1_000);
    let fragments = || std::iter::once("{\"a\":\"").chain(std::iter::repeat_n(&*fragment, 2_000));
    let (out, broke, facts) = piped(from_openai(), &openai_call(fragments(), "tool_calls"));
    assert!(broke && !facts.terminal, "{facts:?}");
    assert!(!out.contains("functionCall"));
}

#[test]
fn the_step_that_is_held_commits_nothing_until_it_passes() {
    let last = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"deep\"}]},\"finishReason\":\"STOP\"}]}\r\n\r\n";
    let mut tap = Gemini.tap(false);
    let mut out = Vec::new();
    tap.push(Bytes::from_static(last.as_bytes()), &mut out).unwrap();
    assert!(out.is_empty() && !tap.facts().committed);
    tap.push(Bytes::from_static(b"data: {\"usageMetadata\":{}}\r\n\r\n"), &mut out).unwrap();
    assert!(tap.facts().committed);
    assert_eq!(out.concat(), [last, "data: {\"usageMetadata\":{}}\r\n\r\n"].concat().as_bytes());
}

#[test]
fn a_stream_whose_bytes_end_within_an_event_is_cut_whatever_came_before() {
    let last = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"deep\"}]},\"finishReason\":\"STOP\"}]}\r\n\r\n";
    let other = || translate(&Gemini, codec(Dialect::OpenaiChat).stream_writer(true, 0));
    for (rest, complete) in [("", true), ("\r\n", true), ("data: {\"usageMetada", false)] {
        for pipe in [Gemini.tap(false), other()] {
            let (_, _, facts) = piped(pipe, &format!("{last}{rest}"));
            assert_eq!(facts.terminal, complete, "{rest:?}");
        }
    }
}

#[test]
fn what_a_choice_of_functions_says_beyond_other_dialects_is_named() {
    for (config, lost) in [
        (r#"{"mode":"AUTO"}"#, &[][..]),
        (r#"{"mode":"AUTO","allowedFunctionNames":["a"]}"#, &["allowedFunctionNames"]),
        (r#"{"mode":"VALIDATED"}"#, &["mode"]),
    ] {
        let body = format!(r#"{{"contents":[],"toolConfig":{{"functionCallingConfig":{config}}}}}"#);
        let chat = Gemini.read_request(body.as_bytes()).unwrap();
        let paths: Vec<_> = chat.extra.iter().map(|extra| extra.path.rsplit('/').next().unwrap()).collect();
        assert_eq!(paths, lost, "{config}");
    }
    let body = br#"{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingBudget":-7}}}"#;
    assert_eq!(Gemini.read_request(body).unwrap().extra.len(), 1);
}

#[test]
fn an_id_the_provider_gave_a_call_stays_whatever_it_looks_like() {
    let reply = br#"{"responseId":"r","candidates":[{"content":{"parts":[
        {"functionCall":{"id":"call_1","name":"f"}},{"functionCall":{"name":"f"}}]}}]}"#;
    let reply = Gemini.read_reply(reply).unwrap();
    let ids: Vec<_> = reply
        .parts
        .iter()
        .map(|part| match part {
            Part::ToolCall { id, .. } => &**id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids, ["call_1", "call_r_1"]);
}

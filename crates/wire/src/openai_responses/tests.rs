//! What the fixtures do not show: what other servers than OpenAI's do, and what may not come in or go out.

use bytes::Bytes;
use stepwell_types::{Code, Dialect, Finish};

use super::OpenaiResponses;
use super::reply::ItemKind;
use crate::framing::EVENT_LIMIT;
use crate::{Codec, Edits, Facts, Fault, Pipe, Quirks, codec, translate};

const CREATED: &str = r#"data: {"type":"response.created","response":{"id":"resp_1","model":"m"}}"#;
const COMPLETED: &str = r#"data: {"type":"response.completed","response":{"id":"resp_1","model":"m","status":"completed","output":[],"usage":{"input_tokens":3,"output_tokens":4}}}"#;

fn run(mut pipe: Box<dyn Pipe>, stream: &str) -> (Result<(), Fault>, Facts, String) {
    let mut out = Vec::new();
    let result = pipe.push(Bytes::copy_from_slice(stream.as_bytes()), &mut out);
    pipe.end(&mut out);
    (result, pipe.facts().clone(), String::from_utf8(out.concat()).unwrap())
}

fn tapped(stream: &str) -> (Facts, String) {
    let (result, facts, out) = run(OpenaiResponses.tap(false), stream);
    result.unwrap();
    (facts, out)
}

fn as_chat(stream: &str) -> (Result<(), Fault>, Facts, String) {
    run(translate(&OpenaiResponses, codec(Dialect::OpenaiChat).stream_writer(true, 0)), stream)
}

fn stream(events: &[&str]) -> String {
    events.iter().flat_map(|event| [*event, "\n\n"]).collect()
}

fn written(from: Dialect, body: &str) -> (String, Vec<String>) {
    let chat = codec(from).read_request(body.as_bytes()).unwrap();
    let written = OpenaiResponses.write_request(&chat, &Edits::default(), Quirks::default()).unwrap();
    (String::from_utf8(written.body).unwrap(), written.losses.paths().to_vec())
}

#[test]
fn what_is_said_only_at_the_end_is_said_once() {
    let events = stream(&[
        CREATED,
        r#"data: {"type":"response.output_item.added","output_index":0,"item":{"type":"message","role":"assistant","content":[]}}"#,
        r#"data: {"type":"response.output_text.done","output_index":0,"content_index":0,"text":"whole"}"#,
        r#"data: {"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","call_id":"c1","name":"f","arguments":""}}"#,
        r#"data: {"type":"response.output_item.done","output_index":1,"item":{"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":1}"}}"#,
        r#"data: {"type":"response.output_item.added","output_index":2,"item":{"type":"function_call","call_id":"c2","name":"g","arguments":"{\"b\":2}"}}"#,
        r#"data: {"type":"response.function_call_arguments.done","output_index":2,"arguments":"{\"b\":2}"}"#,
        COMPLETED,
    ]);
    let (result, facts, chat) = as_chat(&events);
    result.unwrap();
    assert!(facts.terminal);
    assert_eq!(facts.finish, Some(Finish::ToolCalls));
    for (text, times) in [(r#""content":"whole""#, 1), (r#"{\"a\":1}"#, 1), (r#"{\"b\":2}"#, 1)] {
        assert_eq!(chat.matches(text).count(), times, "{text} in {chat}");
    }
}

#[test]
fn what_comes_only_as_whole_items_is_said() {
    let events = stream(&[
        CREATED,
        r#"data: {"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","summary":[{"type":"summary_text","text":"thought"}]}}"#,
        r#"data: {"type":"response.output_item.done","output_index":1,"item":{"type":"message","role":"assistant","content":[{"type":"output_text","text":"found"}]}}"#,
        r#"data: {"type":"response.output_item.done","output_index":2,"item":{"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":1}"}}"#,
        COMPLETED,
    ]);
    let (result, facts, chat) = as_chat(&events);
    result.unwrap();
    assert_eq!(facts.finish, Some(Finish::ToolCalls));
    for text in [r#""reasoning_content":"thought""#, r#""content":"found""#, r#""name":"f""#, r#"{\"a\":1}"#]
    {
        assert_eq!(chat.matches(text).count(), 1, "{text} in {chat}");
    }
    let unmade = COMPLETED.replace(r#""output":[]"#, r#""output":[{"type":"function_call"}]"#);
    let (result, facts, _) = as_chat(&stream(&[CREATED, &unmade]));
    assert!(
        matches!(result, Err(Fault::Invalid(_))) && !facts.terminal,
        "a call that was never made is no end"
    );
}

#[test]
fn a_call_never_gets_the_arguments_of_another() {
    let added = |item: u32, name: &str| {
        format!(
            r#"data: {{"type":"response.output_item.added","output_index":{item},"item":{{"type":"function_call","call_id":"c{item}","name":"{name}","arguments":""}}}}"#
        )
    };
    let done = |item: u32, arguments: &str| {
        format!(
            r#"data: {{"type":"response.function_call_arguments.done","output_index":{item},"arguments":"{arguments}"}}"#
        )
    };
    let late = [CREATED, &added(0, "f"), &added(1, "g"), &done(0, r#"{\"first\":1}"#), COMPLETED];
    let (result, facts, chat) = as_chat(&stream(&late));
    assert!(matches!(result, Err(Fault::Invalid(_))) && !facts.terminal, "{chat}");
    assert!(!chat.contains("first"), "{chat}");
    // What was said already may be said again, late.
    let again = [
        CREATED,
        &added(0, "f"),
        &done(0, r#"{\"a\":1}"#),
        &added(1, "g"),
        &done(0, r#"{\"a\":1}"#),
        &done(1, "{}"),
    ];
    let (result, _, chat) = as_chat(&stream(&again));
    result.unwrap();
    assert_eq!(chat.matches(r#"{\"a\":1}"#).count(), 1, "{chat}");
}

#[test]
fn events_that_nobody_acts_on_may_have_fields_of_any_type() {
    let odd = r#"data: {"type":"response.shell_call_output_content.delta","output_index":0,"delta":{"stdout":"a"}}"#;
    let other_order = r#"data: {"delta":{"stdout":"a"},"type":"response.shell_call_output_content.delta"}"#;
    for event in [odd, other_order] {
        let events = stream(&[CREATED, event, COMPLETED]);
        let (result, facts, _) = as_chat(&events);
        assert!(result.is_ok() && facts.terminal, "{result:?}");
        assert!(tapped(&events).0.terminal);
    }
}

#[test]
fn a_stream_that_goes_back_or_names_no_call_is_broken() {
    let call = r#"data: {"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","call_id":"c1","name":"f"}}"#;
    let back = r#"data: {"type":"response.output_text.delta","output_index":0,"delta":"a"}"#;
    let other = r#"data: {"type":"response.function_call_arguments.delta","output_index":0,"delta":"{}"}"#;
    let nameless = r#"data: {"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","call_id":"c1"}}"#;
    let untyped = r#"data: {"output_index":1}"#;
    for events in
        [[CREATED, call, back], [CREATED, call, other], [CREATED, nameless, back], [CREATED, untyped, back]]
    {
        let (result, facts, _) = as_chat(&stream(&events));
        assert!(matches!(result, Err(Fault::Invalid(_))), "{events:?}");
        assert!(!facts.terminal);
    }
}

#[test]
fn an_error_is_seen_in_every_form_and_never_passes() {
    let nested = r#"{"type":"error","sequence_number":2,"error":{"type":"too_many_requests","code":"too_many_requests","message":"m","param":null}}"#;
    let flat =
        r#"{"type":"error","code":"rate_limit_exceeded","message":"m","param":null,"sequence_number":2}"#;
    let failed = r#"{"type":"response.failed","response":{"id":"resp_1","status":"failed","error":{"code":"rate_limit_exceeded","message":"m"}}}"#;
    let ended = r#"{"type":"response.completed","response":{"id":"resp_1","status":"failed","output":[],"error":{"code":"rate_limit_exceeded","message":"m"}}}"#;
    let bare = r#"{"error":{"code":"rate_limit_exceeded","message":"m"}}"#;
    for error in [nested, flat, failed, ended, bare] {
        let events = stream(&[CREATED, &format!("data: {error}"), COMPLETED]);
        let (facts, passed) = tapped(&events);
        let (result, translated, _) = as_chat(&events);
        result.unwrap();
        for facts in [facts, translated] {
            let seen = facts.error.unwrap_or_else(|| panic!("{error}"));
            assert_eq!((seen.code, seen.message.as_str()), (Code::UpstreamRateLimited, "m"), "{error}");
            assert!(!facts.terminal, "{error}");
        }
        assert_eq!(passed, stream(&[CREATED]), "{error}");
    }
}

#[test]
fn a_reply_is_committed_by_what_it_says() {
    let item = |item: &str| {
        format!(r#"data: {{"type":"response.output_item.added","output_index":0,"item":{item}}}"#)
    };
    for silent in [item(r#"{"type":"message","content":[]}"#), item(r#"{"type":"reasoning","summary":[]}"#)] {
        assert!(!tapped(&stream(&[CREATED, &silent])).0.committed, "{silent}");
    }
    for said in [
        item(r#"{"type":"function_call","call_id":"c","name":"f"}"#),
        item(r#"{"type":"web_search_call","id":"ws_1"}"#),
        r#"data: {"type":"response.output_text.delta","delta":"a"}"#.to_owned(),
        // Another order of keys.
        r#"data: {"sequence_number":4,"type":"response.reasoning_summary_text.delta","delta":"a"}"#
            .to_owned(),
    ] {
        assert!(tapped(&stream(&[CREATED, &said])).0.committed, "{said}");
    }
    let (facts, _) = tapped(&stream(&[CREATED, COMPLETED]));
    assert!(facts.committed && facts.terminal);
    assert_eq!(facts.usage.map(|usage| usage.output_tokens), Some(4));
}

#[test]
fn a_response_that_failed_or_goes_on_is_no_reply() {
    for (body, why) in [
        (
            r#"{"id":"r","status":"failed","output":[],"error":{"code":"server_error","message":"broke"}}"#,
            "broke",
        ),
        (r#"{"id":"r","status":"in_progress","output":[]}"#, "in_progress"),
        (r#"{"id":"r","status":"cancelled","output":[]}"#, "cancelled"),
        (r#"{"id":"r","status":"completed"}"#, "no output"),
    ] {
        let facts = OpenaiResponses.reply_facts(body.as_bytes()).unwrap_err();
        let reply = OpenaiResponses.read_reply(body.as_bytes()).unwrap_err();
        for error in [facts, reply] {
            assert_eq!(error.code, Code::UpstreamInvalid, "{body}");
            assert!(error.message.contains(why), "{error}");
        }
    }
}

#[test]
fn what_only_openai_keeps_cannot_be_translated() {
    for (body, param) in [
        (r#"{"model":"m","input":[{"type":"item_reference","id":"msg_1"}]}"#, "input[0]"),
        (r#"{"model":"m","input":[{"role":"user","content":"a"},{"id":"msg_1"}]}"#, "input[1]"),
        (r#"{"model":"m","input":"a","prompt":{"id":"pmpt_1"}}"#, "prompt"),
    ] {
        let error = OpenaiResponses.read_request(body.as_bytes()).unwrap_err();
        assert_eq!(error.code, Code::UnsupportedParameter, "{body}");
        assert_eq!(error.param.as_deref(), Some(param), "{body}");
    }
}

#[test]
fn what_is_wrong_in_an_item_is_named() {
    for (body, param) in [
        (r#"{"input":"a"}"#, "model"),
        (r#"{"model":"m"}"#, "input"),
        (r#"{"model":"m","input":[{"role":"narrator","content":"a"}]}"#, "input[0].role"),
        (r#"{"model":"m","input":[{"role":"user","content":7}]}"#, "input[0].content"),
        (
            r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":7}]}]}"#,
            "input[0].content[0].text",
        ),
        (r#"{"model":"m","input":[{"type":"function_call","name":"f"}]}"#, "input[0].call_id"),
        (r#"{"model":"m","input":[{"type":"function_call","call_id":"c"}]}"#, "input[0].name"),
        (r#"{"model":"m","input":[{"type":"function_call_output","call_id":"c"}]}"#, "input[0].output"),
        (r#"{"model":"m","input":"a","tools":[{"type":"function"}]}"#, "tools[0].name"),
        (r#"{"model":"m","input":"a","text":{"format":{"type":7}}}"#, "text.format.type"),
    ] {
        let error = OpenaiResponses.read_request(body.as_bytes()).unwrap_err();
        assert_eq!(error.code, Code::InvalidRequest, "{body}");
        assert_eq!(error.param.as_deref(), Some(param), "{body}: {error}");
    }
}

#[test]
fn a_chat_completion_becomes_a_response_that_is_not_kept() {
    let (body, lost) = written(
        Dialect::OpenaiChat,
        r#"{"model":"m","messages":[{"role":"user","content":"a"}],"logprobs":true,"top_logprobs":2,"stop":"x",
            "verbosity":"low","tools":[{"type":"function","function":{"name":"f"}},{"type":"custom","custom":{"name":"g"}}]}"#,
    );
    assert_eq!(
        body,
        r#"{"model":"m","input":[{"role":"user","content":"a"}],"tools":[{"type":"function","name":"f","parameters":null,"strict":false}],"text":{"verbosity":"low"},"store":false}"#
    );
    assert_eq!(lost, ["/stop", "/logprobs", "/top_logprobs", "/tools/1"]);
    let (kept, lost) = written(
        Dialect::OpenaiChat,
        r#"{"model":"m","messages":[{"role":"user","content":"a"}],"store":true,"metadata":{"a":"b"}}"#,
    );
    assert!(kept.contains(r#""store":true"#) && !kept.contains(r#""store":false"#), "{kept}");
    assert!(lost.is_empty());
}

#[test]
fn what_the_two_dialects_write_otherwise_is_not_passed_on_in_the_wrong_form() {
    let (body, lost) = written(
        Dialect::OpenaiChat,
        r#"{"model":"m","messages":[{"role":"user","content":"a"}],"max_tokens":1,
            "tools":[{"type":"function","function":{"name":"f"}}],
            "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"f"}}]}}}"#,
    );
    assert!(!body.contains("tool_choice"), "{body}");
    assert!(body.contains(r#""max_output_tokens":16"#), "OpenAI takes no less here: {body}");
    assert_eq!(lost, ["/max_tokens", "/tool_choice"]);
    for choice in [
        r#"{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]}"#,
        r#"{"type":"custom","name":"g"}"#,
    ] {
        let body = format!(
            r#"{{"model":"m","input":"a","tools":[{{"type":"function","name":"f"}}],"tool_choice":{choice}}}"#
        );
        let chat = OpenaiResponses.read_request(body.as_bytes()).unwrap();
        let other =
            codec(Dialect::OpenaiChat).write_request(&chat, &Edits::default(), Quirks::default()).unwrap();
        assert!(!String::from_utf8(other.body).unwrap().contains("tool_choice"), "{choice}");
        assert_eq!(other.losses.paths(), ["/tool_choice"]);
        let own = OpenaiResponses.write_request(&chat, &Edits::default(), Quirks::default()).unwrap();
        assert!(String::from_utf8(own.body).unwrap().contains(choice));
    }
}

#[test]
fn a_thought_that_openai_keeps_is_a_loss_and_a_turn_of_nothing_else_is_left_out() {
    let body = r#"{"model":"m","input":[{"role":"user","content":"a"},{"type":"item_reference","id":"rs_1"},
        {"type":"custom_tool_call","call_id":"c","name":"x","input":"y"},{"role":"user","content":"b"}]}"#;
    let chat = OpenaiResponses.read_request(body.as_bytes()).unwrap();
    let other =
        codec(Dialect::OpenaiChat).write_request(&chat, &Edits::default(), Quirks::default()).unwrap();
    assert_eq!(
        String::from_utf8(other.body).unwrap(),
        r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}"#
    );
    assert_eq!(other.losses.paths(), ["/input/2", "/input/1"]);
}

#[test]
fn likelihoods_are_not_asked_for_in_the_other_dialect_s_form() {
    let body = r#"{"model":"m","input":"a","top_logprobs":2,"include":["message.output_text.logprobs"]}"#;
    let chat = OpenaiResponses.read_request(body.as_bytes()).unwrap();
    let other =
        codec(Dialect::OpenaiChat).write_request(&chat, &Edits::default(), Quirks::default()).unwrap();
    assert!(!String::from_utf8(other.body).unwrap().contains("logprobs"));
    assert_eq!(other.losses.paths(), ["/top_logprobs", "/include"]);
}

#[test]
fn ids_of_items_are_such_as_openai_takes_back() {
    let (long, odd) = ("x".repeat(300), "a:b/é");
    for (reply, index) in [("resp_1", 0), (long.as_str(), u64::MAX), (odd, 7), ("", 1)] {
        for (kind, prefix) in
            [(ItemKind::Message, "msg_"), (ItemKind::Reasoning, "rs_"), (ItemKind::Call, "fc_")]
        {
            let id = kind.id(reply, index);
            assert!(id.starts_with(prefix) && id.len() <= 64, "{id}");
            assert!(
                id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')),
                "{id}"
            );
        }
    }
    assert_ne!(ItemKind::Message.id("resp_1", 0), ItemKind::Message.id("resp_2", 0));
}

#[test]
fn what_is_held_for_the_last_event_is_bounded() {
    let writer = OpenaiResponses.stream_writer(true, 0);
    let mut pipe = translate(codec(Dialect::OpenaiChat), writer);
    let text = "x".repeat(EVENT_LIMIT / 4);
    let chunk = format!(
        r#"data: {{"id":"c","model":"m","choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]}}"#
    ) + "\n\n";
    let mut out = Vec::new();
    let pushed: Vec<_> =
        (0..6).map(|_| pipe.push(Bytes::copy_from_slice(chunk.as_bytes()), &mut out)).collect();
    assert!(pushed[..4].iter().all(Result::is_ok), "{pushed:?}");
    assert_eq!(pushed[4], Err(Fault::TooLarge));
}

//! What this dialect does that no fixture shows.

use bytes::Bytes;
use serde_json::{Value, json};
use stepwell_types::Dialect;

use super::Ollama;
use crate::chat::{Chat, Part, Role, Source, Thinking, Turn};
use crate::framing::EVENT_LIMIT;
use crate::{Codec, Defaults, Edits, Facts, Pipe, Quirks, codec, translate, translate_with};

fn written(chat: &Chat<'_>) -> (Value, Vec<String>) {
    let written = Ollama.write_request(chat, &Edits::default(), Quirks::default()).unwrap();
    (serde_json::from_slice(&written.body).unwrap(), written.losses.paths().to_vec())
}

fn turn(role: Role, parts: Vec<Part<'_>>) -> Turn<'_> {
    Turn { role, parts }
}

fn text(text: &str) -> Part<'_> {
    Part::Text { text: text.into(), cache: None }
}

fn image(data: &str) -> Part<'_> {
    let source = Source::Base64 { media_type: "image/png".into(), data: data.into() };
    Part::Image { source, detail: None, cache: None }
}

fn call<'a>(id: &'a str, name: &'a str) -> Part<'a> {
    Part::ToolCall { id: id.into(), name: name.into(), arguments: "{}".into(), signature: None, cache: None }
}

#[test]
fn a_turn_of_several_texts_is_as_many_messages_and_images_stand_with_the_text_behind_them() {
    let turns = vec![
        turn(Role::Developer, vec![text("a"), text("b")]),
        turn(Role::User, vec![image("AA"), text("c"), image("BB"), image("CC"), text("d"), image("DD")]),
        turn(
            Role::Assistant,
            vec![Part::Thinking { text: "t".into(), signature: None }, text("e"), call("x", "f"), text("g")],
        ),
    ];
    let (body, losses) = written(&Chat { turns, ..Chat::default() });
    let call = json!([{"id": "x", "function": {"index": 0, "name": "f", "arguments": {}}}]);
    assert_eq!(
        body["messages"],
        json!([
            {"role": "system", "content": "a"},
            {"role": "system", "content": "b"},
            {"role": "user", "content": "c", "images": ["AA"]},
            {"role": "user", "content": "d", "images": ["BB", "CC", "DD"]},
            {"role": "assistant", "content": "e", "thinking": "t", "tool_calls": call},
            {"role": "assistant", "content": "g"},
        ])
    );
    assert!(losses.is_empty(), "{losses:?}");
    assert_eq!(body["stream"], false, "Ollama streams unless told not to");
}

#[test]
fn a_turn_of_many_images_is_written_in_time_that_grows_with_their_number() {
    let parts: Vec<_> = std::iter::once(text("a")).chain((0..200_000).map(|_| image("AA"))).collect();
    let (body, _) = written(&Chat { turns: vec![turn(Role::User, parts)], ..Chat::default() });
    assert_eq!(body["messages"].as_array().unwrap().len(), 1);
    assert_eq!(body["messages"][0]["images"].as_array().unwrap().len(), 200_000);
}

fn ids(body: &str) -> Vec<String> {
    let chat = Ollama.read_request(body.as_bytes()).unwrap();
    let parts = chat.turns.iter().flat_map(|turn| &turn.parts);
    parts
        .filter_map(|part| match part {
            Part::ToolCall { id, .. } | Part::ToolResult { id, .. } => Some(id.to_string()),
            _ => None,
        })
        .collect()
}

#[test]
fn calls_without_ids_are_matched_with_their_results_by_tool_and_order() {
    let call = |id: &str, name: &str| format!(r#"{{{id}"function":{{"name":"{name}","arguments":{{}}}}}}"#);
    let body = |calls: &[String], results: &str| {
        let calls = calls.join(",");
        format!(
            r#"{{"model":"m","messages":[{{"role":"assistant","tool_calls":[{calls}]}},{results},{{"role":"user","content":"x"}}]}}"#
        )
    };
    let calls = [call("", "f"), call("", "g"), call("", "f")];
    let named = |name: &str| format!(r#"{{"role":"tool","tool_name":"{name}","content":"1"}}"#);
    let by_name = [named("g"), named("f"), named("f")].join(",");
    assert_eq!(ids(&body(&calls, &by_name)), ["call_0", "call_1", "call_2", "call_1", "call_0", "call_2"]);
    let plain = r#"{"role":"tool","content":"1"}"#;
    let by_order = [plain, plain, plain].join(",");
    assert_eq!(ids(&body(&calls, &by_order)), ["call_0", "call_1", "call_2", "call_0", "call_1", "call_2"]);
    // An id that the conversation has is not made again, and a result by id is not taken twice.
    let calls = [call(r#""id":"call_0","#, "f"), call("", "f"), call("", "f")];
    let mixed =
        [r#"{"role":"tool","tool_call_id":"call_1","content":"1"}"#.to_owned(), named("f"), named("f")];
    assert_eq!(
        ids(&body(&calls, &mixed.join(","))),
        ["call_0", "call_2", "call_3", "call_1", "call_0", "call_2"]
    );
    let lost = named("unknown");
    assert_eq!(ids(&body(&[], &lost)), ["call_0"]);
}

#[test]
fn a_mistake_is_named_by_its_field() {
    for (rest, param) in [
        (r"", "messages"),
        (r#","messages":[]"#, "messages"),
        (r#","messages":[{"content":"x"}]"#, "messages[0].role"),
        (r#","messages":[{"role":"model"}]"#, "messages[0].role"),
        (r#","messages":[{"role":"user","content":[{"type":"text"}]}]"#, "messages[0].content"),
        (r#","messages":[{"role":"user","images":["data:image/png;base64,AA"]}]"#, "messages[0].images[0]"),
        (r#","messages":[{"role":"assistant","tool_calls":[{}]}]"#, "messages[0].tool_calls[0].function"),
        (
            r#","messages":[{"role":"assistant","tool_calls":[{"function":{}}]}]"#,
            "messages[0].tool_calls[0].function.name",
        ),
        (
            r#","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}]"#,
            "messages[0].tool_calls[0].function.arguments",
        ),
        (r#","messages":[{"role":"user"}],"format":"xml""#, "format"),
        (r#","messages":[{"role":"user"}],"think":"some""#, "think"),
        (r#","messages":[{"role":"user"}],"options":{"num_predict":"x"}"#, "options.num_predict"),
        (r#","messages":[{"role":"user"}],"tools":[{"function":{}}]"#, "tools[0].function.name"),
    ] {
        let body = format!(r#"{{"model":"m"{rest}}}"#);
        let error = Ollama.read_request(body.as_bytes()).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{body}: {error}");
    }
}

#[test]
fn what_other_dialects_have_no_word_for_is_kept_by_its_path() {
    let body = br#"{"model":"m","messages":[{"role":"USER","content":"x","name":"n"}],"keep_alive":"5m","shift":false,
        "logprobs":false,"options":{"num_ctx":8192,"repeat_penalty":1.1,"num_predict":-1,"stop":"."}}"#;
    let chat = Ollama.read_request(body).unwrap();
    let mut paths: Vec<_> = chat.extra.iter().map(|extra| &*extra.path).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        ["/keep_alive", "/messages/0/name", "/options/num_ctx", "/options/repeat_penalty", "/shift"]
    );
    assert_eq!((chat.max_output_tokens, &*chat.stop, chat.stream), (None, &[".".into()][..], true));
}

#[test]
fn a_level_of_thinking_that_ollama_lacks_is_the_nearest_and_named() {
    for (thinking, said, lost) in [
        (Thinking::Off, json!(false), &[][..]),
        (Thinking::Adaptive, json!(true), &[]),
        (Thinking::Effort("none".to_owned()), json!(false), &[]),
        (Thinking::Effort("minimal".to_owned()), json!("low"), &["/reasoning_effort"]),
        (Thinking::Effort("high".to_owned()), json!("high"), &[]),
        (Thinking::Effort("xhigh".to_owned()), json!("max"), &["/reasoning_effort"]),
        (Thinking::Budget(1024), json!(true), &["/thinking/budget_tokens"]),
    ] {
        let (body, losses) = written(&Chat { thinking: Some(thinking), ..Chat::default() });
        assert_eq!((&body["think"], losses), (&said, lost.iter().map(|&path| path.to_owned()).collect()));
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

/// The machines that a stream of this dialect may pass.
fn machines() -> [Box<dyn Pipe>; 2] {
    [Ollama.tap(false), translate(&Ollama, codec(Dialect::OpenaiChat).stream_writer(true, 0))]
}

fn from_openai() -> Box<dyn Pipe> {
    translate(codec(Dialect::OpenaiChat), Ollama.stream_writer(true, 0))
}

/// A stream of OpenAI's that calls one tool, with the arguments in the pieces given.
fn openai_call<'a>(fragments: impl Iterator<Item = &'a str>, reason: &str) -> String {
    let mut stream = String::new();
    let mut chunk = |delta: Value, reason: Option<&str>| {
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

#[test]
fn a_providers_reply_may_nest_as_deep_as_it_likes() {
    let nested = "{\"a\":[".repeat(20_000) + &"]}".repeat(20_000);
    let reply = format!(
        r#"{{"model":"m","message":{{"role":"assistant","content":"","tool_calls":[{{"function":{{"name":"f","arguments":{nested}}}}}]}},"x":{nested},"done":true}}"#
    );
    assert!(Ollama.reply_facts(reply.as_bytes()).is_ok());
    assert!(Ollama.read_reply(reply.as_bytes()).is_ok());
    for pipe in machines() {
        let (_, broke, facts) = piped(pipe, &format!("{reply}\n"));
        assert!(!broke && facts.terminal, "{facts:?}");
    }
}

#[test]
fn arguments_over_several_lines_stay_within_their_line() {
    let stream = openai_call(["{\n  \"city\"", ": \"Par\\nis\"\r\n\n}"].into_iter(), "tool_calls");
    let (out, broke, facts) = piped(from_openai(), &stream);
    assert!(!broke && facts.losses.is_empty(), "{facts:?}");
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{out}");
    assert_eq!(lines[0]["message"]["tool_calls"][0]["function"]["arguments"], json!({"city": "Par\nis"}));
    assert_eq!(lines[1]["done_reason"], "stop");
}

#[test]
fn a_call_cut_off_within_its_arguments_is_left_out_and_named() {
    let (out, _, facts) = piped(from_openai(), &openai_call(["{\"path\":\"/tm"].into_iter(), "length"));
    assert!(!out.contains("tool_calls") && out.contains("\"length\""), "{out}");
    assert_eq!(facts.losses.paths(), ["/content/0/arguments"]);
    let body = json!({"id": "x", "model": "m", "choices": [{"index": 0, "finish_reason": "length", "message": {
        "role": "assistant", "content": null,
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"path\":\"/tm"}}],
    }}]})
    .to_string();
    let written = Ollama.write_reply(&codec(Dialect::OpenaiChat).read_reply(body.as_bytes()).unwrap());
    assert!(!String::from_utf8(written.body).unwrap().contains("tool_calls"));
    assert_eq!(written.losses.paths(), ["/content/0/arguments"]);
}

#[test]
fn arguments_are_gathered_up_to_the_limit_of_an_event() {
    let fragment = "x".repeat(EVENT_LIMIT / 1_000);
    let fragments = || std::iter::once("{\"a\":\"").chain(std::iter::repeat_n(&*fragment, 2_000));
    let (out, broke, facts) = piped(from_openai(), &openai_call(fragments(), "tool_calls"));
    assert!(broke && !facts.terminal, "{facts:?}");
    assert!(!out.contains("tool_calls"));
}

#[test]
fn calls_without_ids_get_some_that_no_other_reply_of_the_conversation_has() {
    let line = |time: &str| {
        format!(
            r#"{{"model":"m","created_at":"{time}","message":{{"role":"assistant","content":"","tool_calls":[{{"function":{{"name":"f","arguments":{{}}}}}},{{"id":"","function":{{"name":"f","arguments":{{}}}}}}]}},"done":true}}"#
        )
    };
    let ids = |time: &str| {
        let (line, mut ids) = (line(time), Vec::new());
        for part in Ollama.read_reply(line.as_bytes()).unwrap().parts {
            let Part::ToolCall { id, .. } = part else { panic!("{part:?}") };
            assert!(id.len() <= 40, "{id} is longer than OpenAI takes");
            ids.push(id.into_owned());
        }
        let (streamed, ..) = piped(
            translate(&Ollama, codec(Dialect::OpenaiChat).stream_writer(true, 0)),
            &format!("{line}\n"),
        );
        assert!(ids.iter().all(|id| streamed.contains(&format!("\"{id}\""))), "{ids:?} in {streamed}");
        ids
    };
    let (one, other) = (ids("2026-11-21T20:22:19.184789Z"), ids("2026-11-21T20:22:20.000000001-07:00"));
    assert_eq!(one, ["call_20261121T202219184789Z_0", "call_20261121T202219184789Z_1"]);
    assert!(other.iter().all(|id| !one.contains(id)), "{other:?}");
}

#[test]
fn only_the_line_that_says_done_ends_a_stream() {
    let said = r#"{"model":"m","message":{"role":"assistant","content":"deep"},"done":false}"#;
    for (last, terminal) in [
        (
            r#"{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}"#,
            true,
        ),
        (r#"{"model":"m","done":true}"#, true),
        (
            r#"{"model":"m","message":{"role":"assistant","content":""},"done":false,"done_reason":"stop"}"#,
            false,
        ),
    ] {
        for pipe in machines() {
            let (_, broke, facts) = piped(pipe, &format!("{said}\n{last}\n"));
            assert_eq!((broke, facts.terminal), (false, terminal), "{last}");
        }
        for pipe in machines() {
            let (_, broke, facts) = piped(pipe, &format!("{said}\n{last}"));
            assert!(!broke && !facts.terminal, "a line without its end may be half of one: {last}");
        }
    }
}

#[test]
fn a_line_that_is_none_of_the_dialects_breaks_the_stream() {
    let call =
        |call: &str| format!(r#"{{"message":{{"role":"assistant","tool_calls":[{call}]}},"done":false}}"#);
    for line in [
        "{}".to_owned(),
        r#"{"status":"pulling manifest"}"#.to_owned(),
        r#"{"message":{"content":7},"done":false}"#.to_owned(),
        r#"{"message":{"content":"a"},"done":"yes"}"#.to_owned(),
        call("{}"),
        call(r#"{"function":{"name":"","arguments":{}}}"#),
        call(r#"{"function":{"name":"f","arguments":"{}"}}"#),
    ] {
        for pipe in machines() {
            let (out, broke, facts) = piped(pipe, &format!("{line}\n"));
            assert!(broke && out.is_empty() && !facts.committed, "{line}");
        }
    }
    let calls = vec![r#"{"function":{"name":"f","arguments":{}}}"#; 1_025].join(",");
    let [_, other] = machines();
    assert!(piped(other, &(call(&calls) + "\n")).1, "a reply calls so many tools only");
    let long = format!(r#"{{"message":{{"content":"{}"}}}}"#, "x".repeat(EVENT_LIMIT));
    for pipe in machines() {
        assert!(piped(pipe, &long).1);
    }
}

#[test]
fn a_reply_that_is_not_whole_or_says_nothing_is_refused() {
    for reply in [
        r#"{"model":"m","message":{"role":"assistant","content":"a"},"done":false}"#,
        r#"{"model":"m","done":true}"#,
        r#"{"error":"no"}"#,
        r#"{"message":{"tool_calls":[{"function":{"arguments":{}}}]},"done":true}"#,
        r#"{"message":{"tool_calls":[{"function":{"name":"f","arguments":[]}}]},"done":true}"#,
        "{",
    ] {
        assert_eq!(
            Ollama.read_reply(reply.as_bytes()).unwrap_err().code,
            stepwell_types::Code::UpstreamInvalid,
            "{reply}"
        );
    }
}

#[test]
fn what_a_reply_does_not_say_clients_get_by_default_and_the_record_does_not() {
    let stream = "{\"message\":{\"content\":\"a\"},\"done\":true}\n";
    let pipe = || {
        let defaults = Defaults { id: Some("call-7".into()), model: Some("small".into()) };
        translate_with(&Ollama, codec(Dialect::OpenaiChat).stream_writer(true, 0), defaults)
    };
    let (out, _, facts) = piped(pipe(), stream);
    assert!(out.contains(r#""id":"call-7""#) && !out.contains(r#""id":"""#), "{out}");
    assert!(out.contains(r#""model":"small""#) && !out.contains(r#""model":"""#), "{out}");
    assert_eq!((facts.id, facts.model), (None, None));
    let given = stream.replacen('{', "{\"id\":\"theirs\",\"model\":\"m\",", 1);
    let (out, _, facts) = piped(pipe(), &given);
    assert!(out.contains(r#""id":"theirs""#) && !out.contains("call-7"), "{out}");
    assert!(out.contains(r#""model":"m""#) && !out.contains("small"), "{out}");
    assert_eq!((facts.id.as_deref(), facts.model.as_deref()), (Some("theirs"), Some("m")));
}

#[test]
fn usage_is_known_only_where_the_prompt_was_metered() {
    let last = r#"{"model":"m","message":{"role":"assistant","content":"a"},"done":true,"eval_count":7}"#;
    assert_eq!(Ollama.reply_facts(last.as_bytes()).unwrap().usage, None);
    for pipe in machines() {
        let (_, _, facts) = piped(pipe, &format!("{last}\n"));
        assert!(facts.terminal && facts.usage.is_none());
    }
    let loaded =
        br#"{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"load"}"#;
    assert_eq!(Ollama.reply_facts(loaded).unwrap().usage, Some(stepwell_types::Usage::default()));
}

//! What must hold for any chunking of a stream and for any conversation.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use stepwell_types::{Dialect, Usage};
use stepwell_wire::chat::Chat;
use stepwell_wire::{Edits, Facts, Fault, Pipe, Quirks, codec, translate};

use crate::fixtures::{Fixture, Kind, of_kind};

type Run = (Vec<u8>, Facts, Result<(), Fault>);

fn run<'c>(mut pipe: Box<dyn Pipe>, chunks: impl IntoIterator<Item = &'c [u8]>) -> Run {
    let mut out = Vec::new();
    let mut result = Ok(());
    let mut bytes = 0;
    for chunk in chunks {
        bytes += chunk.len() as u64;
        result = result.and(pipe.push(Bytes::copy_from_slice(chunk), &mut out));
    }
    pipe.end(&mut out);
    let mut facts = pipe.facts().clone();
    assert_eq!(facts.bytes, bytes, "every byte that arrives is counted");
    facts.bytes = 0;
    (out.concat(), facts, result)
}

/// Every machine a stream of this dialect may pass.
fn machines(dialect: Dialect) -> Vec<(String, Box<dyn Pipe>)> {
    let own = codec(dialect);
    let mut machines =
        vec![("tap".to_owned(), own.tap(false)), ("tap that withholds usage".to_owned(), own.tap(true))];
    for target in Dialect::ALL {
        let pipe = translate(own, codec(target).stream_writer(true, 0));
        machines.push((format!("translation to {target}"), pipe));
    }
    machines
}

fn cut<'s>(stream: &'s [u8], cuts: &[prop::sample::Index]) -> Vec<&'s [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    at.extend([0, stream.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect()
}

fn assert_same(fixture: &Fixture, chunks: &[&[u8]]) {
    let whole = machines(fixture.dialect);
    let cut = machines(fixture.dialect);
    for ((name, whole), (_, cut)) in whole.into_iter().zip(cut) {
        let whole = run(whole, [fixture.bytes.as_slice()]);
        let cut = run(cut, chunks.iter().copied());
        assert_eq!(whole, cut, "{name} of {}", fixture.name());
    }
}

#[test]
fn a_stream_cut_at_every_byte_comes_out_the_same() {
    for fixture in of_kind(Kind::Stream) {
        let chunks: Vec<_> = fixture.bytes.chunks(1).collect();
        assert_same(&fixture, &chunks);
    }
}

#[test]
fn usage_never_decreases_along_a_stream() {
    for fixture in of_kind(Kind::Stream) {
        for (name, mut pipe) in machines(fixture.dialect) {
            let mut last = Usage::default();
            for byte in fixture.bytes.chunks(1) {
                pipe.push(Bytes::copy_from_slice(byte), &mut Vec::new()).unwrap();
                let Some(now) = pipe.facts().usage else {
                    assert_eq!(
                        last,
                        Usage::default(),
                        "{name} of {}: usage is never forgotten",
                        fixture.name()
                    );
                    continue;
                };
                let parts = |usage: Usage| {
                    [usage.input_tokens, usage.cache_read_tokens, usage.output_tokens, usage.reasoning_tokens]
                };
                let grown = parts(now).into_iter().zip(parts(last)).all(|(now, last)| now >= last);
                assert!(grown, "{name} of {}: {last:?} then {now:?}", fixture.name());
                assert!(now.is_consistent(), "{name} of {}: {now:?}", fixture.name());
                last = now;
            }
        }
    }
}

#[test]
fn a_stream_that_ends_early_never_looks_complete() {
    for fixture in of_kind(Kind::Stream) {
        let complete = run(codec(fixture.dialect).tap(false), [fixture.bytes.as_slice()]).1.terminal;
        // Around the end of each line, where streams are cut into events, and here and there between.
        let is_tried = |end: &usize| {
            let around = fixture.bytes.get(end.saturating_sub(3)..(end + 2).min(fixture.bytes.len()));
            end.is_multiple_of(13) || around.is_some_and(|bytes| bytes.contains(&b'\n'))
        };
        for end in (0..fixture.bytes.len()).filter(is_tried) {
            for (name, pipe) in machines(fixture.dialect) {
                let (_, facts, result) = run(pipe, [&fixture.bytes[..end]]);
                result.unwrap();
                let last = fixture.bytes[end..].iter().all(u8::is_ascii_whitespace);
                assert!(!facts.terminal || (complete && last), "{name} of {} up to {end}", fixture.name());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_chunking_gives_the_same_bytes_and_facts(
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)
    ) {
        for fixture in of_kind(Kind::Stream) {
            assert_same(&fixture, &cut(&fixture.bytes, &cuts));
        }
    }

    #[test]
    fn garbage_between_events_never_passes(
        at in any::<prop::sample::Index>(),
        garbage in prop::sample::select(vec![
            "%%%garbage\n\n", "data: {\"id\": garb\n\n", "data: {garbage}\n\n", "<html></html>\n\n", "data: \n\n",
            "data: null\n\n", "data: [1]\n\n", "garb\n\n", "{\"error\":{}}\n\n",
        ]),
        first in any::<prop::sample::Index>(),
    ) {
        for fixture in of_kind(Kind::Stream) {
            if matches!(fixture.case.as_str(), "cut" | "overloaded" | "early_error" | "comments") {
                continue;
            }
            let text = std::str::from_utf8(&fixture.bytes).unwrap();
            let end = if text.contains("\r\n") { "\r\n\r\n" } else { "\n\n" };
            let events: Vec<&str> = text.split_inclusive(end).collect();
            // Before the last event: an event that ends the stream may be held until it is known to be the last.
            let at = at.index(events.len());
            let before = events[..at].concat();
            let broken = format!("{before}{garbage}{}", events[at..].concat());
            let chunks = cut(broken.as_bytes(), &[first]);
            for (name, pipe) in machines(fixture.dialect) {
                let expected = if name == "tap" { Some(before.as_bytes()) } else { None };
                let (out, facts, result) = run(pipe, chunks.iter().copied());
                prop_assert!(result.is_err(), "{} of {}", name, fixture.name());
                prop_assert!(!facts.terminal);
                if let Some(expected) = expected {
                    prop_assert_eq!(out.as_slice(), expected);
                }
            }
        }
    }

    #[test]
    fn what_is_read_and_written_in_the_own_dialect_reads_the_same(talk in talk()) {
        for dialect in Dialect::ALL {
            let body = talk.body(dialect).to_string();
            assert_lossless(dialect, body.as_bytes());
        }
    }

    #[test]
    fn a_conversation_survives_the_other_dialect(talk in talk()) {
        let pairs = Dialect::ALL.into_iter().flat_map(|from| Dialect::ALL.map(|to| (from, to)));
        for (from, to) in pairs.filter(|(from, to)| from != to) {
            let body = talk.body(from).to_string();
            let chat = codec(from).read_request(body.as_bytes()).unwrap();
            let written = codec(to).write_request(&chat, &Edits::default(), Quirks::default()).unwrap();
            let other = codec(to).read_request(&written.body).unwrap();
            let back = codec(from).write_request(&other, &Edits::default(), Quirks::default()).unwrap();
            let wire = String::from_utf8(back.body).unwrap();
            for turn in &talk.turns {
                for text in [&turn.said, &turn.result] {
                    let text = serde_json::to_string(text).unwrap();
                    prop_assert!(wire.contains(text.trim_matches('"')), "{text} in {wire}");
                }
            }
            let unsayable: &[&str] = match to {
                Dialect::Gemini => &["/user", "/parallel_tool_calls"],
                Dialect::OpenaiResponses => &["/stop"],
                Dialect::Cohere => &["/user", "/parallel_tool_calls", "/reasoning_effort"],
                Dialect::OpenaiChat | Dialect::Anthropic => &[],
            };
            let lost: Vec<_> =
                written.losses.paths().iter().filter(|path| !unsayable.contains(&path.as_str())).collect();
            prop_assert!(lost.is_empty(), "{from} to {to}: {lost:?}");
        }
    }
}

/// Reading what was written gives the same superset: nothing supported is lost, and writing is stable.
fn assert_lossless(dialect: Dialect, body: &[u8]) {
    let codec = codec(dialect);
    let chat = codec.read_request(body).unwrap();
    let write = |chat: &Chat<'_>| codec.write_request(chat, &Edits::default(), Quirks::default()).unwrap();
    let written = write(&chat);
    let mut again = codec.read_request(&written.body).unwrap();
    let stable = write(&again).body;
    assert_eq!(written.body, stable, "{dialect}");
    let mut chat = chat;
    chat.extra.clear();
    again.extra.clear();
    assert_eq!(format!("{chat:?}"), format!("{again:?}"), "{dialect}");
    assert!(written.losses.is_empty(), "{dialect}: {:?}", written.losses);
}

/// A round of a conversation: a question, perhaps a tool call and its result, an answer.
#[derive(Clone, Debug)]
struct Round {
    said: String,
    calls: u8,
    result: String,
}

/// A conversation, to be written in any dialect.
#[derive(Clone, Debug)]
struct Talk {
    system: Option<String>,
    turns: Vec<Round>,
    limit: u32,
    stop: Option<String>,
    parallel: Option<bool>,
    schema: bool,
    effort: Option<&'static str>,
}

fn talk() -> impl Strategy<Value = Talk> {
    let text = || "[ -~é😀\n\t\"\\\\]{1,24}[a-z]";
    let round = (text(), 0..3_u8, text()).prop_map(|(said, calls, result)| Round { said, calls, result });
    (
        prop::option::of(text()),
        prop::collection::vec(round, 1..4),
        4096..8192_u32,
        prop::option::of(text()),
        prop::option::of(any::<bool>()),
        any::<bool>(),
        prop::option::of(prop::sample::select(vec!["low", "medium", "high"])),
    )
        .prop_map(|(system, turns, limit, stop, parallel, schema, effort)| Talk {
            system,
            turns,
            limit,
            stop,
            parallel,
            schema,
            effort,
        })
}

impl Talk {
    fn body(&self, dialect: Dialect) -> Value {
        match dialect {
            Dialect::OpenaiChat => self.openai(),
            Dialect::Anthropic => self.anthropic(),
            Dialect::Gemini => self.gemini(),
            Dialect::OpenaiResponses => self.responses(),
            Dialect::Cohere => self.cohere(),
        }
    }

    fn schema() -> Value {
        json!({"type": "object", "properties": {}, "additionalProperties": false})
    }

    fn openai(&self) -> Value {
        let mut messages = Vec::new();
        if let Some(system) = &self.system {
            messages.push(json!({"role": "system", "content": system}));
        }
        for (number, turn) in self.turns.iter().enumerate() {
            messages.push(json!({"role": "user", "content": turn.said}));
            let id = |call| format!("call_{number}_{call}");
            let calls: Vec<_> = (0..turn.calls)
                .map(|call| json!({"id": id(call), "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}))
                .collect();
            if !calls.is_empty() {
                messages.push(json!({"role": "assistant", "content": null, "tool_calls": calls}));
            }
            for call in 0..turn.calls {
                messages.push(json!({"role": "tool", "tool_call_id": id(call), "content": turn.result}));
            }
            messages.push(json!({"role": "assistant", "content": turn.result}));
        }
        messages.push(json!({"role": "user", "content": "go on"}));
        let mut body = json!({
            "model": "m", "messages": messages, "max_completion_tokens": self.limit, "stream": true,
            "stream_options": {"include_usage": true}, "user": "u",
            "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": Self::schema()}}],
            "tool_choice": "auto",
        });
        if let Some(stop) = &self.stop {
            body["stop"] = json!([stop]);
        }
        if let Some(parallel) = self.parallel {
            body["parallel_tool_calls"] = json!(parallel);
        }
        if self.schema {
            let schema = json!({"name": "reply", "schema": Self::schema(), "strict": true});
            body["response_format"] = json!({"type": "json_schema", "json_schema": schema});
        }
        match self.effort {
            Some(effort) => body["reasoning_effort"] = json!(effort),
            None => body["temperature"] = json!(0.25),
        }
        body
    }

    fn responses(&self) -> Value {
        let mut input = Vec::new();
        for (number, turn) in self.turns.iter().enumerate() {
            input.push(json!({"role": "user", "content": turn.said}));
            let id = |call| format!("call_{number}_{call}");
            input.extend((0..turn.calls).map(|call| {
                json!({"type": "function_call", "call_id": id(call), "name": "f", "arguments": "{\"a\": 1}"})
            }));
            input.extend((0..turn.calls).map(
                |call| json!({"type": "function_call_output", "call_id": id(call), "output": turn.result}),
            ));
            input.push(json!({"role": "assistant", "content": turn.result}));
        }
        input.push(json!({"role": "user", "content": "go on"}));
        let mut body = json!({
            "model": "m", "input": input, "max_output_tokens": self.limit, "stream": true, "store": false, "user": "u",
            "tools": [{"type": "function", "name": "f", "description": "d", "parameters": Self::schema(), "strict": false}],
            "tool_choice": "auto",
        });
        if let Some(system) = &self.system {
            body["instructions"] = json!(system);
        }
        if let Some(parallel) = self.parallel {
            body["parallel_tool_calls"] = json!(parallel);
        }
        if self.schema {
            let format =
                json!({"type": "json_schema", "name": "reply", "schema": Self::schema(), "strict": true});
            body["text"] = json!({"format": format});
        }
        match self.effort {
            Some(effort) => body["reasoning"] = json!({"effort": effort}),
            None => body["temperature"] = json!(0.25),
        }
        body
    }

    fn anthropic(&self) -> Value {
        let mut messages = Vec::new();
        for (number, turn) in self.turns.iter().enumerate() {
            messages.push(json!({"role": "user", "content": turn.said}));
            let id = |call| format!("toolu_{number}_{call}");
            if turn.calls > 0 {
                let calls: Vec<_> = (0..turn.calls)
                    .map(|call| json!({"type": "tool_use", "id": id(call), "name": "f", "input": {"a": 1}}))
                    .collect();
                messages.push(json!({"role": "assistant", "content": calls}));
                let results: Vec<_> = (0..turn.calls)
                    .map(|call| json!({"type": "tool_result", "tool_use_id": id(call), "content": turn.result}))
                    .collect();
                messages.push(json!({"role": "user", "content": results}));
            }
            messages.push(json!({"role": "assistant", "content": turn.result}));
        }
        messages.push(json!({"role": "user", "content": "go on"}));
        let mut body = json!({
            "model": "m", "messages": messages, "max_tokens": self.limit, "stream": true,
            "metadata": {"user_id": "u"},
            "tools": [{"name": "f", "description": "d", "input_schema": Self::schema()}],
            "tool_choice": {"type": "auto"},
        });
        if let Some(system) = &self.system {
            body["system"] = json!(system);
        }
        if let Some(stop) = &self.stop {
            body["stop_sequences"] = json!([stop]);
        }
        if let Some(parallel) = self.parallel {
            body["tool_choice"]["disable_parallel_tool_use"] = json!(!parallel);
        }
        let mut config = json!({});
        if self.schema {
            config["format"] = json!({"type": "json_schema", "schema": Self::schema()});
        }
        // Anthropic takes no temperature beside thinking.
        match self.effort {
            Some(effort) => config["effort"] = json!(effort),
            None => body["temperature"] = json!(0.25),
        }
        if config != json!({}) {
            body["output_config"] = config;
        }
        body
    }

    fn gemini(&self) -> Value {
        let mut contents = Vec::new();
        for (number, turn) in self.turns.iter().enumerate() {
            contents.push(json!({"role": "user", "parts": [{"text": turn.said}]}));
            let id = |call| format!("call_{number}_{call}");
            if turn.calls > 0 {
                let calls: Vec<_> = (0..turn.calls)
                    .map(|call| json!({"functionCall": {"id": id(call), "name": "f", "args": {"a": 1}}}))
                    .collect();
                contents.push(json!({"role": "model", "parts": calls}));
                let results: Vec<_> = (0..turn.calls)
                    .map(|call| {
                        let response = json!({"result": turn.result});
                        json!({"functionResponse": {"id": id(call), "name": "f", "response": response}})
                    })
                    .collect();
                contents.push(json!({"role": "user", "parts": results}));
            }
            contents.push(json!({"role": "model", "parts": [{"text": turn.result}]}));
        }
        contents.push(json!({"role": "user", "parts": [{"text": "go on"}]}));
        let functions = json!([{"name": "f", "description": "d", "parametersJsonSchema": Self::schema()}]);
        let mut body = json!({
            "contents": contents,
            "tools": [{"functionDeclarations": functions}],
            "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
            "generationConfig": {"maxOutputTokens": self.limit},
        });
        if let Some(system) = &self.system {
            body["systemInstruction"] = json!({"parts": [{"text": system}]});
        }
        let config = &mut body["generationConfig"];
        if let Some(stop) = &self.stop {
            config["stopSequences"] = json!([stop]);
        }
        if self.schema {
            config["responseMimeType"] = json!("application/json");
            config["responseJsonSchema"] = Self::schema();
        }
        match self.effort {
            Some(effort) => config["thinkingConfig"] = json!({"thinkingLevel": effort}),
            None => config["temperature"] = json!(0.25),
        }
        body
    }

    fn cohere(&self) -> Value {
        let mut messages = Vec::new();
        if let Some(system) = &self.system {
            messages.push(json!({"role": "system", "content": system}));
        }
        for (number, turn) in self.turns.iter().enumerate() {
            messages.push(json!({"role": "user", "content": turn.said}));
            let id = |call| format!("f_{number}_{call}");
            let calls: Vec<_> = (0..turn.calls)
                .map(|call| json!({"id": id(call), "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}))
                .collect();
            if !calls.is_empty() {
                messages.push(json!({"role": "assistant", "tool_plan": turn.said, "tool_calls": calls}));
            }
            for call in 0..turn.calls {
                messages.push(json!({"role": "tool", "tool_call_id": id(call), "content": turn.result}));
            }
            messages.push(json!({"role": "assistant", "content": turn.result}));
        }
        messages.push(json!({"role": "user", "content": "go on"}));
        let mut body = json!({
            "model": "m", "messages": messages, "max_tokens": self.limit, "stream": true, "temperature": 0.25,
            "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": Self::schema()}}],
        });
        if let Some(stop) = &self.stop {
            body["stop_sequences"] = json!([stop]);
        }
        if self.schema {
            body["response_format"] = json!({"type": "json_object", "json_schema": Self::schema()});
        }
        body
    }
}

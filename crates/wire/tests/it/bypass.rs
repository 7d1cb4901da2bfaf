//! Same dialect on both sides: what comes in goes out, but for what must change.

use bytes::Bytes;
use serde_json::Value;
use stepwell_types::{CallId, Code, Dialect, Failure, Timestamp};
use stepwell_wire::{Asked, Edits, Quirks, codec};

use crate::fixtures::{Fixture, Kind, of_kind};

/// What the path says, in a dialect that says it there.
const ASKED: Asked<'static> = Asked { model: Some("m\"x"), stream: false };

fn tapped(fixture: &Fixture, withhold_usage: bool) -> String {
    let mut pipe = codec(fixture.dialect).tap(withhold_usage);
    let mut out = Vec::new();
    pipe.push(Bytes::copy_from_slice(&fixture.bytes), &mut out).unwrap();
    pipe.end(&mut out);
    String::from_utf8(out.concat()).unwrap()
}

#[test]
fn a_request_without_edits_passes_byte_for_byte() {
    for fixture in of_kind(Kind::Request) {
        let codec = codec(fixture.dialect);
        let head = codec.head(&fixture.bytes, &ASKED).unwrap();
        let same = codec.edit_request(&fixture.bytes, &head, &Edits::default(), Quirks::default());
        assert_eq!(same, fixture.bytes, "{}", fixture.name());
    }
}

#[test]
fn an_edit_changes_the_fields_it_names_and_no_other() {
    for fixture in of_kind(Kind::Request) {
        let codec = codec(fixture.dialect);
        let head = codec.head(&fixture.bytes, &ASKED).unwrap();
        let edits = Edits { model: Some("m\"x"), include_usage: true, max_output_tokens: Some(77) };
        let edited = codec.edit_request(&fixture.bytes, &head, &edits, Quirks::default());
        let again = codec.head(&edited, &ASKED).unwrap();
        assert_eq!((&*again.model, again.max_output_tokens), ("m\"x", Some(77)), "{}", fixture.name());
        assert_eq!(again.include_usage, head.stream || head.include_usage);
        let fields = |body: &[u8]| {
            let mut value: Value = serde_json::from_slice(body).unwrap();
            for field in
                ["model", "max_tokens", "max_completion_tokens", "max_output_tokens", "stream_options"]
            {
                value.as_object_mut().unwrap().remove(field);
            }
            if let Some(config) = value.get_mut("generationConfig") {
                config.as_object_mut().unwrap().remove("maxOutputTokens");
            }
            if value.get("generationConfig") == Some(&Value::Object(serde_json::Map::new())) {
                value.as_object_mut().unwrap().remove("generationConfig");
            }
            value
        };
        assert_eq!(fields(&edited), fields(&fixture.bytes), "{}", fixture.name());
    }
}

#[test]
fn a_stream_passes_byte_for_byte_up_to_its_end_or_its_error() {
    for fixture in of_kind(Kind::Stream) {
        let stream = std::str::from_utf8(&fixture.bytes).unwrap();
        let passed = tapped(&fixture, false);
        assert!(stream.starts_with(&passed), "{}", fixture.name());
        let whole = match fixture.case.as_str() {
            "cut" => passed.len() == stream.len(),
            "overloaded" | "early_error" => false,
            _ => true,
        };
        assert_eq!(passed.len() == stream.len(), whole, "{}", fixture.name());
    }
}

#[test]
fn usage_that_was_forced_is_withheld_and_nothing_else() {
    for fixture in of_kind(Kind::Stream) {
        let passed = tapped(&fixture, false);
        let is_extra = |event: &&str| {
            fixture.dialect == Dialect::OpenaiChat
                && event.contains("\"choices\":[]")
                && event.contains("\"usage\":{")
        };
        let events = |text: &str| -> Vec<String> {
            let end = if text.contains("\r\n") { "\r\n\r\n" } else { "\n\n" };
            text.split_inclusive(end).filter(|event| !is_extra(event)).map(str::to_owned).collect()
        };
        assert_eq!(tapped(&fixture, true), events(&passed).concat(), "{}", fixture.name());
    }
}

#[test]
fn an_error_that_breaks_a_stream_is_one_the_same_dialect_reads() {
    let failure = Failure::new(Code::UpstreamOverloaded, "too \"busy\"");
    let call = CallId::first_at(Timestamp::from_micros(0));
    for dialect in Dialect::ALL {
        let event = codec(dialect).write_stream_error(&failure, call);
        let mut pipe = codec(dialect).tap(false);
        let mut out = Vec::new();
        pipe.push(Bytes::from(event), &mut out).unwrap();
        let error = pipe.facts().error.clone().expect("it is an error");
        assert_eq!(error.message, failure.message);
        assert!(!pipe.facts().terminal, "a broken stream has no terminal event");
        assert!(out.is_empty());
    }
}

/// Where an error says which call it is of.
fn call_field(dialect: Dialect) -> &'static str {
    if dialect == Dialect::Cohere { "id" } else { "call_id" }
}

#[test]
fn an_error_answer_says_code_call_and_docs_in_every_dialect() {
    let call = CallId::first_at(Timestamp::from_micros(0));
    for dialect in Dialect::ALL {
        for code in Code::ALL {
            let failure = Failure::new(*code, "what happened").param("messages[0]").detail("secret");
            let body = codec(dialect).write_error(&failure, Some(call));
            let value: Value = serde_json::from_slice(&body).unwrap();
            let error = if dialect == Dialect::Cohere { &value } else { &value["error"] };
            assert_eq!(error["message"], "what happened", "{dialect} {code}");
            let ours = if dialect == Dialect::Gemini { &error["details"][0]["metadata"] } else { error };
            assert_eq!(ours["code"], code.as_str());
            assert_eq!(ours[call_field(dialect)], call.to_string());
            assert_eq!(ours["docs"], format!("docs/errors.md#{code}"));
            assert!(!String::from_utf8(body).unwrap().contains("secret"));
        }
    }
}

#[test]
fn an_error_answer_without_a_call_names_none() {
    let failure = Failure::new(Code::NotFound, "there is nothing here");
    for dialect in Dialect::ALL {
        let body = codec(dialect).write_error(&failure, None);
        let value: Value = serde_json::from_slice(&body).unwrap();
        let error = if dialect == Dialect::Cohere { &value } else { &value["error"] };
        let error = error.as_object().unwrap();
        if dialect == Dialect::Gemini {
            // Its metadata holds texts only.
            assert_eq!(error["details"][0]["metadata"].get("call_id"), None);
        } else {
            assert_eq!(error.get(call_field(dialect)), Some(&Value::Null), "{dialect}");
        }
        let outside = value.get("request_id");
        assert_eq!(outside, (dialect == Dialect::Anthropic).then_some(&Value::Null), "{dialect}");
    }
}

#[test]
fn tokens_and_models_are_said_in_the_dialects_own_shape() {
    let models = [
        stepwell_wire::Listing { id: "chat", owner: "stepwell", created: 0 },
        stepwell_wire::Listing { id: "openai/gpt-5-mini", owner: "openai", created: 1_700_000_000 },
    ];
    for dialect in Dialect::ALL {
        let list: Value = serde_json::from_slice(&codec(dialect).write_models(&models)).unwrap();
        let one: Value = serde_json::from_slice(&codec(dialect).write_model(&models[1])).unwrap();
        let (models, id, first, tokens) = match dialect {
            Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Anthropic => {
                ("data", "id", "chat", "input_tokens")
            }
            Dialect::Gemini => ("models", "name", "models/chat", "totalTokens"),
            Dialect::Cohere => ("models", "name", "chat", "input_tokens"),
        };
        assert_eq!(list[models][1], one, "{dialect}");
        assert_eq!(list[models][0][id], first);
        let count: Value = serde_json::from_slice(&codec(dialect).write_token_count(42)).unwrap();
        assert_eq!(count[tokens], 42);
    }
}

//! What this dialect does that no fixture shows.

use std::borrow::Cow;

use super::Gemini;
use crate::chat::{Chat, Part, Role, Turn};
use crate::{Codec, Edits, Quirks};

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

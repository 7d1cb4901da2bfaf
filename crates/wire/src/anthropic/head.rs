//! What the gateway must know of a request, found by one scan of the body's top level, and the splices that change it.

use std::ops::Range;
use std::sync::Arc;

use memchr::memrchr;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use stepwell_types::Code;

use crate::json::{Text, raw_or_null, read as read_json, span, splice};
use crate::{Edits, Error, Head, Quirks};

/// The fields that are acted on, and those that may come once only all the same.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Scan<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    messages: Option<IgnoredAny>,
    system: Option<IgnoredAny>,
    #[serde(borrow, deserialize_with = "raw_or_null")]
    max_tokens: Option<&'a RawValue>,
    stream: Option<bool>,
    tools: Option<Vec<IgnoredAny>>,
    #[serde(borrow)]
    metadata: Option<Person<'a>>,
    temperature: Option<IgnoredAny>,
    thinking: Option<IgnoredAny>,
    output_config: Option<IgnoredAny>,
}

/// `metadata`.
#[derive(Debug, Default, Deserialize)]
struct Person<'a> {
    #[serde(borrow)]
    user_id: Option<Text<'a>>,
}

/// Reads the head. Fields that are acted on may come once only: another reader might take the other one.
pub(super) fn read(body: &[u8]) -> Result<Head, Error> {
    let scan: Scan<'_> = read_json(body)?;
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Error::new(Code::InvalidRequest, "the body is not a JSON object"));
    }
    let model = scan.model.ok_or_else(|| Error::at(Code::InvalidRequest, "model", "model is missing"))?;
    let name: Text<'_> = serde_json::from_str(model.get())
        .map_err(|_| Error::at(Code::InvalidRequest, "model", "model must be a string"))?;
    let limit = scan.max_tokens;
    let max_output_tokens = limit
        .filter(|limit| limit.get() != "null")
        .map(|limit| limit.get().parse::<u64>())
        .transpose()
        .map_err(|_| Error::at(Code::InvalidRequest, "max_tokens", "max_tokens must be a whole number"))?;
    let user = scan.metadata.and_then(|metadata| metadata.user_id);
    Ok(Head {
        model: Arc::from(&*name.0),
        model_span: span(body, model).unwrap_or_default(),
        stream: scan.stream.unwrap_or(false),
        max_output_tokens,
        max_output_tokens_span: limit.and_then(|limit| span(body, limit)),
        alternatives: 1,
        has_tools: scan.tools.is_some_and(|tools| !tools.is_empty()),
        user: user.map(|user| Arc::from(&*user.0)),
        tags: Vec::new(),
        include_usage: true,
        stream_options_span: None,
    })
}

/// The body with the model and the limit spliced in. A limit that was not there is added behind the model.
pub(super) fn edit(body: &[u8], head: &Head, edits: &Edits<'_>, quirks: Quirks) -> Vec<u8> {
    let mut model = Vec::new();
    let limit;
    let mut changes: Vec<(Range<usize>, &[u8])> = Vec::with_capacity(2);
    let mut anchor = head.model_span.end;
    if let Some(version) = quirks.version_in_body {
        if let Some(own) = own_version(body) {
            crate::json::string(&mut model, version);
            anchor = own.end;
            changes.push((own, &model));
            changes.push((with_comma(body, member(body, &head.model_span)), b""));
        } else {
            crate::json::string(&mut model, "anthropic_version");
            model.push(b':');
            crate::json::string(&mut model, version);
            changes.push((member(body, &head.model_span), &model));
        }
    } else if let Some(name) = edits.model.filter(|name| *name != &*head.model) {
        crate::json::string(&mut model, name);
        changes.push((head.model_span.clone(), &model));
    }
    if let Some(most) = edits.max_output_tokens.filter(|most| Some(*most) != head.max_output_tokens) {
        let place = if let Some(span) = &head.max_output_tokens_span {
            limit = most.to_string();
            span.clone()
        } else {
            limit = format!(",\"max_tokens\":{most}");
            anchor..anchor
        };
        changes.push((place, limit.as_bytes()));
    }
    splice(body, &mut changes)
}

/// Where the body has a version already, as Anthropic's client for Vertex AI writes it.
fn own_version(body: &[u8]) -> Option<Range<usize>> {
    #[derive(Deserialize)]
    struct Version<'a> {
        #[serde(borrow)]
        anthropic_version: Option<&'a RawValue>,
    }
    let read: Version<'_> = serde_json::from_slice(body).ok()?;
    span(body, read.anthropic_version?)
}

/// A member and the comma that goes with it. The object has another member, so there is one.
fn with_comma(body: &[u8], member: Range<usize>) -> Range<usize> {
    let after = body.get(member.end..).unwrap_or_default();
    let blank = after.len() - after.trim_ascii_start().len();
    if after.trim_ascii_start().starts_with(b",") {
        return member.start..member.end + blank + 1;
    }
    let before = body.get(..member.start).unwrap_or_default().trim_ascii_end();
    match before.strip_suffix(b",") {
        Some(before) => before.len()..member.end,
        None => member,
    }
}

/// The whole member of the object that a value stands in, its key included.
fn member(body: &[u8], value: &Range<usize>) -> Range<usize> {
    let before = body.get(..value.start).unwrap_or_default().trim_ascii_end();
    let key = before.strip_suffix(b":").unwrap_or(before).trim_ascii_end();
    // A key that reads `model` holds no quote, however it is escaped.
    let start = key.strip_suffix(b"\"").and_then(|key| memrchr(b'"', key));
    start.unwrap_or(value.start)..value.end
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{ "max_tokens" : 1024, "x":{"model":"no"}, "model": "cl\u0061ude","stream":true,
        "metadata":{"user_id":"u1","z":[]}, "tools":[{}],"messages":[{"role":"user","content":"hi"}] }"#;

    #[test]
    fn the_top_level_alone_is_read() {
        let head = read(BODY.as_bytes()).unwrap();
        assert_eq!(&*head.model, "claude");
        assert_eq!(&BODY[head.model_span.clone()], r#""cl\u0061ude""#);
        assert_eq!(
            (head.stream, head.has_tools, head.include_usage, head.alternatives),
            (true, true, true, 1)
        );
        assert_eq!(head.max_output_tokens, Some(1024));
        assert_eq!(head.user.as_deref(), Some("u1"));
    }

    #[test]
    fn an_edit_touches_its_spans_only() {
        let head = read(BODY.as_bytes()).unwrap();
        let same = Edits { model: Some("claude"), max_output_tokens: Some(1024), include_usage: true };
        assert_eq!(edit(BODY.as_bytes(), &head, &same, Quirks::default()), BODY.as_bytes());
        let edits = Edits { model: Some("a\"b"), max_output_tokens: Some(7), include_usage: true };
        let edited = String::from_utf8(edit(BODY.as_bytes(), &head, &edits, Quirks::default())).unwrap();
        let expected = BODY.replace(r#""cl\u0061ude""#, r#""a\"b""#).replace(": 1024", ": 7");
        assert_eq!(edited, expected);
    }

    #[test]
    fn a_limit_that_was_not_there_stands_behind_the_model() {
        let body = br#"{"model":"m"}"#;
        for null in [&body[..], br#"{"max_tokens":null,"model":"m"}"#] {
            let head = read(null).unwrap();
            assert_eq!(head.max_output_tokens, None);
        }
        let edits = Edits { max_output_tokens: Some(9), ..Edits::default() };
        assert_eq!(
            edit(body, &read(body).unwrap(), &edits, Quirks::default()),
            br#"{"model":"m","max_tokens":9}"#
        );
        let null = br#"{"max_tokens":null,"model":"m"}"#;
        assert_eq!(
            edit(null, &read(null).unwrap(), &edits, Quirks::default()),
            br#"{"max_tokens":9,"model":"m"}"#
        );
    }

    #[test]
    fn a_version_takes_the_place_of_the_model_where_the_path_has_that() {
        let quirks = Quirks { version_in_body: Some("v-1"), ..Quirks::default() };
        let edits = Edits { model: Some("claude@1"), max_output_tokens: Some(9), ..Edits::default() };
        for (body, expected) in [
            (r#"{"model":"m","messages":[]}"#, r#"{"anthropic_version":"v-1","max_tokens":9,"messages":[]}"#),
            (
                r#"{"anthropic_version":"vertex-0","model":"m","max_tokens":1}"#,
                r#"{"anthropic_version":"v-1","max_tokens":9}"#,
            ),
            (
                r#"{"model":"m","anthropic_version":"vertex-0"}"#,
                r#"{"anthropic_version":"v-1","max_tokens":9}"#,
            ),
            (
                r#"{"max_tokens":1, "anthropic_version":"vertex-0" , "model":"m" }"#,
                r#"{"max_tokens":9, "anthropic_version":"v-1"  }"#,
            ),
            (
                r#"{"x":"\"model\": 1", "mod\u0065l" : "m" , "max_tokens":1}"#,
                r#"{"x":"\"model\": 1", "anthropic_version":"v-1" , "max_tokens":9}"#,
            ),
        ] {
            let head = read(body.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(edit(body.as_bytes(), &head, &edits, quirks)).unwrap(), expected);
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for (body, param) in [
            (r#"{"model":"a","model":"b"}"#, None),
            (r#"{"model":"a","mod\u0065l":"b"}"#, None),
            (r#"{"model":"a","messages":[],"messages":[]}"#, None),
            (r#"{"messages":[]}"#, Some("model")),
            (r#"{"model":3}"#, Some("model")),
            (r#"{"model":"a","max_tokens":1.5}"#, Some("max_tokens")),
            (r#"{"model":"a","max_tokens":-1}"#, Some("max_tokens")),
            (r#"{"model":"a","stream":1}"#, Some("stream")),
            (r#"["a",[],null,1,false,[],{},1,1,1]"#, None),
        ] {
            let error = read(body.as_bytes()).unwrap_err();
            assert_eq!(error.code, Code::InvalidRequest, "{body}");
            if param.is_some() {
                assert_eq!(error.param.as_deref(), param, "{body}");
            }
        }
        for body in ["", "[", r#"{"model":"a"} {}"#, r#"{"model":"a",}"#] {
            assert_eq!(read(body.as_bytes()).unwrap_err().code, Code::InvalidJson, "{body}");
        }
    }
}

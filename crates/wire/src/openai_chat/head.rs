//! What the gateway must know of a request, found by one scan of the body's top level, and the splices that change it.

use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use stepwell_types::Code;

use crate::json::{Text, raw_or_null, read as read_json, span, splice};
use crate::openai::tags;
use crate::{Edits, Error, Head, Quirks};

/// The fields that are acted on. A null is kept, so that its span can be written over.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Scan<'a> {
    #[serde(borrow, deserialize_with = "raw_or_null")]
    model: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "raw_or_null")]
    max_completion_tokens: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "raw_or_null")]
    max_tokens: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "raw_or_null")]
    stream_options: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "raw_or_null")]
    metadata: Option<&'a RawValue>,
    stream: Option<bool>,
    n: Option<u32>,
    tools: Option<Vec<IgnoredAny>>,
    functions: Option<Vec<IgnoredAny>>,
    #[serde(borrow)]
    user: Option<Text<'a>>,
    #[serde(borrow)]
    safety_identifier: Option<Text<'a>>,
}

/// `stream_options`, as far as it is acted on.
#[derive(Deserialize, Default)]
#[serde(default)]
struct StreamOptions<'a> {
    #[serde(borrow, deserialize_with = "raw_or_null")]
    include_usage: Option<&'a RawValue>,
}

/// Reads the head. Fields that are acted on may come once only: another reader might take the other one.
pub(super) fn read(body: &[u8]) -> Result<Head, Error> {
    let scan: Scan<'_> = read_json(body)?;
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Error::new(Code::InvalidRequest, "the body is not a JSON object"));
    }
    let model = scan.model.ok_or_else(|| Error::at(Code::InvalidRequest, "model", "model is missing"))?;
    let name: Text<'_> = serde_json::from_str(model.get()).map_err(|_| wrong("model", "a string"))?;
    let (max_output_tokens, limit) = limit(scan.max_completion_tokens, scan.max_tokens)?;
    let include_usage = match scan.stream_options {
        Some(options) => asks_for_usage(options)?,
        None => false,
    };
    let user = scan.user.or(scan.safety_identifier);
    let some = |list: Option<Vec<IgnoredAny>>| list.is_some_and(|list| !list.is_empty());
    Ok(Head {
        model: Arc::from(&*name.0),
        model_span: span(body, model).unwrap_or_default(),
        stream: scan.stream.unwrap_or(false),
        max_output_tokens,
        max_output_tokens_span: limit.and_then(|limit| span(body, limit)),
        alternatives: scan.n.unwrap_or(1).max(1),
        has_tools: some(scan.tools) || some(scan.functions),
        user: user.map(|user| Arc::from(&*user.0)),
        tags: scan.metadata.map(tags).unwrap_or_default(),
        include_usage,
        stream_options_span: scan.stream_options.and_then(|options| span(body, options)),
    })
}

fn wrong(field: &str, kind: &str) -> Error {
    Error::at(Code::InvalidRequest, field, format!("{field} must be {kind}"))
}

/// The limit on output tokens, and the value that says it. OpenAI takes one of the two names only; which of two
/// limits another provider would follow is not known, so both together are refused.
fn limit<'a>(
    current: Option<&'a RawValue>,
    former: Option<&'a RawValue>,
) -> Result<(Option<u64>, Option<&'a RawValue>), Error> {
    let number = |field: &str, raw: Option<&RawValue>| match raw.map(RawValue::get) {
        None | Some("null") => Ok(None),
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| wrong(field, "a whole number")),
    };
    match (number("max_completion_tokens", current)?, number("max_tokens", former)?) {
        (Some(_), Some(_)) => Err(Error::at(
            Code::InvalidRequest,
            "max_tokens",
            "max_tokens and max_completion_tokens cannot both be set",
        )),
        (Some(limit), None) => Ok((Some(limit), current)),
        (None, Some(limit)) => Ok((Some(limit), former)),
        (None, None) => Ok((None, current.or(former))),
    }
}

fn asks_for_usage(options: &RawValue) -> Result<bool, Error> {
    if options.get() == "null" {
        return Ok(false);
    }
    let object = options.get().starts_with('{');
    let options: StreamOptions<'_> = serde_json::from_str(options.get())
        .ok()
        .filter(|_| object)
        .ok_or_else(|| wrong("stream_options", "an object"))?;
    match options.include_usage.map(RawValue::get) {
        Some("true") => Ok(true),
        None | Some("false" | "null") => Ok(false),
        Some(_) => Err(wrong("stream_options.include_usage", "true or false")),
    }
}

/// The body with the edits spliced in. What was not there is added behind the model.
pub(super) fn edit(body: &[u8], head: &Head, edits: &Edits<'_>, quirks: Quirks) -> Vec<u8> {
    let after_model = head.model_span.end..head.model_span.end;
    let mut changes: Vec<(Range<usize>, Vec<u8>)> = Vec::new();
    if let Some(model) = edits.model.filter(|model| **model != *head.model) {
        let mut name = Vec::with_capacity(model.len() + 2);
        crate::json::string(&mut name, model);
        changes.push((head.model_span.clone(), name));
    }
    if let Some(limit) = edits.max_output_tokens.filter(|limit| Some(*limit) != head.max_output_tokens) {
        changes.push(if let Some(span) = &head.max_output_tokens_span {
            (span.clone(), limit.to_string().into_bytes())
        } else {
            let name = if quirks.max_tokens_only { "max_tokens" } else { "max_completion_tokens" };
            (after_model.clone(), format!(",\"{name}\":{limit}").into_bytes())
        });
    }
    if edits.include_usage && head.stream && !head.include_usage {
        changes.push(match &head.stream_options_span {
            Some(span) => with_usage(body, span),
            None => (after_model, br#","stream_options":{"include_usage":true}"#.to_vec()),
        });
    }
    let mut changes: Vec<_> = changes.iter().map(|(range, with)| (range.clone(), with.as_slice())).collect();
    splice(body, &mut changes)
}

/// The change that makes the `stream_options` at `at` ask for usage.
fn with_usage(body: &[u8], at: &Range<usize>) -> (Range<usize>, Vec<u8>) {
    let options = body.get(at.clone()).unwrap_or_default();
    let inner = options.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    let read = serde_json::from_slice::<StreamOptions<'_>>(options).unwrap_or_default();
    match (inner, read.include_usage.and_then(|value| span(options, value))) {
        (Some(_), Some(value)) => (at.start + value.start..at.start + value.end, b"true".to_vec()),
        (Some([b'}', ..]), None) => (at.start + 1..at.start + 1, br#""include_usage":true"#.to_vec()),
        (Some(_), None) => (at.start + 1..at.start + 1, br#""include_usage":true,"#.to_vec()),
        (None, _) => (at.clone(), br#"{"include_usage":true}"#.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(body: &str, edits: &Edits<'_>) -> String {
        let body = body.as_bytes();
        String::from_utf8(edit(body, &read(body).unwrap(), edits, Quirks::default())).unwrap()
    }

    #[test]
    fn the_head_is_what_the_top_level_says() {
        let body = br#"{"messages":[{"role":"user","content":"\"model\":\"x\""}],
            "m\u006fdel": "gpt-5-mini", "n":2,"stream":true,"max_tokens":99,
            "tools":[{}],"user":"u1","safety_identifier":"s","metadata":{"b":"2","a":"1"},
            "stream_options":{"include_usage":true}}"#;
        let head = read(body).unwrap();
        assert_eq!(&*head.model, "gpt-5-mini");
        assert_eq!(&body[head.model_span.clone()], b"\"gpt-5-mini\"");
        assert_eq!(head.max_output_tokens, Some(99));
        assert_eq!(&body[head.max_output_tokens_span.clone().unwrap()], b"99");
        assert!(head.stream && head.has_tools && head.include_usage);
        assert_eq!((head.alternatives, head.user.as_deref()), (2, Some("u1")));
        let tags: Vec<_> = head.tags.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(tags, [("a", "1"), ("b", "2")]);
    }

    #[test]
    fn an_edit_touches_its_spans_only() {
        let body = r#"{ "z" : 1.0,"model" : "chat" , "max_tokens": 9,"stream":true, "q":{"model":"x"}}"#;
        assert_eq!(edited(body, &Edits::default()), body);
        let edits = Edits { model: Some("gpt-5\"x"), include_usage: true, max_output_tokens: Some(5) };
        assert_eq!(
            edited(body, &edits),
            r#"{ "z" : 1.0,"model" : "gpt-5\"x","stream_options":{"include_usage":true} , "max_tokens": 5,"stream":true, "q":{"model":"x"}}"#
        );
    }

    #[test]
    fn a_limit_is_added_under_the_name_the_provider_knows() {
        let body = br#"{"model":"chat"}"#;
        let head = read(body).unwrap();
        let edits = Edits { max_output_tokens: Some(5), ..Edits::default() };
        for (max_tokens_only, name) in [(false, "max_completion_tokens"), (true, "max_tokens")] {
            let quirks = Quirks { max_tokens_only, ..Quirks::default() };
            let edited = String::from_utf8(edit(body, &head, &edits, quirks)).unwrap();
            assert_eq!(edited, format!(r#"{{"model":"chat","{name}":5}}"#));
        }
    }

    #[test]
    fn usage_is_forced_whatever_stream_options_say() {
        let usage = Edits { include_usage: true, ..Edits::default() };
        for (options, expected) in [
            ("null", r#"{"include_usage":true}"#),
            ("{ }", r#"{"include_usage":true }"#),
            (r#"{"include_obfuscation":false}"#, r#"{"include_usage":true,"include_obfuscation":false}"#),
            (r#"{"include_usage": false, "x":1}"#, r#"{"include_usage": true, "x":1}"#),
            (r#"{"include_usage":null}"#, r#"{"include_usage":true}"#),
            (r#"{"include_usage":true}"#, r#"{"include_usage":true}"#),
        ] {
            let body = format!(r#"{{"model":"m","stream":true,"stream_options":{options}}}"#);
            let expected = format!(r#"{{"model":"m","stream":true,"stream_options":{expected}}}"#);
            assert_eq!(edited(&body, &usage), expected);
        }
        let whole = r#"{"model":"m","stream":false}"#;
        assert_eq!(edited(whole, &usage), whole, "a reply that is not streamed always has its usage");
    }

    #[test]
    fn a_limit_that_is_null_or_absent_is_added() {
        let limit = Edits { max_output_tokens: Some(7), ..Edits::default() };
        assert_eq!(edited(r#"{"model":"m","max_tokens":null}"#, &limit), r#"{"model":"m","max_tokens":7}"#);
        assert_eq!(edited(r#"{"model":"m"}"#, &limit), r#"{"model":"m","max_completion_tokens":7}"#);
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for (body, code) in [
            (r#"{"model":"a","model":"b"}"#, Code::InvalidRequest),
            (r#"{"model":"a","mode\u006c":"b"}"#, Code::InvalidRequest),
            (r#"{"model":"a","max_tokens":1,"max_completion_tokens":9}"#, Code::InvalidRequest),
            (r#"{"model":"a","stream":true,"stream":false}"#, Code::InvalidRequest),
            (r#"{"model":"a"} {"model":"b"}"#, Code::InvalidJson),
            (
                r#"{"model":"a","stream_options":{"include_usage":true,"include_usage":false}}"#,
                Code::InvalidRequest,
            ),
            (r#"{"model":7}"#, Code::InvalidRequest),
            (r#"{"model":"a","max_tokens":-1}"#, Code::InvalidRequest),
            (r#"{"model":"a","stream":"yes"}"#, Code::InvalidRequest),
            (r#"{"messages":[]}"#, Code::InvalidRequest),
            (r#"["model"]"#, Code::InvalidRequest),
        ] {
            assert_eq!(read(body.as_bytes()).unwrap_err().code, code, "{body}");
        }
    }
}

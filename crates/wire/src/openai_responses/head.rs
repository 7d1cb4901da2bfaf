//! What the gateway must know of a request, found by one scan of the body's top level, and the splices that change it.

use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use stepwell_types::Code;

use crate::json::{Text, raw_or_null, read as read_json, span, splice, string};
use crate::openai::tags;
use crate::{Edits, Error, Head};

/// The fields that are acted on. A null is kept, so that its span can be written over.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Scan<'a> {
    #[serde(borrow, deserialize_with = "raw_or_null")]
    model: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "raw_or_null")]
    max_output_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    stream: Option<bool>,
    tools: Option<Vec<IgnoredAny>>,
    #[serde(borrow)]
    user: Option<Text<'a>>,
    #[serde(borrow)]
    safety_identifier: Option<Text<'a>>,
    store: Option<bool>,
    background: Option<bool>,
    previous_response_id: Option<IgnoredAny>,
    conversation: Option<IgnoredAny>,
}

/// Reads the head. Fields that are acted on may come once only: another reader might take the other one.
pub(super) fn read(body: &[u8]) -> Result<Head, Error> {
    let scan: Scan<'_> = read_json(body)?;
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Error::new(Code::InvalidRequest, "the body is not a JSON object"));
    }
    without_state(&scan)?;
    let model = scan.model.ok_or_else(|| Error::at(Code::InvalidRequest, "model", "model is missing"))?;
    let wrong =
        |field: &str, kind: &str| Error::at(Code::InvalidRequest, field, format!("{field} must be {kind}"));
    let name: Text<'_> = serde_json::from_str(model.get()).map_err(|_| wrong("model", "a string"))?;
    let limit = scan.max_output_tokens;
    let max_output_tokens = match limit.map(RawValue::get) {
        None | Some("null") => None,
        Some(text) => Some(text.parse::<u64>().map_err(|_| wrong("max_output_tokens", "a whole number"))?),
    };
    let user = scan.user.or(scan.safety_identifier);
    Ok(Head {
        model: Arc::from(&*name.0),
        model_span: span(body, model).unwrap_or_default(),
        stream: scan.stream.unwrap_or(false),
        max_output_tokens,
        max_output_tokens_span: limit.and_then(|limit| span(body, limit)),
        alternatives: 1,
        has_tools: scan.tools.is_some_and(|tools| !tools.is_empty()),
        user: user.map(|user| Arc::from(&*user.0)),
        tags: scan.metadata.map(tags).unwrap_or_default(),
        include_usage: true,
        stream_options_span: None,
    })
}

/// Refuses what would need a reply to be kept beyond its call.
fn without_state(scan: &Scan<'_>) -> Result<(), Error> {
    let refused = [
        ("store", scan.store == Some(true), "leave it out, or set it to false"),
        ("background", scan.background == Some(true), "leave it out, or set it to false"),
        ("previous_response_id", scan.previous_response_id.is_some(), "send the whole conversation as input"),
        ("conversation", scan.conversation.is_some(), "send the whole conversation as input"),
    ];
    match refused.into_iter().find(|(_, asked, _)| *asked) {
        None => Ok(()),
        Some((field, _, remedy)) => {
            let message = format!("{field}: responses are not kept, so none can be gone back to. {remedy}");
            Err(Error::at(Code::UnsupportedParameter, field, message))
        }
    }
}

/// The body with the edits spliced in. What was not there is added behind the model.
pub(super) fn edit(body: &[u8], head: &Head, edits: &Edits<'_>) -> Vec<u8> {
    let after_model = head.model_span.end..head.model_span.end;
    let mut changes: Vec<(Range<usize>, Vec<u8>)> = Vec::new();
    if let Some(model) = edits.model.filter(|model| **model != *head.model) {
        let mut name = Vec::with_capacity(model.len() + 2);
        string(&mut name, model);
        changes.push((head.model_span.clone(), name));
    }
    if let Some(limit) = edits.max_output_tokens.filter(|limit| Some(*limit) != head.max_output_tokens) {
        changes.push(match &head.max_output_tokens_span {
            Some(span) => (span.clone(), limit.to_string().into_bytes()),
            None => (after_model, format!(",\"max_output_tokens\":{limit}").into_bytes()),
        });
    }
    let mut changes: Vec<_> = changes.iter().map(|(range, with)| (range.clone(), with.as_slice())).collect();
    splice(body, &mut changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_what_the_top_level_says() {
        let body = br#"{"input":[{"role":"user","content":"\"model\":\"x\""}],
            "m\u006fdel": "gpt-5-mini","stream":true,"max_output_tokens":99,"store":false,"conversation":null,
            "tools":[{}],"safety_identifier":"s","metadata":{"b":"2","a":"1"}}"#;
        let head = read(body).unwrap();
        assert_eq!(&*head.model, "gpt-5-mini");
        assert_eq!(&body[head.model_span.clone()], b"\"gpt-5-mini\"");
        assert_eq!(head.max_output_tokens, Some(99));
        assert!(head.stream && head.has_tools && head.include_usage);
        assert_eq!((head.alternatives, head.user.as_deref()), (1, Some("s")));
        assert_eq!(head.tags.len(), 2);
    }

    #[test]
    fn an_edit_touches_its_spans_only() {
        for (body, expected) in [
            (
                r#"{ "z" : 1.0,"model" : "chat" , "max_output_tokens": 9, "q":{"model":"x"}}"#,
                r#"{ "z" : 1.0,"model" : "gpt-5\"x" , "max_output_tokens": 50, "q":{"model":"x"}}"#,
            ),
            (r#"{"model":"chat"}"#, r#"{"model":"gpt-5\"x","max_output_tokens":50}"#),
            (
                r#"{"model":"chat","max_output_tokens":null}"#,
                r#"{"model":"gpt-5\"x","max_output_tokens":50}"#,
            ),
        ] {
            let head = read(body.as_bytes()).unwrap();
            assert_eq!(edit(body.as_bytes(), &head, &Edits::default()), body.as_bytes());
            let edits = Edits { model: Some("gpt-5\"x"), include_usage: true, max_output_tokens: Some(50) };
            assert_eq!(String::from_utf8(edit(body.as_bytes(), &head, &edits)).unwrap(), expected);
        }
    }

    #[test]
    fn what_would_need_state_is_refused_by_its_name() {
        for (field, value) in [
            ("store", "true"),
            ("background", "true"),
            ("previous_response_id", "\"resp_1\""),
            ("conversation", "{\"id\":\"conv_1\"}"),
        ] {
            let error =
                read(format!(r#"{{"model":"m","input":"a","{field}":{value}}}"#).as_bytes()).unwrap_err();
            assert_eq!(error.code, Code::UnsupportedParameter, "{field}");
            assert_eq!(error.param.as_deref(), Some(field));
            let neutral = format!(r#"{{"model":"m","input":"a","{field}":null}}"#);
            assert!(read(neutral.as_bytes()).is_ok(), "{field}");
        }
    }
}

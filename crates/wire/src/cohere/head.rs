//! What the gateway must know of a request, found by one scan of the body's top level, and the splices that change it.

use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use stepwell_types::Code;

use crate::json::{Text, raw_or_null, read as read_json, span, splice};
use crate::{Edits, Error, Head};

/// The fields that are acted on. A null is kept, so that its span can be written over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Scan<'a> {
    #[serde(borrow, deserialize_with = "raw_or_null")]
    model: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "raw_or_null")]
    max_tokens: Option<&'a RawValue>,
    stream: Option<bool>,
    tools: Option<Vec<IgnoredAny>>,
}

/// Reads the head. Fields that are acted on may come once only: another reader might take the other one.
pub(super) fn read(body: &[u8]) -> Result<Head, Error> {
    let scan: Scan<'_> = read_json(body)?;
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Error::new(Code::InvalidRequest, "the body is not a JSON object"));
    }
    let model = scan.model.ok_or_else(|| Error::at(Code::InvalidRequest, "model", "model is missing"))?;
    let name: Text<'_> = serde_json::from_str(model.get()).map_err(|_| wrong("model", "a string"))?;
    let limit = scan.max_tokens;
    let said = limit.filter(|limit| limit.get() != "null");
    let max_output_tokens = said
        .map(|limit| limit.get().parse::<u64>())
        .transpose()
        .map_err(|_| wrong("max_tokens", "a whole number"))?;
    Ok(Head {
        model: Arc::from(&*name.0),
        model_span: span(body, model).unwrap_or_default(),
        stream: scan.stream.unwrap_or(false),
        max_output_tokens,
        max_output_tokens_span: limit.and_then(|limit| span(body, limit)),
        alternatives: 1,
        has_tools: scan.tools.is_some_and(|tools| !tools.is_empty()),
        user: None,
        tags: Vec::new(),
        include_usage: true,
        stream_options_span: None,
    })
}

fn wrong(field: &str, kind: &str) -> Error {
    Error::at(Code::InvalidRequest, field, format!("{field} must be {kind}"))
}

/// The body with the edits spliced in. A limit that was not there is added behind the model.
pub(super) fn edit(body: &[u8], head: &Head, edits: &Edits<'_>) -> Vec<u8> {
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
            let after_model = head.model_span.end..head.model_span.end;
            (after_model, format!(",\"max_tokens\":{limit}").into_bytes())
        });
    }
    let mut changes: Vec<_> = changes.iter().map(|(range, with)| (range.clone(), with.as_slice())).collect();
    splice(body, &mut changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(body: &str, edits: &Edits<'_>) -> String {
        let body = body.as_bytes();
        String::from_utf8(edit(body, &read(body).unwrap(), edits)).unwrap()
    }

    #[test]
    fn the_head_is_what_the_top_level_says() {
        let body = br#"{"messages":[{"role":"user","content":"\"model\":\"x\""}],
            "m\u006fdel": "command-a", "stream":true,"max_tokens":99,"tools":[{}]}"#;
        let head = read(body).unwrap();
        assert_eq!(&*head.model, "command-a");
        assert_eq!(&body[head.model_span.clone()], b"\"command-a\"");
        assert_eq!(&body[head.max_output_tokens_span.clone().unwrap()], b"99");
        assert!(head.stream && head.has_tools && head.include_usage);
        assert_eq!((head.max_output_tokens, head.alternatives), (Some(99), 1));
    }

    #[test]
    fn an_edit_touches_its_spans_only() {
        let body = r#"{ "z" : 1.0,"model" : "chat" , "max_tokens": 9, "q":{"model":"x"}}"#;
        assert_eq!(edited(body, &Edits::default()), body);
        let edits = Edits { model: Some("command\"x"), include_usage: true, max_output_tokens: Some(5) };
        assert_eq!(
            edited(body, &edits),
            r#"{ "z" : 1.0,"model" : "command\"x" , "max_tokens": 5, "q":{"model":"x"}}"#
        );
        let limit = Edits { max_output_tokens: Some(5), ..Edits::default() };
        assert_eq!(edited(r#"{"model":"chat"}"#, &limit), r#"{"model":"chat","max_tokens":5}"#);
        assert_eq!(
            edited(r#"{"max_tokens":null,"model":"chat"}"#, &limit),
            r#"{"max_tokens":5,"model":"chat"}"#
        );
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for (body, param) in [
            (r"{}", Some("model")),
            (r#"{"model":7}"#, Some("model")),
            (r#"{"model":"a","model":"b"}"#, None),
            (r#"{"model":"a","max_tokens":1.5}"#, Some("max_tokens")),
            (r#"{"model":"a","max_tokens":-1}"#, Some("max_tokens")),
            (r#"{"model":"a","stream":"yes"}"#, Some("stream")),
            (r"[]", None),
        ] {
            let error = read(body.as_bytes()).unwrap_err();
            assert_eq!(error.code, Code::InvalidRequest, "{body}");
            if param.is_some() {
                assert_eq!(error.param.as_deref(), param, "{body}");
            }
        }
        assert_eq!(read(b"{").unwrap_err().code, Code::InvalidJson);
    }
}

//! What the gateway must know of a request, found by one scan of the body, and the splice that changes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use stepwell_types::Code;

use crate::json::{Text, raw_or_null, read as read_json, span, splice};
use crate::{Asked, Edits, Error, Head};

/// The fields that are acted on, and those that may come once only all the same.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Scan<'a> {
    messages: Option<IgnoredAny>,
    system: Option<IgnoredAny>,
    #[serde(borrow, deserialize_with = "raw_or_null")]
    inference_config: Option<&'a RawValue>,
    tool_config: Option<Tools>,
    #[serde(borrow)]
    request_metadata: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tools {
    tools: Option<Vec<IgnoredAny>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config<'a> {
    #[serde(borrow, deserialize_with = "raw_or_null")]
    max_tokens: Option<&'a RawValue>,
}

/// Reads the head. Model and stream are what the path asks for.
pub(super) fn read(body: &[u8], asked: &Asked<'_>) -> Result<Head, Error> {
    let scan: Scan<'_> = read_json(body)?;
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Error::new(Code::InvalidRequest, "the body is not a JSON object"));
    }
    let model =
        asked.model.ok_or_else(|| Error::at(Code::InvalidRequest, "modelId", "the path names no model"))?;
    let limit = config(scan.inference_config)?.max_tokens;
    let said = limit.filter(|limit| limit.get() != "null");
    let max_output_tokens = said.map(|limit| limit.get().parse::<u64>()).transpose().map_err(|_| {
        let at = "inferenceConfig.maxTokens";
        Error::at(Code::InvalidRequest, at, format!("{at} must be a whole number"))
    })?;
    Ok(Head {
        model: Arc::from(model),
        model_span: 0..0,
        stream: asked.stream,
        max_output_tokens,
        max_output_tokens_span: limit.and_then(|limit| span(body, limit)),
        alternatives: 1,
        has_tools: scan.tool_config.and_then(|config| config.tools).is_some_and(|tools| !tools.is_empty()),
        user: None,
        tags: scan.request_metadata.map(tags).unwrap_or_default(),
        include_usage: true,
        stream_options_span: None,
    })
}

fn config(raw: Option<&RawValue>) -> Result<Config<'_>, Error> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Ok(Config::default()) };
    serde_json::from_str(raw.get()).map_err(|error| {
        let at = "inferenceConfig";
        Error::at(Code::InvalidRequest, at, format!("{at}: {error}"))
    })
}

/// `requestMetadata` where it is an object of strings; what else it may be is for the provider to judge.
fn tags(metadata: &RawValue) -> Vec<(Arc<str>, Arc<str>)> {
    let pairs: Result<BTreeMap<Text<'_>, Text<'_>>, _> = serde_json::from_str(metadata.get());
    pairs.unwrap_or_default().into_iter().map(|(name, value)| (name.0.into(), value.0.into())).collect()
}

/// The body with the limit spliced in.
pub(super) fn edit(body: &[u8], head: &Head, edits: &Edits<'_>) -> Vec<u8> {
    let Some(most) = edits.max_output_tokens.filter(|most| Some(*most) != head.max_output_tokens) else {
        return body.to_vec();
    };
    if let Some(limit) = &head.max_output_tokens_span {
        return splice(body, &mut [(limit.clone(), most.to_string().as_bytes())]);
    }
    let known = read_json::<Scan<'_>>(body).ok().and_then(|scan| scan.inference_config);
    let within = known.and_then(|config| Some((span(body, config)?, config.get())));
    let (place, added) = match within {
        Some((place, "null")) => (place, format!("{{\"maxTokens\":{most}}}")),
        Some((place, config)) => {
            let is_empty = config.trim_start_matches('{').trim_start().starts_with('}');
            let comma = if is_empty { "" } else { "," };
            (place.start + 1..place.start + 1, format!("\"maxTokens\":{most}{comma}"))
        }
        None => {
            let brace = body.iter().position(|byte| *byte == b'{').map_or(0, |brace| brace + 1);
            let is_empty = body.get(brace..).is_some_and(|rest| rest.trim_ascii_start().starts_with(b"}"));
            let comma = if is_empty { "" } else { "," };
            (brace..brace, format!("\"inferenceConfig\":{{\"maxTokens\":{most}}}{comma}"))
        }
    };
    splice(body, &mut [(place, added.as_bytes())])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked<'static> = Asked { model: Some("us.amazon.nova-pro-v1:0"), stream: true };

    #[test]
    fn model_and_stream_are_the_paths_and_the_rest_the_bodys() {
        let body = br#"{"messages":[],"inferenceConfig":{"maxTokens":7},"toolConfig":{"tools":[{}]},
            "requestMetadata":{"b":"2","a":"1"}}"#;
        let head = read(body, &ASKED).unwrap();
        assert_eq!((&*head.model, head.stream, head.has_tools), ("us.amazon.nova-pro-v1:0", true, true));
        assert_eq!(head.max_output_tokens, Some(7));
        assert!(head.model_span.is_empty());
        let tags: Vec<_> = head.tags.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(tags, [("a", "1"), ("b", "2")]);
        assert!(read(br#"{"requestMetadata":{"a":1}}"#, &ASKED).unwrap().tags.is_empty());
    }

    #[test]
    fn a_limit_is_put_where_it_belongs() {
        let edits = Edits { model: Some("other"), max_output_tokens: Some(9), include_usage: true };
        for (body, expected) in [
            (r#"{"messages":[]}"#, r#"{"inferenceConfig":{"maxTokens":9},"messages":[]}"#),
            (r"{ }", r#"{"inferenceConfig":{"maxTokens":9} }"#),
            (r#"{"inferenceConfig":null}"#, r#"{"inferenceConfig":{"maxTokens":9}}"#),
            (r#"{"inferenceConfig":{"maxTokens":null}}"#, r#"{"inferenceConfig":{"maxTokens":9}}"#),
            (r#"{"inferenceConfig":{}}"#, r#"{"inferenceConfig":{"maxTokens":9}}"#),
            (r#"{"inferenceConfig":{"topP":1}}"#, r#"{"inferenceConfig":{"maxTokens":9,"topP":1}}"#),
            (r#"{"inferenceConfig":{"maxTokens":70}}"#, r#"{"inferenceConfig":{"maxTokens":9}}"#),
            (r#"{"inferenceConfig":{"maxTokens":9}}"#, r#"{"inferenceConfig":{"maxTokens":9}}"#),
        ] {
            let head = read(body.as_bytes(), &ASKED).unwrap();
            let edited = edit(body.as_bytes(), &head, &edits);
            assert_eq!(String::from_utf8(edited).unwrap(), expected);
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for (body, param) in [
            (r#"{"messages":[],"messages":[]}"#, None),
            (r#"{"inferenceConfig":{"maxTokens":1},"inferenceConfig":{}}"#, None),
            (r#"{"inferenceConfig":{"maxTokens":1.5}}"#, Some("inferenceConfig.maxTokens")),
            (r#"{"inferenceConfig":7}"#, Some("inferenceConfig")),
            (r"[]", None),
        ] {
            let error = read(body.as_bytes(), &ASKED).unwrap_err();
            assert_eq!(error.code, Code::InvalidRequest, "{body}");
            if param.is_some() {
                assert_eq!(error.param.as_deref(), param, "{body}");
            }
        }
        assert_eq!(read(b"{", &ASKED).unwrap_err().code, Code::InvalidJson);
        assert_eq!(read(b"{}", &Asked::default()).unwrap_err().param.as_deref(), Some("modelId"));
    }
}

//! What the gateway must know of a request, found by one scan of the body's top level, and the splices that change it.

use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use stepwell_types::Code;

use crate::json::{Text, object, raw_or_null, read as read_json, span, splice};
use crate::{Edits, Error, Head};

object! {
    /// The fields of the body, each as it is written.
    struct TopLevel<'a> {}
}

/// The fields that are acted on.
const KNOWN: [&str; 5] = ["model", "messages", "stream", "options", "tools"];

#[derive(Default, Deserialize)]
#[serde(default)]
struct Options<'a> {
    #[serde(borrow, deserialize_with = "raw_or_null")]
    num_predict: Option<&'a RawValue>,
}

/// Reads the head.
pub(super) fn read(body: &[u8]) -> Result<Head, Error> {
    let fields: TopLevel<'_> = read_json(body)?;
    let [model, messages, stream, options, tools] = KNOWN.map(|name| field(&fields, name));
    let model = model?.ok_or_else(|| Error::at(Code::InvalidRequest, "model", "model is missing"))?;
    let name: Text<'_> = serde_json::from_str(model.get()).map_err(|_| wrong("model", "a string"))?;
    let stream = match stream?.map(RawValue::get) {
        // Ollama streams unless told not to.
        None | Some("null" | "true") => true,
        Some("false") => false,
        Some(_) => return Err(wrong("stream", "true or false")),
    };
    let (messages, tools) = (items("messages", messages?)?, items("tools", tools?)?);
    let limit = options_of(options?)?.num_predict;
    let max_output_tokens = match limit.map(RawValue::get) {
        None | Some("null") => None,
        // Below 0 it is no limit, or as much as the context holds.
        Some(limit) => {
            u64::try_from(limit.parse::<i64>().map_err(|_| wrong("options.num_predict", "a whole number"))?)
                .ok()
        }
    };
    Ok(Head {
        model: Arc::from(&*name.0),
        model_span: span(body, model).unwrap_or_default(),
        // Without messages a model is loaded or unloaded, which is answered in one piece whatever is asked for.
        stream: stream && messages > 0,
        max_output_tokens,
        max_output_tokens_span: limit.and_then(|limit| span(body, limit)),
        alternatives: 1,
        has_tools: tools > 0,
        user: None,
        tags: Vec::new(),
        include_usage: true,
        stream_options_span: None,
    })
}

/// The one field of this name. Ollama's server knows its fields in any case and takes the last of those that come twice:
/// it would act on another than was checked here.
fn field<'a>(fields: &TopLevel<'a>, name: &str) -> Result<Option<&'a RawValue>, Error> {
    // What Go's folding of letters adds to ASCII: <https://pkg.go.dev/encoding/json#Unmarshal>.
    let folded = |letter: char| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        letter => letter.to_ascii_lowercase(),
    };
    let mut found = fields.extra.iter().filter(|(key, _)| key.chars().map(folded).eq(name.chars()));
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some((key, value)), None) if key == name => Ok(Some(value)),
        (Some((key, _)), None) => {
            let message = format!("{key} is not a field: it is written {name}");
            Err(Error::at(Code::InvalidRequest, name, message))
        }
        (Some(_), Some(_)) => {
            Err(Error::at(Code::InvalidRequest, name, format!("{name} comes more than once")))
        }
    }
}

fn wrong(field: &str, kind: &str) -> Error {
    Error::at(Code::InvalidRequest, field, format!("{field} must be {kind}"))
}

/// How many items a list has; none where there is no list.
fn items(field: &str, raw: Option<&RawValue>) -> Result<usize, Error> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Ok(0) };
    let items: Vec<IgnoredAny> = serde_json::from_str(raw.get()).map_err(|_| wrong(field, "an array"))?;
    Ok(items.len())
}

fn options_of(raw: Option<&RawValue>) -> Result<Options<'_>, Error> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Ok(Options::default()) };
    if !raw.get().starts_with('{') {
        return Err(wrong("options", "an object"));
    }
    serde_json::from_str(raw.get())
        .map_err(|error| Error::at(Code::InvalidRequest, "options", format!("options: {error}")))
}

/// The body with the edits spliced in. What was not there is added behind the model.
pub(super) fn edit(body: &[u8], head: &Head, edits: &Edits<'_>) -> Vec<u8> {
    let mut changes: Vec<(Range<usize>, Vec<u8>)> = Vec::new();
    if let Some(model) = edits.model.filter(|model| **model != *head.model) {
        let mut name = Vec::with_capacity(model.len() + 2);
        crate::json::string(&mut name, model);
        changes.push((head.model_span.clone(), name));
    }
    if let Some(limit) = edits.max_output_tokens.filter(|limit| Some(*limit) != head.max_output_tokens) {
        changes.push(match &head.max_output_tokens_span {
            Some(place) => (place.clone(), limit.to_string().into_bytes()),
            None => with_limit(body, head, limit),
        });
    }
    let mut changes: Vec<_> = changes.iter().map(|(range, with)| (range.clone(), with.as_slice())).collect();
    splice(body, &mut changes)
}

/// The change that adds a limit to a body that has none.
fn with_limit(body: &[u8], head: &Head, limit: u64) -> (Range<usize>, Vec<u8>) {
    let fields = read_json::<TopLevel<'_>>(body).unwrap_or_default();
    let options = field(&fields, "options").ok().flatten();
    let (place, added) = match options.and_then(|options| Some((span(body, options)?, options.get()))) {
        Some((place, "null")) => (place, format!("{{\"num_predict\":{limit}}}")),
        Some((place, options)) => {
            let is_empty = options.trim_start_matches('{').trim_start().starts_with('}');
            let comma = if is_empty { "" } else { "," };
            (place.start + 1..place.start + 1, format!("\"num_predict\":{limit}{comma}"))
        }
        None => {
            let behind = head.model_span.end;
            (behind..behind, format!(",\"options\":{{\"num_predict\":{limit}}}"))
        }
    };
    (place, added.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_asked_for_unless_the_body_says_otherwise() {
        for (said, stream) in [
            (r#","messages":[{}]"#, true),
            (r#","messages":[{}],"stream":null"#, true),
            (r#","messages":[{}],"stream":false"#, false),
            // A model is loaded or unloaded, in one piece.
            ("", false),
            (r#","messages":[],"stream":true"#, false),
        ] {
            assert_eq!(
                read(format!(r#"{{"model":"m"{said}}}"#).as_bytes()).unwrap().stream,
                stream,
                "{said}"
            );
        }
    }

    #[test]
    fn the_head_is_what_the_top_level_and_the_options_say() {
        let body = br#"{"messages":[{"model":"x"}],"m\u006fdel":"llama3.2:latest","stream":true,"tools":[{}],
            "options":{"num_ctx":8192,"num_predict":99}}"#;
        let head = read(body).unwrap();
        assert_eq!((&*head.model, head.max_output_tokens), ("llama3.2:latest", Some(99)));
        assert_eq!(&body[head.model_span.clone()], b"\"llama3.2:latest\"");
        assert!(head.stream && head.has_tools && head.include_usage);
        for unlimited in ["-1", "-2", "null"] {
            let body = format!(r#"{{"model":"m","options":{{"num_predict":{unlimited}}}}}"#);
            let head = read(body.as_bytes()).unwrap();
            assert_eq!(head.max_output_tokens, None);
            assert!(head.max_output_tokens_span.is_some(), "it can be written over");
        }
    }

    #[test]
    fn a_limit_is_put_where_it_belongs_and_the_context_stays() {
        let edits = Edits { model: Some("other"), max_output_tokens: Some(9), include_usage: true };
        for (body, expected) in [
            (r#"{"model":"m"}"#, r#"{"model":"other","options":{"num_predict":9}}"#),
            (r#"{"options":null,"model":"m"}"#, r#"{"options":{"num_predict":9},"model":"other"}"#),
            (r#"{"options":{ },"model":"m"}"#, r#"{"options":{"num_predict":9 },"model":"other"}"#),
            (
                r#"{"model":"m","options":{"num_ctx":1}}"#,
                r#"{"model":"other","options":{"num_predict":9,"num_ctx":1}}"#,
            ),
            (
                r#"{"model":"m","options":{"num_predict":-1}}"#,
                r#"{"model":"other","options":{"num_predict":9}}"#,
            ),
        ] {
            let head = read(body.as_bytes()).unwrap();
            let edited = edit(body.as_bytes(), &head, &edits);
            assert_eq!(String::from_utf8(edited).unwrap(), expected);
        }
    }

    #[test]
    fn what_ollama_could_read_in_another_way_is_refused() {
        for (body, param) in [
            (r#"{"model":"m","model":"n"}"#, "model"),
            (r#"{"model":"m","MODEL":"n"}"#, "model"),
            (r#"{"Model":"m"}"#, "model"),
            ("{\"model\":\"m\",\"option\u{17f}\":{\"num_predict\":1}}", "options"),
            (r#"{"model":"m","Stream":false}"#, "stream"),
            (r#"{"model":7}"#, "model"),
            (r#"{"messages":[]}"#, "model"),
            (r#"{"model":"m","stream":1}"#, "stream"),
            (r#"{"model":"m","tools":{}}"#, "tools"),
            (r#"{"model":"m","messages":"x"}"#, "messages"),
            (r#"{"model":"m","options":[]}"#, "options"),
            (r#"{"model":"m","options":{"num_predict":1,"num_predict":2}}"#, "options"),
            (r#"{"model":"m","options":{"num_predict":1.5}}"#, "options.num_predict"),
        ] {
            let error = read(body.as_bytes()).unwrap_err();
            assert_eq!((error.code, error.param.as_deref()), (Code::InvalidRequest, Some(param)), "{body}");
        }
        assert_eq!(read(b"{").unwrap_err().code, Code::InvalidJson);
        assert_eq!(read(b"[]").unwrap_err().code, Code::InvalidRequest);
    }
}

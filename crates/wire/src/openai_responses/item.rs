//! Items: what a conversation consists of, in a request's `input` and in a reply's `output`.
//! `response_input_item_param.py`, `response_output_item.py`

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::chat::{Extra, Part, Source};
use crate::json::{Extras, Listed, Text, Whole, object, read_raw};
use crate::openai::{located, said};

/// A content: text, or parts.
pub(super) type Content<'a> = Listed<'a, Whole<'a, ContentPart<'a>>>;

/// One item. Which fields it has is for its type to say.
#[derive(Clone, Debug)]
pub(super) enum Item<'a> {
    Message(Message<'a>),
    Call(FunctionCall<'a>),
    Output(FunctionOutput<'a>),
    Reasoning(Reasoning<'a>),
    /// It stands for an item that OpenAI keeps.
    Reference(Reference<'a>),
    /// One of a kind that only OpenAI has.
    Other,
}

object! {
    struct Sort<'a> { kind: Text<'a> = "type", role: Text<'a> = "role" }
    skipping all
}

object! {
    /// What somebody says.
    pub(super) struct Message<'a> { role: Text<'a> = "role", content: Content<'a> = "content" }
    skipping "type", "id", "status"
}

object! {
    /// The model calls a function. `call_id` is what its output names; `id` is the item's.
    pub(super) struct FunctionCall<'a> {
        call_id: Text<'a> = "call_id",
        name: Text<'a> = "name",
        arguments: Text<'a> = "arguments",
    }
    skipping "type", "id", "status"
}

object! {
    /// What a function gave back.
    pub(super) struct FunctionOutput<'a> { call_id: Text<'a> = "call_id", output: Content<'a> = "output" }
    skipping "type", "id", "status"
}

object! {
    /// The id of an item that OpenAI keeps.
    pub(super) struct Reference<'a> { id: Text<'a> = "id" }
    skipping all
}

object! {
    /// What the model thought: a summary of it, or the text itself.
    pub(super) struct Reasoning<'a> {
        summary: Vec<Thought<'a>> = "summary",
        content: Vec<Thought<'a>> = "content",
    }
    skipping "type", "id", "status"
}

object! {
    pub(super) struct Thought<'a> { text: Text<'a> = "text" }
    skipping all
}

impl<'de> Deserialize<'de> for Item<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        let Sort { kind, role, .. } = read_raw(raw)?;
        Ok(match (kind.as_ref().map(|kind| &*kind.0), role) {
            (Some("message"), _) | (None, Some(_)) => Self::Message(read_raw(raw)?),
            (Some("function_call"), _) => Self::Call(read_raw(raw)?),
            (Some("function_call_output"), _) => Self::Output(read_raw(raw)?),
            (Some("reasoning"), _) => Self::Reasoning(read_raw(raw)?),
            (None | Some("item_reference"), _) => Self::Reference(read_raw(raw)?),
            _ => Self::Other,
        })
    }
}

object! {
    /// One part of a content. Which fields it has is for its type to say.
    pub(super) struct ContentPart<'a> {
        kind: Text<'a> = "type",
        text: Text<'a> = "text",
        refusal: Text<'a> = "refusal",
        image_url: Text<'a> = "image_url",
        detail: Text<'a> = "detail",
        file_id: Text<'a> = "file_id",
        file_data: Text<'a> = "file_data",
        file_url: Text<'a> = "file_url",
        filename: Text<'a> = "filename",
    }
}

/// The parts of a content that stands at `path`. A part that is not one of the superset stays whole.
pub(super) fn parts<'a>(
    content: Content<'a>,
    path: &str,
    extra: &mut Vec<Extra<'a>>,
    parts: &mut Vec<Part<'a>>,
) {
    match content {
        Listed::Text(text) => parts.push(Part::Text { text, cache: None }),
        Listed::Items(items) => parts.extend(items.into_iter().enumerate().map(|(index, item)| {
            let path = format!("{path}/{index}");
            let raw = item.raw;
            part(item.value, &path, extra).unwrap_or(Part::Other(Extra { path, value: raw }))
        })),
    }
}

fn part<'a>(part: ContentPart<'a>, path: &str, extra: &mut Vec<Extra<'a>>) -> Option<Part<'a>> {
    let read = match &*part.kind.as_ref()?.0 {
        "input_text" | "output_text" | "text" => Part::Text { text: part.text?.0, cache: None },
        "refusal" => Part::Refusal { text: part.refusal?.0 },
        "input_image" => {
            let source = match (part.image_url, part.file_id) {
                (Some(url), None) => located(url.0),
                (None, Some(id)) => Source::File(id.0),
                _ => return None,
            };
            // OpenAI's types want it said even where nothing is asked for.
            let detail = part.detail.map(|detail| detail.0).filter(|detail| detail != "auto");
            Part::Image { source, detail, cache: None }
        }
        "input_file" => {
            let source = match (part.file_data, part.file_id, part.file_url) {
                (Some(data), None, None) => document(data.0, part.filename.as_ref())?,
                (None, Some(id), None) => Source::File(id.0),
                (None, None, Some(url)) => Source::Url(url.0),
                _ => return None,
            };
            Part::Document { source, name: part.filename.map(|name| name.0), cache: None }
        }
        _ => return None,
    };
    said(extra, path, speaking(part.extra));
    Some(read)
}

/// A document that stands here, as a data URL or in bare base64: then its name says what it is.
fn document<'a>(data: Cow<'a, str>, name: Option<&Text<'_>>) -> Option<Source<'a>> {
    match located(data) {
        Source::Url(data) if !data.contains(':') && name.is_some_and(|name| name.0.ends_with(".pdf")) => {
            Some(Source::Base64 { media_type: Cow::Borrowed("application/pdf"), data })
        }
        Source::Url(_) => None,
        source => Some(source),
    }
}

/// Without the lists that hold nothing (`annotations`, `logprobs`), which OpenAI writes into every text.
fn speaking(mut fields: Extras<'_>) -> Extras<'_> {
    fields.retain(|(_, value)| !is_empty(value));
    fields
}

/// Whether a value says nothing.
pub(super) fn is_empty(value: &RawValue) -> bool {
    matches!(value.get(), "null" | "[]" | "{}" | "\"\"")
}

/// What the model thought, as one text; none where all of it is hidden.
pub(super) fn thoughts<'a>(content: Vec<Thought<'a>>, summary: Vec<Thought<'a>>) -> Option<Cow<'a, str>> {
    let texts = |thoughts: Vec<Thought<'a>>| -> Vec<Cow<'a, str>> {
        let texts = thoughts.into_iter().filter_map(|thought| thought.text);
        texts.map(|text| text.0).filter(|text| !text.is_empty()).collect()
    };
    let mut said = texts(content);
    if said.is_empty() {
        said = texts(summary);
    }
    match said.len() {
        0 => None,
        1 => said.pop(),
        _ => Some(Cow::Owned(said.join(BETWEEN_THOUGHTS))),
    }
}

/// What stands between the parts of a summary where they become one text.
pub(super) const BETWEEN_THOUGHTS: &str = "\n\n";

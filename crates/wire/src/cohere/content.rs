//! What messages, replies and events have in common: contents, their parts, and calls of tools.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::chat::{Extra, Part, Source};
use crate::json::{Array, Extras, Listed, Object, Text, Whole, keep, object};

/// `content`: text, or parts.
pub(super) type Content<'a> = Listed<'a, Whole<'a, ContentPart<'a>>>;

object! {
    /// One part of a content. Which fields it has is for its type to say.
    pub(super) struct ContentPart<'a> {
        kind: Text<'a> = "type",
        text: Text<'a> = "text",
        thinking: Text<'a> = "thinking",
        image_url: ImageUrl<'a> = "image_url",
        document: Document<'a> = "document",
    }
}

object! {
    pub(super) struct ImageUrl<'a> { url: Text<'a> = "url", detail: Text<'a> = "detail" }
}

object! {
    /// What a tool gave back, in a form that citations can point to. Its data are an object with any keys, or a text.
    pub(super) struct Document<'a> { data: &'a RawValue = "data", id: &'a RawValue = "id" }
}

object! {
    pub(super) struct ToolCall<'a> { id: Text<'a> = "id", function: Function<'a> = "function" }
    skipping "type"
}

object! {
    pub(super) struct Function<'a> { name: Text<'a> = "name", arguments: Text<'a> = "arguments" }
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
        "text" => Part::Text { text: part.text?.0, cache: None },
        "thinking" => Part::Thinking { text: part.thinking?.0, signature: None },
        "image_url" => {
            let image = part.image_url?;
            said(extra, &format!("{path}/image_url"), image.extra);
            Part::Image {
                source: located(image.url?.0),
                detail: image.detail.map(|detail| detail.0),
                cache: None,
            }
        }
        "document" => {
            let Document { data, id, extra: rest } = part.document?;
            let path = format!("{path}/document");
            said(extra, &path, rest);
            // What citations call it. What it says is all that other dialects can hear.
            extra.extend(id.map(|value| Extra { path: format!("{path}/id"), value }));
            Part::Text { text: text_of(data?), cache: None }
        }
        _ => return None,
    };
    said(extra, path, part.extra);
    Some(read)
}

/// Reads one of a request's documents: a text, or an object. What citations call it is its name.
pub(super) fn document<'a>(raw: &'a RawValue, path: &str, extra: &mut Vec<Extra<'a>>) -> Option<Part<'a>> {
    let (text, name) = if raw.get().starts_with('{') {
        let Document { data, id, extra: rest } = serde_json::from_str(raw.get()).ok()?;
        said(extra, path, rest);
        (text_of(data?), id.map(text_of))
    } else {
        (serde_json::from_str::<Text<'a>>(raw.get()).ok()?.0, None)
    };
    Some(Part::Document { source: Source::Text(text), name, cache: None })
}

/// A document's data as text.
fn text_of(data: &RawValue) -> Cow<'_, str> {
    match serde_json::from_str::<Text<'_>>(data.get()) {
        Ok(text) => text.0,
        Err(_) => Cow::Borrowed(data.get()),
    }
}

/// Keeps the fields that say something.
pub(super) fn said<'a>(extra: &mut Vec<Extra<'a>>, path: &str, mut fields: Extras<'a>) {
    fields.retain(|(_, value)| value.get() != "null");
    keep(extra, path, fields);
}

/// Where a URL points: here, if it is a data URL in base64 (RFC 2397).
fn located(url: Cow<'_, str>) -> Source<'_> {
    let Some((media_type, data)) = data_url(&url) else { return Source::Url(url) };
    match &url {
        Cow::Borrowed(url) => {
            let (media_type, data) = data_url(url).unwrap_or_default();
            Source::Base64 { media_type: Cow::Borrowed(media_type), data: Cow::Borrowed(data) }
        }
        Cow::Owned(_) => Source::Base64 {
            media_type: Cow::Owned(media_type.to_owned()),
            data: Cow::Owned(data.to_owned()),
        },
    }
}

fn data_url(url: &str) -> Option<(&str, &str)> {
    let (kind, data) = url.strip_prefix("data:")?.split_once(',')?;
    let media_type = kind.strip_suffix(";base64")?;
    Some((media_type.split_once(';').map_or(media_type, |(media_type, _)| media_type), data))
}

/// Writes a text.
pub(super) fn write_text(parts: &mut Array<'_>, text: &str) {
    parts.object(|part| {
        part.string("type", "text");
        part.string("text", text);
    });
}

/// Writes thinking.
pub(super) fn write_thinking(parts: &mut Array<'_>, text: &str) {
    parts.object(|part| {
        part.string("type", "thinking");
        part.string("thinking", text);
    });
}

/// Writes an image at a URL or here.
pub(super) fn write_image(parts: &mut Array<'_>, source: &Source<'_>, detail: Option<&Cow<'_, str>>) {
    let pieces: [&str; 4] = match source {
        Source::Base64 { media_type, data } => ["data:", media_type, ";base64,", data],
        Source::Url(url) | Source::File(url) | Source::Text(url) => [url, "", "", ""],
    };
    parts.object(|part| {
        part.string("type", "image_url");
        part.object("image_url", |image| {
            image.joined("url", &pieces);
            image.string_if("detail", detail);
        });
    });
}

/// Writes a call of a tool.
pub(super) fn write_call(call: &mut Object<'_>, id: &str, name: &str, arguments: &str) {
    call.string("id", id);
    call.string("type", "function");
    call.object("function", |function| {
        function.string("name", name);
        function.string("arguments", arguments);
    });
}

/// A call's id; where it came without one, made from the reply's, so that no two calls of a conversation share one.
pub(super) fn call_id<'a>(given: Option<Text<'a>>, reply: &str, number: usize) -> Cow<'a, str> {
    match given {
        Some(id) if !id.0.is_empty() => id.0,
        _ => Cow::Owned(format!("call_{reply}_{number}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> (Vec<Part<'_>>, Vec<String>) {
        let (mut read, mut extra) = (Vec::new(), Vec::new());
        parts(serde_json::from_str(content).unwrap(), "/c", &mut extra, &mut read);
        (read, extra.into_iter().map(|extra| extra.path).collect())
    }

    #[test]
    fn a_data_url_is_base64_and_any_other_is_a_url() {
        let content = r#"[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}},
            {"type":"image_url","image_url":{"url":"data:image\/png;base64,AA=="}},
            {"type":"image_url","image_url":{"url":"https:\/\/x/y.png"}},
            {"type":"image_url","image_url":{"url":"data:image/svg+xml,<svg>","detail":"low","z":1}}]"#;
        let (parts, extra) = read(content);
        let sources: Vec<_> = parts
            .iter()
            .map(|part| match part {
                Part::Image { source, .. } => source.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        let here = Source::Base64 { media_type: "image/png".into(), data: "AA==".into() };
        assert_eq!(sources[0], here);
        assert_eq!(sources[1], here);
        assert_eq!(sources[2], Source::Url("https://x/y.png".into()));
        assert_eq!(sources[3], Source::Url("data:image/svg+xml,<svg>".into()));
        assert_eq!(extra, ["/c/3/image_url/z"]);
    }

    #[test]
    fn a_document_says_its_data_and_its_name_is_kept_apart() {
        let (parts, extra) = read(
            r#"[{"type":"document","document":{"id":"1","data":{"depth": 30}}},
                {"type":"document","document":{"data":"{\"depth\": 31}"}}]"#,
        );
        let texts: Vec<_> = parts
            .iter()
            .map(|part| match part {
                Part::Text { text, .. } => &**text,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(texts, [r#"{"depth": 30}"#, r#"{"depth": 31}"#]);
        assert_eq!(extra, ["/c/0/document/id"]);
    }

    #[test]
    fn what_the_superset_does_not_know_stays_whole() {
        let (parts, _) = read(
            r#"[{"type":"video"},{"text":"no type"},{"type":"text"},{"type":"document","document":{}},
                {"type":"image_url","image_url":{"detail":"low"}}]"#,
        );
        assert!(parts.iter().all(|part| matches!(part, Part::Other(_))), "{parts:?}");
    }
}

//! What messages, replies and deltas have in common: contents, their parts, and tool calls.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::chat::{Extra, Part, Source};
use crate::json::{Listed, Object, Text, Whole, object};
use crate::openai::{located, said};

/// `content`: text, or parts.
pub(super) type Content<'a> = Listed<'a, Whole<'a, ContentPart<'a>>>;

object! {
    /// One part of a content. Which fields it has is for its type to say.
    pub(super) struct ContentPart<'a> {
        kind: Text<'a> = "type",
        text: Text<'a> = "text",
        image_url: Image<'a> = "image_url",
        file: File<'a> = "file",
        audio: Audio<'a> = "input_audio",
        refusal: Text<'a> = "refusal",
    }
}

object! {
    pub(super) struct ImageUrl<'a> { url: Text<'a> = "url", detail: Text<'a> = "detail" }
}

/// `image_url`: an object; some clients write the URL itself.
pub(super) type Image<'a> = Whole<'a, ImageOrUrl<'a>>;

#[derive(Clone, Debug)]
pub(super) struct ImageOrUrl<'a>(ImageUrl<'a>);

impl<'de> Deserialize<'de> for ImageOrUrl<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        let read = if raw.get().starts_with('"') {
            serde_json::from_str(raw.get()).map(|url| ImageUrl { url: Some(url), ..ImageUrl::default() })
        } else {
            serde_json::from_str(raw.get())
        };
        read.map(Self).map_err(serde::de::Error::custom)
    }
}

object! {
    pub(super) struct Audio<'a> { data: Text<'a> = "data", format: Text<'a> = "format" }
}

object! {
    pub(super) struct File<'a> {
        data: Text<'a> = "file_data",
        id: Text<'a> = "file_id",
        name: Text<'a> = "filename",
    }
}

object! {
    pub(super) struct ToolCall<'a> {
        id: Text<'a> = "id",
        index: u32 = "index",
        function: Function<'a> = "function",
        vendor: Vendor<'a> = "extra_content",
    }
    skipping "type"
}

object! {
    /// What vendors add to a call; Google's proof of the thinking behind it:
    /// <https://ai.google.dev/gemini-api/docs/thought-signatures#openai>.
    pub(super) struct Vendor<'a> { google: Google<'a> = "google" }
    skipping all
}

object! {
    pub(super) struct Google<'a> { signature: Text<'a> = "thought_signature" }
    skipping all
}

/// The proof of the thinking behind a call, if there is one.
pub(super) fn signature(vendor: Option<Vendor<'_>>) -> Option<Cow<'_, str>> {
    vendor?.google?.signature.map(|signature| signature.0)
}

/// Writes the proof of the thinking behind a call, if there is one.
pub(super) fn write_signature(call: &mut Object<'_>, signature: Option<&str>) {
    if let Some(signature) = signature {
        call.object("extra_content", |vendor| {
            vendor.object("google", |google| google.string("thought_signature", signature));
        });
    }
}

object! {
    pub(super) struct Function<'a> { name: Text<'a> = "name", arguments: Arguments<'a> = "arguments" }
    skipping all
}

/// A call's arguments as JSON text. Some servers write the object itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Arguments<'a>(pub(super) Cow<'a, str>);

impl<'de> Deserialize<'de> for Arguments<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        if !raw.get().starts_with('"') {
            return Ok(Self(Cow::Borrowed(raw.get())));
        }
        let text: Text<'_> = serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
        Ok(Self(text.0))
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
        "text" => Part::Text { text: part.text?.0, cache: None },
        "refusal" => Part::Refusal { text: part.refusal?.0 },
        "image_url" => {
            let ImageOrUrl(image) = part.image_url?.value;
            said(extra, &format!("{path}/image_url"), image.extra);
            Part::Image {
                source: located(image.url?.0),
                detail: image.detail.map(|detail| detail.0),
                cache: None,
            }
        }
        "input_audio" => {
            let audio = part.audio?;
            let media_type = Cow::Owned(format!("audio/{}", audio.format?.0));
            said(extra, &format!("{path}/input_audio"), audio.extra);
            Part::Audio { source: Source::Base64 { media_type, data: audio.data?.0 } }
        }
        "file" => {
            let file = part.file?;
            let source = match (file.data, file.id) {
                (Some(data), None) => located(data.0),
                (None, Some(id)) => Source::File(id.0),
                _ => return None,
            };
            let source = match source {
                // Bare base64 is taken too; its name says what it is.
                Source::Url(data) if data.contains(':') => return None,
                Source::Url(data) => {
                    let pdf = file.name.as_ref().is_some_and(|name| name.0.ends_with(".pdf"));
                    let media_type = pdf.then_some(Cow::Borrowed("application/pdf"))?;
                    Source::Base64 { media_type, data }
                }
                source => source,
            };
            said(extra, &format!("{path}/file"), file.extra);
            Part::Document { source, name: file.name.map(|name| name.0), cache: None }
        }
        _ => return None,
    };
    said(extra, path, part.extra);
    Some(read)
}

/// OpenAI's name for the form of a sound; none for one that it does not take.
pub(super) fn audio_format(media_type: &str) -> Option<&'static str> {
    match media_type {
        "audio/wav" | "audio/x-wav" | "audio/wave" => Some("wav"),
        "audio/mp3" | "audio/mpeg" => Some("mp3"),
        _ => None,
    }
}

/// Writes an `image_url` part for an image at a URL or here.
pub(super) fn write_image(item: &mut Object<'_>, source: &Source<'_>, detail: Option<&Cow<'_, str>>) {
    let pieces: [&str; 4] = match source {
        Source::Base64 { media_type, data } => ["data:", media_type, ";base64,", data],
        Source::Url(url) | Source::File(url) | Source::Text(url) => [url, "", "", ""],
    };
    item.string("type", "image_url");
    item.object("image_url", |image| {
        image.joined("url", &pieces);
        image.string_if("detail", detail);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> (Vec<Part<'_>>, Vec<Extra<'_>>) {
        let (mut read, mut extra) = (Vec::new(), Vec::new());
        parts(serde_json::from_str(content).unwrap(), "/c", &mut extra, &mut read);
        (read, extra)
    }

    #[test]
    fn a_data_url_is_base64_and_any_other_is_a_url() {
        let content = r#"[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}},
            {"type":"image_url","image_url":"https:\/\/x/y.png"},
            {"type":"image_url","image_url":{"url":"data:image/svg+xml,<svg>","detail":"low","z":1}}]"#;
        let (parts, extra) = read(content);
        let sources: Vec<_> = parts
            .iter()
            .map(|part| match part {
                Part::Image { source, .. } => source.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(sources[0], Source::Base64 { media_type: "image/png".into(), data: "AA==".into() });
        assert_eq!(sources[1], Source::Url("https://x/y.png".into()));
        assert_eq!(sources[2], Source::Url("data:image/svg+xml,<svg>".into()));
        assert_eq!(extra[0].path, "/c/2/image_url/z");
    }

    #[test]
    fn what_the_superset_does_not_know_stays_whole() {
        let content = r#"[{"type":"input_audio","input_audio":{"data":""}},{"text":"no type"},
            {"type":"file","file":{"file_data":"AA","filename":"a.bin"}}]"#;
        let (parts, _) = read(content);
        assert!(parts.iter().all(|part| matches!(part, Part::Other(_))), "{parts:?}");
    }

    #[test]
    fn arguments_are_text_even_where_they_are_written_as_an_object() {
        let function: Function<'_> = serde_json::from_str(r#"{"name":"f","arguments":{"a": 1}}"#).unwrap();
        assert_eq!(function.arguments.unwrap().0, r#"{"a": 1}"#);
        let function: Function<'_> = serde_json::from_str(r#"{"name":"f","arguments":"{\"a\":1}"}"#).unwrap();
        assert_eq!(function.arguments.unwrap().0, r#"{"a":1}"#);
    }
}

//! Content blocks, as requests and replies have them: read into parts, and what both write of them.
//!
//! A block is a union: which kind it is, is said by the one field it has.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html>

use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;
use stepwell_types::Code;

use super::media;
use crate::Error;
use crate::chat::{CacheMark, Extra, Part, Source};
use crate::json::{Array, Extras, Object, Text, Whole, keep, object};

object! {
    /// A block of any kind.
    pub(super) struct Block<'a> {
        text: Text<'a> = "text",
        image: Media<'a> = "image",
        document: Document<'a> = "document",
        audio: Media<'a> = "audio",
        tool_use: ToolUse<'a> = "toolUse",
        tool_result: ToolResult<'a> = "toolResult",
        reasoning: Reasoning<'a> = "reasoningContent",
        citations: Cited<'a> = "citationsContent",
        cache_point: CachePoint<'a> = "cachePoint",
    }
}

object! {
    /// An image, or sound.
    pub(super) struct Media<'a> { format: Text<'a> = "format", source: Place<'a> = "source" }
}

object! {
    pub(super) struct Document<'a> {
        format: Text<'a> = "format",
        name: Text<'a> = "name",
        source: Place<'a> = "source",
    }
}

object! {
    /// Where a file is. In S3, and in pieces, it is a place that only Bedrock has.
    pub(super) struct Place<'a> { bytes: Text<'a> = "bytes", text: Text<'a> = "text" }
    skipping all
}

object! {
    pub(super) struct ToolUse<'a> {
        id: Text<'a> = "toolUseId",
        name: Text<'a> = "name",
        input: &'a RawValue = "input",
        // Only of a tool that the service runs.
        kind: Text<'a> = "type",
    }
}

object! {
    pub(super) struct ToolResult<'a> {
        id: Text<'a> = "toolUseId",
        content: Vec<Whole<'a, Given<'a>>> = "content",
        status: Text<'a> = "status",
    }
}

object! {
    /// What a tool gave back. Not a [`Block`], which would then hold itself.
    pub(super) struct Given<'a> {
        text: Text<'a> = "text",
        json: &'a RawValue = "json",
        image: Media<'a> = "image",
        document: Document<'a> = "document",
    }
}

object! {
    pub(super) struct Reasoning<'a> {
        text: ReasoningText<'a> = "reasoningText",
        redacted: Text<'a> = "redactedContent",
    }
}

object! {
    pub(super) struct ReasoningText<'a> { text: Text<'a> = "text", signature: Text<'a> = "signature" }
}

object! {
    /// Text, and where its statements come from.
    pub(super) struct Cited<'a> { content: Vec<CitedText<'a>> = "content", citations: &'a RawValue = "citations" }
    skipping all
}

object! {
    pub(super) struct CitedText<'a> { text: Text<'a> = "text" }
    skipping all
}

object! {
    /// The prompt up to here is to be cached.
    pub(super) struct CachePoint<'a> { ttl: Text<'a> = "ttl" }
    skipping all
}

impl CachePoint<'_> {
    pub(super) fn mark(&self) -> CacheMark {
        match &self.ttl {
            Some(ttl) if ttl.0 == "1h" => CacheMark::Hour,
            _ => CacheMark::FiveMinutes,
        }
    }
}

/// Where a block stands; written as a path (`/messages/0/content/1`) or as a field (`messages[0].content[1]`).
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) base: Base,
    pub(super) item: usize,
}

/// What a block belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Base {
    /// The system prompt of a request.
    System,
    /// A message of a request.
    Message(usize),
    /// A reply.
    Reply,
}

impl fmt::Display for At {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.base {
            Base::System => write!(formatter, "/system/{}", self.item),
            Base::Message(message) => write!(formatter, "/messages/{message}/content/{}", self.item),
            Base::Reply => write!(formatter, "/output/message/content/{}", self.item),
        }
    }
}

impl At {
    fn need<'a>(&self, field: &str, text: Option<Text<'a>>) -> Result<Cow<'a, str>, Error> {
        text.map(|text| text.0).ok_or_else(|| {
            let base = match self.base {
                Base::System => format!("system[{}]", self.item),
                Base::Message(message) => format!("messages[{message}].content[{}]", self.item),
                Base::Reply => format!("output.message.content[{}]", self.item),
            };
            let at = format!("{base}.{field}");
            let message = format!("{at} is missing");
            Error::at(Code::InvalidRequest, at, message)
        })
    }
}

/// Reads the blocks of a message or of a reply. What no part can say goes to `extra`.
pub(super) fn parts<'a>(
    blocks: Vec<Whole<'a, Block<'a>>>,
    base: Base,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Vec<Part<'a>>, Error> {
    let mut parts: Vec<Part<'a>> = Vec::with_capacity(blocks.len());
    for (item, whole) in blocks.into_iter().enumerate() {
        let at = At { base, item };
        let point = whole.value.cache_point.as_ref();
        let is_mark =
            point.is_some_and(|point| parts.last_mut().is_some_and(|part| mark(part, point.mark())));
        if !is_mark {
            part(whole, at, &mut parts, extra)?;
        }
    }
    Ok(parts)
}

/// Marks the prompt up to a part for the cache. False where it is no part that could be marked.
fn mark(part: &mut Part<'_>, mark: CacheMark) -> bool {
    let (Part::Text { cache, .. }
    | Part::Image { cache, .. }
    | Part::Document { cache, .. }
    | Part::ToolCall { cache, .. }
    | Part::ToolResult { cache, .. }) = part
    else {
        return false;
    };
    *cache = Some(mark);
    true
}

fn part<'a>(
    whole: Whole<'a, Block<'a>>,
    at: At,
    parts: &mut Vec<Part<'a>>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<(), Error> {
    let Whole { raw, value: block } = whole;
    let path = at.to_string();
    let read = if let Some(Text(text)) = block.text {
        Some(Part::Text { text, cache: None })
    } else if let Some(image) = block.image {
        picture(image, &format!("{path}/image"), extra)
    } else if let Some(document) = block.document {
        paper(document, &format!("{path}/document"), extra)
    } else if let Some(audio) = block.audio {
        sound(audio, &format!("{path}/audio"), extra)
    } else if let Some(call) = block.tool_use.filter(|call| call.kind.is_none()) {
        keep_said(extra, &format!("{path}/toolUse"), call.extra);
        Some(Part::ToolCall {
            id: at.need("toolUse.toolUseId", call.id)?,
            name: at.need("toolUse.name", call.name)?,
            arguments: Cow::Borrowed(call.input.map_or("{}", RawValue::get)),
            signature: None,
            cache: None,
        })
    } else if let Some(result) = block.tool_result {
        Some(given(result, at, extra)?)
    } else if let Some(reasoning) = block.reasoning {
        thinking(reasoning, &format!("{path}/reasoningContent"), extra)
    } else if let Some(cited) = block.citations {
        if let Some(value) = cited.citations.filter(|citations| !matches!(citations.get(), "null" | "[]")) {
            extra.push(Extra { path: format!("{path}/citationsContent/citations"), value });
        }
        let texts = cited.content.unwrap_or_default().into_iter().filter_map(|cited| cited.text);
        let text = texts.map(|text| text.0).reduce(|text, more| text + more).unwrap_or_default();
        Some(Part::Text { text, cache: None })
    } else {
        None
    };
    if read.is_some() {
        keep_said(extra, &path, block.extra);
    }
    parts.push(read.unwrap_or(Part::Other(Extra { path, value: raw })));
    Ok(())
}

/// Keeps the fields that say something.
pub(super) fn keep_said<'a>(extra: &mut Vec<Extra<'a>>, prefix: &str, mut fields: Extras<'a>) {
    fields.retain(|(_, value)| value.get() != "null");
    if !fields.is_empty() {
        keep(extra, prefix, fields);
    }
}

/// An image. None for one that is where only Bedrock finds it.
fn picture<'a>(image: Media<'a>, path: &str, extra: &mut Vec<Extra<'a>>) -> Option<Part<'a>> {
    let media_type = Cow::Borrowed(media::type_of(media::IMAGES, &image.format?.0)?);
    let source = Source::Base64 { media_type, data: image.source?.bytes?.0 };
    keep_said(extra, path, image.extra);
    Some(Part::Image { source, detail: None, cache: None })
}

fn sound<'a>(audio: Media<'a>, path: &str, extra: &mut Vec<Extra<'a>>) -> Option<Part<'a>> {
    let media_type = Cow::Borrowed(media::type_of(media::SOUND, &audio.format?.0)?);
    let source = Source::Base64 { media_type, data: audio.source?.bytes?.0 };
    keep_said(extra, path, audio.extra);
    Some(Part::Audio { source })
}

fn paper<'a>(document: Document<'a>, path: &str, extra: &mut Vec<Extra<'a>>) -> Option<Part<'a>> {
    let place = document.source?;
    let source = match (place.bytes, place.text) {
        (Some(Text(data)), _) => {
            let media_type = Cow::Borrowed(media::type_of(media::DOCUMENTS, &document.format?.0)?);
            Source::Base64 { media_type, data }
        }
        (None, Some(Text(text))) => Source::Text(text),
        (None, None) => return None,
    };
    keep_said(extra, path, document.extra);
    Some(Part::Document { source, name: document.name.map(|name| name.0), cache: None })
}

fn thinking<'a>(reasoning: Reasoning<'a>, path: &str, extra: &mut Vec<Extra<'a>>) -> Option<Part<'a>> {
    let part = match (reasoning.text, reasoning.redacted) {
        (Some(said), _) => {
            keep_said(extra, &format!("{path}/reasoningText"), said.extra);
            let signature =
                said.signature.map(|signature| signature.0).filter(|signature| !signature.is_empty());
            Part::Thinking { text: said.text.map(|text| text.0).unwrap_or_default(), signature }
        }
        (None, Some(Text(data))) => Part::RedactedThinking { data },
        (None, None) => return None,
    };
    keep_said(extra, path, reasoning.extra);
    Some(part)
}

fn given<'a>(result: ToolResult<'a>, at: At, extra: &mut Vec<Extra<'a>>) -> Result<Part<'a>, Error> {
    let path = format!("{at}/toolResult");
    let mut parts = Vec::new();
    for (item, Whole { raw, value: block }) in result.content.unwrap_or_default().into_iter().enumerate() {
        let path = format!("{path}/content/{item}");
        let read = if let Some(Text(text)) = block.text {
            Some(Part::Text { text, cache: None })
        } else if let Some(json) = block.json {
            Some(Part::Text { text: Cow::Borrowed(json.get()), cache: None })
        } else if let Some(image) = block.image {
            picture(image, &format!("{path}/image"), extra)
        } else if let Some(document) = block.document {
            paper(document, &format!("{path}/document"), extra)
        } else {
            None
        };
        if read.is_some() {
            keep_said(extra, &path, block.extra);
        }
        parts.push(read.unwrap_or(Part::Other(Extra { path, value: raw })));
    }
    keep_said(extra, &path, result.extra);
    Ok(Part::ToolResult {
        id: at.need("toolResult.toolUseId", result.id)?,
        parts,
        is_error: result.status.is_some_and(|status| status.0 == "error"),
        cache: None,
    })
}

/// Whether a text is one that Bedrock refuses for being blank.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

/// Whether a call's arguments can stand as they are. None at all stand for an empty object.
pub(super) fn is_object(arguments: &str) -> bool {
    let arguments = arguments.trim();
    arguments.is_empty()
        || arguments.starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok()
}

/// Writes a text.
pub(super) fn write_text(blocks: &mut Array<'_>, text: &str) {
    blocks.object(|block| block.string("text", text));
}

/// Writes thinking.
pub(super) fn write_thinking(blocks: &mut Array<'_>, text: &str, signature: Option<&str>) {
    blocks.object(|block| {
        block.object("reasoningContent", |reasoning| {
            reasoning.object("reasoningText", |said| {
                said.string("text", text);
                if let Some(signature) = signature {
                    said.string("signature", signature);
                }
            });
        });
    });
}

/// Writes thinking that was encrypted whole.
pub(super) fn write_redacted(blocks: &mut Array<'_>, data: &str) {
    blocks.object(|block| {
        block.object("reasoningContent", |reasoning| reasoning.string("redactedContent", data));
    });
}

/// Writes a call of a tool. Arguments that are no object are wrapped in one, which the caller has to report.
pub(super) fn write_call(blocks: &mut Array<'_>, id: &str, name: &str, arguments: &str) {
    blocks.object(|block| {
        block.object("toolUse", |call| {
            call.string("toolUseId", id);
            call.string("name", name);
            match arguments.trim() {
                "" => call.literal("input", "{}"),
                object if is_object(object) => call.literal("input", object),
                _ => call.object("input", |input| input.string("arguments", arguments)),
            }
        });
    });
}

/// Writes an image or sound under `key`.
pub(super) fn write_media(block: &mut Object<'_>, key: &str, format: &str, data: &str) {
    block.object(key, |media| {
        media.string("format", format);
        media.object("source", |place| place.string("bytes", data));
    });
}

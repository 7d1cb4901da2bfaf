//! Content blocks, as requests, replies and streams all have them: read into parts here, written in `write`.

mod write;

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;
use stepwell_types::Code;

use super::ids;
use crate::Error;
use crate::chat::{CacheMark, Extra, Part, Source};
use crate::json::{Extras, Listed, Text, Whole, keep, object};

pub(super) use write::{in_result, is_blank, write, write_cache};

object! {
    /// A content block of any type.
    pub(super) struct Block<'a> {
        kind: Text<'a> = "type",
        text: Text<'a> = "text",
        source: &'a RawValue = "source",
        title: Text<'a> = "title",
        thinking: Text<'a> = "thinking",
        signature: Text<'a> = "signature",
        data: Text<'a> = "data",
        id: Text<'a> = "id",
        name: Text<'a> = "name",
        input: &'a RawValue = "input",
        caller: Whole<'a, Caller<'a>> = "caller",
        tool_use_id: Text<'a> = "tool_use_id",
        content: &'a RawValue = "content",
        is_error: bool = "is_error",
        cache_control: CacheControl<'a> = "cache_control",
    }
}

/// Who called a tool; `direct` is the model itself.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Caller<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
}

/// A mark for the prompt cache.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct CacheControl<'a> {
    #[serde(borrow)]
    pub(super) ttl: Option<Text<'a>>,
}

/// Where an image or a document is.
#[derive(Debug, Default, Deserialize)]
struct Place<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    url: Option<Text<'a>>,
    #[serde(borrow)]
    media_type: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<Text<'a>>,
    #[serde(borrow)]
    file_id: Option<Text<'a>>,
}

/// A string, or blocks.
pub(super) type Content<'a> = Listed<'a, Whole<'a, Block<'a>>>;

impl Caller<'_> {
    /// Whether it is the model that calls.
    pub(super) fn is_direct(&self) -> bool {
        self.kind.as_ref().is_none_or(|kind| kind.0 == "direct")
    }
}

impl CacheControl<'_> {
    /// How long the marked prefix should stay.
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
    /// The place within a tool's result.
    pub(super) inner: Option<usize>,
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
            Base::System => write!(formatter, "/system/{}", self.item)?,
            Base::Message(message) => write!(formatter, "/messages/{message}/content/{}", self.item)?,
            Base::Reply => write!(formatter, "/content/{}", self.item)?,
        }
        self.inner.map_or(Ok(()), |inner| write!(formatter, "/content/{inner}"))
    }
}

impl At {
    fn wrong(&self, field: &str, problem: &str) -> Error {
        let base = match self.base {
            Base::System => format!("system[{}]", self.item),
            Base::Message(message) => format!("messages[{message}].content[{}]", self.item),
            Base::Reply => format!("content[{}]", self.item),
        };
        let inner = self.inner.map(|inner| format!(".content[{inner}]")).unwrap_or_default();
        let at = format!("{base}{inner}.{field}");
        let message = format!("{at} {problem}");
        Error::at(Code::InvalidRequest, at, message)
    }

    fn need<'a>(&self, field: &str, text: Option<Text<'a>>) -> Result<Cow<'a, str>, Error> {
        text.map(|text| text.0).ok_or_else(|| self.wrong(field, "is missing"))
    }
}

/// Reads the blocks of a message or of a reply. What no part can say goes to `extra`.
pub(super) fn parts<'a>(
    content: Content<'a>,
    base: Base,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Vec<Part<'a>>, Error> {
    match content {
        Listed::Text(text) => Ok(vec![Part::Text { text, cache: None }]),
        Listed::Items(blocks) => {
            let place = |item| At { base, item, inner: None };
            blocks.into_iter().enumerate().map(|(item, block)| part(block, place(item), extra)).collect()
        }
    }
}

fn part<'a>(whole: Whole<'a, Block<'a>>, at: At, extra: &mut Vec<Extra<'a>>) -> Result<Part<'a>, Error> {
    let Whole { raw, value: block } = whole;
    let kind = at.need("type", block.kind)?;
    let cache = block.cache_control.as_ref().map(CacheControl::mark);
    let other = || Part::Other(Extra { path: at.to_string(), value: raw });
    let part = match &*kind {
        "text" => Part::Text { text: at.need("text", block.text)?, cache },
        "image" => match source(block.source, at)? {
            Some(source) => Part::Image { source, detail: None, cache },
            None => return Ok(other()),
        },
        "document" => match source(block.source, at)? {
            Some(source) => Part::Document { source, name: block.title.map(|title| title.0), cache },
            None => return Ok(other()),
        },
        "thinking" => {
            let signature =
                block.signature.map(|signature| signature.0).filter(|signature| !signature.is_empty());
            Part::Thinking { text: at.need("thinking", block.thinking)?, signature }
        }
        "redacted_thinking" => Part::RedactedThinking { data: at.need("data", block.data)? },
        "tool_use" => {
            // Code of a hosted tool may be what calls; the call itself is one like any other.
            if let Some(caller) = block.caller.filter(|caller| !caller.value.is_direct()) {
                extra.push(Extra { path: format!("{at}/caller"), value: caller.raw });
            }
            Part::ToolCall {
                id: id(at, at.need("id", block.id)?),
                name: at.need("name", block.name)?,
                arguments: Cow::Borrowed(block.input.map_or("{}", RawValue::get)),
                signature: None,
                cache,
            }
        }
        "tool_result" if at.inner.is_none() => Part::ToolResult {
            id: id(at, at.need("tool_use_id", block.tool_use_id)?),
            parts: result(block.content, at, extra)?,
            is_error: block.is_error.unwrap_or(false),
            cache,
        },
        _ => return Ok(other()),
    };
    keep_known(extra, at, block.extra);
    Ok(part)
}

/// Fields that are null say nothing.
fn keep_known<'a>(extra: &mut Vec<Extra<'a>>, at: At, mut fields: Extras<'a>) {
    fields.retain(|(_, value)| value.get() != "null");
    if !fields.is_empty() {
        keep(extra, &at.to_string(), fields);
    }
}

/// Ids in requests may be ones that this dialect's writer made.
fn id(at: At, id: Cow<'_, str>) -> Cow<'_, str> {
    if at.base == Base::Reply { id } else { ids::original(id) }
}

/// What a tool gave back. It may hold no results of tools itself, so this goes no deeper.
fn result<'a>(
    content: Option<&'a RawValue>,
    at: At,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Vec<Part<'a>>, Error> {
    let Some(content) = content else { return Ok(Vec::new()) };
    let content: Content<'a> = serde_json::from_str(content.get())
        .map_err(|_| at.wrong("content", "must be a string or an array of blocks"))?;
    match content {
        Listed::Text(text) => Ok(vec![Part::Text { text, cache: None }]),
        Listed::Items(blocks) => {
            let place = |inner| At { inner: Some(inner), ..at };
            blocks.into_iter().enumerate().map(|(inner, block)| part(block, place(inner), extra)).collect()
        }
    }
}

/// The source of an image or a document; none for one that only this dialect has.
fn source(raw: Option<&RawValue>, at: At) -> Result<Option<Source<'_>>, Error> {
    let raw = raw.ok_or_else(|| at.wrong("source", "is missing"))?;
    let place: Place<'_> =
        serde_json::from_str(raw.get()).map_err(|_| at.wrong("source", "must be an object with a type"))?;
    let kind = at.need("source.type", place.kind)?;
    Ok(Some(match &*kind {
        "url" => Source::Url(at.need("source.url", place.url)?),
        "base64" => Source::Base64 {
            media_type: at.need("source.media_type", place.media_type)?,
            data: at.need("source.data", place.data)?,
        },
        "file" => Source::File(at.need("source.file_id", place.file_id)?),
        "text" => Source::Text(at.need("source.data", place.data)?),
        _ => return Ok(None),
    }))
}

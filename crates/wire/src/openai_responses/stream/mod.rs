//! Streams: frames to events, and events to frames.

mod reader;
mod writer;

use std::borrow::Cow;

use serde_json::value::RawValue;
use stepwell_types::{CallId, Failure};

use super::item::Item;
use super::reply::Envelope;
use crate::framing::Frame;
use crate::json::{Object, Text, Whole, object, read_frame, write_object};
use crate::openai::error;
use crate::{Fault, UpstreamError};

pub(super) use reader::Reader;
pub(super) use writer::Writer;

object! {
    /// What kind of event it is, and what is wrong where it is none of the dialect's.
    pub(super) struct Tagged<'a> { kind: Text<'a> = "type", error: &'a RawValue = "error" }
    skipping all
}

/// The type of an event; what is wrong where it has none but an error.
pub(super) fn kind_of(data: &str) -> Result<Result<Cow<'_, str>, &RawValue>, Fault> {
    if let Some(kind) = quick_kind(data) {
        return Ok(Ok(Cow::Borrowed(kind)));
    }
    let Tagged { kind, error, .. } = read_frame(data)?;
    match (kind, error) {
        (Some(kind), _) => Ok(Ok(kind.0)),
        (None, Some(error)) => Ok(Err(error)),
        (None, None) => Err(Fault::Invalid("an event of the stream has no type".to_owned())),
    }
}

object! {
    /// The data of an event that is acted on. Which fields it has is for its type to say: that of any other may be of other
    /// types.
    pub(super) struct Data<'a> {
        response: Envelope<'a> = "response",
        output_index: u32 = "output_index",
        content_index: u32 = "content_index",
        summary_index: u32 = "summary_index",
        item: Whole<'a, Item<'a>> = "item",
        delta: Text<'a> = "delta",
        text: Text<'a> = "text",
        refusal: Text<'a> = "refusal",
        arguments: Text<'a> = "arguments",
        error: &'a RawValue = "error",
    }
    skipping all
}

/// The type of an event, where its data begins with it, as OpenAI's does.
fn quick_kind(data: &str) -> Option<&str> {
    let (kind, _) = data.strip_prefix("{\"type\":\"")?.split_once('"')?;
    (!kind.contains('\\')).then_some(kind)
}

impl<'a> Data<'a> {
    /// More text of a part of an item.
    fn of(item: u32, part: u32, text: Cow<'a, str>) -> Self {
        Self {
            output_index: Some(item),
            content_index: Some(part),
            delta: Some(Text(text)),
            ..Self::default()
        }
    }
}

/// What a stream that failed says of it, in an event of its own or in the response's.
pub(super) fn problem(data: &Data<'_>, frame: &Frame<'_>) -> Result<UpstreamError, Fault> {
    let nested = data.response.as_ref().and_then(|response| response.error);
    let problem = match data.error.or(nested) {
        Some(problem) => problem,
        None => read_frame(frame.data)?,
    };
    Ok(error::read_event(problem))
}

/// Writes one frame, named and numbered.
fn frame(out: &mut Vec<u8>, kind: &str, number: u64, fields: impl FnOnce(&mut Object<'_>)) {
    for piece in ["event: ", kind, "\ndata: "] {
        out.extend_from_slice(piece.as_bytes());
    }
    write_object(out, |data| {
        data.string("type", kind);
        data.number("sequence_number", number);
        fields(data);
    });
    out.extend_from_slice(b"\n\n");
}

/// Writes the event that ends a broken stream, as it is documented (`code`, `message`, `param`) and as OpenAI sends it
/// (`error`): SDKs look for the one or the other. <https://github.com/openai/openai-dotnet/issues/881>
pub(super) fn write_error(failure: &Failure, call: CallId) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(b"event: error\ndata: ");
    write_object(&mut out, |data| {
        data.string("type", "error");
        // How many came before is not known where they passed untouched.
        data.number("sequence_number", 0);
        data.string("code", failure.code.as_str());
        data.string("message", &failure.message);
        data.string_or_null("param", failure.param.as_deref());
        error::write_field(data, failure, Some(call));
    });
    out.extend_from_slice(b"\n\n");
    out
}

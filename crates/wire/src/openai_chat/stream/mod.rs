//! Streams: frames to events, and events to frames.

mod form;
mod reader;
mod writer;

use super::message::{Content, ToolCall};
use super::usage::Counts;
use serde_json::value::RawValue;
use stepwell_types::Usage;

use crate::Fault;
use crate::framing::Frame;
use crate::json::{Text, object, read_frame};

pub(super) use form::Form;
pub(super) use reader::Reader;
pub(super) use writer::{Writer, frame};

/// The data of the event that ends a complete stream.
pub(super) const DONE: &str = "[DONE]";

object! {
    /// The data of any other event.
    pub(super) struct Chunk<'a> {
        id: Text<'a> = "id",
        model: Text<'a> = "model",
        choices: Vec<Choice<'a>> = "choices",
        usage: Counts = "usage",
        object: Text<'a> = "object",
        error: &'a RawValue = "error",
    }
    skipping all
}

/// The error an event tells of: by its key, by its name, or by its whole (vLLM, before 2025).
pub(super) fn problem<'a>(frame: &Frame<'a>, chunk: &Chunk<'a>) -> Result<Option<&'a RawValue>, Fault> {
    let named =
        frame.event == Some("error") || chunk.object.as_ref().is_some_and(|object| object.0 == "error");
    match chunk.error {
        None if named => read_frame(frame.data).map(Some),
        error => Ok(error),
    }
}

object! {
    /// A step of an alternative.
    pub(super) struct Choice<'a> {
        index: u64 = "index",
        delta: Delta<'a> = "delta",
        finish_reason: Text<'a> = "finish_reason",
        usage: &'a RawValue = "usage",
    }
}

impl Chunk<'_> {
    /// What was metered so far. Moonshot says it in the choice that ends, unless usage was asked for.
    /// <https://platform.moonshot.ai/docs/api/chat>
    pub(super) fn metered(&self) -> Option<Usage> {
        let in_choices =
            || self.choices.as_deref().unwrap_or_default().iter().filter_map(|choice| choice.usage);
        let read = |usage: &RawValue| serde_json::from_str::<Counts>(usage.get()).ok()?.usage();
        self.usage.and_then(|counts| counts.usage()).or_else(|| in_choices().find_map(read))
    }
}

object! {
    /// What an alternative adds.
    pub(super) struct Delta<'a> {
        content: Content<'a> = "content",
        refusal: Text<'a> = "refusal",
        reasoning_content: Text<'a> = "reasoning_content",
        reasoning: Text<'a> = "reasoning",
        tool_calls: Vec<ToolCall<'a>> = "tool_calls",
    }
    skipping "role"
}

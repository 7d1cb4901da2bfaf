//! Streams: frames to events, and events to frames. What ends a stream is `message-end`; the `[DONE]` that may stand
//! behind it says nothing more. <https://docs.cohere.com/v2/docs/streaming>

mod reader;
mod writer;

use super::content::ToolCall;
use super::usage::Counts;
use serde_json::value::RawValue;

use crate::json::{Text, object};

pub(super) use reader::Reader;
pub(super) use writer::{Writer, frame};

object! {
    /// The data of an event. `model` is Stepwell's, behind another one.
    pub(super) struct Envelope<'a> {
        kind: Text<'a> = "type",
        id: Text<'a> = "id",
        model: Text<'a> = "model",
        index: u64 = "index",
        delta: Delta<'a> = "delta",
        logprobs: &'a RawValue = "logprobs",
    }
}

object! {
    /// What an event adds.
    pub(super) struct Delta<'a> {
        message: Message<'a> = "message",
        finish_reason: Text<'a> = "finish_reason",
        usage: Counts = "usage",
        error: Text<'a> = "error",
        code: Text<'a> = "code",
    }
    // Beside our own code.
    skipping "param", "docs"
}

object! {
    /// What is added to the message. In the event that begins it, all of it is there and empty.
    pub(super) struct Message<'a> {
        content: &'a RawValue = "content",
        tool_plan: Text<'a> = "tool_plan",
        tool_calls: &'a RawValue = "tool_calls",
    }
    skipping "role", "citations"
}

object! {
    /// A step of a content block.
    pub(super) struct Step<'a> {
        kind: Text<'a> = "type",
        text: Text<'a> = "text",
        thinking: Text<'a> = "thinking",
    }
}

/// A step of a call, or its beginning.
pub(super) type CallStep<'a> = ToolCall<'a>;

//! Streams: lines to events, and events to lines. The line that says `done` ends a stream, and has why and what was metered.

mod reader;
mod writer;

use super::message::ToolCall;
use super::reply::Response;
use crate::Fault;

pub(super) use reader::Reader;
pub(super) use writer::{Writer, line};

/// Checks what every line must have.
pub(super) fn check(line: &Response<'_>) -> Result<(), Fault> {
    if line.message.is_none() && line.done != Some(true) {
        return Err(invalid("a line of the stream has neither a message nor an end"));
    }
    let mut calls = line.message.iter().flat_map(|message| message.tool_calls.iter().flatten());
    calls.try_for_each(|call| check_call(&call.value))
}

/// Checks that a call can be made.
fn check_call(call: &ToolCall<'_>) -> Result<(), Fault> {
    let function = call.function.as_ref();
    if function.and_then(|function| function.name.as_ref()).is_none_or(|name| name.0.is_empty()) {
        return Err(invalid("a call of the stream has no name"));
    }
    if function.and_then(super::message::Function::object).is_none() {
        return Err(invalid("a call of the stream has arguments that are no object"));
    }
    Ok(())
}

fn invalid(message: &str) -> Fault {
    Fault::Invalid(message.to_owned())
}

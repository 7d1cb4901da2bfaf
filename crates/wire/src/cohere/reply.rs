//! Complete replies: what the record needs of them, reading, and writing.

use serde_json::value::RawValue;
use stepwell_types::Code;

use super::content::{self, Content, ToolCall, call_id, said, write_call, write_text, write_thinking};
use super::finish;
use super::usage::{self, Counts};
use crate::chat::{Extra, Part, Reply};
use crate::json::{Array, Object, Text, Whole, object, read_reply, write_object};
use crate::{Error, Losses, ReplyFacts, Written};

object! {
    /// A whole reply. `model` is Stepwell's, behind another one.
    struct Response<'a> {
        id: Text<'a> = "id",
        model: Text<'a> = "model",
        finish_reason: Text<'a> = "finish_reason",
        message: Message<'a> = "message",
        usage: Counts = "usage",
    }
}

object! {
    /// What the model says.
    struct Message<'a> {
        content: Content<'a> = "content",
        tool_plan: Text<'a> = "tool_plan",
        tool_calls: Vec<Whole<'a, ToolCall<'a>>> = "tool_calls",
        citations: &'a RawValue = "citations",
    }
    skipping "role"
}

/// Reads what the record needs.
pub(super) fn facts(body: &[u8]) -> Result<ReplyFacts, Error> {
    let reply = read(body)?;
    Ok(ReplyFacts {
        id: reply.id.map(Into::into),
        model: reply.model.map(Into::into),
        finish: reply.finish,
        usage: reply.usage,
    })
}

/// Reads a whole reply. One whose generation broke off is none, as it is an error in a stream: to clients of other dialects
/// it would look complete.
pub(super) fn read(body: &[u8]) -> Result<Reply<'_>, Error> {
    let reply: Response<'_> = read_reply(body)?;
    if let Some(reason) = reply.finish_reason.as_ref().filter(|reason| finish::is_failure(&reason.0)) {
        let message = format!("the provider's generation failed: its finish_reason is {}", reason.0);
        return Err(Error::at(Code::UpstreamInvalid, "finish_reason", message));
    }
    let mut extra = Vec::new();
    said(&mut extra, "", reply.extra);
    let message = reply
        .message
        .ok_or_else(|| Error::at(Code::UpstreamInvalid, "message", "the provider's answer has no message"))?;
    Ok(Reply {
        parts: parts(message, reply.id.as_ref().map_or("", |id| &id.0), &mut extra)?,
        id: reply.id.map(|id| id.0),
        model: reply.model.map(|model| model.0),
        created: None,
        finish: reply.finish_reason.map(|reason| finish::read(&reason.0)),
        stop_sequence: None,
        usage: reply.usage.and_then(|counts| counts.usage()),
        extra,
    })
}

fn parts<'a>(message: Message<'a>, reply: &str, extra: &mut Vec<Extra<'a>>) -> Result<Vec<Part<'a>>, Error> {
    let mut parts = Vec::with_capacity(2);
    said(extra, "/message", message.extra);
    if let Some(content) = message.content {
        content::parts(content, "/message/content", extra, &mut parts);
    }
    if let Some(plan) = message.tool_plan {
        parts.push(Part::Text { text: plan.0, cache: None });
    }
    // A reply that only calls tools may say "".
    parts.retain(|part| !matches!(part, Part::Text { text, .. } if text.is_empty()));
    for (number, call) in message.tool_calls.unwrap_or_default().into_iter().enumerate() {
        let path = format!("/message/tool_calls/{number}");
        let function = call.value.function.unwrap_or_default();
        let name = function.name.ok_or_else(|| {
            Error::new(Code::UpstreamInvalid, "the provider's answer calls a tool without a name")
        })?;
        said(extra, &path, call.value.extra);
        said(extra, &format!("{path}/function"), function.extra);
        parts.push(Part::ToolCall {
            id: call_id(call.value.id, reply, number),
            name: name.0,
            arguments: function.arguments.unwrap_or_default().0,
            signature: None,
            cache: None,
        });
    }
    if let Some(value) = message.citations.filter(|citations| citations.get() != "[]") {
        extra.push(Extra { path: "/message/citations".to_owned(), value });
    }
    Ok(parts)
}

/// Writes a whole reply.
pub(super) fn write(reply: &Reply<'_>) -> Written {
    let mut losses = Losses::default();
    for Extra { path, .. } in &reply.extra {
        losses.note(path.as_str());
    }
    let (reason, vaguer) = finish::write(reply.finish);
    if vaguer {
        losses.note("/stop_reason");
    }
    if reply.stop_sequence.is_some() {
        losses.note("/stop_sequence");
    }
    let mut body = Vec::with_capacity(512);
    write_object(&mut body, |response| {
        response.string("id", reply.id.as_deref().unwrap_or_default());
        response.string("finish_reason", reason);
        response.object("message", |message| write_message(message, &reply.parts, &mut losses));
        if let Some(metered) = &reply.usage {
            usage::unsayable(metered).for_each(|path| losses.note(path));
            usage::write(response, metered);
        }
        if let Some(model) = &reply.model {
            response.string("model", model);
        }
    });
    Written { body, losses }
}

/// Writes what the model says. Text stands in the content even before calls of tools, as it does in a stream, which cannot
/// know yet that calls will follow.
fn write_message(message: &mut Object<'_>, parts: &[Part<'_>], losses: &mut Losses) {
    message.string("role", "assistant");
    let calls: Vec<_> = parts.iter().filter(|part| matches!(part, Part::ToolCall { .. })).collect();
    let mut content = Vec::new();
    let mut wrote = false;
    crate::json::write_array(&mut content, |items| {
        for (index, part) in parts.iter().enumerate() {
            wrote |= write_part(items, part, index, losses);
        }
        // Whoever reads a reply looks into its first part.
        if !wrote && calls.is_empty() {
            wrote = true;
            write_text(items, "");
        }
    });
    if wrote {
        message.key("content").extend_from_slice(&content);
    }
    if !calls.is_empty() {
        message.array("tool_calls", |items| {
            for part in calls {
                let Part::ToolCall { id, name, arguments, .. } = part else { continue };
                let arguments = if arguments.is_empty() { "{}" } else { arguments };
                items.object(|call| write_call(call, id, name, arguments));
            }
        });
    }
}

/// Writes a part of the content. False where it is none, or cannot be said.
fn write_part(items: &mut Array<'_>, part: &Part<'_>, index: usize, losses: &mut Losses) -> bool {
    match part {
        Part::Text { text, .. } => write_text(items, text),
        Part::Refusal { text } => {
            losses.note("/refusal");
            write_text(items, text);
        }
        Part::Thinking { text, signature } => {
            if signature.is_some() {
                losses.note(format!("/content/{index}/signature"));
            }
            write_thinking(items, text);
        }
        Part::ToolCall { signature, .. } => {
            if signature.is_some() {
                losses.note(format!("/content/{index}/signature"));
            }
            return false;
        }
        Part::Other(extra) => {
            losses.note(extra.path.as_str());
            return false;
        }
        Part::Image { .. }
        | Part::Audio { .. }
        | Part::Document { .. }
        | Part::RedactedThinking { .. }
        | Part::ToolResult { .. } => {
            losses.note(format!("/content/{index}"));
            return false;
        }
    }
    true
}

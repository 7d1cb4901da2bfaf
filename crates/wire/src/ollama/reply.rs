//! Complete replies, which are the lines of a streamed one too: what the record needs of them, reading, and writing.

use std::borrow::Cow;

use serde_json::value::RawValue;
use stepwell_types::{Code, Finish, Usage};

use super::message::{Message, call_id, image, is_cut, keep_said, write_call};
use super::{finish, time, usage};
use crate::chat::{Extra, Part, Reply};
use crate::json::{Object, Text, object, read_reply, write_object};
use crate::{Error, Losses, ReplyFacts, Written};

object! {
    /// A reply, or a line of a streamed one.
    pub(super) struct Response<'a> {
        // None of Ollama's words: where the provider behind a Stepwell gave its reply an id, it stands here.
        id: Text<'a> = "id",
        model: Text<'a> = "model",
        created_at: Text<'a> = "created_at",
        message: Message<'a> = "message",
        done: bool = "done",
        done_reason: Text<'a> = "done_reason",
        prompt_eval_count: u64 = "prompt_eval_count",
        eval_count: u64 = "eval_count",
        error: &'a RawValue = "error",
    }
    // How long it took, and whether another Ollama answered.
    skipping "total_duration", "load_duration", "prompt_eval_duration", "eval_duration", "remote_model", "remote_host"
}

impl Response<'_> {
    /// Why the model stopped, and what was metered.
    pub(super) fn ending(&self, calls_tools: bool) -> (Finish, Option<Usage>) {
        let reason = self.done_reason.as_ref().map(|reason| &*reason.0);
        let usage = match reason {
            // No model was asked anything: this is known to be nothing.
            Some("load" | "unload") => Some(Usage::default()),
            _ => usage::read(self.prompt_eval_count, self.eval_count),
        };
        (finish::read(reason, calls_tools), usage)
    }
}

fn invalid(problem: &str) -> Error {
    Error::new(Code::UpstreamInvalid, format!("the provider's answer {problem}"))
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

/// Reads a whole reply.
pub(super) fn read(body: &[u8]) -> Result<Reply<'_>, Error> {
    let mut reply: Response<'_> = read_reply(body)?;
    if reply.done == Some(false) {
        return Err(invalid("is not whole: done is false"));
    }
    let mut extra = Vec::new();
    keep_said(&mut extra, "", std::mem::take(&mut reply.extra));
    let message = reply.message.take().ok_or_else(|| invalid("has no message"))?;
    let created = reply.created_at.as_ref().map(|created| created.0.clone()).unwrap_or_default();
    let said = parts(message, &created, &mut extra)?;
    let calls_tools = said.iter().any(|part| matches!(part, Part::ToolCall { .. }));
    let (finish, usage) = reply.ending(calls_tools);
    Ok(Reply {
        parts: said,
        id: some(reply.id),
        model: some(reply.model),
        created: None,
        finish: Some(finish),
        stop_sequence: None,
        usage,
        extra,
    })
}

/// A text, if it says something.
pub(super) fn some(text: Option<Text<'_>>) -> Option<Cow<'_, str>> {
    text.map(|text| text.0).filter(|text| !text.is_empty())
}

fn parts<'a>(
    message: Message<'a>,
    created: &str,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Vec<Part<'a>>, Error> {
    let mut parts = Vec::with_capacity(2);
    keep_said(extra, "/message", message.extra);
    if let Some(text) = some(message.thinking) {
        parts.push(Part::Thinking { text, signature: None });
    }
    for (number, Text(data)) in message.images.unwrap_or_default().into_iter().enumerate() {
        let source = image(data).ok_or_else(|| invalid(&format!("holds an unknown image {number}")))?;
        parts.push(Part::Image { source, detail: None, cache: None });
    }
    if let Some(text) = some(message.content) {
        parts.push(Part::Text { text, cache: None });
    }
    for (number, call) in message.tool_calls.unwrap_or_default().into_iter().enumerate() {
        let path = format!("/message/tool_calls/{number}");
        let mut function = call.value.function.unwrap_or_default();
        keep_said(extra, &path, call.value.extra);
        keep_said(extra, &format!("{path}/function"), std::mem::take(&mut function.extra));
        let arguments = function.object().ok_or_else(|| invalid("calls a tool with no object"))?;
        parts.push(Part::ToolCall {
            id: some(call.value.id).unwrap_or_else(|| call_id(created, number)),
            name: some(function.name).ok_or_else(|| invalid("calls a tool without a name"))?,
            arguments: Cow::Borrowed(arguments),
            signature: None,
            cache: None,
        });
    }
    Ok(parts)
}

/// Writes a reply. What the model thought, said and called stand in three places, whatever their order was.
pub(super) fn write(reply: &Reply<'_>) -> Written {
    let mut losses = Losses::default();
    for Extra { path, .. } in &reply.extra {
        losses.note(path.as_str());
    }
    let (reason, vaguer) = finish::write(reply.finish);
    if vaguer {
        losses.note("/stop_reason");
    }
    if reply.stop_sequence.is_some() || reply.finish == Some(Finish::StopSequence) {
        losses.note("/stop_sequence");
    }
    let mut body = Vec::with_capacity(512);
    write_object(&mut body, |response| {
        let created = time(reply.created.unwrap_or(0));
        write_origin(response, reply.id.as_deref(), reply.model.as_deref(), &created);
        response.object("message", |message| write_message(message, &reply.parts, &mut losses));
        response.bool("done", true);
        response.string("done_reason", reason);
        if let Some(metered) = &reply.usage {
            usage::write(response, metered, &mut losses);
        }
    });
    Written { body, losses }
}

/// Writes which reply this is, and whose.
pub(super) fn write_origin(response: &mut Object<'_>, id: Option<&str>, model: Option<&str>, created: &str) {
    if let Some(id) = id.filter(|id| !id.is_empty()) {
        response.string("id", id);
    }
    response.string("model", model.unwrap_or_default());
    response.string("created_at", created);
}

fn write_message(message: &mut Object<'_>, parts: &[Part<'_>], losses: &mut Losses) {
    let (mut said, mut thinking, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for (index, part) in parts.iter().enumerate() {
        match part {
            Part::Text { text, .. } => said.push(&**text),
            Part::Refusal { text } => {
                losses.note("/refusal");
                said.push(text);
            }
            Part::Thinking { text, signature } => {
                if signature.is_some() {
                    losses.note(format!("/content/{index}/signature"));
                }
                thinking.push(&**text);
            }
            Part::ToolCall { arguments, .. } if is_cut(arguments) => {
                losses.note(format!("/content/{index}/arguments"));
            }
            Part::ToolCall { id, name, arguments, signature, .. } => {
                if signature.is_some() {
                    losses.note(format!("/content/{index}/signature"));
                }
                calls.push((id, name, arguments));
            }
            Part::Other(extra) => losses.note(extra.path.as_str()),
            Part::RedactedThinking { .. }
            | Part::Image { .. }
            | Part::Audio { .. }
            | Part::Document { .. }
            | Part::ToolResult { .. } => losses.note(format!("/content/{index}")),
        }
    }
    message.string("role", "assistant");
    message.joined("content", &said);
    if !thinking.is_empty() {
        message.joined("thinking", &thinking);
    }
    if !calls.is_empty() {
        message.array("tool_calls", |items| {
            for (number, (id, name, arguments)) in calls.into_iter().enumerate() {
                write_call(items, number, id, name, arguments);
            }
        });
    }
}

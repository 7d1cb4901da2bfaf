//! Complete replies: what the record needs of them, reading, and writing.

use std::borrow::Cow;

use serde_json::value::RawValue;
use stepwell_types::{Code, Finish};

use super::finish::{self, Ending, Incomplete};
use super::item::{self, Item, Message, Reasoning, is_empty, thoughts};
use super::usage::{self, Counts};
use crate::chat::{Extra, Part, Reply};
use crate::json::{Array, Extras, Object, Text, Whole, object, read_reply, write_object};
use crate::openai::{error, fitting, said};
use crate::{Error, Losses, ReplyFacts, Written};

object! {
    /// A response, but for what it says.
    pub(super) struct Envelope<'a> {
        id: Text<'a> = "id",
        model: Text<'a> = "model",
        status: Text<'a> = "status",
        incomplete: Incomplete<'a> = "incomplete_details",
        error: &'a RawValue = "error",
        output: Vec<Kind<'a>> = "output",
        usage: Counts = "usage",
    }
    skipping all
}

object! {
    /// What kind of item it is.
    pub(super) struct Kind<'a> { kind: Text<'a> = "type" }
    skipping all
}

object! {
    /// A whole response. What it repeats of the request is not read.
    struct Response<'a> {
        id: Text<'a> = "id",
        created: f64 = "created_at",
        model: Text<'a> = "model",
        status: Text<'a> = "status",
        incomplete: Incomplete<'a> = "incomplete_details",
        error: &'a RawValue = "error",
        output: Vec<Whole<'a, Item<'a>>> = "output",
        usage: Counts = "usage",
    }
    skipping
        "object", "access_programs", "background", "billing", "completed_at", "conversation", "frequency_penalty",
        "image", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls",
        "presence_penalty", "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_options",
        "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "store", "temperature", "text",
        "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user", "output_text"
}

/// Why a response that ended did so; an error where it failed, or has not ended.
fn ended(
    status: Option<&Text<'_>>,
    incomplete: Option<&Incomplete<'_>>,
    error: Option<&RawValue>,
    calls: bool,
) -> Result<Finish, Error> {
    let status = status.map_or("completed", |status| &status.0);
    if let Some(finish) = finish::read(status, incomplete, calls) {
        return Ok(finish);
    }
    let why = error.map(|error| error::read_event(error).message);
    let why = why.unwrap_or_else(|| "it says no more".to_owned());
    Err(Error::at(Code::UpstreamInvalid, "status", format!("the response is `{status}`: {why}")))
}

impl Envelope<'_> {
    /// How many functions it calls.
    pub(super) fn calls(&self) -> usize {
        let kinds = self.output.iter().flatten().filter_map(|item| item.kind.as_ref());
        kinds.filter(|kind| kind.0 == "function_call").count()
    }

    /// What the record needs.
    pub(super) fn facts(&self) -> Result<ReplyFacts, Error> {
        let finish = ended(self.status.as_ref(), self.incomplete.as_ref(), self.error, self.calls() > 0)?;
        let text = |text: &Option<Text<'_>>| text.as_ref().map(|text| (&*text.0).into());
        Ok(ReplyFacts {
            id: text(&self.id),
            model: text(&self.model),
            finish: Some(finish),
            usage: self.usage.and_then(|counts| counts.usage()),
        })
    }
}

/// Reads what the record needs.
pub(super) fn facts(body: &[u8]) -> Result<ReplyFacts, Error> {
    let reply: Envelope<'_> = read_reply(body)?;
    if reply.output.is_none() && reply.error.is_none() {
        return Err(no_output());
    }
    reply.facts()
}

fn no_output() -> Error {
    Error::new(Code::UpstreamInvalid, "the provider's answer has no output")
}

/// Reads a whole reply.
pub(super) fn read(body: &[u8]) -> Result<Reply<'_>, Error> {
    let reply: Response<'_> = read_reply(body)?;
    let mut extra = Vec::new();
    said(&mut extra, "", without_empty(reply.extra));
    let mut parts = Vec::with_capacity(2);
    let output = match (reply.output, reply.error) {
        (None, None) => return Err(no_output()),
        (output, _) => output.unwrap_or_default(),
    };
    for (index, item) in output.into_iter().enumerate() {
        take(item, &format!("/output/{index}"), &mut parts, &mut extra)?;
    }
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
    let finish = ended(reply.status.as_ref(), reply.incomplete.as_ref(), reply.error, calls)?;
    #[expect(clippy::cast_possible_truncation, reason = "seconds since the epoch")]
    let created = reply.created.map(|at| at as i64);
    Ok(Reply {
        id: reply.id.map(|id| id.0),
        model: reply.model.map(|model| model.0),
        created,
        parts,
        finish: Some(finish),
        stop_sequence: None,
        usage: reply.usage.and_then(|counts| counts.usage()),
        extra,
    })
}

fn without_empty(mut fields: Extras<'_>) -> Extras<'_> {
    fields.retain(|(_, value)| !is_empty(value));
    fields
}

fn take<'a>(
    item: Whole<'a, Item<'a>>,
    path: &str,
    parts: &mut Vec<Part<'a>>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<(), Error> {
    match item.value {
        Item::Message(Message { content, extra: fields, .. }) => {
            said(extra, path, without_empty(fields));
            if let Some(content) = content {
                item::parts(content, &format!("{path}/content"), extra, parts);
            }
        }
        Item::Call(call) => {
            said(extra, path, without_empty(call.extra));
            let lacks = |what: &str| {
                let message = format!("the provider's answer calls a function without {what}");
                Error::new(Code::UpstreamInvalid, message)
            };
            parts.push(Part::ToolCall {
                id: call.call_id.ok_or_else(|| lacks("a call_id"))?.0,
                name: call.name.ok_or_else(|| lacks("a name"))?.0,
                arguments: call.arguments.unwrap_or_default().0,
                signature: None,
                cache: None,
            });
        }
        Item::Reasoning(Reasoning { summary, content, extra: fields, .. }) => {
            said(extra, path, without_empty(fields));
            if let Some(text) = thoughts(content.unwrap_or_default(), summary.unwrap_or_default()) {
                parts.push(Part::Thinking { text, signature: None });
            }
        }
        Item::Output(_) | Item::Reference(_) | Item::Other => {
            parts.push(Part::Other(Extra { path: path.to_owned(), value: item.raw }));
        }
    }
    Ok(())
}

/// Writes a whole reply.
pub(super) fn write(reply: &Reply<'_>) -> Written {
    let mut losses = Losses::default();
    for extra in &reply.extra {
        losses.note(extra.path.as_str());
    }
    let ending = Ending::of(reply.finish);
    if ending.is_vaguer {
        losses.note("/stop_reason");
    }
    if reply.stop_sequence.is_some() || reply.finish == Some(Finish::StopSequence) {
        losses.note("/stop_sequence");
    }
    let id = reply.id.as_deref().unwrap_or_default();
    let head = Head {
        id,
        model: reply.model.as_deref().unwrap_or_default(),
        created: reply.created.and_then(|at| u64::try_from(at).ok()).unwrap_or(0),
    };
    let mut body = Vec::with_capacity(1024);
    write_object(&mut body, |object| {
        head.write(object, ending.status(), ending.incomplete);
        object.array("output", |output| write_parts(&reply.parts, id, output, &mut losses));
        match &reply.usage {
            Some(usage) => usage::write(object, usage),
            None => object.null("usage"),
        }
    });
    Written { body, losses }
}

/// What a response begins with, whole or in an event.
pub(super) struct Head<'h> {
    pub(super) id: &'h str,
    pub(super) model: &'h str,
    pub(super) created: u64,
}

impl Head<'_> {
    /// Writes the fields that every response has. What OpenAI repeats of the request is not known here: it has the value it
    /// has where nothing was asked for.
    pub(super) fn write(&self, object: &mut Object<'_>, status: &str, incomplete: Option<&str>) {
        object.string("id", self.id);
        object.string("object", "response");
        object.number("created_at", self.created);
        object.string("status", status);
        object.null("error");
        match incomplete {
            Some(reason) => {
                object.object("incomplete_details", |details| details.string("reason", reason));
            }
            None => object.null("incomplete_details"),
        }
        object.null("instructions");
        object.literal("metadata", "{}");
        object.string("model", self.model);
        object.bool("parallel_tool_calls", true);
        object.null("temperature");
        object.string("tool_choice", "auto");
        object.literal("tools", "[]");
        object.null("top_p");
    }
}

fn write_parts(parts: &[Part<'_>], reply: &str, output: &mut Array<'_>, losses: &mut Losses) {
    let mut items = 0;
    for (index, part) in parts.iter().enumerate() {
        let kind = match part {
            Part::Text { .. } | Part::Refusal { .. } => ItemKind::Message,
            Part::Thinking { .. } => ItemKind::Reasoning,
            Part::ToolCall { .. } => ItemKind::Call,
            Part::Other(extra) => {
                losses.note(extra.path.as_str());
                continue;
            }
            _ => {
                losses.note(format!("/content/{index}"));
                continue;
            }
        };
        let id = kind.id(reply, items);
        items += 1;
        output.object(|item| match part {
            Part::Text { text, .. } => message(item, &id, |content| output_text(content, text)),
            Part::Refusal { text } => message(item, &id, |content| refusal(content, text)),
            Part::Thinking { text, signature } => {
                if signature.is_some() {
                    losses.note(format!("/content/{index}/signature"));
                }
                reasoning(item, &id, Some(text));
            }
            Part::ToolCall { id: call, name, arguments, signature, .. } => {
                if signature.is_some() {
                    losses.note(format!("/content/{index}/signature"));
                }
                function_call(item, &id, call, name, "completed", arguments);
            }
            _ => {}
        });
    }
}

/// What an item is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ItemKind {
    Message,
    Reasoning,
    Call,
}

impl ItemKind {
    /// The id of the item that stands at `index` of a reply: no other item of any reply has it, it begins as OpenAI wants it
    /// to and is no longer than it takes, so that it can be sent back.
    pub(super) fn id(self, reply: &str, index: u64) -> String {
        const LIMIT: usize = 48;
        let prefix = match self {
            Self::Message => "msg",
            Self::Reasoning => "rs",
            Self::Call => "fc",
        };
        let plain: Cow<'_, str> = reply
            .chars()
            .filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
            .collect();
        format!("{prefix}_{}_{index}", fitting(&plain, LIMIT, ""))
    }
}

/// Writes a message whose only part `part` writes.
pub(super) fn message(item: &mut Object<'_>, id: &str, part: impl FnOnce(&mut Object<'_>)) {
    item.string("id", id);
    item.string("type", "message");
    item.string("status", "completed");
    item.string("role", "assistant");
    item.array("content", |content| content.object(part));
}

/// Writes a part that is text.
pub(super) fn output_text(part: &mut Object<'_>, text: &str) {
    part.string("type", "output_text");
    part.literal("annotations", "[]");
    part.literal("logprobs", "[]");
    part.string("text", text);
}

/// Writes a part that is a refusal.
pub(super) fn refusal(part: &mut Object<'_>, text: &str) {
    part.string("type", "refusal");
    part.string("refusal", text);
}

/// Writes what the model thought: as a summary, which is what clients of OpenAI show.
pub(super) fn reasoning(item: &mut Object<'_>, id: &str, text: Option<&str>) {
    item.string("id", id);
    item.string("type", "reasoning");
    item.array("summary", |summary| {
        if let Some(text) = text {
            summary.object(|part| summary_text(part, text));
        }
    });
}

/// Writes a part of a summary.
pub(super) fn summary_text(part: &mut Object<'_>, text: &str) {
    part.string("type", "summary_text");
    part.string("text", text);
}

/// Writes a call of a function.
pub(super) fn function_call(
    item: &mut Object<'_>,
    id: &str,
    call: &str,
    name: &str,
    status: &str,
    arguments: &str,
) {
    item.string("id", id);
    item.string("type", "function_call");
    item.string("status", status);
    item.string("arguments", if arguments.is_empty() && status == "completed" { "{}" } else { arguments });
    item.string("call_id", call);
    item.string("name", name);
}

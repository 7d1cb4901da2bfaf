//! Complete replies: what the record needs of them, reading, and writing.

use serde::de::IgnoredAny;
use stepwell_types::{Code, Finish};

use super::content::{
    Base, Block, is_object, keep_said, parts, write_call, write_media, write_redacted, write_text,
    write_thinking,
};
use super::usage::{self, Counts};
use super::{fitting, media, stop};
use crate::chat::{Extra, Part, Reply, Source};
use crate::json::{Array, Object, Text, Whole, object, read_reply, write_object};
use crate::{Error, Losses, ReplyFacts, Written};

object! {
    struct Response<'a> {
        output: Output<'a> = "output",
        stop_reason: Text<'a> = "stopReason",
        usage: Counts<'a> = "usage",
        additional: Additional<'a> = "additionalModelResponseFields",
    }
    // How long it took, and the class of service that was asked for.
    skipping "metrics", "performanceConfig", "serviceTier"
}

object! {
    struct Output<'a> { message: Message<'a> = "message" }
    skipping all
}

object! {
    #[expect(dead_code, reason = "a field that is only named here is known, and nothing is lost without it")]
    struct Message<'a> { role: IgnoredAny = "role", content: Vec<Whole<'a, Block<'a>>> = "content" }
}

object! {
    /// What the model's own reply has beside Converse's: fields that the request asked for by their paths, and of a reply
    /// from another dialect, its id and model.
    pub(super) struct Additional<'a> {
        id: Text<'a> = "id",
        model: Text<'a> = "model",
        stop_sequence: Text<'a> = "stop_sequence",
    }
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
    let reply: Response<'_> = read_reply(body)?;
    let mut extra = Vec::new();
    keep_said(&mut extra, "", reply.extra);
    let Some(message) = reply.output.and_then(|output| output.message) else {
        return Err(Error::new(Code::UpstreamInvalid, "the provider's answer has no output.message"));
    };
    keep_said(&mut extra, "/output/message", message.extra);
    let mut said = parts(message.content.unwrap_or_default(), Base::Reply, &mut extra)
        .map_err(|error| Error { code: Code::UpstreamInvalid, ..error })?;
    for part in &mut said {
        if let Part::ToolCall { name, .. } = part {
            *name = fitting::tool_name_said(std::mem::take(name));
        }
    }
    let additional = reply.additional.unwrap_or_default();
    keep_said(&mut extra, "/additionalModelResponseFields", additional.extra);
    let mut counts = reply.usage;
    if let Some(counts) = &mut counts {
        keep_said(&mut extra, "/usage", std::mem::take(&mut counts.extra));
    }
    Ok(Reply {
        id: additional.id.map(|id| id.0),
        model: additional.model.map(|model| model.0),
        created: None,
        parts: said,
        finish: reply.stop_reason.map(|reason| stop::read(&reason.0)),
        stop_sequence: additional.stop_sequence.map(|sequence| sequence.0),
        usage: counts.and_then(|counts| counts.usage()),
        extra,
    })
}

/// Writes a reply. Its id and its model, which Converse has no place for, stand where it has the fields of the model's own
/// reply.
pub(super) fn write(reply: &Reply<'_>) -> Written {
    let mut losses = Losses::default();
    for Extra { path, value } in &reply.extra {
        if value.get() != "null" {
            losses.note(path.as_str());
        }
    }
    let mut calls_tools = false;
    let mut body = Vec::with_capacity(512);
    write_object(&mut body, |response| {
        response.object("output", |output| {
            output.object("message", |message| {
                message.string("role", "assistant");
                message.array("content", |content| {
                    for (index, part) in reply.parts.iter().enumerate() {
                        calls_tools |= matches!(part, Part::ToolCall { .. });
                        write_part(content, part, index, &mut losses);
                    }
                });
            });
        });
        let sequence = reply.stop_sequence.as_deref();
        write_end(response, reply.finish, calls_tools, &mut losses);
        let metered = reply.usage.unwrap_or_default();
        usage::unsayable(&metered).for_each(|path| losses.note(path));
        usage::write(response, &metered);
        write_metrics(response);
        write_additional(response, reply.id.as_deref(), reply.model.as_deref(), sequence);
    });
    Written { body, losses }
}

/// Writes why the model stopped.
pub(super) fn write_end(
    object: &mut Object<'_>,
    finish: Option<Finish>,
    calls_tools: bool,
    losses: &mut Losses,
) {
    let (reason, vaguer) = stop::write(finish, calls_tools);
    if vaguer {
        losses.note("/stop_reason");
    }
    object.string("stopReason", reason);
}

/// Writes how long it took, which AWS's SDKs expect and nobody here has measured.
pub(super) fn write_metrics(object: &mut Object<'_>) {
    object.literal("metrics", r#"{"latencyMs":0}"#);
}

/// Writes what of the model's own reply has no other place, if there is any.
pub(super) fn write_additional(
    object: &mut Object<'_>,
    id: Option<&str>,
    model: Option<&str>,
    stop_sequence: Option<&str>,
) {
    let fields = [("id", id), ("model", model), ("stop_sequence", stop_sequence)];
    if fields.iter().all(|(_, value)| value.is_none()) {
        return;
    }
    object.object("additionalModelResponseFields", |additional| {
        for (key, value) in fields {
            if let Some(value) = value {
                additional.string(key, value);
            }
        }
    });
}

fn write_part(content: &mut Array<'_>, part: &Part<'_>, index: usize, losses: &mut Losses) {
    match part {
        Part::Text { text, .. } | Part::Refusal { text } if text.is_empty() => {}
        Part::Text { text, .. } => write_text(content, text),
        Part::Refusal { text } => {
            losses.note("/refusal");
            write_text(content, text);
        }
        Part::Thinking { text, signature } => write_thinking(content, text, signature.as_deref()),
        Part::RedactedThinking { data } => write_redacted(content, data),
        Part::ToolCall { id, name, arguments, signature, .. } => {
            if signature.is_some() {
                losses.note(format!("/content/{index}/signature"));
            }
            if !is_object(arguments) {
                // Cut off within its arguments: with any in their place it would look whole, and be run.
                return losses.note(format!("/content/{index}/arguments"));
            }
            write_call(content, id, name, arguments);
        }
        Part::Image { source: Source::Base64 { media_type, data }, .. } => {
            match media::format_of(media::IMAGES, media_type) {
                Some(format) => content.object(|block| write_media(block, "image", format, data)),
                None => losses.note(format!("/content/{index}")),
            }
        }
        Part::Other(extra) => losses.note(extra.path.as_str()),
        Part::Image { .. } | Part::Audio { .. } | Part::Document { .. } | Part::ToolResult { .. } => {
            losses.note(format!("/content/{index}"));
        }
    }
}

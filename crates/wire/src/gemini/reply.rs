//! Complete replies: what the record needs of them, reading, and writing.

use stepwell_types::{Code, Finish};

use super::content::{Base, Calls, Content, keep_said, parts, write_call, write_source, write_text};
use super::finish;
use super::usage::{self, Counts};
use crate::chat::{Extra, Part, Reply};
use crate::json::{Array, Object, Text, Whole, object, read_reply, write_object};
use crate::{Error, Losses, ReplyFacts, Written};

object! {
    /// A reply, or a step of a streamed one.
    pub(super) struct Response<'a> {
        candidates: Vec<Whole<'a, Candidate<'a>>> = "candidates",
        feedback: Feedback<'a> = "promptFeedback",
        usage: Counts = "usageMetadata",
        model: Text<'a> = "modelVersion",
        id: Text<'a> = "responseId",
    }
    skipping "createTime"
}

object! {
    pub(super) struct Candidate<'a> {
        content: Content<'a> = "content",
        finish_reason: Text<'a> = "finishReason",
        index: u64 = "index",
    }
    // Of the tokens, their number; of the safety of what passed, that it passed.
    skipping "avgLogprobs", "safetyRatings", "tokenCount", "finishMessage"
}

object! {
    pub(super) struct Feedback<'a> { block_reason: Text<'a> = "blockReason" }
    skipping all
}

/// Neither candidates nor a reason why there are none.
fn no_candidates() -> Error {
    Error::new(Code::UpstreamInvalid, "the provider's answer has no candidates")
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
    let blocked = reply.feedback.and_then(|feedback| feedback.block_reason);
    let candidates = reply.candidates.unwrap_or_default();
    if candidates.is_empty() && blocked.is_none() {
        return Err(no_candidates());
    }
    let mut candidates: Vec<_> = candidates.into_iter().map(|Whole { raw, value }| (raw, value)).collect();
    candidates.sort_by_key(|(_, candidate)| candidate.index.unwrap_or(0));
    let mut candidates = candidates.into_iter();
    let first = candidates.next().map(|(_, candidate)| candidate);
    extra.extend(
        (1..)
            .zip(candidates)
            .map(|(index, (value, _))| Extra { path: format!("/candidates/{index}"), value }),
    );
    let (said, reason) = match first {
        Some(candidate) => {
            keep_said(&mut extra, "/candidates/0", candidate.extra);
            let content = candidate.content.unwrap_or_default();
            let mut calls = Calls::of_reply(reply.id.as_ref().map(|id| id.0.clone()).unwrap_or_default());
            let said = parts(content.parts.unwrap_or_default(), Base::Reply, &mut calls, &mut extra)
                .map_err(|error| Error { code: Code::UpstreamInvalid, ..error })?;
            (said, candidate.finish_reason)
        }
        None => (Vec::new(), None),
    };
    let calls_tools = said.iter().any(|part| matches!(part, Part::ToolCall { .. }));
    let finish = match (reason, blocked) {
        (Some(reason), _) => Some(finish::read(&reason.0, calls_tools)),
        (None, Some(_)) => Some(Finish::ContentFilter),
        (None, None) => None,
    };
    Ok(Reply {
        parts: said,
        id: reply.id.map(|id| id.0),
        model: reply.model.map(|model| model.0),
        created: None,
        finish,
        stop_sequence: None,
        usage: reply.usage.and_then(|counts| counts.usage()),
        extra,
    })
}

/// Writes a reply.
pub(super) fn write(reply: &Reply<'_>) -> Written {
    let mut losses = Losses::default();
    for Extra { path, .. } in &reply.extra {
        losses.note(path.as_str());
    }
    let mut body = Vec::with_capacity(512);
    write_object(&mut body, |response| {
        response.array("candidates", |candidates| {
            candidates.object(|candidate| {
                candidate.object("content", |content| {
                    content.array("parts", |parts| {
                        for (index, part) in reply.parts.iter().enumerate() {
                            write_part(parts, part, index, &mut losses);
                        }
                    });
                    content.string("role", "model");
                });
                let (reason, vaguer) = finish::write(reply.finish);
                if vaguer {
                    losses.note("/stop_reason");
                }
                candidate.string("finishReason", reason);
                candidate.number("index", 0);
            });
        });
        if reply.stop_sequence.is_some() || reply.finish == Some(Finish::StopSequence) {
            losses.note("/stop_sequence");
        }
        if let Some(metered) = &reply.usage {
            if usage::unsayable(metered) {
                losses.note("/usage/cache_creation_input_tokens");
            }
            usage::write(response, metered);
        }
        write_origin(response, reply.id.as_deref(), reply.model.as_deref());
    });
    Written { body, losses }
}

/// Writes which reply this is, and whose.
pub(super) fn write_origin(response: &mut Object<'_>, id: Option<&str>, model: Option<&str>) {
    response.string("modelVersion", model.unwrap_or_default());
    response.string("responseId", id.unwrap_or_default());
}

fn write_part(parts: &mut Array<'_>, part: &Part<'_>, index: usize, losses: &mut Losses) {
    match part {
        Part::Text { text, .. } => write_text(parts, text, false),
        Part::Refusal { text } => {
            losses.note("/refusal");
            write_text(parts, text, false);
        }
        Part::Thinking { text, signature } => {
            if signature.is_some() {
                losses.note(format!("/content/{index}/signature"));
            }
            write_text(parts, text, true);
        }
        Part::ToolCall { id, name, arguments, signature, .. } => {
            if super::content::is_cut(arguments) {
                return losses.note(format!("/content/{index}/arguments"));
            }
            write_call(parts, id, name, arguments, signature.as_deref());
        }
        Part::Image { source, .. } | Part::Audio { source } => {
            parts.object(|part| write_source(part, source));
        }
        Part::Other(extra) => losses.note(extra.path.as_str()),
        Part::RedactedThinking { .. } | Part::Document { .. } | Part::ToolResult { .. } => {
            losses.note(format!("/content/{index}"));
        }
    }
}

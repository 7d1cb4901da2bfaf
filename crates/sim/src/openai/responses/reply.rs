//! Writes a response that is not streamed, and the parts that streams share with it.
//!
//! <https://platform.openai.com/docs/api-reference/responses/object>

use stepwell_types::Finish;

use crate::anthropic::signature;
use crate::json::{integer, string};
use crate::oracle::Tokens;
use crate::reply::{Block, Reply};

use super::settings::Settings;

/// What every reply begins with.
#[derive(Clone, Copy)]
pub(crate) struct Head<'h> {
    /// The reply's id.
    pub(crate) id: &'h str,
    /// Seconds since the epoch.
    pub(crate) created: i64,
    /// The model's name.
    pub(crate) model: &'h str,
    /// What the request sets.
    pub(crate) settings: &'h Settings,
}

impl Head<'_> {
    /// The id of an item of the output: it has the digits of the reply's.
    pub(super) fn item_id(&self, block: &Block, index: u32) -> String {
        let prefix = match block {
            Block::Thinking { .. } | Block::RedactedThinking { .. } => "rs",
            Block::Text(_) | Block::Refusal(_) => "msg",
            Block::Call { .. } => "fc",
        };
        let digits = self.id.strip_prefix("resp_").unwrap_or(self.id);
        format!("{prefix}_{digits}{index:03x}")
    }
}

/// How far a response has come.
#[derive(Clone, Copy)]
pub(super) enum Stage<'r> {
    /// Nothing was made.
    InProgress,
    /// Everything was.
    Done(&'r Reply),
    /// Nothing more will be, with this code and message.
    Failed(&'static str, &'static str),
}

/// Writes the body.
pub(crate) fn write(head: &Head<'_>, reply: &Reply) -> Vec<u8> {
    let mut out = Vec::with_capacity(2_048);
    response(&mut out, head, Stage::Done(reply));
    out
}

/// Writes the answer to a request to count.
pub(crate) fn count(tokens: u32) -> Vec<u8> {
    format!("{{\"object\":\"response.input_tokens\",\"input_tokens\":{tokens}}}").into_bytes()
}

/// Writes a response object.
pub(super) fn response(out: &mut Vec<u8>, head: &Head<'_>, stage: Stage<'_>) {
    out.extend_from_slice(b"{\"id\":");
    string(out, head.id);
    out.extend_from_slice(b",\"object\":\"response\",\"created_at\":");
    integer(out, head.created);
    let reason = match stage {
        Stage::Done(reply) => incomplete(reply.finish),
        Stage::InProgress | Stage::Failed(..) => None,
    };
    let status = match stage {
        Stage::InProgress => "in_progress",
        Stage::Failed(..) => "failed",
        Stage::Done(_) if reason.is_some() => "incomplete",
        Stage::Done(_) => "completed",
    };
    out.extend_from_slice(b",\"status\":");
    string(out, status);
    out.extend_from_slice(b",\"background\":false,\"completed_at\":");
    if status == "completed" {
        integer(out, head.created);
    } else {
        out.extend_from_slice(b"null");
    }
    out.extend_from_slice(b",\"error\":");
    if let Stage::Failed(code, message) = stage {
        out.extend_from_slice(b"{\"code\":");
        string(out, code);
        out.extend_from_slice(b",\"message\":");
        string(out, message);
        out.push(b'}');
    } else {
        out.extend_from_slice(b"null");
    }
    out.extend_from_slice(b",\"incomplete_details\":");
    if let Some(reason) = reason {
        out.extend_from_slice(b"{\"reason\":");
        string(out, reason);
        out.push(b'}');
    } else {
        out.extend_from_slice(b"null");
    }
    out.extend_from_slice(b",\"model\":");
    string(out, head.model);
    out.extend_from_slice(b",\"output\":[");
    if let Stage::Done(reply) = stage {
        for (index, block) in (0_u32..).zip(&reply.blocks) {
            if index > 0 {
                out.push(b',');
            }
            item(out, head, index, block, item_status(reply, index, block));
        }
    }
    out.extend_from_slice(b"],");
    out.extend_from_slice(&head.settings.echoed);
    out.extend_from_slice(b",\"usage\":");
    match stage {
        Stage::Done(reply) => usage(out, reply.tokens),
        _ => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
}

/// Why a response is not complete, if it is not.
pub(super) fn incomplete(finish: Finish) -> Option<&'static str> {
    match finish {
        Finish::Length => Some("max_output_tokens"),
        Finish::ContentFilter => Some("content_filter"),
        _ => None,
    }
}

/// Whether an item was made to its end.
pub(super) fn item_status(reply: &Reply, index: u32, block: &Block) -> &'static str {
    let last = usize::try_from(index).is_ok_and(|index| index + 1 == reply.blocks.len());
    let cut = match block {
        Block::Call { complete, .. } => !complete,
        _ => last && incomplete(reply.finish).is_some(),
    };
    if cut { "incomplete" } else { "completed" }
}

/// Writes an item of the output.
pub(super) fn item(out: &mut Vec<u8>, head: &Head<'_>, index: u32, block: &Block, status: &str) {
    out.extend_from_slice(b"{\"id\":");
    string(out, &head.item_id(block, index));
    match block {
        Block::Text(_) | Block::Refusal(_) => {
            message(out, status);
            part(out, block);
            out.extend_from_slice(b"]}");
        }
        Block::Call { id, name, arguments, .. } => call(out, id, name, arguments, status),
        Block::Thinking { text, signature, .. } => reasoning(out, head, text, signature),
        Block::RedactedThinking { data, .. } => reasoning(out, head, "", data),
    }
}

/// A message after its id and up to its parts.
fn message(out: &mut Vec<u8>, status: &str) {
    out.extend_from_slice(b",\"type\":\"message\",\"status\":\"");
    out.extend_from_slice(status.as_bytes());
    out.extend_from_slice(b"\",\"role\":\"assistant\",\"content\":[");
}

/// A call after its id.
fn call(out: &mut Vec<u8>, call_id: &str, name: &str, arguments: &str, status: &str) {
    out.extend_from_slice(b",\"type\":\"function_call\",\"status\":\"");
    out.extend_from_slice(status.as_bytes());
    out.extend_from_slice(b"\",\"arguments\":");
    string(out, arguments);
    out.extend_from_slice(b",\"call_id\":");
    string(out, call_id);
    out.extend_from_slice(b",\"name\":");
    string(out, name);
    out.push(b'}');
}

/// Reasoning after its id: its text is its summary, its signature what stands for it encrypted.
fn reasoning(out: &mut Vec<u8>, head: &Head<'_>, text: &str, signature: &str) {
    out.extend_from_slice(b",\"type\":\"reasoning\"");
    if head.settings.encrypted {
        out.extend_from_slice(b",\"encrypted_content\":");
        string(out, signature);
    }
    out.extend_from_slice(b",\"summary\":[");
    if !text.is_empty() {
        summary(out, text);
    }
    out.extend_from_slice(b"]}");
}

/// A part of a summary.
pub(super) fn summary(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(b"{\"type\":\"summary_text\",\"text\":");
    string(out, text);
    out.push(b'}');
}

/// An item as it is when nothing of it was made.
pub(super) fn begun(out: &mut Vec<u8>, head: &Head<'_>, index: u32, block: &Block) {
    out.extend_from_slice(b"{\"id\":");
    string(out, &head.item_id(block, index));
    match block {
        Block::Text(_) | Block::Refusal(_) => {
            message(out, "in_progress");
            out.extend_from_slice(b"]}");
        }
        Block::Call { id, name, .. } => call(out, id, name, "", "in_progress"),
        // What stands for reasoning encrypted is another one until it is done.
        Block::Thinking { .. } | Block::RedactedThinking { .. } => {
            reasoning(out, head, "", &signature::sign(""));
        }
    }
}

/// The part of a message that is all of this text.
pub(super) fn part(out: &mut Vec<u8>, block: &Block) {
    match block {
        Block::Refusal(text) => {
            out.extend_from_slice(b"{\"type\":\"refusal\",\"refusal\":");
            string(out, text);
            out.push(b'}');
        }
        Block::Text(text) => text_part(out, text),
        Block::Call { .. } | Block::Thinking { .. } | Block::RedactedThinking { .. } => {}
    }
}

fn text_part(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(b"{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":");
    string(out, text);
    out.push(b'}');
}

/// Writes the usage object. Its input includes what was cached, its output what was reasoned.
fn usage(out: &mut Vec<u8>, tokens: Tokens) {
    out.extend_from_slice(b"{\"input_tokens\":");
    integer(out, tokens.input);
    out.extend_from_slice(b",\"input_tokens_details\":{\"cached_tokens\":");
    integer(out, tokens.cache_read);
    out.extend_from_slice(b",\"cache_write_tokens\":");
    integer(out, i64::from(tokens.cache_write_5m) + i64::from(tokens.cache_write_1h));
    out.extend_from_slice(b"},\"output_tokens\":");
    integer(out, tokens.output);
    out.extend_from_slice(b",\"output_tokens_details\":{\"reasoning_tokens\":");
    integer(out, tokens.reasoning);
    out.extend_from_slice(b"},\"total_tokens\":");
    integer(out, i64::from(tokens.input) + i64::from(tokens.output));
    out.push(b'}');
}

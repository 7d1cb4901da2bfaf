//! Writes a chat completion that is not streamed, and the parts that streams share with it.

use stepwell_types::Finish;

use crate::json::{escaped, integer, string};
use crate::oracle::Tokens;
use crate::reply::{Block, Reply};

/// What every reply begins with.
pub(crate) struct Head<'h> {
    /// The reply's id.
    pub(crate) id: &'h str,
    /// Seconds since the epoch.
    pub(crate) created: i64,
    /// The model's name.
    pub(crate) model: &'h str,
}

/// Writes the body.
pub(crate) fn write(head: &Head<'_>, reply: &Reply) -> Vec<u8> {
    let mut out = Vec::with_capacity(1_024);
    out.extend_from_slice(b"{\"id\":\"");
    out.extend_from_slice(head.id.as_bytes());
    out.extend_from_slice(b"\",\"object\":\"chat.completion\",\"created\":");
    integer(&mut out, head.created);
    out.extend_from_slice(b",\"model\":");
    string(&mut out, head.model);
    out.extend_from_slice(b",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
    content(&mut out, reply);
    calls(&mut out, reply);
    out.extend_from_slice(b",\"annotations\":[]},\"logprobs\":null,\"finish_reason\":\"");
    out.extend_from_slice(finish_reason(reply.finish).as_bytes());
    out.extend_from_slice(b"\"}],\"usage\":");
    usage(&mut out, reply.tokens);
    out.extend_from_slice(b",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_stepwell_sim\"}");
    out
}

fn content(out: &mut Vec<u8>, reply: &Reply) {
    let mut texts = reply.blocks.iter().filter_map(|block| match block {
        Block::Text(text) => Some(text),
        _ => None,
    });
    let refusal = reply.blocks.iter().find_map(|block| match block {
        Block::Refusal(text) => Some(text),
        _ => None,
    });
    match texts.next() {
        Some(text) => string(out, text),
        None if refusal.is_none() && !has_calls(reply) => out.extend_from_slice(b"\"\""),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"refusal\":");
    match refusal {
        Some(text) => string(out, text),
        None => out.extend_from_slice(b"null"),
    }
}

fn has_calls(reply: &Reply) -> bool {
    reply.blocks.iter().any(|block| matches!(block, Block::Call { .. }))
}

fn calls(out: &mut Vec<u8>, reply: &Reply) {
    if !has_calls(reply) {
        return;
    }
    out.extend_from_slice(b",\"tool_calls\":[");
    let mut first = true;
    for block in &reply.blocks {
        let Block::Call { id, name, arguments, .. } = block else { continue };
        if !first {
            out.push(b',');
        }
        first = false;
        out.extend_from_slice(b"{\"id\":\"");
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(b"\",\"type\":\"function\",\"function\":{\"name\":");
        string(out, name);
        out.extend_from_slice(b",\"arguments\":\"");
        escaped(out, arguments);
        out.extend_from_slice(b"\"}}");
    }
    out.push(b']');
}

/// The dialect's word for why a reply ended.
pub(super) fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
        _ => "stop",
    }
}

/// Writes the usage object. Its input includes what was cached, its output what was reasoned.
pub(super) fn usage(out: &mut Vec<u8>, tokens: Tokens) {
    out.extend_from_slice(b"{\"prompt_tokens\":");
    integer(out, tokens.input);
    out.extend_from_slice(b",\"completion_tokens\":");
    integer(out, tokens.output);
    out.extend_from_slice(b",\"total_tokens\":");
    integer(out, i64::from(tokens.input) + i64::from(tokens.output));
    out.extend_from_slice(b",\"prompt_tokens_details\":{\"cached_tokens\":");
    integer(out, tokens.cache_read);
    out.extend_from_slice(b",\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":");
    integer(out, tokens.reasoning);
    out.extend_from_slice(
        b",\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}",
    );
}

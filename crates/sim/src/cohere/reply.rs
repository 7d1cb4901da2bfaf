//! Writes a reply that is not streamed, and the parts that streams share with it.

use stepwell_types::Finish;

use crate::json::{integer, string};
use crate::oracle::Tokens;
use crate::reply::{Block, Reply};

/// Input tokens that Cohere itself puts into every prompt, and does not bill: in its examples `billed_units` are fewer than
/// `tokens` by as many.
const PREAMBLE: i64 = 66;

/// Output tokens that end a reply, and are not billed either.
const SPECIAL: i64 = 1;

/// Writes the body.
pub(crate) fn write(id: &str, reply: &Reply) -> Vec<u8> {
    let mut out = Vec::with_capacity(1_024);
    out.extend_from_slice(b"{\"id\":");
    string(&mut out, id);
    out.extend_from_slice(b",\"message\":{\"role\":\"assistant\"");
    content(&mut out, reply);
    calls(&mut out, reply);
    out.extend_from_slice(b"},\"finish_reason\":\"");
    out.extend_from_slice(finish_reason(reply.finish).as_bytes());
    out.extend_from_slice(b"\",\"usage\":");
    usage(&mut out, reply.tokens);
    out.push(b'}');
    out
}

fn content(out: &mut Vec<u8>, reply: &Reply) {
    let said: Vec<_> = reply
        .blocks
        .iter()
        .filter_map(|block| match block {
            Block::Text(text) | Block::Refusal(text) => Some(("text", text)),
            Block::Thinking { text, .. } => Some(("thinking", text)),
            Block::RedactedThinking { .. } | Block::Call { .. } => None,
        })
        .collect();
    if said.is_empty() {
        return;
    }
    out.extend_from_slice(b",\"content\":[");
    for (index, (kind, text)) in said.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(format!("{{\"type\":\"{kind}\",\"{kind}\":").as_bytes());
        string(out, text);
        out.push(b'}');
    }
    out.push(b']');
}

fn calls(out: &mut Vec<u8>, reply: &Reply) {
    let mut is_first = true;
    for block in &reply.blocks {
        let Block::Call { id, name, arguments, .. } = block else { continue };
        out.extend_from_slice(if is_first { b",\"tool_calls\":[" } else { b"," });
        is_first = false;
        call(out, id, name, arguments);
    }
    if !is_first {
        out.push(b']');
    }
}

/// Writes a call of a tool.
pub(super) fn call(out: &mut Vec<u8>, id: &str, name: &str, arguments: &str) {
    out.extend_from_slice(b"{\"id\":");
    string(out, id);
    out.extend_from_slice(b",\"type\":\"function\",\"function\":{\"name\":");
    string(out, name);
    out.extend_from_slice(b",\"arguments\":");
    string(out, arguments);
    out.extend_from_slice(b"}}");
}

/// The dialect's word for why a reply ended.
pub(super) fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Length => "MAX_TOKENS",
        Finish::ToolCalls => "TOOL_CALL",
        Finish::StopSequence => "STOP_SEQUENCE",
        _ => "COMPLETE",
    }
}

/// Writes the usage object: what is billed, and all there was. What was cached is part of the latter.
pub(super) fn usage(out: &mut Vec<u8>, tokens: Tokens) {
    let (input, output) = (i64::from(tokens.input), i64::from(tokens.output));
    out.extend_from_slice(b"{\"billed_units\":");
    pair(out, input, output);
    out.extend_from_slice(b",\"tokens\":");
    pair(out, input + PREAMBLE, output + SPECIAL);
    out.extend_from_slice(b",\"cached_tokens\":");
    integer(out, tokens.cache_read);
    out.push(b'}');
}

fn pair(out: &mut Vec<u8>, input: i64, output: i64) {
    out.extend_from_slice(b"{\"input_tokens\":");
    integer(out, input);
    out.extend_from_slice(b",\"output_tokens\":");
    integer(out, output);
    out.push(b'}');
}

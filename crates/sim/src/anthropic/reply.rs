//! Writes a message that is not streamed, and the parts that streams share with it.

use stepwell_types::Finish;

use crate::json::{integer, string};
use crate::oracle::Tokens;
use crate::reply::{Block, Reply};

/// What every reply begins with.
pub(crate) struct Head<'h> {
    /// The reply's id.
    pub(crate) id: &'h str,
    /// The model's name.
    pub(crate) model: &'h str,
    /// Whether usage tells how much was thought.
    pub(crate) thinking: bool,
}

/// Writes the body.
pub(crate) fn write(head: &Head<'_>, reply: &Reply) -> Vec<u8> {
    let mut out = Vec::with_capacity(1_024);
    opening(&mut out, head);
    out.extend_from_slice(b"\"content\":[");
    for (index, block) in reply.blocks.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_block(&mut out, block);
    }
    out.extend_from_slice(b"],");
    ending(&mut out, reply);
    out.extend_from_slice(b",\"usage\":");
    usage(&mut out, head, reply.tokens, reply.tokens.output);
    out.push(b'}');
    out
}

/// The members before `content`.
pub(super) fn opening(out: &mut Vec<u8>, head: &Head<'_>) {
    out.extend_from_slice(b"{\"id\":\"");
    out.extend_from_slice(head.id.as_bytes());
    out.extend_from_slice(b"\",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
    string(out, head.model);
    out.push(b',');
}

fn write_block(out: &mut Vec<u8>, block: &Block) {
    match block {
        Block::Thinking { text, signature, .. } => {
            out.extend_from_slice(b"{\"type\":\"thinking\",\"thinking\":");
            string(out, text);
            out.extend_from_slice(b",\"signature\":");
            string(out, signature);
        }
        Block::RedactedThinking { data, .. } => redacted(out, data),
        Block::Text(text) | Block::Refusal(text) => {
            out.extend_from_slice(b"{\"type\":\"text\",\"text\":");
            string(out, text);
        }
        Block::Call { id, name, arguments, complete } => {
            tool_use(out, id, name);
            out.extend_from_slice(b",\"input\":");
            let input = if *complete { arguments.as_str() } else { "{}" };
            out.extend_from_slice(input.as_bytes());
        }
    }
    out.push(b'}');
}

/// A redacted thinking block but for its closing brace.
pub(super) fn redacted(out: &mut Vec<u8>, data: &str) {
    out.extend_from_slice(b"{\"type\":\"redacted_thinking\",\"data\":");
    string(out, data);
}

/// A tool use block but for its input and closing brace.
pub(super) fn tool_use(out: &mut Vec<u8>, id: &str, name: &str) {
    out.extend_from_slice(b"{\"type\":\"tool_use\",\"id\":");
    string(out, id);
    out.extend_from_slice(b",\"name\":");
    string(out, name);
}

/// The members that tell why the reply ended.
pub(super) fn ending(out: &mut Vec<u8>, reply: &Reply) {
    out.extend_from_slice(b"\"stop_reason\":\"");
    out.extend_from_slice(stop_reason(reply.finish).as_bytes());
    out.extend_from_slice(b"\",\"stop_sequence\":");
    match &reply.stop_sequence {
        Some(text) => string(out, text),
        None => out.extend_from_slice(b"null"),
    }
    if reply.finish == Finish::Refusal {
        out.extend_from_slice(
            b",\"stop_details\":{\"type\":\"refusal\",\"category\":\"general_harms\",\"explanation\":\"simulated\"}",
        );
    }
}

fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::StopSequence => "stop_sequence",
        Finish::Refusal => "refusal",
        Finish::Pause => "pause_turn",
        Finish::ContextWindow => "model_context_window_exceeded",
        _ => "end_turn",
    }
}

/// Writes the usage object. Its input excludes what was read from and written to the cache.
pub(super) fn usage(out: &mut Vec<u8>, head: &Head<'_>, tokens: Tokens, output: u32) {
    input(out, tokens);
    out.extend_from_slice(b",\"cache_creation\":{\"ephemeral_5m_input_tokens\":");
    integer(out, tokens.cache_write_5m);
    out.extend_from_slice(b",\"ephemeral_1h_input_tokens\":");
    integer(out, tokens.cache_write_1h);
    out.extend_from_slice(b"},\"output_tokens\":");
    integer(out, output);
    thought(out, head, tokens.reasoning.min(output));
    out.extend_from_slice(b",\"service_tier\":\"standard\"}");
}

/// Writes the usage object of `message_delta`: cumulative, and restating the input.
pub(super) fn delta_usage(out: &mut Vec<u8>, head: &Head<'_>, tokens: Tokens) {
    input(out, tokens);
    out.extend_from_slice(b",\"output_tokens\":");
    integer(out, tokens.output);
    thought(out, head, tokens.reasoning);
    out.push(b'}');
}

fn input(out: &mut Vec<u8>, tokens: Tokens) {
    out.extend_from_slice(b"{\"input_tokens\":");
    integer(out, tokens.uncached());
    out.extend_from_slice(b",\"cache_creation_input_tokens\":");
    integer(out, i64::from(tokens.cache_write_5m) + i64::from(tokens.cache_write_1h));
    out.extend_from_slice(b",\"cache_read_input_tokens\":");
    integer(out, tokens.cache_read);
}

fn thought(out: &mut Vec<u8>, head: &Head<'_>, tokens: u32) {
    if head.thinking {
        out.extend_from_slice(b",\"output_tokens_details\":{\"thinking_tokens\":");
        integer(out, tokens);
        out.push(b'}');
    }
}

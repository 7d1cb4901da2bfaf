//! Writes a reply that is not streamed, and the parts that streams share with it.

use stepwell_types::Finish;

use crate::json::{integer, string};
use crate::oracle::Tokens;
use crate::reply::{Block, Reply};

/// Writes the body.
pub(crate) fn write(reply: &Reply) -> Vec<u8> {
    let mut out = Vec::with_capacity(1_024);
    out.extend_from_slice(b"{\"metrics\":{\"latencyMs\":1},\"output\":{\"message\":{\"content\":[");
    let mut begun = false;
    for block in &reply.blocks {
        if std::mem::replace(&mut begun, true) {
            out.push(b',');
        }
        write_block(&mut out, block);
    }
    out.extend_from_slice(b"],\"role\":\"assistant\"}},");
    ending(&mut out, reply);
    out.push(b',');
    usage(&mut out, reply.tokens);
    out.push(b'}');
    out
}

fn write_block(out: &mut Vec<u8>, block: &Block) {
    match block {
        Block::Thinking { text, signature, .. } => {
            out.extend_from_slice(b"{\"reasoningContent\":{\"reasoningText\":{\"signature\":");
            string(out, signature);
            out.extend_from_slice(b",\"text\":");
            string(out, text);
            out.extend_from_slice(b"}}}");
        }
        Block::RedactedThinking { data, .. } => {
            out.extend_from_slice(b"{\"reasoningContent\":{\"redactedContent\":");
            string(out, data);
            out.extend_from_slice(b"}}");
        }
        Block::Text(text) | Block::Refusal(text) => {
            out.extend_from_slice(b"{\"text\":");
            string(out, text);
            out.push(b'}');
        }
        Block::Call { id, name, arguments, complete } => {
            out.extend_from_slice(b"{\"toolUse\":{\"input\":");
            out.extend_from_slice(if *complete { arguments.as_bytes() } else { b"{}" });
            out.push(b',');
            tool(out, id, name);
            out.extend_from_slice(b"}}");
        }
    }
}

/// The name and the id of a call.
pub(super) fn tool(out: &mut Vec<u8>, id: &str, name: &str) {
    out.extend_from_slice(b"\"name\":");
    string(out, name);
    out.extend_from_slice(b",\"toolUseId\":");
    string(out, id);
}

/// The members that tell why the reply ended. Which stop sequence came is a field of the model's own reply.
pub(super) fn ending(out: &mut Vec<u8>, reply: &Reply) {
    if let Some(sequence) = &reply.stop_sequence {
        out.extend_from_slice(b"\"additionalModelResponseFields\":{\"stop_sequence\":");
        string(out, sequence);
        out.extend_from_slice(b"},");
    }
    out.extend_from_slice(b"\"stopReason\":\"");
    out.extend_from_slice(stop_reason(reply.finish).as_bytes());
    out.push(b'"');
}

fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::StopSequence => "stop_sequence",
        Finish::Refusal | Finish::ContentFilter => "content_filtered",
        Finish::ContextWindow => "model_context_window_exceeded",
        _ => "end_turn",
    }
}

/// The usage. Its input excludes what was read from and written to the cache; its total does not.
pub(super) fn usage(out: &mut Vec<u8>, tokens: Tokens) {
    let (hour, five_minutes) = (i64::from(tokens.cache_write_1h), i64::from(tokens.cache_write_5m));
    out.extend_from_slice(b"\"usage\":{");
    if hour + five_minutes > 0 {
        out.extend_from_slice(b"\"cacheDetails\":[");
        let details: Vec<String> = [("1h", hour), ("5m", five_minutes)]
            .into_iter()
            .filter(|(_, tokens)| *tokens > 0)
            .map(|(ttl, tokens)| format!("{{\"inputTokens\":{tokens},\"ttl\":\"{ttl}\"}}"))
            .collect();
        out.extend_from_slice(details.join(",").as_bytes());
        out.extend_from_slice(b"],");
    }
    out.extend_from_slice(b"\"cacheReadInputTokens\":");
    integer(out, tokens.cache_read);
    out.extend_from_slice(b",\"cacheWriteInputTokens\":");
    integer(out, hour + five_minutes);
    out.extend_from_slice(b",\"inputTokens\":");
    integer(out, tokens.uncached());
    out.extend_from_slice(b",\"outputTokens\":");
    integer(out, tokens.output);
    out.extend_from_slice(b",\"totalTokens\":");
    integer(out, i64::from(tokens.input) + i64::from(tokens.output));
    out.push(b'}');
}

//! Writes a message as a stream of events.
//!
//! `message_start` with the input's usage, `ping`, the blocks, `message_delta` with cumulative usage, `message_stop`.

use crate::json::{escaped, integer};
use crate::reply::{Block, Events, Reply};
use crate::text::pieces;

use super::reply::{Head, delta_usage, ending, opening, redacted, tool_use, usage};

/// Writes the events.
pub(crate) fn write(head: &Head<'_>, reply: &Reply) -> Events {
    let expected = usize::try_from(reply.tokens.output).unwrap_or(0).saturating_add(8).min(1 << 20);
    let mut events = Events::with_capacity(expected.saturating_mul(136).saturating_add(512), expected);
    start(&mut events, head, reply);
    bare_event(&mut events, "ping");
    for (index, block) in (0_u32..).zip(&reply.blocks) {
        write_block(&mut events, index, block);
        event(&mut events, "content_block_stop", b",\"index\":");
        integer(&mut events.bytes, index);
        events.bytes.push(b'}');
        close(&mut events);
    }
    event(&mut events, "message_delta", b",\"delta\":{");
    ending(&mut events.bytes, reply);
    events.bytes.extend_from_slice(b"},\"usage\":");
    delta_usage(&mut events.bytes, head, reply.tokens);
    events.bytes.push(b'}');
    close(&mut events);
    bare_event(&mut events, "message_stop");
    events
}

/// An event that has no more than its type.
fn bare_event(events: &mut Events, name: &str) {
    event(events, name, b"}");
    close(events);
}

/// Begins an event.
fn event(events: &mut Events, name: &str, rest: &[u8]) {
    let out = &mut events.bytes;
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: {\"type\":\"");
    out.extend_from_slice(name.as_bytes());
    out.push(b'"');
    out.extend_from_slice(rest);
}

/// Ends an event that carries no content.
fn close(events: &mut Events) {
    events.bytes.extend_from_slice(b"\n\n");
    events.end_event();
}

fn start(events: &mut Events, head: &Head<'_>, reply: &Reply) {
    event(events, "message_start", b",\"message\":");
    let out = &mut events.bytes;
    opening(out, head);
    out.extend_from_slice(b"\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":");
    usage(out, head, reply.tokens, reply.tokens.output.min(1));
    out.extend_from_slice(b"}}");
    close(events);
}

fn write_block(events: &mut Events, index: u32, block: &Block) {
    event(events, "content_block_start", b",\"index\":");
    integer(&mut events.bytes, index);
    events.bytes.extend_from_slice(b",\"content_block\":");
    match block {
        Block::Text(text) | Block::Refusal(text) => {
            events.bytes.extend_from_slice(b"{\"type\":\"text\",\"text\":\"\"}}");
            close(events);
            deltas(events, index, b"{\"type\":\"text_delta\",\"text\":\"", text);
        }
        Block::Thinking { text, signature, tokens } => {
            events.bytes.extend_from_slice(b"{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}");
            close(events);
            deltas(events, index, b"{\"type\":\"thinking_delta\",\"thinking\":\"", text);
            delta(events, index, b"{\"type\":\"signature_delta\",\"signature\":\"", signature);
            if text.is_empty() {
                events.end_content(*tokens);
            } else {
                events.end_event();
            }
        }
        Block::RedactedThinking { data, tokens } => {
            redacted(&mut events.bytes, data);
            events.bytes.extend_from_slice(b"}}\n\n");
            events.end_content(*tokens);
        }
        Block::Call { id, name, arguments, .. } => {
            tool_use(&mut events.bytes, id, name);
            events.bytes.extend_from_slice(b",\"input\":{}}}\n\n");
            events.end_content(1);
            delta(events, index, b"{\"type\":\"input_json_delta\",\"partial_json\":\"", "");
            events.end_event();
            // A tool without arguments sends no more than the empty delta.
            if arguments == "{}" {
                events.end_silently(1);
            } else {
                deltas(events, index, b"{\"type\":\"input_json_delta\",\"partial_json\":\"", arguments);
            }
        }
    }
}

/// A text, one delta for each of its tokens.
fn deltas(events: &mut Events, index: u32, before: &[u8], text: &str) {
    for piece in pieces(text) {
        delta(events, index, before, piece);
        events.end_content(1);
    }
}

fn delta(events: &mut Events, index: u32, before: &[u8], text: &str) {
    event(events, "content_block_delta", b",\"index\":");
    let out = &mut events.bytes;
    integer(out, index);
    out.extend_from_slice(b",\"delta\":");
    out.extend_from_slice(before);
    escaped(out, text);
    out.extend_from_slice(b"\"}}\n\n");
}

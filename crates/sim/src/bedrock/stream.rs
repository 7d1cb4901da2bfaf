//! Writes a reply as a stream of frames.
//!
//! `messageStart`, the blocks, of which only tools begin with an event of their own, `messageStop`, and `metadata` with the
//! usage. <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>

use crate::json::{integer, string};
use crate::reply::{Block, Events, Reply};
use crate::text::pieces;

use super::frame;
use super::reply::{ending, tool, usage};

/// What pads every payload, so that its length tells nothing of it.
const PADDING: &[u8] = b",\"p\":\"abcdefghijklm\"}";

/// Writes the events.
pub(crate) fn write(reply: &Reply) -> Events {
    let expected = usize::try_from(reply.tokens.output).unwrap_or(0).saturating_add(8).min(1 << 20);
    let mut events = Events::with_capacity(expected.saturating_mul(200).saturating_add(512), expected);
    event(&mut events, "messageStart", |out| out.extend_from_slice(b"{\"role\":\"assistant\""));
    events.end_event();
    for (index, block) in (0_u32..).zip(&reply.blocks) {
        write_block(&mut events, index, block);
        event(&mut events, "contentBlockStop", |out| at(out, index));
        events.end_event();
    }
    event(&mut events, "messageStop", |out| {
        out.push(b'{');
        ending(out, reply);
    });
    events.end_event();
    event(&mut events, "metadata", |out| {
        out.extend_from_slice(b"{\"metrics\":{\"latencyMs\":1},");
        usage(out, reply.tokens);
    });
    events.end_event();
    events
}

/// Writes an event whose payload `fields` writes, but for its end.
fn event(events: &mut Events, kind: &str, fields: impl FnOnce(&mut Vec<u8>)) {
    let mut payload = Vec::with_capacity(128);
    fields(&mut payload);
    payload.extend_from_slice(PADDING);
    frame::write(&mut events.bytes, "event", kind, &payload);
}

/// The place of a block.
fn at(out: &mut Vec<u8>, index: u32) {
    out.extend_from_slice(b"{\"contentBlockIndex\":");
    integer(out, index);
}

fn write_block(events: &mut Events, index: u32, block: &Block) {
    match block {
        Block::Text(text) | Block::Refusal(text) => deltas(events, index, b"{\"text\":", b"}", text),
        Block::Thinking { text, signature, tokens } => {
            deltas(events, index, b"{\"reasoningContent\":{\"text\":", b"}}", text);
            delta(events, index, b"{\"reasoningContent\":{\"signature\":", b"}}", signature);
            if text.is_empty() {
                events.end_content(*tokens);
            } else {
                events.end_event();
            }
        }
        Block::RedactedThinking { data, tokens } => {
            delta(events, index, b"{\"reasoningContent\":{\"redactedContent\":", b"}}", data);
            events.end_content(*tokens);
        }
        Block::Call { id, name, arguments, .. } => {
            event(events, "contentBlockStart", |out| {
                at(out, index);
                out.extend_from_slice(b",\"start\":{\"toolUse\":{");
                tool(out, id, name);
                out.extend_from_slice(b"}}");
            });
            events.end_content(1);
            delta(events, index, b"{\"toolUse\":{\"input\":", b"}}", "");
            events.end_event();
            // A tool without arguments sends no more than the empty delta.
            if arguments == "{}" {
                events.end_silently(1);
            } else {
                deltas(events, index, b"{\"toolUse\":{\"input\":", b"}}", arguments);
            }
        }
    }
}

/// A text, one delta for each of its tokens.
fn deltas(events: &mut Events, index: u32, before: &[u8], after: &[u8], text: &str) {
    for piece in pieces(text) {
        delta(events, index, before, after, piece);
        events.end_content(1);
    }
}

fn delta(events: &mut Events, index: u32, before: &[u8], after: &[u8], text: &str) {
    event(events, "contentBlockDelta", |out| {
        at(out, index);
        out.extend_from_slice(b",\"delta\":");
        out.extend_from_slice(before);
        string(out, text);
        out.extend_from_slice(after);
    });
}

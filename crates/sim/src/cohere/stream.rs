//! Writes a reply as a stream of events: <https://docs.cohere.com/v2/docs/streaming>.
//!
//! `message-start`, the blocks of content, each between its start and its end, the calls of tools likewise, and
//! `message-end` with the reason and the usage.

use crate::json::{escaped, integer, string};
use crate::reply::{Block, Events, Reply};
use crate::text::pieces;

use super::reply::{call, finish_reason, usage};

/// Writes the events.
pub(crate) fn write(id: &str, reply: &Reply) -> Events {
    let expected = usize::try_from(reply.tokens.output).unwrap_or(0).saturating_add(8).min(1 << 20);
    let mut writer =
        Writer { events: Events::with_capacity(expected.saturating_mul(128).saturating_add(512), expected) };
    writer.start(id);
    let (mut contents, mut calls) = (0_u32, 0_u32);
    for block in &reply.blocks {
        match block {
            Block::Text(text) | Block::Refusal(text) => writer.content(&mut contents, "text", text),
            Block::Thinking { text, .. } => writer.content(&mut contents, "thinking", text),
            // Cohere's thinking is shown or not there.
            Block::RedactedThinking { tokens, .. } => writer.events.end_silently(*tokens),
            Block::Call { id, name, arguments, .. } => writer.call(&mut calls, id, name, arguments),
        }
    }
    writer.end(reply);
    writer.events
}

struct Writer {
    events: Events,
}

impl Writer {
    /// Begins an event.
    fn open(&mut self, kind: &str, rest: &[u8]) -> &mut Vec<u8> {
        let out = &mut self.events.bytes;
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: {\"type\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.push(b'"');
        out.extend_from_slice(rest);
        out
    }

    /// An event of a block, up to what it says.
    fn step(&mut self, kind: &str, index: u32, rest: &[u8]) -> &mut Vec<u8> {
        let out = self.open(kind, b",\"index\":");
        integer(out, index);
        out.extend_from_slice(rest);
        out
    }

    /// Ends an event that carries no content.
    fn close(&mut self) {
        self.events.bytes.extend_from_slice(b"\n\n");
        self.events.end_event();
    }

    /// Ends an event that carries content.
    fn close_content(&mut self, tokens: u32) {
        self.events.bytes.extend_from_slice(b"\n\n");
        self.events.end_content(tokens);
    }

    fn start(&mut self, id: &str) {
        let out = self.open("message-start", b",\"id\":");
        string(out, id);
        out.extend_from_slice(b",\"delta\":{\"message\":{\"role\":\"assistant\"}}}");
        self.close();
    }

    /// A block of text or thinking, one delta for each of its tokens.
    fn content(&mut self, index: &mut u32, kind: &str, text: &str) {
        let begins =
            format!(",\"delta\":{{\"message\":{{\"content\":{{\"type\":\"{kind}\",\"{kind}\":\"\"}}}}}}}}");
        self.step("content-start", *index, begins.as_bytes());
        self.close();
        let before = format!(",\"delta\":{{\"message\":{{\"content\":{{\"{kind}\":\"");
        for piece in pieces(text) {
            let out = self.step("content-delta", *index, before.as_bytes());
            escaped(out, piece);
            out.extend_from_slice(b"\"}}}}");
            self.close_content(1);
        }
        self.step("content-end", *index, b"}");
        self.close();
        *index += 1;
    }

    fn call(&mut self, index: &mut u32, id: &str, name: &str, arguments: &str) {
        let out = self.step("tool-call-start", *index, b",\"delta\":{\"message\":{\"tool_calls\":");
        call(out, id, name, "");
        out.extend_from_slice(b"}}}");
        self.close_content(1);
        for piece in pieces(arguments) {
            let before = b",\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"arguments\":\"";
            let out = self.step("tool-call-delta", *index, before);
            escaped(out, piece);
            out.extend_from_slice(b"\"}}}}}");
            self.close_content(1);
        }
        self.step("tool-call-end", *index, b"}");
        self.close();
        *index += 1;
    }

    fn end(&mut self, reply: &Reply) {
        let out = self.open("message-end", b",\"delta\":{\"finish_reason\":\"");
        out.extend_from_slice(finish_reason(reply.finish).as_bytes());
        out.extend_from_slice(b"\",\"usage\":");
        usage(out, reply.tokens);
        out.extend_from_slice(b"}}");
        self.close();
    }
}

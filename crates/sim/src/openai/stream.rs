//! Writes a chat completion as a stream of chunks.
//!
//! The role comes first, then content, refusal or tool calls, the finish chunk, usage if it was asked for, `[DONE]`.

use crate::json::{escaped, integer, string};
use crate::reply::{Block, Events, Reply};
use crate::text::pieces;

use super::reply::{Head, finish_reason, usage};

/// What the request says of the form of its stream.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    /// Whether a last chunk has the usage, and every other says it has none.
    pub(crate) include_usage: bool,
    /// Whether chunks are padded.
    pub(crate) obfuscate: bool,
}

/// Writes the events.
pub(crate) fn write(head: &Head<'_>, reply: &Reply, form: Form) -> Events {
    let mut writer = Writer::new(head, reply, form);
    writer.delta(b"{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}");
    writer.events.end_event();
    let mut reasoning = reply.tokens.reasoning;
    let mut index = 0_u32;
    for block in &reply.blocks {
        match block {
            Block::Text(text) => writer.pieces(b"{\"content\":\"", text, b"\"}", &mut reasoning),
            Block::Refusal(text) => writer.pieces(b"{\"refusal\":\"", text, b"\"}", &mut reasoning),
            Block::Call { id, name, arguments, .. } => {
                writer.call(index, id, name, &mut reasoning);
                let mut before = b"{\"tool_calls\":[{\"index\":".to_vec();
                integer(&mut before, index);
                before.extend_from_slice(b",\"function\":{\"arguments\":\"");
                writer.pieces(&before, arguments, b"\"}}]}", &mut reasoning);
                index += 1;
            }
            Block::Thinking { .. } | Block::RedactedThinking { .. } => {}
        }
    }
    writer.finish(reply, reasoning);
    writer.events
}

struct Writer {
    events: Events,
    /// From `data:` to the delta.
    before: Vec<u8>,
    /// From after the finish reason to the end.
    after: Vec<u8>,
    form: Form,
}

impl Writer {
    fn new(head: &Head<'_>, reply: &Reply, form: Form) -> Self {
        let mut before = Vec::with_capacity(256);
        before.extend_from_slice(b"data: {\"id\":\"");
        before.extend_from_slice(head.id.as_bytes());
        before.extend_from_slice(b"\",\"object\":\"chat.completion.chunk\",\"created\":");
        integer(&mut before, head.created);
        before.extend_from_slice(b",\"model\":");
        string(&mut before, head.model);
        before.extend_from_slice(b",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_stepwell_sim\"");
        let after: &[u8] = if form.include_usage { b",\"usage\":null}\n\n" } else { b"}\n\n" };
        let events = usize::try_from(reply.tokens.output).unwrap_or(0).saturating_add(4).min(1 << 20);
        let bytes = events.saturating_mul(before.len() + 96);
        Self { events: Events::with_capacity(bytes, events), before, after: after.to_vec(), form }
    }

    /// A chunk with this delta and no finish reason.
    fn delta(&mut self, delta: &[u8]) {
        self.chunk(delta, b"null");
    }

    fn chunk(&mut self, delta: &[u8], finish: &[u8]) {
        self.open();
        self.events.bytes.extend_from_slice(delta);
        self.close(finish);
    }

    fn open(&mut self) {
        let out = &mut self.events.bytes;
        out.extend_from_slice(&self.before);
        out.extend_from_slice(b",\"choices\":[{\"index\":0,\"delta\":");
    }

    fn close(&mut self, finish: &[u8]) {
        let out = &mut self.events.bytes;
        out.extend_from_slice(b",\"logprobs\":null,\"finish_reason\":");
        out.extend_from_slice(finish);
        out.extend_from_slice(b"}]");
        if self.form.obfuscate {
            let padding = out.len() % 16;
            out.extend_from_slice(b",\"obfuscation\":\"");
            out.extend_from_slice(&b"stepwellstepwell"[..padding]);
            out.push(b'"');
        }
        out.extend_from_slice(&self.after);
    }

    /// A text, one chunk for each of its tokens. Reasoning is counted with the first.
    fn pieces(&mut self, before: &[u8], text: &str, after: &[u8], reasoning: &mut u32) {
        for piece in pieces(text) {
            self.open();
            self.events.bytes.extend_from_slice(before);
            escaped(&mut self.events.bytes, piece);
            self.events.bytes.extend_from_slice(after);
            self.close(b"null");
            self.events.end_content(1 + std::mem::take(reasoning));
        }
    }

    /// The chunk that begins a tool call.
    fn call(&mut self, index: u32, id: &str, name: &str, reasoning: &mut u32) {
        let mut delta = b"{\"tool_calls\":[{\"index\":".to_vec();
        integer(&mut delta, index);
        delta.extend_from_slice(b",\"id\":\"");
        delta.extend_from_slice(id.as_bytes());
        delta.extend_from_slice(b"\",\"type\":\"function\",\"function\":{\"name\":");
        string(&mut delta, name);
        delta.extend_from_slice(b",\"arguments\":\"\"}}]}");
        self.delta(&delta);
        self.events.end_content(1 + std::mem::take(reasoning));
    }

    fn finish(&mut self, reply: &Reply, reasoning: u32) {
        let finish = format!("\"{}\"", finish_reason(reply.finish));
        self.chunk(b"{}", finish.as_bytes());
        if reasoning > 0 {
            self.events.end_content(reasoning);
        } else {
            self.events.end_event();
        }
        if self.form.include_usage {
            let out = &mut self.events.bytes;
            out.extend_from_slice(&self.before);
            out.extend_from_slice(b",\"choices\":[],\"usage\":");
            usage(out, reply.tokens);
            out.extend_from_slice(b"}\n\n");
            self.events.end_event();
        }
        self.events.bytes.extend_from_slice(b"data: [DONE]\n\n");
        self.events.end_event();
    }
}

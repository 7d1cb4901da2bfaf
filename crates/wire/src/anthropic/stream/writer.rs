//! From events to Anthropic's frames.
//!
//! The frames keep to Anthropic's order: `message_start`, the blocks, `message_delta` with the reason and the usage,
//! `message_stop`. The last two are written at [`Event::End`] only, so a stream that was cut never looks complete.

use stepwell_types::{Finish, Usage};

use crate::Losses;
use crate::anthropic::{ids, stop, usage};
use crate::json::{Object, write_object};
use crate::stream::{Event, StreamWriter};

/// The most tool calls that are kept open for each other.
const MOST_OPEN: usize = 256;

/// Writes one frame.
pub(in crate::anthropic) fn frame(out: &mut Vec<u8>, event: &str, data: impl FnOnce(&mut Vec<u8>)) {
    for piece in ["event: ", event, "\ndata: "] {
        out.extend_from_slice(piece.as_bytes());
    }
    data(out);
    out.extend_from_slice(b"\n\n");
}

/// A frame whose data is an object that begins with its type.
fn event(out: &mut Vec<u8>, kind: &str, fields: impl FnOnce(&mut Object<'_>)) {
    frame(out, kind, |data| {
        write_object(data, |object| {
            object.string("type", kind);
            fields(object);
        });
    });
}

/// Where a stream stands.
#[derive(Debug, Default)]
pub(in crate::anthropic) struct Writer {
    started: bool,
    /// How many blocks have begun.
    begun: u64,
    open: Vec<Open>,
    content: stop::Content,
    finish: Option<Finish>,
    stop_sequence: Option<String>,
    usage: Option<Usage>,
    losses: Losses,
}

/// A block that has begun and not ended.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// The events' number of it.
    block: u32,
    /// Its place in the reply's content.
    index: u64,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Text,
    Thinking,
    Tool,
}

impl StreamWriter for Writer {
    fn push(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model, usage } => {
                self.usage = usage.or(self.usage);
                self.start(out, id.as_deref(), model.as_deref());
            }
            Event::Text { block, text } => self.said(out, *block, Kind::Text, "text_delta", "text", text),
            Event::Refusal { block, text } => {
                self.content.refusal = true;
                self.said(out, *block, Kind::Text, "text_delta", "text", text);
            }
            Event::Thinking { block, text } => {
                self.said(out, *block, Kind::Thinking, "thinking_delta", "thinking", text);
            }
            Event::Signature { block, signature } => {
                self.said(out, *block, Kind::Thinking, "signature_delta", "signature", signature);
            }
            Event::RedactedThinking { data, .. } => self.redacted(out, data),
            Event::ToolCall { block, id, name, signature } => {
                if signature.is_some() {
                    self.losses.note(format!("/content/{block}/signature"));
                }
                self.tool(out, *block, id, name);
            }
            Event::ToolArguments { block, fragment } => self.arguments(out, *block, fragment),
            Event::BlockEnd { block } => self.end(out, |open| open.block == *block),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { reason, stop_sequence } => {
                self.finish = Some(*reason);
                self.stop_sequence = stop_sequence.as_deref().map(str::to_owned);
            }
            Event::Error(_) => {}
            Event::Ping => frame(out, "ping", |data| data.extend_from_slice(br#"{"type":"ping"}"#)),
            Event::End => self.stop(out),
        }
    }

    fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }
}

impl Writer {
    fn start(&mut self, out: &mut Vec<u8>, id: Option<&str>, model: Option<&str>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let metered = self.usage.unwrap_or_default();
        event(out, "message_start", |data| {
            data.object("message", |message| {
                message.string("id", id.unwrap_or_default());
                message.string("type", "message");
                message.string("role", "assistant");
                message.string("model", model.unwrap_or_default());
                message.literal("content", "[]");
                message.null("stop_reason");
                message.null("stop_sequence");
                message.object("usage", |counts| usage::write(counts, &metered));
            });
        });
    }

    /// Writes a delta, and before it what must have begun.
    fn said(&mut self, out: &mut Vec<u8>, block: u32, kind: Kind, delta: &str, key: &str, text: &str) {
        let open = self.open.iter().find(|open| open.block == block && open.kind == kind).copied();
        let index = match open {
            Some(open) => open.index,
            None => self.begin(out, block, kind, |content| match kind {
                Kind::Thinking => {
                    content.string("type", "thinking");
                    content.string("thinking", "");
                    content.string("signature", "");
                }
                Kind::Text | Kind::Tool => {
                    content.string("type", "text");
                    content.string("text", "");
                }
            }),
        };
        write_delta(out, index, delta, key, text);
    }

    fn tool(&mut self, out: &mut Vec<u8>, block: u32, id: &str, name: &str) {
        self.content.tools = true;
        self.begin(out, block, Kind::Tool, |content| {
            content.string("type", "tool_use");
            content.string("id", &ids::legal(id));
            content.string("name", name);
            content.literal("input", "{}");
        });
    }

    fn arguments(&mut self, out: &mut Vec<u8>, block: u32, fragment: &str) {
        match self.open.iter().find(|open| open.block == block && open.kind == Kind::Tool) {
            Some(open) => write_delta(out, open.index, "input_json_delta", "partial_json", fragment),
            None => self.losses.note("/tool_calls"),
        }
    }

    fn redacted(&mut self, out: &mut Vec<u8>, data: &str) {
        let index = self.begin(out, u32::MAX, Kind::Thinking, |content| {
            content.string("type", "redacted_thinking");
            content.string("data", data);
        });
        self.end(out, |open| open.index == index);
    }

    /// Begins a block and ends those before it. A tool call that has not ended stays open: its arguments may go on,
    /// since some providers send those of parallel calls in turns.
    fn begin(
        &mut self,
        out: &mut Vec<u8>,
        block: u32,
        kind: Kind,
        fields: impl FnOnce(&mut Object<'_>),
    ) -> u64 {
        self.start(out, None, None);
        let crowded = self.open.len() >= MOST_OPEN;
        self.end(out, |open| crowded || open.kind != Kind::Tool || open.block == block);
        let index = self.begun;
        self.begun += 1;
        self.open.push(Open { block, index, kind });
        event(out, "content_block_start", |data| {
            data.number("index", index);
            data.object("content_block", fields);
        });
        index
    }

    /// Ends the open blocks that `ends` names.
    fn end(&mut self, out: &mut Vec<u8>, ends: impl Fn(&Open) -> bool) {
        self.open.retain(|open| {
            let ended = ends(open);
            if ended {
                event(out, "content_block_stop", |data| data.number("index", open.index));
            }
            !ended
        });
    }

    fn stop(&mut self, out: &mut Vec<u8>) {
        self.start(out, None, None);
        self.end(out, |_| true);
        let metered = self.usage.unwrap_or_default();
        usage::unsayable(&metered).for_each(|path| self.losses.note(path));
        if stop::is_vaguer(self.finish) {
            self.losses.note("/finish_reason");
        }
        event(out, "message_delta", |data| {
            data.object("delta", |delta| {
                delta.string("stop_reason", stop::write(self.finish, self.content));
                match &self.stop_sequence {
                    Some(sequence) => delta.string("stop_sequence", sequence),
                    None => delta.null("stop_sequence"),
                }
            });
            data.object("usage", |counts| usage::write(counts, &metered));
        });
        event(out, "message_stop", |_| {});
    }
}

fn write_delta(out: &mut Vec<u8>, index: u64, kind: &str, key: &str, text: &str) {
    event(out, "content_block_delta", |data| {
        data.number("index", index);
        data.object("delta", |delta| {
            delta.string("type", kind);
            delta.string(key, text);
        });
    });
}

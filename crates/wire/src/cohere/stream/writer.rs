//! From events to Cohere's frames.
//!
//! The frames keep to Cohere's order: `message-start`, the blocks, `message-end` with the reason and the usage. The last is
//! written at [`Event::End`] only, so a stream that was cut never looks complete.

use stepwell_types::{Finish, Usage};

use crate::Losses;
use crate::cohere::content::write_call;
use crate::cohere::{finish, usage};
use crate::json::{Object, write_object};
use crate::stream::{Event, StreamWriter};

/// Writes one event: an object that begins with its type.
pub(in crate::cohere) fn frame(out: &mut Vec<u8>, kind: &str, fields: impl FnOnce(&mut Object<'_>)) {
    for piece in ["event: ", kind, "\ndata: "] {
        out.extend_from_slice(piece.as_bytes());
    }
    write_object(out, |data| {
        data.string("type", kind);
        fields(data);
    });
    out.extend_from_slice(b"\n\n");
}

/// Where a stream stands.
#[derive(Debug, Default)]
pub(in crate::cohere) struct Writer {
    open: Option<Open>,
    /// How many blocks of content have begun, and how many calls: Cohere numbers each kind from 0.
    contents: u64,
    calls: u64,
    finish: Option<Finish>,
    usage: Option<Usage>,
    losses: Losses,
}

/// The block that is open.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// The events' number of it.
    block: u32,
    /// Cohere's number of it.
    index: u64,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Text,
    Thinking,
    Call { is_empty: bool },
}

impl Kind {
    /// The name of a content block's type, and of the field that holds its text.
    const fn name(self) -> &'static str {
        match self {
            Self::Thinking => "thinking",
            Self::Text | Self::Call { .. } => "text",
        }
    }
}

/// Writes an event that adds to the message.
fn step(out: &mut Vec<u8>, kind: &str, index: u64, message: impl FnOnce(&mut Object<'_>)) {
    frame(out, kind, |data| {
        data.number("index", index);
        data.object("delta", |delta| delta.object("message", message));
    });
}

impl Writer {
    fn start(out: &mut Vec<u8>, id: Option<&str>, model: Option<&str>) {
        frame(out, "message-start", |data| {
            data.string("id", id.unwrap_or_default());
            data.object("delta", |delta| {
                delta.object("message", |message| message.string("role", "assistant"));
            });
            if let Some(model) = model {
                data.string("model", model);
            }
        });
    }

    /// Writes more of a content block, which begins if it has not.
    fn say(&mut self, out: &mut Vec<u8>, block: u32, kind: Kind, text: &str) {
        let name = kind.name();
        let index = match self.open {
            Some(open) if open.block == block && open.kind == kind => open.index,
            _ => {
                self.close(out);
                let index = self.contents;
                self.contents += 1;
                self.open = Some(Open { block, index, kind });
                step(out, "content-start", index, |message| {
                    message.object("content", |content| {
                        content.string("type", name);
                        content.string(name, "");
                    });
                });
                index
            }
        };
        step(out, "content-delta", index, |message| {
            message.object("content", |content| content.string(name, text));
        });
    }

    fn call(&mut self, out: &mut Vec<u8>, block: u32, id: &str, name: &str) {
        self.close(out);
        let index = self.calls;
        self.calls += 1;
        self.open = Some(Open { block, index, kind: Kind::Call { is_empty: true } });
        step(out, "tool-call-start", index, |message| {
            message.object("tool_calls", |call| write_call(call, id, name, ""));
        });
    }

    fn arguments(out: &mut Vec<u8>, index: u64, fragment: &str) {
        step(out, "tool-call-delta", index, |message| {
            message.object("tool_calls", |call| {
                call.object("function", |function| function.string("arguments", fragment));
            });
        });
    }

    /// Ends the block that is open. A call that had no arguments has empty ones.
    fn close(&mut self, out: &mut Vec<u8>) {
        let Some(Open { index, kind, .. }) = self.open.take() else { return };
        let end = match kind {
            Kind::Text | Kind::Thinking => "content-end",
            Kind::Call { is_empty } => {
                if is_empty {
                    Self::arguments(out, index, "{}");
                }
                "tool-call-end"
            }
        };
        frame(out, end, |data| data.number("index", index));
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.close(out);
        let (reason, vaguer) = finish::write(self.finish);
        if vaguer {
            self.losses.note("/stop_reason");
        }
        if let Some(metered) = &self.usage {
            usage::unsayable(metered).for_each(|path| self.losses.note(path));
        }
        frame(out, "message-end", |data| {
            data.object("delta", |delta| {
                delta.string("finish_reason", reason);
                if let Some(metered) = &self.usage {
                    usage::write(delta, metered);
                }
            });
        });
    }
}

impl StreamWriter for Writer {
    fn push(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model, usage } => {
                self.usage = usage.or(self.usage);
                Self::start(out, id.as_deref(), model.as_deref());
            }
            Event::Text { block, text } => self.say(out, *block, Kind::Text, text),
            Event::Thinking { block, text } => self.say(out, *block, Kind::Thinking, text),
            Event::Refusal { block, text } => {
                self.losses.note("/refusal");
                self.say(out, *block, Kind::Text, text);
            }
            Event::Signature { block, .. } => self.losses.note(format!("/content/{block}/signature")),
            Event::RedactedThinking { block, .. } => self.losses.note(format!("/content/{block}")),
            Event::ToolCall { block, id, name, signature } => {
                if signature.is_some() {
                    self.losses.note(format!("/content/{block}/signature"));
                }
                self.call(out, *block, id, name);
            }
            Event::ToolArguments { block, fragment } => match &mut self.open {
                Some(Open { block: open, index, kind: Kind::Call { is_empty } }) if open == block => {
                    if !fragment.is_empty() {
                        *is_empty = false;
                        Self::arguments(out, *index, fragment);
                    }
                }
                _ => self.losses.note(format!("/content/{block}/input")),
            },
            Event::BlockEnd { block } => {
                if self.open.is_some_and(|open| open.block == *block) {
                    self.close(out);
                }
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { reason, stop_sequence } => {
                if stop_sequence.is_some() {
                    self.losses.note("/stop_sequence");
                }
                self.finish = Some(*reason);
            }
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::End => self.end(out),
            Event::Error(_) => {}
        }
    }

    fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }
}

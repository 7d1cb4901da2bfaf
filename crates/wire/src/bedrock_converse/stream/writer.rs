//! From events to Bedrock's frames.
//!
//! The reason to stop and the usage behind it are written at [`Event::End`] only, so a stream that was cut never looks
//! complete.

use stepwell_types::{Finish, Usage};

use crate::Losses;
use crate::bedrock_converse::reply::{write_additional, write_end, write_metrics};
use crate::bedrock_converse::usage;
use crate::framing::event_stream;
use crate::json::{Object, write_object};
use crate::stream::{Event, StreamWriter};

/// The most tool calls that are kept open for each other.
const MOST_OPEN: usize = 256;

const JSON: (&str, &str) = (":content-type", "application/json");

/// Writes one event.
fn event(out: &mut Vec<u8>, kind: &str, fields: impl FnOnce(&mut Object<'_>)) {
    event_stream::write(out, &[(":event-type", kind), JSON, (":message-type", "event")], |out| {
        write_object(out, fields);
    });
}

/// Writes one exception, whose payload `payload` writes.
pub(in crate::bedrock_converse) fn exception(
    out: &mut Vec<u8>,
    kind: &str,
    payload: impl FnOnce(&mut Vec<u8>),
) {
    event_stream::write(out, &[(":exception-type", kind), JSON, (":message-type", "exception")], payload);
}

/// Where a stream stands.
#[derive(Debug, Default)]
pub(in crate::bedrock_converse) struct Writer {
    started: bool,
    id: Option<String>,
    model: Option<String>,
    /// How many blocks have begun.
    begun: u64,
    open: Vec<Open>,
    calls_tools: bool,
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
    /// Its place in the message's content.
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
                self.id = id.as_deref().map(str::to_owned);
                self.model = model.as_deref().map(str::to_owned);
                self.usage = usage.or(self.usage);
                self.start(out);
            }
            Event::Text { block, text } => self.text(out, *block, text),
            Event::Refusal { block, text } => {
                self.losses.note("/refusal");
                self.text(out, *block, text);
            }
            Event::Thinking { block, text } => self.thinking(out, *block, "text", text),
            Event::Signature { block, signature } => self.thinking(out, *block, "signature", signature),
            Event::RedactedThinking { block, data } => self.thinking(out, *block, "redactedContent", data),
            Event::ToolCall { block, id, name, signature } => {
                if signature.is_some() {
                    self.losses.note(format!("/content/{block}/signature"));
                }
                self.tool(out, *block, id, name);
            }
            Event::ToolArguments { block, fragment } => {
                match self.open.iter().find(|open| open.block == *block && open.kind == Kind::Tool) {
                    Some(open) => write_delta(out, open.index, |delta| {
                        delta.object("toolUse", |call| call.string("input", fragment));
                    }),
                    None => self.losses.note(format!("/content/{block}/input")),
                }
            }
            Event::BlockEnd { block } => self.end(out, |open| open.block == *block),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { reason, stop_sequence } => {
                self.finish = Some(*reason);
                self.stop_sequence = stop_sequence.as_deref().map(str::to_owned);
            }
            Event::End => self.stop(out),
            // Bedrock's own streams have no sign of life.
            Event::Ping | Event::Error(_) => {}
        }
    }

    fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }
}

impl Writer {
    /// Writes whose reply begins. Id and model are none of Bedrock's members; AWS's SDKs skip what they do not know.
    fn start(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        event(out, "messageStart", |start| {
            start.string("role", "assistant");
            for (key, value) in [("id", &self.id), ("model", &self.model)] {
                if let Some(value) = value {
                    start.string(key, value);
                }
            }
        });
    }

    fn text(&mut self, out: &mut Vec<u8>, block: u32, text: &str) {
        let index = self.block(out, block, Kind::Text);
        write_delta(out, index, |delta| delta.string("text", text));
    }

    fn thinking(&mut self, out: &mut Vec<u8>, block: u32, key: &str, text: &str) {
        let index = self.block(out, block, Kind::Thinking);
        write_delta(out, index, |delta| {
            delta.object("reasoningContent", |reasoning| reasoning.string(key, text));
        });
    }

    fn tool(&mut self, out: &mut Vec<u8>, block: u32, id: &str, name: &str) {
        self.calls_tools = true;
        let index = self.begin(out, block, Kind::Tool);
        event(out, "contentBlockStart", |data| {
            data.object("start", |start| {
                start.object("toolUse", |call| {
                    call.string("toolUseId", id);
                    call.string("name", name);
                });
            });
            data.number("contentBlockIndex", index);
        });
    }

    /// The place of a block, which begins here if it has not: only a call of a tool says that it does.
    fn block(&mut self, out: &mut Vec<u8>, block: u32, kind: Kind) -> u64 {
        match self.open.iter().find(|open| open.block == block && open.kind == kind) {
            Some(open) => open.index,
            None => self.begin(out, block, kind),
        }
    }

    /// Begins a block and ends those before it. A tool call that has not ended stays open: its arguments may go on, since
    /// some providers send those of parallel calls in turns.
    fn begin(&mut self, out: &mut Vec<u8>, block: u32, kind: Kind) -> u64 {
        self.start(out);
        let crowded = self.open.len() >= MOST_OPEN;
        self.end(out, |open| crowded || open.kind != Kind::Tool || open.block == block);
        let index = self.begun;
        self.begun += 1;
        self.open.push(Open { block, index, kind });
        index
    }

    /// Ends the open blocks that `ends` names.
    fn end(&mut self, out: &mut Vec<u8>, ends: impl Fn(&Open) -> bool) {
        self.open.retain(|open| {
            let ended = ends(open);
            if ended {
                event(out, "contentBlockStop", |data| data.number("contentBlockIndex", open.index));
            }
            !ended
        });
    }

    fn stop(&mut self, out: &mut Vec<u8>) {
        self.start(out);
        self.end(out, |_| true);
        let metered = self.usage.unwrap_or_default();
        usage::unsayable(&metered).for_each(|path| self.losses.note(path));
        event(out, "messageStop", |data| {
            write_end(data, self.finish, self.calls_tools, &mut self.losses);
            let (id, model) = (self.id.as_deref(), self.model.as_deref());
            write_additional(data, id, model, self.stop_sequence.as_deref());
        });
        event(out, "metadata", |data| {
            usage::write(data, &metered);
            write_metrics(data);
        });
    }
}

fn write_delta(out: &mut Vec<u8>, index: u64, fields: impl FnOnce(&mut Object<'_>)) {
    event(out, "contentBlockDelta", |data| {
        data.number("contentBlockIndex", index);
        data.object("delta", fields);
    });
}

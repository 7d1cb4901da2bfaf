//! From events to OpenAI's.
//!
//! Each block is an item of its own. An item, and at the end the response, are said once more as a whole: what was written
//! is held until then.

use stepwell_types::{Finish, Usage};

use super::frame;
use crate::Losses;
use crate::json::{Object, write_object};
use crate::openai_responses::finish::Ending;
use crate::openai_responses::reply::{
    Head, ItemKind, function_call, message, output_text, reasoning, refusal, summary_text,
};
use crate::openai_responses::usage;
use crate::stream::{Event, StreamWriter};

/// Where a stream stands.
#[derive(Debug)]
pub(in super::super) struct Writer {
    created: u64,
    id: String,
    model: String,
    /// How many events have been written.
    number: u64,
    /// How many items have begun.
    items: u64,
    open: Option<Open>,
    /// The items that are complete, with commas between.
    output: Vec<u8>,
    finish: Option<Finish>,
    usage: Option<Usage>,
    losses: Losses,
}

/// The item that has begun and not ended.
#[derive(Debug)]
struct Open {
    block: u32,
    index: u64,
    id: String,
    kind: Kind,
    /// Its text or arguments so far.
    said: String,
    /// Of a call: its id and name.
    call: (String, String),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Text,
    Refusal,
    Thinking,
    Call,
}

impl Kind {
    fn of_item(self) -> ItemKind {
        match self {
            Self::Text | Self::Refusal => ItemKind::Message,
            Self::Thinking => ItemKind::Reasoning,
            Self::Call => ItemKind::Call,
        }
    }
}

impl Open {
    /// Writes the item as it is, complete or just begun.
    fn write(&self, item: &mut Object<'_>, is_complete: bool) {
        match self.kind {
            Kind::Text | Kind::Refusal if !is_complete => {
                item.string("id", &self.id);
                item.string("type", "message");
                item.string("status", "in_progress");
                item.string("role", "assistant");
                item.literal("content", "[]");
            }
            Kind::Text => message(item, &self.id, |part| output_text(part, &self.said)),
            Kind::Refusal => message(item, &self.id, |part| refusal(part, &self.said)),
            Kind::Thinking => reasoning(item, &self.id, is_complete.then_some(&self.said)),
            Kind::Call => {
                let status = if is_complete { "completed" } else { "in_progress" };
                function_call(item, &self.id, &self.call.0, &self.call.1, status, &self.said);
            }
        }
    }

    /// Writes which item an event is about, and which part of it.
    fn place(&self, data: &mut Object<'_>) {
        data.string("item_id", &self.id);
        data.number("output_index", self.index);
        match self.kind {
            Kind::Text | Kind::Refusal => data.number("content_index", 0),
            Kind::Thinking => data.number("summary_index", 0),
            Kind::Call => {}
        }
    }

    /// Writes the part that it consists of.
    fn part(&self, part: &mut Object<'_>) {
        match self.kind {
            Kind::Text => output_text(part, &self.said),
            Kind::Refusal => refusal(part, &self.said),
            Kind::Thinking | Kind::Call => summary_text(part, &self.said),
        }
    }
}

impl Writer {
    /// A writer at the start of a stream.
    pub(in super::super) fn new(created: i64) -> Self {
        Self {
            created: u64::try_from(created).unwrap_or(0),
            id: String::new(),
            model: String::new(),
            number: 0,
            items: 0,
            open: None,
            output: Vec::new(),
            finish: None,
            usage: None,
            losses: Losses::default(),
        }
    }

    fn event(&mut self, out: &mut Vec<u8>, kind: &str, fields: impl FnOnce(&mut Object<'_>)) {
        frame(out, kind, self.number, fields);
        self.number += 1;
    }

    fn head(&self) -> Head<'_> {
        Head { id: &self.id, model: &self.model, created: self.created }
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        for kind in ["response.created", "response.in_progress"] {
            let number = self.number;
            frame(out, kind, number, |data| {
                data.object("response", |response| {
                    self.head().write(response, "in_progress", None);
                    response.literal("output", "[]");
                    response.null("usage");
                });
            });
            self.number += 1;
        }
    }

    /// More of a block that is text.
    fn said(&mut self, out: &mut Vec<u8>, block: u32, kind: Kind, text: &str) {
        let goes_on = self.open.as_ref().is_some_and(|open| open.block == block && open.kind == kind);
        if !goes_on {
            self.begin(out, block, kind, (String::new(), String::new()));
        }
        let Some(mut open) = self.open.take() else { return };
        open.said.push_str(text);
        let event = match kind {
            Kind::Text => "response.output_text.delta",
            Kind::Refusal => "response.refusal.delta",
            Kind::Thinking => "response.reasoning_summary_text.delta",
            Kind::Call => "response.function_call_arguments.delta",
        };
        self.event(out, event, |data| {
            open.place(data);
            data.string("delta", text);
            if kind == Kind::Text {
                data.literal("logprobs", "[]");
            }
        });
        self.open = Some(open);
    }

    fn begin(&mut self, out: &mut Vec<u8>, block: u32, kind: Kind, call: (String, String)) {
        self.end_item(out);
        let index = self.items;
        self.items += 1;
        let id = kind.of_item().id(&self.id, index);
        let open = Open { block, index, id, kind, said: String::new(), call };
        self.event(out, "response.output_item.added", |data| {
            data.number("output_index", index);
            data.object("item", |item| open.write(item, false));
        });
        let part = match kind {
            Kind::Text | Kind::Refusal => Some("response.content_part.added"),
            Kind::Thinking => Some("response.reasoning_summary_part.added"),
            Kind::Call => None,
        };
        if let Some(event) = part {
            self.event(out, event, |data| {
                open.place(data);
                data.object("part", |part| open.part(part));
            });
        }
        self.open = Some(open);
    }

    /// Says once more, as a whole, what the item is.
    fn end_item(&mut self, out: &mut Vec<u8>) {
        let Some(mut open) = self.open.take() else { return };
        if open.kind == Kind::Call && open.said.is_empty() {
            open.said.push_str("{}");
            self.event(out, "response.function_call_arguments.delta", |data| {
                open.place(data);
                data.string("delta", "{}");
            });
        }
        let (event, key, part) = match open.kind {
            Kind::Text => ("response.output_text.done", "text", Some("response.content_part.done")),
            Kind::Refusal => ("response.refusal.done", "refusal", Some("response.content_part.done")),
            Kind::Thinking => {
                let part = Some("response.reasoning_summary_part.done");
                ("response.reasoning_summary_text.done", "text", part)
            }
            Kind::Call => ("response.function_call_arguments.done", "arguments", None),
        };
        self.event(out, event, |data| {
            open.place(data);
            data.string(key, &open.said);
            if open.kind == Kind::Text {
                data.literal("logprobs", "[]");
            }
        });
        if let Some(event) = part {
            self.event(out, event, |data| {
                open.place(data);
                data.object("part", |part| open.part(part));
            });
        }
        if !self.output.is_empty() {
            self.output.push(b',');
        }
        let start = self.output.len();
        write_object(&mut self.output, |item| open.write(item, true));
        let number = self.number;
        self.number += 1;
        let item = self.output.get(start..).unwrap_or_default();
        frame(out, "response.output_item.done", number, |data| {
            data.number("output_index", open.index);
            data.key("item").extend_from_slice(item);
        });
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.end_item(out);
        let ending = Ending::of(self.finish);
        let event = if ending.incomplete.is_some() { "response.incomplete" } else { "response.completed" };
        frame(out, event, self.number, |data| {
            data.object("response", |response| {
                self.head().write(response, ending.status(), ending.incomplete);
                let output = response.key("output");
                output.push(b'[');
                output.extend_from_slice(&self.output);
                output.push(b']');
                match &self.usage {
                    Some(usage) => usage::write(response, usage),
                    None => response.null("usage"),
                }
            });
        });
    }
}

impl StreamWriter for Writer {
    fn push(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model, usage } => {
                id.as_deref().unwrap_or_default().clone_into(&mut self.id);
                model.as_deref().unwrap_or_default().clone_into(&mut self.model);
                self.usage = usage.or(self.usage);
                self.start(out);
            }
            Event::Text { block, text } => self.said(out, *block, Kind::Text, text),
            Event::Refusal { block, text } => self.said(out, *block, Kind::Refusal, text),
            Event::Thinking { block, text } => self.said(out, *block, Kind::Thinking, text),
            Event::Signature { block, .. } => self.losses.note(format!("/content/{block}/signature")),
            Event::RedactedThinking { block, .. } => self.losses.note(format!("/content/{block}")),
            Event::ToolCall { block, id, name, signature } => {
                if signature.is_some() {
                    self.losses.note(format!("/content/{block}/signature"));
                }
                self.begin(out, *block, Kind::Call, (id.clone().into_owned(), name.clone().into_owned()));
            }
            Event::ToolArguments { block, fragment } => {
                let is_open =
                    self.open.as_ref().is_some_and(|open| open.block == *block && open.kind == Kind::Call);
                match fragment {
                    fragment if fragment.is_empty() => {}
                    fragment if is_open => self.said(out, *block, Kind::Call, fragment),
                    _ => self.losses.note(format!("/content/{block}/input")),
                }
            }
            Event::BlockEnd { .. } => self.end_item(out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { reason, stop_sequence } => {
                self.end_item(out);
                self.finish = Some(*reason);
                if Ending::of(self.finish).is_vaguer {
                    self.losses.note("/stop_reason");
                }
                if stop_sequence.is_some() || *reason == Finish::StopSequence {
                    self.losses.note("/stop_sequence");
                }
            }
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::End => self.end(out),
            Event::Error(_) => {}
        }
    }

    fn held(&self) -> usize {
        self.output.len() + self.open.as_ref().map_or(0, |open| open.said.len())
    }

    fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }
}

//! From Anthropic's frames to events.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::anthropic::blocks::Block;
use crate::anthropic::error::{Problem, of_problem};
use crate::anthropic::stop;
use crate::anthropic::usage::{Counts, Meter};
use crate::framing::Frame;
use crate::json::{Extras, Text, object, read_frame};
use crate::stream::{Event, StreamReader};
use crate::{Fault, Losses};

/// The most blocks that may be open at once. Anthropic has one.
const MOST_OPEN: usize = 256;

object! {
    /// The data of any event.
    pub(in crate::anthropic) struct Envelope<'a> {
        kind: Text<'a> = "type",
        index: u64 = "index",
        message: Message<'a> = "message",
        content_block: Block<'a> = "content_block",
        delta: Delta<'a> = "delta",
        usage: Counts<'a> = "usage",
        error: Problem<'a> = "error",
    }
}

object! {
    /// `message` of `message_start`.
    #[expect(dead_code, reason = "a field that is only named here is known, and nothing is lost without it")]
    pub(in crate::anthropic) struct Message<'a> {
        id: Text<'a> = "id",
        kind: IgnoredAny = "type",
        role: IgnoredAny = "role",
        model: Text<'a> = "model",
        content: IgnoredAny = "content",
        stop_reason: IgnoredAny = "stop_reason",
        stop_sequence: IgnoredAny = "stop_sequence",
        usage: Counts<'a> = "usage",
    }
}

object! {
    /// `delta` of `content_block_delta` and of `message_delta`.
    pub(in crate::anthropic) struct Delta<'a> {
        kind: Text<'a> = "type",
        text: Text<'a> = "text",
        partial_json: Text<'a> = "partial_json",
        thinking: Text<'a> = "thinking",
        signature: Text<'a> = "signature",
        stop_reason: Text<'a> = "stop_reason",
        stop_sequence: Text<'a> = "stop_sequence",
    }
}

/// Where a stream stands.
#[derive(Debug, Default)]
pub(in crate::anthropic) struct Reader {
    meter: Meter,
    open: Vec<Open>,
    begun: u32,
    losses: Losses,
}

/// A block that has begun and not ended.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// Anthropic's number of it.
    index: u64,
    /// The events' number of it; none for a block that no event can say.
    block: Option<u32>,
}

type Events<'e> = &'e mut dyn FnMut(Event<'_>);

impl StreamReader for Reader {
    fn push(&mut self, frame: &Frame<'_>, events: &mut dyn FnMut(Event<'_>)) -> Result<(), Fault> {
        self.take(read_frame(frame.data)?, events)
    }

    fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }
}

impl Reader {
    /// Takes one event's data.
    pub(in crate::anthropic) fn take(&mut self, data: Envelope<'_>, events: Events<'_>) -> Result<(), Fault> {
        let kind = data.kind.ok_or_else(|| missing("type"))?;
        self.note("", data.extra);
        match &*kind.0 {
            "content_block_delta" => self.delta(
                data.index.ok_or_else(|| missing("index"))?,
                data.delta.ok_or_else(|| missing("delta"))?,
                events,
            ),
            "content_block_start" => {
                let block = data.content_block.ok_or_else(|| missing("content_block"))?;
                self.block_start(data.index.ok_or_else(|| missing("index"))?, block, events)
            }
            "content_block_stop" => {
                let open = self.close(data.index.ok_or_else(|| missing("index"))?)?;
                if let Some(block) = open.block {
                    events(Event::BlockEnd { block });
                }
                Ok(())
            }
            "message_start" => {
                self.start(data.message.ok_or_else(|| missing("message"))?, events);
                Ok(())
            }
            "message_delta" => {
                self.message_delta(data.delta, data.usage, events);
                Ok(())
            }
            "message_stop" => {
                events(Event::End);
                Ok(())
            }
            "ping" => {
                events(Event::Ping);
                Ok(())
            }
            "error" => {
                events(Event::Error(of_problem(None, data.error.unwrap_or_default())));
                Ok(())
            }
            // New types of events may come at any time (Anthropic's versioning policy).
            other => {
                self.losses.note(format!("/{other}"));
                Ok(())
            }
        }
    }

    fn start(&mut self, message: Message<'_>, events: Events<'_>) {
        self.note("", message.extra);
        if let Some(counts) = message.usage {
            self.meter(counts);
        }
        let (id, model) = (message.id.map(|id| id.0), message.model.map(|model| model.0));
        events(Event::Start { id, model, usage: self.meter.usage() });
    }

    fn message_delta(&mut self, delta: Option<Delta<'_>>, counts: Option<Counts<'_>>, events: Events<'_>) {
        if let Some(counts) = counts {
            self.meter(counts);
            if let Some(usage) = self.meter.usage() {
                events(Event::Usage(usage));
            }
        }
        let Some(delta) = delta else { return };
        self.note("", delta.extra);
        if let Some(reason) = delta.stop_reason {
            let stop_sequence = delta.stop_sequence.map(|sequence| sequence.0);
            events(Event::Finish { reason: stop::read(&reason.0), stop_sequence });
        }
    }

    fn block_start(&mut self, index: u64, block: Block<'_>, events: Events<'_>) -> Result<(), Fault> {
        if self.open.iter().any(|open| open.index == index) {
            return Err(Fault::Invalid(format!("an event of the stream: block {index} begins twice")));
        }
        if self.open.len() >= MOST_OPEN {
            return Err(Fault::Invalid("the stream has too many open blocks".to_owned()));
        }
        let kind = block.kind.ok_or_else(|| missing("content_block.type"))?.0;
        let number = self.begun;
        let said = match &*kind {
            "text" => {
                text(block.text, |text| events(Event::Text { block: number, text }));
                true
            }
            "thinking" => {
                text(block.thinking, |text| events(Event::Thinking { block: number, text }));
                text(block.signature, |signature| events(Event::Signature { block: number, signature }));
                true
            }
            "redacted_thinking" => {
                let data = block.data.ok_or_else(|| missing("content_block.data"))?.0;
                events(Event::RedactedThinking { block: number, data });
                true
            }
            "tool_use" => {
                if block.caller.is_some_and(|caller| !caller.value.is_direct()) {
                    self.losses.note(format!("/content/{index}/caller"));
                }
                let id = block.id.ok_or_else(|| missing("content_block.id"))?.0;
                let name = block.name.ok_or_else(|| missing("content_block.name"))?.0;
                events(Event::ToolCall { block: number, id, name, signature: None });
                if let Some(input) = block.input.map(RawValue::get).filter(|input| !is_empty_object(input)) {
                    events(Event::ToolArguments { block: number, fragment: Cow::Borrowed(input) });
                }
                true
            }
            _ => {
                self.losses.note(format!("/content/{index}"));
                false
            }
        };
        if said {
            self.begun = self.begun.saturating_add(1);
            self.note(&format!("/content/{index}"), block.extra);
        }
        self.open.push(Open { index, block: said.then_some(number) });
        Ok(())
    }

    fn delta(&mut self, index: u64, delta: Delta<'_>, events: Events<'_>) -> Result<(), Fault> {
        let Some(open) = self.open.iter().rev().find(|open| open.index == index) else {
            return Err(Fault::Invalid(format!("an event of the stream: block {index} has not begun")));
        };
        let Some(block) = open.block else { return Ok(()) };
        let kind = delta.kind.ok_or_else(|| missing("delta.type"))?.0;
        match &*kind {
            "text_delta" => text(delta.text, |text| events(Event::Text { block, text })),
            "input_json_delta" => {
                text(delta.partial_json, |fragment| events(Event::ToolArguments { block, fragment }));
            }
            "thinking_delta" => text(delta.thinking, |text| events(Event::Thinking { block, text })),
            "signature_delta" => {
                text(delta.signature, |signature| events(Event::Signature { block, signature }));
            }
            "citations_delta" => self.losses.note(format!("/content/{index}/citations")),
            other => self.losses.note(format!("/content/{index}/{other}")),
        }
        Ok(())
    }

    fn close(&mut self, index: u64) -> Result<Open, Fault> {
        match self.open.iter().position(|open| open.index == index) {
            Some(place) => Ok(self.open.remove(place)),
            None => Err(Fault::Invalid(format!("an event of the stream: block {index} has not begun"))),
        }
    }

    fn meter(&mut self, counts: Counts<'_>) {
        for (path, _) in self.meter.take(counts) {
            self.losses.note(path);
        }
    }

    /// Notes the fields that say something and have no place.
    fn note(&mut self, prefix: &str, fields: Extras<'_>) {
        for (key, value) in fields {
            if value.get() != "null" {
                self.losses.note(format!("{prefix}/{key}"));
            }
        }
    }
}

fn missing(field: &str) -> Fault {
    Fault::Invalid(format!("an event of the stream: {field} is missing"))
}

/// Gives a text that is there and not empty.
fn text<'a>(text: Option<Text<'a>>, give: impl FnOnce(Cow<'a, str>)) {
    if let Some(text) = text.filter(|text| !text.0.is_empty()) {
        give(text.0);
    }
}

fn is_empty_object(input: &str) -> bool {
    input
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|inner| inner.trim().is_empty())
}

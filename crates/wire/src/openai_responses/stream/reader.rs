//! From OpenAI's events to ours.
//!
//! An item holds parts; a block is a part of a message, a call, or all that an item of reasoning says. Items come one
//! after another.

use std::borrow::Cow;

use stepwell_types::Finish;

use super::{Data, problem};
use crate::framing::Frame;
use crate::json::{Text, read_frame};
use crate::openai::error;
use crate::openai_responses::item::{BETWEEN_THOUGHTS, Item, is_empty};
use crate::stream::{Event, StreamReader};
use crate::{Fault, Losses};

/// Where a stream stands.
#[derive(Debug, Default)]
pub(in super::super) struct Reader {
    begun: bool,
    called: bool,
    open: Option<Open>,
    /// How many blocks have begun.
    blocks: u32,
    /// The number of the latest item.
    item: u32,
    losses: Losses,
}

/// The block that is open.
#[derive(Clone, Copy, Debug)]
struct Open {
    block: u32,
    /// The item it belongs to.
    item: u32,
    /// Which part of the item it is, or, of thinking, which part came last.
    part: u32,
    kind: Kind,
    /// Nothing of it has come yet.
    is_empty: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Text,
    Refusal,
    Thinking,
    Call,
}

type Events<'e> = &'e mut dyn FnMut(Event<'_>);

impl StreamReader for Reader {
    fn push(&mut self, frame: &Frame<'_>, events: &mut dyn FnMut(Event<'_>)) -> Result<(), Fault> {
        let data: Data<'_> = read_frame(frame.data)?;
        let Some(kind) = data.kind.as_ref().map(|kind| kind.0.clone()) else {
            return match data.error {
                Some(problem) => {
                    events(Event::Error(error::read_event(problem)));
                    Ok(())
                }
                None => Err(Fault::Invalid("an event of the stream has no type".to_owned())),
            };
        };
        match &*kind {
            "response.created" => self.begin(&data, events),
            "response.output_item.added" => self.add(data, events)?,
            "response.output_text.delta" => self.delta(Kind::Text, data, events)?,
            "response.refusal.delta" => self.delta(Kind::Refusal, data, events)?,
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.delta(Kind::Thinking, data, events)?;
            }
            "response.function_call_arguments.delta" => self.arguments(data, events)?,
            // Some servers say at the end only what others say in pieces.
            "response.output_text.done" => self.whole(Kind::Text, data, events)?,
            "response.refusal.done" => self.whole(Kind::Refusal, data, events)?,
            "response.function_call_arguments.done" => self.all_arguments(data.arguments, events),
            "response.output_item.done" => self.end_item(data, events),
            "response.output_text.annotation.added" => {
                let item = data.output_index.unwrap_or(self.item);
                self.losses.note(format!("/output/{item}/annotations"));
            }
            "response.completed" | "response.incomplete" => self.end(&data, frame, events)?,
            "response.failed" | "error" => events(Event::Error(problem(&data, frame)?)),
            // What is under way, what is done, and what hosted tools are doing.
            _ => {}
        }
        Ok(())
    }

    fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }
}

impl Reader {
    fn begin(&mut self, data: &Data<'_>, events: Events<'_>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let response = data.response.as_ref();
        let text = |text: Option<&Text<'_>>| {
            text.map(|text| text.0.clone().into_owned()).filter(|text| !text.is_empty()).map(Cow::Owned)
        };
        events(Event::Start {
            id: text(response.and_then(|response| response.id.as_ref())),
            model: text(response.and_then(|response| response.model.as_ref())),
            usage: None,
        });
    }

    fn add(&mut self, data: Data<'_>, events: Events<'_>) -> Result<(), Fault> {
        self.begin(&Data::default(), events);
        let item = data.output_index.unwrap_or_else(|| self.item.saturating_add(1));
        self.close(events);
        self.item = item;
        match data.item.map(|item| item.value) {
            Some(Item::Call(call)) => {
                let (Some(id), Some(name)) = (call.call_id, call.name) else {
                    let problem = "a call of the stream begins without a call_id or a name";
                    return Err(Fault::Invalid(problem.to_owned()));
                };
                let block = self.open(item, 0, Kind::Call, events);
                self.called = true;
                events(Event::ToolCall { block, id: id.0, name: name.0, signature: None });
                let fragment = call.arguments.unwrap_or_default().0;
                if !fragment.is_empty() {
                    self.say(|open| open.is_empty = false);
                    events(Event::ToolArguments { block, fragment });
                }
            }
            Some(Item::Message(_) | Item::Reasoning(_)) => {}
            Some(Item::Output(_) | Item::Reference | Item::Other) | None => {
                self.losses.note(format!("/output/{item}"));
            }
        }
        Ok(())
    }

    fn open(&mut self, item: u32, part: u32, kind: Kind, events: Events<'_>) -> u32 {
        self.close(events);
        let block = self.blocks;
        self.blocks = self.blocks.saturating_add(1);
        self.open = Some(Open { block, item, part, kind, is_empty: true });
        block
    }

    fn close(&mut self, events: Events<'_>) {
        if let Some(open) = self.open.take() {
            events(Event::BlockEnd { block: open.block });
        }
    }

    fn say(&mut self, change: impl FnOnce(&mut Open)) {
        if let Some(open) = &mut self.open {
            change(open);
        }
    }

    /// More of a part that is text.
    fn delta(&mut self, kind: Kind, data: Data<'_>, events: Events<'_>) -> Result<(), Fault> {
        let Some(text) = data.delta.map(|delta| delta.0).filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        self.begin(&Data::default(), events);
        let item = data.output_index.unwrap_or(self.item);
        let part = data.content_index.or(data.summary_index).unwrap_or(0);
        if item < self.item {
            return Err(goes_back());
        }
        self.item = item;
        let block = match self.open {
            Some(open) if open.item == item && open.kind == kind && open.part == part => open.block,
            // The next part of a summary: all that an item of reasoning says is one block.
            Some(open) if open.item == item && open.kind == kind && kind == Kind::Thinking => {
                self.say(|open| open.part = part);
                let text = Cow::Borrowed(BETWEEN_THOUGHTS);
                events(Event::Thinking { block: open.block, text });
                open.block
            }
            _ => self.open(item, part, kind, events),
        };
        self.say(|open| open.is_empty = false);
        events(match kind {
            Kind::Refusal => Event::Refusal { block, text },
            Kind::Thinking => Event::Thinking { block, text },
            Kind::Text | Kind::Call => Event::Text { block, text },
        });
        Ok(())
    }

    /// A whole part: what was said in pieces already is not said again.
    fn whole(&mut self, kind: Kind, mut data: Data<'_>, events: Events<'_>) -> Result<(), Fault> {
        let (item, part) = (data.output_index.unwrap_or(self.item), data.content_index.unwrap_or(0));
        let is_said = self.open.is_some_and(|open| (open.item, open.part, open.kind) == (item, part, kind));
        if !is_said {
            data.delta = data.text.take().or(data.refusal.take());
            self.delta(kind, data, events)?;
        }
        self.close(events);
        Ok(())
    }

    fn arguments(&mut self, data: Data<'_>, events: Events<'_>) -> Result<(), Fault> {
        let item = data.output_index.unwrap_or(self.item);
        let fragment = data.delta.unwrap_or_default().0;
        match self.open {
            Some(Open { kind: Kind::Call, item: open, block, .. }) if open == item => {
                if !fragment.is_empty() {
                    self.say(|open| open.is_empty = false);
                    events(Event::ToolArguments { block, fragment });
                }
                Ok(())
            }
            _ => Err(goes_back()),
        }
    }

    /// All arguments of the call that is open, if none have come.
    fn all_arguments(&mut self, arguments: Option<Text<'_>>, events: Events<'_>) {
        let fragment = arguments.unwrap_or_default().0;
        if let Some(Open { kind: Kind::Call, is_empty: true, block, .. }) = self.open
            && !fragment.is_empty()
        {
            self.say(|open| open.is_empty = false);
            events(Event::ToolArguments { block, fragment });
        }
    }

    fn end_item(&mut self, data: Data<'_>, events: Events<'_>) {
        match data.item.map(|item| item.value) {
            Some(Item::Call(call)) => self.all_arguments(call.arguments, events),
            Some(Item::Reasoning(reasoning)) => {
                for (key, _) in reasoning.extra.iter().filter(|(_, value)| !is_empty(value)) {
                    self.losses.note(format!("/output/{}/{key}", self.item));
                }
            }
            _ => {}
        }
        self.close(events);
    }

    fn end(&mut self, data: &Data<'_>, frame: &Frame<'_>, events: Events<'_>) -> Result<(), Fault> {
        self.begin(data, events);
        self.close(events);
        let Some(response) = &data.response else {
            return Err(Fault::Invalid("the stream's last event has no response".to_owned()));
        };
        let Ok(facts) = response.facts() else {
            events(Event::Error(problem(data, frame)?));
            return Ok(());
        };
        if let Some(usage) = facts.usage {
            events(Event::Usage(usage));
        }
        let reason = match facts.finish {
            Some(Finish::Stop) | None if self.called => Finish::ToolCalls,
            reason => reason.unwrap_or(Finish::Stop),
        };
        events(Event::Finish { reason, stop_sequence: None });
        events(Event::End);
        Ok(())
    }
}

/// No provider does this, and no dialect with blocks could say it.
fn goes_back() -> Fault {
    Fault::Invalid("the stream goes back to an item that was complete".to_owned())
}

//! From OpenAI's events to ours.
//!
//! An item holds parts; a block is a part of a message, a call, or all that an item of reasoning says. Items come one
//! after another.

use std::borrow::Cow;

use stepwell_types::Finish;

use super::{Data, kind_of, problem};
use crate::chat::Part;
use crate::framing::Frame;
use crate::json::{Text, read_frame};
use crate::openai::error;
use crate::openai_responses::item::{
    self, BETWEEN_THOUGHTS, FunctionCall, Item, Message, Reasoning, is_empty, thoughts,
};
use crate::stream::{Event, StreamReader};
use crate::{Fault, Losses};

/// The most blocks of one reply.
const MOST_BLOCKS: usize = 4096;

/// Where a stream stands.
#[derive(Debug, Default)]
pub(in super::super) struct Reader {
    begun: bool,
    open: Option<Open>,
    /// Every block so far, in order.
    blocks: Vec<Block>,
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
}

/// What has been said.
#[derive(Clone, Copy, Debug)]
struct Block {
    item: u32,
    part: u32,
    kind: Kind,
    /// Something of it has come.
    is_said: bool,
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
        let kind = match kind_of(frame.data)? {
            Ok(kind) => kind,
            Err(problem) => {
                events(Event::Error(error::read_event(problem)));
                return Ok(());
            }
        };
        let data = || read_frame::<Data<'_>>(frame.data);
        match &*kind {
            "response.created" => self.begin(Some(&data()?), events),
            "response.output_item.added" => self.add(data()?, events)?,
            "response.output_text.delta" => self.delta(Kind::Text, data()?, events)?,
            "response.refusal.delta" => self.delta(Kind::Refusal, data()?, events)?,
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.delta(Kind::Thinking, data()?, events)?;
            }
            "response.function_call_arguments.delta" => {
                let Data { output_index, delta, .. } = data()?;
                self.arguments(output_index, delta, events)?;
            }
            // Some servers say at the end only what others say in pieces.
            "response.output_text.done" => self.whole(Kind::Text, data()?, events)?,
            "response.refusal.done" => self.whole(Kind::Refusal, data()?, events)?,
            "response.reasoning_summary_text.done" | "response.reasoning_text.done" => {
                self.whole(Kind::Thinking, data()?, events)?;
            }
            "response.function_call_arguments.done" => {
                let Data { output_index, arguments, .. } = data()?;
                self.all_arguments(output_index, arguments, events)?;
            }
            "response.output_item.done" => self.end_item(data()?, events)?,
            "response.output_text.annotation.added" => {
                let item = data()?.output_index.unwrap_or(self.item);
                self.losses.note(format!("/output/{item}/annotations"));
            }
            "response.completed" | "response.incomplete" => self.end(&data()?, frame, events)?,
            "response.failed" | "error" => events(Event::Error(problem(&data()?, frame)?)),
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
    fn begin(&mut self, data: Option<&Data<'_>>, events: Events<'_>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let response = data.and_then(|data| data.response.as_ref());
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
        self.begin(None, events);
        let item = data.output_index.unwrap_or_else(|| self.item.saturating_add(1));
        self.close(events);
        self.item = item;
        match data.item.map(|item| item.value) {
            Some(Item::Call(call)) => self.call(item, call, events)?,
            Some(Item::Message(_) | Item::Reasoning(_)) => {}
            Some(Item::Output(_) | Item::Reference(_) | Item::Other) | None => {
                self.losses.note(format!("/output/{item}"));
            }
        }
        Ok(())
    }

    fn call(&mut self, item: u32, call: FunctionCall<'_>, events: Events<'_>) -> Result<(), Fault> {
        let (Some(id), Some(name)) = (call.call_id, call.name) else {
            let problem = "a call of the stream begins without a call_id or a name";
            return Err(Fault::Invalid(problem.to_owned()));
        };
        let block = self.open(item, 0, Kind::Call, events)?;
        events(Event::ToolCall { block, id: id.0, name: name.0, signature: None });
        self.arguments(Some(item), call.arguments, events)
    }

    fn open(&mut self, item: u32, part: u32, kind: Kind, events: Events<'_>) -> Result<u32, Fault> {
        self.close(events);
        let block = self.note(item, part, kind)?;
        self.open = Some(Open { block, item, part, kind });
        Ok(block)
    }

    /// Notes that a part begins, and numbers it.
    fn note(&mut self, item: u32, part: u32, kind: Kind) -> Result<u32, Fault> {
        if self.blocks.len() >= MOST_BLOCKS {
            return Err(Fault::Invalid("the stream says too many things".to_owned()));
        }
        let number = u32::try_from(self.blocks.len()).unwrap_or(u32::MAX);
        self.blocks.push(Block { item, part, kind, is_said: false });
        Ok(number)
    }

    fn close(&mut self, events: Events<'_>) {
        if let Some(open) = self.open.take() {
            events(Event::BlockEnd { block: open.block });
        }
    }

    /// Notes that something of the open block has come.
    fn said(&mut self) {
        if let Some(block) = self.blocks.last_mut() {
            block.is_said = true;
        }
    }

    /// More of a part that is text.
    fn delta(&mut self, kind: Kind, data: Data<'_>, events: Events<'_>) -> Result<(), Fault> {
        let Some(text) = data.delta.map(|delta| delta.0).filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        self.begin(None, events);
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
                self.open = Some(Open { part, ..open });
                self.note(item, part, kind)?;
                let text = Cow::Borrowed(BETWEEN_THOUGHTS);
                events(Event::Thinking { block: open.block, text });
                open.block
            }
            _ => self.open(item, part, kind, events)?,
        };
        self.said();
        events(match kind {
            Kind::Refusal => Event::Refusal { block, text },
            Kind::Thinking => Event::Thinking { block, text },
            Kind::Text | Kind::Call => Event::Text { block, text },
        });
        Ok(())
    }

    /// A whole part: what was said in pieces already is not said again.
    fn whole(&mut self, kind: Kind, mut data: Data<'_>, events: Events<'_>) -> Result<(), Fault> {
        let item = data.output_index.unwrap_or(self.item);
        let part = data.content_index.or(data.summary_index).unwrap_or(0);
        let is_same = |block: &Block| (block.item, block.part, block.kind) == (item, part, kind);
        if !self.blocks.iter().any(|block| is_same(block) && block.is_said) {
            data.delta = data.text.take().or(data.refusal.take());
            self.delta(kind, data, events)?;
        }
        // A summary may have more parts.
        if kind != Kind::Thinking && self.open.is_some_and(|open| open.item == item) {
            self.close(events);
        }
        Ok(())
    }

    fn arguments(
        &mut self,
        item: Option<u32>,
        fragment: Option<Text<'_>>,
        events: Events<'_>,
    ) -> Result<(), Fault> {
        let item = item.unwrap_or(self.item);
        let fragment = fragment.unwrap_or_default().0;
        match self.open {
            _ if fragment.is_empty() => Ok(()),
            Some(Open { kind: Kind::Call, item: open, block, .. }) if open == item => {
                self.said();
                events(Event::ToolArguments { block, fragment });
                Ok(())
            }
            _ => Err(goes_back()),
        }
    }

    /// All arguments of a call, if none of them have come.
    fn all_arguments(
        &mut self,
        item: Option<u32>,
        arguments: Option<Text<'_>>,
        events: Events<'_>,
    ) -> Result<(), Fault> {
        let item = item.unwrap_or(self.item);
        let is_said = |block: &Block| block.item == item && block.kind == Kind::Call && block.is_said;
        if self.blocks.iter().any(is_said) {
            return Ok(());
        }
        // None at all are what a call has that was left without.
        let arguments = arguments.filter(|arguments| arguments.0 != "{}");
        self.arguments(Some(item), arguments, events)
    }

    /// An item as a whole: what was not said of it is said now.
    fn end_item(&mut self, data: Data<'_>, events: Events<'_>) -> Result<(), Fault> {
        let item = data.output_index.unwrap_or(self.item);
        let is_new = !self.blocks.iter().any(|block| block.item == item);
        if is_new && item < self.item {
            return Err(goes_back());
        }
        self.begin(None, events);
        match data.item.map(|item| item.value) {
            Some(Item::Call(call)) if is_new => {
                self.item = item;
                self.call(item, call, events)?;
            }
            Some(Item::Call(call)) => self.all_arguments(Some(item), call.arguments, events)?,
            Some(Item::Message(message)) if is_new => self.message(item, message, events)?,
            Some(Item::Reasoning(reasoning)) => self.reasoning(item, is_new, reasoning, events)?,
            _ => {}
        }
        if self.open.is_some_and(|open| open.item == item) {
            self.close(events);
        }
        Ok(())
    }

    fn message(&mut self, item: u32, message: Message<'_>, events: Events<'_>) -> Result<(), Fault> {
        let (mut said, mut extra) = (Vec::new(), Vec::new());
        if let Some(content) = message.content {
            item::parts(content, &format!("/output/{item}/content"), &mut extra, &mut said);
        }
        for extra in extra {
            self.losses.note(extra.path);
        }
        for (part, said) in (0..).zip(said) {
            let (kind, text) = match said {
                Part::Text { text, .. } => (Kind::Text, text),
                Part::Refusal { text } => (Kind::Refusal, text),
                _ => {
                    self.losses.note(format!("/output/{item}/content/{part}"));
                    continue;
                }
            };
            self.delta(kind, Data::of(item, part, text), events)?;
        }
        Ok(())
    }

    fn reasoning(
        &mut self,
        item: u32,
        is_new: bool,
        reasoning: Reasoning<'_>,
        events: Events<'_>,
    ) -> Result<(), Fault> {
        for (key, _) in reasoning.extra.iter().filter(|(_, value)| !is_empty(value)) {
            self.losses.note(format!("/output/{item}/{key}"));
        }
        let (content, summary) =
            (reasoning.content.unwrap_or_default(), reasoning.summary.unwrap_or_default());
        match thoughts(content, summary) {
            Some(text) if is_new => self.delta(Kind::Thinking, Data::of(item, 0, text), events),
            _ => Ok(()),
        }
    }

    fn end(&mut self, data: &Data<'_>, frame: &Frame<'_>, events: Events<'_>) -> Result<(), Fault> {
        self.begin(Some(data), events);
        self.close(events);
        let Some(response) = &data.response else {
            return Err(Fault::Invalid("the stream's last event has no response".to_owned()));
        };
        let Ok(facts) = response.facts() else {
            events(Event::Error(problem(data, frame)?));
            return Ok(());
        };
        let calls = self.blocks.iter().filter(|block| block.kind == Kind::Call).count();
        if response.calls() > calls {
            return Err(Fault::Invalid("the stream ends with a call that it has not made".to_owned()));
        }
        if let Some(usage) = facts.usage {
            events(Event::Usage(usage));
        }
        let reason = match facts.finish {
            Some(Finish::Stop) | None if calls > 0 => Finish::ToolCalls,
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

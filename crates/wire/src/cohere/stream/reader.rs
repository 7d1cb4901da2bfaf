//! From Cohere's events to events.
//!
//! A block is what stands between the events that begin and end it; servers that leave those out begin one where the kind of
//! what comes changes. A plan for the tools to call is text.

use stepwell_types::Finish;

use super::{CallStep, Delta, Envelope, Step};
use crate::cohere::content::call_id;
use crate::cohere::{error, finish};
use crate::framing::Frame;
use crate::json::{Extras, Text, read_frame};
use crate::stream::{Event, StreamReader};
use crate::{Fault, Losses};

/// The most calls one reply may make.
const MOST_CALLS: usize = 1024;

/// Where a stream stands.
#[derive(Debug, Default)]
pub(in crate::cohere) struct Reader {
    begun: bool,
    /// The provider's id of the reply, for calls that come without one.
    id: String,
    /// The block that is open.
    open: Option<Open>,
    blocks: u32,
    calls: usize,
    losses: Losses,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Open {
    block: u32,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Text,
    Thinking,
    Plan,
    /// A call, by Cohere's number of it.
    Call(u64),
}

type Events<'e> = &'e mut dyn FnMut(Event<'_>);

impl StreamReader for Reader {
    fn push(&mut self, frame: &Frame<'_>, events: &mut dyn FnMut(Event<'_>)) -> Result<(), Fault> {
        let envelope: Envelope<'_> = read_frame(frame.data)?;
        self.take(envelope, frame.event, events)
    }

    fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }
}

impl Reader {
    /// Takes one event's data. `name` is what the event is called, for data that do not say their type.
    pub(in crate::cohere) fn take(
        &mut self,
        data: Envelope<'_>,
        name: Option<&str>,
        events: Events<'_>,
    ) -> Result<(), Fault> {
        self.note("", data.extra);
        let kind = data.kind.as_ref().map(|kind| &*kind.0).or(name).ok_or_else(|| missing("type"))?;
        if kind != "message-start" && !self.begun {
            self.start(None, None, events);
        }
        let delta = data.delta.unwrap_or_default();
        match kind {
            "message-start" => self.start(data.id, data.model, events),
            "content-start" => {
                self.close(events);
                self.content(delta, true, events)?;
            }
            "content-delta" => {
                if data.logprobs.is_some_and(|logprobs| logprobs.get() != "null") {
                    self.losses.note("/logprobs");
                }
                self.content(delta, false, events)?;
            }
            "tool-plan-delta" => {
                let plan = delta.message.and_then(|message| message.tool_plan);
                if let Some(Text(text)) = plan.filter(|plan| !plan.0.is_empty()) {
                    let block = self.block(Kind::Plan, events);
                    events(Event::Text { block, text });
                }
            }
            "tool-call-start" => self.call(data.index, delta, events)?,
            "tool-call-delta" => self.arguments(data.index, delta, events)?,
            "content-end" | "tool-call-end" => self.close(events),
            "citation-start" => self.losses.note("/message/citations"),
            "citation-end" => {}
            "message-end" => self.end(delta, events),
            // New types of events may come at any time.
            other => self.losses.note(format!("/{other}")),
        }
        Ok(())
    }

    fn start(&mut self, id: Option<Text<'_>>, model: Option<Text<'_>>, events: Events<'_>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let (id, model) = (id.map(|id| id.0), model.map(|model| model.0));
        id.as_deref().unwrap_or_default().clone_into(&mut self.id);
        events(Event::Start { id, model, usage: None });
    }

    /// A step of a content block. Which kind it is, is said by its type or by the field it has.
    fn content(&mut self, delta: Delta<'_>, begins: bool, events: Events<'_>) -> Result<(), Fault> {
        self.note("/delta", delta.extra);
        let Some(message) = delta.message else { return Ok(()) };
        self.note("/message", message.extra);
        let Some(content) = message.content else { return Ok(()) };
        let step: Step<'_> = read_frame(content.get())?;
        self.note("/message/content", step.extra);
        let is_known = step.kind.as_ref().is_none_or(|kind| matches!(&*kind.0, "text" | "thinking"));
        if !is_known {
            self.losses.note("/message/content");
            return Ok(());
        }
        let thinks = step.kind.as_ref().map_or(step.thinking.is_some(), |kind| kind.0 == "thinking");
        if begins {
            let kind = if thinks { Kind::Thinking } else { Kind::Text };
            self.block(kind, events);
        }
        if let Some(Text(text)) = step.thinking.filter(|text| !text.0.is_empty()) {
            let block = self.block(Kind::Thinking, events);
            events(Event::Thinking { block, text });
        }
        if let Some(Text(text)) = step.text.filter(|text| !text.0.is_empty()) {
            let block = self.block(Kind::Text, events);
            events(Event::Text { block, text });
        }
        Ok(())
    }

    fn call(&mut self, index: Option<u64>, delta: Delta<'_>, events: Events<'_>) -> Result<(), Fault> {
        let Some(raw) = delta.message.and_then(|message| message.tool_calls) else {
            return Err(missing("delta.message.tool_calls"));
        };
        let call: CallStep<'_> = read_frame(raw.get())?;
        self.note("/message/tool_calls", call.extra);
        let function = call.function.unwrap_or_default();
        self.note("/message/tool_calls/function", function.extra);
        let name = function.name.filter(|name| !name.0.is_empty());
        let name = name.ok_or_else(|| missing("delta.message.tool_calls.function.name"))?.0;
        if self.calls >= MOST_CALLS {
            return Err(invalid("the stream calls too many tools"));
        }
        let number = self.calls;
        self.calls += 1;
        self.close(events);
        let block = self.begin(Kind::Call(index.unwrap_or(number as u64)));
        let id = call_id(call.id, &self.id, number);
        events(Event::ToolCall { block, id, name, signature: None });
        if let Some(Text(fragment)) = function.arguments.filter(|arguments| !arguments.0.is_empty()) {
            events(Event::ToolArguments { block, fragment });
        }
        Ok(())
    }

    fn arguments(&mut self, index: Option<u64>, delta: Delta<'_>, events: Events<'_>) -> Result<(), Fault> {
        let Some(raw) = delta.message.and_then(|message| message.tool_calls) else { return Ok(()) };
        let call: CallStep<'_> = read_frame(raw.get())?;
        let Some(Open { block, kind: Kind::Call(open) }) = self.open else {
            return Err(invalid("the stream goes on with a call of a tool that is not open"));
        };
        if index.is_some_and(|index| index != open) {
            return Err(invalid("the stream goes back to a call of a tool that was complete"));
        }
        let fragment = call.function.and_then(|function| function.arguments);
        if let Some(Text(fragment)) = fragment.filter(|fragment| !fragment.0.is_empty()) {
            events(Event::ToolArguments { block, fragment });
        }
        Ok(())
    }

    fn end(&mut self, delta: Delta<'_>, events: Events<'_>) {
        self.note("/delta", delta.extra);
        let reason = delta.finish_reason.as_ref().map(|reason| &*reason.0);
        if delta.error.is_some() || reason.is_some_and(finish::is_failure) {
            let message = delta.error.map(|message| message.0.into_owned());
            let code = delta.code.as_ref().map(|code| &*code.0);
            return events(Event::Error(error::of_event(reason, message, code)));
        }
        self.close(events);
        if let Some(usage) = delta.usage.and_then(|counts| counts.usage()) {
            events(Event::Usage(usage));
        }
        let reason = reason.map_or(Finish::Other, finish::read);
        events(Event::Finish { reason, stop_sequence: None });
        events(Event::End);
    }

    /// The block that is open if it is of this kind, else a new one.
    fn block(&mut self, kind: Kind, events: Events<'_>) -> u32 {
        match self.open {
            Some(open) if open.kind == kind => open.block,
            _ => {
                self.close(events);
                self.begin(kind)
            }
        }
    }

    fn begin(&mut self, kind: Kind) -> u32 {
        let block = self.blocks;
        self.blocks = self.blocks.saturating_add(1);
        self.open = Some(Open { block, kind });
        block
    }

    fn close(&mut self, events: Events<'_>) {
        if let Some(Open { block, .. }) = self.open.take() {
            events(Event::BlockEnd { block });
        }
    }

    /// Notes the fields that say something and that no event can say.
    fn note(&mut self, path: &str, fields: Extras<'_>) {
        for (key, value) in fields {
            if !matches!(value.get(), "null" | "[]" | "{}" | "\"\"") {
                self.losses.note(format!("{path}/{key}"));
            }
        }
    }
}

fn missing(field: &str) -> Fault {
    Fault::Invalid(format!("an event of the stream: {field} is missing"))
}

fn invalid(message: &str) -> Fault {
    Fault::Invalid(message.to_owned())
}

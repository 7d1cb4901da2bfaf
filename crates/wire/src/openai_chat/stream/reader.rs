//! From OpenAI's chunks to events.
//!
//! Chunks have no blocks: a block begins where the kind of what comes changes, or the index of a tool call does.

use std::borrow::Cow;

use super::form::{Form, Said};
use super::{Chunk, DONE, Delta, problem};
use crate::chat::Part;
use crate::framing::Frame;
use crate::json::{Listed, Text, read_frame};
use crate::openai::error;
use crate::openai_chat::message::{self, ToolCall};
use crate::openai_chat::{finish, reply};
use crate::stream::{Event, StreamReader};
use crate::{Fault, Losses};

/// The most tool calls one reply may make.
const MOST_CALLS: usize = 1024;

/// Where a stream stands.
#[derive(Debug, Default)]
pub(in super::super) struct Reader {
    begun: bool,
    finished: bool,
    /// The provider's id of the reply, for calls that come without one.
    id: String,
    /// The block that is open, and of what kind.
    open: Option<(u32, Kind)>,
    /// How many blocks have begun.
    blocks: u32,
    /// The tool calls so far, in order.
    calls: Vec<Call>,
    form: Form,
    losses: Losses,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Text,
    Thinking,
    Refusal,
    Tool,
}

/// A tool call.
#[derive(Debug)]
struct Call {
    /// The provider's number of it.
    index: u32,
    /// Its id as the provider gave it, or nothing.
    id: String,
}

type Events<'e> = &'e mut dyn FnMut(Event<'_>);

impl StreamReader for Reader {
    fn push(&mut self, frame: &Frame<'_>, events: &mut dyn FnMut(Event<'_>)) -> Result<(), Fault> {
        if frame.data.trim_ascii() == DONE {
            self.close(events);
            events(Event::End);
            return Ok(());
        }
        if self.begun
            && frame.event.is_none()
            && let Some((said, inner)) = self.form.inner(frame.data)
        {
            self.say(said, unescaped(inner)?, events);
            return Ok(());
        }
        let chunk: Chunk<'_> = read_frame(frame.data)?;
        self.form.learn(frame.data, &chunk);
        match problem(frame, &chunk)? {
            Some(problem) => events(Event::Error(error::read_event(problem))),
            None => self.take(chunk, events)?,
        }
        Ok(())
    }

    fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }
}

impl Reader {
    /// Takes a chunk that says one text and nothing else.
    fn say(&mut self, said: Said, text: Cow<'_, str>, events: Events<'_>) {
        match said {
            Said::Text => self.text(text, events),
            Said::Thinking => self.thinking(text, events),
        }
    }

    fn take(&mut self, chunk: Chunk<'_>, events: Events<'_>) -> Result<(), Fault> {
        let metered = chunk.metered();
        let choices = chunk.choices.unwrap_or_default();
        // Azure begins with a chunk of filter results that has neither choices nor an id.
        if choices.is_empty() && chunk.usage.is_none() {
            return Ok(());
        }
        if !std::mem::replace(&mut self.begun, true) {
            let (id, model) = (some(chunk.id), some(chunk.model));
            id.as_deref().unwrap_or_default().clone_into(&mut self.id);
            events(Event::Start { id, model, usage: None });
        }
        for choice in choices {
            if choice.index.unwrap_or(0) != 0 {
                self.losses.note(format!("/choices/{}", choice.index.unwrap_or(0)));
                continue;
            }
            self.note("/choices/0", choice.extra);
            if let Some(delta) = choice.delta {
                self.delta(delta, events)?;
            }
            if let Some(reason) = choice.finish_reason
                && !std::mem::replace(&mut self.finished, true)
            {
                self.close(events);
                events(Event::Finish { reason: finish::read(&reason.0), stop_sequence: None });
            }
        }
        if let Some(usage) = metered {
            events(Event::Usage(usage));
        }
        Ok(())
    }

    /// Notes the fields that say something and that no event can say.
    fn note(&mut self, path: &str, fields: crate::json::Extras<'_>) {
        for (key, value) in fields {
            if !matches!(value.get(), "null" | "[]" | "{}" | "\"\"") {
                self.losses.note(format!("{path}/{key}"));
            }
        }
    }

    fn delta(&mut self, delta: Delta<'_>, events: Events<'_>) -> Result<(), Fault> {
        self.note("/choices/0/delta", delta.extra);
        if let Some(text) = delta.reasoning_content.or(delta.reasoning) {
            self.thinking(text.0, events);
        }
        match delta.content {
            Some(Listed::Text(text)) => self.text(text, events),
            Some(content) => self.parts(content, events),
            None => {}
        }
        if let Some(text) = delta.refusal.filter(|text| !text.0.is_empty()) {
            let block = self.block(Kind::Refusal, events);
            events(Event::Refusal { block, text: text.0 });
        }
        for call in delta.tool_calls.unwrap_or_default() {
            self.call(call, events)?;
        }
        Ok(())
    }

    fn thinking(&mut self, text: Cow<'_, str>, events: Events<'_>) {
        if !text.is_empty() {
            let block = self.block(Kind::Thinking, events);
            events(Event::Thinking { block, text });
        }
    }

    fn text(&mut self, text: Cow<'_, str>, events: Events<'_>) {
        if !text.is_empty() {
            let block = self.block(Kind::Text, events);
            events(Event::Text { block, text });
        }
    }

    /// Content in parts, as some vendors write it.
    fn parts(&mut self, content: message::Content<'_>, events: Events<'_>) {
        let (mut parts, mut extra) = (Vec::new(), Vec::new());
        message::parts(content, "/choices/0/delta/content", &mut extra, &mut parts);
        for part in parts {
            match part {
                Part::Text { text, .. } => self.text(text, events),
                Part::Other(other) => self.losses.note(other.path),
                _ => self.losses.note("/choices/0/delta/content"),
            }
        }
    }

    /// The block that is open if it is of this kind, else a new one.
    fn block(&mut self, kind: Kind, events: Events<'_>) -> u32 {
        match self.open {
            Some((block, open)) if open == kind => block,
            _ => self.begin(kind, events),
        }
    }

    fn begin(&mut self, kind: Kind, events: Events<'_>) -> u32 {
        self.close(events);
        let block = self.blocks;
        self.blocks = self.blocks.saturating_add(1);
        self.open = Some((block, kind));
        block
    }

    fn close(&mut self, events: Events<'_>) {
        if let Some((block, _)) = self.open.take() {
            events(Event::BlockEnd { block });
        }
    }

    /// A step of a tool call. The index says which; where a server gives every call the same index, another id does.
    fn call(&mut self, call: ToolCall<'_>, events: Events<'_>) -> Result<(), Fault> {
        let index = call.index.unwrap_or_else(|| self.calls.last().map_or(0, |last| last.index));
        let function = call.function.unwrap_or_default();
        let id = call.id.map(|id| id.0).filter(|id| !id.is_empty());
        let name = function.name.map(|name| name.0).filter(|name| !name.is_empty());
        let latest = self.calls.last().filter(|latest| latest.index == index);
        let goes_on = match (latest, &id, &name) {
            (Some(latest), Some(id), Some(_)) => latest.id == **id,
            (Some(_), _, _) => true,
            (None, ..) => false,
        };
        let block = if goes_on {
            match self.open {
                Some((block, Kind::Tool)) => block,
                _ => return Err(interleaved()),
            }
        } else {
            if self.calls.iter().any(|earlier| earlier.index == index) && id.is_none() {
                return Err(interleaved());
            }
            let Some(name) = name else {
                return Err(Fault::Invalid("a tool call of the stream begins without a name".to_owned()));
            };
            self.begin_call(index, id, name, message::signature(call.vendor), events)?
        };
        let fragment = function.arguments.unwrap_or_default().0;
        if !fragment.is_empty() {
            events(Event::ToolArguments { block, fragment });
        }
        Ok(())
    }

    fn begin_call(
        &mut self,
        index: u32,
        id: Option<Cow<'_, str>>,
        name: Cow<'_, str>,
        signature: Option<Cow<'_, str>>,
        events: Events<'_>,
    ) -> Result<u32, Fault> {
        if self.calls.len() >= MOST_CALLS {
            return Err(Fault::Invalid("the stream calls too many tools".to_owned()));
        }
        let number = self.calls.len();
        self.calls.push(Call { index, id: id.as_deref().unwrap_or_default().to_owned() });
        let id = reply::call_id(id.map(Text), &self.id, number);
        let block = self.begin(Kind::Tool, events);
        events(Event::ToolCall { block, id, name, signature });
        Ok(block)
    }
}

/// What stands between a string's quotes, as text.
fn unescaped(inner: &str) -> Result<Cow<'_, str>, Fault> {
    if !inner.contains('\\') {
        return Ok(Cow::Borrowed(inner));
    }
    serde_json::from_str(&format!("\"{inner}\""))
        .map(Cow::Owned)
        .map_err(|_| Fault::Invalid("an event of the stream holds half a character".to_owned()))
}

fn some(text: Option<Text<'_>>) -> Option<Cow<'_, str>> {
    text.map(|text| text.0).filter(|text| !text.is_empty())
}

/// No provider does this, and no dialect with blocks could say it.
fn interleaved() -> Fault {
    Fault::Invalid("the stream goes back to a tool call that was complete".to_owned())
}

//! From Ollama's lines to events.
//!
//! Lines have no blocks: a block begins where the kind of what comes changes. A call of a tool comes whole.

use std::borrow::Cow;

use super::{check, invalid};
use crate::framing::Frame;
use crate::json::{Extras, Whole, read_frame};
use crate::ollama::error;
use crate::ollama::message::{Message, ToolCall, call_id};
use crate::ollama::reply::{Response, some};
use crate::stream::{Event, StreamReader};
use crate::{Fault, Losses};

/// The most calls one reply may make.
const MOST_CALLS: usize = 1024;

/// Where a stream stands.
#[derive(Debug, Default)]
pub(in crate::ollama) struct Reader {
    begun: bool,
    /// When the reply began, for calls that come without an id.
    created: String,
    /// The block that is open, and whether it is of thinking.
    open: Option<(u32, bool)>,
    blocks: u32,
    calls: usize,
    losses: Losses,
}

type Events<'e> = &'e mut dyn FnMut(Event<'_>);

impl StreamReader for Reader {
    fn push(&mut self, frame: &Frame<'_>, events: &mut dyn FnMut(Event<'_>)) -> Result<(), Fault> {
        let line: Response<'_> = read_frame(frame.data)?;
        if line.error.is_some() {
            events(Event::Error(error::read_line(frame.data)));
            return Ok(());
        }
        check(&line)?;
        self.take(line, events)
    }

    fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }
}

impl Reader {
    /// Takes one line.
    fn take(&mut self, mut line: Response<'_>, events: Events<'_>) -> Result<(), Fault> {
        self.note("", std::mem::take(&mut line.extra));
        if !std::mem::replace(&mut self.begun, true) {
            self.created = some(line.created_at.take()).map(Cow::into_owned).unwrap_or_default();
            events(Event::Start { id: some(line.id.take()), model: some(line.model.take()), usage: None });
        }
        if let Some(message) = line.message.take() {
            self.message(message, events)?;
        }
        if line.done == Some(true) {
            let (reason, usage) = line.ending(self.calls > 0);
            self.close(events);
            if let Some(usage) = usage {
                events(Event::Usage(usage));
            }
            events(Event::Finish { reason, stop_sequence: None });
            events(Event::End);
        }
        Ok(())
    }

    fn message(&mut self, message: Message<'_>, events: Events<'_>) -> Result<(), Fault> {
        self.note("/message", message.extra);
        if let Some(text) = some(message.thinking) {
            let block = self.block(true, events);
            events(Event::Thinking { block, text });
        }
        if let Some(text) = some(message.content) {
            let block = self.block(false, events);
            events(Event::Text { block, text });
        }
        if message.images.is_some_and(|images| !images.is_empty()) {
            self.losses.note("/message/images");
        }
        for Whole { value: call, .. } in message.tool_calls.unwrap_or_default() {
            self.call(call, events)?;
        }
        Ok(())
    }

    fn call(&mut self, call: ToolCall<'_>, events: Events<'_>) -> Result<(), Fault> {
        const PATH: &str = "/message/tool_calls";
        if self.calls >= MOST_CALLS {
            return Err(invalid("the stream calls too many tools"));
        }
        self.note(PATH, call.extra);
        let mut function = call.function.unwrap_or_default();
        self.note(&format!("{PATH}/function"), std::mem::take(&mut function.extra));
        self.close(events);
        let block = self.begin();
        let id = some(call.id).unwrap_or_else(|| call_id(&self.created, self.calls));
        self.calls += 1;
        let fragment = Cow::Borrowed(function.object().unwrap_or_default());
        events(Event::ToolCall { block, id, name: some(function.name).unwrap_or_default(), signature: None });
        events(Event::ToolArguments { block, fragment });
        events(Event::BlockEnd { block });
        Ok(())
    }

    /// The block that is open if it is of this kind, else a new one.
    fn block(&mut self, is_thought: bool, events: Events<'_>) -> u32 {
        match self.open {
            Some((block, open)) if open == is_thought => block,
            _ => {
                self.close(events);
                let block = self.begin();
                self.open = Some((block, is_thought));
                block
            }
        }
    }

    fn begin(&mut self) -> u32 {
        let block = self.blocks;
        self.blocks = self.blocks.saturating_add(1);
        block
    }

    fn close(&mut self, events: Events<'_>) {
        if let Some((block, _)) = self.open.take() {
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

//! From Google's steps to events.
//!
//! Steps have no blocks: a block begins where the kind of what comes changes. A call of a function comes whole.

use std::borrow::Cow;

use serde_json::value::RawValue;
use stepwell_types::{Finish, Usage};

use crate::framing::Frame;
use crate::gemini::content::ContentPart;
use crate::gemini::content::call_id;
use crate::gemini::error::{self, Problem};
use crate::gemini::finish;
use crate::gemini::reply::{Candidate, Response};
use crate::json::{Extras, Text, object, read_frame};
use crate::stream::{Event, StreamReader};
use crate::{Fault, Losses};

/// The most calls one reply may make.
const MOST_CALLS: usize = 1024;

object! {
    /// What an event holds beside a step, if it is none.
    struct Failed<'a> { error: &'a RawValue = "error" }
    skipping all
}

/// Where a stream stands.
#[derive(Debug, Default)]
pub(in crate::gemini) struct Reader {
    begun: bool,
    finished: bool,
    /// The provider's id of the reply, for calls that come without one.
    id: String,
    /// The block that is open, and whether it is of thinking.
    open: Option<(u32, bool)>,
    blocks: u32,
    calls: usize,
    usage: Option<Usage>,
    losses: Losses,
}

type Events<'e> = &'e mut dyn FnMut(Event<'_>);

impl StreamReader for Reader {
    fn push(&mut self, frame: &Frame<'_>, events: &mut dyn FnMut(Event<'_>)) -> Result<(), Fault> {
        if let Some(problem) = problem(frame.data)? {
            events(Event::Error(error::of_problem(None, problem)));
            return Ok(());
        }
        self.take(read_frame(frame.data)?, events)
    }

    fn end(&mut self, events: &mut dyn FnMut(Event<'_>)) {
        if self.finished {
            events(Event::End);
        }
    }

    fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }
}

/// The error that an event tells of, if it does.
pub(in crate::gemini) fn problem(data: &str) -> Result<Option<Problem>, Fault> {
    // Quotes inside strings are escaped: this finds a key or a whole value.
    if !data.contains("\"error\"") {
        return Ok(None);
    }
    let failed: Failed<'_> = read_frame(data)?;
    Ok(failed.error.map(|error| serde_json::from_str(error.get()).unwrap_or_default()))
}

impl Reader {
    /// Takes one step.
    pub(in crate::gemini) fn take(&mut self, step: Response<'_>, events: Events<'_>) -> Result<(), Fault> {
        self.note("", step.extra);
        let usage = step.usage.and_then(|counts| counts.usage()).filter(|usage| Some(*usage) != self.usage);
        self.usage = usage.or(self.usage);
        let has_begun = std::mem::replace(&mut self.begun, true);
        if !has_begun {
            let (id, model) = (step.id.map(|id| id.0), step.model.map(|model| model.0));
            id.as_deref().unwrap_or_default().clone_into(&mut self.id);
            events(Event::Start { id, model, usage });
        }
        let blocked = step.feedback.and_then(|feedback| feedback.block_reason).is_some();
        let mut reason = blocked.then_some(Finish::ContentFilter);
        for candidate in step.candidates.unwrap_or_default() {
            let candidate = candidate.value;
            if candidate.index.unwrap_or(0) != 0 {
                self.losses.note(format!("/candidates/{}", candidate.index.unwrap_or(0)));
                continue;
            }
            reason = self.candidate(candidate, events)?.or(reason);
        }
        if let Some(usage) = usage.filter(|_| has_begun) {
            events(Event::Usage(usage));
        }
        if let Some(reason) = reason.filter(|_| !std::mem::replace(&mut self.finished, true)) {
            self.close(events);
            events(Event::Finish { reason, stop_sequence: None });
        }
        Ok(())
    }

    fn candidate(&mut self, candidate: Candidate<'_>, events: Events<'_>) -> Result<Option<Finish>, Fault> {
        self.note("/candidates/0", candidate.extra);
        let parts = candidate.content.and_then(|content| content.parts).unwrap_or_default();
        for part in parts {
            self.part(part.value, events)?;
        }
        Ok(candidate.finish_reason.map(|reason| finish::read(&reason.0, self.calls > 0)))
    }

    fn part(&mut self, part: ContentPart<'_>, events: Events<'_>) -> Result<(), Fault> {
        const PATH: &str = "/candidates/0/content/parts";
        self.note(PATH, part.extra);
        let signature = part.signature.map(|signature| signature.0).filter(|signature| !signature.is_empty());
        if let Some(call) = part.call {
            let name = call.name.ok_or_else(|| invalid("a call of the stream has no name"))?.0;
            self.note(&format!("{PATH}/functionCall"), call.extra);
            if self.calls >= MOST_CALLS {
                return Err(invalid("the stream calls too many tools"));
            }
            self.close(events);
            let block = self.begin();
            let id = call.id.map(|id| id.0).filter(|id| !id.is_empty());
            let id = id.unwrap_or_else(|| call_id(&self.id, self.calls));
            self.calls += 1;
            events(Event::ToolCall { block, id, name, signature });
            if let Some(args) = call.args {
                events(Event::ToolArguments { block, fragment: Cow::Borrowed(args.get()) });
            }
            events(Event::BlockEnd { block });
            return Ok(());
        }
        if signature.is_some() {
            self.losses.note(format!("{PATH}/thoughtSignature"));
        }
        if let Some(Text(text)) = part.text {
            if !text.is_empty() {
                let is_thought = part.thought.unwrap_or(false);
                let block = self.block(is_thought, events);
                events(if is_thought {
                    Event::Thinking { block, text }
                } else {
                    Event::Text { block, text }
                });
            }
        } else if part.inline.is_some() || part.file.is_some() || part.response.is_some() {
            self.losses.note(PATH);
        }
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

fn invalid(message: &str) -> Fault {
    Fault::Invalid(message.to_owned())
}

//! What the tap of a stream whose two sides speak this dialect sees in its events.
//!
//! An event that by its name adds content must hold what looks like an object; its JSON is not read. Nearly all events are of
//! this kind. Any other is read; types that are not known pass, since Cohere may add some at any time. Nothing is ever
//! withheld: usage stands in the event that ends the stream.

use super::stream::{Envelope, Reader, Step};
use crate::framing::Frame;
use crate::json::read_frame;
use crate::tap::{Verdict, Watch, is_object};
use crate::{Facts, Fault};

/// The eye on one stream.
#[derive(Debug, Default)]
pub(super) struct Eye {
    reader: Reader,
    facts: Facts,
}

/// Whether an event of this type adds content.
fn adds(kind: &str) -> bool {
    matches!(kind, "content-delta" | "tool-plan-delta" | "tool-call-delta")
}

impl Watch for Eye {
    fn look(&mut self, frame: &Frame<'_>) -> Result<Verdict, Fault> {
        if !is_object(frame.data) {
            return Err(Fault::Invalid("an event of the stream is no object".to_owned()));
        }
        if frame.event.is_some_and(adds) {
            self.content();
            return Ok(Verdict::Pass);
        }
        self.read(frame)?;
        Ok(match (&self.facts.error, self.facts.terminal) {
            (Some(_), _) => Verdict::Stop,
            (None, true) => Verdict::PassAndEnd,
            (None, false) => Verdict::Pass,
        })
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn facts_mut(&mut self) -> &mut Facts {
        &mut self.facts
    }
}

impl Eye {
    fn content(&mut self) {
        self.facts.committed = true;
        self.facts.events += 1;
    }

    fn read(&mut self, frame: &Frame<'_>) -> Result<(), Fault> {
        let data: Envelope<'_> = read_frame(frame.data)?;
        let kind = data.kind.as_ref().map(|kind| &*kind.0).or(frame.event);
        match kind {
            Some("message-start" | "message-end") => {
                let Self { reader, facts } = self;
                reader.take(data, frame.event, &mut |event| facts.learn(&event))?;
            }
            Some("tool-call-start") => self.content(),
            Some("content-start") if says_something(&data) => self.content(),
            Some(kind) if adds(kind) => self.content(),
            Some(_) => {}
            None => return Err(Fault::Invalid("an event of the stream: type is missing".to_owned())),
        }
        Ok(())
    }
}

/// A block begins empty and commits nothing; one that does not, does.
fn says_something(data: &Envelope<'_>) -> bool {
    let message = data.delta.as_ref().and_then(|delta| delta.message.as_ref());
    let Some(content) = message.and_then(|message| message.content) else { return false };
    match serde_json::from_str::<Step<'_>>(content.get()) {
        Ok(step) => [step.text, step.thinking].into_iter().flatten().any(|text| !text.0.is_empty()),
        Err(_) => true,
    }
}

//! What the tap of a stream whose two sides speak this dialect sees in its events.
//!
//! Nearly all of them are deltas, known by the type that their data begins with: one that says more of the reply commits it
//! and passes. Those that begin, end or break a response are parsed.

use super::stream::{Data, kind_of, problem};
use crate::framing::Frame;
use crate::json::read_frame;
use crate::openai::error;
use crate::tap::{Verdict, Watch, is_object};
use crate::{Facts, Fault};

/// The eye on one stream.
#[derive(Debug, Default)]
pub(super) struct Eye {
    facts: Facts,
}

impl Eye {
    fn by_kind(&mut self, kind: &str, frame: &Frame<'_>) -> Result<Verdict, Fault> {
        match kind {
            "response.created" => {
                let data: Data<'_> = read_frame(frame.data)?;
                if let Some(response) = data.response {
                    self.facts.id = response.id.map(|id| id.0.into());
                    self.facts.model = response.model.map(|model| model.0.into());
                }
            }
            "response.completed" | "response.incomplete" => return self.end(frame),
            "response.failed" | "error" => {
                self.facts.error = Some(problem(&read_frame(frame.data)?, frame)?);
                return Ok(Verdict::Stop);
            }
            "response.output_item.added" => {
                // A message or a thought has not said anything yet; a call has.
                let is_silent = ["\"message\"", "\"reasoning\""].iter().any(|kind| frame.data.contains(kind));
                self.facts.committed |= !is_silent;
            }
            kind => match kind.rsplit_once('.') {
                Some((_, "delta")) => {
                    self.facts.committed = true;
                    self.facts.events += 1;
                }
                Some((_, "done")) => self.facts.committed = true,
                _ => {}
            },
        }
        Ok(Verdict::Pass)
    }

    fn end(&mut self, frame: &Frame<'_>) -> Result<Verdict, Fault> {
        let data: Data<'_> = read_frame(frame.data)?;
        let Some(response) = data.response else {
            return Err(Fault::Invalid("the stream's last event has no response".to_owned()));
        };
        let Ok(facts) = response.facts() else {
            self.facts.error = Some(problem(&read_frame(frame.data)?, frame)?);
            return Ok(Verdict::Stop);
        };
        self.facts.id = facts.id.or_else(|| self.facts.id.take());
        self.facts.model = facts.model.or_else(|| self.facts.model.take());
        self.facts.finish = facts.finish;
        self.facts.usage = facts.usage;
        self.facts.committed = true;
        self.facts.terminal = true;
        Ok(Verdict::PassAndEnd)
    }
}

impl Watch for Eye {
    fn look(&mut self, frame: &Frame<'_>) -> Result<Verdict, Fault> {
        if !is_object(frame.data) {
            return Err(Fault::Invalid("an event of the stream is no object".to_owned()));
        }
        match kind_of(frame.data)? {
            Ok(kind) => self.by_kind(&kind, frame),
            Err(problem) => {
                self.facts.error = Some(error::read_event(problem));
                Ok(Verdict::Stop)
            }
        }
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn facts_mut(&mut self) -> &mut Facts {
        &mut self.facts
    }
}

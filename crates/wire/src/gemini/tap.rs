//! What the tap of a stream whose two sides speak this dialect sees in its events.
//!
//! Every step is read: nearly all of them have usage in them. A step with a reason to stop is held until the next one, or
//! until the stream ends: it is what a client takes for the end, so the call's final must be written before it goes.

use std::sync::Arc;

use super::finish;
use super::reply::Response;
use super::stream::problem;
use crate::framing::Frame;
use crate::json::read_frame;
use crate::tap::{Verdict, Watch, is_object};
use crate::{Facts, Fault};

/// The eye on one stream.
#[derive(Debug, Default)]
pub(super) struct Eye {
    calls_tools: bool,
    /// The step that is held commits the reply once it passes.
    holds: bool,
    facts: Facts,
}

impl Watch for Eye {
    fn look(&mut self, frame: &Frame<'_>) -> Result<Verdict, Fault> {
        if !is_object(frame.data) {
            return Err(Fault::Invalid("an event of the stream is no object".to_owned()));
        }
        if let Some(problem) = problem(frame.data)? {
            self.facts.error = Some(super::error::of_problem(None, problem));
            return Ok(Verdict::Stop);
        }
        let step: Response<'_> = read_frame(frame.data)?;
        self.facts.committed |= std::mem::take(&mut self.holds);
        Ok(self.read(step))
    }

    fn end(&mut self) {
        if self.facts.finish.is_some() {
            self.facts.terminal = true;
            self.facts.committed = true;
        }
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn facts_mut(&mut self) -> &mut Facts {
        &mut self.facts
    }
}

impl Eye {
    fn read(&mut self, step: Response<'_>) -> Verdict {
        if self.facts.id.is_none() {
            self.facts.id = step.id.map(|id| Arc::from(&*id.0));
        }
        if self.facts.model.is_none() {
            self.facts.model = step.model.map(|model| Arc::from(&*model.0));
        }
        if let Some(usage) = step.usage.and_then(|counts| counts.usage()) {
            self.facts.usage = Some(usage);
        }
        let (mut commits, mut stops) = (false, false);
        if step.feedback.is_some_and(|feedback| feedback.block_reason.is_some()) {
            self.facts.finish = Some(stepwell_types::Finish::ContentFilter);
            stops = true;
        }
        for candidate in step.candidates.unwrap_or_default() {
            let candidate = candidate.value;
            if candidate.index.unwrap_or(0) != 0 {
                continue;
            }
            let parts = candidate.content.and_then(|content| content.parts).unwrap_or_default();
            self.calls_tools |= parts.iter().any(|part| part.value.call.is_some());
            let says =
                parts.iter().any(|part| part.value.text.as_ref().is_none_or(|text| !text.0.is_empty()));
            commits |= says;
            self.facts.events += u64::from(says);
            if let Some(reason) = candidate.finish_reason {
                self.facts.finish = Some(finish::read(&reason.0, self.calls_tools));
                stops = true;
            }
        }
        if stops {
            self.holds = true;
            return Verdict::Hold;
        }
        self.facts.committed |= commits;
        Verdict::Pass
    }
}

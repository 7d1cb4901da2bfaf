//! What the tap of a stream whose two sides speak this dialect sees in its events.
//!
//! A delta must hold what looks like an object; its JSON is not read. Nearly all events are of this kind. Those that tell of
//! a reason, of usage or of a failure are read whole; types that are not known pass, since AWS may add some at any time. The
//! reason to stop is held until the usage behind it, which ends the stream: it is what a client takes for the end, so the
//! call's final must be written before it goes.

use super::stream::Reader;
use crate::framing::Frame;
use crate::tap::{Verdict, Watch, is_object};
use crate::{Facts, Fault};

/// The eye on one stream.
#[derive(Debug, Default)]
pub(super) struct Eye {
    reader: Reader,
    /// The reason to stop is held, and commits the reply once it passes.
    holds: bool,
    facts: Facts,
}

impl Watch for Eye {
    fn look(&mut self, frame: &Frame<'_>) -> Result<Verdict, Fault> {
        if !is_object(frame.data) {
            return Err(Fault::Invalid("an event of the stream is no object".to_owned()));
        }
        let kind = frame.event.unwrap_or_default();
        if matches!(kind, "contentBlockDelta" | "contentBlockStart") {
            self.facts.committed = true;
            self.facts.events += 1;
            return Ok(Verdict::Pass);
        }
        let committed = self.facts.committed;
        let Self { reader, facts, .. } = self;
        reader.take(kind, frame.data, &mut |event| facts.learn(&event))?;
        if self.facts.error.is_some() {
            return Ok(Verdict::Stop);
        }
        if self.facts.terminal {
            return Ok(Verdict::PassAndEnd);
        }
        if kind == "messageStop" {
            self.facts.committed = committed;
            self.holds = true;
            return Ok(Verdict::Hold);
        }
        self.facts.committed |= std::mem::take(&mut self.holds);
        Ok(Verdict::Pass)
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn facts_mut(&mut self) -> &mut Facts {
        &mut self.facts
    }
}

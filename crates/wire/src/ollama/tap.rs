//! What the tap of a stream whose two sides speak this dialect sees in its lines. Every line is read.

use std::sync::Arc;

use super::error;
use super::reply::{Response, some};
use super::stream::check;
use crate::framing::Frame;
use crate::json::read_frame;
use crate::tap::{Verdict, Watch, is_object};
use crate::{Facts, Fault};

/// The eye on one stream.
#[derive(Debug, Default)]
pub(super) struct Eye {
    calls_tools: bool,
    facts: Facts,
}

impl Watch for Eye {
    fn look(&mut self, frame: &Frame<'_>) -> Result<Verdict, Fault> {
        if !is_object(frame.data) {
            return Err(Fault::Invalid("a line of the stream is no object".to_owned()));
        }
        let line: Response<'_> = read_frame(frame.data)?;
        if line.error.is_some() {
            self.facts.error = Some(error::read_line(frame.data));
            return Ok(Verdict::Stop);
        }
        check(&line)?;
        Ok(self.read(line))
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn facts_mut(&mut self) -> &mut Facts {
        &mut self.facts
    }
}

impl Eye {
    fn read(&mut self, mut line: Response<'_>) -> Verdict {
        if self.facts.id.is_none() {
            self.facts.id = some(line.id.take()).map(|id| Arc::from(&*id));
        }
        if self.facts.model.is_none() {
            self.facts.model = some(line.model.take()).map(|model| Arc::from(&*model));
        }
        if let Some(message) = &line.message {
            let calls = message.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty());
            let texts = [&message.content, &message.thinking];
            let says = texts.into_iter().flatten().any(|text| !text.0.is_empty())
                || message.images.as_ref().is_some_and(|images| !images.is_empty());
            self.calls_tools |= calls;
            self.facts.committed |= calls || says;
            self.facts.events += u64::from(calls || says);
        }
        if line.done != Some(true) {
            return Verdict::Pass;
        }
        let (finish, usage) = line.ending(self.calls_tools);
        self.facts.finish = Some(finish);
        self.facts.usage = usage;
        self.facts.committed = true;
        self.facts.terminal = true;
        Verdict::PassAndEnd
    }
}

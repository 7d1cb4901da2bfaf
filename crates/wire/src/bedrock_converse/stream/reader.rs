//! From Bedrock's frames to events.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use crate::bedrock_converse::error::{Problem, of_problem};
use crate::bedrock_converse::reply::Additional;
use crate::bedrock_converse::usage::Counts;
use crate::bedrock_converse::{fitting, stop};
use crate::framing::Frame;
use crate::framing::event_stream::ERROR;
use crate::json::{Extras, Text, object, read_frame};
use crate::stream::{Event, StreamReader};
use crate::{Fault, Losses};

/// The most blocks that may be open at once. Bedrock has one.
const MOST_OPEN: usize = 256;

object! {
    /// The payload of any event. `p` pads it to a length that tells nothing.
    #[expect(dead_code, reason = "a field that is only named here is known, and nothing is lost without it")]
    struct Payload<'a> {
        role: IgnoredAny = "role",
        id: Text<'a> = "id",
        model: Text<'a> = "model",
        index: u64 = "contentBlockIndex",
        start: Start<'a> = "start",
        delta: Delta<'a> = "delta",
        stop_reason: Text<'a> = "stopReason",
        additional: Additional<'a> = "additionalModelResponseFields",
        usage: Counts<'a> = "usage",
    }
    skipping "p", "metrics", "performanceConfig", "serviceTier"
}

object! {
    struct Start<'a> { tool_use: ToolUse<'a> = "toolUse" }
}

object! {
    struct ToolUse<'a> { id: Text<'a> = "toolUseId", name: Text<'a> = "name", kind: Text<'a> = "type" }
}

object! {
    struct Delta<'a> {
        text: Text<'a> = "text",
        tool_use: Input<'a> = "toolUse",
        reasoning: Reasoning<'a> = "reasoningContent",
    }
}

object! {
    struct Input<'a> { input: Text<'a> = "input" }
}

object! {
    struct Reasoning<'a> {
        text: Text<'a> = "text",
        signature: Text<'a> = "signature",
        redacted: Text<'a> = "redactedContent",
    }
}

/// Where a stream stands.
#[derive(Debug, Default)]
pub(in crate::bedrock_converse) struct Reader {
    begun: bool,
    open: Vec<Open>,
    blocks: u32,
    losses: Losses,
}

/// A block that has begun and not ended.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// Bedrock's number of it.
    index: u64,
    /// The events' number of it; none for a block that no event can say.
    block: Option<u32>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Text,
    Thinking,
    Tool,
    Other,
}

type Events<'e> = &'e mut dyn FnMut(Event<'_>);

impl StreamReader for Reader {
    fn push(&mut self, frame: &Frame<'_>, events: &mut dyn FnMut(Event<'_>)) -> Result<(), Fault> {
        self.take(frame.event.unwrap_or_default(), frame.data, events)
    }

    fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }
}

impl Reader {
    /// Takes one event of a type.
    pub(in crate::bedrock_converse) fn take(
        &mut self,
        kind: &str,
        data: &str,
        events: Events<'_>,
    ) -> Result<(), Fault> {
        if kind == ERROR || kind.ends_with("Exception") {
            let mut problem: Problem<'_> = read_frame(data)?;
            if kind != ERROR {
                problem.kind = Some(Text(Cow::Borrowed(kind)));
            }
            events(Event::Error(of_problem(None, problem)));
            return Ok(());
        }
        let payload: Payload<'_> = read_frame(data)?;
        self.note("", payload.extra);
        let index = || payload.index.ok_or_else(|| missing("contentBlockIndex"));
        match kind {
            "messageStart" => self.begin(payload.id, payload.model, events),
            "contentBlockStart" => self.start(index()?, payload.start.unwrap_or_default(), events)?,
            "contentBlockDelta" => {
                self.delta(index()?, payload.delta.ok_or_else(|| missing("delta"))?, events)?;
            }
            "contentBlockStop" => {
                let index = index()?;
                // A block of which nothing came never began.
                if let Some(place) = self.open.iter().position(|open| open.index == index)
                    && let Some(block) = self.open.remove(place).block
                {
                    events(Event::BlockEnd { block });
                }
            }
            "messageStop" => {
                let additional = payload.additional.unwrap_or_default();
                self.note("/additionalModelResponseFields", additional.extra);
                let reason = payload.stop_reason.ok_or_else(|| missing("stopReason"))?;
                let stop_sequence = additional.stop_sequence.map(|sequence| sequence.0);
                events(Event::Finish { reason: stop::read(&reason.0), stop_sequence });
            }
            "metadata" => {
                if let Some(mut counts) = payload.usage {
                    self.note("/usage", std::mem::take(&mut counts.extra));
                    if let Some(usage) = counts.usage() {
                        events(Event::Usage(usage));
                    }
                }
                events(Event::End);
            }
            // New types of events may come at any time.
            other => self.losses.note(format!("/{other}")),
        }
        Ok(())
    }

    fn begin(&mut self, id: Option<Text<'_>>, model: Option<Text<'_>>, events: Events<'_>) {
        if !std::mem::replace(&mut self.begun, true) {
            let (id, model) = (id.map(|id| id.0), model.map(|model| model.0));
            events(Event::Start { id, model, usage: None });
        }
    }

    fn start(&mut self, index: u64, start: Start<'_>, events: Events<'_>) -> Result<(), Fault> {
        self.note(&format!("/content/{index}"), start.extra);
        match start.tool_use {
            Some(call) if call.kind.is_none() => {
                let block = self.open(index, Kind::Tool)?;
                self.note(&format!("/content/{index}/toolUse"), call.extra);
                let id = call.id.ok_or_else(|| missing("start.toolUse.toolUseId"))?.0;
                let name = call.name.ok_or_else(|| missing("start.toolUse.name"))?.0;
                let name = fitting::tool_name_said(name);
                events(Event::ToolCall { block, id, name, signature: None });
            }
            // A tool that the service runs, what it gave, an image: noted above, or here.
            other => {
                if other.is_some() {
                    self.losses.note(format!("/content/{index}"));
                }
                self.check(index)?;
                self.open.push(Open { index, block: None, kind: Kind::Other });
            }
        }
        Ok(())
    }

    /// Begins a block that events can say.
    fn open(&mut self, index: u64, kind: Kind) -> Result<u32, Fault> {
        self.check(index)?;
        let block = self.blocks;
        self.blocks = self.blocks.saturating_add(1);
        self.open.push(Open { index, block: Some(block), kind });
        Ok(block)
    }

    fn check(&self, index: u64) -> Result<(), Fault> {
        if self.open.iter().any(|open| open.index == index) {
            return Err(Fault::Invalid(format!("an event of the stream: block {index} begins twice")));
        }
        if self.open.len() >= MOST_OPEN {
            return Err(Fault::Invalid("the stream has too many open blocks".to_owned()));
        }
        Ok(())
    }

    /// The block that a delta belongs to, which begins with it if it is not open. None for one that no event can say.
    fn block(&mut self, index: u64, kind: Kind) -> Result<Option<u32>, Fault> {
        match self.open.iter().rev().find(|open| open.index == index) {
            Some(open) if open.kind == kind || open.kind == Kind::Other => Ok(open.block),
            Some(_) => Err(Fault::Invalid(format!("an event of the stream: block {index} is of two kinds"))),
            None if kind == Kind::Tool => {
                Err(Fault::Invalid(format!("an event of the stream: block {index} has not begun")))
            }
            None => self.open(index, kind).map(Some),
        }
    }

    fn delta(&mut self, index: u64, delta: Delta<'_>, events: Events<'_>) -> Result<(), Fault> {
        self.note(&format!("/content/{index}"), delta.extra);
        if let Some(Text(text)) = said(delta.text)
            && let Some(block) = self.block(index, Kind::Text)?
        {
            events(Event::Text { block, text });
        }
        if let Some(input) = delta.tool_use
            && let Some(block) = self.block(index, Kind::Tool)?
        {
            self.note(&format!("/content/{index}/toolUse"), input.extra);
            if let Some(Text(fragment)) = said(input.input) {
                events(Event::ToolArguments { block, fragment });
            }
        }
        if let Some(reasoning) = delta.reasoning
            && let Some(block) = self.block(index, Kind::Thinking)?
        {
            self.note(&format!("/content/{index}/reasoningContent"), reasoning.extra);
            if let Some(Text(text)) = said(reasoning.text) {
                events(Event::Thinking { block, text });
            }
            if let Some(Text(signature)) = said(reasoning.signature) {
                events(Event::Signature { block, signature });
            }
            if let Some(Text(data)) = said(reasoning.redacted) {
                events(Event::RedactedThinking { block, data });
            }
        }
        Ok(())
    }

    /// Notes the fields that say something and that no event can say.
    fn note(&mut self, path: &str, fields: Extras<'_>) {
        for (key, value) in fields {
            if value.get() != "null" {
                self.losses.note(format!("{path}/{key}"));
            }
        }
    }
}

fn missing(field: &str) -> Fault {
    Fault::Invalid(format!("an event of the stream: {field} is missing"))
}

/// A text that is there and not empty.
fn said(text: Option<Text<'_>>) -> Option<Text<'_>> {
    text.filter(|text| !text.0.is_empty())
}

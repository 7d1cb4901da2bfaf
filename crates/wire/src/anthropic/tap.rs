//! What the tap of a stream whose two sides speak this dialect sees in its events.
//!
//! A `content_block_delta` by name must hold what looks like an object; its JSON is not read. Nearly all events are of
//! this kind. Any other must hold one JSON object with a `type`; those that tell of usage, reason, end or failure are
//! read whole. Types that are not known pass: Anthropic may add some at any time. Nothing is ever withheld, since
//! usage stands in events the client needs.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::stream::{Envelope, Reader};
use crate::framing::Frame;
use crate::json::{Text, read_frame};
use crate::tap::{Verdict, Watch, is_object};
use crate::{Facts, Fault};

/// As much of an event as decides what to do with it.
#[derive(Debug, Default, Deserialize)]
struct Seen<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    content_block: Option<&'a RawValue>,
}

/// As much of a block as shows whether it begins with content.
#[derive(Debug, Default, Deserialize)]
struct Begun<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    thinking: Option<Text<'a>>,
}

/// The eye on one stream.
#[derive(Debug, Default)]
pub(super) struct Eye {
    reader: Reader,
    facts: Facts,
}

impl Watch for Eye {
    fn look(&mut self, frame: &Frame<'_>) -> Result<Verdict, Fault> {
        if !is_object(frame.data) {
            return Err(Fault::Invalid("an event of the stream is no object".to_owned()));
        }
        if frame.event == Some("content_block_delta") {
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
        let seen: Seen<'_> = read_frame(frame.data)?;
        let kind =
            seen.kind.ok_or_else(|| Fault::Invalid("an event of the stream: type is missing".to_owned()))?;
        match &*kind.0 {
            "message_start" | "message_delta" | "message_stop" | "error" => {
                let data: Envelope<'_> = read_frame(frame.data)?;
                let Self { reader, facts } = self;
                reader.take(data, &mut |event| facts.learn(&event))?;
            }
            "content_block_delta" => self.content(),
            "content_block_start" if seen.content_block.is_none_or(begins_with_content) => self.content(),
            _ => {}
        }
        Ok(())
    }
}

/// Text and thinking begin empty and commit nothing; a tool call or anything else does.
fn begins_with_content(block: &RawValue) -> bool {
    match serde_json::from_str::<Begun<'_>>(block.get()) {
        Ok(Begun { kind: Some(kind), text, thinking, .. }) => match &*kind.0 {
            "text" => text.is_some_and(|text| !text.0.is_empty()),
            "thinking" => thinking.is_some_and(|text| !text.0.is_empty()),
            _ => true,
        },
        _ => true,
    }
}

//! A generated reply, and the events it is streamed as. Knows no dialect.

use stepwell_types::Finish;

use crate::oracle::Tokens;
use crate::text::count;

/// A generated reply.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Its content, in order.
    pub(crate) blocks: Vec<Block>,
    /// Why it ended.
    pub(crate) finish: Finish,
    /// The stop sequence that ended it.
    pub(crate) stop_sequence: Option<String>,
    /// What it took.
    pub(crate) tokens: Tokens,
}

/// A part of a reply's content.
#[derive(Debug)]
pub(crate) enum Block {
    /// Thinking; its text is empty where it is left out.
    Thinking {
        /// What was thought.
        text: String,
        /// Its signature.
        signature: String,
        /// Its output tokens.
        tokens: u32,
    },
    /// Thinking that is not shown.
    RedactedThinking {
        /// What stands for it.
        data: String,
        /// Its output tokens.
        tokens: u32,
    },
    /// Text.
    Text(String),
    /// A refusal.
    Refusal(String),
    /// A tool call.
    Call {
        /// Its id.
        id: String,
        /// The tool.
        name: String,
        /// Its arguments, JSON unless they were cut off.
        arguments: String,
        /// Whether they were not.
        complete: bool,
    },
}

/// The events of a stream, one after the other in one buffer.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
    /// Where each event ends.
    pub(crate) marks: Vec<Mark>,
    tokens: u32,
    steps: u32,
}

/// The end of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mark {
    /// Where in the buffer.
    pub(crate) end: usize,
    /// Output tokens sent with it.
    pub(crate) tokens: u32,
    /// Content events up to it: it is due with the last of them.
    pub(crate) step: u32,
}

impl Events {
    /// Room for about so many bytes and events.
    pub(crate) fn with_capacity(bytes: usize, events: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), marks: Vec::with_capacity(events), tokens: 0, steps: 0 }
    }

    /// The bytes written since the last event are one that carries no content.
    pub(crate) fn end_event(&mut self) {
        self.marks.push(Mark { end: self.bytes.len(), tokens: self.tokens, step: self.steps });
    }

    /// The bytes written since the last event are content of so many output tokens.
    pub(crate) fn end_content(&mut self, tokens: u32) {
        self.tokens = self.tokens.saturating_add(tokens);
        self.steps = self.steps.saturating_add(1);
        self.end_event();
    }

    /// So many output tokens have no event of their own; the next one carries them.
    pub(crate) fn end_silently(&mut self, tokens: u32) {
        self.tokens = self.tokens.saturating_add(tokens);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        count(self.marks.len())
    }

    /// Drops all events after the first `events`.
    pub(crate) fn keep(&mut self, events: u32) {
        self.marks.truncate(usize::try_from(events).unwrap_or(usize::MAX));
        self.bytes.truncate(self.marks.last().map_or(0, |mark| mark.end));
        self.tokens = self.marks.last().map_or(0, |mark| mark.tokens);
        self.steps = self.marks.last().map_or(0, |mark| mark.step);
    }

    /// Puts `bytes` after the first `events`, as one more event.
    pub(crate) fn insert(&mut self, events: u32, bytes: &[u8]) {
        let place = usize::try_from(events).unwrap_or(usize::MAX).min(self.marks.len());
        let before = place.checked_sub(1).and_then(|last| self.marks.get(last));
        let mark = before.copied().unwrap_or(Mark { end: 0, tokens: 0, step: 0 });
        self.bytes.splice(mark.end..mark.end, bytes.iter().copied());
        for later in &mut self.marks[place..] {
            later.end += bytes.len();
        }
        self.marks.insert(place, Mark { end: mark.end + bytes.len(), ..mark });
    }

    /// Events before the first content.
    pub(crate) fn preamble(&self) -> u32 {
        count(self.marks.iter().take_while(|mark| mark.step == 0).count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Events {
        let mut events = Events::default();
        events.bytes.extend_from_slice(b"a");
        events.end_event();
        events.bytes.extend_from_slice(b"bb");
        events.end_content(2);
        events.bytes.extend_from_slice(b"c");
        events.end_event();
        events
    }

    #[test]
    fn an_inserted_event_moves_those_behind_it() {
        let mut events = three();
        events.insert(1, b"XYZ");
        assert_eq!(events.bytes, b"aXYZbbc");
        assert_eq!(events.marks.iter().map(|mark| mark.end).collect::<Vec<_>>(), [1, 4, 6, 7]);
        assert_eq!(events.marks.iter().map(|mark| mark.tokens).collect::<Vec<_>>(), [0, 0, 2, 2]);
        assert_eq!(events.preamble(), 2);
    }

    #[test]
    fn what_is_kept_is_what_was_sent_before() {
        let mut events = three();
        events.keep(1);
        assert_eq!(events.bytes, b"a");
        events.keep(0);
        assert!(events.bytes.is_empty() && events.marks.is_empty());
    }
}

//! Writes a response as a stream of events, numbered from 0, from `response.created` to `response.completed`.
//!
//! <https://platform.openai.com/docs/api-reference/responses-streaming>

use crate::json::{escaped, integer, string};
use crate::reply::{Block, Events, Reply};
use crate::text::pieces;

use super::reply::{Head, Stage, begun, incomplete, item, item_status, part, response, summary};

/// What an overload is told by in a stream. The type is that of the event, the code that of the response as well.
const OVERLOAD: (&str, &str, &str) = (
    "service_unavailable_error",
    "server_is_overloaded",
    "Our servers are currently overloaded. Please try again later.",
);

/// Writes the events.
pub(crate) fn write(head: &Head<'_>, reply: &Reply) -> Events {
    let expected = usize::try_from(reply.tokens.output).unwrap_or(0).saturating_add(16).min(1 << 20);
    let bytes = expected.saturating_mul(256).saturating_add(4 * head.settings.echoed.len());
    let mut writer = Writer { head: *head, events: Events::with_capacity(bytes, expected), number: 0 };
    writer.whole("response.created", Stage::InProgress);
    writer.whole("response.in_progress", Stage::InProgress);
    for (index, block) in (0_u32..).zip(&reply.blocks) {
        writer.block(reply, index, block);
    }
    let last = if incomplete(reply.finish).is_some() { "response.incomplete" } else { "response.completed" };
    writer.whole(last, Stage::Done(reply));
    writer.events
}

/// The two events that tell of an overload in the middle of a stream, after `sent` others. The first has its error in
/// an object, as the service sends it, and not beside its type, as it is documented.
pub(crate) fn overload(head: &Head<'_>, sent: u32) -> [Vec<u8>; 2] {
    let (kind, code, message) = OVERLOAD;
    let mut error = b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":".to_vec();
    string(&mut error, kind);
    error.extend_from_slice(b",\"code\":");
    string(&mut error, code);
    error.extend_from_slice(b",\"message\":");
    string(&mut error, message);
    error.extend_from_slice(b",\"param\":null},\"sequence_number\":");
    integer(&mut error, sent);
    error.extend_from_slice(b"}\n\n");
    let mut writer = Writer { head: *head, events: Events::default(), number: sent.saturating_add(1) };
    writer.whole("response.failed", Stage::Failed(code, message));
    [error, writer.events.bytes]
}

/// How the text of a message's part is told.
struct Words {
    /// The event of each of its pieces.
    delta: &'static str,
    /// The event of all of it.
    done: &'static str,
    /// The member that all of it is.
    member: &'static str,
    /// What else is said with it.
    more: &'static [u8],
}

const TEXT: Words = Words {
    delta: "response.output_text.delta",
    done: "response.output_text.done",
    member: "text",
    more: b",\"logprobs\":[]",
};
const REFUSAL: Words =
    Words { delta: "response.refusal.delta", done: "response.refusal.done", member: "refusal", more: b"" };

struct Writer<'h> {
    head: Head<'h>,
    events: Events,
    /// That of the next event.
    number: u32,
}

impl Writer<'_> {
    /// Begins an event.
    fn open(&mut self, name: &str) {
        let out = &mut self.events.bytes;
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\ndata: {\"type\":\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\",\"sequence_number\":");
        integer(out, self.number);
        self.number = self.number.saturating_add(1);
    }

    /// Ends the bytes of an event.
    fn shut(&mut self) {
        self.events.bytes.extend_from_slice(b"}\n\n");
    }

    /// An event with the whole response.
    fn whole(&mut self, name: &str, stage: Stage<'_>) {
        self.open(name);
        self.events.bytes.extend_from_slice(b",\"response\":");
        response(&mut self.events.bytes, &self.head, stage);
        self.shut();
        self.events.end_event();
    }

    /// Begins an event about an item that is added or done.
    fn open_item(&mut self, name: &str, index: u32) {
        self.open(name);
        let out = &mut self.events.bytes;
        out.extend_from_slice(b",\"output_index\":");
        integer(out, index);
        out.extend_from_slice(b",\"item\":");
    }

    fn block(&mut self, reply: &Reply, index: u32, block: &Block) {
        self.open_item("response.output_item.added", index);
        begun(&mut self.events.bytes, &self.head, index, block);
        self.shut();
        match block {
            // A call's first token is its name.
            Block::Call { .. } => self.events.end_content(1),
            _ => self.events.end_event(),
        }
        let place = self.place(index, block);
        let mut unsent = 0;
        match block {
            Block::Text(text) => self.message(&place, block, text, &TEXT),
            Block::Refusal(text) => self.message(&place, block, text, &REFUSAL),
            Block::Call { arguments, .. } => {
                self.deltas("response.function_call_arguments.delta", &place, b"", arguments);
                self.text("response.function_call_arguments.done", &place, "arguments", arguments, b"");
            }
            Block::Thinking { text, .. } if !text.is_empty() => self.summary(&place, text),
            Block::Thinking { tokens, .. } | Block::RedactedThinking { tokens, .. } => unsent = *tokens,
        }
        self.open_item("response.output_item.done", index);
        item(&mut self.events.bytes, &self.head, index, block, item_status(reply, index, block));
        self.shut();
        // Reasoning that is not shown is known to have been made when its item is done.
        if unsent > 0 {
            self.events.end_content(unsent);
        } else {
            self.events.end_event();
        }
    }

    /// The members that say of which part of which item an event is.
    fn place(&self, index: u32, block: &Block) -> Vec<u8> {
        let mut place = b",\"item_id\":".to_vec();
        string(&mut place, &self.head.item_id(block, index));
        place.extend_from_slice(b",\"output_index\":");
        integer(&mut place, index);
        let part: &[u8] = match block {
            Block::Text(_) | Block::Refusal(_) => b",\"content_index\":0",
            Block::Thinking { .. } => b",\"summary_index\":0",
            Block::RedactedThinking { .. } | Block::Call { .. } => b"",
        };
        place.extend_from_slice(part);
        place
    }

    /// A message of one part.
    fn message(&mut self, place: &[u8], block: &Block, text: &str, words: &Words) {
        let empty = match block {
            Block::Refusal(_) => Block::Refusal(String::new()),
            _ => Block::Text(String::new()),
        };
        self.part("response.content_part.added", place, |out| part(out, &empty));
        self.deltas(words.delta, place, words.more, text);
        self.text(words.done, place, words.member, text, words.more);
        self.part("response.content_part.done", place, |out| part(out, block));
    }

    fn summary(&mut self, place: &[u8], text: &str) {
        self.part("response.reasoning_summary_part.added", place, |out| summary(out, ""));
        self.deltas("response.reasoning_summary_text.delta", place, b"", text);
        self.text("response.reasoning_summary_text.done", place, "text", text, b"");
        self.part("response.reasoning_summary_part.done", place, |out| summary(out, text));
    }

    /// A part that is added or done.
    fn part(&mut self, name: &str, place: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        self.open(name);
        let out = &mut self.events.bytes;
        out.extend_from_slice(place);
        out.extend_from_slice(b",\"part\":");
        write(out);
        self.shut();
        self.events.end_event();
    }

    /// A text, one delta for each of its tokens.
    fn deltas(&mut self, name: &str, place: &[u8], more: &[u8], text: &str) {
        for piece in pieces(text) {
            self.open(name);
            let out = &mut self.events.bytes;
            out.extend_from_slice(place);
            out.extend_from_slice(b",\"delta\":\"");
            escaped(out, piece);
            out.push(b'"');
            out.extend_from_slice(more);
            if self.head.settings.obfuscate {
                let padding = out.len() % 16;
                out.extend_from_slice(b",\"obfuscation\":\"");
                out.extend_from_slice(&b"stepwellstepwell"[..padding]);
                out.push(b'"');
            }
            self.shut();
            self.events.end_content(1);
        }
    }

    /// A text that is done.
    fn text(&mut self, name: &str, place: &[u8], member: &str, text: &str, more: &[u8]) {
        self.open(name);
        let out = &mut self.events.bytes;
        out.extend_from_slice(place);
        out.push(b',');
        string(out, member);
        out.push(b':');
        string(out, text);
        out.extend_from_slice(more);
        self.shut();
        self.events.end_event();
    }
}

//! Writes a reply as lines; the last says that it is done, why, and what it took.
//!
//! <https://docs.ollama.com/api/streaming>

use crate::json::string;
use crate::reply::{Block, Events, Reply};
use crate::text::{output_tokens, pieces};

use super::reply::{Head, begin, call, end};

/// Writes the events.
pub(crate) fn write(head: &Head<'_>, reply: &Reply) -> Events {
    let lines = usize::try_from(reply.tokens.output).unwrap_or(0).saturating_add(1).min(1 << 20);
    let mut events = Events::with_capacity(lines.saturating_mul(140), lines);
    let mut place = 0;
    for block in &reply.blocks {
        match block {
            Block::Thinking { text, .. } => {
                for piece in pieces(text) {
                    line(&mut events, head, "", |out| {
                        out.extend_from_slice(b",\"thinking\":");
                        string(out, piece);
                    });
                    events.end_content(1);
                }
            }
            Block::Text(text) | Block::Refusal(text) => {
                for piece in pieces(text) {
                    line(&mut events, head, piece, |_| {});
                    events.end_content(1);
                }
            }
            Block::Call { id, name, arguments, complete } => {
                // One token is the name.
                let tokens = output_tokens(arguments).saturating_add(1);
                if *complete {
                    line(&mut events, head, "", |out| {
                        out.extend_from_slice(b",\"tool_calls\":[");
                        call(out, place, id, name, arguments);
                        out.push(b']');
                    });
                    events.end_content(tokens);
                } else {
                    events.end_silently(tokens);
                }
                place += 1;
            }
            Block::RedactedThinking { tokens, .. } => events.end_silently(*tokens),
        }
    }
    begin(&mut events.bytes, head, "");
    end(&mut events.bytes, reply.finish, reply.tokens);
    events.bytes.push(b'\n');
    events.end_event();
    events
}

/// Writes a line that is not the last; `more` adds members to its message.
fn line(events: &mut Events, head: &Head<'_>, content: &str, more: impl FnOnce(&mut Vec<u8>)) {
    let out = &mut events.bytes;
    begin(out, head, content);
    more(out);
    out.extend_from_slice(b"},\"done\":false}\n");
}

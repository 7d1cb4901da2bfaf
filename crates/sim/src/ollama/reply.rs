//! Writes a reply that is not streamed, and the parts that streams share with it.

use stepwell_types::{Finish, Timestamp};

use crate::json::{integer, string};
use crate::oracle::Tokens;
use crate::reply::{Block, Reply};

/// What every reply, and every line of a stream, begins with.
pub(crate) struct Head<'h> {
    /// When it was made.
    pub(crate) created: Timestamp,
    /// The model's name.
    pub(crate) model: &'h str,
}

/// Writes the body.
pub(crate) fn write(head: &Head<'_>, reply: &Reply) -> Vec<u8> {
    let (mut content, mut thinking, mut calls) = (String::new(), String::new(), Vec::new());
    let mut place = 0;
    for block in &reply.blocks {
        match block {
            Block::Thinking { text, .. } => thinking.push_str(text),
            Block::Text(text) | Block::Refusal(text) => content.push_str(text),
            Block::Call { id, name, arguments, complete } => {
                if *complete {
                    if !calls.is_empty() {
                        calls.push(b',');
                    }
                    call(&mut calls, place, id, name, arguments);
                }
                place += 1;
            }
            Block::RedactedThinking { .. } => {}
        }
    }
    let mut out = Vec::with_capacity(1_024);
    begin(&mut out, head, &content);
    if !thinking.is_empty() {
        out.extend_from_slice(b",\"thinking\":");
        string(&mut out, &thinking);
    }
    if !calls.is_empty() {
        out.extend_from_slice(b",\"tool_calls\":[");
        out.extend_from_slice(&calls);
        out.push(b']');
    }
    end(&mut out, reply.finish, reply.tokens);
    out
}

/// The members up to the content. The message is left open.
pub(super) fn begin(out: &mut Vec<u8>, head: &Head<'_>, content: &str) {
    out.extend_from_slice(b"{\"model\":");
    string(out, head.model);
    out.extend_from_slice(b",\"created_at\":");
    string(out, &head.created.to_rfc3339());
    out.extend_from_slice(b",\"message\":{\"role\":\"assistant\",\"content\":");
    string(out, content);
}

/// A call. Every second comes without an id, as all did before 0.12.10.
pub(super) fn call(out: &mut Vec<u8>, place: i64, id: &str, name: &str, arguments: &str) {
    out.push(b'{');
    if place % 2 == 0 {
        out.extend_from_slice(b"\"id\":");
        string(out, id);
        out.push(b',');
    }
    out.extend_from_slice(b"\"function\":{\"index\":");
    integer(out, place);
    out.extend_from_slice(b",\"name\":");
    string(out, name);
    out.extend_from_slice(b",\"arguments\":");
    out.extend_from_slice(arguments.as_bytes());
    out.extend_from_slice(b"}}");
}

/// Closes the message, and has why it ended, how long it took, and what. A count of nothing is left out.
pub(super) fn end(out: &mut Vec<u8>, finish: Finish, tokens: Tokens) {
    out.extend_from_slice(b"},\"done\":true,\"done_reason\":\"");
    out.extend_from_slice(if finish == Finish::Length { b"length" } else { b"stop" });
    out.extend_from_slice(b"\",\"total_duration\":174560334,\"load_duration\":101397084");
    if tokens.input > 0 {
        out.extend_from_slice(b",\"prompt_eval_count\":");
        integer(out, tokens.input);
    }
    out.extend_from_slice(b",\"prompt_eval_duration\":13074791");
    if tokens.output > 0 {
        out.extend_from_slice(b",\"eval_count\":");
        integer(out, tokens.output);
    }
    out.extend_from_slice(b",\"eval_duration\":52479709}");
}

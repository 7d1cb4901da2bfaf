//! Writes a reply as a stream of steps, each a whole response with the usage so far; the last has the finish reason.
//!
//! <https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent>

use stepwell_types::Finish;

use crate::reply::{Block, Events, Reply};
use crate::text::{output_tokens, pieces};

use super::address::Form;
use super::reply::{Head, Made, call_part, closing, signature_of, step, text_part};

/// Writes the events.
pub(crate) fn write(head: &Head<'_>, reply: &Reply, form: Form) -> Events {
    let steps = steps(reply);
    let mut events = Events::with_capacity(steps.len().saturating_mul(400), steps.len());
    let mut so_far = Made::default();
    let mut body = Vec::with_capacity(400);
    for (index, next) in steps.iter().enumerate() {
        let last = index + 1 == steps.len();
        so_far.visible = so_far.visible.saturating_add(next.made.visible);
        so_far.thought = so_far.thought.saturating_add(next.made.thought);
        body.clear();
        step(&mut body, &next.parts, last.then_some(reply.finish));
        closing(&mut body, head, reply.tokens, so_far);
        frame(&mut events.bytes, form, index == 0, &body);
        if last && form == Form::Array {
            events.bytes.push(b']');
        }
        match next.made.visible.saturating_add(next.made.thought) {
            0 => events.end_event(),
            tokens => events.end_content(tokens),
        }
    }
    events
}

/// Frames one step of a stream; `first` if none is before it. The array is left open.
pub(super) fn frame(out: &mut Vec<u8>, form: Form, first: bool, body: &[u8]) {
    let (before, after): (&[u8], &[u8]) = match (form, first) {
        (Form::Sse, _) => (b"data: ", b"\r\n\r\n"),
        (Form::Array, true) => (b"[", b""),
        (Form::Array, false) => (b",\r\n", b""),
    };
    out.extend_from_slice(before);
    out.extend_from_slice(body);
    out.extend_from_slice(after);
}

/// What one step of a stream carries.
#[derive(Default)]
struct Step {
    parts: Vec<u8>,
    made: Made,
}

fn steps(reply: &Reply) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut calls = 0;
    // Tokens that are shown by no part.
    let mut silent = Made { visible: 0, thought: reply.tokens.reasoning };
    for block in &reply.blocks {
        match block {
            Block::Thinking { text, .. } => {
                for piece in pieces(text) {
                    let mut parts = Vec::new();
                    text_part(&mut parts, piece, b",\"thought\":true");
                    steps.push(Step { parts, made: Made { visible: 0, thought: 1 } });
                    silent.thought = silent.thought.saturating_sub(1);
                }
            }
            Block::Text(text) | Block::Refusal(text) => {
                for piece in pieces(text) {
                    let mut parts = Vec::new();
                    text_part(&mut parts, piece, b"");
                    steps.push(Step { parts, made: Made { visible: 1, thought: 0 } });
                }
            }
            Block::Call { id, name, arguments, complete } => {
                let visible = output_tokens(arguments).saturating_add(1);
                if *complete {
                    call(&mut steps, calls, (id, name, arguments), visible);
                } else {
                    silent.visible = silent.visible.saturating_add(visible);
                }
                calls += 1;
            }
            Block::RedactedThinking { .. } => {}
        }
    }
    end(&mut steps, reply, calls);
    if let Some(first) = steps.first_mut() {
        first.made.thought = first.made.thought.saturating_add(silent.thought);
    }
    if let Some(last) = steps.last_mut() {
        last.made.visible = last.made.visible.saturating_add(silent.visible);
    }
    steps
}

/// A call, whole in one step; every second comes in the step of the one before it, as several may.
fn call(
    steps: &mut Vec<Step>,
    place: usize,
    (id, name, arguments): (&String, &String, &String),
    visible: u32,
) {
    if let (1, Some(before)) = (place % 2, steps.last_mut()) {
        before.parts.push(b',');
        call_part(&mut before.parts, place, id, name, arguments);
        before.made.visible = before.made.visible.saturating_add(visible);
        return;
    }
    let mut parts = Vec::new();
    call_part(&mut parts, place, id, name, arguments);
    steps.push(Step { parts, made: Made { visible, thought: 0 } });
}

/// A text that was thought about, and calls, end with an empty text; a reply without steps with a bare one.
fn end(steps: &mut Vec<Step>, reply: &Reply, calls: usize) {
    let thought = reply.tokens.reasoning > 0;
    if !steps.is_empty() && calls == 0 && !thought {
        return;
    }
    let mut parts = Vec::new();
    if !steps.is_empty() && reply.finish != Finish::Refusal {
        let mut texts = reply.blocks.iter().filter_map(|block| match block {
            Block::Text(text) => Some(text),
            _ => None,
        });
        let signature = texts.next_back().map(|text| signature_of(reply, text)).unwrap_or_default();
        text_part(&mut parts, "", &signature);
    }
    steps.push(Step { parts, made: Made::default() });
}

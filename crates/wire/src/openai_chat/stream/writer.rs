//! From events to OpenAI's chunks.

use stepwell_types::{Finish, Usage};

use super::DONE;
use crate::Losses;
use crate::json::{Array, Object, write_object};
use crate::openai_chat::message::write_signature;
use crate::openai_chat::{finish, usage};
use crate::stream::{Event, StreamWriter};

/// Writes one event whose data `data` writes.
pub(in super::super) fn frame(out: &mut Vec<u8>, data: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"data: ");
    data(out);
    out.extend_from_slice(b"\n\n");
}

/// Where a stream stands.
#[derive(Debug)]
pub(in super::super) struct Writer {
    include_usage: bool,
    created: u64,
    /// What every chunk begins with, up to its choices.
    opening: Vec<u8>,
    /// The tool call that is open: its block, its number, and whether it has had no arguments yet.
    call: Option<(u32, u64, bool)>,
    calls: u64,
    usage: Option<Usage>,
    losses: Losses,
}

impl Writer {
    /// A writer at the start of a stream.
    pub(in super::super) fn new(include_usage: bool, created: i64) -> Self {
        let mut writer = Self {
            include_usage,
            created: u64::try_from(created).unwrap_or(0),
            opening: Vec::new(),
            call: None,
            calls: 0,
            usage: None,
            losses: Losses::default(),
        };
        writer.open("", "");
        writer
    }

    fn open(&mut self, id: &str, model: &str) {
        self.opening.clear();
        write_object(&mut self.opening, |chunk| {
            chunk.string("id", id);
            chunk.string("object", "chat.completion.chunk");
            chunk.number("created", self.created);
            chunk.string("model", model);
        });
        // The brace that closes: choices follow.
        self.opening.pop();
    }

    /// Writes a chunk with one step of the reply.
    fn step(&self, out: &mut Vec<u8>, reason: Option<&str>, delta: impl FnOnce(&mut Object<'_>)) {
        frame(out, |out| {
            out.extend_from_slice(&self.opening);
            out.extend_from_slice(b",\"choices\":[");
            write_object(out, |choice| {
                choice.number("index", 0);
                choice.object("delta", delta);
                choice.null("logprobs");
                match reason {
                    Some(reason) => choice.string("finish_reason", reason),
                    None => choice.null("finish_reason"),
                }
            });
            out.extend_from_slice(if self.include_usage { b"],\"usage\":null}" } else { b"]}" });
        });
    }

    /// Writes a step of tool call `number`.
    fn call_step(&self, out: &mut Vec<u8>, number: u64, call: impl FnOnce(&mut Object<'_>)) {
        self.step(out, None, |delta| {
            delta.array("tool_calls", |calls: &mut Array<'_>| {
                calls.object(|item| {
                    item.number("index", number);
                    call(item);
                });
            });
        });
    }

    /// A call that had no arguments has empty ones.
    fn end_call(&mut self, out: &mut Vec<u8>) {
        if let Some((_, number, true)) = self.call.take() {
            self.arguments(out, number, "{}");
        }
    }

    fn arguments(&self, out: &mut Vec<u8>, number: u64, fragment: &str) {
        self.call_step(out, number, |call| {
            call.object("function", |function| function.string("arguments", fragment));
        });
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.end_call(out);
        if let Some(usage) = self.usage.filter(|_| self.include_usage) {
            frame(out, |out| {
                out.extend_from_slice(&self.opening);
                out.extend_from_slice(b",\"choices\":[],");
                let brace = out.len();
                write_object(out, |chunk| usage::write(chunk, &usage));
                out.remove(brace);
            });
        }
        frame(out, |out| out.extend_from_slice(DONE.as_bytes()));
    }
}

impl StreamWriter for Writer {
    fn push(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model, usage } => {
                self.open(id.as_deref().unwrap_or_default(), model.as_deref().unwrap_or_default());
                self.usage = usage.or(self.usage);
                self.step(out, None, |delta| {
                    delta.string("role", "assistant");
                    delta.string("content", "");
                });
            }
            Event::Text { text, .. } => self.step(out, None, |delta| delta.string("content", text)),
            Event::Thinking { text, .. } => {
                self.step(out, None, |delta| delta.string("reasoning_content", text));
            }
            Event::Refusal { text, .. } => self.step(out, None, |delta| delta.string("refusal", text)),
            Event::Signature { block, .. } => self.losses.note(format!("/content/{block}/signature")),
            Event::RedactedThinking { block, .. } => self.losses.note(format!("/content/{block}")),
            Event::ToolCall { block, id, name, signature } => {
                self.end_call(out);
                let number = self.calls;
                self.calls += 1;
                self.call = Some((*block, number, true));
                self.call_step(out, number, |call| {
                    call.string("id", id);
                    call.string("type", "function");
                    call.object("function", |function| {
                        function.string("name", name);
                        function.string("arguments", "");
                    });
                    write_signature(call, signature.as_deref());
                });
            }
            Event::ToolArguments { block, fragment } => {
                if fragment.is_empty() {
                    return;
                }
                match &mut self.call {
                    Some((open, number, empty)) if open == block => {
                        *empty = false;
                        let number = *number;
                        self.arguments(out, number, fragment);
                    }
                    _ => self.losses.note(format!("/content/{block}/input")),
                }
            }
            Event::BlockEnd { .. } => self.end_call(out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { reason, stop_sequence } => {
                self.end_call(out);
                let (word, vaguer) = finish::write(Some(*reason));
                if vaguer {
                    self.losses.note("/stop_reason");
                }
                if stop_sequence.is_some() || *reason == Finish::StopSequence {
                    self.losses.note("/stop_sequence");
                }
                self.step(out, Some(word), |_| {});
            }
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::End => self.end(out),
            Event::Error(_) => {}
        }
    }

    fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }
}

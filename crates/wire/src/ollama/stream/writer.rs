//! From events to Ollama's lines.

use stepwell_types::{Finish, Usage};

use crate::Losses;
use crate::json::{Object, write_object};
use crate::ollama::message::{is_cut, write_call};
use crate::ollama::reply::write_origin;
use crate::ollama::{finish, time, usage};
use crate::stream::{Event, StreamWriter};

/// Writes one line whose object `object` writes.
pub(in crate::ollama) fn line(out: &mut Vec<u8>, object: impl FnOnce(&mut Vec<u8>)) {
    object(out);
    out.push(b'\n');
}

/// A call whose arguments are still coming: Ollama's come whole.
#[derive(Debug)]
struct Call {
    block: u32,
    id: String,
    name: String,
    arguments: String,
}

/// Where a stream stands.
#[derive(Debug)]
pub(in crate::ollama) struct Writer {
    created: String,
    id: String,
    model: String,
    call: Option<Call>,
    calls: usize,
    finish: Option<Finish>,
    usage: Option<Usage>,
    losses: Losses,
}

impl Writer {
    /// A writer at the start of a stream.
    pub(in crate::ollama) fn new(created: i64) -> Self {
        Self {
            created: time(created),
            id: String::new(),
            model: String::new(),
            call: None,
            calls: 0,
            finish: None,
            usage: None,
            losses: Losses::default(),
        }
    }

    /// Writes a line with a step of the reply.
    fn step(&self, out: &mut Vec<u8>, content: &str, more: impl FnOnce(&mut Object<'_>)) {
        line(out, |out| {
            write_object(out, |response| {
                write_origin(response, Some(&self.id), Some(&self.model), &self.created);
                response.object("message", |message| {
                    message.string("role", "assistant");
                    message.string("content", content);
                    more(message);
                });
                response.bool("done", false);
            });
        });
    }

    fn end_call(&mut self, out: &mut Vec<u8>) {
        let Some(call) = self.call.take() else { return };
        if is_cut(&call.arguments) {
            return self.losses.note(format!("/content/{}/arguments", call.block));
        }
        // They stand in the line as they came, which a line break would end. In JSON it is a space like any other.
        let arguments = call.arguments.replace(['\n', '\r'], " ");
        let number = self.calls;
        self.calls += 1;
        self.step(out, "", |message| {
            message.array("tool_calls", |calls| write_call(calls, number, &call.id, &call.name, &arguments));
        });
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.end_call(out);
        let (reason, vaguer) = finish::write(self.finish);
        if vaguer {
            self.losses.note("/stop_reason");
        }
        let Self { id, model, created, losses, usage: metered, .. } = self;
        line(out, |out| {
            write_object(out, |response| {
                write_origin(response, Some(id), Some(model), created);
                response.object("message", |message| {
                    message.string("role", "assistant");
                    message.string("content", "");
                });
                response.bool("done", true);
                response.string("done_reason", reason);
                if let Some(metered) = metered {
                    usage::write(response, metered, losses);
                }
            });
        });
    }
}

impl StreamWriter for Writer {
    fn push(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model, usage } => {
                id.as_deref().unwrap_or_default().clone_into(&mut self.id);
                model.as_deref().unwrap_or_default().clone_into(&mut self.model);
                self.usage = usage.or(self.usage);
            }
            Event::Text { text, .. } => self.step(out, text, |_| {}),
            Event::Thinking { text, .. } => self.step(out, "", |message| message.string("thinking", text)),
            Event::Refusal { text, .. } => {
                self.losses.note("/refusal");
                self.step(out, text, |_| {});
            }
            Event::Signature { block, .. } => self.losses.note(format!("/content/{block}/signature")),
            Event::RedactedThinking { block, .. } => self.losses.note(format!("/content/{block}")),
            Event::ToolCall { block, id, name, signature } => {
                self.end_call(out);
                if signature.is_some() {
                    self.losses.note(format!("/content/{block}/signature"));
                }
                self.call = Some(Call {
                    block: *block,
                    id: id.to_string(),
                    name: name.to_string(),
                    arguments: String::new(),
                });
            }
            Event::ToolArguments { block, fragment } => match &mut self.call {
                Some(call) if call.block == *block => call.arguments.push_str(fragment),
                _ => self.losses.note(format!("/content/{block}/input")),
            },
            Event::BlockEnd { .. } => self.end_call(out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { reason, stop_sequence } => {
                if stop_sequence.is_some() || *reason == Finish::StopSequence {
                    self.losses.note("/stop_sequence");
                }
                self.finish = Some(*reason);
            }
            Event::End => self.end(out),
            // Ollama's own streams have no sign of life, and its clients take a blank line for broken JSON.
            Event::Ping | Event::Error(_) => {}
        }
    }

    fn held(&self) -> usize {
        self.call.as_ref().map_or(0, |call| call.arguments.len())
    }

    fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }
}

//! From events to Google's steps.

use stepwell_types::{Finish, Usage};

use crate::Losses;
use crate::gemini::content::{is_cut, write_call, write_text};
use crate::gemini::reply::write_origin;
use crate::gemini::{finish, usage};
use crate::json::{Array, write_object};
use crate::stream::{Event, StreamWriter};

/// Writes one event whose data `data` writes, with the line ends that Google has.
pub(in crate::gemini) fn frame(out: &mut Vec<u8>, data: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"data: ");
    data(out);
    out.extend_from_slice(b"\r\n\r\n");
}

/// A call whose arguments are still coming: Google's come whole.
#[derive(Debug)]
struct Call {
    block: u32,
    id: String,
    name: String,
    signature: Option<String>,
    arguments: String,
}

/// Where a stream stands.
#[derive(Debug, Default)]
pub(in crate::gemini) struct Writer {
    id: String,
    model: String,
    call: Option<Call>,
    finish: Option<Finish>,
    usage: Option<Usage>,
    losses: Losses,
}

impl Writer {
    /// Writes a step. The last one has the reason to stop, and usage.
    fn step(&self, out: &mut Vec<u8>, reason: Option<&str>, parts: impl FnOnce(&mut Array<'_>)) {
        frame(out, |out| {
            write_object(out, |response| {
                response.array("candidates", |candidates| {
                    candidates.object(|candidate| {
                        candidate.object("content", |content| {
                            content.array("parts", parts);
                            content.string("role", "model");
                        });
                        if let Some(reason) = reason {
                            candidate.string("finishReason", reason);
                        }
                        candidate.number("index", 0);
                    });
                });
                if let Some(usage) = self.usage.as_ref().filter(|_| reason.is_some()) {
                    usage::write(response, usage);
                }
                write_origin(response, Some(&self.id), Some(&self.model));
            });
        });
    }

    fn end_call(&mut self, out: &mut Vec<u8>) {
        let Some(call) = self.call.take() else { return };
        if is_cut(&call.arguments) {
            return self.losses.note(format!("/content/{}/arguments", call.block));
        }
        // They stand in the event as they came, which a line break would end. In JSON it is a space like any other.
        let arguments = call.arguments.replace(['\n', '\r'], " ");
        self.step(out, None, |parts| {
            write_call(parts, &call.id, &call.name, &arguments, call.signature.as_deref());
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
            Event::Text { text, .. } => self.step(out, None, |parts| write_text(parts, text, false)),
            Event::Thinking { text, .. } => self.step(out, None, |parts| write_text(parts, text, true)),
            Event::Refusal { text, .. } => {
                self.losses.note("/refusal");
                self.step(out, None, |parts| write_text(parts, text, false));
            }
            Event::Signature { block, .. } => self.losses.note(format!("/content/{block}/signature")),
            Event::RedactedThinking { block, .. } => self.losses.note(format!("/content/{block}")),
            Event::ToolCall { block, id, name, signature } => {
                self.end_call(out);
                self.call = Some(Call {
                    block: *block,
                    id: id.to_string(),
                    name: name.to_string(),
                    signature: signature.as_deref().map(str::to_owned),
                    arguments: String::new(),
                });
            }
            Event::ToolArguments { block, fragment } => match &mut self.call {
                Some(call) if call.block == *block => call.arguments.push_str(fragment),
                _ => self.losses.note(format!("/content/{block}/input")),
            },
            Event::BlockEnd { .. } => self.end_call(out),
            Event::Usage(usage) => {
                if usage::unsayable(usage) {
                    self.losses.note("/usage/cache_creation_input_tokens");
                }
                self.usage = Some(*usage);
            }
            Event::Finish { reason, stop_sequence } => {
                if stop_sequence.is_some() || *reason == Finish::StopSequence {
                    self.losses.note("/stop_sequence");
                }
                self.finish = Some(*reason);
            }
            Event::End => {
                self.end_call(out);
                let (reason, vaguer) = finish::write(self.finish);
                if vaguer {
                    self.losses.note("/stop_reason");
                }
                self.step(out, Some(reason), |parts| write_text(parts, "", false));
            }
            // Google's own streams have no sign of life, and its SDK takes a comment for broken JSON.
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

//! The messages of a request, written from the superset's turns.

use crate::chat::{Part, Role, Source, Turn};
use crate::json::{Array, Object};
use crate::openai::fitting;
use crate::openai_chat::message::{audio_format, write_image, write_signature};
use crate::{Losses, Quirks};

use super::write::is_kind;

/// The longest id of a tool call that OpenAI takes.
const ID_LIMIT: usize = 40;

/// Writes the messages of one turn.
pub(super) struct Messages<'w> {
    pub(super) path: &'w str,
    pub(super) losses: &'w mut Losses,
    pub(super) quirks: Quirks,
}

impl Messages<'_> {
    pub(super) fn turn(&mut self, turn: &Turn<'_>, messages: &mut Array<'_>) {
        self.note_marks(&turn.parts, self.path);
        match turn.role {
            Role::System => self.message("system", &turn.parts, messages),
            Role::Developer if self.quirks.no_developer_role => self.message("system", &turn.parts, messages),
            Role::Developer => self.message("developer", &turn.parts, messages),
            Role::User => self.user(&turn.parts, messages),
            Role::Assistant => self.assistant(&turn.parts, messages),
        }
    }

    /// OpenAI has cache marks of its own kind: those of another provider are lost.
    fn note_marks(&mut self, parts: &[Part<'_>], path: &str) {
        for (index, part) in parts.iter().enumerate() {
            let (Part::Text { cache, .. }
            | Part::Image { cache, .. }
            | Part::Document { cache, .. }
            | Part::ToolCall { cache, .. }
            | Part::ToolResult { cache, .. }) = part
            else {
                continue;
            };
            if cache.is_some() {
                self.losses.note(format!("{path}/{index}/cache_control"));
            }
            if let Part::ToolResult { parts, .. } = part {
                self.note_marks(parts, &format!("{path}/{index}/content"));
            }
        }
    }

    /// Results of tools are messages of their own and stand first, right behind the calls they answer. What they hold
    /// beside text goes into the user's message: OpenAI's tools give text only.
    fn user(&mut self, parts: &[Part<'_>], messages: &mut Array<'_>) {
        let mut said: Vec<(String, &Part<'_>)> = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let path = format!("{}/{index}", self.path);
            let Part::ToolResult { id, parts, is_error, .. } = part else {
                said.push((path, part));
                continue;
            };
            if *is_error {
                self.losses.note(format!("{path}/is_error"));
            }
            let (text, other): (Vec<_>, Vec<_>) = parts
                .iter()
                .enumerate()
                .map(|(at, part)| (format!("{path}/content/{at}"), part))
                .partition(|(_, part)| matches!(part, Part::Text { .. }));
            said.extend(other);
            messages.object(|message| {
                message.string("role", "tool");
                message.string("tool_call_id", &fitting(id, ID_LIMIT, "call_"));
                self.content(message, &text);
            });
        }
        let is_all_results = said.is_empty() && !parts.is_empty();
        if !is_all_results {
            messages.object(|message| {
                message.string("role", "user");
                self.content(message, &said);
            });
        }
    }

    fn message(&mut self, role: &str, parts: &[Part<'_>], messages: &mut Array<'_>) {
        let parts: Vec<_> =
            parts.iter().enumerate().map(|(index, part)| (format!("{}/{index}", self.path), part)).collect();
        messages.object(|message| {
            message.string("role", role);
            self.content(message, &parts);
        });
    }

    fn assistant(&mut self, parts: &[Part<'_>], messages: &mut Array<'_>) {
        let mut said = Vec::with_capacity(parts.len());
        let mut calls = Vec::new();
        let (mut thinking, mut refusal) = (Vec::new(), Vec::new());
        for (index, part) in parts.iter().enumerate() {
            match part {
                Part::ToolCall { id, name, arguments, signature, .. } => {
                    calls.push((id, name, arguments, signature));
                }
                Part::Refusal { text } => refusal.push(&**text),
                Part::Thinking { text, signature: None } => thinking.push(&**text),
                part => said.push((format!("{}/{index}", self.path), part)),
            }
        }
        let said = self.sayable(said);
        let is_silent = said.is_empty() && calls.is_empty() && refusal.is_empty() && thinking.is_empty();
        if is_silent && !parts.is_empty() {
            return;
        }
        messages.object(|message| {
            message.string("role", "assistant");
            if !thinking.is_empty() {
                message.joined("reasoning_content", &thinking);
            }
            if said.is_empty() && (!calls.is_empty() || !refusal.is_empty()) {
                message.null("content");
            } else {
                self.content(message, &said);
            }
            if !refusal.is_empty() {
                message.joined("refusal", &refusal);
            }
            if !calls.is_empty() {
                message.array("tool_calls", |items| {
                    for (id, name, arguments, signature) in calls {
                        items.object(|call| {
                            call.string("id", &fitting(id, ID_LIMIT, "call_"));
                            call.string("type", "function");
                            call.object("function", |function| {
                                function.string("name", name);
                                function
                                    .string("arguments", if arguments.is_empty() { "{}" } else { arguments });
                            });
                            write_signature(call, signature.as_deref());
                        });
                    }
                });
            }
        });
    }

    /// The parts that OpenAI has a form for; the others are lost.
    fn sayable<'p, 'a>(&mut self, parts: Vec<(String, &'p Part<'a>)>) -> Vec<(String, &'p Part<'a>)> {
        parts
            .into_iter()
            .filter(|(path, part)| {
                let sayable = match part {
                    Part::Text { .. } => true,
                    Part::Image { source, .. } => matches!(source, Source::Url(_) | Source::Base64 { .. }),
                    Part::Document { source, .. } => match source {
                        Source::Base64 { .. } | Source::Text(_) => true,
                        Source::File(id) => id.starts_with("file-"),
                        Source::Url(_) => false,
                    },
                    Part::Audio { source: Source::Base64 { media_type, .. } } => {
                        audio_format(media_type).is_some()
                    }
                    Part::Other(extra) => is_kind(extra.value, &["input_audio", "file", "image_url"]),
                    _ => false,
                };
                if !sayable {
                    self.losses.note(match part {
                        Part::Other(extra) => extra.path.clone(),
                        _ => path.clone(),
                    });
                }
                sayable
            })
            .collect()
    }

    /// Writes `content`: text alone as a string, anything else as parts.
    fn content(&mut self, message: &mut Object<'_>, parts: &[(String, &Part<'_>)]) {
        let parts = self.sayable(parts.to_vec());
        match parts.as_slice() {
            [] => message.string("content", ""),
            [(_, Part::Text { text, .. })] => message.string("content", text),
            parts => message.array("content", |items| {
                for (_, part) in parts {
                    write_part(part, items);
                }
            }),
        }
    }
}

fn write_part(part: &Part<'_>, items: &mut Array<'_>) {
    match part {
        Part::Text { text, .. } | Part::Document { source: Source::Text(text), .. } => items.object(|item| {
            item.string("type", "text");
            item.string("text", text);
        }),
        Part::Image { source, detail, .. } => {
            items.object(|item| write_image(item, source, detail.as_ref()));
        }
        Part::Document { source, name, .. } => items.object(|item| {
            item.string("type", "file");
            item.object("file", |file| match source {
                Source::Base64 { media_type, data } => {
                    file.string("filename", name.as_deref().unwrap_or("document"));
                    file.joined("file_data", &["data:", media_type, ";base64,", data]);
                }
                Source::File(id) | Source::Url(id) | Source::Text(id) => file.string("file_id", id),
            });
        }),
        Part::Audio { source: Source::Base64 { media_type, data } } => items.object(|item| {
            item.string("type", "input_audio");
            item.object("input_audio", |audio| {
                audio.string("data", data);
                audio.string("format", audio_format(media_type).unwrap_or_default());
            });
        }),
        Part::Other(extra) => items.raw(extra.value),
        _ => {}
    }
}

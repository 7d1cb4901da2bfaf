//! The items of a request, written from the superset's turns.

use crate::Losses;
use crate::chat::{Part, Role, Source, Turn};
use crate::json::{Array, Object};
use crate::openai::fitting;

/// The longest id of a call that OpenAI takes.
const ID_LIMIT: usize = 64;

/// Writes the items of one turn.
pub(super) struct Items<'w> {
    pub(super) path: &'w str,
    pub(super) losses: &'w mut Losses,
}

/// Parts, and where each stands.
type Placed<'p, 'a> = Vec<(String, &'p Part<'a>)>;

impl Items<'_> {
    pub(super) fn turn(&mut self, turn: &Turn<'_>, items: &mut Array<'_>) {
        let parts: Placed<'_, '_> =
            turn.parts.iter().enumerate().map(|(at, part)| (format!("{}/{at}", self.path), part)).collect();
        self.note_marks(&parts);
        match turn.role {
            Role::System => self.message("system", parts, items),
            Role::Developer => self.message("developer", parts, items),
            Role::User => self.user(parts, items),
            Role::Assistant => self.assistant(parts, items),
        }
    }

    /// OpenAI has cache marks of its own kind: those of another provider are lost.
    fn note_marks(&mut self, parts: &[(String, &Part<'_>)]) {
        for (path, part) in parts {
            let (Part::Text { cache, .. }
            | Part::Image { cache, .. }
            | Part::Document { cache, .. }
            | Part::ToolCall { cache, .. }
            | Part::ToolResult { cache, .. }) = part
            else {
                continue;
            };
            if cache.is_some() {
                self.losses.note(format!("{path}/cache_control"));
            }
            if let Part::ToolResult { parts, .. } = part {
                self.note_marks(&placed(parts, path));
            }
        }
    }

    /// Outputs of functions are items of their own and stand first, right behind the calls they answer.
    fn user(&mut self, parts: Placed<'_, '_>, items: &mut Array<'_>) {
        let (results, said): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|(_, part)| matches!(part, Part::ToolResult { .. }));
        let is_all_results = said.is_empty() && !results.is_empty();
        for (path, part) in results {
            let Part::ToolResult { id, parts, is_error, .. } = part else { continue };
            if *is_error {
                self.losses.note(format!("{path}/is_error"));
            }
            let parts = self.sayable(placed(parts, &path));
            items.object(|item| {
                item.string("type", "function_call_output");
                item.string("call_id", &fitting(id, ID_LIMIT, "call_"));
                content(item, "output", &parts);
            });
        }
        if !is_all_results {
            self.message("user", said, items);
        }
    }

    fn message(&mut self, role: &str, parts: Placed<'_, '_>, items: &mut Array<'_>) {
        let parts = self.sayable(parts);
        items.object(|message| {
            message.string("role", role);
            content(message, "content", &parts);
        });
    }

    /// What the model says between two calls is one message.
    fn assistant(&mut self, parts: Placed<'_, '_>, items: &mut Array<'_>) {
        let mut said: Vec<&Part<'_>> = Vec::new();
        for (path, part) in parts {
            match part {
                Part::Text { .. } | Part::Refusal { .. } => said.push(part),
                Part::ToolCall { id, name, arguments, signature, .. } => {
                    say(&mut said, items);
                    if signature.is_some() {
                        self.losses.note(format!("{path}/signature"));
                    }
                    items.object(|call| {
                        call.string("type", "function_call");
                        call.string("call_id", &fitting(id, ID_LIMIT, "call_"));
                        call.string("name", name);
                        call.string("arguments", if arguments.is_empty() { "{}" } else { arguments });
                    });
                }
                // One of the dialect's own items: what stands in a message has a longer path.
                Part::Other(extra) if is_item(&extra.path) => {
                    say(&mut said, items);
                    items.raw(extra.value);
                }
                Part::Other(extra) => self.losses.note(extra.path.as_str()),
                // Thoughts are taken back only as OpenAI itself encrypted them.
                _ => self.losses.note(path),
            }
        }
        say(&mut said, items);
    }

    /// The parts that there is a form for; the others are lost.
    fn sayable<'p, 'a>(&mut self, parts: Placed<'p, 'a>) -> Vec<&'p Part<'a>> {
        let mut sayable = Vec::with_capacity(parts.len());
        for (path, part) in parts {
            let is_sayable = match part {
                Part::Text { .. } => true,
                Part::Image { source, .. } => match source {
                    Source::Url(_) | Source::Base64 { .. } => true,
                    Source::File(id) => is_own_file(id),
                    Source::Text(_) => false,
                },
                Part::Document { source, .. } => match source {
                    Source::File(id) => is_own_file(id),
                    Source::Url(_) | Source::Base64 { .. } | Source::Text(_) => true,
                },
                Part::Other(extra) => extra.path.starts_with(INPUT),
                _ => false,
            };
            match part {
                part if is_sayable => sayable.push(part),
                Part::Other(extra) => self.losses.note(extra.path.as_str()),
                _ => self.losses.note(path),
            }
        }
        sayable
    }
}

/// Where the dialect's own items stand.
const INPUT: &str = "/input/";

fn is_item(path: &str) -> bool {
    path.strip_prefix(INPUT).is_some_and(|index| !index.contains('/'))
}

/// Whether an id is one that OpenAI gives files.
fn is_own_file(id: &str) -> bool {
    id.starts_with("file-")
}

fn placed<'p, 'a>(parts: &'p [Part<'a>], path: &str) -> Placed<'p, 'a> {
    parts.iter().enumerate().map(|(at, part)| (format!("{path}/content/{at}"), part)).collect()
}

/// Writes what the model has said so far, if anything, as a message: text alone as a string, anything else as parts.
fn say(said: &mut Vec<&Part<'_>>, items: &mut Array<'_>) {
    if said.is_empty() {
        return;
    }
    items.object(|message| {
        message.string("role", "assistant");
        match said.as_slice() {
            [Part::Text { text, .. }] => message.string("content", text),
            parts => message.array("content", |content| {
                for part in parts {
                    content.object(|item| match part {
                        Part::Refusal { text } => {
                            item.string("type", "refusal");
                            item.string("refusal", text);
                        }
                        Part::Text { text, .. } => {
                            item.string("type", "output_text");
                            item.string("text", text);
                        }
                        _ => {}
                    });
                }
            }),
        }
    });
    said.clear();
}

/// Writes what the model is given: text alone as a string, anything else as parts.
fn content(object: &mut Object<'_>, key: &str, parts: &[&Part<'_>]) {
    match parts {
        [] => object.string(key, ""),
        [Part::Text { text, .. }] => object.string(key, text),
        parts => object.array(key, |items| {
            for part in parts {
                write_part(part, items);
            }
        }),
    }
}

fn write_part(part: &Part<'_>, items: &mut Array<'_>) {
    match part {
        Part::Text { text, .. } | Part::Document { source: Source::Text(text), .. } => items.object(|item| {
            item.string("type", "input_text");
            item.string("text", text);
        }),
        Part::Image { source, detail, .. } => items.object(|item| {
            item.string("type", "input_image");
            match source {
                Source::File(id) => item.string("file_id", id),
                Source::Base64 { media_type, data } => {
                    item.joined("image_url", &["data:", media_type, ";base64,", data]);
                }
                Source::Url(url) | Source::Text(url) => item.string("image_url", url),
            }
            item.string("detail", detail.as_deref().unwrap_or("auto"));
        }),
        Part::Document { source, name, .. } => items.object(|item| {
            item.string("type", "input_file");
            match source {
                Source::Base64 { media_type, data } => {
                    item.string("filename", name.as_deref().unwrap_or("document"));
                    item.joined("file_data", &["data:", media_type, ";base64,", data]);
                }
                Source::File(id) => item.string("file_id", id),
                Source::Url(url) | Source::Text(url) => {
                    item.string_if("filename", name.as_ref());
                    item.string("file_url", url);
                }
            }
        }),
        Part::Other(extra) => items.raw(extra.value),
        _ => {}
    }
}

//! The messages of a request, written.

use std::collections::BTreeSet;

use super::tools::{named, write_cache_point};
use crate::Losses;
use crate::bedrock_converse::content::{
    is_blank, is_object, write_call, write_media, write_redacted, write_text, write_thinking,
};
use crate::bedrock_converse::{fitting, media};
use crate::chat::{CacheMark, Part, Role, Source, Turn};
use crate::json::{Array, write_array};

/// A turn and its place in the conversation.
pub(super) type Placed<'c, 'a> = (usize, &'c Turn<'a>);

/// What one side says: its blocks as they are written, each with the mark behind it.
#[derive(Debug)]
struct Said {
    is_assistant: bool,
    /// Results of tools: models of Anthropic refuse them behind anything else.
    results: Vec<Vec<u8>>,
    others: Vec<Vec<u8>>,
}

/// Writes the messages of a conversation. Neighbours of one role are merged, since Bedrock wants the sides to take turns;
/// turns of which nothing can be said are left out before that, since it refuses empty messages.
pub(super) fn write(messages: &mut Array<'_>, spoken: &[Placed<'_, '_>], losses: &mut Losses) {
    let mut writer = Messages { losses, documents: BTreeSet::new() };
    let mut sides: Vec<Said> = Vec::with_capacity(spoken.len());
    for placed in spoken {
        let Said { is_assistant, results, others } = writer.turn(*placed);
        if results.is_empty() && others.is_empty() {
            continue;
        }
        match sides.last_mut().filter(|side| side.is_assistant == is_assistant) {
            Some(side) => {
                side.results.extend(results);
                side.others.extend(others);
            }
            None => sides.push(Said { is_assistant, results, others }),
        }
    }
    for side in sides {
        messages.object(|message| {
            message.string("role", if side.is_assistant { "assistant" } else { "user" });
            message.array("content", |content| {
                for block in side.results.iter().chain(&side.others) {
                    content.item().extend_from_slice(block);
                }
            });
        });
    }
}

struct Messages<'w> {
    losses: &'w mut Losses,
    /// The names of documents so far: no two may share one.
    documents: BTreeSet<String>,
}

impl Messages<'_> {
    fn turn(&mut self, (turn, Turn { role, parts }): Placed<'_, '_>) -> Said {
        let is_assistant = *role == Role::Assistant;
        let mut said = Said { is_assistant, results: Vec::new(), others: Vec::new() };
        for (index, part) in parts.iter().enumerate() {
            let mut block = Vec::new();
            let at = format!("/messages/{turn}/content/{index}");
            write_array(&mut block, |blocks| self.part(blocks, part, is_assistant, &at));
            // Without the brackets: with the mark behind it, a part is two blocks.
            let block = block.get(1..block.len() - 1).unwrap_or_default().to_vec();
            let list =
                if matches!(part, Part::ToolResult { .. }) { &mut said.results } else { &mut said.others };
            list.extend(Some(block).filter(|block| !block.is_empty()));
        }
        said
    }

    /// Writes a part and the mark behind it. What Bedrock cannot be told, in a message of this side, is noted.
    fn part(&mut self, blocks: &mut Array<'_>, part: &Part<'_>, assistant: bool, at: &str) {
        let cache = match part {
            // Blank texts carry nothing, and Bedrock refuses them.
            Part::Text { text, .. } | Part::Refusal { text } if is_blank(text) => return,
            Part::Text { text, cache } => {
                write_text(blocks, text);
                *cache
            }
            Part::Refusal { text } if assistant => {
                write_text(blocks, text);
                None
            }
            Part::Thinking { text, signature: Some(signature) } if assistant => {
                write_thinking(blocks, text, Some(signature));
                None
            }
            Part::RedactedThinking { data } if assistant => {
                write_redacted(blocks, data);
                None
            }
            Part::Image { source, detail, cache } if !assistant => {
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.losses.note(format!("{at}/detail"));
                }
                if !image(blocks, source) {
                    return self.losses.note(at);
                }
                *cache
            }
            Part::Document { source, name, cache } if !assistant => {
                if !self.document(blocks, source, name.as_deref()) {
                    return self.losses.note(at);
                }
                *cache
            }
            Part::Audio { source } if !assistant => {
                if !sound(blocks, source) {
                    return self.losses.note(at);
                }
                None
            }
            Part::ToolCall { id, name, arguments, signature, cache } if assistant => {
                if signature.is_some() {
                    self.losses.note(format!("{at}/signature"));
                }
                if !is_object(arguments) {
                    self.losses.note(format!("{at}/arguments"));
                }
                write_call(blocks, &fitting::call_id(id), &named(name), arguments);
                *cache
            }
            Part::ToolResult { id, parts, is_error, cache } if !assistant => {
                self.result(blocks, id, parts, *is_error, at);
                *cache
            }
            Part::Other(extra) => return self.losses.note(extra.path.as_str()),
            _ => return self.losses.note(at),
        };
        write_cache_point(blocks, cache);
    }

    fn result(&mut self, blocks: &mut Array<'_>, id: &str, parts: &[Part<'_>], is_error: bool, at: &str) {
        blocks.object(|block| {
            block.object("toolResult", |result| {
                result.string("toolUseId", &fitting::call_id(id));
                result.array("content", |content| {
                    for (inner, part) in parts.iter().enumerate() {
                        let at = format!("{at}/content/{inner}");
                        self.given(content, part, &at);
                    }
                });
                if is_error {
                    result.string("status", "error");
                }
            });
        });
    }

    /// Writes a part of what a tool gave back.
    fn given(&mut self, content: &mut Array<'_>, part: &Part<'_>, at: &str) {
        let (is_said, cache): (bool, Option<CacheMark>) = match part {
            Part::Text { text, cache } => {
                if !is_blank(text) {
                    write_text(content, text);
                }
                (true, *cache)
            }
            Part::Image { source, cache, .. } => (image(content, source), *cache),
            Part::Document { source, name, cache } => {
                (self.document(content, source, name.as_deref()), *cache)
            }
            Part::Other(extra) => return self.losses.note(extra.path.as_str()),
            _ => (false, None),
        };
        if !is_said {
            self.losses.note(at);
        } else if cache.is_some() {
            // Marks stand behind blocks of a message, not within a result.
            self.losses.note(format!("{at}/cache_control"));
        }
    }

    /// Writes a document. False where Bedrock has no form for it.
    fn document(&mut self, blocks: &mut Array<'_>, source: &Source<'_>, name: Option<&str>) -> bool {
        let (format, key, data) = match source {
            Source::Base64 { media_type, data } => match media::format_of(media::DOCUMENTS, media_type) {
                Some(format) => (format, "bytes", data),
                None => return false,
            },
            Source::Text(text) => ("txt", "text", text),
            Source::Url(_) | Source::File(_) => return false,
        };
        let fitted = fitting::document_name(name, format);
        let mut unique = fitted.clone();
        for number in 2.. {
            if self.documents.insert(unique.clone()) {
                break;
            }
            unique = format!("{} {number}", fitted.get(..190).unwrap_or(&fitted).trim_end());
        }
        blocks.object(|block| {
            block.object("document", |document| {
                document.string("format", format);
                document.string("name", &unique);
                document.object("source", |place| place.string(key, data));
            });
        });
        true
    }
}

/// Writes an image. False where Bedrock has no form for it: it fetches none from an address.
fn image(blocks: &mut Array<'_>, source: &Source<'_>) -> bool {
    let Source::Base64 { media_type, data } = source else { return false };
    let Some(format) = media::format_of(media::IMAGES, media_type) else { return false };
    blocks.object(|block| write_media(block, "image", format, data));
    true
}

fn sound(blocks: &mut Array<'_>, source: &Source<'_>) -> bool {
    let Source::Base64 { media_type, data } = source else { return false };
    let Some(format) = media::format_of(media::SOUND, media_type) else { return false };
    blocks.object(|block| write_media(block, "audio", format, data));
    true
}

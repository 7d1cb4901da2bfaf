//! Content blocks, written from the superset's parts.

use serde_json::value::RawValue;

use crate::anthropic::ids;
use crate::chat::{CacheMark, Part, Source};
use crate::json::{Array, Object};

/// Writes a part as a block. What Anthropic cannot say must have been left out before; such a part writes nothing.
pub(in crate::anthropic) fn write(blocks: &mut Array<'_>, part: &Part<'_>) {
    match part {
        Part::Text { text, cache } => write_text(blocks, text, *cache),
        Part::Refusal { text } => write_text(blocks, text, None),
        Part::Image { source, cache, .. } => blocks.object(|block| {
            block.string("type", "image");
            write_source(block, source);
            write_cache(block, *cache);
        }),
        Part::Document { source, name, cache } => blocks.object(|block| {
            block.string("type", "document");
            write_source(block, source);
            block.string_if("title", name.as_ref());
            write_cache(block, *cache);
        }),
        Part::Thinking { text, signature } => blocks.object(|block| {
            block.string("type", "thinking");
            block.string("thinking", text);
            block.string("signature", signature.as_deref().unwrap_or_default());
        }),
        Part::RedactedThinking { data } => blocks.object(|block| {
            block.string("type", "redacted_thinking");
            block.string("data", data);
        }),
        Part::ToolCall { id, name, arguments, cache, .. } => blocks.object(|block| {
            block.string("type", "tool_use");
            block.string("id", &ids::legal(id));
            block.string("name", name);
            write_input(block, arguments);
            write_cache(block, *cache);
        }),
        Part::ToolResult { id, parts, is_error, cache } => blocks.object(|block| {
            block.string("type", "tool_result");
            block.string("tool_use_id", &ids::legal(id));
            write_result(block, parts);
            if *is_error {
                block.bool("is_error", true);
            }
            write_cache(block, *cache);
        }),
        Part::Audio { .. } | Part::Other(_) => {}
    }
}

fn write_text(blocks: &mut Array<'_>, text: &str, cache: Option<CacheMark>) {
    blocks.object(|block| {
        block.string("type", "text");
        block.string("text", text);
        write_cache(block, cache);
    });
}

/// Writes `cache_control`, if the part is marked.
pub(in crate::anthropic) fn write_cache(block: &mut Object<'_>, cache: Option<CacheMark>) {
    if let Some(mark) = cache {
        block.object("cache_control", |control| {
            control.string("type", "ephemeral");
            if mark == CacheMark::Hour {
                control.string("ttl", "1h");
            }
        });
    }
}

fn write_source(block: &mut Object<'_>, source: &Source<'_>) {
    block.object("source", |place| match source {
        Source::Url(url) => {
            place.string("type", "url");
            place.string("url", url);
        }
        Source::Base64 { media_type, data } => {
            place.string("type", "base64");
            place.string("media_type", media_type);
            place.string("data", data);
        }
        Source::File(file) => {
            place.string("type", "file");
            place.string("file_id", file);
        }
        Source::Text(text) => {
            place.string("type", "text");
            place.string("media_type", "text/plain");
            place.string("data", text);
        }
    });
}

/// Writes what a tool gave back: parts that can stand in a result, a lone text as a string.
fn write_result(block: &mut Object<'_>, parts: &[Part<'_>]) {
    let mut said = parts.iter().filter(|part| in_result(part));
    match (said.next(), said.next()) {
        (None, _) => {}
        (Some(Part::Text { text, cache: None }), None) => block.string("content", text),
        _ => block.array("content", |blocks| {
            for part in parts.iter().filter(|part| in_result(part)) {
                write(blocks, part);
            }
        }),
    }
}

/// Whether a part can stand in a tool's result. Anthropic refuses blank texts.
pub(in crate::anthropic) fn in_result(part: &Part<'_>) -> bool {
    match part {
        Part::Text { text, .. } => !is_blank(text),
        Part::Image { .. } | Part::Document { .. } => true,
        _ => false,
    }
}

/// Whether Anthropic would refuse the text for being empty.
pub(in crate::anthropic) fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

/// Writes a call's arguments. A model may write what is no JSON object, and Anthropic takes nothing else: it is then
/// wrapped in one, so that nothing of it is lost.
fn write_input(block: &mut Object<'_>, arguments: &str) {
    if arguments.trim().is_empty() {
        return block.literal("input", "{}");
    }
    match serde_json::from_str::<&RawValue>(arguments) {
        Ok(raw) if raw.get().starts_with('{') => block.raw("input", raw),
        _ => block.object("input", |input| input.string("arguments", arguments)),
    }
}

//! Messages, as requests, replies and streams all have them, and the calls of tools in them.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::chat::{Extra, Source};
use crate::json::{Array, Extras, Object, Text, Whole, keep, object};

object! {
    /// What one side says, or a step of it.
    pub(super) struct Message<'a> {
        role: Text<'a> = "role",
        content: Text<'a> = "content",
        thinking: Text<'a> = "thinking",
        images: Vec<Text<'a>> = "images",
        tool_calls: Vec<Whole<'a, ToolCall<'a>>> = "tool_calls",
        tool_name: Text<'a> = "tool_name",
        tool_call_id: Text<'a> = "tool_call_id",
    }
}

object! {
    pub(super) struct ToolCall<'a> { id: Text<'a> = "id", function: Function<'a> = "function" }
    skipping "type"
}

object! {
    // The index is the call's number; order says that too.
    pub(super) struct Function<'a> { name: Text<'a> = "name", arguments: &'a RawValue = "arguments" }
    skipping "index"
}

impl<'a> Function<'a> {
    /// The call's arguments: an object. None where they are something else.
    pub(super) fn object(&self) -> Option<&'a str> {
        match self.arguments.map(RawValue::get) {
            None => Some("{}"),
            Some(arguments) => arguments.starts_with('{').then_some(arguments),
        }
    }
}

/// The id of call `number` of a reply, where it came without one, as servers before 0.12.10 send it. Ollama's replies have no
/// id of their own either: the time of the first line is as much as tells two of a conversation apart.
pub(super) fn call_id(created: &str, number: usize) -> Cow<'static, str> {
    let plain: String = created.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
    Cow::Owned(format!("call_{plain}_{number}"))
}

/// Keeps the fields that say something.
pub(super) fn keep_said<'a>(extra: &mut Vec<Extra<'a>>, path: &str, mut fields: Extras<'a>) {
    fields.retain(|(_, value)| value.get() != "null");
    if !fields.is_empty() {
        keep(extra, path, fields);
    }
}

/// An image in base64. Ollama has no word for its type: the first bytes say it. None where they are of no type that other
/// dialects have.
pub(super) fn image(data: Cow<'_, str>) -> Option<Source<'_>> {
    /// How the base64 of each type begins: of its signature, as many bits as fill whole letters.
    const TYPES: [(&str, &str); 4] = [
        ("iVBORw0KG", "image/png"),
        ("/9j/", "image/jpeg"),
        ("R0lGODdh", "image/gif"),
        ("R0lGODlh", "image/gif"),
    ];
    let known = TYPES.iter().find(|(start, _)| data.starts_with(start)).map(|(_, media_type)| *media_type);
    // `RIFF`, a length, and `WEBP`, of which three letters stand alone.
    let is_webp = || data.starts_with("UklGR") && data.get(12..16) == Some("RUJQ");
    let media_type = known.or_else(|| is_webp().then_some("image/webp"))?;
    Some(Source::Base64 { media_type: Cow::Borrowed(media_type), data })
}

/// The data of an image that Ollama takes: base64 of one of its types.
pub(super) fn image_data<'s>(source: &'s Source<'_>) -> Option<&'s str> {
    match source {
        Source::Base64 { media_type, data } if media_type.starts_with("image/") => Some(data),
        _ => None,
    }
}

/// Writes a call of a tool. Arguments that are no object are left out, which the caller has to report.
pub(super) fn write_call(calls: &mut Array<'_>, number: usize, id: &str, name: &str, arguments: &str) {
    calls.object(|call| {
        if !id.is_empty() {
            call.string("id", id);
        }
        call.object("function", |function: &mut Object<'_>| {
            function.number("index", number as u64);
            function.string("name", name);
            function.literal("arguments", if is_object(arguments) { arguments } else { "{}" });
        });
    });
}

/// Whether a call was cut off within its arguments. It is left out of a reply, which the caller has to report: with any
/// arguments in their place it would look whole, and be run.
pub(super) fn is_cut(arguments: &str) -> bool {
    !arguments.is_empty() && !is_object(arguments)
}

/// Whether a call's arguments can stand as they are.
pub(super) fn is_object(arguments: &str) -> bool {
    arguments.trim_start().starts_with('{')
        && serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_known_by_its_first_bytes() {
        for (data, kind) in [
            ("iVBORw0KGgo=", Some("image/png")),
            ("/9j/4AAQSkZJRg==", Some("image/jpeg")),
            ("R0lGODlhAQABAA==", Some("image/gif")),
            ("UklGRiIAAABXRUJQVlA4IA==", Some("image/webp")),
            // Sound in the same wrapping.
            ("UklGRiQAAABXQVZFZm10IA==", None),
            ("data:image/png;base64,iVBORw0KGgo=", None),
            ("", None),
        ] {
            let source = image(Cow::Borrowed(data));
            let read = source.as_ref().map(|source| match source {
                Source::Base64 { media_type, .. } => &**media_type,
                other => panic!("{other:?}"),
            });
            assert_eq!(read, kind, "{data}");
        }
    }
}

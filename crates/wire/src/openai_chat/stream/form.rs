//! The form that nearly all chunks of a stream share: the same bytes but for one string.
//!
//! Learned from a chunk that was parsed. A chunk of that form needs no parsing: it is valid, and it says text and
//! nothing else. Any other is parsed as ever.

use std::borrow::Cow;

use super::Chunk;
use crate::json::{Listed, Text};

/// How many forms a stream may teach before it is taken to have none (OpenAI's `obfuscation` is another in each chunk).
const LESSONS: u8 = 8;

/// What the string is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in super::super) enum Said {
    #[default]
    Text,
    Thinking,
}

/// The form, once one is known.
#[derive(Debug, Default)]
pub(in super::super) struct Form {
    before: String,
    after: String,
    said: Said,
    lessons: u8,
}

impl Form {
    /// What a chunk of this form says, as it stands between the quotes; none for any other chunk.
    pub(in super::super) fn inner<'d>(&self, data: &'d str) -> Option<(Said, &'d str)> {
        if self.before.is_empty() {
            return None;
        }
        let inner = data.strip_prefix(self.before.as_str())?.strip_suffix(self.after.as_str())?;
        is_inside_a_string(inner).then_some((self.said, inner))
    }

    /// Whether parsing a chunk may teach a form.
    pub(in super::super) fn can_learn(&self) -> bool {
        self.lessons < LESSONS
    }

    /// Learns the form of a chunk that was read from `data`, if it says text and nothing else.
    pub(in super::super) fn learn(&mut self, data: &str, chunk: &Chunk<'_>) {
        if !self.can_learn() {
            return;
        }
        let Some((said, text)) = only(chunk) else { return };
        let Some(start) = text.as_ptr().addr().checked_sub(data.as_ptr().addr()) else { return };
        let (Some(before), Some(after)) = (data.get(..start), data.get(start + text.len()..)) else { return };
        before.clone_into(&mut self.before);
        after.clone_into(&mut self.after);
        self.said = said;
        self.lessons += 1;
    }
}

/// The one text of a chunk that says nothing else, if it stands in the chunk without escapes.
fn only<'c>(chunk: &'c Chunk<'_>) -> Option<(Said, &'c str)> {
    let [choice] = chunk.choices.as_deref()? else { return None };
    let delta = choice.delta.as_ref()?;
    let silent = chunk.usage.is_none()
        && chunk.error.is_none()
        && chunk.object.as_ref().is_none_or(|object| object.0 != "error")
        && choice.index.unwrap_or(0) == 0
        && choice.finish_reason.is_none()
        && choice.usage.is_none()
        && choice.extra.iter().chain(&delta.extra).all(|(_, value)| value.get() == "null")
        && delta.refusal.is_none()
        && delta.tool_calls.is_none();
    let (said, text) = match (&delta.content, &delta.reasoning_content, &delta.reasoning) {
        (Some(Listed::Text(text)), None, None) => (Said::Text, text),
        (None, Some(Text(text)), None) | (None, None, Some(Text(text))) => (Said::Thinking, text),
        _ => return None,
    };
    match text {
        Cow::Borrowed(text) if silent && !text.is_empty() => Some((said, text)),
        _ => None,
    }
}

/// Whether this may stand between the quotes of a JSON string (RFC 8259 §7).
fn is_inside_a_string(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' | 0..=0x1f => return false,
            b'\\' => match bytes.next() {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {}
                Some(b'u') if bytes.by_ref().take(4).filter(u8::is_ascii_hexdigit).count() == 4 => {}
                _ => return false,
            },
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(delta: &str, rest: &str) -> String {
        format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{delta},"finish_reason":{rest}}}]}}"#)
    }

    fn learned(data: &str) -> Form {
        let mut form = Form::default();
        form.learn(data, &serde_json::from_str(data).unwrap());
        form
    }

    #[test]
    fn a_chunk_of_the_form_says_its_text_and_any_other_is_not_of_it() {
        let form = learned(&chunk(r#"{"content":"water"}"#, "null"));
        for text in ["", "well", "é😀", r#"\"a\\\n\u00e9"#] {
            let data = chunk(&format!(r#"{{"content":"{text}"}}"#), "null");
            assert_eq!(form.inner(&data), Some((Said::Text, text)));
        }
        for other in [
            chunk(r#"{"content":"a"}"#, "\"stop\""),
            chunk(r#"{"content":"a","refusal":"b"}"#, "null"),
            chunk(r#"{"content":"a"},"usage":{"x":"b"}"#, "null"),
            chunk(r#"{"content":"\q"}"#, "null"),
            chunk(r#"{"content":"\u12g4"}"#, "null"),
            chunk("{\"content\":\"\t\"}", "null"),
            chunk(r#"{"content":null}"#, "null"),
            r#"{"id":"c"#.to_owned(),
        ] {
            assert_eq!(form.inner(&other), None, "{other}");
        }
    }

    #[test]
    fn a_chunk_that_says_more_than_text_teaches_nothing() {
        for data in [
            chunk(r#"{"content":"a"}"#, "\"stop\""),
            chunk(r#"{"content":"a","tool_calls":[]}"#, "null"),
            chunk(r#"{"content":"a\n"}"#, "null"),
            chunk(r#"{"content":""}"#, "null"),
            chunk(r#"{"content":"a","audio":{}}"#, "null"),
            chunk(r#"{"content":"a","reasoning_content":"b"}"#, "null"),
            r#"{"choices":[{"delta":{"content":"a"}},{"index":1}]}"#.to_owned(),
            r#"{"choices":[{"delta":{"content":"a"}}],"usage":{}}"#.to_owned(),
            r#"{"choices":[{"delta":{"content":"a"},"usage":{}}]}"#.to_owned(),
        ] {
            assert_eq!(learned(&data).inner(&data), None, "{data}");
        }
        let thought = chunk(r#"{"reasoning_content":"a","content":null}"#, "null");
        assert_eq!(learned(&thought).inner(&thought), Some((Said::Thinking, "a")));
    }
}

//! Names and ids as Bedrock takes them.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolUseBlock.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html>

use std::borrow::Cow;

use crate::anthropic::ids;
use crate::openai::hashed;

/// The longest name of a tool, and the longest id of a call.
const TOOL_LIMIT: usize = 64;

/// The longest name of a document.
const DOCUMENT_LIMIT: usize = 200;

/// The id of a call: 1 to 64 letters, digits and `_.:-`. Any other is replaced by one made from it; the call and its
/// results stand in one request, so they still match.
pub(super) fn call_id(id: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    if (1..=TOOL_LIMIT).contains(&id.len()) && id.bytes().all(plain) {
        return Cow::Borrowed(id);
    }
    Cow::Owned(hashed(id, "call_"))
}

/// The name of a tool: 1 to 64 letters, digits, `_` and `-`. Any other is written in a way that [`tool_name_said`] undoes
/// where the model calls the tool. None where that is too long as well.
pub(super) fn tool_name(name: &str) -> Option<Cow<'_, str>> {
    let legal = ids::legal(name);
    (legal.len() <= TOOL_LIMIT).then_some(legal)
}

/// A name of no tool, for one whose own name cannot be written.
pub(super) fn stand_in(name: &str) -> String {
    hashed(name, "tool_")
}

/// The name that a tool has in the request that was translated.
pub(super) fn tool_name_said(name: Cow<'_, str>) -> Cow<'_, str> {
    ids::original(name)
}

/// The name of a document: letters, digits, single spaces, hyphens, parentheses and square brackets. An ending that says the
/// format is left out, since the format is said beside it.
pub(super) fn document_name(name: Option<&str>, format: &str) -> String {
    let name = name.unwrap_or_default();
    let stem = match name.rsplit_once('.') {
        Some((stem, ending)) if ending.eq_ignore_ascii_case(format) => stem,
        _ => name,
    };
    let mut fitted = String::with_capacity(stem.len().min(DOCUMENT_LIMIT));
    for letter in stem.trim().chars() {
        if fitted.len() == DOCUMENT_LIMIT {
            break;
        }
        let letter = match letter {
            letter if letter.is_ascii_alphanumeric() || "-()[]".contains(letter) => letter,
            letter if letter.is_whitespace() => ' ',
            _ => '-',
        };
        if letter != ' ' || !fitted.ends_with(' ') {
            fitted.push(letter);
        }
    }
    fitted.truncate(fitted.trim_end().len());
    if fitted.is_empty() { "document".to_owned() } else { fitted }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_fits_stays_as_it_is() {
        assert_eq!(call_id("tooluse_kZJMlvQmRJ6eAyJE5GIl7Q"), "tooluse_kZJMlvQmRJ6eAyJE5GIl7Q");
        assert_eq!(tool_name("get_weather-2").unwrap(), "get_weather-2");
        assert_eq!(document_name(Some("The well (2) [draft]"), "pdf"), "The well (2) [draft]");
        assert_eq!(document_name(Some("wells.of.india.PDF"), "pdf"), "wells-of-india");
        assert_eq!(document_name(None, "pdf"), "document");
        assert_eq!(document_name(Some(".pdf"), "pdf"), "document");
        assert_eq!(tool_name(&"x".repeat(65)), None);
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_one_that_bedrock_takes(text: String) {
            let id = call_id(&text);
            prop_assert!((1..=64).contains(&id.len()));
            prop_assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte)));
            if let Some(name) = tool_name(&text) {
                prop_assert!((1..=64).contains(&name.len()));
                prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)));
                prop_assert_eq!(&*tool_name_said(name), &text);
            }
            let name = document_name(Some(&text), "pdf");
            prop_assert!((1..=200).contains(&name.len()) && !name.contains("  ") && name == name.trim());
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" -()[]".contains(&byte)));
        }
    }
}

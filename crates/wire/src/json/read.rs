//! Readers that borrow from the body: text, string-or-list, values kept whole.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use stepwell_types::Code;

use super::place;
use crate::{Error, Fault};

/// Reads a request's body. The error names the field at fault.
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    let text = std::str::from_utf8(body)
        .map_err(|_| Error::new(Code::InvalidJson, "the body is not JSON: it is not UTF-8"))?;
    serde_json::from_str(text).map_err(|error| refusal(body, &error))
}

#[cold]
fn refusal(body: &[u8], error: &serde_json::Error) -> Error {
    let (path, reason) = located(body, error);
    if matches!(error.classify(), Category::Syntax | Category::Eof | Category::Io) {
        let (line, column) = (error.line(), error.column());
        return Error::new(
            Code::InvalidJson,
            format!("the body is not JSON: {reason} at line {line} column {column}"),
        );
    }
    if path.is_empty() {
        return Error::new(Code::InvalidRequest, reason);
    }
    let message = format!("{path}: {reason}");
    Error::at(Code::InvalidRequest, path, message)
}

/// Reads a reply's body: whatever is wrong is the provider's doing.
pub(crate) fn read_reply<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    read(body).map_err(|error| Error { code: Code::UpstreamInvalid, ..error })
}

/// Reads the data of a stream's event.
pub(crate) fn read_frame<'a, T: Deserialize<'a>>(data: &'a str) -> Result<T, Fault> {
    serde_json::from_str(data).map_err(|error| {
        Fault::Invalid(format!("an event of the stream: {}", located(data.as_bytes(), &error).1))
    })
}

/// What stands around the address of the byte at fault, where a message begins with one: errors of serde carry nothing
/// but a message, and whoever reads a value from its own bytes does not know where these stand in the body.
const MARK: char = '\0';

/// What is wrong within a value that was read from its own bytes, and where.
#[cold]
fn inner(raw: &RawValue, error: &serde_json::Error) -> String {
    let text = reason(error);
    if text.starts_with(MARK) {
        return text;
    }
    let bytes = raw.get().as_bytes();
    let address = bytes.as_ptr().addr() + place::offset(bytes, error.line(), error.column());
    format!("{MARK}{address}{MARK}{text}")
}

/// What is wrong, and the path of the value at fault in `body`.
fn located(body: &[u8], error: &serde_json::Error) -> (String, String) {
    let text = reason(error);
    let marked = text.strip_prefix(MARK).and_then(|rest| rest.split_once(MARK));
    let Some((address, reason)) = marked else {
        let path = place::path(body, place::offset(body, error.line(), error.column()));
        return (path, text);
    };
    let offset = address.parse::<usize>().ok().and_then(|address| address.checked_sub(body.as_ptr().addr()));
    // What was read from a copy stands nowhere in the body.
    let path = offset.filter(|offset| *offset <= body.len()).map(|offset| place::path(body, offset));
    (path.unwrap_or_default(), reason.to_owned())
}

/// What a parser says is wrong, without its own idea of where.
fn reason(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    if let Some(at) = text.rfind(" at line ") {
        text.truncate(at);
    }
    text
}

/// A value as it stands. A null is kept, so that its span can be written over.
pub(crate) fn raw_or_null<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// A string, borrowed unless it holds escapes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// A string, or a list in its place.
#[derive(Clone, Debug)]
pub(crate) enum Listed<'a, T> {
    /// The string.
    Text(Cow<'a, str>),
    /// The list.
    Items(Vec<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Listed<'de, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListedVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ListedVisitor<T> {
            type Value = Listed<'de, T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string or an array")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Listed::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Listed::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Listed::Items(list))
            }
        }
        deserializer.deserialize_any(ListedVisitor(PhantomData))
    }
}

/// A value and the bytes it was read from.
#[derive(Clone, Debug)]
pub(crate) struct Whole<'a, T> {
    /// As written.
    pub(crate) raw: &'a RawValue,
    /// As read.
    pub(crate) value: T,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Whole<'de, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(Self { raw, value: read_raw(raw)? })
    }
}

/// Reads a value from its own bytes, within the reading of what holds it: the error says where in the body.
pub(crate) fn read_raw<'de, T: Deserialize<'de>, E: serde::de::Error>(raw: &'de RawValue) -> Result<T, E> {
    serde_json::from_str(raw.get()).map_err(|error| E::custom(inner(raw, &error)))
}

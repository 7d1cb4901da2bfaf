//! Readers that borrow from the body: text, string-or-list, values kept whole, and structs that keep the fields they
//! do not know.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use stepwell_types::Code;

use super::place;
use crate::{Error, Fault, chat};

/// Reads a request's body. The error names the field at fault.
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    let text = std::str::from_utf8(body)
        .map_err(|_| Error::new(Code::InvalidJson, "the body is not JSON: it is not UTF-8"))?;
    serde_json::from_str(text).map_err(|error| refusal(body, &error))
}

#[cold]
fn refusal(body: &[u8], error: &serde_json::Error) -> Error {
    let reason = reason(error);
    if matches!(error.classify(), Category::Syntax | Category::Eof | Category::Io) {
        let (line, column) = (error.line(), error.column());
        return Error::new(
            Code::InvalidJson,
            format!("the body is not JSON: {reason} at line {line} column {column}"),
        );
    }
    let path = place::path(body, place::offset(body, error.line(), error.column()));
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
    serde_json::from_str(data)
        .map_err(|error| Fault::Invalid(format!("an event of the stream: {}", reason(&error))))
}

/// What is wrong within a value that was read from its own bytes.
#[cold]
fn inner(raw: &RawValue, error: &serde_json::Error) -> String {
    let body = raw.get().as_bytes();
    let path = place::path(body, place::offset(body, error.line(), error.column()));
    if path.is_empty() { reason(error) } else { format!("{path}: {}", reason(error)) }
}

/// What a parser says is wrong, without its own idea of where.
fn reason(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    if let Some(at) = text.rfind(" at line ") {
        text.truncate(at);
    }
    text
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
        match serde_json::from_str(raw.get()) {
            Ok(value) => Ok(Self { raw, value }),
            Err(error) => Err(D::Error::custom(inner(raw, &error))),
        }
    }
}

/// The fields of an object that its reader does not know, in order.
pub(crate) type Extras<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// Adds `fields`, which stood in the object at `prefix` (empty for the root), to what the superset has no place for.
pub(crate) fn keep<'a>(extra: &mut Vec<chat::Extra<'a>>, prefix: &str, fields: Extras<'a>) {
    extra.extend(fields.into_iter().map(|(key, value)| {
        let mut path = String::with_capacity(prefix.len() + key.len() + 1);
        path.push_str(prefix);
        path.push('/');
        // RFC 6901 §3.
        if key.contains(['~', '/']) {
            path.push_str(&key.replace('~', "~0").replace('/', "~1"));
        } else {
            path.push_str(&key);
        }
        chat::Extra { path, value }
    }));
}

/// The key that a path made by [`keep`] has behind `prefix`, if it stands directly there.
pub(crate) fn key_under<'p>(path: &'p str, prefix: &str) -> Option<Cow<'p, str>> {
    let key = path.strip_prefix(prefix)?.strip_prefix('/')?;
    if key.contains('/') {
        return None;
    }
    Some(if key.contains('~') {
        Cow::Owned(key.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(key)
    })
}

/// What becomes of the fields an object's reader does not know.
pub(crate) trait Rest<'de>: Default {
    /// Takes one such field.
    fn take<A: MapAccess<'de>>(&mut self, key: Text<'de>, map: &mut A) -> Result<(), A::Error>;
}

impl<'de> Rest<'de> for Extras<'de> {
    fn take<A: MapAccess<'de>>(&mut self, key: Text<'de>, map: &mut A) -> Result<(), A::Error> {
        self.push((key.0, map.next_value()?));
        Ok(())
    }
}

/// They are skipped.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Skipped;

impl<'de> Rest<'de> for Skipped {
    fn take<A: MapAccess<'de>>(&mut self, _: Text<'de>, map: &mut A) -> Result<(), A::Error> {
        map.next_value::<IgnoredAny>().map(drop)
    }
}

/// Declares a struct read from a JSON object: each field is an `Option`, absent and null are the same, a field that
/// comes twice is refused. Fields it does not know are kept in `extra`, but for those named behind `skipping`; with
/// `skipping all` none is kept.
///
/// ```ignore
/// object! {
///     struct Message<'a> { role: Text<'a> = "role", content: &'a RawValue = "content" }
///     skipping "type"
/// }
/// ```
macro_rules! object {
    (
        $(#[$meta:meta])*
        $vis:vis struct $Name:ident<$life:lifetime> { $( $field:ident: $Type:ty = $key:literal ),* $(,)? }
        skipping all
    ) => {
        $crate::json::object! {
            @declare $(#[$meta])* $vis $Name $life [$( $field: $Type = $key ),*] _rest: $crate::json::Skipped []
        }
    };
    (
        $(#[$meta:meta])*
        $vis:vis struct $Name:ident<$life:lifetime> { $( $field:ident: $Type:ty = $key:literal ),* $(,)? }
        $( skipping $( $skipped:literal ),+ )?
    ) => {
        $crate::json::object! {
            @declare $(#[$meta])* $vis $Name $life [$( $field: $Type = $key ),*]
            extra: $crate::json::Extras<$life> [$($( $skipped )+)?]
        }
    };
    (
        @declare $(#[$meta:meta])* $vis:vis $Name:ident $life:lifetime
        [$( $field:ident: $Type:ty = $key:literal ),*] $rest:ident: $Rest:ty [$( $skipped:literal )*]
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default)]
        $vis struct $Name<$life> {
            $( $vis $field: Option<$Type>, )*
            /// The fields it does not know.
            $vis $rest: $Rest,
        }

        impl<$life> serde::Deserialize<$life> for $Name<$life> {
            fn deserialize<D: serde::Deserializer<$life>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields;
                impl<$life> serde::de::Visitor<$life> for Fields {
                    type Value = $Name<$life>;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        formatter.write_str("an object")
                    }

                    fn visit_map<A>(self, mut map: A) -> Result<Self::Value, A::Error>
                    where
                        A: serde::de::MapAccess<$life>,
                    {
                        $( let mut $field: Option<Option<$Type>> = None; )*
                        let mut $rest = <$Rest>::default();
                        while let Some(key) = map.next_key::<$crate::json::Text<$life>>()? {
                            match &*key.0 {
                                $( $key => {
                                    if $field.is_some() {
                                        return Err(serde::de::Error::duplicate_field($key));
                                    }
                                    $field = Some(map.next_value()?);
                                } )*
                                $( $skipped => drop(map.next_value::<serde::de::IgnoredAny>()?), )*
                                _ => $crate::json::Rest::take(&mut $rest, key, &mut map)?,
                            }
                        }
                        Ok($Name { $( $field: $field.flatten(), )* $rest })
                    }
                }
                deserializer.deserialize_map(Fields)
            }
        }
    };
}
pub(crate) use object;

#[cfg(test)]
mod tests {
    use super::*;

    object! {
        struct Message<'a> { role: Text<'a> = "role", content: Listed<'a, Whole<'a, u64>> = "content" }
    }
    object! {
        struct Body<'a> { messages: Vec<Message<'a>> = "messages" }
        skipping "id", "object"
    }
    object! {
        struct Only<'a> { id: Text<'a> = "id" }
        skipping all
    }

    fn refused(body: &str) -> Error {
        read::<Body<'_>>(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn known_fields_are_typed_and_the_rest_is_kept_in_order() {
        let body = br#"{"z":1,"id":2,"messages":[{"role":"us\u0065r","content":[7],"x/~":null}],"a":[ ]}"#;
        let mut read: Body<'_> = read(body).unwrap();
        let message = read.messages.as_mut().unwrap().remove(0);
        assert_eq!(message.role, Some(Text(Cow::Owned("user".to_owned()))));
        assert!(matches!(message.content, Some(Listed::Items(items)) if items[0].value == 7));
        let mut extra = Vec::new();
        keep(&mut extra, "", read.extra);
        keep(&mut extra, "/messages/0", message.extra);
        let paths: Vec<_> = extra.iter().map(|extra| (&*extra.path, extra.value.get())).collect();
        assert_eq!(paths, [("/z", "1"), ("/a", "[ ]"), ("/messages/0/x~1~0", "null")]);
        assert_eq!(key_under(&extra[2].path, "/messages/0").unwrap(), "x/~");
        assert_eq!(key_under(&extra[2].path, ""), None);
        assert_eq!(super::read::<Only<'_>>(br#"{"z":1,"id":"x"}"#).unwrap().id.unwrap().0, "x");
        assert!(super::read::<Only<'_>>(br#"["x"]"#).is_err(), "an array is no object");
    }

    #[test]
    fn an_error_names_the_field_at_fault() {
        let error = refused(r#"{"messages":[{},{"role":3}]}"#);
        assert_eq!(error.param.as_deref(), Some("messages[1].role"));
        assert_eq!(error.code, Code::InvalidRequest);
        assert_eq!(error.message, "messages[1].role: invalid type: integer `3`, expected a string");
        let error = refused("{\n\"messages\":[{\"content\":[1,\n\"x\"]}]}");
        assert_eq!(error.param.as_deref(), Some("messages[0].content"));
        assert!(error.message.contains("string \"x\", expected u64"), "{}", error.message);
    }

    #[test]
    fn a_key_that_comes_twice_is_refused_however_it_is_written() {
        for body in [r#"{"messages":[],"messages":[]}"#, r#"{"messages":null,"m\u0065ssages":[]}"#] {
            let error = refused(body);
            assert_eq!(error.code, Code::InvalidRequest);
            assert!(error.message.contains("duplicate"), "{}", error.message);
        }
    }

    #[test]
    fn what_is_not_one_json_value_is_invalid_json() {
        for body in ["", "{", r#"{"messages":[]} x"#, "{]", "{\"a\":01}"] {
            assert_eq!(refused(body).code, Code::InvalidJson, "{body}");
        }
        assert_eq!(read::<Body<'_>>(b"{\"a\":\"\xff\"}").unwrap_err().code, Code::InvalidJson);
        assert_eq!(refused("[]").code, Code::InvalidRequest);
    }
}

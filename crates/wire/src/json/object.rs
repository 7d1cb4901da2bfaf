//! Structs read from JSON objects that keep the fields they do not know.

use std::borrow::Cow;

use serde::de::{IgnoredAny, MapAccess};
use serde_json::value::RawValue;

use super::Text;
use crate::chat;

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
/// comes twice is refused; so is one that comes under two of its names. Fields it does not know are kept in `extra`, but for those named behind `skipping`; with
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
        $vis:vis struct $Name:ident<$life:lifetime> { $( $field:ident: $Type:ty = $key:literal $(| $alias:literal)* ),* $(,)? }
        skipping all
    ) => {
        $crate::json::object! {
            @declare $(#[$meta])* $vis $Name $life [$( $field: $Type = $key $(| $alias)* ),*] _rest: $crate::json::Skipped []
        }
    };
    (
        $(#[$meta:meta])*
        $vis:vis struct $Name:ident<$life:lifetime> { $( $field:ident: $Type:ty = $key:literal $(| $alias:literal)* ),* $(,)? }
        $( skipping $( $skipped:literal ),+ )?
    ) => {
        $crate::json::object! {
            @declare $(#[$meta])* $vis $Name $life [$( $field: $Type = $key $(| $alias)* ),*]
            extra: $crate::json::Extras<$life> [$($( $skipped )+)?]
        }
    };
    (
        @declare $(#[$meta:meta])* $vis:vis $Name:ident $life:lifetime
        [$( $field:ident: $Type:ty = $key:literal $(| $alias:literal)* ),*] $rest:ident: $Rest:ty [$( $skipped:literal )*]
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
                                $( $key $(| $alias)* => {
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
    use stepwell_types::Code;

    use super::*;
    use crate::Error;
    use crate::json::{Listed, Whole, read};

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
        let mut body: Body<'_> = read(body).unwrap();
        let message = body.messages.as_mut().unwrap().remove(0);
        assert_eq!(message.role, Some(Text(Cow::Owned("user".to_owned()))));
        assert!(matches!(message.content, Some(Listed::Items(items)) if items[0].value == 7));
        let mut extra = Vec::new();
        keep(&mut extra, "", body.extra);
        keep(&mut extra, "/messages/0", message.extra);
        let paths: Vec<_> = extra.iter().map(|extra| (&*extra.path, extra.value.get())).collect();
        assert_eq!(paths, [("/z", "1"), ("/a", "[ ]"), ("/messages/0/x~1~0", "null")]);
        assert_eq!(key_under(&extra[2].path, "/messages/0").unwrap(), "x/~");
        assert_eq!(key_under(&extra[2].path, ""), None);
        assert_eq!(read::<Only<'_>>(br#"{"z":1,"id":"x"}"#).unwrap().id.unwrap().0, "x");
        assert!(read::<Only<'_>>(br#"["x"]"#).is_err(), "an array is no object");
    }

    #[test]
    fn an_error_names_the_field_at_fault() {
        let error = refused(r#"{"messages":[{},{"role":3}]}"#);
        assert_eq!(error.param.as_deref(), Some("messages[1].role"));
        assert_eq!(error.code, Code::InvalidRequest);
        assert_eq!(error.message, "messages[1].role: invalid type: integer `3`, expected a string");
        let error = refused("{\n\"messages\":[{\"content\":[1,\n\"x\"]}]}");
        assert_eq!(error.param.as_deref(), Some("messages[0].content[1]"));
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

//! JSON schemas as Anthropic takes them where a model is held to them exactly: every object is closed, and what bounds a
//! value is not known. Other vendors' clients say neither.
//!
//! <https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations>

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::value::RawValue;

use crate::Losses;
use crate::json::{Object, Text, object, write_array, write_object};

/// Keywords that are refused.
const BOUNDS: &[&str] = &[
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];

object! {
    struct Schema<'a> {}
}

object! {
    /// What tells an object's schema.
    struct Shape<'a> {
        kind: &'a RawValue = "type",
        properties: &'a RawValue = "properties",
        open: &'a RawValue = "additionalProperties",
        description: Text<'a> = "description",
    }
    skipping all
}

impl Shape<'_> {
    /// Whether it is an object's that does not say that it is closed.
    fn is_left_open(&self) -> bool {
        let is_object = match self.kind {
            Some(kind) => kind.get().contains(r#""object""#),
            None => self.properties.is_some(),
        };
        is_object && self.open.is_none_or(|open| open.get() != "false")
    }
}

/// `schema`, which stands at `path`, as Anthropic takes it; itself if it is taken already. An object that is left open is
/// closed, which is no loss: what fits the closed one fits the open one. A keyword that is refused is a loss, and so is
/// leave to have properties of any name; the description still tells the model, as it does with Anthropic's own SDKs.
pub(crate) fn fitted<'s>(schema: &'s RawValue, path: &str, losses: &mut Losses) -> Cow<'s, RawValue> {
    let mut out = Vec::with_capacity(schema.get().len());
    let mut fitting = Fitting { losses, changed: false };
    fitting.write(&mut out, schema, path);
    if !fitting.changed {
        return Cow::Borrowed(schema);
    }
    let fitted = String::from_utf8(out).ok().and_then(|text| RawValue::from_string(text).ok());
    fitted.map_or(Cow::Borrowed(schema), Cow::Owned)
}

fn is_refused(key: &str, value: &RawValue) -> bool {
    match key {
        // To say `true` is to say nothing.
        "additionalProperties" => !matches!(value.get(), "false" | "true"),
        // Of an array's bounds, only that it is not empty.
        "minItems" => !matches!(value.get(), "0" | "1"),
        key => BOUNDS.contains(&key),
    }
}

struct Fitting<'l> {
    losses: &'l mut Losses,
    changed: bool,
}

impl Fitting<'_> {
    fn write(&mut self, out: &mut Vec<u8>, schema: &RawValue, path: &str) {
        let text = schema.get();
        let (Ok(Schema { extra: fields }), Ok(shape)) =
            (serde_json::from_str(text), serde_json::from_str::<Shape<'_>>(text))
        else {
            return out.extend_from_slice(text.as_bytes());
        };
        let mut told = shape.description.as_ref().map_or_else(String::new, |text| text.0.to_string());
        let lost: Vec<_> = fields.iter().filter(|(key, value)| is_refused(key, value)).collect();
        for (key, value) in &lost {
            self.changed = true;
            self.losses.note(format!("{path}/{key}"));
            let between = if told.is_empty() { "" } else { "\n" };
            // Writing to a string does not fail.
            write!(told, "{between}{key}: {}", value.get()).unwrap_or_default();
        }
        write_object(out, |object| {
            for (key, value) in &fields {
                if !is_refused(key, value) && (lost.is_empty() || key != "description") {
                    self.field(object, key, value, &format!("{path}/{key}"));
                }
            }
            if !lost.is_empty() {
                object.string("description", &told);
            }
            if shape.is_left_open() {
                self.changed = true;
                object.bool("additionalProperties", false);
            }
        });
    }

    fn field(&mut self, object: &mut Object<'_>, key: &str, value: &RawValue, path: &str) {
        match key {
            "additionalProperties" if value.get() == "true" => self.changed = true,
            "properties" | "$defs" | "definitions" => self.each(object, key, value, path),
            "items" | "not" => self.write(object.any_key(key), value, path),
            "anyOf" | "oneOf" | "allOf" | "prefixItems" => self.list(object, key, value, path),
            _ => object.field(key, value),
        }
    }

    fn each(&mut self, object: &mut Object<'_>, key: &str, value: &RawValue, path: &str) {
        let Ok(named) = serde_json::from_str::<Schema<'_>>(value.get()) else {
            return object.field(key, value);
        };
        write_object(object.any_key(key), |schemas| {
            for (name, schema) in named.extra {
                // RFC 6901 §3.
                let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
                self.write(schemas.any_key(&name), schema, &path);
            }
        });
    }

    fn list(&mut self, object: &mut Object<'_>, key: &str, value: &RawValue, path: &str) {
        let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(value.get()) else {
            return object.field(key, value);
        };
        write_array(object.any_key(key), |schemas| {
            for (index, schema) in list.into_iter().enumerate() {
                self.write(schemas.item(), schema, &format!("{path}/{index}"));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(schema: &str) -> (String, Vec<String>) {
        let mut losses = Losses::default();
        let schema = RawValue::from_string(schema.to_owned()).unwrap();
        let fitted = fitted(&schema, "/schema", &mut losses).get().to_owned();
        (fitted, losses.paths().to_vec())
    }

    #[test]
    fn objects_left_open_are_closed_wherever_they_stand() {
        let (schema, losses) = made(
            r##"{"type":"object","properties":{"a":{"type":["object","null"],"properties":{}},"b":{"type":"array","items":
            {"anyOf":[{"properties":{}},{"$ref":"#/$defs/c"}]}},"type":{"type":"string","enum":["object"]}},"$defs":{"c":
            {"type":"object","additionalProperties":false}},"required":["a"]}"##,
        );
        assert_eq!(
            schema,
            r##"{"type":"object","properties":{"a":{"type":["object","null"],"properties":{},"additionalProperties":false},"b":{"type":"array","items":{"anyOf":[{"properties":{},"additionalProperties":false},{"$ref":"#/$defs/c"}]}},"type":{"type":"string","enum":["object"]}},"$defs":{"c":{"type":"object","additionalProperties":false}},"required":["a"],"additionalProperties":false}"##
        );
        assert!(losses.is_empty(), "{losses:?}");
    }

    #[test]
    fn what_is_refused_is_lost_and_named() {
        let (schema, losses) = made(
            r#"{"type":"object","properties":{"a/~":{"type":"integer","minimum":1,"maximum":7,"description":"How \"many\"."},"minimum":{"type":"array",
            "items":{"type":"string","maxLength":3},"minItems":2},"c":{"type":"array","minItems":1},"d":{"type":"object",
            "additionalProperties":{"type":"string"}}},"additionalProperties":true}"#,
        );
        assert_eq!(
            schema,
            r#"{"type":"object","properties":{"a/~":{"type":"integer","description":"How \"many\".\nminimum: 1\nmaximum: 7"},"minimum":{"type":"array","items":{"type":"string","description":"maxLength: 3"},"description":"minItems: 2"},"c":{"type":"array","minItems":1},"d":{"type":"object","description":"additionalProperties: {\"type\":\"string\"}","additionalProperties":false}},"additionalProperties":false}"#
        );
        assert_eq!(
            losses,
            [
                "/schema/properties/a~1~0/minimum",
                "/schema/properties/a~1~0/maximum",
                "/schema/properties/minimum/minItems",
                "/schema/properties/minimum/items/maxLength",
                "/schema/properties/d/additionalProperties",
            ]
        );
    }

    #[test]
    fn what_is_no_objects_schema_stays_as_it_is() {
        for text in
            ["true", r#"{"$ref":"x"}"#, r#"{"type":"string","pattern":"^a"}"#, r#"{"enum":["object"]}"#]
        {
            assert_eq!(made(text), (text.to_owned(), Vec::new()));
        }
    }
}

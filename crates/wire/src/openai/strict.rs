//! Whether OpenAI takes a JSON schema with `strict`, and so holds a model to it. Other vendors hold theirs to more schemas.
//!
//! <https://platform.openai.com/docs/guides/structured-outputs#supported-schemas>

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::Losses;
use crate::json::{Text, object};

/// Keywords that are refused.
const REFUSED: &[&str] = &[
    "allOf",
    "oneOf",
    "not",
    "dependentRequired",
    "dependentSchemas",
    "if",
    "then",
    "else",
    "patternProperties",
];

object! {
    /// What `strict` wants of a schema.
    struct Schema<'a> {
        kind: &'a RawValue = "type",
        properties: Named<'a> = "properties",
        required: Vec<Text<'a>> = "required",
        open: &'a RawValue = "additionalProperties",
        items: &'a RawValue = "items",
        any_of: Vec<&'a RawValue> = "anyOf",
        definitions: Named<'a> = "$defs" | "definitions",
    }
}

object! {
    struct Named<'a> {}
}

/// What `strict` may say of a schema: where OpenAI refuses it, being held to the schema exactly is lost, at `path`.
pub(crate) fn held(
    strict: Option<bool>,
    schema: Option<&RawValue>,
    path: impl FnOnce() -> String,
    losses: &mut Losses,
) -> Option<bool> {
    if strict == Some(true) && schema.is_some_and(|schema| !is_taken(schema)) {
        losses.note(path());
        return Some(false);
    }
    strict
}

/// Whether every object of `schema` is closed and requires all that it has, and no keyword in it is refused.
fn is_taken(schema: &RawValue) -> bool {
    let Ok(schema) = serde_json::from_str::<Schema<'_>>(schema.get()) else { return false };
    let parts = schema.properties.iter().chain(&schema.definitions).flat_map(|named| &named.extra);
    let mut parts =
        parts.map(|(_, part)| *part).chain(schema.items).chain(schema.any_of.iter().flatten().copied());
    !schema.extra.iter().any(|(key, _)| REFUSED.contains(&key.as_ref()))
        && (!schema.is_object() || schema.is_closed() && schema.requires_all())
        && parts.all(is_taken)
}

impl Schema<'_> {
    fn is_object(&self) -> bool {
        self.kind.map_or(self.properties.is_some(), |kind| kind.get().contains(r#""object""#))
    }

    fn is_closed(&self) -> bool {
        self.open.is_some_and(|open| open.get() == "false")
    }

    fn requires_all(&self) -> bool {
        let is_required =
            |name: &Cow<'_, str>| self.required.iter().flatten().any(|required| required.0 == *name);
        self.properties.iter().flat_map(|named| &named.extra).all(|(name, _)| is_required(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(schema: &str) -> bool {
        is_taken(&RawValue::from_string(schema.to_owned()).unwrap())
    }

    #[test]
    fn a_schema_that_says_all_is_taken() {
        for schema in [
            r#"{"type":"string","enum":["object"]}"#,
            r#"{"type":"object","properties":{},"additionalProperties":false}"#,
            r##"{"type":["object","null"],"properties":{"type":{"type":"string"},"b":{"$ref":"#/$defs/c"}},"required":
            ["b","type"],"additionalProperties":false,"$defs":{"c":{"anyOf":[{"type":"null"},{"type":"array","items":
            {"type":"integer","minimum":1}}]}}}"##,
        ] {
            assert!(takes(schema), "{schema}");
        }
    }

    #[test]
    fn a_schema_that_leaves_something_open_is_not_wherever_that_stands() {
        let optional = r#"{"type":"object","properties":{"a":{"type":"null"}},"additionalProperties":false}"#;
        let open = r#"{"type":"object","properties":{}}"#;
        let refused = r#"{"allOf":[{"type":"string"}]}"#;
        for part in [optional, open, refused, r#"{"properties":{"a":{}},"required":["a"]}"#, "true"] {
            assert!(!takes(part), "{part}");
            for place in [
                format!(r#"{{"type":"array","items":{part}}}"#),
                format!(r#"{{"anyOf":[{{"type":"null"}},{part}]}}"#),
                format!(r##"{{"$ref":"#/$defs/a","$defs":{{"a":{part}}}}}"##),
                format!(
                    r#"{{"type":"object","properties":{{"a":{part}}},"required":["a"],"additionalProperties":false}}"#
                ),
            ] {
                assert!(!takes(&place), "{place}");
            }
        }
    }
}

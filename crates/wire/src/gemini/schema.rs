//! Google's own form of a schema (`parameters`, `responseSchema`), made into the JSON Schema that everyone else reads.
//!
//! It is a part of OpenAPI 3.0 with types in capitals: <https://ai.google.dev/api/caching#Schema>. `parametersJsonSchema`
//! and `responseJsonSchema` hold JSON Schema itself and need nothing of this.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::json::{Object, Text, object, write_object};

object! {
    struct Schema<'a> { nullable: bool = "nullable" }
}

/// The JSON Schema that `schema` means; itself if it is one already.
pub(super) fn plain(schema: &RawValue) -> Cow<'_, RawValue> {
    let mut out = Vec::with_capacity(schema.get().len());
    write(&mut out, schema);
    match String::from_utf8(out).ok().and_then(|text| RawValue::from_string(text).ok()) {
        Some(plain) if plain.get() != schema.get() => Cow::Owned(plain),
        _ => Cow::Borrowed(schema),
    }
}

fn write(out: &mut Vec<u8>, schema: &RawValue) {
    let Ok(Schema { nullable, extra: fields }) = serde_json::from_str::<Schema<'_>>(schema.get()) else {
        return out.extend_from_slice(schema.get().as_bytes());
    };
    let may_be_null = nullable == Some(true);
    write_object(out, |object| {
        for (key, value) in fields {
            let key = spelled(&key);
            match key {
                "type" => write_type(object, value, may_be_null),
                "enum" if may_be_null => write_list(object, key, value, Some("null")),
                "anyOf" if may_be_null => write_list(object, key, value, Some(r#"{"type":"null"}"#)),
                "properties" | "$defs" | "definitions" => write_each(object, key, value),
                "items" | "additionalProperties" | "not" => write(object.key(key), value),
                "anyOf" | "oneOf" | "allOf" | "prefixItems" => write_list(object, key, value, None),
                "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => {
                    // Counts are 64 bits wide, which protobuf writes as text.
                    object.literal(key, value.get().trim_matches('"'));
                }
                // An order for Google's own models.
                "propertyOrdering" => {}
                _ => object.field(key, value),
            }
        }
    });
}

/// A field's name as JSON Schema has it: Google takes names with underscores too.
fn spelled(key: &str) -> &str {
    match key {
        "any_of" => "anyOf",
        "prefix_items" => "prefixItems",
        "additional_properties" => "additionalProperties",
        "min_items" => "minItems",
        "max_items" => "maxItems",
        "min_length" => "minLength",
        "max_length" => "maxLength",
        "min_properties" => "minProperties",
        "max_properties" => "maxProperties",
        "property_ordering" => "propertyOrdering",
        key => key,
    }
}

fn write_type(object: &mut Object<'_>, value: &RawValue, may_be_null: bool) {
    let Ok(Text(name)) = serde_json::from_str::<Text<'_>>(value.get()) else {
        return object.raw("type", value);
    };
    let name = name.to_ascii_lowercase();
    if may_be_null {
        object.array("type", |types| {
            types.string(&name);
            types.string("null");
        });
    } else {
        object.string("type", &name);
    }
}

fn write_each(object: &mut Object<'_>, key: &str, value: &RawValue) {
    object! {
        struct Named<'a> {}
    }
    let Ok(named) = serde_json::from_str::<Named<'_>>(value.get()) else { return object.raw(key, value) };
    object.object(key, |schemas| {
        for (name, schema) in named.extra {
            let out = schemas.any_key(&name);
            write(out, schema);
        }
    });
}

/// Writes a list of schemas, or of values, and what is allowed beside them.
fn write_list(object: &mut Object<'_>, key: &str, value: &RawValue, beside: Option<&str>) {
    let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(value.get()) else { return object.raw(key, value) };
    object.array(key, |schemas| {
        for schema in list {
            write(schemas.item(), schema);
        }
        if let Some(beside) = beside {
            schemas.item().extend_from_slice(beside.as_bytes());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn googles_types_become_json_schemas() {
        let schema = RawValue::from_string(
            r#"{"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true},"days":{"type":"ARRAY",
            "items":{"type":"INTEGER"},"minItems":"1"},"a\"b":{"anyOf":[{"type":"NUMBER"},{"type":"BOOLEAN"}]}},
            "required":["type"],"propertyOrdering":["type"]}"#
                .to_owned(),
        )
        .unwrap();
        assert_eq!(
            plain(&schema).get(),
            r#"{"type":"object","properties":{"type":{"type":["string","null"]},"days":{"type":"array","items":{"type":"integer"},"minItems":1},"a\"b":{"anyOf":[{"type":"number"},{"type":"boolean"}]}},"required":["type"]}"#
        );
    }

    #[test]
    fn what_may_be_null_may_be_null_in_json_schema() {
        for (own, meant) in [
            (
                r#"{"any_of":[{"type":"STRING"},{"type":"INTEGER"}],"nullable":true}"#,
                r#"{"anyOf":[{"type":"string"},{"type":"integer"},{"type":"null"}]}"#,
            ),
            (
                r#"{"type":"STRING","enum":["a","b"],"nullable":true,"min_length":"1"}"#,
                r#"{"type":["string","null"],"enum":["a","b",null],"minLength":1}"#,
            ),
        ] {
            let schema = RawValue::from_string(own.to_owned()).unwrap();
            assert_eq!(plain(&schema).get(), meant);
        }
    }

    #[test]
    fn a_json_schema_stays_as_it_is() {
        for text in
            [r#"{"type":"object","additionalProperties":false}"#, "true", r#"{"type":["string","null"]}"#]
        {
            let schema = RawValue::from_string(text.to_owned()).unwrap();
            assert!(matches!(plain(&schema), Cow::Borrowed(_)), "{text}");
        }
    }
}

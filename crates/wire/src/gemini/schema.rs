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
            match &*key {
                "type" => write_type(object, value, may_be_null),
                "properties" | "$defs" | "definitions" => write_each(object, &key, value),
                "items" | "additionalProperties" | "not" => write(object.key(&key), value),
                "anyOf" | "any_of" | "oneOf" | "allOf" | "prefixItems" => write_list(object, &key, value),
                "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => {
                    // Counts are 64 bits wide, which protobuf writes as text.
                    object.literal(&key, value.get().trim_matches('"'));
                }
                // An order for Google's own models.
                "propertyOrdering" | "property_ordering" => {}
                _ => object.field(&key, value),
            }
        }
    });
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

fn write_list(object: &mut Object<'_>, key: &str, value: &RawValue) {
    let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(value.get()) else { return object.raw(key, value) };
    let key = if key == "any_of" { "anyOf" } else { key };
    object.array(key, |schemas| list.into_iter().for_each(|schema| write(schemas.item(), schema)));
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
    fn a_json_schema_stays_as_it_is() {
        for text in
            [r#"{"type":"object","additionalProperties":false}"#, "true", r#"{"type":["string","null"]}"#]
        {
            let schema = RawValue::from_string(text.to_owned()).unwrap();
            assert!(matches!(plain(&schema), Cow::Borrowed(_)), "{text}");
        }
    }
}

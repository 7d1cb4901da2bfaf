//! The key tables as a JSON schema (draft 2020-12): what editors complete by, and `stepwell schema` prints.
//!
//! It says no more than a schema can: that a target's provider exists, say, only [`crate::load`] knows.

use serde_json::{Map, Value, json};

use crate::key::{Key, Keys, Shape};
use crate::sections::KEYS;
use crate::unit;

/// The JSON schema of a configuration.
pub fn schema() -> Value {
    let mut root = object(&KEYS);
    root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    root.insert("title".to_owned(), json!("stepwell.toml"));
    Value::Object(root)
}

fn object(keys: &Keys) -> Map<String, Value> {
    let properties: Map<String, Value> =
        keys.known.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let mut object = Map::new();
    object.insert("type".to_owned(), json!("object"));
    object.insert("description".to_owned(), json!(keys.doc));
    object.insert("properties".to_owned(), Value::Object(properties));
    object.insert("additionalProperties".to_owned(), json!(false));
    if !keys.required.is_empty() {
        object.insert("required".to_owned(), json!(keys.required));
    }
    object
}

fn property(key: &Key) -> Value {
    let mut property = shape(&key.shape);
    property.insert("description".to_owned(), json!(description(key)));
    if let Some(default) = key.default.and_then(|text| serde_json::from_str::<Value>(text).ok()) {
        property.insert("default".to_owned(), default);
    }
    Value::Object(property)
}

/// The key's meaning, and its bounds where a schema has no word for them.
fn description(key: &Key) -> String {
    match &key.shape {
        Shape::Duration { min, max } => {
            format!("{} From {} to {}.", key.doc, unit::write_duration(*min), unit::write_duration(*max))
        }
        Shape::Bytes { min, max } => {
            format!("{} From {} to {}.", key.doc, unit::write_size(*min), unit::write_size(*max))
        }
        _ => key.doc.to_owned(),
    }
}

fn shape(shape: &Shape) -> Map<String, Value> {
    let schema = match shape {
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Text | Shape::Address => json!({ "type": "string" }),
        Shape::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Shape::Url => json!({ "type": "string", "pattern": "^https?://[^@?#]+$" }),
        Shape::OneOf(choice) | Shape::Engine(choice) => json!({ "type": "string", "enum": choice.now }),
        Shape::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::Bytes { min, max } => json!({ "anyOf": [
            { "type": "integer", "minimum": min, "maximum": max },
            { "type": "string", "pattern": "^[0-9]+ *[KMGTkmgt]?[Ii]?[Bb]$" },
        ] }),
        Shape::Duration { .. } => json!({ "type": "string", "pattern": "^([0-9]+(ms|s|m|h))+$" }),
        Shape::Price => json!({ "anyOf": [
            { "type": "number", "minimum": 0 },
            { "type": "string", "pattern": "^[0-9]*[.]?[0-9]{0,9}$" },
        ] }),
        Shape::Secret => json!({ "type": "string", "pattern": "^(env|file|literal):" }),
        Shape::Headers => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Shape::Table(keys) => Value::Object(object(keys)),
        Shape::Map(keys) => json!({ "type": "object", "additionalProperties": object(keys) }),
    };
    match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

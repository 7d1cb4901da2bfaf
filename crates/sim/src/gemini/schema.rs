//! The vendor's own schemas, a part of OpenAPI's: <https://ai.google.dev/api/caching#Schema>

use crate::check::{Invalid, Path};
use crate::json::Json;

use super::fields::{Fields, Message, elements, member, rule, wrong};

const SCHEMA: Message = Message {
    name: "Schema",
    fields: &[
        "type",
        "format",
        "title",
        "description",
        "nullable",
        "enum",
        "max_items",
        "min_items",
        "properties",
        "required",
        "min_properties",
        "max_properties",
        "min_length",
        "max_length",
        "pattern",
        "example",
        "any_of",
        "property_ordering",
        "default",
        "items",
        "minimum",
        "maximum",
    ],
};

const TYPES: &[&str] =
    &["TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"];

/// Checks a schema and those in it.
pub(super) fn check(json: &Json<'_>, path: &Path<'_>) -> Result<(), Invalid> {
    let fields = SCHEMA.read(json, path)?;
    let kind = fields.choice("type", "Type", TYPES)?.unwrap_or("TYPE_UNSPECIFIED");
    for name in ["format", "title", "description", "pattern"] {
        fields.text(name)?;
    }
    fields.flag("nullable")?;
    for name in ["max_items", "min_items", "max_properties", "min_properties", "max_length", "min_length"] {
        fields.integer(name)?;
    }
    fields.number("minimum", f64::MIN, f64::MAX)?;
    fields.number("maximum", f64::MIN, f64::MAX)?;
    fields.texts("property_ordering")?;
    if !fields.texts("enum")?.is_empty() && kind != "STRING" {
        return Err(rule(&path.key("enum"), "only allowed for STRING type"));
    }
    let format = fields.text("format")?;
    if kind == "STRING" && format.is_some_and(|format| !["", "enum", "date-time"].contains(&format)) {
        return Err(rule(&path.key("format"), "only 'enum' and 'date-time' are supported for STRING type"));
    }
    let unions = path.key("any_of");
    for (index, schema) in fields.list("any_of").iter().enumerate() {
        check(schema, &unions.index(index))?;
    }
    if kind == "TYPE_UNSPECIFIED" && fields.list("any_of").is_empty() {
        return Err(rule(&path.key("type"), "must be specified"));
    }
    items(&fields, kind, path)?;
    properties(&fields, kind, path)
}

fn items(fields: &Fields<'_, '_, '_>, kind: &str, path: &Path<'_>) -> Result<(), Invalid> {
    match fields.get("items") {
        Some(items) if kind == "ARRAY" => check(items, &path.key("items")),
        Some(_) => Err(rule(&path.key("items"), "only allowed for ARRAY type")),
        None if kind == "ARRAY" => Err(rule(&path.key("items"), "missing field.")),
        None => Ok(()),
    }
}

fn properties(fields: &Fields<'_, '_, '_>, kind: &str, path: &Path<'_>) -> Result<(), Invalid> {
    let place = path.key("properties");
    let properties = match fields.get("properties") {
        None => &[][..],
        Some(Json::Object(properties)) => properties,
        Some(other) => return Err(wrong(&place, "Map", other)),
    };
    if !properties.is_empty() && kind != "OBJECT" {
        return Err(rule(&place, "only allowed for OBJECT type"));
    }
    for (index, (_, schema)) in properties.iter().enumerate() {
        // A map's entries are numbered, as the vendor's errors have them.
        let entry = place.index(index);
        check(schema, &entry.key("value"))?;
    }
    let required = path.key("required");
    for (index, name) in fields.texts("required")?.into_iter().enumerate() {
        if !properties.iter().any(|(property, _)| property == name) {
            return Err(rule(&required.index(index), "property is not defined"));
        }
    }
    Ok(())
}

/// Whether a schema, of either kind, is of an object or does not say.
pub(super) fn is_object(json: &Json<'_>) -> bool {
    match elements(member(json, "type")) {
        [] => true,
        kinds => kinds.iter().filter_map(Json::as_str).any(|kind| kind.eq_ignore_ascii_case("object")),
    }
}

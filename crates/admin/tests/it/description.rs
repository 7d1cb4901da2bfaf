//! The OpenAPI description: every operation answers as it says.

use std::collections::HashSet;

use axum::http::Method;
use serde_json::{Map, Value};
use stepwell_admin::openapi_json;

use crate::support::{Api, TOKEN, call};

fn document() -> Value {
    serde_json::from_str(&openapi_json().unwrap()).unwrap()
}

/// Every method, path and operation of the description.
fn operations(document: &Value) -> Vec<(Method, String, &Map<String, Value>)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &'_ Value)| -> Vec<_> {
        let item = item.as_object().unwrap();
        item.keys().map(|method| (method.to_uppercase().parse().unwrap(), path.clone())).collect()
    };
    let found: Vec<(Method, String)> = paths.iter().flat_map(of_path).collect();
    found
        .into_iter()
        .map(|(method, path)| {
            let operation = &document["paths"][&path][method.as_str().to_lowercase()];
            (method, path, operation.as_object().unwrap())
        })
        .collect()
}

#[test]
fn the_committed_description_is_what_is_served() {
    let committed = include_str!("../../../../docs/openapi.json");
    assert_eq!(
        committed,
        openapi_json().unwrap(),
        "refresh with: cargo run -p stepwell-admin --example openapi > docs/openapi.json"
    );
}

#[tokio::test]
async fn every_operation_answers_as_described() {
    let record = call(60, "openai/gpt-5-mini");
    let id = record.id.to_string();
    let api = Api::with_calls(vec![record]).await;
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("host", "localhost"), ("authorization", &*bearer), ("content-type", "application/json")];
    let document = document();
    for (method, path, operation) in operations(&document) {
        let answer = api.send(method.clone(), &path.replace("{id}", &id), &headers, "").await;
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text);
        let described = operation["responses"]["200"]["content"].as_object().unwrap();
        let content_type = answer.headers["content-type"].to_str().unwrap();
        assert!(described.keys().any(|each| content_type.starts_with(each)), "{path}: {content_type}");
        if let Some(schema) = described.get("application/json") {
            check_fields(&document, &schema["schema"], &answer.json(), &path);
        }
    }
}

/// Checks that an answer has exactly the fields its schema has, all the way down.
fn check_fields(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/components/schemas/")) {
        return check_fields(document, &document["components"]["schemas"][name], value, place);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let choice = choices.iter().find(|each| each["type"] != "null" || value.is_null()).unwrap();
        return check_fields(document, choice, value, place);
    }
    if let Some(items) = value.as_array() {
        for (index, item) in items.iter().enumerate() {
            check_fields(document, &schema["items"], item, &format!("{place}[{index}]"));
        }
    }
    let (Some(fields), Some(properties)) = (value.as_object(), schema["properties"].as_object()) else {
        return;
    };
    for required in schema["required"].as_array().into_iter().flatten() {
        assert!(fields.contains_key(required.as_str().unwrap()), "{place} lacks {required}");
    }
    for (name, field) in fields {
        match properties.get(name) {
            Some(schema) => check_fields(document, schema, field, &format!("{place}.{name}")),
            None => assert!(schema.get("additionalProperties").is_some(), "{place}.{name} is not described"),
        }
    }
}

#[test]
fn operations_have_ids_of_their_own_and_say_what_they_do() {
    let document = document();
    let mut ids = HashSet::new();
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id.to_owned()), "{id} twice");
        assert!(operation["summary"].as_str().unwrap().ends_with('.'), "{method} {path}");
        assert_eq!(operation.contains_key("security"), method != Method::GET, "{method} {path}");
        assert!(
            !operation["responses"]["200"]["description"].as_str().unwrap().is_empty(),
            "{method} {path}"
        );
    }
    assert!(ids.len() >= 13);
}

#[test]
fn the_manual_names_every_operation() {
    let manual = include_str!("../../../../docs/admin-api.md");
    for (method, path, _) in operations(&document()) {
        let heading = format!("`{method} {path}");
        assert!(manual.contains(&heading), "docs/admin-api.md has no {heading}");
    }
}

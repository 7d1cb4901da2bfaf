//! The schema and the reader agree: the same keys, the same defaults, the same required ones.

use regex_lite::Regex;
use serde_json::Value;
use stepwell_config::schema;

use crate::{examples, read};

/// A key in the schema: the tables it is in (`*` where a name goes), its name, and its schema.
struct Property {
    path: Vec<String>,
    name: String,
    schema: Value,
}

fn properties() -> Vec<Property> {
    let mut found = Vec::new();
    collect(&schema(), &mut Vec::new(), &mut found);
    found
}

fn collect(schema: &Value, path: &mut Vec<String>, found: &mut Vec<Property>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        found.push(Property { path: path.clone(), name: name.clone(), schema: property.clone() });
        path.push(name.clone());
        collect(property, path, found);
        if property["additionalProperties"].is_object() {
            path.push("*".to_owned());
            collect(&property["additionalProperties"], path, found);
            path.pop();
        }
        path.pop();
    }
}

/// The tables that a text has, each whole, so that nothing but the key in question can be wrong with it.
const WHOLE: &[(&str, &[(&str, &str)])] = &[
    ("providers.sim", &[("kind", "\"sim\"")]),
    ("providers.sim.prices.sim", &[("input", "1"), ("output", "1")]),
    ("routes.sim", &[("targets", "[\"sim/small\"]")]),
];

/// A text in which the key has `value`, or is absent, and all else that must be there is.
fn text(property: &Property, value: Option<&str>) -> String {
    let table = table(property);
    let line = value.map(|value| format!("{} = {value}", property.name));
    let is_top_level = table.is_empty();
    let mut lines: Vec<String> = line.iter().filter(|_| is_top_level).cloned().collect();
    if is_top_level && matches!(property.name.as_str(), "providers" | "routes") {
        return lines.concat();
    }
    let below = format!("{table}.{}.", property.name);
    for (whole, keys) in WHOLE.iter().filter(|(whole, _)| !whole.starts_with(&below)) {
        lines.push(format!("[{whole}]"));
        let others = keys.iter().filter(|(key, _)| *whole != table || *key != property.name);
        lines.extend(others.map(|(key, value)| format!("{key} = {value}")));
        lines.extend(line.iter().filter(|_| *whole == table).cloned());
    }
    if !is_top_level && !WHOLE.iter().any(|(whole, _)| *whole == table) {
        lines.push(format!("[{table}]"));
        lines.extend(line);
    }
    lines.join("\n")
}

fn table(property: &Property) -> String {
    property.path.iter().map(|part| if part == "*" { "sim" } else { part }).collect::<Vec<_>>().join(".")
}

#[test]
fn every_key_of_the_schema_is_read() {
    let properties = properties();
    assert!(properties.len() > 40, "{}", properties.len());
    for property in properties {
        let text = text(&property, Some("1979-05-27"));
        let problems = read(&text).expect_err(&text);
        let at_key = problems.iter().any(|problem| problem.code == "wrong_type");
        assert!(at_key && problems.len() == 1, "{text}\n{problems:#?}");
    }
}

#[test]
fn no_key_beside_the_schema_is_read() {
    let tables: std::collections::BTreeSet<Vec<String>> =
        properties().into_iter().map(|property| property.path).collect();
    for path in tables {
        let property = Property { path, name: "zzz".to_owned(), schema: Value::Null };
        let text = text(&property, Some("1"));
        let problems = read(&text).expect_err(&text);
        assert_eq!(
            problems.iter().map(|problem| problem.code).collect::<Vec<_>>(),
            ["unknown_key"],
            "{text}"
        );
    }
}

#[test]
fn a_key_with_its_default_is_as_good_as_absent() {
    let mut count = 0;
    for property in properties() {
        if property.schema["default"].is_null() {
            continue;
        }
        let default = property.schema["default"].to_string();
        let with = read(&text(&property, Some(&default))).unwrap().settings;
        let mut without = read(&text(&property, None)).unwrap().settings;
        without.revision.clone_from(&with.revision);
        assert_eq!(with, without, "{}", property.name);
        count += 1;
    }
    assert!(count > 25, "{count} keys have a default");
}

#[test]
fn a_required_key_is_missed() {
    let mut count = 0;
    let mut check = |path: &[&str], schema: &Value| {
        for name in schema["required"].as_array().into_iter().flatten() {
            let path = path.iter().map(|part| (*part).to_owned()).collect();
            let property = Property { path, name: name.as_str().unwrap().to_owned(), schema: Value::Null };
            let text = text(&property, None);
            let problems = read(&text).expect_err(&text);
            assert!(problems.iter().any(|problem| problem.code == "missing_key"), "{text}\n{problems:#?}");
            count += 1;
        }
    };
    let schema = schema();
    let provider = &schema["properties"]["providers"]["additionalProperties"];
    check(&["providers", "*"], provider);
    check(&["providers", "*", "prices", "*"], &provider["properties"]["prices"]["additionalProperties"]);
    check(&["routes", "*"], &schema["properties"]["routes"]["additionalProperties"]);
    assert_eq!(count, 4);
}

#[test]
fn every_key_has_its_meaning_and_every_table_is_closed() {
    for property in properties() {
        assert!(
            property.schema["description"].as_str().is_some_and(|text| text.ends_with('.')),
            "{}",
            property.name
        );
        let is_table = property.schema["properties"].is_object();
        assert!(!is_table || property.schema["additionalProperties"] == false, "{}", property.name);
    }
}

#[test]
fn the_documentation_names_every_key_with_its_default() {
    let document = include_str!("../../../../docs/configuration.md");
    for property in properties() {
        let is_table = property.schema["type"] == "object" && property.name != "headers";
        if is_table && !matches!(property.name.as_str(), "timeouts" | "prices") {
            let heading = format!("`[{}", property.name);
            assert!(document.contains(&heading), "{heading}");
            continue;
        }
        let dotted = format!("{}.{}", property.path.join("."), property.name);
        let row = document
            .lines()
            .find(|line| {
                line.starts_with(&format!("| `{}` |", property.name))
                    || line.starts_with(&format!("| `{dotted}` |"))
            })
            .unwrap_or_else(|| panic!("{dotted} is not documented"));
        if !property.schema["default"].is_null() && property.name != "max_connections" {
            assert!(row.contains(&format!("| `{}` |", property.schema["default"])), "{row}");
        }
    }
}

/// What JSON schema (draft 2020-12, validation §6 and core §10) has against `value`, as far as our schema goes: a
/// keyword this does not know is a fault of its own.
fn faults(schema: &Value, value: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (keyword, rule) in schema.as_object().into_iter().flatten() {
        let holds = match keyword.as_str() {
            "$schema" | "title" | "description" | "default" => true,
            "type" => match rule.as_str() {
                Some("object") => value.is_object(),
                Some("array") => value.is_array(),
                Some("string") => value.is_string(),
                Some("boolean") => value.is_boolean(),
                Some("integer") => value.is_i64() || value.is_u64(),
                Some("number") => value.is_number(),
                _ => false,
            },
            "enum" => rule.as_array().is_some_and(|names| names.contains(value)),
            "minimum" => value.as_f64() >= rule.as_f64(),
            "maximum" => value.as_f64() <= rule.as_f64(),
            "pattern" => {
                let pattern = rule.as_str().and_then(|pattern| Regex::new(pattern).ok());
                pattern.is_some_and(|pattern| value.as_str().is_some_and(|text| pattern.is_match(text)))
            }
            "anyOf" => rule
                .as_array()
                .is_some_and(|rules| rules.iter().any(|rule| faults(rule, value, path).is_empty())),
            "required" => rule
                .as_array()
                .into_iter()
                .flatten()
                .all(|name| !value[name.as_str().unwrap_or("")].is_null()),
            "items" => {
                found
                    .extend(value.as_array().into_iter().flatten().flat_map(|item| faults(rule, item, path)));
                true
            }
            "properties" | "additionalProperties" => {
                let properties = schema["properties"].as_object();
                for (name, value) in value.as_object().into_iter().flatten() {
                    let path = format!("{path}/{name}");
                    match properties.and_then(|properties| properties.get(name)) {
                        Some(rule) if keyword == "properties" => found.extend(faults(rule, value, &path)),
                        None if keyword != "properties" && *rule == false => found.push(path),
                        None if keyword != "properties" => found.extend(faults(rule, value, &path)),
                        _ => {}
                    }
                }
                true
            }
            _ => false,
        };
        if !holds {
            found.push(format!("{path}: {keyword}"));
        }
    }
    found
}

#[test]
fn what_the_reader_takes_the_schema_takes() {
    let document = include_str!("../../../../docs/configuration.md");
    let examples = examples(document).chain([include_str!("../../../../stepwell.example.toml")]);
    for example in examples {
        let value: Value = toml::from_str(example).unwrap();
        assert_eq!(faults(&schema(), &value, ""), [""; 0], "{example}");
    }
    for property in properties() {
        let default = &property.schema["default"];
        assert!(default.is_null() || faults(&property.schema, default, "").is_empty(), "{}", property.name);
    }
}

#[test]
fn what_a_schema_can_refuse_the_schema_refuses() {
    for (text, fault) in [
        ("lisen = 1", "/lisen"),
        ("server.lisen = 1", "/server/lisen"),
        ("server.drain_timeout = \"10\"", "/server/drain_timeout: pattern"),
        ("server.body_limit = \"10XB\"", "/server/body_limit: anyOf"),
        ("server.json_depth = 1000", "/server/json_depth: maximum"),
        ("store.url = \"postgres://db\"", "/store/url: enum"),
        ("providers.a = {}", "/providers/a: required"),
        ("providers.a = { kind = \"openai\", api_key = \"sk-plain\" }", "/providers/a/api_key: pattern"),
        (
            "providers.a = { kind = \"sim\", prices.m = { input = -1, output = 1 } }",
            "/providers/a/prices/m/input: anyOf",
        ),
        ("routes.a.targets = [7]", "/routes/a/targets: type"),
    ] {
        let value: Value = toml::from_str(text).unwrap();
        assert_eq!(faults(&schema(), &value, ""), [fault], "{text}");
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn the_schema_is_what_it_was() {
    insta::assert_snapshot!("schema", serde_json::to_string_pretty(&schema()).unwrap());
}

//! JSON schemas: a document that satisfies one, and the vendors' rules for strict ones.
//!
//! Google's own schemas are understood as well: types in any case, names in `snake_case`, whole numbers in strings.
//! Required members only; `pattern`, `not` and conditional keywords are not honoured.

use crate::json::{Json, integer, string};
use crate::text::{Draw, word};

/// How deep a synthesised document may nest before its optional depth is cut off.
const MAX_DEPTH: usize = 12;

/// How many bytes a synthesised document may have before arrays stay empty and the rest is null.
const MAX_BYTES: usize = 256 * 1_024;

/// Writes a document that satisfies `schema`, chosen by `seed`.
pub(crate) fn synthesise(schema: &Json<'_>, seed: u64) -> String {
    let mut writer = Writer { root: schema, draw: Draw::new(seed), out: Vec::new() };
    writer.value(schema, 0);
    String::from_utf8(writer.out).unwrap_or_default()
}

struct Writer<'s, 'a> {
    root: &'s Json<'a>,
    draw: Draw,
    out: Vec<u8>,
}

impl<'s, 'a> Writer<'s, 'a> {
    fn value(&mut self, schema: &'s Json<'a>, depth: usize) {
        let schema = self.resolve(schema);
        if depth > MAX_DEPTH || self.out.len() > MAX_BYTES {
            self.out.extend_from_slice(b"null");
            return;
        }
        if let Some(fixed) = schema.get("const") {
            fixed.write(&mut self.out);
            return;
        }
        if let Some(option) = pick(schema.get("enum").map_or(&[][..], Json::elements), self.draw.next()) {
            option.write(&mut self.out);
            return;
        }
        for union in ["anyOf", "any_of", "oneOf"] {
            if let Some(Json::Array(options)) = schema.get(union) {
                let shallow = options.iter().find(|option| kind(self.resolve(option)) != "null");
                if let Some(option) = shallow.or(options.first()) {
                    self.value(option, depth + 1);
                    return;
                }
            }
        }
        match kind(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "string" => self.string(schema),
            "integer" | "number" => self.number(schema),
            "boolean" => {
                let flag: &[u8] = if self.draw.next() & 1 == 0 { b"true" } else { b"false" };
                self.out.extend_from_slice(flag);
            }
            _ => self.out.extend_from_slice(b"null"),
        }
    }

    /// Follows `$ref` within the document, and a lone `allOf`.
    fn resolve(&self, schema: &'s Json<'a>) -> &'s Json<'a> {
        let mut schema = schema;
        for _ in 0..MAX_DEPTH {
            if let Some(reference) = schema.get("$ref").and_then(Json::as_str) {
                let Some(target) = follow(self.root, reference) else { return schema };
                schema = target;
            } else if let Some([only]) = schema.get("allOf").map(Json::elements) {
                schema = only;
            } else {
                break;
            }
        }
        schema
    }

    fn object(&mut self, schema: &'s Json<'a>, depth: usize) {
        self.out.push(b'{');
        let mut first = true;
        let parts = std::iter::once(schema).chain(schema.get("allOf").map_or(&[][..], Json::elements));
        for part in parts {
            let part = self.resolve(part);
            for name in part.get("required").map_or(&[][..], Json::elements) {
                let Some(name) = name.as_str() else { continue };
                if !first {
                    self.out.push(b',');
                }
                first = false;
                string(&mut self.out, name);
                self.out.push(b':');
                match part.get("properties").and_then(|properties| properties.get(name)) {
                    Some(property) => self.value(property, depth + 1),
                    None => self.out.extend_from_slice(b"\"\""),
                }
            }
        }
        self.out.push(b'}');
    }

    fn array(&mut self, schema: &'s Json<'a>, depth: usize) {
        let least = length(schema, ["minItems", "min_items"]).unwrap_or(0).clamp(0, 1_000);
        let most = length(schema, ["maxItems", "max_items"]).unwrap_or(i64::MAX);
        let wished = i64::from(depth < MAX_DEPTH);
        let length = wished.max(least).min(most.max(least));
        self.out.push(b'[');
        for index in 0..length {
            if index > 0 {
                self.out.push(b',');
            }
            match schema.get("items") {
                Some(items @ Json::Object(_)) => self.value(items, depth + 1),
                _ => string(&mut self.out, word(self.draw.next())),
            }
        }
        self.out.push(b']');
    }

    fn string(&mut self, schema: &Json<'_>) {
        let text = match schema.get("format").and_then(Json::as_str) {
            Some("date") => "2026-01-31".to_owned(),
            Some("date-time") => "2026-01-31T12:00:00Z".to_owned(),
            Some("time") => "12:00:00Z".to_owned(),
            Some("duration") => "PT1H".to_owned(),
            Some("email") => format!("{}@example.com", word(self.draw.next())),
            Some("hostname") => "example.com".to_owned(),
            Some("uri" | "url") => format!("https://example.com/{}", word(self.draw.next())),
            Some("ipv4") => "192.0.2.1".to_owned(),
            Some("ipv6") => "2001:db8::1".to_owned(),
            Some("uuid") => {
                let (high, low) = (self.draw.next(), self.draw.next());
                let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0x0fff);
                format!("{a:08x}-{b:04x}-4{c:03x}-8{:03x}-{:012x}", low >> 52, low & 0xffff_ffff_ffff)
            }
            _ => self.words(schema),
        };
        string(&mut self.out, &text);
    }

    fn words(&mut self, schema: &Json<'_>) -> String {
        let bound = |names| length(schema, names).and_then(|length| usize::try_from(length).ok());
        let least = bound(["minLength", "min_length"]).unwrap_or(0).min(100_000);
        let mut text = word(self.draw.next()).to_owned();
        while text.len() < least {
            text.push(' ');
            text.push_str(word(self.draw.next()));
        }
        text.truncate(bound(["maxLength", "max_length"]).unwrap_or(usize::MAX).max(least));
        text
    }

    fn number(&mut self, schema: &Json<'_>) {
        let bound = |name: &str| match schema.get(name) {
            Some(Json::Int(number)) => Some(*number),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the cast saturates, and the sum below is checked"
            )]
            Some(Json::Float(number)) => Some(number.ceil() as i64),
            _ => None,
        };
        let over = |name| bound(name).map(|least| least.saturating_add(1));
        let under = |name| bound(name).map(|most| most.saturating_sub(1));
        let least = bound("minimum").or_else(|| over("exclusiveMinimum"));
        let most = bound("maximum").or_else(|| under("exclusiveMaximum"));
        let (least, most) = match (least, most) {
            (Some(least), Some(most)) => (least, most.max(least)),
            (Some(least), None) => (least, least.saturating_add(99)),
            (None, Some(most)) => (most.saturating_sub(99), most),
            (None, None) => (1, 100),
        };
        let span = most.saturating_sub(least).saturating_add(1).max(1);
        let offset = i64::try_from(self.draw.next() >> 1).unwrap_or(0) % span;
        let mut number = least.saturating_add(offset);
        if let Some(step) = bound("multipleOf").filter(|step| *step > 1) {
            let multiple = number.div_euclid(step).saturating_mul(step);
            number = if multiple < least { multiple.saturating_add(step) } else { multiple };
        }
        integer(&mut self.out, number);
    }
}

/// The bound of a length, by either name.
fn length(schema: &Json<'_>, names: [&str; 2]) -> Option<i64> {
    match names.into_iter().find_map(|name| schema.get(name))? {
        Json::Str(text) => text.parse().ok(),
        other => other.as_int(),
    }
}

fn pick<'s, 'a>(options: &'s [Json<'a>], draw: u64) -> Option<&'s Json<'a>> {
    let length = u64::try_from(options.len()).ok().filter(|length| *length > 0)?;
    options.get(usize::try_from(draw % length).ok()?)
}

/// The type of a schema, or what its keywords say it is.
fn kind<'s>(schema: &'s Json<'_>) -> &'s str {
    const TYPES: [&str; 7] = ["object", "array", "string", "integer", "number", "boolean", "null"];
    match schema.get("type") {
        Some(Json::Str(name)) => {
            TYPES.into_iter().find(|known| known.eq_ignore_ascii_case(name)).unwrap_or(name)
        }
        Some(Json::Array(names)) => {
            names.iter().filter_map(Json::as_str).find(|name| *name != "null").unwrap_or("null")
        }
        _ if schema.get("properties").is_some() || schema.get("required").is_some() => "object",
        _ if schema.get("allOf").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "string",
    }
}

fn follow<'s, 'a>(root: &'s Json<'a>, reference: &str) -> Option<&'s Json<'a>> {
    let pointer = reference.strip_prefix('#')?;
    pointer
        .split('/')
        .filter(|step| !step.is_empty())
        .try_fold(root, |place, step| place.get(&step.replace("~1", "/").replace("~0", "~")))
}

/// A rule that a strict schema breaks: where, and which.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// The path within the schema.
    pub(crate) context: Vec<String>,
    /// Which rule.
    pub(crate) rule: Rule,
}

/// The rules of strict schemas.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// An object without `additionalProperties: false`.
    Open,
    /// A property that `required` does not list.
    NotRequired(String),
    /// A keyword that constrained decoding does not know, and the type it is on.
    Keyword(String, String),
}

/// Which rules hold for a strict schema.
#[derive(Clone, Copy)]
pub(crate) struct Strictness {
    /// Whether every property must be required (OpenAI).
    pub(crate) all_required: bool,
    /// Keywords that are refused (Anthropic).
    pub(crate) refused: &'static [&'static str],
}

/// OpenAI's `strict: true`.
pub(crate) const OPENAI_STRICT: Strictness = Strictness { all_required: true, refused: &[] };

/// Anthropic's structured outputs and strict tools.
pub(crate) const ANTHROPIC_STRICT: Strictness = Strictness {
    all_required: false,
    refused: &[
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "maxItems",
        "uniqueItems",
    ],
};

/// The first rule that `schema` breaks.
pub(crate) fn broken(schema: &Json<'_>, strictness: Strictness) -> Option<Broken> {
    let mut context = Vec::new();
    first_broken(schema, strictness, &mut context).map(|rule| Broken { context, rule })
}

fn first_broken(schema: &Json<'_>, strictness: Strictness, context: &mut Vec<String>) -> Option<Rule> {
    let Json::Object(members) = schema else { return None };
    if let Some(keyword) = strictness.refused.iter().find(|keyword| schema.get(keyword).is_some()) {
        return Some(Rule::Keyword((*keyword).to_owned(), kind(schema).to_owned()));
    }
    if kind(schema) == "object" && schema.get("$ref").is_none() && schema.get("anyOf").is_none() {
        if schema.get("additionalProperties") != Some(&Json::Bool(false)) {
            return Some(Rule::Open);
        }
        if strictness.all_required {
            let required = schema.get("required").map_or(&[][..], Json::elements);
            if let Some(Json::Object(properties)) = schema.get("properties") {
                let missing = |name: &str| !required.iter().any(|listed| listed.as_str() == Some(name));
                if let Some((name, _)) = properties.iter().find(|(name, _)| missing(name)) {
                    return Some(Rule::NotRequired(name.to_string()));
                }
            }
        }
    }
    for (keyword, value) in members {
        let keyword: &str = keyword;
        match (keyword, value) {
            ("properties" | "$defs" | "definitions", Json::Object(schemas)) => {
                for (name, schema) in schemas {
                    context.extend([keyword.to_owned(), name.to_string()]);
                    if let Some(rule) = first_broken(schema, strictness, context) {
                        return Some(rule);
                    }
                    context.truncate(context.len() - 2);
                }
            }
            ("items", schema) => {
                context.push(keyword.to_owned());
                if let Some(rule) = first_broken(schema, strictness, context) {
                    return Some(rule);
                }
                context.pop();
            }
            ("anyOf" | "allOf" | "oneOf", Json::Array(schemas)) => {
                for (index, schema) in schemas.iter().enumerate() {
                    context.extend([keyword.to_owned(), index.to_string()]);
                    if let Some(rule) = first_broken(schema, strictness, context) {
                        return Some(rule);
                    }
                    context.truncate(context.len() - 2);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(schema: &str) -> serde_json::Value {
        let text = synthesise(&Json::parse(schema.as_bytes()).unwrap(), 7);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn required_members_are_there_and_of_their_type() {
        let made = document(
            r##"{"type":"object","required":["s","i","n","b","e","a","o","d","u","r","c"],"properties":{
            "s":{"type":"string","minLength":30},"i":{"type":"integer","minimum":5,"maximum":6},
            "n":{"type":"number","exclusiveMinimum":10,"multipleOf":5},"b":{"type":"boolean"},
            "e":{"enum":["x","y"]},"a":{"type":"array","minItems":3,"items":{"type":["null","integer"]}},
            "o":{"type":"object","required":["k"],"properties":{"k":{"const":4}}},
            "d":{"type":"string","format":"date"},"u":{"anyOf":[{"type":"null"},{"type":"boolean"}]},
            "r":{"$ref":"#/$defs/node"},"c":{"allOf":[{"type":"string"}]},"optional":{"type":"string"}},
            "$defs":{"node":{"type":"object","required":["children"],"properties":{
            "children":{"type":"array","items":{"$ref":"#/$defs/node"}}}}}}"##,
        );
        assert!(made["s"].as_str().unwrap().len() >= 30);
        assert!([5, 6].contains(&made["i"].as_i64().unwrap()));
        assert_eq!(made["n"].as_i64().unwrap() % 5, 0);
        assert!(made["n"].as_i64().unwrap() > 10);
        assert!(made["b"].is_boolean() && made["u"].is_boolean() && made["c"].is_string());
        assert!(["x", "y"].contains(&made["e"].as_str().unwrap()));
        assert_eq!(made["a"].as_array().unwrap().len(), 3);
        assert_eq!(made["o"]["k"], 4);
        assert_eq!(made["d"], "2026-01-31");
        assert!(made["r"]["children"].is_array());
        assert!(made.get("optional").is_none());
    }

    #[test]
    fn a_schema_that_asks_for_too_much_gets_a_bounded_document() {
        let mut schema = r#"{"type":"string"}"#.to_owned();
        for _ in 0..11 {
            schema = format!(r#"{{"type":"array","minItems":1000,"items":{schema}}}"#);
        }
        let text = synthesise(&Json::parse(schema.as_bytes()).unwrap(), 1);
        assert!(text.len() < 2 * MAX_BYTES, "{}", text.len());
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }

    #[test]
    fn a_strict_schema_must_close_its_objects_and_require_their_properties() {
        let rule = |text: &str, strictness| {
            broken(&Json::parse(text.as_bytes()).unwrap(), strictness).map(|broken| broken.rule)
        };
        let open = r#"{"type":"object","properties":{"a":{"type":"string"}}}"#;
        assert_eq!(rule(open, OPENAI_STRICT), Some(Rule::Open));
        assert_eq!(rule(open, ANTHROPIC_STRICT), Some(Rule::Open));
        let loose = r#"{"type":"object","additionalProperties":false,"properties":{"a":{"type":"string"}}}"#;
        assert_eq!(rule(loose, OPENAI_STRICT), Some(Rule::NotRequired("a".to_owned())));
        assert_eq!(rule(loose, ANTHROPIC_STRICT), None);
        let bounded = r#"{"type":"array","items":{"type":"integer","minimum":1}}"#;
        let keyword = Rule::Keyword("minimum".to_owned(), "integer".to_owned());
        assert_eq!(rule(bounded, ANTHROPIC_STRICT), Some(keyword));
    }
}

//! Reads `text` and `reasoning`: what the text of a reply must be, and how much is thought before it.

use crate::ask::{Format, Thinking};
use crate::check::{Fields, Invalid, Path, Shape, is_identifier};
use crate::json::Json;

use super::super::request::{effort_tokens, strict_schema};

/// The tokens of reasoning that are made when nobody says how many: those of the effort `medium`.
const USUAL_REASONING: u32 = 32;

/// Reads `reasoning`. Reasoning is always an item of the output; its text is shown if a summary is asked for.
pub(super) fn reasoning(fields: &Fields<'_, '_, '_>) -> Result<Thinking, Invalid> {
    const REASONING: Shape = Shape {
        required: &[],
        optional: &["mode"],
        nullable: &["effort", "summary", "generate_summary", "context"],
    };
    const SUMMARIES: &[&str] = &["auto", "concise", "detailed"];
    let Some(json) = fields.object("reasoning")? else { return Ok(Thinking::Off) };
    let path = fields.at("reasoning");
    let options = REASONING.read(json, &path)?;
    options.text("mode")?;
    options.choice("context", &["auto", "current_turn", "all_turns"])?;
    let summary = options.choice("summary", SUMMARIES)?.or(options.choice("generate_summary", SUMMARIES)?);
    let asked = effort_tokens(&options, "effort")?;
    let usual = (options.get("effort").is_none() && summary.is_some()).then_some(USUAL_REASONING);
    Ok(match asked.or(usual) {
        Some(tokens) => Thinking::Shown { tokens, omitted: summary.is_none() },
        None => Thinking::Off,
    })
}

/// Reads `text`.
pub(super) fn text<'j, 'a>(fields: &Fields<'j, 'a, '_>) -> Result<Format<'j, 'a>, Invalid> {
    const TEXT: Shape = Shape { required: &[], optional: &["format"], nullable: &["verbosity"] };
    const PLAIN: Shape = Shape { required: &["type"], optional: &[], nullable: &[] };
    const WITH_SCHEMA: Shape =
        Shape { required: &["type", "name", "schema"], optional: &["description"], nullable: &["strict"] };
    let Some(text) = fields.object("text")? else { return Ok(Format::Text) };
    let path = fields.at("text");
    let options = TEXT.read(text, &path)?;
    options.choice("verbosity", &["low", "medium", "high"])?;
    let Some(format) = options.object("format")? else { return Ok(Format::Text) };
    let path = options.at("format");
    match format.get("type").and_then(Json::as_str) {
        Some("text") => PLAIN.read(format, &path).map(|_| Format::Text),
        Some("json_object") => {
            PLAIN.read(format, &path)?;
            let input = fields.get("input").map(Json::text).unwrap_or_default();
            if !input.to_ascii_lowercase().contains("json") {
                return Err(fields.at("input").rule(
                    "Response input messages must contain the word 'json' in some form to use 'text.format' of type \
                     'json_object'.",
                ));
            }
            Ok(Format::JsonObject)
        }
        Some("json_schema") => json_schema(format, &WITH_SCHEMA.read(format, &path)?, &path),
        _ => PLAIN
            .read(format, &path)?
            .choice("type", &["json_object", "json_schema", "text"])
            .map(|_| Format::Text),
    }
}

fn json_schema<'j, 'a>(
    format: &'j Json<'a>,
    fields: &Fields<'_, '_, '_>,
    path: &Path<'_>,
) -> Result<Format<'j, 'a>, Invalid> {
    let name = fields.required_text("name")?;
    if !is_identifier(name, 64) {
        return Err(path.key("name").rule_with_code(
            "invalid_value",
            "Invalid 'text.format.name': string does not match pattern. Expected a string that matches the pattern \
             '^[a-zA-Z0-9_-]+$'.",
        ));
    }
    fields.text("description")?;
    fields.object("schema")?;
    let strict = fields.flag("strict")?.unwrap_or(false);
    let Some(schema) = format.get("schema") else { return Ok(Format::JsonObject) };
    if strict {
        let owner = format!("response_format '{name}'");
        strict_schema(schema, &owner, "invalid_json_schema", &path.key("schema"))?;
    }
    Ok(Format::Schema(schema))
}

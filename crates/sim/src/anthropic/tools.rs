//! Reads `tools` and `tool_choice`.

use crate::ask::{Choice, Prompt, Tool};
use crate::check::{Fields, Invalid, Path, Problem, Shape, is_identifier};
use crate::json::Json;

use super::blocks::{Breakpoints, cache_control};
use super::request::strict_schema;

/// The tools of a request.
pub(super) struct Tools<'j, 'a> {
    /// Those that may be called.
    pub(super) allowed: Vec<Tool<'j, 'a>>,
    /// Whether they must be.
    pub(super) choice: Choice<'j>,
    /// Whether more than one may be.
    pub(super) parallel: bool,
}

/// Reads the tools of a request into the prompt.
pub(super) fn read<'j, 'a>(
    fields: &Fields<'j, 'a, '_>,
    prompt: &mut Prompt<'j>,
    breakpoints: &mut Breakpoints,
) -> Result<Tools<'j, 'a>, Invalid> {
    let path = fields.at("tools");
    let mut tools: Vec<Tool<'j, 'a>> = Vec::new();
    for (index, tool) in fields.array("tools")?.unwrap_or_default().iter().enumerate() {
        let path = path.index(index);
        let read = read_tool(tool, &path)?;
        if tools.iter().any(|earlier| earlier.name == read.name) {
            return Err(Path::ROOT.key("tools").rule("Tool names must be unique."));
        }
        tools.push(read);
        prompt.json(tool);
        let path = path.key("cache_control");
        if let Some(lifetime) = cache_control(tool.get("cache_control"), &path)? {
            breakpoints.add(lifetime, &path)?;
            prompt.boundary(lifetime);
        }
    }
    let (choice, parallel) = choice(fields, &tools)?;
    Ok(Tools { allowed: tools, choice, parallel })
}

fn read_tool<'j, 'a>(tool: &'j Json<'a>, path: &Path<'_>) -> Result<Tool<'j, 'a>, Invalid> {
    const TOOL: Shape = Shape {
        required: &["name", "input_schema"],
        optional: &["description", "strict", "defer_loading", "input_examples", "allowed_callers"],
        nullable: &["type", "cache_control", "eager_input_streaming"],
    };
    if let Some(kind) = tool.get("type").and_then(Json::as_str).filter(|kind| *kind != "custom") {
        return Err(path.key("type").rule(format!("'{kind}' is not simulated: only client tools are.")));
    }
    // A tool without a type is named by the tag the vendor tries.
    let tagged = path.key("custom");
    let fields = TOOL.read(tool, &tagged)?;
    fields.text("description")?;
    fields.array("input_examples")?;
    fields.array("allowed_callers")?;
    fields.flag("defer_loading")?;
    fields.flag("eager_input_streaming")?;
    let strict = fields.flag("strict")?.unwrap_or(false);
    let name = fields.required_text("name")?;
    if !is_identifier(name, 128) {
        return Err(tagged.key("name").rule("String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"));
    }
    let schema = fields.object("input_schema")?;
    let path = tagged.key("input_schema");
    if let Some(schema) = schema {
        match schema.get("type") {
            Some(Json::Str(kind)) if kind == "object" => {}
            Some(other) => {
                let got = other.as_str().unwrap_or_default().to_owned();
                return Err(path.key("type").invalid(Problem::NotAllowed { got, allowed: &["object"] }));
            }
            None => return Err(path.key("type").invalid(Problem::Missing)),
        }
        if strict {
            strict_schema(schema, &path)?;
        }
    }
    Ok(Tool { name, schema })
}

fn choice<'j>(fields: &Fields<'j, '_, '_>, tools: &[Tool<'j, '_>]) -> Result<(Choice<'j>, bool), Invalid> {
    const OPEN: Shape =
        Shape { required: &["type"], optional: &["disable_parallel_tool_use"], nullable: &[] };
    const NAMED: Shape =
        Shape { required: &["type", "name"], optional: &["disable_parallel_tool_use"], nullable: &[] };
    const NONE: Shape = Shape { required: &["type"], optional: &[], nullable: &[] };
    let Some(choice) = fields.object("tool_choice")? else { return Ok((Choice::Auto, true)) };
    let path = fields.at("tool_choice");
    if tools.is_empty() {
        return Err(path.rule("tool_choice may only be specified while providing tools."));
    }
    let shape = match choice.get("type").and_then(Json::as_str) {
        Some("tool") => &NAMED,
        Some("none") => &NONE,
        _ => &OPEN,
    };
    let read = shape.read(choice, &path)?;
    let kind = read.choice("type", &["auto", "any", "tool", "none"])?;
    let parallel = !read.flag("disable_parallel_tool_use")?.unwrap_or(false);
    Ok(match kind {
        Some("any") => (Choice::Any, parallel),
        Some("none") => (Choice::Never, parallel),
        Some("tool") => {
            let name = read.required_text("name")?;
            if !tools.iter().any(|tool| tool.name == name) {
                return Err(Path::ROOT.rule(format!("Tool '{name}' not found in provided tools")));
            }
            (Choice::Named(name), parallel)
        }
        _ => (Choice::Auto, parallel),
    })
}

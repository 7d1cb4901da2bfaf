//! Reads `tools`, `tool_choice` and `parallel_tool_calls`. Unlike in a chat completion, a function is not in an object of
//! its own.
//!
//! <https://platform.openai.com/docs/guides/function-calling?api-mode=responses>

use crate::ask::{Choice, Prompt, Tool};
use crate::check::{Fields, Invalid, Path, Problem, Shape};
use crate::json::Json;
use crate::schema;
use crate::shapes;

use super::super::tools::{Tools, check_name, check_parameters};
use super::settings::Settings;

/// Tools that OpenAI runs itself, or that take no JSON: the simulator has none of them.
const NOT_SIMULATED: &[&str] = &[
    "apply_patch",
    "code_interpreter",
    "computer",
    "computer_use_preview",
    "custom",
    "file_search",
    "image_generation",
    "local_shell",
    "mcp",
    "namespace",
    "shell",
    "tool_search",
    "web_search",
    "web_search_preview",
];

/// Reads the tools of a request.
pub(super) fn read<'j, 'a>(
    fields: &Fields<'j, 'a, '_>,
    prompt: &mut Prompt<'j>,
    settings: &mut Settings,
) -> Result<Tools<'j, 'a>, Invalid> {
    let list = fields.array("tools")?.unwrap_or_default();
    let path = fields.at("tools");
    shapes::at_most(&path, list.len(), 128)?;
    let mut allowed = Vec::with_capacity(list.len());
    for (index, tool) in list.iter().enumerate() {
        allowed.push(function_tool(tool, &path.index(index), settings)?);
        prompt.json(tool);
    }
    let parallel = fields.flag("parallel_tool_calls")?.unwrap_or(true);
    let choice = choice(fields, &mut allowed)?;
    Ok(Tools { allowed, choice, parallel })
}

fn function_tool<'j, 'a>(
    tool: &'j Json<'a>,
    path: &Path<'_>,
    settings: &mut Settings,
) -> Result<Tool<'j, 'a>, Invalid> {
    const TOOL: Shape = Shape {
        required: &["type", "name"],
        optional: &["async", "defer_loading"],
        nullable: &["parameters", "strict", "description", "allowed_callers", "output_schema"],
    };
    let kind = kind(tool, path)?;
    if NOT_SIMULATED.contains(&kind) {
        let message = format!("Tools of type '{kind}' are not simulated.");
        return Err(path.key("type").rule_with_code("unsupported_value", message));
    }
    if kind != "function" {
        return Err(path
            .key("type")
            .invalid(Problem::NotAllowed { got: kind.to_owned(), allowed: &["function"] }));
    }
    named(tool, path)?;
    let fields = TOOL.read(tool, path)?;
    let name = fields.required_text("name")?;
    check_name(name, &path.key("name"))?;
    fields.text("description")?;
    fields.unsupported(&["async", "defer_loading", "allowed_callers", "output_schema"])?;
    let schema = fields.object("parameters")?;
    let wanted = fields.flag("strict")?;
    if let Some(schema) = schema {
        check_parameters(schema, name, wanted == Some(true), &path.key("parameters"))?;
    }
    // Functions are strict where nobody says otherwise and their parameters allow it.
    let strict = wanted.unwrap_or_else(|| {
        schema.is_some_and(|schema| schema::broken(schema, schema::OPENAI_STRICT).is_none())
    });
    settings.tool(name, &fields, strict);
    Ok(Tool { name, schema })
}

/// The `type` of a tool, or of a choice of one.
fn kind<'j>(tool: &'j Json<'_>, path: &Path<'_>) -> Result<&'j str, Invalid> {
    match tool.get("type") {
        Some(Json::Str(kind)) => Ok(kind),
        Some(other) => Err(path.key("type").wrong_type("a string", other)),
        None if matches!(tool, Json::Object(_)) => Err(path.key("type").invalid(Problem::Missing)),
        None => Err(path.wrong_type("an object", tool)),
    }
}

/// Refuses a function in the form of a chat completion as OpenAI does: by the name that is missing.
fn named(tool: &Json<'_>, path: &Path<'_>) -> Result<(), Invalid> {
    match tool.get("name") {
        Some(_) => Ok(()),
        None => Err(path.key("name").invalid(Problem::Missing)),
    }
}

fn choice<'j, 'a>(fields: &Fields<'j, 'a, '_>, tools: &mut Vec<Tool<'j, 'a>>) -> Result<Choice<'j>, Invalid> {
    const ALLOWED: Shape = Shape { required: &["type", "mode", "tools"], optional: &[], nullable: &[] };
    let path = fields.at("tool_choice");
    let chosen = match fields.get("tool_choice") {
        None => return Ok(Choice::Auto),
        Some(Json::Str(text)) => return mode(text, &path, tools),
        Some(chosen) => chosen,
    };
    match kind(chosen, &path)? {
        "function" => function(chosen, &path, tools).map(Choice::Named),
        "allowed_tools" => {
            let set = ALLOWED.read(chosen, &path)?;
            let required = set.choice("mode", &["auto", "required"])? == Some("required");
            let list = path.key("tools");
            let mut kept = Vec::new();
            for (index, tool) in set.array("tools")?.unwrap_or_default().iter().enumerate() {
                kept.push(function(tool, &list.index(index), tools)?);
            }
            tools.retain(|tool| kept.contains(&tool.name));
            Ok(if required { Choice::Any } else { Choice::Auto })
        }
        other if NOT_SIMULATED.contains(&other) => Err(path
            .key("type")
            .rule_with_code("unsupported_value", format!("Tools of type '{other}' are not simulated."))),
        other => Err(path
            .key("type")
            .invalid(Problem::NotAllowed { got: other.to_owned(), allowed: &["function", "allowed_tools"] })),
    }
}

fn mode<'j>(text: &str, path: &Path<'_>, tools: &[Tool<'_, '_>]) -> Result<Choice<'j>, Invalid> {
    match text {
        "auto" => Ok(Choice::Auto),
        "none" => Ok(Choice::Never),
        "required" if tools.is_empty() => {
            Err(path.rule("Tool choice 'required' must be specified with 'tools' parameter."))
        }
        "required" => Ok(Choice::Any),
        other => Err(path
            .invalid(Problem::NotAllowed { got: other.to_owned(), allowed: &["none", "auto", "required"] })),
    }
}

/// The name in `{"type": "function", "name": ...}`, if it is one of the tools.
fn function<'j>(json: &Json<'_>, path: &Path<'_>, tools: &[Tool<'j, '_>]) -> Result<&'j str, Invalid> {
    const FUNCTION: Shape = Shape { required: &["type", "name"], optional: &[], nullable: &[] };
    named(json, path)?;
    let fields = FUNCTION.read(json, path)?;
    fields.choice("type", &["function"])?;
    let name = fields.required_text("name")?;
    let found = tools.iter().map(|tool| tool.name).find(|tool| *tool == name);
    found.ok_or_else(|| path.rule("Tool choice 'function' not found in 'tools' parameter."))
}

//! Reads `tools`, `tool_choice` and `parallel_tool_calls`.

use crate::ask::{Choice, Prompt, Tool};
use crate::check::{Fields, Invalid, Path, Problem, Shape, is_identifier};
use crate::json::Json;
use crate::shapes;

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

/// Reads the tools of a request.
pub(super) fn read<'j, 'a>(
    fields: &Fields<'j, 'a, '_>,
    prompt: &mut Prompt<'j>,
) -> Result<Tools<'j, 'a>, Invalid> {
    let Some(list) = fields.array("tools")? else {
        for name in ["tool_choice", "parallel_tool_calls"] {
            if fields.get(name).is_some() {
                return Err(fields
                    .at(name)
                    .rule(format!("'{name}' is only allowed when 'tools' are specified.")));
            }
        }
        return Ok(Tools { allowed: Vec::new(), choice: Choice::Auto, parallel: true });
    };
    let path = fields.at("tools");
    if list.is_empty() {
        return Err(path.rule_with_code(
            "empty_array",
            "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.",
        ));
    }
    shapes::at_most(&path, list.len(), 128)?;
    let mut tools = Vec::with_capacity(list.len());
    for (index, tool) in list.iter().enumerate() {
        tools.push(function_tool(tool, &path.index(index))?);
        prompt.json(tool);
    }
    let parallel = fields.flag("parallel_tool_calls")?.unwrap_or(true);
    let choice = choice(fields, &mut tools)?;
    Ok(Tools { allowed: tools, choice, parallel })
}

fn function_tool<'j, 'a>(tool: &'j Json<'a>, path: &Path<'_>) -> Result<Tool<'j, 'a>, Invalid> {
    const TOOL: Shape = Shape { required: &["type", "function"], optional: &[], nullable: &[] };
    const FUNCTION: Shape =
        Shape { required: &["name"], optional: &["description", "parameters"], nullable: &["strict"] };
    if tool.get("type").and_then(Json::as_str) == Some("custom") {
        return Err(path.rule_with_code("unsupported_value", "Custom tools are not simulated."));
    }
    TOOL.read(tool, path)?.choice("type", &["function"])?;
    let path = path.key("function");
    let Some(function) = tool.get("function") else { return Err(path.invalid(Problem::Missing)) };
    let fields = FUNCTION.read(function, &path)?;
    fields.required_text("name")?;
    fields.text("description")?;
    fields.object("parameters")?;
    let strict = fields.flag("strict")?.unwrap_or(false);
    let name = function.get("name").and_then(Json::as_str).unwrap_or_default();
    check_name(name, &path.key("name"))?;
    let schema = function.get("parameters");
    if let Some(schema) = schema {
        check_parameters(schema, name, strict, &path.key("parameters"))?;
    }
    Ok(Tool { name, schema })
}

/// Refuses what is no name of a function.
pub(super) fn check_name(name: &str, path: &Path<'_>) -> Result<(), Invalid> {
    if is_identifier(name, 64) {
        return Ok(());
    }
    Err(path.rule_with_code(
        "invalid_value",
        format!(
            "Invalid '{}': string does not match pattern. Expected a string that matches the pattern \
             '^[a-zA-Z0-9_-]+$'.",
            path.bracketed()
        ),
    ))
}

/// Refuses a schema that the parameters of a function cannot have.
pub(super) fn check_parameters(
    schema: &Json<'_>,
    name: &str,
    strict: bool,
    path: &Path<'_>,
) -> Result<(), Invalid> {
    let kind = schema.get("type").and_then(Json::as_str);
    if kind != Some("object") {
        return Err(path.rule_with_code(
            "invalid_function_parameters",
            format!(
                "Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"', got \
                 'type: \"{}\"'.",
                kind.unwrap_or("None")
            ),
        ));
    }
    if strict {
        strict_schema(schema, &format!("function '{name}'"), "invalid_function_parameters", path)?;
    }
    Ok(())
}

fn choice<'j, 'a>(fields: &Fields<'j, 'a, '_>, tools: &mut Vec<Tool<'j, 'a>>) -> Result<Choice<'j>, Invalid> {
    const NAMED: Shape = Shape { required: &["type", "function"], optional: &[], nullable: &[] };
    const ALLOWED: Shape = Shape { required: &["type", "allowed_tools"], optional: &[], nullable: &[] };
    const SET: Shape = Shape { required: &["mode", "tools"], optional: &[], nullable: &[] };
    let path = fields.at("tool_choice");
    let named = match fields.get("tool_choice") {
        None => return Ok(Choice::Auto),
        Some(Json::Str(text)) => {
            return match &**text {
                "auto" => Ok(Choice::Auto),
                "none" => Ok(Choice::Never),
                "required" => Ok(Choice::Any),
                other => Err(path.invalid(Problem::NotAllowed {
                    got: other.to_owned(),
                    allowed: &["none", "auto", "required"],
                })),
            };
        }
        Some(named) => named,
    };
    if named.get("type").and_then(Json::as_str) == Some("allowed_tools") {
        ALLOWED.read(named, &path)?;
        let set_path = path.key("allowed_tools");
        let Some(set) = named.get("allowed_tools") else { return Err(set_path.invalid(Problem::Missing)) };
        let required = SET.read(set, &set_path)?.choice("mode", &["auto", "required"])? == Some("required");
        let mut kept = Vec::new();
        for (index, tool) in set.get("tools").map_or(&[][..], Json::elements).iter().enumerate() {
            let tool_path = set_path.key("tools");
            kept.push(listed(tool, &tool_path.index(index), tools)?);
        }
        tools.retain(|tool| kept.contains(&tool.name));
        return Ok(if required { Choice::Any } else { Choice::Auto });
    }
    NAMED.read(named, &path)?.choice("type", &["function"])?;
    listed(named, &path, tools).map(Choice::Named)
}

/// The name in `{"type": "function", "function": {"name": ...}}`, if it is one of the tools.
fn listed<'j>(json: &Json<'_>, path: &Path<'_>, tools: &[Tool<'j, '_>]) -> Result<&'j str, Invalid> {
    const NAME: Shape = Shape { required: &["name"], optional: &[], nullable: &[] };
    let path = path.key("function");
    let Some(function) = json.get("function") else { return Err(path.invalid(Problem::Missing)) };
    let name = NAME.read(function, &path)?.required_text("name")?;
    tools.iter().map(|tool| tool.name).find(|tool| *tool == name).ok_or_else(|| {
        path.key("name").rule(format!("Tool choice 'function' with name '{name}' was not found in 'tools'."))
    })
}

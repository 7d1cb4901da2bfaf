//! Reads `toolConfig`: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html>

use crate::ask::{Choice, Prompt, Tool};
use crate::check::{Fields, Invalid, Path, Shape, is_identifier};
use crate::json::Json;
use crate::schema;

use super::blocks::{CACHE_POINT, Points};

/// The tools of a request.
pub(super) struct Tools<'j, 'a> {
    /// Those that may be called.
    pub(super) allowed: Vec<Tool<'j, 'a>>,
    /// Whether they must be.
    pub(super) choice: Choice<'j>,
    /// Whether there is a `toolConfig`.
    pub(super) configured: bool,
}

/// Reads the tools of a request into the prompt.
pub(super) fn read<'j, 'a>(
    fields: &Fields<'j, 'a, '_>,
    prompt: &mut Prompt<'j>,
    points: &mut Points,
) -> Result<Tools<'j, 'a>, Invalid> {
    const CONFIG: Shape = Shape { required: &["tools"], optional: &["toolChoice"], nullable: &[] };
    const TOOL: Shape =
        Shape { required: &[], optional: &["toolSpec", CACHE_POINT, "systemTool"], nullable: &[] };
    let Some(config) = fields.object("toolConfig")? else {
        return Ok(Tools { allowed: Vec::new(), choice: Choice::Auto, configured: false });
    };
    let path = fields.at("toolConfig");
    let config = CONFIG.read(config, &path)?;
    let list = path.key("tools");
    let tools = config.array("tools")?.unwrap_or_default();
    if tools.is_empty() {
        return Err(list.rule(format!(
            "1 validation error detected: Value '[]' at '{}' failed to satisfy constraint: Member must have length \
             greater than or equal to 1",
            list.dotted()
        )));
    }
    let mut allowed: Vec<Tool<'j, 'a>> = Vec::new();
    for (index, json) in tools.iter().enumerate() {
        let path = list.index(index);
        let tool = TOOL.read(json, &path)?;
        tool.unsupported(&["systemTool"])?;
        match (tool.object("toolSpec")?, tool.object(CACHE_POINT)?) {
            (Some(spec), None) => {
                let read = read_spec(spec, &path.key("toolSpec"))?;
                if allowed.iter().any(|earlier| earlier.name == read.name) {
                    return Err(path.rule(format!(
                        "The tool {} is already defined at {}.",
                        read.name,
                        list.dotted()
                    )));
                }
                allowed.push(read);
                prompt.json(json);
            }
            (None, Some(point)) => prompt.boundary(points.read(point, &path.key(CACHE_POINT))?),
            _ => {
                return Err(
                    path.rule(format!("Exactly one member of the union at {} may be set.", path.dotted()))
                );
            }
        }
    }
    let choice = choice(&config, &path, &allowed)?;
    Ok(Tools { allowed, choice, configured: true })
}

/// Refuses a name that no tool may have.
pub(super) fn check_name(name: &str, path: &Path<'_>) -> Result<(), Invalid> {
    if is_identifier(name, 64) {
        return Ok(());
    }
    Err(path.rule(format!(
        "1 validation error detected: Value '{name}' at '{}' failed to satisfy constraint: Member must satisfy regular \
         expression pattern: [a-zA-Z0-9_-]+ and have length less than or equal to 64",
        path.dotted()
    )))
}

fn read_spec<'j, 'a>(json: &'j Json<'a>, path: &Path<'_>) -> Result<Tool<'j, 'a>, Invalid> {
    const SPEC: Shape =
        Shape { required: &["name", "inputSchema"], optional: &["description", "strict"], nullable: &[] };
    const INPUT: Shape = Shape { required: &["json"], optional: &[], nullable: &[] };
    let fields = SPEC.read(json, path)?;
    let name = fields.required_text("name")?;
    check_name(name, &path.key("name"))?;
    if fields.text("description")?.is_some_and(str::is_empty) {
        return Err(path.key("description").rule("The description of a tool must not be empty."));
    }
    let strict = fields.flag("strict")?.unwrap_or(false);
    let input = path.key("inputSchema");
    let Some(schema) = fields.object("inputSchema")? else { return Ok(Tool { name, schema: None }) };
    let schema = INPUT.read(schema, &input)?.object("json")?;
    let place = input.key("json");
    if schema.is_some_and(|schema| schema.get("type").and_then(Json::as_str) != Some("object")) {
        let at = place.key("type").dotted();
        return Err(place.rule(format!("The value at {at} must be one of the following: object.")));
    }
    if let Some(schema) = schema.filter(|_| strict) {
        strict_schema(schema, &place)?;
    }
    Ok(Tool { name, schema })
}

/// Refuses a schema that structured outputs do not take.
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html>
pub(super) fn strict_schema(schema: &Json<'_>, path: &Path<'_>) -> Result<(), Invalid> {
    if schema::broken(schema, schema::ANTHROPIC_STRICT).is_none() {
        return Ok(());
    }
    let at = path.dotted();
    Err(path.rule(format!("The schema at {at} has keywords that structured outputs do not support.")))
}

fn choice<'j>(
    config: &Fields<'j, '_, '_>,
    path: &Path<'_>,
    tools: &[Tool<'j, '_>],
) -> Result<Choice<'j>, Invalid> {
    const CHOICE: Shape = Shape { required: &[], optional: &["auto", "any", "tool"], nullable: &[] };
    const NAMED: Shape = Shape { required: &["name"], optional: &[], nullable: &[] };
    let Some(choice) = config.object("toolChoice")? else { return Ok(Choice::Auto) };
    let path = path.key("toolChoice");
    let choice = CHOICE.read(choice, &path)?;
    match (choice.object("auto")?, choice.object("any")?, choice.object("tool")?) {
        (Some(_), None, None) => Ok(Choice::Auto),
        (None, Some(_), None) => Ok(Choice::Any),
        (None, None, Some(tool)) => {
            let path = path.key("tool");
            let name = NAMED.read(tool, &path)?.required_text("name")?;
            if tools.iter().any(|tool| tool.name == name) {
                return Ok(Choice::Named(name));
            }
            Err(path.rule(format!("The tool {name} at {} is not in toolConfig.tools.", path.dotted())))
        }
        _ => Err(path.rule("Exactly one member of the union at toolConfig.toolChoice may be set.")),
    }
}

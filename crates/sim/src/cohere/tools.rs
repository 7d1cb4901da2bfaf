//! Reads `tools`, `tool_choice` and `strict_tools`.

use crate::ask::{Choice, Prompt, Tool};
use crate::check::{Fields, Invalid, Path, Problem, Shape};
use crate::json::Json;

/// The tools of a request.
pub(super) struct Tools<'j, 'a> {
    /// Those that may be called.
    pub(super) allowed: Vec<Tool<'j, 'a>>,
    /// Whether they must be.
    pub(super) choice: Choice<'j>,
}

/// Reads the tools of a request.
pub(super) fn read<'j, 'a>(
    fields: &Fields<'j, 'a, '_>,
    prompt: &mut Prompt<'j>,
) -> Result<Tools<'j, 'a>, Invalid> {
    let list = fields.array("tools")?.unwrap_or_default();
    let path = fields.at("tools");
    let mut allowed: Vec<Tool<'j, 'a>> = Vec::with_capacity(list.len());
    for (index, tool) in list.iter().enumerate() {
        allowed.push(function_tool(tool, &path.index(index))?);
        prompt.json(tool);
    }
    fields.flag("strict_tools")?;
    let choice = match fields.choice("tool_choice", &["REQUIRED", "NONE"])? {
        Some("REQUIRED") if allowed.is_empty() => {
            let message =
                "invalid request: tools must be passed in the request when tool_choice is REQUIRED.";
            return Err(fields.at("tool_choice").rule(message));
        }
        Some("REQUIRED") => Choice::Any,
        Some("NONE") => Choice::Never,
        _ => Choice::Auto,
    };
    Ok(Tools { allowed, choice })
}

fn function_tool<'j, 'a>(tool: &'j Json<'a>, path: &Path<'_>) -> Result<Tool<'j, 'a>, Invalid> {
    const TOOL: Shape = Shape { required: &["type", "function"], optional: &[], nullable: &[] };
    const FUNCTION: Shape =
        Shape { required: &["name", "parameters"], optional: &[], nullable: &["description"] };
    TOOL.read(tool, path)?.choice("type", &["function"])?;
    let path = path.key("function");
    let Some(function) = tool.get("function") else { return Err(path.invalid(Problem::Missing)) };
    let fields = FUNCTION.read(function, &path)?;
    fields.required_text("name")?;
    fields.text("description")?;
    fields.object("parameters")?;
    let name = function.get("name").and_then(Json::as_str).unwrap_or_default();
    if !is_name(name) {
        return Err(path.key("name").rule(format!(
            "invalid request: tool names can only contain certain characters (A-Za-z0-9_) and can't begin with a \
             digit (provided name: '{name}')."
        )));
    }
    let schema = function.get("parameters");
    if schema.and_then(|schema| schema.get("type")).and_then(Json::as_str) != Some("object") {
        return Err(path.key("parameters").rule("schema must be an object"));
    }
    Ok(Tool { name, schema })
}

/// Whether a tool may be called this.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

//! Reads `tools` and `toolConfig`.
//!
//! <https://ai.google.dev/api/caching#Tool>, <https://ai.google.dev/api/caching#ToolConfig>

use crate::ask::{Choice, Prompt, Tool};
use crate::check::{Invalid, Path};
use crate::json::Json;
use crate::shapes;

use super::fields::{Fields, Message, rule};
use super::schema;

const TOOL: Message = Message {
    name: "Tool",
    fields: &[
        "function_declarations",
        "google_search",
        "google_search_retrieval",
        "code_execution",
        "url_context",
        "google_maps",
        "computer_use",
        "file_search",
    ],
};
const DECLARATION: Message = Message {
    name: "FunctionDeclaration",
    fields: &[
        "name",
        "description",
        "parameters",
        "parameters_json_schema",
        "response",
        "response_json_schema",
        "behavior",
    ],
};
const CONFIG: Message = Message {
    name: "ToolConfig",
    fields: &["function_calling_config", "retrieval_config", "include_server_side_tool_invocations"],
};
const CALLING: Message =
    Message { name: "FunctionCallingConfig", fields: &["mode", "allowed_function_names"] };

/// The functions of a request.
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
    let path = fields.at("tools");
    let mut allowed: Vec<Tool<'j, 'a>> = Vec::new();
    for (index, tool) in fields.list("tools").iter().enumerate() {
        let path = path.index(index);
        let tool = TOOL.read(tool, &path)?;
        for hosted in TOOL.fields.iter().skip(1) {
            tool.object(hosted)?;
        }
        let place = path.key("function_declarations");
        for (index, json) in tool.list("function_declarations").iter().enumerate() {
            let read = declaration(json, &place.index(index))?;
            if allowed.iter().any(|earlier| earlier.name == read.name) {
                let name = read.name;
                return Err(place.rule(format!("Duplicate function declaration found: {name}")));
            }
            allowed.push(read);
            prompt.json(json);
        }
    }
    shapes::at_most(&path, allowed.len(), 512)?;
    let choice = config(fields, &mut allowed)?;
    Ok(Tools { allowed, choice })
}

/// Refuses a name that no function may have.
pub(super) fn check_name(name: &str, path: &Path<'_>) -> Result<(), Invalid> {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let rest = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte));
    if first && rest && name.len() <= 128 {
        return Ok(());
    }
    Err(rule(
        path,
        "[FIELD_INVALID] Invalid function name. Must start with a letter or an underscore. Must be alphanumeric \
         (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 128.",
    ))
}

fn declaration<'j, 'a>(json: &'j Json<'a>, path: &Path<'_>) -> Result<Tool<'j, 'a>, Invalid> {
    let fields = DECLARATION.read(json, path)?;
    let name = fields.required_text("name")?;
    check_name(name, &path.key("name"))?;
    fields.text("description")?;
    fields.choice(
        "behavior",
        "FunctionDeclaration.Behavior",
        &["UNSPECIFIED", "BLOCKING", "NON_BLOCKING"],
    )?;
    one_of(&fields, "response", "response_json_schema", path)?;
    let schema = one_of(&fields, "parameters", "parameters_json_schema", path)?;
    if schema.is_some_and(|schema| !schema::is_object(schema)) {
        return Err(rule(&path.key("parameters"), "schema should be of OBJECT type"));
    }
    Ok(Tool { name, schema })
}

/// A schema of the vendor's own kind, or a JSON schema: not both.
pub(super) fn one_of<'j, 'a>(
    fields: &Fields<'j, 'a, '_>,
    own: &'static str,
    json_schema: &'static str,
    path: &Path<'_>,
) -> Result<Option<&'j Json<'a>>, Invalid> {
    let (first, second) = (fields.get(own), fields.object(json_schema)?);
    if let Some(schema) = first {
        schema::check(schema, &path.key(own))?;
    }
    if first.is_some() && second.is_some() {
        return Err(rule(&path.key(json_schema), format!("only one of {own} and {json_schema} may be set")));
    }
    Ok(first.or(second))
}

fn config<'j, 'a>(
    fields: &Fields<'j, 'a, '_>,
    allowed: &mut Vec<Tool<'j, 'a>>,
) -> Result<Choice<'j>, Invalid> {
    const MODES: &[&str] = &["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"];
    let Some(config) = fields.get("tool_config") else { return Ok(Choice::Auto) };
    let path = fields.at("tool_config");
    let config = CONFIG.read(config, &path)?;
    config.object("retrieval_config")?;
    config.flag("include_server_side_tool_invocations")?;
    let Some(calling) = config.get("function_calling_config") else { return Ok(Choice::Auto) };
    let path = path.key("function_calling_config");
    let calling = CALLING.read(calling, &path)?;
    let mode = calling.choice("mode", "FunctionCallingConfig.Mode", MODES)?;
    let names = calling.texts("allowed_function_names")?;
    if allowed.is_empty() {
        return Err(path.rule("Function calling config is set without function_declarations."));
    }
    let place = path.key("allowed_function_names");
    if !names.is_empty() && !matches!(mode, Some("ANY" | "VALIDATED")) {
        return Err(rule(
            &place,
            "allowed_function_names should only be set when the mode is ANY or VALIDATED",
        ));
    }
    for (index, name) in names.iter().enumerate() {
        if !allowed.iter().any(|tool| tool.name == *name) {
            return Err(rule(&place.index(index), format!("{name} is not in function_declarations")));
        }
    }
    if !names.is_empty() {
        allowed.retain(|tool| names.contains(&tool.name));
    }
    Ok(match mode {
        Some("ANY") => Choice::Any,
        Some("NONE") => Choice::Never,
        _ => Choice::Auto,
    })
}

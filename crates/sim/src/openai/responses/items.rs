//! Reads one item of `input`: messages, calls of functions and their outputs, reasoning.
//!
//! <https://platform.openai.com/docs/api-reference/responses/create#responses_create-input>

use std::borrow::Cow;

use crate::anthropic::signature;
use crate::check::{Fields, Invalid, Path, Problem, Shape, is_identifier};
use crate::json::Json;

use super::super::tools::check_name;
use super::input::Reader;
use super::parts::{self, Part};
use super::request::at_most_characters;

/// Items of tools that are not simulated.
const NOT_SIMULATED: &[&str] = &[
    "additional_tools",
    "apply_patch_call",
    "apply_patch_call_output",
    "code_interpreter_call",
    "compaction",
    "computer_call",
    "computer_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "file_search_call",
    "image_generation_call",
    "local_shell_call",
    "local_shell_call_output",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "mcp_list_tools",
    "shell_call",
    "shell_call_output",
    "tool_search_call",
    "tool_search_output",
    "web_search_call",
];
/// Items that are.
const SIMULATED: &[&str] =
    &["message", "function_call", "function_call_output", "reasoning", "item_reference"];
const STATUSES: &[&str] = &["in_progress", "completed", "incomplete"];
/// The longest id of an item or a call.
const LONGEST_ID: usize = 64;

/// Reads an item into the prompt.
pub(super) fn read<'j>(
    reader: &mut Reader<'j, '_>,
    item: &'j Json<'_>,
    path: &Path<'_>,
) -> Result<(), Invalid> {
    let kind = match item.get("type") {
        Some(Json::Str(kind)) => &**kind,
        Some(other) => return Err(path.key("type").wrong_type("a string", other)),
        None if item.get("role").is_some() => "message",
        None if matches!(item, Json::Object(_)) => return Err(path.key("type").invalid(Problem::Missing)),
        None => return Err(path.wrong_type("an object", item)),
    };
    match kind {
        "message" => message(reader, item, path),
        "function_call" => call(reader, item, path),
        "function_call_output" => output(reader, item, path),
        "reasoning" => reasoning(reader, item, path),
        "item_reference" => {
            const REFERENCE: Shape = Shape { required: &["type", "id"], optional: &[], nullable: &[] };
            let id = REFERENCE.read(item, path)?.required_text("id")?;
            Err(reader.kept.not_found(id, &Path::ROOT.key("input")))
        }
        other if NOT_SIMULATED.contains(&other) => Err(path
            .key("type")
            .rule_with_code("unsupported_value", format!("Items of type '{other}' are not simulated."))),
        other => {
            Err(path.key("type").invalid(Problem::NotAllowed { got: other.to_owned(), allowed: SIMULATED }))
        }
    }
}

fn message<'j>(reader: &mut Reader<'j, '_>, item: &'j Json<'_>, path: &Path<'_>) -> Result<(), Invalid> {
    const MESSAGE: Shape =
        Shape { required: &["role", "content"], optional: &["type", "id", "status"], nullable: &["phase"] };
    let fields = MESSAGE.read(item, path)?;
    let role = fields.choice("role", &["assistant", "system", "developer", "user"])?.unwrap_or_default();
    item_id(&fields, "msg")?;
    fields.choice("status", STATUSES)?;
    fields.choice("phase", &["commentary", "final_answer"])?;
    if role == "assistant" {
        reader.made();
    } else {
        reader.not_made()?;
    }
    let prompt = &mut *reader.prompt;
    prompt.message(role);
    match role {
        "assistant" => parts::read(&fields, "content", parts::OUTPUT, |part| {
            if let Part::Text(text) = part {
                prompt.text(text);
            }
        }),
        "user" => {
            prompt.results.clear();
            parts::read(&fields, "content", parts::INPUT, |part| match part {
                Part::Text(text) => prompt.user_text(text),
                Part::Image(source) => prompt.image(source),
                Part::File(source) => prompt.text(source),
            })
        }
        _ => parts::read(&fields, "content", parts::INPUT, |part| match part {
            Part::Image(source) => prompt.image(source),
            Part::Text(text) | Part::File(text) => prompt.text(text),
        }),
    }
}

fn call<'j>(reader: &mut Reader<'j, '_>, item: &'j Json<'_>, path: &Path<'_>) -> Result<(), Invalid> {
    const CALL: Shape = Shape {
        required: &["type", "call_id", "name", "arguments"],
        optional: &["id", "status", "async", "namespace"],
        nullable: &["caller"],
    };
    let fields = CALL.read(item, path)?;
    item_id(&fields, "fc")?;
    fields.choice("status", STATUSES)?;
    fields.unsupported(&["async", "namespace", "caller"])?;
    let call_id = call_id(&fields)?;
    let name = fields.required_text("name")?;
    check_name(name, &fields.at("name"))?;
    reader.made();
    reader.prompt.message("assistant");
    reader.prompt.text(name);
    reader.prompt.text(fields.required_text("arguments")?);
    reader.called(call_id);
    Ok(())
}

fn output<'j>(reader: &mut Reader<'j, '_>, item: &'j Json<'_>, path: &Path<'_>) -> Result<(), Invalid> {
    const OUTPUT: Shape = Shape {
        required: &["type", "call_id", "output"],
        optional: &[],
        nullable: &["id", "status", "caller", "name", "namespace"],
    };
    let fields = OUTPUT.read(item, path)?;
    item_id(&fields, "fc")?;
    fields.choice("status", STATUSES)?;
    fields.text("name")?;
    fields.unsupported(&["namespace", "caller"])?;
    let call_id = call_id(&fields)?;
    reader.not_made()?;
    let prompt = &mut *reader.prompt;
    prompt.message("tool");
    let mut result = Cow::Borrowed("");
    parts::read(&fields, "output", parts::INPUT, |part| match part {
        Part::Text(text) => {
            prompt.text(text);
            if result.is_empty() {
                result = Cow::Borrowed(text);
            } else {
                result.to_mut().push_str(text);
            }
        }
        Part::Image(source) => prompt.image(source),
        Part::File(source) => prompt.text(source),
    })?;
    reader.answered(call_id, result)
}

/// Reasoning that comes back. Its id is known if it is one of this run's and may be stored; otherwise it must bring
/// what it was, encrypted.
fn reasoning<'j>(reader: &mut Reader<'j, '_>, item: &'j Json<'_>, path: &Path<'_>) -> Result<(), Invalid> {
    const REASONING: Shape = Shape {
        required: &["type", "id", "summary"],
        optional: &["content", "status"],
        nullable: &["encrypted_content"],
    };
    let fields = REASONING.read(item, path)?;
    item_id(&fields, "rs")?;
    fields.choice("status", STATUSES)?;
    let id = fields.required_text("id")?;
    reader.prompt.message("assistant");
    for (list, kind) in [("summary", "summary_text"), ("content", "reasoning_text")] {
        let place = fields.at(list);
        for (index, part) in fields.array(list)?.unwrap_or_default().iter().enumerate() {
            reader.prompt.text(text_of(part, kind, &place.index(index))?);
        }
    }
    let ours = format!("rs_{:08x}", reader.kept.boot);
    match fields.text("encrypted_content")? {
        Some(encrypted) if !signature::is_ours(encrypted) => {
            return Err(Path::ROOT.rule_with_code(
                "invalid_encrypted_content",
                format!(
                    "The encrypted content for item {id} could not be verified. Reason: Encrypted content could not be \
                     decrypted or parsed."
                ),
            ));
        }
        None if !reader.kept.stored || !id.starts_with(&ours) => {
            return Err(reader.kept.not_found(id, &Path::ROOT.key("input")));
        }
        _ => {}
    }
    reader.reasoned(id);
    Ok(())
}

fn text_of<'j>(part: &'j Json<'_>, kind: &'static str, path: &Path<'_>) -> Result<&'j str, Invalid> {
    const PART: Shape = Shape { required: &["type", "text"], optional: &[], nullable: &[] };
    let fields = PART.read(part, path)?;
    match fields.required_text("type")? {
        given if given == kind => fields.required_text("text"),
        given => {
            let message = format!("Invalid value: '{given}'. Value must be '{kind}'.");
            Err(path.key("type").rule_with_code("invalid_value", message))
        }
    }
}

/// Checks the id of an item, if it has one.
fn item_id(fields: &Fields<'_, '_, '_>, prefix: &str) -> Result<(), Invalid> {
    let Some(id) = fields.text("id")? else { return Ok(()) };
    let path = fields.at("id");
    at_most_characters(&path, id, LONGEST_ID)?;
    let place = path.bracketed();
    if !is_identifier(id, LONGEST_ID) {
        return Err(path.rule_with_code(
            "invalid_value",
            format!(
                "Invalid '{place}': '{id}'. Expected an ID that contains letters, numbers, underscores, or dashes, but \
                 this value contained additional characters."
            ),
        ));
    }
    if !id.starts_with(prefix) {
        return Err(path.rule_with_code(
            "invalid_value",
            format!("Invalid '{place}': '{id}'. Expected an ID that begins with '{prefix}'."),
        ));
    }
    Ok(())
}

/// The id of a call.
fn call_id<'j>(fields: &Fields<'j, '_, '_>) -> Result<&'j str, Invalid> {
    let id = fields.required_text("call_id")?;
    let path = fields.at("call_id");
    if id.is_empty() {
        return Err(path.rule_with_code(
            "empty_string",
            format!(
                "Invalid '{}': empty string. Expected a string with minimum length 1, but got an empty string instead.",
                path.bracketed()
            ),
        ));
    }
    at_most_characters(&path, id, LONGEST_ID)?;
    Ok(id)
}

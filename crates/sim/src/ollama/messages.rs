//! Reads `messages`: roles, texts, images, calls and their results.

use std::borrow::Cow;

use crate::ask::Prompt;
use crate::check::{Fields, Invalid, Path, Problem, Shape, is_base64};
use crate::json::Json;

const MESSAGE: Shape = Shape {
    required: &["role"],
    optional: &[],
    nullable: &["content", "thinking", "images", "tool_calls", "tool_name", "tool_call_id"],
};

/// Reads the messages into the prompt.
pub(super) fn read<'j>(fields: &Fields<'j, '_, '_>, prompt: &mut Prompt<'j>) -> Result<(), Invalid> {
    let path = fields.at("messages");
    let messages = fields.array("messages")?.unwrap_or_default();
    if messages.is_empty() {
        return Err(path.rule("messages is empty, which loads a model: that is not simulated"));
    }
    let mut called = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        read_message(message, &path.index(index), prompt, &mut called)?;
    }
    Ok(())
}

fn read_message<'j>(
    message: &'j Json<'_>,
    path: &Path<'_>,
    prompt: &mut Prompt<'j>,
    called: &mut Vec<&'j str>,
) -> Result<(), Invalid> {
    const ROLES: &[&str] = &["system", "user", "assistant", "tool"];
    let fields = MESSAGE.read(message, path)?;
    fields.choice("role", ROLES)?;
    for name in ["content", "thinking", "tool_name", "tool_call_id"] {
        fields.text(name)?;
    }
    let of = |name: &str| message.get(name).and_then(Json::as_str).unwrap_or_default();
    let role = of("role");
    prompt.message(role);
    prompt.text(of("thinking"));
    if role == "user" {
        prompt.user_text(of("content"));
    } else {
        prompt.text(of("content"));
    }
    let images_path = path.key("images");
    for (index, image) in fields.array("images")?.unwrap_or_default().iter().enumerate() {
        let path = images_path.index(index);
        let data = image.as_str().ok_or_else(|| path.wrong_type("base64", image))?;
        if !is_base64(data) {
            return Err(path.rule("illegal base64 data at input byte 0"));
        }
        prompt.image(data);
    }
    let calls_path = path.key("tool_calls");
    for (index, call) in fields.array("tool_calls")?.unwrap_or_default().iter().enumerate() {
        called.push(read_call(call, &calls_path.index(index), prompt)?);
    }
    if role == "tool" {
        let name = of("tool_name");
        if !name.is_empty() && !called.contains(&name) {
            return Err(path
                .key("tool_name")
                .rule(format!("tool_name: no call of '{name}' is in the conversation")));
        }
        prompt.results.push(Cow::Borrowed(of("content")));
    }
    Ok(())
}

/// Reads a call and says what it calls.
fn read_call<'j>(call: &'j Json<'_>, path: &Path<'_>, prompt: &mut Prompt<'j>) -> Result<&'j str, Invalid> {
    const CALL: Shape = Shape { required: &["function"], optional: &["id", "type"], nullable: &[] };
    const FUNCTION: Shape = Shape { required: &["name", "arguments"], optional: &["index"], nullable: &[] };
    let fields = CALL.read(call, path)?;
    fields.text("id")?;
    fields.choice("type", &["function"])?;
    let path = path.key("function");
    let Some(function) = call.get("function") else { return Err(path.invalid(Problem::Missing)) };
    let fields = FUNCTION.read(function, &path)?;
    fields.required_text("name")?;
    fields.integer("index")?;
    let name = function.get("name").and_then(Json::as_str).unwrap_or_default();
    prompt.text(name);
    if let Some(arguments) = fields.object("arguments")? {
        prompt.json(arguments);
    }
    Ok(name)
}

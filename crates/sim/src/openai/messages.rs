//! Reads `messages`: roles, content parts, and the order of tool calls and their results.

use std::borrow::Cow;

use crate::ask::{Lifetime, Prompt};
use crate::check::{Fields, Invalid, Path, Problem, Shape, is_base64, is_web_url};
use crate::json::Json;

const INSTRUCTIONS: Shape = Shape { required: &["role", "content"], optional: &["name"], nullable: &[] };
const ASSISTANT: Shape = Shape {
    required: &["role"],
    optional: &["name", "tool_calls", "annotations"],
    nullable: &["content", "refusal", "audio", "function_call"],
};
const TOOL: Shape = Shape { required: &["role", "content", "tool_call_id"], optional: &[], nullable: &[] };

/// Reads the messages into the prompt.
pub(super) fn read<'j>(fields: &Fields<'j, '_, '_>, prompt: &mut Prompt<'j>) -> Result<(), Invalid> {
    let path = fields.at("messages");
    let messages = fields.array("messages")?.unwrap_or_default();
    if messages.is_empty() {
        return Err(path.rule_with_code(
            "empty_array",
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array \
             instead.",
        ));
    }
    let mut open = OpenCalls::default();
    for (index, message) in messages.iter().enumerate() {
        let path = path.index(index);
        read_message(message, &path, prompt, &mut open)?;
        prompt.boundary(Lifetime::FiveMinutes);
    }
    open.close(&path)
}

fn read_message<'j>(
    message: &'j Json<'_>,
    path: &Path<'_>,
    prompt: &mut Prompt<'j>,
    open: &mut OpenCalls<'j>,
) -> Result<(), Invalid> {
    const ROLES: &[&str] = &["system", "developer", "user", "assistant", "tool"];
    let role = match message.get("role") {
        Some(Json::Str(role)) => &**role,
        Some(other) => return Err(path.key("role").wrong_type("a string", other)),
        None => return Err(path.key("role").invalid(Problem::Missing)),
    };
    if role != "tool" {
        open.close(path)?;
    }
    prompt.message(role);
    match role {
        "system" | "developer" => {
            INSTRUCTIONS.read(message, path)?.text("name")?;
            content(message, path, &["text"], |part| {
                if let Part::Text(text) = part {
                    prompt.text(text);
                }
            })
        }
        "user" => {
            INSTRUCTIONS.read(message, path)?.text("name")?;
            prompt.results.clear();
            content(message, path, &["text", "image_url"], |part| match part {
                Part::Text(text) => prompt.user_text(text),
                Part::Image(source) => prompt.image(source),
            })
        }
        "assistant" => assistant(message, path, prompt, open),
        "tool" => {
            TOOL.read(message, path)?.required_text("tool_call_id")?;
            open.answer(message.get("tool_call_id").and_then(Json::as_str).unwrap_or_default(), path)?;
            let mut result = Cow::Borrowed("");
            content(message, path, &["text"], |part| {
                if let Part::Text(text) = part {
                    prompt.text(text);
                    if result.is_empty() {
                        result = Cow::Borrowed(text);
                    } else {
                        result.to_mut().push_str(text);
                    }
                }
            })?;
            prompt.results.push(result);
            Ok(())
        }
        other => Err(path.key("role").invalid(Problem::NotAllowed { got: other.to_owned(), allowed: ROLES })),
    }
}

fn assistant<'j>(
    message: &'j Json<'_>,
    path: &Path<'_>,
    prompt: &mut Prompt<'j>,
    open: &mut OpenCalls<'j>,
) -> Result<(), Invalid> {
    let fields = ASSISTANT.read(message, path)?;
    fields.text("name")?;
    fields.array("annotations")?;
    fields.unsupported(&["audio", "function_call"])?;
    let refusal = fields.text("refusal")?;
    let calls = fields.array("tool_calls")?;
    let has_content = fields.get("content").is_some();
    if !has_content && calls.is_none() && refusal.is_none() {
        return Err(path.key("content").rule_with_code(
            "invalid_type",
            format!("Invalid value for '{}': expected a string, got null.", path.key("content").bracketed()),
        ));
    }
    prompt.text(refusal.unwrap_or_default());
    if has_content {
        content(message, path, &["text", "refusal"], |part| {
            if let Part::Text(text) = part {
                prompt.text(text);
            }
        })?;
    }
    let calls_path = path.key("tool_calls");
    let Some(calls) = message.get("tool_calls").map(Json::elements) else { return Ok(()) };
    if calls.is_empty() {
        return Err(calls_path.rule_with_code(
            "empty_array",
            format!(
                "Invalid '{}': empty array. Expected an array with minimum length 1, but got an empty array instead.",
                calls_path.bracketed()
            ),
        ));
    }
    for (index, call) in calls.iter().enumerate() {
        tool_call(call, &calls_path.index(index), prompt, open)?;
    }
    Ok(())
}

fn tool_call<'j>(
    call: &'j Json<'_>,
    path: &Path<'_>,
    prompt: &mut Prompt<'j>,
    open: &mut OpenCalls<'j>,
) -> Result<(), Invalid> {
    const CALL: Shape = Shape { required: &["id", "type", "function"], optional: &[], nullable: &[] };
    const FUNCTION: Shape = Shape { required: &["name", "arguments"], optional: &[], nullable: &[] };
    let fields = CALL.read(call, path)?;
    fields.choice("type", &["function"])?;
    fields.required_text("id")?;
    let function_path = path.key("function");
    let Some(function) = call.get("function") else { return Err(function_path.invalid(Problem::Missing)) };
    let function = FUNCTION.read(function, &function_path)?;
    prompt.text(function.required_text("name")?);
    prompt.text(function.required_text("arguments")?);
    open.ids.push(call.get("id").and_then(Json::as_str).unwrap_or_default());
    Ok(())
}

enum Part<'j> {
    Text(&'j str),
    Image(&'j str),
}

/// Reads `content`: a string, or an array of parts of the types allowed here.
fn content<'j>(
    message: &'j Json<'_>,
    path: &Path<'_>,
    allowed: &'static [&'static str],
    mut each: impl FnMut(Part<'j>),
) -> Result<(), Invalid> {
    let path = path.key("content");
    let parts = match message.get("content") {
        Some(Json::Str(text)) => {
            each(Part::Text(text));
            return Ok(());
        }
        Some(Json::Array(parts)) => parts,
        Some(other) => return Err(path.wrong_type("one of a string or array of objects", other)),
        None => return Err(path.invalid(Problem::Missing)),
    };
    if parts.is_empty() {
        return Err(path.rule_with_code(
            "empty_array",
            format!(
                "Invalid '{}': empty array. Expected an array with minimum length 1, but got an empty array instead.",
                path.bracketed()
            ),
        ));
    }
    for (index, part) in parts.iter().enumerate() {
        each(read_part(part, &path.index(index), allowed)?);
    }
    Ok(())
}

fn read_part<'j>(
    part: &'j Json<'_>,
    path: &Path<'_>,
    allowed: &'static [&'static str],
) -> Result<Part<'j>, Invalid> {
    const TEXT: Shape =
        Shape { required: &["type", "text"], optional: &["prompt_cache_breakpoint"], nullable: &[] };
    const REFUSAL: Shape = Shape { required: &["type", "refusal"], optional: &[], nullable: &[] };
    const IMAGE: Shape =
        Shape { required: &["type", "image_url"], optional: &["prompt_cache_breakpoint"], nullable: &[] };
    const IMAGE_URL: Shape = Shape { required: &["url"], optional: &["detail"], nullable: &[] };
    let kind = part.get("type").and_then(Json::as_str).unwrap_or_default();
    if !allowed.contains(&kind) {
        if let Json::Object(_) = part {
            return Err(path.key("type").invalid(Problem::NotAllowed { got: kind.to_owned(), allowed }));
        }
        return Err(path.wrong_type("an object", part));
    }
    let of = |name: &'static str| part.get(name).and_then(Json::as_str).unwrap_or_default();
    match kind {
        "refusal" => {
            REFUSAL.read(part, path)?.required_text("refusal")?;
            Ok(Part::Text(of("refusal")))
        }
        "image_url" => {
            IMAGE.read(part, path)?;
            let image_path = path.key("image_url");
            let Some(image) = part.get("image_url") else { return Err(image_path.invalid(Problem::Missing)) };
            let fields = IMAGE_URL.read(image, &image_path)?;
            fields.choice("detail", &["auto", "low", "high", "original"])?;
            fields.required_text("url")?;
            let url = image.get("url").and_then(Json::as_str).unwrap_or_default();
            if !is_web_url(url) && !is_image_data(url) {
                return Err(image_path.key("url").rule_with_code(
                    "invalid_image_url",
                    "Invalid image URL: expected an http or https URL, or a base64 data URL of a PNG, JPEG, GIF or \
                     WebP image.",
                ));
            }
            Ok(Part::Image(url))
        }
        _ => {
            TEXT.read(part, path)?.required_text("text")?;
            Ok(Part::Text(of("text")))
        }
    }
}

/// Whether `url` is a data URL of an image that OpenAI takes.
pub(super) fn is_image_data(url: &str) -> bool {
    let Some((kind, data)) = url.strip_prefix("data:image/").and_then(|rest| rest.split_once(";base64,"))
    else {
        return false;
    };
    ["png", "jpeg", "jpg", "gif", "webp"].contains(&kind) && is_base64(data)
}

/// Tool calls that still need their results.
#[derive(Default)]
struct OpenCalls<'j> {
    ids: Vec<&'j str>,
    answered: bool,
}

impl<'j> OpenCalls<'j> {
    /// A result came: it must be of an open call.
    fn answer(&mut self, id: &'j str, path: &Path<'_>) -> Result<(), Invalid> {
        let Some(place) = self.ids.iter().position(|open| *open == id) else {
            let message = if self.ids.is_empty() && !self.answered {
                "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with \
                 'tool_calls'."
                    .to_owned()
            } else {
                format!(
                    "Invalid parameter: 'tool_call_id' of '{id}' not found in 'tool_calls' of previous message."
                )
            };
            return Err(path.rule(message));
        };
        self.ids.remove(place);
        self.answered = true;
        Ok(())
    }

    /// A turn of another role begins, or the conversation ends: every call must have its result.
    fn close(&mut self, path: &Path<'_>) -> Result<(), Invalid> {
        self.answered = false;
        if self.ids.is_empty() {
            return Ok(());
        }
        Err(path.rule(format!(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each \
             'tool_call_id'. The following tool_call_ids did not have response messages: {}",
            self.ids.join(", ")
        )))
    }
}

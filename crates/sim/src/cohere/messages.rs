//! Reads `messages`: roles, content parts, and that results of tools are of calls that were made.

use std::borrow::Cow;

use crate::ask::{Lifetime, Prompt};
use crate::check::{Fields, Invalid, Path, Problem, Shape, is_base64, is_web_url};
use crate::json::Json;

const SAID: Shape = Shape { required: &["role", "content"], optional: &[], nullable: &[] };
const ASSISTANT: Shape = Shape {
    required: &["role"],
    optional: &[],
    nullable: &["content", "tool_calls", "tool_plan", "citations"],
};
const TOOL: Shape = Shape { required: &["role", "content"], optional: &[], nullable: &["tool_call_id"] };

/// Reads the messages into the prompt.
pub(super) fn read<'j>(fields: &Fields<'j, '_, '_>, prompt: &mut Prompt<'j>) -> Result<(), Invalid> {
    let path = fields.at("messages");
    let messages = fields.array("messages")?.unwrap_or_default();
    if messages.is_empty() {
        return Err(path.rule("invalid request: list of messages must not be empty."));
    }
    let mut calls = Calls::default();
    for (index, message) in messages.iter().enumerate() {
        let path = path.index(index);
        if index > 0 && message.get("role").and_then(Json::as_str) == Some("system") {
            return Err(path.rule("system turn must be the first in the list"));
        }
        read_message(message, &path, prompt, &mut calls)?;
        prompt.boundary(Lifetime::FiveMinutes);
    }
    Ok(())
}

/// The ids of calls so far.
#[derive(Default)]
struct Calls<'j> {
    ids: Vec<&'j str>,
}

fn read_message<'j>(
    message: &'j Json<'_>,
    path: &Path<'_>,
    prompt: &mut Prompt<'j>,
    calls: &mut Calls<'j>,
) -> Result<(), Invalid> {
    const ROLES: &[&str] = &["user", "assistant", "system", "tool"];
    let role = match message.get("role") {
        Some(Json::Str(role)) => &**role,
        Some(other) => return Err(path.key("role").wrong_type("a string", other)),
        None => return Err(path.key("role").invalid(Problem::Missing)),
    };
    prompt.message(role);
    match role {
        "system" => {
            SAID.read(message, path)?;
            content(message, path, &["text"], |part| {
                if let Part::Text(text) = part {
                    prompt.text(text);
                }
            })
        }
        "user" => {
            SAID.read(message, path)?;
            prompt.results.clear();
            content(message, path, &["text", "image_url"], |part| match part {
                Part::Text(text) => prompt.user_text(text),
                Part::Image(source) => prompt.image(source),
                Part::Document(_) => {}
            })
        }
        "assistant" => assistant(message, path, prompt, calls),
        "tool" => result(message, path, prompt, calls),
        other => Err(path.key("role").invalid(Problem::NotAllowed { got: other.to_owned(), allowed: ROLES })),
    }
}

fn result<'j>(
    message: &'j Json<'_>,
    path: &Path<'_>,
    prompt: &mut Prompt<'j>,
    calls: &mut Calls<'j>,
) -> Result<(), Invalid> {
    let Some(id) = TOOL.read(message, path)?.text("tool_call_id")? else {
        return Err(path.key("tool_call_id").rule("tool call id must be provided with tool message"));
    };
    if !calls.ids.contains(&id) {
        return Err(path.key("tool_call_id").rule("tool call id not found in previous tool calls"));
    }
    let mut result = Cow::Borrowed("");
    content(message, path, &["text", "document"], |part| {
        let text = match part {
            Part::Text(text) => Cow::Borrowed(text),
            Part::Document(data) => Cow::Owned(data.as_str().map_or_else(|| data.text(), str::to_owned)),
            Part::Image(_) => return,
        };
        prompt.text(&text);
        if result.is_empty() {
            result = text;
        } else {
            result.to_mut().push_str(&text);
        }
    })?;
    prompt.results.push(result);
    Ok(())
}

fn assistant<'j>(
    message: &'j Json<'_>,
    path: &Path<'_>,
    prompt: &mut Prompt<'j>,
    calls: &mut Calls<'j>,
) -> Result<(), Invalid> {
    let fields = ASSISTANT.read(message, path)?;
    prompt.text(fields.text("tool_plan")?.unwrap_or_default());
    fields.array("citations")?;
    let list = fields.array("tool_calls")?;
    let has_calls = list.is_some_and(|list| !list.is_empty());
    if fields.get("content").is_some() {
        content(message, path, &["text", "thinking"], |part| {
            if let Part::Text(text) = part {
                prompt.text(text);
            }
        })?;
    } else if !has_calls {
        return Err(path.key("content").rule("message must not be empty in a turn"));
    }
    let calls_path = path.key("tool_calls");
    for (index, call) in message.get("tool_calls").map_or(&[][..], Json::elements).iter().enumerate() {
        tool_call(call, &calls_path.index(index), prompt, calls)?;
    }
    Ok(())
}

fn tool_call<'j>(
    call: &'j Json<'_>,
    path: &Path<'_>,
    prompt: &mut Prompt<'j>,
    calls: &mut Calls<'j>,
) -> Result<(), Invalid> {
    const CALL: Shape = Shape { required: &["id", "type", "function"], optional: &[], nullable: &[] };
    const FUNCTION: Shape = Shape { required: &["name", "arguments"], optional: &[], nullable: &[] };
    let fields = CALL.read(call, path)?;
    if fields.required_text("type")? != "function" {
        return Err(path.key("type").rule("tool call must be of type function"));
    }
    fields.required_text("id")?;
    let function_path = path.key("function");
    let Some(function) = call.get("function") else { return Err(function_path.invalid(Problem::Missing)) };
    let function = FUNCTION.read(function, &function_path)?;
    prompt.text(function.required_text("name")?);
    prompt.text(function.required_text("arguments")?);
    let id = call.get("id").and_then(Json::as_str).unwrap_or_default();
    if calls.ids.contains(&id) {
        return Err(path.key("id").rule("cannot have duplicate tool ids"));
    }
    calls.ids.push(id);
    Ok(())
}

enum Part<'j, 'a> {
    Text(&'j str),
    Image(&'j str),
    Document(&'j Json<'a>),
}

/// Reads `content`: a string, or an array of parts of the types allowed here.
fn content<'j, 'a>(
    message: &'j Json<'a>,
    path: &Path<'_>,
    allowed: &'static [&'static str],
    mut each: impl FnMut(Part<'j, 'a>),
) -> Result<(), Invalid> {
    let is_user = message.get("role").and_then(Json::as_str) == Some("user");
    let path = path.key("content");
    let empty = || path.rule("message must not be empty in a turn");
    match message.get("content") {
        Some(Json::Str(text)) if text.is_empty() && is_user => Err(empty()),
        Some(Json::Str(text)) => {
            each(Part::Text(text));
            Ok(())
        }
        Some(Json::Array(parts)) if parts.is_empty() => Err(empty()),
        Some(Json::Array(parts)) => {
            for (index, part) in parts.iter().enumerate() {
                each(read_part(part, &path.index(index), allowed)?);
            }
            Ok(())
        }
        Some(other) => Err(path.wrong_type("a string or an array", other)),
        None => Err(path.invalid(Problem::Missing)),
    }
}

fn read_part<'j, 'a>(
    part: &'j Json<'a>,
    path: &Path<'_>,
    allowed: &'static [&'static str],
) -> Result<Part<'j, 'a>, Invalid> {
    const TEXT: Shape = Shape { required: &["type", "text"], optional: &[], nullable: &[] };
    const THINKING: Shape = Shape { required: &["type", "thinking"], optional: &[], nullable: &[] };
    const IMAGE: Shape = Shape { required: &["type", "image_url"], optional: &[], nullable: &[] };
    const IMAGE_URL: Shape = Shape { required: &["url"], optional: &[], nullable: &["detail"] };
    const DOCUMENT: Shape = Shape { required: &["type", "document"], optional: &[], nullable: &[] };
    let kind = part.get("type").and_then(Json::as_str).unwrap_or_default();
    if !allowed.contains(&kind) {
        if let Json::Object(_) = part {
            return Err(path.key("type").invalid(Problem::NotAllowed { got: kind.to_owned(), allowed }));
        }
        return Err(path.wrong_type("an object", part));
    }
    let of = |name: &'static str| part.get(name).and_then(Json::as_str).unwrap_or_default();
    match kind {
        "thinking" => {
            THINKING.read(part, path)?.required_text("thinking")?;
            Ok(Part::Text(of("thinking")))
        }
        "image_url" => {
            IMAGE.read(part, path)?;
            let image_path = path.key("image_url");
            let Some(image) = part.get("image_url") else { return Err(image_path.invalid(Problem::Missing)) };
            let fields = IMAGE_URL.read(image, &image_path)?;
            fields.choice("detail", &["auto", "low", "high"])?;
            fields.required_text("url")?;
            let url = image.get("url").and_then(Json::as_str).unwrap_or_default();
            if !is_web_url(url) && !is_image_data(url) {
                return Err(image_path
                    .key("url")
                    .rule("invalid request: image url must be a web URL or a base64 data URI of an image."));
            }
            Ok(Part::Image(url))
        }
        "document" => {
            DOCUMENT.read(part, path)?;
            let path = path.key("document");
            let Some(given) = part.get("document") else { return Err(path.invalid(Problem::Missing)) };
            document(given, &path).map(Part::Document)
        }
        _ => {
            TEXT.read(part, path)?.required_text("text")?;
            Ok(Part::Text(of("text")))
        }
    }
}

/// Reads a document and gives its data: an object, or a text as Cohere's guides write it.
pub(super) fn document<'j, 'a>(document: &'j Json<'a>, path: &Path<'_>) -> Result<&'j Json<'a>, Invalid> {
    const DOCUMENT: Shape = Shape { required: &["data"], optional: &[], nullable: &["id"] };
    DOCUMENT.read(document, path)?.text("id")?;
    match document.get("data") {
        Some(data @ (Json::Object(_) | Json::Str(_))) => Ok(data),
        Some(other) => Err(path.key("data").wrong_type("an object", other)),
        None => Err(path.key("data").invalid(Problem::Missing)),
    }
}

fn is_image_data(url: &str) -> bool {
    let Some((kind, data)) = url.strip_prefix("data:image/").and_then(|rest| rest.split_once(";base64,"))
    else {
        return false;
    };
    ["png", "jpeg", "jpg", "gif", "webp"].contains(&kind) && is_base64(data)
}

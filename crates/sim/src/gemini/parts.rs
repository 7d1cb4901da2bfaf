//! Reads the parts of a content.
//!
//! <https://ai.google.dev/api/caching#Part>

use std::borrow::Cow;

use crate::check::{Invalid, Path, is_web_url};
use crate::json::Json;

use super::contents::{Role, Turn};
use super::fields::{Fields, Message, rule, violation};
use super::tools;

/// The fields that are what a part is: exactly one is there.
const DATA: &[&str] = &[
    "text",
    "inline_data",
    "file_data",
    "function_call",
    "function_response",
    "executable_code",
    "code_execution_result",
];

const PART: Message = Message {
    name: "Part",
    fields: &[
        "text",
        "inline_data",
        "file_data",
        "function_call",
        "function_response",
        "executable_code",
        "code_execution_result",
        "thought",
        "thought_signature",
        "video_metadata",
        "media_resolution",
        "part_metadata",
    ],
};
const BLOB: Message = Message { name: "Blob", fields: &["mime_type", "data", "display_name"] };
const FILE: Message = Message { name: "FileData", fields: &["mime_type", "file_uri", "display_name"] };
const CALL: Message = Message { name: "FunctionCall", fields: &["id", "name", "args"] };
const RESPONSE: Message = Message {
    name: "FunctionResponse",
    fields: &["id", "name", "response", "parts", "will_continue", "scheduling"],
};
const RESPONSE_PART: Message =
    Message { name: "FunctionResponsePart", fields: &["inline_data", "file_data"] };
const CODE: Message = Message { name: "ExecutableCode", fields: &["id", "language", "code"] };
const RESULT: Message = Message { name: "CodeExecutionResult", fields: &["id", "outcome", "output"] };
const VIDEO: Message = Message { name: "VideoMetadata", fields: &["start_offset", "end_offset", "fps"] };
const RESOLUTION: Message = Message { name: "MediaResolution", fields: &["level", "num_tokens"] };

/// Reads one part into the prompt.
pub(super) fn read<'j>(json: &'j Json<'_>, path: &Path<'_>, turn: &mut Turn<'_, 'j>) -> Result<(), Invalid> {
    let fields = PART.read(json, path)?;
    let mut data = DATA.iter().copied().filter(|name| fields.get(name).is_some());
    let Some(kind) = data.next() else {
        let path = path.key("data");
        return Err(rule(&path, "required oneof field 'data' must have one initialized field"));
    };
    if let Some(second) = data.next() {
        let place = path.bracketed();
        let message = format!(
            "Invalid value at '{place}' (oneof), oneof field 'data' is already set. Cannot set '{second}'"
        );
        return Err(violation(path, message));
    }
    fields.flag("thought")?;
    fields.object("part_metadata")?;
    let signed = fields.bytes("thought_signature")?.is_some_and(|signature| !signature.is_empty());
    media(&fields)?;
    allowed(kind, path, turn)?;
    let inner = path.key(kind);
    let Some(value) = fields.get(kind) else { return Ok(()) };
    match kind {
        "text" => text(&fields, turn),
        "inline_data" => blob(&BLOB.read(value, &inner)?, turn),
        "file_data" => file(&FILE.read(value, &inner)?, turn),
        "function_call" => call(&CALL.read(value, &inner)?, signed, path, turn),
        "function_response" => response(value, &inner, path, turn),
        "executable_code" => {
            let code = CODE.read(value, &inner)?;
            code.choice("language", "ExecutableCode.Language", &["LANGUAGE_UNSPECIFIED", "PYTHON"])?;
            turn.prompt.text(code.required_text("code")?);
            Ok(())
        }
        _ => {
            const OUTCOMES: &[&str] = &["OUTCOME_OK", "OUTCOME_FAILED", "OUTCOME_DEADLINE_EXCEEDED"];
            let result = RESULT.read(value, &inner)?;
            result.choice("outcome", "CodeExecutionResult.Outcome", OUTCOMES)?;
            turn.prompt.text(result.text("output")?.unwrap_or_default());
            Ok(())
        }
    }
}

/// Who may say what.
fn allowed(kind: &str, path: &Path<'_>, turn: &Turn<'_, '_>) -> Result<(), Invalid> {
    let message = match (turn.role, kind) {
        (Role::System, other) if other != "text" => "system_instruction only supports text parts.",
        (Role::User | Role::Function, "function_call") => {
            "Please ensure that function call parts are of the role 'model'."
        }
        (Role::Model, "function_response") => {
            "Please ensure that function response parts are of the role 'user'."
        }
        (Role::Function, other) if other != "function_response" => {
            "Please ensure that contents of the role 'function' have function response parts only."
        }
        _ => return Ok(()),
    };
    Err(path.rule(message))
}

fn media(fields: &Fields<'_, '_, '_>) -> Result<(), Invalid> {
    const LEVELS: &[&str] = &[
        "MEDIA_RESOLUTION_UNSPECIFIED",
        "MEDIA_RESOLUTION_LOW",
        "MEDIA_RESOLUTION_MEDIUM",
        "MEDIA_RESOLUTION_HIGH",
        "MEDIA_RESOLUTION_ULTRA_HIGH",
    ];
    if let Some(json) = fields.get("video_metadata") {
        let path = fields.at("video_metadata");
        let video = VIDEO.read(json, &path)?;
        video.text("start_offset")?;
        video.text("end_offset")?;
        video.number("fps", 0.0, 24.0)?;
    }
    if let Some(json) = fields.get("media_resolution") {
        let path = fields.at("media_resolution");
        let resolution = RESOLUTION.read(json, &path)?;
        resolution.choice("level", "PartMediaResolution.Level", LEVELS)?;
        resolution.integer("num_tokens")?;
    }
    Ok(())
}

fn text<'j>(fields: &Fields<'j, '_, '_>, turn: &mut Turn<'_, 'j>) -> Result<(), Invalid> {
    let text = fields.text("text")?.unwrap_or_default();
    match turn.role {
        Role::User => turn.prompt.user_text(text),
        _ => turn.prompt.text(text),
    }
    Ok(())
}

/// Data in the request. The types are those of <https://ai.google.dev/gemini-api/docs/image-understanding> and its
/// neighbours.
fn blob<'j>(fields: &Fields<'j, '_, '_>, turn: &mut Turn<'_, 'j>) -> Result<(), Invalid> {
    mime_type(fields.required_text("mime_type")?, fields)?;
    fields.text("display_name")?;
    let data = fields.bytes("data")?.unwrap_or_default();
    if data.is_empty() {
        return Err(rule(&fields.at("data"), "data must not be empty"));
    }
    turn.prompt.image(data);
    Ok(())
}

fn mime_type(kind: &str, fields: &Fields<'_, '_, '_>) -> Result<(), Invalid> {
    const IMAGES: &[&str] = &["png", "jpeg", "jpg", "webp", "heic", "heif"];
    let (family, rest) = kind.split_once('/').unwrap_or_default();
    let taken = match family {
        "image" => IMAGES.contains(&rest),
        "audio" | "video" | "text" => !rest.is_empty(),
        "application" => ["pdf", "json", "x-javascript", "x-python"].contains(&rest),
        _ => false,
    };
    if taken {
        return Ok(());
    }
    Err(fields.at("mime_type").rule(format!("Unsupported MIME type: {kind}")))
}

fn file<'j>(fields: &Fields<'j, '_, '_>, turn: &mut Turn<'_, 'j>) -> Result<(), Invalid> {
    if let Some(kind) = fields.text("mime_type")?.filter(|kind| !kind.is_empty()) {
        mime_type(kind, fields)?;
    }
    fields.text("display_name")?;
    let place = fields.required_text("file_uri")?;
    if !is_web_url(place) && !place.starts_with("gs://") {
        return Err(fields.at("file_uri").rule(format!("Invalid or unsupported file uri: {place}")));
    }
    turn.prompt.image(place);
    Ok(())
}

fn call<'j>(
    fields: &Fields<'j, '_, '_>,
    signed: bool,
    path: &Path<'_>,
    turn: &mut Turn<'_, 'j>,
) -> Result<(), Invalid> {
    let name = fields.required_text("name")?;
    tools::check_name(name, &fields.at("name"))?;
    let id = fields.text("id")?.filter(|id| !id.is_empty());
    if let (Some(place), false) = (turn.unsigned.take(), signed) {
        return Err(path.rule(format!(
            "Function call is missing a thought_signature in functionCall parts. This is required for tools to work \
             correctly, and missing thought_signature may lead to degraded model performance. Additional data, \
             function call `default_api:{name}` , position {place}. Please refer to \
             https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
        )));
    }
    turn.prompt.text(name);
    if let Some(args) = fields.object("args")? {
        turn.prompt.json(args);
    }
    turn.calls.open(name, id);
    Ok(())
}

fn response<'j>(
    json: &'j Json<'_>,
    inner: &Path<'_>,
    path: &Path<'_>,
    turn: &mut Turn<'_, 'j>,
) -> Result<(), Invalid> {
    const SCHEDULING: &[&str] = &["SCHEDULING_UNSPECIFIED", "SILENT", "WHEN_IDLE", "INTERRUPT"];
    let fields = RESPONSE.read(json, inner)?;
    let name = fields.required_text("name")?;
    let id = fields.text("id")?.filter(|id| !id.is_empty());
    fields.flag("will_continue")?;
    fields.choice("scheduling", "FunctionResponse.Scheduling", SCHEDULING)?;
    let Some(response) = fields.object("response")? else {
        return Err(rule(&inner.key("response"), "response is not specified"));
    };
    turn.calls.answer(name, id, path)?;
    turn.prompt.text(name);
    turn.prompt.json(response);
    // A result that is no more than one text is quoted without what is around it.
    let alone = ["result", "output", "error"].iter().find_map(|name| response.get(name)?.as_str());
    turn.prompt.results.push(alone.map_or_else(|| Cow::Owned(response.text()), Cow::Borrowed));
    let list = inner.key("parts");
    for (index, part) in fields.list("parts").iter().enumerate() {
        let path = list.index(index);
        let fields = RESPONSE_PART.read(part, &path)?;
        if let Some(json) = fields.get("inline_data") {
            let path = path.key("inline_data");
            blob(&BLOB.read(json, &path)?, turn)?;
        } else if let Some(json) = fields.get("file_data") {
            let path = path.key("file_data");
            file(&FILE.read(json, &path)?, turn)?;
        } else {
            return Err(rule(
                &path.key("data"),
                "required oneof field 'data' must have one initialized field",
            ));
        }
    }
    Ok(())
}

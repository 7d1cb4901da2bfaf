//! Reads content blocks: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html>

use std::borrow::Cow;

use crate::anthropic::signature;
use crate::ask::{Lifetime, Prompt};
use crate::check::{Fields, Invalid, Path, Shape, is_base64};
use crate::json::Json;

use super::messages::Turn;
use super::tools::check_name;

/// The field of a mark for the cache.
pub(super) const CACHE_POINT: &str = "cachePoint";

const BLOCK: Shape = Shape {
    required: &[],
    optional: &[
        "text",
        "image",
        "document",
        "video",
        "audio",
        "toolUse",
        "toolResult",
        "guardContent",
        CACHE_POINT,
        "reasoningContent",
        "citationsContent",
        "searchResult",
    ],
    nullable: &[],
};
const GIVEN: Shape = Shape {
    required: &[],
    optional: &["text", "json", "image", "document", "video", "searchResult"],
    nullable: &[],
};
const MEDIA: Shape = Shape { required: &["format", "source"], optional: &[], nullable: &[] };
const DOCUMENT: Shape =
    Shape { required: &["name", "source"], optional: &["format", "context", "citations"], nullable: &[] };
const TOOL_USE: Shape = Shape { required: &["toolUseId", "name", "input"], optional: &[], nullable: &[] };
const TOOL_RESULT: Shape =
    Shape { required: &["toolUseId", "content"], optional: &["status"], nullable: &[] };
const REASONING: Shape =
    Shape { required: &[], optional: &["reasoningText", "redactedContent"], nullable: &[] };
const REASONING_TEXT: Shape = Shape { required: &["text"], optional: &["signature"], nullable: &[] };

/// The marks for the cache so far.
#[derive(Default)]
pub(super) struct Points(usize);

impl Points {
    /// Reads one more: how long what it marks is to be cached.
    pub(super) fn read(&mut self, json: &Json<'_>, path: &Path<'_>) -> Result<Lifetime, Invalid> {
        const POINT: Shape = Shape { required: &["type"], optional: &["ttl"], nullable: &[] };
        let fields = POINT.read(json, path)?;
        fields.choice("type", &["default"])?;
        self.0 += 1;
        if self.0 > 4 {
            return Err(path.rule("A maximum of 4 cache checkpoints may be provided."));
        }
        Ok(match fields.choice("ttl", &["5m", "1h"])? {
            Some("1h") => Lifetime::Hour,
            _ => Lifetime::FiveMinutes,
        })
    }
}

/// The one member of a union that is set.
fn member<'j, 'a>(
    shape: &Shape,
    json: &'j Json<'a>,
    path: &Path<'_>,
) -> Result<(&'static str, &'j Json<'a>), Invalid> {
    let fields = shape.read(json, path)?;
    let mut set = shape.optional.iter().copied().filter_map(|name| Some((name, fields.get(name)?)));
    match (set.next(), set.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(path.rule(format!("Exactly one member of the union at {} may be set.", path.dotted()))),
    }
}

/// A text that is there and not blank.
pub(super) fn text<'j>(json: &'j Json<'_>, path: &Path<'_>) -> Result<&'j str, Invalid> {
    let text = json.as_str().ok_or_else(|| path.key("text").wrong_type("a string", json))?;
    if text.trim().is_empty() {
        let at = path.dotted();
        return Err(path.rule(format!(
            "The text field in the ContentBlock object at {at} is blank. Add text to the text field, and try again."
        )));
    }
    Ok(text)
}

/// Reads one block into the prompt.
pub(super) fn read<'j>(json: &'j Json<'_>, path: &Path<'_>, turn: &mut Turn<'_, 'j>) -> Result<(), Invalid> {
    let (kind, value) = member(&BLOCK, json, path)?;
    let inner = path.key(kind);
    let of_user = matches!(kind, "image" | "document" | "audio" | "toolResult");
    let of_assistant = matches!(kind, "toolUse" | "reasoningContent");
    if of_user && turn.is_assistant || of_assistant && !turn.is_assistant {
        let side = if of_user { "user" } else { "assistant" };
        return Err(path.rule(format!(
            "The {kind} block at {} may only be provided in messages with the {side} role.",
            path.dotted()
        )));
    }
    match kind {
        "text" => {
            let text = text(value, path)?;
            turn.has_text = true;
            if turn.is_assistant {
                turn.prompt.text(text);
            } else {
                turn.prompt.user_text(text);
            }
            Ok(())
        }
        "image" => image(value, &inner, turn.prompt),
        "audio" => sound(value, &inner, turn.prompt),
        "document" => document(value, &inner, turn),
        "toolUse" => tool_use(&TOOL_USE.read(value, &inner)?, &inner, turn),
        "toolResult" => tool_result(&TOOL_RESULT.read(value, &inner)?, &inner, turn),
        "reasoningContent" => reasoning(value, &inner, turn.prompt),
        CACHE_POINT => {
            let lifetime = turn.points.read(value, &inner)?;
            turn.prompt.boundary(lifetime);
            Ok(())
        }
        _ => Err(inner.rule(format!("This simulated model doesn't support the {kind} field."))),
    }
}

fn image<'j>(json: &'j Json<'_>, path: &Path<'_>, prompt: &mut Prompt<'j>) -> Result<(), Invalid> {
    let fields = MEDIA.read(json, path)?;
    fields.choice("format", &["png", "jpeg", "gif", "webp"])?;
    prompt.image(bytes(&fields)?);
    Ok(())
}

fn sound<'j>(json: &'j Json<'_>, path: &Path<'_>, prompt: &mut Prompt<'j>) -> Result<(), Invalid> {
    const FORMATS: &[&str] = &[
        "mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg", "mpga",
        "pcm", "webm",
    ];
    let fields = MEDIA.read(json, path)?;
    fields.choice("format", FORMATS)?;
    prompt.text(bytes(&fields)?);
    Ok(())
}

/// The bytes of a source. There is no S3 here.
fn bytes<'j>(fields: &Fields<'j, '_, '_>) -> Result<&'j str, Invalid> {
    const SOURCE: Shape = Shape { required: &[], optional: &["bytes", "s3Location"], nullable: &[] };
    let path = fields.at("source");
    let Some(source) = fields.object("source")? else { return Ok("") };
    let (kind, value) = member(&SOURCE, source, &path)?;
    let place = path.key(kind);
    match value.as_str() {
        Some(data) if is_base64(data) => Ok(data),
        _ => Err(place.rule(format!("The value at {} is not base64.", place.dotted()))),
    }
}

fn document<'j>(json: &'j Json<'_>, path: &Path<'_>, turn: &mut Turn<'_, 'j>) -> Result<(), Invalid> {
    const FORMATS: &[&str] = &["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"];
    let fields = DOCUMENT.read(json, path)?;
    fields.choice("format", FORMATS)?;
    fields.text("context")?;
    fields.object("citations")?;
    let name = fields.required_text("name")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" -()[]".contains(&byte);
    if !(1..=200).contains(&name.len()) || !name.bytes().all(plain) || name.contains("  ") {
        return Err(path.key("name").rule(
            "The document file name can only contain alphanumeric characters, whitespace characters, hyphens, \
             parentheses, and square brackets. The name can't contain more than one consecutive whitespace character.",
        ));
    }
    if turn.documents.contains(&name) {
        return Err(path.key("name").rule("The request contains duplicate document names."));
    }
    turn.documents.push(name);
    turn.has_document = true;
    match fields.get("source").and_then(|source| source.get("text")) {
        Some(text) => turn.prompt.text(text.as_str().unwrap_or_default()),
        None => turn.prompt.image(bytes(&fields)?),
    }
    Ok(())
}

/// Refuses an id that no call may have.
fn check_id(id: &str, path: &Path<'_>) -> Result<(), Invalid> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    if (1..=64).contains(&id.len()) && id.bytes().all(plain) {
        return Ok(());
    }
    Err(path.rule(format!(
        "1 validation error detected: Value '{id}' at '{}' failed to satisfy constraint: Member must satisfy regular \
         expression pattern: [a-zA-Z0-9_.:-]+ and have length less than or equal to 64",
        path.dotted()
    )))
}

fn tool_use<'j>(
    fields: &Fields<'j, '_, '_>,
    path: &Path<'_>,
    turn: &mut Turn<'_, 'j>,
) -> Result<(), Invalid> {
    let (id, name) = (fields.required_text("toolUseId")?, fields.required_text("name")?);
    check_id(id, &path.key("toolUseId"))?;
    check_name(name, &path.key("name"))?;
    turn.prompt.text(name);
    if let Some(input) = fields.object("input")? {
        turn.prompt.json(input);
    }
    turn.calls.push(id);
    Ok(())
}

fn tool_result<'j>(
    fields: &Fields<'j, '_, '_>,
    path: &Path<'_>,
    turn: &mut Turn<'_, 'j>,
) -> Result<(), Invalid> {
    let id = fields.required_text("toolUseId")?;
    check_id(id, &path.key("toolUseId"))?;
    fields.choice("status", &["success", "error"])?;
    let list = path.key("content");
    let mut result = Cow::Borrowed("");
    for (index, block) in fields.array("content")?.unwrap_or_default().iter().enumerate() {
        let path = list.index(index);
        let (kind, value) = member(&GIVEN, block, &path)?;
        match kind {
            "text" => {
                let said = text(value, &path)?;
                turn.prompt.text(said);
                if result.is_empty() {
                    result = Cow::Borrowed(said);
                } else {
                    result.to_mut().push_str(said);
                }
            }
            "json" => {
                turn.prompt.json(value);
                result.to_mut().push_str(&value.text());
            }
            "image" => image(value, &path.key(kind), turn.prompt)?,
            "document" => document(value, &path.key(kind), turn)?,
            _ => return Err(path.rule(format!("This simulated model doesn't support the {kind} field."))),
        }
    }
    turn.prompt.results.push(result);
    turn.results.push(id);
    Ok(())
}

fn reasoning<'j>(json: &'j Json<'_>, path: &Path<'_>, prompt: &mut Prompt<'j>) -> Result<(), Invalid> {
    let (kind, value) = member(&REASONING, json, path)?;
    let path = path.key(kind);
    if kind == "redactedContent" {
        return match value.as_str().filter(|data| signature::is_ours(data)) {
            Some(_) => Ok(()),
            None => Err(path.rule("The redactedContent of a reasoningContent block was modified.")),
        };
    }
    let fields = REASONING_TEXT.read(value, &path)?;
    let text = fields.required_text("text")?;
    if fields.text("signature")?.is_some_and(|signed| !signature::verify(text, signed)) {
        return Err(path.rule("The signature of a reasoningContent block is invalid."));
    }
    prompt.text(text);
    Ok(())
}

//! Reads content blocks: text, images, documents, thinking, tool uses and tool results, and cache breakpoints.

use crate::ask::{Lifetime, Prompt};
use crate::check::{Fields, Invalid, Path, Problem, Shape, is_base64, is_identifier, is_web_url};
use crate::json::Json;

use super::{request, signature};

/// Cache breakpoints of a request, in the order of the prompt.
#[derive(Default)]
pub(super) struct Breakpoints {
    count: usize,
    five_minutes: bool,
}

impl Breakpoints {
    /// One more: at most four, and the longer lived first.
    pub(super) fn add(&mut self, lifetime: Lifetime, path: &Path<'_>) -> Result<(), Invalid> {
        self.count += 1;
        if self.count > 4 {
            let found = self.count;
            return Err(Path::ROOT
                .rule(format!("A maximum of 4 blocks with cache_control may be provided. Found {found}.")));
        }
        match lifetime {
            Lifetime::FiveMinutes => self.five_minutes = true,
            Lifetime::Hour if self.five_minutes => {
                return Err(path.key("ttl").rule(
                    "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that \
                     blocks are processed in the following order: `tools`, `system`, `messages`.",
                ));
            }
            Lifetime::Hour => {}
        }
        Ok(())
    }
}

/// Reads a `cache_control` object.
pub(super) fn cache_control(json: Option<&Json<'_>>, path: &Path<'_>) -> Result<Option<Lifetime>, Invalid> {
    const SHAPE: Shape = Shape { required: &["type"], optional: &["ttl"], nullable: &[] };
    let Some(json) = json.filter(|json| **json != Json::Null) else { return Ok(None) };
    let fields = SHAPE.read(json, path)?;
    fields.choice("type", &["ephemeral"])?;
    Ok(Some(request::lifetime(fields.choice("ttl", &["5m", "1h"])?)))
}

/// What a block is, once read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Block<'j> {
    Text(&'j str),
    Media,
    Thinking,
    ToolUse(&'j str),
    ToolResult(&'j str),
}

const TEXT: Shape =
    Shape { required: &["type", "text"], optional: &[], nullable: &["cache_control", "citations"] };
const IMAGE: Shape =
    Shape { required: &["type", "source"], optional: &[], nullable: &["cache_control", "transformations"] };
const DOCUMENT: Shape = Shape {
    required: &["type", "source"],
    optional: &[],
    nullable: &["cache_control", "citations", "context", "title"],
};
const THINKING: Shape = Shape { required: &["type", "thinking", "signature"], optional: &[], nullable: &[] };
const REDACTED: Shape = Shape { required: &["type", "data"], optional: &[], nullable: &[] };
const TOOL_USE: Shape = Shape {
    required: &["type", "id", "name", "input"],
    optional: &["caller"],
    nullable: &["cache_control", "toolset_name"],
};
const TOOL_RESULT: Shape = Shape {
    required: &["type", "tool_use_id"],
    optional: &["content", "is_error"],
    nullable: &["cache_control", "toolset_name"],
};

/// Reads one block of the types allowed here into the prompt.
pub(super) fn read<'j>(
    block: &'j Json<'_>,
    path: &Path<'_>,
    allowed: &'static [&'static str],
    prompt: &mut Prompt<'j>,
    breakpoints: &mut Breakpoints,
) -> Result<Block<'j>, Invalid> {
    if !matches!(block, Json::Object(_)) {
        return Err(path.wrong_type("a valid dictionary", block));
    }
    let kind = match block.get("type") {
        Some(Json::Str(kind)) => &**kind,
        Some(other) => return Err(path.key("type").wrong_type("a valid string", other)),
        None => return Err(path.key("type").invalid(Problem::Missing)),
    };
    if !allowed.contains(&kind) {
        return Err(path.key("type").invalid(Problem::NotAllowed { got: kind.to_owned(), allowed }));
    }
    let tagged = path.key(kind);
    let read = match kind {
        "text" => Block::Text(text(block, &tagged, prompt)?),
        "image" => image(&IMAGE.read(block, &tagged)?, prompt)?,
        "document" => document(&DOCUMENT.read(block, &tagged)?, prompt)?,
        "thinking" | "redacted_thinking" => thinking(block, &tagged, path, prompt)?,
        "tool_use" => tool_use(&TOOL_USE.read(block, &tagged)?, prompt)?,
        _ => tool_result(&TOOL_RESULT.read(block, &tagged)?, prompt, breakpoints)?,
    };
    let path = tagged.key("cache_control");
    if let Some(lifetime) = cache_control(block.get("cache_control"), &path)? {
        breakpoints.add(lifetime, &path)?;
        prompt.boundary(lifetime);
    }
    Ok(read)
}

fn text<'j>(block: &'j Json<'_>, path: &Path<'_>, prompt: &mut Prompt<'j>) -> Result<&'j str, Invalid> {
    let text = TEXT.read(block, path)?.required_text("text")?;
    if text.is_empty() {
        return Err(Path::ROOT.key("messages").rule("text content blocks must be non-empty"));
    }
    if text.trim().is_empty() {
        return Err(Path::ROOT.key("messages").rule("text content blocks must contain non-whitespace text"));
    }
    prompt.text(text);
    Ok(text)
}

fn image<'j>(fields: &Fields<'j, '_, '_>, prompt: &mut Prompt<'j>) -> Result<Block<'j>, Invalid> {
    const TYPES: &[&str] = &["image/jpeg", "image/png", "image/gif", "image/webp"];
    const TRANSFORMATIONS: Shape = Shape { required: &[], optional: &["oversized_image"], nullable: &[] };
    if let Some(transformations) = fields.object("transformations")? {
        let path = fields.at("transformations");
        TRANSFORMATIONS.read(transformations, &path)?.choice("oversized_image", &["downsize", "error"])?;
    }
    let source = source(fields, TYPES, &["base64", "url"])?;
    prompt.image(source);
    Ok(Block::Media)
}

fn document<'j>(fields: &Fields<'j, '_, '_>, prompt: &mut Prompt<'j>) -> Result<Block<'j>, Invalid> {
    const TEXT_SOURCE: Shape =
        Shape { required: &["type", "media_type", "data"], optional: &[], nullable: &[] };
    fields.text("title")?;
    fields.text("context")?;
    fields.object("citations")?;
    let json = fields.object("source")?;
    if let Some(json) = json.filter(|json| json.get("type").and_then(Json::as_str) == Some("text")) {
        let path = fields.at("source");
        let source = TEXT_SOURCE.read(json, &path)?;
        source.choice("media_type", &["text/plain"])?;
        prompt.text(source.required_text("data")?);
    } else {
        prompt.image(source(fields, &["application/pdf"], &["base64", "text", "url"])?);
    }
    Ok(Block::Media)
}

/// Reads a `source` of `base64` or `url`.
fn source<'j>(
    fields: &Fields<'j, '_, '_>,
    types: &'static [&'static str],
    allowed: &'static [&'static str],
) -> Result<&'j str, Invalid> {
    const BASE64: Shape = Shape { required: &["type", "media_type", "data"], optional: &[], nullable: &[] };
    const URL: Shape = Shape { required: &["type", "url"], optional: &[], nullable: &[] };
    const ANY: Shape = Shape { required: &["type"], optional: &["file_id"], nullable: &[] };
    let path = fields.at("source");
    let Some(json) = fields.object("source")? else { return Err(path.invalid(Problem::Missing)) };
    match json.get("type").and_then(Json::as_str) {
        Some("base64") => {
            let path = path.key("base64");
            let source = BASE64.read(json, &path)?;
            source.choice("media_type", types)?;
            let data = source.required_text("data")?;
            if !is_base64(data) {
                return Err(path.key("data").rule("Invalid base64 data"));
            }
            Ok(data)
        }
        Some("url") => {
            let path = path.key("url");
            let url = URL.read(json, &path)?.required_text("url")?;
            if !is_web_url(url) {
                return Err(path.key("url").rule("Only HTTP and HTTPS URLs are supported."));
            }
            Ok(url)
        }
        Some("file") => Err(path.rule("File not found: the simulator holds no files.")),
        _ => ANY.read(json, &path)?.choice("type", allowed).map(|_| ""),
    }
}

fn thinking<'j>(
    block: &'j Json<'_>,
    tagged: &Path<'_>,
    path: &Path<'_>,
    prompt: &mut Prompt<'j>,
) -> Result<Block<'j>, Invalid> {
    if block.get("type").and_then(Json::as_str) == Some("redacted_thinking") {
        let data = REDACTED.read(block, tagged)?.required_text("data")?;
        if !signature::is_ours(data) {
            return Err(path.rule("Invalid `data` in `redacted_thinking` block"));
        }
        return Ok(Block::Thinking);
    }
    let fields = THINKING.read(block, tagged)?;
    let thinking = fields.required_text("thinking")?;
    if !signature::verify(thinking, fields.required_text("signature")?) {
        return Err(path.rule("Invalid `signature` in `thinking` block"));
    }
    prompt.text(thinking);
    Ok(Block::Thinking)
}

fn tool_use<'j>(fields: &Fields<'j, '_, '_>, prompt: &mut Prompt<'j>) -> Result<Block<'j>, Invalid> {
    const CALLER: Shape = Shape { required: &["type"], optional: &[], nullable: &[] };
    let id = fields.required_text("id")?;
    check_id(id, &fields.at("id"))?;
    let name = fields.required_text("name")?;
    if !is_identifier(name, 200) {
        return Err(fields.at("name").rule("String should match pattern '^[a-zA-Z0-9_-]{1,200}$'"));
    }
    if let Some(caller) = fields.object("caller")? {
        let path = fields.at("caller");
        CALLER.read(caller, &path)?.choice("type", &["direct"])?;
    }
    fields.unsupported(&["toolset_name"])?;
    prompt.text(name);
    if let Some(input) = fields.object("input")? {
        prompt.json(input);
    }
    Ok(Block::ToolUse(id))
}

fn tool_result<'j>(
    fields: &Fields<'j, '_, '_>,
    prompt: &mut Prompt<'j>,
    breakpoints: &mut Breakpoints,
) -> Result<Block<'j>, Invalid> {
    let id = fields.required_text("tool_use_id")?;
    check_id(id, &fields.at("tool_use_id"))?;
    fields.flag("is_error")?;
    fields.unsupported(&["toolset_name"])?;
    let path = fields.at("content");
    let mut result = std::borrow::Cow::Borrowed("");
    match fields.get("content") {
        None => {}
        Some(Json::Str(text)) => {
            prompt.text(text);
            result = std::borrow::Cow::Borrowed(&**text);
        }
        Some(Json::Array(blocks)) => {
            for (index, block) in blocks.iter().enumerate() {
                let path = path.index(index);
                let read = read(block, &path, &["text", "image", "document"], prompt, breakpoints)?;
                if let Block::Text(text) = read {
                    if result.is_empty() {
                        result = std::borrow::Cow::Borrowed(text);
                    } else {
                        result.to_mut().push_str(text);
                    }
                }
            }
        }
        Some(other) => return Err(path.wrong_type("a valid string or list", other)),
    }
    prompt.results.push(result);
    Ok(Block::ToolResult(id))
}

fn check_id(id: &str, path: &Path<'_>) -> Result<(), Invalid> {
    if is_identifier(id, usize::MAX) {
        Ok(())
    } else {
        Err(path.rule("String should match pattern '^[a-zA-Z0-9_-]+$'"))
    }
}

//! Reads `POST /v1/messages` and `POST /v1/messages/count_tokens` as strictly as the vendor does.

use crate::ask::{Ask, Choice, Format, Lifetime, Prompt, Thinking};
use crate::check::{Fields, Invalid, Path, Problem, Shape};
use crate::json::Json;
use crate::schema::{self, Rule};
use crate::shapes::{self, Models};

use super::blocks::{Breakpoints, cache_control};
use super::{messages, tools};

const MESSAGES: Shape = Shape {
    required: &["model", "messages", "max_tokens"],
    optional: &[
        "system",
        "stream",
        "stop_sequences",
        "temperature",
        "top_p",
        "top_k",
        "tools",
        "tool_choice",
        "thinking",
        "output_config",
        "metadata",
        "service_tier",
        "user_profile_id",
    ],
    nullable: &["cache_control", "container", "diagnostics", "inference_geo", "speed"],
};

const COUNT: Shape = Shape {
    required: &["model", "messages"],
    optional: &["system", "tools", "tool_choice", "thinking", "output_config", "user_profile_id"],
    nullable: &["cache_control", "speed"],
};

/// The version of the API that a request speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    /// `2023-06-01`, and before it.
    V2023,
    /// `2026-10-21`: no sampling parameters, no citations in what a user writes.
    V2026,
}

impl Version {
    /// Reads the header `anthropic-version`.
    pub(crate) fn read(header: &[u8]) -> Option<Self> {
        match header {
            b"2023-01-01" | b"2023-06-01" => Some(Self::V2023),
            b"2026-10-21" => Some(Self::V2026),
            _ => None,
        }
    }
}

/// Reads a request for a message.
pub(crate) fn read<'j, 'a>(
    json: &'j Json<'a>,
    models: &Models,
    version: Version,
) -> Result<Ask<'j, 'a>, Invalid> {
    let root = &Path::ROOT;
    let fields = MESSAGES.read(json, root)?;
    let removed = ["temperature", "top_p", "top_k"].into_iter().find(|name| fields.get(name).is_some());
    if let (Some(name), Version::V2026) = (removed, version) {
        return Err(root.key(name).invalid(Problem::Unknown));
    }
    let (place, model) = shapes::model(&fields, models)?;
    let limit = limit(&fields, &model.name, model.max_output_tokens)?;
    labels(&fields)?;
    let mut ask = common(&fields, Prompt::new(&model.name), place, version)?;
    ask.limit = Some(limit);
    ask.stream = fields.flag("stream")?.unwrap_or(false);
    ask.stops = stops(&fields)?;
    budget(&fields, limit)?;
    sampling(&fields, ask.thinking)?;
    Ok(ask)
}

/// Reads a request to count tokens.
pub(crate) fn read_count<'j, 'a>(
    json: &'j Json<'a>,
    models: &Models,
    version: Version,
) -> Result<Ask<'j, 'a>, Invalid> {
    let root = &Path::ROOT;
    let fields = COUNT.read(json, root)?;
    let (place, model) = shapes::model(&fields, models)?;
    common(&fields, Prompt::new(&model.name), place, version)
}

/// What both endpoints take.
fn common<'j, 'a>(
    fields: &Fields<'j, 'a, '_>,
    mut prompt: Prompt<'j>,
    model: u16,
    version: Version,
) -> Result<Ask<'j, 'a>, Invalid> {
    let mut breakpoints = Breakpoints::default();
    let thinking = thinking(fields)?;
    let tools = tools::read(fields, &mut prompt, &mut breakpoints)?;
    system(fields, &mut prompt, &mut breakpoints)?;
    messages::read(fields, Rules { thinking: thinking.kind, version }, &mut prompt, &mut breakpoints)?;
    let path = fields.at("cache_control");
    if let Some(lifetime) = cache_control(fields.get("cache_control"), &path)? {
        breakpoints.add(lifetime, &path)?;
        prompt.boundary(lifetime);
    }
    let (format, effort) = output_config(fields)?;
    if thinking.kind == Kind::Enabled && matches!(tools.choice, Choice::Any | Choice::Named(_)) {
        return Err(Path::ROOT.rule("Thinking may not be enabled when tool_choice forces tool use."));
    }
    fields.choice("speed", &["standard", "fast"])?;
    fields.text("user_profile_id")?;
    let thinks = match thinking.kind {
        Kind::Off => false,
        Kind::BetweenTools => !prompt.results.is_empty(),
        Kind::Enabled | Kind::Adaptive => true,
    };
    Ok(Ask {
        model,
        stream: false,
        limit: None,
        stops: Vec::new(),
        tools: tools.allowed,
        choice: tools.choice,
        parallel: tools.parallel,
        format,
        thinking: if thinks {
            Thinking::Shown { tokens: thinking.tokens.unwrap_or(effort), omitted: thinking.omitted }
        } else {
            Thinking::Off
        },
        prompt,
    })
}

fn limit(fields: &Fields<'_, '_, '_>, model: &str, most: u32) -> Result<u32, Invalid> {
    let path = fields.at("max_tokens");
    let limit = fields.integer("max_tokens")?.unwrap_or(0);
    if limit < 0 {
        return Err(path.rule("Input should be greater than or equal to 0"));
    }
    u32::try_from(limit).ok().filter(|limit| *limit <= most).ok_or_else(|| {
        path.rule(format!(
            "{limit} > {most}, which is the maximum allowed number of output tokens for {model}"
        ))
    })
}

fn stops<'j>(fields: &Fields<'j, '_, '_>) -> Result<Vec<&'j str>, Invalid> {
    let path = fields.at("stop_sequences");
    let texts = fields.array("stop_sequences")?.unwrap_or_default().iter().enumerate();
    texts
        .map(|(index, text)| {
            let path = path.index(index);
            let text = text.as_str().ok_or_else(|| path.wrong_type("a valid string", text))?;
            if text.trim().is_empty() {
                return Err(Path::ROOT
                    .key("stop_sequences")
                    .rule("each stop sequence must contain non-whitespace"));
            }
            Ok(text)
        })
        .collect()
}

fn labels(fields: &Fields<'_, '_, '_>) -> Result<(), Invalid> {
    const METADATA: Shape = Shape { required: &[], optional: &[], nullable: &["user_id"] };
    const DIAGNOSTICS: Shape = Shape { required: &[], optional: &[], nullable: &["previous_message_id"] };
    fields.unsupported(&["container"])?;
    fields.choice("service_tier", &["auto", "standard_only"])?;
    fields.text("inference_geo")?;
    if let Some(metadata) = fields.object("metadata")? {
        let path = fields.at("metadata");
        let user = METADATA.read(metadata, &path)?.text("user_id")?;
        if user.is_some_and(|user| user.chars().count() > 256) {
            return Err(path.key("user_id").rule("String should have at most 256 characters"));
        }
    }
    if let Some(diagnostics) = fields.object("diagnostics")? {
        let path = fields.at("diagnostics");
        DIAGNOSTICS.read(diagnostics, &path)?.text("previous_message_id")?;
    }
    Ok(())
}

fn sampling(fields: &Fields<'_, '_, '_>, thinking: Thinking) -> Result<(), Invalid> {
    let temperature = fields.number("temperature", 0.0, 1.0)?;
    fields.number("top_p", 0.0, 1.0)?;
    let top_k = fields.integer("top_k")?;
    if top_k.is_some_and(|top_k| top_k < 0) {
        return Err(fields.at("top_k").rule("Input should be greater than or equal to 0"));
    }
    if thinking != Thinking::Off {
        if temperature.is_some_and(|temperature| temperature < 1.0) {
            return Err(Path::ROOT.rule("`temperature` may only be set to 1 when thinking is enabled."));
        }
        if top_k.is_some() {
            return Err(Path::ROOT.rule("`top_k` must be unset when thinking is enabled."));
        }
    }
    Ok(())
}

fn system<'j>(
    fields: &Fields<'j, '_, '_>,
    prompt: &mut Prompt<'j>,
    breakpoints: &mut Breakpoints,
) -> Result<(), Invalid> {
    let path = fields.at("system");
    match fields.get("system") {
        None => Ok(()),
        Some(Json::Str(text)) => {
            prompt.message("system");
            prompt.text(text);
            Ok(())
        }
        Some(Json::Array(texts)) => {
            prompt.message("system");
            messages::text_blocks(texts, &path, prompt, breakpoints)
        }
        Some(other) => Err(path.wrong_type("a valid string or list", other)),
    }
}

/// Whether and when the model thinks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Off,
    Enabled,
    Adaptive,
    BetweenTools,
}

/// What the rest of a request says of its messages.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    /// Whether and when the model thinks.
    pub(super) thinking: Kind,
    /// The version of the API.
    pub(super) version: Version,
}

struct Thought {
    kind: Kind,
    tokens: Option<u32>,
    omitted: bool,
}

fn thinking(fields: &Fields<'_, '_, '_>) -> Result<Thought, Invalid> {
    const ENABLED: Shape =
        Shape { required: &["type", "budget_tokens"], optional: &[], nullable: &["display"] };
    const ADAPTIVE: Shape = Shape { required: &["type"], optional: &[], nullable: &["display"] };
    const BARE: Shape = Shape { required: &["type"], optional: &[], nullable: &[] };
    const KINDS: &[&str] = &["adaptive", "between_tools", "disabled", "enabled"];
    let Some(thinking) = fields.object("thinking")? else {
        return Ok(Thought { kind: Kind::Off, tokens: None, omitted: false });
    };
    let path = fields.at("thinking");
    let (kind, shape) = match thinking.get("type").and_then(Json::as_str) {
        Some("enabled") => (Kind::Enabled, &ENABLED),
        Some("adaptive") => (Kind::Adaptive, &ADAPTIVE),
        Some("between_tools") => (Kind::BetweenTools, &BARE),
        _ => (Kind::Off, &BARE),
    };
    let thinking = shape.read(thinking, &path)?;
    thinking.choice("type", KINDS)?;
    let tokens = match thinking.integer("budget_tokens")? {
        Some(budget) if budget < 1_024 => {
            return Err(path
                .key("enabled")
                .key("budget_tokens")
                .rule("Input should be greater than or equal to 1024"));
        }
        Some(_) => Some(32),
        None => None,
    };
    let omitted = thinking.choice("display", &["summarized", "omitted"])? == Some("omitted");
    Ok(Thought { kind, tokens, omitted })
}

/// The thinking budget must leave room for the reply.
fn budget(fields: &Fields<'_, '_, '_>, limit: u32) -> Result<(), Invalid> {
    let budget =
        fields.get("thinking").and_then(|thinking| thinking.get("budget_tokens")).and_then(Json::as_int);
    if budget.is_some_and(|budget| budget >= i64::from(limit)) {
        return Err(Path::ROOT.rule("`max_tokens` must be greater than `thinking.budget_tokens`."));
    }
    Ok(())
}

/// The form of the text, and how many tokens the effort thinks.
fn output_config<'j, 'a>(fields: &Fields<'j, 'a, '_>) -> Result<(Format<'j, 'a>, u32), Invalid> {
    const CONFIG: Shape = Shape { required: &[], optional: &[], nullable: &["effort", "format"] };
    const FORMAT: Shape = Shape { required: &["type", "schema"], optional: &[], nullable: &[] };
    let Some(config) = fields.object("output_config")? else { return Ok((Format::Text, 64)) };
    let path = fields.at("output_config");
    let config = CONFIG.read(config, &path)?;
    let effort = match config.choice("effort", &["low", "medium", "high", "xhigh", "max"])? {
        Some("low") => 16,
        Some("medium") => 32,
        Some("xhigh") => 128,
        Some("max") => 256,
        _ => 64,
    };
    let Some(format) = config.object("format")? else { return Ok((Format::Text, effort)) };
    let path = path.key("format");
    let format = FORMAT.read(format, &path)?;
    format.choice("type", &["json_schema"])?;
    let Some(schema) = format.object("schema")? else { return Ok((Format::Text, effort)) };
    strict_schema(schema, &path.key("schema"))?;
    Ok((Format::Schema(schema), effort))
}

/// Refuses a schema that structured outputs do not take, in the vendor's words.
pub(super) fn strict_schema(schema: &Json<'_>, path: &Path<'_>) -> Result<(), Invalid> {
    let Some(broken) = schema::broken(schema, schema::ANTHROPIC_STRICT) else { return Ok(()) };
    Err(path.rule(match broken.rule {
        Rule::Keyword(keyword, kind) => format!("For '{kind}' type, property '{keyword}' is not supported"),
        _ => "For 'object' type, 'additionalProperties' must be explicitly set to false".to_owned(),
    }))
}

/// How long what this marks is to be cached; for `blocks`.
pub(super) fn lifetime(ttl: Option<&str>) -> Lifetime {
    if ttl == Some("1h") { Lifetime::Hour } else { Lifetime::FiveMinutes }
}

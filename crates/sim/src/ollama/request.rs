//! Reads `POST /api/chat`.

use crate::ask::{Ask, Choice, Format, Prompt, Thinking, Tool};
use crate::check::{Fields, Invalid, Path, Problem, Shape};
use crate::json::Json;
use crate::shapes::{self, Models};

use super::messages;

const REQUEST: Shape = Shape {
    required: &["model", "messages"],
    optional: &[],
    nullable: &[
        "stream",
        "format",
        "keep_alive",
        "tools",
        "options",
        "think",
        "truncate",
        "shift",
        "logprobs",
        "top_logprobs",
    ],
};

/// What a model takes: <https://docs.ollama.com/modelfile#valid-parameters-and-values>, `api/types.go`.
const OPTIONS: Shape = Shape {
    required: &[],
    optional: &[],
    nullable: &[
        "num_keep",
        "seed",
        "num_predict",
        "top_k",
        "top_p",
        "min_p",
        "typical_p",
        "repeat_last_n",
        "temperature",
        "repeat_penalty",
        "presence_penalty",
        "frequency_penalty",
        "stop",
        "num_ctx",
        "num_batch",
        "num_gpu",
        "main_gpu",
        "use_mmap",
        "num_thread",
        "draft_num_predict",
    ],
};

/// Reads a request.
pub(crate) fn read<'j, 'a>(json: &'j Json<'a>, models: &Models) -> Result<Ask<'j, 'a>, Invalid> {
    let root = &Path::ROOT;
    let fields = REQUEST.read(json, root)?;
    let (place, model) = shapes::model(&fields, models)?;
    let mut prompt = Prompt::new(&model.name);
    let tools = tools(&fields, &mut prompt)?;
    messages::read(&fields, &mut prompt)?;
    for name in ["truncate", "shift", "logprobs"] {
        fields.flag(name)?;
    }
    if fields.integer("top_logprobs")?.is_some_and(|most| !(0..=20).contains(&most)) {
        return Err(fields.at("top_logprobs").rule("top_logprobs must be between 0 and 20"));
    }
    keep_alive(&fields)?;
    let (limit, stops) = options(&fields)?;
    Ok(Ask {
        model: place,
        // It streams unless told not to.
        stream: fields.flag("stream")?.unwrap_or(true),
        limit,
        stops,
        tools,
        choice: Choice::Auto,
        parallel: true,
        format: format(&fields)?,
        thinking: think(&fields)?,
        prompt,
    })
}

fn keep_alive(fields: &Fields<'_, '_, '_>) -> Result<(), Invalid> {
    match fields.get("keep_alive") {
        None | Some(Json::Int(_) | Json::Float(_) | Json::Str(_)) => Ok(()),
        Some(other) => Err(fields.at("keep_alive").wrong_type("a duration", other)),
    }
}

fn tools<'j, 'a>(fields: &Fields<'j, 'a, '_>, prompt: &mut Prompt<'j>) -> Result<Vec<Tool<'j, 'a>>, Invalid> {
    const TOOL: Shape = Shape { required: &["type", "function"], optional: &["items"], nullable: &[] };
    const FUNCTION: Shape =
        Shape { required: &["name", "parameters"], optional: &["description"], nullable: &[] };
    let path = fields.at("tools");
    let mut tools = Vec::new();
    for (index, tool) in fields.array("tools")?.unwrap_or_default().iter().enumerate() {
        let path = path.index(index);
        TOOL.read(tool, &path)?.choice("type", &["function"])?;
        let path = path.key("function");
        let Some(function) = tool.get("function") else { return Err(path.invalid(Problem::Missing)) };
        let fields = FUNCTION.read(function, &path)?;
        fields.required_text("name")?;
        fields.text("description")?;
        fields.object("parameters")?;
        let name = function.get("name").and_then(Json::as_str).unwrap_or_default();
        tools.push(Tool { name, schema: function.get("parameters") });
        prompt.json(tool);
    }
    Ok(tools)
}

/// The limit of output tokens, and the texts that end a reply. Below 0 there is no limit.
fn options<'j>(fields: &Fields<'j, '_, '_>) -> Result<(Option<u32>, Vec<&'j str>), Invalid> {
    const MOST: f64 = f64::MAX;
    let Some(json) = fields.object("options")? else { return Ok((None, Vec::new())) };
    let path = fields.at("options");
    let options = OPTIONS.read(json, &path)?;
    for name in [
        "temperature",
        "top_p",
        "min_p",
        "typical_p",
        "repeat_penalty",
        "presence_penalty",
        "frequency_penalty",
    ] {
        options.number(name, -MOST, MOST)?;
    }
    for name in [
        "num_keep",
        "seed",
        "top_k",
        "repeat_last_n",
        "num_ctx",
        "num_batch",
        "num_gpu",
        "main_gpu",
        "num_thread",
        "draft_num_predict",
    ] {
        options.integer(name)?;
    }
    options.flag("use_mmap")?;
    let limit = options.integer("num_predict")?.filter(|limit| *limit >= 0);
    let limit = limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX));
    let path = options.at("stop");
    let stops = match json.get("stop") {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::Str(text)) => vec![&**text],
        Some(Json::Array(texts)) => texts
            .iter()
            .enumerate()
            .map(|(index, text)| text.as_str().ok_or_else(|| path.index(index).wrong_type("a string", text)))
            .collect::<Result<_, _>>()?,
        Some(other) => return Err(path.wrong_type("an array of strings", other)),
    };
    Ok((limit, stops))
}

fn format<'j, 'a>(fields: &Fields<'j, 'a, '_>) -> Result<Format<'j, 'a>, Invalid> {
    match fields.get("format") {
        None => Ok(Format::Text),
        Some(Json::Str(word)) if word.is_empty() => Ok(Format::Text),
        Some(Json::Str(word)) if word == "json" => Ok(Format::JsonObject),
        Some(schema @ Json::Object(_)) => Ok(Format::Schema(schema)),
        Some(other) => Err(fields.at("format").rule(format!(
            "invalid format: {}; expected \"json\" or a valid JSON Schema object",
            other.text()
        ))),
    }
}

/// How much is thought; the thoughts are always shown.
fn think(fields: &Fields<'_, '_, '_>) -> Result<Thinking, Invalid> {
    let shown = |tokens| Ok(Thinking::Shown { tokens, omitted: false });
    match fields.get("think") {
        None | Some(Json::Bool(false)) => Ok(Thinking::Off),
        Some(Json::Bool(true)) => shown(32),
        Some(Json::Str(level)) if level == "low" => shown(16),
        Some(Json::Str(level)) if level == "medium" => shown(32),
        Some(Json::Str(level)) if level == "high" => shown(64),
        Some(Json::Str(level)) if level == "max" => shown(128),
        Some(other) => Err(fields.at("think").rule(format!(
            "invalid think value: {} (must be \"high\", \"medium\", \"low\", \"max\", true, or false)",
            other.text()
        ))),
    }
}

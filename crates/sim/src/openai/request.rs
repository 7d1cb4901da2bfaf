//! Reads `POST /v1/chat/completions` as strictly as the vendor does.

use crate::ask::{Ask, Format, Prompt, Thinking};
use crate::check::{Fields, Invalid, Path, Shape, is_identifier};
use crate::json::Json;
use crate::schema::{self, Rule};
use crate::shapes::{self, Models};

use super::{messages, tools};

const REQUEST: Shape = Shape {
    required: &["model", "messages"],
    optional: &[
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "user",
        "functions",
        "function_call",
        "prediction",
        "prompt_cache_options",
        "web_search_options",
    ],
    nullable: &[
        "stream",
        "stream_options",
        "max_completion_tokens",
        "max_tokens",
        "temperature",
        "top_p",
        "stop",
        "seed",
        "n",
        "reasoning_effort",
        "verbosity",
        "metadata",
        "store",
        "service_tier",
        "frequency_penalty",
        "presence_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "modalities",
        "audio",
        "moderation",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
    ],
};

/// A valid request, and what only this dialect has.
pub(crate) struct Request<'j, 'a> {
    /// What generating needs.
    pub(crate) ask: Ask<'j, 'a>,
    /// Whether the stream ends with a chunk of usage.
    pub(crate) include_usage: bool,
    /// Whether the stream's chunks are padded.
    pub(crate) obfuscate: bool,
}

/// Reads a request.
pub(crate) fn read<'j, 'a>(json: &'j Json<'a>, models: &Models) -> Result<Request<'j, 'a>, Invalid> {
    let root = &Path::ROOT;
    let fields = REQUEST.read(json, root)?;
    let (place, model) = shapes::model(&fields, models)?;
    fields.unsupported(&["functions", "function_call", "web_search_options", "audio", "moderation"])?;
    let mut prompt = Prompt::new(&model.name);
    let tools = tools::read(&fields, &mut prompt)?;
    messages::read(&fields, &mut prompt)?;
    sampling(&fields)?;
    labels(&fields)?;
    let (stream, include_usage, obfuscate) = streaming(&fields)?;
    let ask = Ask {
        model: place,
        stream,
        limit: limit(&fields, model.max_output_tokens)?,
        stops: stops(&fields)?,
        tools: tools.allowed,
        choice: tools.choice,
        parallel: tools.parallel,
        format: format(&fields)?,
        thinking: effort(&fields)?,
        prompt,
    };
    Ok(Request { ask, include_usage, obfuscate })
}

fn streaming(fields: &Fields<'_, '_, '_>) -> Result<(bool, bool, bool), Invalid> {
    const OPTIONS: Shape =
        Shape { required: &[], optional: &["include_usage", "include_obfuscation"], nullable: &[] };
    let stream = fields.flag("stream")?.unwrap_or(false);
    let Some(options) = fields.object("stream_options")? else {
        return Ok((stream, false, false));
    };
    let path = fields.at("stream_options");
    if !stream {
        return Err(path.rule("The 'stream_options' parameter is only allowed when 'stream' is enabled."));
    }
    let options = OPTIONS.read(options, &path)?;
    let include_usage = options.flag("include_usage")?.unwrap_or(false);
    Ok((stream, include_usage, options.flag("include_obfuscation")?.unwrap_or(false)))
}

fn limit(fields: &Fields<'_, '_, '_>, most: u32) -> Result<Option<u32>, Invalid> {
    let names = ["max_completion_tokens", "max_tokens"];
    let [Some(_), Some(_)] = names.map(|name| fields.get(name)) else {
        for name in names {
            if let Some(limit) = fields.integer(name)? {
                return in_range(fields, name, limit, most).map(Some);
            }
        }
        return Ok(None);
    };
    Err(fields.at("max_tokens").rule(
        "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported. \
         Please use 'max_completion_tokens' instead.",
    ))
}

fn in_range(fields: &Fields<'_, '_, '_>, name: &'static str, limit: i64, most: u32) -> Result<u32, Invalid> {
    if limit < 1 {
        return Err(fields.at(name).rule_with_code(
            "integer_below_min_value",
            format!("Invalid '{name}': integer below minimum value. Expected a value >= 1, but got {limit} instead."),
        ));
    }
    u32::try_from(limit).ok().filter(|limit| *limit <= most).ok_or_else(|| {
        fields.at(name).rule_with_code(
            "invalid_value",
            format!(
                "{name} is too large: {limit}. This model supports at most {most} completion tokens, \
                 whereas you provided {limit}."
            ),
        )
    })
}

fn stops<'j>(fields: &Fields<'j, '_, '_>) -> Result<Vec<&'j str>, Invalid> {
    let path = fields.at("stop");
    match fields.get("stop") {
        None => Ok(Vec::new()),
        Some(Json::Str(text)) => Ok(vec![text]),
        Some(Json::Array(texts)) if texts.len() <= 4 => texts
            .iter()
            .enumerate()
            .map(|(index, text)| text.as_str().ok_or_else(|| path.index(index).wrong_type("a string", text)))
            .collect(),
        Some(Json::Array(texts)) => Err(path.rule_with_code(
            "array_above_max_length",
            format!(
                "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with \
                 length {} instead.",
                texts.len()
            ),
        )),
        Some(other) => Err(path.wrong_type("one of a string or array of strings", other)),
    }
}

fn sampling(fields: &Fields<'_, '_, '_>) -> Result<(), Invalid> {
    fields.number("temperature", 0.0, 2.0)?;
    fields.number("top_p", 0.0, 1.0)?;
    fields.number("frequency_penalty", -2.0, 2.0)?;
    fields.number("presence_penalty", -2.0, 2.0)?;
    fields.integer("seed")?;
    if fields.integer("n")?.is_some_and(|choices| choices != 1) {
        return Err(fields
            .at("n")
            .rule_with_code("unsupported_value", "This simulated model makes one choice: 'n' must be 1."));
    }
    if fields.flag("logprobs")? == Some(true) || fields.integer("top_logprobs")?.is_some() {
        return Err(fields.at("logprobs").rule_with_code(
            "unsupported_parameter",
            "'logprobs' is not supported by this simulated model.",
        ));
    }
    if let Some(Json::Object(biases)) = fields.object("logit_bias")? {
        let path = fields.at("logit_bias");
        for (token, bias) in biases {
            #[expect(clippy::cast_precision_loss, reason = "compared with 100 only")]
            let value = match bias {
                Json::Int(bias) => *bias as f64,
                Json::Float(bias) => *bias,
                other => return Err(path.key(token).wrong_type("a number", other)),
            };
            if token.parse::<u32>().is_err() || !(-100.0..=100.0).contains(&value) {
                return Err(path.key(token).rule("Token ids map to a bias from -100 to 100."));
            }
        }
    }
    Ok(())
}

fn labels(fields: &Fields<'_, '_, '_>) -> Result<(), Invalid> {
    const CACHE: Shape = Shape { required: &[], optional: &["mode", "ttl"], nullable: &[] };
    const PREDICTION: Shape = Shape { required: &["type", "content"], optional: &[], nullable: &[] };
    for name in ["user", "prompt_cache_key", "safety_identifier"] {
        fields.text(name)?;
    }
    fields.flag("store")?;
    fields.choice("service_tier", &["auto", "default", "flex", "scale", "priority", "fast"])?;
    fields.choice("verbosity", &["low", "medium", "high"])?;
    fields.choice("prompt_cache_retention", &["in_memory", "24h"])?;
    if let Some(options) = fields.object("prompt_cache_options")? {
        let path = fields.at("prompt_cache_options");
        let options = CACHE.read(options, &path)?;
        options.choice("mode", &["implicit", "explicit"])?;
        options.choice("ttl", &["30m"])?;
    }
    if let Some(prediction) = fields.object("prediction")? {
        let path = fields.at("prediction");
        PREDICTION.read(prediction, &path)?.choice("type", &["content"])?;
    }
    metadata(fields)?;
    for (index, modality) in fields.array("modalities")?.unwrap_or_default().iter().enumerate() {
        if modality.as_str() != Some("text") {
            let path = fields.at("modalities");
            return Err(path
                .index(index)
                .rule_with_code("unsupported_value", "This simulated model writes text."));
        }
    }
    Ok(())
}

/// Reads `metadata`.
pub(super) fn metadata(fields: &Fields<'_, '_, '_>) -> Result<(), Invalid> {
    let Some(Json::Object(pairs)) = fields.object("metadata")? else { return Ok(()) };
    let path = fields.at("metadata");
    shapes::at_most(&path, pairs.len(), 16)?;
    for (key, value) in pairs {
        let Json::Str(text) = value else { return Err(path.key(key).wrong_type("a string", value)) };
        if key.len() > 64 || text.len() > 512 {
            return Err(path
                .key(key)
                .rule("Metadata keys have at most 64 and values at most 512 characters."));
        }
    }
    Ok(())
}

fn effort(fields: &Fields<'_, '_, '_>) -> Result<Thinking, Invalid> {
    Ok(effort_tokens(fields, "reasoning_effort")?.map_or(Thinking::Off, Thinking::Counted))
}

/// The tokens of reasoning that an effort takes; none if none is asked for.
pub(super) fn effort_tokens(fields: &Fields<'_, '_, '_>, name: &'static str) -> Result<Option<u32>, Invalid> {
    const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];
    Ok(match fields.choice(name, EFFORTS)? {
        Some("minimal") => Some(8),
        Some("low") => Some(16),
        Some("medium") => Some(32),
        Some("high") => Some(64),
        Some("xhigh") => Some(128),
        Some("max") => Some(256),
        _ => None,
    })
}

fn format<'j, 'a>(fields: &Fields<'j, 'a, '_>) -> Result<Format<'j, 'a>, Invalid> {
    const PLAIN: Shape = Shape { required: &["type"], optional: &[], nullable: &[] };
    const WITH_SCHEMA: Shape = Shape { required: &["type", "json_schema"], optional: &[], nullable: &[] };
    let Some(format) = fields.object("response_format")? else { return Ok(Format::Text) };
    let path = fields.at("response_format");
    match format.get("type").and_then(Json::as_str) {
        Some("text") => PLAIN.read(format, &path).map(|_| Format::Text),
        Some("json_object") => {
            PLAIN.read(format, &path)?;
            let messages = fields.get("messages").map(Json::text).unwrap_or_default();
            if !messages.to_ascii_lowercase().contains("json") {
                return Err(fields.at("messages").rule(
                    "'messages' must contain the word 'json' in some form, to use 'response_format' of type \
                     'json_object'.",
                ));
            }
            Ok(Format::JsonObject)
        }
        Some("json_schema") => {
            let format = WITH_SCHEMA.read(format, &path)?;
            json_schema(format.get("json_schema"), &path)
        }
        _ => {
            let allowed = &["json_object", "json_schema", "text"];
            PLAIN.read(format, &path)?.choice("type", allowed).map(|_| Format::Text)
        }
    }
}

fn json_schema<'j, 'a>(json: Option<&'j Json<'a>>, path: &Path<'_>) -> Result<Format<'j, 'a>, Invalid> {
    const SCHEMA: Shape =
        Shape { required: &["name"], optional: &["description", "schema"], nullable: &["strict"] };
    let path = path.key("json_schema");
    let Some(json) = json else { return Ok(Format::JsonObject) };
    // The fields do not outlive this path; the schema itself is found again in the request.
    let fields = SCHEMA.read(json, &path)?;
    let name = fields.required_text("name")?;
    if !is_identifier(name, 64) {
        return Err(path.key("name").rule_with_code(
            "invalid_value",
            "Invalid 'response_format.json_schema.name': string does not match pattern. Expected a string that \
             matches the pattern '^[a-zA-Z0-9_-]+$'.",
        ));
    }
    fields.text("description")?;
    fields.object("schema")?;
    let strict = fields.flag("strict")?.unwrap_or(false);
    let Some(schema) = json.get("schema") else { return Ok(Format::JsonObject) };
    if strict {
        strict_schema(
            schema,
            &format!("response_format '{name}'"),
            "invalid_json_schema",
            &path.key("schema"),
        )?;
    }
    Ok(Format::Schema(schema))
}

/// Refuses a schema that `strict` does not take, in the vendor's words.
pub(super) fn strict_schema(
    schema: &Json<'_>,
    owner: &str,
    code: &'static str,
    path: &Path<'_>,
) -> Result<(), Invalid> {
    if schema.get("type").and_then(Json::as_str) != Some("object") {
        return Err(path.rule_with_code(
            code,
            format!("Invalid schema for {owner}: schema must be a JSON Schema of 'type: \"object\"'."),
        ));
    }
    let Some(broken) = schema::broken(schema, schema::OPENAI_STRICT) else { return Ok(()) };
    let rule = match broken.rule {
        Rule::NotRequired(name) => format!(
            "'required' is required to be supplied and to be an array including every key in properties. \
             Missing '{name}'."
        ),
        _ => "'additionalProperties' is required to be supplied and to be false.".to_owned(),
    };
    let steps: Vec<String> = broken.context.iter().map(|step| format!("'{step}'")).collect();
    let message = format!("Invalid schema for {owner}: In context=({}), {rule}", steps.join(", "));
    Err(path.rule_with_code(code, message))
}

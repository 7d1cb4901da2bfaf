//! Reads `POST /v1/responses` and `POST /v1/responses/input_tokens` as strictly as the vendor does.
//!
//! <https://platform.openai.com/docs/api-reference/responses/create>
//! <https://platform.openai.com/docs/api-reference/responses/input-tokens>

use crate::ask::{Ask, Prompt};
use crate::check::{Fields, Invalid, Path, Problem, Shape};
use crate::json::Json;
use crate::options::ModelOptions;
use crate::shapes::{self, Models};

use super::super::request::metadata;
use super::settings::Settings;
use super::{format, input, tools};

const REQUEST: Shape = Shape {
    required: &["model"],
    optional: &[
        "input",
        "text",
        "tools",
        "tool_choice",
        "user",
        "access_programs",
        "image",
        "prompt_cache_options",
    ],
    nullable: &[
        "background",
        "context_management",
        "conversation",
        "include",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "moderation",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "top_logprobs",
        "top_p",
        "truncation",
    ],
};
const COUNT: Shape = Shape {
    required: &["model"],
    optional: &["personality", "truncation"],
    nullable: &[
        "conversation",
        "input",
        "instructions",
        "parallel_tool_calls",
        "previous_response_id",
        "reasoning",
        "text",
        "tool_choice",
        "tools",
    ],
};

/// The least that `max_output_tokens` may be.
const LEAST_OUTPUT: u32 = 16;

/// A valid request, and what only this dialect has.
pub(crate) struct Request<'j, 'a> {
    /// What generating needs.
    pub(crate) ask: Ask<'j, 'a>,
    /// What its replies say again, and in which form they are wanted.
    pub(crate) settings: Settings,
}

/// Reads a request. `boot` is what the ids of this run have in them.
pub(crate) fn read<'j, 'a>(
    json: &'j Json<'a>,
    models: &Models,
    boot: u32,
) -> Result<Request<'j, 'a>, Invalid> {
    let fields = REQUEST.read(json, &Path::ROOT)?;
    let (place, model) = shapes::model(&fields, models)?;
    let mut request = conversation(&fields, place, model, boot)?;
    fields.unsupported(&["access_programs", "context_management", "image", "moderation"])?;
    labels(&fields)?;
    sampling(&fields)?;
    request.ask.limit = limit(&fields, model.max_output_tokens)?;
    let (stream, obfuscate) = streaming(&fields)?;
    request.ask.stream = stream;
    request.settings.obfuscate = obfuscate;
    request.settings.encrypted = include(&fields)?;
    request.settings.echo(&fields);
    Ok(request)
}

/// Reads a request to count the input tokens of another.
pub(crate) fn read_count<'j, 'a>(
    json: &'j Json<'a>,
    models: &Models,
    boot: u32,
) -> Result<Request<'j, 'a>, Invalid> {
    let fields = COUNT.read(json, &Path::ROOT)?;
    if let Some(name) = fields.text("personality")? {
        at_most_characters(&fields.at("personality"), name, 64)?;
    }
    fields.choice("truncation", &["auto", "disabled"])?;
    let (place, model) = shapes::model(&fields, models)?;
    conversation(&fields, place, model, boot)
}

/// What a request has whether it is to be answered or counted.
fn conversation<'j, 'a>(
    fields: &Fields<'j, 'a, '_>,
    place: u16,
    model: &ModelOptions,
    boot: u32,
) -> Result<Request<'j, 'a>, Invalid> {
    kept(fields)?;
    let mut settings = Settings::default();
    let mut prompt = Prompt::new(&model.name);
    let tools = tools::read(fields, &mut prompt, &mut settings)?;
    if let Some(text) = fields.text("instructions")? {
        prompt.message("system");
        prompt.text(text);
    }
    let kept = input::Kept { stored: fields.flag("store")?.unwrap_or(true), boot };
    input::read(fields, &mut prompt, kept)?;
    let ask = Ask {
        model: place,
        stream: false,
        limit: None,
        stops: Vec::new(),
        tools: tools.allowed,
        choice: tools.choice,
        parallel: tools.parallel,
        format: format::text(fields)?,
        thinking: format::reasoning(fields)?,
        prompt,
    };
    Ok(Request { ask, settings })
}

/// Refuses what would have to be kept from an earlier call.
fn kept(fields: &Fields<'_, '_, '_>) -> Result<(), Invalid> {
    const ID: Shape = Shape { required: &["id"], optional: &[], nullable: &[] };
    const PROMPT: Shape = Shape { required: &["id"], optional: &[], nullable: &["variables", "version"] };
    if let Some(id) = fields.text("previous_response_id")? {
        return Err(fields.at("previous_response_id").rule_with_code(
            "previous_response_not_found",
            format!("Previous response with id '{id}' not found."),
        ));
    }
    let named = |name: &'static str, shape: &Shape, what: &str| -> Result<(), Invalid> {
        let path = fields.at(name);
        let id = match fields.get(name) {
            None => return Ok(()),
            Some(Json::Str(id)) if name == "conversation" => id,
            Some(object) => shape.read(object, &path)?.required_text("id")?,
        };
        let message = format!("{what} with id '{id}' not found.");
        Err(path.invalid(Problem::NotFound { message }))
    };
    named("conversation", &ID, "Conversation")?;
    named("prompt", &PROMPT, "Prompt")?;
    if fields.flag("background")? == Some(true) {
        return Err(fields.at("background").rule_with_code(
            "unsupported_value",
            "'background' is not supported by this simulated model, which keeps no responses.",
        ));
    }
    Ok(())
}

fn labels(fields: &Fields<'_, '_, '_>) -> Result<(), Invalid> {
    const CACHE: Shape =
        Shape { required: &[], optional: &["mode", "ttl", "prewarm"], nullable: &["comparison_response_id"] };
    for (name, most) in [("user", 512), ("prompt_cache_key", 512), ("safety_identifier", 128)] {
        if let Some(text) = fields.text(name)? {
            at_most_characters(&fields.at(name), text, most)?;
        }
    }
    metadata(fields)?;
    fields.choice("service_tier", &["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"])?;
    fields.choice("prompt_cache_retention", &["in_memory", "24h"])?;
    // Even with `auto` nothing is dropped from a conversation that is too long: it is refused.
    fields.choice("truncation", &["auto", "disabled"])?;
    if let Some(options) = fields.object("prompt_cache_options")? {
        let path = fields.at("prompt_cache_options");
        let options = CACHE.read(options, &path)?;
        options.choice("mode", &["implicit", "explicit"])?;
        options.choice("ttl", &["30m", "12h"])?;
        options.flag("prewarm")?;
        options.text("comparison_response_id")?;
    }
    Ok(())
}

fn sampling(fields: &Fields<'_, '_, '_>) -> Result<(), Invalid> {
    fields.number("temperature", 0.0, 2.0)?;
    fields.number("top_p", 0.0, 1.0)?;
    if let Some(calls) = fields.integer("max_tool_calls")?.filter(|calls| *calls < 1) {
        return Err(below(&fields.at("max_tool_calls"), 1, calls));
    }
    let logprobs = fields.integer("top_logprobs")?.unwrap_or(0);
    if !(0..=20).contains(&logprobs) {
        return Err(fields.at("top_logprobs").rule(format!(
            "Invalid 'top_logprobs': expected a value from 0 to 20, but got {logprobs} instead."
        )));
    }
    if logprobs > 0 {
        return Err(fields.at("top_logprobs").rule_with_code(
            "unsupported_parameter",
            "'top_logprobs' is not supported by this simulated model.",
        ));
    }
    Ok(())
}

fn limit(fields: &Fields<'_, '_, '_>, most: u32) -> Result<Option<u32>, Invalid> {
    let Some(limit) = fields.integer("max_output_tokens")? else { return Ok(None) };
    let path = fields.at("max_output_tokens");
    if limit < LEAST_OUTPUT.into() {
        return Err(below(&path, LEAST_OUTPUT, limit));
    }
    u32::try_from(limit).ok().filter(|limit| *limit <= most).map(Some).ok_or_else(|| {
        path.rule_with_code(
            "integer_above_max_value",
            format!(
                "Invalid 'max_output_tokens': integer above maximum value. Expected a value <= {most}, but got \
                 {limit} instead."
            ),
        )
    })
}

fn below(path: &Path<'_>, least: u32, got: i64) -> Invalid {
    path.rule_with_code(
        "integer_below_min_value",
        format!(
            "Invalid '{}': integer below minimum value. Expected a value >= {least}, but got {got} instead.",
            path.bracketed()
        ),
    )
}

/// Refuses a text that is longer than the vendor takes.
pub(super) fn at_most_characters(path: &Path<'_>, text: &str, most: usize) -> Result<(), Invalid> {
    let length = text.chars().count();
    if length <= most {
        return Ok(());
    }
    Err(path.rule_with_code(
        "string_above_max_length",
        format!(
            "Invalid '{}': string too long. Expected a string with maximum length {most}, but got a string with \
             length {length} instead.",
            path.bracketed()
        ),
    ))
}

/// Whether a stream is asked for, and whether its deltas are padded.
fn streaming(fields: &Fields<'_, '_, '_>) -> Result<(bool, bool), Invalid> {
    const OPTIONS: Shape = Shape { required: &[], optional: &["include_obfuscation"], nullable: &[] };
    let stream = fields.flag("stream")?.unwrap_or(false);
    let Some(options) = fields.object("stream_options")? else { return Ok((stream, true)) };
    let path = fields.at("stream_options");
    if !stream {
        return Err(path.rule("The 'stream_options' parameter is only allowed when 'stream' is enabled."));
    }
    Ok((stream, OPTIONS.read(options, &path)?.flag("include_obfuscation")?.unwrap_or(true)))
}

/// Reads `include`: whether reasoning is to be sent encrypted.
fn include(fields: &Fields<'_, '_, '_>) -> Result<bool, Invalid> {
    const KINDS: &[&str] = &[
        "file_search_call.results",
        "web_search_call.results",
        "web_search_call.action.sources",
        "message.input_image.image_url",
        "computer_call_output.output.image_url",
        "code_interpreter_call.outputs",
        "reasoning.encrypted_content",
        "message.output_text.logprobs",
    ];
    let list = fields.at("include");
    let mut encrypted = false;
    for (index, kind) in fields.array("include")?.unwrap_or_default().iter().enumerate() {
        let path = list.index(index);
        match kind.as_str() {
            None => return Err(path.wrong_type("a string", kind)),
            Some("message.output_text.logprobs") => {
                return Err(path.rule_with_code(
                    "unsupported_value",
                    "'message.output_text.logprobs' is not supported by this simulated model.",
                ));
            }
            Some(name) if KINDS.contains(&name) => encrypted |= name == "reasoning.encrypted_content",
            Some(other) => {
                return Err(path.invalid(Problem::NotAllowed { got: other.to_owned(), allowed: KINDS }));
            }
        }
    }
    Ok(encrypted)
}

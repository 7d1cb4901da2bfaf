//! Reads `generateContent`, `streamGenerateContent` and `countTokens` as strictly as the vendor does.
//!
//! <https://ai.google.dev/api/generate-content>, <https://ai.google.dev/api/tokens>,
//! <https://ai.google.dev/gemini-api/docs/thinking>

use crate::ask::{Ask, Choice, Format, Prompt, Thinking};
use crate::check::{Invalid, Path, Problem};
use crate::json::Json;
use crate::options::ModelOptions;
use crate::shapes::Models;

use super::address::{Action, Address};
use super::fields::{Fields, Message, rule, violation, wrong};
use super::{contents, tools};

const REQUEST: Message = Message {
    name: "GenerateContentRequest",
    fields: &[
        "model",
        "contents",
        "tools",
        "tool_config",
        "safety_settings",
        "system_instruction",
        "generation_config",
        "cached_content",
        "labels",
        "service_tier",
        "store",
    ],
};
const COUNT: Message =
    Message { name: "CountTokensRequest", fields: &["model", "contents", "generate_content_request"] };
const GENERATION: Message = Message {
    name: "GenerationConfig",
    fields: &[
        "stop_sequences",
        "response_mime_type",
        "response_schema",
        "response_json_schema",
        "response_modalities",
        "candidate_count",
        "max_output_tokens",
        "temperature",
        "top_p",
        "top_k",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "response_logprobs",
        "logprobs",
        "enable_enhanced_civic_answers",
        "thinking_config",
        "media_resolution",
        "speech_config",
        "image_config",
    ],
};
const THINKING: Message =
    Message { name: "ThinkingConfig", fields: &["include_thoughts", "thinking_budget", "thinking_level"] };
const SAFETY: Message = Message { name: "SafetySetting", fields: &["category", "threshold"] };
const SPEECH: Message = Message {
    name: "SpeechConfig",
    fields: &["voice_config", "multi_speaker_voice_config", "language_code"],
};
const IMAGE: Message = Message { name: "ImageConfig", fields: &["aspect_ratio", "image_size"] };

/// Reads a request.
pub(crate) fn read<'j, 'a>(
    json: &'j Json<'a>,
    models: &Models,
    address: Address<'_>,
) -> Result<Ask<'j, 'a>, Invalid> {
    let root = &Path::ROOT;
    if address.action == Action::Count {
        return count(json, models, address);
    }
    let fields = REQUEST.read(json, root)?;
    let (place, model) = served(models, address.model)?;
    let mut ask = common(&fields, place, model)?;
    ask.stream = address.action == Action::Stream;
    Ok(ask)
}

fn served<'m>(models: &'m Models, name: &str) -> Result<(u16, &'m ModelOptions), Invalid> {
    let found = models.find(name).and_then(|place| models.get(place).map(|model| (place, model)));
    found.ok_or_else(|| Path::ROOT.key("model").invalid(Problem::NoModel { name: name.to_owned() }))
}

fn count<'j, 'a>(json: &'j Json<'a>, models: &Models, address: Address<'_>) -> Result<Ask<'j, 'a>, Invalid> {
    let root = &Path::ROOT;
    let fields = COUNT.read(json, root)?;
    let (place, model) = served(models, address.model)?;
    fields.text("model")?;
    let path = fields.at("generate_content_request");
    match (fields.get("generate_content_request"), fields.get("contents")) {
        (Some(_), Some(_)) => {
            Err(violation(&path, "Only one of contents and generate_content_request may be set."))
        }
        (Some(request), None) => {
            let request = REQUEST.read(request, &path)?;
            let name = request.required_text("model")?;
            let Some(name) = name.strip_prefix("models/") else {
                return Err(rule(&path.key("model"), "unexpected model name format"));
            };
            served(models, name)?;
            common(&request, place, model)
        }
        (None, _) => {
            let mut prompt = Prompt::new(&model.name);
            contents::read(&fields, false, &mut prompt)?;
            Ok(plain(place, prompt))
        }
    }
}

/// A request that asks for nothing in particular.
fn plain<'a>(model: u16, prompt: Prompt<'_>) -> Ask<'_, 'a> {
    Ask {
        model,
        stream: false,
        limit: None,
        stops: Vec::new(),
        tools: Vec::new(),
        choice: Choice::Auto,
        parallel: true,
        format: Format::Text,
        thinking: Thinking::Off,
        prompt,
    }
}

fn common<'j, 'a>(
    fields: &Fields<'j, 'a, '_>,
    place: u16,
    model: &ModelOptions,
) -> Result<Ask<'j, 'a>, Invalid> {
    let mut prompt = Prompt::new(&model.name);
    let tools = tools::read(fields, &mut prompt)?;
    contents::instruction(fields, &mut prompt)?;
    contents::read(fields, model.name.contains("gemini-3"), &mut prompt)?;
    labels(fields)?;
    let mut ask = plain(place, prompt);
    ask.tools = tools.allowed;
    ask.choice = tools.choice;
    if let Some(config) = fields.get("generation_config") {
        let path = fields.at("generation_config");
        let config = GENERATION.read(config, &path)?;
        sampling(&config, model)?;
        media(&config)?;
        ask.limit = limit(&config, model.max_output_tokens)?;
        ask.stops = stops(&config)?;
        ask.format = format(&config, &path)?;
        ask.thinking = thinking(&config)?;
    }
    Ok(ask)
}

fn labels(fields: &Fields<'_, '_, '_>) -> Result<(), Invalid> {
    const CATEGORIES: &[&str] = &[
        "HARM_CATEGORY_HARASSMENT",
        "HARM_CATEGORY_HATE_SPEECH",
        "HARM_CATEGORY_SEXUALLY_EXPLICIT",
        "HARM_CATEGORY_DANGEROUS_CONTENT",
        "HARM_CATEGORY_CIVIC_INTEGRITY",
    ];
    const THRESHOLDS: &[&str] = &[
        "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
        "BLOCK_LOW_AND_ABOVE",
        "BLOCK_MEDIUM_AND_ABOVE",
        "BLOCK_ONLY_HIGH",
        "BLOCK_NONE",
        "OFF",
    ];
    fields.text("model")?;
    fields.flag("store")?;
    fields.choice("service_tier", "ServiceTier", &["unspecified", "standard", "flex", "priority"])?;
    let path = fields.at("safety_settings");
    for (index, setting) in fields.list("safety_settings").iter().enumerate() {
        let path = path.index(index);
        let setting = SAFETY.read(setting, &path)?;
        let category = setting.choice("category", "HarmCategory", CATEGORIES)?;
        setting.choice("threshold", "SafetySetting.HarmBlockThreshold", THRESHOLDS)?;
        if category.is_none() {
            return Err(rule(&path.key("category"), "category must be specified"));
        }
    }
    let wrong_name = |name: &str| name.strip_prefix("cachedContents/").is_none_or(str::is_empty);
    if fields.text("cached_content")?.is_some_and(wrong_name) {
        return Err(rule(&fields.at("cached_content"), "unexpected cached content name format"));
    }
    if let Some(Json::Object(pairs)) = fields.object("labels")? {
        let path = fields.at("labels");
        for (index, (_, value)) in pairs.iter().enumerate() {
            if value.as_str().is_none() {
                let path = path.index(index);
                return Err(wrong(&path.key("value"), "TYPE_STRING", value));
            }
        }
    }
    Ok(())
}

fn sampling(fields: &Fields<'_, '_, '_>, model: &ModelOptions) -> Result<(), Invalid> {
    fields.number("temperature", 0.0, 2.0)?;
    fields.number("top_p", 0.0, 1.0)?;
    fields.number("presence_penalty", -2.0, 2.0)?;
    fields.number("frequency_penalty", -2.0, 2.0)?;
    fields.integer("seed")?;
    fields.flag("enable_enhanced_civic_answers")?;
    if fields.integer("top_k")?.is_some_and(|top_k| top_k < 1) {
        return Err(rule(&fields.at("top_k"), "top_k must be positive."));
    }
    let name = &model.name;
    if fields.integer("candidate_count")?.is_some_and(|count| count != 1) {
        return Err(fields
            .at("candidate_count")
            .rule(format!("Multiple candidates is not enabled for models/{name}")));
    }
    if fields.flag("response_logprobs")? == Some(true) || fields.integer("logprobs")?.is_some() {
        return Err(fields.at("logprobs").rule(format!("Logprobs is not enabled for models/{name}")));
    }
    Ok(())
}

fn media(fields: &Fields<'_, '_, '_>) -> Result<(), Invalid> {
    const MODALITIES: &[&str] = &["TEXT", "IMAGE", "AUDIO"];
    const RESOLUTIONS: &[&str] = &[
        "MEDIA_RESOLUTION_UNSPECIFIED",
        "MEDIA_RESOLUTION_LOW",
        "MEDIA_RESOLUTION_MEDIUM",
        "MEDIA_RESOLUTION_HIGH",
    ];
    fields.choice("media_resolution", "GenerationConfig.MediaResolution", RESOLUTIONS)?;
    let path = fields.at("response_modalities");
    for (index, modality) in fields.texts("response_modalities")?.into_iter().enumerate() {
        let known = MODALITIES.iter().find(|known| known.eq_ignore_ascii_case(modality));
        match known {
            Some(&"TEXT") => {}
            Some(other) => {
                let other = other.to_ascii_lowercase();
                return Err(
                    path.rule(format!("Model does not support the requested response modalities: {other}"))
                );
            }
            None => {
                let kind =
                    "type.googleapis.com/google.ai.generativelanguage.v1beta.GenerationConfig.Modality";
                return Err(wrong(&path.index(index), kind, &Json::Str(modality.into())));
            }
        }
    }
    if let Some(speech) = fields.get("speech_config") {
        let path = fields.at("speech_config");
        let speech = SPEECH.read(speech, &path)?;
        speech.object("voice_config")?;
        speech.object("multi_speaker_voice_config")?;
        speech.text("language_code")?;
    }
    if let Some(image) = fields.get("image_config") {
        let path = fields.at("image_config");
        let image = IMAGE.read(image, &path)?;
        image.text("aspect_ratio")?;
        image.text("image_size")?;
    }
    Ok(())
}

fn limit(fields: &Fields<'_, '_, '_>, most: u32) -> Result<Option<u32>, Invalid> {
    let Some(limit) = fields.integer("max_output_tokens")? else { return Ok(None) };
    let read = u32::try_from(limit).ok().filter(|limit| (1..=most).contains(limit));
    read.map(Some).ok_or_else(|| {
        let beyond = i64::from(most) + 1;
        fields.at("max_output_tokens").rule(format!(
            "Unable to submit request because it has a maxOutputTokens value of {limit} but the supported range is \
             from 1 (inclusive) to {beyond} (exclusive). Update the value and try again."
        ))
    })
}

fn stops<'j>(fields: &Fields<'j, '_, '_>) -> Result<Vec<&'j str>, Invalid> {
    let stops = fields.texts("stop_sequences")?;
    if stops.len() > 5 {
        return Err(rule(&fields.at("stop_sequences"), "at most 5 stop_sequences may be set"));
    }
    Ok(stops)
}

fn format<'j, 'a>(fields: &Fields<'j, 'a, '_>, path: &Path<'_>) -> Result<Format<'j, 'a>, Invalid> {
    let schema = tools::one_of(fields, "response_schema", "response_json_schema", path)?;
    let place = path.key("response_mime_type");
    match (fields.text("response_mime_type")?, schema) {
        (Some("application/json"), Some(schema)) => Ok(Format::Schema(schema)),
        (Some("application/json"), None) => Ok(Format::JsonObject),
        (None | Some("" | "text/plain"), None) => Ok(Format::Text),
        (None | Some("" | "text/plain"), Some(_)) => Err(rule(
            &path.key("response_schema"),
            "only allowed when response_mime_type is `application/json` or `text/x.enum`",
        )),
        (Some("text/x.enum" | "application/xml" | "application/yaml"), _) => {
            Err(place.rule("This simulated model writes text and JSON."))
        }
        (Some(_), _) => Err(rule(
            &place,
            "allowed mimetypes are `text/plain`, `application/json`, `application/xml`, `application/yaml` and \
             `text/x.enum`.",
        )),
    }
}

/// How much is thought; with a model's own choice as much as at the level `medium`.
fn thinking(fields: &Fields<'_, '_, '_>) -> Result<Thinking, Invalid> {
    const LEVELS: &[&str] = &["THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH"];
    const MEDIUM: u32 = 32;
    const MOST: i64 = 32_768;
    let Some(config) = fields.get("thinking_config") else { return Ok(Thinking::Off) };
    let path = fields.at("thinking_config");
    let config = THINKING.read(config, &path)?;
    let shown = config.flag("include_thoughts")?.unwrap_or(false);
    let level = config.choice("thinking_level", "ThinkingConfig.ThinkingLevel", LEVELS)?;
    let budget = config.integer("thinking_budget")?;
    if level.is_some() && budget.is_some() {
        return Err(path.rule("You can only set only one of thinking budget and thinking level."));
    }
    if let Some(budget) = budget.filter(|budget| !(-1..=MOST).contains(budget)) {
        return Err(path.rule(format!(
            "The thinking budget {budget} is invalid. Please choose a value between 0 and {MOST}."
        )));
    }
    let tokens = match (level, budget) {
        (_, Some(0)) if shown => {
            return Err(
                path.rule("Thinking_config.include_thoughts is only enabled when thinking is enabled.")
            );
        }
        (_, Some(0)) => return Ok(Thinking::Off),
        (_, Some(budget)) => u32::try_from(budget).map_or(MEDIUM, |budget| budget.min(MEDIUM)),
        (Some("MINIMAL"), None) => 8,
        (Some("LOW"), None) => 16,
        (Some("HIGH"), None) => 64,
        _ => MEDIUM,
    };
    Ok(if shown { Thinking::Shown { tokens, omitted: false } } else { Thinking::Counted(tokens) })
}

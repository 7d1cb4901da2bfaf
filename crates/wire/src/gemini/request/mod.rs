//! Requests: read into the superset here, written from it in `write`.

mod thinking;
mod write;

use std::borrow::Cow;

use serde_json::value::RawValue;
use stepwell_types::Code;

use super::content::{Base, Calls, Content, keep_said, parts};
use super::schema;
use crate::Error;
use crate::chat::{Chat, Extra, Format, Role, Tool, ToolChoice, Turn};
use crate::json::{Text, Whole, object, read as read_json};

pub(super) use write::write;

object! {
    struct Body<'a> {
        contents: Vec<Content<'a>> = "contents",
        system: Content<'a> = "systemInstruction" | "system_instruction",
        tools: Vec<Whole<'a, ToolParam<'a>>> = "tools",
        tool_config: ToolConfig<'a> = "toolConfig" | "tool_config",
        config: Config<'a> = "generationConfig" | "generation_config",
    }
    skipping "model"
}

object! {
    /// Several functions, or a tool that Google runs.
    struct ToolParam<'a> {
        functions: Vec<Function<'a>> = "functionDeclarations" | "function_declarations",
    }
}

object! {
    struct Function<'a> {
        name: Text<'a> = "name",
        description: Text<'a> = "description",
        schema: &'a RawValue = "parametersJsonSchema" | "parameters_json_schema",
        parameters: &'a RawValue = "parameters",
    }
}

object! {
    struct ToolConfig<'a> { calling: Calling<'a> = "functionCallingConfig" | "function_calling_config" }
}

object! {
    struct Calling<'a> {
        mode: Whole<'a, Text<'a>> = "mode",
        allowed: Whole<'a, Vec<Text<'a>>> = "allowedFunctionNames" | "allowed_function_names",
    }
}

object! {
    struct Config<'a> {
        temperature: &'a RawValue = "temperature",
        top_p: &'a RawValue = "topP" | "top_p",
        top_k: &'a RawValue = "topK" | "top_k",
        max_output_tokens: u64 = "maxOutputTokens" | "max_output_tokens",
        stop: Vec<Text<'a>> = "stopSequences" | "stop_sequences",
        seed: &'a RawValue = "seed",
        presence_penalty: &'a RawValue = "presencePenalty" | "presence_penalty",
        frequency_penalty: &'a RawValue = "frequencyPenalty" | "frequency_penalty",
        media_type: Text<'a> = "responseMimeType" | "response_mime_type",
        schema: &'a RawValue = "responseSchema" | "response_schema",
        json_schema: &'a RawValue = "responseJsonSchema" | "response_json_schema",
        thinking: Whole<'a, ThinkingConfig<'a>> = "thinkingConfig" | "thinking_config",
    }
}

object! {
    struct ThinkingConfig<'a> {
        budget: i64 = "thinkingBudget" | "thinking_budget",
        level: Text<'a> = "thinkingLevel" | "thinking_level",
    }
    // Thoughts come back wherever they are asked for in another dialect.
    skipping "includeThoughts", "include_thoughts"
}

/// Fields of `generationConfig` whose value asks for what every provider does anyway.
const NEUTRAL: [(&str, &str); 5] = [
    ("candidateCount", "1"),
    ("candidate_count", "1"),
    ("responseLogprobs", "false"),
    ("responseModalities", "[\"TEXT\"]"),
    ("response_modalities", "[\"TEXT\"]"),
];

/// Reads a whole request.
pub(super) fn read(body: &[u8]) -> Result<Chat<'_>, Error> {
    let body: Body<'_> = read_json(body)?;
    let mut extra = Vec::new();
    keep_said(&mut extra, "", body.extra);
    let mut config = body.config.unwrap_or_default();
    config.extra.retain(|(key, value)| !NEUTRAL.contains(&(&**key, value.get())));
    keep_said(&mut extra, "/generationConfig", config.extra);
    let tools = tools(body.tools.unwrap_or_default(), &mut extra)?;
    Ok(Chat {
        model: Cow::Borrowed(""),
        turns: turns(body.system, body.contents.ok_or_else(|| missing("contents"))?, &mut extra)?,
        tools,
        tool_choice: tool_choice(body.tool_config, &mut extra)?,
        parallel_tool_calls: None,
        max_output_tokens: config.max_output_tokens,
        temperature: config.temperature,
        top_p: config.top_p,
        top_k: config.top_k,
        seed: config.seed,
        presence_penalty: config.presence_penalty,
        frequency_penalty: config.frequency_penalty,
        stop: config.stop.unwrap_or_default().into_iter().map(|stop| stop.0).collect(),
        format: format(config.media_type.as_ref(), config.json_schema, config.schema)?,
        thinking: config.thinking.and_then(|thinking| thinking::read(thinking, &mut extra)),
        user: None,
        stream: false,
        include_usage: true,
        extra,
    })
}

fn missing(field: &str) -> Error {
    Error::at(Code::InvalidRequest, field, format!("{field} is missing"))
}

fn turns<'a>(
    system: Option<Content<'a>>,
    contents: Vec<Content<'a>>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Vec<Turn<'a>>, Error> {
    let mut turns = Vec::with_capacity(contents.len() + 1);
    let mut calls = Calls::default();
    if let Some(system) = system {
        let said = parts(system.parts.unwrap_or_default(), Base::System, &mut calls, extra)?;
        keep_said(extra, "/systemInstruction", system.extra);
        turns.push(Turn { role: Role::System, parts: said });
    }
    for (index, content) in contents.into_iter().enumerate() {
        let role = match content.role.as_ref().map(|role| &*role.0) {
            // Results of functions had a role of their own once.
            None | Some("user" | "function") => Role::User,
            Some("model") => Role::Assistant,
            Some(_) => {
                let at = format!("contents[{index}].role");
                let message = format!("{at} must be user or model");
                return Err(Error::at(Code::InvalidRequest, at, message));
            }
        };
        let said = parts(content.parts.unwrap_or_default(), Base::Content(index), &mut calls, extra)?;
        keep_said(extra, &format!("/contents/{index}"), content.extra);
        turns.push(Turn { role, parts: said });
    }
    Ok(turns)
}

fn tools<'a>(
    params: Vec<Whole<'a, ToolParam<'a>>>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Vec<Tool<'a>>, Error> {
    let mut tools = Vec::new();
    for (index, param) in params.into_iter().enumerate() {
        let Some(functions) = param.value.functions else {
            // A tool that Google runs.
            extra.push(Extra { path: format!("/tools/{index}"), value: param.raw });
            continue;
        };
        keep_said(extra, &format!("/tools/{index}"), param.value.extra);
        for (number, function) in functions.into_iter().enumerate() {
            let path = format!("/tools/{index}/functionDeclarations/{number}");
            keep_said(extra, &path, function.extra);
            let field = || format!("tools[{index}].functionDeclarations[{number}].name");
            tools.push(Tool {
                name: function.name.ok_or_else(|| missing(&field()))?.0,
                description: function.description.map(|description| description.0),
                schema: function.schema.map(Cow::Borrowed).or(function.parameters.map(schema::plain)),
                strict: None,
                cache: None,
            });
        }
    }
    Ok(tools)
}

fn tool_choice<'a>(
    config: Option<ToolConfig<'a>>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Option<ToolChoice<'a>>, Error> {
    const PATH: &str = "/toolConfig/functionCallingConfig";
    let Some(config) = config else { return Ok(None) };
    keep_said(extra, "/toolConfig", config.extra);
    let Some(calling) = config.calling else { return Ok(None) };
    keep_said(extra, PATH, calling.extra);
    let mode = calling.mode.as_ref().map(|mode| &*mode.value.0);
    if mode != Some("ANY")
        && let Some(Whole { raw, .. }) = calling.allowed.as_ref().filter(|allowed| !allowed.value.is_empty())
    {
        // A choice among some functions, which no other dialect has.
        extra.push(Extra { path: format!("{PATH}/allowedFunctionNames"), value: raw });
    }
    let mut allowed = calling.allowed.map(|allowed| allowed.value).unwrap_or_default();
    Ok(match mode {
        None | Some("MODE_UNSPECIFIED") => None,
        Some("AUTO") => Some(ToolChoice::Auto),
        Some("VALIDATED") => {
            // Held to the functions' schemas. Strict tools are too, but few schemas are what they may have.
            extra.extend(calling.mode.map(|mode| Extra { path: format!("{PATH}/mode"), value: mode.raw }));
            Some(ToolChoice::Auto)
        }
        Some("NONE") => Some(ToolChoice::None),
        Some("ANY") if allowed.len() == 1 => allowed.pop().map(|name| ToolChoice::Named(name.0)),
        Some("ANY") if allowed.is_empty() => Some(ToolChoice::Required),
        Some("ANY") => {
            let at = "toolConfig.functionCallingConfig.allowedFunctionNames";
            let message = format!("{at} may name one function, or none, where the request is translated");
            return Err(Error::at(Code::UnsupportedParameter, at, message));
        }
        Some(_) => {
            let at = "toolConfig.functionCallingConfig.mode";
            return Err(Error::at(
                Code::InvalidRequest,
                at,
                format!("{at} must be AUTO, ANY, NONE or VALIDATED"),
            ));
        }
    })
}

fn format<'a>(
    media_type: Option<&Text<'a>>,
    json_schema: Option<&'a RawValue>,
    own: Option<&'a RawValue>,
) -> Result<Option<Format<'a>>, Error> {
    let schema = json_schema.map(Cow::Borrowed).or(own.map(schema::plain));
    Ok(match (media_type.map(|kind| &*kind.0), schema) {
        (Some("application/json"), Some(schema)) => {
            // Not `strict`: what OpenAI wants of a schema then, few of Google's have.
            Some(Format::JsonSchema { name: None, description: None, schema, strict: None })
        }
        (Some("application/json"), None) => Some(Format::JsonObject),
        (None | Some("text/plain"), None) => None,
        (_, Some(_)) => {
            let at = "generationConfig.responseMimeType";
            let message = format!("{at} must be application/json where there is a schema");
            return Err(Error::at(Code::InvalidRequest, at, message));
        }
        (Some(_), None) => {
            let at = "generationConfig.responseMimeType";
            let message =
                format!("{at} must be text/plain or application/json where the request is translated");
            return Err(Error::at(Code::UnsupportedParameter, at, message));
        }
    })
}

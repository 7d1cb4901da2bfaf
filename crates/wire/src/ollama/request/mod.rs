//! Requests: read into the superset here, written from it in `write`.

mod calls;
mod write;

use std::borrow::Cow;

use serde_json::value::RawValue;
use stepwell_types::Code;

use self::calls::Calls;
use super::message::{Message, image, keep_said};
use crate::Error;
use crate::chat::{Chat, Extra, Format, Part, Role, Thinking, Tool, Turn};
use crate::json::{Listed, Text, Whole, object, read as read_json};

pub(super) use write::write;

object! {
    struct Body<'a> {
        model: Text<'a> = "model",
        messages: Vec<Message<'a>> = "messages",
        tools: Vec<Whole<'a, ToolParam<'a>>> = "tools",
        format: &'a RawValue = "format",
        options: Options<'a> = "options",
        think: &'a RawValue = "think",
        stream: bool = "stream",
    }
}

object! {
    struct ToolParam<'a> { function: FunctionParam<'a> = "function" }
    skipping "type"
}

object! {
    struct FunctionParam<'a> {
        name: Text<'a> = "name",
        description: Text<'a> = "description",
        parameters: &'a RawValue = "parameters",
    }
}

object! {
    /// What other dialects have a word for too; `num_ctx` and the like are Ollama's alone.
    struct Options<'a> {
        temperature: &'a RawValue = "temperature",
        top_p: &'a RawValue = "top_p",
        top_k: &'a RawValue = "top_k",
        seed: &'a RawValue = "seed",
        num_predict: i64 = "num_predict",
        presence_penalty: &'a RawValue = "presence_penalty",
        frequency_penalty: &'a RawValue = "frequency_penalty",
        stop: Listed<'a, Text<'a>> = "stop",
    }
}

/// Fields whose value asks for what every provider does anyway: nothing is lost where they are left out.
const NEUTRAL: [(&str, &str); 2] = [("logprobs", "false"), ("top_logprobs", "0")];

/// Reads a whole request.
pub(super) fn read(body: &[u8]) -> Result<Chat<'_>, Error> {
    let mut body: Body<'_> = read_json(body)?;
    let mut extra = Vec::new();
    body.extra.retain(|(key, value)| !NEUTRAL.contains(&(&**key, value.get())));
    keep_said(&mut extra, "", body.extra);
    let messages = body.messages.ok_or_else(|| missing("messages"))?;
    if messages.is_empty() {
        let message =
            "messages is empty: only a provider that speaks Ollama's own API can be asked to load a model";
        return Err(Error::at(Code::UnsupportedParameter, "messages", message));
    }
    let options = body.options.unwrap_or_default();
    keep_said(&mut extra, "/options", options.extra);
    let is_zero = |number: &&RawValue| matches!(number.get(), "0" | "0.0");
    Ok(Chat {
        model: body.model.ok_or_else(|| missing("model"))?.0,
        turns: turns(messages, &mut extra)?,
        tools: tools(body.tools.unwrap_or_default(), &mut extra)?,
        tool_choice: None,
        parallel_tool_calls: None,
        // Below 0 it is no limit, or as much as the context holds.
        max_output_tokens: options.num_predict.and_then(|limit| u64::try_from(limit).ok()),
        temperature: options.temperature,
        top_p: options.top_p,
        top_k: options.top_k,
        seed: options.seed,
        presence_penalty: options.presence_penalty.filter(|penalty| !is_zero(penalty)),
        frequency_penalty: options.frequency_penalty.filter(|penalty| !is_zero(penalty)),
        stop: match options.stop {
            Some(Listed::Text(one)) => vec![one],
            Some(Listed::Items(several)) => several.into_iter().map(|stop| stop.0).collect(),
            None => Vec::new(),
        },
        format: body.format.map(format).transpose()?.flatten(),
        thinking: body.think.map(thinking).transpose()?,
        user: None,
        stream: body.stream.unwrap_or(true),
        include_usage: true,
        extra,
    })
}

fn missing(field: &str) -> Error {
    Error::at(Code::InvalidRequest, field, format!("{field} is missing"))
}

fn wrong(field: &str, problem: &str) -> Error {
    Error::at(Code::InvalidRequest, field, format!("{field} {problem}"))
}

/// One turn for each message, so that a turn's number is its message's.
fn turns<'a>(messages: Vec<Message<'a>>, extra: &mut Vec<Extra<'a>>) -> Result<Vec<Turn<'a>>, Error> {
    let mut turns = Vec::with_capacity(messages.len());
    let mut calls = Calls::of(&messages);
    for (index, mut message) in messages.into_iter().enumerate() {
        let at = |field: &str| format!("messages[{index}].{field}");
        let role = message.role.take().ok_or_else(|| wrong(&at("role"), "is missing"))?;
        keep_said(extra, &format!("/messages/{index}"), std::mem::take(&mut message.extra));
        // Ollama knows roles in any case.
        let turn = match role.0.to_ascii_lowercase().as_str() {
            "system" => Turn { role: Role::System, parts: said(&mut message, index)? },
            "user" => Turn { role: Role::User, parts: said(&mut message, index)? },
            "assistant" => {
                Turn { role: Role::Assistant, parts: assistant(message, index, &mut calls, extra)? }
            }
            "tool" => {
                let id = calls.result(message.tool_call_id.take(), message.tool_name.take());
                let result =
                    Part::ToolResult { id, parts: said(&mut message, index)?, is_error: false, cache: None };
                Turn { role: Role::User, parts: vec![result] }
            }
            _ => return Err(wrong(&at("role"), "must be system, user, assistant or tool")),
        };
        turns.push(turn);
    }
    Ok(turns)
}

/// What a message shows and says.
fn said<'a>(message: &mut Message<'a>, index: usize) -> Result<Vec<Part<'a>>, Error> {
    let mut parts = Vec::with_capacity(1);
    for (number, Text(data)) in message.images.take().unwrap_or_default().into_iter().enumerate() {
        let source = image(data).ok_or_else(|| {
            wrong(
                &format!("messages[{index}].images[{number}]"),
                "must be a PNG, JPEG, GIF or WebP image in base64 where the request is translated",
            )
        })?;
        parts.push(Part::Image { source, detail: None, cache: None });
    }
    let text = message.content.take().unwrap_or_default().0;
    if !text.is_empty() || parts.is_empty() {
        parts.push(Part::Text { text, cache: None });
    }
    Ok(parts)
}

fn assistant<'a>(
    mut message: Message<'a>,
    index: usize,
    calls: &mut Calls<'a>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Vec<Part<'a>>, Error> {
    let mut parts = Vec::with_capacity(1);
    if let Some(text) = message.thinking.take().filter(|text| !text.0.is_empty()) {
        parts.push(Part::Thinking { text: text.0, signature: None });
    }
    let tool_calls = message.tool_calls.take().unwrap_or_default();
    let is_silent = message.content.as_ref().is_none_or(|content| content.0.is_empty());
    if !(is_silent && message.images.is_none() && !(tool_calls.is_empty() && parts.is_empty())) {
        parts.extend(said(&mut message, index)?);
    }
    for (number, call) in tool_calls.into_iter().enumerate() {
        let field = |name: &str| format!("messages[{index}].tool_calls[{number}].{name}");
        let path = format!("/messages/{index}/tool_calls/{number}");
        let mut function = call.value.function.ok_or_else(|| missing(&field("function")))?;
        keep_said(extra, &path, call.value.extra);
        keep_said(extra, &format!("{path}/function"), std::mem::take(&mut function.extra));
        let arguments =
            function.object().ok_or_else(|| wrong(&field("function.arguments"), "must be an object"))?;
        let name = function.name.ok_or_else(|| missing(&field("function.name")))?.0;
        parts.push(Part::ToolCall {
            id: calls.call(call.value.id, &name),
            name,
            arguments: Cow::Borrowed(arguments),
            signature: None,
            cache: None,
        });
    }
    Ok(parts)
}

fn tools<'a>(
    params: Vec<Whole<'a, ToolParam<'a>>>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Vec<Tool<'a>>, Error> {
    let mut tools = Vec::with_capacity(params.len());
    for (index, param) in params.into_iter().enumerate() {
        let path = format!("/tools/{index}");
        let Some(function) = param.value.function else {
            extra.push(Extra { path, value: param.raw });
            continue;
        };
        keep_said(extra, &path, param.value.extra);
        keep_said(extra, &format!("{path}/function"), function.extra);
        let name = function.name.ok_or_else(|| missing(&format!("tools[{index}].function.name")))?;
        tools.push(Tool {
            name: name.0,
            description: function.description.map(|description| description.0),
            schema: function.parameters.map(Cow::Borrowed),
            strict: None,
            cache: None,
        });
    }
    Ok(tools)
}

/// `format`: a word, or a schema. Ollama's Python client sends an empty text for none.
fn format(raw: &RawValue) -> Result<Option<Format<'_>>, Error> {
    match raw.get() {
        "\"json\"" => Ok(Some(Format::JsonObject)),
        "\"\"" => Ok(None),
        schema if schema.starts_with('{') => Ok(Some(Format::JsonSchema {
            name: None,
            description: None,
            schema: Cow::Borrowed(raw),
            // What OpenAI wants of a schema then, few of Ollama's have.
            strict: None,
        })),
        _ => Err(wrong("format", "must be \"json\" or a JSON schema")),
    }
}

/// `think`: whether to, or how hard. <https://docs.ollama.com/capabilities/thinking>
fn thinking(raw: &RawValue) -> Result<Thinking, Error> {
    match raw.get() {
        "true" => Ok(Thinking::Adaptive),
        "false" => Ok(Thinking::Off),
        level => {
            let level = level.trim_matches('"');
            if !write::LEVELS.contains(&level) {
                return Err(wrong("think", "must be true, false, \"low\", \"medium\", \"high\" or \"max\""));
            }
            Ok(Thinking::Effort(level.to_owned()))
        }
    }
}

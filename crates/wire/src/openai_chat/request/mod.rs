//! Requests: read into the superset here, written from it in `write`.

mod messages;
mod write;

use std::borrow::Cow;

use serde_json::value::RawValue;
use stepwell_types::Code;

use super::message::{self, Content, ToolCall};
use crate::Error;
use crate::chat::{Chat, Extra, Format, Part, Role, Thinking, Tool, ToolChoice, Turn};
use crate::json::{Listed, Text, Whole, object, read as read_json};
use crate::openai::{said, user};

pub(super) use write::write;

object! {
    struct Body<'a> {
        model: Text<'a> = "model",
        messages: Vec<Message<'a>> = "messages",
        tools: Vec<Whole<'a, ToolParam<'a>>> = "tools",
        tool_choice: &'a RawValue = "tool_choice",
        parallel_tool_calls: bool = "parallel_tool_calls",
        max_completion_tokens: u64 = "max_completion_tokens",
        max_tokens: u64 = "max_tokens",
        temperature: &'a RawValue = "temperature",
        top_p: &'a RawValue = "top_p",
        top_k: &'a RawValue = "top_k",
        seed: &'a RawValue = "seed",
        presence_penalty: &'a RawValue = "presence_penalty",
        frequency_penalty: &'a RawValue = "frequency_penalty",
        stop: Listed<'a, Text<'a>> = "stop",
        response_format: Whole<'a, ResponseFormat<'a>> = "response_format",
        reasoning_effort: Text<'a> = "reasoning_effort",
        user: Text<'a> = "user",
        safety_identifier: &'a RawValue = "safety_identifier",
        stream: bool = "stream",
        stream_options: StreamOptions<'a> = "stream_options",
    }
}

object! {
    struct Message<'a> {
        role: Text<'a> = "role",
        content: Content<'a> = "content",
        tool_calls: Vec<Whole<'a, ToolCall<'a>>> = "tool_calls",
        tool_call_id: Text<'a> = "tool_call_id",
        refusal: Text<'a> = "refusal",
        reasoning_content: Text<'a> = "reasoning_content",
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
        strict: bool = "strict",
    }
}

object! {
    struct ResponseFormat<'a> { kind: Text<'a> = "type", json_schema: JsonSchema<'a> = "json_schema" }
    skipping all
}

object! {
    struct JsonSchema<'a> {
        name: Text<'a> = "name",
        description: Text<'a> = "description",
        schema: &'a RawValue = "schema",
        strict: bool = "strict",
    }
}

object! {
    struct NamedChoice<'a> { function: FunctionName<'a> = "function" }
    skipping all
}

object! {
    struct FunctionName<'a> { name: Text<'a> = "name" }
    skipping all
}

object! {
    struct StreamOptions<'a> { include_usage: bool = "include_usage" }
}

/// Fields whose value asks for what every provider does anyway: nothing is lost where they are left out.
const NEUTRAL: [(&str, &[&str]); 7] = [
    ("n", &["1"]),
    ("logprobs", &["false"]),
    ("logit_bias", &["{}"]),
    ("modalities", &["[\"text\"]"]),
    ("service_tier", &["\"auto\""]),
    ("store", &["false"]),
    ("metadata", &["{}"]),
];

/// Reads a whole request.
pub(super) fn read(body: &[u8]) -> Result<Chat<'_>, Error> {
    let mut body: Body<'_> = read_json(body)?;
    let mut extra = Vec::new();
    body.extra.retain(|(key, value)| {
        !NEUTRAL.iter().any(|(field, values)| key == field && values.contains(&value.get()))
    });
    said(&mut extra, "", body.extra);
    let options = body.stream_options.unwrap_or_default();
    said(&mut extra, "/stream_options", options.extra);
    let user = user(body.user, body.safety_identifier, &mut extra);
    Ok(Chat {
        model: body.model.ok_or_else(|| missing("model"))?.0,
        turns: turns(body.messages.ok_or_else(|| missing("messages"))?, &mut extra)?,
        tools: tools(body.tools.unwrap_or_default(), &mut extra)?,
        tool_choice: body.tool_choice.and_then(|choice| tool_choice(choice, &mut extra)),
        parallel_tool_calls: body.parallel_tool_calls,
        max_output_tokens: limit(body.max_completion_tokens, body.max_tokens)?,
        temperature: body.temperature,
        top_p: body.top_p,
        top_k: body.top_k,
        seed: body.seed,
        presence_penalty: body.presence_penalty.filter(|penalty| !is_zero(penalty)),
        frequency_penalty: body.frequency_penalty.filter(|penalty| !is_zero(penalty)),
        stop: match body.stop {
            Some(Listed::Text(one)) => vec![one],
            Some(Listed::Items(several)) => several.into_iter().map(|stop| stop.0).collect(),
            None => Vec::new(),
        },
        format: body.response_format.and_then(|format| response_format(format, &mut extra)),
        thinking: body.reasoning_effort.map(|effort| Thinking::Effort(effort.0.into_owned())),
        user,
        stream: body.stream.unwrap_or(false),
        include_usage: options.include_usage.unwrap_or(false),
        extra,
    })
}

fn is_zero(number: &RawValue) -> bool {
    matches!(number.get(), "0" | "0.0")
}

fn missing(field: &str) -> Error {
    Error::at(Code::InvalidRequest, field, format!("{field} is missing"))
}

fn limit(current: Option<u64>, former: Option<u64>) -> Result<Option<u64>, Error> {
    if current.is_some() && former.is_some() {
        let message = "max_tokens and max_completion_tokens cannot both be set";
        return Err(Error::at(Code::InvalidRequest, "max_tokens", message));
    }
    Ok(current.or(former))
}

/// One turn for each message, so that a turn's number is its message's.
fn turns<'a>(messages: Vec<Message<'a>>, extra: &mut Vec<Extra<'a>>) -> Result<Vec<Turn<'a>>, Error> {
    let mut turns = Vec::with_capacity(messages.len());
    for (index, mut message) in messages.into_iter().enumerate() {
        let wrong = |field: &str, problem: &str| {
            let at = format!("messages[{index}].{field}");
            let message = format!("{at} {problem}");
            Error::at(Code::InvalidRequest, at, message)
        };
        let role = message.role.take().ok_or_else(|| wrong("role", "is missing"))?;
        if !message.extra.is_empty() {
            said(extra, &format!("/messages/{index}"), std::mem::take(&mut message.extra));
        }
        let turn = match &*role.0 {
            "system" => Turn { role: Role::System, parts: content(message.content, index, extra) },
            "developer" => Turn { role: Role::Developer, parts: content(message.content, index, extra) },
            "user" => Turn { role: Role::User, parts: content(message.content, index, extra) },
            "assistant" => Turn { role: Role::Assistant, parts: assistant(message, index, extra)? },
            "tool" => {
                let id = message.tool_call_id.ok_or_else(|| wrong("tool_call_id", "is missing"))?.0;
                let parts = content(message.content, index, extra);
                let result = Part::ToolResult { id, parts, is_error: false, cache: None };
                Turn { role: Role::User, parts: vec![result] }
            }
            "function" => {
                return Err(Error::at(
                    Code::UnsupportedParameter,
                    format!("messages[{index}].role"),
                    "messages of role function cannot be translated: use tools and role tool",
                ));
            }
            _ => return Err(wrong("role", "must be system, developer, user, assistant or tool")),
        };
        turns.push(turn);
    }
    Ok(turns)
}

fn content<'a>(content: Option<Content<'a>>, index: usize, extra: &mut Vec<Extra<'a>>) -> Vec<Part<'a>> {
    let mut parts = Vec::with_capacity(1);
    if let Some(content) = content {
        message::parts(content, &format!("/messages/{index}/content"), extra, &mut parts);
    }
    parts
}

fn assistant<'a>(
    message: Message<'a>,
    index: usize,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Vec<Part<'a>>, Error> {
    let mut parts = Vec::with_capacity(1);
    if let Some(text) = message.reasoning_content.filter(|text| !text.0.is_empty()) {
        parts.push(Part::Thinking { text: text.0, signature: None });
    }
    parts.extend(content(message.content, index, extra));
    if let Some(text) = message.refusal {
        parts.push(Part::Refusal { text: text.0 });
    }
    for (number, call) in message.tool_calls.unwrap_or_default().into_iter().enumerate() {
        let path = format!("/messages/{index}/tool_calls/{number}");
        let Some(function) = call.value.function else {
            parts.push(Part::Other(Extra { path, value: call.raw }));
            continue;
        };
        let wrong = |field: &str| {
            let at = format!("messages[{index}].tool_calls[{number}].{field}");
            let message = format!("{at} is missing");
            Error::at(Code::InvalidRequest, at, message)
        };
        said(extra, &path, call.value.extra);
        parts.push(Part::ToolCall {
            id: call.value.id.ok_or_else(|| wrong("id"))?.0,
            name: function.name.ok_or_else(|| wrong("function.name"))?.0,
            arguments: function.arguments.unwrap_or_default().0,
            signature: message::signature(call.value.vendor),
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
        said(extra, &path, param.value.extra);
        said(extra, &format!("{path}/function"), function.extra);
        let name = function.name.ok_or_else(|| missing(&format!("tools[{index}].function.name")))?;
        tools.push(Tool {
            name: name.0,
            description: function.description.map(|description| description.0),
            schema: function.parameters.map(Cow::Borrowed),
            strict: function.strict,
            cache: None,
        });
    }
    Ok(tools)
}

fn tool_choice<'a>(choice: &'a RawValue, extra: &mut Vec<Extra<'a>>) -> Option<ToolChoice<'a>> {
    match choice.get() {
        "\"none\"" => return Some(ToolChoice::None),
        "\"auto\"" => return Some(ToolChoice::Auto),
        "\"required\"" => return Some(ToolChoice::Required),
        _ => {}
    }
    let named: Option<NamedChoice<'_>> = serde_json::from_str(choice.get()).ok();
    let name = named.and_then(|named| named.function).and_then(|function| function.name);
    if name.is_none() {
        extra.push(Extra { path: "/tool_choice".to_owned(), value: choice });
    }
    name.map(|name| ToolChoice::Named(name.0))
}

fn response_format<'a>(
    format: Whole<'a, ResponseFormat<'a>>,
    extra: &mut Vec<Extra<'a>>,
) -> Option<Format<'a>> {
    let kind = format.value.kind.as_ref().map(|kind| &*kind.0);
    match (kind, format.value.json_schema) {
        (Some("text"), _) => None,
        (Some("json_object"), _) => Some(Format::JsonObject),
        (
            Some("json_schema"),
            Some(JsonSchema { name, description, schema: Some(schema), strict, extra: rest }),
        ) => {
            said(extra, "/response_format/json_schema", rest);
            let text = |text: Option<Text<'a>>| text.map(|text| text.0);
            let schema = Cow::Borrowed(schema);
            Some(Format::JsonSchema { name: text(name), description: text(description), schema, strict })
        }
        _ => {
            extra.push(Extra { path: "/response_format".to_owned(), value: format.raw });
            None
        }
    }
}

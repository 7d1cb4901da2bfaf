//! Requests: read into the superset here, written from it in `write`.

mod write;

use std::borrow::Cow;

use serde_json::value::RawValue;
use stepwell_types::Code;

use super::content::{self, Content, ToolCall, said};
use crate::Error;
use crate::chat::{Chat, Extra, Format, Part, Role, Thinking, Tool, ToolChoice, Turn};
use crate::json::{Text, Whole, object, read as read_json};

pub(super) use write::write;

object! {
    struct Body<'a> {
        model: Text<'a> = "model",
        messages: Vec<Message<'a>> = "messages",
        tools: Vec<Whole<'a, ToolParam<'a>>> = "tools",
        tool_choice: Text<'a> = "tool_choice",
        response_format: ResponseFormat<'a> = "response_format",
        max_tokens: u64 = "max_tokens",
        stop_sequences: Vec<Text<'a>> = "stop_sequences",
        temperature: &'a RawValue = "temperature",
        p: &'a RawValue = "p",
        k: &'a RawValue = "k",
        seed: &'a RawValue = "seed",
        frequency_penalty: &'a RawValue = "frequency_penalty",
        presence_penalty: &'a RawValue = "presence_penalty",
        thinking: Whole<'a, ThinkingParam<'a>> = "thinking",
        documents: Vec<&'a RawValue> = "documents",
        stream: bool = "stream",
    }
}

object! {
    struct Message<'a> {
        role: Text<'a> = "role",
        content: Content<'a> = "content",
        tool_plan: Text<'a> = "tool_plan",
        tool_calls: Vec<Whole<'a, ToolCall<'a>>> = "tool_calls",
        tool_call_id: Text<'a> = "tool_call_id",
        citations: &'a RawValue = "citations",
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
    struct ResponseFormat<'a> { kind: Text<'a> = "type", json_schema: &'a RawValue = "json_schema" }
}

object! {
    struct ThinkingParam<'a> { kind: Text<'a> = "type", token_budget: u64 = "token_budget" }
}

/// Fields whose value asks for what every provider does anyway: nothing is lost where they are left out. Nobody else's
/// models cite unasked, or are told more than they are sent.
const NEUTRAL: [(&str, &[&str]); 5] = [
    ("logprobs", &["false"]),
    ("strict_tools", &["false"]),
    ("priority", &["0"]),
    ("safety_mode", &["\"OFF\"", "\"NONE\""]),
    ("citation_options", &["{}", "{\"mode\":\"OFF\"}", "{\"mode\":\"DISABLED\"}"]),
];

/// Reads a whole request.
pub(super) fn read(body: &[u8]) -> Result<Chat<'_>, Error> {
    let mut body: Body<'_> = read_json(body)?;
    let mut extra = Vec::new();
    body.extra.retain(|(key, value)| {
        let value: String = value.get().split_ascii_whitespace().collect();
        !NEUTRAL.iter().any(|(field, values)| key == field && values.contains(&&*value))
    });
    said(&mut extra, "", body.extra);
    let model = body.model.ok_or_else(|| missing("model"))?.0;
    let mut turns = turns(body.messages.ok_or_else(|| missing("messages"))?, &mut extra)?;
    documents(body.documents.unwrap_or_default(), &mut turns, &mut extra)?;
    Ok(Chat {
        model,
        turns,
        tools: tools(body.tools.unwrap_or_default(), &mut extra)?,
        tool_choice: body.tool_choice.map(|choice| tool_choice(&choice)).transpose()?,
        parallel_tool_calls: None,
        max_output_tokens: body.max_tokens,
        temperature: body.temperature,
        top_p: body.p,
        // 0 switches each of these off.
        top_k: body.k.filter(|k| !is_zero(k)),
        seed: body.seed,
        presence_penalty: body.presence_penalty.filter(|penalty| !is_zero(penalty)),
        frequency_penalty: body.frequency_penalty.filter(|penalty| !is_zero(penalty)),
        stop: body.stop_sequences.unwrap_or_default().into_iter().map(|stop| stop.0).collect(),
        format: body.response_format.map(|format| response_format(format, &mut extra)).transpose()?.flatten(),
        thinking: body.thinking.map(|thinking| self::thinking(thinking, &mut extra)).transpose()?,
        user: None,
        stream: body.stream.unwrap_or(false),
        include_usage: true,
        extra,
    })
}

fn is_zero(number: &RawValue) -> bool {
    matches!(number.get(), "0" | "0.0")
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
    for (index, mut message) in messages.into_iter().enumerate() {
        let at = |field: &str| format!("messages[{index}].{field}");
        let role = message.role.take().ok_or_else(|| missing(&at("role")))?;
        said(extra, &format!("/messages/{index}"), std::mem::take(&mut message.extra));
        let turn = match &*role.0 {
            "system" => Turn { role: Role::System, parts: parts(message.content, index, extra) },
            "user" => Turn { role: Role::User, parts: parts(message.content, index, extra) },
            "assistant" => Turn { role: Role::Assistant, parts: assistant(message, index, extra)? },
            "tool" => {
                let id = message.tool_call_id.ok_or_else(|| missing(&at("tool_call_id")))?.0;
                let parts = parts(message.content, index, extra);
                let result = Part::ToolResult { id, parts, is_error: false, cache: None };
                Turn { role: Role::User, parts: vec![result] }
            }
            _ => return Err(wrong(&at("role"), "must be system, user, assistant or tool")),
        };
        turns.push(turn);
    }
    Ok(turns)
}

/// What the reply is to be made from: others hear it from the user, before the last thing that the user says.
fn documents<'a>(
    documents: Vec<&'a RawValue>,
    turns: &mut Vec<Turn<'a>>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<(), Error> {
    if documents.is_empty() {
        return Ok(());
    }
    let mut given = Vec::with_capacity(documents.len());
    for (index, document) in documents.into_iter().enumerate() {
        let read = content::document(document, &format!("/documents/{index}"), extra);
        let problem = "must be a text, or an object with data";
        given.push(read.ok_or_else(|| wrong(&format!("documents[{index}]"), problem))?);
    }
    let is_said = |turn: &Turn<'_>| {
        turn.role == Role::User && !turn.parts.iter().any(|part| matches!(part, Part::ToolResult { .. }))
    };
    match turns.iter_mut().rfind(|turn| is_said(turn)) {
        Some(turn) => drop(turn.parts.splice(0..0, given)),
        None => turns.push(Turn { role: Role::User, parts: given }),
    }
    Ok(())
}

fn parts<'a>(content: Option<Content<'a>>, index: usize, extra: &mut Vec<Extra<'a>>) -> Vec<Part<'a>> {
    let mut parts = Vec::with_capacity(1);
    if let Some(content) = content {
        content::parts(content, &format!("/messages/{index}/content"), extra, &mut parts);
    }
    parts
}

/// What the model said. Its plan for the tools it calls is what it says before it calls them.
fn assistant<'a>(
    message: Message<'a>,
    index: usize,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Vec<Part<'a>>, Error> {
    let mut said_parts = parts(message.content, index, extra);
    if let Some(plan) = message.tool_plan.filter(|plan| !plan.0.is_empty()) {
        said_parts.push(Part::Text { text: plan.0, cache: None });
    }
    for (number, call) in message.tool_calls.unwrap_or_default().into_iter().enumerate() {
        let at = |field: &str| format!("messages[{index}].tool_calls[{number}].{field}");
        let path = format!("/messages/{index}/tool_calls/{number}");
        let function = call.value.function.ok_or_else(|| missing(&at("function")))?;
        said(extra, &path, call.value.extra);
        said(extra, &format!("{path}/function"), function.extra);
        said_parts.push(Part::ToolCall {
            id: call.value.id.ok_or_else(|| missing(&at("id")))?.0,
            name: function.name.ok_or_else(|| missing(&at("function.name")))?.0,
            arguments: function.arguments.unwrap_or_default().0,
            signature: None,
            cache: None,
        });
    }
    if let Some(value) = message.citations.filter(|citations| citations.get() != "[]") {
        extra.push(Extra { path: format!("/messages/{index}/citations"), value });
    }
    Ok(said_parts)
}

fn tools<'a>(
    params: Vec<Whole<'a, ToolParam<'a>>>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Vec<Tool<'a>>, Error> {
    let mut tools = Vec::with_capacity(params.len());
    for (index, param) in params.into_iter().enumerate() {
        let path = format!("/tools/{index}");
        let function = param.value.function.ok_or_else(|| missing(&format!("tools[{index}].function")))?;
        said(extra, &path, param.value.extra);
        said(extra, &format!("{path}/function"), function.extra);
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

fn tool_choice<'a>(choice: &Text<'a>) -> Result<ToolChoice<'a>, Error> {
    match &*choice.0 {
        "REQUIRED" => Ok(ToolChoice::Required),
        "NONE" => Ok(ToolChoice::None),
        _ => Err(wrong("tool_choice", "must be REQUIRED or NONE")),
    }
}

fn response_format<'a>(
    format: ResponseFormat<'a>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Option<Format<'a>>, Error> {
    said(extra, "/response_format", format.extra);
    let kind = format.kind.as_ref().map(|kind| &*kind.0);
    match (kind, format.json_schema) {
        (Some("text"), None) => Ok(None),
        (Some("json_object"), None) => Ok(Some(Format::JsonObject)),
        (Some("json_object"), Some(schema)) => {
            // Not `strict`: what OpenAI wants of a schema then, few of Cohere's have.
            let schema = Cow::Borrowed(schema);
            Ok(Some(Format::JsonSchema { name: None, description: None, schema, strict: None }))
        }
        (Some("text"), Some(_)) => {
            Err(wrong("response_format.json_schema", "must not stand beside the type text"))
        }
        _ => Err(wrong("response_format.type", "must be text or json_object")),
    }
}

fn thinking<'a>(whole: Whole<'a, ThinkingParam<'a>>, extra: &mut Vec<Extra<'a>>) -> Result<Thinking, Error> {
    let thinking = whole.value;
    said(extra, "/thinking", thinking.extra);
    match (thinking.kind.as_ref().map(|kind| &*kind.0), thinking.token_budget) {
        (Some("disabled"), _) => Ok(Thinking::Off),
        // Cohere's own guide leaves the type out beside a budget.
        (None | Some("enabled"), Some(budget)) if budget > 0 => Ok(Thinking::Budget(budget)),
        (None | Some("enabled"), Some(_)) => Err(wrong("thinking.token_budget", "must be at least 1")),
        (Some("enabled"), None) => Ok(Thinking::Adaptive),
        _ => Err(wrong("thinking.type", "must be enabled or disabled")),
    }
}

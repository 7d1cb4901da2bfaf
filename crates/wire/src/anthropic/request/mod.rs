//! Requests: read into the superset here, written from it in `write`.

pub(crate) mod schema;
pub(crate) mod thinking;
mod write;

use std::borrow::Cow;

use serde_json::value::RawValue;
use stepwell_types::Code;

use super::blocks::{Base, CacheControl, Content, parts};
use crate::Error;
use crate::chat::{Chat, Extra, Format, Role, Tool, ToolChoice, Turn};
use crate::json::{Extras, Text, Whole, keep, object, read as read_json};

pub(super) use write::write;
pub(crate) use write::write_schema;

object! {
    struct Body<'a> {
        model: Text<'a> = "model",
        system: Content<'a> = "system",
        messages: Vec<Message<'a>> = "messages",
        tools: Vec<Whole<'a, ToolParam<'a>>> = "tools",
        tool_choice: Choice<'a> = "tool_choice",
        max_tokens: u64 = "max_tokens",
        temperature: &'a RawValue = "temperature",
        top_p: &'a RawValue = "top_p",
        top_k: &'a RawValue = "top_k",
        stop_sequences: Vec<Text<'a>> = "stop_sequences",
        thinking: Whole<'a, ThinkingParam<'a>> = "thinking",
        output_config: OutputConfig<'a> = "output_config",
        // The form before `output_config`, still taken: it was in beta in 2025.
        output_format: OutputFormat<'a> = "output_format",
        metadata: Metadata<'a> = "metadata",
        stream: bool = "stream",
    }
}

object! {
    struct Message<'a> { role: Text<'a> = "role", content: Content<'a> = "content" }
}

object! {
    struct ToolParam<'a> {
        kind: Text<'a> = "type",
        name: Text<'a> = "name",
        description: Text<'a> = "description",
        input_schema: &'a RawValue = "input_schema",
        strict: bool = "strict",
        cache_control: CacheControl<'a> = "cache_control",
    }
}

object! {
    struct Metadata<'a> { user_id: Text<'a> = "user_id" }
}

object! {
    struct Choice<'a> {
        kind: Text<'a> = "type",
        name: Text<'a> = "name",
        disable_parallel_tool_use: bool = "disable_parallel_tool_use",
    }
}

object! {
    struct ThinkingParam<'a> { kind: Text<'a> = "type", budget_tokens: &'a RawValue = "budget_tokens" }
}

object! {
    struct OutputConfig<'a> { effort: &'a RawValue = "effort", format: OutputFormat<'a> = "format" }
}

object! {
    struct OutputFormat<'a> { kind: Text<'a> = "type", schema: &'a RawValue = "schema" }
}

/// Reads a whole request.
pub(super) fn read(body: &[u8]) -> Result<Chat<'_>, Error> {
    let body: Body<'_> = read_json(body)?;
    let mut extra = Vec::new();
    keep_said(&mut extra, "", body.extra);
    let (tool_choice, parallel_tool_calls) = choice(body.tool_choice, &mut extra)?;
    let config = body.output_config.unwrap_or_default();
    keep_said(&mut extra, "/output_config", config.extra);
    let metadata = body.metadata.unwrap_or_default();
    keep_said(&mut extra, "/metadata", metadata.extra);
    Ok(Chat {
        model: body.model.ok_or_else(|| missing("model"))?.0,
        turns: turns(body.system, body.messages.ok_or_else(|| missing("messages"))?, &mut extra)?,
        tools: tools(body.tools.unwrap_or_default(), &mut extra)?,
        tool_choice,
        parallel_tool_calls,
        max_output_tokens: body.max_tokens,
        temperature: body.temperature,
        top_p: body.top_p,
        top_k: body.top_k,
        seed: None,
        presence_penalty: None,
        frequency_penalty: None,
        stop: body.stop_sequences.unwrap_or_default().into_iter().map(|stop| stop.0).collect(),
        format: format(config.format.or(body.output_format), &mut extra)?,
        thinking: thinking::read(body.thinking, config.effort, &mut extra)?,
        user: metadata.user_id.map(|user| user.0),
        stream: body.stream.unwrap_or(false),
        include_usage: true,
        extra,
    })
}

fn missing(field: &str) -> Error {
    Error::at(Code::InvalidRequest, field, format!("{field} is missing"))
}

/// Keeps the fields that say something.
fn keep_said<'a>(extra: &mut Vec<Extra<'a>>, prefix: &str, mut fields: Extras<'a>) {
    fields.retain(|(_, value)| value.get() != "null");
    keep(extra, prefix, fields);
}

fn turns<'a>(
    system: Option<Content<'a>>,
    messages: Vec<Message<'a>>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Vec<Turn<'a>>, Error> {
    let mut turns = Vec::with_capacity(messages.len() + 1);
    if let Some(system) = system {
        turns.push(Turn { role: Role::System, parts: parts(system, Base::System, extra)? });
    }
    for (index, message) in messages.into_iter().enumerate() {
        let wrong = |field: &str, problem: &str| {
            let at = format!("messages[{index}].{field}");
            let message = format!("{at} {problem}");
            Error::at(Code::InvalidRequest, at, message)
        };
        let role = match message.role.as_ref().map(|role| &*role.0) {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            // Models since Opus 4.8 take instructions in mid-conversation.
            Some("system") => Role::System,
            Some(_) => return Err(wrong("role", "must be user, assistant or system")),
            None => return Err(wrong("role", "is missing")),
        };
        let content = message.content.ok_or_else(|| wrong("content", "is missing"))?;
        turns.push(Turn { role, parts: parts(content, Base::Message(index), extra)? });
        if !message.extra.is_empty() {
            keep_said(extra, &format!("/messages/{index}"), message.extra);
        }
    }
    Ok(turns)
}

fn tools<'a>(
    params: Vec<Whole<'a, ToolParam<'a>>>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Vec<Tool<'a>>, Error> {
    let mut tools = Vec::with_capacity(params.len());
    for (index, Whole { raw, value: param }) in params.into_iter().enumerate() {
        if param.kind.is_some_and(|kind| kind.0 != "custom") {
            // A tool that Anthropic runs, or whose form it defines.
            extra.push(Extra { path: format!("/tools/{index}"), value: raw });
            continue;
        }
        let name = param.name.ok_or_else(|| missing(&format!("tools[{index}].name")))?.0;
        tools.push(Tool {
            name,
            description: param.description.map(|description| description.0),
            schema: param.input_schema.map(Cow::Borrowed),
            strict: param.strict,
            cache: param.cache_control.as_ref().map(CacheControl::mark),
        });
        if !param.extra.is_empty() {
            keep_said(extra, &format!("/tools/{index}"), param.extra);
        }
    }
    Ok(tools)
}

type Choices<'a> = (Option<ToolChoice<'a>>, Option<bool>);

fn choice<'a>(choice: Option<Choice<'a>>, extra: &mut Vec<Extra<'a>>) -> Result<Choices<'a>, Error> {
    let Some(choice) = choice else { return Ok((None, None)) };
    let kind: Cow<'a, str> = choice.kind.ok_or_else(|| missing("tool_choice.type"))?.0;
    let picked = match &*kind {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(choice.name.ok_or_else(|| missing("tool_choice.name"))?.0),
        _ => {
            let message = "tool_choice.type must be auto, any, tool or none";
            return Err(Error::at(Code::InvalidRequest, "tool_choice.type", message));
        }
    };
    keep_said(extra, "/tool_choice", choice.extra);
    Ok((Some(picked), choice.disable_parallel_tool_use.map(|disabled| !disabled)))
}

fn format<'a>(
    format: Option<OutputFormat<'a>>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Option<Format<'a>>, Error> {
    let Some(format) = format else { return Ok(None) };
    if format.kind.is_none_or(|kind| kind.0 != "json_schema") {
        let message = "output_config.format.type must be json_schema";
        return Err(Error::at(Code::InvalidRequest, "output_config.format.type", message));
    }
    let schema = format.schema.ok_or_else(|| missing("output_config.format.schema"))?;
    keep_said(extra, "/output_config/format", format.extra);
    // Anthropic always holds the model to the schema.
    let schema = Cow::Borrowed(schema);
    Ok(Some(Format::JsonSchema { name: None, description: None, schema, strict: Some(true) }))
}

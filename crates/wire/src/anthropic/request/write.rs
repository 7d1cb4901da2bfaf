//! Requests, written from the superset.
//!
//! Losses are named as OpenAI names the fields: whoever calls this dialect's writer speaks another one.

use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use stepwell_types::Code;

use super::schema;
use super::thinking::{Mode, Plan, plan};
use crate::anthropic::blocks::{self, in_result, is_blank, write_cache};
use crate::chat::{Chat, Extra, Format, Part, Role, Source, Tool, ToolChoice, Turn};
use crate::json::{Array, Object, object, write_object};
use crate::{Edits, Error, Losses, Quirks, Written};

/// Writes a whole request.
///
/// System and developer turns become the top-level `system`, wherever they stand. A conversation of nothing else is
/// said by the user, since Anthropic wants at least one message. Neighbours of one role are merged, results of tools
/// first.
pub(in crate::anthropic) fn write(
    chat: &Chat<'_>,
    edits: &Edits<'_>,
    quirks: Quirks,
) -> Result<Written, Error> {
    let mut losses = Losses::default();
    for Extra { path, value } in &chat.extra {
        if value.get() != "null" {
            losses.note(path.as_str());
        }
    }
    let (instructions, spoken) = divide(&chat.turns, &mut losses)?;
    let plan = plan(chat, edits, quirks, &mut losses);
    let mut body = Vec::with_capacity(1024);
    write_object(&mut body, |request| {
        match quirks.version_in_body {
            Some(version) => request.string("anthropic_version", version),
            None => request.string("model", edits.model.unwrap_or(&chat.model)),
        }
        request.number("max_tokens", plan.max_tokens);
        system(request, &instructions, &mut losses);
        request.array("messages", |messages| write_messages(messages, &spoken, &mut losses));
        tools(request, chat, &mut losses);
        sampling(request, chat, quirks, &plan, &mut losses);
        stop(request, chat, &mut losses);
        thinking(request, &plan);
        output_config(request, chat.format.as_ref(), &plan, &mut losses);
        if let Some(user) = &chat.user {
            request.object("metadata", |metadata| metadata.string("user_id", user));
        }
        if chat.stream {
            request.bool("stream", true);
        }
    });
    Ok(Written { body, losses })
}

/// A turn and its place in the conversation.
type Placed<'c, 'a> = (usize, &'c Turn<'a>);

fn divide<'c, 'a>(
    turns: &'c [Turn<'a>],
    losses: &mut Losses,
) -> Result<(Vec<Placed<'c, 'a>>, Vec<Placed<'c, 'a>>), Error> {
    let is_instruction = |turn: &Turn<'_>| matches!(turn.role, Role::System | Role::Developer);
    let (mut instructions, mut spoken): (Vec<_>, Vec<_>) =
        turns.iter().enumerate().partition(|(_, turn)| is_instruction(turn));
    if spoken.is_empty() {
        let last = instructions.pop();
        let last = last.ok_or_else(|| Error::at(Code::InvalidRequest, "messages", "messages is empty"))?;
        losses.note(format!("/messages/{}/role", last.0));
        spoken.push(last);
    }
    Ok((instructions, spoken))
}

fn system(request: &mut Object<'_>, instructions: &[Placed<'_, '_>], losses: &mut Losses) {
    let mut texts: Vec<&Part<'_>> = Vec::with_capacity(instructions.len());
    for (turn, Turn { parts, .. }) in instructions {
        for (index, part) in parts.iter().enumerate() {
            match part {
                Part::Text { text, .. } if !is_blank(text) => texts.push(part),
                Part::Text { .. } => {}
                Part::Other(extra) => losses.note(extra.path.as_str()),
                _ => losses.note(format!("/messages/{turn}/content/{index}")),
            }
        }
    }
    match texts.as_slice() {
        [] => {}
        [Part::Text { text, cache: None }] => request.string("system", text),
        texts => request.array("system", |blocks| texts.iter().for_each(|part| blocks::write(blocks, part))),
    }
}

fn write_messages(messages: &mut Array<'_>, spoken: &[Placed<'_, '_>], losses: &mut Losses) {
    let role = |placed: &Placed<'_, '_>| if placed.1.role == Role::Assistant { "assistant" } else { "user" };
    let mut said: Vec<&Part<'_>> = Vec::new();
    for group in spoken.chunk_by(|one, next| role(one) == role(next)) {
        let Some(first) = group.first() else { continue };
        said.clear();
        for (turn, Turn { parts, .. }) in group {
            said.extend(parts.iter().enumerate().filter_map(|(index, part)| {
                is_sayable(part, role(first), (*turn, index), losses).then_some(part)
            }));
        }
        // Anthropic refuses results of tools that stand behind anything else.
        said.sort_by_key(|part| !matches!(part, Part::ToolResult { .. }));
        message(messages, role(first), &said);
    }
}

/// Writes a message unless nothing of it can be said: Anthropic refuses empty ones.
fn message(messages: &mut Array<'_>, role: &str, said: &[&Part<'_>]) {
    if said.is_empty() {
        return;
    }
    messages.object(|message| {
        message.string("role", role);
        match said {
            [Part::Text { text, cache: None }] => message.string("content", text),
            said => {
                message.array("content", |blocks| said.iter().for_each(|part| blocks::write(blocks, part)));
            }
        }
    });
}

/// Whether a file lies at OpenAI, whose ids begin so: Anthropic does not have it.
fn is_foreign_file(source: &Source<'_>) -> bool {
    matches!(source, Source::File(id) if !id.starts_with("file_"))
}

/// Whether Anthropic can be told the part, in a message of `role`. What is lost is noted.
fn is_sayable(part: &Part<'_>, role: &str, (turn, index): (usize, usize), losses: &mut Losses) -> bool {
    let at = |suffix: &str| format!("/messages/{turn}/content/{index}{suffix}");
    let assistant = role == "assistant";
    let sayable = match part {
        // Blank texts carry nothing, and Anthropic refuses them.
        Part::Text { text, .. } | Part::Refusal { text } if is_blank(text) => return false,
        Part::Text { .. } => true,
        Part::Refusal { .. } | Part::RedactedThinking { .. } | Part::Thinking { signature: Some(_), .. } => {
            assistant
        }
        Part::Thinking { signature: None, .. } | Part::Audio { .. } => false,
        Part::Image { source, detail, .. } => {
            if detail.as_deref().is_some_and(|detail| detail != "auto") {
                losses.note(at("/detail"));
            }
            !assistant && !matches!(source, Source::Text(_)) && !is_foreign_file(source)
        }
        Part::Document { source, .. } => !assistant && !is_foreign_file(source),
        Part::ToolCall { arguments, signature, .. } => {
            if signature.is_some() {
                losses.note(format!("/messages/{turn}/tool_calls/signature"));
            }
            if !is_object(arguments) {
                losses.note(format!("/messages/{turn}/tool_calls"));
            }
            assistant
        }
        Part::ToolResult { parts, .. } => {
            for (inner, part) in parts.iter().enumerate() {
                match part {
                    Part::Other(extra) => losses.note(extra.path.as_str()),
                    Part::Text { .. } => {}
                    part if !in_result(part) => losses.note(at(&format!("/content/{inner}"))),
                    _ => {}
                }
            }
            !assistant
        }
        Part::Other(extra) => {
            losses.note(extra.path.as_str());
            return false;
        }
    };
    if !sayable {
        losses.note(at(""));
    }
    sayable
}

/// Whether a call's arguments can stand as they are. None at all stand for an empty object.
fn is_object(arguments: &str) -> bool {
    let arguments = arguments.trim();
    arguments.is_empty()
        || arguments.starts_with('{') && serde_json::from_str::<IgnoredAny>(arguments).is_ok()
}

fn tools(request: &mut Object<'_>, chat: &Chat<'_>, losses: &mut Losses) {
    if chat.tools.is_empty() {
        // Anthropic refuses a choice among no tools; what forces none loses nothing.
        if matches!(chat.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_))) {
            losses.note("/tool_choice");
        }
        return;
    }
    request.array("tools", |tools| {
        for (index, tool) in chat.tools.iter().enumerate() {
            write_tool(tools, index, tool, losses);
        }
    });
    let alone = chat.parallel_tool_calls == Some(false);
    let (kind, name) = match &chat.tool_choice {
        None if !alone => return,
        None | Some(ToolChoice::Auto) => ("auto", None),
        Some(ToolChoice::None) => ("none", None),
        Some(ToolChoice::Required) => ("any", None),
        Some(ToolChoice::Named(name)) => ("tool", Some(name)),
    };
    request.object("tool_choice", |choice| {
        choice.string("type", kind);
        choice.string_if("name", name);
        if let Some(parallel) = chat.parallel_tool_calls.filter(|_| kind != "none") {
            choice.bool("disable_parallel_tool_use", !parallel);
        }
    });
}

fn write_tool(tools: &mut Array<'_>, index: usize, tool: &Tool<'_>, losses: &mut Losses) {
    tools.object(|param| {
        param.string("name", &tool.name);
        param.string_if("description", tool.description.as_ref());
        match &tool.schema {
            Some(schema) if tool.strict == Some(true) => {
                let path = format!("/tools/{index}/function/parameters");
                write_schema(param, &schema::fitted(schema, &path, losses));
            }
            Some(schema) => write_schema(param, schema),
            None => param.literal("input_schema", r#"{"type":"object","properties":{}}"#),
        }
        if let Some(strict) = tool.strict {
            param.bool("strict", strict);
        }
        write_cache(param, tool.cache);
    });
}

object! {
    /// As much of a schema as Anthropic requires.
    struct Schema<'a> { kind: IgnoredAny = "type" }
}

/// Writes a tool's schema. Anthropic requires `type`; OpenAI takes schemas without, which then means the same.
fn write_schema(param: &mut Object<'_>, schema: &RawValue) {
    if schema.get().starts_with(r#"{"type":"#) {
        return param.raw("input_schema", schema);
    }
    match serde_json::from_str::<Schema<'_>>(schema.get()) {
        Ok(known) if known.kind.is_none() => {
            param.object("input_schema", |fields| {
                fields.string("type", "object");
                for (key, value) in known.extra {
                    fields.field(&key, value);
                }
            });
        }
        _ => param.raw("input_schema", schema),
    }
}

fn sampling(request: &mut Object<'_>, chat: &Chat<'_>, quirks: Quirks, plan: &Plan, losses: &mut Losses) {
    for (key, value) in [
        ("seed", chat.seed),
        ("presence_penalty", chat.presence_penalty),
        ("frequency_penalty", chat.frequency_penalty),
    ] {
        if value.is_some() {
            losses.note(format!("/{key}"));
        }
    }
    let fields = [("temperature", chat.temperature), ("top_p", chat.top_p), ("top_k", chat.top_k)];
    for (key, value) in fields.into_iter().filter_map(|(key, value)| Some((key, value?))) {
        let number = value.get().parse::<f64>().unwrap_or(0.0);
        // At 1, both temperature and top_p leave the model as it is.
        let is_default = key != "top_k" && (number - 1.0).abs() < f64::EPSILON;
        if quirks.no_sampling || plan.thinks() {
            if !is_default {
                losses.note(format!("/{key}"));
            }
        } else if key == "temperature" && number > 1.0 {
            // OpenAI goes to 2, Anthropic to 1.
            losses.note("/temperature");
            request.literal(key, "1");
        } else {
            request.raw(key, value);
        }
    }
}

fn stop(request: &mut Object<'_>, chat: &Chat<'_>, losses: &mut Losses) {
    // Anthropic refuses sequences of white space alone.
    if chat.stop.iter().any(|stop| is_blank(stop)) {
        losses.note("/stop");
    }
    if chat.stop.iter().any(|stop| !is_blank(stop)) {
        request.array("stop_sequences", |sequences| {
            for stop in chat.stop.iter().filter(|stop| !is_blank(stop)) {
                sequences.string(stop);
            }
        });
    }
}

fn thinking(request: &mut Object<'_>, plan: &Plan) {
    let Some(mode) = plan.mode else { return };
    request.object("thinking", |thinking| match mode {
        Mode::Disabled => thinking.string("type", "disabled"),
        Mode::Adaptive => thinking.string("type", "adaptive"),
        Mode::Budget(budget) => {
            thinking.string("type", "enabled");
            thinking.number("budget_tokens", budget);
        }
    });
}

/// Writes effort and format. A schema's name has no place and names nothing that comes back; being held to the schema
/// exactly is Anthropic's only way.
fn output_config(request: &mut Object<'_>, format: Option<&Format<'_>>, plan: &Plan, losses: &mut Losses) {
    let schema = match format {
        Some(Format::JsonSchema { schema, description, .. }) => {
            if description.is_some() {
                losses.note("/response_format/json_schema/description");
            }
            Some(schema)
        }
        Some(Format::JsonObject) => {
            losses.note("/response_format");
            None
        }
        None => None,
    };
    if schema.is_none() && plan.effort.is_none() {
        return;
    }
    request.object("output_config", |config| {
        if let Some(effort) = &plan.effort {
            config.string("effort", effort);
        }
        if let Some(schema) = schema {
            config.object("format", |format| {
                format.string("type", "json_schema");
                format.raw("schema", &schema::fitted(schema, "/response_format/json_schema/schema", losses));
            });
        }
    });
}

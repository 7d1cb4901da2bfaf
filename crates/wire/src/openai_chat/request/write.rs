//! Requests, written from the superset. What OpenAI cannot say is noted under the path it had in a dialect that hoists
//! its system prompt, as the only other one does.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::messages::Messages;
use crate::chat::{Chat, Extra, Format, Role, Thinking, Tool, ToolChoice};
use crate::json::{Object, Text, key_under, write_object};
use crate::openai::{effort, fitting, held};
use crate::{Edits, Losses, Quirks, Written};

/// Fields of the body that only OpenAI has: they come from one of its own clients and go out as they came in. `logprobs` is
/// none of them: Cohere and Ollama have it too, and what comes back for it is every vendor's own.
const OWN: [&str; 17] = [
    "audio",
    "function_call",
    "functions",
    "logit_bias",
    "metadata",
    "modalities",
    "moderation",
    "n",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "response_format",
    "safety_identifier",
    "store",
    "verbosity",
    "web_search_options",
];

/// How many stop sequences OpenAI takes.
const STOPS: usize = 4;

/// The longest name of a user that OpenAI takes.
const USER_LIMIT: usize = 64;

/// Writes a request.
pub(in super::super) fn write(chat: &Chat<'_>, edits: &Edits<'_>, quirks: Quirks) -> Written {
    let mut losses = Losses::default();
    let mut body = Vec::with_capacity(1024);
    write_object(&mut body, |object| {
        object.string("model", edits.model.unwrap_or(&chat.model));
        let hoisted = usize::from(chat.turns.first().is_some_and(|turn| turn.role == Role::System));
        object.array("messages", |messages| {
            for (index, turn) in chat.turns.iter().enumerate() {
                let path = match index.checked_sub(hoisted) {
                    Some(index) => format!("/messages/{index}/content"),
                    None => "/system".to_owned(),
                };
                let mut writer = Messages { path: &path, losses: &mut losses, quirks };
                writer.turn(turn, messages);
            }
        });
        offer_tools(chat, object, &mut losses);
        limits(chat, edits, quirks, object, &mut losses);
        if let Some(format) = &chat.format {
            response_format(format, object, &mut losses);
        }
        if let Some(user) = &chat.user {
            object.string("user", &fitting(user, USER_LIMIT, "user_"));
        }
        if chat.stream {
            object.bool("stream", true);
            if (chat.include_usage || edits.include_usage) && !quirks.no_stream_options {
                object.object("stream_options", |options| options.bool("include_usage", true));
            }
        }
        let mut written = Vec::new();
        for extra in &chat.extra {
            if !rest(extra, chat, object, &mut written) {
                losses.note(extra.path.as_str());
            }
        }
    });
    Written { body, losses }
}

/// Writes a field that the superset has no place for if it is OpenAI's own. False where it is lost: one of another
/// dialect, or one that was `written` before.
fn rest<'e>(
    extra: &'e Extra<'_>,
    chat: &Chat<'_>,
    object: &mut Object<'_>,
    written: &mut Vec<Cow<'e, str>>,
) -> bool {
    if extra.path == "/text/verbosity" {
        object.raw("verbosity", extra.value);
        return true;
    }
    let Some(key) = key_under(&extra.path, "") else { return is_own_tool(extra) };
    let own = match &*key {
        "service_tier" => extra.value.get() != "\"standard_only\"",
        // Responses ask for likelihoods in a form of their own.
        "top_logprobs" => chat.extra.iter().any(|extra| extra.path == "/logprobs"),
        "tool_choice" => is_own_choice(extra.value),
        key => OWN.contains(&key),
    };
    if !own || written.contains(&key) {
        return false;
    }
    object.field(&key, extra.value);
    written.push(key);
    true
}

#[derive(serde::Deserialize)]
struct Tagged<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    custom: Option<&'a RawValue>,
    #[serde(borrow)]
    allowed_tools: Option<&'a RawValue>,
}

/// Whether this is a choice in the form of chat completions, which say it under the type's name.
fn is_own_choice(value: &RawValue) -> bool {
    let read: Option<Tagged<'_>> = serde_json::from_str(value.get()).ok();
    read.is_some_and(|choice| choice.custom.is_some() || choice.allowed_tools.is_some())
}

pub(super) fn is_kind(value: &RawValue, kinds: &[&str]) -> bool {
    let read: Option<Tagged<'_>> = serde_json::from_str(value.get()).ok();
    read.and_then(|read| read.kind).is_some_and(|kind| kinds.contains(&&*kind.0))
}

/// Whether this is a custom tool in OpenAI's form.
fn is_own_tool(extra: &Extra<'_>) -> bool {
    let read: Option<Tagged<'_>> = serde_json::from_str(extra.value.get()).ok();
    key_under(&extra.path, "/tools").is_some() && read.is_some_and(|tool| tool.custom.is_some())
}

/// Writes the tools and which of them may be called. OpenAI refuses the choice where there are no tools.
fn offer_tools(chat: &Chat<'_>, object: &mut Object<'_>, losses: &mut Losses) {
    let own: Vec<_> = chat.extra.iter().filter(|extra| is_own_tool(extra)).collect();
    if chat.tools.is_empty() && own.is_empty() {
        return;
    }
    object.array("tools", |tools| {
        for (index, tool) in chat.tools.iter().enumerate() {
            if tool.cache.is_some() {
                losses.note(format!("/tools/{index}/cache_control"));
            }
            let strict =
                held(tool.strict, tool.schema.as_deref(), || format!("/tools/{index}/strict"), losses);
            tools.object(|item| function(tool, strict, item));
        }
        for extra in own {
            tools.raw(extra.value);
        }
    });
    match &chat.tool_choice {
        Some(ToolChoice::None) => object.string("tool_choice", "none"),
        Some(ToolChoice::Auto) => object.string("tool_choice", "auto"),
        Some(ToolChoice::Required) => object.string("tool_choice", "required"),
        Some(ToolChoice::Named(name)) => object.object("tool_choice", |choice| {
            choice.string("type", "function");
            choice.object("function", |function| function.string("name", name));
        }),
        None => {}
    }
    if let Some(parallel) = chat.parallel_tool_calls {
        object.bool("parallel_tool_calls", parallel);
    }
}

fn function(tool: &Tool<'_>, strict: Option<bool>, item: &mut Object<'_>) {
    item.string("type", "function");
    item.object("function", |function| {
        function.string("name", &tool.name);
        function.string_if("description", tool.description.as_ref());
        function.raw_if("parameters", tool.schema.as_deref());
        if let Some(strict) = strict {
            function.bool("strict", strict);
        }
    });
}

/// Writes how long the reply may be, where it ends, and how it is sampled.
fn limits(chat: &Chat<'_>, edits: &Edits<'_>, quirks: Quirks, object: &mut Object<'_>, losses: &mut Losses) {
    let limit = if quirks.max_tokens_only { "max_tokens" } else { "max_completion_tokens" };
    object.number_if(limit, edits.max_output_tokens.or(chat.max_output_tokens));
    for (key, value) in [("temperature", chat.temperature), ("top_p", chat.top_p)] {
        match value {
            Some(_) if quirks.no_sampling => losses.note(format!("/{key}")),
            value => object.raw_if(key, value),
        }
    }
    if chat.top_k.is_some() {
        losses.note("/top_k");
    }
    for (key, value) in [
        ("seed", chat.seed),
        ("presence_penalty", chat.presence_penalty),
        ("frequency_penalty", chat.frequency_penalty),
    ] {
        object.raw_if(key, value);
    }
    if !chat.stop.is_empty() {
        object.array("stop", |stop| chat.stop.iter().take(STOPS).for_each(|text| stop.string(text)));
    }
    if chat.stop.len() > STOPS {
        losses.note(format!("/stop_sequences/{STOPS}"));
    }
    match &chat.thinking {
        Some(Thinking::Effort(effort)) => object.string("reasoning_effort", effort),
        Some(Thinking::Budget(budget)) => {
            object.string("reasoning_effort", effort(*budget));
            losses.note("/thinking/budget_tokens");
        }
        // Models that do not reason refuse any effort, and some that do refuse `none`: the model's default stays.
        Some(Thinking::Off) => losses.note("/thinking"),
        // A model that reasons does so as much as it finds right when nothing is said.
        Some(Thinking::Adaptive) | None => {}
    }
}

fn response_format(format: &Format<'_>, object: &mut Object<'_>, losses: &mut Losses) {
    object.object("response_format", |response| match format {
        Format::JsonObject => response.string("type", "json_object"),
        Format::JsonSchema { name, description, schema, strict } => {
            response.string("type", "json_schema");
            response.object("json_schema", |json_schema| {
                json_schema.string("name", name.as_deref().unwrap_or("reply"));
                json_schema.string_if("description", description.as_ref());
                json_schema.raw("schema", schema);
                let path = || "/output_config/format/schema".to_owned();
                if let Some(strict) = held(*strict, Some(schema), path, losses) {
                    json_schema.bool("strict", strict);
                }
            });
        }
    });
}

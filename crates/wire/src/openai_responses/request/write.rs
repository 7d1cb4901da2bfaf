//! Requests, written from the superset. What OpenAI cannot say is noted under the path it had in a dialect that hoists
//! its system prompt.

use std::borrow::Cow;

use super::items::Items;
use crate::chat::{Chat, Extra, Format, Role, Thinking, Tool, ToolChoice};
use crate::json::{Array, Object, Text, key_under, write_object};
use crate::openai::{effort, fitting, held};
use crate::{Edits, Losses, Quirks, Written};

/// Fields of the body that OpenAI's dialects alone have: they come from one of its own clients and go out as they came in.
const OWN: [&str; 13] = [
    "context_management",
    "include",
    "max_tool_calls",
    "metadata",
    "moderation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "stream_options",
    "top_logprobs",
    "truncation",
];

/// The tools that OpenAI runs or has a form of its own for.
const OWN_TOOLS: [&str; 15] = [
    "apply_patch",
    "code_interpreter",
    "computer",
    "computer_use_preview",
    "custom",
    "file_search",
    "image_generation",
    "local_shell",
    "mcp",
    "namespace",
    "programmatic_tool_calling",
    "shell",
    "tool_search",
    "web_search",
    "web_search_preview",
];

/// The least limit on output tokens that OpenAI takes here.
const LEAST_LIMIT: u64 = 16;

/// The longest name of a user that OpenAI takes.
const USER_LIMIT: usize = 64;

/// Writes a request. The reply is never kept at OpenAI unless the caller asked for it: a client of another dialect could
/// not go back to it, and did not agree to it.
pub(in super::super) fn write(chat: &Chat<'_>, edits: &Edits<'_>, quirks: Quirks) -> Written {
    let mut losses = Losses::default();
    let mut body = Vec::with_capacity(1024);
    write_object(&mut body, |object| {
        object.string("model", edits.model.unwrap_or(&chat.model));
        let hoisted = usize::from(chat.turns.first().is_some_and(|turn| turn.role == Role::System));
        object.array("input", |items| {
            for (index, turn) in chat.turns.iter().enumerate() {
                let path = match index.checked_sub(hoisted) {
                    Some(index) => format!("/messages/{index}/content"),
                    None => "/system".to_owned(),
                };
                Items { path: &path, losses: &mut losses }.turn(turn, items);
            }
        });
        offer_tools(chat, object, &mut losses);
        limits(chat, edits, quirks, object, &mut losses);
        text(chat, object, &mut losses);
        reasoning(chat, object, &mut losses);
        if let Some(user) = &chat.user {
            object.string("user", &fitting(user, USER_LIMIT, "user_"));
        }
        if chat.stream {
            object.bool("stream", true);
        }
        let mut written = Vec::new();
        for extra in &chat.extra {
            if !rest(extra, chat, object, &mut written) {
                losses.note(extra.path.as_str());
            }
        }
        if !written.iter().any(|key| key == "store") {
            object.bool("store", false);
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
    let Some(key) = key_under(&extra.path, "") else {
        let is_within = ["/text", "/reasoning"].iter().any(|object| key_under(&extra.path, object).is_some());
        return is_within || is_own_tool(extra);
    };
    let own = match &*key {
        "verbosity" => return true,
        "service_tier" => extra.value.get() != "\"standard_only\"",
        "tool_choice" => {
            offers_tools(chat)
                && kind(extra).is_some_and(|kind| kind == "allowed_tools" || is_own_kind(&kind))
        }
        // Chat completions ask for likelihoods in a form of their own.
        "top_logprobs" => !chat.extra.iter().any(|extra| extra.path == "/logprobs"),
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
    custom: Option<serde::de::IgnoredAny>,
    allowed_tools: Option<serde::de::IgnoredAny>,
}

/// The type that an object says it is of; none for chat completions' forms, which say the rest under the type's name.
fn kind<'e>(extra: &'e Extra<'_>) -> Option<Cow<'e, str>> {
    let read: Tagged<'_> = serde_json::from_str(extra.value.get()).ok()?;
    read.kind.filter(|_| read.custom.is_none() && read.allowed_tools.is_none()).map(|kind| kind.0)
}

fn is_own_kind(kind: &str) -> bool {
    OWN_TOOLS.contains(&kind)
}

fn is_own_tool(extra: &Extra<'_>) -> bool {
    key_under(&extra.path, "/tools").is_some() && kind(extra).is_some_and(|kind| is_own_kind(&kind))
}

fn offers_tools(chat: &Chat<'_>) -> bool {
    !chat.tools.is_empty() || chat.extra.iter().any(is_own_tool)
}

/// Writes the tools and which of them may be called. OpenAI refuses the choice where there are no tools.
fn offer_tools(chat: &Chat<'_>, object: &mut Object<'_>, losses: &mut Losses) {
    if !offers_tools(chat) {
        return;
    }
    let own: Vec<_> = chat.extra.iter().filter(|extra| is_own_tool(extra)).collect();
    object.array("tools", |tools| {
        for (index, tool) in chat.tools.iter().enumerate() {
            if tool.cache.is_some() {
                losses.note(format!("/tools/{index}/cache_control"));
            }
            function(index, tool, tools, losses);
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
            choice.string("name", name);
        }),
        None => {}
    }
    if let Some(parallel) = chat.parallel_tool_calls {
        object.bool("parallel_tool_calls", parallel);
    }
}

/// Writes a function. Here it is strict unless it says not to be: everywhere else it is the other way round.
/// <https://developers.openai.com/api/docs/guides/migrate-to-responses>
fn function(index: usize, tool: &Tool<'_>, tools: &mut Array<'_>, losses: &mut Losses) {
    let strict = held(tool.strict, tool.schema.as_deref(), || format!("/tools/{index}/strict"), losses);
    tools.object(|function| {
        function.string("type", "function");
        function.string("name", &tool.name);
        function.string_if("description", tool.description.as_ref());
        match tool.schema.as_deref() {
            Some(schema) => function.raw("parameters", schema),
            None => function.null("parameters"),
        }
        function.bool("strict", strict.unwrap_or(false));
    });
}

/// Writes how long the reply may be and how it is sampled.
fn limits(chat: &Chat<'_>, edits: &Edits<'_>, quirks: Quirks, object: &mut Object<'_>, losses: &mut Losses) {
    let limit = edits.max_output_tokens.or(chat.max_output_tokens);
    if limit.is_some_and(|limit| limit < LEAST_LIMIT) {
        losses.note("/max_tokens");
    }
    object.number_if("max_output_tokens", limit.map(|limit| limit.max(LEAST_LIMIT)));
    for (key, value) in [("temperature", chat.temperature), ("top_p", chat.top_p)] {
        match value {
            Some(_) if quirks.no_sampling => losses.note(format!("/{key}")),
            value => object.raw_if(key, value),
        }
    }
    let unsayable = [
        ("/top_k", chat.top_k.is_some()),
        ("/seed", chat.seed.is_some()),
        ("/presence_penalty", chat.presence_penalty.is_some()),
        ("/frequency_penalty", chat.frequency_penalty.is_some()),
        ("/stop", !chat.stop.is_empty()),
    ];
    unsayable.into_iter().filter(|(_, said)| *said).for_each(|(path, _)| losses.note(path));
}

/// Writes the form of the reply, and how much it is to say: chat completions have that word at the top.
fn text(chat: &Chat<'_>, object: &mut Object<'_>, losses: &mut Losses) {
    let verbosity = chat.extra.iter().find(|extra| extra.path == "/verbosity");
    let own: Vec<_> =
        chat.extra.iter().filter_map(|extra| Some((key_under(&extra.path, "/text")?, extra.value))).collect();
    if chat.format.is_none() && verbosity.is_none() && own.is_empty() {
        return;
    }
    object.object("text", |text| {
        if let Some(format) = &chat.format {
            text.object("format", |object| response_format(format, object, losses));
        }
        text.raw_if("verbosity", verbosity.map(|extra| extra.value));
        for (key, value) in own {
            text.field(&key, value);
        }
    });
}

fn response_format(format: &Format<'_>, object: &mut Object<'_>, losses: &mut Losses) {
    match format {
        Format::JsonObject => object.string("type", "json_object"),
        Format::JsonSchema { name, description, schema, strict } => {
            object.string("type", "json_schema");
            object.string("name", name.as_deref().unwrap_or("reply"));
            object.string_if("description", description.as_ref());
            object.raw("schema", schema);
            let path = || "/output_config/format/schema".to_owned();
            if let Some(strict) = held(*strict, Some(schema), path, losses) {
                object.bool("strict", strict);
            }
        }
    }
}

/// Writes how hard to think.
fn reasoning(chat: &Chat<'_>, object: &mut Object<'_>, losses: &mut Losses) {
    let own: Vec<_> = chat
        .extra
        .iter()
        .filter_map(|extra| Some((key_under(&extra.path, "/reasoning")?, extra.value)))
        .collect();
    let effort = match &chat.thinking {
        Some(Thinking::Effort(effort)) => Some(effort.as_str()),
        Some(Thinking::Budget(budget)) => {
            losses.note("/thinking/budget_tokens");
            Some(effort(*budget))
        }
        // Models that do not reason refuse any effort, and some that do refuse `none`: the model's default stays.
        Some(Thinking::Off) => {
            losses.note("/thinking");
            None
        }
        // A model that reasons does so as much as it finds right when nothing is said.
        Some(Thinking::Adaptive) | None => None,
    };
    if effort.is_none() && own.is_empty() {
        return;
    }
    object.object("reasoning", |reasoning| {
        if let Some(effort) = effort {
            reasoning.string("effort", effort);
        }
        for (key, value) in own {
            reasoning.field(&key, value);
        }
    });
}

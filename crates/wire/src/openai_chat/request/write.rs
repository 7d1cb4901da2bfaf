//! Requests, written from the superset. What OpenAI cannot say is noted under the path it had in a dialect that hoists
//! its system prompt, as the only other one does.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::super::message::write_image;
use crate::chat::{Chat, Extra, Format, Part, Role, Source, Thinking, Tool, ToolChoice, Turn};
use crate::json::{Array, Object, Text, key_under, write_object};
use crate::{Edits, Losses, Quirks, Written};

/// Fields of the body that only OpenAI has: they come from one of its own clients and go out as they came in.
const OWN: [&str; 22] = [
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "metadata",
    "modalities",
    "moderation",
    "n",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "response_format",
    "safety_identifier",
    "seed",
    "store",
    "top_logprobs",
    "verbosity",
    "web_search_options",
];

/// How many stop sequences OpenAI takes.
const STOPS: usize = 4;

/// The longest id of a tool call, and the longest name of a user, that OpenAI takes.
const ID_LIMIT: usize = 40;
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
            response_format(format, object);
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
            if !rest(extra, object, &mut written) {
                losses.note(extra.path.as_str());
            }
        }
    });
    Written { body, losses }
}

/// Writes a field that the superset has no place for if it is OpenAI's own. False where it is lost: one of another
/// dialect, or one that was `written` before.
fn rest<'e>(extra: &'e Extra<'_>, object: &mut Object<'_>, written: &mut Vec<Cow<'e, str>>) -> bool {
    let Some(key) = key_under(&extra.path, "") else { return is_own_tool(extra) };
    let own = match &*key {
        "service_tier" => extra.value.get() != "\"standard_only\"",
        "tool_choice" => is_kind(extra.value, &["allowed_tools", "custom"]),
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
struct Kind<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    custom: Option<&'a RawValue>,
}

fn is_kind(value: &RawValue, kinds: &[&str]) -> bool {
    let read: Option<Kind<'_>> = serde_json::from_str(value.get()).ok();
    read.and_then(|read| read.kind).is_some_and(|kind| kinds.contains(&&*kind.0))
}

/// Whether this is a custom tool in OpenAI's form.
fn is_own_tool(extra: &Extra<'_>) -> bool {
    let read: Option<Kind<'_>> = serde_json::from_str(extra.value.get()).ok();
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
            tools.object(|item| function(tool, item));
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

fn function(tool: &Tool<'_>, item: &mut Object<'_>) {
    item.string("type", "function");
    item.object("function", |function| {
        function.string("name", &tool.name);
        function.string_if("description", tool.description.as_ref());
        function.raw_if("parameters", tool.schema);
        if let Some(strict) = tool.strict {
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

/// The level that comes closest to a budget of thinking tokens.
fn effort(budget: u64) -> &'static str {
    match budget {
        0..4_096 => "low",
        4_096..16_384 => "medium",
        _ => "high",
    }
}

fn response_format(format: &Format<'_>, object: &mut Object<'_>) {
    object.object("response_format", |response| match format {
        Format::JsonObject => response.string("type", "json_object"),
        Format::JsonSchema { name, description, schema, strict } => {
            response.string("type", "json_schema");
            response.object("json_schema", |json_schema| {
                json_schema.string("name", name.as_deref().unwrap_or("reply"));
                json_schema.string_if("description", description.as_ref());
                json_schema.raw("schema", schema);
                if let Some(strict) = strict {
                    json_schema.bool("strict", *strict);
                }
            });
        }
    });
}

/// `text`, or where it is longer than OpenAI takes, a name made from it: always the same one, and another for every
/// other text. A call and its results stand in one request, so they still match.
fn fitting<'t>(text: &'t str, limit: usize, prefix: &str) -> Cow<'t, str> {
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    // FNV-1a, 128 bits.
    let hash = text.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    });
    Cow::Owned(format!("{prefix}{hash:032x}"))
}

/// Writes the messages of one turn.
struct Messages<'w> {
    path: &'w str,
    losses: &'w mut Losses,
    quirks: Quirks,
}

impl Messages<'_> {
    fn turn(&mut self, turn: &Turn<'_>, messages: &mut Array<'_>) {
        self.note_marks(&turn.parts, self.path);
        match turn.role {
            Role::System => self.message("system", &turn.parts, messages),
            Role::Developer if self.quirks.no_developer_role => self.message("system", &turn.parts, messages),
            Role::Developer => self.message("developer", &turn.parts, messages),
            Role::User => self.user(&turn.parts, messages),
            Role::Assistant => self.assistant(&turn.parts, messages),
        }
    }

    /// OpenAI has cache marks of its own kind: those of another provider are lost.
    fn note_marks(&mut self, parts: &[Part<'_>], path: &str) {
        for (index, part) in parts.iter().enumerate() {
            let (Part::Text { cache, .. }
            | Part::Image { cache, .. }
            | Part::Document { cache, .. }
            | Part::ToolCall { cache, .. }
            | Part::ToolResult { cache, .. }) = part
            else {
                continue;
            };
            if cache.is_some() {
                self.losses.note(format!("{path}/{index}/cache_control"));
            }
            if let Part::ToolResult { parts, .. } = part {
                self.note_marks(parts, &format!("{path}/{index}/content"));
            }
        }
    }

    /// Results of tools are messages of their own and stand first, right behind the calls they answer. What they hold
    /// beside text goes into the user's message: OpenAI's tools give text only.
    fn user(&mut self, parts: &[Part<'_>], messages: &mut Array<'_>) {
        let mut said: Vec<(String, &Part<'_>)> = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let path = format!("{}/{index}", self.path);
            let Part::ToolResult { id, parts, is_error, .. } = part else {
                said.push((path, part));
                continue;
            };
            if *is_error {
                self.losses.note(format!("{path}/is_error"));
            }
            let (text, other): (Vec<_>, Vec<_>) = parts
                .iter()
                .enumerate()
                .map(|(at, part)| (format!("{path}/content/{at}"), part))
                .partition(|(_, part)| matches!(part, Part::Text { .. }));
            said.extend(other);
            messages.object(|message| {
                message.string("role", "tool");
                message.string("tool_call_id", &fitting(id, ID_LIMIT, "call_"));
                self.content(message, &text);
            });
        }
        let is_all_results = said.is_empty() && !parts.is_empty();
        if !is_all_results {
            messages.object(|message| {
                message.string("role", "user");
                self.content(message, &said);
            });
        }
    }

    fn message(&mut self, role: &str, parts: &[Part<'_>], messages: &mut Array<'_>) {
        let parts: Vec<_> =
            parts.iter().enumerate().map(|(index, part)| (format!("{}/{index}", self.path), part)).collect();
        messages.object(|message| {
            message.string("role", role);
            self.content(message, &parts);
        });
    }

    fn assistant(&mut self, parts: &[Part<'_>], messages: &mut Array<'_>) {
        let mut said = Vec::with_capacity(parts.len());
        let mut calls = Vec::new();
        let (mut thinking, mut refusal) = (Vec::new(), Vec::new());
        for (index, part) in parts.iter().enumerate() {
            match part {
                Part::ToolCall { id, name, arguments, .. } => calls.push((id, name, arguments)),
                Part::Refusal { text } => refusal.push(&**text),
                Part::Thinking { text, signature: None } => thinking.push(&**text),
                part => said.push((format!("{}/{index}", self.path), part)),
            }
        }
        messages.object(|message| {
            message.string("role", "assistant");
            if !thinking.is_empty() {
                message.joined("reasoning_content", &thinking);
            }
            let said = self.sayable(said);
            if said.is_empty() && (!calls.is_empty() || !refusal.is_empty()) {
                message.null("content");
            } else {
                self.content(message, &said);
            }
            if !refusal.is_empty() {
                message.joined("refusal", &refusal);
            }
            if !calls.is_empty() {
                message.array("tool_calls", |items| {
                    for (id, name, arguments) in calls {
                        items.object(|call| {
                            call.string("id", &fitting(id, ID_LIMIT, "call_"));
                            call.string("type", "function");
                            call.object("function", |function| {
                                function.string("name", name);
                                function
                                    .string("arguments", if arguments.is_empty() { "{}" } else { arguments });
                            });
                        });
                    }
                });
            }
        });
    }

    /// The parts that OpenAI has a form for; the others are lost.
    fn sayable<'p, 'a>(&mut self, parts: Vec<(String, &'p Part<'a>)>) -> Vec<(String, &'p Part<'a>)> {
        parts
            .into_iter()
            .filter(|(path, part)| {
                let sayable = match part {
                    Part::Text { .. } => true,
                    Part::Image { source, .. } => matches!(source, Source::Url(_) | Source::Base64 { .. }),
                    Part::Document { source, .. } => match source {
                        Source::Base64 { .. } | Source::Text(_) => true,
                        Source::File(id) => id.starts_with("file-"),
                        Source::Url(_) => false,
                    },
                    Part::Other(extra) => is_kind(extra.value, &["input_audio", "file", "image_url"]),
                    _ => false,
                };
                if !sayable {
                    self.losses.note(match part {
                        Part::Other(extra) => extra.path.clone(),
                        _ => path.clone(),
                    });
                }
                sayable
            })
            .collect()
    }

    /// Writes `content`: text alone as a string, anything else as parts.
    fn content(&mut self, message: &mut Object<'_>, parts: &[(String, &Part<'_>)]) {
        let parts = self.sayable(parts.to_vec());
        match parts.as_slice() {
            [] => message.string("content", ""),
            [(_, Part::Text { text, .. })] => message.string("content", text),
            parts => message.array("content", |items| {
                for (_, part) in parts {
                    write_part(part, items);
                }
            }),
        }
    }
}

fn write_part(part: &Part<'_>, items: &mut Array<'_>) {
    match part {
        Part::Text { text, .. } | Part::Document { source: Source::Text(text), .. } => items.object(|item| {
            item.string("type", "text");
            item.string("text", text);
        }),
        Part::Image { source, detail, .. } => {
            items.object(|item| write_image(item, source, detail.as_ref()));
        }
        Part::Document { source, name, .. } => items.object(|item| {
            item.string("type", "file");
            item.object("file", |file| match source {
                Source::Base64 { media_type, data } => {
                    file.string("filename", name.as_deref().unwrap_or("document"));
                    file.joined("file_data", &["data:", media_type, ";base64,", data]);
                }
                Source::File(id) | Source::Url(id) | Source::Text(id) => file.string("file_id", id),
            });
        }),
        Part::Other(extra) => items.raw(extra.value),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_gets_a_name_of_its_own() {
        let long = |last: char| format!("toolu_{}{last}", "x".repeat(60));
        let (one, other) = (long('a'), long('b'));
        assert_eq!(fitting("call_1", ID_LIMIT, "call_"), "call_1");
        assert_eq!(fitting(&one, ID_LIMIT, "call_").len(), 37);
        assert_eq!(fitting(&one, ID_LIMIT, "call_"), fitting(&one, ID_LIMIT, "call_"));
        assert_ne!(fitting(&one, ID_LIMIT, "call_"), fitting(&other, ID_LIMIT, "call_"));
    }
}

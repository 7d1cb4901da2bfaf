//! Requests, written from the superset. Losses are named as OpenAI names the fields: whoever calls this dialect's writer
//! speaks another one.

use serde_json::value::RawValue;

use crate::chat::{Chat, Extra, Format, Part, Role, Source, Thinking, ToolChoice, Turn};
use crate::cohere::content::{write_call, write_image, write_text, write_thinking};
use crate::json::{Array, Object, write_object};
use crate::{Edits, Losses, Written};

/// How many stop sequences Cohere takes.
const STOPS: usize = 5;

/// Writes a whole request.
///
/// System and developer turns become one system message, wherever they stand: Cohere takes one only as the first message
/// (`system turn must be the first in the list`, <https://docs.cohere.com/reference/errors>).
pub(in crate::cohere) fn write(chat: &Chat<'_>, edits: &Edits<'_>) -> Written {
    let mut losses = Losses::default();
    for Extra { path, .. } in &chat.extra {
        losses.note(path.as_str());
    }
    if chat.user.is_some() {
        losses.note("/user");
    }
    let mut body = Vec::with_capacity(1024);
    write_object(&mut body, |request| {
        request.string("model", edits.model.unwrap_or(&chat.model));
        request.array("messages", |messages| {
            let mut writer = Messages { losses: &mut losses };
            writer.system(&chat.turns, messages);
            for (index, turn) in chat.turns.iter().enumerate() {
                match turn.role {
                    Role::System | Role::Developer => {}
                    Role::User => writer.user(index, &turn.parts, messages),
                    Role::Assistant => writer.assistant(index, &turn.parts, messages),
                }
            }
        });
        tools(request, chat, &mut losses);
        if let Some(format) = &chat.format {
            response_format(request, format, &mut losses);
        }
        limits(request, chat, edits, &mut losses);
        thinking(request, chat, &mut losses);
        if chat.stream {
            request.bool("stream", true);
        }
    });
    Written { body, losses }
}

/// A part and the path it is lost under.
type Placed<'p, 'a> = (String, &'p Part<'a>);

/// Writes the messages of a conversation.
struct Messages<'w> {
    losses: &'w mut Losses,
}

impl Messages<'_> {
    fn system(&mut self, turns: &[Turn<'_>], messages: &mut Array<'_>) {
        let mut texts = Vec::new();
        let instructions =
            turns.iter().enumerate().filter(|(_, turn)| matches!(turn.role, Role::System | Role::Developer));
        for (turn, Turn { parts, .. }) in instructions {
            for (index, part) in parts.iter().enumerate() {
                match part {
                    Part::Text { text, cache } => {
                        if cache.is_some() {
                            self.losses.note(format!("/system/{index}/cache_control"));
                        }
                        texts.push(&**text);
                    }
                    Part::Other(extra) => self.losses.note(extra.path.as_str()),
                    _ => self.losses.note(format!("/messages/{turn}/content/{index}")),
                }
            }
        }
        match texts.as_slice() {
            [] => {}
            [text] => messages.object(|message| {
                message.string("role", "system");
                message.string("content", text);
            }),
            texts => messages.object(|message| {
                message.string("role", "system");
                message.array("content", |parts| texts.iter().for_each(|text| write_text(parts, text)));
            }),
        }
    }

    /// Results of tools are messages of their own and stand first, right behind the calls they answer.
    fn user(&mut self, turn: usize, parts: &[Part<'_>], messages: &mut Array<'_>) {
        let mut said: Vec<Placed<'_, '_>> = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let path = format!("/messages/{turn}/content/{index}");
            self.note_mark(part, &path);
            let Part::ToolResult { id, parts, is_error, .. } = part else {
                said.push((path, part));
                continue;
            };
            if *is_error {
                self.losses.note(format!("{path}/is_error"));
            }
            let given: Vec<_> =
                parts.iter().enumerate().map(|(at, part)| (format!("{path}/content/{at}"), part)).collect();
            for (path, part) in &given {
                self.note_mark(part, path);
            }
            // A tool gives text, or a document that citations can point to.
            let given = self.sayable(given, |part| text_of(part).is_some());
            messages.object(|message| {
                message.string("role", "tool");
                message.string("tool_call_id", id);
                write_content(message, &given);
            });
        }
        let is_all_results = said.is_empty() && !parts.is_empty();
        if !is_all_results {
            let said = self.sayable(said, |part| {
                matches!(part, Part::Image { source: Source::Url(_) | Source::Base64 { .. }, .. })
                    || text_of(part).is_some()
            });
            messages.object(|message| {
                message.string("role", "user");
                write_content(message, &said);
            });
        }
    }

    /// What the model said. Beside calls of tools, text is its plan for them: Cohere has no other place for it there.
    fn assistant(&mut self, turn: usize, parts: &[Part<'_>], messages: &mut Array<'_>) {
        let calls_tools = parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
        let (mut said, mut plan, mut calls) = (Vec::with_capacity(parts.len()), Vec::new(), Vec::new());
        for (index, part) in parts.iter().enumerate() {
            let path = format!("/messages/{turn}/content/{index}");
            self.note_mark(part, &path);
            match part {
                Part::ToolCall { id, name, arguments, signature, .. } => {
                    if signature.is_some() {
                        self.losses.note(format!("{path}/signature"));
                    }
                    calls.push((id, name, arguments));
                }
                Part::Thinking { signature, .. } => {
                    if signature.is_some() {
                        self.losses.note(format!("{path}/signature"));
                    }
                    said.push((path, part));
                }
                Part::Text { text, .. } | Part::Refusal { text } if calls_tools => plan.push(&**text),
                part => said.push((path, part)),
            }
        }
        let said =
            self.sayable(said, |part| matches!(part, Part::Thinking { .. }) || text_of(part).is_some());
        if said.is_empty() && !calls_tools && !parts.is_empty() {
            return;
        }
        messages.object(|message| {
            message.string("role", "assistant");
            if !said.is_empty() || !calls_tools {
                write_content(message, &said);
            }
            if !plan.is_empty() {
                message.joined("tool_plan", &plan);
            }
            if calls_tools {
                message.array("tool_calls", |items| {
                    for (id, name, arguments) in calls {
                        let arguments = if arguments.is_empty() { "{}" } else { arguments };
                        items.object(|call| write_call(call, id, name, arguments));
                    }
                });
            }
        });
    }

    /// Cohere has no marks for a cache.
    fn note_mark(&mut self, part: &Part<'_>, path: &str) {
        if let Part::Text { cache: Some(_), .. }
        | Part::Image { cache: Some(_), .. }
        | Part::Document { cache: Some(_), .. }
        | Part::ToolCall { cache: Some(_), .. }
        | Part::ToolResult { cache: Some(_), .. } = part
        {
            self.losses.note(format!("{path}/cache_control"));
        }
    }

    /// The parts that can be said here; the others are lost.
    fn sayable<'p, 'a>(
        &mut self,
        parts: Vec<Placed<'p, 'a>>,
        can_be_said: impl Fn(&Part<'_>) -> bool,
    ) -> Vec<&'p Part<'a>> {
        let mut said = Vec::with_capacity(parts.len());
        for (path, part) in parts {
            match part {
                Part::Other(extra) => self.losses.note(extra.path.as_str()),
                part if !can_be_said(part) => self.losses.note(path),
                part => {
                    if let Part::Document { name: Some(_), .. } = part {
                        self.losses.note(format!("{path}/filename"));
                    }
                    said.push(part);
                }
            }
        }
        said
    }
}

/// The text of a part that is text, whatever it is called.
fn text_of<'p>(part: &'p Part<'_>) -> Option<&'p str> {
    match part {
        Part::Text { text, .. }
        | Part::Refusal { text }
        | Part::Document { source: Source::Text(text), .. } => Some(text),
        _ => None,
    }
}

/// Writes `content`: text alone as a string, anything else as parts.
fn write_content(message: &mut Object<'_>, parts: &[&Part<'_>]) {
    match parts {
        [] => message.string("content", ""),
        [part] if text_of(part).is_some() => message.string("content", text_of(part).unwrap_or_default()),
        parts => message.array("content", |items| {
            for part in parts {
                match part {
                    Part::Image { source, detail, .. } => write_image(items, source, detail.as_ref()),
                    Part::Thinking { text, .. } => write_thinking(items, text),
                    part => write_text(items, text_of(part).unwrap_or_default()),
                }
            }
        }),
    }
}

fn tools(request: &mut Object<'_>, chat: &Chat<'_>, losses: &mut Losses) {
    if chat.parallel_tool_calls == Some(false) {
        losses.note("/parallel_tool_calls");
    }
    if chat.tools.is_empty() {
        return;
    }
    // Cohere cannot be told which tool to call: only that one is offered, and must be called.
    let named = match &chat.tool_choice {
        Some(ToolChoice::Named(name)) => {
            Some(name).filter(|name| chat.tools.iter().any(|tool| tool.name == **name))
        }
        _ => None,
    };
    request.array("tools", |tools| {
        for (index, tool) in chat.tools.iter().enumerate() {
            if named.is_some_and(|name| tool.name != *name) {
                continue;
            }
            // Cohere holds all tools to their schemas or none, and to schemas of its own kind.
            if tool.strict == Some(true) {
                losses.note(format!("/tools/{index}/strict"));
            }
            if tool.cache.is_some() {
                losses.note(format!("/tools/{index}/cache_control"));
            }
            tools.object(|item| {
                item.string("type", "function");
                item.object("function", |function| {
                    function.string("name", &tool.name);
                    function.string_if("description", tool.description.as_ref());
                    match &tool.schema {
                        Some(schema) => function.raw("parameters", schema),
                        None => function.literal("parameters", r#"{"type":"object","properties":{}}"#),
                    }
                });
            });
        }
    });
    match &chat.tool_choice {
        None | Some(ToolChoice::Auto) => {}
        Some(ToolChoice::None) => request.string("tool_choice", "NONE"),
        Some(ToolChoice::Required) => request.string("tool_choice", "REQUIRED"),
        Some(ToolChoice::Named(_)) => {
            losses.note("/tool_choice/function/name");
            request.string("tool_choice", "REQUIRED");
        }
    }
}

fn response_format(request: &mut Object<'_>, format: &Format<'_>, losses: &mut Losses) {
    request.object("response_format", |response| {
        response.string("type", "json_object");
        if let Format::JsonSchema { schema, description, .. } = format {
            if description.is_some() {
                losses.note("/response_format/json_schema/description");
            }
            response.raw("json_schema", schema);
        }
    });
}

/// Writes how long the reply may be, where it ends, and how it is sampled. A number that Cohere refuses becomes the nearest
/// that it takes: <https://docs.cohere.com/v2/reference/chat>, and for the temperature
/// <https://docs.cohere.com/reference/errors>.
fn limits(request: &mut Object<'_>, chat: &Chat<'_>, edits: &Edits<'_>, losses: &mut Losses) {
    request.number_if("max_tokens", edits.max_output_tokens.or(chat.max_output_tokens));
    if !chat.stop.is_empty() {
        request.array("stop_sequences", |stops| {
            chat.stop.iter().take(STOPS).for_each(|stop| stops.string(stop));
        });
    }
    if chat.stop.len() > STOPS {
        losses.note(format!("/stop/{STOPS}"));
    }
    for (key, path, value, least, most) in [
        ("temperature", "/temperature", chat.temperature, "0", "1"),
        ("p", "/top_p", chat.top_p, "0.01", "0.99"),
        ("k", "/top_k", chat.top_k, "0", "500"),
        ("frequency_penalty", "/frequency_penalty", chat.frequency_penalty, "0", "1"),
        ("presence_penalty", "/presence_penalty", chat.presence_penalty, "0", "1"),
    ] {
        let Some(value) = value else { continue };
        let nearest = nearest(value, least, most);
        if nearest != value.get() {
            losses.note(path);
        }
        request.literal(key, nearest);
    }
    request.raw_if("seed", chat.seed);
}

/// The number nearest to `value` from `least` to `most`. What is no number stays: that it is none is for Cohere to say.
fn nearest<'n>(value: &'n RawValue, least: &'n str, most: &'n str) -> &'n str {
    let number = |text: &str| text.parse::<f64>().ok();
    match (number(value.get()), number(least), number(most)) {
        (Some(value), Some(bound), _) if value < bound => least,
        (Some(value), _, Some(bound)) if value > bound => most,
        _ => value.get(),
    }
}

/// Writes how much to think. Cohere knows a budget, and to think or not; a model that can think does so as much as it finds
/// right when nothing is said. <https://docs.cohere.com/docs/reasoning>
fn thinking(request: &mut Object<'_>, chat: &Chat<'_>, losses: &mut Losses) {
    let (kind, budget) = match &chat.thinking {
        None => return,
        Some(Thinking::Effort(level)) if level != "none" => return losses.note("/reasoning_effort"),
        Some(Thinking::Off | Thinking::Effort(_)) => ("disabled", None),
        Some(Thinking::Budget(budget)) => ("enabled", Some(*budget)),
        Some(Thinking::Adaptive) => ("enabled", None),
    };
    request.object("thinking", |thinking| {
        thinking.string("type", kind);
        thinking.number_if("token_budget", budget);
    });
}

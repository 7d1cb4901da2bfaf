//! Requests, written from the superset. Losses are named as OpenAI names the fields: whoever calls this dialect's writer
//! speaks another one.

use std::collections::HashMap;

use crate::chat::{Chat, Extra, Format, Part, Role, Source, Thinking, Tool, ToolChoice, Turn};
use crate::json::{Array, Object, write_object};
use crate::ollama::message::{image_data, is_cut, write_call};
use crate::{Edits, Losses, Written};

/// How hard Ollama's models can be asked to think: <https://docs.ollama.com/capabilities/thinking>.
pub(super) const LEVELS: [&str; 4] = ["low", "medium", "high", "max"];

/// Writes a whole request.
pub(in crate::ollama) fn write(chat: &Chat<'_>, edits: &Edits<'_>) -> Written {
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
            let mut writer = Messages { names: names(&chat.turns), losses: &mut losses };
            for (index, turn) in chat.turns.iter().enumerate() {
                writer.turn(messages, turn, index);
            }
        });
        tools(request, chat, &mut losses);
        match &chat.format {
            None => {}
            Some(Format::JsonObject) => request.string("format", "json"),
            Some(Format::JsonSchema { schema, description, .. }) => {
                if description.is_some() {
                    losses.note("/response_format/json_schema/description");
                }
                request.raw("format", schema);
            }
        }
        options(request, chat, edits);
        think(request, chat.thinking.as_ref(), &mut losses);
        // Ollama streams unless told not to.
        request.bool("stream", chat.stream);
    });
    Written { body, losses }
}

/// The name of the tool that each call of the conversation calls: Ollama wants it beside the result too.
fn names<'c>(turns: &'c [Turn<'_>]) -> HashMap<&'c str, &'c str> {
    let calls = turns.iter().flat_map(|turn| &turn.parts).filter_map(|part| match part {
        Part::ToolCall { id, name, .. } => Some((&**id, &**name)),
        _ => None,
    });
    calls.collect()
}

/// A message that is being gathered: it holds one text, and what goes with it.
#[derive(Default)]
struct Draft<'p> {
    thinking: Option<&'p str>,
    images: Vec<&'p str>,
    content: Option<&'p str>,
    calls: Vec<(&'p str, &'p str, &'p str)>,
}

impl Draft<'_> {
    fn is_empty(&self) -> bool {
        self.thinking.is_none() && self.images.is_empty() && self.content.is_none() && self.calls.is_empty()
    }
}

/// Writes the messages of a conversation.
struct Messages<'w> {
    names: HashMap<&'w str, &'w str>,
    losses: &'w mut Losses,
}

impl Messages<'_> {
    /// Writes a turn. A message has one text only: a turn of several is as many messages of one role, which is what Ollama
    /// itself puts together.
    fn turn(&mut self, messages: &mut Array<'_>, turn: &Turn<'_>, index: usize) {
        let role = match turn.role {
            Role::System | Role::Developer => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        let mut draft = Draft::default();
        let last_text = turn.parts.iter().rposition(|part| text_of(part).is_some());
        for (number, part) in turn.parts.iter().enumerate() {
            let at = format!("/messages/{index}/content/{number}");
            if is_marked(part) {
                self.losses.note(format!("{at}/cache_control"));
            }
            if let Part::ToolResult { id, parts, is_error, .. } = part {
                end(messages, role, &mut draft);
                self.result(messages, id, parts, *is_error, &at);
                continue;
            }
            // An image stands with the text behind it, if there is one.
            let belongs_later = is_image(part) && draft.content.is_some() && last_text > Some(number);
            if !fits(part, &draft) || belongs_later {
                end(messages, role, &mut draft);
            }
            self.add(&mut draft, part, turn.role, &at);
        }
        end(messages, role, &mut draft);
    }

    /// Adds a part to the message it fits in.
    fn add<'p>(&mut self, draft: &mut Draft<'p>, part: &'p Part<'_>, role: Role, at: &str) {
        if let Some(text) = text_of(part) {
            draft.content = Some(text);
            if let Part::Document { name: Some(_), .. } = part {
                self.losses.note(format!("{at}/filename"));
            }
            return;
        }
        match part {
            Part::Thinking { text, signature } if role == Role::Assistant => {
                if signature.is_some() {
                    self.losses.note(format!("{at}/signature"));
                }
                draft.thinking = Some(text);
            }
            Part::Image { source, detail, .. } => {
                let Some(data) = image_data(source) else { return self.losses.note(at) };
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.losses.note(format!("{at}/detail"));
                }
                draft.images.push(data);
            }
            Part::ToolCall { id, name, arguments, signature, .. } if role == Role::Assistant => {
                if is_cut(arguments) {
                    self.losses.note(format!("{at}/arguments"));
                }
                if signature.is_some() {
                    self.losses.note(format!("{at}/signature"));
                }
                draft.calls.push((id, name, arguments));
            }
            Part::Other(extra) => self.losses.note(extra.path.as_str()),
            _ => self.losses.note(at),
        }
    }

    /// Writes what a tool gave back: its text.
    fn result(&mut self, messages: &mut Array<'_>, id: &str, said: &[Part<'_>], is_error: bool, at: &str) {
        if is_error {
            self.losses.note(format!("{at}/is_error"));
        }
        let mut texts = Vec::with_capacity(said.len());
        for (inner, part) in said.iter().enumerate() {
            match part {
                Part::Other(extra) => self.losses.note(extra.path.as_str()),
                part => match text_of(part) {
                    Some(text) => texts.push(text),
                    None => self.losses.note(format!("{at}/content/{inner}")),
                },
            }
        }
        messages.object(|message| {
            message.string("role", "tool");
            if let Some(name) = self.names.get(id) {
                message.string("tool_name", name);
            }
            message.string("tool_call_id", id);
            message.joined("content", &texts);
        });
    }
}

/// Whether the caller marks the prompt up to here for a cache.
fn is_marked(part: &Part<'_>) -> bool {
    matches!(
        part,
        Part::Text { cache: Some(_), .. }
            | Part::Image { cache: Some(_), .. }
            | Part::Document { cache: Some(_), .. }
            | Part::ToolCall { cache: Some(_), .. }
            | Part::ToolResult { cache: Some(_), .. }
    )
}

/// The text that a part is.
fn text_of<'p>(part: &'p Part<'_>) -> Option<&'p str> {
    match part {
        Part::Text { text, .. }
        | Part::Refusal { text }
        | Part::Document { source: Source::Text(text), .. } => Some(text),
        _ => None,
    }
}

fn is_image(part: &Part<'_>) -> bool {
    matches!(part, Part::Image { .. })
}

/// Whether a part may stand in a message behind what it holds: thinking comes first, then one text, then calls.
fn fits(part: &Part<'_>, draft: &Draft<'_>) -> bool {
    match part {
        Part::Thinking { .. } => draft.is_empty(),
        Part::ToolCall { .. } => true,
        part if text_of(part).is_some() => draft.content.is_none() && draft.calls.is_empty(),
        _ => draft.calls.is_empty(),
    }
}

/// Writes the message that was gathered, if anything was.
fn end(messages: &mut Array<'_>, role: &str, draft: &mut Draft<'_>) {
    if draft.is_empty() {
        return;
    }
    let Draft { thinking, images, content, calls } = std::mem::take(draft);
    messages.object(|message| {
        message.string("role", role);
        message.string("content", content.unwrap_or_default());
        if let Some(thinking) = thinking {
            message.string("thinking", thinking);
        }
        if !images.is_empty() {
            message.array("images", |items| images.iter().for_each(|image| items.string(image)));
        }
        if !calls.is_empty() {
            message.array("tool_calls", |items| {
                for (number, (id, name, arguments)) in calls.into_iter().enumerate() {
                    write_call(items, number, id, name, arguments);
                }
            });
        }
    });
}

/// Writes the tools. Ollama's models call them as they like: where none may be called, none are sent.
fn tools(request: &mut Object<'_>, chat: &Chat<'_>, losses: &mut Losses) {
    if chat.parallel_tool_calls == Some(false) {
        losses.note("/parallel_tool_calls");
    }
    if chat.tools.is_empty() {
        return;
    }
    match &chat.tool_choice {
        None | Some(ToolChoice::Auto) => {}
        Some(ToolChoice::None) => return losses.note("/tool_choice"),
        Some(ToolChoice::Required | ToolChoice::Named(_)) => losses.note("/tool_choice"),
    }
    request.array("tools", |tools| {
        for (index, tool) in chat.tools.iter().enumerate() {
            if tool.strict == Some(true) {
                losses.note(format!("/tools/{index}/strict"));
            }
            if tool.cache.is_some() {
                losses.note(format!("/tools/{index}/cache_control"));
            }
            tools.object(|item| write_tool(item, tool));
        }
    });
}

fn write_tool(item: &mut Object<'_>, tool: &Tool<'_>) {
    item.string("type", "function");
    item.object("function", |function| {
        function.string("name", &tool.name);
        function.string_if("description", tool.description.as_ref());
        match &tool.schema {
            Some(schema) => function.raw("parameters", schema),
            // Ollama wants parameters, of a tool that takes none too.
            None => function.literal("parameters", r#"{"type":"object","properties":{}}"#),
        }
    });
}

fn options(request: &mut Object<'_>, chat: &Chat<'_>, edits: &Edits<'_>) {
    let mut out = Vec::new();
    write_object(&mut out, |options| {
        options.number_if("num_predict", edits.max_output_tokens.or(chat.max_output_tokens));
        for (key, value) in [
            ("temperature", chat.temperature),
            ("top_p", chat.top_p),
            ("top_k", chat.top_k),
            ("seed", chat.seed),
            ("presence_penalty", chat.presence_penalty),
            ("frequency_penalty", chat.frequency_penalty),
        ] {
            options.raw_if(key, value);
        }
        if !chat.stop.is_empty() {
            options.array("stop", |stops| chat.stop.iter().for_each(|stop| stops.string(stop)));
        }
    });
    if out.len() > "{}".len() {
        request.key("options").extend_from_slice(&out);
    }
}

/// Writes whether to think, or how hard. A model that knows levels only takes `true` for its own default.
fn think(request: &mut Object<'_>, thinking: Option<&Thinking>, losses: &mut Losses) {
    match thinking {
        None => {}
        Some(Thinking::Off) => request.bool("think", false),
        Some(Thinking::Adaptive) => request.bool("think", true),
        Some(Thinking::Budget(_)) => {
            losses.note("/thinking/budget_tokens");
            request.bool("think", true);
        }
        Some(Thinking::Effort(level)) => {
            let level = level.as_str();
            let nearest = match level {
                "none" => return request.bool("think", false),
                "minimal" => "low",
                level if LEVELS.contains(&level) => level,
                _ => "max",
            };
            if nearest != level {
                losses.note("/reasoning_effort");
            }
            request.string("think", nearest);
        }
    }
}

//! Requests, written from the superset. Losses are named as OpenAI names the fields: whoever calls this dialect's writer
//! speaks another one.

use std::collections::HashMap;

use stepwell_types::Code;

use super::thinking;
use crate::chat::{Chat, Extra, Format, Part, Role, Source, ToolChoice, Turn};
use crate::gemini::content::{is_object, is_reachable, write_call, write_result, write_source, write_text};
use crate::json::{Array, Object, write_object};
use crate::{Edits, Error, Losses, Quirks, Written};

/// How many stop sequences Google takes.
const STOPS: usize = 5;

/// What stands for the signature of a call that another vendor's model made: models that want one for each call take it.
/// <https://ai.google.dev/gemini-api/docs/thought-signatures#faqs>
const UNSIGNED: &str = "skip_thought_signature_validator";

/// Writes a whole request. The model and whether to stream are for the path to say.
///
/// System and developer turns become the system instruction, wherever they stand. A conversation of nothing else is said
/// by the user, since Google wants at least one content. Neighbours of one role are merged.
pub(in crate::gemini) fn write(chat: &Chat<'_>, edits: &Edits<'_>, quirks: Quirks) -> Result<Written, Error> {
    let mut losses = Losses::default();
    for Extra { path, .. } in &chat.extra {
        losses.note(path.as_str());
    }
    if chat.user.is_some() {
        losses.note("/user");
    }
    let is_instruction = |turn: &Turn<'_>| matches!(turn.role, Role::System | Role::Developer);
    let (mut instructions, mut spoken): (Vec<_>, Vec<_>) =
        chat.turns.iter().enumerate().partition(|(_, turn)| is_instruction(turn));
    if spoken.is_empty() {
        let last = instructions.pop();
        let last = last.ok_or_else(|| Error::at(Code::InvalidRequest, "messages", "messages is empty"))?;
        losses.note(format!("/messages/{}/role", last.0));
        spoken.push(last);
    }
    let mut body = Vec::with_capacity(1024);
    write_object(&mut body, |request| {
        request.array("contents", |contents| {
            let mut writer = Contents { names: names(&chat.turns), quirks, losses: &mut losses };
            for group in spoken.chunk_by(|one, next| is_model(one.1) == is_model(next.1)) {
                writer.content(contents, group);
            }
        });
        system(request, &instructions, &mut losses);
        tools(request, chat, &mut losses);
        generation(request, chat, edits, quirks, &mut losses);
    });
    Ok(Written { body, losses })
}

fn is_model(turn: &Turn<'_>) -> bool {
    turn.role == Role::Assistant
}

/// The name of the function that each call of the conversation calls: Google wants it beside the result too.
fn names<'c>(turns: &'c [Turn<'_>]) -> HashMap<&'c str, &'c str> {
    let calls = turns.iter().flat_map(|turn| &turn.parts).filter_map(|part| match part {
        Part::ToolCall { id, name, .. } => Some((&**id, &**name)),
        _ => None,
    });
    calls.collect()
}

fn system(request: &mut Object<'_>, instructions: &[(usize, &Turn<'_>)], losses: &mut Losses) {
    let mut texts = Vec::with_capacity(instructions.len());
    for (turn, Turn { parts, .. }) in instructions {
        for (index, part) in parts.iter().enumerate() {
            match part {
                Part::Text { text, cache } => {
                    if cache.is_some() {
                        losses.note(format!("/system/{index}/cache_control"));
                    }
                    texts.push(&**text);
                }
                Part::Other(extra) => losses.note(extra.path.as_str()),
                _ => losses.note(format!("/messages/{turn}/content/{index}")),
            }
        }
    }
    if texts.is_empty() {
        return;
    }
    request.object("systemInstruction", |content| {
        content.array("parts", |parts| texts.iter().for_each(|text| write_text(parts, text, false)));
    });
}

/// Writes the contents of a conversation.
struct Contents<'w> {
    names: HashMap<&'w str, &'w str>,
    quirks: Quirks,
    losses: &'w mut Losses,
}

impl Contents<'_> {
    /// Writes the neighbouring turns of one side as one content.
    fn content(&mut self, contents: &mut Array<'_>, group: &[(usize, &Turn<'_>)]) {
        let is_model = group.first().is_some_and(|(_, turn)| is_model(turn));
        let mut out = Vec::new();
        let mut wrote = false;
        crate::json::write_array(&mut out, |parts| {
            for (turn, Turn { parts: said, .. }) in group {
                // Signatures are wanted of the first call of a step.
                let mut is_first_call = true;
                for (index, part) in said.iter().enumerate() {
                    let at = format!("/messages/{turn}/content/{index}");
                    wrote |= self.part(parts, part, is_model, &mut is_first_call, &at);
                }
            }
        });
        if !wrote {
            return;
        }
        contents.object(|content| {
            content.string("role", if is_model { "model" } else { "user" });
            content.key("parts").extend_from_slice(&out);
        });
    }

    /// Writes a part. False where nothing of it can be said.
    fn part(
        &mut self,
        parts: &mut Array<'_>,
        part: &Part<'_>,
        is_model: bool,
        is_first_call: &mut bool,
        at: &str,
    ) -> bool {
        if let Part::Text { cache: Some(_), .. }
        | Part::Image { cache: Some(_), .. }
        | Part::Document { cache: Some(_), .. }
        | Part::ToolCall { cache: Some(_), .. }
        | Part::ToolResult { cache: Some(_), .. } = part
        {
            self.losses.note(format!("{at}/cache_control"));
        }
        match part {
            Part::Text { text, .. } | Part::Refusal { text } => write_text(parts, text, false),
            Part::Thinking { text, signature } if is_model => {
                if signature.is_some() {
                    self.losses.note(format!("{at}/signature"));
                }
                write_text(parts, text, true);
            }
            Part::Image { source, detail, .. } if is_reachable(source) => {
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.losses.note(format!("{at}/detail"));
                }
                parts.object(|part| write_source(part, source));
            }
            Part::Document { source, name, .. } if is_reachable(source) => {
                if name.is_some() {
                    self.losses.note(format!("{at}/filename"));
                }
                parts.object(|part| write_source(part, source));
            }
            Part::Audio { source: source @ Source::Base64 { .. } } => {
                parts.object(|part| write_source(part, source));
            }
            Part::ToolCall { id, name, arguments, signature, .. } if is_model => {
                if !arguments.is_empty() && !is_object(arguments) {
                    self.losses.note(format!("{at}/arguments"));
                }
                let first = std::mem::take(is_first_call);
                let stand_in = (self.quirks.signed_calls && first).then_some(UNSIGNED);
                write_call(parts, id, name, arguments, signature.as_deref().or(stand_in));
            }
            Part::ToolResult { id, parts: said, is_error, .. } if !is_model => {
                self.note_unsaid(said, at);
                // A result of a call that is not in the conversation: its id is the only name there is.
                let name = self.names.get(&**id).copied().unwrap_or(id);
                parts.object(|part| write_result(part, id, name, said, *is_error));
            }
            Part::Other(extra) => {
                self.losses.note(extra.path.as_str());
                return false;
            }
            _ => {
                self.losses.note(at);
                return false;
            }
        }
        true
    }

    /// Notes what a function gave back beside text and images.
    fn note_unsaid(&mut self, said: &[Part<'_>], at: &str) {
        for (inner, part) in said.iter().enumerate() {
            match part {
                Part::Text { .. } | Part::Image { source: Source::Base64 { .. }, .. } => {}
                Part::Other(extra) => self.losses.note(extra.path.as_str()),
                _ => self.losses.note(format!("{at}/content/{inner}")),
            }
        }
    }
}

fn tools(request: &mut Object<'_>, chat: &Chat<'_>, losses: &mut Losses) {
    if chat.parallel_tool_calls == Some(false) {
        losses.note("/parallel_tool_calls");
    }
    if chat.tools.is_empty() {
        return;
    }
    request.array("tools", |tools| {
        tools.object(|tool| {
            tool.array("functionDeclarations", |functions| {
                for (index, tool) in chat.tools.iter().enumerate() {
                    if tool.strict == Some(true) {
                        losses.note(format!("/tools/{index}/strict"));
                    }
                    if tool.cache.is_some() {
                        losses.note(format!("/tools/{index}/cache_control"));
                    }
                    functions.object(|function| {
                        function.string("name", &tool.name);
                        function.string_if("description", tool.description.as_ref());
                        function.raw_if("parametersJsonSchema", tool.schema.as_deref());
                    });
                }
            });
        });
    });
    let (mode, name) = match &chat.tool_choice {
        None => return,
        Some(ToolChoice::Auto) => ("AUTO", None),
        Some(ToolChoice::None) => ("NONE", None),
        Some(ToolChoice::Required) => ("ANY", None),
        Some(ToolChoice::Named(name)) => ("ANY", Some(name)),
    };
    request.object("toolConfig", |config| {
        config.object("functionCallingConfig", |calling| {
            calling.string("mode", mode);
            if let Some(name) = name {
                calling.array("allowedFunctionNames", |names| names.string(name));
            }
        });
    });
}

fn generation(
    request: &mut Object<'_>,
    chat: &Chat<'_>,
    edits: &Edits<'_>,
    quirks: Quirks,
    losses: &mut Losses,
) {
    let mut out = Vec::new();
    write_object(&mut out, |config| {
        config.raw_if("temperature", chat.temperature);
        config.raw_if("topP", chat.top_p);
        config.raw_if("topK", chat.top_k);
        config.raw_if("seed", chat.seed);
        config.raw_if("presencePenalty", chat.presence_penalty);
        config.raw_if("frequencyPenalty", chat.frequency_penalty);
        config.number_if("maxOutputTokens", edits.max_output_tokens.or(chat.max_output_tokens));
        if !chat.stop.is_empty() {
            config.array("stopSequences", |stops| {
                chat.stop.iter().take(STOPS).for_each(|stop| stops.string(stop));
            });
        }
        match &chat.format {
            None => {}
            Some(Format::JsonObject) => config.string("responseMimeType", "application/json"),
            Some(Format::JsonSchema { schema, description, .. }) => {
                if description.is_some() {
                    losses.note("/response_format/json_schema/description");
                }
                config.string("responseMimeType", "application/json");
                config.raw("responseJsonSchema", schema);
            }
        }
        thinking::write(config, chat, quirks, losses);
    });
    if chat.stop.len() > STOPS {
        losses.note(format!("/stop/{STOPS}"));
    }
    if out.len() > "{}".len() {
        request.key("generationConfig").extend_from_slice(&out);
    }
}

//! Requests: read into the superset here, written from it in `write`.

mod items;
mod write;

use std::borrow::Cow;

use serde_json::value::RawValue;
use stepwell_types::Code;

use super::item::{self, Item, is_empty, thoughts};
use crate::Error;
use crate::chat::{Chat, Extra, Format, Part, Role, Thinking, Tool, ToolChoice, Turn};
use crate::json::{Extras, Listed, Text, Whole, object, read as read_json};
use crate::openai::{said, user};

pub(super) use write::write;

object! {
    struct Body<'a> {
        model: Text<'a> = "model",
        instructions: Text<'a> = "instructions",
        input: Listed<'a, Whole<'a, Item<'a>>> = "input",
        prompt: &'a RawValue = "prompt",
        tools: Vec<Whole<'a, ToolParam<'a>>> = "tools",
        tool_choice: &'a RawValue = "tool_choice",
        parallel_tool_calls: bool = "parallel_tool_calls",
        max_output_tokens: u64 = "max_output_tokens",
        temperature: &'a RawValue = "temperature",
        top_p: &'a RawValue = "top_p",
        text: TextConfig<'a> = "text",
        reasoning: Reasoning<'a> = "reasoning",
        user: Text<'a> = "user",
        safety_identifier: &'a RawValue = "safety_identifier",
        stream: bool = "stream",
    }
}

object! {
    struct ToolParam<'a> {
        kind: Text<'a> = "type",
        name: Text<'a> = "name",
        description: Text<'a> = "description",
        parameters: &'a RawValue = "parameters",
        strict: bool = "strict",
    }
}

object! {
    struct TextConfig<'a> { format: Whole<'a, FormatParam<'a>> = "format" }
}

object! {
    struct FormatParam<'a> {
        kind: Text<'a> = "type",
        name: Text<'a> = "name",
        description: Text<'a> = "description",
        schema: &'a RawValue = "schema",
        strict: bool = "strict",
    }
}

object! {
    struct Reasoning<'a> { effort: Text<'a> = "effort" }
}

object! {
    struct NamedChoice<'a> { kind: Text<'a> = "type", name: Text<'a> = "name" }
    skipping all
}

/// Fields whose value asks for what every provider does anyway: nothing is lost where they are left out.
const NEUTRAL: [(&str, &str); 6] = [
    ("background", "false"),
    ("service_tier", "\"auto\""),
    ("store", "false"),
    ("stream_options", "{\"include_obfuscation\":false}"),
    ("top_logprobs", "0"),
    ("truncation", "\"disabled\""),
];

/// Reads a whole request.
pub(super) fn read(body: &[u8]) -> Result<Chat<'_>, Error> {
    let mut body: Body<'_> = read_json(body)?;
    if body.prompt.is_some() {
        let message = "prompt is a template that OpenAI keeps, and cannot be translated: send its text as instructions and input";
        return Err(Error::at(Code::UnsupportedParameter, "prompt", message));
    }
    let mut extra = Vec::new();
    body.extra.retain(|(key, value)| {
        !is_empty(value) && !NEUTRAL.iter().any(|(field, neutral)| key == field && value.get() == *neutral)
    });
    said(&mut extra, "", body.extra);
    let text = body.text.unwrap_or_default();
    said(&mut extra, "/text", text.extra);
    let reasoning = body.reasoning.unwrap_or_default();
    said(&mut extra, "/reasoning", reasoning.extra);
    let input = body.input.ok_or_else(|| missing("input"))?;
    Ok(Chat {
        model: body.model.ok_or_else(|| missing("model"))?.0,
        turns: turns(body.instructions, input, &mut extra)?,
        tools: tools(body.tools.unwrap_or_default(), &mut extra)?,
        tool_choice: body.tool_choice.and_then(|choice| tool_choice(choice, &mut extra)),
        parallel_tool_calls: body.parallel_tool_calls,
        max_output_tokens: body.max_output_tokens,
        temperature: body.temperature,
        top_p: body.top_p,
        format: text.format.and_then(|format| response_format(format, &mut extra)),
        thinking: reasoning.effort.map(|effort| Thinking::Effort(effort.0.into_owned())),
        user: user(body.user, body.safety_identifier, &mut extra),
        stream: body.stream.unwrap_or(false),
        include_usage: true,
        extra,
        ..Chat::default()
    })
}

fn missing(field: &str) -> Error {
    Error::at(Code::InvalidRequest, field, format!("{field} is missing"))
}

/// The conversation as turns: what the model says and calls in a row is one, so are the outputs of a row of calls.
#[derive(Default)]
struct Turns<'a>(Vec<Turn<'a>>);

impl<'a> Turns<'a> {
    /// Adds what someone says: to the last turn if it `goes_on`, else as a turn of its own.
    fn add(&mut self, role: Role, parts: Vec<Part<'a>>, goes_on: impl FnOnce(&Turn<'a>) -> bool) {
        match self.0.last_mut() {
            Some(last) if goes_on(last) => last.parts.extend(parts),
            _ => self.0.push(Turn { role, parts }),
        }
    }

    /// Adds something of the model's.
    fn assistant(&mut self, parts: Vec<Part<'a>>) {
        self.add(Role::Assistant, parts, |last| last.role == Role::Assistant);
    }

    /// Adds what a function gave back.
    fn result(&mut self, result: Part<'a>) {
        self.add(Role::User, vec![result], |last| {
            last.role == Role::User && last.parts.iter().all(|part| matches!(part, Part::ToolResult { .. }))
        });
    }
}

fn turns<'a>(
    instructions: Option<Text<'a>>,
    input: Listed<'a, Whole<'a, Item<'a>>>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Vec<Turn<'a>>, Error> {
    let text = |role, text| Turn { role, parts: vec![Part::Text { text, cache: None }] };
    let mut turns = Turns::default();
    turns.0.extend(instructions.map(|instructions| text(Role::System, instructions.0)));
    match input {
        Listed::Text(input) => turns.0.push(text(Role::User, input)),
        Listed::Items(items) => {
            for (index, Whole { raw, value }) in items.into_iter().enumerate() {
                turns.take(value, raw, index, extra)?;
            }
        }
    }
    Ok(turns.0)
}

impl<'a> Turns<'a> {
    fn take(
        &mut self,
        item: Item<'a>,
        raw: &'a RawValue,
        index: usize,
        extra: &mut Vec<Extra<'a>>,
    ) -> Result<(), Error> {
        let path = format!("/input/{index}");
        let wrong = |field: &str, problem: &str| {
            let at = format!("input[{index}].{field}");
            let message = format!("{at} {problem}");
            Error::at(Code::InvalidRequest, at, message)
        };
        match item {
            Item::Message(message) => {
                let role = match message.role.as_ref().map(|role| &*role.0) {
                    Some("system") => Role::System,
                    Some("developer") => Role::Developer,
                    Some("user") => Role::User,
                    Some("assistant") => Role::Assistant,
                    None => return Err(wrong("role", "is missing")),
                    Some(_) => return Err(wrong("role", "must be system, developer, user or assistant")),
                };
                said(extra, &path, message.extra);
                let content = message.content.ok_or_else(|| wrong("content", "is missing"))?;
                let mut parts = Vec::with_capacity(1);
                item::parts(content, &format!("{path}/content"), extra, &mut parts);
                match role {
                    Role::Assistant => self.assistant(parts),
                    role => self.0.push(Turn { role, parts }),
                }
            }
            Item::Call(call) => {
                said(extra, &path, call.extra);
                let part = Part::ToolCall {
                    id: call.call_id.ok_or_else(|| wrong("call_id", "is missing"))?.0,
                    name: call.name.ok_or_else(|| wrong("name", "is missing"))?.0,
                    arguments: call.arguments.unwrap_or_default().0,
                    signature: None,
                    cache: None,
                };
                self.assistant(vec![part]);
            }
            Item::Output(output) => {
                said(extra, &path, output.extra);
                let id = output.call_id.ok_or_else(|| wrong("call_id", "is missing"))?.0;
                let content = output.output.ok_or_else(|| wrong("output", "is missing"))?;
                let mut parts = Vec::with_capacity(1);
                item::parts(content, &format!("{path}/output"), extra, &mut parts);
                self.result(Part::ToolResult { id, parts, is_error: false, cache: None });
            }
            Item::Reasoning(reasoning) => {
                let (content, summary) =
                    (reasoning.content.unwrap_or_default(), reasoning.summary.unwrap_or_default());
                said(extra, &path, without_empty(reasoning.extra));
                if let Some(text) = thoughts(content, summary) {
                    self.assistant(vec![Part::Thinking { text, signature: None }]);
                }
            }
            // A thought is taken back by OpenAI alone, wherever it is kept.
            Item::Reference(item) if item.id.as_ref().is_some_and(|id| id.0.starts_with("rs_")) => {
                extra.push(Extra { path, value: raw });
            }
            Item::Reference(_) => {
                let at = format!("input[{index}]");
                let message = format!(
                    "{at} names an item that OpenAI keeps, and cannot be translated: send the item itself, as SDKs do with \
                     store set to false (Vercel's: providerOptions.openai.store)"
                );
                return Err(Error::at(Code::UnsupportedParameter, at, message));
            }
            Item::Other => self.assistant(vec![Part::Other(Extra { path, value: raw })]),
        }
        Ok(())
    }
}

fn without_empty(mut fields: Extras<'_>) -> Extras<'_> {
    fields.retain(|(_, value)| !is_empty(value));
    fields
}

fn tools<'a>(
    params: Vec<Whole<'a, ToolParam<'a>>>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Vec<Tool<'a>>, Error> {
    let mut tools = Vec::with_capacity(params.len());
    for (index, Whole { raw, value: param }) in params.into_iter().enumerate() {
        let path = format!("/tools/{index}");
        if param.kind.is_none_or(|kind| kind.0 != "function") {
            extra.push(Extra { path, value: raw });
            continue;
        }
        said(extra, &path, param.extra);
        tools.push(Tool {
            name: param.name.ok_or_else(|| missing(&format!("tools[{index}].name")))?.0,
            description: param.description.map(|description| description.0),
            schema: param.parameters.map(Cow::Borrowed),
            // Elsewhere not to be strict is what nobody has to say.
            strict: param.strict.filter(|strict| *strict),
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
    let function = named.filter(|named| named.kind.as_ref().is_some_and(|kind| kind.0 == "function"));
    let name = function.and_then(|function| function.name);
    if name.is_none() {
        extra.push(Extra { path: "/tool_choice".to_owned(), value: choice });
    }
    name.map(|name| ToolChoice::Named(name.0))
}

fn response_format<'a>(format: Whole<'a, FormatParam<'a>>, extra: &mut Vec<Extra<'a>>) -> Option<Format<'a>> {
    let Whole { raw, value: format } = format;
    match (format.kind.as_ref().map(|kind| &*kind.0), format.schema) {
        (Some("text"), _) => None,
        (Some("json_object"), _) => Some(Format::JsonObject),
        (Some("json_schema"), Some(schema)) => {
            said(extra, "/text/format", format.extra);
            let text = |text: Option<Text<'a>>| text.map(|text| text.0);
            Some(Format::JsonSchema {
                name: text(format.name),
                description: text(format.description),
                schema: Cow::Borrowed(schema),
                strict: format.strict,
            })
        }
        _ => {
            extra.push(Extra { path: "/text/format".to_owned(), value: raw });
            None
        }
    }
}

//! Requests: read into the superset here, written from it in `write`.

mod messages;
mod thinking;
mod tools;
mod write;

use std::borrow::Cow;

use serde_json::value::RawValue;
use stepwell_types::Code;

use super::content::{Base, Block, CachePoint, keep_said, parts};
use crate::Error;
use crate::chat::{Chat, Extra, Format, Role, Tool, ToolChoice, Turn};
use crate::json::{Extras, Text, Whole, check_depth, object, read as read_json};

pub(super) use write::write;

/// How deep a schema may nest that stands in a string, where the check of the body's depth does not see it.
const SCHEMA_DEPTH: usize = 64;

object! {
    struct Body<'a> {
        messages: Vec<Message<'a>> = "messages",
        system: Vec<Whole<'a, Block<'a>>> = "system",
        inference: Inference<'a> = "inferenceConfig",
        tool_config: ToolConfig<'a> = "toolConfig",
        additional: Additional<'a> = "additionalModelRequestFields",
        metadata: &'a RawValue = "requestMetadata",
        output: Output<'a> = "outputConfig",
    }
    // Fields of the model's own reply that come back beside Converse's: what a reply has of them is written anyway.
    skipping "additionalModelResponseFieldPaths", "modelId"
}

object! {
    struct Message<'a> { role: Text<'a> = "role", content: Vec<Whole<'a, Block<'a>>> = "content" }
}

object! {
    struct Inference<'a> {
        max_tokens: u64 = "maxTokens",
        temperature: &'a RawValue = "temperature",
        top_p: &'a RawValue = "topP",
        stop: Vec<Text<'a>> = "stopSequences",
    }
}

object! {
    struct ToolConfig<'a> { tools: Vec<Whole<'a, ToolParam<'a>>> = "tools", choice: Choice<'a> = "toolChoice" }
}

object! {
    /// A tool, one that the service runs, or a mark for the cache.
    struct ToolParam<'a> { spec: Spec<'a> = "toolSpec", cache_point: CachePoint<'a> = "cachePoint" }
}

object! {
    struct Spec<'a> {
        name: Text<'a> = "name",
        description: Text<'a> = "description",
        schema: Schema<'a> = "inputSchema",
        strict: bool = "strict",
    }
}

object! {
    struct Schema<'a> { json: &'a RawValue = "json" }
}

object! {
    struct Choice<'a> { auto: &'a RawValue = "auto", any: &'a RawValue = "any", tool: Named<'a> = "tool" }
}

object! {
    struct Named<'a> { name: Text<'a> = "name" }
    skipping all
}

object! {
    /// Fields of the model's own request: those of Claude that the superset has.
    struct Additional<'a> {
        thinking: Whole<'a, thinking::Param<'a>> = "thinking" | "reasoning_config",
        top_k: &'a RawValue = "top_k",
    }
}

object! {
    struct Output<'a> { format: TextFormat<'a> = "textFormat", effort: Text<'a> = "effort" }
}

object! {
    struct TextFormat<'a> { kind: Text<'a> = "type", structure: Structure<'a> = "structure" }
}

object! {
    struct Structure<'a> { json_schema: JsonSchema<'a> = "jsonSchema" }
}

object! {
    struct JsonSchema<'a> {
        schema: Text<'a> = "schema",
        name: Text<'a> = "name",
        description: Text<'a> = "description",
    }
}

/// Reads a whole request.
pub(super) fn read(body: &[u8]) -> Result<Chat<'_>, Error> {
    let body: Body<'_> = read_json(body)?;
    let mut extra = Vec::new();
    keep_said(&mut extra, "", body.extra);
    // What OpenAI calls by this name is the same: names and values kept with the request.
    extra.extend(body.metadata.map(|value| Extra { path: "/metadata".to_owned(), value }));
    let inference = body.inference.unwrap_or_default();
    keep_said(&mut extra, "/inferenceConfig", inference.extra);
    let config = body.tool_config.unwrap_or_default();
    keep_said(&mut extra, "/toolConfig", config.extra);
    let output = body.output.unwrap_or_default();
    keep_said(&mut extra, "/outputConfig", output.extra);
    let additional = body.additional.unwrap_or_default();
    keep_said(&mut extra, "/additionalModelRequestFields", additional.extra);
    Ok(Chat {
        model: Cow::Borrowed(""),
        turns: turns(body.system, body.messages.ok_or_else(|| missing("messages"))?, &mut extra)?,
        tools: tools(config.tools.unwrap_or_default(), &mut extra)?,
        tool_choice: choice(config.choice, &mut extra)?,
        parallel_tool_calls: None,
        max_output_tokens: inference.max_tokens,
        temperature: inference.temperature,
        top_p: inference.top_p,
        top_k: additional.top_k,
        seed: None,
        presence_penalty: None,
        frequency_penalty: None,
        stop: inference.stop.unwrap_or_default().into_iter().map(|stop| stop.0).collect(),
        format: format(output.format, &mut extra)?,
        thinking: thinking::read(additional.thinking, output.effort, &mut extra),
        user: None,
        stream: false,
        include_usage: true,
        extra,
    })
}

fn missing(field: &str) -> Error {
    Error::at(Code::InvalidRequest, field, format!("{field} is missing"))
}

fn turns<'a>(
    system: Option<Vec<Whole<'a, Block<'a>>>>,
    messages: Vec<Message<'a>>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Vec<Turn<'a>>, Error> {
    let mut turns = Vec::with_capacity(messages.len() + 1);
    if let Some(system) = system.filter(|system| !system.is_empty()) {
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
            Some("system") => Role::System,
            Some(_) => return Err(wrong("role", "must be user, assistant or system")),
            None => return Err(wrong("role", "is missing")),
        };
        let content = message.content.ok_or_else(|| wrong("content", "is missing"))?;
        turns.push(Turn { role, parts: parts(content, Base::Message(index), extra)? });
        keep_said(extra, &format!("/messages/{index}"), message.extra);
    }
    Ok(turns)
}

fn tools<'a>(
    params: Vec<Whole<'a, ToolParam<'a>>>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Vec<Tool<'a>>, Error> {
    let mut tools: Vec<Tool<'a>> = Vec::with_capacity(params.len());
    for (index, Whole { raw, value: param }) in params.into_iter().enumerate() {
        let path = format!("/toolConfig/tools/{index}");
        if let (Some(point), Some(tool)) = (&param.cache_point, tools.last_mut()) {
            tool.cache = Some(point.mark());
            continue;
        }
        let Some(spec) = param.spec else {
            // A tool that the service runs.
            extra.push(Extra { path, value: raw });
            continue;
        };
        keep_said(extra, &path, param.extra);
        keep_said(extra, &format!("{path}/toolSpec"), spec.extra);
        let schema = spec.schema.unwrap_or_default();
        keep_said(extra, &format!("{path}/toolSpec/inputSchema"), schema.extra);
        let name = spec.name.ok_or_else(|| missing(&format!("toolConfig.tools[{index}].toolSpec.name")))?.0;
        tools.push(Tool {
            name,
            description: spec.description.map(|description| description.0),
            schema: schema.json.map(Cow::Borrowed),
            strict: spec.strict,
            cache: None,
        });
    }
    Ok(tools)
}

fn choice<'a>(
    choice: Option<Choice<'a>>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Option<ToolChoice<'a>>, Error> {
    const AT: &str = "toolConfig.toolChoice";
    let Some(choice) = choice else { return Ok(None) };
    keep_said(extra, "/toolConfig/toolChoice", choice.extra);
    Ok(Some(match (choice.auto, choice.any, choice.tool) {
        (Some(_), None, None) => ToolChoice::Auto,
        (None, Some(_), None) => ToolChoice::Required,
        (None, None, Some(tool)) => {
            ToolChoice::Named(tool.name.ok_or_else(|| missing("toolConfig.toolChoice.tool.name"))?.0)
        }
        (None, None, None) => return Ok(None),
        _ => {
            let message = format!("{AT} must have one of auto, any and tool");
            return Err(Error::at(Code::InvalidRequest, AT, message));
        }
    }))
}

fn format<'a>(
    format: Option<TextFormat<'a>>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Option<Format<'a>>, Error> {
    const AT: &str = "outputConfig.textFormat";
    let Some(format) = format else { return Ok(None) };
    let wrong = |field: &str, problem: &str| {
        let at = format!("{AT}.{field}");
        let message = format!("{at} {problem}");
        Error::at(Code::InvalidRequest, at, message)
    };
    let mut said =
        |path: &str, fields: Extras<'a>| keep_said(extra, &format!("/outputConfig/textFormat{path}"), fields);
    said("", format.extra);
    if format.kind.is_none_or(|kind| kind.0 != "json_schema") {
        return Err(wrong("type", "must be json_schema"));
    }
    let structure = format.structure.unwrap_or_default();
    said("/structure", structure.extra);
    let definition = structure.json_schema.unwrap_or_default();
    said("/structure/jsonSchema", definition.extra);
    let text = definition.schema.ok_or_else(|| wrong("structure.jsonSchema.schema", "is missing"))?.0;
    let schema = Some(text)
        .filter(|text| check_depth(text.as_bytes(), SCHEMA_DEPTH).is_ok())
        .and_then(|text| RawValue::from_string(text.into_owned()).ok())
        .ok_or_else(|| {
            wrong(
                "structure.jsonSchema.schema",
                &format!("must be JSON that nests at most {SCHEMA_DEPTH} levels"),
            )
        })?;
    Ok(Some(Format::JsonSchema {
        name: definition.name.map(|name| name.0),
        description: definition.description.map(|description| description.0),
        schema: Cow::Owned(schema),
        // Bedrock always holds the model to the schema.
        strict: Some(true),
    }))
}

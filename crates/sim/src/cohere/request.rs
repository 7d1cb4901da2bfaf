//! Reads `POST /v2/chat` as strictly as the vendor does: <https://docs.cohere.com/v2/reference/chat>.

use crate::ask::{Ask, Format, Prompt, Thinking};
use crate::check::{Fields, Invalid, Path, Shape};
use crate::json::Json;
use crate::shapes::{self, Models};

use super::{messages, tools};

const REQUEST: Shape = Shape {
    required: &["model", "messages"],
    optional: &[],
    nullable: &[
        "stream",
        "tools",
        "strict_tools",
        "documents",
        "citation_options",
        "response_format",
        "safety_mode",
        "max_tokens",
        "stop_sequences",
        "temperature",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "k",
        "p",
        "logprobs",
        "tool_choice",
        "thinking",
        "priority",
    ],
};

/// Reads a request.
pub(crate) fn read<'j, 'a>(json: &'j Json<'a>, models: &Models) -> Result<Ask<'j, 'a>, Invalid> {
    let root = &Path::ROOT;
    let fields = REQUEST.read(json, root)?;
    let (place, model) = shapes::model(&fields, models)?;
    let mut prompt = Prompt::new(&model.name);
    let tools = tools::read(&fields, &mut prompt)?;
    documents(&fields, &mut prompt)?;
    messages::read(&fields, &mut prompt)?;
    sampling(&fields)?;
    labels(&fields)?;
    Ok(Ask {
        model: place,
        stream: fields.flag("stream")?.unwrap_or(false),
        limit: limit(&fields, model.max_output_tokens)?,
        stops: stops(&fields)?,
        tools: tools.allowed,
        choice: tools.choice,
        parallel: true,
        format: format(&fields)?,
        thinking: thinking(&fields)?,
        prompt,
    })
}

/// A limit over the model's own is that of the model.
fn limit(fields: &Fields<'_, '_, '_>, most: u32) -> Result<Option<u32>, Invalid> {
    let Some(limit) = fields.integer("max_tokens")? else { return Ok(None) };
    if limit < 1 {
        let message = "invalid request: max_tokens must be greater than or equal to 1.";
        return Err(fields.at("max_tokens").rule(message));
    }
    Ok(Some(u32::try_from(limit).unwrap_or(most).min(most)))
}

fn stops<'j>(fields: &Fields<'j, '_, '_>) -> Result<Vec<&'j str>, Invalid> {
    let path = fields.at("stop_sequences");
    let texts = fields.array("stop_sequences")?.unwrap_or_default();
    if texts.len() > 5 {
        return Err(path.rule("invalid request: stop_sequences may have at most 5 elements."));
    }
    let read = |(index, text): (usize, &'j Json<'_>)| {
        text.as_str().ok_or_else(|| path.index(index).wrong_type("a string", text))
    };
    texts.iter().enumerate().map(read).collect()
}

fn sampling(fields: &Fields<'_, '_, '_>) -> Result<(), Invalid> {
    for (name, least, most) in [
        ("temperature", 0.0, 1.0),
        ("p", 0.01, 0.99),
        ("k", 0.0, 500.0),
        ("frequency_penalty", 0.0, 1.0),
        ("presence_penalty", 0.0, 1.0),
    ] {
        fields.number(name, least, most).map_err(|invalid| match invalid.problem {
            crate::check::Problem::Rule { .. } => fields
                .at(name)
                .rule(format!("invalid request: {name} must be between {least} and {most} inclusive.")),
            _ => invalid,
        })?;
    }
    fields.integer("k")?;
    fields.integer("seed")?;
    if fields.flag("logprobs")? == Some(true) {
        return Err(fields.at("logprobs").rule("invalid request: logprobs is not supported for this model."));
    }
    Ok(())
}

fn labels(fields: &Fields<'_, '_, '_>) -> Result<(), Invalid> {
    const CITATIONS: Shape = Shape { required: &[], optional: &[], nullable: &["mode"] };
    fields.choice("safety_mode", &["CONTEXTUAL", "STRICT", "OFF"])?;
    fields.integer("priority")?;
    if let Some(options) = fields.object("citation_options")? {
        let path = fields.at("citation_options");
        let modes = &["ENABLED", "DISABLED", "FAST", "ACCURATE", "OFF"];
        CITATIONS.read(options, &path)?.choice("mode", modes)?;
    }
    Ok(())
}

/// A document is a text, or an object with data and perhaps an id.
fn documents<'j>(fields: &Fields<'j, '_, '_>, prompt: &mut Prompt<'j>) -> Result<(), Invalid> {
    let path = fields.at("documents");
    for (index, document) in fields.array("documents")?.unwrap_or_default().iter().enumerate() {
        match document {
            Json::Str(text) => prompt.text(text),
            document => {
                messages::document(document, &path.index(index))?;
                prompt.json(document);
            }
        }
    }
    Ok(())
}

fn thinking(fields: &Fields<'_, '_, '_>) -> Result<Thinking, Invalid> {
    const THINKING: Shape = Shape { required: &[], optional: &["type"], nullable: &["token_budget"] };
    let Some(thinking) = fields.object("thinking")? else { return Ok(Thinking::Off) };
    let path = fields.at("thinking");
    let thinking = THINKING.read(thinking, &path)?;
    let kind = thinking.choice("type", &["enabled", "disabled"])?;
    let budget = thinking.integer("token_budget")?;
    if budget.is_some_and(|budget| budget < 1) {
        return Err(path
            .key("token_budget")
            .rule("invalid request: token_budget must be a positive integer."));
    }
    if kind == Some("disabled") {
        return Ok(Thinking::Off);
    }
    let tokens = budget.and_then(|budget| u32::try_from(budget).ok()).map_or(16, |budget| budget.min(32));
    Ok(Thinking::Shown { tokens, omitted: false })
}

fn format<'j, 'a>(fields: &Fields<'j, 'a, '_>) -> Result<Format<'j, 'a>, Invalid> {
    const FORMAT: Shape = Shape { required: &["type"], optional: &["json_schema"], nullable: &[] };
    let Some(format) = fields.object("response_format")? else { return Ok(Format::Text) };
    let path = fields.at("response_format");
    let kind = FORMAT.read(format, &path)?.choice("type", &["text", "json_object"])?;
    let schema = format.get("json_schema");
    if kind == Some("text") {
        return match schema {
            None => Ok(Format::Text),
            Some(_) => Err(path.key("json_schema").rule(
                "invalid request: json_schema must not be specified when the type of response_format is text.",
            )),
        };
    }
    for (name, with) in [("documents", "RAG"), ("tools", "tools")] {
        if fields.array(name)?.is_some_and(|list| !list.is_empty()) {
            return Err(path.rule(format!("invalid request: response_format is not supported with {with}.")));
        }
    }
    match schema {
        None => Ok(Format::JsonObject),
        Some(schema) if schema.get("type").and_then(Json::as_str) == Some("object") => {
            Ok(Format::Schema(schema))
        }
        Some(_) => Err(path.key("json_schema").rule("schema must be an object")),
    }
}

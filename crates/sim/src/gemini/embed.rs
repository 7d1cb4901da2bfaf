//! `embedContent` and `batchEmbedContents`, as strict as the vendor: <https://ai.google.dev/api/embeddings>

use std::borrow::Cow;

use crate::check::{Invalid, Path, Problem};
use crate::embed::{DIMENSIONS, Embed, Input, MOST_DIMENSIONS, numbers, vector};
use crate::json::{Json, integer};
use crate::shapes::Models;
use crate::text::input_tokens;

use super::address::{Action, Address};
use super::fields::{Fields, Message, violation};

const BATCH: Message = Message { name: "BatchEmbedContentsRequest", fields: &["model", "requests"] };
const REQUEST: Message = Message {
    name: "EmbedContentRequest",
    fields: &["model", "content", "task_type", "title", "output_dimensionality", "embed_content_config"],
};
const CONTENT: Message = Message { name: "Content", fields: &["parts", "role"] };
const PART: Message = Message { name: "Part", fields: &["text", "inline_data", "file_data"] };

const TASK_TYPES: &[&str] = &[
    "TASK_TYPE_UNSPECIFIED",
    "RETRIEVAL_QUERY",
    "RETRIEVAL_DOCUMENT",
    "SEMANTIC_SIMILARITY",
    "CLASSIFICATION",
    "CLUSTERING",
    "QUESTION_ANSWERING",
    "FACT_VERIFICATION",
    "CODE_RETRIEVAL_QUERY",
];

/// The most requests of a batch.
const MOST_REQUESTS: usize = 100;

/// Reads a request.
pub(crate) fn read<'j>(
    json: &'j Json<'_>,
    models: &Models,
    address: Address<'_>,
) -> Result<Embed<'j>, Invalid> {
    let root = &Path::ROOT;
    let name = address.model;
    let found = models.find(name);
    let model = found.ok_or_else(|| root.key("model").invalid(Problem::NoModel { name: name.to_owned() }))?;
    let mut embed = Embed { model, inputs: Vec::new(), dimensions: DIMENSIONS, base64: false };
    if address.action == Action::Embed {
        let fields = REQUEST.read(json, root)?;
        embed.dimensions = request(&fields, &mut embed.inputs)?;
        return Ok(embed);
    }
    let fields = BATCH.read(json, root)?;
    let path = fields.at("requests");
    let requests = fields.list("requests");
    if requests.is_empty() || requests.len() > MOST_REQUESTS {
        let message = format!(
            "* BatchEmbedContentsRequest.requests: from 1 to {MOST_REQUESTS} requests can be in one batch\n"
        );
        return Err(path.rule(message));
    }
    for (index, json) in requests.iter().enumerate() {
        let path = path.index(index);
        let fields = REQUEST.read(json, &path)?;
        match fields.text("model")? {
            Some(said) if said.strip_prefix("models/") == Some(name) => {}
            _ => {
                let message = format!(
                    "* BatchEmbedContentsRequest.{}.model: must be models/{name}\n",
                    path.bracketed()
                );
                return Err(path.key("model").rule(message));
            }
        }
        embed.dimensions = request(&fields, &mut embed.inputs)?;
    }
    Ok(embed)
}

/// Reads a request's input; gives the length of its vector.
fn request<'j>(fields: &Fields<'j, '_, '_>, inputs: &mut Vec<Input<'j>>) -> Result<u32, Invalid> {
    fields.text("model")?;
    fields.text("title")?;
    fields.choice("task_type", "TaskType", TASK_TYPES)?;
    let path = fields.at("content");
    let Some(content) = fields.get("content") else {
        return Err(path.rule(format!("* EmbedContentRequest.{}: content is required\n", path.bracketed())));
    };
    let content = CONTENT.read(content, &path)?;
    content.text("role")?;
    let place = path.key("parts");
    let mut text = String::new();
    for (index, part) in content.list("parts").iter().enumerate() {
        let place = place.index(index);
        let part = PART.read(part, &place)?;
        if let Some(other) = ["inline_data", "file_data"].into_iter().find(|other| part.get(other).is_some())
        {
            return Err(violation(&place, format!("'{other}' is not supported by this simulated model.")));
        }
        text.push_str(part.text("text")?.unwrap_or_default());
    }
    if text.is_empty() {
        return Err(place.rule(format!("* EmbedContentRequest.{}: content is empty\n", place.bracketed())));
    }
    let tokens = input_tokens(&text);
    inputs.push(Input { text: Cow::Owned(text), tokens });
    let Some(number) = fields.integer("output_dimensionality")? else { return Ok(DIMENSIONS) };
    let known = u32::try_from(number).ok().filter(|number| (1..=MOST_DIMENSIONS).contains(number));
    known.ok_or_else(|| {
        let place = fields.at("output_dimensionality");
        place.rule(format!(
            "* EmbedContentRequest.{}: must be from 1 to {MOST_DIMENSIONS}\n",
            place.bracketed()
        ))
    })
}

/// Writes the reply to `embedContent`.
pub(crate) fn write_one(model: &str, embed: &Embed<'_>) -> Vec<u8> {
    let mut out = b"{\"embedding\":".to_vec();
    if let Some(input) = embed.inputs.first() {
        values(&mut out, model, input, embed.dimensions);
    }
    usage(&mut out, embed);
    out
}

/// Writes the reply to `batchEmbedContents`.
pub(crate) fn write_batch(model: &str, embed: &Embed<'_>) -> Vec<u8> {
    let mut out = b"{\"embeddings\":[".to_vec();
    for (index, input) in embed.inputs.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        values(&mut out, model, input, embed.dimensions);
    }
    out.push(b']');
    usage(&mut out, embed);
    out
}

fn values(out: &mut Vec<u8>, model: &str, input: &Input<'_>, dimensions: u32) {
    out.extend_from_slice(b"{\"values\":");
    numbers(out, &vector(model, &input.text, dimensions));
    out.push(b'}');
}

fn usage(out: &mut Vec<u8>, embed: &Embed<'_>) {
    let tokens = embed.inputs.iter().fold(0_u32, |sum, input| sum.saturating_add(input.tokens));
    out.extend_from_slice(b",\"usageMetadata\":{\"promptTokenCount\":");
    integer(out, tokens);
    out.extend_from_slice(b"}}");
}

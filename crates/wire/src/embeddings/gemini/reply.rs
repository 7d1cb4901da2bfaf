//! Replies: facts, reading, writing. Older models say nothing of usage.

use serde::Deserialize;
use serde_json::value::RawValue;
use stepwell_types::{Code, Usage};

use crate::embeddings::{Embeddings, Encoding, Facts, Vector, lose_all};
use crate::json::{Object, Text, keep, object, read_reply, write_object};
use crate::{Error, Losses, ReplyFacts, Written};

object! {
    struct One<'a> { embedding: Values<'a> = "embedding", usage: Counts = "usageMetadata", model: Text<'a> = "modelVersion" }
}

object! {
    struct Batch<'a> {
        embeddings: Vec<Values<'a>> = "embeddings",
        usage: Counts = "usageMetadata",
        model: Text<'a> = "modelVersion",
    }
}

object! {
    // Its shape is the number of its values.
    struct Values<'a> { values: &'a RawValue = "values" }
    skipping "shape"
}

/// `usageMetadata`: <https://ai.google.dev/api/embeddings#EmbeddingUsageMetadata>.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Counts {
    #[serde(rename = "promptTokenCount")]
    prompt: Option<u64>,
}

fn facts(reply: Embeddings<'_>) -> Facts {
    let model = reply.model.map(Into::into);
    let reply = ReplyFacts { id: None, model, finish: None, usage: reply.usage };
    Facts { reply, encoding: Some(Encoding::Float) }
}

/// Reads what the record needs.
pub(super) fn facts_of_one(body: &[u8]) -> Result<Facts, Error> {
    read_one(body).map(facts)
}

/// Reads what the record needs of a batch.
pub(super) fn facts_of_batch(body: &[u8]) -> Result<Facts, Error> {
    read_batch(body).map(facts)
}

/// Reads a whole reply.
pub(super) fn read_one(body: &[u8]) -> Result<Embeddings<'_>, Error> {
    let body: One<'_> = read_reply(body)?;
    let mut extra = Vec::new();
    keep(&mut extra, "", body.extra);
    let embedding = body.embedding.ok_or_else(|| missing("embedding"))?;
    let vectors = vec![vector(&embedding, "embedding")?];
    keep(&mut extra, "/embedding", embedding.extra);
    Ok(Embeddings {
        id: None,
        model: body.model.map(|model| model.0),
        vectors,
        usage: usage(body.usage),
        extra,
    })
}

/// Reads a whole reply to a batch.
pub(super) fn read_batch(body: &[u8]) -> Result<Embeddings<'_>, Error> {
    let body: Batch<'_> = read_reply(body)?;
    let mut extra = Vec::new();
    keep(&mut extra, "", body.extra);
    let embeddings = body.embeddings.ok_or_else(|| missing("embeddings"))?;
    let mut vectors = Vec::with_capacity(embeddings.len());
    for (index, embedding) in embeddings.into_iter().enumerate() {
        vectors.push(vector(&embedding, &format!("embeddings[{index}]"))?);
        keep(&mut extra, &format!("/embeddings/{index}"), embedding.extra);
    }
    Ok(Embeddings {
        id: None,
        model: body.model.map(|model| model.0),
        vectors,
        usage: usage(body.usage),
        extra,
    })
}

fn vector<'a>(embedding: &Values<'a>, at: &str) -> Result<Vector<'a>, Error> {
    let missing = || Error::at(Code::UpstreamInvalid, at, format!("{at} has no values"));
    embedding.values.map(Vector::of).ok_or_else(missing)
}

fn missing(field: &str) -> Error {
    Error::at(Code::UpstreamInvalid, field, format!("the provider's answer has no {field}"))
}

fn usage(counts: Option<Counts>) -> Option<Usage> {
    let tokens = counts.and_then(|counts| counts.prompt)?;
    Some(Usage { input_tokens: tokens, ..Usage::default() })
}

/// Writes a whole reply.
pub(super) fn write_one(reply: &Embeddings<'_>) -> Written {
    let mut losses = Losses::default();
    let mut body = Vec::with_capacity(1 << 12);
    write_object(&mut body, |object| {
        if let Some(vector) = reply.vectors.first() {
            object.object("embedding", |embedding| {
                write_values(embedding, vector, "/embedding/values".to_owned(), &mut losses);
            });
        }
        write_usage(object, reply);
    });
    lose_rest(&mut losses, reply);
    Written { body, losses }
}

/// Writes a whole reply to a batch.
pub(super) fn write_batch(reply: &Embeddings<'_>) -> Written {
    let mut losses = Losses::default();
    let mut body = Vec::with_capacity(1 << 12);
    write_object(&mut body, |object| {
        object.array("embeddings", |embeddings| {
            for (index, vector) in reply.vectors.iter().enumerate() {
                embeddings.object(|embedding| {
                    write_values(embedding, vector, format!("/embeddings/{index}/values"), &mut losses);
                });
            }
        });
        write_usage(object, reply);
    });
    lose_rest(&mut losses, reply);
    Written { body, losses }
}

fn write_values(embedding: &mut Object<'_>, vector: &Vector<'_>, path: String, losses: &mut Losses) {
    if !vector.write(embedding.key("values"), Encoding::Float) {
        losses.note(path);
    }
}

fn write_usage(object: &mut Object<'_>, reply: &Embeddings<'_>) {
    if let Some(usage) = &reply.usage {
        object.object("usageMetadata", |counts| counts.number("promptTokenCount", usage.input_tokens));
    }
}

/// The form has no place for an id or a model, which the record and the reply's headers have; not for anything else.
fn lose_rest(losses: &mut Losses, reply: &Embeddings<'_>) {
    lose_all(losses, &reply.extra);
}

//! Replies: facts, reading, writing.

use serde::Deserialize;
use serde_json::value::RawValue;
use stepwell_types::{Code, Usage};

use crate::embeddings::{Embeddings, Encoding, Facts, Vector, lose_all};
use crate::json::{Field, Scanner, Text, keep, object, read_reply, write_object};
use crate::{Error, Losses, ReplyFacts, Written};

object! {
    struct Body<'a> {
        id: Text<'a> = "id",
        model: Text<'a> = "model",
        data: Vec<Item<'a>> = "data",
        usage: Counts = "usage",
    }
    skipping "object", "created"
}

object! {
    struct Item<'a> { index: u64 = "index", embedding: &'a RawValue = "embedding" }
    skipping "object"
}

/// `usage`. Voyage says the total only, which is the same where nothing is generated.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Counts {
    #[serde(rename = "prompt_tokens")]
    prompt: Option<u64>,
    #[serde(rename = "total_tokens")]
    total: Option<u64>,
}

fn usage(prompt: Option<u64>, total: Option<u64>) -> Option<Usage> {
    prompt.or(total).map(|tokens| Usage { input_tokens: tokens, ..Usage::default() })
}

fn invalid(message: &str) -> Error {
    Error::new(Code::UpstreamInvalid, message)
}

/// Reads what the record needs.
pub(super) fn facts(body: &[u8]) -> Result<Facts, Error> {
    if let Some(facts) = scanned(body) {
        return Ok(facts);
    }
    let reply = read(body)?;
    Ok(Facts {
        encoding: reply.vectors.first().map(Vector::encoding),
        reply: ReplyFacts {
            id: reply.id.map(Into::into),
            model: reply.model.map(Into::into),
            finish: None,
            usage: reply.usage,
        },
    })
}

/// The facts of a reply that is plainly one.
fn scanned(body: &[u8]) -> Option<Facts> {
    let (mut id, mut model, mut data, mut counts) =
        (Field::default(), Field::default(), Field::default(), Field::default());
    let mut first = None;
    let mut scanner = Scanner::new(body)?;
    scanner.object(|scanner, key| match key {
        "id" => scanner.once(&mut id, Scanner::string),
        "model" => scanner.once(&mut model, Scanner::string),
        "usage" => scanner.once(&mut counts, |scanner| {
            let (mut prompt, mut total) = (Field::default(), Field::default());
            scanner.object(|scanner, key| match key {
                "prompt_tokens" => scanner.once(&mut prompt, Scanner::number),
                "total_tokens" => scanner.once(&mut total, Scanner::number),
                _ => scanner.skip(),
            })?;
            Some((prompt.value(), total.value()))
        }),
        "data" => scanner.once(&mut data, |scanner| {
            scanner.array(|scanner| {
                let (mut index, mut vector) = (Field::default(), Field::default());
                scanner.object(|scanner, key| match key {
                    "index" => scanner.once(&mut index, Scanner::number),
                    "embedding" => scanner.once(&mut vector, |scanner| {
                        let is_text = scanner.is_at_string();
                        scanner.skip()?;
                        Some(if is_text { Encoding::Base64 } else { Encoding::Float })
                    }),
                    _ => scanner.skip(),
                })?;
                let encoding = vector.value()?;
                first.get_or_insert(encoding);
                Some(())
            })
        }),
        _ => scanner.skip(),
    })?;
    scanner.end()?;
    data.value()?;
    let (prompt, total) = counts.value().unwrap_or_default();
    Some(Facts {
        encoding: first,
        reply: ReplyFacts {
            id: id.value().map(Into::into),
            model: model.value().map(Into::into),
            finish: None,
            usage: usage(prompt, total),
        },
    })
}

/// Reads a whole reply. Vectors are put in the order of their inputs.
pub(super) fn read(body: &[u8]) -> Result<Embeddings<'_>, Error> {
    let body: Body<'_> = read_reply(body)?;
    let mut data = body.data.ok_or_else(|| invalid("the provider's answer has no data"))?;
    // Where one item has no index, they stand in order.
    if data.iter().all(|item| item.index.is_some()) {
        data.sort_by_key(|item| item.index);
    }
    let mut extra = Vec::new();
    keep(&mut extra, "", body.extra);
    let mut vectors = Vec::with_capacity(data.len());
    for (index, item) in data.into_iter().enumerate() {
        let raw = item.embedding.ok_or_else(|| {
            Error::at(Code::UpstreamInvalid, format!("data[{index}].embedding"), "an item has no vector")
        })?;
        vectors.push(Vector::of(raw));
        keep(&mut extra, &format!("/data/{index}"), item.extra);
    }
    let counts = body.usage.unwrap_or_default();
    Ok(Embeddings {
        id: body.id.map(|id| id.0),
        model: body.model.map(|model| model.0),
        vectors,
        usage: usage(counts.prompt, counts.total),
        extra,
    })
}

/// Writes a whole reply.
pub(super) fn write(reply: &Embeddings<'_>, encoding: Encoding) -> Written {
    let mut losses = Losses::default();
    let mut body = Vec::with_capacity(1 << 12);
    write_object(&mut body, |object| {
        object.string_if("id", reply.id.as_ref());
        object.string("object", "list");
        object.array("data", |data| {
            for (index, vector) in (0_u64..).zip(&reply.vectors) {
                data.object(|item| {
                    item.string("object", "embedding");
                    item.number("index", index);
                    if !vector.write(item.key("embedding"), encoding) {
                        losses.note(format!("/data/{index}/embedding"));
                    }
                });
            }
        });
        object.string("model", reply.model.as_deref().unwrap_or_default());
        if let Some(usage) = &reply.usage {
            object.object("usage", |counts| {
                counts.number("prompt_tokens", usage.input_tokens);
                counts.number("total_tokens", usage.input_tokens);
            });
        }
    });
    lose_all(&mut losses, &reply.extra);
    Written { body, losses }
}

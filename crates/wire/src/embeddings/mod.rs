//! Vectors for inputs: the superset between formats, and a codec for each format.
//!
//! As with conversations, everything borrows from the body it was read from, and a call whose two sides speak one format
//! never enters the superset: its bytes pass, the model spliced in. Vectors stay the JSON they came as; they are read as
//! numbers only where one side wants base64 and the other does not.

mod cohere;
mod gemini;
mod openai;
mod purpose;
mod tei;
mod vector;

use std::borrow::Cow;

use serde_json::value::RawValue;
use stepwell_types::{CallId, EmbeddingFormat, EmbeddingQuirks, Failure, Usage};

use crate::chat::Extra;
use crate::{Asked, Error, Head, Losses, ReplyFacts, Written};

pub use purpose::Purpose;
pub use vector::{Encoding, Vector};

/// A request for vectors.
#[derive(Clone, Debug, Default)]
pub struct Embed<'a> {
    /// The format it was read from.
    pub from: Option<EmbeddingFormat>,
    /// What to embed, a vector each. Never empty.
    pub inputs: Vec<Input<'a>>,
    /// How many numbers a vector shall have, as written.
    pub dimensions: Option<Said<&'a RawValue>>,
    /// The type of those numbers, where it is not the usual float: `int8`, `ubinary`, …
    pub element: Option<Said<Cow<'a, str>>>,
    /// How the vectors are to be written.
    pub encoding: Encoding,
    /// What the vectors are for.
    pub purpose: Option<Said<Purpose>>,
    /// The title of the text (Gemini, for documents).
    pub title: Option<Said<Cow<'a, str>>>,
    /// The end user.
    pub user: Option<Said<Cow<'a, str>>>,
    /// What the superset has no place for.
    pub extra: Vec<Extra<'a>>,
}

/// A value, and the path it was read from: what it is called if it is lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said<T> {
    /// The path, from the body's root.
    pub path: &'static str,
    /// The value.
    pub value: T,
}

/// One thing to embed.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A text as tokens of the model's own: an array of whole numbers, as written.
    Tokens(&'a RawValue),
    /// A part of one format only, as written: an image, a content with data.
    Part(&'a RawValue),
}

/// A complete reply.
#[derive(Clone, Debug, Default)]
pub struct Embeddings<'a> {
    /// The provider's id of the reply.
    pub id: Option<Cow<'a, str>>,
    /// The model that answered.
    pub model: Option<Cow<'a, str>>,
    /// The vectors, in the order of the inputs.
    pub vectors: Vec<Vector<'a>>,
    /// What was metered, normalised.
    pub usage: Option<Usage>,
    /// What the superset has no place for.
    pub extra: Vec<Extra<'a>>,
}

/// What the record needs of a reply that passes byte for byte, and what decides whether it may.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// What the record needs.
    pub reply: ReplyFacts,
    /// How its first vector is written.
    pub encoding: Option<Encoding>,
}

/// One format. All functions are pure; those over a request's body expect one that passed
/// [`crate::json::check_depth`], those over what a provider sent expect nothing of it.
pub trait Codec: Send + Sync {
    /// Which format this is.
    fn format(&self) -> EmbeddingFormat;

    /// Reads what the gateway must know, and proves that the body is one JSON object with something to embed. Gives how
    /// the vectors are to be written, too.
    fn head(&self, body: &[u8], asked: &Asked<'_>) -> Result<(Head, Encoding), Error>;

    /// The same request with the model's name at the target spliced in; every other byte stays as it was. None where the
    /// target would not read what the caller means: then it has to be written anew.
    fn edit_request(
        &self,
        body: &[u8],
        head: &Head,
        model: &str,
        quirks: EmbeddingQuirks,
    ) -> Result<Option<Vec<u8>>, Error>;

    /// Reads the whole request into the superset, but for what the path says.
    fn read_request<'a>(&self, body: &'a [u8]) -> Result<Embed<'a>, Error>;

    /// Writes a request for a target that speaks this format. Fields it cannot say are losses; an error where an input
    /// cannot be said, as no reply could be made to the others alone.
    fn write_request(
        &self,
        embed: &Embed<'_>,
        model: &str,
        quirks: EmbeddingQuirks,
    ) -> Result<Written, Error>;

    /// Reads what the record needs of a complete reply.
    fn reply_facts(&self, body: &[u8]) -> Result<Facts, Error>;

    /// Reads a complete reply into the superset.
    fn read_reply<'a>(&self, body: &'a [u8]) -> Result<Embeddings<'a>, Error>;

    /// Writes a complete reply, its vectors in `encoding` where the format knows it.
    fn write_reply(&self, reply: &Embeddings<'_>, encoding: Encoding) -> Written;

    /// Writes an error answer. `call`: none for a request that never became a call.
    fn write_error(&self, failure: &Failure, call: Option<CallId>) -> Vec<u8> {
        crate::codec(self.format().dialect()).write_error(failure, call)
    }
}

/// The codec of a format.
pub fn codec(format: EmbeddingFormat) -> &'static dyn Codec {
    match format {
        EmbeddingFormat::Openai => &openai::Openai,
        EmbeddingFormat::Gemini => &gemini::One,
        EmbeddingFormat::GeminiBatch => &gemini::Batch,
        EmbeddingFormat::Tei => &tei::Tei,
        EmbeddingFormat::Cohere => &cohere::Cohere,
    }
}

/// Where a request has the input at `index`, in the words of the format it was read from: what an error about it names.
fn input_path(embed: &Embed<'_>, index: usize) -> String {
    let field = match embed.from {
        Some(EmbeddingFormat::Gemini) => return "content".to_owned(),
        Some(EmbeddingFormat::GeminiBatch) => return format!("requests[{index}].content"),
        Some(EmbeddingFormat::Cohere) => match embed.inputs.get(index) {
            // Its images are addresses of data, its inputs objects.
            Some(Input::Part(raw)) if raw.get().starts_with('"') => "images",
            Some(Input::Part(_)) => "inputs",
            _ => "texts",
        },
        Some(EmbeddingFormat::Tei) => "inputs",
        Some(EmbeddingFormat::Openai) | None => "input",
    };
    if embed.inputs.len() == 1 && field != "texts" { field.to_owned() } else { format!("{field}[{index}]") }
}

/// The fields of `extra`, all lost.
fn lose_all(losses: &mut Losses, extra: &[Extra<'_>]) {
    for field in extra {
        losses.note(field.path.clone());
    }
}

/// A field that is lost, if it was said.
fn lose<T>(losses: &mut Losses, said: Option<&Said<T>>) {
    if let Some(said) = said {
        losses.note(said.path);
    }
}

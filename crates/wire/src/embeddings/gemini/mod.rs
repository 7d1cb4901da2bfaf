//! Gemini's `embedContent` and `batchEmbedContents`: <https://ai.google.dev/api/embeddings>, and the type definitions of
//! Google's Python SDK (`google/genai/types.py`), which asks for batches alone. Names come in two spellings,
//! `taskType` and `task_type`: both are read, the first is written. The model stands in the path; each request of a batch
//! says it again.

mod head;
mod reply;
mod request;

use stepwell_types::{EmbeddingFormat, EmbeddingQuirks};

use super::{Codec, Embed, Embeddings, Encoding, Facts};
use crate::{Asked, Error, Head, Written};

/// The codec of `embedContent`.
#[derive(Clone, Copy, Debug)]
pub(super) struct One;

/// The codec of `batchEmbedContents`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch;

impl Codec for One {
    fn format(&self) -> EmbeddingFormat {
        EmbeddingFormat::Gemini
    }

    fn head(&self, body: &[u8], asked: &Asked<'_>) -> Result<(Head, Encoding), Error> {
        head::one(body, asked)
    }

    fn edit_request(
        &self,
        body: &[u8],
        head: &Head,
        model: &str,
        _quirks: EmbeddingQuirks,
    ) -> Result<Option<Vec<u8>>, Error> {
        head::edit_one(body, head, model).map(Some)
    }

    fn read_request<'a>(&self, body: &'a [u8]) -> Result<Embed<'a>, Error> {
        request::read_one(body)
    }

    fn write_request(
        &self,
        embed: &Embed<'_>,
        model: &str,
        _quirks: EmbeddingQuirks,
    ) -> Result<Written, Error> {
        request::write_one(embed, model)
    }

    fn reply_facts(&self, body: &[u8]) -> Result<Facts, Error> {
        reply::facts_of_one(body)
    }

    fn read_reply<'a>(&self, body: &'a [u8]) -> Result<Embeddings<'a>, Error> {
        reply::read_one(body)
    }

    fn write_reply(&self, reply: &Embeddings<'_>, _encoding: Encoding) -> Written {
        reply::write_one(reply)
    }
}

impl Codec for Batch {
    fn format(&self) -> EmbeddingFormat {
        EmbeddingFormat::GeminiBatch
    }

    fn head(&self, body: &[u8], asked: &Asked<'_>) -> Result<(Head, Encoding), Error> {
        head::batch(body, asked)
    }

    fn edit_request(
        &self,
        body: &[u8],
        head: &Head,
        model: &str,
        _quirks: EmbeddingQuirks,
    ) -> Result<Option<Vec<u8>>, Error> {
        head::edit_batch(body, head, model).map(Some)
    }

    fn read_request<'a>(&self, body: &'a [u8]) -> Result<Embed<'a>, Error> {
        request::read_batch(body)
    }

    fn write_request(
        &self,
        embed: &Embed<'_>,
        model: &str,
        _quirks: EmbeddingQuirks,
    ) -> Result<Written, Error> {
        request::write_batch(embed, model)
    }

    fn reply_facts(&self, body: &[u8]) -> Result<Facts, Error> {
        reply::facts_of_batch(body)
    }

    fn read_reply<'a>(&self, body: &'a [u8]) -> Result<Embeddings<'a>, Error> {
        reply::read_batch(body)
    }

    fn write_reply(&self, reply: &Embeddings<'_>, _encoding: Encoding) -> Written {
        reply::write_batch(reply)
    }
}

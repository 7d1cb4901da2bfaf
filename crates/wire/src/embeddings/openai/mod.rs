//! OpenAI's `/v1/embeddings`, and what other vendors have made of it.
//!
//! <https://platform.openai.com/docs/api-reference/embeddings/create>,
//! Voyage <https://docs.voyageai.com/reference/embeddings-api>, Jina <https://api.jina.ai/openapi.json>,
//! Mistral <https://docs.mistral.ai/api/endpoint/embeddings>, NVIDIA
//! <https://docs.nvidia.com/nim/nemo-retriever/text-embedding/latest/reference.html>. Fields of all of them are read
//! whoever the client means; those are written that the target is known to take.

mod head;
mod reply;
mod request;

use stepwell_types::{EmbeddingFormat, EmbeddingQuirks};

pub(super) use self::head::check_input;
pub(super) use self::request::inputs;
use super::{Codec, Embed, Embeddings, Encoding, Facts};
use crate::{Asked, Error, Head, Written};

/// The codec of `/v1/embeddings`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Openai;

impl Codec for Openai {
    fn format(&self) -> EmbeddingFormat {
        EmbeddingFormat::Openai
    }

    fn head(&self, body: &[u8], _asked: &Asked<'_>) -> Result<(Head, Encoding), Error> {
        head::read(body)
    }

    fn edit_request(
        &self,
        body: &[u8],
        head: &Head,
        model: &str,
        quirks: EmbeddingQuirks,
    ) -> Result<Option<Vec<u8>>, Error> {
        head::edit(body, head, model, quirks)
    }

    fn read_request<'a>(&self, body: &'a [u8]) -> Result<Embed<'a>, Error> {
        request::read(body)
    }

    fn write_request(
        &self,
        embed: &Embed<'_>,
        model: &str,
        quirks: EmbeddingQuirks,
    ) -> Result<Written, Error> {
        request::write(embed, model, quirks)
    }

    fn reply_facts(&self, body: &[u8]) -> Result<Facts, Error> {
        reply::facts(body)
    }

    fn read_reply<'a>(&self, body: &'a [u8]) -> Result<Embeddings<'a>, Error> {
        reply::read(body)
    }

    fn write_reply(&self, reply: &Embeddings<'_>, encoding: Encoding) -> Written {
        reply::write(reply, encoding)
    }
}

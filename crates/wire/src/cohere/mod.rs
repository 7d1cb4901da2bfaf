//! Cohere's chat (`POST /v2/chat`), as client side and as provider side.
//!
//! Shapes follow <https://docs.cohere.com/v2/reference/chat> and <https://docs.cohere.com/v2/reference/chat-stream>, that is
//! Cohere's OpenAPI document and the type definitions of its Python SDK 7.0 (`cohere/types`, generated from it). What is
//! written is Cohere's own, but for `model` in replies, which Cohere has no word for: every SDK of Cohere's keeps fields it
//! does not know. The API before it (`/v1/chat`) is another one and is not spoken.

mod content;
mod error;
mod finish;
mod head;
mod reply;
mod request;
mod stream;
mod tap;
#[cfg(test)]
mod tests;
mod usage;

use stepwell_types::{CallId, Dialect, Failure};

use crate::chat::{Chat, Reply};
use crate::json::{Object, write_object};
use crate::stream::{StreamReader, StreamWriter};
use crate::tap::Tap;
use crate::{Asked, Codec, Edits, Error, Head, Listing, Pipe, Quirks, ReplyFacts, UpstreamError, Written};

/// The codec of Cohere's chat.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cohere;

impl Codec for Cohere {
    fn dialect(&self) -> Dialect {
        Dialect::Cohere
    }

    fn head(&self, body: &[u8], _asked: &Asked<'_>) -> Result<Head, Error> {
        head::read(body)
    }

    fn edit_request(&self, body: &[u8], head: &Head, edits: &Edits<'_>, _quirks: Quirks) -> Vec<u8> {
        head::edit(body, head, edits)
    }

    fn read_request<'a>(&self, body: &'a [u8]) -> Result<Chat<'a>, Error> {
        request::read(body)
    }

    fn write_request(&self, chat: &Chat<'_>, edits: &Edits<'_>, _quirks: Quirks) -> Result<Written, Error> {
        Ok(request::write(chat, edits))
    }

    fn reply_facts(&self, body: &[u8]) -> Result<ReplyFacts, Error> {
        reply::facts(body)
    }

    fn read_reply<'a>(&self, body: &'a [u8]) -> Result<Reply<'a>, Error> {
        reply::read(body)
    }

    fn write_reply(&self, reply: &Reply<'_>) -> Written {
        reply::write(reply)
    }

    /// Usage stands in the event that ends the stream: there is nothing to withhold.
    fn tap(&self, _withhold_usage: bool) -> Box<dyn Pipe> {
        Box::new(Tap::new(self.framing(), tap::Eye::default()))
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(stream::Reader::default())
    }

    /// Cohere's clients always get usage: it is written whether asked for or not.
    fn stream_writer(&self, _include_usage: bool, _created: i64) -> Box<dyn StreamWriter> {
        Box::new(stream::Writer::default())
    }

    fn read_error(&self, status: u16, body: &[u8]) -> UpstreamError {
        error::read(status, body)
    }

    fn write_error(&self, failure: &Failure, call: Option<CallId>) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        error::write(&mut out, failure, call);
        out
    }

    fn write_stream_error(&self, failure: &Failure, call: CallId) -> Vec<u8> {
        let mut out = Vec::with_capacity(320);
        error::write_event(&mut out, failure, call);
        out
    }

    /// `GET /v1/models`: <https://docs.cohere.com/reference/list-models>.
    fn write_models(&self, models: &[Listing<'_>]) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + models.len() * 80);
        write_object(&mut out, |list| {
            list.array("models", |items| {
                for model in models {
                    items.object(|fields| write_listing(fields, model));
                }
            });
        });
        out
    }

    /// `GET /v1/models/{model}`: <https://docs.cohere.com/reference/get-model>.
    fn write_model(&self, model: &Listing<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(80);
        write_object(&mut out, |fields| write_listing(fields, model));
        out
    }

    /// Cohere has no count of tokens without the tokens themselves: the name is that of its usage.
    fn write_token_count(&self, input_tokens: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        write_object(&mut out, |count| count.number("input_tokens", input_tokens));
        out
    }
}

fn write_listing(fields: &mut Object<'_>, model: &Listing<'_>) {
    fields.string("name", model.id);
    fields.array("endpoints", |endpoints| endpoints.string("chat"));
}

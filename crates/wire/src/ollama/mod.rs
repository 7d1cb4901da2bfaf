//! Ollama's own API, `POST /api/chat`, as client side and as provider side.
//!
//! Shapes follow <https://docs.ollama.com/api/chat> and the types that Ollama's server and its Python client are built of
//! (`api/types.go`, `ollama/_types.py`). A stream is JSON by lines and is asked for unless `"stream":false` says otherwise.
//! Ollama's server drops the oldest messages of a conversation that is longer than `options.num_ctx` without saying so; where
//! neither the request, the model nor the server says how long, it is as much as fits the machine, from 4,096 tokens on:
//! <https://docs.ollama.com/context-length>. What a client of this dialect says of it passes; no other dialect has a word for
//! it, and none is made up.

mod error;
mod finish;
mod head;
mod message;
mod reply;
mod request;
mod stream;
mod tap;
#[cfg(test)]
mod tests;
mod usage;

use stepwell_types::{CallId, Dialect, Failure, Timestamp};

use crate::chat::{Chat, Reply};
use crate::framing::Framing;
use crate::json::{Object, write_object};
use crate::stream::{StreamReader, StreamWriter};
use crate::tap::Tap;
use crate::{Asked, Codec, Edits, Error, Head, Listing, Pipe, Quirks, ReplyFacts, UpstreamError, Written};

/// The codec of Ollama's chat.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ollama;

impl Codec for Ollama {
    fn dialect(&self) -> Dialect {
        Dialect::Ollama
    }

    fn framing(&self) -> Framing {
        Framing::Lines
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

    /// Usage stands in the line that ends a stream: there is nothing to withhold.
    fn tap(&self, _withhold_usage: bool) -> Box<dyn Pipe> {
        Box::new(Tap::new(self.framing(), tap::Eye::default()))
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(stream::Reader::default())
    }

    /// Ollama's clients always expect usage: it is written whether asked for or not.
    fn stream_writer(&self, _include_usage: bool, created: i64) -> Box<dyn StreamWriter> {
        Box::new(stream::Writer::new(created))
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
        let mut out = Vec::with_capacity(256);
        stream::line(&mut out, |out| error::write(out, failure, Some(call)));
        out
    }

    /// `GET /api/tags`: <https://docs.ollama.com/api/tags>.
    fn write_models(&self, models: &[Listing<'_>]) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + models.len() * 280);
        write_object(&mut out, |list| {
            list.array("models", |items| {
                for model in models {
                    items.object(|fields| write_listing(fields, model));
                }
            });
        });
        out
    }

    /// Ollama lists models together only: the shape is that of one in the list.
    fn write_model(&self, model: &Listing<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(280);
        write_object(&mut out, |fields| write_listing(fields, model));
        out
    }

    /// Ollama counts nothing without generating: the field is that of a reply.
    fn write_token_count(&self, input_tokens: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(40);
        write_object(&mut out, |count| count.number("prompt_eval_count", input_tokens));
        out
    }
}

/// What a model is made of, Ollama says of its own files; here that is not known.
fn write_listing(fields: &mut Object<'_>, model: &Listing<'_>) {
    fields.string("name", model.id);
    fields.string("model", model.id);
    fields.string("modified_at", &time(model.created));
    fields.number("size", 0);
    fields.string("digest", "");
    fields.object("details", |details| {
        details.string("parent_model", "");
        details.string("format", "");
        details.string("family", "");
        details.array("families", |_| {});
        details.string("parameter_size", "");
        details.string("quantization_level", "");
    });
}

/// A time in seconds since the epoch, as Ollama writes it.
fn time(seconds: i64) -> String {
    Timestamp::from_micros(seconds.saturating_mul(1_000_000)).to_rfc3339()
}

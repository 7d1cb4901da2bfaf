//! Anthropic's Messages API, as client side and as provider side.
//!
//! Shapes follow the type definitions of Anthropic's Python SDK 2.11 (`anthropic/types`) and its documentation under
//! <https://platform.claude.com/docs/en/api/messages>. It never knows a model: what differs between models is a flag
//! in [`Quirks`].

mod blocks;
mod error;
mod head;
pub(crate) mod ids;
mod reply;
mod request;
mod stop;
mod stream;
mod tap;
#[cfg(test)]
mod tests;
mod usage;

use stepwell_types::{CallId, Dialect, Failure, Timestamp};

use crate::chat::{Chat, Reply};
use crate::json::{Object, write_object};
use crate::stream::{StreamReader, StreamWriter};
use crate::tap::Tap;
use crate::{Asked, Codec, Edits, Error, Head, Listing, Pipe, Quirks, ReplyFacts, UpstreamError, Written};

pub(crate) use request::{schema, thinking, write_schema};

/// The codec of Anthropic's Messages API.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anthropic;

impl Codec for Anthropic {
    fn dialect(&self) -> Dialect {
        Dialect::Anthropic
    }

    fn head(&self, body: &[u8], _asked: &Asked<'_>) -> Result<Head, Error> {
        head::read(body)
    }

    fn edit_request(&self, body: &[u8], head: &Head, edits: &Edits<'_>, quirks: Quirks) -> Vec<u8> {
        head::edit(body, head, edits, quirks)
    }

    fn read_request<'a>(&self, body: &'a [u8]) -> Result<Chat<'a>, Error> {
        request::read(body)
    }

    fn write_request(&self, chat: &Chat<'_>, edits: &Edits<'_>, quirks: Quirks) -> Result<Written, Error> {
        request::write(chat, edits, quirks)
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

    /// Usage always stands in events that the client needs: there is nothing to withhold.
    fn tap(&self, _withhold_usage: bool) -> Box<dyn Pipe> {
        Box::new(Tap::new(self.framing(), tap::Eye::default()))
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(stream::Reader::default())
    }

    /// Anthropic's clients always expect usage: it is written whether asked for or not.
    fn stream_writer(&self, _include_usage: bool, _created: i64) -> Box<dyn StreamWriter> {
        Box::new(stream::Writer::default())
    }

    fn read_error(&self, status: u16, body: &[u8]) -> UpstreamError {
        error::read(status, body)
    }

    fn write_error(&self, failure: &Failure, call: Option<CallId>) -> Vec<u8> {
        let mut out = Vec::with_capacity(384);
        error::write(&mut out, failure, call);
        out
    }

    fn write_stream_error(&self, failure: &Failure, call: CallId) -> Vec<u8> {
        let mut out = Vec::with_capacity(400);
        stream::frame(&mut out, "error", |data| error::write(data, failure, Some(call)));
        out
    }

    /// `GET /v1/models`: <https://platform.claude.com/docs/en/api/models-list>.
    fn write_models(&self, models: &[Listing<'_>]) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + models.len() * 160);
        write_object(&mut out, |list| {
            list.array("data", |data| {
                for model in models {
                    data.object(|fields| write_listing(fields, model));
                }
            });
            list.bool("has_more", false);
            for (key, model) in [("first_id", models.first()), ("last_id", models.last())] {
                match model {
                    Some(model) => list.string(key, model.id),
                    None => list.null(key),
                }
            }
        });
        out
    }

    /// `GET /v1/models/{id}`: <https://platform.claude.com/docs/en/api/models>.
    fn write_model(&self, model: &Listing<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(160);
        write_object(&mut out, |fields| write_listing(fields, model));
        out
    }

    /// `POST /v1/messages/count_tokens`: <https://platform.claude.com/docs/en/api/messages-count-tokens>.
    fn write_token_count(&self, input_tokens: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        write_object(&mut out, |count| count.number("input_tokens", input_tokens));
        out
    }
}

fn write_listing(fields: &mut Object<'_>, model: &Listing<'_>) {
    let created = Timestamp::from_micros(model.created.saturating_mul(1_000_000));
    fields.string("type", "model");
    fields.string("id", model.id);
    fields.string("display_name", model.id);
    fields.string("created_at", &created.to_rfc3339());
    fields.string("lifecycle", "active");
}

//! Google's `generateContent`, as client side and as provider side: the Gemini API and Gemini on Vertex AI.
//!
//! Shapes follow <https://ai.google.dev/api/generate-content>, <https://ai.google.dev/api/caching#Content> and the type
//! definitions of Google's Python SDK (`google/genai/types.py`). Names come in two spellings, `systemInstruction` and
//! `system_instruction`: both are read, the first is written. The model and whether to stream stand in the path, not in
//! the body. It never knows a model: what differs between models is a flag in [`Quirks`].

mod content;
mod error;
mod finish;
mod head;
mod reply;
mod request;
mod schema;
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

/// The codec of `generateContent`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gemini;

impl Codec for Gemini {
    fn dialect(&self) -> Dialect {
        Dialect::Gemini
    }

    fn head(&self, body: &[u8], asked: &Asked<'_>) -> Result<Head, Error> {
        head::read(body, asked)
    }

    fn edit_request(&self, body: &[u8], head: &Head, edits: &Edits<'_>, _quirks: Quirks) -> Vec<u8> {
        head::edit(body, head, edits)
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

    /// Google's clients always expect usage: it is written whether asked for or not.
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
        stream::frame(&mut out, |data| error::write(data, failure, Some(call)));
        out
    }

    /// `GET /v1beta/models`: <https://ai.google.dev/api/models#method:-models.list>.
    fn write_models(&self, models: &[Listing<'_>]) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + models.len() * 160);
        write_object(&mut out, |list| {
            list.array("models", |items| {
                for model in models {
                    items.object(|fields| write_listing(fields, model));
                }
            });
        });
        out
    }

    /// `GET /v1beta/models/{id}`: <https://ai.google.dev/api/models#method:-models.get>.
    fn write_model(&self, model: &Listing<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(160);
        write_object(&mut out, |fields| write_listing(fields, model));
        out
    }

    /// `:countTokens`: <https://ai.google.dev/api/tokens>.
    fn write_token_count(&self, input_tokens: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        write_object(&mut out, |count| count.number("totalTokens", input_tokens));
        out
    }
}

fn write_listing(fields: &mut Object<'_>, model: &Listing<'_>) {
    fields.joined("name", &["models/", model.id]);
    fields.string("displayName", model.id);
    fields.array("supportedGenerationMethods", |methods| {
        methods.string("generateContent");
        methods.string("streamGenerateContent");
        methods.string("countTokens");
    });
}

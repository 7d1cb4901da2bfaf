//! OpenAI's responses, as client side and as provider side, without state.
//!
//! Shapes follow the type definitions of OpenAI's Python SDK 3.52 (`openai/types/responses`, generated from its OpenAPI
//! document) and <https://platform.openai.com/docs/api-reference/responses>. What would need a reply to be kept (`store`,
//! `previous_response_id`, `conversation`, `background`) is refused; so is an item that stands for one that OpenAI keeps,
//! where it has to be translated.

mod finish;
mod head;
mod item;
mod reply;
mod request;
mod stream;
mod tap;
#[cfg(test)]
mod tests;
mod usage;

use stepwell_types::{CallId, Dialect, Failure};

use crate::chat::{Chat, Reply};
use crate::openai::{self, error};
use crate::stream::{StreamReader, StreamWriter};
use crate::tap::Tap;
use crate::{Asked, Codec, Edits, Error, Head, Listing, Pipe, Quirks, ReplyFacts, UpstreamError, Written};

/// The codec of OpenAI's responses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenaiResponses;

impl Codec for OpenaiResponses {
    fn dialect(&self) -> Dialect {
        Dialect::OpenaiResponses
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

    fn write_request(&self, chat: &Chat<'_>, edits: &Edits<'_>, quirks: Quirks) -> Result<Written, Error> {
        Ok(request::write(chat, edits, quirks))
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

    fn tap(&self, _withhold_usage: bool) -> Box<dyn Pipe> {
        Box::new(Tap::new(self.framing(), tap::Eye::default()))
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(stream::Reader::default())
    }

    fn stream_writer(&self, _include_usage: bool, created: i64) -> Box<dyn StreamWriter> {
        Box::new(stream::Writer::new(created))
    }

    fn read_error(&self, status: u16, body: &[u8]) -> UpstreamError {
        error::read(status, body)
    }

    fn write_error(&self, failure: &Failure, call: Option<CallId>) -> Vec<u8> {
        let mut out = Vec::with_capacity(320);
        error::write(&mut out, failure, call);
        out
    }

    fn write_stream_error(&self, failure: &Failure, call: CallId) -> Vec<u8> {
        stream::write_error(failure, call)
    }

    fn write_models(&self, models: &[Listing<'_>]) -> Vec<u8> {
        openai::write_models(models)
    }

    fn write_model(&self, model: &Listing<'_>) -> Vec<u8> {
        openai::write_model(model)
    }

    fn write_token_count(&self, input_tokens: u64) -> Vec<u8> {
        openai::write_token_count(input_tokens)
    }
}

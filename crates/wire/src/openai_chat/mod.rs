//! OpenAI's chat completions, as client side and as provider side.
//!
//! Shapes follow the type definitions of OpenAI's Python SDK 3.52 (`openai/types/chat`, generated from its OpenAPI
//! document) and <https://platform.openai.com/docs/api-reference/chat>. What other vendors add under the same name
//! (`reasoning_content`, usage in every chunk, tool calls without ids) is read; what is written is OpenAI's own, but
//! for `reasoning_content`, which OpenAI has no word for and every client of those vendors knows.

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

use stepwell_types::{CallId, Dialect, Failure};

use crate::chat::{Chat, Reply};
use crate::openai::{self, error};
use crate::stream::{StreamReader, StreamWriter};
use crate::tap::Tap;
use crate::{Asked, Codec, Edits, Error, Head, Listing, Pipe, Quirks, ReplyFacts, UpstreamError, Written};

/// The codec of OpenAI's chat completions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenaiChat;

impl Codec for OpenaiChat {
    fn dialect(&self) -> Dialect {
        Dialect::OpenaiChat
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

    fn tap(&self, withhold_usage: bool) -> Box<dyn Pipe> {
        Box::new(Tap::new(self.framing(), tap::Watcher::new(withhold_usage)))
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(stream::Reader::default())
    }

    fn stream_writer(&self, include_usage: bool, created: i64) -> Box<dyn StreamWriter> {
        Box::new(stream::Writer::new(include_usage, created))
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
        let mut out = Vec::with_capacity(340);
        stream::frame(&mut out, |out| error::write(out, failure, Some(call)));
        out
    }

    fn write_models(&self, models: &[Listing<'_>]) -> Vec<u8> {
        openai::write_models(models)
    }

    fn write_model(&self, model: &Listing<'_>) -> Vec<u8> {
        openai::write_model(model)
    }

    /// Chat completions have no count of their own: the shape is that of responses.
    fn write_token_count(&self, input_tokens: u64) -> Vec<u8> {
        openai::write_token_count(input_tokens)
    }
}

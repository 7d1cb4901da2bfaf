//! Amazon Bedrock's Converse API, as client side and as provider side.
//!
//! Shapes follow the service model of AWS's own SDKs (`bedrock-runtime/2023-09-30/service-2.json` in botocore 1.44.5) and
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>. The model and whether to stream stand
//! in the path, not in the body; streams are [`Framing::EventStream`]. It never knows a model: what differs between models
//! is a flag in [`Quirks`].

mod content;
mod error;
mod fitting;
mod head;
mod media;
mod reply;
mod request;
mod stop;
mod stream;
mod tap;
#[cfg(test)]
mod tests;
mod usage;

use stepwell_types::{CallId, Dialect, Failure};

use crate::chat::{Chat, Reply};
use crate::framing::Framing;
use crate::json::{Object, write_object};
use crate::stream::{StreamReader, StreamWriter};
use crate::tap::Tap;
use crate::{Asked, Codec, Edits, Error, Head, Listing, Pipe, Quirks, ReplyFacts, UpstreamError, Written};

/// The codec of Converse.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BedrockConverse;

impl Codec for BedrockConverse {
    fn dialect(&self) -> Dialect {
        Dialect::BedrockConverse
    }

    fn framing(&self) -> Framing {
        Framing::EventStream
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

    /// Usage always stands in an event that the client needs: there is nothing to withhold.
    fn tap(&self, _withhold_usage: bool) -> Box<dyn Pipe> {
        Box::new(Tap::new(self.framing(), tap::Eye::default()))
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(stream::Reader::default())
    }

    /// AWS's clients always expect usage: it is written whether asked for or not.
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
        let mut out = Vec::with_capacity(512);
        stream::exception(&mut out, error::exception_of(failure.status), |data| {
            error::write(data, failure, Some(call));
        });
        out
    }

    /// `GET /foundation-models`:
    /// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html>.
    fn write_models(&self, models: &[Listing<'_>]) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + models.len() * 160);
        write_object(&mut out, |list| {
            list.array("modelSummaries", |items| {
                for model in models {
                    items.object(|fields| write_listing(fields, model));
                }
            });
        });
        out
    }

    /// `GET /foundation-models/{id}`:
    /// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_GetFoundationModel.html>.
    fn write_model(&self, model: &Listing<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(160);
        write_object(&mut out, |answer| {
            answer.object("modelDetails", |fields| write_listing(fields, model));
        });
        out
    }

    /// `POST /model/{id}/count-tokens`:
    /// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html>.
    fn write_token_count(&self, input_tokens: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        write_object(&mut out, |count| count.number("inputTokens", input_tokens));
        out
    }
}

fn write_listing(fields: &mut Object<'_>, model: &Listing<'_>) {
    fields.string("modelArn", model.id);
    fields.string("modelId", model.id);
    fields.string("modelName", model.id);
    fields.string("providerName", model.owner);
    fields.array("inputModalities", |modalities| modalities.string("TEXT"));
    fields.array("outputModalities", |modalities| modalities.string("TEXT"));
    fields.bool("responseStreamingSupported", true);
}

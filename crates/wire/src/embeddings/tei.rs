//! The native `/embed` of Text Embeddings Inference: a list of texts in, a bare list of vectors out.
//!
//! <https://huggingface.github.io/text-embeddings-inference/>. A server of it has one model and takes no name; here there are
//! many, so a request names one, in its body (`model`, which such a server passes over) or in its path (`?model=`).

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use stepwell_types::{Blame, CallId, Code, EmbeddingFormat, EmbeddingQuirks, Failure};

use super::openai::{check_input, inputs};
use super::{Codec, Embed, Embeddings, Encoding, Facts, Input, Said, Vector, input_path, lose, lose_all};
use crate::json::{
    Text, keep, object, raw_or_null, read as read_json, read_reply, span, splice, string, write_array,
    write_object,
};
use crate::{Asked, Error, Head, Losses, ReplyFacts, Written};

/// The codec of `/embed`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tei;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Scan<'a> {
    #[serde(borrow, deserialize_with = "raw_or_null")]
    model: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "raw_or_null")]
    inputs: Option<&'a RawValue>,
}

object! {
    struct Body<'a> {
        inputs: &'a RawValue = "inputs",
        dimensions: &'a RawValue = "dimensions",
    }
    // The head has it.
    skipping "model"
}

impl Codec for Tei {
    fn format(&self) -> EmbeddingFormat {
        EmbeddingFormat::Tei
    }

    fn head(&self, body: &[u8], asked: &Asked<'_>) -> Result<(Head, Encoding), Error> {
        let scan: Scan<'_> = read_json(body)?;
        if !body.trim_ascii_start().starts_with(b"{") {
            return Err(Error::new(Code::InvalidRequest, "the body is not a JSON object"));
        }
        let name: Option<Text<'_>> = match scan.model {
            None => None,
            Some(raw) => Some(
                serde_json::from_str(raw.get())
                    .map_err(|_| Error::at(Code::InvalidRequest, "model", "model must be a string"))?,
            ),
        };
        let model = name.as_ref().map(|name| &*name.0).or(asked.model).ok_or_else(|| {
            let message = "model is missing: name one in the body, or in the path as /embed?model=NAME";
            Error::at(Code::InvalidRequest, "model", message)
        })?;
        let input =
            scan.inputs.ok_or_else(|| Error::at(Code::InvalidRequest, "inputs", "inputs is missing"))?;
        check_input("inputs", input)?;
        let model_span = scan.model.and_then(|raw| span(body, raw)).unwrap_or_default();
        let head = Head { model: Arc::from(model), model_span, alternatives: 1, ..Head::default() };
        Ok((head, Encoding::Float))
    }

    fn edit_request(
        &self,
        body: &[u8],
        head: &Head,
        model: &str,
        _quirks: EmbeddingQuirks,
    ) -> Result<Option<Vec<u8>>, Error> {
        if head.model_span.is_empty() || model == &*head.model {
            return Ok(Some(body.to_vec()));
        }
        let mut name = Vec::with_capacity(model.len() + 2);
        string(&mut name, model);
        Ok(Some(splice(body, &mut [(head.model_span.clone(), &name)])))
    }

    fn read_request<'a>(&self, body: &'a [u8]) -> Result<Embed<'a>, Error> {
        let body: Body<'_> = read_json(body)?;
        let input =
            body.inputs.ok_or_else(|| Error::at(Code::InvalidRequest, "inputs", "inputs is missing"))?;
        let mut extra = Vec::new();
        keep(&mut extra, "", body.extra);
        Ok(Embed {
            from: Some(EmbeddingFormat::Tei),
            inputs: inputs("inputs", input)?,
            dimensions: body.dimensions.map(|value| Said { path: "/dimensions", value }),
            extra,
            ..Embed::default()
        })
    }

    fn write_request(
        &self,
        embed: &Embed<'_>,
        model: &str,
        _quirks: EmbeddingQuirks,
    ) -> Result<Written, Error> {
        let mut losses = Losses::default();
        if let Some(index) = embed.inputs.iter().position(|input| matches!(input, Input::Part(_))) {
            let at = input_path(embed, index);
            let message = format!("{at}: {model} takes texts and tokens only");
            return Err(Error::at(Code::UnsupportedParameter, at, message));
        }
        let mut body = Vec::with_capacity(256);
        write_object(&mut body, |object| {
            object.array("inputs", |list| {
                for input in &embed.inputs {
                    match input {
                        Input::Text(text) => list.string(text),
                        Input::Tokens(raw) | Input::Part(raw) => list.raw(raw),
                    }
                }
            });
            object.raw_if("dimensions", embed.dimensions.as_ref().map(|dimensions| dimensions.value));
        });
        lose(&mut losses, embed.purpose.as_ref());
        lose(&mut losses, embed.title.as_ref());
        lose(&mut losses, embed.element.as_ref());
        lose(&mut losses, embed.user.as_ref());
        lose_all(&mut losses, &embed.extra);
        Ok(Written { body, losses })
    }

    /// It says nothing but its vectors.
    fn reply_facts(&self, body: &[u8]) -> Result<Facts, Error> {
        let vectors: Vec<&RawValue> = read_reply(body)?;
        let encoding = vectors.first().map(|raw| Vector::of(raw).encoding());
        Ok(Facts { reply: ReplyFacts::default(), encoding })
    }

    fn read_reply<'a>(&self, body: &'a [u8]) -> Result<Embeddings<'a>, Error> {
        let vectors: Vec<&RawValue> = read_reply(body)?;
        Ok(Embeddings { vectors: vectors.into_iter().map(Vector::of).collect(), ..Embeddings::default() })
    }

    fn write_reply(&self, reply: &Embeddings<'_>, _encoding: Encoding) -> Written {
        let mut losses = Losses::default();
        let mut body = Vec::with_capacity(1 << 12);
        write_array(&mut body, |list| {
            for (index, vector) in reply.vectors.iter().enumerate() {
                if !vector.write(list.item(), Encoding::Float) {
                    losses.note(format!("/{index}"));
                }
            }
        });
        // The form has no place for a model or for usage, which the record and the reply's headers have.
        lose_all(&mut losses, &reply.extra);
        Written { body, losses }
    }

    /// `ErrorResponse` of its OpenAPI description, and beside it what every error of ours says.
    fn write_error(&self, failure: &Failure, call: Option<CallId>) -> Vec<u8> {
        let kind = match (failure.status, failure.code.blame()) {
            (429 | 503, _) => "overloaded",
            (_, Blame::Caller) => "validation",
            (_, Blame::Gateway | Blame::Upstream) => "backend",
        };
        let mut buffer = [0; 36];
        let call: Option<&str> = call.map(|call| call.encode(&mut buffer));
        let mut out = Vec::with_capacity(256);
        write_object(&mut out, |object| {
            object.string("error", &failure.message);
            object.string("error_type", kind);
            object.string_or_null("param", failure.param.as_deref());
            object.string("code", failure.code.as_str());
            object.string_or_null("call_id", call);
            object.joined("docs", &[crate::error::DOCS, failure.code.as_str()]);
        });
        out
    }
}

//! Cohere's `POST /v2/embed`: <https://docs.cohere.com/reference/embed>.
//!
//! A request must say what its vectors are for. Where the caller does not, `search_document` is sent, as for what is to be
//! found: it is what most vectors are for, and Cohere has no word for "nothing in particular". Vectors come by type:
//! `embeddings.float`, `embeddings.base64`, …; base64 is of the bytes of the same single-precision numbers.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use stepwell_types::{Code, EmbeddingFormat, EmbeddingQuirks, Usage};

use super::openai::{check_input, inputs};
use super::{
    Codec, Embed, Embeddings, Encoding, Facts, Input, Purpose, Said, Vector, input_path, lose, lose_all,
};
use crate::chat::Extra;
use crate::json::{
    Text, keep, object, raw_or_null, read as read_json, read_reply, span, splice, string, write_object,
};
use crate::{Asked, Error, Head, Losses, ReplyFacts, Written};

/// The codec of `/v2/embed`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cohere;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Scan<'a> {
    #[serde(borrow, deserialize_with = "raw_or_null")]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    texts: Option<&'a RawValue>,
    #[serde(borrow)]
    images: Option<&'a RawValue>,
    #[serde(borrow)]
    inputs: Option<&'a RawValue>,
    #[serde(borrow)]
    embedding_types: Option<Vec<Text<'a>>>,
}

object! {
    struct Body<'a> {
        texts: &'a RawValue = "texts",
        images: Vec<&'a RawValue> = "images",
        inputs: Vec<&'a RawValue> = "inputs",
        input_type: &'a RawValue = "input_type",
        embedding_types: &'a RawValue = "embedding_types",
        output_dimension: &'a RawValue = "output_dimension",
    }
    // The head has it.
    skipping "model"
}

object! {
    struct Reply<'a> { id: Text<'a> = "id", embeddings: ByType<'a> = "embeddings", meta: Meta = "meta" }
    // What was asked, once more.
    skipping "texts", "images", "inputs", "response_type"
}

object! {
    struct ByType<'a> { float: Vec<&'a RawValue> = "float", base64: Vec<&'a RawValue> = "base64" }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Meta {
    billed_units: Option<Billed>,
}

/// What is charged for. Cohere's numbers are of JSON's type `number`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Billed {
    input_tokens: Option<f64>,
    image_tokens: Option<f64>,
}

impl Billed {
    fn usage(self) -> Option<Usage> {
        let tokens = match (self.input_tokens, self.image_tokens) {
            (None, None) => return None,
            (text, image) => text.unwrap_or(0.0) + image.unwrap_or(0.0),
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count; what is none becomes the nearest that is one"
        )]
        let input_tokens = tokens.ceil() as u64;
        Some(Usage { input_tokens, ..Usage::default() })
    }
}

impl Codec for Cohere {
    fn format(&self) -> EmbeddingFormat {
        EmbeddingFormat::Cohere
    }

    fn head(&self, body: &[u8], _asked: &Asked<'_>) -> Result<(Head, Encoding), Error> {
        let scan: Scan<'_> = read_json(body)?;
        if !body.trim_ascii_start().starts_with(b"{") {
            return Err(Error::new(Code::InvalidRequest, "the body is not a JSON object"));
        }
        let wrong = |field: &str, message: &str| Error::at(Code::InvalidRequest, field, message);
        let model = scan.model.ok_or_else(|| wrong("model", "model is missing"))?;
        let name: Text<'_> =
            serde_json::from_str(model.get()).map_err(|_| wrong("model", "model must be a string"))?;
        let given = [("texts", scan.texts), ("images", scan.images), ("inputs", scan.inputs)];
        let mut is_given = false;
        for (field, raw) in given {
            let Some(raw) = raw else { continue };
            is_given = true;
            check_input(field, raw)?;
            if !raw.get().starts_with('[') {
                return Err(wrong(field, &format!("{field} must be a list")));
            }
        }
        if !is_given {
            return Err(wrong("texts", "texts is missing, and so are images and inputs"));
        }
        let head = Head {
            model: Arc::from(&*name.0),
            model_span: span(body, model).unwrap_or_default(),
            alternatives: 1,
            ..Head::default()
        };
        Ok((head, encoding(scan.embedding_types.as_deref())))
    }

    fn edit_request(
        &self,
        body: &[u8],
        head: &Head,
        model: &str,
        _quirks: EmbeddingQuirks,
    ) -> Result<Option<Vec<u8>>, Error> {
        if model == &*head.model {
            return Ok(Some(body.to_vec()));
        }
        let mut name = Vec::with_capacity(model.len() + 2);
        string(&mut name, model);
        Ok(Some(splice(body, &mut [(head.model_span.clone(), &name)])))
    }

    fn read_request<'a>(&self, body: &'a [u8]) -> Result<Embed<'a>, Error> {
        let body: Body<'_> = read_json(body)?;
        let mut extra = Vec::new();
        let mut embed = Embed {
            from: Some(EmbeddingFormat::Cohere),
            dimensions: body.output_dimension.map(|value| Said { path: "/output_dimension", value }),
            ..Embed::default()
        };
        if let Some(texts) = body.texts {
            embed.inputs = inputs("texts", texts)?;
        }
        let parts = body.images.unwrap_or_default().into_iter().chain(body.inputs.unwrap_or_default());
        embed.inputs.extend(parts.map(Input::Part));
        if embed.inputs.is_empty() {
            return Err(Error::at(
                Code::InvalidRequest,
                "texts",
                "texts is missing, and so are images and inputs",
            ));
        }
        if let Some(raw) = body.input_type {
            let word = serde_json::from_str::<Text<'_>>(raw.get()).ok();
            match word.and_then(|word| Purpose::of_input_type(&word.0)) {
                Some(value) => embed.purpose = Some(Said { path: "/input_type", value }),
                None => extra.push(Extra { path: "/input_type".to_owned(), value: raw }),
            }
        }
        if let Some(raw) = body.embedding_types {
            let types: Vec<Text<'_>> = serde_json::from_str(raw.get()).map_err(|_| {
                let message = "embedding_types must be a list of strings";
                Error::at(Code::InvalidRequest, "embedding_types", message)
            })?;
            embed.encoding = encoding(Some(&types));
            // Others write one type alone, and integers in ways that are not Cohere's.
            if types.len() > 1 || types.iter().any(|one| !matches!(&*one.0, "float" | "base64")) {
                extra.push(Extra { path: "/embedding_types".to_owned(), value: raw });
            }
        }
        keep(&mut extra, "", body.extra);
        embed.extra = extra;
        Ok(embed)
    }

    fn write_request(
        &self,
        embed: &Embed<'_>,
        model: &str,
        _quirks: EmbeddingQuirks,
    ) -> Result<Written, Error> {
        let mut losses = Losses::default();
        let is_text = |input: &Input<'_>| matches!(input, Input::Text(_));
        if let Some(index) = embed.inputs.iter().position(|input| !is_text(input)) {
            let at = input_path(embed, index);
            let message = format!("{at}: {model} takes texts, and images in a form of Cohere's");
            return Err(Error::at(Code::UnsupportedParameter, at, message));
        }
        let mut body = Vec::with_capacity(256);
        write_object(&mut body, |object| {
            object.string("model", model);
            object.array("texts", |list| {
                for input in &embed.inputs {
                    if let Input::Text(text) = input {
                        list.string(text);
                    }
                }
            });
            let word = embed.purpose.as_ref().map_or("search_document", |purpose| {
                let (word, is_said) = purpose.value.as_cohere();
                if !is_said {
                    losses.note(purpose.path);
                }
                word
            });
            object.string("input_type", word);
            let element = embed.element.as_ref().map(|element| &*element.value);
            let kind = element.unwrap_or(match embed.encoding {
                Encoding::Base64 => "base64",
                Encoding::Float | Encoding::AsIs => "float",
            });
            object.array("embedding_types", |types| types.string(kind));
            object.raw_if("output_dimension", embed.dimensions.as_ref().map(|dimensions| dimensions.value));
        });
        lose(&mut losses, embed.title.as_ref());
        lose(&mut losses, embed.user.as_ref());
        lose_all(&mut losses, &embed.extra);
        Ok(Written { body, losses })
    }

    /// Within one form every type passes as it was asked for.
    fn reply_facts(&self, body: &[u8]) -> Result<Facts, Error> {
        let reply = self.read_reply(body)?;
        let id = reply.id.map(Into::into);
        Ok(Facts { reply: ReplyFacts { id, usage: reply.usage, ..ReplyFacts::default() }, encoding: None })
    }

    fn read_reply<'a>(&self, body: &'a [u8]) -> Result<Embeddings<'a>, Error> {
        let reply: Reply<'_> = read_reply(body)?;
        let by_type = reply.embeddings.ok_or_else(missing)?;
        let mut extra = Vec::new();
        keep(&mut extra, "", reply.extra);
        let mut others = by_type.extra;
        let vectors = match (by_type.float, by_type.base64) {
            (Some(vectors), _) | (None, Some(vectors)) => vectors,
            // Integers of some kind: those that were asked for.
            (None, None) if !others.is_empty() => {
                let (name, raw) = others.remove(0);
                serde_json::from_str(raw.get()).map_err(|_| {
                    let at = format!("embeddings.{name}");
                    Error::at(Code::UpstreamInvalid, at.clone(), format!("{at} is no list"))
                })?
            }
            (None, None) => return Err(missing()),
        };
        keep(&mut extra, "/embeddings", others);
        Ok(Embeddings {
            id: reply.id.map(|id| id.0),
            vectors: vectors.into_iter().map(Vector::of).collect(),
            usage: reply.meta.and_then(|meta| meta.billed_units).and_then(Billed::usage),
            extra,
            ..Embeddings::default()
        })
    }

    fn write_reply(&self, reply: &Embeddings<'_>, encoding: Encoding) -> Written {
        let mut losses = Losses::default();
        let mut body = Vec::with_capacity(1 << 12);
        let kind = if encoding == Encoding::Base64 { "base64" } else { "float" };
        write_object(&mut body, |object| {
            object.string("id", reply.id.as_deref().unwrap_or_default());
            object.object("embeddings", |by_type| {
                by_type.array(kind, |list| {
                    for (index, vector) in reply.vectors.iter().enumerate() {
                        if !vector.write(list.item(), encoding) {
                            losses.note(format!("/embeddings/{kind}/{index}"));
                        }
                    }
                });
            });
            object.array("texts", |_| {});
            object.object("meta", |meta| {
                meta.object("api_version", |version| version.string("version", "2"));
                if let Some(usage) = &reply.usage {
                    meta.object("billed_units", |units| units.number("input_tokens", usage.input_tokens));
                }
            });
            object.string("response_type", "embeddings_by_type");
        });
        lose_all(&mut losses, &reply.extra);
        Written { body, losses }
    }
}

/// How vectors of another's are to be written: as floats, unless base64 is the only type of single precision asked for.
fn encoding(types: Option<&[Text<'_>]>) -> Encoding {
    let has = |word: &str| types.unwrap_or_default().iter().any(|one| one.0 == word);
    if has("base64") && !has("float") { Encoding::Base64 } else { Encoding::Float }
}

fn missing() -> Error {
    Error::at(Code::UpstreamInvalid, "embeddings", "the provider's answer has no embeddings")
}

//! What the gateway must know of a request, and the splices that change the names of its model.

use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use stepwell_types::Code;

use crate::embeddings::Encoding;
use crate::json::{Text, read as read_json, span, splice, string};
use crate::{Asked, Error, Head};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Batch<'a> {
    #[serde(borrow)]
    requests: Option<Vec<One<'a>>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct One<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    content: Option<IgnoredAny>,
}

/// Reads the head of a single request.
pub(super) fn one(body: &[u8], asked: &Asked<'_>) -> Result<(Head, Encoding), Error> {
    let request: One<'_> = read(body)?;
    let model = model(asked)?;
    request.check("", model)?;
    Ok((head(model), Encoding::Float))
}

/// Reads the head of a batch.
pub(super) fn batch(body: &[u8], asked: &Asked<'_>) -> Result<(Head, Encoding), Error> {
    let batch: Batch<'_> = read(body)?;
    let model = model(asked)?;
    let requests = batch.requests.unwrap_or_default();
    if requests.is_empty() {
        let message = "requests must be a list with at least one request";
        return Err(Error::at(Code::InvalidRequest, "requests", message));
    }
    for (index, request) in requests.iter().enumerate() {
        request.check(&format!("requests[{index}]."), model)?;
    }
    Ok((head(model), Encoding::Float))
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    let read = read_json(body)?;
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Error::new(Code::InvalidRequest, "the body is not a JSON object"));
    }
    Ok(read)
}

fn model<'a>(asked: &Asked<'a>) -> Result<&'a str, Error> {
    asked.model.ok_or_else(|| Error::at(Code::InvalidRequest, "model", "the path names no model"))
}

fn head(model: &str) -> Head {
    Head { model: Arc::from(model), alternatives: 1, ..Head::default() }
}

impl One<'_> {
    /// A request has a content, and names the model of the path if it names any.
    fn check(&self, at: &str, model: &str) -> Result<(), Error> {
        let wrong = |field: &str, message: String| {
            Err(Error::at(Code::InvalidRequest, format!("{at}{field}"), message))
        };
        if self.content.is_none() {
            return wrong("content", format!("{at}content is missing"));
        }
        let Some(raw) = self.model else { return Ok(()) };
        match serde_json::from_str::<Text<'_>>(raw.get()) {
            Ok(name) if name.0.strip_prefix("models/").unwrap_or(&name.0) == model => Ok(()),
            Ok(name) => wrong("model", format!("{at}model is `{}`, and the path names `{model}`", name.0)),
            Err(_) => wrong("model", format!("{at}model must be a string")),
        }
    }
}

/// The body with the model's name at the target spliced in.
pub(super) fn edit_one(body: &[u8], head: &Head, model: &str) -> Result<Vec<u8>, Error> {
    let request: One<'_> = read_json(body)?;
    Ok(renamed(body, head, model, request.model.into_iter()))
}

/// The body with the model's name at the target spliced into each request.
pub(super) fn edit_batch(body: &[u8], head: &Head, model: &str) -> Result<Vec<u8>, Error> {
    let batch: Batch<'_> = read_json(body)?;
    let requests = batch.requests.unwrap_or_default();
    Ok(renamed(body, head, model, requests.iter().filter_map(|request| request.model)))
}

fn renamed<'a>(body: &[u8], head: &Head, model: &str, names: impl Iterator<Item = &'a RawValue>) -> Vec<u8> {
    if model == &*head.model {
        return body.to_vec();
    }
    let mut name = Vec::with_capacity(model.len() + 9);
    string(&mut name, &format!("models/{model}"));
    let spans = names.filter_map(|raw| span(body, raw));
    let mut changes: Vec<(Range<usize>, &[u8])> = spans.map(|span| (span, name.as_slice())).collect();
    splice(body, &mut changes)
}

//! What the gateway must know of a request, found by one scan of the body's top level, and the splice that changes it.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use stepwell_types::{Code, EmbeddingQuirks, PurposeWords};

use crate::embeddings::{Encoding, Purpose};
use crate::json::{Text, raw_or_null, read as read_json, span, splice, string};
use crate::openai::tags;
use crate::{Error, Head};

/// The fields that are acted on, and those that one vendor knows and another does not. A null is kept: it has been said.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Scan<'a> {
    #[serde(borrow, deserialize_with = "raw_or_null")]
    model: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "raw_or_null")]
    input: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "raw_or_null")]
    encoding_format: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "raw_or_null")]
    embedding_type: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "raw_or_null")]
    dimensions: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "raw_or_null")]
    output_dimension: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "raw_or_null")]
    output_dtype: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "raw_or_null")]
    input_type: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "raw_or_null")]
    task: Option<&'a RawValue>,
    #[serde(borrow)]
    user: Option<Text<'a>>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

/// Reads the head, and how the vectors are to be written.
pub(super) fn read(body: &[u8]) -> Result<(Head, Encoding), Error> {
    let scan: Scan<'_> = read_json(body)?;
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Error::new(Code::InvalidRequest, "the body is not a JSON object"));
    }
    let model = scan.model.ok_or_else(|| Error::at(Code::InvalidRequest, "model", "model is missing"))?;
    let name: Text<'_> = serde_json::from_str(model.get())
        .map_err(|_| Error::at(Code::InvalidRequest, "model", "model must be a string"))?;
    let input = scan.input.ok_or_else(|| Error::at(Code::InvalidRequest, "input", "input is missing"))?;
    check_input("input", input)?;
    let encoding = scan.encoding()?;
    let head = Head {
        model: Arc::from(&*name.0),
        model_span: span(body, model).unwrap_or_default(),
        alternatives: 1,
        user: scan.user.map(|user| Arc::from(&*user.0)),
        tags: scan.metadata.map(tags).unwrap_or_default(),
        ..Head::default()
    };
    Ok((head, encoding))
}

/// Refuses what is nothing to embed in any vendor's form. What is in a list is for its reader to judge.
pub(in crate::embeddings) fn check_input(field: &str, input: &RawValue) -> Result<(), Error> {
    let text = input.get();
    let wrong = |message: String| Err(Error::at(Code::InvalidRequest, field, message));
    match text.as_bytes().first() {
        Some(b'[') if text.get(1..).is_some_and(|rest| rest.trim_ascii_start().starts_with(']')) => {
            wrong(format!("{field} must not be an empty list"))
        }
        Some(b'"' | b'[' | b'{') => Ok(()),
        _ => wrong(format!("{field} must be a string or a list")),
    }
}

fn is_said(raw: Option<&RawValue>) -> bool {
    raw.is_some_and(|raw| raw.get() != "null")
}

/// A string that is said.
fn text<'a>(field: &str, raw: Option<&'a RawValue>) -> Result<Option<Text<'a>>, Error> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Ok(None) };
    serde_json::from_str(raw.get())
        .map(Some)
        .map_err(|_| Error::at(Code::InvalidRequest, field, format!("{field} must be a string")))
}

impl Scan<'_> {
    /// How the vectors are to be written. A list of types, or numbers that are no floats, are between the two sides.
    fn encoding(&self) -> Result<Encoding, Error> {
        let is_of_floats =
            text("output_dtype", self.output_dtype)?.is_none_or(|element| element.0 == "float");
        let format = text("encoding_format", self.encoding_format)?;
        let kind = self.embedding_type.map_or("null", RawValue::get);
        Ok(match (format.as_ref().map(|format| &*format.0), kind) {
            _ if !is_of_floats => Encoding::AsIs,
            (Some("base64"), _) | (None, r#""base64""#) => Encoding::Base64,
            (Some("float") | None, "null" | r#""float""#) => Encoding::Float,
            _ => Encoding::AsIs,
        })
    }

    /// Whether the target reads the request as the caller means it.
    fn is_at_home(&self, quirks: EmbeddingQuirks) -> bool {
        if quirks.purpose == PurposeWords::Unknown {
            return !(quirks.no_null && self.encoding_format.is_some_and(|format| format.get() == "null"));
        }
        let format = self.encoding_format.map(RawValue::get);
        let is_asked_in_its_words = match format {
            Some(_) if quirks.embedding_type => false,
            Some("null") => !quirks.no_null,
            Some(r#""float""#) => !quirks.unasked_floats,
            Some(r#""base64""#) => !quirks.floats_only,
            Some(_) | None => true,
        };
        let known_length = if quirks.output_fields { self.dimensions } else { self.output_dimension };
        is_asked_in_its_words
            && (self.embedding_type.is_none() || quirks.embedding_type)
            && known_length.is_none()
            && (self.output_dtype.is_none() || quirks.output_fields)
            && self.is_purpose_at_home(quirks.purpose)
    }

    fn is_purpose_at_home(&self, words: PurposeWords) -> bool {
        let (own, other) = match words {
            PurposeWords::Unknown => return true,
            PurposeWords::None => return self.input_type.is_none() && self.task.is_none(),
            PurposeWords::QueryDocument | PurposeWords::QueryPassage => (self.input_type, self.task),
            PurposeWords::Tasks => (self.task, self.input_type),
        };
        let is_its_word = |raw: &RawValue| {
            let Ok(word) = serde_json::from_str::<Text<'_>>(raw.get()) else { return true };
            if words == PurposeWords::Tasks {
                return true;
            }
            // A word that nobody knows may be a new one of its own.
            let purpose = Purpose::of_input_type(&word.0);
            purpose.is_none_or(|purpose| purpose.as_field(words).is_some_and(|(_, known)| known == word.0))
        };
        other.is_none() && own.is_none_or(is_its_word)
    }
}

/// The body with the model spliced in; none where the target would not read it as the caller means it.
pub(super) fn edit(
    body: &[u8],
    head: &Head,
    model: &str,
    quirks: EmbeddingQuirks,
) -> Result<Option<Vec<u8>>, Error> {
    let scan: Scan<'_> = read_json(body)?;
    if quirks.texts_only && is_said(scan.input) && scan.input.is_some_and(holds_tokens) {
        return Ok(None);
    }
    if !scan.is_at_home(quirks) {
        return Ok(None);
    }
    if model == &*head.model {
        return Ok(Some(body.to_vec()));
    }
    let mut name = Vec::with_capacity(model.len() + 2);
    string(&mut name, model);
    Ok(Some(splice(body, &mut [(head.model_span.clone(), &name)])))
}

/// Whether an input begins with tokens.
fn holds_tokens(input: &RawValue) -> bool {
    let inside = input.get().trim_start_matches(|letter: char| letter == '[' || letter.is_ascii_whitespace());
    input.get().starts_with('[') && inside.starts_with(|letter: char| letter.is_ascii_digit())
}

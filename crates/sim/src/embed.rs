//! Vectors for inputs, in OpenAI's and in Google's form. A vector follows from its input, its model and its length alone.

use std::borrow::Cow;
use std::io::Write as _;
use std::time::Duration;

use stepwell_types::Dialect;

use crate::Fault;
use crate::answer::{Answer, Call, Sent};
use crate::check::{Invalid, Path};
use crate::failure::Failure;
use crate::gemini::address::{Action, Address};
use crate::json::Json;
use crate::oracle::Tokens;
use crate::state::Account;
use crate::text::{Draw, Mix};
use crate::{gemini, knobs, openai};

/// The length of a vector where nobody says.
pub(crate) const DIMENSIONS: u32 = 256;
/// The longest vector.
pub(crate) const MOST_DIMENSIONS: u32 = 3_072;

/// A valid request for vectors.
pub(crate) struct Embed<'j> {
    /// Which model, by its place in the options.
    pub(crate) model: u16,
    /// What to embed.
    pub(crate) inputs: Vec<Input<'j>>,
    /// How long a vector shall be.
    pub(crate) dimensions: u32,
    /// Whether vectors shall be in base64.
    pub(crate) base64: bool,
}

/// One thing to embed.
pub(crate) struct Input<'j> {
    /// What it says; tokens as they are written.
    pub(crate) text: Cow<'j, str>,
    /// Its tokens.
    pub(crate) tokens: u32,
}

impl Embed<'_> {
    fn tokens(&self) -> u32 {
        self.inputs.iter().fold(0, |sum, input| sum.saturating_add(input.tokens))
    }
}

/// The vector of an input, of length one.
pub(crate) fn vector(model: &str, text: &str, dimensions: u32) -> Vec<f32> {
    let mut mix = Mix::new();
    mix.bytes(model.as_bytes());
    mix.bytes(text.as_bytes());
    let mut draw = Draw::new(mix.value());
    let raw: Vec<f64> = (0..dimensions)
        .map(|_| f64::from(u32::try_from(draw.next() >> 32).unwrap_or(0)) / f64::from(u32::MAX) - 0.5)
        .collect();
    let length = raw.iter().map(|number| number * number).sum::<f64>().sqrt();
    #[expect(clippy::cast_possible_truncation, reason = "vectors are of single precision")]
    raw.iter().map(|number| (number / length) as f32).collect()
}

/// Writes a vector as an array of numbers.
pub(crate) fn numbers(out: &mut Vec<u8>, vector: &[f32]) {
    out.push(b'[');
    for (index, number) in vector.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        // Writing to a vector does not fail.
        write!(out, "{number:?}").unwrap_or_default();
    }
    out.push(b']');
}

/// Writes a vector as base64 (RFC 4648 §4) of its little-endian bytes, in quotes.
pub(crate) fn base64(out: &mut Vec<u8>, vector: &[f32]) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    out.push(b'"');
    for three in bytes.chunks(3) {
        let word =
            three.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = usize::try_from(word >> (18 - 6 * place) & 63).unwrap_or(0);
            out.push(if place <= three.len() { LETTERS[letter] } else { b'=' });
        }
    }
    out.push(b'"');
}

impl Call<'_> {
    /// Answers a request for vectors.
    pub(crate) fn embed(&self, account: Account, json: &Json<'_>) -> Answer {
        let models = &self.state.models;
        let address = Address::read(self.path);
        let read = match address {
            Some(address) => gemini::embed::read(json, models, address),
            None => openai::embed::read(json, models),
        };
        match read {
            Ok(embed) => self.vectors(account, &embed, address.map(|address| address.action)),
            Err(invalid) => self.refuse(account, &invalid),
        }
    }

    fn vectors(&self, mut account: Account, embed: &Embed<'_>, action: Option<Action>) -> Answer {
        let Some(model) = self.state.models.get(embed.model) else {
            return self.fail(account, &Failure::new(self.dialect, 500, "the model is gone"));
        };
        account.note(|row| row.model = Some(embed.model));
        if let Err(invalid) = self.check(embed, &model.name, model.embeds(), model.context_tokens) {
            return self.refuse(account, &invalid);
        }
        let text = embed.inputs.last().map_or("", |input| &input.text);
        let knobs = match knobs::read(self.headers, text, self.state.options.timing, self.dialect) {
            Ok(knobs) => knobs,
            Err(message) => return self.fail(account, &Failure::new(self.dialect, 400, message)),
        };
        let fault = self.fault(knobs.fault.clone(), &model.name);
        account.note(|row| row.fault = fault.as_ref().map(Fault::name));
        let wait = fault.as_ref().map_or(Duration::ZERO, Fault::head_delay);
        let mut account = match self.before_reply(account, fault.as_ref(), false) {
            Ok(account) => account,
            Err(deed) => return Answer { wait, deed: *deed },
        };
        let tokens = Tokens { input: embed.tokens(), ..Tokens::default() };
        account.note(|row| {
            row.status = 200;
            row.billed = true;
            row.tokens = tokens;
        });
        let body = match action {
            None => openai::embed::write(&model.name, embed),
            Some(Action::Embed) => gemini::embed::write_one(&model.name, embed),
            Some(_) => gemini::embed::write_batch(&model.name, embed),
        };
        self.whole(account, Sent { tokens, timing: knobs.timing, fault: fault.as_ref(), wait }, body)
    }

    fn check(&self, embed: &Embed<'_>, name: &str, embeds: bool, most: u32) -> Result<(), Invalid> {
        if !embeds {
            let message = match self.dialect {
                Dialect::Gemini => format!("models/{name} is not supported for embedContent."),
                _ => format!("You are not allowed to generate embeddings from this model: {name}"),
            };
            return Err(Path::ROOT.key("model").rule(message));
        }
        let place = Path::ROOT.key(if self.dialect == Dialect::Gemini { "requests" } else { "input" });
        match embed.inputs.iter().find(|input| input.tokens > most) {
            None => Ok(()),
            Some(input) => Err(place.rule(format!(
                "This model's maximum context length is {most} tokens, however you requested {} tokens.",
                input.tokens
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_follows_from_its_input_and_has_length_one() {
        let one = vector("embed", "a", 64);
        assert_eq!(one, vector("embed", "a", 64));
        assert_ne!(one, vector("embed", "b", 64));
        assert_ne!(one, vector("other", "a", 64));
        let length: f32 = one.iter().map(|number| number * number).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }

    #[test]
    fn base64_is_what_others_write() {
        // `base64.b64encode(numpy.array([...], "float32").tobytes())`
        for (numbers, text) in [
            (&[0.5, -1.0, 2.0][..], r#""AAAAPwAAgL8AAABA""#),
            (&[0.5], r#""AAAAPw==""#),
            (&[0.5, 1.5], r#""AAAAPwAAwD8=""#),
            (&[], r#""""#),
        ] {
            let mut out = Vec::new();
            base64(&mut out, numbers);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}

//! Vectors between numbers and base64: little-endian `f32`, as OpenAI writes them.

use std::borrow::Cow;
use std::io::Write as _;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::value::RawValue;

use crate::json::{Text, string};

/// How a vector is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Encoding {
    /// A JSON array of numbers.
    #[default]
    Float,
    /// Base64 of little-endian `f32`: what OpenAI's SDKs ask for unless told otherwise.
    Base64,
    /// In a way that only the two sides know: it passes as it comes.
    AsIs,
}

/// A vector as it came.
#[derive(Clone, Debug)]
pub enum Vector<'a> {
    /// JSON that is no string: an array of numbers, or of arrays of them.
    Json(&'a RawValue),
    /// A string.
    Text(Cow<'a, str>),
}

/// Base64 that is read with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl<'a> Vector<'a> {
    /// The vector that `raw` is.
    pub(super) fn of(raw: &'a RawValue) -> Self {
        match serde_json::from_str::<Text<'_>>(raw.get()) {
            Ok(text) => Self::Text(text.0),
            Err(_) => Self::Json(raw),
        }
    }

    /// How it is written.
    pub const fn encoding(&self) -> Encoding {
        match self {
            Self::Json(_) => Encoding::Float,
            Self::Text(_) => Encoding::Base64,
        }
    }

    /// Writes it in `encoding`. Where that cannot say it (numbers no `f32` holds, a vector for each token), it is written
    /// as it came; gives whether it could be said.
    pub(super) fn write(&self, out: &mut Vec<u8>, encoding: Encoding) -> bool {
        match (self, encoding) {
            (Self::Json(raw), Encoding::Base64) => {
                if let Some(bytes) = to_bytes(raw.get()) {
                    out.push(b'"');
                    out.extend_from_slice(BASE64.encode(bytes).as_bytes());
                    out.push(b'"');
                    return true;
                }
                out.extend_from_slice(raw.get().as_bytes());
                false
            }
            (Self::Text(text), Encoding::Float) => {
                if write_numbers(out, text).is_some() {
                    return true;
                }
                string(out, text);
                false
            }
            (Self::Json(raw), Encoding::Float | Encoding::AsIs) => {
                out.extend_from_slice(raw.get().as_bytes());
                true
            }
            (Self::Text(text), Encoding::Base64 | Encoding::AsIs) => {
                string(out, text);
                true
            }
        }
    }
}

/// The bytes of the numbers in a JSON array. Each is the `f32` nearest to its decimal text.
fn to_bytes(array: &str) -> Option<Vec<u8>> {
    let inside = array.strip_prefix('[')?.strip_suffix(']')?;
    if inside.trim_ascii().is_empty() {
        return Some(Vec::new());
    }
    let mut bytes = Vec::with_capacity(inside.len() / 2);
    for number in inside.split(',') {
        let number: f32 = number.trim_ascii().parse().ok()?;
        number.is_finite().then(|| bytes.extend_from_slice(&number.to_le_bytes()))?;
    }
    Some(bytes)
}

/// Writes the numbers in base64 as a JSON array: each the shortest text that reads back as the same `f32`. On failure
/// nothing is written.
fn write_numbers(out: &mut Vec<u8>, text: &str) -> Option<()> {
    let bytes = BASE64.decode(text).ok()?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then_some(())?;
    let start = out.len();
    out.push(b'[');
    for (index, number) in numbers.iter().enumerate() {
        let number = f32::from_le_bytes(*number);
        if index > 0 {
            out.push(b',');
        }
        // Its debug form turns to an exponent where its display form would be a row of zeros.
        if !number.is_finite() || write!(out, "{number:?}").is_err() {
            out.truncate(start);
            return None;
        }
    }
    out.push(b']');
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(vector: &Vector<'_>, encoding: Encoding) -> (String, bool) {
        let mut out = Vec::new();
        let said = vector.write(&mut out, encoding);
        (String::from_utf8(out).unwrap(), said)
    }

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn numbers_become_what_openai_writes_and_come_back() {
        // 0.5, -1 and 2 as `numpy.array([...], "float32").tobytes()`.
        let (array, base64) = (raw("[0.5, -1 ,2e0]"), raw(r#""AAAAPwAAgL8AAABA""#));
        assert_eq!(written(&Vector::of(&array), Encoding::Base64), (base64.get().to_owned(), true));
        assert_eq!(written(&Vector::of(&base64), Encoding::Float), ("[0.5,-1.0,2.0]".to_owned(), true));
        assert_eq!(written(&Vector::of(&raw(r#""AAAAPw""#)), Encoding::Float).0, "[0.5]");
        assert_eq!(written(&Vector::of(&raw("[ ]")), Encoding::Base64), (r#""""#.to_owned(), true));
    }

    #[test]
    fn what_the_other_form_cannot_say_stays_as_it_came() {
        for array in ["[[0.5],[1]]", "[1e39]", r#"["a"]"#, "[null]", "{}", "7"] {
            assert_eq!(written(&Vector::of(&raw(array)), Encoding::Base64), (array.to_owned(), false));
        }
        // No base64; three bytes; an infinity.
        for text in [r#""?""#, r#""AAAA""#, r#""AACAfw==""#] {
            assert_eq!(written(&Vector::of(&raw(text)), Encoding::Float), (text.to_owned(), false));
        }
    }

    #[test]
    fn what_nobody_asked_to_change_does_not() {
        for text in ["[0.50, 1]", r#""AAAAPw==""#] {
            assert_eq!(written(&Vector::of(&raw(text)), Encoding::AsIs), (text.to_owned(), true));
        }
    }

    proptest! {
        #[test]
        fn an_f32_keeps_its_bits_through_base64_and_numbers(bits in proptest::collection::vec(any::<u32>(), 0..40)) {
            let numbers: Vec<f32> =
                bits.iter().map(|bits| f32::from_bits(*bits)).filter(|number| number.is_finite()).collect();
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            let base64 = raw(&format!("\"{}\"", BASE64.encode(&bytes)));
            let (array, said) = written(&Vector::of(&base64), Encoding::Float);
            prop_assert!(said);
            prop_assert_eq!(written(&Vector::of(&raw(&array)), Encoding::Base64), (base64.get().to_owned(), true));
            // A reader of doubles, as most are, gets the same `f32` too.
            let doubles: Vec<f64> = serde_json::from_str(&array).unwrap();
            #[expect(clippy::cast_possible_truncation, reason = "the point of the test")]
            let narrowed: Vec<u8> = doubles.iter().flat_map(|number| (*number as f32).to_le_bytes()).collect();
            prop_assert_eq!(narrowed, bytes);
        }
    }
}

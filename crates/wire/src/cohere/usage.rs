//! What Cohere metered, normalised. <https://docs.cohere.com/v2/reference/chat#response.body.usage>
//!
//! Cohere counts twice. `tokens` is what the model read and wrote, with what Cohere itself put into the prompt and the
//! special tokens that its models write; `billed_units` is what is charged for: "the billed input and output tokens are the
//! tokens that you're actually billed for", the others "you are not charged for"
//! (<https://docs.cohere.com/docs/how-does-cohere-pricing-work>). Money follows `billed_units`, so they are the usage;
//! `tokens` stand in only where Cohere says nothing of its bill, and are then too many rather than too few.
//!
//! `cached_tokens` are "prompt tokens that hit the inference cache", Cohere's own among them: as many of them as there are
//! billed tokens count, since a cache gives no more of the input than there is. Thinking is part of the output, and Cohere
//! does not say how much of it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};
use stepwell_types::Usage;

use crate::json::Object;

/// `usage` of a reply or of the event that ends a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    billed_units: Option<Pair>,
    tokens: Option<Pair>,
    cached_tokens: Option<Count>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
struct Pair {
    input_tokens: Option<Count>,
    output_tokens: Option<Count>,
}

/// A count. Cohere's are of JSON's type `number`: `37.0` is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count(u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CountVisitor;
        impl Visitor<'_> for CountVisitor {
            type Value = Count;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a count of tokens")
            }

            fn visit_u64<E>(self, count: u64) -> Result<Count, E> {
                Ok(Count(count))
            }

            fn visit_f64<E: serde::de::Error>(self, count: f64) -> Result<Count, E> {
                /// Up to here every whole number is a float of its own.
                const EXACT: f64 = 9_007_199_254_740_992.0;
                if !(0.0..=EXACT).contains(&count) {
                    return Err(E::custom(format_args!("{count} is no count of tokens")));
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "it is neither negative nor too large, and a part of a token counts as one"
                )]
                Ok(Count(count.ceil() as u64))
            }
        }
        deserializer.deserialize_any(CountVisitor)
    }
}

impl Counts {
    /// The usage; none where neither side was metered.
    pub(super) fn usage(&self) -> Option<Usage> {
        let (billed, all) = (self.billed_units.unwrap_or_default(), self.tokens.unwrap_or_default());
        let input = billed.input_tokens.or(all.input_tokens);
        let output = billed.output_tokens.or(all.output_tokens);
        if input.is_none() && output.is_none() {
            return None;
        }
        let input_tokens = input.map_or(0, |count| count.0);
        Some(Usage {
            input_tokens,
            cache_read_tokens: self.cached_tokens.map_or(0, |count| count.0).min(input_tokens),
            output_tokens: output.map_or(0, |count| count.0),
            ..Usage::default()
        })
    }
}

/// Writes `usage`: what was metered was billed.
pub(super) fn write(object: &mut Object<'_>, usage: &Usage) {
    object.object("usage", |counts| {
        for key in ["billed_units", "tokens"] {
            counts.object(key, |pair| {
                pair.number("input_tokens", usage.input_tokens);
                pair.number("output_tokens", usage.output_tokens);
            });
        }
        if usage.cache_read_tokens > 0 {
            counts.number("cached_tokens", usage.cache_read_tokens);
        }
    });
}

/// What was metered and has no place in `usage`.
pub(super) fn unsayable(usage: &Usage) -> impl Iterator<Item = &'static str> {
    let written = usage.cache_write_5m_tokens.saturating_add(usage.cache_write_1h_tokens);
    let kinds = [
        ("/usage/cache_creation_input_tokens", written),
        ("/usage/prompt_tokens_details/audio_tokens", usage.input_audio_tokens),
        ("/usage/completion_tokens_details/reasoning_tokens", usage.reasoning_tokens),
        ("/usage/completion_tokens_details/audio_tokens", usage.output_audio_tokens),
    ];
    kinds.into_iter().filter(|(_, count)| *count > 0).map(|(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::write_object;

    fn read(json: &str) -> Option<Usage> {
        serde_json::from_str::<Counts>(json).unwrap().usage()
    }

    #[test]
    fn what_is_billed_is_metered() {
        // Cohere's own example of why the two differ.
        let usage = read(
            r#"{"billed_units":{"input_tokens":6772,"output_tokens":248},
                "tokens":{"input_tokens":7596,"output_tokens":645}}"#,
        )
        .unwrap();
        assert_eq!((usage.input_tokens, usage.output_tokens), (6772, 248));
    }

    #[test]
    fn where_nothing_is_said_of_the_bill_all_tokens_count() {
        let usage = read(r#"{"tokens":{"input_tokens":71.0,"output_tokens":26}}"#).unwrap();
        assert_eq!((usage.input_tokens, usage.output_tokens), (71, 26));
        let usage = read(r#"{"billed_units":{"search_units":1},"tokens":{"input_tokens":7}}"#).unwrap();
        assert_eq!((usage.input_tokens, usage.output_tokens), (7, 0));
        for nothing in ["{}", r#"{"billed_units":null,"cached_tokens":3}"#, r#"{"tokens":{}}"#] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn no_more_of_the_input_was_cached_than_there_is() {
        let cached = |cached: u64| {
            read(&format!(
                r#"{{"billed_units":{{"input_tokens":100,"output_tokens":5}},
                    "tokens":{{"input_tokens":600,"output_tokens":5}},"cached_tokens":{cached}}}"#
            ))
            .unwrap()
        };
        assert_eq!(cached(64).cache_read_tokens, 64);
        assert_eq!(cached(560).cache_read_tokens, 100);
        assert!(cached(560).is_consistent());
    }

    #[test]
    fn a_count_may_be_written_as_a_float_and_must_be_one() {
        assert_eq!(read(r#"{"tokens":{"input_tokens":36.5}}"#).unwrap().input_tokens, 37);
        for wrong in ["-1", "-1.0", "1e300", "\"7\"", "[]"] {
            let json = format!(r#"{{"tokens":{{"input_tokens":{wrong}}}}}"#);
            assert!(serde_json::from_str::<Counts>(&json).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let usage = Usage { input_tokens: 10, cache_read_tokens: 4, output_tokens: 9, ..Usage::default() };
        let mut out = Vec::new();
        write_object(&mut out, |object| write(object, &usage));
        let written: std::collections::BTreeMap<String, Counts> = serde_json::from_slice(&out).unwrap();
        assert_eq!(written["usage"].usage(), Some(usage));
        assert_eq!(unsayable(&usage).count(), 0);
        let thought = Usage { reasoning_tokens: 3, cache_write_1h_tokens: 1, ..usage };
        assert_eq!(unsayable(&thought).count(), 2);
    }
}

//! What was metered, normalised: `input_tokens` includes what the cache gave, `output_tokens` includes reasoning.
//! <https://platform.openai.com/docs/api-reference/responses/object>, `response_usage.py`

use serde::Deserialize;
use stepwell_types::Usage;

use crate::json::Object;

/// `usage` of a response.
#[derive(Clone, Copy, Deserialize, Debug, Default)]
pub(super) struct Counts {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    input_tokens_details: Option<InputDetails>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Clone, Copy, Deserialize, Debug, Default)]
struct InputDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

#[derive(Clone, Copy, Deserialize, Debug, Default)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
}

impl Counts {
    /// The usage, where both sides or one were counted.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.input_tokens.is_none() && self.output_tokens.is_none() {
            return None;
        }
        let (input, output) =
            (self.input_tokens_details.unwrap_or_default(), self.output_tokens_details.unwrap_or_default());
        Some(Usage {
            input_tokens: self.input_tokens.unwrap_or(0),
            cache_read_tokens: input.cached_tokens.unwrap_or(0),
            cache_write_5m_tokens: input.cache_write_tokens.unwrap_or(0),
            output_tokens: self.output_tokens.unwrap_or(0),
            reasoning_tokens: output.reasoning_tokens.unwrap_or(0),
            ..Usage::default()
        })
    }
}

/// Writes `usage`. OpenAI has one lifetime of cache writes: those of both are one figure.
pub(super) fn write(object: &mut Object<'_>, usage: &Usage) {
    let written = usage.cache_write_5m_tokens.saturating_add(usage.cache_write_1h_tokens);
    object.object("usage", |counts| {
        counts.number("input_tokens", usage.input_tokens);
        counts.object("input_tokens_details", |details| {
            details.number("cached_tokens", usage.cache_read_tokens);
            details.number("cache_write_tokens", written);
        });
        counts.number("output_tokens", usage.output_tokens);
        counts.object("output_tokens_details", |details| {
            details.number("reasoning_tokens", usage.reasoning_tokens);
        });
        counts.number("total_tokens", usage.input_tokens.saturating_add(usage.output_tokens));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::write_object;

    fn read(json: &str) -> Option<Usage> {
        serde_json::from_str::<Counts>(json).unwrap().usage()
    }

    #[test]
    fn cached_is_part_of_the_input_and_reasoning_of_the_output() {
        let usage = read(
            r#"{"input_tokens":2006,"input_tokens_details":{"cached_tokens":1920,"cache_write_tokens":5},
                "output_tokens":300,"output_tokens_details":{"reasoning_tokens":256},"total_tokens":2306}"#,
        )
        .unwrap();
        assert_eq!((usage.input_tokens, usage.cache_read_tokens, usage.output_tokens), (2006, 1920, 300));
        assert_eq!((usage.reasoning_tokens, usage.cache_write_5m_tokens), (256, 5));
        assert!(usage.is_consistent());
        assert_eq!(read(r#"{"input_tokens":null}"#), None);
        assert_eq!(read(r#"{"input_tokens":7,"input_tokens_details":null}"#).unwrap().input_tokens, 7);
    }

    #[test]
    fn what_is_written_reads_back() {
        let usage = Usage {
            input_tokens: 10,
            cache_read_tokens: 4,
            cache_write_5m_tokens: 2,
            output_tokens: 9,
            reasoning_tokens: 8,
            ..Usage::default()
        };
        let mut out = Vec::new();
        write_object(&mut out, |object| write(object, &usage));
        let written: std::collections::BTreeMap<String, Counts> = serde_json::from_slice(&out).unwrap();
        assert_eq!(written["usage"].usage(), Some(usage));
    }
}

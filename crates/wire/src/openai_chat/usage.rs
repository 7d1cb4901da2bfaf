//! What OpenAI metered, normalised: `prompt_tokens` includes what the cache gave, `completion_tokens` includes
//! reasoning. <https://platform.openai.com/docs/api-reference/chat/object>

use serde::Deserialize;
use stepwell_types::Usage;

use crate::json::{Field, Object, Scanner};

/// `usage` of a reply or of a chunk.
#[derive(Clone, Copy, Deserialize, Debug, Default)]
pub(super) struct Counts {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek's word for `prompt_tokens_details.cached_tokens`.
    prompt_cache_hit_tokens: Option<u64>,
}

#[derive(Clone, Copy, Deserialize, Debug, Default)]
struct PromptDetails {
    #[serde(rename = "cached_tokens")]
    cached: Option<u64>,
    #[serde(rename = "cache_write_tokens")]
    written: Option<u64>,
    #[serde(rename = "audio_tokens")]
    audio: Option<u64>,
}

#[derive(Clone, Copy, Deserialize, Debug, Default)]
struct CompletionDetails {
    #[serde(rename = "reasoning_tokens")]
    reasoning: Option<u64>,
    #[serde(rename = "audio_tokens")]
    audio: Option<u64>,
}

impl PromptDetails {
    fn scan(scanner: &mut Scanner<'_>) -> Option<Self> {
        let (mut cached, mut written, mut audio) = (Field::default(), Field::default(), Field::default());
        scanner.object(|scanner, key| match key {
            "cached_tokens" => scanner.once(&mut cached, Scanner::number),
            "cache_write_tokens" => scanner.once(&mut written, Scanner::number),
            "audio_tokens" => scanner.once(&mut audio, Scanner::number),
            _ => scanner.skip(),
        })?;
        Some(Self { cached: cached.value(), written: written.value(), audio: audio.value() })
    }
}

impl CompletionDetails {
    fn scan(scanner: &mut Scanner<'_>) -> Option<Self> {
        let (mut reasoning, mut audio) = (Field::default(), Field::default());
        scanner.object(|scanner, key| match key {
            "reasoning_tokens" => scanner.once(&mut reasoning, Scanner::number),
            "audio_tokens" => scanner.once(&mut audio, Scanner::number),
            _ => scanner.skip(),
        })?;
        Some(Self { reasoning: reasoning.value(), audio: audio.value() })
    }
}

impl Counts {
    /// Reads what its parser reads.
    pub(super) fn scan(scanner: &mut Scanner<'_>) -> Option<Self> {
        let mut prompt_tokens = Field::default();
        let mut completion_tokens = Field::default();
        let mut prompt_tokens_details = Field::default();
        let mut completion_tokens_details = Field::default();
        let mut prompt_cache_hit_tokens = Field::default();
        scanner.object(|scanner, key| match key {
            "prompt_tokens" => scanner.once(&mut prompt_tokens, Scanner::number),
            "completion_tokens" => scanner.once(&mut completion_tokens, Scanner::number),
            "prompt_tokens_details" => scanner.once(&mut prompt_tokens_details, PromptDetails::scan),
            "completion_tokens_details" => {
                scanner.once(&mut completion_tokens_details, CompletionDetails::scan)
            }
            "prompt_cache_hit_tokens" => scanner.once(&mut prompt_cache_hit_tokens, Scanner::number),
            _ => scanner.skip(),
        })?;
        Some(Self {
            prompt_tokens: prompt_tokens.value(),
            completion_tokens: completion_tokens.value(),
            prompt_tokens_details: prompt_tokens_details.value(),
            completion_tokens_details: completion_tokens_details.value(),
            prompt_cache_hit_tokens: prompt_cache_hit_tokens.value(),
        })
    }

    /// The usage; none where neither side was metered.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.prompt_tokens.is_none() && self.completion_tokens.is_none() {
            return None;
        }
        let prompt = self.prompt_tokens_details.unwrap_or_default();
        let completion = self.completion_tokens_details.unwrap_or_default();
        Some(Usage {
            input_tokens: self.prompt_tokens.unwrap_or(0),
            cache_read_tokens: prompt.cached.or(self.prompt_cache_hit_tokens).unwrap_or(0),
            cache_write_5m_tokens: prompt.written.unwrap_or(0),
            cache_write_1h_tokens: 0,
            input_audio_tokens: prompt.audio.unwrap_or(0),
            output_tokens: self.completion_tokens.unwrap_or(0),
            reasoning_tokens: completion.reasoning.unwrap_or(0),
            output_audio_tokens: completion.audio.unwrap_or(0),
        })
    }
}

/// Writes `usage`. OpenAI has one lifetime of cache writes: those of both are one figure.
pub(super) fn write(object: &mut Object<'_>, usage: &Usage) {
    let written = usage.cache_write_5m_tokens.saturating_add(usage.cache_write_1h_tokens);
    object.object("usage", |counts| {
        counts.number("prompt_tokens", usage.input_tokens);
        counts.number("completion_tokens", usage.output_tokens);
        counts.number("total_tokens", usage.input_tokens.saturating_add(usage.output_tokens));
        counts.object("prompt_tokens_details", |details| {
            details.number("cached_tokens", usage.cache_read_tokens);
            details.number("cache_write_tokens", written);
            details.number("audio_tokens", usage.input_audio_tokens);
        });
        counts.object("completion_tokens_details", |details| {
            details.number("reasoning_tokens", usage.reasoning_tokens);
            details.number("audio_tokens", usage.output_audio_tokens);
        });
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
    fn cached_is_part_of_the_prompt_and_reasoning_of_the_completion() {
        let usage = read(
            r#"{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,
                "prompt_tokens_details":{"cached_tokens":1920,"audio_tokens":3,"cache_write_tokens":5},
                "completion_tokens_details":{"reasoning_tokens":256,"audio_tokens":2,"accepted_prediction_tokens":0}}"#,
        )
        .unwrap();
        assert_eq!((usage.input_tokens, usage.cache_read_tokens, usage.output_tokens), (2006, 1920, 300));
        assert_eq!((usage.reasoning_tokens, usage.cache_write_5m_tokens), (256, 5));
        assert_eq!((usage.input_audio_tokens, usage.output_audio_tokens), (3, 2));
        assert!(usage.is_consistent());
    }

    #[test]
    fn null_and_missing_counts_are_not_zero_usage() {
        assert_eq!(read(r#"{"prompt_tokens":null}"#), None);
        assert_eq!(read(r#"{"prompt_tokens":7}"#).unwrap().input_tokens, 7);
        assert_eq!(read(r#"{"prompt_tokens":7,"prompt_cache_hit_tokens":5}"#).unwrap().cache_read_tokens, 5);
        assert_eq!(read(r#"{"prompt_tokens":7,"prompt_tokens_details":null}"#).unwrap().cache_read_tokens, 0);
    }

    #[test]
    fn what_is_written_reads_back() {
        let usage = Usage {
            input_tokens: 10,
            cache_read_tokens: 4,
            cache_write_5m_tokens: 2,
            cache_write_1h_tokens: 0,
            input_audio_tokens: 1,
            output_tokens: 9,
            reasoning_tokens: 8,
            output_audio_tokens: 1,
        };
        let mut out = Vec::new();
        write_object(&mut out, |object| write(object, &usage));
        let written: std::collections::BTreeMap<String, Counts> = serde_json::from_slice(&out).unwrap();
        assert_eq!(written["usage"].usage(), Some(usage));
    }
}

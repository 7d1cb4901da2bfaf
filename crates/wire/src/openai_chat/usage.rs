//! What OpenAI metered, normalised: `prompt_tokens` includes what the cache gave, `completion_tokens` includes
//! reasoning. <https://platform.openai.com/docs/api-reference/chat/object>
//!
//! Vendors of the dialect have words of their own, and two count some tokens beside prompt and completion. Which is told by
//! what stands in the usage, never by whose it is: a gateway in between changes neither. The golden table of the gateway's
//! tests has a payload of each.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
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
    /// Moonshot's and Together's word for it.
    /// <https://platform.moonshot.ai/docs/api/chat>, <https://docs.together.ai/reference/chat-completions-1>
    #[serde(default)]
    cached_tokens: Count,
    #[serde(default)]
    total_tokens: Count,
    /// SGLang's word for `completion_tokens_details.reasoning_tokens`, and Perplexity's.
    #[serde(default)]
    reasoning_tokens: Count,
    /// What Perplexity's deep research read: billed like input, and not in `prompt_tokens`.
    #[serde(default)]
    citation_tokens: Count,
}

/// A count that a usage is good without: none where it is no whole number.
#[derive(Clone, Copy, Debug, Default)]
struct Count(Option<u64>);

#[derive(Clone, Copy, Deserialize, Debug, Default)]
struct PromptDetails {
    #[serde(rename = "cached_tokens")]
    cached: Option<u64>,
    #[serde(rename = "cache_write_tokens")]
    written: Option<u64>,
    /// Alibaba's word for `cache_write_tokens`; they are in `prompt_tokens`.
    /// <https://www.alibabacloud.com/help/en/model-studio/context-cache>
    #[serde(default, rename = "cache_creation_input_tokens")]
    created: Count,
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

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Count;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("anything")
            }

            fn visit_u64<E>(self, count: u64) -> Result<Count, E> {
                Ok(Count(Some(count)))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Count, E> {
                Ok(Count(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Count, E> {
                Ok(Count(None))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Count, E> {
                Ok(Count(None))
            }

            fn visit_str<E>(self, _: &str) -> Result<Count, E> {
                Ok(Count(None))
            }

            fn visit_unit<E>(self) -> Result<Count, E> {
                Ok(Count(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Count, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Count(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Count, A::Error> {
                while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Count(None))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl PromptDetails {
    fn scan(scanner: &mut Scanner<'_>) -> Option<Self> {
        let (mut cached, mut written, mut audio) = (Field::default(), Field::default(), Field::default());
        let mut created = Field::default();
        scanner.object(|scanner, key| match key {
            "cached_tokens" => scanner.once(&mut cached, Scanner::number),
            "cache_write_tokens" => scanner.once(&mut written, Scanner::number),
            "cache_creation_input_tokens" => scanner.once(&mut created, Scanner::number),
            "audio_tokens" => scanner.once(&mut audio, Scanner::number),
            _ => scanner.skip(),
        })?;
        let (written, created) = (written.value(), Count(created.value()));
        Some(Self { cached: cached.value(), written, created, audio: audio.value() })
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
        let (mut cached_tokens, mut total_tokens) = (Field::default(), Field::default());
        let (mut reasoning_tokens, mut citation_tokens) = (Field::default(), Field::default());
        scanner.object(|scanner, key| match key {
            "prompt_tokens" => scanner.once(&mut prompt_tokens, Scanner::number),
            "completion_tokens" => scanner.once(&mut completion_tokens, Scanner::number),
            "prompt_tokens_details" => scanner.once(&mut prompt_tokens_details, PromptDetails::scan),
            "completion_tokens_details" => {
                scanner.once(&mut completion_tokens_details, CompletionDetails::scan)
            }
            "prompt_cache_hit_tokens" => scanner.once(&mut prompt_cache_hit_tokens, Scanner::number),
            "cached_tokens" => scanner.once(&mut cached_tokens, Scanner::number),
            "total_tokens" => scanner.once(&mut total_tokens, Scanner::number),
            "reasoning_tokens" => scanner.once(&mut reasoning_tokens, Scanner::number),
            "citation_tokens" => scanner.once(&mut citation_tokens, Scanner::number),
            _ => scanner.skip(),
        })?;
        Some(Self {
            prompt_tokens: prompt_tokens.value(),
            completion_tokens: completion_tokens.value(),
            prompt_tokens_details: prompt_tokens_details.value(),
            completion_tokens_details: completion_tokens_details.value(),
            prompt_cache_hit_tokens: prompt_cache_hit_tokens.value(),
            cached_tokens: Count(cached_tokens.value()),
            total_tokens: Count(total_tokens.value()),
            reasoning_tokens: Count(reasoning_tokens.value()),
            citation_tokens: Count(citation_tokens.value()),
        })
    }

    /// The usage; none where neither side was metered.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.prompt_tokens.is_none() && self.completion_tokens.is_none() {
            return None;
        }
        let prompt = self.prompt_tokens_details.unwrap_or_default();
        let completion = self.completion_tokens_details.unwrap_or_default();
        let cached = prompt.cached.or(self.prompt_cache_hit_tokens).or(self.cached_tokens.0);
        let reasoning = completion.reasoning.or(self.reasoning_tokens.0).unwrap_or(0);
        let beside = if self.reasoning_is_beside(reasoning) { reasoning } else { 0 };
        Some(Usage {
            input_tokens: self.prompt_tokens.unwrap_or(0).saturating_add(self.citations()),
            cache_read_tokens: cached.unwrap_or(0),
            cache_write_5m_tokens: prompt.written.or(prompt.created.0).unwrap_or(0),
            cache_write_1h_tokens: 0,
            input_audio_tokens: prompt.audio.unwrap_or(0),
            output_tokens: self.completion_tokens.unwrap_or(0).saturating_add(beside),
            reasoning_tokens: reasoning,
            output_audio_tokens: completion.audio.unwrap_or(0),
        })
    }

    /// Whether reasoning is not part of the completion.
    ///
    /// xAI counts it beside the completion and in the total: where the total is the sum of all three, no other reading
    /// fits. <https://docs.x.ai/docs/key-information/consumption-and-rate-limits>
    ///
    /// Perplexity's deep research counts it beside both.
    /// <https://docs.perplexity.ai/docs/sonar/models/sonar-deep-research>
    fn reasoning_is_beside(&self, reasoning: u64) -> bool {
        let counted = self.prompt_tokens.unwrap_or(0).checked_add(self.completion_tokens.unwrap_or(0));
        let with_reasoning = counted.and_then(|counted| counted.checked_add(reasoning));
        let in_total =
            reasoning > 0 && self.total_tokens.0.is_some() && self.total_tokens.0 == with_reasoning;
        in_total || self.is_deep_research()
    }

    /// Only Perplexity's deep research counts both what it read and its reasoning, at the top of the usage.
    fn is_deep_research(&self) -> bool {
        self.citation_tokens.0.is_some() && self.reasoning_tokens.0.is_some()
    }

    /// Tokens that a search brought in, where they are billed.
    fn citations(&self) -> u64 {
        self.citation_tokens.0.filter(|_| self.is_deep_research()).unwrap_or(0)
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
    fn reasoning_that_only_the_total_counts_comes_on_top_of_the_completion() {
        let told = |total: u64| {
            let json = format!(
                r#"{{"prompt_tokens":10120,"completion_tokens":1499,"total_tokens":{total},
                    "completion_tokens_details":{{"reasoning_tokens":2809}}}}"#
            );
            read(&json).unwrap()
        };
        assert_eq!((told(14_428).output_tokens, told(14_428).reasoning_tokens), (4_308, 2_809));
        // Any other total proves nothing: the figures stay as they came, inconsistent or not.
        for total in [0, 11_619, 14_427, 14_429, u64::MAX] {
            assert_eq!(told(total).output_tokens, 1_499, "{total}");
        }
        let none =
            read(r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"reasoning_tokens":0}"#);
        assert_eq!(none.unwrap().output_tokens, 5);
        let huge = read(&format!(
            r#"{{"prompt_tokens":{0},"completion_tokens":{0},"total_tokens":{0},"reasoning_tokens":{0}}}"#,
            u64::MAX
        ));
        assert_eq!(huge.unwrap().output_tokens, u64::MAX);
    }

    #[test]
    fn what_deep_research_read_and_thought_comes_on_top() {
        let usage = read(
            r#"{"prompt_tokens":108,"completion_tokens":3256,"total_tokens":3364,"citation_tokens":7299,
                "num_search_queries":74,"reasoning_tokens":73248}"#,
        )
        .unwrap();
        assert_eq!(
            (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens),
            (7_407, 76_504, 73_248)
        );
        // Citations alone are not billed by other models.
        let plain = r#"{"prompt_tokens":8,"completion_tokens":5,"total_tokens":13,"citation_tokens":99}"#;
        assert_eq!(read(plain).unwrap().input_tokens, 8);
    }

    #[test]
    fn other_words_for_the_same_counts_are_known_and_openais_own_come_first() {
        let cached = |json: &str| read(json).unwrap().cache_read_tokens;
        assert_eq!(cached(r#"{"prompt_tokens":7,"cached_tokens":5}"#), 5);
        assert_eq!(
            cached(r#"{"prompt_tokens":7,"cached_tokens":5,"prompt_tokens_details":{"cached_tokens":4}}"#),
            4
        );
        let written = r#"{"prompt_tokens":7,"prompt_tokens_details":{"cache_creation_input_tokens":6}}"#;
        assert_eq!(read(written).unwrap().cache_write_5m_tokens, 6);
        let inside = r#"{"prompt_tokens":7,"completion_tokens":9,"total_tokens":16,"reasoning_tokens":8}"#;
        assert_eq!((read(inside).unwrap().output_tokens, read(inside).unwrap().reasoning_tokens), (9, 8));
    }

    #[test]
    fn counts_of_another_kind_do_not_spoil_the_rest() {
        for odd in ["null", "1.5", "-1", "true", "\"9\"", "[1,[2]]", "{\"a\":{}}", "18446744073709551616"] {
            let usage = read(&format!(
                r#"{{"prompt_tokens":7,"completion_tokens":2,"total_tokens":{odd},"cached_tokens":{odd},
                    "reasoning_tokens":{odd},"citation_tokens":{odd},
                    "prompt_tokens_details":{{"cache_creation_input_tokens":{odd}}}}}"#
            ));
            assert_eq!(usage, Some(Usage { input_tokens: 7, output_tokens: 2, ..Usage::default() }), "{odd}");
        }
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

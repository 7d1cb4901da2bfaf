//! What Bedrock metered, normalised: `inputTokens` excludes what was read from and written to the cache.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html>

use stepwell_types::Usage;

use crate::json::{Object, Text, object};

object! {
    /// `usage` of a reply or of a stream's `metadata`.
    pub(super) struct Counts<'a> {
        input: u64 = "inputTokens",
        output: u64 = "outputTokens",
        cache_read: u64 = "cacheReadInputTokens",
        cache_write: u64 = "cacheWriteInputTokens",
        details: Vec<Written<'a>> = "cacheDetails",
    }
    // The sum of the others. The older names of what the cache gave and took say the same again.
    skipping "totalTokens", "cacheReadInputTokenCount", "cacheWriteInputTokenCount"
}

object! {
    /// Tokens written to the cache, by how long they stay.
    pub(super) struct Written<'a> { ttl: Text<'a> = "ttl", tokens: u64 = "inputTokens" }
    skipping all
}

impl Counts<'_> {
    /// The usage; none where neither side was metered.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        let details = self.details.as_deref().unwrap_or_default();
        let of = |hour: bool| {
            let is_hour = |written: &&Written<'_>| written.ttl.as_ref().is_some_and(|ttl| ttl.0 == "1h");
            details
                .iter()
                .filter(|written| is_hour(written) == hour)
                .filter_map(|written| written.tokens)
                .fold(0_u64, u64::saturating_add)
        };
        let hour = of(true);
        let five_minutes = self.cache_write.map_or_else(|| of(false), |all| all.saturating_sub(hour));
        let cache_read = self.cache_read.unwrap_or(0);
        let cache_write = self.cache_write.unwrap_or_else(|| five_minutes.saturating_add(hour));
        Some(Usage {
            input_tokens: self.input.unwrap_or(0).saturating_add(cache_read).saturating_add(cache_write),
            cache_read_tokens: cache_read,
            cache_write_5m_tokens: five_minutes,
            cache_write_1h_tokens: hour,
            input_audio_tokens: 0,
            output_tokens: self.output.unwrap_or(0),
            reasoning_tokens: 0,
            output_audio_tokens: 0,
        })
    }
}

/// Writes `usage`.
pub(super) fn write(object: &mut Object<'_>, usage: &Usage) {
    let cache_write = usage.cache_write_5m_tokens.saturating_add(usage.cache_write_1h_tokens);
    let cached = usage.cache_read_tokens.saturating_add(cache_write);
    object.object("usage", |counts| {
        counts.number("inputTokens", usage.input_tokens.saturating_sub(cached));
        counts.number("outputTokens", usage.output_tokens);
        counts.number("totalTokens", usage.input_tokens.saturating_add(usage.output_tokens));
        if cached > 0 {
            counts.number("cacheReadInputTokens", usage.cache_read_tokens);
            counts.number("cacheWriteInputTokens", cache_write);
        }
        if cache_write > 0 {
            counts.array("cacheDetails", |details| {
                for (ttl, tokens) in
                    [("1h", usage.cache_write_1h_tokens), ("5m", usage.cache_write_5m_tokens)]
                {
                    if tokens > 0 {
                        details.object(|detail| {
                            detail.string("ttl", ttl);
                            detail.number("inputTokens", tokens);
                        });
                    }
                }
            });
        }
    });
}

/// The kinds of tokens of `usage` that Bedrock has no count for.
pub(super) fn unsayable(usage: &Usage) -> impl Iterator<Item = &'static str> {
    let kinds = [
        ("/usage/completion_tokens_details/reasoning_tokens", usage.reasoning_tokens),
        ("/usage/prompt_tokens_details/audio_tokens", usage.input_audio_tokens),
        ("/usage/completion_tokens_details/audio_tokens", usage.output_audio_tokens),
    ];
    kinds.into_iter().filter(|(_, count)| *count > 0).map(|(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::write_object;

    fn read(json: &str) -> Option<Usage> {
        serde_json::from_str::<Counts<'_>>(json).unwrap().usage()
    }

    #[test]
    fn input_includes_what_the_cache_gave_and_took_and_reads_back() {
        let usage = read(
            r#"{"inputTokens":10,"outputTokens":50,"totalTokens":2360,"cacheReadInputTokens":2000,
                "cacheWriteInputTokens":300,"cacheDetails":[{"ttl":"1h","inputTokens":200},{"ttl":"5m","inputTokens":100}]}"#,
        )
        .unwrap();
        let expected = Usage {
            input_tokens: 2310,
            cache_read_tokens: 2000,
            cache_write_5m_tokens: 100,
            cache_write_1h_tokens: 200,
            output_tokens: 50,
            ..Usage::default()
        };
        assert_eq!(usage, expected);
        assert!(usage.is_consistent());
        let mut out = Vec::new();
        write_object(&mut out, |object| write(object, &usage));
        let written: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(written["usage"]["totalTokens"], 2360);
        assert_eq!(read(&written["usage"].to_string()), Some(expected));
    }

    #[test]
    fn a_cache_write_without_its_lifetimes_is_of_five_minutes() {
        let usage = read(r#"{"inputTokens":1,"outputTokens":0,"cacheWriteInputTokens":9}"#).unwrap();
        assert_eq!((usage.cache_write_5m_tokens, usage.cache_write_1h_tokens), (9, 0));
        let usage = read(r#"{"inputTokens":1,"cacheDetails":[{"ttl":"5m","inputTokens":4}]}"#).unwrap();
        assert_eq!((usage.input_tokens, usage.cache_write_5m_tokens), (5, 4));
    }

    #[test]
    fn nothing_metered_is_no_usage() {
        assert_eq!(read("{}"), None);
        assert_eq!(read(r#"{"inputTokens":null,"cacheDetails":null}"#), None);
    }
}

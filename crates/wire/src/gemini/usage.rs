//! What Google metered, normalised: `promptTokenCount` includes what the cache gave, `candidatesTokenCount` excludes
//! thinking. <https://ai.google.dev/api/generate-content#UsageMetadata>

use serde::Deserialize;
use stepwell_types::Usage;

use crate::json::Object;

/// `usageMetadata`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Counts {
    prompt_token_count: Option<u64>,
    cached_content_token_count: Option<u64>,
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
    /// What results of hosted tools added to the prompt.
    tool_use_prompt_token_count: Option<u64>,
    prompt_tokens_details: Option<Vec<ByModality>>,
    candidates_tokens_details: Option<Vec<ByModality>>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
struct ByModality {
    modality: Option<String>,
    token_count: Option<u64>,
}

impl Counts {
    /// The usage; none where neither side was metered.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.prompt_token_count.is_none() && self.candidates_token_count.is_none() {
            return None;
        }
        let prompt = self.prompt_token_count.unwrap_or(0);
        let thoughts = self.thoughts_token_count.unwrap_or(0);
        Some(Usage {
            input_tokens: prompt.saturating_add(self.tool_use_prompt_token_count.unwrap_or(0)),
            cache_read_tokens: self.cached_content_token_count.unwrap_or(0),
            cache_write_5m_tokens: 0,
            cache_write_1h_tokens: 0,
            input_audio_tokens: audio(self.prompt_tokens_details.as_deref()),
            output_tokens: self.candidates_token_count.unwrap_or(0).saturating_add(thoughts),
            reasoning_tokens: thoughts,
            output_audio_tokens: audio(self.candidates_tokens_details.as_deref()),
        })
    }
}

fn audio(details: Option<&[ByModality]>) -> u64 {
    let of_audio = |detail: &&ByModality| detail.modality.as_deref() == Some("AUDIO");
    details.unwrap_or_default().iter().filter(of_audio).filter_map(|detail| detail.token_count).sum()
}

/// Writes `usageMetadata`.
pub(super) fn write(object: &mut Object<'_>, usage: &Usage) {
    object.object("usageMetadata", |counts| {
        counts.number("promptTokenCount", usage.input_tokens);
        if usage.cache_read_tokens > 0 {
            counts.number("cachedContentTokenCount", usage.cache_read_tokens);
        }
        counts.number("candidatesTokenCount", usage.output_tokens.saturating_sub(usage.reasoning_tokens));
        if usage.reasoning_tokens > 0 {
            counts.number("thoughtsTokenCount", usage.reasoning_tokens);
        }
        counts.number("totalTokenCount", usage.input_tokens.saturating_add(usage.output_tokens));
        let audio = [
            ("promptTokensDetails", usage.input_tokens, usage.input_audio_tokens),
            ("candidatesTokensDetails", usage.output_tokens, usage.output_audio_tokens),
        ];
        for (key, all, audio) in audio.into_iter().filter(|(.., audio)| *audio > 0) {
            counts.array(key, |details| {
                for (modality, tokens) in [("TEXT", all.saturating_sub(audio)), ("AUDIO", audio)] {
                    details.object(|detail| {
                        detail.string("modality", modality);
                        detail.number("tokenCount", tokens);
                    });
                }
            });
        }
    });
}

/// What was metered and has no place in `usageMetadata`.
pub(super) fn unsayable(usage: &Usage) -> bool {
    usage.cache_write_5m_tokens > 0 || usage.cache_write_1h_tokens > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::write_object;

    fn read(json: &str) -> Option<Usage> {
        serde_json::from_str::<Counts>(json).unwrap().usage()
    }

    #[test]
    fn cached_is_part_of_the_prompt_and_thoughts_stand_beside_the_candidates() {
        let usage = read(
            r#"{"promptTokenCount":2152,"cachedContentTokenCount":2027,"candidatesTokenCount":710,
                "thoughtsTokenCount":309,"toolUsePromptTokenCount":48,"totalTokenCount":3219,
                "promptTokensDetails":[{"modality":"TEXT","tokenCount":2000},{"modality":"AUDIO","tokenCount":152}]}"#,
        )
        .unwrap();
        assert_eq!((usage.input_tokens, usage.cache_read_tokens), (2200, 2027));
        assert_eq!((usage.output_tokens, usage.reasoning_tokens), (1019, 309));
        assert_eq!((usage.input_audio_tokens, usage.output_audio_tokens), (152, 0));
        assert!(usage.is_consistent());
    }

    #[test]
    fn nothing_metered_is_no_usage() {
        assert_eq!(read("{}"), None);
        assert_eq!(read(r#"{"promptTokenCount":null}"#), None);
        // A reply that was blocked has a prompt only.
        assert_eq!(read(r#"{"promptTokenCount":7,"totalTokenCount":7}"#).unwrap().input_tokens, 7);
    }

    #[test]
    fn what_is_written_reads_back() {
        let usage = Usage {
            input_tokens: 10,
            cache_read_tokens: 4,
            input_audio_tokens: 1,
            output_tokens: 9,
            reasoning_tokens: 6,
            output_audio_tokens: 1,
            ..Usage::default()
        };
        let mut out = Vec::new();
        write_object(&mut out, |object| write(object, &usage));
        let written: std::collections::BTreeMap<String, Counts> = serde_json::from_slice(&out).unwrap();
        assert_eq!(written["usageMetadata"].usage(), Some(usage));
    }
}

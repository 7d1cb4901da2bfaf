//! What a provider says it metered, normalised once.

use serde::{Deserialize, Serialize};

/// Tokens of one attempt, in the OpenTelemetry convention: input includes cached, output includes reasoning.
///
/// Providers count differently; each dialect's extractor converts to this and never infers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    /// All input tokens, those read from or written to the provider's prompt cache included.
    pub input_tokens: u64,
    /// Input tokens read from the provider's prompt cache.
    pub cache_read_tokens: u64,
    /// Input tokens written to the provider's cache for five minutes (or its only lifetime).
    pub cache_write_5m_tokens: u64,
    /// Input tokens written to the provider's cache for an hour.
    pub cache_write_1h_tokens: u64,
    /// Input tokens that were audio.
    pub input_audio_tokens: u64,
    /// All output tokens, reasoning included.
    pub output_tokens: u64,
    /// Output tokens spent on reasoning.
    pub reasoning_tokens: u64,
    /// Output tokens that were audio.
    pub output_audio_tokens: u64,
}

impl Usage {
    /// Whether the parts fit in their wholes. A provider whose figures contradict themselves is recorded as
    /// `inconsistent`, never repaired.
    pub fn is_consistent(&self) -> bool {
        let cached = self
            .cache_read_tokens
            .checked_add(self.cache_write_5m_tokens)
            .and_then(|sum| sum.checked_add(self.cache_write_1h_tokens));
        cached.is_some_and(|cached| cached <= self.input_tokens)
            && self.input_audio_tokens <= self.input_tokens
            && self.reasoning_tokens <= self.output_tokens
            && self.output_audio_tokens <= self.output_tokens
    }
}

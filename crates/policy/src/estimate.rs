//! What an attempt probably uses, where nobody has said.

/// The most output tokens assumed of a model whose limit nobody knows: the largest in the field today.
pub const OUTPUT_TOKENS: u64 = 128_000;

/// The most input tokens assumed of a model whose context window nobody knows: Gemini's, the largest in wide use.
/// <https://ai.google.dev/gemini-api/docs/long-context>
pub const CONTEXT_TOKENS: u64 = 1_048_576;

/// The most input tokens assumed for an image that a request only refers to: the dearest small-model image
/// (OpenAI's `gpt-4o-mini`, 2,833 + 5,667 × tiles) stays below it.
/// <https://platform.openai.com/docs/guides/images-vision#calculating-costs>
pub const REFERENCE_TOKENS: u64 = 64_000;

/// Input tokens that a request body of so many bytes probably holds: a token for 3.5 bytes, and a tenth more.
pub const fn input_tokens(body: u64) -> u64 {
    body.saturating_mul(11).div_ceil(35)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_errs_on_the_high_side_of_four_bytes_a_token() {
        assert_eq!(input_tokens(0), 0);
        assert_eq!(input_tokens(350), 110);
        assert!(input_tokens(u64::MAX) > 0);
    }
}

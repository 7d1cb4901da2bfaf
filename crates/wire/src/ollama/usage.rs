//! What Ollama metered: `prompt_eval_count` and `eval_count`, which includes thinking. <https://docs.ollama.com/api/usage>

use stepwell_types::Usage;

use crate::Losses;
use crate::json::Object;

/// The usage that the two counts stand for.
///
/// Ollama's server leaves out a count that is 0. Without a count of the prompt nothing is known: no prompt is empty, so it
/// was not metered, which is how servers of 2024 said that all of it came from their cache. To take that for 0 would be to
/// charge nothing for tokens that were sent; the caller has to estimate. Without a count of the output, a reply whose prompt
/// was metered has none. What came from the cache is part of the prompt and not said apart (but in 0.30.0, which counted only
/// what was new: <https://github.com/ollama/ollama/issues/16414>).
pub(super) fn read(prompt: Option<u64>, output: Option<u64>) -> Option<Usage> {
    Some(Usage { input_tokens: prompt?, output_tokens: output.unwrap_or(0), ..Usage::default() })
}

/// Writes the counts, and notes what was metered beside them.
pub(super) fn write(object: &mut Object<'_>, usage: &Usage, losses: &mut Losses) {
    object.number("prompt_eval_count", usage.input_tokens);
    object.number("eval_count", usage.output_tokens);
    for (name, tokens) in [
        ("cache_read_input_tokens", usage.cache_read_tokens),
        (
            "cache_creation_input_tokens",
            usage.cache_write_5m_tokens.saturating_add(usage.cache_write_1h_tokens),
        ),
        ("input_audio_tokens", usage.input_audio_tokens),
        ("reasoning_tokens", usage.reasoning_tokens),
        ("output_audio_tokens", usage.output_audio_tokens),
    ] {
        if tokens > 0 {
            losses.note(format!("/usage/{name}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::write_object;

    #[test]
    fn a_prompt_that_was_not_metered_is_not_a_prompt_of_nothing() {
        assert_eq!(read(None, None), None);
        assert_eq!(read(None, Some(9)), None);
        let metered = read(Some(26), None).unwrap();
        assert_eq!((metered.input_tokens, metered.output_tokens), (26, 0));
        assert_eq!(read(Some(26), Some(298)).unwrap().output_tokens, 298);
    }

    #[test]
    fn what_has_no_count_of_its_own_is_noted() {
        let usage = Usage { input_tokens: 9, cache_read_tokens: 4, output_tokens: 5, ..Usage::default() };
        let (mut out, mut losses) = (Vec::new(), Losses::default());
        write_object(&mut out, |object| write(object, &usage, &mut losses));
        assert_eq!(String::from_utf8(out).unwrap(), r#"{"prompt_eval_count":9,"eval_count":5}"#);
        assert_eq!(losses.paths(), ["/usage/cache_read_input_tokens"]);
    }
}

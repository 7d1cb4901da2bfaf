//! Signatures of thinking blocks: deterministic, and checked when a block comes back.
//!
//! A signature proves that the simulator wrote a text, to nobody but the simulator; it is no cryptography.

use std::fmt::Write as _;

use crate::text::{Mix, hash};

const WORDS: usize = 6;

/// The signature of a thinking text.
pub(crate) fn sign(thinking: &str) -> String {
    seal(hash(thinking))
}

/// Whether `signature` is of `thinking`. A text that was left out is empty, and then any signature of ours will do.
pub(crate) fn verify(thinking: &str, signature: &str) -> bool {
    match opened(signature) {
        Some(content) => thinking.is_empty() || content == hash(thinking),
        None => false,
    }
}

/// Whether `data` is that of a redacted thinking block of ours.
pub(crate) fn is_ours(data: &str) -> bool {
    opened(data).is_some()
}

fn seal(content: u64) -> String {
    let mut text = String::with_capacity(WORDS * 16);
    let mut mix = Mix::new();
    mix.bytes(b"stepwell simulator thinking");
    let mut word = content;
    for _ in 0..WORDS {
        // Writing to a string does not fail.
        write!(text, "{word:016x}").unwrap_or_default();
        mix.word(word);
        word = mix.value();
    }
    text
}

fn opened(signature: &str) -> Option<u64> {
    let content = u64::from_str_radix(signature.get(..16)?, 16).ok()?;
    (seal(content) == signature).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_own_text_only() {
        let signature = sign("draw water");
        assert!(verify("draw water", &signature));
        assert!(verify("", &signature));
        assert!(!verify("draw wine", &signature));
        assert!(!verify("draw water", &signature[1..]));
        assert!(!verify("draw water", ""));
        let tampered =
            signature.replacen(&signature[20..21], if &signature[20..21] == "0" { "1" } else { "0" }, 1);
        assert!(!verify("draw water", &tampered));
    }
}

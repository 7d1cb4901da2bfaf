//! Names that are longer than OpenAI takes.

use std::borrow::Cow;

/// `text`, or where it is longer than OpenAI takes, a name made from it: always the same one, and another for every
/// other text. A call and its results stand in one request, so they still match.
pub(crate) fn fitting<'t>(text: &'t str, limit: usize, prefix: &str) -> Cow<'t, str> {
    if text.len() <= limit { Cow::Borrowed(text) } else { Cow::Owned(hashed(text, prefix)) }
}

/// A name made from `text`, of the prefix and 32 letters and digits.
pub(crate) fn hashed(text: &str, prefix: &str) -> String {
    // FNV-1a, 128 bits.
    let hash = text.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    });
    format!("{prefix}{hash:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_gets_a_name_of_its_own() {
        let long = |last: char| format!("toolu_{}{last}", "x".repeat(60));
        let (one, other) = (long('a'), long('b'));
        assert_eq!(fitting("call_1", 40, "call_"), "call_1");
        assert_eq!(fitting(&one, 40, "call_").len(), 37);
        assert_eq!(fitting(&one, 40, "call_"), fitting(&one, 40, "call_"));
        assert_ne!(fitting(&one, 40, "call_"), fitting(&other, 40, "call_"));
    }
}

//! Words, tokens and hashes: everything that makes a reply follow from its request alone.
//!
//! Two token rules, both the simulator's own. Input: a text is a quarter of its bytes, rounded up. Output: a text is
//! cut into pieces, each the white space before a word and at most 16 bytes of the word; a piece is a token.

/// Bytes of a word that one output token holds.
const PIECE_BYTES: usize = 16;

/// Input tokens of a text.
pub(crate) fn input_tokens(text: &str) -> u32 {
    count(text.len().div_ceil(4))
}

/// A length as a token count, saturating.
pub(crate) fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Cuts a text into its output tokens.
pub(crate) fn pieces(text: &str) -> Pieces<'_> {
    Pieces { rest: text }
}

/// The output tokens of a text, in order; joined they are the text.
pub(crate) struct Pieces<'t> {
    rest: &'t str,
}

impl<'t> Iterator for Pieces<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        if self.rest.is_empty() {
            return None;
        }
        let space = self.rest.find(|letter: char| !letter.is_whitespace()).unwrap_or(self.rest.len());
        let word = &self.rest[space..];
        let window = &word[..word.floor_char_boundary(PIECE_BYTES)];
        let length = window.find(char::is_whitespace).unwrap_or(window.len());
        let (piece, rest) = self.rest.split_at(space + length);
        self.rest = rest;
        Some(piece)
    }
}

/// The byte length of the first `tokens` output tokens of a text.
pub(crate) fn length_of_tokens(text: &str, tokens: u32) -> usize {
    pieces(text).take(usize::try_from(tokens).unwrap_or(usize::MAX)).map(str::len).sum()
}

/// Output tokens of a text.
pub(crate) fn output_tokens(text: &str) -> u32 {
    count(pieces(text).count())
}

/// The words replies are made of; none is longer than one output token.
const WORDS: [&str; 64] = [
    "water", "stone", "step", "level", "depth", "shade", "well", "bucket", "rope", "rain", "season", "river",
    "carved", "pillar", "court", "landing", "mirror", "still", "clear", "cool", "rises", "falls", "draws",
    "carries", "holds", "returns", "every", "morning", "evening", "people", "gather", "speak", "quiet",
    "light", "deep", "below", "above", "between", "around", "through", "with", "and", "the", "a", "of", "to",
    "from", "where", "when", "until", "again", "slowly", "always", "never", "often", "many", "few", "old",
    "new", "wide", "narrow", "steady", "patient", "enough",
];

/// A word chosen by `seed`.
pub(crate) fn word(seed: u64) -> &'static str {
    let index = usize::try_from(seed % 64).unwrap_or(0);
    WORDS.get(index).copied().unwrap_or("water")
}

/// A fast hash that is the same on every machine and in every version. Not for secrets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mix(u64);

impl Mix {
    /// The hash of nothing.
    pub(crate) const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// Adds a number.
    pub(crate) fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
    }

    /// Adds bytes and their length.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        let mut last = [0_u8; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_le_bytes(last));
        self.word(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }

    /// The hash so far.
    pub(crate) const fn value(self) -> u64 {
        let mut value = self.0;
        value ^= value >> 33;
        value = value.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        value ^ (value >> 29)
    }
}

/// The hash of one text.
pub(crate) fn hash(text: &str) -> u64 {
    let mut mix = Mix::new();
    mix.bytes(text.as_bytes());
    mix.value()
}

/// A sequence of numbers that follows from its seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw(u64);

impl Draw {
    /// The sequence of `seed`.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number (splitmix64).
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_and_long_runs_become_pieces() {
        assert_eq!(pieces("a  bc\nd ").collect::<Vec<_>>(), ["a", "  bc", "\nd", " "]);
        assert_eq!(pieces("0123456789abcdefg").collect::<Vec<_>>(), ["0123456789abcdef", "g"]);
        assert_eq!(output_tokens(""), 0);
    }

    #[test]
    fn every_word_is_one_output_token() {
        for seed in 0..64 {
            assert_eq!(output_tokens(word(seed)), 1);
        }
    }

    proptest! {
        #[test]
        fn pieces_join_to_their_text_and_none_is_empty(text in "\\PC{0,200}") {
            let parts: Vec<&str> = pieces(&text).collect();
            prop_assert_eq!(parts.concat(), text.as_str());
            prop_assert!(parts.iter().all(|part| !part.is_empty()));
        }
    }
}

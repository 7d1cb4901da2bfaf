//! How a usage divides into lines: each token on exactly one.

use stepwell_types::Usage;

use crate::card::Applied;
use crate::line::Line;

/// How many units each line has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Split {
    pub(crate) counts: [u64; Line::COUNT],
    /// All input tokens: what context-length tiers look at.
    pub(crate) whole_input: u64,
    /// All output tokens.
    pub(crate) whole_output: u64,
    /// The parts did not fit in their wholes.
    pub(crate) inconsistent: bool,
    /// More than one division fits the usage, and they do not cost the same: this is the dearest.
    pub(crate) ambiguous: bool,
}

/// Divides a usage into the lines that have a price.
///
/// Where parts exceed their whole, the whole is read as not containing them. That is the mistake seen in practice (a
/// provider or an extractor that counts the other way), and no other reading costs more.
pub(crate) fn split(usage: &Usage, prices: &Applied<'_>) -> Split {
    let mut split = Split::default();
    split.input(usage, prices);
    split.output(usage, prices);
    split.set(Line::Request, u64::from(prices.has(Line::Request)));
    split
}

impl Split {
    fn set(&mut self, line: Line, count: u64) {
        self.counts[line as usize] = count;
    }

    fn input(&mut self, usage: &Usage, prices: &Applied<'_>) {
        let parts = [usage.cache_read_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens];
        let cached = parts.into_iter().try_fold(0, u64::checked_add);
        let fits = cached.is_some_and(|cached| cached <= usage.input_tokens)
            && usage.input_audio_tokens <= usage.input_tokens;
        self.inconsistent |= !fits;
        self.whole_input = if fits {
            usage.input_tokens
        } else {
            let cached = cached.unwrap_or(u64::MAX);
            usage.input_tokens.saturating_add(cached).saturating_add(usage.input_audio_tokens)
        };
        let prices_writes = prices.has(Line::CacheWrite);
        let priced = |priced: bool, count: u64| if priced { count } else { 0 };
        let read = priced(prices.has(Line::CacheRead), usage.cache_read_tokens);
        let write = priced(prices_writes, usage.cache_write_5m_tokens);
        let write_hour = priced(prices_writes, usage.cache_write_1h_tokens);
        let audio = priced(prices.has(Line::InputAudio), usage.input_audio_tokens);
        // Tokens on a line of their own, those that are both audio and cached counted twice.
        let apart = read.saturating_add(write).saturating_add(write_hour).saturating_add(audio);
        let both = if fits { self.cached_audio(prices, read, audio, apart) } else { 0 };
        self.set(Line::Input, self.whole_input.saturating_sub(apart - both));
        self.set(Line::CacheRead, read - both);
        self.set(Line::CacheWrite, write);
        self.set(Line::CacheWriteHour, write_hour);
        self.set(Line::InputAudio, audio - both);
        self.set(Line::CacheReadAudio, both);
    }

    /// How many tokens are both audio and read from the cache. Usage does not say, so the dearest number that fits is
    /// taken: the cost is linear in it, so that is the least or the most.
    fn cached_audio(&mut self, prices: &Applied<'_>, read: u64, audio: u64, apart: u64) -> u64 {
        if !prices.has(Line::CacheReadAudio) {
            return 0;
        }
        let most = read.min(audio);
        let least = apart.saturating_sub(self.whole_input).min(most);
        let rate = |line| prices.rate(line, self.whole_input);
        let together = rate(Line::Input).plus(rate(Line::CacheReadAudio));
        let separate = rate(Line::CacheRead).plus(rate(Line::InputAudio));
        self.ambiguous |= least != most && together != separate;
        if together > separate { most } else { least }
    }

    fn output(&mut self, usage: &Usage, prices: &Applied<'_>) {
        let fits =
            usage.reasoning_tokens <= usage.output_tokens && usage.output_audio_tokens <= usage.output_tokens;
        self.inconsistent |= !fits;
        self.whole_output = if fits {
            usage.output_tokens
        } else {
            usage
                .output_tokens
                .saturating_add(usage.reasoning_tokens)
                .saturating_add(usage.output_audio_tokens)
        };
        let reasoning = if prices.has(Line::Reasoning) { usage.reasoning_tokens } else { 0 };
        let audio = if prices.has(Line::OutputAudio) { usage.output_audio_tokens } else { 0 };
        self.set(Line::Output, self.whole_output.saturating_sub(reasoning.saturating_add(audio)));
        self.set(Line::Reasoning, reasoning);
        self.set(Line::OutputAudio, audio);
    }
}

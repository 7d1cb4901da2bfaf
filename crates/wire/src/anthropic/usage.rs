//! What Anthropic metered, normalised.
//!
//! `input_tokens` excludes what was read from and written to the cache; `output_tokens` includes thinking. In a stream
//! the counts of `message_delta` are cumulative and may leave fields out: each field that comes replaces the one
//! before, nothing is ever added. <https://platform.claude.com/docs/en/build-with-claude/streaming>

use serde_json::value::RawValue;
use stepwell_types::Usage;

use crate::json::{Field, Object, Scanner, object};

object! {
    /// `usage` of a reply, of `message_start` or of `message_delta`.
    pub(super) struct Counts<'a> {
        input: u64 = "input_tokens",
        cache_write: u64 = "cache_creation_input_tokens",
        cache_read: u64 = "cache_read_input_tokens",
        by_lifetime: ByLifetime<'a> = "cache_creation",
        output: u64 = "output_tokens",
        output_details: OutputDetails<'a> = "output_tokens_details",
    }
}

object! {
    /// Tokens written to the cache, by how long they stay.
    pub(super) struct ByLifetime<'a> {
        five_minutes: u64 = "ephemeral_5m_input_tokens",
        hour: u64 = "ephemeral_1h_input_tokens",
    }
}

object! {
    /// Output tokens by kind.
    pub(super) struct OutputDetails<'a> { thinking: u64 = "thinking_tokens" }
}

/// What a reply has metered so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Meter {
    input: Option<u64>,
    cache_write: Option<u64>,
    cache_read: Option<u64>,
    five_minutes: Option<u64>,
    hour: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
}

impl Meter {
    /// Reads the counts of a whole reply: what their parser reads.
    pub(super) fn scan(scanner: &mut Scanner<'_>) -> Option<Self> {
        let (mut input, mut output, mut thinking) = (Field::default(), Field::default(), Field::default());
        let (mut cache_write, mut cache_read) = (Field::default(), Field::default());
        let (mut five_minutes, mut hour) = (Field::default(), Field::default());
        let (mut by_lifetime, mut output_details) = (Field::default(), Field::default());
        scanner.object(|scanner, key| match key {
            "input_tokens" => scanner.once(&mut input, Scanner::number),
            "cache_creation_input_tokens" => scanner.once(&mut cache_write, Scanner::number),
            "cache_read_input_tokens" => scanner.once(&mut cache_read, Scanner::number),
            "cache_creation" => scanner.once(&mut by_lifetime, |scanner| {
                scanner.object(|scanner, key| match key {
                    "ephemeral_5m_input_tokens" => scanner.once(&mut five_minutes, Scanner::number),
                    "ephemeral_1h_input_tokens" => scanner.once(&mut hour, Scanner::number),
                    _ => scanner.skip(),
                })
            }),
            "output_tokens" => scanner.once(&mut output, Scanner::number),
            "output_tokens_details" => scanner.once(&mut output_details, |scanner| {
                scanner.object(|scanner, key| match key {
                    "thinking_tokens" => scanner.once(&mut thinking, Scanner::number),
                    _ => scanner.skip(),
                })
            }),
            _ => scanner.skip(),
        })?;
        Some(Self {
            input: input.value(),
            cache_write: cache_write.value(),
            cache_read: cache_read.value(),
            five_minutes: five_minutes.value(),
            hour: hour.value(),
            output: output.value(),
            thinking: thinking.value(),
        })
    }

    /// Takes counts that replace those before; gives the fields that have no place here, nulls left out.
    pub(super) fn take<'a>(
        &mut self,
        counts: Counts<'a>,
    ) -> impl Iterator<Item = (String, &'a RawValue)> + use<'a> {
        let lifetimes = counts.by_lifetime.unwrap_or_default();
        let details = counts.output_details.unwrap_or_default();
        for (slot, value) in [
            (&mut self.input, counts.input),
            (&mut self.cache_write, counts.cache_write),
            (&mut self.cache_read, counts.cache_read),
            (&mut self.five_minutes, lifetimes.five_minutes),
            (&mut self.hour, lifetimes.hour),
            (&mut self.output, counts.output),
            (&mut self.thinking, details.thinking),
        ] {
            *slot = value.or(*slot);
        }
        let under = |prefix: &'static str| {
            move |(key, value): (std::borrow::Cow<'a, str>, &'a RawValue)| {
                (format!("/usage{prefix}/{key}"), value)
            }
        };
        let known = counts.extra.into_iter().map(under(""));
        known
            .chain(lifetimes.extra.into_iter().map(under("/cache_creation")))
            .chain(details.extra.into_iter().map(under("/output_tokens_details")))
            .filter(|(_, value)| value.get() != "null")
    }

    /// The counts so far; none where neither side was metered. Figures that contradict each other are kept: they make
    /// a usage that is not consistent, or one whose parts exceed what was billed as input.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        let hour = self.hour.unwrap_or(0);
        let five_minutes = match (self.cache_write, self.five_minutes) {
            // The total of a later event counts: the split is told once, at the start.
            (Some(total), _) => total.saturating_sub(hour),
            (None, split) => split.unwrap_or(0),
        };
        let cache_read = self.cache_read.unwrap_or(0);
        let cache_write = self.cache_write.unwrap_or_else(|| five_minutes.saturating_add(hour));
        Some(Usage {
            input_tokens: self.input.unwrap_or(0).saturating_add(cache_read).saturating_add(cache_write),
            cache_read_tokens: cache_read,
            cache_write_5m_tokens: five_minutes,
            cache_write_1h_tokens: hour,
            input_audio_tokens: 0,
            output_tokens: self.output.unwrap_or(0),
            reasoning_tokens: self.thinking.unwrap_or(0),
            output_audio_tokens: 0,
        })
    }
}

/// Writes the fields of `usage`.
pub(super) fn write(object: &mut Object<'_>, usage: &Usage) {
    let cache_write = usage.cache_write_5m_tokens.saturating_add(usage.cache_write_1h_tokens);
    let cached = usage.cache_read_tokens.saturating_add(cache_write);
    object.number("input_tokens", usage.input_tokens.saturating_sub(cached));
    object.number("cache_creation_input_tokens", cache_write);
    object.number("cache_read_input_tokens", usage.cache_read_tokens);
    if cache_write > 0 {
        object.object("cache_creation", |split| {
            split.number("ephemeral_5m_input_tokens", usage.cache_write_5m_tokens);
            split.number("ephemeral_1h_input_tokens", usage.cache_write_1h_tokens);
        });
    }
    object.number("output_tokens", usage.output_tokens);
    if usage.reasoning_tokens > 0 {
        object.object("output_tokens_details", |details| {
            details.number("thinking_tokens", usage.reasoning_tokens);
        });
    }
}

/// The kinds of tokens of `usage` that Anthropic has no count for.
pub(super) fn unsayable(usage: &Usage) -> impl Iterator<Item = &'static str> {
    let kinds = [
        ("/usage/prompt_tokens_details/audio_tokens", usage.input_audio_tokens),
        ("/usage/completion_tokens_details/audio_tokens", usage.output_audio_tokens),
    ];
    kinds.into_iter().filter(|(_, count)| *count > 0).map(|(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::write_object;

    fn metered(events: &[&str]) -> Option<Usage> {
        let mut meter = Meter::default();
        for event in events {
            drop(meter.take(serde_json::from_str(event).unwrap()));
        }
        meter.usage()
    }

    #[test]
    fn input_includes_what_the_cache_gave_and_took() {
        let usage = metered(&[
            r#"{"input_tokens":10,"cache_creation_input_tokens":300,"cache_read_input_tokens":2000,
            "cache_creation":{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":200},
            "output_tokens":50,"output_tokens_details":{"thinking_tokens":30},"service_tier":"standard"}"#,
        ])
        .unwrap();
        let expected = Usage {
            input_tokens: 2310,
            cache_read_tokens: 2000,
            cache_write_5m_tokens: 100,
            cache_write_1h_tokens: 200,
            output_tokens: 50,
            reasoning_tokens: 30,
            ..Usage::default()
        };
        assert_eq!(usage, expected);
        assert!(usage.is_consistent());
        let mut written = Vec::new();
        write_object(&mut written, |object| write(object, &usage));
        assert_eq!(metered(&[std::str::from_utf8(&written).unwrap()]), Some(expected));
    }

    #[test]
    fn counts_of_a_stream_replace_and_are_never_added() {
        let start = r#"{"input_tokens":25,"cache_read_input_tokens":7,"output_tokens":1}"#;
        let usage = metered(&[start, r#"{"output_tokens":15}"#, r#"{"input_tokens":25,"output_tokens":40}"#])
            .unwrap();
        assert_eq!((usage.input_tokens, usage.cache_read_tokens, usage.output_tokens), (32, 7, 40));
    }

    #[test]
    fn a_cache_write_without_its_split_is_of_five_minutes() {
        let usage =
            metered(&[r#"{"input_tokens":1,"cache_creation_input_tokens":9,"output_tokens":0}"#]).unwrap();
        assert_eq!(
            (usage.input_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens),
            (10, 9, 0)
        );
    }

    #[test]
    fn nulls_and_nothing_are_no_usage() {
        assert_eq!(metered(&["{}"]), None);
        assert_eq!(metered(&[r#"{"input_tokens":null,"output_tokens":null,"cache_creation":null}"#]), None);
        assert_eq!(
            metered(&[r#"{"input_tokens":3,"cache_read_input_tokens":null}"#]).unwrap().input_tokens,
            3
        );
    }
}

//! The simulated prompt cache: which prefixes were seen, and what of a prompt is read from and written to it.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;
use stepwell_types::Timestamp;

use crate::ask::{Boundary, Lifetime};

/// The most prefixes remembered; the oldest are forgotten first.
const MAX_PREFIXES: usize = 65_536;
/// Prefix boundaries that one prompt registers with the automatic cache, from its end.
const AUTOMATIC_BOUNDARIES: usize = 20;
/// OpenAI counts cached tokens in steps of this many.
const STEP: u32 = 128;

/// Input tokens read from and written to the cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Cached {
    /// Read.
    pub(crate) read: u32,
    /// Written for five minutes.
    pub(crate) write_5m: u32,
    /// Written for an hour.
    pub(crate) write_1h: u32,
}

/// The prefixes seen.
#[derive(Debug, Default)]
pub(crate) struct PromptCache(Mutex<Prefixes>);

#[derive(Debug, Default)]
struct Prefixes {
    until: HashMap<u64, Timestamp>,
    order: VecDeque<u64>,
}

impl PromptCache {
    /// Anthropic's cache: what is read ends at the last marked boundary that is known, the rest up to the last
    /// marked boundary is written, each part for the lifetime of the boundary that ends it.
    pub(crate) fn marked(&self, boundaries: &[Boundary], least: u32, now: Timestamp) -> Cached {
        let mut cached = Cached::default();
        if boundaries.last().is_none_or(|boundary| boundary.tokens < least) {
            return cached;
        }
        let mut prefixes = self.0.lock();
        for boundary in boundaries {
            if prefixes.knows(boundary.hash, now) {
                cached.read = boundary.tokens;
            }
        }
        let mut covered = cached.read;
        for boundary in boundaries.iter().filter(|boundary| boundary.tokens >= least) {
            let part = boundary.tokens.saturating_sub(covered);
            match boundary.lifetime {
                Lifetime::FiveMinutes => cached.write_5m += part,
                Lifetime::Hour => cached.write_1h += part,
            }
            covered = covered.max(boundary.tokens);
            prefixes.remember(boundary, now);
        }
        cached
    }

    /// OpenAI's cache: the longest known prefix of whole messages, in whole steps.
    pub(crate) fn automatic(&self, boundaries: &[Boundary], least: u32, now: Timestamp) -> Cached {
        let mut cached = Cached::default();
        if boundaries.last().is_none_or(|boundary| boundary.tokens < least) {
            return cached;
        }
        let recent = boundaries.len().saturating_sub(AUTOMATIC_BOUNDARIES);
        let mut prefixes = self.0.lock();
        for boundary in boundaries[recent..].iter().filter(|boundary| boundary.tokens >= least) {
            if prefixes.knows(boundary.hash, now) {
                cached.read = boundary.tokens / STEP * STEP;
            }
            prefixes.remember(boundary, now);
        }
        cached
    }
}

impl Prefixes {
    fn knows(&self, hash: u64, now: Timestamp) -> bool {
        self.until.get(&hash).is_some_and(|until| *until > now)
    }

    fn remember(&mut self, boundary: &Boundary, now: Timestamp) {
        let lifetime = match boundary.lifetime {
            Lifetime::FiveMinutes => std::time::Duration::from_mins(5),
            Lifetime::Hour => std::time::Duration::from_hours(1),
        };
        if self.until.insert(boundary.hash, now.plus(lifetime)).is_none() {
            self.order.push_back(boundary.hash);
        }
        while self.order.len() > MAX_PREFIXES {
            if let Some(oldest) = self.order.pop_front() {
                self.until.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boundary(hash: u64, tokens: u32, lifetime: Lifetime) -> Boundary {
        Boundary { hash, tokens, lifetime }
    }

    #[test]
    fn a_marked_prefix_is_written_once_and_then_read_until_it_expires() {
        let cache = PromptCache::default();
        let prompt = [boundary(1, 2_000, Lifetime::Hour), boundary(2, 2_500, Lifetime::FiveMinutes)];
        let at = Timestamp::from_micros;
        let first = cache.marked(&prompt, 1_024, at(0));
        assert_eq!(first, Cached { read: 0, write_5m: 500, write_1h: 2_000 });
        let second = cache.marked(&prompt, 1_024, at(60_000_000));
        assert_eq!(second, Cached { read: 2_500, write_5m: 0, write_1h: 0 });
        let later = cache.marked(&prompt, 1_024, at(1_800_000_000));
        assert_eq!(later, Cached { read: 2_000, write_5m: 500, write_1h: 0 });
    }

    #[test]
    fn a_short_prompt_is_not_cached() {
        let cache = PromptCache::default();
        let prompt = [boundary(1, 1_023, Lifetime::FiveMinutes)];
        for _ in 0..2 {
            assert_eq!(cache.marked(&prompt, 1_024, Timestamp::from_micros(0)), Cached::default());
            assert_eq!(cache.automatic(&prompt, 1_024, Timestamp::from_micros(0)), Cached::default());
        }
    }

    #[test]
    fn the_automatic_cache_counts_in_steps() {
        let cache = PromptCache::default();
        let prompt = [boundary(1, 1_500, Lifetime::FiveMinutes)];
        assert_eq!(cache.automatic(&prompt, 1_024, Timestamp::from_micros(0)).read, 0);
        assert_eq!(cache.automatic(&prompt, 1_024, Timestamp::from_micros(1)).read, 1_408);
    }
}

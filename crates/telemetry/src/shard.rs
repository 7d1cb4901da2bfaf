//! The figures of the calls that one group of threads finished.
//!
//! `Metrics` keeps a few shards, each behind its own lock, so that threads seldom meet and plain integers do; reading
//! the page merges them. Nothing here locks, formats or knows a metric's name. Memory is bounded: closed sets of
//! names everywhere but for targets, and those are bounded by [`Targets`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use stepwell_types::{
    AttemptRecord, CallRecord, Code, CostStatus, Dialect, Endpoint, NanoUsd, Outcome, Stage, TargetName,
    Usage, UsageSource,
};

use crate::histogram::{
    FIRST_TOKEN_SECONDS, GEN_AI_SECONDS, Histogram, OVERHEAD_SECONDS, PER_TOKEN_SECONDS, STAGE_SECONDS,
    TOKENS,
};
use crate::metrics::MAX_PAIRS;

/// What a model or provider beyond the bounds is labelled.
const OTHER: &str = "other";
/// How many `provider/other` pairs there may be beside the pairs that have a model's name.
const MAX_FOLDED: usize = 50;
/// The longest model name that becomes a label, in bytes.
const MAX_LABEL: usize = 128;

/// Values that can be added to each other.
pub(crate) trait Merge {
    fn merge(&mut self, other: &Self);
}

impl Merge for u64 {
    fn merge(&mut self, other: &Self) {
        *self = self.saturating_add(*other);
    }
}

impl Merge for Histogram {
    fn merge(&mut self, other: &Self) {
        Self::merge(self, other);
    }
}

/// A map of the few keys that occur out of a closed set, searched in order.
#[derive(Clone, Debug)]
pub(crate) struct Keyed<K, V>(Vec<(K, V)>);

impl<K, V> Default for Keyed<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Copy + Ord, V> Keyed<K, V> {
    fn entry(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        let place = self.0.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            self.0.push((key, new()));
            self.0.len() - 1
        });
        &mut self.0[place].1
    }

    /// The entries in the order of their keys.
    pub(crate) fn sorted(&self) -> Vec<(K, &V)> {
        let mut entries: Vec<_> = self.0.iter().map(|(key, value)| (*key, value)).collect();
        entries.sort_by_key(|(key, _)| *key);
        entries
    }
}

impl<K: Copy + Ord> Keyed<K, u64> {
    fn add(&mut self, key: K, amount: u64) {
        self.entry(key, || 0).merge(&amount);
    }
}

impl<K: Copy + Ord> Keyed<K, Histogram> {
    fn observe(&mut self, key: K, bounds: &'static [u64], value: u64) {
        self.entry(key, || Histogram::new(bounds)).observe(value);
    }
}

impl<K: Copy + Ord, V: Merge + Clone> Merge for Keyed<K, V> {
    fn merge(&mut self, other: &Self) {
        for (key, value) in &other.0 {
            match self.0.iter_mut().find(|(known, _)| known == key) {
                Some((_, mine)) => mine.merge(value),
                None => self.0.push((*key, value.clone())),
            }
        }
    }
}

/// The targets that are labelled by name, over all shards. Model names come from clients, so their number is bounded.
#[derive(Debug)]
pub(crate) struct Targets {
    seen: Mutex<HashSet<TargetName>>,
    other: Arc<str>,
}

impl Targets {
    pub(crate) fn new() -> Self {
        Self { seen: Mutex::new(HashSet::new()), other: Arc::from(OTHER) }
    }

    /// The labels of `target`: its own names, else `provider/other`, else `other/other`.
    fn label(&self, target: &TargetName) -> TargetName {
        let mut seen = self.seen.lock();
        let short = target.provider.len() <= MAX_LABEL && target.model.len() <= MAX_LABEL;
        if seen.contains(target) {
            return target.clone();
        }
        if short && seen.len() < MAX_PAIRS {
            seen.insert(target.clone());
            return target.clone();
        }
        let folded = TargetName { provider: Arc::clone(&target.provider), model: Arc::clone(&self.other) };
        if seen.contains(&folded) {
            return folded;
        }
        if target.provider.len() <= MAX_LABEL && seen.len() < MAX_PAIRS + MAX_FOLDED {
            seen.insert(folded.clone());
            return folded;
        }
        TargetName { provider: Arc::clone(&self.other), model: Arc::clone(&self.other) }
    }
}

/// What is counted for one target.
#[derive(Clone, Debug, Default)]
pub(crate) struct TargetSeries {
    pub(crate) attempts: Keyed<(Outcome, Option<Code>), u64>,
    pub(crate) durations: Keyed<(Endpoint, Option<Code>), Histogram>,
    pub(crate) first_chunks: Keyed<Endpoint, Histogram>,
    pub(crate) input_tokens: Keyed<Endpoint, Histogram>,
    pub(crate) output_tokens: Keyed<Endpoint, Histogram>,
    pub(crate) tokens: [u64; TOKEN_KINDS.len()],
    pub(crate) costs: Keyed<CostStatus, u64>,
    pub(crate) unpriced: u64,
    pub(crate) call_durations: Keyed<(Endpoint, Option<Code>), Histogram>,
    pub(crate) first_tokens: Keyed<Endpoint, Histogram>,
    pub(crate) per_token: Keyed<Endpoint, Histogram>,
}

/// The kinds of [`tokens`], in order.
pub(crate) const TOKEN_KINDS: [&str; 8] = [
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "input_audio",
    "output",
    "reasoning",
    "output_audio",
];

fn tokens(usage: &Usage) -> [u64; TOKEN_KINDS.len()] {
    [
        usage.input_tokens,
        usage.cache_read_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
        usage.input_audio_tokens,
        usage.output_tokens,
        usage.reasoning_tokens,
        usage.output_audio_tokens,
    ]
}

impl TargetSeries {
    fn attempt(&mut self, call: &CallRecord, attempt: &AttemptRecord) {
        self.attempts.add((attempt.outcome, attempt.code), 1);
        self.durations.observe((call.endpoint, attempt.code), GEN_AI_SECONDS, attempt.duration_us);
        if let (true, Some(first_byte)) = (call.streamed, attempt.first_byte_us) {
            self.first_chunks.observe(call.endpoint, GEN_AI_SECONDS, first_byte);
        }
        if attempt.usage_source != UsageSource::None {
            self.input_tokens.observe(call.endpoint, TOKENS, attempt.usage.input_tokens);
            self.output_tokens.observe(call.endpoint, TOKENS, attempt.usage.output_tokens);
            for (total, metered) in self.tokens.iter_mut().zip(tokens(&attempt.usage)) {
                total.merge(&metered);
            }
        }
        if let Some(cost) = attempt.cost {
            let nanos = u64::try_from(NanoUsd::as_nanos(cost)).unwrap_or(0);
            self.costs.add(attempt.cost_status, nanos);
        }
        if attempt.cost_status == CostStatus::Unpriced {
            self.unpriced += 1;
        }
    }

    /// The call as its client saw it, by its last target.
    fn call(&mut self, call: &CallRecord, last: &AttemptRecord) {
        self.call_durations.observe((call.endpoint, call.code), GEN_AI_SECONDS, call.duration_us);
        let (Outcome::Ok, Some(first)) = (call.outcome, call.first_token_us) else { return };
        self.first_tokens.observe(call.endpoint, FIRST_TOKEN_SECONDS, first);
        let later_tokens = last.usage.output_tokens.saturating_sub(1);
        if let (true, Some(each)) =
            (call.streamed, call.duration_us.saturating_sub(first).checked_div(later_tokens))
        {
            self.per_token.observe(call.endpoint, PER_TOKEN_SECONDS, each);
        }
    }
}

impl Merge for TargetSeries {
    fn merge(&mut self, other: &Self) {
        self.attempts.merge(&other.attempts);
        self.durations.merge(&other.durations);
        self.first_chunks.merge(&other.first_chunks);
        self.input_tokens.merge(&other.input_tokens);
        self.output_tokens.merge(&other.output_tokens);
        for (total, more) in self.tokens.iter_mut().zip(&other.tokens) {
            total.merge(more);
        }
        self.costs.merge(&other.costs);
        self.unpriced.merge(&other.unpriced);
        self.call_durations.merge(&other.call_durations);
        self.first_tokens.merge(&other.first_tokens);
        self.per_token.merge(&other.per_token);
    }
}

/// Everything counted by one group of threads.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    pub(crate) calls: Keyed<(Endpoint, Dialect, Outcome, Option<Code>), u64>,
    pub(crate) call_durations: Keyed<(Endpoint, Dialect, Outcome), Histogram>,
    pub(crate) overheads: Keyed<Endpoint, Histogram>,
    pub(crate) stages: Keyed<Stage, Histogram>,
    pub(crate) request_bytes: Keyed<Endpoint, u64>,
    pub(crate) reply_bytes: Keyed<Endpoint, u64>,
    pub(crate) request_losses: u64,
    pub(crate) reply_losses: u64,
    pub(crate) folded: u64,
    index: HashMap<TargetName, usize>,
    targets: Vec<TargetSeries>,
}

impl Shard {
    /// Counts a finished call.
    pub(crate) fn record(&mut self, call: &CallRecord, names: &Targets) {
        self.calls.add((call.endpoint, call.dialect, call.outcome, call.code), 1);
        let key = (call.endpoint, call.dialect, call.outcome);
        self.call_durations.observe(key, GEN_AI_SECONDS, call.duration_us);
        let at_providers =
            call.attempts.iter().fold(0_u64, |sum, attempt| sum.saturating_add(attempt.duration_us));
        let overhead = call.duration_us.saturating_sub(at_providers);
        self.overheads.observe(call.endpoint, OVERHEAD_SECONDS, overhead);
        self.request_bytes.add(call.endpoint, call.request_bytes);
        self.reply_bytes.add(call.endpoint, call.reply_bytes);
        self.record_stages(call);
        self.record_losses(call);
        let mut last = None;
        for attempt in &call.attempts {
            let place = self.place(&attempt.target, names);
            self.targets[place].attempt(call, attempt);
            last = Some((place, attempt));
        }
        if let Some((place, attempt)) = last {
            self.targets[place].call(call, attempt);
        }
    }

    /// A call with attempts went through every stage, however short; of another, the stages that took time.
    fn record_stages(&mut self, call: &CallRecord) {
        for stage in Stage::ALL {
            let micros = u64::from(call.stages.get(stage));
            if micros > 0 || !call.attempts.is_empty() {
                self.stages.observe(stage, STAGE_SECONDS, micros);
            }
        }
    }

    fn record_losses(&mut self, call: &CallRecord) {
        for loss in &call.losses {
            let side =
                if loss.starts_with("reply:") { &mut self.reply_losses } else { &mut self.request_losses };
            side.merge(&1);
        }
    }

    fn place(&mut self, target: &TargetName, names: &Targets) -> usize {
        match self.index.get(target) {
            Some(place) => *place,
            None => self.admit(target, names),
        }
    }

    #[cold]
    fn admit(&mut self, target: &TargetName, names: &Targets) -> usize {
        let label = names.label(target);
        if label != *target {
            self.folded.merge(&1);
        }
        self.place_of(label)
    }

    fn place_of(&mut self, label: TargetName) -> usize {
        let next = self.targets.len();
        let place = *self.index.entry(label).or_insert(next);
        if place == next {
            self.targets.push(TargetSeries::default());
        }
        place
    }

    /// The targets by label, in order.
    pub(crate) fn targets(&self) -> Vec<(&TargetName, &TargetSeries)> {
        let mut targets: Vec<_> =
            self.index.iter().map(|(label, place)| (label, &self.targets[*place])).collect();
        targets.sort_by_key(|(label, _)| *label);
        targets
    }
}

impl Merge for Shard {
    fn merge(&mut self, other: &Self) {
        self.calls.merge(&other.calls);
        self.call_durations.merge(&other.call_durations);
        self.overheads.merge(&other.overheads);
        self.stages.merge(&other.stages);
        self.request_bytes.merge(&other.request_bytes);
        self.reply_bytes.merge(&other.reply_bytes);
        self.request_losses.merge(&other.request_losses);
        self.reply_losses.merge(&other.reply_losses);
        self.folded.merge(&other.folded);
        for (label, place) in &other.index {
            let mine = self.place_of(label.clone());
            self.targets[mine].merge(&other.targets[*place]);
        }
    }
}

//! What a ledger must add up to, reckoned from the records alone and in the plainest way.

use std::collections::BTreeMap;

use stepwell_types::{CallRecord, NanoUsd, Outcome};

/// The sums of a group of calls.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sums {
    /// Calls.
    pub calls: u64,
    /// Attempts.
    pub attempts: u64,
    /// Calls that failed, were cut, or of which nobody knows the end.
    pub failed: u64,
    /// Input tokens.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Nano-USD of the costs that are known.
    pub cost: i64,
    /// Nano-USD charged: costs, and bounds where a cost is not known.
    pub charged: i64,
    /// Calls whose cost is not known.
    pub unpriced: u64,
    /// Durations, sorted.
    pub durations_us: Vec<u64>,
}

/// The sums of calls, grouped by whatever `key` says of a call. For groups that a call is in as a whole.
pub fn sums_by<'c, K: Ord>(
    calls: impl IntoIterator<Item = &'c CallRecord>,
    key: impl Fn(&CallRecord) -> K,
) -> BTreeMap<K, Sums> {
    let mut groups: BTreeMap<K, Sums> = BTreeMap::new();
    for call in calls {
        let sums = groups.entry(key(call)).or_default();
        sums.calls += 1;
        sums.failed += u64::from(!matches!(call.outcome, Outcome::Ok | Outcome::Cancelled));
        sums.unpriced += u64::from(call.attempts.iter().any(|attempt| attempt.cost.is_none()));
        for attempt in &call.attempts {
            sums.attempts += 1;
            sums.input_tokens += attempt.usage.input_tokens;
            sums.output_tokens += attempt.usage.output_tokens;
            sums.cost += attempt.cost.map_or(0, NanoUsd::as_nanos);
            sums.charged += attempt.cost.or(attempt.bound).map_or(0, NanoUsd::as_nanos);
        }
        if call.outcome != Outcome::Unknown {
            sums.durations_us.push(call.duration_us);
        }
    }
    for sums in groups.values_mut() {
        sums.durations_us.sort_unstable();
    }
    groups
}

/// The nearest-rank percentile of sorted values.
pub fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

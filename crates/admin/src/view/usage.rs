//! Sums of calls, tokens and money.

use std::collections::BTreeMap;

use serde::Serialize;
use stepwell_store::{Percentiles, UsageRow};
use stepwell_types::{NanoUsd, Timestamp};
use utoipa::ToSchema;

/// The names of a row's own fields: no group may be called so.
pub const FIGURES: &[&str] = &[
    "start",
    "calls",
    "attempts",
    "failed",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_usd",
    "charged_usd",
    "unpriced",
    "latency",
    "first_token",
];

/// Sums by group, and their total.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UsageView {
    /// From when, RFC 3339; rounded down to the minute.
    pub since: String,
    /// Until when, RFC 3339; rounded up to the minute.
    pub until: String,
    /// How the time axis is cut: `minute`, `hour`, `day` or `none`.
    pub step: &'static str,
    /// A row for each group, and step.
    pub data: Vec<UsageRowView>,
    /// All of them.
    pub total: UsageRowView,
}

/// The sums of one group. A call is counted where the attempt that answered it went; attempts, tokens and money where
/// each attempt went.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UsageRowView {
    /// The group: a field for each word of `group_by`, null where the calls have no such value.
    #[serde(flatten)]
    pub group: BTreeMap<String, Option<String>>,
    /// The start of the step, RFC 3339; absent without steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Calls.
    pub calls: u64,
    /// Attempts.
    pub attempts: u64,
    /// Calls that failed, were cut, or of which nobody knows the end.
    pub failed: u64,
    /// Input tokens, cached ones included.
    pub input_tokens: u64,
    /// Output tokens, reasoning included.
    pub output_tokens: u64,
    /// Input tokens read from the provider's cache.
    pub cache_read_tokens: u64,
    /// Input tokens written to the provider's cache.
    pub cache_write_tokens: u64,
    /// Output tokens spent on reasoning.
    pub reasoning_tokens: u64,
    /// The sum of all costs that are known.
    #[schema(example = "0.012345678")]
    pub cost_usd: String,
    /// What is charged: costs, and bounds where a cost is not known.
    pub charged_usd: String,
    /// Calls whose cost is not known: with any, `cost_usd` is only a part.
    pub unpriced: u64,
    /// The calls' durations; null without any.
    pub latency: Option<PercentilesView>,
    /// The calls' times to the first content byte; null without any.
    pub first_token: Option<PercentilesView>,
}

impl UsageRowView {
    /// A row whose dimensions are called `fields`.
    pub fn new(fields: &[String], row: &UsageRow) -> Self {
        let values = row.dimensions.iter().map(|value| value.as_deref().map(str::to_owned));
        Self {
            group: fields.iter().cloned().zip(values).collect(),
            start: row.start.map(Timestamp::to_rfc3339),
            calls: row.calls,
            attempts: row.attempts,
            failed: row.failed,
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            cache_read_tokens: row.cache_read_tokens,
            cache_write_tokens: row.cache_write_tokens,
            reasoning_tokens: row.reasoning_tokens,
            cost_usd: row.cost.to_string(),
            charged_usd: row.charged.to_string(),
            unpriced: row.unpriced,
            latency: row.latency.map(PercentilesView::from),
            first_token: row.first_token.map(PercentilesView::from),
        }
    }

    /// The sums of no calls.
    pub fn none() -> Self {
        Self {
            group: BTreeMap::new(),
            start: None,
            calls: 0,
            attempts: 0,
            failed: 0,
            input_tokens: 0,
            output_tokens: 0,
            cache_read_tokens: 0,
            cache_write_tokens: 0,
            reasoning_tokens: 0,
            cost_usd: NanoUsd::ZERO.to_string(),
            charged_usd: NanoUsd::ZERO.to_string(),
            unpriced: 0,
            latency: None,
            first_token: None,
        }
    }
}

/// Quantiles in microseconds, each within 1% of the exact one.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PercentilesView {
    /// Of how many measurements.
    pub count: u64,
    /// Half took no longer.
    pub p50_us: u64,
    /// 90% took no longer.
    pub p90_us: u64,
    /// 99% took no longer.
    pub p99_us: u64,
}

impl From<Percentiles> for PercentilesView {
    fn from(percentiles: Percentiles) -> Self {
        Self {
            count: percentiles.count,
            p50_us: percentiles.p50_us,
            p90_us: percentiles.p90_us,
            p99_us: percentiles.p99_us,
        }
    }
}

//! The record every call leaves, and the intent every attempt leaves before it is sent.
//!
//! These are the in-memory forms: what is written to disk or shown in JSON are versioned forms of their own, in
//! `store` and `admin`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{CallId, Code, Dialect, Endpoint, NanoUsd, TargetName, Tenant, Timestamp, Usage};

/// How a call or an attempt ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Complete, as the dialect defines complete.
    Ok,
    /// Answered with an error before anything of a reply was sent.
    Failed,
    /// Ended by an error after a part of the reply was sent.
    Cut,
    /// The client went away.
    Cancelled,
    /// Nobody knows: the process died between intent and final.
    Unknown,
}

impl Outcome {
    /// Every outcome, in the order of their declaration.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Failed, Self::Cut, Self::Cancelled, Self::Unknown];

    /// Its name in records and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Cut => "cut",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }
}

/// Why the model stopped, across dialects.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model was done.
    Stop,
    /// The output limit was reached.
    Length,
    /// The model called tools.
    ToolCalls,
    /// One of the request's stop sequences came.
    StopSequence,
    /// The provider's filter stopped it.
    ContentFilter,
    /// The model refused.
    Refusal,
    /// The turn is paused and may be continued (Anthropic `pause_turn`).
    Pause,
    /// The context window is full.
    ContextWindow,
    /// A reason this version does not know.
    Other,
}

impl Finish {
    /// Every reason, in the order of their declaration.
    pub const ALL: [Self; 9] = [
        Self::Stop,
        Self::Length,
        Self::ToolCalls,
        Self::StopSequence,
        Self::ContentFilter,
        Self::Refusal,
        Self::Pause,
        Self::ContextWindow,
        Self::Other,
    ];

    /// Its name in records and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::StopSequence => "stop_sequence",
            Self::ContentFilter => "content_filter",
            Self::Refusal => "refusal",
            Self::Pause => "pause",
            Self::ContextWindow => "context_window",
            Self::Other => "other",
        }
    }
}

/// Where an attempt's usage comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// The provider's terminal usage.
    Provider,
    /// Our estimate from what was sent and received.
    Estimate,
    /// Nothing was metered: the attempt was provably not accepted, or answered with an unbilled error.
    None,
}

/// How far an attempt's cost can be trusted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostStatus {
    /// The provider's usage at a known price.
    Exact,
    /// Our estimate of usage at a known price.
    Estimated,
    /// The model has no price: the cost is unknown, never zero.
    Unpriced,
    /// The provider's usage contradicts itself.
    Inconsistent,
}

impl CostStatus {
    /// Every status, in the order of their declaration.
    pub const ALL: [Self; 4] = [Self::Exact, Self::Estimated, Self::Unpriced, Self::Inconsistent];

    /// Its name in records and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Estimated => "estimated",
            Self::Unpriced => "unpriced",
            Self::Inconsistent => "inconsistent",
        }
    }
}

/// A stage of a call's life, in order. `docs/life-of-a-call.md` has the same list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(usize)]
pub enum Stage {
    /// The dialect's bytes become a call.
    Decode,
    /// The caller becomes known.
    Identify,
    /// The call is let in.
    Admit,
    /// Targets are chosen.
    Plan,
    /// Targets are tried.
    Attempt,
    /// The cost becomes a record.
    Settle,
}

impl Stage {
    /// Every stage in order.
    pub const ALL: [Self; 6] =
        [Self::Decode, Self::Identify, Self::Admit, Self::Plan, Self::Attempt, Self::Settle];

    /// Its name in `server-timing`, metrics and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Identify => "identify",
            Self::Admit => "admit",
            Self::Plan => "plan",
            Self::Attempt => "attempt",
            Self::Settle => "settle",
        }
    }
}

/// Microseconds spent in each stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct StageTimes([u32; Stage::ALL.len()]);

impl StageTimes {
    /// Adds `micros` to a stage, saturating.
    pub fn add(&mut self, stage: Stage, micros: u64) {
        let slot = &mut self.0[stage as usize];
        *slot = slot.saturating_add(u32::try_from(micros).unwrap_or(u32::MAX));
    }

    /// Microseconds spent in a stage.
    pub const fn get(&self, stage: Stage) -> u32 {
        self.0[stage as usize]
    }
}

/// What a caller filed a call under, sorted by name: `feature` = `search`.
pub type Tags = Vec<(Arc<str>, Arc<str>)>;

/// What is written before an attempt is sent: enough to charge it if nothing else is ever heard of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Intent {
    /// The call.
    pub call: CallId,
    /// Which attempt of the call, from 1.
    pub attempt: u8,
    /// Whose money.
    pub tenant: Tenant,
    /// When the attempt began.
    pub started: Timestamp,
    /// What the call asks for.
    pub endpoint: Endpoint,
    /// The caller's dialect.
    pub dialect: Dialect,
    /// Whether the caller asked for a stream.
    pub streamed: bool,
    /// The `model` the caller wrote.
    pub requested_model: Arc<str>,
    /// The route it named, if one.
    pub route: Option<Arc<str>>,
    /// The end user it named, if one.
    pub user: Option<Arc<str>>,
    /// Its tags, sorted by name.
    pub tags: Tags,
    /// Where the attempt goes.
    pub target: TargetName,
    /// The dialect spoken there.
    pub target_dialect: Dialect,
    /// The most it can cost; none where the model has no price or no bound on its output.
    pub bound: Option<NanoUsd>,
}

/// One try at one target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttemptRecord {
    /// Which attempt of the call, from 1.
    pub number: u8,
    /// Where it went.
    pub target: TargetName,
    /// The provider's dialect.
    pub dialect: Dialect,
    /// When it began.
    pub started: Timestamp,
    /// From its start to its end, in microseconds.
    pub duration_us: u64,
    /// From its start to the first byte of the provider's reply, in microseconds.
    pub first_byte_us: Option<u64>,
    /// The provider's HTTP status, once there was one.
    pub status: Option<u16>,
    /// How it ended.
    pub outcome: Outcome,
    /// The error, unless it ended well.
    pub code: Option<Code>,
    /// The model that answered, as the provider names it.
    pub served_model: Option<Arc<str>>,
    /// The provider's id of the reply.
    pub provider_id: Option<Arc<str>>,
    /// Why the model stopped.
    pub finish: Option<Finish>,
    /// What was metered.
    pub usage: Usage,
    /// By whom.
    pub usage_source: UsageSource,
    /// What it cost; none where that is not known. Never zero for want of a price.
    pub cost: Option<NanoUsd>,
    /// How far the cost can be trusted.
    pub cost_status: CostStatus,
    /// The most it could have cost, as its intent said: what is charged where the cost is not known.
    pub bound: Option<NanoUsd>,
}

/// One request from a product and all that served it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallRecord {
    /// The call.
    pub id: CallId,
    /// Whose it is.
    pub tenant: Tenant,
    /// When its head had arrived.
    pub started: Timestamp,
    /// What it asked for.
    pub endpoint: Endpoint,
    /// The caller's dialect.
    pub dialect: Dialect,
    /// Whether the caller asked for a stream.
    pub streamed: bool,
    /// The `model` the caller wrote.
    pub requested_model: Arc<str>,
    /// The route it named, if one.
    pub route: Option<Arc<str>>,
    /// The end user it named, if one.
    pub user: Option<Arc<str>>,
    /// The session it named, if one.
    pub session: Option<Arc<str>>,
    /// Its tags, sorted by name.
    pub tags: Tags,
    /// How it ended.
    pub outcome: Outcome,
    /// The error, unless it ended well.
    pub code: Option<Code>,
    /// The HTTP status it was answered with.
    pub status: u16,
    /// Bytes of the request body.
    pub request_bytes: u64,
    /// Bytes of the reply body.
    pub reply_bytes: u64,
    /// From its start to its last byte, in microseconds.
    pub duration_us: u64,
    /// From its start to the first content byte sent to the client, in microseconds.
    pub first_token_us: Option<u64>,
    /// Time in each stage.
    pub stages: StageTimes,
    /// Fields lost in translation, as `request:/path` and `reply:/path`.
    pub losses: Vec<String>,
    /// Its attempts, in order.
    pub attempts: Vec<AttemptRecord>,
}

impl CallRecord {
    /// The sum of its attempts' costs. None where any attempt's cost is not known.
    pub fn cost(&self) -> Option<NanoUsd> {
        self.attempts.iter().map(|attempt| attempt.cost).sum::<Option<NanoUsd>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stage_times_saturate_instead_of_wrapping() {
        let mut times = StageTimes::default();
        times.add(Stage::Attempt, 7);
        times.add(Stage::Attempt, u64::MAX);
        assert_eq!(times.get(Stage::Attempt), u32::MAX);
        assert_eq!(times.get(Stage::Decode), 0);
    }
}

//! What is recorded of a call whose process died: outcome unknown, charged its bound. Pure.

use stepwell_types::{
    AttemptRecord, CallId, CallRecord, CostStatus, Intent, Outcome, StageTimes, Usage, UsageSource,
};

/// The record of a call of which there are only these intents and the ends of some attempts. None without an intent:
/// then nothing was sent.
pub(super) fn unknown_call(
    id: CallId,
    mut intents: Vec<Intent>,
    mut known: Vec<AttemptRecord>,
) -> Option<CallRecord> {
    intents.sort_by_key(|intent| intent.attempt);
    intents.dedup_by_key(|intent| intent.attempt);
    known.sort_by_key(|attempt| attempt.number);
    known.dedup_by_key(|attempt| attempt.number);
    let first = intents.first()?.clone();
    let attempts = intents
        .iter()
        .map(|intent| match known.iter().find(|attempt| attempt.number == intent.attempt) {
            Some(attempt) => attempt.clone(),
            None => unknown_attempt(intent),
        })
        .collect();
    Some(CallRecord {
        id,
        tenant: first.tenant,
        started: first.started,
        endpoint: first.endpoint,
        dialect: first.dialect,
        streamed: first.streamed,
        requested_model: first.requested_model,
        route: first.route,
        user: first.user,
        session: None,
        tags: first.tags,
        outcome: Outcome::Unknown,
        code: None,
        status: 0,
        request_bytes: 0,
        reply_bytes: 0,
        duration_us: 0,
        first_token_us: None,
        stages: StageTimes::default(),
        losses: Vec::new(),
        attempts,
    })
}

/// An attempt that may have been served in full: it costs what it can cost at most.
fn unknown_attempt(intent: &Intent) -> AttemptRecord {
    let cost_status = if intent.bound.is_some() { CostStatus::Estimated } else { CostStatus::Unpriced };
    AttemptRecord {
        number: intent.attempt,
        target: intent.target.clone(),
        dialect: intent.target_dialect,
        started: intent.started,
        duration_us: 0,
        first_byte_us: None,
        status: None,
        outcome: Outcome::Unknown,
        code: None,
        served_model: None,
        provider_id: None,
        finish: None,
        usage: Usage::default(),
        usage_source: UsageSource::Estimate,
        cost: intent.bound,
        cost_status,
        bound: intent.bound,
    }
}

//! What follows from a call's record and is stored beside it: which attempt answered, and what is charged.
//!
//! Every ledger uses these, so that all agree. Pure.

use stepwell_types::{AttemptRecord, CallRecord, NanoUsd, Outcome, Usage};

/// The attempt a call is counted under: the last that ended well, else the last.
pub(crate) fn answering(call: &CallRecord) -> Option<&AttemptRecord> {
    let ok = call.attempts.iter().rfind(|attempt| attempt.outcome == Outcome::Ok);
    ok.or_else(|| call.attempts.last())
}

/// What an attempt is charged: its cost, or its bound where the cost is not known. None where neither is.
pub(crate) fn charged(attempt: &AttemptRecord) -> Option<NanoUsd> {
    attempt.cost.or(attempt.bound)
}

/// What a call is charged; none where that is not known for any attempt.
pub(crate) fn call_charged(call: &CallRecord) -> Option<NanoUsd> {
    call.attempts.iter().map(charged).sum::<Option<NanoUsd>>()
}

/// Whether a call counts as failed: it was not complete, and not because its client left.
pub(crate) fn failed(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Failed | Outcome::Cut | Outcome::Unknown)
}

/// Whether a call's times were measured: those of a call whose process died are not known.
pub(crate) fn measured(call: &CallRecord) -> bool {
    call.outcome != Outcome::Unknown
}

/// The tokens of all attempts but those of audio, saturating.
pub(crate) fn total_usage(call: &CallRecord) -> Usage {
    let mut total = Usage::default();
    for usage in call.attempts.iter().map(|attempt| &attempt.usage) {
        total.input_tokens = total.input_tokens.saturating_add(usage.input_tokens);
        total.cache_read_tokens = total.cache_read_tokens.saturating_add(usage.cache_read_tokens);
        total.cache_write_5m_tokens = total.cache_write_5m_tokens.saturating_add(usage.cache_write_5m_tokens);
        total.cache_write_1h_tokens = total.cache_write_1h_tokens.saturating_add(usage.cache_write_1h_tokens);
        total.output_tokens = total.output_tokens.saturating_add(usage.output_tokens);
        total.reasoning_tokens = total.reasoning_tokens.saturating_add(usage.reasoning_tokens);
    }
    total
}

//! From records to stored rows: what is bound for a call and for an attempt, in the order of the columns.
//!
//! A call's only attempt stands in the call's own row wherever that can say all of it; `call_attempts` and `cells` read
//! it back from there.

use stepwell_types::{AttemptRecord, CallRecord, Code, Finish, NanoUsd, Stage, UsageSource};

use super::names::{Ids, Of, OneOf};
use super::rollup::Key;
use super::rows::Rows;
use crate::facts;

/// Columns of `calls`.
pub(crate) const CALL_COLUMNS: usize = 40;
/// Columns of `attempts`.
pub(crate) const ATTEMPT_COLUMNS: usize = 28;

/// The attempt that stands in its call's row, with the microseconds it began after the call: the only one, which ended
/// as its call did and metered nothing that the row has no column for. None for all other calls.
pub(crate) fn only_attempt(call: &CallRecord) -> Option<(&AttemptRecord, i64)> {
    let [attempt] = &call.attempts[..] else { return None };
    let as_the_call = attempt.number == 1
        && attempt.outcome == call.outcome
        && attempt.code == call.code
        && attempt.status == Some(call.status)
        && attempt.usage.cache_write_1h_tokens == 0
        && attempt.usage.input_audio_tokens == 0
        && attempt.usage.output_audio_tokens == 0;
    let after = attempt.started.as_micros().checked_sub(call.started.as_micros())?;
    as_the_call.then_some((attempt, after))
}

/// Binds a row of `calls`. `bytes` is a buffer.
pub(crate) fn call(
    row: &mut Rows<'_>,
    ids: &mut Ids<'_>,
    call: &CallRecord,
    key: &Key,
    bytes: &mut Vec<u8>,
) -> rusqlite::Result<()> {
    let some = |id: i64| (id != 0).then_some(id);
    let usage = facts::total_usage(call);
    row.int(key.tenant)?;
    row.blob(call.id.as_bytes())?;
    row.int(call.started.as_micros())?;
    row.int(key.endpoint)?;
    row.int(key.dialect)?;
    row.int(i64::from(call.streamed))?;
    row.int(match some(key.requested_model) {
        Some(id) => id,
        None => ids.of(Of::RequestedModel, &call.requested_model)?,
    })?;
    row.some_int(some(key.route))?;
    row.some_text(call.user.as_deref())?;
    row.some_text(call.session.as_deref())?;
    row.some_int(some(key.tags))?;
    row.int(key.outcome)?;
    row.some_int(ids.some_one_of(OneOf::CallCode, call.code.map(Code::as_str))?)?;
    row.int(i64::from(call.status))?;
    row.int(int(call.request_bytes))?;
    row.int(int(call.reply_bytes))?;
    row.int(int(call.duration_us))?;
    row.some_int(call.first_token_us.map(int))?;
    encode_stages(call, bytes);
    row.blob(bytes)?;
    row.some_text(losses(call).as_deref())?;
    row.int(int(call.attempts.len() as u64))?;
    row.some_int(some(key.provider))?;
    row.some_int(some(key.model))?;
    row.int(int(usage.input_tokens))?;
    row.int(int(usage.cache_read_tokens))?;
    row.int(int(usage.cache_write_5m_tokens.saturating_add(usage.cache_write_1h_tokens)))?;
    row.int(int(usage.output_tokens))?;
    row.int(int(usage.reasoning_tokens))?;
    row.some_int(call.cost().map(NanoUsd::as_nanos))?;
    row.some_int(facts::call_charged(call).map(NanoUsd::as_nanos))?;
    bind_only_attempt(row, ids, only_attempt(call))
}

fn bind_only_attempt(
    row: &mut Rows<'_>,
    ids: &mut Ids<'_>,
    only: Option<(&AttemptRecord, i64)>,
) -> rusqlite::Result<()> {
    let attempt = only.map(|(attempt, _)| attempt);
    row.some_int(only.map(|(_, after)| after))?;
    row.some_int(attempt.map(|attempt| int(attempt.duration_us)))?;
    row.some_int(attempt.and_then(|attempt| attempt.first_byte_us).map(int))?;
    row.some_int(ids.some_one_of(OneOf::AttemptDialect, attempt.map(|attempt| attempt.dialect.as_str()))?)?;
    row.some_int(ids.of_some(Of::ServedModel, attempt.and_then(|attempt| attempt.served_model.as_deref()))?)?;
    row.some_text(attempt.and_then(|attempt| attempt.provider_id.as_deref()))?;
    let finish = attempt.and_then(|attempt| attempt.finish);
    row.some_int(ids.some_one_of(OneOf::Finish, finish.map(Finish::as_str))?)?;
    row.some_int(attempt.map(|attempt| usage_source(attempt.usage_source)))?;
    row.some_int(ids.some_one_of(OneOf::CostStatus, attempt.map(|attempt| attempt.cost_status.as_str()))?)?;
    row.some_int(attempt.and_then(|attempt| attempt.bound).map(NanoUsd::as_nanos))
}

/// Binds a row of `attempts`. `key` names where the attempt went.
pub(crate) fn attempt(
    row: &mut Rows<'_>,
    ids: &mut Ids<'_>,
    call: &CallRecord,
    attempt: &AttemptRecord,
    key: &Key,
) -> rusqlite::Result<()> {
    let usage = &attempt.usage;
    row.int(key.tenant)?;
    row.blob(call.id.as_bytes())?;
    row.int(i64::from(attempt.number))?;
    row.int(key.provider)?;
    row.int(key.model)?;
    row.int(ids.one_of(OneOf::AttemptDialect, attempt.dialect.as_str())?)?;
    row.int(attempt.started.as_micros())?;
    row.int(int(attempt.duration_us))?;
    row.some_int(attempt.first_byte_us.map(int))?;
    row.some_int(attempt.status.map(i64::from))?;
    row.int(ids.one_of(OneOf::AttemptOutcome, attempt.outcome.as_str())?)?;
    row.some_int(ids.some_one_of(OneOf::AttemptCode, attempt.code.map(Code::as_str))?)?;
    row.some_int(ids.of_some(Of::ServedModel, attempt.served_model.as_deref())?)?;
    row.some_text(attempt.provider_id.as_deref())?;
    row.some_int(ids.some_one_of(OneOf::Finish, attempt.finish.map(Finish::as_str))?)?;
    row.int(int(usage.input_tokens))?;
    row.int(int(usage.cache_read_tokens))?;
    row.int(int(usage.cache_write_5m_tokens))?;
    row.int(int(usage.cache_write_1h_tokens))?;
    row.int(int(usage.input_audio_tokens))?;
    row.int(int(usage.output_tokens))?;
    row.int(int(usage.reasoning_tokens))?;
    row.int(int(usage.output_audio_tokens))?;
    row.int(usage_source(attempt.usage_source))?;
    row.some_int(attempt.cost.map(NanoUsd::as_nanos))?;
    row.int(ids.one_of(OneOf::CostStatus, attempt.cost_status.as_str())?)?;
    row.some_int(attempt.bound.map(NanoUsd::as_nanos))?;
    row.some_int(facts::charged(attempt).map(NanoUsd::as_nanos))
}

/// SQLite has no unsigned integers; what does not fit is kept at the most that does.
pub(crate) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

const fn usage_source(source: UsageSource) -> i64 {
    match source {
        UsageSource::Provider => 0,
        UsageSource::Estimate => 1,
        UsageSource::None => 2,
    }
}

fn losses(call: &CallRecord) -> Option<String> {
    (!call.losses.is_empty()).then(|| serde_json::Value::from(&call.losses[..]).to_string())
}

fn encode_stages(call: &CallRecord, bytes: &mut Vec<u8>) {
    bytes.clear();
    for stage in Stage::ALL {
        let mut rest = call.stages.get(stage);
        while rest >= 0x80 {
            bytes.push(rest.to_le_bytes()[0] | 0x80);
            rest >>= 7;
        }
        bytes.push(rest.to_le_bytes()[0]);
    }
}

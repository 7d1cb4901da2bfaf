//! Proptest strategies for records: anything the types allow, within the lengths that are kept.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use stepwell_types::{
    AttemptRecord, CallId, CallRecord, Code, CostStatus, Dialect, Endpoint, Finish, Intent, NanoUsd, Outcome,
    Stage, StageTimes, TargetName, Tenant, Timestamp, Usage, UsageSource,
};

/// Any text of up to forty characters.
pub fn text() -> impl Strategy<Value = Arc<str>> {
    vec(any::<char>(), 0..40).prop_map(|letters| letters.into_iter().collect::<String>().into())
}

fn name() -> impl Strategy<Value = Arc<str>> {
    "[a-z0-9./-]{1,20}".prop_map(Into::into)
}

fn some_text() -> impl Strategy<Value = Option<Arc<str>>> {
    option::of(text())
}

fn tags() -> impl Strategy<Value = Vec<(Arc<str>, Arc<str>)>> {
    vec((text(), text()), 0..4)
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    (0..4_000_000_000_000_000_i64).prop_map(Timestamp::from_micros)
}

fn some_money() -> impl Strategy<Value = Option<NanoUsd>> {
    option::of(any::<i64>().prop_map(NanoUsd::from_nanos))
}

/// Any id.
pub fn call_id() -> impl Strategy<Value = CallId> {
    any::<[u8; 16]>().prop_map(CallId::from_bytes)
}

fn target() -> impl Strategy<Value = TargetName> {
    (name(), name()).prop_map(|(provider, model)| TargetName { provider, model })
}

fn code() -> impl Strategy<Value = Option<Code>> {
    option::of(select(Code::ALL))
}

fn usage() -> impl Strategy<Value = Usage> {
    any::<[u64; 8]>().prop_map(|tokens| Usage {
        input_tokens: tokens[0],
        cache_read_tokens: tokens[1],
        cache_write_5m_tokens: tokens[2],
        cache_write_1h_tokens: tokens[3],
        input_audio_tokens: tokens[4],
        output_tokens: tokens[5],
        reasoning_tokens: tokens[6],
        output_audio_tokens: tokens[7],
    })
}

/// Any intent.
pub fn intent() -> impl Strategy<Value = Intent> {
    let head = (call_id(), any::<u8>(), name(), timestamp());
    let asked = (select(&Endpoint::ALL[..]), select(&Dialect::ALL[..]), any::<bool>(), text());
    let named = (some_text(), some_text(), tags());
    let sent = (target(), select(&Dialect::ALL[..]), some_money());
    (head, asked, named, sent).prop_map(|(head, asked, named, sent)| Intent {
        call: head.0,
        attempt: head.1,
        tenant: Tenant::named(&head.2),
        started: head.3,
        endpoint: asked.0,
        dialect: asked.1,
        streamed: asked.2,
        requested_model: asked.3,
        route: named.0,
        user: named.1,
        tags: named.2,
        target: sent.0,
        target_dialect: sent.1,
        bound: sent.2,
    })
}

/// Any attempt.
pub fn attempt() -> impl Strategy<Value = AttemptRecord> {
    let sent = (any::<u8>(), target(), select(&Dialect::ALL[..]), timestamp(), any::<u64>());
    let ended = (option::of(any::<u64>()), option::of(any::<u16>()), select(&Outcome::ALL[..]), code());
    let said = (some_text(), some_text(), option::of(select(&Finish::ALL[..])), usage());
    let sources = select(vec![UsageSource::Provider, UsageSource::Estimate, UsageSource::None]);
    let money = (sources, some_money(), select(&CostStatus::ALL[..]), some_money());
    (sent, ended, said, money).prop_map(|(sent, ended, said, money)| AttemptRecord {
        number: sent.0,
        target: sent.1,
        dialect: sent.2,
        started: sent.3,
        duration_us: sent.4,
        first_byte_us: ended.0,
        status: ended.1,
        outcome: ended.2,
        code: ended.3,
        served_model: said.0,
        provider_id: said.1,
        finish: said.2,
        usage: said.3,
        usage_source: money.0,
        cost: money.1,
        cost_status: money.2,
        bound: money.3,
    })
}

/// Any call.
pub fn call_record() -> impl Strategy<Value = CallRecord> {
    let head = (call_id(), name(), timestamp(), select(&Endpoint::ALL[..]), select(&Dialect::ALL[..]));
    let asked = (any::<bool>(), text(), some_text(), some_text(), some_text(), tags());
    let ended = (select(&Outcome::ALL[..]), code(), any::<u16>());
    let sizes = (any::<u64>(), any::<u64>(), any::<u64>(), option::of(any::<u64>()), any::<[u32; 6]>());
    let rest = (vec("[a-z:/]{0,20}", 0..4), vec(attempt(), 0..4));
    (head, asked, ended, sizes, rest).prop_map(|(head, asked, ended, sizes, rest)| CallRecord {
        id: head.0,
        tenant: Tenant::named(&head.1),
        started: head.2,
        endpoint: head.3,
        dialect: head.4,
        streamed: asked.0,
        requested_model: asked.1,
        route: asked.2,
        user: asked.3,
        session: asked.4,
        tags: asked.5,
        outcome: ended.0,
        code: ended.1,
        status: ended.2,
        request_bytes: sizes.0,
        reply_bytes: sizes.1,
        duration_us: sizes.2,
        first_token_us: sizes.3,
        stages: stage_times(sizes.4),
        losses: rest.0,
        attempts: rest.1,
    })
}

fn stage_times(micros: [u32; 6]) -> StageTimes {
    let mut times = StageTimes::default();
    for (stage, micros) in Stage::ALL.into_iter().zip(micros) {
        times.add(stage, u64::from(micros));
    }
    times
}

//! Records as they come out of the gateway, plain ones and varied ones. The same seed gives the same records.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use stepwell_types::{
    AttemptRecord, CallId, CallRecord, Code, CostStatus, Dialect, Endpoint, Finish, Intent, NanoUsd, Outcome,
    Stage, StageTimes, TargetName, Tenant, Timestamp, Usage, UsageSource,
};

/// 2026-11-21T08:00:00Z: a whole hour, for tests that need no other.
pub const MORNING: Timestamp = Timestamp::from_micros(1_795_248_000_000_000);

/// A plain call of the tenant `default` that one attempt served well.
pub fn call_record(started: Timestamp) -> CallRecord {
    let mut stages = StageTimes::default();
    stages.add(Stage::Decode, 12);
    stages.add(Stage::Attempt, 431_000);
    CallRecord {
        id: CallId::new(started),
        tenant: Tenant::only(),
        started,
        endpoint: Endpoint::Chat,
        dialect: Dialect::OpenaiChat,
        streamed: false,
        requested_model: "chat".into(),
        route: Some("chat".into()),
        user: Some("user-7".into()),
        session: None,
        tags: vec![tag("feature", "search"), tag("market", "nl")],
        outcome: Outcome::Ok,
        code: None,
        status: 200,
        request_bytes: 812,
        reply_bytes: 1_644,
        duration_us: 431_200,
        first_token_us: Some(120_500),
        stages,
        losses: Vec::new(),
        attempts: vec![attempt_record(1, started)],
    }
}

/// A plain attempt that was served well and cost 0.000012345 USD.
pub fn attempt_record(number: u8, started: Timestamp) -> AttemptRecord {
    AttemptRecord {
        number,
        target: TargetName { provider: "openai".into(), model: "gpt-5-mini".into() },
        dialect: Dialect::OpenaiChat,
        started,
        duration_us: 430_000,
        first_byte_us: Some(120_000),
        status: Some(200),
        outcome: Outcome::Ok,
        code: None,
        served_model: Some("gpt-5-mini-2026-08-07".into()),
        provider_id: Some("chatcmpl-9x8y7z6w5v4u3t2s1r".into()),
        finish: Some(Finish::Stop),
        usage: Usage { input_tokens: 52, output_tokens: 17, ..Usage::default() },
        usage_source: UsageSource::Provider,
        cost: Some(NanoUsd::from_nanos(12_345)),
        cost_status: CostStatus::Exact,
        bound: Some(NanoUsd::from_nanos(900_000)),
    }
}

/// A plain attempt that failed with an error of the provider.
pub fn failed_attempt(number: u8, started: Timestamp) -> AttemptRecord {
    AttemptRecord {
        status: Some(503),
        outcome: Outcome::Failed,
        code: Some(Code::UpstreamOverloaded),
        served_model: None,
        provider_id: None,
        finish: None,
        usage: Usage::default(),
        usage_source: UsageSource::None,
        cost: Some(NanoUsd::ZERO),
        ..attempt_record(number, started)
    }
}

/// The intent that comes before attempt `number` of a call, as the gateway would write it.
pub fn intent(call: &CallRecord, number: u8) -> Intent {
    let attempt = call.attempts.iter().find(|attempt| attempt.number == number);
    let plain = attempt_record(number, call.started);
    let attempt = attempt.unwrap_or(&plain);
    Intent {
        call: call.id,
        attempt: number,
        tenant: call.tenant.clone(),
        started: attempt.started,
        endpoint: call.endpoint,
        dialect: call.dialect,
        streamed: call.streamed,
        requested_model: Arc::clone(&call.requested_model),
        route: call.route.clone(),
        user: call.user.clone(),
        tags: call.tags.clone(),
        target: attempt.target.clone(),
        target_dialect: attempt.dialect,
        bound: attempt.bound,
    }
}

/// Calls of all sorts, spread over `span` from `from`, in no order of time: several providers, outcomes, tags,
/// failovers, unpriced models, refusals without an attempt.
pub fn varied_calls(seed: u64, count: usize, from: Timestamp, span: Duration) -> Vec<CallRecord> {
    let mut rng = Rng::with_seed(seed);
    (0..count).map(|_| varied_call(&mut rng, from, span)).collect()
}

fn varied_call(rng: &mut Rng, from: Timestamp, span: Duration) -> CallRecord {
    let span_us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    let started = from.plus(Duration::from_micros(rng.u64(0..span_us.max(1))));
    let outcome = pick(
        rng,
        &[Outcome::Ok, Outcome::Ok, Outcome::Ok, Outcome::Failed, Outcome::Cut, Outcome::Cancelled],
    );
    let duration_us = 1_u64 << rng.u32(0..26) | rng.u64(0..1 << 20);
    let mut attempts: Vec<AttemptRecord> =
        (1..=rng.u8(0..=2)).map(|number| failed_attempt(number, started)).collect();
    if outcome != Outcome::Failed {
        attempts.push(varied_attempt(rng, attempts.len(), started, outcome));
    }
    CallRecord {
        id: id(rng, started),
        tenant: Tenant::named(pick(rng, &["default", "default", "growth"])),
        endpoint: pick(rng, &Endpoint::ALL),
        dialect: pick(rng, &Dialect::ALL),
        streamed: rng.bool(),
        requested_model: pick(rng, &["chat", "fast", "openai/gpt-5-mini"]).into(),
        route: pick(rng, &[None, Some("chat"), Some("fast")]).map(Into::into),
        user: rng.bool().then(|| format!("user-{}", rng.u8(0..9)).into()),
        session: rng.bool().then(|| "session \"one\"".into()),
        tags: match rng.u8(0..3) {
            0 => Vec::new(),
            1 => vec![tag("feature", pick(rng, &["search", "chat \"beta\""]))],
            _ => vec![tag("feature", "search"), tag("market", pick(rng, &["nl", "de"]))],
        },
        outcome,
        code: (outcome != Outcome::Ok).then(|| pick(rng, Code::ALL)),
        status: pick(rng, &[200, 400, 429, 502]),
        duration_us,
        first_token_us: (outcome == Outcome::Ok).then(|| 1 + duration_us / 3),
        losses: if rng.bool() { Vec::new() } else { vec!["request:/logit_bias".to_owned()] },
        attempts,
        ..call_record(started)
    }
}

fn varied_attempt(rng: &mut Rng, before: usize, started: Timestamp, outcome: Outcome) -> AttemptRecord {
    let priced = rng.u8(0..5) > 0;
    let input = rng.u64(1..50_000);
    let output = rng.u64(0..5_000);
    AttemptRecord {
        target: pick(rng, &["openai/gpt-5-mini", "anthropic/claude-sonnet-4-5", "local/llama-3.1-8b"])
            .parse()
            .unwrap_or_else(|_| attempt_record(1, started).target),
        outcome,
        usage: Usage {
            input_tokens: input,
            cache_read_tokens: rng.u64(0..=input / 2),
            cache_write_5m_tokens: rng.u64(0..=input / 4),
            output_tokens: output,
            reasoning_tokens: rng.u64(0..=output),
            ..Usage::default()
        },
        cost: priced.then(|| NanoUsd::from_nanos(rng.i64(0..90_000_000))),
        cost_status: if priced { CostStatus::Exact } else { CostStatus::Unpriced },
        bound: rng.bool().then(|| NanoUsd::from_nanos(rng.i64(90_000_000..100_000_000))),
        ..attempt_record(u8::try_from(before + 1).unwrap_or(u8::MAX), started)
    }
}

/// A call's id whose random part comes from the seed.
fn id(rng: &mut Rng, started: Timestamp) -> CallId {
    let mut bytes = *CallId::first_at(started).as_bytes();
    for byte in &mut bytes[9..] {
        *byte = rng.u8(..);
    }
    CallId::from_bytes(bytes)
}

fn tag(name: &str, value: &str) -> (Arc<str>, Arc<str>) {
    (name.into(), value.into())
}

fn pick<T: Copy>(rng: &mut Rng, among: &[T]) -> T {
    among[rng.usize(0..among.len())]
}

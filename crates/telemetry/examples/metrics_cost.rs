//! What it costs to count a finished call, beside the same count of observations with `prometheus-client`:
//! `cargo run --release -p stepwell-telemetry --example metrics_cost`.
//!
//! The rival's handles are resolved once, outside the loop, so it pays for no look-up at all; ours pays for everything.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::thread;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use stepwell_telemetry::Metrics;
use stepwell_types::{
    AttemptRecord, CallId, CallRecord, Clock as _, CostStatus, Dialect, Endpoint, NanoUsd, Outcome, Stage,
    StageTimes, SystemClock, TargetName, Tenant, Timestamp, Usage, UsageSource,
};

const CALLS: u32 = 2_000_000;
/// What one record of one attempt observes: 15 histograms and 15 counters.
const HISTOGRAMS: usize = 15;
const COUNTERS: usize = 15;

fn main() -> io::Result<()> {
    let clock = SystemClock::new();
    let metrics = Metrics::new("0", clock.now());
    let record = record(clock.now());
    let rival = Rival::new();
    let mut out = io::stdout().lock();
    for threads in [1, 2] {
        let ours = nanos_per_call(&clock, threads, || {
            let _in_flight = metrics.call_started();
            metrics.call(&record);
        });
        let theirs = nanos_per_call(&clock, threads, || rival.call());
        writeln!(
            out,
            "{threads} threads: {ours} ns a call; prometheus-client, handles resolved: {theirs} ns"
        )?;
    }
    let before = clock.moment();
    let page = metrics.encode();
    writeln!(out, "page of {} bytes in {} us", page.len(), clock.moment().micros_since(before))
}

/// Time in which each of `threads` threads is done with one call, in nanoseconds.
fn nanos_per_call(clock: &SystemClock, threads: u32, call: impl Fn() + Sync) -> u64 {
    let before = clock.moment();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..CALLS).for_each(|_| call()));
        }
    });
    clock.moment().micros_since(before) * 1_000 / u64::from(CALLS)
}

struct Rival {
    histograms: Vec<Histogram>,
    counters: Vec<Counter>,
}

impl Rival {
    fn new() -> Self {
        let bounds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
        Self {
            histograms: (0..HISTOGRAMS).map(|_| Histogram::new(bounds)).collect(),
            counters: (0..COUNTERS).map(|_| Counter::default()).collect(),
        }
    }

    fn call(&self) {
        self.histograms.iter().for_each(|histogram| histogram.observe(0.9));
        for counter in &self.counters {
            counter.inc();
        }
    }
}

fn record(started: Timestamp) -> CallRecord {
    let target = TargetName { provider: Arc::from("anthropic"), model: Arc::from("claude-sonnet-4-5") };
    let mut stages = StageTimes::default();
    for stage in Stage::ALL {
        stages.add(stage, 3);
    }
    CallRecord {
        id: CallId::new(started),
        tenant: Tenant::only(),
        started,
        endpoint: Endpoint::Chat,
        dialect: Dialect::OpenaiChat,
        streamed: true,
        requested_model: Arc::from("chat"),
        route: None,
        user: None,
        session: None,
        tags: Vec::new(),
        outcome: Outcome::Ok,
        code: None,
        status: 200,
        request_bytes: 300,
        reply_bytes: 900,
        duration_us: 900_300,
        first_token_us: Some(50_300),
        stages,
        losses: Vec::new(),
        attempts: vec![AttemptRecord {
            number: 1,
            target,
            dialect: Dialect::Anthropic,
            started,
            duration_us: 900_000,
            first_byte_us: Some(45_000),
            status: Some(200),
            outcome: Outcome::Ok,
            code: None,
            served_model: None,
            provider_id: None,
            finish: None,
            usage: Usage { input_tokens: 100, output_tokens: 20, ..Usage::default() },
            usage_source: UsageSource::Provider,
            cost: Some(NanoUsd::from_nanos(1_500)),
            cost_status: CostStatus::Exact,
            bound: None,
        }],
    }
}

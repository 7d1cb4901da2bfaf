//! What a run found, for programs. [`Report::table`] says the same to people.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use stepwell_types::Dialect;

use crate::process::Usage;
use crate::tally::{Tally, Totals};
use crate::{LoadOptions, Loop};

/// One run. Calls are those that were due in the measured time; rates and CPU are over that time exactly.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// `closed` or `open`.
    pub mode: &'static str,
    /// The URL as given.
    pub url: String,
    /// The dialect spoken.
    pub dialect: Dialect,
    /// The model asked for.
    pub model: String,
    /// Whether streams were asked for.
    pub stream: bool,
    /// Connections, and so the most calls in flight.
    pub connections: usize,
    /// Connections opened, the warm-up's and those opened anew included.
    pub connections_opened: u64,
    /// Seconds measured.
    pub seconds: f64,
    /// Open loop: calls per second that were due.
    pub offered_per_second: Option<f64>,
    /// Calls per second that ended in the measured time.
    pub calls_per_second: f64,
    /// Calls made: those that succeeded and those that failed.
    pub calls: u64,
    /// Calls whose reply was complete.
    pub succeeded: u64,
    /// Calls whose reply was not.
    pub failed: u64,
    /// Open loop: calls that were due and never sent, for want of a free connection.
    pub not_sent: u64,
    /// Failed calls by what went wrong: `connect`, `timeout`, `no reply`, `status 503`, `cut reply`, `empty reply`,
    /// `cut stream`, `error event`.
    pub failures: BTreeMap<String, u64>,
    /// Events received in the measured time, the one that ends a stream included.
    pub events: u64,
    /// Events per second.
    pub events_per_second: f64,
    /// Bytes of bodies received in the measured time.
    pub bytes: u64,
    /// From when a call was due to its end, over calls that succeeded.
    pub latency: Latency,
    /// From when a call was due to the head of its reply, over calls that succeeded.
    pub first_byte: Latency,
    /// Streams: from when a call was due to its first whole event, over calls that succeeded.
    pub first_event: Option<Latency>,
    /// Open loop: from when a call was due to when a connection took it, over all calls made. It is part of the
    /// latency: what waited for the server, and the few microseconds by which this program itself was late.
    pub wait: Option<Latency>,
    /// The processes measured, if any were named.
    pub process: Option<ProcessReport>,
}

/// How a time is distributed, in microseconds, to three digits.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Latency {
    /// How many times were taken.
    pub count: u64,
    /// The shortest.
    pub min_us: f64,
    /// The mean.
    pub mean_us: f64,
    /// Half are no longer.
    pub p50_us: f64,
    /// 90% are no longer.
    pub p90_us: f64,
    /// 99% are no longer.
    pub p99_us: f64,
    /// 99.9% are no longer.
    pub p999_us: f64,
    /// The longest.
    pub max_us: f64,
}

/// Where a CPU time was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CpuSource {
    /// `/proc/PID/task/*/schedstat`, in nanoseconds.
    Schedstat,
    /// `/proc/PID/stat`, in hundredths of a second: a thread ended during the run.
    Stat,
}

/// What the named processes and their descendants used in the measured time.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessReport {
    /// All processes counted.
    pub pids: Vec<u32>,
    /// Seconds on a core, user and system.
    pub cpu_seconds: f64,
    /// Where that was read.
    pub cpu_source: CpuSource,
    /// Seconds in user mode, to a hundredth.
    pub user_seconds: f64,
    /// Seconds in the kernel, to a hundredth.
    pub system_seconds: f64,
    /// Cores kept busy on average.
    pub cores: f64,
    /// Microseconds on a core for each call that ended.
    pub cpu_us_per_call: Option<f64>,
    /// Microseconds on a core for each event that arrived.
    pub cpu_us_per_event: Option<f64>,
    /// Resident memory at the end of the measured time, before calls in flight end. Shared pages count in each process.
    pub rss_bytes: u64,
    /// The most resident memory since the processes began.
    pub peak_rss_bytes: u64,
}

/// What the controller hands over.
pub(crate) struct Findings<'run> {
    pub(crate) options: &'run LoadOptions,
    pub(crate) tally: Tally,
    /// What happened in the measured time.
    pub(crate) done: Totals,
    pub(crate) measured: Duration,
    pub(crate) not_sent: u64,
    pub(crate) opened: u64,
    /// At the beginning and the end of the measured time.
    pub(crate) usage: Option<(Usage, Usage)>,
}

impl Report {
    pub(crate) fn new(findings: Findings<'_>) -> Self {
        let Findings { options, tally, done, measured, not_sent, opened, usage } = findings;
        let seconds = measured.as_secs_f64().max(f64::EPSILON);
        let (mode, offered) = match options.mode {
            Loop::Closed => ("closed", None),
            Loop::Open { rate, .. } => ("open", Some(rate)),
        };
        let failed = tally.failures.values().sum();
        Self {
            mode,
            url: options.url.clone(),
            dialect: options.dialect,
            model: options.model.clone(),
            stream: options.stream,
            connections: options.connections,
            connections_opened: opened,
            seconds,
            offered_per_second: offered,
            calls_per_second: rate(done.calls, seconds),
            calls: tally.succeeded + failed,
            succeeded: tally.succeeded,
            failed,
            not_sent,
            failures: tally.failures.iter().map(|(class, count)| (class.to_string(), *count)).collect(),
            events: done.events,
            events_per_second: rate(done.events, seconds),
            bytes: done.bytes,
            latency: Latency::of(&tally.latency),
            first_byte: Latency::of(&tally.first_byte),
            first_event: options.stream.then(|| Latency::of(&tally.first_event)),
            wait: offered.map(|_| Latency::of(&tally.wait)),
            process: usage.map(|(before, after)| after.since(&before, measured, done)),
        }
    }

    /// Whether every call that was due was sent and succeeded.
    pub fn is_clean(&self) -> bool {
        self.failed == 0 && self.not_sent == 0
    }
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| micros(histogram.value_at_quantile(quantile));
        Self {
            count: histogram.len(),
            min_us: micros(histogram.min()),
            mean_us: histogram.mean() / 1e3,
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: micros(histogram.max()),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a time below 104 days is exact")]
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "a count for a ratio")]
fn rate(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

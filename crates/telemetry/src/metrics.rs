//! `Metrics`: what the process counts, and the page that shows it.
//!
//! Shared in an `Arc` by everything that reports. [`Metrics::call`] is on the path of every call: it takes one lock
//! that threads seldom share and adds integers; nothing is formatted before the page is read.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use stepwell_types::{CallRecord, Timestamp};

use crate::encode::{self, Figures};
use crate::sample::Sample;
use crate::shard::{Merge as _, Shard, Targets};
use crate::{Metric, process};

/// How many provider and model pairs are labelled by name; later ones are labelled `other`.
pub const MAX_PAIRS: usize = 500;

/// How many groups of threads there are. More threads than this share, and may wait for each other.
const SHARDS: usize = 16;

/// A shard on cache lines of its own.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Lane(Mutex<Shard>);

/// What is counted by how many hold it, on a cache line of its own.
#[repr(align(128))]
#[derive(Debug)]
struct Gauge;

/// Something counted as open until this is dropped.
#[must_use = "dropping it at once counts nothing"]
#[derive(Debug)]
pub struct InFlight(#[expect(dead_code, reason = "held only to be counted")] Arc<Gauge>);

type Source = Box<dyn Fn(&mut Sample) + Send + Sync>;

/// Everything the process counts. Figures begin at zero with the process.
pub struct Metrics {
    lanes: [Lane; SHARDS],
    targets: Targets,
    calls: Arc<Gauge>,
    streams: Arc<Gauge>,
    connections: Arc<Gauge>,
    reloads_applied: AtomicU64,
    reloads_refused: AtomicU64,
    sources: Mutex<Vec<Source>>,
    version: String,
    started: Timestamp,
}

impl Metrics {
    /// The `content-type` of the page: Prometheus' text exposition format.
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// No figures yet, for a process of `version` that began at `started`.
    pub fn new(version: &str, started: Timestamp) -> Self {
        Self {
            lanes: Default::default(),
            targets: Targets::new(),
            calls: Arc::new(Gauge),
            streams: Arc::new(Gauge),
            connections: Arc::new(Gauge),
            reloads_applied: AtomicU64::new(0),
            reloads_refused: AtomicU64::new(0),
            sources: Mutex::new(Vec::new()),
            version: version.to_owned(),
            started,
        }
    }

    /// Counts a finished call and its attempts. Call it once per call.
    pub fn call(&self, record: &CallRecord) {
        if let Some(lane) = self.lanes.get(thread_number() % SHARDS) {
            lane.0.lock().record(record, &self.targets);
        }
    }

    /// Counts a call as in flight until the guard is dropped.
    pub fn call_started(&self) -> InFlight {
        InFlight(Arc::clone(&self.calls))
    }

    /// Counts a streamed reply as open until the guard is dropped.
    pub fn stream_opened(&self) -> InFlight {
        InFlight(Arc::clone(&self.streams))
    }

    /// Counts a client connection as open until the guard is dropped.
    pub fn connection_opened(&self) -> InFlight {
        InFlight(Arc::clone(&self.connections))
    }

    /// Calls begun and not finished.
    pub fn calls_in_flight(&self) -> usize {
        held(&self.calls)
    }

    /// Client connections open on the data plane.
    pub fn connections_open(&self) -> usize {
        held(&self.connections)
    }

    /// Counts a config reload that was applied, or refused with the last good config kept.
    pub fn config_reloaded(&self, applied: bool) {
        let count = if applied { &self.reloads_applied } else { &self.reloads_refused };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds a source of figures kept elsewhere. It is called each time the page is read, must not wait, and stays for
    /// the life of these metrics.
    pub fn register_source(&self, source: Box<dyn Fn(&mut Sample) + Send + Sync>) {
        self.sources.lock().push(source);
    }

    /// The page, in [`Self::CONTENT_TYPE`]. Reads `/proc` and every source.
    pub fn encode(&self) -> String {
        let mut total = Shard::default();
        for lane in &self.lanes {
            total.merge(&lane.0.lock());
        }
        encode::page(&Figures {
            calls: &total,
            sample: &self.sample(),
            version: &self.version,
            reloads: [
                ("applied", self.reloads_applied.load(Ordering::Relaxed)),
                ("refused", self.reloads_refused.load(Ordering::Relaxed)),
            ],
        })
    }

    fn sample(&self) -> Sample {
        let mut sample = Sample::default();
        process::sample(&mut sample);
        for source in self.sources.lock().iter() {
            source(&mut sample);
        }
        let own = [
            (Metric::CallsInFlight, held(&self.calls)),
            (Metric::StreamsOpen, held(&self.streams)),
            (Metric::ConnectionsOpen, held(&self.connections)),
        ];
        for (metric, count) in own {
            sample.set(metric, u64::try_from(count).unwrap_or(u64::MAX));
        }
        sample.set(Metric::ProcessStart, u64::try_from(self.started.as_micros()).unwrap_or(0));
        sample
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metrics").field("version", &self.version).finish_non_exhaustive()
    }
}

/// How many guards of a gauge there are: all that hold it but for `Metrics` itself.
fn held(gauge: &Arc<Gauge>) -> usize {
    Arc::strong_count(gauge).saturating_sub(1)
}

/// A number that this thread keeps, given in the order in which threads first report.
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}

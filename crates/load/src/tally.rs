//! What the connections of one thread have seen: running counters for rates, histograms for times.
//!
//! Counters hold everything from the first warm-up call on, so that a difference of two readings is a true rate;
//! the rest holds measured calls only.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Sub;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::Error;
use crate::source::Due;

/// Why a call failed, coarse enough to be counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Class {
    /// No connection could be opened.
    Connect,
    /// It took longer than allowed.
    Timeout,
    /// The connection ended, or spoke something else than HTTP, before a reply began.
    NoReply,
    /// The server said so.
    Status(u16),
    /// The reply's body ended early.
    CutReply,
    /// The reply's body was empty.
    EmptyReply,
    /// The stream ended without the dialect's last event.
    CutStream,
    /// The stream had an error event.
    ErrorEvent,
}

impl fmt::Display for Class {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => formatter.write_str("connect"),
            Self::Timeout => formatter.write_str("timeout"),
            Self::NoReply => formatter.write_str("no reply"),
            Self::Status(status) => write!(formatter, "status {status}"),
            Self::CutReply => formatter.write_str("cut reply"),
            Self::EmptyReply => formatter.write_str("empty reply"),
            Self::CutStream => formatter.write_str("cut stream"),
            Self::ErrorEvent => formatter.write_str("error event"),
        }
    }
}

/// How one call went.
#[derive(Debug)]
pub(crate) struct Seen {
    /// When it was handed to the connection.
    pub(crate) sent: Instant,
    /// When the reply's head had arrived.
    pub(crate) first_byte: Option<Instant>,
    /// When the first event of the stream was complete.
    pub(crate) first_event: Option<Instant>,
    /// When it was over.
    pub(crate) end: Instant,
    pub(crate) result: Result<(), Class>,
}

/// Running totals, warm-up included.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) calls: u64,
    pub(crate) failed: u64,
    pub(crate) events: u64,
    pub(crate) bytes: u64,
}

impl Totals {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            failed: self.failed + other.failed,
            events: self.events + other.events,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl Sub for Totals {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(earlier.calls),
            failed: self.failed.saturating_sub(earlier.failed),
            events: self.events.saturating_sub(earlier.events),
            bytes: self.bytes.saturating_sub(earlier.bytes),
        }
    }
}

/// One thread's figures, written by its connections and read by the controller.
#[derive(Debug)]
pub(crate) struct Lane {
    calls: AtomicU64,
    failed: AtomicU64,
    events: AtomicU64,
    bytes: AtomicU64,
    in_flight: AtomicU64,
    pub(crate) opened: AtomicU64,
    tally: Mutex<Tally>,
}

impl Lane {
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(Self {
            calls: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            events: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            tally: Mutex::new(Tally::new()?),
        })
    }

    pub(crate) fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn received(&self, bytes: usize, events: u64) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if events > 0 {
            self.events.fetch_add(events, Ordering::Relaxed);
        }
    }

    pub(crate) fn end(&self, due: Due, seen: &Seen) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.calls.fetch_add(1, Ordering::Relaxed);
        if seen.result.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        if due.measured {
            self.tally.lock().record(due.at, seen);
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals {
            calls: self.calls.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            events: self.events.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn add_to(&self, sum: &mut Tally) {
        sum.add(&self.tally.lock());
    }
}

/// Measured calls. Times are in nanoseconds, to three digits, from half a microsecond to an hour.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) succeeded: u64,
    pub(crate) failures: BTreeMap<Class, u64>,
    /// From when a call was due to its end, of calls that succeeded.
    pub(crate) latency: Histogram<u64>,
    /// From when a call was due to the head of its reply, of calls that succeeded.
    pub(crate) first_byte: Histogram<u64>,
    /// From when a call was due to the end of its first event, of calls that succeeded.
    pub(crate) first_event: Histogram<u64>,
    /// From when a call was due to when a connection took it, of all calls.
    pub(crate) wait: Histogram<u64>,
}

impl Tally {
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(Self {
            succeeded: 0,
            failures: BTreeMap::new(),
            latency: histogram()?,
            first_byte: histogram()?,
            first_event: histogram()?,
            wait: histogram()?,
        })
    }

    fn record(&mut self, due: Instant, seen: &Seen) {
        self.wait.saturating_record(nanos(seen.sent - due));
        if let Err(class) = seen.result {
            *self.failures.entry(class).or_default() += 1;
            return;
        }
        self.succeeded += 1;
        self.latency.saturating_record(nanos(seen.end - due));
        if let Some(at) = seen.first_byte {
            self.first_byte.saturating_record(nanos(at - due));
        }
        if let Some(at) = seen.first_event {
            self.first_event.saturating_record(nanos(at - due));
        }
    }

    fn add(&mut self, other: &Self) {
        self.succeeded += other.succeeded;
        for (class, count) in &other.failures {
            *self.failures.entry(*class).or_default() += count;
        }
        for (sum, part) in [
            (&mut self.latency, &other.latency),
            (&mut self.first_byte, &other.first_byte),
            (&mut self.first_event, &other.first_event),
            (&mut self.wait, &other.wait),
        ] {
            // Both were made with the same bounds, so nothing can be out of range.
            sum.add(part).unwrap_or_default();
        }
    }
}

fn histogram() -> Result<Histogram<u64>, Error> {
    Histogram::new_with_bounds(1_000, 3_600_000_000_000, 3)
        .map_err(|error| Error::Options(format!("no such histogram: {error}")))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_two_lanes_has_the_calls_of_both() {
        let now = Instant::now();
        let due = Due { at: now, measured: true };
        let seen = |micros, result| Seen {
            sent: now,
            first_byte: None,
            first_event: None,
            end: now + Duration::from_micros(micros),
            result,
        };
        let (one, two) = (Lane::new().unwrap(), Lane::new().unwrap());
        for _ in 0..3 {
            one.begin();
            one.end(due, &seen(500, Ok(())));
        }
        two.begin();
        two.end(due, &seen(2_000, Ok(())));
        two.begin();
        two.end(due, &seen(9_000_000, Err(Class::Status(429))));
        two.begin();
        two.end(Due { measured: false, ..due }, &seen(1, Ok(())));

        let mut sum = Tally::new().unwrap();
        one.add_to(&mut sum);
        two.add_to(&mut sum);
        assert_eq!(sum.succeeded, 4);
        assert_eq!(sum.failures, BTreeMap::from([(Class::Status(429), 1)]));
        assert_eq!(sum.latency.len(), 4);
        assert!((1_999_000..2_001_000).contains(&sum.latency.max()), "{}", sum.latency.max());
        assert_eq!(two.totals().calls, 3);
        assert_eq!(two.totals().failed, 1);
        assert_eq!(two.in_flight(), 0);
    }
}

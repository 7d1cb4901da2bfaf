//! Says when the next call is due. Connections ask; the loop answers.
//!
//! The open loop never bends to the server: what is due while no connection is free waits, bounded, and its latency
//! counts from when it was due. What finds no room to wait is counted as not sent.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// A call to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Due {
    /// When it ought to be sent: its latency counts from here.
    pub(crate) at: Instant,
    /// Whether it counts, that is, comes after the warm-up.
    pub(crate) measured: bool,
}

/// Where connections get their calls.
#[derive(Debug)]
pub(crate) enum Source {
    Closed(Closed),
    Open(Open),
}

impl Source {
    /// The next call, or nothing when there are no more.
    pub(crate) async fn next(&self) -> Option<Due> {
        match self {
            Self::Closed(closed) => closed.next(Instant::now()),
            Self::Open(open) => open.next().await,
        }
    }

    /// Ends the loop: what is in flight goes on, nothing new is sent.
    pub(crate) fn stop(&self) {
        match self {
            Self::Closed(closed) => closed.stopped.store(true, Ordering::Relaxed),
            Self::Open(open) => open.permits.close(),
        }
    }
}

/// Calls one after another.
#[derive(Debug)]
pub(crate) struct Closed {
    measured_from: Instant,
    until: Option<Instant>,
    remaining: AtomicU64,
    stopped: AtomicBool,
}

impl Closed {
    /// Calls begun before `measured_from` do not count. Ends at `until`, or when `calls` that count were begun.
    pub(crate) fn new(measured_from: Instant, until: Option<Instant>, calls: Option<u64>) -> Self {
        Self {
            measured_from,
            until,
            remaining: AtomicU64::new(calls.unwrap_or(u64::MAX)),
            stopped: AtomicBool::new(false),
        }
    }

    fn next(&self, now: Instant) -> Option<Due> {
        if self.stopped.load(Ordering::Relaxed) || self.until.is_some_and(|until| now >= until) {
            return None;
        }
        let measured = now >= self.measured_from;
        if measured {
            let take = |left: u64| left.checked_sub(1);
            self.remaining.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        }
        Some(Due { at: now, measured })
    }
}

/// Calls that are due at set times and wait for a free connection.
#[derive(Debug)]
pub(crate) struct Open {
    waiting: Mutex<VecDeque<Due>>,
    /// One for each call that waits; many more once the schedule is over, so that each connection finds out.
    permits: Semaphore,
    backlog: usize,
    give_up: Instant,
    not_sent: AtomicU64,
}

impl Open {
    /// At most `backlog` calls wait. Those that still do at `give_up` are not sent any more.
    pub(crate) fn new(backlog: usize, give_up: Instant) -> Self {
        Self {
            waiting: Mutex::new(VecDeque::new()),
            permits: Semaphore::new(0),
            backlog,
            give_up,
            not_sent: AtomicU64::new(0),
        }
    }

    /// A call has become due.
    pub(crate) fn push(&self, due: Due) {
        {
            let mut waiting = self.waiting.lock();
            if waiting.len() >= self.backlog {
                self.miss(due);
                return;
            }
            waiting.push_back(due);
        }
        self.permits.add_permits(1);
    }

    /// No more calls will become due. Those that wait are still sent.
    pub(crate) fn finish(&self, connections: usize) {
        self.permits.add_permits(connections);
    }

    /// How many calls are due and not sent.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.lock().len()
    }

    /// How many measured calls found no room to wait, or waited until it was too late.
    pub(crate) fn not_sent(&self) -> u64 {
        self.not_sent.load(Ordering::Relaxed)
    }

    fn miss(&self, due: Due) {
        if due.measured {
            self.not_sent.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn next(&self) -> Option<Due> {
        loop {
            self.permits.acquire().await.ok()?.forget();
            let due = self.waiting.lock().pop_front()?;
            if Instant::now() < self.give_up {
                return Some(due);
            }
            self.miss(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_closed_loop_gives_exactly_the_calls_asked_for_after_the_warm_up() {
        let start = Instant::now();
        let measured_from = start + Duration::from_secs(1);
        let closed = Closed::new(measured_from, None, Some(2));
        for _ in 0..5 {
            assert_eq!(closed.next(start), Some(Due { at: start, measured: false }));
        }
        assert_eq!(closed.next(measured_from), Some(Due { at: measured_from, measured: true }));
        assert!(closed.next(measured_from).is_some());
        assert_eq!(closed.next(measured_from), None);
    }

    #[test]
    fn a_closed_loop_ends_on_time_or_when_stopped() {
        let start = Instant::now();
        let until = start + Duration::from_secs(1);
        let source = Source::Closed(Closed::new(start, Some(until), None));
        let Source::Closed(closed) = &source else { unreachable!() };
        assert!(closed.next(start).is_some());
        assert_eq!(closed.next(until), None);
        source.stop();
        assert_eq!(closed.next(start), None);
    }

    #[tokio::test]
    async fn an_open_loop_sends_what_waits_and_counts_what_found_no_room() {
        let now = Instant::now();
        let open = Open::new(2, now + Duration::from_hours(1));
        let due = |micros, measured| Due { at: now + Duration::from_micros(micros), measured };
        open.push(due(0, true));
        open.push(due(1, true));
        open.push(due(2, true));
        open.push(due(3, false));
        open.finish(1);
        assert_eq!(open.waiting(), 2);
        assert_eq!(open.not_sent(), 1);
        assert_eq!(open.next().await, Some(due(0, true)));
        assert_eq!(open.next().await, Some(due(1, true)));
        assert_eq!(open.next().await, None);
    }

    #[tokio::test]
    async fn what_still_waits_when_time_is_up_is_not_sent_and_counted() {
        let now = Instant::now();
        let open = Open::new(8, now);
        open.push(Due { at: now, measured: true });
        open.push(Due { at: now, measured: true });
        open.finish(1);
        assert_eq!(open.next().await, None);
        assert_eq!(open.not_sent(), 2);
    }
}

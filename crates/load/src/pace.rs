//! The clock of the open loop: a thread that makes each call due at its time.
//!
//! A thread and not a timer of the runtime, whose ticks of a millisecond would drown what is measured. It never looks
//! at what the server does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use crate::source::{Due, Open};

/// The longest sleep, so that a stop is noticed.
const NAP: Duration = Duration::from_millis(50);
/// A sleep ends up to this much late (Linux's timer slack and a wake-up), so it is begun to end this much early.
const SLACK: Duration = Duration::from_micros(80);
/// Above this rate the rest of a sleep is not spun away: it would cost a core that the server needs.
const SPIN_BELOW: f64 = 1_000.0;

/// When calls are due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    pub(crate) start: Instant,
    /// Calls per second.
    pub(crate) rate: f64,
    /// How many come before the measurement.
    pub(crate) warmup: u64,
    /// How many are measured.
    pub(crate) measured: u64,
}

impl Schedule {
    /// When the call of this index is due.
    pub(crate) fn due(&self, index: u64) -> Instant {
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 calls")]
        let seconds = index as f64 / self.rate;
        self.start + Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 4)
    }

    /// How many calls are due within a time.
    pub(crate) fn calls_in(rate: f64, time: Duration) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float becomes the nearest integer, saturating"
        )]
        let calls = (rate * time.as_secs_f64()).round() as u64;
        calls
    }

    /// When the measurement begins.
    pub(crate) fn measured_from(&self) -> Instant {
        self.due(self.warmup)
    }

    /// When the measurement ends: when the call after the last one would be due.
    pub(crate) fn end(&self) -> Instant {
        self.due(self.warmup.saturating_add(self.measured))
    }

    /// Makes every call due at its time, then says that there are no more. Returns early when `stopped`.
    pub(crate) fn run(&self, open: &Open, connections: usize, stopped: &AtomicBool) {
        for index in 0..self.warmup.saturating_add(self.measured) {
            let at = self.due(index);
            if !wait_until(at, self.rate < SPIN_BELOW, stopped) {
                break;
            }
            open.push(Due { at, measured: index >= self.warmup });
        }
        open.finish(connections);
    }
}

/// False when `stopped`.
fn wait_until(at: Instant, spin: bool, stopped: &AtomicBool) -> bool {
    loop {
        if stopped.load(Ordering::Relaxed) {
            return false;
        }
        let left = at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        if left > SLACK {
            thread::sleep(left.saturating_sub(SLACK).min(NAP));
        } else if spin {
            thread::yield_now();
        } else {
            thread::sleep(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_does_not_drift_and_ends_after_its_last_call() {
        let start = Instant::now();
        let schedule = Schedule { start, rate: 3.0, warmup: 3, measured: 30_000 };
        assert_eq!(schedule.measured_from(), start + Duration::from_secs(1));
        assert_eq!(schedule.due(30_000), start + Duration::from_secs(10_000));
        assert_eq!(schedule.end(), start + Duration::from_secs(10_001));
    }

    #[test]
    fn the_number_of_calls_is_rate_times_time() {
        assert_eq!(Schedule::calls_in(200.0, Duration::from_secs(10)), 2_000);
        assert_eq!(Schedule::calls_in(0.5, Duration::from_secs(10)), 5);
        assert_eq!(Schedule::calls_in(1.0 / 3.0, Duration::from_secs(9)), 3);
    }

    #[test]
    fn every_call_of_the_schedule_becomes_due_and_none_early() {
        let start = Instant::now();
        let schedule = Schedule { start, rate: 100_000.0, warmup: 10, measured: 40 };
        let open = Open::new(1_000, start + Duration::from_hours(1));
        schedule.run(&open, 1, &AtomicBool::new(false));
        assert_eq!(open.waiting(), 50);
        assert!(Instant::now() >= schedule.due(49));
    }

    #[test]
    fn a_stopped_schedule_makes_nothing_due() {
        let start = Instant::now();
        let schedule = Schedule { start, rate: 1.0, warmup: 0, measured: u64::MAX };
        let open = Open::new(1_000, start + Duration::from_hours(1));
        schedule.run(&open, 1, &AtomicBool::new(true));
        assert_eq!(open.waiting(), 0);
    }
}

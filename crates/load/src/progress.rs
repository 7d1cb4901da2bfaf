//! What a run tells while it runs.

use std::fmt;
use std::time::Duration;

/// Where a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Calls are sent and not counted.
    Warmup,
    /// Calls are counted.
    Measuring,
    /// No more calls become due; those in flight and waiting are followed to their end.
    Ending,
}

/// A run at a moment. Its `Display` is one line.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Progress {
    /// Where the run is.
    pub phase: Phase,
    /// Time since the first call was due.
    pub elapsed: Duration,
    /// Calls ended so far, warm-up included.
    pub calls: u64,
    /// Calls per second since the last progress.
    pub calls_per_second: f64,
    /// Calls failed so far, warm-up included.
    pub failed: u64,
    /// Events received so far, warm-up included.
    pub events: u64,
    /// Calls on a connection now.
    pub in_flight: u64,
    /// Open loop: calls that are due and have no free connection.
    pub waiting: u64,
    /// Open loop: measured calls that found no room to wait.
    pub not_sent: u64,
}

impl fmt::Display for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match self.phase {
            Phase::Warmup => "warm-up",
            Phase::Measuring => "measuring",
            Phase::Ending => "ending",
        };
        write!(
            formatter,
            "{:>6.1} s  {phase:<9}  {:>9.1} calls/s  {} calls  {} failed  {} in flight",
            self.elapsed.as_secs_f64(),
            self.calls_per_second,
            self.calls,
            self.failed,
            self.in_flight,
        )?;
        if self.waiting > 0 || self.not_sent > 0 {
            write!(formatter, "  {} waiting  {} not sent", self.waiting, self.not_sent)?;
        }
        Ok(())
    }
}

//! The shipper: one thread that moves finals from the journal into the ledger, and the journal's segments out of the way.
//!
//! It begins at the ledger's checkpoint, so what a dead process left and what is written now take the same path.
//! While the ledger fails it waits and tries again; calls go on until the journal is full. It never drops a record.

mod recover;
mod tail;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use stepwell_types::{Clock, Moment};
use tokio::sync::watch;

use self::tail::Tail;
use crate::block_on::block_on;
use crate::priority::calls_first;
use crate::{Batch, Checkpoint, Error, Journal, Ledger, Position};

/// How the shipper works.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShipperOptions {
    /// How long a final waits for others to go with it.
    pub linger: Duration,
    /// The most calls that go at once.
    pub max_calls: usize,
    /// How much more in the journal ends the wait, in bytes.
    pub enough_bytes: u64,
    /// The longest wait between two tries while the ledger fails; the first is a fiftieth of it.
    pub max_backoff: Duration,
}

impl Default for ShipperOptions {
    fn default() -> Self {
        Self {
            linger: Duration::from_millis(200),
            max_calls: 4_096,
            enough_bytes: 1 << 20,
            max_backoff: Duration::from_secs(5),
        }
    }
}

/// How far behind the ledger is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ShipperStatus {
    /// Bytes of the journal not yet in the ledger.
    pub behind_bytes: u64,
    /// How long it has not caught up; zero when it has.
    pub behind_for: Duration,
    /// Calls the shipper has seen begin and not end.
    pub open_calls: usize,
    /// Calls taken into the ledger since the start.
    pub shipped_calls: u64,
    /// Calls that a dead process had left open, recorded as `unknown` since the start.
    pub recovered_calls: u64,
    /// Tries since the ledger last took a batch.
    pub failures: u32,
    /// Why the last try failed, while none has succeeded since.
    pub problem: Option<String>,
}

/// What the shipper's thread and its owner share.
struct Shared {
    journal: Arc<Journal>,
    clock: Arc<dyn Clock>,
    asked: Mutex<Asked>,
    progress: Mutex<Progress>,
    done: watch::Sender<Done>,
}

/// What the owner wants.
#[derive(Default)]
struct Asked {
    /// Do not linger before this.
    flush: Position,
    /// Stop once everything is shipped, or at this moment.
    stop_by: Option<Moment>,
}

struct Progress {
    status: ShipperStatus,
    caught_up: Moment,
}

#[derive(Clone, Copy, Default)]
struct Done {
    position: Position,
    stopped: bool,
}

/// Moves a journal's records into a ledger for as long as it lives.
pub struct Shipper {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Shipper {
    /// Begins at the ledger's checkpoint for this journal. Blocks for the one question that takes.
    ///
    /// # Errors
    /// [`Error::JournalBehindLedger`] when the journal has lost what the ledger has seen; what the ledger says
    /// otherwise.
    pub fn start(
        journal: Arc<Journal>,
        ledger: Arc<dyn Ledger>,
        options: ShipperOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let checkpoint = block_on(ledger.checkpoint(journal.replica()))?;
        let tail = Tail::new(&journal, checkpoint)?;
        let dir = journal.dir().to_owned();
        let progress = Progress { status: ShipperStatus::default(), caught_up: clock.moment() };
        let shared = Arc::new(Shared {
            journal,
            clock,
            asked: Mutex::default(),
            progress: Mutex::new(progress),
            done: watch::Sender::default(),
        });
        let work = Work { shared: Arc::clone(&shared), ledger, options, tail, noted: checkpoint };
        let thread = thread::Builder::new()
            .name("shipper".to_owned())
            .spawn(move || {
                calls_first();
                work.run();
            })
            .map_err(Error::io("start a thread for", &dir))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// How far behind the ledger is.
    pub fn status(&self) -> ShipperStatus {
        let position = self.shared.done.borrow().position;
        let behind_bytes = if position >= self.shared.journal.end().0 {
            0
        } else {
            self.shared.journal.bytes_after(position)
        };
        let progress = self.shared.progress.lock();
        let behind_for = match behind_bytes {
            0 => Duration::ZERO,
            _ => Duration::from_micros(self.shared.clock.moment().micros_since(progress.caught_up)),
        };
        ShipperStatus { behind_bytes, behind_for, ..progress.status.clone() }
    }

    /// Waits until everything appended before is in the ledger, however long that takes.
    ///
    /// # Errors
    /// [`Error::Closed`] when the shipper stops before.
    pub async fn flush(&self) -> Result<(), Error> {
        let target = self.shared.end()?;
        {
            let mut asked = self.shared.asked.lock();
            asked.flush = asked.flush.max(target);
        }
        self.shared.journal.nudge();
        let mut done = self.shared.done.subscribe();
        let reached = done.wait_for(|done| done.position >= target || done.stopped).await;
        let position = reached.map_err(|_| Error::Closed)?.position;
        if position >= target { Ok(()) } else { Err(Error::Closed) }
    }

    /// Ships what there is, for at most `grace`, and stops. What is left is shipped after the next start.
    ///
    /// # Errors
    /// [`Error::Closed`] when something is left.
    pub async fn close(&self, grace: Duration) -> Result<(), Error> {
        let target = self.shared.end()?;
        self.shared.asked.lock().stop_by = Some(self.shared.clock.moment().plus(grace));
        self.shared.journal.nudge();
        let mut done = self.shared.done.subscribe();
        let position = done.wait_for(|done| done.stopped).await.map_err(|_| Error::Closed)?.position;
        if position >= target { Ok(()) } else { Err(Error::Closed) }
    }
}

impl Drop for Shipper {
    /// Stops without shipping what is left.
    fn drop(&mut self) {
        self.shared.asked.lock().stop_by = Some(Moment::default());
        self.shared.journal.nudge();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the shipper panicked");
        }
    }
}

impl Shared {
    fn end(&self) -> Result<Position, Error> {
        self.journal.flush().map_err(Error::journal("flush"))?;
        Ok(self.journal.end().0)
    }

    /// Whether to stop now: the time is over, or there is nothing left.
    fn must_stop(&self, position: Position) -> bool {
        let Some(stop_by) = self.asked.lock().stop_by else { return false };
        self.clock.moment() >= stop_by || position >= self.journal.end().0
    }

    fn hurried(&self, position: Position) -> bool {
        let asked = self.asked.lock();
        asked.stop_by.is_some() || asked.flush > position
    }
}

/// What the thread works with.
struct Work {
    shared: Arc<Shared>,
    ledger: Arc<dyn Ledger>,
    options: ShipperOptions,
    tail: Tail,
    /// The checkpoint in the ledger.
    noted: Option<Checkpoint>,
}

impl Work {
    fn run(mut self) {
        loop {
            let position = self.tail.position();
            if self.shared.must_stop(position) {
                break;
            }
            self.wait_for_work(position);
            match self.turn() {
                Ok(()) | Err(Error::Closed) => {}
                Err(error) => self.start_over(&error),
            }
        }
        self.shared.done.send_modify(|done| done.stopped = true);
    }

    /// Waits until there is something to ship, then for more to go with it.
    fn wait_for_work(&self, position: Position) {
        const IDLE: Duration = Duration::from_secs(10);
        let journal = &self.shared.journal;
        let (end, appended) = journal.end();
        let unread = journal.first() > position || end > position;
        if !unread && !self.shared.hurried(position) {
            journal.wait_for_growth(appended + 1, IDLE);
        }
        let plenty = journal.bytes_after(position) >= self.options.enough_bytes;
        if !plenty && !self.shared.hurried(position) && journal.end().0 > position {
            journal.wait_for_growth(appended + self.options.enough_bytes, self.options.linger);
        }
    }

    /// Reads what there is, ships it, and clears away what is no longer needed.
    fn turn(&mut self) -> Result<(), Error> {
        let began = self.shared.clock.moment();
        let end = self.shared.journal.end().0;
        let mut calls = Vec::new();
        let read = self.tail.read(end, self.options.max_calls, &mut calls);
        let checkpoint = self.tail.checkpoint(&self.shared.journal);
        let count = calls.len();
        // A place further on in the same segment is worth a transaction only if there are calls to go with it.
        if count > 0 || checkpoint.oldest_open.segment > self.kept_from() {
            let batch = Arc::new(Batch { calls, checkpoint: Some(checkpoint) });
            self.ship(&batch)?;
            self.noted = Some(checkpoint);
        }
        let recovered = read?;
        let position = self.tail.position();
        self.note_progress(count, recovered, position);
        if position >= end {
            self.shared.progress.lock().caught_up = began;
        }
        self.shared.journal.remove_before(self.kept_from())?;
        self.carry()
    }

    /// The oldest segment that a restart would read.
    fn kept_from(&self) -> u64 {
        self.noted.map_or(0, |checkpoint| checkpoint.oldest_open.segment)
    }

    /// Notes a failure, waits, and reads again from the checkpoint.
    fn start_over(&mut self, error: &Error) {
        self.failed(error);
        match Tail::new(&self.shared.journal, self.noted) {
            Ok(tail) => self.tail = tail,
            Err(error) => tracing::error!(%error, "the journal cannot be read again"),
        }
    }

    /// Ships until it succeeds, or it is time to stop.
    fn ship(&self, batch: &Arc<Batch>) -> Result<(), Error> {
        loop {
            match block_on(self.ledger.ship(Arc::clone(batch))) {
                Ok(_) => return Ok(()),
                Err(error) => self.failed(&error),
            }
            let stop_by = self.shared.asked.lock().stop_by;
            if stop_by.is_some_and(|stop_by| self.shared.clock.moment() >= stop_by) {
                return Err(Error::Closed);
            }
        }
    }

    /// Notes a failure and waits before the next try.
    fn failed(&self, error: &Error) {
        let failures = {
            let mut progress = self.shared.progress.lock();
            progress.status.failures = progress.status.failures.saturating_add(1);
            progress.status.problem = Some(error.to_string());
            progress.status.failures
        };
        tracing::warn!(%error, failures, "calls are not reaching the ledger, they wait in the journal");
        let doubled = (self.options.max_backoff / 50).saturating_mul(1 << (failures - 1).min(16));
        let wait = doubled.min(self.options.max_backoff).mul_f64(0.5 + fastrand::f64() / 2.0);
        self.shared.journal.wait_for_growth(u64::MAX, wait);
    }

    fn note_progress(&self, shipped: usize, recovered: usize, position: Position) {
        let mut progress = self.shared.progress.lock();
        if progress.status.failures > 0 {
            tracing::info!(failures = progress.status.failures, "calls reach the ledger again");
        }
        let status = &mut progress.status;
        status.shipped_calls += shipped as u64;
        status.recovered_calls += recovered as u64;
        status.open_calls = self.tail.open_calls();
        status.failures = 0;
        status.problem = None;
        drop(progress);
        self.shared.done.send_modify(|done| done.position = position);
    }

    /// Moves the last open calls out of the oldest segment, so that it can go.
    fn carry(&mut self) -> Result<(), Error> {
        let journal = &self.shared.journal;
        let Some((oldest, length)) = journal.oldest_sealed() else { return Ok(()) };
        // The segment before the active one may hold calls that are about to end: it is left for a while, unless its room
        // is wanted.
        let read = self.tail.position().segment;
        let is_due = oldest + 1 < read || (oldest < read && journal.is_crowded());
        if is_due && self.tail.carry(journal, oldest, length)? {
            journal.sync().map_err(Error::journal("sync"))?;
        }
        Ok(())
    }
}

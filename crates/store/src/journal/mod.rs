//! The journal: a local append-only file in front of the ledger.
//!
//! An intent is appended before an attempt is sent and a final before a reply's last byte is released; an append returns
//! once the record is with the operating system, so a killed process loses nothing. An intent is admitted only with room
//! kept for everything that can follow it. It never waits for the ledger.
//!
//! A worker's calls append through its [`Appender`], which writes what comes together at once; [`Journal::intent`],
//! [`Journal::attempt`] and [`Journal::call`] write one record each, for whoever has no turns to share.
//!
//! `docs/journal.md` has the format, the promises and their limits.

mod append;
mod appender;
mod batch;
mod files;
mod frame;
mod lookup;
mod reader;
mod recent;
mod replica;
mod segment;
mod state;
#[cfg(test)]
mod tests;
mod ticket;
mod upkeep;
mod v1;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use stepwell_types::{AttemptRecord, CallId, CallRecord, Clock, Intent, ReplicaId};
use tokio::sync::watch;

pub use self::appender::Appender;
#[cfg(test)]
pub(crate) use self::files::SegmentFile;
pub(crate) use self::files::{Files, SystemFiles};
pub(crate) use self::frame::{Frame, Kind};
pub(crate) use self::lookup::Lookup;
pub(crate) use self::reader::Reader;
pub(crate) use self::recent::Recent;
pub(crate) use self::state::IdHasher;
use self::state::State;
use self::ticket::Durable;
pub use self::ticket::{JournalError, Ticket};
pub(crate) use self::v1::{AttemptV1, CallV1, IntentV1, UNREADABLE, VERSION};
use crate::{DataDir, Error, Position};

/// When a record is on disk.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Durability {
    /// Before [`Ticket::durable`] resolves: nothing that was waited for is lost, even to a power failure.
    Strict,
    /// Within the group interval: a killed process loses nothing, a power failure at most the interval.
    #[default]
    Grouped,
    /// Within 50 ms, buffered in the process: a killed process may lose that much. Not for hard caps.
    Async,
}

/// How a journal is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JournalOptions {
    /// When a record is on disk.
    pub durability: Durability,
    /// The length at which a new segment is begun, in bytes: 64 KiB to 1 GiB. Held to a quarter of `max_bytes`.
    pub segment_bytes: u64,
    /// The most all segments may take, in bytes, at least 256 KiB: how much the journal spools while the ledger is down.
    pub max_bytes: u64,
    /// The time between two syncs under [`Durability::Grouped`].
    pub group_interval: Duration,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Grouped,
            segment_bytes: 64 << 20,
            max_bytes: 2 << 30,
            group_interval: Duration::from_millis(10),
        }
    }
}

/// A journal that has been opened.
pub struct Opened {
    /// The journal. Its records reach the ledger only through a [`crate::Shipper`].
    pub journal: Arc<Journal>,
    /// Whose journal it is: the same for as long as the directory lives.
    pub replica: ReplicaId,
    /// Bytes of a record cut off by a crash, or of records a power failure took, that were truncated.
    pub truncated_bytes: u64,
}

/// How full the journal is, whether it takes intents, and what it has done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JournalStatus {
    /// Bytes in segments.
    pub used_bytes: u64,
    /// Bytes kept for the finals of open calls.
    pub reserved_bytes: u64,
    /// The most both may be together.
    pub max_bytes: u64,
    /// Calls with an intent and no final.
    pub open_calls: usize,
    /// Frames appended since it was opened.
    pub frames: u64,
    /// Bytes appended since it was opened.
    pub appended_bytes: u64,
    /// Flushes to disk since it was opened.
    pub fsyncs: u64,
    /// Microseconds they took.
    pub fsync_us: u64,
    /// Why no intent is admitted any more, if so.
    pub failed: Option<Arc<str>>,
}

/// What the journal's callers and its upkeep thread share.
struct Shared {
    dir: PathBuf,
    replica: ReplicaId,
    options: JournalOptions,
    files: Box<dyn Files>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Rung when the upkeep thread has work and sleeps.
    upkeep: Condvar,
    /// Rung when there is enough for the shipper to read.
    grown: Condvar,
    durable: watch::Sender<Durable>,
}

/// The journal of one data directory. Any thread may append.
pub struct Journal {
    shared: Arc<Shared>,
    /// Where the records of this process begin: intents before it that are still open have no one to end them.
    first: Position,
    upkeep: Mutex<Option<JoinHandle<()>>>,
    _data_dir: Arc<DataDir>,
}

impl Journal {
    /// Opens the journal in `data_dir`, truncating a torn tail. Records of this process go to a segment of its own.
    ///
    /// # Errors
    /// [`Error::Damaged`] when bytes that were on disk are not what was written; [`Error::Settings`] for options
    /// out of their ranges; [`Error::Io`] otherwise.
    pub fn open(
        data_dir: Arc<DataDir>,
        options: JournalOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Opened, Error> {
        Self::open_with(data_dir, options, clock, Box::new(SystemFiles))
    }

    pub(crate) fn open_with(
        data_dir: Arc<DataDir>,
        options: JournalOptions,
        clock: Arc<dyn Clock>,
        files: Box<dyn Files>,
    ) -> Result<Opened, Error> {
        let options = checked(options)?;
        let dir = data_dir.path().join("journal");
        crate::data_dir::create_private(&dir)?;
        let replica = replica::load_or_create(&dir, clock.now())?;
        let found = segment::recover(&dir, replica)?;
        let number = found.segments.last().map_or(1, |(last, _)| last + 1);
        let state = State::begin(&dir, replica, &options, files.as_ref(), number, &found.segments)?;
        let shared = Arc::new(Shared {
            dir,
            replica,
            options,
            files,
            clock,
            state: Mutex::new(state),
            upkeep: Condvar::new(),
            grown: Condvar::new(),
            durable: watch::Sender::new(Durable::default()),
        });
        let thread = upkeep::start(Arc::clone(&shared))?;
        let journal = Arc::new(Self {
            shared,
            first: Position { segment: number, offset: segment::HEADER },
            upkeep: Mutex::new(Some(thread)),
            _data_dir: data_dir,
        });
        Ok(Opened { journal, replica, truncated_bytes: found.truncated })
    }

    /// Records that an attempt is about to be sent, with room kept for whatever can follow.
    ///
    /// # Errors
    /// [`JournalError`] when the attempt must not be sent, because its end could not be recorded.
    pub fn intent(&self, intent: &Intent) -> Result<Ticket, JournalError> {
        self.shared.append_one(Kind::Intent, intent.call, &IntentV1::from(intent))
    }

    /// Records how an attempt failed when another follows. The call's final may hold it again.
    ///
    /// # Errors
    /// [`JournalError::Failed`] when the disk refuses to take it.
    pub fn attempt(&self, call: CallId, attempt: &AttemptRecord) -> Result<(), JournalError> {
        self.shared.append_one(Kind::Attempt, call, &AttemptV1::from(attempt)).map(drop)
    }

    /// Records the end of a call, with all its attempts or those not recorded before.
    ///
    /// # Errors
    /// [`JournalError::Failed`] when the disk refuses to take it; [`JournalError::Full`] only for a call that had
    /// no intent.
    pub fn call(&self, call: &CallRecord) -> Result<Ticket, JournalError> {
        self.shared.append_one(Kind::Call, call.id, &CallV1::from(call))
    }

    /// How full it is, whether it takes intents, and what it has done.
    pub fn status(&self) -> JournalStatus {
        let state = self.shared.state.lock();
        JournalStatus {
            used_bytes: state.used(),
            reserved_bytes: state.reserved,
            max_bytes: self.shared.options.max_bytes,
            open_calls: state.open.len(),
            frames: state.frames,
            appended_bytes: state.appended,
            fsyncs: state.fsyncs,
            fsync_us: state.fsync_us,
            failed: state.failed.clone(),
        }
    }

    /// Whose journal it is.
    pub fn replica(&self) -> ReplicaId {
        self.shared.replica
    }

    /// Where the records of this process begin.
    pub(crate) fn first(&self) -> Position {
        self.first
    }

    /// Before this everything can be read, and how many bytes have been appended in all.
    pub(crate) fn end(&self) -> (Position, u64) {
        let state = self.shared.state.lock();
        (state.visible(), state.appended)
    }

    /// A reader of this journal.
    pub(crate) fn reader(&self, from: Position) -> Reader {
        Reader::new(&self.shared.dir, self.shared.replica, from)
    }

    /// Where its segments are.
    pub(crate) fn dir(&self) -> &std::path::Path {
        &self.shared.dir
    }

    /// Waits until `appended` bytes have been appended in all, or a nudge, or the time is over.
    pub(crate) fn wait_for_growth(&self, appended: u64, timeout: Duration) {
        let mut state = self.shared.state.lock();
        if state.appended < appended && !state.nudged {
            state.alarm = Some(appended);
            self.shared.grown.wait_for(&mut state, timeout);
            state.alarm = None;
        }
        state.nudged = false;
    }

    /// Ends the wait for growth, this one or the next.
    pub(crate) fn nudge(&self) {
        self.shared.state.lock().nudged = true;
        self.shared.grown.notify_all();
    }

    /// Hands what is buffered to the operating system.
    pub(crate) fn flush(&self) -> Result<(), JournalError> {
        self.shared.state.lock().flush()
    }

    /// Whether more than half of what it may hold is taken or promised.
    pub(crate) fn is_crowded(&self) -> bool {
        let state = self.shared.state.lock();
        state.used() + state.reserved > self.shared.options.max_bytes / 2
    }

    /// The oldest segment that nothing is appended to any more, with its length.
    pub(crate) fn oldest_sealed(&self) -> Option<(u64, u64)> {
        self.shared.state.lock().sealed.front().copied()
    }

    /// Bytes appended at or after a place, headers of segments included.
    pub(crate) fn bytes_after(&self, position: Position) -> u64 {
        let state = self.shared.state.lock();
        let later = state.sealed.iter().filter(|(number, _)| *number >= position.segment);
        let sealed: u64 = later.map(|(_, length)| length).sum();
        (sealed + state.visible().offset).saturating_sub(position.offset)
    }

    /// Appends a frame of an open call again, so that its segment can go. False if the call has ended meanwhile:
    /// its final stands behind the frame, and nothing of the call may stand behind its final.
    pub(crate) fn carry(&self, frame: &Frame<'_>) -> Result<bool, JournalError> {
        self.shared.append_again(frame)
    }

    /// Deletes the segments before `number`.
    pub(crate) fn remove_before(&self, number: u64) -> Result<(), Error> {
        while let Some((oldest, _)) = self.oldest_sealed().filter(|(oldest, _)| *oldest < number) {
            let path = segment::path(&self.shared.dir, oldest);
            std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            self.shared.state.lock().forget(oldest);
        }
        Ok(())
    }

    /// Waits until everything appended so far is on disk.
    pub(crate) fn sync(&self) -> Result<(), JournalError> {
        let end = {
            let mut state = self.shared.state.lock();
            state.flush()?;
            state.dirty = true;
            state.visible()
        };
        self.shared.upkeep.notify_one();
        Ticket::pending(self.shared.durable.subscribe(), end).wait()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.state.lock().stopping = true;
        self.shared.upkeep.notify_one();
        if let Some(thread) = self.upkeep.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the journal's upkeep thread panicked");
        }
    }
}

fn checked(options: JournalOptions) -> Result<JournalOptions, Error> {
    if options.max_bytes < 256 << 10 {
        return Err(Error::Settings("the journal's max_bytes must be at least 262144 (256 KiB)"));
    }
    if !(64 << 10..=1 << 30).contains(&options.segment_bytes) {
        return Err(Error::Settings(
            "the journal's segment_bytes must be from 65536 (64 KiB) to 1073741824 (1 GiB)",
        ));
    }
    Ok(JournalOptions { segment_bytes: options.segment_bytes.min(options.max_bytes / 4), ..options })
}

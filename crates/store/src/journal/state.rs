//! What appends change: the active segment and its space, the sealed ones, the open calls and the room kept for them.
//!
//! One lock guards it. Nothing here waits for a sync.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::path::Path;
use std::sync::Arc;

use stepwell_types::{CallId, ReplicaId};

use super::files::{Files, SegmentFile};
use super::frame;
use super::ticket::JournalError;
use super::{Durability, JournalOptions, segment};
use crate::{Error, Position};

/// How far ahead of the end disk space is taken.
const AHEAD: u64 = 4 << 20;
/// The most bytes held in the process under [`Durability::Async`].
const MAX_BUFFERED: usize = 256 << 10;

/// A segment that is ready to be the active one.
pub(super) struct Next {
    file: Arc<dyn SegmentFile>,
    allocated: u64,
}

/// What appends change.
#[expect(clippy::struct_excessive_bools, reason = "each is a signal of its own between two threads")]
pub(super) struct State {
    active: Arc<dyn SegmentFile>,
    pub(super) number: u64,
    /// Where the next frame goes.
    pub(super) offset: u64,
    /// Disk space of the active segment taken so far; `u64::MAX` where the file system cannot take any ahead.
    allocated: u64,
    /// Number and length of the segments before the active one.
    pub(super) sealed: VecDeque<(u64, u64)>,
    sealed_bytes: u64,
    pub(super) next: Option<Next>,
    /// Segments that have not been synced since they were sealed, with their length.
    unsynced: Vec<(Arc<dyn SegmentFile>, u64)>,
    /// Calls with an intent and no final, with the room kept for each.
    pub(super) open: HashMap<CallId, u64, BuildHasherDefault<IdHasher>>,
    pub(super) reserved: u64,
    /// Bytes of the active segment known to be on disk.
    pub(super) durable: u64,
    /// What has not been handed to the operating system: under [`Durability::Async`] for some time, else while the lock
    /// is held.
    buffered: Vec<u8>,
    /// The frames in it.
    unwritten: u64,
    /// Frames and bytes appended in all.
    pub(super) frames: u64,
    pub(super) appended: u64,
    /// Flushes to disk in all, and the microseconds they took.
    pub(super) fsyncs: u64,
    pub(super) fsync_us: u64,
    pub(super) dirty: bool,
    pub(super) upkeep_idle: bool,
    pub(super) alarm: Option<u64>,
    pub(super) nudged: bool,
    pub(super) stopping: bool,
    /// That the upkeep thread has been told the next segment is needed now.
    pub(super) hurry: bool,
    pub(super) failed: Option<Arc<str>>,
}

/// What the upkeep thread has to sync.
pub(super) struct Unsynced {
    pub(super) sealed: Vec<(Arc<dyn SegmentFile>, u64)>,
    pub(super) active: Arc<dyn SegmentFile>,
    pub(super) end: Position,
}

impl State {
    /// The state of a journal whose active segment is the new one of this number.
    pub(super) fn begin(
        dir: &Path,
        replica: ReplicaId,
        options: &JournalOptions,
        files: &dyn Files,
        number: u64,
        sealed: &[(u64, u64)],
    ) -> Result<Self, Error> {
        let path = segment::path(dir, number);
        let next = create(dir, replica, options, files, number, 0).map_err(Error::io("create", &path))?;
        Ok(Self {
            active: next.file,
            number,
            offset: segment::HEADER,
            allocated: next.allocated,
            sealed: sealed.iter().copied().collect(),
            sealed_bytes: sealed.iter().map(|(_, length)| length).sum(),
            next: None,
            unsynced: Vec::new(),
            open: HashMap::default(),
            reserved: 0,
            durable: 0,
            buffered: Vec::new(),
            unwritten: 0,
            frames: 0,
            appended: 0,
            fsyncs: 0,
            fsync_us: 0,
            dirty: false,
            upkeep_idle: false,
            alarm: None,
            nudged: false,
            stopping: false,
            hurry: false,
            failed: None,
        })
    }

    pub(super) fn used(&self) -> u64 {
        self.sealed_bytes + self.offset
    }

    /// Before this, everything is with the operating system.
    pub(super) fn visible(&self) -> Position {
        Position { segment: self.number, offset: self.offset - self.buffered.len() as u64 }
    }

    pub(super) fn forget(&mut self, number: u64) {
        if let Some((_, length)) = self.sealed.pop_front_if(|(oldest, _)| *oldest == number) {
            self.sealed_bytes -= length;
        }
    }

    /// Hands what is buffered to the operating system.
    pub(super) fn flush(&mut self) -> Result<(), JournalError> {
        if self.buffered.is_empty() {
            return Ok(());
        }
        let from = self.offset - self.buffered.len() as u64;
        let written = self.active.write_at(&self.buffered, from);
        written.map_err(|error| self.fail(&error))?;
        self.buffered.clear();
        self.buffered.shrink_to(MAX_BUFFERED);
        self.unwritten = 0;
        self.dirty = true;
        Ok(())
    }

    /// Stops admission for good.
    pub(super) fn fail(&mut self, error: &std::io::Error) -> JournalError {
        let reason = self.failed.get_or_insert_with(|| {
            tracing::error!(%error, "the journal's disk failed, no call is admitted before a restart");
            error.to_string().into()
        });
        JournalError::Failed(Arc::clone(reason))
    }

    /// What is to be synced now.
    pub(super) fn take_unsynced(&mut self) -> Unsynced {
        self.dirty = false;
        Unsynced {
            sealed: std::mem::take(&mut self.unsynced),
            active: Arc::clone(&self.active),
            end: self.visible(),
        }
    }

    /// Notes what is on disk now.
    pub(super) fn synced(&mut self, end: Position) {
        if end.segment == self.number {
            self.durable = end.offset;
        }
    }

    /// Whether the active segment is so full that the next one should be made ready.
    pub(super) fn wants_next(&self, options: &JournalOptions) -> bool {
        self.next.is_none() && self.failed.is_none() && self.offset > options.segment_bytes / 2
    }

    /// Where disk space should be taken and how much, if too little is left for what may follow.
    pub(super) fn wants_space(&self) -> Option<(Arc<dyn SegmentFile>, u64, u64)> {
        let free = self.allocated.saturating_sub(self.offset);
        (free < self.reserved + AHEAD / 2)
            .then(|| (Arc::clone(&self.active), self.allocated, self.reserved + AHEAD - free.min(AHEAD)))
    }

    /// Notes the disk space taken from `from`; `supported` says whether the file system can.
    pub(super) fn allocated(&mut self, number: u64, from: u64, length: u64, supported: bool) {
        if number == self.number && from == self.allocated {
            self.allocated = if supported { from + length } else { u64::MAX };
        }
    }

    /// Makes sure that `bytes` more fit within the space taken.
    pub(super) fn ensure_space(&mut self, bytes: u64) -> Result<(), JournalError> {
        let needed = self.offset.saturating_add(bytes);
        if needed <= self.allocated {
            return Ok(());
        }
        let (from, length) = (self.allocated, needed - self.allocated + AHEAD);
        match self.active.allocate(from, length) {
            Ok(supported) => {
                self.allocated(self.number, from, length, supported);
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, "no disk space for the journal, the call is refused");
                Err(JournalError::Full)
            }
        }
    }

    /// Makes the next segment the active one, with space for every final that is promised.
    pub(super) fn roll(&mut self) -> Result<(), JournalError> {
        if let Some(reason) = &self.failed {
            return Err(JournalError::Failed(Arc::clone(reason)));
        }
        self.flush()?;
        let Some(mut next) = self.next.take() else { return Err(JournalError::Full) };
        let needed = segment::HEADER + self.reserved + frame::HEADER as u64;
        if next.allocated < needed {
            match next.file.allocate(next.allocated, needed - next.allocated) {
                Ok(true) => next.allocated = needed,
                Ok(false) => next.allocated = u64::MAX,
                Err(error) => {
                    self.next = Some(next);
                    return Err(full(&error));
                }
            }
        }
        let sealed = std::mem::replace(&mut self.active, next.file);
        self.unsynced.push((sealed, self.offset));
        self.sealed.push_back((self.number, self.offset));
        self.sealed_bytes += self.offset;
        self.number += 1;
        self.offset = segment::HEADER;
        self.allocated = next.allocated;
        self.durable = 0;
        self.dirty = true;
        self.hurry = false;
        Ok(())
    }

    /// Puts a frame at the end. It is not with the operating system before [`State::hand_over`].
    pub(super) fn put(&mut self, frame: &[u8]) {
        self.buffered.extend_from_slice(frame);
        self.unwritten += 1;
        self.offset += frame.len() as u64;
        self.frames += 1;
        self.appended += frame.len() as u64;
        self.dirty = true;
    }

    /// Whether `frame` is all that was put and not written.
    pub(super) fn holds_only(&self, frame: &[u8]) -> bool {
        self.buffered.len() == frame.len()
    }

    /// Hands what was put to the operating system, as soon as it is to be. What that fails for is taken back, but for
    /// the room kept.
    pub(super) fn hand_over(&mut self, durability: Durability) -> Result<(), JournalError> {
        if durability == Durability::Async && self.buffered.len() <= MAX_BUFFERED {
            return Ok(());
        }
        let flushed = self.flush();
        if flushed.is_err() {
            let bytes = self.buffered.len() as u64;
            self.offset -= bytes;
            self.appended -= bytes;
            self.frames -= self.unwritten;
            self.unwritten = 0;
            self.buffered.clear();
            if let Err(error) = self.active.trim(self.offset) {
                tracing::error!(%error, "a record cut off by a failing disk stays in the journal");
            }
        }
        flushed
    }

    /// Changes the room that is kept for a call to `room`: none for one that has no intent, or has ended.
    pub(super) fn keep_room(&mut self, call: CallId, room: Option<u64>) {
        let before = match room {
            Some(room) => self.open.insert(call, room),
            None => self.open.remove(&call),
        };
        self.reserved = self.reserved - before.unwrap_or(0) + room.unwrap_or(0);
    }
}

/// Creates a segment with its header and space for `reserved` bytes.
pub(super) fn create(
    dir: &Path,
    replica: ReplicaId,
    options: &JournalOptions,
    files: &dyn Files,
    number: u64,
    reserved: u64,
) -> std::io::Result<Next> {
    let file = files.create(&segment::path(dir, number))?;
    let length = reserved + AHEAD.min(options.segment_bytes);
    let supported = file.allocate(0, length)?;
    file.write_at(&segment::header(replica, number), 0)?;
    file.sync()?;
    files.sync_dir(dir)?;
    Ok(Next { file, allocated: if supported { length } else { u64::MAX } })
}

fn full(error: &std::io::Error) -> JournalError {
    tracing::warn!(%error, "no disk space for a journal segment");
    JournalError::Full
}

/// Hashes a call's id by its last eight bytes, which are random but for the first two bits: those are moved to where
/// a table looks last.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(random) = bytes.last_chunk::<8>() {
            self.0 ^= u64::from_be_bytes(*random).rotate_right(16);
        }
    }
}

//! Appending: what is admitted, where it is written, and the room kept for what must follow.
//!
//! A frame is encoded in a buffer of the thread's own, then written with one system call under one short lock: frames
//! stand in the file in the order they were acknowledged, so a crash can only ever tear the last one.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use stepwell_types::{AttemptRecord, CallId, CallRecord, Intent, ReplicaId};

use super::files::{Files, SegmentFile};
use super::frame::{self, Frame, Kind};
use super::ticket::{JournalError, Ticket};
use super::v1::{self, AttemptV1, CallV1, IntentV1};
use super::{Durability, JournalOptions, Shared, segment};
use crate::{Error, Position};

/// How far ahead of the end disk space is taken.
const AHEAD: u64 = 4 << 20;
/// The most bytes held in the process under [`Durability::Async`].
const MAX_BUFFERED: usize = 256 << 10;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

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
    offset: u64,
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
    durable: u64,
    /// Under [`Durability::Async`], what has not been handed to the operating system.
    buffered: Vec<u8>,
    pub(super) appended: u64,
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
            appended: 0,
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
    fn ensure_space(&mut self, bytes: u64) -> Result<(), JournalError> {
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
    fn roll(&mut self) -> Result<(), JournalError> {
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

    fn write(&mut self, bytes: &[u8], durability: Durability) -> Result<(), JournalError> {
        if durability == Durability::Async {
            self.buffered.extend_from_slice(bytes);
            self.offset += bytes.len() as u64;
            if self.buffered.len() > MAX_BUFFERED {
                self.flush()?;
            }
        } else {
            if let Err(error) = self.active.write_at(bytes, self.offset) {
                if let Err(error) = self.active.trim(self.offset) {
                    tracing::error!(%error, "a record cut off by a failing disk stays in the journal");
                }
                return Err(self.fail(&error));
            }
            self.offset += bytes.len() as u64;
        }
        self.appended += bytes.len() as u64;
        self.dirty = true;
        Ok(())
    }
}

/// Creates a segment with its header and space for `reserved` bytes.
fn create(
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

impl Shared {
    pub(super) fn append_intent(&self, intent: &Intent) -> Result<Ticket, JournalError> {
        with_frame(&IntentV1::from(intent), |buffer| {
            let length = buffer.len() as u64;
            let mut state = self.state.lock();
            if let Some(reason) = &state.failed {
                return Err(JournalError::Failed(Arc::clone(reason)));
            }
            // Before the bound is looked at: a full journal empties only once its active segment is a sealed one.
            self.make_way(&mut state, length);
            let kept = state.open.get(&intent.call).copied();
            // The attempt's own frame, its place in the final, and one more copy of the intent if it is carried on.
            let call_room = if kept.is_none() { v1::CALL_ROOM } else { 0 };
            let room = call_room + 2 * v1::ATTEMPT_ROOM + 3 * length;
            if state.used() + state.reserved + length + room > self.options.max_bytes {
                return Err(JournalError::Full);
            }
            let space = state.reserved + length + room;
            state.ensure_space(space)?;
            let ticket = self.write(&mut state, buffer, Kind::Intent, intent.call)?;
            state.open.insert(intent.call, kept.unwrap_or(0) + room);
            state.reserved += room;
            Ok(ticket)
        })
    }

    pub(super) fn append_attempt(&self, call: CallId, attempt: &AttemptRecord) -> Result<(), JournalError> {
        with_frame(&AttemptV1::from(attempt), |buffer| {
            let mut state = self.state.lock();
            self.make_way(&mut state, buffer.len() as u64);
            self.write(&mut state, buffer, Kind::Attempt, call).map(drop)
        })
    }

    pub(super) fn append_call(&self, call: &CallRecord) -> Result<Ticket, JournalError> {
        with_frame(&CallV1::from(call), |buffer| {
            let length = buffer.len() as u64;
            let mut state = self.state.lock();
            if !state.open.contains_key(&call.id)
                && state.used() + state.reserved + length > self.options.max_bytes
            {
                return Err(JournalError::Full);
            }
            self.make_way(&mut state, length);
            let ticket = self.write(&mut state, buffer, Kind::Call, call.id)?;
            if let Some(room) = state.open.remove(&call.id) {
                state.reserved -= room;
            }
            Ok(ticket)
        })
    }

    /// Appends a frame again, if its call is still open.
    pub(super) fn append_again(&self, old: &Frame<'_>) -> Result<bool, JournalError> {
        SCRATCH.with_borrow_mut(|buffer| {
            frame::begin(buffer);
            buffer.extend_from_slice(old.payload);
            let mut state = self.state.lock();
            if !state.open.contains_key(&old.call) {
                return Ok(false);
            }
            self.make_way(&mut state, buffer.len() as u64);
            let durable = u32::try_from(state.durable).unwrap_or(u32::MAX);
            frame::seal(buffer, old.kind, old.version, old.call, durable);
            state.write(buffer, self.options.durability)?;
            Ok(true)
        })
    }

    fn write(
        &self,
        state: &mut State,
        buffer: &mut [u8],
        kind: Kind,
        call: CallId,
    ) -> Result<Ticket, JournalError> {
        let durable = u32::try_from(state.durable).unwrap_or(u32::MAX);
        frame::seal(buffer, kind, v1::VERSION, call, durable);
        state.write(buffer, self.options.durability)?;
        if state.upkeep_idle {
            state.upkeep_idle = false;
            self.upkeep.notify_one();
        }
        if state.alarm.is_some_and(|alarm| state.appended >= alarm) {
            state.alarm = None;
            self.grown.notify_one();
        }
        if self.options.durability == Durability::Strict {
            let end = Position { segment: state.number, offset: state.offset };
            return Ok(Ticket::pending(self.durable.subscribe(), end));
        }
        Ok(Ticket::settled())
    }

    /// Begins the next segment if the frame would make this one too long and the next one is ready. Until it is, the
    /// active one grows: no append ever waits for a file to be created.
    fn make_way(&self, state: &mut State, length: u64) {
        if state.offset + length <= self.options.segment_bytes || state.offset == segment::HEADER {
            return;
        }
        if state.next.is_none() {
            if !state.hurry {
                state.hurry = true;
                self.upkeep.notify_one();
            }
        } else if let Err(error) = state.roll() {
            tracing::warn!(%error, "no new journal segment, the active one grows");
        }
    }

    /// Creates the segment that will follow the active one. Only the upkeep thread calls it.
    pub(super) fn create_segment(&self, number: u64, reserved: u64) -> std::io::Result<Next> {
        create(&self.dir, self.replica, &self.options, self.files.as_ref(), number, reserved).inspect_err(
            |_| {
                // It may exist in part; it holds no record, and the next attempt must find the name free.
                if let Err(error) = std::fs::remove_file(segment::path(&self.dir, number)) {
                    tracing::debug!(%error, "no partial segment to remove");
                }
            },
        )
    }
}

fn full(error: &std::io::Error) -> JournalError {
    tracing::warn!(%error, "no disk space for a journal segment");
    JournalError::Full
}

/// Encodes a payload behind room for a header, in the thread's buffer, and passes it on.
fn with_frame<V: Serialize, T>(
    value: &V,
    then: impl FnOnce(&mut Vec<u8>) -> Result<T, JournalError>,
) -> Result<T, JournalError> {
    SCRATCH.with_borrow_mut(|buffer| {
        frame::begin(buffer);
        postcard::serialize_with_flavor(value, Bytes(buffer))
            .map_err(|error| JournalError::Failed(error.to_string().into()))?;
        then(buffer)
    })
}

/// Writes postcard into a vector that is used again.
struct Bytes<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Bytes<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Hashes a call's id by its last eight bytes, which are random.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(random) = bytes.last_chunk::<8>() {
            self.0 ^= u64::from_le_bytes(*random);
        }
    }
}

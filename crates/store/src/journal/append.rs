//! Appending: what is admitted, where it is written, and the room kept for what must follow.
//!
//! Frames are encoded before the lock is taken, and those of a batch are written with one system call under it: frames
//! stand in the file in the order they were acknowledged, so a crash can only ever tear the last write.

use std::cell::RefCell;
use std::sync::Arc;

use serde::Serialize;
use stepwell_types::CallId;

use super::batch::{Batch, Entry};
use super::frame::{self, Frame, Kind};
use super::state::{self, Next, State};
use super::ticket::{JournalError, Ticket};
use super::{Durability, Shared, segment, v1};
use crate::Position;

thread_local! {
    static SCRATCH: RefCell<Batch> = const { RefCell::new(Batch::new()) };
}

impl Shared {
    /// Appends one record.
    pub(super) fn append_one<V: Serialize>(
        &self,
        kind: Kind,
        call: CallId,
        record: &V,
    ) -> Result<Ticket, JournalError> {
        SCRATCH.with_borrow_mut(|batch| {
            batch.clear();
            batch.push(kind, call, record)?;
            let mut outcome = Ok(());
            let ticket = self.append(batch, |_, error| outcome = Err(error));
            outcome.map(|()| ticket)
        })
    }

    /// Appends the records of a batch, in order, with one write. `refuse` is told the place of each that is not taken,
    /// and why; the others stand. The ticket is for all of those.
    pub(super) fn append(&self, batch: &mut Batch, mut refuse: impl FnMut(usize, JournalError)) -> Ticket {
        let mut state = self.state.lock();
        // What stands before it has been written, with the segment it is in.
        let mut first_unwritten = 0;
        for (place, (entry, frame)) in batch.frames().enumerate() {
            entry.room_before = state.open.get(&entry.call).copied();
            match self.take(&mut state, entry, frame) {
                Ok(()) => entry.taken = true,
                Err(error) => {
                    refuse(place, error);
                    continue;
                }
            }
            if state.holds_only(frame) {
                first_unwritten = place;
            }
        }
        if let Err(error) = state.hand_over(self.options.durability) {
            for (place, entry) in batch.back_to(first_unwritten).filter(|(_, entry)| entry.taken) {
                state.keep_room(entry.call, entry.room_before);
                refuse(place, error.clone());
            }
        }
        self.ring(&mut state);
        if self.options.durability == Durability::Strict {
            let end = Position { segment: state.number, offset: state.offset };
            return Ticket::pending(self.durable.subscribe(), end);
        }
        Ticket::settled()
    }

    /// Appends a frame again, if its call is still open.
    pub(super) fn append_again(&self, old: &Frame<'_>) -> Result<bool, JournalError> {
        let mut bytes = Vec::with_capacity(old.size());
        frame::begin(&mut bytes);
        bytes.extend_from_slice(old.payload);
        let mut state = self.state.lock();
        if !state.open.contains_key(&old.call) {
            return Ok(false);
        }
        self.make_way(&mut state, bytes.len() as u64);
        put(&mut state, &mut bytes, old.kind, old.version, old.call);
        state.hand_over(self.options.durability)?;
        self.ring(&mut state);
        Ok(true)
    }

    /// Takes one frame of a batch, if there is room for it and for what must follow.
    fn take(&self, state: &mut State, entry: &Entry, frame: &mut [u8]) -> Result<(), JournalError> {
        let length = frame.len() as u64;
        let kept = entry.room_before;
        let room = match entry.kind {
            Kind::Intent => {
                if let Some(reason) = &state.failed {
                    return Err(JournalError::Failed(Arc::clone(reason)));
                }
                // Before the bound is looked at: a full journal empties only once its active segment is a sealed one.
                self.make_way(state, length);
                // The attempt's own frame, its place in the final, and one more copy of the intent if it is carried on.
                let call_room = if kept.is_none() { v1::CALL_ROOM } else { 0 };
                let room = call_room + 2 * v1::ATTEMPT_ROOM + 3 * length;
                self.check_bound(state, length + room)?;
                state.ensure_space(state.reserved + length + room)?;
                Some(kept.unwrap_or(0) + room)
            }
            Kind::Attempt => {
                self.make_way(state, length);
                kept
            }
            Kind::Call => {
                if kept.is_none() {
                    self.check_bound(state, length)?;
                }
                self.make_way(state, length);
                None
            }
        };
        put(state, frame, entry.kind, v1::VERSION, entry.call);
        state.keep_room(entry.call, room);
        Ok(())
    }

    fn check_bound(&self, state: &State, more: u64) -> Result<(), JournalError> {
        if state.used() + state.reserved + more > self.options.max_bytes {
            return Err(JournalError::Full);
        }
        Ok(())
    }

    /// Wakes who waits for what was appended.
    fn ring(&self, state: &mut State) {
        if state.upkeep_idle && state.dirty {
            state.upkeep_idle = false;
            self.upkeep.notify_one();
        }
        if state.alarm.is_some_and(|alarm| state.appended >= alarm) {
            state.alarm = None;
            self.grown.notify_one();
        }
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
        } else if state.alarm.take().is_some() {
            // What was active can be emptied now, which a full journal waits for: nothing may be appended before.
            self.grown.notify_one();
        }
    }

    /// Creates the segment that will follow the active one. Only the upkeep thread calls it.
    pub(super) fn create_segment(&self, number: u64, reserved: u64) -> std::io::Result<Next> {
        state::create(&self.dir, self.replica, &self.options, self.files.as_ref(), number, reserved)
            .inspect_err(|_| {
                // It may exist in part; it holds no record, and the next attempt must find the name free.
                if let Err(error) = std::fs::remove_file(segment::path(&self.dir, number)) {
                    tracing::debug!(%error, "no partial segment to remove");
                }
            })
    }
}

/// Seals a frame, whose payload stands behind room for a header, and puts it at the journal's end.
fn put(state: &mut State, frame: &mut [u8], kind: Kind, version: u8, call: CallId) {
    let durable = u32::try_from(state.durable).unwrap_or(u32::MAX);
    frame::seal(frame, kind, version, call, durable);
    state.put(frame);
}

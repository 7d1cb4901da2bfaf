//! Appending: what is admitted, where it is written, and the room kept for what must follow.
//!
//! A frame is encoded in a buffer of the thread's own, then written with one system call under one short lock: frames
//! stand in the file in the order they were acknowledged, so a crash can only ever tear the last one.

use std::cell::RefCell;
use std::sync::Arc;

use serde::Serialize;
use stepwell_types::{AttemptRecord, CallId, CallRecord, Intent};

use super::frame::{self, Frame, Kind};
use super::state::{self, Next, State};
use super::ticket::{JournalError, Ticket};
use super::v1::{self, AttemptV1, CallV1, IntentV1};
use super::{Durability, Shared, segment};
use crate::Position;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
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
        state::create(&self.dir, self.replica, &self.options, self.files.as_ref(), number, reserved)
            .inspect_err(|_| {
                // It may exist in part; it holds no record, and the next attempt must find the name free.
                if let Err(error) = std::fs::remove_file(segment::path(&self.dir, number)) {
                    tracing::debug!(%error, "no partial segment to remove");
                }
            })
    }
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

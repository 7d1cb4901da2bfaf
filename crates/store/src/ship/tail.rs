//! Reads the journal from the checkpoint on: which calls have ended, which are still open.
//!
//! The same code reads what is written now and what a dead process left. Memory is bounded by the calls that are open,
//! some forty bytes for each frame of theirs.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use smallvec::SmallVec;
use stepwell_types::{AttemptRecord, CallId, CallRecord, Intent};

use super::recover;
use crate::journal::{
    AttemptV1, CallV1, Frame, IdHasher, IntentV1, Journal, Kind, Lookup, Reader, Recent, UNREADABLE, VERSION,
};
use crate::{Checkpoint, Error, Position};

/// A frame of an open call.
#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Position,
    size: u32,
    kind: Kind,
    /// Which attempt it is about.
    number: u8,
}

/// Most calls have one frame before their final: their intent.
type Open = HashMap<CallId, SmallVec<[Seen; 1]>, BuildHasherDefault<IdHasher>>;

/// The reading end of a journal. After an error it is to be made anew from the checkpoint.
pub(super) struct Tail {
    reader: Reader,
    lookup: Lookup,
    recent: Recent,
    open: Open,
    /// Everything before this has been read and understood.
    position: Position,
    /// Finals before this are in the ledger.
    shipped: Position,
    /// Where this process's records begin, until they have been reached.
    first: Option<Position>,
}

impl Tail {
    /// Begins at the checkpoint.
    pub(super) fn new(journal: &Journal, checkpoint: Option<Checkpoint>) -> Result<Self, Error> {
        let shipped = checkpoint.map_or_else(Position::default, |checkpoint| checkpoint.shipped);
        if shipped > journal.first() {
            return Err(Error::JournalBehindLedger { path: journal.dir().to_owned() });
        }
        let from = checkpoint.map_or_else(Position::default, |checkpoint| checkpoint.oldest_open);
        Ok(Self {
            reader: journal.reader(from),
            lookup: Lookup::new(journal.dir()),
            recent: Recent::default(),
            open: Open::default(),
            position: from,
            shipped,
            first: Some(journal.first()),
        })
    }

    /// Everything before this has been read, and what dead processes left open before it has been ended.
    pub(super) fn position(&self) -> Position {
        match self.first {
            Some(first) => self.position.min(Position { offset: 0, ..first }),
            None => self.position,
        }
    }

    /// The checkpoint that holds once everything read so far is in the ledger.
    pub(super) fn checkpoint(&self, journal: &Journal) -> Checkpoint {
        // From the oldest open call to what was shipped before, it is read again.
        let shipped = self.position.max(self.shipped);
        let oldest = self.open.values().flatten().map(|seen| seen.at).min();
        Checkpoint {
            replica: journal.replica(),
            shipped,
            oldest_open: oldest.map_or(shipped, |at| at.min(shipped)),
        }
    }

    /// Calls that are open.
    pub(super) fn open_calls(&self) -> usize {
        self.open.len()
    }

    /// Reads on to `end`, or until `most` calls have ended. When the records of dead processes have all been read,
    /// the calls they left open end here; the answer is how many. What was read before an error is in `calls`.
    pub(super) fn read(
        &mut self,
        end: Position,
        most: usize,
        calls: &mut Vec<CallRecord>,
    ) -> Result<usize, Error> {
        let Some(first) = self.first else {
            return self.read_to(end, most, calls).map(|()| 0);
        };
        self.read_to(first, most, calls)?;
        if self.position < first {
            return Ok(0);
        }
        let recovered = self.end_open(most, calls)?;
        if self.open.is_empty() {
            self.first = None;
        }
        Ok(recovered)
    }

    fn read_to(&mut self, end: Position, most: usize, calls: &mut Vec<CallRecord>) -> Result<(), Error> {
        while calls.len() < most {
            let Some((at, frame)) = self.reader.next(end)? else {
                self.position = self.reader.position();
                break;
            };
            if frame.version != VERSION {
                let what = format!("the journal at {at}");
                return Err(Error::Newer {
                    what,
                    found: u32::from(frame.version),
                    known: u32::from(VERSION),
                });
            }
            if frame.kind == Kind::Call {
                let seen = self.open.remove(&frame.call).unwrap_or_default();
                if at >= self.shipped {
                    match read_final(at, &frame, &seen, &mut self.lookup, &mut self.recent) {
                        Ok(call) => calls.push(call),
                        Err(error) => {
                            self.open.insert(frame.call, seen);
                            return Err(error);
                        }
                    }
                }
            } else {
                let number = frame.payload.first().copied().unwrap_or_default();
                let size = u32::try_from(frame.size()).unwrap_or(u32::MAX);
                self.open.entry(frame.call).or_default().push(Seen { at, size, kind: frame.kind, number });
            }
            self.position = self.reader.position();
        }
        Ok(())
    }

    /// Ends open calls, up to `most` in all: nobody else will. Says how many.
    fn end_open(&mut self, most: usize, calls: &mut Vec<CallRecord>) -> Result<usize, Error> {
        let room = most.saturating_sub(calls.len());
        let ended: Vec<CallId> = self.open.keys().copied().take(room).collect();
        for id in &ended {
            let (mut intents, mut attempts) = (Vec::new(), Vec::new());
            for seen in self.open.get(id).into_iter().flatten() {
                let frame = self.lookup.frame(seen.at, seen.size as usize)?;
                match frame.kind {
                    Kind::Intent => intents.push(read_intent(&frame).ok_or_else(|| unreadable(seen.at))?),
                    Kind::Attempt => {
                        let attempt = read_attempt(&frame, &mut self.recent);
                        attempts.push(attempt.ok_or_else(|| unreadable(seen.at))?);
                    }
                    Kind::Call => {}
                }
            }
            calls.extend(recover::unknown_call(*id, intents, attempts));
            self.open.remove(id);
        }
        Ok(ended.len())
    }

    /// Appends the frames of calls that are still open and stand in segment `number` again, if that is a small part of
    /// it, so that the segment can go. True if it was done.
    pub(super) fn carry(&mut self, journal: &Journal, number: u64, length: u64) -> Result<bool, Error> {
        let within = |seen: &Seen| seen.at.segment <= number;
        let mut old: Vec<(CallId, Seen)> = Vec::new();
        for (id, seen) in &self.open {
            old.extend(seen.iter().filter(|seen| within(seen)).map(|seen| (*id, *seen)));
        }
        let bytes: u64 = old.iter().map(|(_, seen)| u64::from(seen.size)).sum();
        if old.is_empty() || bytes > length / 4 {
            return Ok(false);
        }
        old.sort_unstable_by_key(|(_, seen)| seen.at);
        let mut all = true;
        for (id, seen) in old {
            let frame = self.lookup.frame(seen.at, seen.size as usize)?;
            if !journal.carry(&frame).map_err(Error::journal("carry a record on"))? {
                // Its final is in the journal already and will be read soon.
                all = false;
                continue;
            }
            if let Some(frames) = self.open.get_mut(&id) {
                frames.retain(|other| other.at != seen.at);
            }
        }
        Ok(all)
    }
}

fn unreadable(at: Position) -> Error {
    Error::Unreadable(format!("the journal at {at}: {UNREADABLE}"))
}

fn read_intent(frame: &Frame<'_>) -> Option<Intent> {
    postcard::from_bytes::<IntentV1<'_>>(frame.payload).ok()?.into_record(frame.call)
}

fn read_attempt(frame: &Frame<'_>, recent: &mut Recent) -> Option<AttemptRecord> {
    postcard::from_bytes::<AttemptV1<'_>>(frame.payload).ok()?.into_record(recent)
}

/// The call of a final, with the attempts that were recorded before it and are not in it.
fn read_final(
    at: Position,
    frame: &Frame<'_>,
    seen: &[Seen],
    lookup: &mut Lookup,
    recent: &mut Recent,
) -> Result<CallRecord, Error> {
    let stored: Option<CallV1<'_>> = postcard::from_bytes(frame.payload).ok();
    let mut call =
        stored.and_then(|call| call.into_record(frame.call, recent)).ok_or_else(|| unreadable(at))?;
    for seen in seen.iter().filter(|seen| seen.kind == Kind::Attempt) {
        if call.attempts.iter().all(|attempt| attempt.number != seen.number) {
            let frame = lookup.frame(seen.at, seen.size as usize)?;
            call.attempts.push(read_attempt(&frame, recent).ok_or_else(|| unreadable(seen.at))?);
        }
    }
    call.attempts.sort_by_key(|attempt| attempt.number);
    Ok(call)
}

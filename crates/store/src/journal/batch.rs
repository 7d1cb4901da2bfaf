//! Frames on their way into the journal together.

use serde::Serialize;
use stepwell_types::CallId;

use super::frame::{self, Kind};
use super::ticket::JournalError;

/// How much memory a batch keeps when it is used again, in bytes.
const KEPT: usize = 64 << 10;

/// Frames in the order they were pushed, encoded but for their headers.
pub(super) struct Batch {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

/// A frame of a batch.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) call: CallId,
    /// Where its bytes end.
    end: usize,
    /// The room that was kept for its call before it, for taking the frame back.
    pub(super) room_before: Option<u64>,
    /// It was put at the journal's end.
    pub(super) taken: bool,
}

impl Batch {
    pub(super) const fn new() -> Self {
        Self { bytes: Vec::new(), entries: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Encodes a record behind room for its header.
    pub(super) fn push<V: Serialize>(
        &mut self,
        kind: Kind,
        call: CallId,
        record: &V,
    ) -> Result<(), JournalError> {
        let start = self.bytes.len();
        frame::begin(&mut self.bytes);
        if let Err(error) = postcard::serialize_with_flavor(record, Bytes(&mut self.bytes)) {
            self.bytes.truncate(start);
            return Err(JournalError::Failed(error.to_string().into()));
        }
        self.entries.push(Entry { kind, call, end: self.bytes.len(), room_before: None, taken: false });
        Ok(())
    }

    /// The frames, in order.
    pub(super) fn frames(&mut self) -> impl Iterator<Item = (&mut Entry, &mut [u8])> {
        let mut rest = self.bytes.as_mut_slice();
        let mut start = 0;
        self.entries.iter_mut().map(move |entry| {
            let (frame, behind) = std::mem::take(&mut rest).split_at_mut(entry.end - start);
            rest = behind;
            start = entry.end;
            (entry, frame)
        })
    }

    /// The entries from `place` on, the last first.
    pub(super) fn back_to(&self, place: usize) -> impl Iterator<Item = (usize, &Entry)> {
        self.entries.iter().enumerate().skip(place).rev()
    }

    /// Empties it.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
    }
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
        // Most numbers are one byte.
        match bytes {
            [byte] => self.0.push(*byte),
            bytes => self.0.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

//! Reads frames in order across segments: when a journal is opened, while it is shipped, and after a crash.
//!
//! Memory is bounded by one chunk and one frame. It never writes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use stepwell_types::ReplicaId;

use super::frame::{self, Frame, Parsed};
use super::segment;
use crate::{Error, Position};

/// How much is read at a time.
const CHUNK: usize = 256 << 10;

/// A place in a journal and the bytes from there that have been read.
#[derive(Debug)]
pub(crate) struct Reader {
    dir: PathBuf,
    replica: ReplicaId,
    segment: u64,
    file: Option<File>,
    /// Where in the segment `buffer[cursor]` is.
    offset: u64,
    buffer: Vec<u8>,
    cursor: usize,
}

impl Reader {
    /// A reader that begins at `from`, or at the next segment there is if that one is gone.
    pub(crate) fn new(dir: &Path, replica: ReplicaId, from: Position) -> Self {
        Self {
            dir: dir.to_owned(),
            replica,
            segment: from.segment,
            file: None,
            offset: from.offset,
            buffer: Vec::new(),
            cursor: 0,
        }
    }

    /// Where the next frame will be read.
    pub(crate) fn position(&self) -> Position {
        Position { segment: self.segment, offset: self.offset }
    }

    /// The next frame and where it stands; none at `end`, before which everything has been written.
    pub(crate) fn next(&mut self, end: Position) -> Result<Option<(Position, Frame<'_>)>, Error> {
        loop {
            if self.position() >= end || !self.ensure_open(end)? {
                return Ok(None);
            }
            let want = match frame::parse(&self.buffer[self.cursor..]) {
                Parsed::Frame(frame) => {
                    let size = frame.size();
                    return Ok(self.take(size));
                }
                Parsed::Invalid(why) => return Err(self.damaged(why)),
                Parsed::Partial(want) => want,
            };
            let limit = self.limit(end)?;
            if self.fill(limit, want)? {
                continue;
            }
            if limit > self.offset {
                return Err(self.damaged("the segment ends within a frame"));
            }
            if self.segment == end.segment || !self.advance(end)? {
                return Ok(None);
            }
        }
    }

    /// The frame of `size` bytes at the cursor, which is whole and checked.
    fn take(&mut self, size: usize) -> Option<(Position, Frame<'_>)> {
        let at = self.position();
        let start = self.cursor;
        self.cursor += size;
        self.offset += size as u64;
        frame::checked(&self.buffer[start..self.cursor]).map(|frame| (at, frame))
    }

    /// Opens the segment the position is in, checking its header. False if there is none before `end`.
    fn ensure_open(&mut self, end: Position) -> Result<bool, Error> {
        if self.file.is_some() {
            return Ok(true);
        }
        let path = segment::path(&self.dir, self.segment);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.advance(end),
            Err(error) => return Err(Error::io("open", &path)(error)),
        };
        segment::check_header(&mut file, &path, self.replica, self.segment)?;
        self.offset = self.offset.max(segment::HEADER);
        self.file = Some(file);
        Ok(true)
    }

    /// Moves to the next segment there is. False if there is none before `end`.
    fn advance(&mut self, end: Position) -> Result<bool, Error> {
        let next = segment::list(&self.dir)?.into_iter().find(|number| *number > self.segment);
        let Some(next) = next.filter(|number| *number <= end.segment) else {
            return Ok(false);
        };
        if next != self.segment + 1 && self.file.is_some() {
            tracing::error!(
                after = self.segment,
                next,
                "journal segments are missing, what they held is lost"
            );
        }
        self.segment = next;
        self.offset = 0;
        self.file = None;
        self.buffer.clear();
        self.cursor = 0;
        self.ensure_open(end)
    }

    /// Where the segment's frames end, as far as they may be read.
    fn limit(&self, end: Position) -> Result<u64, Error> {
        if self.segment == end.segment {
            return Ok(end.offset);
        }
        let path = segment::path(&self.dir, self.segment);
        let file = self.file.as_ref().ok_or(Error::Closed)?;
        Ok(file.metadata().map_err(Error::io("inspect", &path))?.len())
    }

    /// Reads on until `want` bytes are buffered behind the cursor. False if the segment ends before.
    fn fill(&mut self, limit: u64, want: usize) -> Result<bool, Error> {
        let kept = self.buffer.len() - self.cursor;
        let room = usize::try_from(limit.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        if want > room {
            return Ok(false);
        }
        self.buffer.copy_within(self.cursor.., 0);
        self.cursor = 0;
        self.buffer.resize(want.max(CHUNK).min(room), 0);
        let path = segment::path(&self.dir, self.segment);
        let file = self.file.as_ref().ok_or(Error::Closed)?;
        file.read_exact_at(&mut self.buffer[kept..], self.offset + kept as u64)
            .map_err(Error::io("read", &path))?;
        Ok(true)
    }

    fn damaged(&self, why: &'static str) -> Error {
        Error::Damaged { path: segment::path(&self.dir, self.segment), offset: self.offset, why }
    }
}

//! Reads single frames again by their place: those of calls that were open for long, or when the process died.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::frame::{self, Frame, Parsed};
use super::segment;
use crate::{Error, Position};

/// Reads frames by place; cheapest when asked in order.
#[derive(Debug)]
pub(crate) struct Lookup {
    dir: PathBuf,
    file: Option<(u64, File)>,
    bytes: Vec<u8>,
}

impl Lookup {
    /// For the journal in `dir`.
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), file: None, bytes: Vec::new() }
    }

    /// The frame of `size` bytes at `at`.
    pub(crate) fn frame(&mut self, at: Position, size: usize) -> Result<Frame<'_>, Error> {
        let path = segment::path(&self.dir, at.segment);
        let file = match self.file.take() {
            Some((segment, file)) if segment == at.segment => file,
            _ => File::open(&path).map_err(Error::io("open", &path))?,
        };
        self.bytes.resize(size, 0);
        file.read_exact_at(&mut self.bytes, at.offset).map_err(Error::io("read", &path))?;
        self.file = Some((at.segment, file));
        match frame::parse(&self.bytes) {
            Parsed::Frame(frame) => Ok(frame),
            Parsed::Partial(_) => Err(Error::Damaged { path, offset: at.offset, why: "a frame has grown" }),
            Parsed::Invalid(why) => Err(Error::Damaged { path, offset: at.offset, why }),
        }
    }
}

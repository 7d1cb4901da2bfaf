//! Segment files: their names, their header, and what is done about a tail that was cut off.
//!
//! A torn tail is truncated only where no byte of it was ever promised to be on disk; anything else is damage and is
//! reported, never repaired.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use stepwell_types::ReplicaId;

use super::frame::{self, Parsed};
use super::reader::Reader;
use crate::{Error, Position};

/// [`HEADER`], for arrays.
pub(crate) const HEADER_BYTES: usize = 40;
/// Bytes before a segment's first frame.
pub(crate) const HEADER: u64 = HEADER_BYTES as u64;
/// The version of the segment's layout.
const VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"STEPWJNL";
const SUFFIX: &str = ".journal";

/// The path of a segment.
pub(crate) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:016}{SUFFIX}"))
}

/// The numbers of the segments there are, ascending.
pub(crate) fn list(dir: &Path) -> Result<Vec<u64>, Error> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let name = entry.map_err(Error::io("list", dir))?.file_name();
        let number: Option<u64> =
            name.to_str().and_then(|name| name.strip_suffix(SUFFIX)).and_then(|text| text.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The header of a segment.
pub(crate) fn header(replica: ReplicaId, number: u64) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..20].copy_from_slice(&number.to_le_bytes());
    bytes[20..36].copy_from_slice(replica.0.as_bytes());
    let crc = crc32c::crc32c(&bytes[..36]);
    bytes[36..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Checks that a file begins as segment `number` of `replica` does.
pub(crate) fn check_header(
    file: &mut File,
    path: &Path,
    replica: ReplicaId,
    number: u64,
) -> Result<(), Error> {
    let mut found = [0; HEADER_BYTES];
    file.read_exact(&mut found).map_err(Error::io("read", path))?;
    if found == header(replica, number) {
        return Ok(());
    }
    if &found[..8] != MAGIC {
        return Err(Error::Foreign { path: path.to_owned(), expected: "journal segment" });
    }
    let mut version = [0; 4];
    version.copy_from_slice(&found[8..12]);
    let version = u32::from_le_bytes(version);
    if version > VERSION {
        return Err(Error::Newer { what: path.display().to_string(), found: version, known: VERSION });
    }
    let why = "the header is of another journal or does not match its checksum";
    Err(Error::Damaged { path: path.to_owned(), offset: 0, why })
}

/// Segments found when a journal is opened, after their tails have been put right.
#[derive(Debug)]
pub(crate) struct Found {
    /// Number and length of each, ascending.
    pub(crate) segments: Vec<(u64, u64)>,
    /// Bytes of torn tails that were truncated.
    pub(crate) truncated: u64,
}

/// Puts the tail of the journal right. Reads the last segment, and those before it only where no frame behind them
/// says that they were on disk.
pub(crate) fn recover(dir: &Path, replica: ReplicaId) -> Result<Found, Error> {
    let mut found = Found { segments: Vec::new(), truncated: 0 };
    let mut durable_behind = false;
    for number in list(dir)?.into_iter().rev() {
        let file = path(dir, number);
        let length = fs::metadata(&file).map_err(Error::io("inspect", &file))?.len();
        if is_unwritten(&file, length)? {
            // It stays, empty: a number that is missing means that records are, and one that comes again may stand in the
            // ledger as shipped.
            empty(&file, replica, number)?;
            found.segments.push((number, HEADER));
            continue;
        }
        let mut kept = length;
        if !durable_behind {
            let tail = scan(dir, replica, number, length)?;
            if tail.end < length {
                truncate(&file, tail.end)?;
                found.truncated += length - tail.end;
                kept = tail.end;
            }
            durable_behind = tail.claims_durable;
        }
        found.segments.push((number, kept));
    }
    found.segments.reverse();
    Ok(found)
}

/// Whether the process died between creating a segment and writing its header.
fn is_unwritten(path: &Path, length: u64) -> Result<bool, Error> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(Error::io("open", path))?;
    file.take(HEADER).read_to_end(&mut start).map_err(Error::io("read", path))?;
    Ok(length < HEADER || start.iter().all(|byte| *byte == 0))
}

struct Tail {
    end: u64,
    claims_durable: bool,
}

fn scan(dir: &Path, replica: ReplicaId, number: u64, length: u64) -> Result<Tail, Error> {
    let mut reader = Reader::new(dir, replica, Position { segment: number, offset: 0 });
    let end = Position { segment: number, offset: length };
    let mut claims_durable = false;
    loop {
        match reader.next(end) {
            Ok(Some((_, frame))) => claims_durable |= frame.durable > 0,
            Ok(None) => return Ok(Tail { end: length, claims_durable }),
            Err(Error::Damaged { path, offset, why }) => {
                if was_durable(&path, offset)? {
                    return Err(Error::Damaged { path, offset, why });
                }
                return Ok(Tail { end: offset, claims_durable });
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether a frame after `offset` says that the byte at `offset` was on disk when it was written.
fn was_durable(path: &Path, offset: u64) -> Result<bool, Error> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let tail = bytes.get(start..).unwrap_or_default();
    let later = (1..tail.len()).filter_map(|at| match frame::parse(&tail[at..]) {
        Parsed::Frame(frame) => Some(frame),
        Parsed::Partial(_) | Parsed::Invalid(_) => None,
    });
    Ok(later.map(|frame| u64::from(frame.durable)).any(|durable| durable > offset))
}

/// Makes a file a segment without frames.
fn empty(path: &Path, replica: ReplicaId, number: u64) -> Result<(), Error> {
    let opened = OpenOptions::new().write(true).truncate(true).open(path);
    let written = opened.and_then(|mut file| {
        file.write_all(&header(replica, number))?;
        file.sync_all()
    });
    written.map_err(Error::io("write", path))
}

fn truncate(path: &Path, length: u64) -> Result<(), Error> {
    let file = OpenOptions::new().write(true).open(path).map_err(Error::io("open", path))?;
    file.set_len(length).and_then(|()| file.sync_all()).map_err(Error::io("truncate", path))
}

//! The frame: the unit a journal is made of. Header, checksum, payload.
//!
//! ```text
//! crc: u32 | length: u32 | durable: u32 | kind: u8 | version: u8 | call: [u8; 16] | payload: [u8; length]
//! ```
//! Integers are little-endian. The CRC32C covers everything after itself. `durable` is how many bytes of this
//! segment were known to be on disk when the frame was written: what tells a torn tail (bytes that were never
//! promised to survive a power failure) from damage (bytes that were). It never reads or writes a file.

use stepwell_types::CallId;

/// Bytes before the payload.
pub(crate) const HEADER: usize = 30;

/// The longest payload. Texts and lists are bounded where payloads are made, so that none comes near.
pub(crate) const MAX_PAYLOAD: usize = 1 << 20;

/// What a frame says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// An attempt is about to be sent.
    Intent,
    /// An attempt failed and another follows.
    Attempt,
    /// The call has ended.
    Call,
}

impl Kind {
    const fn to_byte(self) -> u8 {
        match self {
            Self::Intent => 1,
            Self::Attempt => 2,
            Self::Call => 3,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Intent),
            2 => Some(Self::Attempt),
            3 => Some(Self::Call),
            _ => None,
        }
    }
}

/// A frame in a reader's buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Frame<'a> {
    /// What it says.
    pub(crate) kind: Kind,
    /// The version of the payload's form.
    pub(crate) version: u8,
    /// The call it is about.
    pub(crate) call: CallId,
    /// Bytes of its segment that were on disk when it was written.
    pub(crate) durable: u32,
    /// The record.
    pub(crate) payload: &'a [u8],
}

impl Frame<'_> {
    /// Bytes it takes in the segment.
    pub(crate) const fn size(&self) -> usize {
        HEADER + self.payload.len()
    }
}

/// What the bytes at a place are.
#[derive(Debug)]
pub(crate) enum Parsed<'a> {
    /// A whole frame.
    Frame(Frame<'a>),
    /// Perhaps the beginning of a frame of this many bytes.
    Partial(usize),
    /// No frame.
    Invalid(&'static str),
}

/// Makes room for a header at the end of a buffer.
pub(crate) fn begin(buffer: &mut Vec<u8>) {
    buffer.extend_from_slice(&[0; HEADER]);
}

/// Fills in the header of the frame that `buffer` is, whose payload follows the room made by [`begin`].
pub(crate) fn seal(buffer: &mut [u8], kind: Kind, version: u8, call: CallId, durable: u32) {
    let length = u32::try_from(buffer.len() - HEADER).unwrap_or(u32::MAX);
    buffer[4..8].copy_from_slice(&length.to_le_bytes());
    buffer[8..12].copy_from_slice(&durable.to_le_bytes());
    buffer[12] = kind.to_byte();
    buffer[13] = version;
    buffer[14..HEADER].copy_from_slice(call.as_bytes());
    let crc = crc32c::crc32c(&buffer[4..]);
    buffer[..4].copy_from_slice(&crc.to_le_bytes());
}

/// Reads and checks the frame at the start of `bytes`.
pub(crate) fn parse(bytes: &[u8]) -> Parsed<'_> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Parsed::Partial(HEADER);
    };
    let length = u32_at(header, 4) as usize;
    if length > MAX_PAYLOAD {
        return Parsed::Invalid("a frame cannot be this long");
    }
    let Some(payload) = rest.get(..length) else {
        return Parsed::Partial(HEADER + length);
    };
    if crc32c::crc32c(&bytes[4..HEADER + length]) != u32_at(header, 0) {
        return Parsed::Invalid("the checksum does not match");
    }
    match view(header, payload) {
        Some(frame) => Parsed::Frame(frame),
        None => Parsed::Invalid("a kind of frame this version does not know"),
    }
}

/// The frame of these parts, whose checksum has been checked.
fn view<'a>(header: &[u8; HEADER], payload: &'a [u8]) -> Option<Frame<'a>> {
    let mut call = [0; 16];
    call.copy_from_slice(&header[14..]);
    Some(Frame {
        kind: Kind::from_byte(header[12])?,
        version: header[13],
        call: CallId::from_bytes(call),
        durable: u32_at(header, 8),
        payload,
    })
}

/// The frame that fills `bytes`, which [`parse`] has checked before.
pub(crate) fn checked(bytes: &[u8]) -> Option<Frame<'_>> {
    let (header, payload) = bytes.split_first_chunk::<HEADER>()?;
    view(header, payload)
}

fn u32_at(bytes: &[u8; HEADER], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

//! Where a body ends, and what of the bytes on the wire is its content.

use crate::Broken;

/// How much chunk extensions and trailers may be read, in bytes: they are skipped.
const SKIPPED: u32 = 16 * 1024;

/// What tells where a body ends (RFC 9112, section 6.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// In chunks.
    Chunked { state: Chunk, skipped: u32 },
    /// When the connection is closed.
    UntilClose,
}

/// What a chunked body's next byte is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Chunk {
    Size { value: u64, digits: u8 },
    Extension { size: u64 },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
    Ended,
}

/// What was found in a buffer.
#[derive(Debug)]
pub(crate) struct Decoded {
    /// So many bytes at the buffer's start are content now.
    pub(crate) content: usize,
    /// So many of its bytes have been taken; fewer than all only where the body ended before them, or broke.
    pub(crate) consumed: usize,
    /// What broke the body behind that content.
    pub(crate) fault: Option<Broken>,
}

impl Framing {
    /// No body.
    pub(crate) const NOTHING: Self = Self::Length(0);

    /// A chunked body at its start.
    pub(crate) const fn chunked() -> Self {
        Self::Chunked { state: Chunk::START, skipped: 0 }
    }

    /// Whether the body has ended. One that ends with the connection never has by itself.
    pub(crate) const fn is_over(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked { state: Chunk::Ended, .. })
    }

    /// Takes what belongs to the body from a buffer, moving its content together at the start.
    pub(crate) fn decode(&mut self, buffer: &mut [u8]) -> Decoded {
        let taken = match self {
            Self::Length(left) => {
                let taken = clamp(*left, buffer.len());
                *left -= taken as u64;
                taken
            }
            Self::UntilClose => buffer.len(),
            Self::Chunked { state, skipped } => return unchunk(state, skipped, buffer),
        };
        Decoded { content: taken, consumed: taken, fault: None }
    }
}

impl Chunk {
    const START: Self = Self::Size { value: 0, digits: 0 };

    /// What follows `byte`, which is none of the content.
    fn after(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Size { digits: 1.., value }, b'\r') => Self::SizeLf { size: value },
            (Self::Size { digits: 1.., value }, b';' | b' ' | b'\t') => Self::Extension { size: value },
            (Self::Size { digits, value }, _) => {
                let digit = char::from(byte).to_digit(16)?;
                // Fifteen digits are an exabyte, and cannot overflow.
                let digits = (digits < 15).then_some(digits + 1)?;
                Self::Size { value: value << 4 | u64::from(digit), digits }
            }
            (Self::Extension { size }, b'\r') => Self::SizeLf { size },
            (Self::Extension { .. } | Self::Trailer, b'\n') => return None,
            (Self::Extension { size }, _) => Self::Extension { size },
            (Self::SizeLf { size: 0 } | Self::TrailerLf, b'\n') => Self::TrailerStart,
            (Self::SizeLf { size }, b'\n') => Self::Data { left: size },
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::START,
            (Self::TrailerStart, b'\r') => Self::EndLf,
            (Self::Trailer, b'\r') => Self::TrailerLf,
            (Self::TrailerStart | Self::Trailer, _) => Self::Trailer,
            (Self::EndLf, b'\n') => Self::Ended,
            _ => return None,
        })
    }
}

fn unchunk(state: &mut Chunk, skipped: &mut u32, buffer: &mut [u8]) -> Decoded {
    let (mut content, mut at) = (0, 0);
    while at < buffer.len() && *state != Chunk::Ended {
        if let Chunk::Data { left } = *state {
            let length = clamp(left, buffer.len() - at);
            buffer.copy_within(at..at + length, content);
            content += length;
            at += length;
            let left = left - length as u64;
            *state = if left == 0 { Chunk::DataCr } else { Chunk::Data { left } };
            continue;
        }
        let broken = |why| Decoded { content, consumed: at, fault: Some(Broken::Framing(why)) };
        let Some(next) = state.after(buffer[at]) else {
            return broken("its chunks are not HTTP/1.1's");
        };
        if matches!(next, Chunk::Extension { .. } | Chunk::Trailer) {
            *skipped += 1;
            if *skipped > SKIPPED {
                return broken("its chunk extensions or trailers do not end");
            }
        }
        *state = next;
        at += 1;
    }
    Decoded { content, consumed: at, fault: None }
}

fn clamp(left: u64, available: usize) -> usize {
    usize::try_from(left).map_or(available, |left| left.min(available))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decodes `wire`, given in pieces of `cut` bytes. Gives the content, what was left over, and whether it ended.
    fn run(mut framing: Framing, wire: &[u8], cuts: &[usize]) -> Result<(Vec<u8>, usize, bool), Broken> {
        let (mut content, mut rest, mut cuts) = (Vec::new(), wire, cuts.iter().cycle());
        while !rest.is_empty() && !framing.is_over() {
            let length = cuts.next().copied().unwrap_or(usize::MAX).clamp(1, rest.len());
            let mut buffer = rest[..length].to_vec();
            let decoded = framing.decode(&mut buffer);
            if let Some(fault) = decoded.fault {
                return Err(fault);
            }
            assert!(decoded.content <= decoded.consumed && decoded.consumed <= length);
            assert!(decoded.consumed == length || framing.is_over());
            content.extend_from_slice(&buffer[..decoded.content]);
            rest = &rest[decoded.consumed..];
        }
        Ok((content, rest.len(), framing.is_over()))
    }

    proptest! {
        #[test]
        fn content_survives_any_chunks_and_any_cuts(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..20),
            cuts in prop::collection::vec(1_usize..70, 1..10),
            decoration in 0_u8..4,
            behind in prop::collection::vec(any::<u8>(), 0..5),
        ) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                let extension = if decoration & 1 == 1 { ";name=\"value\"" } else { "" };
                wire.extend_from_slice(format!("{:X}{extension}\r\n", chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b"0\r\n");
            if decoration & 2 == 2 {
                wire.extend_from_slice(b"x-trailer: 1\r\n");
            }
            wire.extend_from_slice(b"\r\n");
            let whole = wire.len();
            wire.extend_from_slice(&behind);
            let (content, _, ended) = run(Framing::chunked(), &wire, &cuts).unwrap();
            prop_assert_eq!(&content, &chunks.concat());
            prop_assert!(ended);
            // In one piece, what stands behind the body is left alone.
            let (content, left, _) = run(Framing::chunked(), &wire, &[usize::MAX]).unwrap();
            prop_assert_eq!((content, left), (chunks.concat(), behind.len()));
            // Anything less than the whole has not ended.
            let (_, _, ended) = run(Framing::chunked(), &wire[..whole - 1], &cuts).unwrap();
            prop_assert!(!ended);
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        let wires: [&[u8]; 10] = [
            b"\r\n",
            b"x\r\n",
            b"-1\r\n",
            b"5\n",
            b"5\rx",
            b";a\r\n",
            b"2\r\nabc",
            b"2\r\nab\rx",
            b"1000000000000000\r\n",
            b"0\r\na: b\n",
        ];
        for wire in wires {
            assert!(run(Framing::chunked(), wire, &[1]).is_err(), "{:?}", String::from_utf8_lossy(wire));
        }
    }

    #[test]
    fn what_is_skipped_has_a_bound() {
        let endless = [b"0\r\n".as_slice(), &b"a".repeat(SKIPPED as usize + 1)].concat();
        assert!(run(Framing::chunked(), &endless, &[usize::MAX]).is_err());
        let endless = b"1;ab\r\nx\r\n".repeat(SKIPPED as usize);
        assert!(run(Framing::chunked(), &endless, &[usize::MAX]).is_err());
    }

    #[test]
    fn a_length_takes_no_more_than_it_says() {
        assert_eq!(run(Framing::Length(3), b"abcdef", &[2]).unwrap(), (b"abc".to_vec(), 3, true));
        assert_eq!(run(Framing::Length(7), b"abcdef", &[2]).unwrap(), (b"abcdef".to_vec(), 0, false));
        assert_eq!(run(Framing::UntilClose, b"abc", &[2]).unwrap(), (b"abc".to_vec(), 0, false));
    }
}

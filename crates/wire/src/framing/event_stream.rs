//! AWS's event stream: binary frames with two checksums.
//!
//! A frame is its total length and the length of its headers (4 bytes each, big-endian), a CRC-32 of those eight bytes,
//! the headers, the payload, and a CRC-32 of everything before it.
//! <https://smithy.io/2.0/aws/amazon-eventstream.html>
//!
//! What is torn or altered on the way is a [`Fault`]: both checksums are verified, and a frame that says it is longer than
//! [`EVENT_LIMIT`] is refused by its first twelve bytes, before anything is kept for it.

use crate::Fault;
use crate::framing::{EVENT_LIMIT, Frame, text};
use crate::json::write_object;

/// Total length, length of the headers, and their checksum.
const PRELUDE: usize = 12;

/// The checksum at the end.
const CHECKSUM: usize = 4;

/// The name of a frame that tells of an error of the service itself, in no shape of the operation's. Its data is an object
/// of `__type` and `message`.
pub(crate) const ERROR: &str = "error";

/// Finds ends of frames, one call after another over a growing buffer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scan {
    /// Where the current frame begins.
    start: usize,
}

impl Scan {
    /// The end of the next frame. None where `buffer` ends first. A frame that cannot be one ends behind its first twelve
    /// bytes: [`parse`] then says what is wrong.
    pub(super) fn frame_end(&mut self, buffer: &[u8]) -> Option<usize> {
        let rest = buffer.get(self.start..)?;
        let prelude = rest.get(..PRELUDE)?;
        let length = lengths(prelude).map_or(PRELUDE, |lengths| lengths.total);
        rest.get(..length)?;
        self.start += length;
        Some(self.start)
    }

    /// Says that the first `consumed` bytes of the buffer are gone.
    pub(super) fn rebase(&mut self, consumed: usize) {
        self.start = self.start.saturating_sub(consumed);
    }
}

struct Lengths {
    total: usize,
    headers: usize,
}

fn invalid(problem: &str) -> Fault {
    Fault::Invalid(format!("a frame of the stream {problem}"))
}

/// Four bytes as a number.
fn number(bytes: Option<&[u8]>) -> Option<u32> {
    Some(u32::from_be_bytes(bytes?.try_into().ok()?))
}

/// What a prelude says, if it is one that a frame within the limit can have.
fn lengths(prelude: &[u8]) -> Result<Lengths, Fault> {
    let torn = || invalid("is torn");
    let total = number(prelude.get(..4)).ok_or_else(torn)?;
    let headers = number(prelude.get(4..8)).ok_or_else(torn)?;
    let checksum = number(prelude.get(8..PRELUDE)).ok_or_else(torn)?;
    if prelude.get(..8).map(crc32fast::hash) != Some(checksum) {
        return Err(invalid("has a prelude that does not match its checksum"));
    }
    let (total, headers) = (usize::try_from(total), usize::try_from(headers));
    let (Ok(total), Ok(headers)) = (total, headers) else { return Err(Fault::TooLarge) };
    if total > EVENT_LIMIT {
        return Err(Fault::TooLarge);
    }
    if total.checked_sub(PRELUDE + CHECKSUM).is_none_or(|inner| headers > inner) {
        return Err(invalid("is shorter than it says of its parts"));
    }
    Ok(Lengths { total, headers })
}

/// Reads one frame. Its name is the type of its event or exception. `joined` is room for the data of an error.
pub(super) fn parse<'a>(block: &'a [u8], joined: &'a mut String) -> Result<Frame<'a>, Fault> {
    let lengths = lengths(block.get(..PRELUDE).unwrap_or_default())?;
    let (body, checksum) = block
        .split_last_chunk::<CHECKSUM>()
        .filter(|_| block.len() == lengths.total)
        .ok_or_else(|| invalid("is torn"))?;
    if crc32fast::hash(body) != u32::from_be_bytes(*checksum) {
        return Err(invalid("does not match its checksum"));
    }
    let (headers, payload) = body
        .get(PRELUDE..)
        .and_then(|rest| rest.split_at_checked(lengths.headers))
        .ok_or_else(|| invalid("is torn"))?;
    let headers = Headers::read(headers)?;
    let event = match headers.message_type {
        Some("event") => headers.event_type,
        Some("exception") => headers.exception_type,
        Some("error") => {
            let mut data = Vec::new();
            write_object(&mut data, |error| {
                error.string("__type", headers.error_code.unwrap_or_default());
                error.string("message", headers.error_message.unwrap_or_default());
            });
            joined.clear();
            joined.push_str(text(&data)?);
            return Ok(Frame { event: Some(ERROR), data: joined });
        }
        _ => return Err(invalid("is none of an event, an exception and an error")),
    };
    let event = event.ok_or_else(|| invalid("does not say its type"))?;
    Ok(Frame { event: Some(event), data: text(payload)? })
}

/// The headers that say what a frame is.
#[derive(Debug, Default)]
struct Headers<'a> {
    message_type: Option<&'a str>,
    event_type: Option<&'a str>,
    exception_type: Option<&'a str>,
    error_code: Option<&'a str>,
    error_message: Option<&'a str>,
}

impl<'a> Headers<'a> {
    /// Reads headers of any name and any type of value.
    fn read(mut bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut headers = Self::default();
        while !bytes.is_empty() {
            let (name, value, rest) = header(bytes).ok_or_else(|| invalid("has headers that are torn"))?;
            bytes = rest;
            let known = match name {
                b":message-type" => &mut headers.message_type,
                b":event-type" => &mut headers.event_type,
                b":exception-type" => &mut headers.exception_type,
                b":error-code" => &mut headers.error_code,
                b":error-message" => &mut headers.error_message,
                _ => continue,
            };
            if known.is_some() {
                return Err(invalid("says twice what it is"));
            }
            *known = Some(text(value.ok_or_else(|| invalid("has a type that is no text"))?)?);
        }
        Ok(headers)
    }
}

/// One header: its name, its value if that is a string, and what stands behind it.
type Header<'a> = (&'a [u8], Option<&'a [u8]>, &'a [u8]);

fn header(bytes: &[u8]) -> Option<Header<'_>> {
    let (length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    let (kind, rest) = rest.split_first()?;
    // True, false, byte, short, integer, long, byte array, string, timestamp, UUID.
    let (length, rest) = match kind {
        0 | 1 => (0, rest),
        2 => (1, rest),
        3 => (2, rest),
        4 => (4, rest),
        5 | 8 => (8, rest),
        6 | 7 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        9 => (16, rest),
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((name, (*kind == 7).then_some(value), rest))
}

/// Writes one frame with these headers, all strings, and a payload of JSON that `payload` writes.
///
/// Names and values of headers must be shorter than 256 bytes: what is longer is cut.
pub(crate) fn write(out: &mut Vec<u8>, headers: &[(&str, &str)], payload: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; PRELUDE]);
    for (name, value) in headers {
        for (kind, text) in [(None, name), (Some(7), value)] {
            let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
            if let Some(kind) = kind {
                out.extend_from_slice(&[kind, 0]);
            }
            out.push(length);
            out.extend_from_slice(text.as_bytes().get(..usize::from(length)).unwrap_or_default());
        }
    }
    let headers = out.len() - start - PRELUDE;
    payload(out);
    let total = out.len() - start + CHECKSUM;
    let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let mut prelude = [length(total), length(headers), [0; 4]];
    prelude[2] = crc32fast::hash(prelude[..2].as_flattened()).to_be_bytes();
    if let Some(place) = out.get_mut(start..start + PRELUDE) {
        place.copy_from_slice(prelude.as_flattened());
    }
    let checksum = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&checksum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::{Framing, Splitter};

    type Owned = (Option<String>, String);

    fn split(chunks: &[&[u8]]) -> Result<Vec<Owned>, Fault> {
        let mut splitter = Splitter::new(Framing::EventStream);
        let mut frames = Vec::new();
        for chunk in chunks {
            splitter.push(chunk, &mut |frame| {
                frames.push((frame.event.map(str::to_owned), frame.data.to_owned()));
                Ok(())
            })?;
        }
        Ok(frames)
    }

    fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, headers, |out| out.extend_from_slice(payload));
        out
    }

    fn event(kind: &str, payload: &[u8]) -> Vec<u8> {
        frame(&[(":event-type", kind), (":message-type", "event")], payload)
    }

    /// A frame around headers as they stand, its checksums right.
    fn around(headers: &[u8], payload: &[u8]) -> Vec<u8> {
        let total = u32::try_from(PRELUDE + headers.len() + payload.len() + CHECKSUM).unwrap();
        let mut out = total.to_be_bytes().to_vec();
        out.extend(u32::try_from(headers.len()).unwrap().to_be_bytes());
        out.extend(crc32fast::hash(&out).to_be_bytes());
        out.extend_from_slice(headers);
        out.extend_from_slice(payload);
        out.extend(crc32fast::hash(&out).to_be_bytes());
        out
    }

    #[test]
    fn a_frame_is_what_awss_own_libraries_write() {
        // The empty message and the one with a header, of the test vectors in `awslabs/aws-c-event-stream`.
        assert_eq!(frame(&[], b""), [0, 0, 0, 0x10, 0, 0, 0, 0, 5, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff]);
        let one = frame(&[("content-type", "application/json")], b"{'foo':'bar'}");
        assert_eq!(&one[..12], [0, 0, 0, 0x3d, 0, 0, 0, 0x20, 7, 0xfd, 0x83, 0x96]);
        assert_eq!(&one[57..], [0x8d, 0x9c, 8, 0xb1]);
    }

    #[test]
    fn every_cut_gives_the_same_frames() {
        let stream = [
            event("messageStart", "{\"é\":1}".as_bytes()),
            frame(&[(":message-type", "exception"), (":exception-type", "throttlingException")], b"{}"),
            frame(
                &[(":message-type", "error"), (":error-code", "Busy"), (":error-message", "try \"later\"")],
                b"",
            ),
            event("cut", b"{}")[..20].to_vec(),
        ]
        .concat();
        let some = |kind: &str, data: &str| (Some(kind.to_owned()), data.to_owned());
        let expected = [
            some("messageStart", "{\"é\":1}"),
            some("throttlingException", "{}"),
            some("error", r#"{"__type":"Busy","message":"try \"later\""}"#),
        ];
        for first in 0..=stream.len() {
            for second in (first..=stream.len()).step_by(3) {
                let chunks = [&stream[..first], &stream[first..second], &stream[second..]];
                assert_eq!(split(&chunks).unwrap(), expected, "cut at {first} and {second}");
            }
        }
        assert_eq!(split(&stream.chunks(1).collect::<Vec<_>>()).unwrap(), expected);
    }

    #[test]
    fn every_altered_byte_is_a_fault() {
        let stream = event("contentBlockDelta", br#"{"delta":{"text":"Hi"}}"#);
        for at in 0..stream.len() {
            for bit in 0..8 {
                let mut altered = stream.clone();
                altered[at] ^= 1 << bit;
                // A length that was altered must not make the rest of the stream be waited for.
                altered.extend_from_slice(&stream);
                assert!(split(&[&altered]).is_err(), "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn headers_of_every_type_are_skipped() {
        let values: [&[u8]; 10] = [
            &[0],
            &[1],
            &[2, 7],
            &[3, 0, 7],
            &[4, 0, 0, 0, 7],
            &[5, 0, 0, 0, 0, 0, 0, 0, 7],
            &[6, 0, 2, 1, 2],
            &[7, 0, 1, b'x'],
            &[8, 0, 0, 0, 0, 0, 0, 0, 7],
            &[9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        ];
        let mut headers = Vec::new();
        for value in values {
            headers.extend_from_slice(b"\x01a");
            headers.extend_from_slice(value);
        }
        let own = frame(&[(":message-type", "event"), (":event-type", "x")], b"");
        headers.extend_from_slice(&own[PRELUDE..own.len() - CHECKSUM]);
        let frames = split(&[&around(&headers, b"{}")]).unwrap();
        assert_eq!(frames, [(Some("x".to_owned()), "{}".to_owned())]);
        for cut in 1..headers.len() {
            drop(split(&[&around(&headers[..cut], b"{}")]).unwrap_err());
        }
        for wrong in [&b"\x01a\x0a"[..], b"\x05ab", b"\x01a\x07\xff\xffx", b"\x01"] {
            assert!(matches!(split(&[&around(wrong, b"")]), Err(Fault::Invalid(_))), "{wrong:?}");
        }
    }

    #[test]
    fn a_frame_that_does_not_say_what_it_is_is_a_fault() {
        for headers in [
            &[][..],
            &[(":message-type", "event")],
            &[(":message-type", "event"), (":exception-type", "x")],
            &[(":message-type", "greeting"), (":event-type", "x")],
            &[(":message-type", "event"), (":message-type", "event"), (":event-type", "x")],
        ] {
            assert!(matches!(split(&[&frame(headers, b"{}")]), Err(Fault::Invalid(_))), "{headers:?}");
        }
        assert!(split(&[&around(b"\x0d:message-type\x00", b"")]).is_err(), "a type that is no text");
        assert!(split(&[&event("x", b"\xff")]).is_err(), "a payload that is no text");
    }

    #[test]
    fn a_frame_over_the_limit_is_a_fault_by_its_first_bytes() {
        let room = EVENT_LIMIT - event("x", b"").len();
        assert_eq!(split(&[&event("x", &vec![b' '; room])]).unwrap().len(), 1);
        let longer = event("x", &vec![b' '; room + 1]);
        assert_eq!(split(&[&longer[..PRELUDE]]), Err(Fault::TooLarge));
        assert_eq!(split(&longer.chunks(5).collect::<Vec<_>>()), Err(Fault::TooLarge));
    }

    #[test]
    fn lengths_that_contradict_each_other_are_a_fault() {
        for (total, headers) in [(0_u32, 0_u32), (15, 0), (16, 1), (40, 25)] {
            let mut prelude = total.to_be_bytes().to_vec();
            prelude.extend(headers.to_be_bytes());
            prelude.extend(crc32fast::hash(&prelude).to_be_bytes());
            assert!(matches!(split(&[&prelude]), Err(Fault::Invalid(_))), "{total} {headers}");
        }
    }
}

//! Server-sent events: where one ends, and what it says.
//!
//! Follows WHATWG HTML §9.2.6 but for one thing: a line that is no comment and no field the standard names is not
//! skipped, it is a [`Fault`], since no provider writes one and a torn or foreign chunk does. An event is dispatched
//! by its blank line only: what stands after the last one is held, and lost if nothing follows.

use memchr::{memchr, memchr2};

use crate::Fault;
use crate::framing::{Frame, text};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Finds blank lines, one call after another over a growing buffer, without looking at a byte twice.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scan {
    /// Where the current line begins.
    line: usize,
    /// How far the current line is known to hold no line end.
    seen: usize,
    /// The byte before `line` is a CR: a LF at `line` belongs to it.
    after_cr: bool,
    /// The line before this one ended with CR and LF, so a blank line that ends with CR has its LF still to come.
    pairs: bool,
}

impl Scan {
    /// The end of the next block, its blank line included. None where `buffer` ends first.
    pub(super) fn block_end(&mut self, buffer: &[u8]) -> Option<usize> {
        loop {
            if self.after_cr {
                self.pairs = *buffer.get(self.line)? == b'\n';
                self.line += usize::from(self.pairs);
                self.seen = self.line;
                self.after_cr = false;
            }
            let rest = buffer.get(self.seen..)?;
            let Some(at) = memchr2(b'\n', b'\r', rest).map(|at| at + self.seen) else {
                self.seen = buffer.len();
                return None;
            };
            let blank = at == self.line;
            let carriage = buffer.get(at) == Some(&b'\r');
            let mut end = at + 1;
            if blank && carriage && self.pairs {
                self.seen = at;
                end += usize::from(*buffer.get(end)? == b'\n');
            }
            self.line = end;
            self.seen = end;
            self.after_cr = carriage && end == at + 1;
            self.pairs &= carriage;
            if blank {
                return Some(end);
            }
        }
    }

    /// Says that the first `consumed` bytes of the buffer are gone.
    pub(super) fn rebase(&mut self, consumed: usize) {
        self.line = self.line.saturating_sub(consumed);
        self.seen = self.seen.saturating_sub(consumed);
    }
}

/// The first block of a stream without the mark it may begin with.
pub(super) fn without_mark(block: &[u8]) -> &[u8] {
    block.strip_prefix(BYTE_ORDER_MARK).unwrap_or(block)
}

/// Reads one block of lines. None where it has no data: a comment, or nothing at all. `joined` is room for data of
/// several lines.
pub(super) fn parse<'a>(block: &'a [u8], joined: &'a mut String) -> Result<Option<Frame<'a>>, Fault> {
    let mut event = None;
    let mut data: Option<&'a str> = None;
    let mut several = false;
    let mut rest = block;
    while !rest.is_empty() {
        let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        let (name, value) = field(line);
        match name {
            b"data" => {
                let value = text(value)?;
                match data {
                    None => data = Some(value),
                    Some(first) => {
                        if !std::mem::replace(&mut several, true) {
                            joined.clear();
                            joined.push_str(first);
                        }
                        joined.push('\n');
                        joined.push_str(value);
                    }
                }
            }
            b"event" => event = Some(text(value)?),
            b"" | b"id" | b"retry" => {}
            _ => return Err(Fault::Invalid("a line of the stream is no field of an event".to_owned())),
        }
    }
    let data = if several { Some(joined.as_str()) } else { data };
    Ok(data.map(|data| Frame { event, data }))
}

/// A line's name and value. A comment has the empty name; so has an empty line.
fn field(line: &[u8]) -> (&[u8], &[u8]) {
    let Some(colon) = memchr(b':', line) else { return (line, b"") };
    let (name, value) = line.split_at(colon);
    let value = value.get(1..).unwrap_or_default();
    (name, value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::{EVENT_LIMIT, Framing, Splitter};

    type Owned = (Option<String>, String);

    fn split(chunks: &[&[u8]]) -> Result<Vec<Owned>, Fault> {
        let mut splitter = Splitter::new(Framing::Sse);
        let mut frames = Vec::new();
        for chunk in chunks {
            splitter.push(chunk, &mut |frame| {
                frames.push((frame.event.map(str::to_owned), frame.data.to_owned()));
                Ok(())
            })?;
        }
        Ok(frames)
    }

    fn data(texts: &[&str]) -> Vec<Owned> {
        texts.iter().map(|text| (None, (*text).to_owned())).collect()
    }

    #[test]
    fn every_cut_of_every_form_gives_the_same_frames() {
        let stream = "\u{feff}data:a\r\n\r\n: comment\n\ndata: b\ndata:  c\n\nevent: x\rdata: é😀\r\revent:y\r\n\
                      id: 7\r\nretry: 3\r\ndata\r\n\r\n\n\n\rdata:z\n\rdata: cut";
        let expected = vec![
            (None, "a".to_owned()),
            (None, "b\n c".to_owned()),
            (Some("x".to_owned()), "é😀".to_owned()),
            (Some("y".to_owned()), String::new()),
            (None, "z".to_owned()),
        ];
        let bytes = stream.as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let chunks = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(split(&chunks).unwrap(), expected, "cut at {first} and {second}");
            }
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(split(&single).unwrap(), expected);
    }

    #[test]
    fn an_event_without_its_blank_line_is_not_given() {
        assert_eq!(split(&[b"data: a\n\ndata: [DONE]\n"]).unwrap(), data(&["a"]));
    }

    #[test]
    fn a_line_that_is_no_field_is_a_fault() {
        for garbage in [&b"%%%garbage\n\n"[..], b"{\"id\":1}\n\n", b"data: a\nda: b\n\n", b"<html>\n\n"] {
            assert!(matches!(split(&[garbage]), Err(Fault::Invalid(_))), "{garbage:?}");
        }
    }

    #[test]
    fn data_that_is_not_utf8_is_a_fault() {
        assert!(matches!(split(&[b"data: \xff\n\n"]), Err(Fault::Invalid(_))));
        assert_eq!(split(&[b": \xff\ndata: a\n\n"]).unwrap(), data(&["a"]));
    }

    #[test]
    fn an_event_over_the_limit_is_a_fault_however_it_arrives() {
        let mut event = b"data: ".to_vec();
        event.resize(EVENT_LIMIT - 2, b'x');
        event.extend_from_slice(b"\n\n");
        assert_eq!(split(&[&event]).unwrap().len(), 1);
        assert_eq!(split(&event.chunks(1 << 16).collect::<Vec<_>>()).unwrap().len(), 1);
        event.insert(6, b'x');
        assert_eq!(split(&[&event]), Err(Fault::TooLarge));
        assert_eq!(split(&event.chunks(1 << 16).collect::<Vec<_>>()), Err(Fault::TooLarge));
        assert_eq!(split(&[&event[..=EVENT_LIMIT]]), Err(Fault::TooLarge));
    }
}

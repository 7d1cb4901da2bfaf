//! A stream whose two sides speak the same dialect: cut at events, looked at, and passed on as the bytes it came in.
//!
//! This is the frame every dialect's tap shares; what an event means is for its [`Watch`]. Events are not parsed here:
//! the common form of server-sent ones (`data:` alone or behind `event:`, ended by LF) is found by two or three searches for a
//! byte, any other by the rules of its [`Framing`]. Bytes that arrive on event boundaries pass without a copy.

use bytes::Bytes;
use memchr::memchr;

use crate::framing::{EVENT_LIMIT, Frame, Framing, Scan};
use crate::{Facts, Fault, Pipe};

/// What becomes of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It passes.
    Pass,
    /// It does not pass; the stream goes on.
    Withhold,
    /// It passes with what comes next, or with the end of a complete stream.
    Hold,
    /// It passes and is the last.
    PassAndEnd,
    /// It does not pass, nor does anything after it.
    Stop,
}

/// A dialect's eye on the events that pass.
pub(crate) trait Watch: Send {
    /// Looks at an event. Must refuse data that is no object of the dialect: [`is_object`] is the least check.
    fn look(&mut self, frame: &Frame<'_>) -> Result<Verdict, Fault>;

    /// Called once after the events of each push: the place to read what need not be read event by event.
    fn settle(&mut self) {}

    /// Called at the end of the bytes, in a dialect without a terminal event.
    fn end(&mut self) {}

    /// What is known so far.
    fn facts(&self) -> &Facts;

    /// The same, to add to.
    fn facts_mut(&mut self) -> &mut Facts;
}

/// The least that data must be: something from a brace with a key (or nothing) behind it to a brace. A chunk that was
/// torn, or that is no JSON, fails it; that what stands between is JSON is for the client to see, as with any proxy.
pub(crate) fn is_object(data: &str) -> bool {
    let data = data.trim_ascii().as_bytes();
    let opened = data.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    opened.is_some_and(|inner| matches!(inner, [b'"', .., b'}'] | [b'}']))
}

/// A pipe that passes what its watch lets pass.
pub(crate) struct Tap<W> {
    watch: W,
    framing: Framing,
    /// The start of an event that is not whole yet.
    held: Vec<u8>,
    /// How far `held` is known to hold no end of an event.
    scan: Scan,
    joined: String,
    /// An event that passes with what comes next.
    late: Option<Bytes>,
    begun: bool,
    over: bool,
}

impl<W: Watch> Tap<W> {
    /// A tap at the start of a stream.
    pub(crate) fn new(framing: Framing, watch: W) -> Self {
        let (held, scan, joined) = (Vec::new(), Scan::new(framing), String::new());
        Self { watch, framing, held, scan, joined, late: None, begun: false, over: false }
    }

    /// Everything not yet looked at, once it holds a whole event.
    fn gather(&mut self, bytes: Bytes) -> Option<Bytes> {
        if self.held.is_empty() {
            return Some(bytes);
        }
        self.held.extend_from_slice(&bytes);
        self.scan.block_end(&self.held)?;
        Some(Bytes::from(std::mem::take(&mut self.held)))
    }

    /// Passes the whole events of `buffer` and holds the rest.
    fn pass(&mut self, buffer: &Bytes, out: &mut Vec<Bytes>) -> Result<(), Fault> {
        let plain = self.framing == Framing::Sse && memchr(b'\r', buffer).is_none();
        let text = if plain { utf8_prefix(buffer) } else { "" };
        let mut kept = 0;
        let mut at = 0;
        let result = loop {
            let (verdict, length) = match self.next(buffer, text, at, plain) {
                Ok(Some(next)) => next,
                Ok(None) => break Ok(()),
                Err(fault) => break Err(fault),
            };
            if verdict != Verdict::Stop {
                out.extend(self.late.take());
            }
            match verdict {
                Verdict::Pass => at += length,
                Verdict::Hold => {
                    give(buffer, kept, at, out);
                    self.late = buffer.get(at..at + length).map(|event| buffer.slice_ref(event));
                    at += length;
                    kept = at;
                }
                Verdict::Withhold => {
                    give(buffer, kept, at, out);
                    at += length;
                    kept = at;
                }
                Verdict::PassAndEnd => {
                    at += length;
                    self.over = true;
                    break Ok(());
                }
                Verdict::Stop => {
                    self.over = true;
                    break Ok(());
                }
            }
        };
        give(buffer, kept, at, out);
        if result.is_ok() && !self.over {
            self.held.extend_from_slice(buffer.get(at..).unwrap_or_default());
        }
        result
    }

    /// Looks at the event at `at`: what becomes of it, and its length. None where it is not whole.
    fn next(
        &mut self,
        buffer: &[u8],
        text: &str,
        at: usize,
        plain: bool,
    ) -> Result<Option<(Verdict, usize)>, Fault> {
        if plain
            && self.begun
            && let Some((frame, length)) = quick(text, at)
        {
            within_limit(length)?;
            return Ok(Some((self.watch.look(&frame)?, length)));
        }
        let rest = buffer.get(at..).unwrap_or_default();
        self.scan = Scan::new(self.framing);
        let Some(length) = self.scan.block_end(rest) else { return Ok(None) };
        within_limit(length)?;
        let block = rest.get(..length).unwrap_or_default();
        let is_first = !std::mem::replace(&mut self.begun, true);
        let verdict = match self.framing.parse(block, is_first, &mut self.joined)? {
            Some(frame) => self.watch.look(&frame)?,
            None => Verdict::Pass,
        };
        Ok(Some((verdict, length)))
    }
}

impl<W: Watch> Pipe for Tap<W> {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) -> Result<(), Fault> {
        self.watch.facts_mut().bytes += bytes.len() as u64;
        if self.over {
            return Ok(());
        }
        let mut result = match self.gather(bytes) {
            Some(buffer) => self.pass(&buffer, out),
            None => Ok(()),
        };
        if result.is_ok() {
            result = within_limit(self.held.len());
        }
        self.over |= result.is_err();
        self.watch.settle();
        result
    }

    fn end(&mut self, out: &mut Vec<Bytes>) {
        if !self.over && self.held.trim_ascii().is_empty() {
            self.watch.end();
            if self.watch.facts().terminal {
                out.extend(self.late.take());
            }
        }
    }

    fn facts(&self) -> &Facts {
        self.watch.facts()
    }
}

fn within_limit(length: usize) -> Result<(), Fault> {
    if length > EVENT_LIMIT { Err(Fault::TooLarge) } else { Ok(()) }
}

fn give(buffer: &Bytes, start: usize, end: usize, out: &mut Vec<Bytes>) {
    if start < end && end <= buffer.len() {
        out.push(buffer.slice(start..end));
    }
}

/// As much of the bytes as is text.
fn utf8_prefix(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            std::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
    }
}

/// The event at `at` if it is whole and of the common form, and its length. `text` must hold no CR.
fn quick(text: &str, at: usize) -> Option<(Frame<'_>, usize)> {
    let rest = text.get(at..)?;
    let (event, skipped) = match rest.strip_prefix("event:") {
        Some(line) => {
            let end = memchr(b'\n', line.as_bytes())?;
            (Some(value(line.get(..end)?)), "event:".len() + end + 1)
        }
        None => (None, 0),
    };
    let line = rest.get(skipped..)?.strip_prefix("data:")?;
    let end = memchr(b'\n', line.as_bytes())?;
    if line.as_bytes().get(end + 1) != Some(&b'\n') {
        return None;
    }
    let frame = Frame { event, data: value(line.get(..end)?) };
    Some((frame, skipped + "data:".len() + end + 2))
}

fn value(text: &str) -> &str {
    text.strip_prefix(' ').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes all but `no`, ends at `end`, stops at `stop`.
    #[derive(Default)]
    struct Words(Facts, Vec<String>);

    impl Watch for Words {
        fn look(&mut self, frame: &Frame<'_>) -> Result<Verdict, Fault> {
            self.1.push(format!("{}={}", frame.event.unwrap_or_default(), frame.data));
            Ok(match frame.data {
                "no" => Verdict::Withhold,
                "end" => Verdict::PassAndEnd,
                "stop" => Verdict::Stop,
                _ => Verdict::Pass,
            })
        }

        fn facts(&self) -> &Facts {
            &self.0
        }

        fn facts_mut(&mut self) -> &mut Facts {
            &mut self.0
        }
    }

    fn run(chunks: &[&[u8]]) -> (Result<(), Fault>, Vec<Bytes>, Vec<String>) {
        let mut tap = Tap::new(Framing::Sse, Words::default());
        let mut out = Vec::new();
        for chunk in chunks {
            if let Err(fault) = tap.push(Bytes::copy_from_slice(chunk), &mut out) {
                let after = out.len();
                tap.push(Bytes::from_static(b"data: late\n\n"), &mut out).unwrap();
                assert_eq!(out.len(), after, "nothing comes out after a fault");
                return (Err(fault), out, tap.watch.1);
            }
        }
        (Ok(()), out, tap.watch.1)
    }

    #[test]
    fn every_cut_passes_the_same_bytes_and_shows_the_same_events() {
        let streams: [(&str, &str, usize); 5] = [
            ("data: a\n\nevent: e\ndata:b\n\n: c\n\ndata: cut", "data: a\n\nevent: e\ndata:b\n\n: c\n\n", 2),
            (
                "\u{feff}data: é\r\n\r\ndata: b\r\n\r\ndata: end\r\n\r\nx",
                "\u{feff}data: é\r\n\r\ndata: b\r\n\r\ndata: end\r\n\r\n",
                3,
            ),
            ("data: a\n\ndata: no\n\ndata: b\n\ndata: stop\n\ndata: c\n\n", "data: a\n\ndata: b\n\n", 4),
            (
                "id: 1\ndata: a\ndata: b\n\nevent: e\nid: 2\ndata: c\n\n",
                "id: 1\ndata: a\ndata: b\n\nevent: e\nid: 2\ndata: c\n\n",
                2,
            ),
            ("data: a\r\rdata: end\r\rdata: b\r\r", "data: a\r\rdata: end\r\r", 2),
        ];
        for (stream, expected, events) in streams {
            let bytes = stream.as_bytes();
            for first in 0..=bytes.len() {
                for second in first..=bytes.len() {
                    let chunks = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                    let (result, out, seen) = run(&chunks);
                    result.unwrap();
                    assert_eq!(out.concat(), expected.as_bytes(), "{stream:?} cut at {first} and {second}");
                    assert_eq!(seen.len(), events, "{seen:?}");
                }
            }
        }
    }

    #[test]
    fn bytes_that_end_with_an_event_pass_without_a_copy() {
        let mut tap = Tap::new(Framing::Sse, Words::default());
        let mut out = Vec::new();
        let chunk = Bytes::from_static(b"data: a\n\ndata: b\n\n");
        tap.push(chunk.clone(), &mut out).unwrap();
        assert_eq!(out.len(), 1);
        assert_eq!(out[0].as_ptr(), chunk.as_ptr());
    }

    #[test]
    fn what_stands_before_a_fault_comes_out() {
        let (result, out, _) = run(&[b"data: a\n\n%%%garbage\n\n"]);
        assert!(matches!(result, Err(Fault::Invalid(_))));
        assert_eq!(out.concat(), b"data: a\n\n");
    }

    #[test]
    fn an_event_over_the_limit_is_a_fault() {
        let mut event = b"data: ".to_vec();
        event.resize(EVENT_LIMIT + 1, b'x');
        assert_eq!(run(&[b": \n\n", &event]).0, Err(Fault::TooLarge));
        event.extend_from_slice(b"\n\n");
        assert_eq!(run(&[b": \n\n", &event]).0, Err(Fault::TooLarge));
    }

    #[test]
    fn only_what_looks_like_an_object_is_one() {
        for data in ["{}", "{ }", r#"{"a":1}"#, r#" { "a":1} "#] {
            assert!(is_object(data), "{data}");
        }
        for data in ["", "[DONE]", r#"{"id": garb"#, "{garbage}", "null", "}", "{", r#""{}""#] {
            assert!(!is_object(data), "{data}");
        }
    }
}

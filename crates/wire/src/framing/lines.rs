//! JSON by lines (NDJSON): an event is a line. <https://github.com/ndjson/ndjson-spec>

use memchr::memchr;

use crate::Fault;
use crate::framing::{Frame, text};

/// Finds ends of lines, one call after another over a growing buffer, without looking at a byte twice.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scan {
    /// How far the buffer is known to hold no more ends.
    seen: usize,
}

impl Scan {
    /// The end of the next line. None where `buffer` ends first.
    pub(super) fn line_end(&mut self, buffer: &[u8]) -> Option<usize> {
        let found = memchr(b'\n', buffer.get(self.seen..)?).map(|at| self.seen + at + 1);
        self.seen = found.unwrap_or(buffer.len());
        found
    }

    /// Says that the first `consumed` bytes of the buffer are gone.
    pub(super) fn rebase(&mut self, consumed: usize) {
        self.seen = self.seen.saturating_sub(consumed);
    }
}

/// Reads one line. None where it is blank.
pub(super) fn parse(line: &[u8]) -> Result<Option<Frame<'_>>, Fault> {
    let data = text(line.trim_ascii())?;
    Ok(if data.is_empty() { None } else { Some(Frame { event: None, data }) })
}

#[cfg(test)]
mod tests {
    use crate::Fault;
    use crate::framing::{EVENT_LIMIT, Framing, Splitter};

    fn split(chunks: &[&[u8]]) -> Result<Vec<String>, Fault> {
        let mut splitter = Splitter::new(Framing::Lines);
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter.push(chunk, &mut |frame| {
                lines.push(frame.data.to_owned());
                Ok(())
            })?;
        }
        Ok(lines)
    }

    #[test]
    fn every_cut_gives_the_same_lines() {
        let bytes = "{\"a\":1}\n\r\n {\"é\":2}\r\n\n{\"cut\"".as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let chunks = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(
                    split(&chunks).unwrap(),
                    ["{\"a\":1}", "{\"é\":2}"],
                    "cut at {first} and {second}"
                );
            }
        }
    }

    #[test]
    fn a_line_that_is_too_long_or_no_text_is_a_fault() {
        assert!(matches!(split(&[b"{\"a\":\"\xff\"}\n"]), Err(Fault::Invalid(_))));
        let mut line = vec![b'x'; EVENT_LIMIT - 1];
        line.push(b'\n');
        assert_eq!(split(&[&line]).unwrap().len(), 1);
        line.insert(0, b'x');
        assert_eq!(split(&[&line]), Err(Fault::TooLarge));
        assert_eq!(split(&line.chunks(1 << 16).collect::<Vec<_>>()), Err(Fault::TooLarge));
    }
}

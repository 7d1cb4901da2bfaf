//! Counts the events of a server-sent stream and notices its end, without parsing what they say.
//!
//! It looks at the first bytes of each line only, finds lines with `memchr`, and never allocates. Any chunking of the
//! same bytes gives the same counts.

use memchr::memchr;
use stepwell_types::Dialect;

/// How much of a line's beginning is looked at; enough for the longest marker.
const HEAD: usize = 32;

/// Reads one stream. Give it every chunk in order.
#[derive(Debug)]
pub(crate) struct Scanner {
    dialect: Dialect,
    /// The first bytes of the line that the last chunk left unfinished.
    head: [u8; HEAD],
    /// Length of that line so far.
    line: usize,
    /// Whether the event so far has a line that is not a comment.
    fields: bool,
    /// How much of the dialect's [`key`] the last bytes are.
    matched: usize,
    finished: bool,
    failed: bool,
}

/// What tells the last event where its name does not: in Gemini's dialect, which has no event that ends a stream, the key
/// that only the last step has; in Cohere's, where an error is an end as well, the key that only an error has.
const fn key(dialect: Dialect) -> &'static [u8] {
    match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Anthropic => b"",
        Dialect::Gemini => b"\"finishReason\"",
        Dialect::Cohere => b"\"error\":",
    }
}

impl Scanner {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self { dialect, head: [0; HEAD], line: 0, fields: false, matched: 0, finished: false, failed: false }
    }

    /// Whether the dialect's last event was seen.
    pub(crate) fn finished(&self) -> bool {
        self.finished && !self.failed
    }

    /// Whether an error event was seen.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// Takes the next bytes and says how many events they complete. Comments are not events.
    pub(crate) fn push(&mut self, mut chunk: &[u8]) -> u64 {
        let mut events = 0;
        self.look_for_key(chunk);
        while let Some(end) = memchr(b'\n', chunk) {
            let (line, rest) = chunk.split_at(end);
            if self.line == 0 {
                events += self.end_line(line);
            } else {
                self.keep(line);
                let head = self.head;
                events += self.end_line(&head[..self.line.min(HEAD)]);
            }
            self.line = 0;
            chunk = &rest[1..];
        }
        self.keep(chunk);
        events
    }

    /// Quotes inside strings are escaped: what is found is a key.
    fn look_for_key(&mut self, chunk: &[u8]) {
        let key = key(self.dialect);
        if key.is_empty() {
            return;
        }
        for byte in chunk {
            self.matched = match key.get(self.matched) {
                Some(next) if next == byte => self.matched + 1,
                _ => usize::from(key.first() == Some(byte)),
            };
            let found = self.matched == key.len();
            match self.dialect {
                Dialect::Cohere => self.failed |= found,
                _ => self.finished |= found,
            }
        }
    }

    fn keep(&mut self, part: &[u8]) {
        if self.line < HEAD {
            let room = part.len().min(HEAD - self.line);
            self.head[self.line..self.line + room].copy_from_slice(&part[..room]);
        }
        self.line += part.len();
    }

    /// Looks at a whole line, or at least its first `HEAD` bytes. 1 if it ends an event.
    fn end_line(&mut self, line: &[u8]) -> u64 {
        match line {
            [] | [b'\r'] => u64::from(std::mem::take(&mut self.fields)),
            [b':', ..] => 0,
            _ => {
                self.fields = true;
                self.notice(line);
                0
            }
        }
    }

    fn notice(&mut self, line: &[u8]) {
        if let Some(data) = field(line, b"data:") {
            match self.dialect {
                Dialect::OpenaiChat if data.starts_with(b"[DONE]") => self.finished = true,
                Dialect::OpenaiChat | Dialect::Gemini if data.starts_with(b"{\"error\"") => {
                    self.failed = true;
                }
                _ => {}
            }
        } else if let Some(name) = field(line, b"event:") {
            match self.dialect {
                Dialect::Anthropic => {
                    self.finished |= name.starts_with(b"message_stop");
                    self.failed |= name.starts_with(b"error");
                }
                Dialect::OpenaiResponses => {
                    let ends: [&[u8]; 2] = [b"response.completed", b"response.incomplete"];
                    let failures: [&[u8]; 2] = [b"error", b"response.failed"];
                    self.finished |= ends.iter().any(|end| name.starts_with(end));
                    self.failed |= failures.iter().any(|failure| name.starts_with(failure));
                }
                Dialect::Cohere => self.finished |= name.starts_with(b"message-end"),
                Dialect::OpenaiChat | Dialect::Gemini => {}
            }
        }
    }
}

/// The value of a line's field, without the one space that may come before it.
fn field<'line>(line: &'line [u8], name: &[u8]) -> Option<&'line [u8]> {
    let value = line.strip_prefix(name)?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENAI: &str = ": warming up\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"data: [DONE]\"}}]}\n\n\
        data: {\"choices\":[]}\r\n\r\ndata: [DONE]\n\n";
    const ANTHROPIC: &str = "event: message_start\ndata: {}\n\nevent: ping\ndata: {}\n\n\
        event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

    const RESPONSES: &str = "event: response.created\ndata: {}\n\n\
        event: response.output_text.delta\ndata: {\"delta\":\"event: response.completed\"}\n\n\
        event: response.completed\ndata: {}\n\n";

    const GEMINI: &str = "data: {\"candidates\":[{\"text\":\"\\\"finishReason\\\"\"}]}\r\n\r\n\
        data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\r\n\r\n";

    const COHERE: &str = "event: content-delta\ndata: {\"text\":\"\\\"error\\\": message-end\"}\n\n\
        event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\"}}\n\n";

    fn scan(dialect: Dialect, text: &str, size: usize) -> (u64, bool, bool) {
        let mut scanner = Scanner::new(dialect);
        let events = text.as_bytes().chunks(size).map(|chunk| scanner.push(chunk)).sum();
        (events, scanner.finished(), scanner.failed())
    }

    #[test]
    fn any_chunking_counts_the_same_events_and_the_same_end() {
        for size in 1..=OPENAI.len() {
            assert_eq!(scan(Dialect::OpenaiChat, OPENAI, size), (3, true, false), "{size}");
        }
        for size in 1..=ANTHROPIC.len() {
            assert_eq!(scan(Dialect::Anthropic, ANTHROPIC, size), (3, true, false), "{size}");
        }
        for size in 1..=RESPONSES.len() {
            assert_eq!(scan(Dialect::OpenaiResponses, RESPONSES, size), (3, true, false), "{size}");
        }
    }

    #[test]
    fn a_stream_without_a_last_event_ends_with_its_reason_to_stop() {
        let cut = GEMINI.split_inclusive("\r\n\r\n").next().unwrap();
        for size in 1..=GEMINI.len() {
            assert_eq!(scan(Dialect::Gemini, GEMINI, size), (2, true, false), "{size}");
            assert_eq!(scan(Dialect::Gemini, cut, size), (1, false, false), "{size}");
        }
    }

    #[test]
    fn an_end_that_tells_of_an_error_is_a_failure() {
        let failed = COHERE.replace("{\"finish_reason\"", "{\"error\":\"busy\",\"finish_reason\"");
        for size in 1..=COHERE.len() {
            assert_eq!(scan(Dialect::Cohere, COHERE, size), (2, true, false), "{size}");
            assert_eq!(scan(Dialect::Cohere, &failed, size), (2, false, true), "{size}");
        }
    }

    #[test]
    fn a_marker_inside_the_text_of_an_event_is_no_end() {
        let cut = OPENAI.strip_suffix("data: [DONE]\n\n").unwrap();
        for size in 1..=cut.len() {
            assert_eq!(scan(Dialect::OpenaiChat, cut, size), (2, false, false), "{size}");
        }
    }

    #[test]
    fn an_error_event_is_noticed_in_every_dialect_that_has_one() {
        let openai = "data: {\"id\":1}\n\ndata: {\"error\":{\"message\":\"overloaded\"}}\n\n";
        let anthropic = "event: error\ndata: {\"type\":\"error\"}\n\n";
        let failed = "event: response.failed\ndata: {\"type\":\"response.failed\"}\n\n";
        for size in 1..=openai.len() {
            assert_eq!(scan(Dialect::OpenaiChat, openai, size), (2, false, true), "{size}");
            assert_eq!(scan(Dialect::Anthropic, anthropic, size), (1, false, true), "{size}");
            assert_eq!(scan(Dialect::OpenaiResponses, anthropic, size), (1, false, true), "{size}");
            assert_eq!(scan(Dialect::OpenaiResponses, failed, size), (1, false, true), "{size}");
        }
    }
}

//! Counts the events of a stream and notices its end, without parsing what they say: server-sent events, lines, or frames.
//!
//! Of server-sent events it looks at the first bytes of each line only, which it finds with `memchr`; of AWS's frames, which
//! are binary, at their lengths and headers. It never allocates. Any chunking of the same bytes gives the same counts.

use memchr::{memchr, memmem};
use stepwell_types::Dialect;

/// How much of the beginning of a line or of a frame is looked at; enough for the longest marker.
const HEAD: usize = 128;

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
    /// How many bytes the frame has that the last chunk left unfinished, once its beginning says so.
    frame: usize,
    /// How much of the dialect's [`key`] the last bytes are.
    matched: usize,
    finished: bool,
    failed: bool,
}

/// What tells the last event where its name does not: in Gemini's and Ollama's dialects, which have no event that is nothing
/// but an end, what only the last step has; in Cohere's, where an error is an end as well, the key that only an error has.
const fn key(dialect: Dialect) -> &'static [u8] {
    match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Anthropic | Dialect::BedrockConverse => b"",
        Dialect::Gemini => b"\"finishReason\"",
        Dialect::Cohere => b"\"error\":",
        Dialect::Ollama => b"\"done\":true",
    }
}

/// What stands in the headers of the last frame of Bedrock's: `:event-type`, a string of eight bytes.
const LAST_FRAME: &[u8] = b":event-type\x07\x00\x08metadata";

/// What stands in the headers of a frame that is an exception.
const FAILED_FRAME: &[u8] = b":exception-type\x07";

impl Scanner {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            head: [0; HEAD],
            line: 0,
            fields: false,
            frame: 0,
            matched: 0,
            finished: false,
            failed: false,
        }
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
        if self.dialect == Dialect::BedrockConverse {
            return self.frames(chunk);
        }
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

    /// Takes bytes of frames: how many they complete. A frame says its length first, and its headers what it is.
    fn frames(&mut self, chunk: &[u8]) -> u64 {
        let mut events = 0;
        let mut rest = chunk;
        while !rest.is_empty() {
            // Nothing is known of a frame before its first four bytes; no frame is shorter than sixteen.
            let wanted = if self.line < 4 { 4 } else { self.frame.max(16) };
            let (part, after) = rest.split_at(rest.len().min(wanted - self.line));
            self.keep(part);
            rest = after;
            if self.line == 4 {
                let length = self.head.first_chunk::<4>().map_or(0, |length| u32::from_be_bytes(*length));
                self.frame = usize::try_from(length).unwrap_or(usize::MAX);
            } else if self.line > 4 && self.line == self.frame.max(16) {
                let head = &self.head[..self.line.min(HEAD)];
                self.finished |= memmem::find(head, LAST_FRAME).is_some();
                self.failed |= memmem::find(head, FAILED_FRAME).is_some();
                self.line = 0;
                events += 1;
            }
        }
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
        if self.dialect == Dialect::Ollama {
            self.failed |= line.starts_with(b"{\"error\"");
            return u64::from(!line.trim_ascii().is_empty());
        }
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
                Dialect::OpenaiChat | Dialect::Gemini | Dialect::Ollama | Dialect::BedrockConverse => {}
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

    /// A frame of Bedrock's. Its checksums are not looked at.
    fn frame(kind: &str, name: &str) -> Vec<u8> {
        let headers =
            [&[11 + u8::from(kind == "exception") * 4], format!(":{kind}-type").as_bytes(), &[7, 0]].concat();
        let headers = [&headers, &[u8::try_from(name.len()).unwrap()][..], name.as_bytes()].concat();
        let payload = br#"{"text":":event-type metadata"}"#;
        let length = |length: usize| u32::try_from(length).unwrap().to_be_bytes();
        let total = length(headers.len() + payload.len() + 16);
        [&total[..], &length(headers.len()), &[0; 4], &headers, payload, &[0; 4]].concat()
    }

    #[test]
    fn frames_are_counted_by_their_lengths_and_the_last_is_noticed() {
        let whole = [frame("event", "messageStart"), frame("event", "metadata")].concat();
        let failed = [frame("event", "messageStart"), frame("exception", "throttlingException")].concat();
        for size in 1..=whole.len() {
            let scan = |bytes: &[u8]| {
                let mut scanner = Scanner::new(Dialect::BedrockConverse);
                let events: u64 = bytes.chunks(size).map(|chunk| scanner.push(chunk)).sum();
                (events, scanner.finished(), scanner.failed())
            };
            assert_eq!(scan(&whole), (2, true, false), "{size}");
            assert_eq!(scan(&whole[..whole.len() - 1]), (1, false, false), "{size}");
            assert_eq!(scan(&failed), (2, false, true), "{size}");
        }
        assert_eq!(Scanner::new(Dialect::BedrockConverse).push(&[0; 64]), 4, "a length of nothing ends too");
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
    fn lines_are_events_and_the_one_that_is_done_ends_them() {
        let lines = "{\"message\":{\"content\":\"\\\"done\\\":true\"},\"done\":false}\n\n{\"done\":true}\n";
        let error = "{\"done\":false}\n{\"error\":\"no\"}\n";
        for size in 1..=lines.len() {
            assert_eq!(scan(Dialect::Ollama, lines, size), (2, true, false), "{size}");
            assert_eq!(scan(Dialect::Ollama, error, size), (2, false, true), "{size}");
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

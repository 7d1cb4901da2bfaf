//! Streams as frames, whatever way the bytes are cut: server-sent events, JSON by lines, and AWS's event stream.

pub(crate) mod event_stream;
mod lines;
mod sse;

use crate::Fault;

/// The longest event a stream may carry, in bytes: a picture that a model has made comes in one.
pub const EVENT_LIMIT: usize = 16 << 20;

/// How a dialect's streams are cut into events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// Server-sent events.
    Sse,
    /// A JSON object on each line.
    Lines,
    /// AWS's event stream: binary frames with checksums.
    EventStream,
}

impl Framing {
    /// The media type of such a stream.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Sse => "text/event-stream",
            Self::Lines => "application/x-ndjson",
            Self::EventStream => "application/vnd.amazon.eventstream",
        }
    }

    /// The content type that such a stream is sent with.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Sse => "text/event-stream; charset=utf-8",
            Self::Lines => "application/x-ndjson",
            Self::EventStream => "application/vnd.amazon.eventstream",
        }
    }

    /// Reads one block, as [`Scan::block_end`] ends it; `is_first` where it is the stream's first. None where it carries
    /// nothing. `joined` is room for data that does not stand in one piece.
    pub(crate) fn parse<'a>(
        self,
        block: &'a [u8],
        is_first: bool,
        joined: &'a mut String,
    ) -> Result<Option<Frame<'a>>, Fault> {
        match self {
            Self::Sse => sse::parse(if is_first { sse::without_mark(block) } else { block }, joined),
            Self::Lines => lines::parse(block),
            Self::EventStream => event_stream::parse(block, joined).map(Some),
        }
    }
}

/// One event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// Its name, if it has one: the type of an event or of an exception in AWS's event stream, or `error`.
    pub event: Option<&'a str>,
    /// Its data; several `data` lines of a server-sent event are joined by a newline.
    pub data: &'a str,
}

/// Finds where events end, one call after another over a growing buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scan {
    Sse(sse::Scan),
    Lines(lines::Scan),
    EventStream(event_stream::Scan),
}

impl Scan {
    /// A scan of a buffer from its beginning.
    pub(crate) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Sse => Self::Sse(sse::Scan::default()),
            Framing::Lines => Self::Lines(lines::Scan::default()),
            Framing::EventStream => Self::EventStream(event_stream::Scan::default()),
        }
    }

    /// The end of the next block. None where `buffer` ends first.
    pub(crate) fn block_end(&mut self, buffer: &[u8]) -> Option<usize> {
        match self {
            Self::Sse(scan) => scan.block_end(buffer),
            Self::Lines(scan) => scan.line_end(buffer),
            Self::EventStream(scan) => scan.frame_end(buffer),
        }
    }

    /// Says that the first `consumed` bytes of the buffer are gone.
    fn rebase(&mut self, consumed: usize) {
        match self {
            Self::Sse(scan) => scan.rebase(consumed),
            Self::Lines(scan) => scan.rebase(consumed),
            Self::EventStream(scan) => scan.rebase(consumed),
        }
    }
}

/// Cuts a stream into frames. Holds what is not yet whole, up to [`EVENT_LIMIT`].
#[derive(Debug)]
pub struct Splitter {
    framing: Framing,
    held: Vec<u8>,
    scan: Scan,
    joined: String,
    begun: bool,
}

impl Splitter {
    /// A splitter at the start of a stream.
    pub fn new(framing: Framing) -> Self {
        Self { framing, held: Vec::new(), scan: Scan::new(framing), joined: String::new(), begun: false }
    }

    /// Takes the bytes that arrived and gives each whole event, in order. An error from `frames` ends the push and is
    /// returned; after any error the splitter must not be used again.
    pub fn push(
        &mut self,
        bytes: &[u8],
        frames: &mut dyn FnMut(Frame<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if self.held.is_empty() {
            let kept = self.cut(bytes, frames)?;
            self.held.extend_from_slice(bytes.get(kept..).unwrap_or_default());
        } else {
            let mut held = std::mem::take(&mut self.held);
            held.extend_from_slice(bytes);
            let kept = self.cut(&held, frames)?;
            held.drain(..kept);
            self.held = held;
        }
        if self.held.len() > EVENT_LIMIT { Err(Fault::TooLarge) } else { Ok(()) }
    }

    /// Whether an event has begun that is not whole.
    pub fn is_within(&self) -> bool {
        !self.held.trim_ascii().is_empty()
    }

    /// Gives each whole event in `buffer`; returns where the first one that is not whole begins.
    fn cut(
        &mut self,
        buffer: &[u8],
        frames: &mut dyn FnMut(Frame<'_>) -> Result<(), Fault>,
    ) -> Result<usize, Fault> {
        let mut start = 0;
        while let Some(end) = self.scan.block_end(buffer) {
            let block = buffer.get(start..end).unwrap_or_default();
            start = end;
            if block.len() > EVENT_LIMIT {
                return Err(Fault::TooLarge);
            }
            let is_first = !std::mem::replace(&mut self.begun, true);
            if let Some(frame) = self.framing.parse(block, is_first, &mut self.joined)? {
                frames(frame)?;
            }
        }
        self.scan.rebase(start);
        Ok(start)
    }
}

/// Bytes of a stream as text.
fn text(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::Invalid("an event of the stream is not UTF-8".to_owned()))
}

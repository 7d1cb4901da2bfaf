//! Server-sent events: bytes to frames, whatever way the bytes are cut. WHATWG HTML §9.2.

use crate::Fault;

/// The longest event a stream may carry, in bytes.
pub const EVENT_LIMIT: usize = 1 << 20;

/// One event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// Its name, if it has one.
    pub event: Option<&'a str>,
    /// Its data; several `data` lines are joined by a newline.
    pub data: &'a str,
}

/// Cuts a stream into frames. Holds what is not yet whole, up to [`EVENT_LIMIT`].
#[derive(Debug, Default)]
pub struct Splitter {
    held: Vec<u8>,
}

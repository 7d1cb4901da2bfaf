//! `[providers.NAME.timeouts]`: how long a provider may take for each part of one attempt.

use std::time::Duration;

use crate::key::{HOUR, Key, Keys, Shape, ms, seconds};
use crate::report::Report;
use crate::section::Section;

/// How long a provider may take for each part of one attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// To open a TCP connection, name lookup included.
    pub connect: Duration,
    /// To finish the TLS handshake.
    pub tls: Duration,
    /// From the request sent to the reply's first byte. A reply that is not streamed often sends none before it is
    /// complete.
    pub first_byte: Duration,
    /// Between two reads of a reply.
    pub idle: Duration,
    /// For the whole attempt.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: seconds(2),
            tls: seconds(4),
            first_byte: seconds(120),
            idle: seconds(30),
            total: seconds(600),
        }
    }
}

const CONNECT: Key = Key {
    name: "connect",
    shape: Shape::Duration { min: ms(1), max: seconds(60) },
    default: Some("\"2s\""),
    doc: "To open a TCP connection, name lookup included.",
};
const TLS: Key = Key {
    name: "tls",
    shape: Shape::Duration { min: ms(1), max: seconds(60) },
    default: Some("\"4s\""),
    doc: "To finish the TLS handshake.",
};
const FIRST_BYTE: Key = Key {
    name: "first_byte",
    shape: Shape::Duration { min: ms(1), max: HOUR },
    default: Some("\"2m\""),
    doc: "From the request sent to the reply's first byte. A reply that is not streamed often sends none before it is complete.",
};
const IDLE: Key = Key {
    name: "idle",
    shape: Shape::Duration { min: ms(1), max: HOUR },
    default: Some("\"30s\""),
    doc: "Between two reads of a reply.",
};
const TOTAL: Key = Key {
    name: "total",
    shape: Shape::Duration { min: ms(1), max: HOUR },
    default: Some("\"10m\""),
    doc: "For the whole attempt.",
};

/// The keys of `[providers.NAME.timeouts]`.
pub(crate) const KEYS: Keys = Keys {
    doc: "How long a provider may take for each part of one attempt.",
    known: &[CONNECT, TLS, FIRST_BYTE, IDLE, TOTAL],
    required: &[],
    later: &[],
};

/// Reads one provider's timeouts.
pub(crate) fn read(section: &Section<'_, '_>, report: &mut Report<'_>) -> Timeouts {
    let mut timeouts = Timeouts::default();
    section.duration(&CONNECT, &mut timeouts.connect, report);
    section.duration(&TLS, &mut timeouts.tls, report);
    section.duration(&FIRST_BYTE, &mut timeouts.first_byte, report);
    section.duration(&IDLE, &mut timeouts.idle, report);
    section.duration(&TOTAL, &mut timeouts.total, report);
    timeouts
}

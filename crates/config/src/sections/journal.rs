//! `[journal]`: the append-only file that a call is written to before and after it is made.

use crate::key::{Choice, Key, Keys, Shape};
use crate::report::Report;
use crate::section::Section;

/// The append-only file in front of the ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JournalSettings {
    /// What a power loss may take.
    pub durability: Durability,
    /// The most the journal may hold before calls are refused, in bytes.
    pub max_bytes: u64,
    /// The size at which a new segment is begun, in bytes; at most a quarter of `max_bytes`.
    pub segment_bytes: u64,
}

/// When what is written is on the disk. Whichever it is, the end of the process (`kill -9`) alone loses nothing
/// but under [`Durability::Async`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Durability {
    /// Before a call goes on: a power loss takes nothing.
    Strict,
    /// Within 10 ms, many calls at once: a power loss may take those.
    #[default]
    Grouped,
    /// When the system sees fit: 50 ms of records may be lost.
    Async,
}

impl Durability {
    /// Its name in config.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Grouped => "grouped",
            Self::Async => "async",
        }
    }
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self { durability: Durability::default(), max_bytes: 2_000_000_000, segment_bytes: 64_000_000 }
    }
}

const DURABILITY: Key = Key {
    name: "durability",
    shape: Shape::OneOf(&Choice { now: &["strict", "grouped", "async"], later: &[] }),
    default: Some("\"grouped\""),
    doc: "What a power loss may take: nothing (strict), 10 ms of records (grouped), 50 ms and at a crash too (async).",
};
const MAX_BYTES: Key = Key {
    name: "max_bytes",
    shape: Shape::Bytes { min: 4_000_000, max: 1_000_000_000_000 },
    default: Some("\"2GB\""),
    doc: "The most the journal may hold while the store is down; then calls are refused, never unrecorded.",
};
const SEGMENT_BYTES: Key = Key {
    name: "segment_bytes",
    shape: Shape::Bytes { min: 1_000_000, max: 1_000_000_000 },
    default: Some("\"64MB\""),
    doc: "The size at which a new segment is begun; at most a quarter of max_bytes.",
};

/// The keys of `[journal]`.
pub(crate) const KEYS: Keys = Keys {
    doc: "The append-only file in front of the ledger.",
    known: &[DURABILITY, MAX_BYTES, SEGMENT_BYTES],
    required: &[],
    later: &[],
};

/// Reads `[journal]`.
pub(crate) fn read(section: &Section<'_, '_>, report: &mut Report<'_>) -> JournalSettings {
    let mut journal = JournalSettings::default();
    journal.durability = match section.one_of(&DURABILITY, report) {
        Some("strict") => Durability::Strict,
        Some("async") => Durability::Async,
        _ => journal.durability,
    };
    journal.max_bytes = section.bytes(&MAX_BYTES, report).unwrap_or(journal.max_bytes);
    let written = section.bytes(&SEGMENT_BYTES, report);
    journal.segment_bytes = written.unwrap_or_else(|| journal.segment_bytes.min(journal.max_bytes / 4));
    if let (Some(segment), Some(node)) = (written, section.node(&SEGMENT_BYTES))
        && segment > journal.max_bytes / 4
    {
        report
            .error("bad_value", node.span(), "a segment is larger than a quarter of max_bytes")
            .hint("space is given back a segment at a time: make segments smaller or max_bytes larger");
    }
    journal
}

//! `[log]`: what is logged, and how.

use crate::key::{Choice, Key, Keys, Shape};
use crate::report::{Report, quoted};
use crate::section::Section;

/// What is logged, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogSettings {
    /// The least that is logged, `error` to `trace`, by part where it says so: `info,stepwell_store=debug`.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
    /// Which calls get a line.
    pub calls: LogCalls,
}

/// How a log line looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One JSON object per line.
    Json,
    /// For people.
    Pretty,
}

/// Which calls get a log line. Every call gets its record whatever this says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogCalls {
    /// Every call.
    All,
    /// Calls that did not end well.
    #[default]
    Failed,
    /// No call.
    None,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::default(), calls: LogCalls::default() }
    }
}

/// The levels there are.
const LEVELS: Choice = Choice { now: &["error", "warn", "info", "debug", "trace", "off"], later: &[] };

const LEVEL: Key = Key {
    name: "level",
    shape: Shape::Text,
    default: Some("\"info\""),
    doc: "The least that is logged: error, warn, info, debug, trace or off; by part as in \"info,stepwell_store=debug\".",
};
const FORMAT: Key = Key {
    name: "format",
    shape: Shape::OneOf(&Choice { now: &["auto", "json", "pretty"], later: &[] }),
    default: Some("\"auto\""),
    doc: "How a line looks: auto is pretty on a terminal and json elsewhere.",
};
const CALLS: Key = Key {
    name: "calls",
    shape: Shape::OneOf(&Choice { now: &["all", "failed", "none"], later: &[] }),
    default: Some("\"failed\""),
    doc: "Which calls get a log line. Every call gets its record whatever this says.",
};

/// The keys of `[log]`.
pub(crate) const KEYS: Keys = Keys {
    doc: "What is logged, and how.",
    known: &[LEVEL, FORMAT, CALLS],
    required: &[],
    later: &["bodies"],
};

/// Reads `[log]`.
pub(crate) fn read(section: &Section<'_, '_>, report: &mut Report<'_>) -> LogSettings {
    let mut log = LogSettings::default();
    if let Some(level) = read_level(section, report) {
        log.level = level;
    }
    log.format = match section.one_of(&FORMAT, report) {
        Some("json") => LogFormat::Json,
        Some("pretty") => LogFormat::Pretty,
        _ => log.format,
    };
    log.calls = match section.one_of(&CALLS, report) {
        Some("all") => LogCalls::All,
        Some("none") => LogCalls::None,
        _ => log.calls,
    };
    log
}

/// Levels separated by commas, each alone or after `part=`, where a part is a module path.
fn read_level(section: &Section<'_, '_>, report: &mut Report<'_>) -> Option<String> {
    let (text, span) = section.text(&LEVEL, report)?;
    for directive in text.split(',') {
        let (part, level) = match directive.split_once('=') {
            Some((part, level)) => (Some(part), level),
            None => (None, directive),
        };
        let is_path = |part: &str| {
            !part.is_empty()
                && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "_:".contains(letter))
        };
        if part.is_some_and(|part| !is_path(part)) {
            report
                .error("bad_value", span, format!("{} is not a log level", quoted(directive)))
                .hint("a level, or part=level, separated by commas: \"info,stepwell_store=debug\"");
            return None;
        }
        crate::section::choose("a log level", level, span.clone(), &LEVELS, report)?;
    }
    Some(text.to_owned())
}

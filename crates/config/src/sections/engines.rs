//! `[store]` and `[shared]`: which engine holds the durable truth and which the shared hot state.

use crate::key::{Choice, Key, Keys, Shape};
use crate::report::Report;
use crate::section::{Section, choose, text_of};

/// The durable truth.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StoreSettings {
    /// Which engine, and where.
    pub url: StoreUrl,
}

/// An engine for the durable truth.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum StoreUrl {
    /// A SQLite file in `data_dir`.
    #[default]
    Sqlite,
}

/// The shared hot state.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SharedSettings {
    /// Which engine, and where.
    pub url: SharedUrl,
}

/// An engine for the shared hot state.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum SharedUrl {
    /// This process's memory.
    #[default]
    Memory,
}

const STORE_URL: Key = Key {
    name: "url",
    shape: Shape::Engine(&Choice { now: &["sqlite"], later: &["postgres", "postgresql"] }),
    default: Some("\"sqlite\""),
    doc: "The engine: a SQLite file in data_dir.",
};
const SHARED_URL: Key = Key {
    name: "url",
    shape: Shape::Engine(&Choice { now: &["memory"], later: &["redis", "rediss", "valkey", "valkeys"] }),
    default: Some("\"memory\""),
    doc: "The engine: this process's memory.",
};

/// The keys of `[store]`.
pub(crate) const STORE_KEYS: Keys =
    Keys { doc: "The durable truth.", known: &[STORE_URL], required: &[], later: &[] };

/// The keys of `[shared]`.
pub(crate) const SHARED_KEYS: Keys =
    Keys { doc: "The shared hot state.", known: &[SHARED_URL], required: &[], later: &[] };

/// Reads `[store]`.
pub(crate) fn read_store(section: &Section<'_, '_>, report: &mut Report<'_>) -> StoreSettings {
    check_engine(section, &STORE_URL, report);
    StoreSettings::default()
}

/// Reads `[shared]`.
pub(crate) fn read_shared(section: &Section<'_, '_>, report: &mut Report<'_>) -> SharedSettings {
    check_engine(section, &SHARED_URL, report);
    SharedSettings::default()
}

/// Each has one engine in this version. A URL may hold a password, so only its scheme is ever repeated.
fn check_engine(section: &Section<'_, '_>, key: &Key, report: &mut Report<'_>) {
    let Shape::Engine(choice) = key.shape else { return };
    let Some(node) = section.node(key) else { return };
    let Some(text) = text_of(node, key.shape.noun(), report) else { return };
    match text.split_once("://") {
        Some((scheme, _)) if choice.later.contains(&scheme) => {
            report
                .error("not_yet", node.span(), format!("{scheme}:// is not in this version yet"))
                .hint(format!("in this version: \"{}\"", choice.now.join("\", \"")));
        }
        Some(_) => {
            report
                .error("bad_value", node.span(), "no engine has a URL like this")
                .hint(format!("in this version: \"{}\"", choice.now.join("\", \"")));
        }
        None if !text.chars().all(|letter| letter.is_ascii_alphabetic()) => {
            report
                .error("bad_value", node.span(), "this is neither an engine nor a URL")
                .hint(format!("in this version: \"{}\"", choice.now.join("\", \"")));
        }
        None => {
            report.show(&node.span());
            choose("an engine", text, node.span(), choice, report);
        }
    }
}

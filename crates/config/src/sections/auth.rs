//! `[auth]`: who may call.

use crate::key::{Choice, Key, Keys, Shape};
use crate::report::Report;
use crate::section::Section;

/// Who may call.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuthSettings {
    /// What a caller has to show.
    pub mode: AuthMode,
}

/// What a caller has to show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AuthMode {
    /// Nothing: whoever reaches the loopback listener may call.
    #[default]
    Open,
}

const MODE: Key = Key {
    name: "mode",
    shape: Shape::OneOf(&Choice { now: &["open"], later: &["keys"] }),
    default: Some("\"open\""),
    doc: "What a caller has to show: nothing in this version, which is why only loopback is served.",
};

/// The keys of `[auth]`.
pub(crate) const KEYS: Keys =
    Keys { doc: "Who may call.", known: &[MODE], required: &[], later: &["secret"] };

/// Reads `[auth]`.
pub(crate) fn read(section: &Section<'_, '_>, report: &mut Report<'_>) -> AuthSettings {
    section.one_of(&MODE, report);
    AuthSettings::default()
}

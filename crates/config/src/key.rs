//! The vocabulary of the key tables: what a key is called, what it takes, what it means.
//!
//! A section's reader and the JSON schema use the same [`Key`] constants, so they cannot name different things.

use std::time::Duration;

/// The keys of one table.
#[derive(Debug)]
pub(crate) struct Keys {
    /// What the table is for, one sentence.
    pub(crate) doc: &'static str,
    /// The keys there are.
    pub(crate) known: &'static [Key],
    /// The names of those that must be there.
    pub(crate) required: &'static [&'static str],
    /// Keys the design names for a later version: refused, with that as the reason.
    pub(crate) later: &'static [&'static str],
}

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it takes.
    pub(crate) shape: Shape,
    /// What stands for its absence, as it would be written; none where absence means something of its own.
    pub(crate) default: Option<&'static str>,
    /// What it means, one sentence.
    pub(crate) doc: &'static str,
}

/// What a key takes.
#[derive(Debug)]
pub(crate) enum Shape {
    /// `true` or `false`.
    Flag,
    /// Text as it is.
    Text,
    /// A list of texts.
    Texts,
    /// An address and port.
    Address,
    /// An `http` or `https` URL.
    Url,
    /// One of a few names.
    OneOf(&'static Choice),
    /// One of a few engines, by name or by URL.
    Engine(&'static Choice),
    /// A whole number.
    Integer { min: u64, max: u64 },
    /// A size in bytes: a whole number, or text with a unit.
    Bytes { min: u64, max: u64 },
    /// A duration: text with a unit.
    Duration { min: Duration, max: Duration },
    /// A price in US dollars: a decimal number, or the same as text.
    Price,
    /// A reference to a secret.
    Secret,
    /// A table of names to secrets, or to plain text where the name does not call for a secret.
    Headers,
    /// A table with keys of its own.
    Table(&'static Keys),
    /// A table whose keys are names, each naming a table.
    Map(&'static Keys),
}

/// A closed set of names.
#[derive(Debug)]
pub(crate) struct Choice {
    /// The names there are.
    pub(crate) now: &'static [&'static str],
    /// Names the design has for a later version: refused, with that as the reason.
    pub(crate) later: &'static [&'static str],
}

impl Shape {
    /// Whether what it takes can never hold a secret.
    pub(crate) fn is_public(&self) -> bool {
        !matches!(
            self,
            Self::Secret | Self::Headers | Self::Url | Self::Engine(_) | Self::Table(_) | Self::Map(_)
        )
    }

    /// What it takes, with its article, for "expected …".
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Self::Flag => "true or false",
            Self::Text => "text in quotes",
            Self::Texts => "a list of texts",
            Self::Address => "an address such as \"127.0.0.1:7070\"",
            Self::Url => "a URL such as \"https://api.example.com/v1\"",
            Self::OneOf(_) | Self::Engine(_) => "a name in quotes",
            Self::Integer { .. } => "a whole number",
            Self::Bytes { .. } => "a size such as \"32MB\", or a whole number of bytes",
            Self::Duration { .. } => "a duration such as \"30s\", \"500ms\" or \"2m\"",
            Self::Price => "a decimal number of US dollars such as 0.25",
            Self::Secret => "a reference such as \"env:NAME\" or \"file:PATH\"",
            Self::Headers => "a table of header names and values",
            Self::Table(_) | Self::Map(_) => "a table",
        }
    }
}

/// `count` milliseconds, for bounds.
pub(crate) const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// `count` seconds, for bounds.
pub(crate) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// An hour: the longest any wait for a provider or a client may be set to.
pub(crate) const HOUR: Duration = Duration::from_hours(1);

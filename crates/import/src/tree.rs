//! A source's text as a tree: what YAML and JSON have in common.
//!
//! It has no `Debug`: it holds whatever secrets the source holds.

/// The deepest nesting that is read.
pub(crate) const DEEPEST: usize = 64;

/// The most values that are read, those that aliases repeat included.
pub(crate) const MOST: usize = 100_000;

/// A value and where it stands.
#[derive(Clone)]
pub(crate) struct Node {
    /// The line it begins at, from 1; none where the format's reader does not say.
    pub(crate) line: Option<usize>,
    /// What it is.
    pub(crate) value: Value,
}

/// What a value is.
#[derive(Clone)]
pub(crate) enum Value {
    /// Text, a number, a flag or nothing. What it means is up to whoever reads it: in YAML, `1e-7` is a number to one
    /// reader and text to the next.
    Scalar {
        /// As it is written, without its quotes.
        text: String,
        /// Whether it was written without quotes.
        is_plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// Names and values in their order. No name is there twice.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Whether it says nothing at all: `null`, `~`, or left empty.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, is_plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Its text, if it is a scalar that says something.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// Yes or no. YAML 1.1's words count: LiteLLM's reader knows them.
    pub(crate) fn flag(&self) -> Option<bool> {
        match self.text()?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    /// Its elements, if it is a list.
    pub(crate) fn list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// Its names and values, if it is a mapping.
    pub(crate) fn map(&self) -> Option<&[(String, Node)]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// How many values it holds, itself included.
    pub(crate) fn count(&self) -> usize {
        1 + match &self.value {
            Value::Scalar { .. } => 0,
            Value::List(list) => list.iter().map(Self::count).sum(),
            Value::Map(entries) => entries.iter().map(|(_, node)| node.count()).sum(),
        }
    }
}

//! Reads one table by its [`Keys`]: what is there is checked and put into the settings, what is not keeps its
//! default, and everything wrong goes to the report.
//!
//! A reader never stops at a mistake.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::key::{Choice, Key, Keys, Shape};
use crate::near::nearest;
use crate::report::{Report, quoted};
use crate::unit;

/// A value and where it stands.
pub(crate) type Node<'a> = Spanned<DeValue<'a>>;

/// One table being read.
pub(crate) struct Section<'t, 'a> {
    table: &'t DeTable<'a>,
    /// Where the table begins: what a missing key is reported at.
    pub(crate) span: Range<usize>,
}

impl<'t, 'a> Section<'t, 'a> {
    /// The table at `node`, once every key in it that is not one of `keys` has been reported. `path` is its name
    /// in the text, empty for the whole text.
    pub(crate) fn open(
        node: &'t Node<'a>,
        span: Range<usize>,
        path: &str,
        keys: &Keys,
        report: &mut Report<'_>,
    ) -> Option<Self> {
        let Some(table) = node.get_ref().as_table() else {
            wrong_type(node, "a table", report);
            return None;
        };
        Some(Self::of_table(table, span, path, keys, report))
    }

    /// As [`Section::open`], of what is known to be a table.
    pub(crate) fn of_table(
        table: &'t DeTable<'a>,
        span: Range<usize>,
        path: &str,
        keys: &Keys,
        report: &mut Report<'_>,
    ) -> Self {
        let place = if path.is_empty() {
            "at the top level".to_owned()
        } else {
            format!("in [{}]", quoted(path).trim_matches('`'))
        };
        for (name, value) in table {
            let text: &str = name.get_ref();
            let known = keys.known.iter().find(|key| key.name == text);
            if known.or_else(|| nearest_key(text, keys)).is_some_and(|key| key.shape.is_public()) {
                report.show(&value.span());
            }
            if keys.later.contains(&text) {
                report
                    .error("not_yet", name.span(), format!("`{text}` {place} is not in this version yet"))
                    .hint("remove it: it would do nothing");
            } else if known.is_none() {
                let message = format!("unknown key {} {place}", quoted(text));
                report.error("unknown_key", name.span(), message).hint(hint_for(text, keys));
            }
        }
        Self { table, span }
    }

    /// The value of a key, if it is there.
    pub(crate) fn node(&self, key: &Key) -> Option<&'t Node<'a>> {
        self.table.get(key.name)
    }

    /// The value of a key and where the key's name stands.
    pub(crate) fn entry(&self, key: &Key) -> Option<(Range<usize>, &'t Node<'a>)> {
        self.table.get_key_value(key.name).map(|(name, node)| (name.span(), node))
    }

    /// The text of a key.
    pub(crate) fn text(&self, key: &Key, report: &mut Report<'_>) -> Option<(&'t str, Range<usize>)> {
        let node = self.node(key)?;
        text_of(node, key.shape.noun(), report).map(|text| (text, node.span()))
    }

    /// A flag, put into `into`.
    pub(crate) fn flag(&self, key: &Key, into: &mut bool, report: &mut Report<'_>) {
        let Some(node) = self.node(key) else { return };
        match node.get_ref() {
            DeValue::Boolean(flag) => *into = *flag,
            _ => wrong_type(node, key.shape.noun(), report),
        }
    }

    /// An address, put into `into`; returns where it stands.
    pub(crate) fn address(
        &self,
        key: &Key,
        into: &mut SocketAddr,
        report: &mut Report<'_>,
    ) -> Option<Range<usize>> {
        let (text, span) = self.text(key, report)?;
        if let Ok(address) = text.parse() {
            *into = address;
            return Some(span);
        }
        let hint = match text.strip_prefix("localhost:") {
            Some(port) => format!("write the address: \"127.0.0.1:{port}\""),
            None => "an IP address and a port, such as \"127.0.0.1:7070\" or \"[::1]:7070\"".to_owned(),
        };
        report.error("bad_value", span, format!("{} is not an address and port", quoted(text))).hint(hint);
        None
    }

    /// One name of a closed set; none if it is absent or was reported.
    pub(crate) fn one_of(&self, key: &Key, report: &mut Report<'_>) -> Option<&'static str> {
        let Shape::OneOf(choice) = key.shape else { return None };
        let (text, span) = self.text(key, report)?;
        choose(&format!("a value of `{}`", key.name), text, span, choice, report)
    }

    /// A whole number within the key's bounds; none if it is absent or was reported.
    pub(crate) fn integer(&self, key: &Key, report: &mut Report<'_>) -> Option<u64> {
        let Shape::Integer { min, max } = key.shape else { return None };
        let node = self.node(key)?;
        let DeValue::Integer(integer) = node.get_ref() else {
            wrong_type(node, key.shape.noun(), report);
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        within(number, integer.as_str(), (min, max), u64::to_string, node, report)
    }

    /// A duration within the key's bounds, put into `into`.
    pub(crate) fn duration(&self, key: &Key, into: &mut Duration, report: &mut Report<'_>) {
        if let Some(duration) = self.optional_duration(key, report) {
            *into = duration;
        }
    }

    /// A duration within the key's bounds; none if it is absent or was reported.
    pub(crate) fn optional_duration(&self, key: &Key, report: &mut Report<'_>) -> Option<Duration> {
        let Shape::Duration { min, max } = key.shape else { return None };
        let node = self.node(key)?;
        if let DeValue::Integer(integer) = node.get_ref() {
            report
                .error("wrong_type", node.span(), "a duration needs a unit")
                .hint(format!("write \"{integer}s\" for seconds or \"{integer}ms\" for milliseconds"));
            return None;
        }
        let (text, span) = self.text(key, report)?;
        let Some(duration) = unit::duration(text) else {
            report
                .error("bad_value", span, format!("{} is not a duration", quoted(text)))
                .hint("a whole number and a unit: \"500ms\", \"30s\", \"2m\", \"1h\", or several: \"1m30s\"");
            return None;
        };
        within(Some(duration), text, (min, max), |bound| unit::write_duration(*bound), node, report)
    }

    /// A size in bytes within the key's bounds; none if it is absent or was reported.
    pub(crate) fn bytes(&self, key: &Key, report: &mut Report<'_>) -> Option<u64> {
        let Shape::Bytes { min, max } = key.shape else { return None };
        let node = self.node(key)?;
        if let DeValue::Integer(integer) = node.get_ref() {
            let size = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
            return within(
                size,
                integer.as_str(),
                (min, max),
                |bound| unit::write_size(*bound),
                node,
                report,
            );
        }
        let (text, span) = self.text(key, report)?;
        let Some(size) = unit::size(text) else {
            report.error("bad_value", span, format!("{} is not a size", quoted(text))).hint(
                "a whole number and a unit: \"64KB\", \"32MB\", \"2GB\", or KiB, MiB, GiB for powers of two",
            );
            return None;
        };
        within(Some(size), text, (min, max), |bound| unit::write_size(*bound), node, report)
    }

    /// The elements of a list; none if it is absent or was reported.
    pub(crate) fn list(&self, key: &Key, report: &mut Report<'_>) -> Option<&'t DeArray<'a>> {
        let node = self.node(key)?;
        let array = node.get_ref().as_array();
        if array.is_none() {
            wrong_type(node, key.shape.noun(), report);
        }
        array
    }

    /// The texts of a list with where each stands; what is not text is reported and left out.
    pub(crate) fn texts(&self, key: &Key, report: &mut Report<'_>) -> Vec<(&'t str, Range<usize>)> {
        let Some(array) = self.list(key, report) else { return Vec::new() };
        let mut texts: Vec<(&str, Range<usize>)> = Vec::new();
        for node in array {
            report.show(&node.span());
            if let Some(text) = text_of(node, "text in quotes", report) {
                texts.push((text, node.span()));
            }
        }
        texts
    }
}

/// The key that was meant by `text`, as far as one can tell.
fn nearest_key(text: &str, keys: &Keys) -> Option<&'static Key> {
    let near = nearest(text, keys.known.iter().map(|key| key.name))?;
    keys.known.iter().find(|key| key.name == near)
}

/// What to write in place of the unknown key `text`.
fn hint_for(text: &str, keys: &Keys) -> String {
    if let Some(key) = nearest_key(text, keys) {
        return format!("did you mean `{}`?", key.name);
    }
    let known: Vec<&str> = keys.known.iter().map(|key| key.name).collect();
    format!("known here: {}", known.join(", "))
}

/// A table whose keys are names, name by name: the name, where it stands, and what it names.
pub(crate) fn names<'t, 'a>(
    node: &'t Node<'a>,
    report: &mut Report<'_>,
) -> Vec<(&'t str, Range<usize>, &'t Node<'a>)> {
    let Some(table) = node.get_ref().as_table() else {
        wrong_type(node, "a table", report);
        return Vec::new();
    };
    table.iter().map(|(name, value)| (name.get_ref().as_ref(), name.span(), value)).collect()
}

/// The text at `node`, or a report that something else is there.
pub(crate) fn text_of<'t>(node: &'t Node<'_>, expected: &str, report: &mut Report<'_>) -> Option<&'t str> {
    let text = node.get_ref().as_str();
    if text.is_none() {
        wrong_type(node, expected, report);
    }
    text
}

/// Reports that `node` is not what was expected, without its value.
pub(crate) fn wrong_type(node: &Node<'_>, expected: &str, report: &mut Report<'_>) {
    let found = match node.get_ref() {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    report.error("wrong_type", node.span(), format!("expected {expected}, found {found}"));
}

/// The name of `choice` that `text` is, or a report of which names there are. `what` is what each of them is, with
/// its article.
pub(crate) fn choose(
    what: &str,
    text: &str,
    span: Range<usize>,
    choice: &Choice,
    report: &mut Report<'_>,
) -> Option<&'static str> {
    if let Some(known) = choice.now.iter().find(|name| **name == text) {
        return Some(known);
    }
    let allowed = choice.now.join("\", \"");
    if choice.later.contains(&text) {
        report
            .error("not_yet", span, format!("`{text}` is not in this version yet"))
            .hint(format!("in this version: \"{allowed}\""));
        return None;
    }
    let hint = match nearest(text, choice.now.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if choice.later.is_empty() => format!("one of \"{allowed}\""),
        None => format!("in this version: \"{allowed}\"; later: {}", choice.later.join(", ")),
    };
    report.error("bad_value", span, format!("{} is not {what}", quoted(text))).hint(hint);
    None
}

/// `value` if it is within the bounds, else a report of what they are.
fn within<T: PartialOrd>(
    value: Option<T>,
    written: &str,
    (min, max): (T, T),
    write: impl Fn(&T) -> String,
    node: &Node<'_>,
    report: &mut Report<'_>,
) -> Option<T> {
    if let Some(value) = value.filter(|value| (&min..=&max).contains(&value)) {
        return Some(value);
    }
    report.error("out_of_range", node.span(), format!("{} is out of range", quoted(written))).hint(format!(
        "from {} to {}",
        write(&min),
        write(&max)
    ));
    None
}

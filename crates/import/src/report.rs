//! What came along and what did not, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// A field of the source, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Item {
    /// Where it stands in the source, as in `model_list[2].litellm_params.weight`.
    pub path: String,
    /// Its line, from 1, where the source's format has lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What to know or do.
    pub advice: String,
}

/// An environment variable that the written configuration refers to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What it is to hold.
    pub holds: String,
    /// Whether the source had the secret itself, or gave it another name: the variable has to be made.
    pub is_new: bool,
}

/// What came along and what did not. It holds names, paths and advice, never a secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Report {
    /// Whose configuration was read.
    pub source: &'static str,
    /// The providers that were written.
    pub providers: Vec<String>,
    /// The routes that were written.
    pub routes: Vec<String>,
    /// Names that clients reach without a route, as `provider/model`.
    pub direct: Vec<String>,
    /// The variables to set.
    pub variables: Vec<Variable>,
    /// What came along and behaves otherwise than it did.
    pub changed: Vec<Item>,
    /// What did not come along.
    pub not_carried: Vec<Item>,
}

impl Report {
    pub(crate) fn new(source: &'static str) -> Self {
        Self {
            source,
            providers: Vec::new(),
            routes: Vec::new(),
            direct: Vec::new(),
            variables: Vec::new(),
            changed: Vec::new(),
            not_carried: Vec::new(),
        }
    }
}

/// The longest list of names that one line shows.
const SHOWN: usize = 12;

fn names(what: &str, names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = if names.len() > SHOWN { ", …" } else { "" };
    let plural = if names.len() == 1 { "" } else { "s" };
    match names.len() {
        0 => format!("no {what}s"),
        count => format!("{count} {what}{plural} ({}{more})", shown.join(", ")),
    }
}

/// Items with one advice together, in the order of the first of each.
fn grouped(items: &[Item]) -> Vec<(&str, Vec<&Item>)> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut groups: Vec<(&str, Vec<&Item>)> = Vec::new();
    for item in items {
        let place = *places.entry(&item.advice).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, group)) => group.push(item),
            None => groups.push((&item.advice, vec![item])),
        }
    }
    groups
}

fn write_items(formatter: &mut fmt::Formatter<'_>, title: &str, items: &[Item]) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    write!(formatter, "\n{title}:")?;
    for (advice, group) in grouped(items) {
        for item in group {
            match item.line {
                Some(line) => write!(formatter, "\n  {} (line {line})", item.path)?,
                None => write!(formatter, "\n  {}", item.path)?,
            }
        }
        write!(formatter, "\n    -> {advice}")?;
    }
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "carried over from {}: {}, {}",
            self.source,
            names("provider", &self.providers),
            names("route", &self.routes)
        )?;
        if !self.direct.is_empty() {
            write!(formatter, "\nreached without a route: {}", names("name", &self.direct))?;
        }
        if !self.variables.is_empty() {
            write!(formatter, "\nset for the process that runs stepwell:")?;
            for variable in &self.variables {
                let new = if variable.is_new { " (new)" } else { "" };
                write!(formatter, "\n  {}{new}: {}", variable.name, variable.holds)?;
            }
        }
        write_items(formatter, "carried over, and different", &self.changed)?;
        write_items(formatter, "not carried over", &self.not_carried)?;
        if self.not_carried.is_empty() {
            write!(formatter, "\nnot carried over: nothing; every field came along")?;
        }
        Ok(())
    }
}

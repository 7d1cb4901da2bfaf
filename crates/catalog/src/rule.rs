//! Which model names a price is for: the matching rules of the data, with the meaning `genai-prices` gives them.
//!
//! Names and literals are compared in lower case. Patterns are compared with the lower-case name as they stand.

use regex_lite::Regex;

use crate::error::Error;
use crate::period::{digits, is_date};

/// A matching rule.
#[derive(Debug)]
pub(crate) enum Rule {
    All(Vec<Rule>),
    Any(Vec<Rule>),
    Contains(Box<str>),
    EndsWith(Box<str>),
    Equals(Box<str>),
    StartsWith(Box<str>),
    Pattern(Pattern),
}

impl Rule {
    /// Whether the rule matches a name that is in lower case already.
    pub(crate) fn matches(&self, name: &str) -> bool {
        match self {
            Self::All(rules) => rules.iter().all(|rule| rule.matches(name)),
            Self::Any(rules) => rules.iter().any(|rule| rule.matches(name)),
            Self::Contains(part) => name.contains(&**part),
            Self::EndsWith(end) => name.ends_with(&**end),
            Self::Equals(whole) => *name == **whole,
            Self::StartsWith(start) => name.starts_with(&**start),
            Self::Pattern(pattern) => pattern.matches(name),
        }
    }
}

/// A regular expression that may begin with one negative look-ahead, which `regex-lite` does not have:
/// `^(?!no)yes` matches where `^(?:yes)` does and `^(?:no)` does not.
#[derive(Debug)]
pub(crate) struct Pattern {
    yes: Regex,
    no: Option<Regex>,
}

impl Pattern {
    /// Compiles a pattern of the data.
    pub(crate) fn compile(pattern: &str) -> Result<Self, Error> {
        let regex = |text: &str| {
            Regex::new(text).map_err(|source| Error::Pattern { pattern: pattern.to_owned(), source })
        };
        match pattern.strip_prefix("^(?!").and_then(split_group) {
            Some((no, yes)) => {
                Ok(Self { yes: regex(&format!("^(?:{yes})"))?, no: Some(regex(&format!("^(?:{no})"))?) })
            }
            None => Ok(Self { yes: regex(pattern)?, no: None }),
        }
    }

    fn matches(&self, name: &str) -> bool {
        self.yes.is_match(name) && !self.no.as_ref().is_some_and(|no| no.is_match(name))
    }
}

/// Splits at the parenthesis that closes a group opened before the text, leaving it out.
fn split_group(text: &str) -> Option<(&str, &str)> {
    let mut depth = 1_u32;
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((text.get(..index)?, text.get(index + 1..)?));
        }
    }
    None
}

/// The name with each compact date (`-20251211` before `-`, `:` or the end) written as `-2025-12-11`, if it has one.
/// Proxies name dated models that way and the data does not.
pub(crate) fn with_dashed_dates(name: &str) -> Option<String> {
    let mut dashed = String::with_capacity(name.len() + 2);
    let mut rest = name;
    let mut changed = false;
    while let Some(index) = rest.find('-') {
        let (before, tail) = rest.split_at(index + 1);
        dashed.push_str(before);
        rest = tail;
        if let Some((year, month, day, after)) = compact_date(tail) {
            for part in [year, "-", month, "-", day] {
                dashed.push_str(part);
            }
            rest = after;
            changed = true;
        }
    }
    dashed.push_str(rest);
    changed.then_some(dashed)
}

/// The year, month and day at the start of a text, and what follows, if eight digits there are a date of this century.
fn compact_date(text: &str) -> Option<(&str, &str, &str, &str)> {
    let (date, after) = text.split_at_checked(8)?;
    let (year, rest) = date.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    let ends = after.is_empty() || after.starts_with(['-', ':']);
    let real = is_date(digits(year)?, digits(month)?, digits(day)?);
    (year.starts_with("20") && ends && real).then_some((year, month, day, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_dates_are_dashed_where_they_are_dates() {
        let dashed = |name| with_dashed_dates(name);
        assert_eq!(dashed("gpt-5.2-20251211").as_deref(), Some("gpt-5.2-2025-12-11"));
        assert_eq!(dashed("model-20251211:free").as_deref(), Some("model-2025-12-11:free"));
        assert_eq!(dashed("a-20251211-20240229").as_deref(), Some("a-2025-12-11-2024-02-29"));
        for name in ["model-20250230", "model-202512110", "model", "model-19991231", "m-2025121é", "-"] {
            assert_eq!(dashed(name), None, "{name}");
        }
    }

    #[test]
    fn a_leading_negative_look_ahead_excludes() {
        let pattern = Pattern::compile(r"^(?!.*-[tT][tT][sS](?:$|-))").unwrap();
        assert!(pattern.matches("gemini-2.5-flash"));
        assert!(!pattern.matches("gemini-2.5-flash-tts"));
        assert!(!pattern.matches("gemini-2.5-tts-preview"));
        assert!(pattern.matches("gemini-ttsx"));
        let both = Pattern::compile(r"^(?![^/]+/)(?:labs-)?mistral").unwrap();
        assert!(both.matches("labs-mistral-small"));
        assert!(!both.matches("x/mistral-small"));
        assert!(!both.matches("gpt"));
    }

    #[test]
    fn other_look_around_is_refused_rather_than_misread() {
        assert!(Pattern::compile("a(?=b)").is_err());
        assert!(Pattern::compile("^(?!a").is_err());
    }
}

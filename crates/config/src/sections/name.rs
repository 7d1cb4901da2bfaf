//! The names that providers and routes may have.
//!
//! Names go into response headers, metric labels and records, so they are plain ASCII; and a client's `model` splits
//! at its first `/`, so neither kind of name holds one.

use std::ops::Range;

use crate::report::{Report, quoted};

/// The longest name, in bytes.
const LONGEST: usize = 64;

/// Whether `name` is one; if not, that is reported. `what` is "provider" or "route".
pub(crate) fn check(what: &str, name: &str, span: Range<usize>, report: &mut Report<'_>) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.:".contains(letter);
    let hint = if name.contains('/') {
        "a client's model splits at its first `/` into provider and model, so a name cannot hold one"
    } else if name.len() > LONGEST {
        "names have at most 64 characters"
    } else if name.is_empty()
        || !name.chars().all(plain)
        || !name.starts_with(|first: char| first.is_ascii_alphanumeric())
    {
        "ASCII letters, digits, `-`, `_`, `.` and `:`, beginning with a letter or digit"
    } else {
        return true;
    };
    report.error("bad_name", span, format!("{} cannot be the name of a {what}", quoted(name))).hint(hint);
    false
}

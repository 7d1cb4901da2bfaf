//! What commands print. Standard output is for results, standard error for everything else.

use std::fmt::{Display, Write as _};
use std::io::Write;

/// Writes a result to standard output. A reader that has gone away is not an error: `stepwell schema | head` works.
pub(crate) fn result(text: impl Display) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{text}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Writes a note to standard error.
pub(crate) fn note(text: impl Display) {
    let mut out = std::io::stderr().lock();
    if writeln!(out, "{text}").is_err() {
        tracing::debug!("standard error is closed");
    }
}

/// Writes an error to standard error.
pub(crate) fn error(text: impl Display) {
    note(format_args!("error: {text}"));
}

/// Rows as columns of one width each, flush left where `is_left` says so of the column and flush right elsewhere.
pub(crate) fn table(rows: &[Vec<String>], is_left: impl Fn(usize) -> bool) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            // Writing to a string cannot fail.
            let written = if is_left(column) {
                write!(line, "{gap}{cell:<width$}")
            } else {
                write!(line, "{gap}{cell:>width$}")
            };
            debug_assert!(written.is_ok());
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.trim_end().to_owned()
}

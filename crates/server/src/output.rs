//! What commands print. Standard output is for results, standard error for everything else.

use std::fmt::Display;
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

//! One mistake in a configuration: what, where, and how to mend it.
//!
//! A problem never holds a secret: values that may be one are hidden in its snippet and never put in its message.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

/// Whether a problem keeps the configuration from being used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// The configuration is used, and this is worth knowing.
    Warning,
}

/// One mistake, placed. `Display` renders it with its source line, over several lines, without a final newline.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problem {
    /// Which kind of mistake, `snake_case` and stable; `docs/configuration.md` lists them.
    pub code: &'static str,
    /// Whether the configuration is refused for it.
    pub severity: Severity,
    /// The file's name as it was given to [`crate::load`].
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The bytes of the text it is about.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The source line and, under it, marks below the part that is wrong.
    pub snippet: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let gutter = self.line.to_string().len();
        writeln!(formatter, "{severity}[{}]: {}", self.code, self.message)?;
        writeln!(formatter, "{:gutter$}--> {}:{}:{}", "", self.file, self.line, self.column)?;
        write!(formatter, "{:gutter$} |", "")?;
        for (index, line) in self.snippet.lines().enumerate() {
            if index == 0 {
                write!(formatter, "\n{} | {line}", self.line)?;
            } else {
                write!(formatter, "\n{:gutter$} | {line}", "")?;
            }
        }
        match &self.hint {
            Some(hint) => write!(formatter, "\n{:gutter$} = hint: {hint}", ""),
            None => Ok(()),
        }
    }
}

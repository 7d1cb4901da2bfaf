//! Why an import gave nothing: where, and what about it.

use std::fmt;

use crate::report::Report;

/// Why nothing could be made of a configuration. It never holds a value of the source.
#[derive(Debug, thiserror::Error)]
pub struct Error {
    file: String,
    line: Option<usize>,
    path: String,
    message: String,
    /// What was found out before, where that is of use.
    pub report: Option<Box<Report>>,
}

impl Error {
    /// About the field at `path`, empty for the whole text.
    pub(crate) fn at(line: Option<usize>, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: String::new(), line, path: path.into(), message: message.into(), report: None }
    }

    /// About the whole text.
    pub(crate) fn whole(message: impl Into<String>) -> Self {
        Self::at(None, "", message)
    }

    /// The same, in a file with a name, unless it is known to be in another.
    pub(crate) fn in_file(self, file: &str) -> Self {
        if self.file.is_empty() { Self { file: file.to_owned(), ..self } } else { self }
    }

    /// The same, with what was found out.
    pub(crate) fn with(self, report: Report) -> Self {
        Self { report: Some(Box::new(report)), ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
        }
        if !self.path.is_empty() {
            write!(formatter, ": {}", self.path)?;
        }
        write!(formatter, ": {}", self.message)
    }
}

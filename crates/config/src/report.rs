//! Collects what the readers find wrong, and renders it once the whole text has been read.
//!
//! Snippets wait until the end because only then it is known which values may be shown.

use std::collections::HashSet;
use std::ops::Range;

use toml::de::DeTable;

use crate::problem::{Problem, Severity};
use crate::snippet::{Source, Visible};

/// The most problems one report shows.
const LIMIT: usize = 100;

/// The longest value that a message repeats, in bytes.
const LONGEST: usize = 64;

/// A value for use in a message: in backquotes, or `this` where it is long or could be more than a value. In a text
/// whose quotes do not match, what looks like a value may be half the text, keys and all.
pub(crate) fn quoted(value: &str) -> String {
    if value.len() > LONGEST || value.contains("literal:") || value.contains(['\n', '=', '"', '\'']) {
        return "this".to_owned();
    }
    format!("`{}`", value.escape_debug())
}

/// Something wrong, not yet rendered.
pub(crate) struct Finding {
    severity: Severity,
    code: &'static str,
    span: Range<usize>,
    message: String,
    hint: Option<String>,
    about_absence: bool,
}

impl Finding {
    /// Says how to mend it.
    pub(crate) fn hint(&mut self, hint: impl Into<String>) -> &mut Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says that something is missing, which means nothing in a text that could not be read to its end.
    pub(crate) fn absent(&mut self) -> &mut Self {
        self.about_absence = true;
        self
    }
}

/// What to do about a syntax error, by what the parser says of it.
fn syntax_hint(message: &str) -> &'static str {
    if message.contains("duplicate") || message.contains("extend") {
        "each key and each table stands once: put what belongs together under one of them"
    } else if message.contains("unquoted key") {
        "a key with other characters stands in quotes: \"my key\" = …"
    } else if message.contains("quoted") || message.contains("float") || message.contains("integer") {
        "text stands in quotes: key = \"value\""
    } else if message.contains("string") {
        "a text ends with the quote it begins with, on the same line; write \\\\ for a backslash"
    } else {
        "lines are `key = value` or `[section]`: https://toml.io has the rules"
    }
}

/// Everything found wrong so far.
pub(crate) struct Report<'a> {
    file: &'a str,
    source: Source<'a>,
    findings: Vec<Finding>,
    public: HashSet<usize>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, source: Source::new(text), findings: Vec::new(), public: HashSet::new() }
    }

    /// Adds an error.
    pub(crate) fn error(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> &mut Finding {
        self.add(Severity::Error, code, span, message.into())
    }

    /// Adds a warning.
    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> &mut Finding {
        self.add(Severity::Warning, code, span, message.into())
    }

    fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        span: Range<usize>,
        message: String,
    ) -> &mut Finding {
        let index = self.findings.len();
        self.findings.push(Finding { severity, code, span, message, hint: None, about_absence: false });
        &mut self.findings[index]
    }

    /// Says that the value at `span` holds no secret and may be shown.
    pub(crate) fn show(&mut self, span: &Range<usize>) {
        self.public.insert(span.start);
    }

    /// Problems of a text that is TOML, in the order of the text.
    pub(crate) fn finish(self, table: &DeTable<'_>) -> Vec<Problem> {
        let visible = Visible::of(self.source.text, table, &self.public);
        self.render(&visible)
    }

    /// Problems of a text that is not TOML: its syntax errors, and of the rest what stands on other lines and is
    /// there to be seen.
    pub(crate) fn finish_unparsed(mut self, syntax: Vec<toml::de::Error>) -> Vec<Problem> {
        let spans: Vec<Range<usize>> = syntax.iter().map(|error| error.span().unwrap_or(0..0)).collect();
        let broken: HashSet<usize> = spans.iter().map(|span| self.source.line_at(span.start).0).collect();
        let source = &self.source;
        self.findings.retain(|finding| {
            !finding.about_absence
                && finding.severity == Severity::Error
                && !broken.contains(&source.line_at(finding.span.start).0)
        });
        for (error, span) in syntax.into_iter().zip(spans) {
            let is_said =
                self.findings.iter().any(|said| said.span == span && said.message == error.message());
            if !is_said {
                self.error("syntax", span, error.message()).hint(syntax_hint(error.message()));
            }
        }
        self.render(&Visible::Textual)
    }

    fn render(mut self, visible: &Visible) -> Vec<Problem> {
        self.findings.sort_by_key(|finding| (finding.severity, finding.span.start));
        let more = self.findings.len().saturating_sub(LIMIT);
        // The worst come first: what is left out is no worse than the first of it.
        let hidden = self.findings.get(LIMIT).map(|finding| finding.severity);
        self.findings.truncate(LIMIT);
        if let Some(severity) = hidden {
            let last = self.findings.last().map_or(0..0, |finding| finding.span.clone());
            self.add(severity, "more", last, format!("{more} more problems are not shown"));
        }
        let source = &self.source;
        let place = |finding: Finding| {
            let (line, column) = source.place(finding.span.start);
            Problem {
                code: finding.code,
                severity: finding.severity,
                file: self.file.to_owned(),
                line,
                column,
                snippet: source.snippet(&finding.span, visible),
                span: finding.span,
                message: finding.message,
                hint: finding.hint,
            }
        };
        self.findings.into_iter().map(place).collect()
    }
}

//! References to secrets: `env:NAME`, `file:PATH`, `literal:VALUE`, resolved while the configuration is read.
//!
//! No report made here holds any part of a value: a key pasted where a reference belongs is still a key.

use std::path::Path;

use http::HeaderValue;

use crate::environment::Environment;
use crate::report::Report;
use crate::secret::Secret;
use crate::section::{Node, text_of};

/// What secrets are resolved with.
pub(crate) struct Resolver<'e> {
    /// Where variables and files come from.
    pub(crate) environment: &'e dyn Environment,
    /// What relative paths are relative to.
    pub(crate) directory: &'e Path,
}

impl Resolver<'_> {
    /// The secret that the text at `node` refers to; none if it was reported.
    pub(crate) fn resolve(&self, node: &Node<'_>, report: &mut Report<'_>) -> Option<Secret> {
        let text = text_of(node, "a reference such as \"env:NAME\" or \"file:PATH\"", report)?;
        match text.split_once(':') {
            Some(("env", name)) => self.variable(name, node, report),
            Some(("file", path)) => self.file(path, node, report),
            Some(("literal", value)) => {
                report
                    .warning("literal_secret", node.span(), "a secret stands in the configuration as it is")
                    .hint("fine for tests; elsewhere use \"env:NAME\" or \"file:PATH\"");
                usable(value, node, report)
            }
            _ => {
                report
                    .error("plain_secret", node.span(), "a secret is written as a reference, not as it is")
                    .hint("put it in the environment and write \"env:NAME\", or in a file and write \"file:PATH\"");
                None
            }
        }
    }

    fn variable(&self, name: &str, node: &Node<'_>, report: &mut Report<'_>) -> Option<Secret> {
        let is_name = !name.is_empty()
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        if !is_name {
            report
                .error(
                    "bad_value",
                    node.span(),
                    "what follows `env:` is not the name of an environment variable",
                )
                .hint("letters, digits and `_`, as in \"env:OPENAI_API_KEY\"");
            return None;
        }
        if let Some(value) = self.environment.var(name).filter(|value| !value.trim().is_empty()) {
            return usable(&value, node, report);
        }
        // A key pasted after `env:` can look like a name; names are written in capitals, keys hardly ever.
        let shown = if name.chars().any(|letter| letter.is_ascii_lowercase()) { "named here" } else { name };
        report
            .error("missing_secret", node.span(), format!("the environment variable {shown} is not set"))
            .hint("set it for the process that runs stepwell, or use \"file:PATH\"");
        None
    }

    fn file(&self, path: &str, node: &Node<'_>, report: &mut Report<'_>) -> Option<Secret> {
        match self.environment.read(&self.directory.join(path)) {
            Ok(text) => usable(&text, node, report),
            Err(error) => {
                report
                    .error(
                        "missing_secret",
                        node.span(),
                        format!("the file of this secret cannot be read: {error}"),
                    )
                    .hint("a path relative to this file's directory, or an absolute one");
                None
            }
        }
    }
}

/// A secret without the white space around it, if it can be sent in a header.
fn usable(value: &str, node: &Node<'_>, report: &mut Report<'_>) -> Option<Secret> {
    let value = value.trim();
    if value.is_empty() {
        report
            .error("missing_secret", node.span(), "this secret is empty")
            .hint("put the secret there, or leave the key out");
        return None;
    }
    if HeaderValue::from_str(value).is_err() {
        report
            .error("bad_value", node.span(), "this secret cannot be sent in a header")
            .hint("it holds a line break or another control character");
        return None;
    }
    Some(Secret::new(value))
}

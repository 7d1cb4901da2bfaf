//! `headers` of a provider: what is added to every request to it.

use std::ops::Range;

use http::{HeaderName, HeaderValue};

use super::reference::Resolver;
use crate::report::Report;
use crate::secret::Secret;
use crate::section::{Node, names, text_of};

/// Headers that Stepwell itself sets, or that belong to one connection only (RFC 9110 §7.6.1).
const NOT_YOURS: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers that carry a provider's credential.
const CREDENTIALS: &[&str] = &["authorization", "x-api-key", "api-key", "x-goog-api-key"];

/// Parts of a header's name that say its value is a secret.
const TELLING: &[&str] = &["auth", "key", "token", "secret", "cookie", "password", "credential", "signature"];

/// The most headers one provider may add.
const LIMIT: usize = 32;

/// Reads `headers`. With `has_key`, a header that carries a credential is a second one and is refused.
pub(crate) fn read(
    node: &Node<'_>,
    has_key: bool,
    resolver: &Resolver<'_>,
    report: &mut Report<'_>,
) -> Vec<(String, Secret)> {
    let entries = names(node, report);
    if entries.len() > LIMIT {
        report
            .error("out_of_range", node.span(), format!("a provider adds at most {LIMIT} headers"))
            .hint("remove some");
    }
    let mut headers: Vec<(String, Secret)> = Vec::new();
    for (name, span, value) in entries {
        let Some(name) = header_name(name, span.clone(), has_key, report) else { continue };
        if headers.iter().any(|(earlier, _)| *earlier == name) {
            report
                .error("duplicate", span, format!("header `{name}` is set twice"))
                .hint("upper and lower case are the same in a header's name");
            continue;
        }
        if let Some(secret) = header_value(&name, value, resolver, report) {
            headers.push((name, secret));
        }
    }
    headers
}

/// The name in lower case, if it is one that a provider may add.
fn header_name(name: &str, span: Range<usize>, has_key: bool, report: &mut Report<'_>) -> Option<String> {
    let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
        report
            .error("bad_name", span, "this is not the name of a header")
            .hint("letters, digits and `-`, as in \"openai-organization\"");
        return None;
    };
    let name = parsed.as_str();
    if NOT_YOURS.contains(&name) {
        report
            .error("bad_name", span, format!("header `{name}` is set by Stepwell for each request"))
            .hint("remove it");
        return None;
    }
    if has_key && CREDENTIALS.contains(&name) {
        report
            .error("duplicate", span, format!("header `{name}` carries a credential, and so does `api_key`"))
            .hint("keep one of them; `api_key` is sent in the header that the provider's kind calls for");
        return None;
    }
    Some(name.to_owned())
}

/// The value: by reference where it says so, or must because of the header's name; else as it is.
fn header_value(
    name: &str,
    node: &Node<'_>,
    resolver: &Resolver<'_>,
    report: &mut Report<'_>,
) -> Option<Secret> {
    let text = text_of(node, "text in quotes", report)?;
    let is_reference = ["env:", "file:", "literal:"].iter().any(|scheme| text.starts_with(scheme));
    if is_reference || TELLING.iter().any(|part| name.contains(part)) {
        return resolver.resolve(node, report);
    }
    if HeaderValue::from_str(text).is_err() {
        report
            .error("bad_value", node.span(), format!("the value of header `{name}` cannot be sent"))
            .hint("it holds a line break or another control character");
        return None;
    }
    Some(Secret::new(text))
}

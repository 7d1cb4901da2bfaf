//! Values as the sources write them: references to the environment, credentials, header fields.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};
use stepwell_config::{Environment, Secret};

use crate::draft::{Credential, Header};

/// How LiteLLM refers to a variable, <https://docs.litellm.ai/docs/proxy/configs>.
const REFERENCE: &str = "os.environ/";

/// What people write where a key has to stand and none is needed.
const NO_KEYS: &[&str] = &[
    "none",
    "null",
    "empty",
    "any",
    "anything",
    "dummy",
    "fake",
    "fake-key",
    "na",
    "n/a",
    "no-key",
    "no-key-required",
    "not-needed",
    "not-used",
    "unused",
    "-",
];

/// Headers whose values are known to be no secrets.
const PLAIN_HEADERS: &[&str] = &[
    "anthropic-beta",
    "anthropic-version",
    "http-referer",
    "openai-organization",
    "openai-project",
    "user-agent",
    "x-title",
];

/// Headers that Stepwell sets itself or that carry the credential that is configured as the key.
const SET_ELSEWHERE: &[&str] = &[
    "accept-encoding",
    "api-key",
    "authorization",
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
    "x-api-key",
    "x-goog-api-key",
];

/// Text with its references resolved.
pub(crate) enum Resolved {
    /// The text itself.
    Text(String),
    /// It refers to this variable, which is not set here.
    Unset(String),
}

/// Where values that are no secrets are looked up.
pub(crate) struct Values<'e> {
    environment: &'e dyn Environment,
    /// What the source itself sets, before the environment.
    own: BTreeMap<String, String>,
}

impl<'e> Values<'e> {
    pub(crate) fn new(environment: &'e dyn Environment, own: BTreeMap<String, String>) -> Self {
        Self { environment, own }
    }

    /// A value that is no secret.
    pub(crate) fn resolve(&self, text: &str) -> Resolved {
        let Some(name) = variable(text) else { return Resolved::Text(text.to_owned()) };
        match self.own.get(name).cloned().or_else(|| self.environment.var(name)) {
            Some(value) if !value.trim().is_empty() => Resolved::Text(value.trim().to_owned()),
            _ => Resolved::Unset(name.to_owned()),
        }
    }
}

/// The variable that `text` refers to.
pub(crate) fn variable(text: &str) -> Option<&str> {
    let name = text.trim().strip_prefix(REFERENCE)?;
    is_variable(name).then_some(name)
}

/// Whether `name` can be the name of a variable.
pub(crate) fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// `name` as part of the name of a variable.
pub(crate) fn shouted(name: &str) -> String {
    let shout = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    let shouted: String = name.chars().map(shout).collect();
    if shouted.starts_with(|first: char| first.is_ascii_digit()) { format!("_{shouted}") } else { shouted }
}

/// The credential at `path`.
pub(crate) fn credential(text: &str, path: &str) -> Credential {
    if let Some(name) = variable(text) {
        return Credential::Variable(name.to_owned());
    }
    if NO_KEYS.contains(&text.trim().to_ascii_lowercase().as_str()) {
        return Credential::None;
    }
    Credential::Literal(Secret::new(text.trim()), path.to_owned())
}

/// A header field that requests to a provider carry, its name in lower case; or why it cannot.
pub(crate) fn header(name: &str, text: &str, path: &str) -> Result<(String, Header), &'static str> {
    let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
        return Err("this cannot be the name of a header");
    };
    let name = parsed.as_str().to_owned();
    if SET_ELSEWHERE.contains(&name.as_str()) {
        return Err("Stepwell sets this header itself: a credential is the provider's api_key");
    }
    let is_sendable =
        HeaderValue::from_str(text).is_ok() && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let header = if PLAIN_HEADERS.contains(&name.as_str()) && is_sendable && variable(text).is_none() {
        Header::Plain(text.to_owned())
    } else {
        match credential(text, path) {
            // A header's value is never a stand-in for none.
            Credential::None => Header::Hidden(Credential::Literal(Secret::new(text), path.to_owned())),
            credential => Header::Hidden(credential),
        }
    };
    Ok((name, header))
}

/// Whether `text` can be a model's name in a target: it goes into response headers and records.
pub(crate) fn is_model(text: &str) -> bool {
    !text.is_empty() && text.len() <= 256 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use stepwell_config::FixedEnvironment;

    use super::*;

    #[test]
    fn references_are_resolved_from_the_source_then_from_the_environment() {
        let environment = FixedEnvironment::new().with_var("A", "from the environment").with_var("B", "b");
        let own = BTreeMap::from([("A".to_owned(), "from the source".to_owned())]);
        let values = Values::new(&environment, own);
        assert!(matches!(values.resolve("os.environ/A"), Resolved::Text(text) if text == "from the source"));
        assert!(matches!(values.resolve("os.environ/B"), Resolved::Text(text) if text == "b"));
        assert!(matches!(values.resolve("os.environ/C"), Resolved::Unset(name) if name == "C"));
        assert!(matches!(values.resolve("plain"), Resolved::Text(text) if text == "plain"));
    }

    #[test]
    fn a_credential_is_a_variable_a_literal_or_none() {
        assert!(matches!(credential("os.environ/K", "p"), Credential::Variable(name) if name == "K"));
        assert!(
            matches!(credential("os.environ/sk-1", "p"), Credential::Literal(..)),
            "not a variable's name"
        );
        assert!(matches!(credential("EMPTY", "p"), Credential::None));
        assert!(matches!(credential("sk-1", "p"), Credential::Literal(_, path) if path == "p"));
    }

    #[test]
    fn only_headers_known_to_be_harmless_are_written_as_they_are() {
        assert!(
            matches!(header("OpenAI-Organization", "org-1", "p"), Ok((name, Header::Plain(_))) if name == "openai-organization")
        );
        assert!(matches!(header("x-team", "search", "p"), Ok((_, Header::Hidden(Credential::Literal(..))))));
        assert!(matches!(
            header("x-title", "os.environ/T", "p"),
            Ok((_, Header::Hidden(Credential::Variable(_))))
        ));
        assert!(header("authorization", "Bearer x", "p").is_err());
        assert!(header("a b", "x", "p").is_err());
    }
}

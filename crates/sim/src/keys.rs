//! Whether a request's key is taken: any key is, but one that is `sk-bad` or begins with it.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use stepwell_types::Dialect;

use crate::gemini::address::parameter;

/// Why a key is not taken. Never holds the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// There is none.
    Missing,
    /// It is a bad one.
    Wrong,
}

/// Checks the key of a request: of its headers or, with Google, of its query.
pub(crate) fn check(dialect: Dialect, headers: &HeaderMap, query: Option<&str>) -> Result<(), Refused> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer =
        bearer.and_then(|value| value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("bearer ")));
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let key = match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Cohere => bearer,
        Dialect::Anthropic => header("x-api-key").or(bearer),
        Dialect::Gemini => header("x-goog-api-key").or_else(|| parameter(query, "key")),
    };
    match key.map(str::trim) {
        None | Some("") => Err(Refused::Missing),
        Some(key) if key.starts_with("sk-bad") => Err(Refused::Wrong),
        Some(_) => Ok(()),
    }
}

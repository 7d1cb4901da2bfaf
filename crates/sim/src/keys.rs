//! Whether a request's key is taken: any key is, but one that is `sk-bad` or begins with it.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use stepwell_types::Dialect;

/// Why a key is not taken. Never holds the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// There is none.
    Missing,
    /// It is a bad one.
    Wrong,
}

/// Checks the key of a request.
pub(crate) fn check(dialect: Dialect, headers: &HeaderMap) -> Result<(), Refused> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer =
        bearer.and_then(|value| value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("bearer ")));
    let key = match dialect {
        Dialect::OpenaiChat => bearer,
        Dialect::Anthropic => headers.get("x-api-key").and_then(|value| value.to_str().ok()).or(bearer),
    };
    match key.map(str::trim) {
        None | Some("") => Err(Refused::Missing),
        Some(key) if key.starts_with("sk-bad") => Err(Refused::Wrong),
        Some(_) => Ok(()),
    }
}

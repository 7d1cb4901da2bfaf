//! What can be wrong with bytes, and what a provider says is wrong with a call.

use std::time::Duration;

use stepwell_types::{Code, Failure};

/// Where every error is explained: the code follows. Goes out as `docs` in each error written.
pub(crate) const DOCS: &str = "docs/errors.md#";

/// Bytes that are not what their dialect allows. The message names the field and is safe to show to the caller.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Which kind of wrong: `invalid_json`, `json_too_deep`, `invalid_request`, `unsupported_parameter` for
    /// requests, `upstream_invalid` for replies.
    pub code: Code,
    /// What is wrong and where.
    pub message: String,
    /// The field at fault, as a path like `messages[2].content`.
    pub param: Option<String>,
}

impl Error {
    /// An error with no field to name.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), param: None }
    }

    /// An error at a field.
    pub fn at(code: Code, param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), param: Some(param.into()) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = Self::new(error.code, error.message);
        match error.param {
            Some(param) => failure.param(param),
            None => failure,
        }
    }
}

/// What a provider said is wrong, in an error answer or in an error event of a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpstreamError {
    /// Our code for it, by dialect, status and the provider's own type and code.
    pub code: Code,
    /// The HTTP status, of the answer or the one the dialect gives this type of error.
    pub status: u16,
    /// The provider's message.
    pub message: String,
    /// The provider's type, as written.
    pub kind: Option<String>,
    /// The field the provider blames.
    pub param: Option<String>,
    /// When the provider's body says to come back.
    pub retry_after: Option<Duration>,
}

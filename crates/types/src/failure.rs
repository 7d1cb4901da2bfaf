//! A call that did not succeed, as its caller is told.

use std::time::Duration;

use crate::Code;

/// Why a call failed. `message` is safe to show to the caller; `detail` is for logs only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The stable code.
    pub code: Code,
    /// The HTTP status: the code's own, or the provider's where it says more.
    pub status: u16,
    /// What happened and what to do, for the caller.
    pub message: String,
    /// The request field at fault, if one is.
    pub param: Option<String>,
    /// When trying again may help.
    pub retry_after: Option<Duration>,
    /// For whoever runs Stepwell: never sent to a caller, never a secret.
    pub detail: Option<String>,
}

impl Failure {
    /// A failure with the code's own status.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            status: code.status(),
            message: message.into(),
            param: None,
            retry_after: None,
            detail: None,
        }
    }

    /// Names the request field at fault.
    #[must_use]
    pub fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Answers with `status` in place of the code's own.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Says when trying again may help.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Adds what only the operator should read.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

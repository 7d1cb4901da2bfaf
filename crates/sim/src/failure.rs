//! An error in the dialect of its call.

use stepwell_types::Dialect;

use crate::check::Invalid;
use crate::{anthropic, cohere, gemini, keys, openai};

/// An error in the dialect of its call.
pub(crate) enum Failure {
    /// As OpenAI tells it.
    Openai(openai::error::Failure),
    /// As Anthropic tells it.
    Anthropic(anthropic::error::Failure),
    /// As Google tells it.
    Gemini(gemini::error::Failure),
    /// As Cohere tells it.
    Cohere(cohere::error::Failure),
}

impl Failure {
    /// An error of the status's usual type.
    pub(crate) fn new(dialect: Dialect, status: u16, message: impl Into<String>) -> Self {
        match dialect {
            Dialect::OpenaiChat | Dialect::OpenaiResponses => {
                Self::Openai(openai::error::Failure::new(status, message))
            }
            Dialect::Anthropic => Self::Anthropic(anthropic::error::Failure::new(status, message)),
            Dialect::Gemini => Self::Gemini(gemini::error::Failure::new(status, message)),
            Dialect::Cohere => Self::Cohere(cohere::error::Failure::new(status, message)),
        }
    }

    /// The error for a key that is not taken.
    pub(crate) fn key(dialect: Dialect, refused: keys::Refused) -> Self {
        match dialect {
            Dialect::OpenaiChat | Dialect::OpenaiResponses => {
                Self::Openai(openai::error::Failure::key(refused))
            }
            Dialect::Anthropic => Self::Anthropic(anthropic::error::Failure::key(refused)),
            Dialect::Gemini => Self::Gemini(gemini::error::Failure::key(refused)),
            Dialect::Cohere => Self::Cohere(cohere::error::Failure::key(refused)),
        }
    }

    /// The error for a mistake in a request.
    pub(crate) fn invalid(dialect: Dialect, invalid: &Invalid) -> Self {
        match dialect {
            Dialect::OpenaiChat | Dialect::OpenaiResponses => {
                Self::Openai(openai::error::Failure::invalid(invalid))
            }
            Dialect::Anthropic => Self::Anthropic(anthropic::error::Failure::invalid(invalid)),
            Dialect::Gemini => Self::Gemini(gemini::error::Failure::invalid(invalid)),
            Dialect::Cohere => Self::Cohere(cohere::error::Failure::invalid(invalid)),
        }
    }

    /// The error for too many requests. Google tells in it when there may be more; the others have a header for that.
    pub(crate) fn rate_limit(dialect: Dialect, seconds: u32) -> Self {
        match dialect {
            Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Anthropic | Dialect::Cohere => {
                Self::new(dialect, 429, "simulated fault: rate limit reached")
            }
            Dialect::Gemini => Self::Gemini(gemini::error::Failure::rate_limit(seconds)),
        }
    }

    /// Takes another type; Cohere's errors have none.
    #[must_use]
    pub(crate) fn kind(self, kind: Option<&str>) -> Self {
        match self {
            Self::Openai(failure) => Self::Openai(failure.kind(kind)),
            Self::Anthropic(failure) => Self::Anthropic(failure.kind(kind)),
            Self::Gemini(failure) => Self::Gemini(failure.kind(kind)),
            Self::Cohere(failure) => Self::Cohere(failure),
        }
    }

    /// Its HTTP status.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Openai(failure) => failure.status,
            Self::Anthropic(failure) => failure.status,
            Self::Gemini(failure) => failure.status,
            Self::Cohere(failure) => failure.status,
        }
    }
}

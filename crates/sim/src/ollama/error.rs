//! Error bodies of Ollama's dialect: <https://docs.ollama.com/api/errors>

use crate::check::{Invalid, Problem};
use crate::json::string;
use crate::keys::Refused;

/// An error, before it is written.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The HTTP status.
    pub(crate) status: u16,
    message: String,
}

impl Failure {
    /// An error of a status.
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// The error for a key that is not taken. A server of one's own wants none; ollama.com does.
    pub(crate) fn key(_: Refused) -> Self {
        Self::new(401, "unauthorized")
    }

    /// The error for a mistake in a request, in the words of Go's JSON where it is one of types.
    pub(crate) fn invalid(invalid: &Invalid) -> Self {
        let place = &invalid.bracketed;
        match &invalid.problem {
            Problem::Unknown => Self::new(400, format!("json: unknown field \"{place}\"")),
            Problem::Missing => Self::new(400, format!("{place} is required")),
            Problem::WrongType { expected, got } => Self::new(
                400,
                format!(
                    "json: cannot unmarshal {got} into Go struct field ChatRequest.{place} of type {expected}"
                ),
            ),
            Problem::NotAllowed { got, allowed } => {
                Self::new(400, format!("invalid {place} value: {got:?} (must be one of {allowed:?})"))
            }
            Problem::Rule { message, .. } => Self::new(400, message),
            Problem::NotFound { message } => Self::new(404, message),
            Problem::NoModel { name } => Self::new(404, format!("model '{name}' not found")),
        }
    }

    /// Writes the body.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"error\":");
        string(out, &self.message);
        out.push(b'}');
    }
}

/// The error of a server with too many requests waiting.
pub(crate) fn overload() -> Failure {
    Failure::new(503, "server busy, please try again.  maximum pending requests exceeded")
}

/// The line that tells of an overload in a stream.
pub(crate) fn line() -> Vec<u8> {
    let mut out = Vec::new();
    overload().write(&mut out);
    out.push(b'\n');
    out
}

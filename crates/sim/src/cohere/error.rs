//! Error bodies of Cohere's dialect: an id and a message, told apart by status.
//! <https://docs.cohere.com/reference/errors>

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
    /// An error.
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// The error for a key that is not taken.
    pub(crate) fn key(refused: Refused) -> Self {
        Self::new(
            401,
            match refused {
                Refused::Missing => "no api key supplied",
                Refused::Wrong => "invalid api token",
            },
        )
    }

    /// The error for a mistake in a request.
    pub(crate) fn invalid(invalid: &Invalid) -> Self {
        let place = &invalid.bracketed;
        let message = match &invalid.problem {
            Problem::Unknown => format!("unknown field: parameter '{place}' is not a valid field"),
            Problem::Missing if place == "model" => {
                "a model parameter is required for this endpoint.".to_owned()
            }
            Problem::Missing => format!("invalid request: required '{place}' param is missing or empty."),
            Problem::WrongType { expected, got } => {
                format!(
                    "invalid type: parameter '{place}' is of type {got} but should be of type {expected}."
                )
            }
            Problem::NotAllowed { got, allowed } => {
                let allowed: Vec<String> = allowed.iter().map(|value| format!("'{value}'")).collect();
                format!("invalid request: {place} must be one of {}, not '{got}'.", allowed.join(", "))
            }
            Problem::Rule { message, .. } | Problem::NotFound { message } => message.clone(),
            Problem::NoModel { name } => {
                let message = format!(
                    "model '{name}' not found, make sure the correct model ID was used and that you have access to the \
                     model."
                );
                return Self::new(404, message);
            }
        };
        Self::new(400, message)
    }

    /// Writes the body.
    pub(crate) fn write(&self, out: &mut Vec<u8>, id: &str) {
        out.extend_from_slice(b"{\"id\":");
        string(out, id);
        out.extend_from_slice(b",\"message\":");
        string(out, &self.message);
        out.push(b'}');
    }
}

/// What an overload says.
pub(crate) const OVERLOAD: &str = "The service is overloaded, please try again later.";

/// The event that tells of an overload in the middle of a stream.
pub(crate) fn overload_event() -> Vec<u8> {
    let mut out = b"event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"error\":".to_vec();
    string(&mut out, OVERLOAD);
    out.extend_from_slice(b",\"finish_reason\":\"ERROR\"}}\n\n");
    out
}

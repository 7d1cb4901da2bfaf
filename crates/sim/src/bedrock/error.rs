//! Errors of the Converse dialect: the exception stands in a header of the answer, the message in its body.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html>

use crate::check::{Invalid, Problem};
use crate::json::string;
use crate::keys::Refused;

use super::frame;

/// What an overloaded service says.
pub(crate) const OVERLOAD: &str = "The service is temporarily unable to handle the request.";

/// An error, before it is written.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The name of the exception.
    pub(crate) kind: String,
    message: String,
}

impl Failure {
    /// An error of the status's usual exception.
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, kind: usual(status).to_owned(), message: message.into() }
    }

    /// Takes another exception.
    #[must_use]
    pub(crate) fn kind(mut self, kind: Option<&str>) -> Self {
        if let Some(kind) = kind {
            kind.clone_into(&mut self.kind);
        }
        self
    }

    /// The error for a key that is not taken.
    pub(crate) fn key(refused: Refused) -> Self {
        match refused {
            Refused::Missing => Self::new(403, "Missing Authentication Token")
                .kind(Some("MissingAuthenticationTokenException")),
            Refused::Wrong => {
                Self::new(403, "Authentication failed: Please make sure your API Key is valid.")
            }
        }
    }

    /// The error for a mistake in a request.
    pub(crate) fn invalid(invalid: &Invalid) -> Self {
        let place = &invalid.dotted;
        Self::new(
            400,
            match &invalid.problem {
                Problem::Unknown => format!(
                    "Malformed input request: #: extraneous key [{place}] is not permitted, please reformat your \
                     input and try again."
                ),
                Problem::Missing => format!(
                    "1 validation error detected: Value null at '{place}' failed to satisfy constraint: Member must \
                     not be null"
                ),
                Problem::WrongType { expected, got } => {
                    format!("Malformed input request: #/{place}: expected {expected}, found {got}")
                }
                Problem::NotAllowed { got, allowed } => format!(
                    "1 validation error detected: Value '{got}' at '{place}' failed to satisfy constraint: Member \
                     must satisfy enum value set: [{}]",
                    allowed.join(", ")
                ),
                Problem::Rule { message, .. } => message.clone(),
                Problem::NotFound { message } => return Self::new(404, message),
                Problem::NoModel { .. } => {
                    let message =
                        "Could not resolve the foundation model from the provided model identifier.";
                    return Self::new(404, message);
                }
            },
        )
    }

    /// Writes the body.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"message\":");
        string(out, &self.message);
        out.push(b'}');
    }
}

/// The exception that a status usually has.
fn usual(status: u16) -> &'static str {
    match status {
        401 => "UnrecognizedClientException",
        403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        503 | 529 => "ServiceUnavailableException",
        500.. => "InternalServerException",
        _ => "ValidationException",
    }
}

/// The frame that tells of an overload in the middle of a stream.
pub(crate) fn overload_frame() -> Vec<u8> {
    let (mut payload, mut out) = (Vec::new(), Vec::new());
    Failure::new(503, OVERLOAD).write(&mut payload);
    frame::write(&mut out, "exception", "serviceUnavailableException", &payload);
    out
}

/// A frame whose checksums are right and whose payload is no JSON.
pub(crate) fn garbage_frame() -> Vec<u8> {
    let mut out = Vec::new();
    frame::write(&mut out, "event", "contentBlockDelta", b"{\"garbage\": not json");
    out
}

//! Error bodies of the messages dialect.

use crate::check::{Invalid, Problem};
use crate::json::string;
use crate::keys::Refused;

/// An error, before it is written.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The HTTP status.
    pub(crate) status: u16,
    kind: String,
    message: String,
}

impl Failure {
    /// An error of the status's usual type.
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, kind: usual(status).to_owned(), message: message.into() }
    }

    /// Takes another type.
    #[must_use]
    pub(crate) fn kind(mut self, kind: Option<&str>) -> Self {
        if let Some(kind) = kind {
            kind.clone_into(&mut self.kind);
        }
        self
    }

    /// The error for a key that is not taken.
    pub(crate) fn key(refused: Refused) -> Self {
        Self::new(
            401,
            match refused {
                Refused::Missing => "x-api-key header is required",
                Refused::Wrong => "invalid x-api-key",
            },
        )
    }

    /// The error for a mistake in a request.
    pub(crate) fn invalid(invalid: &Invalid) -> Self {
        let place = &invalid.dotted;
        let message = match &invalid.problem {
            Problem::Unknown => "Extra inputs are not permitted".to_owned(),
            Problem::Missing => "Field required".to_owned(),
            Problem::WrongType { expected, .. } => format!("Input should be {expected}"),
            Problem::NotAllowed { allowed, .. } => {
                let allowed: Vec<String> = allowed.iter().map(|value| format!("'{value}'")).collect();
                match allowed.split_last() {
                    Some((last, rest)) if !rest.is_empty() => {
                        format!("Input should be {} or {last}", rest.join(", "))
                    }
                    _ => format!("Input should be {}", allowed.join("")),
                }
            }
            Problem::Rule { message, .. } => message.clone(),
            Problem::NotFound { message } => return Self::new(404, message),
            Problem::NoModel { name } => return Self::new(404, format!("model: {name}")),
        };
        let separator = if place.is_empty() { "" } else { ": " };
        Self::new(400, format!("{place}{separator}{message}"))
    }

    /// Writes the body.
    pub(crate) fn write(&self, out: &mut Vec<u8>, request_id: &str) {
        out.extend_from_slice(b"{\"type\":\"error\",\"error\":{\"type\":");
        string(out, &self.kind);
        out.extend_from_slice(b",\"message\":");
        string(out, &self.message);
        out.extend_from_slice(b"},\"request_id\":");
        string(out, request_id);
        out.push(b'}');
    }
}

/// The type that a status usually has.
fn usual(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        503 | 529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

/// The event that tells of an overload in the middle of a stream.
pub(crate) fn overload_event(request_id: &str) -> Vec<u8> {
    let mut out = b"event: error\ndata: ".to_vec();
    Failure::new(529, "Overloaded").write(&mut out, request_id);
    out.extend_from_slice(b"\n\n");
    out
}

//! Error bodies of the `generateContent` dialect.
//!
//! <https://google.aip.dev/193>, <https://ai.google.dev/gemini-api/docs/troubleshooting>

use crate::check::{Invalid, Problem};
use crate::json::{integer, string};
use crate::keys::Refused;

use super::address::Form;
use super::fields::FIELD_VIOLATION;

/// An error, before it is written.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The HTTP status.
    pub(crate) status: u16,
    name: String,
    message: String,
    details: Details,
}

/// What an error is told with.
#[derive(Debug)]
enum Details {
    Nothing,
    /// The key is not one.
    BadKey,
    /// The field that is wrong.
    Field(String),
    /// The quota that is used up, and in how many seconds there is more, if that is told.
    Quota(Option<u32>),
}

impl Failure {
    /// An error of the status's usual name.
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        let details = if status == 429 { Details::Quota(None) } else { Details::Nothing };
        Self { status, name: usual(status).to_owned(), message: message.into(), details }
    }

    /// Takes another name.
    #[must_use]
    pub(crate) fn kind(mut self, kind: Option<&str>) -> Self {
        if let Some(kind) = kind {
            kind.clone_into(&mut self.name);
        }
        self
    }

    /// Too many requests, and in how many seconds there may be more.
    pub(crate) fn rate_limit(seconds: u32) -> Self {
        let message = format!(
            "You exceeded your current quota, please check your plan and billing details.\nPlease retry in \
             {seconds}s."
        );
        Self { details: Details::Quota(Some(seconds)), ..Self::new(429, message) }
    }

    /// The error for a key that is not taken.
    pub(crate) fn key(refused: Refused) -> Self {
        match refused {
            Refused::Missing => Self::new(
                403,
                "Method doesn't allow unregistered callers (callers without established identity). Please use API \
                 Key or other form of API consumer identity to call this API.",
            ),
            Refused::Wrong => Self {
                details: Details::BadKey,
                ..Self::new(400, "API key not valid. Please pass a valid API key.")
            },
        }
    }

    /// The error for a mistake in a request.
    pub(crate) fn invalid(invalid: &Invalid) -> Self {
        let place = &invalid.bracketed;
        match &invalid.problem {
            Problem::Rule { message, code: Some(FIELD_VIOLATION) } => {
                Self { details: Details::Field(place.clone()), ..Self::new(400, message) }
            }
            Problem::Rule { message, .. } => Self::new(400, message),
            Problem::NotFound { message } => Self::new(404, message),
            Problem::NoModel { name } => Self::new(
                404,
                format!(
                    "models/{name} is not found for API version v1beta, or is not supported for generateContent. \
                     Call ListModels to see the list of available models and their supported methods."
                ),
            ),
            Problem::Unknown | Problem::Missing | Problem::WrongType { .. } | Problem::NotAllowed { .. } => {
                Self::new(400, format!("Invalid value at '{place}'."))
            }
        }
    }

    /// Writes the body.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"error\":{\"code\":");
        integer(out, self.status);
        out.extend_from_slice(b",\"message\":");
        string(out, &self.message);
        out.extend_from_slice(b",\"status\":");
        string(out, &self.name);
        self.details(out);
        out.extend_from_slice(b"}}");
    }

    fn details(&self, out: &mut Vec<u8>) {
        match &self.details {
            Details::Nothing => {}
            Details::BadKey => out.extend_from_slice(
                b",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\
                \"API_KEY_INVALID\",\"domain\":\"googleapis.com\",\"metadata\":{\"service\":\
                \"generativelanguage.googleapis.com\"}}]",
            ),
            Details::Field(place) => {
                out.extend_from_slice(
                    b",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\",\
                    \"fieldViolations\":[{\"field\":",
                );
                string(out, place);
                out.extend_from_slice(b",\"description\":");
                string(out, &self.message);
                out.extend_from_slice(b"}]}]");
            }
            Details::Quota(seconds) => {
                out.extend_from_slice(
                    b",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.QuotaFailure\",\"violations\":\
                    [{\"quotaMetric\":\"generativelanguage.googleapis.com/generate_requests_per_model\",\
                    \"quotaId\":\"GenerateRequestsPerMinutePerProjectPerModel\"}]}",
                );
                if let Some(seconds) = seconds {
                    out.extend_from_slice(
                        b",{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"",
                    );
                    integer(out, *seconds);
                    out.extend_from_slice(b"s\"}");
                }
                out.push(b']');
            }
        }
    }
}

/// The name that a status usually has: <https://cloud.google.com/apis/design/errors#handling_errors>
fn usual(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        412 => "FAILED_PRECONDITION",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        500 => "INTERNAL",
        501 => "UNIMPLEMENTED",
        504 => "DEADLINE_EXCEEDED",
        502.. => "UNAVAILABLE",
        _ => "INVALID_ARGUMENT",
    }
}

/// The error of an overload.
pub(crate) fn overload() -> Failure {
    Failure::new(503, "The model is overloaded. Please try again later.")
}

/// The step that tells of an overload in a stream; `first` if none was sent before it.
pub(crate) fn overload_step(form: Form, first: bool) -> Vec<u8> {
    let mut body = Vec::new();
    overload().write(&mut body);
    let mut out = Vec::new();
    super::stream::frame(&mut out, form, first, &body);
    if form == Form::Array {
        out.push(b']');
    }
    out
}

/// A step that is not JSON; `first` if none was sent before it.
pub(crate) fn garbage_step(form: Form, first: bool) -> Vec<u8> {
    let mut out = Vec::new();
    super::stream::frame(&mut out, form, first, b"{\"garbage\": not json");
    out
}

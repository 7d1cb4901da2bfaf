//! Error bodies of OpenAI's dialects.

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
    param: Option<String>,
    code: Option<String>,
}

impl Failure {
    /// An error of the status's usual type.
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        let (kind, code) = usual(status);
        Self {
            status,
            kind: kind.to_owned(),
            message: message.into(),
            param: None,
            code: code.map(str::to_owned),
        }
    }

    /// Takes another type, which is its code as well.
    #[must_use]
    pub(crate) fn kind(mut self, kind: Option<&str>) -> Self {
        if let Some(kind) = kind {
            kind.clone_into(&mut self.kind);
            self.code = Some(kind.to_owned());
        }
        self
    }

    fn code(mut self, code: Option<&str>) -> Self {
        self.code = code.map(str::to_owned);
        self
    }

    /// The error for a key that is not taken.
    pub(crate) fn key(refused: Refused) -> Self {
        match refused {
            Refused::Missing => Self::new(
                401,
                "You didn't provide an API key. You need to provide your API key in an Authorization header using \
                 Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            )
            .code(None),
            Refused::Wrong => {
                Self::new(401, "Incorrect API key provided: sk-bad***.").code(Some("invalid_api_key"))
            }
        }
    }

    /// The error for a mistake in a request.
    pub(crate) fn invalid(invalid: &Invalid) -> Self {
        let place = &invalid.bracketed;
        let (message, code) = match &invalid.problem {
            Problem::Unknown => (format!("Unknown parameter: '{place}'."), Some("unknown_parameter")),
            Problem::Missing => {
                (format!("Missing required parameter: '{place}'."), Some("missing_required_parameter"))
            }
            Problem::WrongType { expected, got } => (
                format!("Invalid type for '{place}': expected {expected}, but got {got} instead."),
                Some("invalid_type"),
            ),
            Problem::NotAllowed { got, allowed } => {
                let values = listed(allowed);
                (format!("Invalid value: '{got}'. Supported values are: {values}."), Some("invalid_value"))
            }
            Problem::Rule { message, code } => (message.clone(), *code),
            Problem::NotFound { message } => {
                return Self { param: Some(place.clone()), ..Self::new(404, message) };
            }
            Problem::NoModel { name } => {
                let message = format!("The model `{name}` does not exist or you do not have access to it.");
                return Self::new(404, message).code(Some("model_not_found"));
            }
        };
        Self {
            param: Some(place.clone()).filter(|place| !place.is_empty()),
            ..Self::new(400, message).code(code)
        }
    }

    /// Writes the body.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"error\":{\"message\":");
        string(out, &self.message);
        out.extend_from_slice(b",\"type\":");
        string(out, &self.kind);
        out.extend_from_slice(b",\"param\":");
        nullable(out, self.param.as_deref());
        out.extend_from_slice(b",\"code\":");
        nullable(out, self.code.as_deref());
        out.extend_from_slice(b"}}");
    }
}

/// The values as OpenAI lists them: `'a'`, `'a' and 'b'`, `'a', 'b', and 'c'`.
fn listed(values: &[&str]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
    match quoted.as_slice() {
        [first, last] => format!("{first} and {last}"),
        [rest @ .., last] if !rest.is_empty() => format!("{}, and {last}", rest.join(", ")),
        few => few.join(""),
    }
}

/// A text, or null.
pub(super) fn nullable(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => string(out, text),
        None => out.extend_from_slice(b"null"),
    }
}

/// The type and code that a status usually has.
fn usual(status: u16) -> (&'static str, Option<&'static str>) {
    match status {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        429 => ("requests", Some("rate_limit_exceeded")),
        503 | 529 => ("server_error", Some("server_overloaded")),
        500.. => ("server_error", None),
        _ => ("invalid_request_error", None),
    }
}

/// The event that tells of an overload in the middle of a stream.
pub(crate) fn overload_event() -> Vec<u8> {
    let mut out = b"data: ".to_vec();
    Failure::new(503, "The server is currently overloaded with other requests. Sorry about that!")
        .write(&mut out);
    out.extend_from_slice(b"\n\n");
    out
}

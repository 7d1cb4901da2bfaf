//! Anthropic's errors, read and written: <https://platform.claude.com/docs/en/api/errors>.

use serde::Deserialize;
use stepwell_types::{CallId, Code, Failure};

use crate::UpstreamError;
use crate::json::{Text, write_object};

/// The longest message that is taken from a body of no known shape, in bytes.
const LONGEST_TEXT: usize = 512;

#[derive(Debug, Default, Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    error: Option<Problem<'a>>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
}

/// `error` of an error answer or of an error event.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Problem<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) message: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) details: Option<Details<'a>>,
}

/// What names the cause of an error.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Details<'a> {
    #[serde(borrow)]
    pub(super) error_code: Option<Text<'a>>,
}

/// Reads an error answer, whatever its shape.
pub(super) fn read(status: u16, body: &[u8]) -> UpstreamError {
    match serde_json::from_slice::<Envelope<'_>>(body) {
        Ok(Envelope { error: Some(problem), .. }) => of_problem(Some(status), problem),
        Ok(Envelope { message: Some(message), .. }) => {
            of_problem(Some(status), Problem { message: Some(message), ..Problem::default() })
        }
        _ => of_problem(Some(status), Problem { message: plain(body), ..Problem::default() }),
    }
}

/// The beginning of a body that is no envelope, if it is text.
fn plain(body: &[u8]) -> Option<Text<'_>> {
    let head = body.get(..LONGEST_TEXT).unwrap_or(body);
    let valid = head.utf8_chunks().next()?.valid().trim();
    (!valid.is_empty() && !valid.starts_with(['<', '{'])).then_some(Text(valid.into()))
}

/// The error that `problem` is. Without a status, as in a stream, the type decides.
pub(super) fn of_problem(status: Option<u16>, problem: Problem<'_>) -> UpstreamError {
    let kind = problem.kind.map(|kind| kind.0.into_owned());
    let by_kind = kind.as_deref().and_then(status_of);
    // An error inside a 200 has the status its type would have had.
    let status = status.filter(|status| *status >= 400).or(by_kind).unwrap_or(500);
    let message = match problem.message {
        Some(message) => message.0.into_owned(),
        None => format!("the provider answered with status {status}"),
    };
    let cause = problem.details.and_then(|details| details.error_code);
    let code = code_of(status, kind.as_deref(), cause.as_ref().map(|cause| &*cause.0), &message);
    UpstreamError { code, status, message, kind, param: None, retry_after: None }
}

/// The status that goes with a type.
fn status_of(kind: &str) -> Option<u16> {
    Some(match kind {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "conflict_error" => 409,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "api_error" => 500,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => return None,
    })
}

fn code_of(status: u16, kind: Option<&str>, cause: Option<&str>, message: &str) -> Code {
    // Limits on spending come as 400 and 429 as well; the oldest has no code but its words.
    let spent = cause.is_some_and(|cause| cause.ends_with("spend_limit_reached"))
        || kind == Some("billing_error")
        || (status == 400 && message.starts_with("Your credit balance is too low"));
    if spent {
        return Code::UpstreamQuota;
    }
    match status {
        401 => Code::UpstreamAuth,
        402 => Code::UpstreamQuota,
        403 => Code::UpstreamForbidden,
        404 => Code::UpstreamNotFound,
        408 | 504 => Code::UpstreamTimeout,
        409 => Code::UpstreamError,
        429 => Code::UpstreamRateLimited,
        503 | 529 => Code::UpstreamOverloaded,
        400..=499 => Code::UpstreamRejected,
        _ if kind == Some("overloaded_error") => Code::UpstreamOverloaded,
        _ => Code::UpstreamError,
    }
}

/// The type of error that a status stands for.
fn kind_of(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        408 | 504 => "timeout_error",
        503 | 529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

/// Writes an error's envelope. `call` stands where Anthropic has its request id, which may be null there too.
pub(super) fn write(out: &mut Vec<u8>, failure: &Failure, call: Option<CallId>) {
    let mut buffer = [0; 36];
    let call: Option<&str> = call.map(|call| call.encode(&mut buffer));
    let code = failure.code.as_str();
    write_object(out, |envelope| {
        envelope.string("type", "error");
        envelope.object("error", |error| {
            error.string("type", kind_of(failure.status));
            error.string("message", &failure.message);
            if let Some(param) = &failure.param {
                error.string("param", param);
            }
            error.string("code", code);
            error.string_or_null("call_id", call);
            error.joined("docs", &[crate::error::DOCS, code]);
        });
        envelope.string_or_null("request_id", call);
    });
}

#[cfg(test)]
mod tests {
    use stepwell_types::Timestamp;

    use super::*;

    fn answered(status: u16, kind: &str, message: &str) -> UpstreamError {
        read(
            status,
            format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}}}}"#).as_bytes(),
        )
    }

    #[test]
    fn every_documented_error_has_its_code() {
        for (status, kind, code) in [
            (400, "invalid_request_error", Code::UpstreamRejected),
            (401, "authentication_error", Code::UpstreamAuth),
            (402, "billing_error", Code::UpstreamQuota),
            (403, "permission_error", Code::UpstreamForbidden),
            (404, "not_found_error", Code::UpstreamNotFound),
            (409, "conflict_error", Code::UpstreamError),
            (413, "request_too_large", Code::UpstreamRejected),
            (429, "rate_limit_error", Code::UpstreamRateLimited),
            (500, "api_error", Code::UpstreamError),
            (504, "timeout_error", Code::UpstreamTimeout),
            (529, "overloaded_error", Code::UpstreamOverloaded),
        ] {
            let error = answered(status, kind, "m");
            assert_eq!((error.code, error.status, error.kind.as_deref()), (code, status, Some(kind)));
            let in_stream = answered(200, kind, "m");
            assert_eq!((in_stream.code, in_stream.status), (code, status), "{kind} inside a 200");
        }
    }

    #[test]
    fn an_empty_account_is_quota_whatever_its_status() {
        let old = answered(400, "invalid_request_error", "Your credit balance is too low to access the API.");
        assert_eq!(old.code, Code::UpstreamQuota);
        let body = br#"{"type":"error","error":{"type":"rate_limit_error","message":"m",
            "details":{"error_code":"enforced_spend_limit_reached"}}}"#;
        assert_eq!(read(429, body).code, Code::UpstreamQuota);
    }

    #[test]
    fn a_body_of_no_known_shape_is_an_error_by_its_status() {
        assert_eq!(read(502, b"upstream sent too big header").message, "upstream sent too big header");
        assert_eq!(read(503, b"<html>busy</html>").message, "the provider answered with status 503");
        assert_eq!(read(503, b"<html>busy</html>").code, Code::UpstreamOverloaded);
        assert_eq!(read(403, br#"{"message":"no"}"#).message, "no");
        for body in [&b""[..], b"\xff", b"{", b"[]", br#"{"error":"text"}"#, br#"{"error":{"type":7}}"#] {
            assert_eq!(read(418, body).code, Code::UpstreamRejected, "{body:?}");
        }
    }

    #[test]
    fn an_error_written_carries_code_call_and_docs() {
        let call = CallId::first_at(Timestamp::from_micros(0));
        let failure = Failure::new(Code::UpstreamOverloaded, "try \"later\"").param("messages");
        let mut out = Vec::new();
        write(&mut out, &failure, Some(call));
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with(
            r#"{"type":"error","error":{"type":"overloaded_error","message":"try \"later\"","param":"messages","#
        ));
        assert!(
            text.contains(r#""code":"upstream_overloaded""#) && text.contains("#upstream_overloaded\""),
            "{text}"
        );
        assert_eq!(text.matches(&call.to_string()).count(), 2, "{text}");
        let back = read(503, text.as_bytes());
        assert_eq!((back.code, &*back.message), (Code::UpstreamOverloaded, "try \"later\""));
    }
}

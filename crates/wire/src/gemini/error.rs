//! Google's errors, read and written: <https://cloud.google.com/apis/design/errors>, and what the Gemini API makes of
//! them, <https://ai.google.dev/gemini-api/docs/troubleshooting>.

use std::time::Duration;

use serde::Deserialize;
use stepwell_types::{CallId, Code, Failure};

use crate::UpstreamError;
use crate::error::DOCS;
use crate::json::write_object;

/// The longest message that is passed on, in bytes.
const MESSAGE_LIMIT: usize = 2_000;

/// An error answer. A stream that was not asked for as events answers with a list of one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    // First: a list could be read as a struct, too.
    List(Vec<Envelope>),
    One(Envelope),
}

#[derive(Deserialize)]
struct Envelope {
    error: Problem,
}

/// `error`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Problem {
    code: Option<u16>,
    message: Option<String>,
    status: Option<String>,
    details: Vec<Detail>,
}

/// One of the details: which kind it is, is said by the fields it has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Detail {
    /// Of an `ErrorInfo`.
    reason: Option<String>,
    /// Of a `RetryInfo`: seconds, as `34.07s`.
    retry_delay: Option<String>,
    /// Of a `QuotaFailure`.
    violations: Vec<Violation>,
    /// Of a `BadRequest`.
    field_violations: Vec<FieldViolation>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Violation {
    quota_id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct FieldViolation {
    field: Option<String>,
}

/// Reads an error answer, whatever its shape.
pub(super) fn read(status: u16, body: &[u8]) -> UpstreamError {
    let problem = match serde_json::from_slice(body) {
        Ok(Answer::One(envelope)) => Some(envelope.error),
        Ok(Answer::List(list)) => list.into_iter().next().map(|envelope| envelope.error),
        Err(_) => None,
    };
    of_problem(
        Some(status),
        problem.unwrap_or_else(|| Problem { message: plain(body), ..Problem::default() }),
    )
}

/// The beginning of a body that is no envelope, if it is text.
fn plain(body: &[u8]) -> Option<String> {
    let head = body.get(..MESSAGE_LIMIT).unwrap_or(body);
    let valid = head.utf8_chunks().next()?.valid().trim();
    (!valid.is_empty() && !valid.starts_with(['<', '{', '['])).then(|| valid.to_owned())
}

/// The error that `problem` is. In a stream its own code is its status.
pub(super) fn of_problem(status: Option<u16>, problem: Problem) -> UpstreamError {
    let named = problem.status.as_deref().and_then(status_of);
    let status = status
        .filter(|status| *status >= 400)
        .or(problem.code.filter(|code| (400..600).contains(code)))
        .or(named)
        .unwrap_or(500);
    let mut message = problem
        .message
        .clone()
        .filter(|message| !message.is_empty())
        .unwrap_or_else(|| format!("the provider answered with status {status} and no message"));
    message.truncate(message.floor_char_boundary(MESSAGE_LIMIT));
    let retry = problem.details.iter().find_map(|detail| detail.retry_delay.as_deref());
    let mut violations = problem.details.iter().flat_map(|detail| &detail.field_violations);
    UpstreamError {
        code: classify(status, &problem),
        status,
        message,
        param: violations.find_map(|violation| violation.field.clone()),
        retry_after: retry.and_then(seconds),
        kind: problem.status,
    }
}

/// Our code. A key that is wrong answers 400, told apart by its reason; a day's quota answers 429 as a minute's does.
fn classify(status: u16, problem: &Problem) -> Code {
    let reason = |name: &str| problem.details.iter().any(|detail| detail.reason.as_deref() == Some(name));
    if reason("API_KEY_INVALID") || reason("API_KEY_SERVICE_BLOCKED") {
        return Code::UpstreamAuth;
    }
    let violations = problem.details.iter().flat_map(|detail| &detail.violations);
    let mut quotas = violations.filter_map(|violation| violation.quota_id.as_deref());
    match status {
        401 => Code::UpstreamAuth,
        402 => Code::UpstreamQuota,
        403 => Code::UpstreamForbidden,
        404 => Code::UpstreamNotFound,
        408 | 499 | 504 => Code::UpstreamTimeout,
        429 if quotas.any(|quota| quota.contains("PerDay")) => Code::UpstreamQuota,
        429 => Code::UpstreamRateLimited,
        503 | 529 => Code::UpstreamOverloaded,
        400..=498 => Code::UpstreamRejected,
        _ => Code::UpstreamError,
    }
}

/// A duration as protobuf writes it in JSON.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The HTTP status of a canonical code: <https://cloud.google.com/apis/design/errors#handling_errors>.
fn status_of(name: &str) -> Option<u16> {
    Some(match name {
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => 400,
        "UNAUTHENTICATED" => 401,
        "PERMISSION_DENIED" => 403,
        "NOT_FOUND" => 404,
        "ABORTED" | "ALREADY_EXISTS" => 409,
        "RESOURCE_EXHAUSTED" => 429,
        "CANCELLED" => 499,
        "UNIMPLEMENTED" => 501,
        "UNAVAILABLE" => 503,
        "DEADLINE_EXCEEDED" => 504,
        "INTERNAL" | "UNKNOWN" | "DATA_LOSS" => 500,
        _ => return None,
    })
}

/// The canonical code of an HTTP status.
fn name_of(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        402 | 429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        408 | 504 => "DEADLINE_EXCEEDED",
        501 => "UNIMPLEMENTED",
        502 | 503 | 529 => "UNAVAILABLE",
        400..=498 => "INVALID_ARGUMENT",
        _ => "INTERNAL",
    }
}

/// Writes an error's envelope. Our code, the call and the page that explains it are in an `ErrorInfo`, when to come
/// back in a `RetryInfo`: <https://google.aip.dev/193>.
pub(super) fn write(out: &mut Vec<u8>, failure: &Failure, call: Option<CallId>) {
    let mut buffer = [0; 36];
    let call: Option<&str> = call.map(|call| call.encode(&mut buffer));
    let code = failure.code.as_str();
    write_object(out, |envelope| {
        envelope.object("error", |error| {
            error.number("code", u64::from(failure.status));
            error.string("message", &failure.message);
            error.string("status", name_of(failure.status));
            error.array("details", |details| {
                details.object(|info| {
                    info.string("@type", "type.googleapis.com/google.rpc.ErrorInfo");
                    info.string("reason", &code.to_ascii_uppercase());
                    info.string("domain", "stepwell");
                    info.object("metadata", |metadata| {
                        metadata.string("code", code);
                        if let Some(call) = call {
                            metadata.string("call_id", call);
                        }
                        metadata.joined("docs", &[DOCS, code]);
                    });
                });
                if let Some(param) = &failure.param {
                    details.object(|request| {
                        request.string("@type", "type.googleapis.com/google.rpc.BadRequest");
                        request.array("fieldViolations", |violations| {
                            violations.object(|violation| {
                                violation.string("field", param);
                                violation.string("description", &failure.message);
                            });
                        });
                    });
                }
                if let Some(after) = failure.retry_after {
                    details.object(|retry| {
                        retry.string("@type", "type.googleapis.com/google.rpc.RetryInfo");
                        retry.string("retryDelay", &format!("{}s", after.as_secs_f64()));
                    });
                }
            });
        });
    });
}

#[cfg(test)]
mod tests {
    use stepwell_types::Timestamp;

    use super::*;

    #[test]
    fn a_wrong_key_is_a_matter_of_credentials_though_its_status_is_400() {
        let body = br#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[
            {"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}"#;
        let error = read(400, body);
        assert_eq!((error.code, error.kind.as_deref()), (Code::UpstreamAuth, Some("INVALID_ARGUMENT")));
    }

    #[test]
    fn a_limit_says_when_to_come_back_and_a_days_quota_is_told_apart() {
        let limited = |quota: &str| {
            let body = format!(
                r#"[{{"error":{{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED","details":[
                {{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{{"quotaId":"{quota}"}}]}},
                {{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}}]}}}}]"#
            );
            read(429, body.as_bytes())
        };
        let minute = limited("GenerateRequestsPerMinutePerProjectPerModel");
        assert_eq!(
            (minute.code, minute.retry_after),
            (Code::UpstreamRateLimited, Some(Duration::from_millis(34_500)))
        );
        assert_eq!(limited("GenerateRequestsPerDayPerProjectPerModel-FreeTier").code, Code::UpstreamQuota);
    }

    #[test]
    fn an_error_inside_a_200_has_the_status_it_names() {
        let problem = Problem { status: Some("UNAVAILABLE".to_owned()), ..Problem::default() };
        let error = of_problem(None, problem);
        assert_eq!((error.code, error.status), (Code::UpstreamOverloaded, 503));
    }

    #[test]
    fn a_body_of_no_known_shape_is_an_error_by_its_status() {
        assert_eq!(read(502, b"bad gateway").message, "bad gateway");
        for body in [&b""[..], b"\xff", b"{", b"[]", br#"{"error":"text"}"#, b"<html>"] {
            assert_eq!(read(503, body).code, Code::UpstreamOverloaded, "{body:?}");
        }
    }

    #[test]
    fn an_error_written_reads_back() {
        let call = CallId::first_at(Timestamp::from_micros(0));
        let failure = Failure::new(Code::UpstreamRateLimited, "a \"limit\"")
            .param("contents")
            .retry_after(Duration::from_secs(7));
        let mut out = Vec::new();
        write(&mut out, &failure, Some(call));
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(&call.to_string()) && text.contains("#upstream_rate_limited\""), "{text}");
        let back = read(failure.status, text.as_bytes());
        assert_eq!(
            (back.code, &*back.message, back.param.as_deref()),
            (failure.code, "a \"limit\"", Some("contents"))
        );
        assert_eq!(back.retry_after, Some(Duration::from_secs(7)));
    }
}

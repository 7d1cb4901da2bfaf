//! OpenAI's error object, read and written: <https://platform.openai.com/docs/guides/error-codes>.
//!
//! Reading never fails: servers that only speak like OpenAI put a string, nothing, or something else in its place.

use serde::Deserialize;
use serde_json::value::RawValue;
use stepwell_types::{CallId, Code, Failure};

use crate::UpstreamError;
use crate::error::DOCS;
use crate::json::{Object, write_object};

/// The longest message that is passed on.
const MESSAGE_LIMIT: usize = 2_000;

/// What an error body may hold, nested or not.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Body<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    param: Option<&'a RawValue>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    /// `FastAPI`'s word for the message.
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
}

/// Reads an error answer.
pub(crate) fn read(status: u16, body: &[u8]) -> UpstreamError {
    let outer: Body<'_> = serde_json::from_slice(body).unwrap_or_default();
    let nested = outer.error.and_then(|error| serde_json::from_str::<Body<'_>>(error.get()).ok());
    let words = outer.error.and_then(string);
    of(status, &nested.unwrap_or(outer), words)
}

/// Reads the error of an event. Its status is the one its type or code stands for.
pub(crate) fn read_event(error: &RawValue) -> UpstreamError {
    let body: Body<'_> = serde_json::from_str(error.get()).unwrap_or_default();
    let status = event_status(&body);
    of(status, &body, string(error))
}

fn of(status: u16, body: &Body<'_>, words: Option<String>) -> UpstreamError {
    let kind = body.kind.and_then(string);
    let code = body.code.and_then(string);
    let mut message = body.message.or(body.detail).and_then(string).or(words).unwrap_or_default();
    if message.is_empty() {
        message = format!("the provider answered with status {status} and no message");
    }
    if message.len() > MESSAGE_LIMIT {
        let end = (0..=MESSAGE_LIMIT).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        message.truncate(end);
    }
    UpstreamError {
        code: classify(status, kind.as_deref(), code.as_deref()),
        status,
        message,
        kind: kind.or(code),
        param: body.param.and_then(string),
        retry_after: None,
    }
}

/// A string, or what stands in its place as it is written. Null is none.
fn string(raw: &RawValue) -> Option<String> {
    match serde_json::from_str::<Option<String>>(raw.get()) {
        Ok(text) => text,
        Err(_) if raw.get().starts_with('{') => None,
        Err(_) => Some(raw.get().to_owned()),
    }
}

/// Our code for an answer. What the provider names counts for more than its status where it is more exact.
fn classify(status: u16, kind: Option<&str>, code: Option<&str>) -> Code {
    let named = |name: &str| kind == Some(name) || code == Some(name);
    if ["insufficient_quota", "billing_hard_limit_reached", "billing_not_active"].into_iter().any(named) {
        return Code::UpstreamQuota;
    }
    if named("invalid_api_key") {
        return Code::UpstreamAuth;
    }
    if status < 500 && named("model_not_found") {
        return Code::UpstreamNotFound;
    }
    let overloaded = ["overloaded_error", "overloaded", "server_overloaded", "engine_overloaded_error"];
    if status >= 500 && overloaded.into_iter().any(named) {
        return Code::UpstreamOverloaded;
    }
    match status {
        401 => Code::UpstreamAuth,
        402 => Code::UpstreamQuota,
        403 => Code::UpstreamForbidden,
        404 => Code::UpstreamNotFound,
        408 | 504 => Code::UpstreamTimeout,
        429 => Code::UpstreamRateLimited,
        400..500 => Code::UpstreamRejected,
        503 | 529 => Code::UpstreamOverloaded,
        500.. => Code::UpstreamError,
        _ => Code::UpstreamInvalid,
    }
}

/// The status an event's error would have had as an answer. Some vendors write it as the code.
fn event_status(body: &Body<'_>) -> u16 {
    if let Some(status) = body.code.and_then(|code| code.get().trim_matches('"').parse::<u16>().ok())
        && (400..600).contains(&status)
    {
        return status;
    }
    let names = [body.kind.and_then(string), body.code.and_then(string)];
    names.iter().flatten().find_map(|name| status_of(name)).unwrap_or(500)
}

fn status_of(name: &str) -> Option<u16> {
    Some(match name {
        "invalid_request_error" | "context_length_exceeded" | "content_policy_violation" => 400,
        "authentication_error" | "invalid_api_key" => 401,
        "permission_error" => 403,
        "not_found_error" | "model_not_found" => 404,
        "rate_limit_error"
        | "rate_limit_exceeded"
        | "too_many_requests"
        | "requests"
        | "tokens"
        | "insufficient_quota" => 429,
        "overloaded_error"
        | "overloaded"
        | "server_overloaded"
        | "server_is_overloaded"
        | "engine_overloaded_error"
        | "service_unavailable"
        | "service_unavailable_error" => 503,
        "timeout" | "timeout_error" => 504,
        // One of ours: a Stepwell behind a Stepwell.
        name => return Code::from_text(name).map(Code::status),
    })
}

/// Writes an error object. `docs` says where its code is explained.
pub(crate) fn write(out: &mut Vec<u8>, failure: &Failure, call: Option<CallId>) {
    write_object(out, |body| write_field(body, failure, call));
}

/// Writes the field of an error object, into one that may have others.
pub(crate) fn write_field(body: &mut Object<'_>, failure: &Failure, call: Option<CallId>) {
    let mut buffer = [0; 36];
    let call: Option<&str> = call.map(|call| call.encode(&mut buffer));
    body.object("error", |error| {
        error.string("message", &failure.message);
        error.string("type", failure.code.openai_type());
        error.string_or_null("param", failure.param.as_deref());
        error.string("code", failure.code.as_str());
        error.string_or_null("call_id", call);
        error.joined("docs", &[DOCS, failure.code.as_str()]);
    });
}

#[cfg(test)]
mod tests {
    use stepwell_types::Timestamp;

    use super::*;

    #[test]
    fn status_type_and_code_become_our_code() {
        let cases: [(u16, &str, Code); 17] = [
            (
                400,
                r#"{"error":{"message":"m","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
                Code::UpstreamRejected,
            ),
            (
                401,
                r#"{"error":{"message":"m","type":"invalid_request_error","code":"invalid_api_key"}}"#,
                Code::UpstreamAuth,
            ),
            (400, r#"{"error":{"message":"m","code":"invalid_api_key"}}"#, Code::UpstreamAuth),
            (402, "", Code::UpstreamQuota),
            (403, "{}", Code::UpstreamForbidden),
            (404, r#"{"error":{"code":"model_not_found"}}"#, Code::UpstreamNotFound),
            (413, "[]", Code::UpstreamRejected),
            (422, r#"{"detail":[{"loc":["body"]}]}"#, Code::UpstreamRejected),
            (429, r#"{"error":{"type":"requests","code":"rate_limit_exceeded"}}"#, Code::UpstreamRateLimited),
            (
                429,
                r#"{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}"#,
                Code::UpstreamQuota,
            ),
            (500, "<html>", Code::UpstreamError),
            (500, r#"{"error":{"type":"overloaded_error"}}"#, Code::UpstreamOverloaded),
            (502, "\u{0}", Code::UpstreamError),
            (503, "null", Code::UpstreamOverloaded),
            (504, "", Code::UpstreamTimeout),
            (529, "", Code::UpstreamOverloaded),
            (200, "", Code::UpstreamInvalid),
        ];
        for (status, body, code) in cases {
            let error = read(status, body.as_bytes());
            assert_eq!((error.code, error.status), (code, status), "{status} {body}");
            assert!(!error.message.is_empty());
        }
    }

    #[test]
    fn the_message_is_found_wherever_servers_put_it() {
        for body in [
            r#"{"error":{"message":"why","param":null}}"#,
            r#"{"error":"why"}"#,
            r#"{"object":"error","message":"why","code":400}"#,
            r#"{"detail":"why"}"#,
        ] {
            assert_eq!(read(400, body.as_bytes()).message, "why", "{body}");
        }
        let long = format!(r#"{{"error":"{}"}}"#, "é".repeat(5_000));
        assert_eq!(read(400, long.as_bytes()).message.len(), MESSAGE_LIMIT);
    }

    #[test]
    fn an_event_has_the_status_its_name_stands_for() {
        for (error, status, code) in [
            (r#"{"message":"m","type":"server_error"}"#, 500, Code::UpstreamError),
            (r#"{"message":"m","code":429}"#, 429, Code::UpstreamRateLimited),
            (r#"{"message":"m","code":"502"}"#, 502, Code::UpstreamError),
            (
                r#"{"message":"m","type":"tokens","code":"rate_limit_exceeded"}"#,
                429,
                Code::UpstreamRateLimited,
            ),
            (r#"{"message":"m","type":"overloaded_error"}"#, 503, Code::UpstreamOverloaded),
            (r#""words""#, 500, Code::UpstreamError),
        ] {
            let raw: &RawValue = serde_json::from_str(error).unwrap();
            let read = read_event(raw);
            assert_eq!((read.status, read.code), (status, code), "{error}");
        }
    }

    #[test]
    fn an_error_goes_out_with_code_call_and_docs() {
        let call = CallId::first_at(Timestamp::from_micros(0));
        let failure = Failure::new(Code::InvalidRequest, "no \"model\"").param("model").detail("secret");
        let mut out = Vec::new();
        write(&mut out, &failure, Some(call));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!(
                r#"{{"error":{{"message":"no \"model\"","type":"invalid_request_error","param":"model","code":"invalid_request","call_id":"{call}","docs":"docs/errors.md#invalid_request"}}}}"#
            )
        );
    }
}

//! Cohere's errors, read and written: an object with `id` and `message`, told apart by status.
//! <https://docs.cohere.com/reference/errors>, and `responses` of Cohere's OpenAPI document.
//!
//! In a stream an error is the event `message-end` whose reason is `ERROR` or `TIMEOUT`.

use serde_json::value::RawValue;
use stepwell_types::{CallId, Code, Failure};

use super::finish::{ERROR, TIMEOUT};
use crate::UpstreamError;
use crate::error::DOCS;
use crate::json::{Object, write_object};

/// The longest message that is passed on, in bytes.
const MESSAGE_LIMIT: usize = 2_000;

/// An error answer. `code` is ours: a Stepwell behind a Stepwell.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Answer<'a> {
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow)]
    param: Option<&'a RawValue>,
}

/// Reads an error answer, whatever its shape.
pub(super) fn read(status: u16, body: &[u8]) -> UpstreamError {
    let answer = serde_json::from_slice::<Answer<'_>>(body).ok();
    let message = match &answer {
        Some(answer) => answer.message.and_then(text),
        None => plain(body),
    };
    let (kind, param) =
        answer.map(|answer| (answer.code.and_then(text), answer.param.and_then(text))).unwrap_or_default();
    UpstreamError { kind, param, ..of(status, message) }
}

/// The error that an event tells of. Its status is that of our own code if it has one, else what its reason stands for.
pub(super) fn of_event(reason: Option<&str>, message: Option<String>, code: Option<&str>) -> UpstreamError {
    let named = code.and_then(Code::from_text).map(Code::status).filter(|status| *status >= 400);
    let status = named.unwrap_or(if reason == Some(TIMEOUT) { 504 } else { 500 });
    UpstreamError { kind: code.or(reason).map(str::to_owned), ..of(status, message) }
}

fn of(status: u16, message: Option<String>) -> UpstreamError {
    let mut message = message
        .filter(|message| !message.is_empty())
        .unwrap_or_else(|| format!("the provider answered with status {status} and no message"));
    message.truncate(message.floor_char_boundary(MESSAGE_LIMIT));
    UpstreamError { code: classify(status), status, message, kind: None, param: None, retry_after: None }
}

fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// The beginning of a body that is no object, if it is text.
fn plain(body: &[u8]) -> Option<String> {
    let head = body.get(..MESSAGE_LIMIT).unwrap_or(body);
    let valid = head.utf8_chunks().next()?.valid().trim();
    (!valid.is_empty() && !valid.starts_with(['<', '{', '['])).then(|| valid.to_owned())
}

/// Our code: Cohere's errors have no other sign than their status.
fn classify(status: u16) -> Code {
    match status {
        401 => Code::UpstreamAuth,
        // "When the account has reached its billing limit."
        402 => Code::UpstreamQuota,
        403 => Code::UpstreamForbidden,
        404 => Code::UpstreamNotFound,
        // 499: Cohere's own word for a request that was cancelled, by either side.
        408 | 499 | 504 => Code::UpstreamTimeout,
        429 => Code::UpstreamRateLimited,
        503 | 529 => Code::UpstreamOverloaded,
        // 498: the request or the reply holds a token on a deny-list.
        400..=498 => Code::UpstreamRejected,
        500.. => Code::UpstreamError,
        _ => Code::UpstreamInvalid,
    }
}

/// Writes an error's object. What stands beside Cohere's two fields is ours: our code, the field at fault and the page that
/// explains it.
pub(super) fn write(out: &mut Vec<u8>, failure: &Failure, call: Option<CallId>) {
    let mut buffer = [0; 36];
    let call: Option<&str> = call.map(|call| call.encode(&mut buffer));
    write_object(out, |error| {
        error.string_or_null("id", call);
        error.string("message", &failure.message);
        write_ours(error, failure);
    });
}

/// Writes the event that ends a broken stream.
pub(super) fn write_event(out: &mut Vec<u8>, failure: &Failure, call: CallId) {
    let mut buffer = [0; 36];
    let call: &str = call.encode(&mut buffer);
    super::stream::frame(out, "message-end", |end| {
        end.string("id", call);
        end.object("delta", |delta| {
            delta.string("error", &failure.message);
            delta.string("finish_reason", if failure.status == 504 { TIMEOUT } else { ERROR });
            write_ours(delta, failure);
        });
    });
}

fn write_ours(error: &mut Object<'_>, failure: &Failure) {
    let code = failure.code.as_str();
    error.string("code", code);
    if let Some(param) = &failure.param {
        error.string("param", param);
    }
    error.joined("docs", &[DOCS, code]);
}

#[cfg(test)]
mod tests {
    use stepwell_types::Timestamp;

    use super::*;

    #[test]
    fn the_status_becomes_our_code() {
        for (status, code) in [
            (400, Code::UpstreamRejected),
            (401, Code::UpstreamAuth),
            (402, Code::UpstreamQuota),
            (403, Code::UpstreamForbidden),
            (404, Code::UpstreamNotFound),
            (422, Code::UpstreamRejected),
            (429, Code::UpstreamRateLimited),
            (498, Code::UpstreamRejected),
            (499, Code::UpstreamTimeout),
            (500, Code::UpstreamError),
            (501, Code::UpstreamError),
            (503, Code::UpstreamOverloaded),
            (504, Code::UpstreamTimeout),
            (200, Code::UpstreamInvalid),
        ] {
            let error = read(status, br#"{"id":"x","message":"why"}"#);
            assert_eq!((error.code, error.status, &*error.message), (code, status, "why"));
        }
    }

    #[test]
    fn a_body_of_no_known_shape_is_an_error_by_its_status() {
        assert_eq!(read(502, b"bad gateway").message, "bad gateway");
        for body in [&b""[..], b"\xff", b"{", b"[]", br#"{"message":{}}"#, br#"{"message":""}"#, b"<html>"] {
            let error = read(503, body);
            assert_eq!(error.code, Code::UpstreamOverloaded, "{body:?}");
            assert!(error.message.contains("503"), "{}", error.message);
        }
        let long = format!(r#"{{"message":"{}"}}"#, "é".repeat(5_000));
        assert_eq!(read(400, long.as_bytes()).message.len(), MESSAGE_LIMIT);
    }

    #[test]
    fn an_event_has_the_status_that_its_reason_or_our_code_stands_for() {
        for (reason, code, status) in [
            (Some("ERROR"), None, 500),
            (Some("TIMEOUT"), None, 504),
            (None, None, 500),
            (Some("ERROR"), Some("upstream_overloaded"), Code::UpstreamOverloaded.status()),
            (Some("ERROR"), Some("no_code_of_ours"), 500),
        ] {
            assert_eq!(of_event(reason, None, code).status, status, "{reason:?} {code:?}");
        }
    }

    #[test]
    fn an_error_written_reads_back() {
        let call = CallId::first_at(Timestamp::from_micros(0));
        let failure =
            Failure::new(Code::UpstreamRateLimited, "a \"limit\"").param("messages").detail("secret");
        let mut out = Vec::new();
        write(&mut out, &failure, Some(call));
        assert_eq!(
            String::from_utf8(out.clone()).unwrap(),
            format!(
                r#"{{"id":"{call}","message":"a \"limit\"","code":"upstream_rate_limited","param":"messages","docs":"docs/errors.md#upstream_rate_limited"}}"#
            )
        );
        let back = read(failure.status, &out);
        assert_eq!((back.code, &*back.message), (failure.code, "a \"limit\""));
        assert_eq!(back.param.as_deref(), Some("messages"));
    }
}

//! Ollama's errors: a text under `error`, and a status. <https://docs.ollama.com/api/errors>

use serde::Deserialize;
use serde_json::value::RawValue;
use stepwell_types::{CallId, Code, Failure};

use crate::UpstreamError;
use crate::error::DOCS;
use crate::json::write_object;

/// The longest message that is passed on, in bytes.
const MESSAGE_LIMIT: usize = 2_000;

/// How Ollama's server says that too many requests are waiting (`server/sched.go`).
const BUSY: &str = "server busy";

/// An error answer, or the line of a stream that tells of one. What stands beside `error` is ours.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    code: Option<String>,
    param: Option<String>,
}

/// An error that is no text, as proxies in front of a server write it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Nested {
    message: Option<String>,
}

/// Reads an error answer, whatever its shape.
pub(super) fn read(status: u16, body: &[u8]) -> UpstreamError {
    match serde_json::from_slice::<Answer<'_>>(body) {
        Ok(answer) => of(status, message(&answer), answer),
        Err(_) => of(status, plain(body), Answer::default()),
    }
}

/// Reads the line of a stream that tells of an error. It has no status: our own code stands for one, where another Stepwell
/// wrote it, else what Ollama's server says where it has too much to do; else it is the server's fault.
pub(super) fn read_line(line: &str) -> UpstreamError {
    let answer: Answer<'_> = serde_json::from_str(line).unwrap_or_default();
    let message = message(&answer);
    let is_busy = message.as_deref().is_some_and(|message| message.starts_with(BUSY));
    let code = answer.code.as_deref().and_then(Code::from_text);
    of(code.map_or(if is_busy { 503 } else { 500 }, Code::status), message, answer)
}

fn message(answer: &Answer<'_>) -> Option<String> {
    let error = answer.error?.get();
    serde_json::from_str::<String>(error)
        .ok()
        .or_else(|| serde_json::from_str::<Nested>(error).ok().and_then(|nested| nested.message))
}

/// The beginning of a body that is no JSON, if it is text.
fn plain(body: &[u8]) -> Option<String> {
    let head = body.get(..MESSAGE_LIMIT).unwrap_or(body);
    let valid = head.utf8_chunks().next()?.valid().trim();
    (!valid.is_empty() && !valid.starts_with(['<', '{', '['])).then(|| valid.to_owned())
}

fn of(status: u16, message: Option<String>, answer: Answer<'_>) -> UpstreamError {
    let mut message = message
        .filter(|message| !message.is_empty())
        .unwrap_or_else(|| format!("the provider answered with status {status} and no message"));
    message.truncate(message.floor_char_boundary(MESSAGE_LIMIT));
    UpstreamError {
        code: classify(status),
        status,
        message,
        kind: answer.code,
        param: answer.param,
        retry_after: None,
    }
}

/// Our code. The status is all that tells one error from another.
fn classify(status: u16) -> Code {
    match status {
        401 => Code::UpstreamAuth,
        402 => Code::UpstreamQuota,
        403 => Code::UpstreamForbidden,
        404 => Code::UpstreamNotFound,
        408 | 499 | 504 => Code::UpstreamTimeout,
        429 => Code::UpstreamRateLimited,
        503 | 529 => Code::UpstreamOverloaded,
        400..=498 => Code::UpstreamRejected,
        500.. => Code::UpstreamError,
        _ => Code::UpstreamInvalid,
    }
}

/// Writes an error: the text where Ollama's clients look for it, and beside it our code, the field at fault, the call and
/// the page that explains the code.
pub(super) fn write(out: &mut Vec<u8>, failure: &Failure, call: Option<CallId>) {
    let mut buffer = [0; 36];
    let call: Option<&str> = call.map(|call| call.encode(&mut buffer));
    let code = failure.code.as_str();
    write_object(out, |answer| {
        answer.string("error", &failure.message);
        answer.string("code", code);
        answer.string_or_null("param", failure.param.as_deref());
        answer.string_or_null("call_id", call);
        answer.joined("docs", &[DOCS, code]);
    });
}

#[cfg(test)]
mod tests {
    use stepwell_types::Timestamp;

    use super::*;

    #[test]
    fn the_status_tells_errors_apart() {
        for (status, body, code) in [
            (400, r#"{"error":"model is required"}"#, Code::UpstreamRejected),
            (
                401,
                r#"{"error":"unauthorized","signin_url":"https://ollama.com/connect"}"#,
                Code::UpstreamAuth,
            ),
            (403, "{}", Code::UpstreamForbidden),
            (404, r#"{"error":"model 'x' not found"}"#, Code::UpstreamNotFound),
            (413, "[]", Code::UpstreamRejected),
            (429, "", Code::UpstreamRateLimited),
            (499, r#"{"error":"request canceled"}"#, Code::UpstreamTimeout),
            (500, "<html>", Code::UpstreamError),
            (502, "null", Code::UpstreamError),
            (503, r#"{"error":"server busy, please try again."}"#, Code::UpstreamOverloaded),
            (200, "{", Code::UpstreamInvalid),
        ] {
            let error = read(status, body.as_bytes());
            assert_eq!((error.code, error.status), (code, status), "{body}");
            assert!(!error.message.is_empty());
        }
    }

    #[test]
    fn the_message_is_found_wherever_servers_put_it() {
        for body in [r#"{"error":"why"}"#, r#"{"error":{"message":"why"}}"#, "why"] {
            assert_eq!(read(400, body.as_bytes()).message, "why", "{body}");
        }
        let long = format!(r#"{{"error":"{}"}}"#, "é".repeat(5_000));
        assert_eq!(read(400, long.as_bytes()).message.len(), MESSAGE_LIMIT);
    }

    #[test]
    fn an_error_written_reads_back() {
        let call = CallId::first_at(Timestamp::from_micros(0));
        let failure =
            Failure::new(Code::UpstreamOverloaded, "a \"limit\"").param("messages[0]").detail("secret");
        let mut out = Vec::new();
        write(&mut out, &failure, Some(call));
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            format!(
                r#"{{"error":"a \"limit\"","code":"upstream_overloaded","param":"messages[0]","call_id":"{call}","docs":"docs/errors.md#upstream_overloaded"}}"#
            )
        );
        for back in [read(failure.status, text.as_bytes()), read_line(&text)] {
            assert_eq!((back.code, &*back.message), (failure.code, "a \"limit\""));
            assert_eq!(back.param.as_deref(), Some("messages[0]"));
        }
        let unknown = read_line(r#"{"error":"an error was encountered while running the model"}"#);
        assert_eq!((unknown.code, unknown.status), (Code::UpstreamError, 500));
        let busy =
            read_line(r#"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#);
        assert_eq!((busy.code, busy.status), (Code::UpstreamOverloaded, 503));
    }
}

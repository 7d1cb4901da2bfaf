//! Bedrock's errors, read and written:
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors>,
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html>.
//!
//! An answer names the exception in its header `x-amzn-errortype`, some name it in the body as well (`__type`): what is read
//! here goes by the status and by the body. An exception of a stream is named by its frame.

use serde::Deserialize;
use stepwell_types::{CallId, Code, Failure};

use crate::UpstreamError;
use crate::error::DOCS;
use crate::json::{Text, write_object};

/// The longest message that is passed on, in bytes.
const MESSAGE_LIMIT: usize = 2_000;

/// The body of an error answer, or the payload of an exception.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Problem<'a> {
    #[serde(rename = "__type", borrow)]
    pub(super) kind: Option<Text<'a>>,
    #[serde(alias = "Message", borrow)]
    message: Option<Text<'a>>,
}

/// Reads an error answer, whatever its shape.
pub(super) fn read(status: u16, body: &[u8]) -> UpstreamError {
    let problem = serde_json::from_slice::<Problem<'_>>(body);
    of_problem(Some(status), problem.unwrap_or_else(|_| Problem { kind: None, message: plain(body) }))
}

/// The beginning of a body that is no envelope, if it is text.
fn plain(body: &[u8]) -> Option<Text<'_>> {
    let head = body.get(..MESSAGE_LIMIT).unwrap_or(body);
    let valid = head.utf8_chunks().next()?.valid().trim();
    (!valid.is_empty() && !valid.starts_with(['<', '{', '['])).then_some(Text(valid.into()))
}

/// The error that `problem` is. Without a status, as in a stream, its name decides.
pub(super) fn of_problem(status: Option<u16>, problem: Problem<'_>) -> UpstreamError {
    let kind = problem.kind.map(|kind| short(&kind.0).to_owned()).filter(|kind| !kind.is_empty());
    let named = kind.as_deref().and_then(status_of);
    let status = status.filter(|status| *status >= 400).or(named).unwrap_or(500);
    let mut message = match problem.message.filter(|message| !message.0.is_empty()) {
        Some(message) => message.0.into_owned(),
        None => format!("the provider answered with status {status} and no message"),
    };
    message.truncate(message.floor_char_boundary(MESSAGE_LIMIT));
    let code = code_of(status, kind.as_deref(), &message);
    UpstreamError { code, status, message, kind, param: None, retry_after: None }
}

/// The name of an exception without what may stand around it: `com.amazon.coral.service#ThrottlingException:http://…`.
fn short(kind: &str) -> &str {
    let kind = kind.split_once(':').map_or(kind, |(kind, _)| kind);
    kind.rsplit_once('#').map_or(kind, |(_, kind)| kind)
}

/// The status that goes with the name of an exception; in a stream, names begin in lower case.
fn status_of(kind: &str) -> Option<u16> {
    let is = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(kind));
    Some(if is(&["ValidationException", "SerializationException"]) {
        400
    } else if is(&AUTH) || is(&["AccessDeniedException"]) {
        403
    } else if is(&["ResourceNotFoundException", "UnknownOperationException"]) {
        404
    } else if is(&["ModelTimeoutException"]) {
        408
    } else if is(&["ModelErrorException", "ModelStreamErrorException"]) {
        424
    } else if is(&["ThrottlingException", "ModelNotReadyException", "ServiceQuotaExceededException"]) {
        429
    } else if is(&["InternalServerException", "InternalFailure"]) {
        500
    } else if is(&["ServiceUnavailableException", "ServiceUnavailable"]) {
        503
    } else {
        return None;
    })
}

/// Exceptions that say that the credential is none, whatever their status.
const AUTH: [&str; 6] = [
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "IncompleteSignatureException",
    "MissingAuthenticationTokenException",
    "ExpiredTokenException",
    "InvalidClientTokenId",
];

fn code_of(status: u16, kind: Option<&str>, message: &str) -> Code {
    let is = |name: &str| kind.is_some_and(|kind| kind.eq_ignore_ascii_case(name));
    // A key that is wrong answers as one that may not.
    let refused =
        ["Authentication failed", "The security token included in the request is", "Bearer Token has"];
    if AUTH.into_iter().any(is) || status == 403 && refused.iter().any(|start| message.starts_with(start)) {
        return Code::UpstreamAuth;
    }
    if is("ServiceQuotaExceededException") {
        return Code::UpstreamQuota;
    }
    if is("ModelNotReadyException") {
        return Code::UpstreamOverloaded;
    }
    match status {
        // A model that there is not is a request that is wrong.
        400 if message.starts_with("The provided model identifier is invalid") => Code::UpstreamNotFound,
        401 => Code::UpstreamAuth,
        402 => Code::UpstreamQuota,
        403 => Code::UpstreamForbidden,
        404 => Code::UpstreamNotFound,
        408 | 504 => Code::UpstreamTimeout,
        // The model failed, not the request.
        424 => Code::UpstreamError,
        429 => Code::UpstreamRateLimited,
        503 | 529 => Code::UpstreamOverloaded,
        400..=499 => Code::UpstreamRejected,
        _ => Code::UpstreamError,
    }
}

/// The exception that a status stands for in an answer.
fn kind_of(status: u16) -> &'static str {
    match status {
        401 => "UnrecognizedClientException",
        402 => "ServiceQuotaExceededException",
        403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 | 504 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        503 | 529 => "ServiceUnavailableException",
        400..=499 => "ValidationException",
        _ => "InternalServerException",
    }
}

/// The exception that a status stands for in a stream, where there are five of them.
pub(super) fn exception_of(status: u16) -> &'static str {
    match status {
        429 => "throttlingException",
        503 | 529 => "serviceUnavailableException",
        408 | 424 | 502 | 504 => "modelStreamErrorException",
        400..=499 => "validationException",
        _ => "internalServerException",
    }
}

/// Writes an error's body. Ours stands beside AWS's own, but not under `code`, which its SDKs would take for the name of the
/// exception.
pub(super) fn write(out: &mut Vec<u8>, failure: &Failure, call: Option<CallId>) {
    let mut buffer = [0; 36];
    let call: Option<&str> = call.map(|call| call.encode(&mut buffer));
    let code = failure.code.as_str();
    write_object(out, |body| {
        body.string("__type", kind_of(failure.status));
        body.string("message", &failure.message);
        body.object("error", |error| {
            if let Some(param) = &failure.param {
                error.string("param", param);
            }
            error.string("code", code);
            error.string_or_null("call_id", call);
            error.joined("docs", &[DOCS, code]);
        });
    });
}

#[cfg(test)]
mod tests {
    use stepwell_types::Timestamp;

    use super::*;

    #[test]
    fn every_documented_exception_has_its_code_by_status_and_by_name() {
        for (status, kind, code) in [
            (400, "ValidationException", Code::UpstreamRejected),
            (403, "AccessDeniedException", Code::UpstreamForbidden),
            (403, "UnrecognizedClientException", Code::UpstreamAuth),
            (403, "ExpiredTokenException", Code::UpstreamAuth),
            (404, "ResourceNotFoundException", Code::UpstreamNotFound),
            (408, "ModelTimeoutException", Code::UpstreamTimeout),
            (424, "ModelErrorException", Code::UpstreamError),
            (424, "modelStreamErrorException", Code::UpstreamError),
            (429, "ThrottlingException", Code::UpstreamRateLimited),
            (429, "ModelNotReadyException", Code::UpstreamOverloaded),
            (429, "ServiceQuotaExceededException", Code::UpstreamQuota),
            (500, "internalServerException", Code::UpstreamError),
            (503, "serviceUnavailableException", Code::UpstreamOverloaded),
        ] {
            let body = format!(r#"{{"__type":"com.amazon.coral.service#{kind}:http://x/","message":"m"}}"#);
            for answered in [status, 200] {
                let error = read(answered, body.as_bytes());
                assert_eq!((error.code, error.status, error.kind.as_deref()), (code, status, Some(kind)));
            }
            let bare = read(status, br#"{"Message":"m"}"#);
            assert_eq!((bare.status, &*bare.message, bare.kind), (status, "m", None));
        }
    }

    #[test]
    fn a_wrong_key_and_a_wrong_model_are_told_by_their_words() {
        let key = br#"{"Message":"Authentication failed: Please make sure your API Key is valid."}"#;
        assert_eq!(read(403, key).code, Code::UpstreamAuth);
        assert_eq!(read(403, br#"{"message":"You don't have access"}"#).code, Code::UpstreamForbidden);
        let model = br#"{"message":"The provided model identifier is invalid."}"#;
        assert_eq!(read(400, model).code, Code::UpstreamNotFound);
    }

    #[test]
    fn a_body_of_no_known_shape_is_an_error_by_its_status() {
        assert_eq!(read(502, b"upstream sent too big header").message, "upstream sent too big header");
        assert_eq!(read(503, b"<html>busy</html>").code, Code::UpstreamOverloaded);
        for body in [&b""[..], b"\xff", b"{", b"[]", br#"{"message":7}"#] {
            assert_eq!(read(418, body).code, Code::UpstreamRejected, "{body:?}");
        }
    }

    #[test]
    fn an_error_written_is_an_exception_that_awss_sdks_name() {
        let call = CallId::first_at(Timestamp::from_micros(0));
        let failure = Failure::new(Code::UpstreamOverloaded, "try \"later\"").param("messages");
        let mut out = Vec::new();
        write(&mut out, &failure, Some(call));
        let body: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(body["__type"], "ServiceUnavailableException");
        assert_eq!(body["error"]["call_id"], call.to_string());
        assert!(body.get("code").is_none(), "AWS's SDKs would take it for the exception");
        let back = read(503, &out);
        assert_eq!((back.code, &*back.message), (Code::UpstreamOverloaded, "try \"later\""));
    }
}

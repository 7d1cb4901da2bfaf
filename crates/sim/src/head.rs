//! Heads of replies: status, content type, and the headers by which each vendor names requests and tells its limits.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use stepwell_types::{Dialect, Timestamp};

use crate::body::ReplyBody;
use crate::failure::Failure;
use crate::state::State;

/// The vendor's id of a request.
pub(crate) fn request_id(state: &State, id: u64) -> String {
    format!("req_{:08x}{id:016x}", state.boot)
}

/// A response with its status and content type.
pub(crate) fn respond(status: u16, kind: &'static str, body: ReplyBody) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// A response with an error in the dialect's shape.
pub(crate) fn error_response(state: &State, failure: &Failure, id: u64) -> Response<ReplyBody> {
    let mut body = Vec::new();
    let dialect = match failure {
        // Both of OpenAI's dialects have the same headers.
        Failure::Openai(failure) => {
            failure.write(&mut body);
            Dialect::OpenaiChat
        }
        Failure::Anthropic(failure) => {
            failure.write(&mut body, &request_id(state, id));
            Dialect::Anthropic
        }
        Failure::Gemini(failure) => {
            failure.write(&mut body);
            Dialect::Gemini
        }
        Failure::Cohere(failure) => {
            failure.write(&mut body, &request_id(state, id));
            Dialect::Cohere
        }
    };
    let mut response = respond(failure.status(), json_type(dialect), ReplyBody::Whole(Bytes::from(body)));
    identify(response.headers_mut(), dialect, state, id);
    response
}

/// The vendor's content type of JSON.
pub(crate) fn json_type(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Anthropic | Dialect::Cohere => {
            "application/json"
        }
        Dialect::Gemini => "application/json; charset=UTF-8",
    }
}

/// A page that some proxy in between might send.
pub(crate) fn html(status: u16) -> Response<ReplyBody> {
    let page = format!(
        "<html>\r\n<head><title>{status} Bad Gateway</title></head>\r\n<body>\r\n<center><h1>{status} Bad \
         Gateway</h1></center>\r\n<hr><center>simulator</center>\r\n</body>\r\n</html>\r\n"
    );
    respond(status, "text/html", ReplyBody::Whole(Bytes::from(page)))
}

/// The headers by which the vendor names a request.
pub(crate) fn identify(headers: &mut HeaderMap, dialect: Dialect, state: &State, id: u64) {
    let Ok(value) = HeaderValue::try_from(request_id(state, id)) else { return };
    let mut set = |name: &'static str, value: &'static str| {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    };
    match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses => {
            set("openai-version", "2020-10-01");
            set("openai-processing-ms", "1");
            headers.insert(HeaderName::from_static("x-request-id"), value);
        }
        Dialect::Anthropic => {
            set("anthropic-organization-id", "00000000-0000-7000-8000-000000000000");
            headers.insert(HeaderName::from_static("request-id"), value);
        }
        // Google names no requests.
        Dialect::Gemini => {
            set("vary", "Origin, X-Origin, Referer");
            set("server", "scaffolding on HTTPServer2");
            set("x-xss-protection", "0");
            set("x-frame-options", "SAMEORIGIN");
            set("x-content-type-options", "nosniff");
            set("server-timing", "gfet4t7; dur=1");
        }
        Dialect::Cohere => {
            headers.insert(HeaderName::from_static("x-debug-trace-id"), value);
        }
    }
}

/// The vendor's rate limit headers, with so many requests remaining.
pub(crate) fn rate_limit_headers(
    headers: &mut HeaderMap,
    dialect: Dialect,
    state: &State,
    now: Timestamp,
    left: &'static str,
) {
    let mut set = |name: &'static str, value: &'static str| {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    };
    match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses => {
            set("x-ratelimit-limit-requests", "10000");
            set("x-ratelimit-remaining-requests", left);
            set("x-ratelimit-reset-requests", if left == "0" { "1s" } else { "6ms" });
            set("x-ratelimit-limit-tokens", "2000000");
            set("x-ratelimit-remaining-tokens", "1999000");
            set("x-ratelimit-reset-tokens", "30ms");
        }
        Dialect::Anthropic => {
            set("anthropic-ratelimit-requests-limit", "10000");
            set("anthropic-ratelimit-requests-remaining", left);
            set("anthropic-ratelimit-input-tokens-limit", "2000000");
            set("anthropic-ratelimit-input-tokens-remaining", "1999000");
            set("anthropic-ratelimit-output-tokens-limit", "400000");
            set("anthropic-ratelimit-output-tokens-remaining", "399000");
            let reset = state.rate_limit_reset(now);
            for name in [
                "anthropic-ratelimit-requests-reset",
                "anthropic-ratelimit-input-tokens-reset",
                "anthropic-ratelimit-output-tokens-reset",
            ] {
                headers.insert(HeaderName::from_static(name), reset.clone());
            }
        }
        // Google and Cohere tell no limits.
        Dialect::Gemini | Dialect::Cohere => {}
    }
}

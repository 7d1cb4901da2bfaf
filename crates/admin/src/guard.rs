//! Who may come in. Loopback is not trust: a page in a browser on this machine can reach the port too.
//!
//! Every request must name a host that is ours (which defeats DNS rebinding) and, if a page sent it, come from a page
//! of our own; writes need the token of the data directory as well. There is no CORS.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, ORIGIN, X_CONTENT_TYPE_OPTIONS};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use stepwell_types::Code;

use crate::AdminState;
use crate::refusal::Refusal;

/// Lets a request through if its host and origin are ours.
pub(crate) async fn check(State(state): State<Arc<AdminState>>, request: Request, next: Next) -> Response {
    let mut response = match check_origin(request.headers(), request.uri(), &state) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn check_origin(headers: &HeaderMap, uri: &Uri, state: &AdminState) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    let named = hosts.next().and_then(|host| host.to_str().ok());
    if hosts.next().is_some() {
        return Err(Refusal::new(Code::InvalidRequest, "the request has more than one host header"));
    }
    let Some(host) = named.or(uri.authority().map(axum::http::uri::Authority::as_str)) else {
        return Err(Refusal::new(Code::InvalidRequest, "the request has no host header"));
    };
    if !is_ours(host, state) {
        let message = "this server does not answer for that host: add it to server.allowed_hosts";
        return Err(Refusal::new(Code::ForbiddenOrigin, message));
    }
    match headers.get(ORIGIN) {
        Some(origin) if !is_same_origin(origin, host) => {
            Err(Refusal::new(Code::ForbiddenOrigin, "pages of another origin may not use the management API"))
        }
        _ => Ok(()),
    }
}

fn is_ours(host: &str, state: &AdminState) -> bool {
    let name = without_port(host);
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip == state.listen.ip())
        || state
            .control
            .settings()
            .server
            .allowed_hosts
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(host) || allowed.eq_ignore_ascii_case(name))
}

/// A host without its port, an IPv6 address without its brackets.
fn without_port(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(name, _)| name),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

/// Whether a page of `origin` was served by us: its authority is the host that the request names.
fn is_same_origin(origin: &HeaderValue, host: &str) -> bool {
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    authority.is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
}

/// Proof that a request may change the process: it carries the token, and a JSON content type, which no page can send
/// across origins unasked.
pub(crate) struct Operator;

impl FromRequestParts<Arc<AdminState>> for Operator {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<AdminState>) -> Result<Self, Refusal> {
        let offered = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer);
        if !offered.is_some_and(|token| state.token.is(token)) {
            let message = "this needs authorization: Bearer with the token in the file admin-token of the data directory";
            return Err(Refusal::new(Code::Unauthorized, message));
        }
        if !is_json(&parts.headers) {
            return Err(Refusal::new(Code::UnsupportedMediaType, "send content-type: application/json"));
        }
        Ok(Self)
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/json")
}

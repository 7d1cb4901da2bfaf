//! Probes of the data plane.

use stepwell_http1::server::Response;

use crate::answer::{ReplyBody, json};
use crate::pipeline::Services;
use crate::snapshot::Snapshot;

/// The process lives.
pub(crate) fn healthy() -> Response<ReplyBody> {
    json(200, "{\"status\":\"ok\"}")
}

/// The process takes calls: it is not shutting down, and calls can be recorded.
pub(crate) fn ready(services: &Services, snapshot: &Snapshot) -> Response<ReplyBody> {
    let (status, state) = match services.ready() {
        Ok(()) => (200, "ready"),
        Err(failure) => (failure.status, failure.code.as_str()),
    };
    json(status, format!("{{\"status\":\"{state}\",\"revision\":\"{}\"}}", snapshot.settings.revision))
}

//! How the process is doing: for people, for probes and for scrapers.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::IntoResponse;
use stepwell_telemetry::Metrics;
use stepwell_types::{Code, Failure};

use crate::AdminState;
use crate::params::Params;
use crate::refusal::Refusal;
use crate::view::{ErrorBody, HealthView, ReadyView, StatusView};

/// Shows version, uptime, load, the journal, and how far the ledger is behind it.
#[utoipa::path(get, path = "/admin/v1/status", operation_id = "get_status", tag = "status", responses((status = 200, description = "How it is doing.", body = StatusView)))]
pub(crate) async fn show(
    State(state): State<Arc<AdminState>>,
    uri: Uri,
) -> Result<Json<StatusView>, Refusal> {
    Params::of(&uri).finish()?;
    let ledger = state.ledger.health().await;
    if let Err(error) = &ledger {
        tracing::warn!(detail = %error, "ledger is not healthy");
    }
    Ok(Json(StatusView::new(&state, ledger.ok().as_ref())))
}

/// Answers as long as the process lives.
#[utoipa::path(get, path = "/healthz", operation_id = "get_health", tag = "status", responses((status = 200, description = "It lives.", body = HealthView)))]
pub(crate) async fn health() -> Json<HealthView> {
    Json(HealthView { ok: true })
}

/// Says whether the process takes calls now, and can read and write its ledger.
#[utoipa::path(
    get, path = "/readyz", operation_id = "get_readiness", tag = "status",
    responses(
        (status = 200, description = "It takes calls.", body = ReadyView),
        (status = 503, description = "Not now; the error says why.", body = ErrorBody),
    ),
)]
pub(crate) async fn ready(State(state): State<Arc<AdminState>>) -> Result<Json<ReadyView>, Refusal> {
    state.control.ready()?;
    state.ledger.health().await.map_err(|error| {
        Failure::new(Code::InternalError, "the ledger does not answer: the log says why")
            .status(503)
            .detail(error.to_string())
    })?;
    Ok(Json(ReadyView { ready: true, revision: state.control.settings().revision.clone() }))
}

/// Shows every metric in Prometheus' text format. `docs/metrics.md` explains each.
#[utoipa::path(
    get, path = "/metrics", operation_id = "get_metrics", tag = "status",
    responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain")),
)]
pub(crate) async fn metrics(State(state): State<Arc<AdminState>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, Metrics::CONTENT_TYPE)], state.metrics.encode())
}

//! The configuration in force: providers, routes, where it came from, and reading it again.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{StatusCode, Uri};
use serde::Deserialize;
use stepwell_types::Code;

use crate::AdminState;
use crate::guard::Operator;
use crate::params::Params;
use crate::refusal::Refusal;
use crate::state::ReloadRefused;
use crate::view::{ConfigView, ErrorBody, List, ProviderView, ReloadView, RouteView};

/// Lists the configured providers.
#[utoipa::path(
    get, path = "/admin/v1/providers", operation_id = "list_providers", tag = "config",
    responses((status = 200, description = "The providers.", body = List<ProviderView>)),
)]
pub(crate) async fn providers(
    State(state): State<Arc<AdminState>>,
    uri: Uri,
) -> Result<Json<List<ProviderView>>, Refusal> {
    Params::of(&uri).finish()?;
    let settings = state.control.settings();
    Ok(Json(List::whole(settings.providers.values().map(ProviderView::from).collect())))
}

/// Lists the configured routes.
#[utoipa::path(
    get, path = "/admin/v1/routes", operation_id = "list_routes", tag = "config",
    responses((status = 200, description = "The routes.", body = List<RouteView>)),
)]
pub(crate) async fn routes(
    State(state): State<Arc<AdminState>>,
    uri: Uri,
) -> Result<Json<List<RouteView>>, Refusal> {
    Params::of(&uri).finish()?;
    let settings = state.control.settings();
    Ok(Json(List::whole(settings.routes.values().map(RouteView::from).collect())))
}

/// Shows where the configuration in force came from and what is worth knowing about it. Never a secret.
#[utoipa::path(get, path = "/admin/v1/config", operation_id = "get_config", tag = "config", responses((status = 200, description = "The configuration in force.", body = ConfigView)))]
pub(crate) async fn show(
    State(state): State<Arc<AdminState>>,
    uri: Uri,
) -> Result<Json<ConfigView>, Refusal> {
    Params::of(&uri).finish()?;
    Ok(Json(ConfigView::new(&state.control.settings(), &state.control.config())))
}

/// What a reload may be asked with: nothing yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReloadRequest {}

/// Reads the configuration file again and puts it in force; with a mistake in it, the last good one stays.
#[utoipa::path(
    post, path = "/admin/v1/config:reload", operation_id = "reload_config", tag = "config",
    request_body(content = Object, content_type = "application/json", description = "Empty, or `{}`."),
    security(("admin_token" = [])),
    responses(
        (status = 200, description = "The file is in force.", body = ReloadView),
        (status = 401, description = "The token is missing or wrong.", body = ErrorBody),
        (status = 415, description = "The content type is not JSON.", body = ErrorBody),
        (status = 422, description = "The file has mistakes; `error.problems` has each with its place.", body = ErrorBody),
    ),
)]
pub(crate) async fn reload(
    State(state): State<Arc<AdminState>>,
    _operator: Operator,
    uri: Uri,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ReloadView>, Refusal> {
    Params::of(&uri).finish()?;
    check_body(body)?;
    let changes = state.control.reload().await.map_err(|refused| match refused {
        ReloadRefused::Mistakes(problems) => Refusal::config(&problems),
        ReloadRefused::Failed(failure) => failure.into(),
    })?;
    let settings = state.control.settings();
    Ok(Json(ReloadView::new(&settings.revision, &changes, &state.control.config().warnings)))
}

fn check_body(body: Result<Bytes, BytesRejection>) -> Result<(), Refusal> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Refusal::new(Code::BodyTooLarge, "the body is larger than this takes")
        }
        _ => Refusal::new(Code::InvalidRequest, "the body did not arrive whole"),
    })?;
    if body.is_empty() {
        return Ok(());
    }
    let read: Result<ReloadRequest, _> = serde_json::from_slice(&body);
    read.map(|ReloadRequest {}| ()).map_err(|error| {
        let code = if error.is_data() { Code::InvalidRequest } else { Code::InvalidJson };
        Refusal::new(code, format!("the body must be empty or {{}}: {error}"))
    })
}

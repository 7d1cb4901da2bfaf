//! The paths of the management API.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};

use crate::{AdminState, calls, config, guard, pages, status, usage};

/// The largest request body, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// The management API over `state`, for the server to serve on `server.admin_listen`.
pub fn router(state: AdminState) -> Router {
    let state = Arc::new(state);
    Router::new()
        .route("/", get(pages::index))
        .route("/metrics", get(status::metrics))
        .route("/healthz", get(status::health))
        .route("/readyz", get(status::ready))
        .route("/admin/v1/calls", get(calls::list))
        .route("/admin/v1/calls/{id}", get(calls::show))
        .route("/admin/v1/usage", get(usage::show))
        .route("/admin/v1/providers", get(config::providers))
        .route("/admin/v1/routes", get(config::routes))
        .route("/admin/v1/config", get(config::show))
        .route("/admin/v1/config:reload", post(config::reload))
        .route("/admin/v1/status", get(status::show))
        .route("/admin/v1/openapi.json", get(pages::openapi))
        .fallback(pages::nothing)
        .method_not_allowed_fallback(pages::other_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), guard::check))
        .with_state(state)
}

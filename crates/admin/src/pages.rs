//! What is at `/`, at the OpenAPI path, and where there is nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use stepwell_types::Code;
use utoipa::openapi::OpenApi;

use crate::AdminState;
use crate::openapi::{document, operations};
use crate::refusal::Refusal;
use crate::view::{IndexView, OperationView};

/// Lists what there is: as a page for a browser, as JSON for anyone else.
#[utoipa::path(
    get, path = "/", operation_id = "get_index", tag = "status",
    responses((status = 200, description = "What there is.", body = IndexView)),
)]
pub(crate) async fn index(State(state): State<Arc<AdminState>>, headers: HeaderMap) -> Response {
    let operations = operations(&document());
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !accept.contains("text/html") {
        return Json(IndexView { name: "stepwell", version: state.version, endpoints: operations })
            .into_response();
    }
    let mut response = Html(page(state.version, &operations)).into_response();
    let policy =
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

fn page(version: &str, operations: &[OperationView]) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=en><meta charset=utf-8><title>Stepwell</title>\n\
         <style>body{{font:16px/1.5 system-ui;margin:3em auto;max-width:60em;padding:0 1em}}\
         td{{padding:.2em 1em .2em 0;vertical-align:top}}td:nth-child(-n+2){{font-family:monospace}}</style>\n\
         <h1>Stepwell {version}</h1>\n<p>The management API.\n<table>\n"
    );
    for OperationView { method, path, summary } in operations {
        let can_be_opened = *method == "GET" && !path.contains('{');
        let name = if can_be_opened { format!("<a href=\"{path}\">{path}</a>") } else { path.clone() };
        page.extend(["<tr><td>", method, "<td>", &name, "<td>", summary, "\n"]);
    }
    page + "</table>\n"
}

/// Shows this description.
#[utoipa::path(
    get, path = "/admin/v1/openapi.json", operation_id = "get_openapi", tag = "status",
    responses((status = 200, description = "An OpenAPI 3.1 document.", body = Object)),
)]
pub(crate) async fn openapi() -> Json<OpenApi> {
    Json(document())
}

/// Answers where there is nothing.
pub(crate) async fn nothing(method: Method, uri: Uri) -> Refusal {
    let message = format!("there is nothing at {method} {}: GET / lists what there is", uri.path());
    Refusal::new(Code::NotFound, message)
}

/// Answers where there is something, for another method.
pub(crate) async fn other_method(method: Method, uri: Uri) -> Refusal {
    Refusal::new(Code::MethodNotAllowed, format!("{} does not take {method}", uri.path()))
}

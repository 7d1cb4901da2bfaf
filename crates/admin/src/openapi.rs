//! The OpenAPI description of the management API, made from the handlers themselves.

use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{OpenApi, PathItem};
use utoipa::{Modify, OpenApi as _};

use crate::view::OperationView;
use crate::{calls, config, pages, status, usage};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Stepwell management API",
        description = "Lists have the shape {\"data\": [...], \"next_cursor\": null}; money is a decimal string in US \
                       dollars with nine places; errors have the shape of ErrorBody. Any \
                       request may be answered 403 (the host or origin is not ours) or 500."
    ),
    paths(
        calls::list, calls::show, usage::show, config::providers, config::routes, config::show, config::reload,
        status::show, status::health, status::ready, status::metrics, pages::index, pages::openapi,
    ),
    modifiers(&Token),
)]
struct Description;

/// Names the token that writes carry.
struct Token;

impl Modify for Token {
    fn modify(&self, openapi: &mut OpenApi) {
        let scheme = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The token in the file admin-token of the data directory."))
            .build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("admin_token", SecurityScheme::Http(scheme));
    }
}

pub(crate) fn document() -> OpenApi {
    Description::openapi()
}

/// The description as `docs/openapi.json` has it.
///
/// # Errors
/// Only if it cannot be written as JSON.
pub fn openapi_json() -> Result<String, serde_json::Error> {
    document().to_pretty_json().map(|text| text + "\n")
}

/// Every operation, in the order of the paths.
pub(crate) fn operations(document: &OpenApi) -> Vec<OperationView> {
    document.paths.paths.iter().flat_map(|(path, item)| of_path(path, item)).collect()
}

fn of_path(path: &str, item: &PathItem) -> Vec<OperationView> {
    let methods = [("GET", &item.get), ("POST", &item.post), ("PUT", &item.put), ("DELETE", &item.delete)];
    methods
        .into_iter()
        .filter_map(|(method, operation)| {
            let summary = operation.as_ref()?.summary.clone().unwrap_or_default();
            Some(OperationView { method, path: path.to_owned(), summary })
        })
        .collect()
}

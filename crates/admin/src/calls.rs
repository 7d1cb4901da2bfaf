//! `GET /admin/v1/calls` and `GET /admin/v1/calls/{id}`: what each call was, newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use stepwell_store::{CallFilter, Cursor};
use stepwell_types::{CallId, Code, Outcome};

use crate::params::{Params, one_of};
use crate::refusal::Refusal;
use crate::view::{CallDetailView, CallView, ErrorBody, List};
use crate::{AdminState, parse_time};

/// Calls on a page, unless the request says otherwise.
const DEFAULT_LIMIT: usize = 50;
/// The most calls on a page.
const MAX_LIMIT: usize = 500;

/// Lists calls, newest first.
#[utoipa::path(
    get, path = "/admin/v1/calls", operation_id = "list_calls", tag = "calls",
    params(
        ("limit" = Option<u16>, Query, description = "Calls on a page.", minimum = 1, maximum = 500, example = 50),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("since" = Option<String>, Query, description = "Only calls that began at or after this: RFC 3339, or how long ago (`15m`, `24h`, `7d`).", example = "24h"),
        ("until" = Option<String>, Query, description = "Only calls that began before this.", example = "now"),
        ("provider" = Option<String>, Query, description = "Only calls this provider answered, or failed last."),
        ("model" = Option<String>, Query, description = "Only calls this model answered, or failed last."),
        ("route" = Option<String>, Query, description = "Only calls to this route."),
        ("outcome" = Option<String>, Query, description = "`ok`, `failed`, `cut`, `cancelled` or `unknown`."),
        ("code" = Option<String>, Query, description = "Only calls that failed with this error code."),
        ("status" = Option<String>, Query, description = "Only calls answered with a status of this class: `2xx`, `4xx`, `5xx`."),
        ("user" = Option<String>, Query, description = "Only calls of this end user."),
        ("tag.NAME" = Option<String>, Query, description = "Only calls whose tag NAME has this value. One tag."),
    ),
    responses(
        (status = 200, description = "A page of calls.", body = List<CallView>),
        (status = 400, description = "A parameter is wrong or unknown.", body = ErrorBody),
    ),
)]
pub(crate) async fn list(
    State(state): State<Arc<AdminState>>,
    uri: Uri,
) -> Result<Json<List<CallView>>, Refusal> {
    let mut params = Params::of(&uri);
    let limit = params.parsed("limit", read_limit).unwrap_or(DEFAULT_LIMIT);
    let cursor = params.parsed("cursor", str::parse::<Cursor>);
    let filter = read_filter(&mut params, &state);
    params.finish()?;
    let page = state.ledger.calls(&AdminState::tenant(), &filter, cursor, limit).await?;
    Ok(Json(List {
        data: page.rows.into_iter().map(CallView::from).collect(),
        next_cursor: page.next.map(|next| next.to_string()),
    }))
}

fn read_filter(params: &mut Params, state: &AdminState) -> CallFilter {
    let now = state.clock.now();
    let filter = CallFilter {
        since: params.parsed("since", |text| parse_time(text, now)),
        until: params.parsed("until", |text| parse_time(text, now)),
        provider: params.text("provider"),
        model: params.text("model"),
        route: params.text("route"),
        outcome: params.parsed("outcome", |text| one_of(text, &Outcome::ALL, Outcome::as_str)),
        code: params.parsed("code", |text| {
            Code::from_text(text).ok_or("is not an error code; docs/errors.md lists them")
        }),
        status_class: params.parsed("status", read_status_class),
        user: params.text("user"),
        tag: params.named("tag.", "tag.NAME"),
    };
    if let (Some(since), Some(until)) = (filter.since, filter.until)
        && since > until
    {
        params.refuse("until", "is before since");
    }
    filter
}

fn read_limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        _ => Err(format!("is not a number from 1 to {MAX_LIMIT}")),
    }
}

fn read_status_class(text: &str) -> Result<u8, &'static str> {
    match text {
        "2xx" => Ok(2),
        "3xx" => Ok(3),
        "4xx" => Ok(4),
        "5xx" => Ok(5),
        _ => Err("is not one of 2xx, 3xx, 4xx, 5xx"),
    }
}

/// Shows one call with its attempts.
#[utoipa::path(
    get, path = "/admin/v1/calls/{id}", operation_id = "get_call", tag = "calls",
    params(("id" = String, Path, description = "The call's id, as in the reply's `x-stepwell-call-id`.")),
    responses(
        (status = 200, description = "The call.", body = CallDetailView),
        (status = 400, description = "The id is not a call id.", body = ErrorBody),
        (status = 404, description = "There is no such call, or it is not in the ledger yet.", body = ErrorBody),
    ),
)]
pub(crate) async fn show(
    State(state): State<Arc<AdminState>>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Json<CallDetailView>, Refusal> {
    Params::of(&uri).finish()?;
    let id: Option<CallId> = path.ok().and_then(|Path(text)| text.parse().ok());
    let Some(id) = id else {
        return Err(Refusal::param(
            "id",
            "is not a call id: take it from x-stepwell-call-id or a list of calls",
        ));
    };
    let Some(call) = state.ledger.call(&AdminState::tenant(), id).await? else {
        let message = format!("no call {id} is in the ledger; a call arrives there moments after it ends");
        return Err(Refusal::new(Code::NotFound, message));
    };
    Ok(Json(CallDetailView::from(&call)))
}

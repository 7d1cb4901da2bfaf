//! `GET /admin/v1/usage`: calls, tokens and money by group, from rollups.
//!
//! [`usage`] is shared with the `stepwell usage` command, which asks an opened ledger when no server answers, so both
//! show the same JSON.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use stepwell_store::{Dimension, Ledger, Step, UsageQuery};
use stepwell_types::{Tenant, Timestamp};

use crate::params::{Params, one_of};
use crate::refusal::Refusal;
use crate::view::{ErrorBody, FIGURES, UsageRowView, UsageView};
use crate::{AdminState, parse_time};

/// The most dimensions of one question.
const MAX_DIMENSIONS: usize = 6;
/// How far back, unless the request says otherwise.
const DEFAULT_SINCE: &str = "24h";

const STEPS: [(Step, &str); 4] =
    [(Step::Minute, "minute"), (Step::Hour, "hour"), (Step::Day, "day"), (Step::None, "none")];

/// What to sum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsageRequest {
    /// From when. Rounded down to the minute.
    pub since: Timestamp,
    /// Until when. Rounded up to the minute.
    pub until: Timestamp,
    /// What to group by, each with the word it was asked for by: the field's name in a row.
    pub group_by: Vec<(String, Dimension)>,
    /// How the time axis is cut.
    pub step: Step,
}

impl UsageRequest {
    /// Reads a list such as `provider,model,feature`. A word that is no dimension is a tag's name.
    ///
    /// # Errors
    /// What is wrong with the list.
    pub fn read_group_by(text: &str) -> Result<Vec<(String, Dimension)>, String> {
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        if words.len() > MAX_DIMENSIONS {
            return Err(format!("has more than {MAX_DIMENSIONS} dimensions"));
        }
        let mut seen = HashSet::new();
        words
            .into_iter()
            .map(|word| {
                let dimension: Dimension = word.parse().map_err(str::to_owned)?;
                if !seen.insert(dimension.name()) {
                    return Err(format!("names {word} twice"));
                }
                // A tag with the name of a figure would hide it.
                let field = if FIGURES.contains(&word) { dimension.name() } else { word.to_owned() };
                Ok((field, dimension))
            })
            .collect()
    }

    /// Reads `minute`, `hour`, `day` or `none`.
    ///
    /// # Errors
    /// What there is.
    pub fn read_step(text: &str) -> Result<Step, String> {
        let steps = STEPS.map(|(step, _)| step);
        one_of(text, &steps, step_name)
    }
}

fn step_name(step: Step) -> &'static str {
    STEPS.iter().find(|(each, _)| *each == step).map_or("none", |(_, name)| *name)
}

/// Asks a ledger for sums by group, and their total.
///
/// # Errors
/// What the ledger says.
pub async fn usage(
    ledger: &dyn Ledger,
    tenant: &Tenant,
    request: UsageRequest,
) -> Result<UsageView, stepwell_store::Error> {
    let (fields, group_by): (Vec<_>, Vec<_>) = request.group_by.into_iter().unzip();
    let mut query = UsageQuery { since: request.since, until: request.until, group_by, step: request.step };
    let rows = ledger.usage(tenant, &query).await?;
    // Percentiles cannot be added up, so the total is a question of its own.
    query.group_by.clear();
    query.step = Step::None;
    let total = ledger.usage(tenant, &query).await?.into_iter().next();
    Ok(UsageView {
        since: request.since.to_rfc3339(),
        until: request.until.to_rfc3339(),
        step: step_name(request.step),
        data: rows.iter().map(|row| UsageRowView::new(&fields, row)).collect(),
        total: total.map_or_else(UsageRowView::none, |row| UsageRowView::new(&[], &row)),
    })
}

/// Sums calls, tokens and money by group.
#[utoipa::path(
    get, path = "/admin/v1/usage", operation_id = "get_usage", tag = "usage",
    params(
        ("group_by" = Option<String>, Query, description = "Up to 6 of `project`, `provider`, `model`, `route`, `requested_model`, `endpoint`, `dialect`, `outcome`, or tag names (`feature`, `tag:feature`), with commas. Nothing: one row.", example = "provider,model"),
        ("since" = Option<String>, Query, description = "From when: RFC 3339, or how long ago (`15m`, `24h`, `7d`). Rounded down to the minute. 24h if not given.", example = "7d"),
        ("until" = Option<String>, Query, description = "Until when, rounded up to the minute. Now if not given.", example = "now"),
        ("step" = Option<String>, Query, description = "A row per `minute`, `hour` or `day` (UTC) and group; `none` (if not given): one per group."),
    ),
    responses(
        (status = 200, description = "Sums by group, and their total.", body = UsageView),
        (status = 400, description = "A parameter is wrong or unknown.", body = ErrorBody),
    ),
)]
pub(crate) async fn show(State(state): State<Arc<AdminState>>, uri: Uri) -> Result<Json<UsageView>, Refusal> {
    let now = state.clock.now();
    let mut params = Params::of(&uri);
    let group_by = params.parsed("group_by", UsageRequest::read_group_by).unwrap_or_default();
    let default_since = parse_time(DEFAULT_SINCE, now).unwrap_or(now);
    let since = params.parsed("since", |text| parse_time(text, now)).unwrap_or(default_since);
    let until = params.parsed("until", |text| parse_time(text, now)).unwrap_or(now);
    let step = params.parsed("step", UsageRequest::read_step).unwrap_or(Step::None);
    if since > until {
        params.refuse("until", "is before since");
    }
    params.finish()?;
    let request = UsageRequest { since, until, group_by, step };
    Ok(Json(usage(&*state.ledger, &AdminState::tenant(), request).await?))
}

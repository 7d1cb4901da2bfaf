//! `stepwell usage`: what was used and what it cost.
//!
//! Asks the running server; if none answers, opens the store itself, under the lock of its data directory.

use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;
use stepwell_admin::{UsageRequest, parse_time};
use stepwell_config::{Settings, StoreUrl};
use stepwell_http1::Room;
use stepwell_http1::client::Request;
use stepwell_store::{DataDir, Step};
use stepwell_types::{Clock, SystemClock, Tenant};
use stepwell_upstream::{Error, Limits, Origin, Tls, Upstream};

use super::{Failure, settings};
use crate::cli::UsageArgs;
use crate::output;
use crate::serve::open_sqlite;

/// How long a server that runs may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much is read at once, in bytes.
const ROOM: usize = 64 * 1024;
/// The longest answer, in bytes.
const LIMIT: usize = 64 << 20;

/// The figures of the table, with their headings.
const COLUMNS: [(&str, &str); 6] = [
    ("calls", "calls"),
    ("failed", "failed"),
    ("input_tokens", "input"),
    ("output_tokens", "output"),
    ("unpriced", "unpriced"),
    ("cost_usd", "cost usd"),
];

pub(super) fn run(args: &UsageArgs) -> Result<ExitCode, Failure> {
    let (_, _, loaded) = settings(&args.config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::new)?;
    let answer = runtime.block_on(async {
        match ask_server(&loaded.settings, args).await? {
            Some(answer) => Ok(answer),
            None => ask_store(&loaded.settings, args).await,
        }
    })?;
    if args.json {
        output::result(serde_json::to_string_pretty(&answer).map_err(Failure::new)?);
    } else {
        output::result(table(&answer, &args.by, args.step.is_some()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The answer of the running server; none if there is no server.
async fn ask_server(settings: &Settings, args: &UsageArgs) -> Result<Option<Value>, Failure> {
    let address = settings.server.admin_listen;
    let origin = Origin::parse(&format!("http://{address}")).map_err(Failure::new)?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("group_by", &args.by.join(",")).append_pair("since", &args.since);
    for (name, value) in [("until", &args.until), ("step", &args.step)] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let path = format!("/admin/v1/usage?{}", query.finish());
    let template = origin.template(&Method::GET, &path, &HeaderMap::new()).map_err(Failure::new)?;
    let request = Request::new(&template, Bytes::new());
    let limits =
        Limits { connect: PATIENCE, tls: PATIENCE, first_byte: PATIENCE, idle: PATIENCE, connections: 1 };
    let client = Upstream::new(Tls::system().map_err(Failure::new)?, Room::new(ROOM));
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let sent = client.send(&origin, request, &limits, deadline).await;
    let mut exchange = match sent {
        Ok(exchange) => exchange,
        Err(Error::Connect(_)) => return Ok(None),
        Err(error) => return Err(Failure(format!("the server at {address} does not answer: {error}"))),
    };
    let status = exchange.head().status;
    let body = exchange.read_all(LIMIT).await.map_err(Failure::new)?;
    let answer: Value = serde_json::from_slice(&body)
        .map_err(|_| Failure(format!("what listens on {address} is not a stepwell")))?;
    match answer.pointer("/error/message").and_then(Value::as_str) {
        Some(message) => Err(Failure(message.to_owned())),
        None if status.is_success() => Ok(Some(answer)),
        None => Err(Failure(format!("the server at {address} answered {status}"))),
    }
}

/// The answer of the store, opened here: no server runs on it, or the lock says so.
async fn ask_store(settings: &Settings, args: &UsageArgs) -> Result<Value, Failure> {
    let now = SystemClock::new().now();
    let time = |name: &str, text: &str| {
        parse_time(text, now).map_err(|wanted| Failure(format!("{name} is `{text}`: {wanted}")))
    };
    let request = UsageRequest {
        since: time("--since", &args.since)?,
        until: args.until.as_deref().map_or(Ok(now), |text| time("--until", text))?,
        group_by: UsageRequest::read_group_by(&args.by.join(","))
            .map_err(|problem| Failure(format!("--by {problem}")))?,
        step: match &args.step {
            Some(text) => {
                UsageRequest::read_step(text).map_err(|problem| Failure(format!("--step {problem}")))?
            }
            None => Step::None,
        },
    };
    if !settings.data_dir.is_dir() {
        let path = settings.data_dir.display();
        return Err(Failure(format!("there is no data in {path} yet: start stepwell and make a call")));
    }
    let data_dir = DataDir::open(&settings.data_dir).map_err(Failure::new)?;
    let ledger = match settings.store.url {
        StoreUrl::Sqlite => open_sqlite(&data_dir, now)?,
    };
    let view = stepwell_admin::usage(&ledger, &Tenant::only(), request).await.map_err(Failure::new)?;
    serde_json::to_value(view).map_err(Failure::new)
}

/// The answer as a table: groups to the left, figures to the right, the total last.
fn table(answer: &Value, by: &[String], has_steps: bool) -> String {
    let start = has_steps.then_some("start");
    let groups: Vec<&str> = start.into_iter().chain(by.iter().map(String::as_str)).collect();
    let mut rows =
        vec![groups.iter().copied().chain(COLUMNS.map(|(_, heading)| heading)).map(str::to_owned).collect()];
    let data = answer["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    rows.extend(data.iter().map(|row| cells(row, &groups)));
    let mut total = cells(&answer["total"], &groups);
    for (index, cell) in total.iter_mut().take(groups.len()).enumerate() {
        *cell = if index == 0 { "total".to_owned() } else { String::new() };
    }
    rows.push(total);
    output::table(&rows, |column| column < groups.len())
}

fn cells(row: &Value, groups: &[&str]) -> Vec<String> {
    groups.iter().copied().chain(COLUMNS.map(|(field, _)| field)).map(|field| cell(&row[field])).collect()
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_table_has_groups_left_figures_right_and_the_total_last() {
        let figures = json!({"calls": 2, "failed": 0, "input_tokens": 10, "output_tokens": 200, "unpriced": 0,
            "cost_usd": "0.000000123"});
        let mut row = figures.clone();
        row["provider"] = json!("openai");
        let answer = json!({ "data": [row], "total": figures });
        let text = table(&answer, &["provider".to_owned()], false);
        assert_eq!(
            text,
            "provider  calls  failed  input  output  unpriced     cost usd\n\
             openai        2       0     10     200         0  0.000000123\n\
             total         2       0     10     200         0  0.000000123"
        );
    }
}

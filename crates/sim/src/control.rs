//! The simulator's own endpoints, under `/sim`, without a key: the account, the script of faults, refusing.
//!
//! `GET /sim` · `GET /sim/oracle?after=SEQ&limit=N` · `DELETE /sim/oracle` · `GET|POST|DELETE /sim/faults` ·
//! `POST /sim/refuse?ms=N`

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_types::Usage;

use crate::body::ReplyBody;
use crate::faults::Scripted;
use crate::head::respond;
use crate::oracle::{OracleEntry, OracleTotals};
use crate::state::State;

/// Entries in a page of the account, unless asked otherwise.
const PAGE: usize = 10_000;
/// The most entries in a page.
const MAX_PAGE: usize = 100_000;
/// The longest the simulator refuses connections for: 10 minutes.
const MAX_REFUSE_MS: u64 = 600_000;

/// Answers a request to the simulator itself.
pub(crate) fn answer(
    state: &State,
    method: &Method,
    path: &str,
    query: Option<&str>,
    body: &[u8],
) -> Response<ReplyBody> {
    let result = match (method, path) {
        (&Method::GET, "/sim") => Ok(about(state)),
        (&Method::GET, "/sim/oracle") => oracle(state, query),
        (&Method::DELETE, "/sim/oracle") => {
            state.oracle.reset();
            Ok(json!({}))
        }
        (&Method::GET, "/sim/faults") => Ok(pending(state)),
        (&Method::POST, "/sim/faults") => script(state, body),
        (&Method::DELETE, "/sim/faults") => {
            state.faults.clear();
            Ok(json!({}))
        }
        (&Method::POST, "/sim/refuse") => refuse(state, query),
        _ => Err((404, format!("there is no {method} {path}"))),
    };
    let (status, value) = match result {
        Ok(value) => (200, value),
        Err((status, message)) => (status, json!({"error": {"message": message}})),
    };
    respond(status, "application/json", ReplyBody::Whole(Bytes::from(value.to_string())))
}

type Outcome = Result<Value, (u16, String)>;

fn about(state: &State) -> Value {
    let models: Vec<Value> = state
        .models
        .iter()
        .map(|model| {
            let prices = &model.prices;
            json!({
                "name": model.name,
                "context_tokens": model.context_tokens,
                "max_output_tokens": model.max_output_tokens,
                "nano_usd_per_million_tokens": {
                    "input": prices.input,
                    "cache_read": prices.cache_read,
                    "cache_write_5m": prices.cache_write_5m,
                    "cache_write_1h": prices.cache_write_1h,
                    "output": prices.output,
                },
            })
        })
        .collect();
    json!({ "models": models, "faults": crate::Fault::NAMES })
}

fn parameter<'q>(query: Option<&'q str>, name: &str) -> Option<&'q str> {
    query?
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

fn number(query: Option<&str>, name: &str, default: u64) -> Result<u64, (u16, String)> {
    match parameter(query, name) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| (400, format!("{name} takes a whole number, not {text:?}"))),
    }
}

fn oracle(state: &State, query: Option<&str>) -> Outcome {
    let after = number(query, "after", 0)?;
    let limit = number(query, "limit", u64::try_from(PAGE).unwrap_or(u64::MAX))?;
    let limit = usize::try_from(limit).unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
    let entries = state.oracle.entries(after, limit);
    let next_after = entries.last().filter(|_| entries.len() == limit).map(|entry| entry.seq);
    let data: Vec<Value> = entries.iter().map(entry).collect();
    Ok(json!({ "data": data, "next_after": next_after, "totals": totals(&state.oracle.totals()) }))
}

fn entry(entry: &OracleEntry) -> Value {
    json!({
        "seq": entry.seq,
        "ended_at": entry.ended_at.to_rfc3339(),
        "id": entry.id,
        "request_id": entry.request_id,
        "client_request_id": entry.client_request_id,
        "model": entry.model,
        "dialect": entry.dialect.as_str(),
        "endpoint": entry.endpoint.as_str(),
        "streamed": entry.streamed,
        "status": entry.status,
        "ended": entry.ended.as_str(),
        "fault": entry.fault,
        "usage": usage(&entry.usage),
        "billed_usage": usage(&entry.billed_usage),
        "billed_usd": entry.billed.to_string(),
        "billed_nano_usd": entry.billed.as_nanos(),
    })
}

fn usage(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.input_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_5m_tokens": usage.cache_write_5m_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "output_tokens": usage.output_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
    })
}

fn totals(totals: &OracleTotals) -> Value {
    json!({
        "requests": totals.requests,
        "in_flight": totals.in_flight,
        "finished": totals.finished,
        "cut_by_fault": totals.cut_by_fault,
        "client_gone": totals.client_gone,
        "errors": totals.errors,
        "billed_usage": usage(&totals.usage),
        "billed_usd": totals.billed.to_string(),
        "billed_nano_usd": totals.billed.as_nanos(),
    })
}

/// What `POST /sim/faults` takes: one of these, or a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    fault: String,
    #[serde(default = "once")]
    times: u32,
    model: Option<String>,
}

fn once() -> u32 {
    1
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Lines {
    One(Line),
    Many(Vec<Line>),
}

fn script(state: &State, body: &[u8]) -> Outcome {
    let takes = "takes {\"fault\": \"cut 5\", \"times\": 1, \"model\": null} or a list of such";
    let lines: Lines = serde_json::from_slice(body).map_err(|_| (400, takes.to_owned()))?;
    let lines = match lines {
        Lines::One(line) => vec![line],
        Lines::Many(lines) => lines,
    };
    let mut scripted = Vec::with_capacity(lines.len());
    for line in lines {
        let fault = line.fault.parse().map_err(|error| (400, format!("{error}")))?;
        let model = line.model.map(|name| name.strip_prefix("sim/").unwrap_or(&name).to_owned());
        if let Some(name) = model.as_ref().filter(|name| state.models.find(name).is_none()) {
            return Err((400, format!("there is no model {name}")));
        }
        scripted.push(Scripted { fault, times: line.times, model });
    }
    for scripted in scripted {
        if !state.faults.push(scripted) {
            return Err((400, "the script is full".to_owned()));
        }
    }
    Ok(pending(state))
}

fn pending(state: &State) -> Value {
    let lines: Vec<Value> = state
        .faults
        .pending()
        .iter()
        .map(|line| json!({"fault": line.fault.to_string(), "times": line.times, "model": line.model}))
        .collect();
    json!({ "data": lines })
}

fn refuse(state: &State, query: Option<&str>) -> Outcome {
    let millis = number(query, "ms", 1_000)?.min(MAX_REFUSE_MS);
    state.refuse.send_replace(Duration::from_millis(millis));
    Ok(json!({ "ms": millis }))
}

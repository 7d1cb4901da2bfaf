//! What the management API says after the last restart, beside the ledger's own rows: lists page by page, and sums.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use stepwell_types::{NanoUsd, Outcome};
use tokio::time::{Instant, sleep};

use super::account::Account;
use super::http;

/// How long the journal may take to reach the ledger.
const PATIENCE: Duration = Duration::from_mins(1);
/// Groups that sums are asked for by: each must add up to the whole.
const GROUPS: [&str; 4] = ["provider,model", "requested_model,outcome", "dialect", "feature"];

/// The API's answers.
pub(super) struct Books {
    /// Ids of all calls, in the order of the list.
    ids: Vec<String>,
    /// What was asked, and the answer.
    sums: Vec<(String, Value)>,
    by_model: Value,
}

impl Books {
    /// Waits until all is shipped, then asks for everything.
    pub(super) async fn of_admin_api(admin: SocketAddr) -> Self {
        wait_until_shipped(admin).await;
        let mut ids = Vec::new();
        let mut path = "/admin/v1/calls?limit=500".to_owned();
        loop {
            let page = ask(admin, &path).await;
            let rows = page["data"].as_array().unwrap();
            ids.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/admin/v1/calls?limit=500&cursor={cursor}");
        }
        let mut sums = Vec::new();
        for step in ["none", "minute", "hour", "day"] {
            for group in GROUPS {
                let path = format!("/admin/v1/usage?since=7d&step={step}&group_by={group}");
                let answer = ask(admin, &path).await;
                sums.push((path, answer));
            }
        }
        let by_model = ask(admin, "/admin/v1/usage?since=7d&step=none&group_by=provider,model").await;
        Self { ids, sums, by_model }
    }

    /// Everything that does not agree.
    pub(super) fn problems(&self, account: &Account) -> Vec<String> {
        let mut problems = Vec::new();
        let listed: HashSet<&String> = self.ids.iter().collect();
        let stored: HashSet<String> = account.calls.iter().map(|call| call.id.to_string()).collect();
        if listed.len() != self.ids.len() || stored.len() != account.calls.len() {
            problems.push("a call is listed twice".to_owned());
        }
        if listed != stored.iter().collect() {
            problems.push(format!("{} calls are listed, {} are stored", listed.len(), stored.len()));
        }
        let expected = Sums::of_calls(account);
        for (path, answer) in &self.sums {
            let total = Sums::of_row(&answer["total"]);
            let added =
                answer["data"].as_array().unwrap().iter().map(Sums::of_row).fold(Sums::default(), Sums::plus);
            if total != expected || added != expected {
                problems.push(format!("{path}: {total:?} in all, {added:?} added up, not {expected:?}"));
            }
        }
        let by_model = by_model(account);
        let told: BTreeMap<(String, String), (u64, NanoUsd)> =
            self.by_model["data"].as_array().unwrap().iter().filter_map(model_row).collect();
        if told != by_model {
            problems.push(format!("by model {told:?}, not {by_model:?}"));
        }
        problems
    }
}

/// The figures that must agree.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Sums {
    calls: u64,
    attempts: u64,
    failed: u64,
    input: u64,
    output: u64,
    cache_read: u64,
    cost: NanoUsd,
    charged: NanoUsd,
    unpriced: u64,
}

impl Sums {
    fn of_calls(account: &Account) -> Self {
        let mut sums = Self::default();
        for call in &account.calls {
            sums.calls += 1;
            let has_failed = matches!(call.outcome, Outcome::Failed | Outcome::Cut | Outcome::Unknown);
            sums.failed += u64::from(has_failed);
            for attempt in &call.attempts {
                sums.attempts += 1;
                sums.input += attempt.usage.input_tokens;
                sums.output += attempt.usage.output_tokens;
                sums.cache_read += attempt.usage.cache_read_tokens;
                sums.cost = sums.cost.plus(attempt.cost.unwrap());
                sums.charged = sums.charged.plus(attempt.cost.unwrap());
            }
        }
        sums
    }

    fn of_row(row: &Value) -> Self {
        let count = |name: &str| row[name].as_u64().unwrap();
        let money = |name: &str| row[name].as_str().unwrap().parse().unwrap();
        Self {
            calls: count("calls"),
            attempts: count("attempts"),
            failed: count("failed"),
            input: count("input_tokens"),
            output: count("output_tokens"),
            cache_read: count("cache_read_tokens"),
            cost: money("cost_usd"),
            charged: money("charged_usd"),
            unpriced: count("unpriced"),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            attempts: self.attempts + other.attempts,
            failed: self.failed + other.failed,
            input: self.input + other.input,
            output: self.output + other.output,
            cache_read: self.cache_read + other.cache_read,
            cost: self.cost.plus(other.cost),
            charged: self.charged.plus(other.charged),
            unpriced: self.unpriced + other.unpriced,
        }
    }
}

/// Attempts and cost by provider and model.
fn by_model(account: &Account) -> BTreeMap<(String, String), (u64, NanoUsd)> {
    let mut sums: BTreeMap<_, (u64, NanoUsd)> = BTreeMap::new();
    for attempt in account.calls.iter().flat_map(|call| &call.attempts) {
        let target = (attempt.target.provider.to_string(), attempt.target.model.to_string());
        let sum = sums.entry(target).or_default();
        *sum = (sum.0 + 1, sum.1.plus(attempt.cost.unwrap()));
    }
    sums
}

/// None for calls that no attempt was made for.
fn model_row(row: &Value) -> Option<((String, String), (u64, NanoUsd))> {
    let target = (row["provider"].as_str()?.to_owned(), row["model"].as_str()?.to_owned());
    Some((target, (row["attempts"].as_u64()?, row["cost_usd"].as_str()?.parse().ok()?)))
}

/// Waits until nothing of the journal is missing in the ledger.
pub(super) async fn wait_until_shipped(admin: SocketAddr) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = ask(admin, "/admin/v1/status").await;
        if status["shipper"]["behind_bytes"] == 0 && status["journal"]["open_calls"] == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "the ledger does not catch up: {status}");
        sleep(Duration::from_millis(20)).await;
    }
}

pub(super) async fn ask(admin: SocketAddr, path: &str) -> Value {
    let (status, body) = http::get(admin, path).await.unwrap();
    assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

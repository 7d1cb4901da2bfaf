//! The provider's account beside the ledger, attempt by attempt.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use stepwell_sim::{Oracle, OracleEntry};
use stepwell_store::{CallFilter, Ledger as _, SqliteLedger};
use stepwell_types::{
    AttemptRecord, CallRecord, Clock as _, CostStatus, Dialect, NanoUsd, Outcome, SystemClock, Tenant,
    UsageSource,
};

use super::load::{Call, Life, Log, Seen};
use super::process::Place;

/// Entries read of the account, and calls of the ledger, at a time.
const PAGE: usize = 1_000;

/// An attempt in both books.
struct Pair {
    call: usize,
    number: usize,
    /// The provider's entry; none if it never had the request.
    entry: Option<OracleEntry>,
}

/// Both books.
pub(super) struct Account {
    /// Every call in the ledger.
    pub(super) calls: Vec<CallRecord>,
    pairs: Vec<Pair>,
    /// Entries of the provider that no attempt in the ledger belongs to.
    strays: Vec<OracleEntry>,
}

impl Account {
    /// Reads both books. The binary has stopped.
    pub(super) async fn read(place: &Place, oracle: &Oracle, log: &Log) -> Self {
        let calls = ledger(place, log.calls.len()).await;
        let mut entries = entries(oracle);
        let mut pairs = Vec::new();
        for (place, call) in calls.iter().enumerate() {
            for (number, attempt) in call.attempts.iter().enumerate() {
                // No route here has two targets of one dialect: call and dialect name an attempt.
                let of_attempt = entries.get_mut(&(call.id.to_string(), attempt.dialect));
                let entry = of_attempt.and_then(Vec::pop);
                pairs.push(Pair { call: place, number, entry });
            }
        }
        let strays = entries.into_values().flatten().collect();
        Self { calls, pairs, strays }
    }

    /// Everything that is not as it must be.
    pub(super) fn problems(&self, log: &Log) -> Vec<String> {
        let mut problems: Vec<String> = Vec::new();
        problems.extend(self.strays.iter().map(|stray| format!("the provider has one more: {stray:?}")));
        for pair in &self.pairs {
            let call = &self.calls[pair.call];
            let attempt = &call.attempts[pair.number];
            problems.extend(
                wrong(attempt, pair.entry.as_ref())
                    .map(|what| format!("{what}: {} {attempt:?} {:?}", call.id, pair.entry)),
            );
        }
        problems.extend(self.beside_clients(log));
        problems.extend(self.unknown_beside_kills(log));
        problems.extend(self.proves_little());
        problems
    }

    /// A run in which hardly anything was billed, or no kill met a call, proves nothing.
    fn proves_little(&self) -> Option<String> {
        let count = |outcome| self.calls.iter().filter(|call| call.outcome == outcome).count();
        let (ok, unknown) = (count(Outcome::Ok), count(Outcome::Unknown));
        (ok < self.calls.len() / 4 || unknown == 0)
            .then(|| format!("of {} calls only {ok} were ok and {unknown} unknown", self.calls.len()))
    }

    /// What clients saw beside what the ledger says.
    fn beside_clients(&self, log: &Log) -> Vec<String> {
        let mut problems = Vec::new();
        let mut by_number: HashMap<usize, &CallRecord> = HashMap::new();
        for call in &self.calls {
            match number(call) {
                Some(number) if number < log.calls.len() => {
                    if by_number.insert(number, call).is_some() {
                        problems.push(format!("client call {number} is twice in the ledger: {call:?}"));
                    }
                }
                _ => problems.push(format!("no client made this call: {call:?}")),
            }
        }
        for (number, Call { seen, .. }) in log.calls.iter().enumerate() {
            let call = by_number.get(&number);
            let found = call.map(|call| (call.outcome, call.status));
            let is_right = match *seen {
                Seen::Answer(200) | Seen::Stream => found == Some((Outcome::Ok, 200)),
                // The journal was full, and the call refused before anything was sent: it has no record. Had something been
                // sent, its entry in the account would be without an attempt.
                Seen::Answer(503) if found.is_none() => true,
                Seen::Answer(status) => found == Some((Outcome::Failed, status)),
                Seen::ErrorEvent => found == Some((Outcome::Cut, 200)),
                Seen::Left | Seen::Broken => true,
                Seen::Open => false,
            };
            if !is_right {
                problems.push(format!("client call {number} saw {seen:?}; in the ledger: {call:?}"));
            }
        }
        problems
    }

    /// No more unknown calls of a process than it can have had in flight when it was killed.
    fn unknown_beside_kills(&self, log: &Log) -> Vec<String> {
        let mut unknown = vec![0; log.kills.len() + 1];
        for call in self.calls.iter().filter(|call| call.outcome == Outcome::Unknown) {
            let life = number(call).and_then(|number| log.calls.get(number)).map(|call| call.life);
            unknown[life.unwrap_or(log.kills.len())] += 1;
        }
        let mut problems = Vec::new();
        if unknown.last().is_some_and(|left| *left > 0) {
            problems.push(format!("{unknown:?}: unknown calls of a process that was not killed"));
        }
        for (kill, unknown) in log.kills.iter().zip(unknown) {
            if unknown > kill.in_flight + kill.left {
                problems.push(format!("{unknown} unknown calls of a kill: {kill:?}"));
            }
        }
        problems
    }

    /// The figures of a run, for people.
    pub(super) fn report(&self, log: &Log, starts: &[Duration], place: &Place) -> String {
        let mut text = String::new();
        let mut line = |what: &str, value: String| {
            writeln!(text, "{what:<44} {value}").unwrap();
        };
        let at = |life| log.kills.iter().filter(|kill| kill.life == life).count();
        let (starting, stopping) = (at(Life::Starting), at(Life::Stopping));
        let in_flight: usize = log.kills.iter().map(|kill| kill.in_flight).sum();
        let left: usize = log.kills.iter().map(|kill| kill.left).sum();
        line(
            "kills (of them while starting, stopping)",
            format!("{} ({starting}, {stopping})", log.kills.len()),
        );
        line("calls begun by clients", log.calls.len().to_string());
        line("calls in the ledger", self.calls.len().to_string());
        line("attempts in the ledger", self.pairs.len().to_string());
        let known = self.pairs.iter().filter(|pair| pair.entry.is_some()).count();
        line("attempts in the provider's account", (known + self.strays.len()).to_string());
        line("calls in flight at the kills", in_flight.to_string());
        line("calls whose clients had left before", left.to_string());
        for outcome in Outcome::ALL {
            let count = self.calls.iter().filter(|call| call.outcome == outcome).count();
            line(&format!("calls {}", outcome.as_str()), count.to_string());
        }
        line("segments of the journal begun", place.last_segment().to_string());
        line("most bytes in the journal", place.most_journal().to_string());
        let mut starts: Vec<u128> = starts.iter().map(Duration::as_millis).collect();
        starts.sort_unstable();
        let at = |part: usize| starts.get((starts.len() * part / 100).min(starts.len() - 1)).copied();
        line("start to ready, ms (p50, p99, most)", format!("{:?} {:?} {:?}", at(50), at(99), at(100)));
        text.push_str(&self.deviations());
        text
    }

    /// How far estimates are from what the provider billed.
    fn deviations(&self) -> String {
        let mut rows: BTreeMap<String, Deviation> = BTreeMap::new();
        for pair in &self.pairs {
            let call = &self.calls[pair.call];
            let attempt = &call.attempts[pair.number];
            if attempt.usage_source != UsageSource::Estimate {
                continue;
            }
            let kind = if call.streamed { "stream" } else { "whole" };
            let there = pair.entry.as_ref().map_or("never had it", |entry| entry.ended.as_str());
            let row = format!("{:<10} {kind:<7} {there}", attempt.outcome.as_str());
            rows.entry(row).or_default().add(attempt, pair.entry.as_ref());
        }
        let mut text = format!(
            "{:<33} {:>8} {:>14} {:>14} {:>8} {:>12} {:>14}\n",
            "estimated: outcome, kind, provider",
            "attempts",
            "billed nano$",
            "ledger nano$",
            "below",
            "most below",
            "bound nano$"
        );
        for (row, sums) in rows {
            let Deviation { attempts, billed, estimated, below, most_below, bound } = sums;
            writeln!(
                text,
                "{row:<34} {attempts:>8} {billed:>14} {estimated:>14} {below:>8} {most_below:>12} {bound:>14}"
            )
            .unwrap();
        }
        text
    }
}

/// The sums of a kind of estimates, in nano-dollars.
#[derive(Default)]
struct Deviation {
    attempts: usize,
    billed: i64,
    estimated: i64,
    /// How many are less than was billed.
    below: usize,
    most_below: i64,
    bound: i64,
}

impl Deviation {
    fn add(&mut self, attempt: &AttemptRecord, entry: Option<&OracleEntry>) {
        let billed = billed(entry).as_nanos();
        let estimated = attempt.cost.map_or(0, NanoUsd::as_nanos);
        self.attempts += 1;
        self.billed += billed;
        self.estimated += estimated;
        self.bound += attempt.bound.map_or(0, NanoUsd::as_nanos);
        self.below += usize::from(estimated < billed);
        self.most_below = self.most_below.max(billed - estimated);
    }
}

/// What is wrong with an attempt in the ledger, beside the provider's entry of it.
fn wrong(attempt: &AttemptRecord, entry: Option<&OracleEntry>) -> Option<&'static str> {
    let billed = billed(entry);
    if attempt.bound.is_none_or(|bound| bound < billed) {
        return Some("more was billed than the bound");
    }
    if attempt.outcome == Outcome::Unknown {
        let is_at_bound = attempt.cost == attempt.bound && attempt.cost_status == CostStatus::Estimated;
        return (!is_at_bound).then_some("an unknown attempt is not at its bound");
    }
    match (attempt.usage_source, entry) {
        (UsageSource::Provider, None) => Some("the provider never had an attempt it is said to have metered"),
        (UsageSource::Provider, Some(entry)) => {
            // The replies of Ollama and of Bedrock have no ids: there the account's is its own.
            let has_none = matches!(entry.dialect, Dialect::Ollama | Dialect::BedrockConverse);
            let id = (!has_none).then_some(&*entry.id);
            let is_equal = attempt.cost == Some(billed)
                && attempt.cost_status == CostStatus::Exact
                && attempt.usage == entry.billed_usage
                && attempt.provider_id.as_deref() == id;
            (!is_equal).then_some("a final is not what the provider billed")
        }
        (UsageSource::None, _) => {
            let is_free = attempt.cost == Some(NanoUsd::ZERO) && billed == NanoUsd::ZERO;
            (!is_free).then_some("an attempt that cost nothing was billed")
        }
        (UsageSource::Estimate, _) => {
            let is_marked = attempt.cost.is_some() && attempt.cost_status == CostStatus::Estimated;
            (!is_marked).then_some("an estimate is not marked as one")
        }
    }
}

fn billed(entry: Option<&OracleEntry>) -> NanoUsd {
    entry.map_or(NanoUsd::ZERO, |entry| entry.billed)
}

/// The number its client gave a call.
fn number(call: &CallRecord) -> Option<usize> {
    call.user.as_deref()?.parse().ok()
}

/// The provider's account, by call and dialect.
fn entries(oracle: &Oracle) -> HashMap<(String, Dialect), Vec<OracleEntry>> {
    let mut found: HashMap<_, Vec<OracleEntry>> = HashMap::new();
    let mut after = 0;
    loop {
        let page = oracle.entries(after, PAGE);
        let Some(last) = page.last() else { return found };
        after = last.seq;
        for entry in page {
            let call = entry.client_request_id.clone().unwrap_or_default();
            found.entry((call, entry.dialect)).or_default().push(entry);
        }
    }
}

/// Every call in the ledger with its attempts.
async fn ledger(place: &Place, expected: usize) -> Vec<CallRecord> {
    let ledger = SqliteLedger::open(&place.ledger(), SystemClock::new().now()).unwrap();
    let (tenant, all) = (Tenant::only(), CallFilter::default());
    let mut calls = Vec::with_capacity(expected);
    let mut cursor = None;
    loop {
        let page = ledger.calls(&tenant, &all, cursor, PAGE).await.unwrap();
        for row in page.rows {
            calls.push(ledger.call(&tenant, row.id).await.unwrap().unwrap());
        }
        cursor = page.next;
        if cursor.is_none() {
            return calls;
        }
    }
}

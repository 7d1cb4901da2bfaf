//! The fault matrix: what each thing that can go wrong at a provider looks like to a client and in the ledger, streamed
//! and not, in either dialect on either side.

use std::sync::Arc;

use serde_json::{Value, json};
use stepwell_types::{Blame, Code, Dialect, NanoUsd};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::harness::{RESPONSES, Simulator, Stepwell, call_of, closed_port, eventually, provider};
use crate::harness_client::{End, Reply, ask, error_of, question, sent, words_of};

/// What comes of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expect {
    /// A whole reply, billed as the provider bills.
    Whole,
    /// The provider's error answer, status by the provider's dialect (OpenAI, Anthropic): billed nothing.
    Answered([u16; 2], Code),
    /// An error in our words, billed nothing.
    Unbilled([u16; 2], Code),
    /// An error in our words; what the provider bills is not known, and estimated.
    Estimated([u16; 2], Code),
    /// A stream that breaks with an error event after content; estimated.
    Cut(Code),
}

use Expect::{Answered, Cut, Estimated, Unbilled, Whole};

/// One row of the matrix.
struct Row {
    /// As the simulator takes it; `dead` is a port nobody listens on.
    fault: &'static str,
    /// What comes of a call that is not streamed.
    whole: Expect,
    /// What comes of a streamed one.
    streamed: Expect,
}

const fn row(fault: &'static str, whole: Expect, streamed: Expect) -> Row {
    Row { fault, whole, streamed }
}

const fn both(fault: &'static str, expect: Expect) -> Row {
    row(fault, expect, expect)
}

/// Event 1 comes before content (see [`placed`]), event 8 after content, and 999 is the last but one.
const MATRIX: &[Row] = &[
    both("", Whole),
    both("slow-headers 200", Whole),
    both("dead", Unbilled([502; 2], Code::UpstreamUnreachable)),
    both("refuse", Estimated([502; 2], Code::UpstreamUnreachable)),
    both("reset", Estimated([502; 2], Code::UpstreamUnreachable)),
    both("reset-after-headers", Estimated([502; 2], Code::UpstreamCut)),
    both("blackhole", Estimated([504; 2], Code::UpstreamTimeout)),
    both("slow-headers 30000", Estimated([504; 2], Code::UpstreamTimeout)),
    both("status 400", Answered([400; 2], Code::UpstreamRejected)),
    both("status 401", Answered([401; 2], Code::UpstreamAuth)),
    both("status 403", Answered([403; 2], Code::UpstreamForbidden)),
    both("status 404", Answered([404; 2], Code::UpstreamNotFound)),
    both("status 413", Answered([413; 2], Code::UpstreamRejected)),
    both("status 422", Answered([422; 2], Code::UpstreamRejected)),
    both("rate-limit 7", Answered([429; 2], Code::UpstreamRateLimited)),
    both("status 500", Answered([500; 2], Code::UpstreamError)),
    both("status 502", Answered([502; 2], Code::UpstreamError)),
    both("status 503", Answered([503; 2], Code::UpstreamOverloaded)),
    both("status 529", Answered([529; 2], Code::UpstreamOverloaded)),
    both("html 502", Unbilled([502; 2], Code::UpstreamError)),
    both("html 429", Unbilled([429; 2], Code::UpstreamRateLimited)),
    row(
        "stream-error",
        Answered([503, 529], Code::UpstreamOverloaded),
        Estimated([503, 529], Code::UpstreamOverloaded),
    ),
    row("stream-error 8", Answered([503, 529], Code::UpstreamOverloaded), Cut(Code::UpstreamOverloaded)),
    both("cut 1", Estimated([502; 2], Code::UpstreamCut)),
    row("cut 8", Estimated([502; 2], Code::UpstreamCut), Cut(Code::UpstreamCut)),
    row("cut 999", Estimated([502; 2], Code::UpstreamCut), Cut(Code::UpstreamCut)),
    row("eof 1", Estimated([502; 2], Code::UpstreamInvalid), Estimated([502; 2], Code::UpstreamCut)),
    row("eof 8", Estimated([502; 2], Code::UpstreamInvalid), Cut(Code::UpstreamCut)),
    row("eof 999", Estimated([502; 2], Code::UpstreamInvalid), Cut(Code::UpstreamCut)),
    both("stall 1", Estimated([504; 2], Code::UpstreamTimeout)),
    row("stall 8", Estimated([504; 2], Code::UpstreamTimeout), Cut(Code::UpstreamTimeout)),
    row("stall 999", Estimated([504; 2], Code::UpstreamTimeout), Cut(Code::UpstreamTimeout)),
    both("garbage 1", Estimated([502; 2], Code::UpstreamInvalid)),
    row("garbage 8", Estimated([502; 2], Code::UpstreamInvalid), Cut(Code::UpstreamInvalid)),
    both("garbage-sse 1", Estimated([502; 2], Code::UpstreamInvalid)),
    row("garbage-sse 8", Estimated([502; 2], Code::UpstreamInvalid), Cut(Code::UpstreamInvalid)),
    both("truncate 1", Estimated([502; 2], Code::UpstreamCut)),
    row("truncate 8", Estimated([502; 2], Code::UpstreamCut), Cut(Code::UpstreamCut)),
];

/// A fault where the provider's dialect has it: streams of Gemini begin with content, so what comes before it is event 0.
pub(crate) fn placed(fault: &str, provider: Dialect) -> String {
    match fault.strip_suffix(" 1") {
        Some(kind) if provider == Dialect::Gemini && kind != "rate-limit" => format!("{kind} 0"),
        _ => fault.to_owned(),
    }
}

/// What a provider tells of an overload within its stream: Cohere's error there has no kind, `the generation failed`.
pub(crate) fn code_within(code: Code, fault: &str, provider: Dialect) -> Code {
    let is_vague = provider == Dialect::Cohere && fault.starts_with("stream-error");
    if is_vague { Code::UpstreamError } else { code }
}

/// What is expected of a stream of this provider.
fn told(expect: Expect, fault: &str, provider: Dialect) -> Expect {
    let code_of = |code| code_within(code, fault, provider);
    match expect {
        Estimated(_, code) if code_of(code) != code => Estimated([500; 2], code_of(code)),
        Cut(code) => Cut(code_of(code)),
        expect => expect,
    }
}

/// Cells under way at once.
const AT_ONCE: usize = 64;

/// One cell of the matrix.
#[derive(Clone, Copy)]
struct Cell {
    fault: &'static str,
    expect: Expect,
    client: Dialect,
    provider: Dialect,
    stream: bool,
}

fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for row in MATRIX {
        for client in Dialect::ALL {
            for provider in Dialect::ALL {
                for (stream, expect) in [(false, row.whole), (true, told(row.streamed, row.fault, provider))]
                {
                    cells.push(Cell { fault: row.fault, expect, client, provider, stream });
                }
            }
        }
    }
    cells
}

struct World {
    sim: Simulator,
    stepwell: Stepwell,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_a_true_error_or_an_honest_end_and_leaves_one_record() {
    let sim = Simulator::start().await;
    let dead = closed_port();
    let rest = sim.providers()
        + &provider("oai-dead", "openai", dead, "")
        + &provider("ant-dead", "anthropic", dead, "")
        + &provider("gem-dead", "gemini", dead, "")
        + &provider("res-dead", RESPONSES, dead, "")
        + &provider("coh-dead", "cohere", dead, "");
    let stepwell = Stepwell::start("", &rest).await;
    let world = Arc::new(World { sim, stepwell });
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    let cells = cells();
    for cell in &cells {
        let (cell, world, room) = (*cell, Arc::clone(&world), Arc::clone(&room));
        running.spawn(async move {
            let _place = room.acquire_owned().await.unwrap();
            cell.check(&world).await;
        });
    }
    let mut failed = 0;
    while let Some(done) = running.join_next().await {
        failed += usize::from(done.is_err());
    }
    assert_eq!(failed, 0, "cells of the matrix are not as expected: see above");
    check_sums(&world.stepwell, cells.len()).await;
    check_log(&world.stepwell);
    world.stepwell.idle().await;
}

/// The list, the sums and the metrics tell of the same calls.
async fn check_sums(stepwell: &Stepwell, calls: usize) {
    let recorded = stepwell.calls().await;
    assert_eq!(recorded.len(), calls, "every call leaves exactly one record");
    let cost: NanoUsd = recorded.iter().map(|call| amount(&call["cost_usd"])).sum();
    let failed = recorded.iter().filter(|call| call["outcome"] != "ok").count();
    let usage = stepwell.ask("/admin/v1/usage?group_by=outcome").await;
    let total = &usage["total"];
    assert_eq!((&total["calls"], &total["failed"]), (&json!(calls), &json!(failed)), "{usage:#}");
    assert_eq!(amount(&total["cost_usd"]), cost, "{usage:#}");
    assert_eq!(stepwell.counter("stepwell_calls_total").await, calls as u64);
    assert_eq!(stepwell.counter("stepwell_attempts_total").await, calls as u64);
    assert_eq!(i64::try_from(stepwell.counter("stepwell_cost_nanousd_total").await), Ok(cost.as_nanos()));
}

impl Cell {
    fn name(&self) -> String {
        let stream = if self.stream { "streamed" } else { "whole" };
        format!("`{}` {} client, {} provider, {stream}", self.fault, self.client, self.provider)
    }

    async fn check(&self, world: &World) {
        let name = self.name();
        let (suffix, text) = match self.fault {
            "dead" => ("-dead", String::new()),
            "" => ("", String::new()),
            fault => ("", format!("[[fault:{}]]", placed(fault, self.provider))),
        };
        let target = match self.provider {
            Dialect::OpenaiChat => format!("oai{suffix}/small"),
            Dialect::Anthropic => format!("ant{suffix}/small"),
            Dialect::Gemini => format!("gem{suffix}/small"),
            Dialect::OpenaiResponses => format!("res{suffix}/small"),
            Dialect::Cohere => format!("coh{suffix}/small"),
        };
        let text = format!("draw some water {text} [[sim:tokens=12]]");
        let body = question(self.client, &target, self.stream, &text);
        let reply = ask(world.stepwell.api, self.client, &[], &body).await;
        self.check_reply(&name, &reply);
        let call = call_of(&reply);
        let record = world.stepwell.record(&call).await;
        self.check_record(&name, &record, &reply);
        assert_eq!(record["request_bytes"], sent(self.client, &body).1.len(), "{name}");
        self.check_money(&name, &record, world, &call, &reply).await;
    }

    /// What the client sees.
    fn check_reply(&self, name: &str, reply: &Reply) {
        let seen = format!("{name}: {} {:?} {}", reply.status, reply.headers, reply.text());
        let by_provider = |statuses: [u16; 2]| statuses[usize::from(self.provider == Dialect::Anthropic)];
        match self.expect {
            Whole | Cut(_) => assert_eq!(reply.status, 200, "{seen}"),
            Answered(statuses, _) | Unbilled(statuses, _) | Estimated(statuses, _) => {
                assert_eq!(reply.status, by_provider(statuses), "{seen}");
                assert!(reply.is_whole, "{seen}");
            }
        }
        match self.expect {
            Whole if self.stream => assert_eq!(reply.end(self.client), End::Complete, "{seen}"),
            Whole => assert!(!reply.content(self.client, false).is_empty(), "{seen}"),
            Cut(code) => {
                assert_eq!(reply.end(self.client), End::Error(code.as_str().to_owned()), "{seen}");
                assert!(!reply.content(self.client, true).is_empty(), "what was whole is passed on: {seen}");
            }
            Answered(_, code) if self.client == self.provider && code.blame() != Blame::Gateway => {
                let message = error_of(&reply.json())["message"].as_str().unwrap().to_lowercase();
                let theirs = ["simulated fault", "overloaded", "you exceeded your current quota"];
                let is_theirs = theirs.iter().any(|words| message.contains(words));
                assert!(
                    is_theirs && words_of(&reply.json())["docs"].is_null(),
                    "the provider's bytes: {seen}"
                );
            }
            Answered(_, code) | Unbilled(_, code) | Estimated(_, code) => {
                check_error(self.client, reply, code, &seen);
            }
        }
        if self.fault == "rate-limit 7" {
            assert_eq!(reply.header("retry-after"), Some("7"), "{seen}");
        }
        assert_eq!(reply.header("x-stepwell-attempts"), Some("1"), "{seen}");
        let whole = self.expect == Whole && !self.stream;
        assert_eq!(reply.header("x-stepwell-cost-usd").is_some(), whole, "{seen}");
    }

    /// What the ledger says.
    fn check_record(&self, name: &str, record: &Value, reply: &Reply) {
        let seen = format!("{name}: {record:#}");
        let (outcome, code) = match self.expect {
            Whole => ("ok", None),
            Answered(_, code) | Unbilled(_, code) | Estimated(_, code) => ("failed", Some(code)),
            Cut(code) => ("cut", Some(code)),
        };
        let (source, trust) = match self.expect {
            Whole => ("provider", "exact"),
            Answered(..) | Unbilled(..) => ("none", "exact"),
            Estimated(..) | Cut(_) => ("estimate", "estimated"),
        };
        assert_eq!(record["status"], reply.status, "{seen}");
        assert_eq!(record["reply_bytes"], reply.body.len(), "{seen}");
        assert_eq!(record["first_token_us"].is_u64(), matches!(self.expect, Whole | Cut(_)), "{seen}");
        assert_eq!(record["streamed"], self.stream, "{seen}");
        assert_eq!(record["dialect"], self.client.as_str(), "{seen}");
        assert_eq!(record["attempts"].as_array().unwrap().len(), 1, "{seen}");
        let attempt = &record["attempts"][0];
        for what in [record, attempt] {
            assert_eq!(what["outcome"], outcome, "{seen}");
            assert_eq!(what["code"].as_str(), code.map(Code::as_str), "{seen}");
        }
        assert_eq!(attempt["dialect"], self.provider.as_str(), "{seen}");
        assert_eq!(attempt["usage_source"], source, "{seen}");
        assert_eq!(attempt["cost_status"], trust, "{seen}");
        assert_eq!(record["cost_usd"], attempt["cost_usd"], "{seen}");
    }

    /// Whether the ledger agrees with the provider's own account.
    async fn check_money(&self, name: &str, record: &Value, world: &World, call: &str, reply: &Reply) {
        let attempt = &record["attempts"][0];
        let cost = amount(&attempt["cost_usd"]);
        if self.fault == "dead" {
            assert_eq!(cost, NanoUsd::ZERO, "{name}");
            assert!(world.sim.account(call).is_empty(), "{name}");
            return;
        }
        // The simulator notices that a connection was closed on it a little later.
        let entries = eventually(&format!("{name}: the provider's account"), || async {
            Some(world.sim.account(call)).filter(|entries| !entries.is_empty())
        })
        .await;
        assert_eq!(entries.len(), 1, "{name}: the provider had one request: {entries:?}");
        let entry = &entries[0];
        let seen = format!("{name}: {record:#} {entry:?}");
        assert_eq!(entry.dialect, self.provider, "{seen}");
        assert_eq!(entry.streamed, self.stream || entry.model.is_none(), "{seen}");
        assert!(amount(&attempt["bound_usd"]) >= entry.billed, "the bound is one: {seen}");
        match self.expect {
            Whole => {
                assert_eq!(cost, entry.billed, "to the nano-dollar: {seen}");
                assert_eq!(attempt["input_tokens"], entry.usage.input_tokens, "{seen}");
                assert_eq!(attempt["output_tokens"], entry.usage.output_tokens, "{seen}");
            }
            Answered(..) | Unbilled(..) => {
                assert_eq!((cost, entry.billed), (NanoUsd::ZERO, NanoUsd::ZERO), "{seen}");
            }
            Estimated(..) => assert!(cost > NanoUsd::ZERO, "not known is not free: {seen}"),
            Cut(_) => {
                assert!(cost > NanoUsd::ZERO, "not known is not free: {seen}");
                let output = attempt["output_tokens"].as_u64().unwrap();
                let came = reply.content(self.client, true).split_whitespace().count() as u64;
                assert!(output >= came && came > 0, "no output that came is left out: {seen}");
            }
        }
    }
}

/// Failed calls are in the log by their ids, and nothing that is the client's or a secret is.
fn check_log(stepwell: &Stepwell) {
    let lines = stepwell.log();
    let logged: Vec<Value> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let ids =
        logged.iter().filter(|line| line["call_id"].is_string() || line["fields"]["call_id"].is_string());
    assert!(ids.count() > 0, "{:?}", lines.last());
    for text in ["key-of-", "sk-of-the-client", "draw some water", "You said"] {
        let told = lines.iter().find(|line| line.contains(text));
        assert_eq!(told, None, "`{text}` is in the log");
    }
}

/// An error in our words: code, call and docs in the place the dialect has for them.
pub(crate) fn check_error(dialect: Dialect, reply: &Reply, code: Code, seen: &str) {
    let body = reply.json();
    let (error, words) = (error_of(&body), words_of(&body));
    assert_eq!(words["code"], code.as_str(), "{seen}");
    assert!(!error["message"].as_str().unwrap().is_empty(), "{seen}");
    let call = if dialect == Dialect::Cohere { &words["id"] } else { &words["call_id"] };
    assert_eq!(call.as_str(), reply.header("x-stepwell-call-id"), "{seen}");
    assert!(words["docs"].as_str().unwrap().ends_with(&format!("#{code}")), "{seen}");
    match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses => {
            assert_eq!(error["type"], code.openai_type(), "{seen}");
        }
        Dialect::Anthropic => assert_eq!(body["type"], "error", "{seen}"),
        Dialect::Gemini => assert_eq!(error["code"], reply.status, "{seen}"),
        Dialect::Cohere => assert!(body.get("error").is_none(), "{seen}"),
    }
    assert_eq!(reply.header("content-type"), Some("application/json"), "{seen}");
}

/// An amount as the management API writes it.
pub(crate) fn amount(value: &Value) -> NanoUsd {
    value.as_str().unwrap_or_else(|| panic!("no amount: {value}")).parse().unwrap()
}

//! Failover: what another target can mend is mended before the client notices, and nothing else is tried twice.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::json;
use stepwell_types::{Code, Dialect};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::faults::{amount, check_error, code_within, placed};
use crate::harness::{RESPONSES, Simulator, Stepwell, call_of, closed_port, eventually, provider};
use crate::harness_client::{End, ask, question};

/// What goes wrong before a reply is committed, and what the record of that attempt says: not streamed, streamed.
const MENDED: &[(&str, Code, Code)] = &[
    ("dead", Code::UpstreamUnreachable, Code::UpstreamUnreachable),
    ("refuse", Code::UpstreamUnreachable, Code::UpstreamUnreachable),
    ("reset", Code::UpstreamUnreachable, Code::UpstreamUnreachable),
    ("reset-after-headers", Code::UpstreamCut, Code::UpstreamCut),
    ("blackhole", Code::UpstreamTimeout, Code::UpstreamTimeout),
    ("status 401", Code::UpstreamAuth, Code::UpstreamAuth),
    ("status 403", Code::UpstreamForbidden, Code::UpstreamForbidden),
    ("status 404", Code::UpstreamNotFound, Code::UpstreamNotFound),
    ("rate-limit 9", Code::UpstreamRateLimited, Code::UpstreamRateLimited),
    ("status 402", Code::UpstreamQuota, Code::UpstreamQuota),
    ("status 500", Code::UpstreamError, Code::UpstreamError),
    ("status 503", Code::UpstreamOverloaded, Code::UpstreamOverloaded),
    ("status 529", Code::UpstreamOverloaded, Code::UpstreamOverloaded),
    ("html 502", Code::UpstreamError, Code::UpstreamError),
    ("stream-error", Code::UpstreamOverloaded, Code::UpstreamOverloaded),
    ("cut 1", Code::UpstreamCut, Code::UpstreamCut),
    ("eof 1", Code::UpstreamInvalid, Code::UpstreamCut),
    ("stall 1", Code::UpstreamTimeout, Code::UpstreamTimeout),
    ("garbage 1", Code::UpstreamInvalid, Code::UpstreamInvalid),
    ("truncate 1", Code::UpstreamCut, Code::UpstreamCut),
];

/// What the caller has to mend, or what has been committed.
const NOT_MENDED: &[(&str, bool, u16, Code)] = &[
    ("status 400", false, 400, Code::UpstreamRejected),
    ("status 400", true, 400, Code::UpstreamRejected),
    ("status 413", false, 413, Code::UpstreamRejected),
    ("status 422", true, 422, Code::UpstreamRejected),
    ("cut 8", true, 200, Code::UpstreamCut),
    ("stall 8", true, 200, Code::UpstreamTimeout),
    ("stream-error 8", true, 200, Code::UpstreamOverloaded),
    ("garbage 8", true, 200, Code::UpstreamInvalid),
];

/// Calls under way at once.
const AT_ONCE: usize = 64;

fn kind(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenaiChat => "openai",
        Dialect::Anthropic => "anthropic",
        Dialect::Gemini => "gemini",
        Dialect::OpenaiResponses => RESPONSES,
        Dialect::Cohere => "cohere",
    }
}

fn other(dialect: Dialect) -> Dialect {
    match dialect {
        Dialect::OpenaiChat => Dialect::Anthropic,
        Dialect::Anthropic => Dialect::Gemini,
        Dialect::Gemini => Dialect::OpenaiResponses,
        Dialect::OpenaiResponses => Dialect::Cohere,
        Dialect::Cohere => Dialect::OpenaiChat,
    }
}

fn good(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenaiChat => "oai",
        Dialect::Anthropic => "ant",
        Dialect::Gemini => "gem",
        Dialect::OpenaiResponses => "res",
        Dialect::Cohere => "coh",
    }
}

fn name_of(fault: &str, dialect: Dialect) -> String {
    format!("{}-{}", fault.replace([' ', '_'], "-"), kind(dialect))
}

/// For each fault and dialect a provider that always has it, and a route from it to a good one of the other dialect.
fn broken_providers(sim: &Simulator) -> String {
    let dead = closed_port();
    let mut text = sim.providers();
    let faults = MENDED.iter().map(|(fault, ..)| *fault).chain(NOT_MENDED.iter().map(|(fault, ..)| *fault));
    let faults: std::collections::BTreeSet<&str> = faults.collect();
    for fault in faults {
        for dialect in Dialect::ALL {
            let name = name_of(fault, dialect);
            text += &if fault == "dead" {
                provider(&name, kind(dialect), dead, "")
            } else {
                sim.provider(
                    &name,
                    kind(dialect),
                    &format!("headers = {{ x-sim-fault = \"{}\" }}", placed(fault, dialect)),
                )
            };
            let second = good(other(dialect));
            writeln!(text, "[routes.to-{name}]\ntargets = [\"{name}/small\", \"{second}/large\"]").unwrap();
        }
    }
    text
}

struct World {
    sim: Simulator,
    stepwell: Stepwell,
}

impl World {
    async fn start() -> Arc<Self> {
        let sim = Simulator::start().await;
        let stepwell = Stepwell::start("", &broken_providers(&sim)).await;
        Arc::new(Self { sim, stepwell })
    }
}

/// Runs all, some at once, and fails if any failed.
async fn all<F: Future<Output = ()> + Send + 'static>(jobs: Vec<F>) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for job in jobs {
        let room = Arc::clone(&room);
        running.spawn(async move {
            let _place = room.acquire_owned().await.unwrap();
            job.await;
        });
    }
    let mut failed = 0;
    while let Some(done) = running.join_next().await {
        failed += usize::from(done.is_err());
    }
    assert_eq!(failed, 0, "some are not as expected: see above");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_before_content_is_mended_by_the_next_target_and_not_seen_by_the_client() {
    let world = World::start().await;
    let mut jobs = Vec::new();
    for &(fault, whole, streamed) in MENDED {
        for client in Dialect::ALL {
            for first in Dialect::ALL {
                let streamed = code_within(streamed, fault, first);
                for (stream, code) in [(false, whole), (true, streamed)] {
                    let world = Arc::clone(&world);
                    jobs.push(async move { mended(&world, fault, client, first, stream, code).await });
                }
            }
        }
    }
    let calls = jobs.len();
    all(jobs).await;
    assert_eq!(world.stepwell.calls().await.len(), calls, "every call leaves exactly one record");
}

async fn mended(world: &World, fault: &str, client: Dialect, first: Dialect, stream: bool, code: Code) {
    let name = format!("`{fault}` first {first}, client {client}, streamed {stream}");
    let route = format!("to-{}", name_of(fault, first));
    let body = question(client, &route, stream, "draw some water [[sim:tokens=12]]");
    let reply = ask(world.stepwell.api, client, &[], &body).await;
    let seen = format!("{name}: {} {:?} {}", reply.status, reply.headers, reply.text());
    assert_eq!(reply.status, 200, "{seen}");
    if stream {
        assert_eq!(reply.end(client), End::Complete, "{seen}");
    }
    assert_eq!(reply.content(client, stream).split_whitespace().count(), 12, "{seen}");
    assert_eq!(reply.header("x-stepwell-attempts"), Some("2"), "{seen}");
    assert_eq!(reply.header("x-stepwell-provider"), Some(good(other(first))), "{seen}");
    assert_eq!(reply.header("x-stepwell-model"), Some("large"), "{seen}");

    let call = call_of(&reply);
    let record = world.stepwell.record(&call).await;
    let seen = format!("{name}: {record:#}");
    assert_eq!((&record["outcome"], &record["code"]), (&json!("ok"), &json!(null)), "{seen}");
    assert_eq!(record["route"], route, "{seen}");
    let attempts = record["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{seen}");
    assert_eq!(
        (&attempts[0]["outcome"], &attempts[0]["code"]),
        (&json!("failed"), &json!(code.as_str())),
        "{seen}"
    );
    assert_eq!(attempts[1]["outcome"], "ok", "{seen}");
    let sum = amount(&attempts[0]["cost_usd"]).plus(amount(&attempts[1]["cost_usd"]));
    assert_eq!(amount(&record["cost_usd"]), sum, "a call costs what its attempts cost: {seen}");
    let tried = if fault == "dead" { 1 } else { 2 };
    let entries = eventually(&format!("{name}: the provider's account"), || async {
        Some(world.sim.account(&call)).filter(|entries| entries.len() >= tried)
    })
    .await;
    assert_eq!(entries.len(), tried, "{seen}");
    let answered = entries.iter().find(|entry| entry.fault.is_none()).unwrap();
    assert_eq!(amount(&attempts[1]["cost_usd"]), answered.billed, "to the nano-dollar: {seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_caller_must_mend_or_what_has_begun_is_never_tried_elsewhere() {
    let world = World::start().await;
    let mut jobs = Vec::new();
    for &(fault, stream, status, code) in NOT_MENDED {
        for client in Dialect::ALL {
            for first in Dialect::ALL {
                let world = Arc::clone(&world);
                let code = if stream { code_within(code, fault, first) } else { code };
                jobs.push(async move {
                    let name = format!("`{fault}` first {first}, client {client}, streamed {stream}");
                    let route = format!("to-{}", name_of(fault, first));
                    let body = question(client, &route, stream, "draw some water [[sim:tokens=12]]");
                    let reply = ask(world.stepwell.api, client, &[], &body).await;
                    let seen = format!("{name}: {} {}", reply.status, reply.text());
                    assert_eq!(reply.status, status, "{seen}");
                    assert_eq!(reply.header("x-stepwell-attempts"), Some("1"), "{seen}");
                    if status == 200 {
                        assert_eq!(reply.end(client), End::Error(code.as_str().to_owned()), "{seen}");
                    }
                    let record = world.stepwell.record(&call_of(&reply)).await;
                    assert_eq!(record["attempts"].as_array().unwrap().len(), 1, "{name}: {record:#}");
                    assert_eq!(record["code"], code.as_str(), "{name}: {record:#}");
                });
            }
        }
    }
    all(jobs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_attempts_are_the_most_whatever_the_route_offers() {
    let sim = Simulator::start().await;
    let mut rest = sim.providers();
    for (number, status) in [500, 503, 429, 500].into_iter().enumerate() {
        let lines = format!("headers = {{ x-sim-fault = \"status {status}\" }}");
        rest += &sim.provider(&format!("bad-{number}"), "openai", &lines);
    }
    rest += "[routes.outage]\ntargets = [\"bad-0/small\", \"bad-1/small\", \"bad-2/small\", \"bad-3/small\", \"oai/small\"]\n";
    let stepwell = Stepwell::start("", &rest).await;
    for stream in [false, true] {
        let body = question(Dialect::Anthropic, "outage", stream, "draw some water");
        let reply = ask(stepwell.api, Dialect::Anthropic, &[], &body).await;
        assert_eq!(reply.status, 429, "the last error is what the client is told: {}", reply.text());
        check_error(Dialect::Anthropic, &reply, Code::UpstreamRateLimited, &reply.text());
        assert_eq!(reply.header("x-stepwell-attempts"), Some("3"));
        let call = call_of(&reply);
        let record = stepwell.record(&call).await;
        let codes: Vec<&str> = record["attempts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|attempt| attempt["code"].as_str().unwrap())
            .collect();
        assert_eq!(codes, ["upstream_error", "upstream_overloaded", "upstream_rate_limited"]);
        assert_eq!(sim.account(&call).len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_that_passes_ends_the_call_and_no_other_target_is_tried() {
    let sim = Simulator::start().await;
    let rest = sim.providers()
        + &sim.provider("hole", "openai", "headers = { x-sim-fault = \"blackhole\" }")
        + "[routes.patient]\ntargets = [\"hole/small\", \"oai/small\"]\n\
           [routes.hasty]\ntargets = [\"hole/small\", \"oai/small\"]\ntimeout = \"150ms\"\n";
    let stepwell = Stepwell::start("", &rest).await;
    let by_caller: &[(&str, &str)] = &[("x-stepwell-deadline-ms", "150")];
    for (route, headers) in [("patient", by_caller), ("hasty", &[])] {
        for stream in [false, true] {
            let body = question(Dialect::OpenaiChat, route, stream, "draw some water");
            let reply = ask(stepwell.api, Dialect::OpenaiChat, headers, &body).await;
            assert_eq!(reply.status, 504, "{}", reply.text());
            check_error(Dialect::OpenaiChat, &reply, Code::DeadlineExceeded, route);
            assert_eq!(reply.header("x-stepwell-attempts"), Some("1"));
            let record = stepwell.record(&call_of(&reply)).await;
            assert_eq!(record["attempts"].as_array().unwrap().len(), 1);
            assert_eq!(record["attempts"][0]["usage_source"], "estimate");
        }
    }
    // A stream that has begun is broken off honestly.
    let text = "draw [[sim:tokens=4000 event-ms=20]]";
    let body = question(Dialect::OpenaiChat, "oai/small", true, text);
    let reply = ask(stepwell.api, Dialect::OpenaiChat, &[("x-stepwell-deadline-ms", "1500")], &body).await;
    assert_eq!(reply.end(Dialect::OpenaiChat), End::Error("deadline_exceeded".to_owned()));
    let record = stepwell.record(&call_of(&reply)).await;
    assert_eq!((&record["outcome"], &record["code"]), (&json!("cut"), &json!("deadline_exceeded")));
}

//! Shutting down: open replies end whole, nothing new begins, and everything is in the ledger.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use stepwell_types::Dialect;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::calls_cancelled::request;
use crate::faults::amount;
use crate::harness::{Ran, Simulator, Stepwell, eventually, run};
use crate::harness_client::{End, Open, question, start};

async fn streaming(stepwell: &Stepwell, text: &str) -> Open {
    let body = question(Dialect::Anthropic, "oai/small", true, text);
    let mut open = start(stepwell.api, Dialect::Anthropic, &[], &body).await;
    assert!(open.next().await.unwrap().is_ok());
    open
}

/// Waits until no connection is taken any more.
async fn closed(stepwell: &Stepwell) {
    eventually("the listener to close", || async {
        TcpStream::connect(stepwell.api).await.is_err().then_some(())
    })
    .await;
}

/// What `stepwell usage` says of the data directory when no server runs.
fn usage(stepwell: &Stepwell) -> Value {
    let Ran { code, out, err } = run(&stepwell.dir, &["usage", "--by", "outcome", "--json"]);
    assert_eq!(code, Some(0), "{err}");
    serde_json::from_str(&out).unwrap()
}

#[tokio::test]
async fn sigterm_lets_open_replies_end_whole_and_records_them() {
    let sim = Simulator::start().await;
    for signal in [Signal::TERM, Signal::INT] {
        let mut stepwell = Stepwell::start("", &sim.providers()).await;
        let open = streaming(&stepwell, "draw [[sim:tokens=60 event-ms=25]]").await;
        // A connection that stands idle does not hold up anything.
        let idle = TcpStream::connect(stepwell.api).await.unwrap();
        stepwell.signal(signal);
        closed(&stepwell).await;
        assert!(stepwell.is_running(), "a reply is still open");
        let reply = open.read().await;
        assert_eq!(reply.end(Dialect::Anthropic), End::Complete, "{}", reply.text());
        assert_eq!(
            reply.content(Dialect::Anthropic, true).split_whitespace().count() % 60,
            59,
            "the first was read"
        );
        assert_eq!(stepwell.ended().await.code(), Some(0));
        drop(idle);
        let usage = usage(&stepwell);
        assert_eq!(
            (&usage["data"][0]["outcome"], &usage["data"][0]["calls"]),
            (&json!("ok"), &json!(1)),
            "{usage:#}"
        );
        assert_eq!(usage["total"]["output_tokens"], 60, "{usage:#}");
    }
}

#[tokio::test]
async fn a_second_sigterm_ends_the_process_at_once_and_loses_no_call() {
    let sim = Simulator::start().await;
    let mut stepwell = Stepwell::start("", &sim.providers()).await;
    let open = streaming(&stepwell, "draw [[sim:tokens=4000 event-ms=50]]").await;
    let call = open.headers["x-stepwell-call-id"].to_str().unwrap().to_owned();
    stepwell.signal(Signal::TERM);
    closed(&stepwell).await;
    stepwell.signal(Signal::TERM);
    let status = tokio::time::timeout(Duration::from_secs(20), stepwell.ended()).await.unwrap();
    assert_eq!(status.code(), Some(1));
    let reply = open.read().await;
    assert_eq!(reply.end(Dialect::Anthropic), End::Broken, "{}", reply.text());
    let stepwell = stepwell.start_again().await;
    let record = stepwell.record(&call).await;
    let attempt = &record["attempts"][0];
    assert_eq!(
        (&record["outcome"], &attempt["cost_status"]),
        (&json!("unknown"), &json!("estimated")),
        "{record:#}"
    );
    assert_eq!(record["cost_usd"], attempt["bound_usd"], "charged the most it can have cost: {record:#}");
    let entry = eventually("the provider to notice", || async { sim.account(&call).pop() }).await;
    assert!(amount(&record["cost_usd"]) >= entry.billed, "{record:#} {entry:?}");
}

#[tokio::test]
async fn a_drain_that_takes_too_long_cuts_what_is_left_and_records_who_cut_it() {
    let sim = Simulator::start().await;
    let patient = format!(
        "[providers.patient]\nkind = \"openai\"\nbase_url = \"http://{}/v1\"\napi_key = \"literal:k\"\n\
         prices.small = {{ input = 0.15, output = 0.60 }}\n",
        sim.address
    );
    let mut stepwell = Stepwell::start("drain_timeout = \"200ms\"", &(sim.providers() + &patient)).await;
    let open = streaming(&stepwell, "draw [[sim:tokens=4000 event-ms=50]]").await;
    let streamed = open.headers["x-stepwell-call-id"].to_str().unwrap().to_owned();
    let body = question(Dialect::OpenaiChat, "patient/small", false, "draw [[sim:ttft-ms=50000]]");
    let mut waiting = TcpStream::connect(stepwell.api).await.unwrap();
    let text = request(stepwell.api, Dialect::OpenaiChat, "waits", &body);
    waiting.write_all(text.as_bytes()).await.unwrap();
    eventually("an attempt of each", || async {
        (stepwell.gauge("stepwell_journal_open_calls").await == 2).then_some(())
    })
    .await;
    stepwell.signal(Signal::TERM);
    let status = tokio::time::timeout(Duration::from_secs(20), stepwell.ended()).await.unwrap();
    assert_eq!(status.code(), Some(0));
    drop(waiting);
    let reply = open.read().await;
    assert_ne!(reply.end(Dialect::Anthropic), End::Complete, "a reply that was cut never looks whole");
    assert_eq!(usage(&stepwell)["total"]["calls"], 2);
    let stepwell = stepwell.start_again().await;
    for (record, outcome) in
        [(stepwell.record(&streamed).await, "cut"), (stepwell.record_of_user("waits").await, "failed")]
    {
        assert_eq!(
            (&record["outcome"], &record["code"]),
            (&json!(outcome), &json!("draining")),
            "{record:#}"
        );
        let attempt = &record["attempts"][0];
        assert_eq!(
            (&attempt["outcome"], &attempt["code"]),
            (&json!(outcome), &json!("draining")),
            "{record:#}"
        );
        assert_eq!(attempt["cost_status"], "estimated", "the provider may bill it: {record:#}");
    }
}

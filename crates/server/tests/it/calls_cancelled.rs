//! Clients that go away: the provider is told at once, and what was seen is recorded.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use stepwell_sim::{Ended, OracleEntry};
use stepwell_types::{Dialect, NanoUsd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::faults::amount;
use crate::harness::{Simulator, Stepwell, eventually, provider};
use crate::harness_client::{headers_of, question, sent, start};
use crate::harness_scripted::Scripted;

/// The head and body of a request, to be written by hand.
pub(crate) fn request(address: SocketAddr, dialect: Dialect, user: &str, body: &Value) -> String {
    let (path, body) = sent(dialect, body);
    let mut text = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\nx-stepwell-user: {user}\r\n");
    for (name, value) in headers_of(dialect) {
        writeln!(text, "{name}: {value}\r").unwrap();
    }
    write!(text, "content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    text
}

/// Waits until the provider has noticed the end of the call's one request, long before it would have ended by itself.
async fn noticed(sim: &Simulator, call: &str) -> OracleEntry {
    let entry = eventually("the provider to notice", || async { sim.account(call).pop() }).await;
    assert_eq!(sim.account(call).len(), 1);
    assert_eq!(entry.ended, Ended::ClientGone, "{entry:?}");
    entry
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_a_stream_ends_it_at_the_provider_and_is_charged_for_what_came() {
    let sim = Simulator::start().await;
    let stepwell = Stepwell::start("", &sim.providers()).await;
    for client in Dialect::ALL {
        for target in ["oai/small", "ant/small"] {
            let body = question(client, target, true, "draw [[sim:tokens=4000 event-ms=10]]");
            let mut open = start(stepwell.api, client, &[], &body).await;
            let call = open.headers["x-stepwell-call-id"].to_str().unwrap().to_owned();
            let mut read = 0;
            while read < 1_500 {
                read += open.next().await.unwrap().unwrap().len();
            }
            assert_eq!(stepwell.gauge("stepwell_streams_open").await, 1);
            assert_eq!(stepwell.gauge("stepwell_calls_in_flight").await, 1);
            drop(open);
            let entry = noticed(&sim, &call).await;
            let record = stepwell.record(&call).await;
            let seen = format!("{client} to {target}: {record:#} {entry:?}");
            let attempt = &record["attempts"][0];
            for what in [&record, attempt] {
                assert_eq!(
                    (&what["outcome"], &what["code"]),
                    (&json!("cancelled"), &json!("client_closed")),
                    "{seen}"
                );
            }
            assert_eq!(record["status"], 200, "{seen}");
            assert_eq!(
                (&attempt["usage_source"], &attempt["cost_status"]),
                (&json!("estimate"), &json!("estimated")),
                "{seen}"
            );
            let output = attempt["output_tokens"].as_u64().unwrap();
            assert!(output > 0 && output < 4_000, "{seen}");
            assert!(amount(&attempt["cost_usd"]) > NanoUsd::ZERO, "{seen}");
            assert!(record["reply_bytes"].as_u64().unwrap() >= 1_500, "{seen}");
            stepwell.idle().await;
            assert_eq!(stepwell.gauge("stepwell_streams_open").await, 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_before_the_head_ends_the_attempt_at_the_provider() {
    let sim = Simulator::start().await;
    let rest = sim.providers() + "[routes.both]\ntargets = [\"oai/small\", \"ant/small\"]\n";
    let stepwell = Stepwell::start("", &rest).await;
    for client in Dialect::ALL {
        for stream in [false, true] {
            let user = format!("{client}-{stream}");
            let body = question(client, "both", stream, "draw [[fault:blackhole]]");
            let mut socket = TcpStream::connect(stepwell.api).await.unwrap();
            socket.write_all(request(stepwell.api, client, &user, &body).as_bytes()).await.unwrap();
            eventually("the call to reach the provider", || async {
                (sim.oracle.totals().in_flight > 0).then_some(())
            })
            .await;
            drop(socket);
            let record = stepwell.record_of_user(&user).await;
            let seen = format!("{user}: {record:#}");
            assert_eq!(
                (&record["outcome"], &record["code"]),
                (&json!("cancelled"), &json!("client_closed")),
                "{seen}"
            );
            assert_eq!(
                record["attempts"].as_array().unwrap().len(),
                1,
                "nothing is tried for nobody: {seen}"
            );
            assert_eq!(record["attempts"][0]["cost_status"], "estimated", "{seen}");
            eventually("the provider to notice", || async {
                (sim.oracle.totals().in_flight == 0).then_some(())
            })
            .await;
            stepwell.idle().await;
        }
    }
    assert_eq!(stepwell.calls().await.len(), 2 * Dialect::ALL.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_inside_its_own_request_reaches_no_provider() {
    let sim = Simulator::start().await;
    let stepwell = Stepwell::start("", &sim.providers()).await;
    let body = question(Dialect::OpenaiChat, "oai/small", false, "draw some water");
    let whole = request(stepwell.api, Dialect::OpenaiChat, "halfway", &body);
    let mut socket = TcpStream::connect(stepwell.api).await.unwrap();
    socket.write_all(&whole.as_bytes()[..whole.len() - 20]).await.unwrap();
    eventually("the call to begin", || async {
        (stepwell.gauge("stepwell_calls_in_flight").await == 1).then_some(())
    })
    .await;
    drop(socket);
    stepwell.idle().await;
    let list =
        eventually("its record", || async { Some(stepwell.calls().await).filter(|calls| !calls.is_empty()) })
            .await;
    assert_eq!(list.len(), 1);
    assert_eq!(
        (&list[0]["outcome"], &list[0]["code"]),
        (&json!("cancelled"), &json!("client_closed")),
        "{list:#?}"
    );
    assert_eq!((&list[0]["attempts"], &list[0]["cost_usd"]), (&json!(0), &json!("0.000000000")), "{list:#?}");
    assert_eq!(sim.oracle.totals().requests, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_stops_reading_does_not_hold_its_provider_for_ever() {
    let sim = Simulator::start().await;
    let stepwell = Stepwell::start("idle_timeout = \"1s\"", &sim.providers()).await;
    let client = Dialect::OpenaiChat;
    // Far more than the buffers between two sockets hold.
    let mut body = question(client, "oai/large", true, "draw [[sim:tokens=65536]]");
    body["max_completion_tokens"] = json!(65_536);
    let mut socket = TcpStream::connect(stepwell.api).await.unwrap();
    socket.write_all(request(stepwell.api, client, "mute", &body).as_bytes()).await.unwrap();
    let record = stepwell.record_of_user("mute").await;
    assert_eq!(
        (&record["outcome"], &record["code"]),
        (&json!("cancelled"), &json!("client_closed")),
        "{record:#}"
    );
    noticed(&sim, record["id"].as_str().unwrap()).await;
    stepwell.idle().await;
    drop(socket);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_slowly_gets_all_of_a_large_reply() {
    let large = format!(
        "{{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\
         \"finish_reason\":\"stop\",\"message\":{{\"role\":\"assistant\",\"content\":\"{}\"}}}}]}}",
        "x".repeat(20 << 20)
    );
    let scripted = Scripted::json("", &large).await;
    let rest = provider("p", "openai", scripted.address, "");
    let stepwell = Stepwell::start("idle_timeout = \"1s\"", &rest).await;
    let body = question(Dialect::OpenaiChat, "p/m", false, "x");
    let mut socket = TcpStream::connect(stepwell.api).await.unwrap();
    socket.write_all(request(stepwell.api, Dialect::OpenaiChat, "slow", &body).as_bytes()).await.unwrap();
    let mut read = 0;
    let mut buffer = vec![0; 512 * 1_024];
    // It is never silent for as long as a second, and takes several in all.
    while read < large.len() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let length = socket.read(&mut buffer).await.unwrap();
        assert!(length > 0, "the reply was cut after {read} bytes");
        read += length;
    }
}

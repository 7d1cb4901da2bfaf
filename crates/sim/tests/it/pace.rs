//! Timing, shutdown and what many connections at once see. Time is paused: only the order of events is real.

use std::time::Duration;

use serde_json::json;
use stepwell_sim::{Sim, SimOptions, Timing};
use tokio::time::Instant;

use crate::client::{chat, message, start, start_with, with};

#[tokio::test(start_paused = true)]
async fn a_stream_keeps_its_pace() {
    let server = start().await;
    let ask = with(chat("x"), json!({"stream": true}));
    let headers = [("x-sim-tokens", "11"), ("x-sim-event-ms", "2000"), ("x-sim-ttft-ms", "5000")];
    let before = Instant::now();
    let got = server.openai_with(&headers, &ask).await.unwrap();
    assert!(before.elapsed() >= Duration::from_secs(5 + 10 * 2));
    assert_eq!(got.events().len(), 1 + 11 + 1 + 1);
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_not_streamed_takes_as_long_as_its_tokens() {
    let timing =
        Timing { tokens: Some(21), tokens_per_second: 2, ttft: Duration::from_secs(3), ..Timing::default() };
    let server = start_with(SimOptions { timing, ..SimOptions::default() }).await;
    let before = Instant::now();
    let got = server.anthropic(&message("x")).await;
    assert!(before.elapsed() >= Duration::from_secs(3 + 10));
    assert_eq!(got.json()["usage"]["output_tokens"], 21);
}

#[tokio::test]
async fn bursts_and_single_events_carry_the_same_bytes() {
    let ask = with(message("same [[sim:tokens=90]]"), json!({"stream": true}));
    let mut texts = Vec::new();
    for burst_bytes in [0, 700, 1 << 20] {
        let server = start_with(SimOptions { burst_bytes, ..SimOptions::default() }).await;
        let got = server.anthropic(&ask).await;
        let id = got.data()[0]["message"]["id"].as_str().unwrap().to_owned();
        texts.push(got.text().replace(&id, "ID"));
    }
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[0], texts[2]);
}

#[tokio::test]
async fn shutting_down_lets_open_replies_finish() {
    let options = SimOptions { drain: Duration::from_mins(1), ..SimOptions::default() };
    let sim = Sim::bind(([127, 0, 0, 1], 0).into(), options).await.unwrap();
    let (address, oracle) = (sim.local_addr(), sim.oracle());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let run = tokio::spawn(sim.run(async move { stopped.await.unwrap_or_default() }));
    let body = chat("x [[sim:tokens=20 event-ms=5]]").to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: sim\r\nauthorization: Bearer k\r\ncontent-type: \
         application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
    while oracle.totals().in_flight == 0 {
        tokio::task::yield_now().await;
    }
    stop.send(()).unwrap();
    let mut reply = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut reply).await.unwrap();
    assert!(String::from_utf8(reply).unwrap().contains("chat.completion"));
    run.await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn many_connections_at_once_are_all_in_the_account() {
    let server = start_with(SimOptions { max_connections: 8, ..SimOptions::default() }).await;
    let server = std::sync::Arc::new(server);
    let mut calls = tokio::task::JoinSet::new();
    for index in 0..64 {
        let server = std::sync::Arc::clone(&server);
        calls.spawn(async move { server.openai(&chat(&format!("call {index}"))).await.status });
    }
    for status in calls.join_all().await {
        assert_eq!(status, 200);
    }
    server.ended(64).await;
    let totals = server.oracle.totals();
    assert_eq!((totals.finished, totals.in_flight), (64, 0));
    let sum: i64 = server.oracle.entries(0, 100).iter().map(|entry| entry.billed.as_nanos()).sum();
    assert_eq!(totals.billed.as_nanos(), sum);
}

#[tokio::test]
async fn options_that_cannot_be_served_are_refused() {
    let bind = async |options| {
        Sim::bind(([127, 0, 0, 1], 0).into(), options).await.map(|_| ()).unwrap_err().to_string()
    };
    assert!(bind(SimOptions { models: vec![], ..SimOptions::default() }).await.contains("no models"));
    let taken = Sim::bind(([127, 0, 0, 1], 0).into(), SimOptions::default()).await.unwrap();
    let error = Sim::bind(taken.local_addr(), SimOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains("cannot listen on"));
}

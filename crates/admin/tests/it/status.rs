//! Status, probes and metrics.

use std::sync::atomic::Ordering;

use axum::http::Method;
use serde_json::json;
use stepwell_types::Code;

use crate::support::{Api, call};

#[tokio::test]
async fn the_status_shows_load_journal_lag_and_ledger() {
    let api = Api::new();
    let in_flight = api.metrics.call_started();
    let body = api.get("/admin/v1/status").await.json();
    assert_eq!((&body["version"], &body["uptime_seconds"]), (&json!("1.2.3"), &json!(90)));
    assert_eq!(
        (&body["listen"], &body["admin_listen"]),
        (&json!("127.0.0.1:7070"), &json!("127.0.0.1:7071"))
    );
    assert_eq!((&body["ready"], &body["not_ready"]), (&json!(true), &json!(null)));
    assert_eq!(body["load"], json!({"calls_in_flight": 1, "connections_open": 0}));
    assert_eq!(
        body["journal"],
        json!({"used_bytes": 1_000, "reserved_bytes": 200, "max_bytes": 9_000, "open_calls": 2, "failed": null})
    );
    assert_eq!(
        body["shipper"],
        json!({
            "behind_bytes": 300,
            "behind_ms": 1_500,
            "shipped_calls": 7,
            "recovered_calls": 1,
            "failures": 4,
            "problem": "the disk is full",
        })
    );
    assert_eq!(
        body["prices"],
        json!({
            "origin": "embedded",
            "source": "genai-prices 0",
            "date": "2026-10-26",
            "sha256": "0123",
            "problem": "the installed file is torn",
        })
    );
    assert!(body["ledger"]["schema"].as_u64().unwrap() >= 1);
    drop(in_flight);
}

#[tokio::test]
async fn a_draining_process_lives_but_is_not_ready() {
    let api = Api::new();
    let ready = api.get("/readyz").await;
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json()["ready"], true);
    api.process.draining.store(true, Ordering::Relaxed);
    let ready = api.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.headers["retry-after"], "5");
    ready.error(Code::Draining);
    assert_eq!(api.get("/healthz").await.status, 200);
    assert_eq!(api.get("/admin/v1/status").await.json()["not_ready"], "draining");
}

#[tokio::test]
async fn metrics_are_served_in_the_text_format() {
    let api = Api::new();
    api.metrics.call(&call(60, "openai/gpt-5-mini"));
    let answer = api.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert!(
        answer
            .text
            .contains("stepwell_calls_total{endpoint=\"chat\",dialect=\"openai_chat\",outcome=\"ok\"} 1\n")
    );
}

#[tokio::test]
async fn the_index_is_a_page_for_browsers_and_json_for_others() {
    let api = Api::new();
    let body = api.get("/").await.json();
    assert_eq!((&body["name"], &body["version"]), (&json!("stepwell"), &json!("1.2.3")));
    let paths: Vec<_> =
        body["endpoints"].as_array().unwrap().iter().map(|each| each["path"].clone()).collect();
    assert!(paths.contains(&json!("/admin/v1/calls")) && paths.contains(&json!("/metrics")));
    let headers = [("host", "localhost"), ("accept", "text/html,*/*;q=0.8")];
    let page = api.send(Method::GET, "/", &headers, "").await;
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert!(page.text.contains("<a href=\"/admin/v1/calls\">") && page.text.contains("1.2.3"));
}

//! The list of calls, its filters and pages, and one call whole.

use serde_json::{Value, json};
use stepwell_types::{CallId, Code, CostStatus, NanoUsd, Outcome};

use crate::support::{Api, NOW, attempt, call, failed};

fn models(body: &Value) -> Vec<&str> {
    body["data"].as_array().unwrap().iter().map(|each| each["model"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_call_is_listed_with_every_field_of_the_contract() {
    let record = call(60, "openai/gpt-5-mini");
    let api = Api::with_calls(vec![record.clone()]).await;
    let body = api.get("/admin/v1/calls").await.json();
    assert_eq!(
        body,
        json!({
            "data": [{
                "id": record.id.to_string(),
                "started": "2026-11-20T23:00:00.000000Z",
                "endpoint": "chat",
                "dialect": "openai_chat",
                "streamed": true,
                "requested_model": "chat",
                "route": "chat",
                "provider": "openai",
                "model": "gpt-5-mini",
                "user": "user-7",
                "session": null,
                "tags": {"feature": "search"},
                "outcome": "ok",
                "code": null,
                "status": 200,
                "duration_us": 900_000,
                "first_token_us": 50_000,
                "attempts": 1,
                "input_tokens": 100,
                "cache_read_tokens": 40,
                "output_tokens": 20,
                "reasoning_tokens": 0,
                "cost_usd": "0.000001500",
                "charged_usd": "0.000001500",
            }],
            "next_cursor": null,
        })
    );
}

#[tokio::test]
async fn pages_follow_each_other_by_cursor_newest_first_without_gap_or_repeat() {
    let calls = (0..7).map(|minute| call(60 + minute, &format!("openai/model-{minute}"))).collect();
    let api = Api::with_calls(calls).await;
    let mut seen = Vec::new();
    let mut path = "/admin/v1/calls?limit=3".to_owned();
    for _ in 0..10 {
        let body = api.get(&path).await.json();
        assert!(body["data"].as_array().unwrap().len() <= 3);
        seen.extend(models(&body).into_iter().map(str::to_owned));
        let Some(cursor) = body["next_cursor"].as_str() else { break };
        path = format!("/admin/v1/calls?limit=3&cursor={cursor}");
    }
    let expected: Vec<_> = (0..7).map(|minute| format!("model-{minute}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn each_filter_keeps_what_it_names() {
    let mut other = call(90, "local/llama");
    other.route = None;
    other.user = None;
    other.tags.clear();
    let refused = failed(call(120, "openai/gpt-4o"), Code::UpstreamTimeout);
    let api = Api::with_calls(vec![call(60, "openai/gpt-5-mini"), other, refused]).await;
    for (query, expected) in [
        ("", vec!["gpt-5-mini", "llama", "gpt-4o"]),
        ("provider=local", vec!["llama"]),
        ("model=gpt-5-mini", vec!["gpt-5-mini"]),
        ("route=chat", vec!["gpt-5-mini", "gpt-4o"]),
        ("outcome=failed", vec!["gpt-4o"]),
        ("code=upstream_timeout", vec!["gpt-4o"]),
        ("status=5xx", vec!["gpt-4o"]),
        ("user=user-7", vec!["gpt-5-mini", "gpt-4o"]),
        ("tag.feature=search", vec!["gpt-5-mini", "gpt-4o"]),
        ("tag.feature=other", vec![]),
        ("since=100m", vec!["gpt-5-mini", "llama"]),
        ("until=2026-11-20T22:45:00Z", vec!["llama", "gpt-4o"]),
        ("since=100m&until=80m", vec!["llama"]),
        ("provider=openai&outcome=ok", vec!["gpt-5-mini"]),
    ] {
        let answer = api.get(&format!("/admin/v1/calls?{query}")).await;
        assert_eq!(models(&answer.json()), expected, "{query}");
    }
}

#[tokio::test]
async fn every_wrong_parameter_is_named_at_once() {
    let api = Api::new();
    let query =
        "limit=501&cursor=zz&since=yesterday&outcome=fine&code=nope&status=600&tag.=x&provdier=openai&user=";
    let answer = api.get(&format!("/admin/v1/calls?{query}")).await;
    assert_eq!(answer.status, 400);
    let error = answer.error(Code::InvalidRequest);
    assert_eq!(error["param"], "limit");
    let named: Vec<_> =
        error["params"].as_array().unwrap().iter().map(|each| each["param"].as_str().unwrap()).collect();
    let expected = ["limit", "cursor", "since", "outcome", "code", "status", "user", "tag.NAME", "provdier"];
    assert_eq!(named, expected);
    let message = error["message"].as_str().unwrap();
    for hint in
        ["1 to 500", "next_cursor", "RFC 3339", "ok, failed, cut", "errors.md", "2xx", "there are limit"]
    {
        assert!(message.contains(hint), "{hint} is not in {message}");
    }
}

#[tokio::test]
async fn a_parameter_given_twice_too_long_or_backwards_is_refused() {
    let api = Api::new();
    let long = format!("user={}", "x".repeat(513));
    for (query, param) in [
        ("limit=1&limit=2", "limit"),
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        (&*long, "user"),
        ("tag.a=1&tag.b=2", "tag.a"),
        ("since=1h&until=2h", "until"),
    ] {
        let answer = api.get(&format!("/admin/v1/calls?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.error(Code::InvalidRequest)["param"], param, "{query}");
    }
}

#[tokio::test]
async fn a_call_is_shown_whole_with_its_attempts_and_an_unknown_cost_is_null() {
    let mut record = call(60, "openai/gpt-5-mini");
    let mut first = attempt(record.started, "local/llama");
    first.outcome = Outcome::Failed;
    first.code = Some(Code::UpstreamOverloaded);
    first.cost = None;
    first.cost_status = CostStatus::Unpriced;
    first.bound = Some(NanoUsd::from_nanos(7));
    record.attempts[0].number = 2;
    record.attempts.insert(0, first);
    let api = Api::with_calls(vec![record.clone()]).await;
    let body = api.get(&format!("/admin/v1/calls/{}", record.id)).await.json();
    assert_eq!(body["id"], record.id.to_string());
    assert_eq!(body["project"], "default");
    assert_eq!(body["cost_usd"], Value::Null);
    assert_eq!(body["stages_us"]["decode"], 12);
    assert_eq!(body["losses"], json!(["request:/logit_bias"]));
    let attempts = body["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0]["provider"], "local");
    assert_eq!(attempts[0]["code"], "upstream_overloaded");
    assert_eq!(attempts[0]["cost_usd"], Value::Null);
    assert_eq!(attempts[0]["cost_status"], "unpriced");
    assert_eq!(attempts[0]["bound_usd"], "0.000000007");
    assert_eq!(attempts[1]["number"], 2);
    assert_eq!(attempts[1]["model"], "gpt-5-mini");
    assert_eq!(attempts[1]["served_model"], "gpt-5-mini-2025-08-07");
    assert_eq!(attempts[1]["finish"], "stop");
    assert_eq!(attempts[1]["usage_source"], "provider");
    assert_eq!(attempts[1]["cache_read_tokens"], 40);
    assert_eq!(attempts[1]["cost_usd"], "0.000001500");
}

#[tokio::test]
async fn a_call_that_is_not_there_and_an_id_that_is_none_are_told_apart() {
    let api = Api::new();
    let missing = api.get(&format!("/admin/v1/calls/{}", CallId::new(NOW))).await;
    assert_eq!(missing.status, 404);
    missing.error(Code::NotFound);
    for id in ["42", "%ff", "not-an-id"] {
        let wrong = api.get(&format!("/admin/v1/calls/{id}")).await;
        assert_eq!(wrong.status, 400, "{id}");
        assert_eq!(wrong.error(Code::InvalidRequest)["param"], "id");
    }
}

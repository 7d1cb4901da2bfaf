//! Sums by group, step and tag.

use serde_json::{Value, json};
use stepwell_types::Code;

use crate::support::{Api, call, failed};

async fn api() -> Api {
    let mut untagged = call(61, "openai/gpt-5-mini");
    untagged.tags.clear();
    let refused = failed(call(62, "local/llama"), Code::UpstreamTimeout);
    let old = call(60 * 24 * 3, "openai/gpt-5-mini");
    Api::with_calls(vec![call(60, "openai/gpt-5-mini"), untagged, refused, old]).await
}

fn row<'a>(body: &'a Value, field: &str, value: &Value) -> &'a Value {
    body["data"].as_array().unwrap().iter().find(|row| row[field] == *value).unwrap()
}

#[tokio::test]
async fn sums_are_grouped_and_their_total_has_percentiles_of_all() {
    let body = api().await.get("/admin/v1/usage?group_by=provider,model&since=24h").await.json();
    assert_eq!(body["data"].as_array().unwrap().len(), 2);
    let openai = row(&body, "provider", &json!("openai"));
    assert_eq!(openai["model"], "gpt-5-mini");
    assert_eq!(openai["calls"], 2);
    assert_eq!(openai["attempts"], 2);
    assert_eq!(openai["input_tokens"], 200);
    assert_eq!(openai["cache_read_tokens"], 80);
    assert_eq!(openai["output_tokens"], 40);
    assert_eq!(openai["cost_usd"], "0.000003000");
    assert_eq!(openai["charged_usd"], "0.000003000");
    assert!(openai.get("start").is_none());
    let local = row(&body, "provider", &json!("local"));
    assert_eq!((&local["calls"], &local["failed"]), (&json!(1), &json!(1)));
    let total = &body["total"];
    assert_eq!((&total["calls"], &total["cost_usd"]), (&json!(3), &json!("0.000003000")));
    assert_eq!(total["latency"]["count"], 3);
    assert!(total.get("provider").is_none());
    assert_eq!(body["step"], "none");
    assert_eq!(body["since"], "2026-11-20T00:01:30.000000Z");
}

#[tokio::test]
async fn a_tag_groups_by_the_word_it_was_asked_for_and_calls_without_it_are_null() {
    let api = api().await;
    for (query, field) in [("feature", "feature"), ("tag:feature", "tag:feature")] {
        let body = api.get(&format!("/admin/v1/usage?group_by={query}&since=24h")).await.json();
        assert_eq!(row(&body, field, &json!("search"))["calls"], 2);
        assert_eq!(row(&body, field, &Value::Null)["calls"], 1);
    }
    let body = api.get("/admin/v1/usage?group_by=team&since=24h").await.json();
    assert_eq!(row(&body, "team", &json!("default"))["calls"], 3);
}

#[tokio::test]
async fn a_tag_with_the_name_of_a_figure_does_not_hide_the_figure() {
    let body = api().await.get("/admin/v1/usage?group_by=calls&since=24h").await.json();
    let row = &body["data"][0];
    assert_eq!(row["calls"], 3);
    assert_eq!(row["tag:calls"], Value::Null);
}

#[tokio::test]
async fn steps_cut_the_time_and_the_range_is_kept() {
    let api = api().await;
    let body = api.get("/admin/v1/usage?since=7d&step=day").await.json();
    let starts: Vec<_> = body["data"].as_array().unwrap().iter().map(|row| row["start"].clone()).collect();
    assert_eq!(starts, ["2026-11-18T00:00:00.000000Z", "2026-11-20T00:00:00.000000Z"]);
    assert_eq!(body["total"]["calls"], 4);
    let body = api.get("/admin/v1/usage?since=2026-11-18T00:00:00Z&until=2026-11-19T00:00:00Z").await.json();
    assert_eq!(body["total"]["calls"], 1);
}

#[tokio::test]
async fn nothing_sums_to_nothing() {
    let body = Api::new().get("/admin/v1/usage?group_by=provider").await.json();
    assert_eq!(body["data"], json!([]));
    assert_eq!(body["total"]["calls"], 0);
    assert_eq!(body["total"]["cost_usd"], "0.000000000");
    assert_eq!(body["total"]["latency"], Value::Null);
}

#[tokio::test]
async fn every_wrong_parameter_is_named() {
    let api = Api::new();
    for (query, param, hint) in [
        ("group_by=user", "group_by", "not kept by user"),
        ("group_by=provider,provider", "group_by", "twice"),
        ("group_by=project,team", "group_by", "twice"),
        ("group_by=a,b,c,d,e,f,g", "group_by", "more than 6"),
        ("group_by=provider,,model", "group_by", "needs a name"),
        ("step=week", "step", "minute, hour, day, none"),
        ("since=3", "since", "7d"),
        ("until=3", "until", "7d"),
        ("since=1h&until=2h", "until", "before since"),
        ("by=provider", "by", "group_by, since, until, step"),
    ] {
        let answer = api.get(&format!("/admin/v1/usage?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        let error = answer.error(Code::InvalidRequest);
        assert_eq!(error["param"], param, "{query}");
        assert!(error["message"].as_str().unwrap().contains(hint), "{query}: {error}");
    }
}

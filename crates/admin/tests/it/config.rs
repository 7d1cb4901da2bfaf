//! What the configuration shows of itself, and reloading it.

use axum::http::Method;
use serde_json::json;
use stepwell_types::Code;

use crate::support::{Answer, Api, TOKEN};

async fn reload(api: &Api) -> Answer {
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("host", "localhost"), ("authorization", &*bearer), ("content-type", "application/json")];
    api.send(Method::POST, "/admin/v1/config:reload", &headers, "").await
}

#[tokio::test]
async fn providers_and_routes_are_listed_in_the_order_of_their_names() {
    let api = Api::new();
    let body = api.get("/admin/v1/providers").await.json();
    assert_eq!(body["next_cursor"], json!(null));
    let names: Vec<_> = body["data"].as_array().unwrap().iter().map(|each| each["name"].clone()).collect();
    assert_eq!(names, ["local", "openai"]);
    let openai = &body["data"][1];
    assert_eq!(openai["kind"], "openai");
    assert_eq!(openai["dialects"], json!(["openai_chat", "openai_responses"]));
    assert_eq!(openai["has_credential"], true);
    assert_eq!(openai["headers"], json!(["x-extra-key"]));
    assert_eq!(body["data"][0]["has_credential"], false);
    assert_eq!(body["data"][0]["models"], json!(["llama"]));
    let body = api.get("/admin/v1/routes").await.json();
    assert_eq!(
        body["data"],
        json!([{
            "name": "chat",
            "strategy": "fallback",
            "targets": ["openai/gpt-5-mini", "local/llama"],
            "timeout_ms": 30_000,
            "strict": false,
            "max_output_tokens": null,
        }])
    );
}

#[tokio::test]
async fn no_answer_shows_a_secret() {
    let api = Api::new();
    *api.process.text.lock().unwrap() =
        "[providers.openai]\nkind = \"openai\"\napi_key = \"sk-pasted-here\"\n".to_owned();
    let refused = reload(&api).await;
    assert_eq!(refused.status, 422);
    let mut answers = vec![refused];
    for path in
        ["/", "/admin/v1/providers", "/admin/v1/routes", "/admin/v1/config", "/admin/v1/status", "/metrics"]
    {
        answers.push(api.get(path).await);
    }
    for answer in answers {
        for secret in ["sk-very-private", "also-private", "sk-pasted-here", TOKEN] {
            assert!(!answer.text.contains(secret), "{secret} in {}", answer.text);
        }
    }
}

#[tokio::test]
async fn the_config_says_where_it_comes_from() {
    let api = Api::new();
    let body = api.get("/admin/v1/config").await.json();
    let settings = api.process.settings.lock().unwrap().clone();
    assert_eq!(body["revision"], settings.revision);
    assert_eq!(body["file"], "stepwell.toml");
    assert_eq!(body["loaded"], "2026-11-21T00:00:00.000000Z");
    assert_eq!(
        (&body["store"], &body["shared"], &body["auth"]),
        (&json!("sqlite"), &json!("memory"), &json!("open"))
    );
    assert_eq!((&body["providers"], &body["routes"]), (&json!(2), &json!(1)));
    assert_eq!((&body["warnings"], &body["restart_needed"]), (&json!([]), &json!([])));
    assert_eq!(body["refused"], json!(null));
}

#[tokio::test]
async fn a_reload_says_what_changed_and_what_waits_for_a_restart() {
    let api = Api::new();
    let text = api.process.text.lock().unwrap().clone();
    let text = text
        .replace("timeout = \"30s\"", "timeout = \"40s\"")
        .replace("[providers.local]", "[providers.lab]");
    *api.process.text.lock().unwrap() =
        format!("data_dir = \"elsewhere\"\n{}", text.replace("local/llama", "lab/llama"));
    let answer = reload(&api).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let body = answer.json();
    assert_eq!(body["applied"], json!(["providers.lab", "providers.local", "routes.chat"]));
    assert_eq!(body["restart_needed"], json!(["data_dir"]));
    assert_eq!(api.get("/admin/v1/routes").await.json()["data"][0]["timeout_ms"], 40_000);
}

#[tokio::test]
async fn a_reload_with_mistakes_names_each_and_leaves_the_old_config_in_force() {
    let api = Api::new();
    *api.process.text.lock().unwrap() = "[server]\nlisen = \"x\"\n[routes.chat]\ntargets = []\n".to_owned();
    let answer = reload(&api).await;
    assert_eq!(answer.status, 422);
    let error = answer.error(Code::InvalidRequest);
    let problems = error["problems"].as_array().unwrap();
    assert!(problems.len() >= 2, "{error}");
    assert_eq!(problems[0]["code"], "unknown_key");
    assert_eq!((&problems[0]["file"], &problems[0]["line"]), (&json!("stepwell.toml"), &json!(2)));
    assert!(problems[0]["hint"].as_str().unwrap().contains("listen"));
    assert_eq!(api.get("/admin/v1/routes").await.json()["data"].as_array().unwrap().len(), 1);
    let config = api.get("/admin/v1/config").await.json();
    assert_eq!(config["refused"]["problems"].as_array().unwrap().len(), problems.len());
}

#[tokio::test]
async fn a_reload_without_a_file_says_so() {
    let api = Api::new();
    api.process.text.lock().unwrap().clear();
    let answer = reload(&api).await;
    assert_eq!(answer.status, 400);
    answer.error(Code::InvalidRequest);
}

#[tokio::test]
async fn paths_without_parameters_refuse_any() {
    let api = Api::new();
    for path in ["providers", "routes", "config", "status"] {
        let answer = api.get(&format!("/admin/v1/{path}?limit=5")).await;
        assert_eq!(answer.status, 400, "{path}");
        let error = answer.error(Code::InvalidRequest);
        assert_eq!(error["param"], "limit");
        assert!(error["message"].as_str().unwrap().contains("takes no parameters"));
    }
}

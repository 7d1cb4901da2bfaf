//! The endpoints beside chat: lists of models, and counts of tokens.

use serde_json::{Value, json};
use stepwell_types::{Code, Dialect};

use crate::harness::{Simulator, Stepwell, call_of};
use crate::harness_client::{get, headers_of, question, send};

const ANTHROPIC: &[(&str, &str)] = &[("anthropic-version", "2023-06-01")];
/// By this an SDK of Cohere's is known: its paths of models are others' too.
const COHERE: &[(&str, &str)] = &[("x-fern-sdk-name", "cohere")];

async fn start() -> (Simulator, Stepwell) {
    let sim = Simulator::start().await;
    let rest = sim.providers() + "[routes.chat]\ntargets = [\"oai/small\"]\n";
    let stepwell = Stepwell::start("", &rest).await;
    (sim, stepwell)
}

fn ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn models_are_listed_in_the_shape_of_the_client_s_dialect_routes_first() {
    let (_sim, stepwell) = start().await;
    let openai = get(stepwell.api, "/v1/models").await.json();
    assert_eq!(openai["object"], "list");
    let names = ids(&openai);
    assert_eq!(names[0], "chat");
    for name in ["oai/small", "oai/large", "ant/small", "ant/large"] {
        assert!(names.contains(&name), "{names:?}");
    }
    for model in openai["data"].as_array().unwrap() {
        assert_eq!(model["object"], "model");
        assert!(model["created"].is_u64() && model["owned_by"].is_string(), "{model}");
    }
    let anthropic = send(stepwell.api, "GET", "/v1/models", ANTHROPIC, "").await.json();
    assert_eq!(ids(&anthropic), names);
    assert_eq!((&anthropic["has_more"], &anthropic["first_id"]), (&json!(false), &json!("chat")));
    assert_eq!(anthropic["last_id"], *names.last().unwrap());
    for model in anthropic["data"].as_array().unwrap() {
        assert_eq!(model["type"], "model");
        assert!(model["display_name"].is_string() && model["created_at"].is_string(), "{model}");
    }
    let cohere = send(stepwell.api, "GET", "/v1/models", COHERE, "").await.json();
    let named: Vec<&str> =
        cohere["models"].as_array().unwrap().iter().map(|model| model["name"].as_str().unwrap()).collect();
    assert_eq!(named, names);
    assert_eq!(cohere["models"][0]["endpoints"], json!(["chat"]));
}

#[tokio::test]
async fn one_model_is_shown_by_its_name_slashes_and_all() {
    let (_sim, stepwell) = start().await;
    for path in ["/v1/models/oai/small", "/v1/models/oai%2Fsmall"] {
        let reply = get(stepwell.api, path).await;
        assert_eq!((reply.status, &reply.json()["id"]), (200, &json!("oai/small")), "{path}");
        let reply = send(stepwell.api, "GET", path, ANTHROPIC, "").await;
        assert_eq!((&reply.json()["type"], &reply.json()["id"]), (&json!("model"), &json!("oai/small")));
    }
    let reply = get(stepwell.api, "/v1/models/nobody/has-it").await;
    assert_eq!((reply.status, reply.code().as_str()), (404, Code::ModelNotFound.as_str()));
    assert_eq!(reply.json()["error"]["call_id"], json!(null), "a list is no call");
    let reply = send(stepwell.api, "GET", "/v1/models/nobody/has-it", ANTHROPIC, "").await;
    assert_eq!((reply.status, &reply.json()["error"]["type"]), (404, &json!("not_found_error")));
}

#[tokio::test]
async fn tokens_are_counted_by_the_provider_that_can_and_estimated_for_one_that_cannot() {
    let (sim, stepwell) = start().await;
    let mut body = question(Dialect::Anthropic, "ant/small", false, "draw some water from the well");
    body.as_object_mut().unwrap().remove("max_tokens");
    body.as_object_mut().unwrap().remove("stream");
    let count = async |body: &Value| {
        let headers = headers_of(Dialect::Anthropic);
        send(stepwell.api, "POST", "/v1/messages/count_tokens", headers, body.to_string()).await
    };
    let counted = count(&body).await;
    assert_eq!(counted.status, 200, "{}", counted.text());
    let call = call_of(&counted);
    let tokens = counted.json()["input_tokens"].as_u64().unwrap();
    assert!(tokens > 0);
    assert_eq!(counted.header("x-stepwell-losses"), None);
    assert_eq!(sim.account(&call).len(), 1, "the provider counted");
    let record = stepwell.record(&call).await;
    assert_eq!((&record["endpoint"], &record["cost_usd"]), (&json!("count_tokens"), &json!("0.000000000")));

    body["model"] = json!("oai/small");
    let estimated = count(&body).await;
    assert_eq!(estimated.status, 200, "{}", estimated.text());
    assert!(estimated.json()["input_tokens"].as_u64().unwrap() > 0);
    assert!(estimated.header("x-stepwell-losses").unwrap().contains("estimated"), "{:?}", estimated.headers);
    let record = stepwell.record(&call_of(&estimated)).await;
    assert_eq!((&record["attempts"], &record["outcome"]), (&json!([]), &json!("ok")));
    assert_eq!(record["cost_usd"], "0.000000000");

    body["model"] = json!("nobody/has-it");
    let refused = count(&body).await;
    assert_eq!((refused.status, refused.code().as_str()), (404, Code::ModelNotFound.as_str()));
}

#[tokio::test]
async fn no_model_s_name_steps_out_of_its_path_or_is_without_end() {
    let (sim, stepwell) = start().await;
    let long = format!("oai/{}", "x".repeat(2_045));
    for model in ["gem/../../v1/embeddings", "gem/..", "gem/./small", "gem/small//x", "gem/small/", &long] {
        let body = question(Dialect::OpenaiChat, model, false, "draw some water from the well");
        let reply = send(
            stepwell.api,
            "POST",
            "/v1/chat/completions",
            headers_of(Dialect::OpenaiChat),
            body.to_string(),
        )
        .await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (404, "model_not_found"),
            "{model}: {}",
            reply.text()
        );
        assert_eq!(sim.account(&call_of(&reply)).len(), 0, "{model}");
    }
}

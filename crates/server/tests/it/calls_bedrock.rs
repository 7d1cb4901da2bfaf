//! What is Bedrock's alone: a model's name as one segment of a path, exceptions named by a header, and its list of models.

use serde_json::json;
use stepwell_types::Dialect;

use crate::harness::{Simulator, Stepwell, provider};
use crate::harness_client::{ask, get, headers_of, question, send};
use crate::harness_scripted::Scripted;

const REPLY: &str = r#"{"output":{"message":{"role":"assistant","content":[{"text":"a well"}]}},"stopReason":"end_turn",
    "usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5},"metrics":{"latencyMs":1}}"#;

const ARN: &str = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0";

#[tokio::test]
async fn an_arn_is_one_segment_of_the_path_whoever_calls() {
    for client in Dialect::ALL {
        let scripted = Scripted::json("x-amzn-requestid: req-1\r\n", REPLY).await;
        let price = format!("prices.\"{ARN}\" = {{ input = 1, output = 1 }}");
        let stepwell = Stepwell::start("", &provider("p", "bedrock", scripted.address, &price)).await;
        let reply = ask(stepwell.api, client, &[], &question(client, &format!("p/{ARN}"), false, "x")).await;
        assert_eq!((reply.status, &*reply.content(client, false)), (200, "a well"), "{}", reply.text());
        assert_eq!(reply.header("x-amzn-requestid"), Some("req-1"));
        let sent = scripted.only();
        let line = sent.head.lines().next().unwrap();
        let escaped = "arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Famazon.nova-pro-v1%3A0";
        assert_eq!(line, format!("POST /model/{escaped}/converse HTTP/1.1"));
        assert_eq!(sent.header("authorization"), ["Bearer key-of-p"], "not the client's signature");
        assert_eq!(sent.header("accept"), ["application/json, application/vnd.amazon.eventstream"]);
        assert!(sent.header("x-amz-date").is_empty());
    }
}

#[tokio::test]
async fn a_reply_that_names_neither_itself_nor_its_model_gets_both_for_clients_that_expect_them() {
    let sim = Simulator::start().await;
    let stepwell = Stepwell::start("", &sim.providers()).await;
    for stream in [false, true] {
        let client = Dialect::OpenaiChat;
        let reply = ask(stepwell.api, client, &[], &question(client, "bed/small", stream, "x")).await;
        let first = if stream { reply.events()[0].1.clone() } else { reply.text() };
        let first: serde_json::Value = serde_json::from_str(&first).unwrap();
        assert_eq!(first["id"].as_str(), reply.header("x-stepwell-call-id"), "{first}");
        assert_eq!(first["model"], "small", "{first}");
    }
}

#[tokio::test]
async fn an_exception_of_the_provider_keeps_its_name_and_its_bytes() {
    let sim = Simulator::start().await;
    let stepwell = Stepwell::start("", &sim.providers()).await;
    let client = Dialect::BedrockConverse;
    let text = "x [[fault:status 429 ModelNotReadyException]]";
    for stream in [false, true] {
        let reply = ask(stepwell.api, client, &[], &question(client, "bed/small", stream, text)).await;
        assert_eq!(reply.status, 429);
        assert_eq!(reply.header("x-amzn-errortype"), Some("ModelNotReadyException"));
        assert_eq!(reply.json(), json!({"message": "simulated fault: status 429"}));
    }
    let reply =
        ask(stepwell.api, client, &[], &question(client, "oai/small", false, "x [[fault:status 500]]")).await;
    assert_eq!((reply.status, &reply.json()["__type"]), (500, &json!("InternalServerException")));
}

#[tokio::test]
async fn models_are_listed_as_bedrock_lists_them_and_other_operations_are_not_there() {
    let sim = Simulator::start().await;
    let stepwell = Stepwell::start("", &sim.providers()).await;
    let list = get(stepwell.api, "/foundation-models").await.json();
    let models = list["modelSummaries"].as_array().unwrap();
    assert!(models.iter().any(|model| model["modelId"] == "bed/small"), "{list}");
    let one = get(stepwell.api, "/foundation-models/bed%2Fsmall").await.json();
    assert_eq!(one["modelDetails"]["modelId"], "bed/small");
    let headers = headers_of(Dialect::BedrockConverse);
    let reply = send(stepwell.api, "POST", "/model/bed%2Fsmall/invoke", headers, "{}").await;
    assert_eq!((reply.status, &reply.json()["__type"]), (404, &json!("ResourceNotFoundException")));
    let reply = get(stepwell.api, "/model/bed%2Fsmall/converse").await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
    assert_eq!(reply.json()["__type"], "ValidationException");
}

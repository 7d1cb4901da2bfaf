//! Vectors in OpenAI's and in Google's form: what comes, what is billed, what is refused.

use serde_json::{Value, json};
use stepwell_types::Endpoint;

use crate::client::{Got, Server, start};

const OPENAI: &str = "/v1/embeddings";
const BATCH: &str = "/v1beta/models/embed:batchEmbedContents";
const ONE: &str = "/v1beta/models/embed:embedContent";

async fn ask(server: &Server, path: &str, body: &Value) -> Got {
    let key = if path == OPENAI { ("authorization", "Bearer k") } else { ("x-goog-api-key", "k") };
    let headers = [key, ("content-type", "application/json"), ("x-client-request-id", "c")];
    server.send("POST", path, &headers, &body.to_string()).await.unwrap()
}

fn merged(base: &Value, change: &Value) -> Value {
    let mut body = base.clone();
    for (key, value) in change.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

#[tokio::test]
async fn the_same_input_has_the_same_vector_in_every_form() {
    let server = start().await;
    let body = json!({"model": "sim/embed", "input": ["abcd", "abcde"], "dimensions": 3});
    let floats = ask(&server, OPENAI, &body).await.json();
    assert_eq!(floats["model"], "embed");
    assert_eq!(floats["usage"], json!({"prompt_tokens": 3, "total_tokens": 3}));
    assert_eq!((&floats["data"][1]["index"], &floats["data"][1]["object"]), (&json!(1), &json!("embedding")));
    let vector = &floats["data"][0]["embedding"];
    assert_eq!(vector.as_array().unwrap().len(), 3);
    assert_ne!(vector, &floats["data"][1]["embedding"]);
    let base64 = ask(&server, OPENAI, &merged(&body, &json!({"encoding_format": "base64"}))).await.json();
    assert_eq!(base64["data"][0]["embedding"].as_str().unwrap().len(), 16);
    let content = json!({"parts": [{"text": "ab"}, {"text": "cd"}]});
    let one = ask(&server, ONE, &json!({"content": content, "output_dimensionality": 3})).await.json();
    assert_eq!(one, json!({"embedding": {"values": vector}, "usageMetadata": {"promptTokenCount": 1}}));
    let request = json!({"model": "models/embed", "content": content, "outputDimensionality": 3, "taskType": "CLUSTERING"});
    let batch = ask(&server, BATCH, &json!({"requests": [request, request]})).await.json();
    assert_eq!(batch["embeddings"], json!([{"values": vector}, {"values": vector}]));
    let tokens = ask(&server, OPENAI, &json!({"model": "embed", "input": [[1, 2, 3], [4]]})).await.json();
    assert_eq!(tokens["usage"]["total_tokens"], 4);
    let entry = server.oracle.entries(0, 10).remove(0);
    assert_eq!(
        (entry.endpoint, entry.billed_usage.input_tokens, entry.billed.as_nanos()),
        (Endpoint::Embeddings, 3, 60)
    );
}

#[tokio::test]
async fn what_the_vendors_refuse_is_refused_by_its_field() {
    let server = start().await;
    let good = json!({"model": "embed", "input": "a"});
    for (change, param) in [
        (json!({"model": "small"}), "model"),
        (json!({"input": ""}), "input"),
        (json!({"input": []}), "input"),
        (json!({"input": 7}), "input"),
        (json!({"input": ["a", ""]}), "input[1]"),
        (json!({"input": ["a", 7]}), "input[1]"),
        (json!({"input": [1, "a"]}), "input[1]"),
        (json!({"input": [[]]}), "input[0]"),
        (json!({"input": vec!["a"; 2_049]}), "input"),
        (json!({"input": "a".repeat(40_000)}), "input"),
        (json!({"dimensions": 0}), "dimensions"),
        (json!({"dimensions": 4_000}), "dimensions"),
        (json!({"dimensions": "9"}), "dimensions"),
        (json!({"encoding_format": "hex"}), "encoding_format"),
        (json!({"input_type": "query"}), "input_type"),
    ] {
        let got = ask(&server, OPENAI, &merged(&good, &change)).await;
        let error = got.json();
        assert!(matches!(got.status.as_u16(), 400 | 404), "{change} {error}");
        assert_eq!(error["error"]["param"], param, "{change} {error}");
    }
    let got = ask(&server, OPENAI, &merged(&good, &json!({"model": "none"}))).await;
    assert_eq!((got.status.as_u16(), &got.json()["error"]["code"]), (404, &json!("model_not_found")));
    let request = json!({"model": "models/embed", "content": {"parts": [{"text": "a"}]}});
    for (change, named) in [
        (json!({"model": "models/other"}), "requests[0].model"),
        (json!({"model": null}), "requests[0].model"),
        (json!({"content": {}}), "requests[0].content.parts"),
        (json!({"content": {"parts": [{"inlineData": {}}]}}), "inline_data"),
        (json!({"taskType": "SEARCH"}), "requests[0].task_type"),
        (json!({"outputDimensionality": 0}), "requests[0].output_dimensionality"),
        (json!({"input": "a"}), "input"),
    ] {
        let got = ask(&server, BATCH, &json!({"requests": [merged(&request, &change)]})).await;
        assert_eq!(got.status, 400, "{change}");
        assert!(got.json()["error"]["message"].as_str().unwrap().contains(named), "{change} {}", got.text());
    }
    for body in [json!({"requests": []}), json!({"requests": vec![request; 101]})] {
        assert_eq!(ask(&server, BATCH, &body).await.status, 400);
    }
    let chat = json!({"model": "embed", "messages": [{"role": "user", "content": "a"}]});
    let headers = [("authorization", "Bearer k"), ("content-type", "application/json")];
    let got = server.send("POST", "/v1/chat/completions", &headers, &chat.to_string()).await.unwrap();
    assert_eq!((got.status.as_u16(), &got.json()["error"]["param"]), (400, &json!("model")));
    assert!(server.oracle.entries(0, 100).iter().all(|entry| entry.billed.as_nanos() == 0));
}

#[tokio::test]
async fn faults_break_vectors_as_they_break_any_whole_reply() {
    let server = start().await;
    for (fault, status, complete) in [
        ("status 500", 500, true),
        ("rate-limit 2", 429, true),
        ("stream-error", 503, true),
        ("garbage 1", 200, true),
        ("eof 1", 200, true),
        ("cut 1", 200, false),
        ("truncate 1", 200, false),
    ] {
        let got =
            ask(&server, OPENAI, &json!({"model": "embed", "input": format!("a [[fault:{fault}]]")})).await;
        assert_eq!((got.status.as_u16(), got.complete), (status, complete), "{fault}");
        if status == 200 {
            assert!(serde_json::from_slice::<Value>(&got.body).is_err(), "{fault}");
        }
    }
}

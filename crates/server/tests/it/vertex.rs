//! Google Cloud's Vertex AI: a token for a service account, fetched once and used until it expires, and two vendors' models.

use serde_json::{Value, json};
use stepwell_testkit::TestDir;
use stepwell_types::Dialect;

use crate::harness::{Stepwell, call_of, eventually};
use crate::harness_client::{ask, question};
use crate::harness_scripted::Scripted;

/// Made for these tests alone.
const KEY: &str = include_str!("../../../upstream/src/credential/test_key.pem");

const GEMINI: &str = r#"{"candidates":[{"content":{"parts":[{"text":"a well"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5},"modelVersion":"gemini-2.5-flash","responseId":"r-1"}"#;
const CLAUDE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[{"type":"text","text":"a well"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2}}"#;

fn credentials(token_uri: &str) -> Value {
    json!({
        "type": "service_account", "project_id": "wells", "private_key_id": "k1", "private_key": KEY,
        "client_email": "stepwell@wells.iam.gserviceaccount.com", "token_uri": token_uri,
    })
}

/// Writes the account's file and gives its path.
fn account(folder: &TestDir, token: &Scripted) -> String {
    let path = folder.path().join("account.json");
    std::fs::write(&path, credentials(&format!("http://{}/token", token.address)).to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

async fn serving(token: &Scripted, provider: &Scripted) -> (Stepwell, TestDir) {
    let folder = TestDir::new("vertex");
    let file = account(&folder, token);
    let rest = format!(
        "[providers.gcp]\nkind = \"vertex\"\nlocation = \"europe-west1\"\nbase_url = \"http://{}\"\n\
         credentials_file = \"{file}\"\n",
        provider.address
    );
    (Stepwell::start("", &rest).await, folder)
}

#[tokio::test]
async fn a_token_is_fetched_once_and_goes_with_every_call() {
    let token =
        Scripted::json("", r#"{"access_token":"ya29.token-one","expires_in":3599,"token_type":"Bearer"}"#)
            .await;
    let provider = Scripted::json("", GEMINI).await;
    let (stepwell, _folder) = serving(&token, &provider).await;
    for client in [Dialect::Gemini, Dialect::OpenaiChat] {
        let body = question(client, "gcp/gemini-2.5-flash", false, "what is it?");
        let reply = ask(stepwell.api, client, &[], &body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.content(client, false), "a well");
        let record = stepwell.record(&call_of(&reply)).await;
        assert_eq!(record["attempts"][0]["cost_status"], "exact", "Vertex's prices are known");
    }
    let asked = token.only();
    assert!(asked.head.starts_with("POST /token HTTP/1.1"), "{}", asked.head);
    assert_eq!(asked.header("content-type"), ["application/x-www-form-urlencoded"]);
    let form = asked.text();
    let assertion = form.split("assertion=").nth(1).unwrap();
    assert!(form.starts_with("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&"), "{form}");
    assert_eq!(assertion.split('.').count(), 3, "a token in three parts");
    let seen = provider.seen();
    assert_eq!(seen.len(), 2);
    for request in seen {
        let path = "/v1/projects/wells/locations/europe-west1/publishers/google/models/gemini-2.5-flash:generateContent";
        assert!(request.head.starts_with(&format!("POST {path} HTTP/1.1")), "{}", request.head);
        assert_eq!(request.header("authorization"), ["Bearer ya29.token-one"]);
    }
    let log = stepwell.log().join("\n");
    assert!(!log.contains("ya29") && !log.contains("PRIVATE KEY"), "{log}");
}

#[tokio::test]
async fn claude_s_models_stand_in_the_path_and_the_version_in_the_body() {
    let token = Scripted::json("", r#"{"access_token":"ya29.token-one","expires_in":3599}"#).await;
    for client in [Dialect::Anthropic, Dialect::OpenaiChat] {
        let provider = Scripted::json("", CLAUDE).await;
        let (stepwell, _folder) = serving(&token, &provider).await;
        let body = question(client, "gcp/claude-sonnet-4-6", false, "what is it?");
        let reply = ask(stepwell.api, client, &[], &body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let request = provider.only();
        let path = "/v1/projects/wells/locations/europe-west1/publishers/anthropic/models/claude-sonnet-4-6:rawPredict";
        assert!(request.head.starts_with(&format!("POST {path} HTTP/1.1")), "{}", request.head);
        let sent: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(sent["anthropic_version"], "vertex-2023-10-16");
        assert_eq!(sent.get("model"), None);
        assert_eq!(sent["max_tokens"], 4_000);
    }
}

#[tokio::test]
async fn a_model_of_neither_vendor_is_not_found() {
    let token = Scripted::json("", "{}").await;
    let provider = Scripted::json("", GEMINI).await;
    let (stepwell, _folder) = serving(&token, &provider).await;
    let body = question(Dialect::OpenaiChat, "gcp/llama-4", false, "what is it?");
    let reply = ask(stepwell.api, Dialect::OpenaiChat, &[], &body).await;
    assert_eq!((reply.status, reply.code().as_str()), (404, "model_not_found"));
    assert!(token.seen().is_empty() && provider.seen().is_empty());
}

#[tokio::test]
async fn a_refused_token_is_our_fault_and_the_next_target_answers() {
    let refusal = r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#;
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{refusal}",
        refusal.len()
    );
    let token = Scripted::start(answer).await;
    let (gcp, other) = (Scripted::json("", GEMINI).await, Scripted::json("", CLAUDE).await);
    let folder = TestDir::new("vertex");
    let file = account(&folder, &token);
    let rest = format!(
        "[providers.gcp]\nkind = \"vertex\"\nbase_url = \"http://{}\"\ncredentials_file = \"{file}\"\n\
         [providers.ant]\nkind = \"anthropic\"\nbase_url = \"http://{}\"\napi_key = \"literal:k\"\n\
         [routes.both]\ntargets = [\"gcp/gemini-2.5-flash\", \"ant/claude-sonnet-4-6\"]\n",
        gcp.address, other.address
    );
    let stepwell = Stepwell::start("", &rest).await;
    let client = Dialect::OpenaiChat;
    let reply = ask(stepwell.api, client, &[], &question(client, "gcp/gemini-2.5-flash", false, "x")).await;
    assert_eq!(reply.code(), "upstream_auth", "{}", reply.text());
    assert!(!reply.text().contains("JWT"), "what the token's giver says is for the log: {}", reply.text());
    let is_told = || stepwell.log().iter().any(|line| line.contains("Invalid JWT Signature"));
    eventually("why, in the log", || async { is_told().then_some(()) }).await;
    assert!(gcp.seen().is_empty(), "nothing is sent without a credential");
    let reply = ask(stepwell.api, client, &[], &question(client, "both", false, "x")).await;
    assert_eq!((reply.status, reply.content(client, false).as_str()), (200, "a well"));
}

#[tokio::test]
async fn a_token_that_is_refused_is_not_used_again() {
    let token = Scripted::json("", r#"{"access_token":"ya29.token-one","expires_in":"3599"}"#).await;
    let refusal = r#"{"error":{"code":401,"message":"Request had invalid authentication credentials.","status":"UNAUTHENTICATED"}}"#;
    let answer = format!(
        "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{refusal}",
        refusal.len()
    );
    let provider = Scripted::start(answer).await;
    let (stepwell, _folder) = serving(&token, &provider).await;
    let client = Dialect::OpenaiChat;
    for calls in 1..=2 {
        let reply =
            ask(stepwell.api, client, &[], &question(client, "gcp/gemini-2.5-flash", false, "x")).await;
        assert_eq!((reply.status, reply.code().as_str()), (401, "upstream_auth"));
        assert!(reply.text().contains("credentials_file"), "{}", reply.text());
        assert_eq!(token.seen().len(), calls, "each call asks for a token of its own");
    }
}

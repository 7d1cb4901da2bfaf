//! Embeddings: every form a client speaks at every form a provider speaks, with the ledger right to the nano-dollar.

use serde_json::{Value, json};
use stepwell_types::{Code, Endpoint, NanoUsd};

use crate::faults::amount;
use crate::harness::{Simulator, Stepwell, call_of, provider};
use crate::harness_client::{Reply, send, words_of};
use crate::harness_scripted::Scripted;

const PRICE: &str = "prices.embed = { input = 0.02, output = 0 }";
const JSON: (&str, &str) = ("content-type", "application/json");
const TEXTS: [&str; 2] = ["How deep is the well?", "水 and \"stone\""];

/// How a client asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Client {
    Openai,
    OpenaiBase64,
    Gemini,
    GeminiBatch,
    Tei,
    Cohere,
}

const CLIENTS: [Client; 6] =
    [Client::Openai, Client::OpenaiBase64, Client::Gemini, Client::GeminiBatch, Client::Tei, Client::Cohere];

impl Client {
    /// The path and the body of a request for vectors of three numbers.
    fn request(self, model: &str, texts: &[&str]) -> (String, Value) {
        match self {
            Self::Openai => {
                ("/v1/embeddings".to_owned(), json!({"model": model, "input": texts, "dimensions": 3}))
            }
            Self::OpenaiBase64 => (
                "/v1/embeddings".to_owned(),
                json!({"model": model, "input": texts, "dimensions": 3, "encoding_format": "base64"}),
            ),
            Self::Gemini => (
                format!("/v1beta/models/{model}:embedContent"),
                json!({"content": {"parts": [{"text": texts[0]}]}, "outputDimensionality": 3}),
            ),
            Self::GeminiBatch => {
                let of = |text: &&str| json!({"model": format!("models/{model}"), "content": {"parts": [{"text": text}]}, "outputDimensionality": 3});
                let requests: Vec<Value> = texts.iter().map(of).collect();
                (format!("/v1beta/models/{model}:batchEmbedContents"), json!({"requests": requests}))
            }
            Self::Tei => (
                format!("/embed?model={}", model.replace('/', "%2F")),
                json!({"inputs": texts, "dimensions": 3}),
            ),
            Self::Cohere => (
                "/v2/embed".to_owned(),
                json!({"model": model, "texts": texts, "output_dimension": 3, "input_type": "clustering"}),
            ),
        }
    }

    /// The vectors of a reply, as the `f32` they are.
    fn vectors(self, reply: &Reply) -> Vec<Vec<f32>> {
        let body = reply.json();
        let list = |value: &Value| value.as_array().unwrap_or_else(|| panic!("{body}")).clone();
        match self {
            Self::Openai => list(&body["data"]).iter().map(|item| numbers(&item["embedding"])).collect(),
            Self::OpenaiBase64 => {
                list(&body["data"]).iter().map(|item| decoded(&item["embedding"])).collect()
            }
            Self::Gemini => vec![numbers(&body["embedding"]["values"])],
            Self::GeminiBatch => {
                list(&body["embeddings"]).iter().map(|item| numbers(&item["values"])).collect()
            }
            Self::Tei => list(&body).iter().map(numbers).collect(),
            Self::Cohere => list(&body["embeddings"]["float"]).iter().map(numbers).collect(),
        }
    }
}

fn numbers(array: &Value) -> Vec<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "vectors are of single precision")]
    array
        .as_array()
        .unwrap_or_else(|| panic!("{array}"))
        .iter()
        .map(|number| number.as_f64().unwrap() as f32)
        .collect()
}

/// Base64 of little-endian `f32`, decoded bit by bit.
fn decoded(text: &Value) -> Vec<f32> {
    let text = text.as_str().unwrap_or_else(|| panic!("{text}"));
    let mut bytes = Vec::new();
    let (mut word, mut bits) = (0_u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        (word, bits) = (word << 6 | u32::from(value), bits + 6);
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(word >> bits & 0xff).unwrap());
        }
    }
    bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
}

async fn post(stepwell: &Stepwell, path: &str, body: &Value) -> Reply {
    send(stepwell.api, "POST", path, &[JSON], body.to_string()).await
}

async fn ask(stepwell: &Stepwell, client: Client, model: &str, texts: &[&str]) -> Reply {
    let (path, body) = client.request(model, texts);
    post(stepwell, &path, &body).await
}

/// A provider that gives every request for vectors this body.
async fn scripted(body: &str) -> Scripted {
    Scripted::json("", body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_gets_the_same_vectors_from_every_provider_and_pays_what_they_cost() {
    let simulator = Simulator::start().await;
    let rest = simulator.provider("oai", "openai", PRICE)
        + &simulator.provider("gem", "gemini", PRICE)
        + &simulator.provider("tei", "tei", PRICE);
    let stepwell = Stepwell::start("", &rest).await;
    let expected = Client::Openai.vectors(&ask(&stepwell, Client::Openai, "oai/embed", &TEXTS).await);
    assert_eq!((expected.len(), expected[0].len()), (2, 3));
    for provider in ["oai", "gem", "tei"] {
        for client in CLIENTS {
            if (provider, client) == ("tei", Client::Tei) {
                // The simulator has no native form of such a server: another test speaks it.
                continue;
            }
            let reply = ask(&stepwell, client, &format!("{provider}/embed"), &TEXTS).await;
            let seen = format!("{client:?} at {provider}: {} {}", reply.status, reply.text());
            assert_eq!(reply.status, 200, "{seen}");
            let vectors = client.vectors(&reply);
            let count = if client == Client::Gemini { 1 } else { 2 };
            assert_eq!(vectors, expected[..count], "{seen}");
            // What a vector is for is nothing that OpenAI or TEI can be told.
            let is_lost = client == Client::Cohere && provider != "gem";
            assert_eq!(reply.header("x-stepwell-losses"), is_lost.then_some("request:/input_type"), "{seen}");
            let call = call_of(&reply);
            let record = stepwell.record(&call).await;
            let [entry] = simulator.account(&call).try_into().unwrap();
            assert_eq!(
                (entry.endpoint, &record["endpoint"]),
                (Endpoint::Embeddings, &json!("embeddings")),
                "{seen}"
            );
            assert!(entry.billed > NanoUsd::ZERO, "{seen}");
            let attempt = &record["attempts"][0];
            assert_eq!(amount(&attempt["cost_usd"]), entry.billed, "{seen} {record:#}");
            assert_eq!(
                (&attempt["cost_status"], &attempt["usage_source"]),
                (&json!("exact"), &json!("provider"))
            );
            assert_eq!(attempt["input_tokens"], entry.billed_usage.input_tokens, "{seen} {record:#}");
            assert!(amount(&attempt["bound_usd"]) >= entry.billed, "{seen} {record:#}");
            assert_eq!(reply.header("x-stepwell-cost-usd"), attempt["cost_usd"].as_str(), "{seen}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_provider_never_says_is_estimated_and_said_to_be() {
    let gemini = scripted(r#"{"embeddings":[{"values":[0.5]}]}"#).await;
    let tei = scripted("[[0.5]]").await;
    let rest = provider("gem", "gemini", gemini.address, PRICE) + &provider("tei", "tei", tei.address, PRICE);
    let stepwell = Stepwell::start("", &rest).await;
    for (client, model) in
        [(Client::OpenaiBase64, "gem/embed"), (Client::GeminiBatch, "gem/embed"), (Client::Tei, "tei/embed")]
    {
        let reply = ask(&stepwell, client, model, &["a"]).await;
        assert_eq!(client.vectors(&reply), [[0.5]], "{client:?} {}", reply.text());
        let record = stepwell.record(&call_of(&reply)).await;
        let attempt = &record["attempts"][0];
        assert_eq!(
            (&attempt["cost_status"], &attempt["usage_source"]),
            (&json!("estimated"), &json!("estimate"))
        );
        assert!(amount(&attempt["cost_usd"]) > NanoUsd::ZERO, "{record:#}");
    }
    // One form on both sides: the bytes pass, both ways.
    assert!(tei.only().head.starts_with("POST /embed HTTP/1.1"));
    assert_eq!(tei.only().text(), r#"{"dimensions":3,"inputs":["a"]}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn within_one_form_bytes_pass_unless_the_vectors_are_not_as_asked() {
    let body = "{ \"object\":\"list\",\"data\":[{\"embedding\":[0.50, 1e0],\"index\":0}],\"usage\":{\"total_tokens\":7},\"x\":1 }";
    let floats = scripted(body).await;
    let stepwell = Stepwell::start("", &provider("own", "openai-compatible", floats.address, PRICE)).await;
    let asked = "{ \"input\" : \"a\", \"model\":\"own/embed\", \"late\": [1e2] }";
    let reply = send(stepwell.api, "POST", "/v1/embeddings", &[JSON], asked).await;
    assert_eq!((reply.status, reply.text()), (200, body.to_owned()));
    assert_eq!(floats.only().text(), asked.replace("own/embed", "embed"));
    // A server that passes over `encoding_format`: the client still gets what its SDK asked for.
    let reply = ask(&stepwell, Client::OpenaiBase64, "own/embed", &["a"]).await;
    assert_eq!(Client::OpenaiBase64.vectors(&reply), [[0.5, 1.0]], "{}", reply.text());
    assert_eq!(
        (&reply.json()["model"], &reply.json()["usage"]["prompt_tokens"]),
        (&json!("embed"), &json!(7))
    );
    assert_eq!(reply.header("x-stepwell-losses"), Some("reply:/x"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_vendor_is_asked_in_its_own_words_and_told_what_is_lost() {
    let body = r#"{"data":[{"embedding":[0.5],"index":0}],"model":"m","usage":{"total_tokens":3}}"#;
    let (voyage, jina, mistral, openai) =
        (scripted(body).await, scripted(body).await, scripted(body).await, scripted(body).await);
    let rest = provider("voyage", "voyage", voyage.address, PRICE)
        + &provider("jina", "jina", jina.address, PRICE)
        + &provider("mistral", "mistral", mistral.address, PRICE)
        + &provider("openai", "openai", openai.address, PRICE)
        + "[routes.strict]\ntargets = [\"openai/embed\"]\nstrict = true\n";
    let stepwell = Stepwell::start("", &rest).await;
    let ask = |model: &str| json!({"model": model, "input": ["a"], "dimensions": 256, "input_type": "query", "encoding_format": "float"});
    for (seen, model, expected, losses) in [
        (
            &voyage,
            "voyage/embed",
            json!({"model": "embed", "input": ["a"], "output_dimension": 256, "input_type": "query"}),
            None,
        ),
        (
            &jina,
            "jina/embed",
            json!({"model": "embed", "input": ["a"], "dimensions": 256, "task": "retrieval.query"}),
            None,
        ),
        (
            &mistral,
            "mistral/embed",
            json!({"model": "embed", "input": ["a"], "output_dimension": 256}),
            Some("request:/input_type"),
        ),
        (
            &openai,
            "openai/embed",
            json!({"model": "embed", "input": ["a"], "dimensions": 256}),
            Some("request:/input_type"),
        ),
    ] {
        let reply = post(&stepwell, "/v1/embeddings", &ask(model)).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, body), "{model}");
        assert_eq!(serde_json::from_str::<Value>(&seen.only().text()).unwrap(), expected, "{model}");
        assert_eq!(reply.header("x-stepwell-losses"), losses, "{model}");
    }
    let reply = post(&stepwell, "/v1/embeddings", &ask("strict")).await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "lossy_translation"));
    assert_eq!(openai.seen().len(), 1, "what a strict route refuses is not sent");
    let tokens = json!({"model": "voyage/embed", "input": [[1, 2], [3]]});
    let reply = post(&stepwell, "/v1/embeddings", &tokens).await;
    assert_eq!(
        (reply.status, &reply.json()["error"]["param"]),
        (400, &json!("input[0]")),
        "{}",
        reply.text()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_served_is_refused_in_the_clients_form_and_names_the_field() {
    let simulator = Simulator::start().await;
    let rest = simulator.providers()
        + &provider("voyage", "voyage", simulator.address, PRICE)
        + "[routes.no-embeddings]\ntargets = [\"ant/small\"]\n";
    let stepwell = Stepwell::start("", &rest).await;
    for (path, body, status, code, param) in [
        ("/v1/embeddings", json!({"model": "oai/embed"}), 400, Code::InvalidRequest, "input"),
        ("/v1/embeddings", json!({"model": "oai/embed", "input": []}), 400, Code::InvalidRequest, "input"),
        ("/v1/embeddings", json!({"input": "a"}), 400, Code::InvalidRequest, "model"),
        (
            "/v1/embeddings",
            json!({"model": "gem/embed", "input": [1, 2]}),
            400,
            Code::UnsupportedParameter,
            "input",
        ),
        (
            "/v1/embeddings",
            json!({"model": "gem/embed", "input": ["a", 7]}),
            400,
            Code::InvalidRequest,
            "input[1]",
        ),
        ("/v1/embeddings", json!({"model": "nope", "input": "a"}), 404, Code::ModelNotFound, "model"),
        (
            "/v1/embeddings",
            json!({"model": "ant/small", "input": "a"}),
            400,
            Code::UnsupportedParameter,
            "model",
        ),
        (
            "/v1/embeddings",
            json!({"model": "no-embeddings", "input": "a"}),
            400,
            Code::UnsupportedParameter,
            "model",
        ),
        (
            "/v1/chat/completions",
            json!({"model": "voyage/x", "messages": []}),
            400,
            Code::UnsupportedParameter,
            "model",
        ),
    ] {
        let reply = post(&stepwell, path, &body).await;
        let error = &reply.json()["error"];
        assert_eq!(
            (reply.status, &error["code"], &error["param"]),
            (status, &json!(code.as_str()), &json!(param)),
            "{body} {}",
            reply.text()
        );
        let record = stepwell.record(&call_of(&reply)).await;
        assert_eq!((&record["code"], &record["attempts"]), (&json!(code.as_str()), &json!([])), "{record:#}");
    }
    let path = "/v1beta/models/oai/embed:batchEmbedContents";
    let reply = post(&stepwell, path, &json!({"requests": [{"content": {}, "model": "models/x"}]})).await;
    assert_eq!(reply.status, 400);
    assert_eq!(reply.json()["error"]["status"], "INVALID_ARGUMENT", "{}", reply.text());
    assert!(reply.text().contains("requests[0].model"), "{}", reply.text());
    assert_eq!(words_of(&reply.json())["code"], "invalid_request");
    for (path, param) in [("/embed", "model"), ("/embed?model=oai%2Fembed", "inputs")] {
        let body = if param == "model" { json!({"inputs": "a"}) } else { json!({"inputs": []}) };
        let error = post(&stepwell, path, &body).await.json();
        assert_eq!((&error["error_type"], &error["param"]), (&json!("validation"), &json!(param)), "{error}");
        assert!(error["error"].is_string() && error["call_id"].is_string(), "{error}");
    }
    // What the provider refuses passes in its own words.
    let body = json!({"model": "oai/embed", "input": "a", "dimensions": 9_999});
    let reply = post(&stepwell, "/v1/embeddings", &body).await;
    assert_eq!(
        (reply.status, &reply.json()["error"]["param"]),
        (400, &json!("dimensions")),
        "{}",
        reply.text()
    );
    let reply = send(stepwell.api, "GET", "/v1/embeddings", &[], "").await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
    let reply = send(stepwell.api, "POST", "/embed", &[], "{}").await;
    assert_eq!((reply.status, &reply.json()["error_type"]), (415, &json!("validation")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn targets_that_do_not_embed_are_passed_over_and_those_that_fail_are_followed() {
    let simulator = Simulator::start().await;
    let down = Scripted::start("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await;
    let few = scripted(r#"{"data":[{"embedding":[0.5],"index":0}],"usage":{"prompt_tokens":1}}"#).await;
    let rest = simulator.providers()
        + &simulator.provider("tei", "tei", PRICE)
        + &provider("down", "openai", down.address, PRICE)
        + &provider("few", "openai", few.address, PRICE)
        + "[routes.search]\ntargets = [\"ant/small\", \"down/embed\", \"gem/embed\"]\n\
           [routes.few]\ntargets = [\"few/embed\", \"tei/embed\"]\n";
    let stepwell = Stepwell::start("", &rest).await;
    for client in CLIENTS {
        let reply = ask(&stepwell, client, "search", &TEXTS).await;
        assert_eq!(reply.status, 200, "{client:?} {}", reply.text());
        assert_eq!(reply.header("x-stepwell-provider"), Some("gem"), "{client:?}");
        let record = stepwell.record(&call_of(&reply)).await;
        let providers: Vec<&str> = record["attempts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|attempt| attempt["provider"].as_str().unwrap())
            .collect();
        assert_eq!(providers, ["down", "gem"], "{client:?} {record:#}");
    }
    // Fewer vectors than inputs are no answer: whose would they be?
    let reply = ask(&stepwell, Client::GeminiBatch, "few", &TEXTS).await;
    assert_eq!((reply.status, reply.header("x-stepwell-provider")), (200, Some("tei")), "{}", reply.text());
    let record = stepwell.record(&call_of(&reply)).await;
    assert_eq!(record["attempts"][0]["code"], "upstream_invalid", "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cohere_is_asked_in_its_form_and_bills_what_it_says() {
    let body = r#"{"id":"i","embeddings":{"float":[[0.5,1]]},"texts":["a"],"meta":{"billed_units":{"input_tokens":5}}}"#;
    let cohere = scripted(body).await;
    let stepwell = Stepwell::start("", &provider("coh", "cohere", cohere.address, PRICE)).await;
    for client in CLIENTS {
        let reply = ask(&stepwell, client, "coh/embed", &["a"]).await;
        assert_eq!(client.vectors(&reply), [[0.5, 1.0]], "{client:?} {}", reply.text());
        let record = stepwell.record(&call_of(&reply)).await;
        // 5 × 0.02 USD a million.
        assert_eq!(
            amount(&record["attempts"][0]["cost_usd"]),
            NanoUsd::from_nanos(100),
            "{client:?} {record:#}"
        );
        if client == Client::Cohere {
            assert_eq!(reply.text(), body);
        }
        let seen = cohere.seen().pop().unwrap();
        assert!(seen.head.starts_with("POST /v2/embed HTTP/1.1"), "{}", seen.head);
        let sent: Value = serde_json::from_str(&seen.text()).unwrap();
        let purpose = if client == Client::Cohere { "clustering" } else { "search_document" };
        assert_eq!((&sent["model"], &sent["input_type"]), (&json!("embed"), &json!(purpose)), "{client:?}");
        assert_eq!((&sent["texts"], &sent["output_dimension"]), (&json!(["a"]), &json!(3)), "{client:?}");
    }
    let mistake = json!({"model": "coh/embed", "input_type": "clustering"});
    let reply = post(&stepwell, "/v2/embed", &mistake).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert!(reply.json()["message"].as_str().unwrap().contains("texts"), "{}", reply.text());
}

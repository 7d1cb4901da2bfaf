//! The account: what it says of replies, of errors and of clients that leave.

use serde_json::{Value, json};
use stepwell_sim::{Ended, ModelOptions, Prices, SimOptions};
use stepwell_types::{Dialect, Endpoint, NanoUsd};

use crate::client::{chat, content, input, message, start, start_with, with};

#[tokio::test]
async fn an_entry_agrees_with_the_reply_it_is_of() {
    let server = start().await;
    let correlation = [("x-request-id", "call-1"), ("x-client-request-id", "attempt-1")];
    let reply = server.openai_with(&correlation, &chat("hello")).await.unwrap().json();
    let entry = server.ended(1).await;
    assert_eq!(entry.seq, 1);
    assert_eq!(entry.id, reply["id"].as_str().unwrap());
    assert_eq!(entry.request_id.as_deref(), Some("call-1"));
    assert_eq!(entry.client_request_id.as_deref(), Some("attempt-1"));
    assert_eq!((entry.dialect, entry.endpoint), (Dialect::OpenaiChat, Endpoint::Chat));
    assert_eq!((entry.model.as_deref(), entry.streamed, entry.status), (Some("small"), false, Some(200)));
    assert_eq!(entry.ended, Ended::Finished);
    let tokens = |name: &str| reply["usage"][name].as_u64().unwrap();
    assert_eq!(entry.usage.input_tokens, tokens("prompt_tokens"));
    assert_eq!(entry.usage.output_tokens, tokens("completion_tokens"));
    assert_eq!(entry.billed_usage, entry.usage);
    let cost = tokens("prompt_tokens") * 150 + tokens("completion_tokens") * 600;
    assert_eq!(entry.billed, NanoUsd::from_nanos(i64::try_from(cost).unwrap()));
}

#[tokio::test]
async fn cached_input_is_billed_at_its_own_prices() {
    let prices = Prices {
        input: 1_000_000,
        cache_read: 1,
        cache_write_5m: 2_000_000,
        cache_write_1h: 3_000_000,
        output: 0,
    };
    let models = vec![ModelOptions { prices, ..ModelOptions::small() }];
    let server = start_with(SimOptions { models, ..SimOptions::default() }).await;
    let block = |text: &str, ttl: &str| json!({"type": "text", "text": text.repeat(1_100), "cache_control": {"type": "ephemeral", "ttl": ttl}});
    let ask = with(message("x"), json!({"system": [block("abcd", "1h"), block("efgh", "5m")]}));
    server.anthropic(&ask).await;
    let first = server.ended(1).await;
    assert_eq!((first.usage.cache_write_1h_tokens, first.usage.cache_write_5m_tokens), (1_104, 1_100));
    assert_eq!(first.billed.as_nanos(), 1_104 * 3 + 1_100 * 2 + 5);
    server.anthropic(&ask).await;
    let second = server.ended(2).await;
    assert_eq!(second.usage.cache_read_tokens, 2_204);
    // 2,204 tokens at a nano-dollar per million are less than half a nano-dollar.
    assert_eq!(second.billed.as_nanos(), 5);
}

#[tokio::test]
async fn an_entry_agrees_with_a_reply_of_geminis_and_its_cached_prompt() {
    let server = start().await;
    let thinking = json!({"generationConfig": {"thinkingConfig": {"thinkingLevel": "low"}}});
    let ask = with(content(&"abcd".repeat(2_000)), thinking);
    for (requests, cached) in [(1, 0), (2, 1_920)] {
        let reply = server.gemini(&ask).await.json();
        let entry = server.ended(requests).await;
        assert_eq!(entry.id, reply["responseId"].as_str().unwrap());
        assert_eq!((entry.dialect, entry.endpoint), (Dialect::Gemini, Endpoint::Chat));
        assert_eq!((entry.model.as_deref(), entry.status), (Some("small"), Some(200)));
        let tokens = |name: &str| reply["usageMetadata"][name].as_u64().unwrap_or(0);
        assert_eq!(tokens("promptTokenCount"), 2_004);
        assert_eq!(tokens("cachedContentTokenCount"), cached);
        assert_eq!(tokens("thoughtsTokenCount"), 16);
        let total = ["promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount"].map(tokens);
        assert_eq!(tokens("totalTokenCount"), total.iter().sum::<u64>());
        assert_eq!(entry.usage.input_tokens, tokens("promptTokenCount"));
        assert_eq!(entry.usage.cache_read_tokens, cached);
        assert_eq!(entry.usage.output_tokens, tokens("candidatesTokenCount") + 16);
        assert_eq!(entry.usage.reasoning_tokens, 16);
        let cost = (2_004 - cached) * 150 + cached * 75 + entry.usage.output_tokens * 600;
        assert_eq!(entry.billed, NanoUsd::from_nanos(i64::try_from(cost).unwrap()));
    }
    server.gemini_with(&[], "small:streamGenerateContent?alt=sse", &ask).await.unwrap();
    let streamed = server.ended(3).await;
    assert_eq!((streamed.streamed, streamed.usage), (true, server.ended(2).await.usage));
    let counted = server.gemini_with(&[], "small:countTokens", &content("x")).await.unwrap();
    assert_eq!(counted.status, 200);
    let entry = server.ended(4).await;
    assert_eq!((entry.endpoint, entry.billed), (Endpoint::CountTokens, NanoUsd::ZERO));
}

#[tokio::test]
async fn an_entry_agrees_with_a_response_and_its_cached_prompt() {
    let server = start().await;
    let ask = with(input(&"abcd".repeat(2_000)), json!({"reasoning": {"effort": "low"}}));
    for (requests, cached) in [(1, 0), (2, 1_920)] {
        let reply = server.responses(&ask).await.json();
        let entry = server.ended(requests).await;
        assert_eq!(entry.id, reply["id"].as_str().unwrap());
        assert_eq!((entry.dialect, entry.endpoint), (Dialect::OpenaiResponses, Endpoint::Chat));
        assert_eq!((entry.model.as_deref(), entry.status), (Some("small"), Some(200)));
        let usage = &reply["usage"];
        assert_eq!(usage["input_tokens"], 2_004);
        assert_eq!(usage["input_tokens_details"], json!({"cached_tokens": cached, "cache_write_tokens": 0}));
        assert_eq!(usage["output_tokens_details"], json!({"reasoning_tokens": 16}));
        assert_eq!(entry.usage.input_tokens, 2_004);
        assert_eq!(entry.usage.cache_read_tokens, cached);
        assert_eq!(Some(entry.usage.output_tokens), usage["output_tokens"].as_u64());
        assert_eq!(Some(2_004 + entry.usage.output_tokens), usage["total_tokens"].as_u64());
        assert_eq!(entry.usage.reasoning_tokens, 16);
        let cost = (2_004 - cached) * 150 + cached * 75 + entry.usage.output_tokens * 600;
        assert_eq!(entry.billed, NanoUsd::from_nanos(i64::try_from(cost).unwrap()));
    }
    server.responses(&with(ask, json!({"stream": true}))).await;
    let streamed = server.ended(3).await;
    assert_eq!((streamed.streamed, streamed.usage), (true, server.ended(2).await.usage));
}

#[tokio::test]
async fn errors_are_listed_and_billed_nothing() {
    let server = start().await;
    server.openai(&json!({"model": "gone", "messages": []})).await;
    server.anthropic(&with(message("x"), json!({"nonsense": 1}))).await;
    server.openai(&chat("[[fault:status 500]]")).await;
    for (seq, status, model) in [(1, 404, None), (2, 400, None), (3, 500, Some("small"))] {
        let entry = server.ended(seq).await;
        assert_eq!((entry.status, entry.ended), (Some(status), Ended::Error));
        assert_eq!(entry.model.as_deref(), model);
        assert_eq!(entry.billed, NanoUsd::ZERO);
    }
    let totals = server.oracle.totals();
    assert_eq!((totals.requests, totals.errors, totals.billed), (3, 3, NanoUsd::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_a_stream_is_billed_what_was_generated() {
    let server = start().await;
    let ask = with(chat("go on [[sim:tokens=100 event-ms=1000]]"), json!({"stream": true}));
    let limit = std::time::Duration::from_millis(10_500);
    assert!(tokio::time::timeout(limit, server.openai(&ask)).await.is_err());
    let entry = server.ended(1).await;
    assert_eq!(entry.ended, Ended::ClientGone);
    assert_eq!(entry.status, Some(200));
    assert!((1..100).contains(&entry.billed_usage.output_tokens), "{}", entry.billed_usage.output_tokens);
    assert!(entry.billed > NanoUsd::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_a_whole_reply_is_billed_what_was_generated() {
    let server = start().await;
    let ask = chat("go on [[sim:tokens=100 event-ms=1000 ttft-ms=3000]]");
    let limit = std::time::Duration::from_millis(10_500);
    assert!(tokio::time::timeout(limit, server.openai(&ask)).await.is_err());
    let entry = server.ended(1).await;
    assert_eq!(entry.ended, Ended::ClientGone);
    assert!((1..100).contains(&entry.billed_usage.output_tokens), "{}", entry.billed_usage.output_tokens);
    assert!(entry.billed_usage.input_tokens > 0);
}

#[tokio::test]
async fn the_account_is_read_in_pages_and_reset_over_http() {
    let server = start().await;
    for index in 0..5 {
        server.openai(&chat(&format!("call {index}"))).await;
    }
    server.ended(5).await;
    let get =
        async |query: &str| server.send("GET", &format!("/sim/oracle{query}"), &[], "").await.unwrap().json();
    let numbers = |page: &Value| -> Vec<u64> {
        page["data"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()).collect()
    };
    let first = get("?limit=3").await;
    assert_eq!((numbers(&first), &first["next_after"]), (vec![1, 2, 3], &json!(3)));
    let second = get("?limit=3&after=3").await;
    assert_eq!((numbers(&second), &second["next_after"]), (vec![4, 5], &Value::Null));
    let entry = &first["data"][0];
    let nanos = entry["billed_nano_usd"].as_i64().unwrap();
    assert_eq!(entry["billed_usd"], NanoUsd::from_nanos(nanos).to_string());
    assert_eq!((&entry["ended"], &entry["dialect"]), (&json!("finished"), &json!("openai_chat")));
    assert_eq!(first["totals"]["requests"], 5);
    assert_eq!(first["totals"]["in_flight"], 0);
    assert_eq!(server.send("GET", "/sim/oracle?after=x", &[], "").await.unwrap().status, 400);
    server.send("DELETE", "/sim/oracle", &[], "").await.unwrap();
    let empty = get("").await;
    assert_eq!((numbers(&empty), &empty["totals"]["requests"]), (vec![], &json!(0)));
}

#[tokio::test]
async fn without_an_account_nothing_is_kept() {
    let server = start_with(SimOptions { oracle: false, ..SimOptions::default() }).await;
    assert_eq!(server.openai(&chat("x")).await.status, 200);
    assert_eq!(server.oracle.totals().requests, 0);
    assert!(server.oracle.entries(0, 10).is_empty());
}

#[tokio::test]
async fn the_simulator_tells_its_models_prices_and_faults() {
    let server = start().await;
    let about = server.send("GET", "/sim", &[], "").await.unwrap().json();
    assert_eq!(about["models"][0]["nano_usd_per_million_tokens"]["output"], Prices::SMALL.output);
    assert!(about["faults"].as_array().unwrap().contains(&json!("blackhole")));
    assert_eq!(server.send("GET", "/sim/nothing", &[], "").await.unwrap().status, 404);
}

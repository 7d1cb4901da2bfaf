//! The messages dialect: golden shapes of replies and streams.

use serde_json::{Value, json};

use crate::client::{check_city, city_schema, message, start, with};

fn tool(name: &str, schema: &Value) -> Value {
    json!({"name": name, "description": "a tool", "input_schema": schema})
}

#[tokio::test]
async fn a_plain_reply_has_the_vendors_shape_and_headers() {
    let server = start().await;
    let got = server.anthropic(&with(message("draw some water"), json!({"max_tokens": 5}))).await;
    assert_eq!(got.status, 200);
    assert!(got.headers["request-id"].to_str().unwrap().starts_with("req_"));
    assert_eq!(got.headers["anthropic-ratelimit-requests-limit"], "10000");
    let reset = got.headers["anthropic-ratelimit-requests-reset"].to_str().unwrap();
    assert!(reset.len() == 20 && reset.ends_with('Z'), "{reset}");
    let mut reply = got.json();
    assert!(reply["id"].as_str().unwrap().starts_with("msg_"));
    reply["id"] = json!("ID");
    let golden = json!({
        "id": "ID",
        "type": "message",
        "role": "assistant",
        "model": "small",
        "content": [{"type": "text", "text": "You said: draw some water"}],
        "stop_reason": "max_tokens",
        "stop_sequence": null,
        "usage": {
            "input_tokens": 8,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 5,
            "service_tier": "standard",
        },
    });
    assert_eq!(reply, golden);
}

#[tokio::test]
async fn a_stream_has_the_vendors_events_in_order() {
    let server = start().await;
    let got = server.anthropic(&with(message("water"), json!({"max_tokens": 3, "stream": true}))).await;
    assert!(got.complete);
    let events = got.events();
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "message_start",
            "ping",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    let mut data = got.data();
    for ((name, _), data) in events.iter().zip(&data) {
        assert_eq!(data["type"], name.as_str());
    }
    data[0]["message"]["id"] = json!("ID");
    let start = json!({"type": "message_start", "message": {
        "id": "ID", "type": "message", "role": "assistant", "model": "small", "content": [],
        "stop_reason": null, "stop_sequence": null,
        "usage": {
            "input_tokens": 6, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 1, "service_tier": "standard",
        },
    }});
    assert_eq!(data[0], start);
    let block =
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
    assert_eq!(data[2], block);
    let delta =
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " said:"}});
    assert_eq!(data[4], delta);
    assert_eq!(data[6], json!({"type": "content_block_stop", "index": 0}));
    let end = json!({
        "type": "message_delta",
        "delta": {"stop_reason": "max_tokens", "stop_sequence": null},
        "usage": {
            "input_tokens": 6, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 3,
        },
    });
    assert_eq!(data[7], end);
    assert_eq!(data[8], json!({"type": "message_stop"}));
}

#[tokio::test]
async fn parallel_tool_uses_come_in_blocks_with_fragments_that_join_to_their_input() {
    let server = start().await;
    let tools = json!([tool("find_city", &city_schema()), tool("count", &json!({"type": "object"}))]);
    let ask = with(message("use find_city and count"), json!({"tools": tools}));
    let whole = server.anthropic(&ask).await.json();
    assert_eq!(whole["stop_reason"], "tool_use");
    check_city(&whole["content"][0]["input"]);
    assert_eq!(whole["content"][1]["input"], json!({}));
    let streamed = server.anthropic(&with(ask, json!({"stream": true}))).await.data();
    let mut joined = [String::new(), String::new()];
    for event in &streamed {
        if event["type"] == "content_block_start" {
            assert_eq!(event["content_block"]["type"], "tool_use");
            assert_eq!(event["content_block"]["input"], json!({}));
            assert!(event["content_block"]["id"].as_str().unwrap().starts_with("toolu_"));
        }
        if let Some(fragment) = event["delta"]["partial_json"].as_str() {
            joined[usize::try_from(event["index"].as_u64().unwrap()).unwrap()].push_str(fragment);
        }
    }
    assert_eq!(serde_json::from_str::<Value>(&joined[0]).unwrap(), whole["content"][0]["input"]);
    assert_eq!(joined[1], "");
    let output = |usage: &Value| usage["output_tokens"].as_u64().unwrap();
    let end = streamed.iter().find(|event| event["type"] == "message_delta").unwrap();
    assert_eq!(output(&end["usage"]), output(&whole["usage"]));
}

#[tokio::test]
async fn a_tool_round_with_thinking_is_taken_back_and_quoted() {
    let server = start().await;
    let tools = json!([tool("find_city", &city_schema())]);
    let thinking = json!({"type": "enabled", "budget_tokens": 1_024});
    let more = json!({"tools": tools, "thinking": thinking, "max_tokens": 2_000});
    let ask = with(message("find_city"), more);
    let reply = server.anthropic(&ask).await.json();
    assert_eq!(reply["content"][0]["type"], "thinking");
    assert_eq!(reply["usage"]["output_tokens_details"]["thinking_tokens"], 32);
    let result = json!({
        "type": "tool_result", "tool_use_id": reply["content"][1]["id"], "content": [{"type": "text", "text": "Agra"}],
    });
    let round = |content: &Value| {
        json!([
            {"role": "user", "content": "find_city"},
            {"role": "assistant", "content": content},
            {"role": "user", "content": [result]},
        ])
    };
    let good = with(ask.clone(), json!({"messages": round(&reply["content"])}));
    let answer = server.anthropic(&good).await.json();
    assert_eq!(answer["content"][1]["text"], "The tools answered: Agra.");
    let mut tampered = reply["content"].clone();
    tampered[0]["thinking"] = json!("something else");
    let got = server.anthropic(&with(ask.clone(), json!({"messages": round(&tampered)}))).await;
    assert_eq!(got.status, 400);
    assert_eq!(
        got.json()["error"]["message"],
        "messages.1.content.0: Invalid `signature` in `thinking` block"
    );
    let dropped = json!([reply["content"][1]]);
    let got = server.anthropic(&with(ask, json!({"messages": round(&dropped)}))).await;
    assert_eq!(got.status, 400);
    assert!(got.text().contains("Expected `thinking` or `redacted_thinking`, but found `tool_use`"));
}

#[tokio::test]
async fn thinking_streams_before_the_text_and_may_be_left_out_or_redacted() {
    let server = start().await;
    let stream = async |text: &str, thinking: Value| {
        server.anthropic(&with(message(text), json!({"stream": true, "thinking": thinking}))).await.data()
    };
    let deltas = |events: &[Value]| -> Vec<String> {
        let kinds = events.iter().filter_map(|event| event["delta"]["type"].as_str());
        let mut kinds: Vec<String> = kinds.map(str::to_owned).collect();
        kinds.dedup();
        kinds
    };
    let shown = stream("x", json!({"type": "adaptive"})).await;
    assert_eq!(deltas(&shown), ["thinking_delta", "signature_delta", "text_delta"]);
    let omitted = stream("x", json!({"type": "adaptive", "display": "omitted"})).await;
    assert_eq!(deltas(&omitted), ["signature_delta", "text_delta"]);
    let redacted = stream("x [[redacted-thinking]]", json!({"type": "adaptive"})).await;
    assert_eq!(deltas(&redacted), ["text_delta"]);
    assert_eq!(redacted[2]["content_block"]["type"], "redacted_thinking");
}

#[tokio::test]
async fn a_marked_prefix_is_written_and_then_read() {
    let server = start().await;
    let system = json!([
        {"type": "text", "text": "rules ".repeat(1_000), "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": "more rules ".repeat(100), "cache_control": {"type": "ephemeral"}},
    ]);
    let ask = with(message("x"), json!({"system": system}));
    let usage = async || server.anthropic(&ask).await.json()["usage"].clone();
    let first = usage().await;
    assert_eq!(first["cache_creation"]["ephemeral_1h_input_tokens"], 1_504);
    assert_eq!(first["cache_creation"]["ephemeral_5m_input_tokens"], 275);
    assert_eq!(first["cache_creation_input_tokens"], 1_779);
    assert_eq!(first["input_tokens"], 5);
    let second = usage().await;
    assert_eq!(second["cache_read_input_tokens"], 1_779);
    assert_eq!(second["cache_creation_input_tokens"], 0);
    assert_eq!(second["input_tokens"], 5);
}

#[tokio::test]
async fn structured_output_satisfies_its_schema() {
    let server = start().await;
    let schema = json!({
        "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"],
        "additionalProperties": false,
    });
    let config = json!({"output_config": {"format": {"type": "json_schema", "schema": schema}}});
    let got = server.anthropic(&with(message("x"), config)).await.json();
    let text = got["content"][0]["text"].as_str().unwrap();
    assert!(serde_json::from_str::<Value>(text).unwrap()["name"].is_string());
}

#[tokio::test]
async fn every_stop_reason_can_be_had() {
    let server = start().await;
    let reason = async |text: &str, more: Value| {
        let reply = server.anthropic(&with(message(text), more)).await.json();
        (reply["stop_reason"].as_str().unwrap().to_owned(), reply)
    };
    assert_eq!(reason("x", json!({})).await.0, "end_turn");
    assert_eq!(reason("x", json!({"max_tokens": 1})).await.0, "max_tokens");
    let (name, reply) = reason("a STOP b", json!({"stop_sequences": ["STOP"]})).await;
    assert_eq!((name.as_str(), &reply["stop_sequence"]), ("stop_sequence", &json!("STOP")));
    let tools = json!({"tools": [tool("t", &json!({"type": "object"}))], "tool_choice": {"type": "any"}});
    assert_eq!(reason("x", tools).await.0, "tool_use");
    let (name, reply) = reason("[[refuse]]", json!({})).await;
    assert_eq!((name.as_str(), &reply["stop_details"]["type"]), ("refusal", &json!("refusal")));
    assert_eq!(reason("[[finish:pause_turn]]", json!({})).await.0, "pause_turn");
    let (name, _) = reason("[[finish:model_context_window_exceeded]]", json!({})).await;
    assert_eq!(name, "model_context_window_exceeded");
    let (_, warmed) = reason("x", json!({"max_tokens": 0})).await;
    assert_eq!(warmed["content"], json!([]));
}

#[tokio::test]
async fn counting_tokens_agrees_with_the_usage_of_the_same_request() {
    let server = start().await;
    let ask = with(message("count me"), json!({"system": "be brief"}));
    let usage = server.anthropic(&ask).await.json()["usage"]["input_tokens"].clone();
    let mut count = ask.clone();
    count.as_object_mut().unwrap().remove("max_tokens");
    let headers =
        [("x-api-key", "k"), ("anthropic-version", "2026-10-21"), ("content-type", "application/json")];
    let path = "/v1/messages/count_tokens";
    let got = server.send("POST", path, &headers, &count.to_string()).await.unwrap();
    assert_eq!(got.json(), json!({"input_tokens": usage}));
    let got = server.send("POST", path, &headers, &ask.to_string()).await.unwrap();
    assert_eq!(got.json()["error"]["message"], "max_tokens: Extra inputs are not permitted");
}

//! The chat completions dialect: golden shapes of replies and streams.

use serde_json::{Value, json};

use crate::client::{chat, check_city, city_schema, function, start, with};

fn without_ids(mut value: Value) -> Value {
    if let Value::Object(members) = &mut value {
        assert!(members["id"].as_str().unwrap().starts_with("chatcmpl-"));
        assert!(members["created"].as_i64().unwrap() > 1_700_000_000);
        members.insert("id".to_owned(), json!("ID"));
        members.insert("created".to_owned(), json!(0));
    }
    value
}

#[tokio::test]
async fn a_plain_reply_has_the_vendors_shape_and_headers() {
    let server = start().await;
    let got = server.openai(&with(chat("draw some water"), json!({"max_tokens": 5}))).await;
    assert_eq!(got.status, 200);
    assert_eq!(got.headers["content-type"], "application/json");
    assert!(got.headers["x-request-id"].to_str().unwrap().starts_with("req_"));
    assert_eq!(got.headers["x-ratelimit-limit-requests"], "10000");
    assert!(got.headers.contains_key("content-length"));
    let golden = json!({
        "id": "ID",
        "object": "chat.completion",
        "created": 0,
        "model": "small",
        "choices": [{
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "You said: draw some water",
                "refusal": null,
                "annotations": [],
            },
            "logprobs": null,
            "finish_reason": "length",
        }],
        "usage": {
            "prompt_tokens": 8,
            "completion_tokens": 5,
            "total_tokens": 13,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "service_tier": "default",
        "system_fingerprint": "fp_stepwell_sim",
    });
    assert_eq!(without_ids(got.json()), golden);
}

#[tokio::test]
async fn a_stream_has_the_vendors_shape_from_role_to_done() {
    let server = start().await;
    let more = json!({"max_tokens": 4, "stream": true, "stream_options": {"include_usage": true}});
    let got = server.openai(&with(chat("water"), more)).await;
    assert_eq!(got.headers["content-type"], "text/event-stream; charset=utf-8");
    assert!(got.complete);
    assert_eq!(got.events().last().unwrap().1, "[DONE]");
    let chunk = |choices: Value, usage: Value| {
        json!({
            "id": "ID", "object": "chat.completion.chunk", "created": 0, "model": "small",
            "service_tier": "default", "system_fingerprint": "fp_stepwell_sim",
            "choices": choices, "usage": usage,
        })
    };
    let delta = |delta: Value, finish: Value| {
        chunk(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]), Value::Null)
    };
    let usage = json!({
        "prompt_tokens": 6, "completion_tokens": 4, "total_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    });
    let mut chunks: Vec<Value> = got.data().into_iter().map(without_ids).collect();
    let fourth = chunks.remove(4);
    assert!(fourth["choices"][0]["delta"]["content"].as_str().unwrap().starts_with(' '));
    let golden = [
        delta(json!({"role": "assistant", "content": "", "refusal": null}), Value::Null),
        delta(json!({"content": "You"}), Value::Null),
        delta(json!({"content": " said:"}), Value::Null),
        delta(json!({"content": " water"}), Value::Null),
        delta(json!({}), json!("length")),
        chunk(json!([]), usage),
    ];
    assert_eq!(chunks, golden);
}

#[tokio::test]
async fn a_stream_without_usage_never_mentions_it() {
    let server = start().await;
    let got = server.openai(&with(chat("water"), json!({"stream": true}))).await;
    assert!(!got.text().contains("usage"));
    assert_eq!(got.data().last().unwrap()["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn the_same_request_makes_the_same_reply_streamed_or_not() {
    let server = start().await;
    let ask = with(chat("tell me of wells [[sim:tokens=70]]"), json!({"model": "sim/small"}));
    let whole = server.openai(&ask).await.json();
    let again = server.openai(&ask).await.json();
    let text = whole["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(whole["choices"], again["choices"]);
    assert_ne!(whole["id"], again["id"]);
    assert_eq!(whole["model"], "small");
    assert_eq!(whole["usage"]["completion_tokens"], 70);
    let streamed = server.openai(&with(ask, json!({"stream": true}))).await;
    let pieces: Vec<Value> = streamed.data();
    let joined: String =
        pieces.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(joined, text);
}

#[tokio::test]
async fn parallel_tool_calls_come_with_right_indexes_and_valid_arguments_in_fragments() {
    let server = start().await;
    let tools = json!([function("find_city", &city_schema()), function("count", &json!({"type": "object"}))]);
    let ask = with(chat("use find_city and count"), json!({"tools": tools}));
    let whole = server.openai(&ask).await.json();
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(whole["choices"][0]["message"]["content"], Value::Null);
    let calls = whole["choices"][0]["message"]["tool_calls"].as_array().unwrap();
    assert_eq!(calls.len(), 2);
    let arguments = |call: &Value| -> Value {
        serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap()
    };
    check_city(&arguments(&calls[0]));
    assert_eq!(arguments(&calls[1]), json!({}));
    let streamed = server.openai(&with(ask, json!({"stream": true}))).await.data();
    let mut joined = [String::new(), String::new()];
    let mut fragments = [0, 0];
    for chunk in &streamed {
        for call in chunk["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            if fragments[index] == 0 {
                assert_eq!(call["type"], "function");
                assert!(call["id"].as_str().unwrap().starts_with("call_"));
                assert_eq!(call["function"]["name"], ["find_city", "count"][index]);
            } else {
                assert!(call.get("id").is_none() && call["function"].get("name").is_none());
            }
            fragments[index] += 1;
            joined[index].push_str(call["function"]["arguments"].as_str().unwrap());
        }
    }
    assert_eq!(joined[0], calls[0]["function"]["arguments"].as_str().unwrap());
    assert_eq!(joined[1], "{}");
    assert!(fragments[0] > 3, "{fragments:?}");
}

#[tokio::test]
async fn tool_results_are_quoted_in_the_reply() {
    let server = start().await;
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "t", "arguments": "{}"}});
    let ask = json!({
        "model": "large",
        "tools": [function("t", &json!({"type": "object"}))],
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "use t twice"},
            {"role": "assistant", "content": null, "tool_calls": [call("a"), call("b")]},
            {"role": "tool", "tool_call_id": "b", "content": "second"},
            {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "first"}]},
        ],
    });
    let got = server.openai(&ask).await.json();
    assert_eq!(got["choices"][0]["message"]["content"], "The tools answered: second; first.");
}

#[tokio::test]
async fn what_must_be_json_is_json() {
    let server = start().await;
    let schema = json!({
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": false,
    });
    let format =
        json!({"type": "json_schema", "json_schema": {"name": "p", "schema": schema, "strict": true}});
    let got = server.openai(&with(chat("a person"), json!({"response_format": format}))).await.json();
    let text = got["choices"][0]["message"]["content"].as_str().unwrap();
    let person: Value = serde_json::from_str(text).unwrap();
    assert!(person["name"].is_string() && person["age"].is_i64());
    assert!(text.find("name") < text.find("age"), "the order of the schema is kept: {text}");
    let format = json!({"response_format": {"type": "json_object"}});
    let got = server.openai(&with(chat("some JSON"), format)).await.json();
    let text = got["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(serde_json::from_str::<Value>(text).unwrap().is_object());
}

#[tokio::test]
async fn reasoning_is_counted_inside_the_output_and_the_limit() {
    let server = start().await;
    let ask = with(chat("think [[sim:tokens=10]]"), json!({"reasoning_effort": "low"}));
    let usage = server.openai(&ask).await.json()["usage"].clone();
    assert_eq!(usage["completion_tokens"], 26);
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 16);
    let got = server.openai(&with(ask, json!({"max_completion_tokens": 9}))).await.json();
    assert_eq!(got["usage"]["completion_tokens_details"]["reasoning_tokens"], 9);
    assert_eq!(got["choices"][0]["finish_reason"], "length");
    assert_eq!(got["choices"][0]["message"]["content"], "");
}

#[tokio::test]
async fn a_stop_sequence_ends_the_text_before_it() {
    let server = start().await;
    let got =
        server.openai(&with(chat("one HALT two"), json!({"stop": ["never seen", "HALT"]}))).await.json();
    assert_eq!(got["choices"][0]["message"]["content"], "You said: one ");
    assert_eq!(got["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn a_refusal_has_its_own_field() {
    let server = start().await;
    let got = server.openai(&chat("no [[refuse]]")).await.json();
    let message = &got["choices"][0]["message"];
    assert!(message["refusal"].as_str().unwrap().starts_with("I'm sorry"));
    assert_eq!(message["content"], Value::Null);
    let streamed = server.openai(&with(chat("no [[refuse]]"), json!({"stream": true}))).await.data();
    let refusal: String =
        streamed.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["refusal"].as_str()).collect();
    assert_eq!(refusal, message["refusal"].as_str().unwrap());
}

#[tokio::test]
async fn a_long_prompt_is_cached_when_it_comes_again() {
    let server = start().await;
    let ask = chat(&"long prompt ".repeat(500));
    let usage =
        async || server.openai(&ask).await.json()["usage"]["prompt_tokens_details"]["cached_tokens"].clone();
    assert_eq!(usage().await, 0);
    assert_eq!(usage().await, 1_408);
}

#[tokio::test]
async fn models_are_listed_and_found_in_either_dialect() {
    let server = start().await;
    let key = ("authorization", "Bearer k");
    let list = server.send("GET", "/v1/models", &[key], "").await.unwrap().json();
    assert_eq!(list["object"], "list");
    assert_eq!(
        list["data"][0],
        json!({
            "id": "small", "object": "model", "created": 1_767_225_600, "owned_by": "stepwell-sim",
        })
    );
    let version = ("anthropic-version", "2023-06-01");
    let list = server.send("GET", "/v1/models", &[key, version], "").await.unwrap().json();
    assert_eq!(list["data"][1]["type"], "model");
    assert_eq!(
        (&list["first_id"], &list["last_id"], &list["has_more"]),
        (&json!("small"), &json!("embed"), &json!(false))
    );
    let one = server.send("GET", "/v1/models/sim/large", &[key], "").await.unwrap().json();
    assert_eq!(one["id"], "large");
    assert_eq!(server.send("GET", "/v1/models/none", &[key], "").await.unwrap().status, 404);
    assert_eq!(server.send("GET", "/v1/models", &[], "").await.unwrap().status, 401);
}

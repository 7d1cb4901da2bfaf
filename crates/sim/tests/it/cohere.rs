//! Cohere's chat dialect: golden shapes of replies and streams, the account, and mistakes that are refused by name.

use serde_json::{Value, json};
use stepwell_types::{Dialect, Endpoint, NanoUsd};

use crate::client::{Server, chat, check_city, city_schema, function, start, with};

fn without_id(mut value: Value) -> Value {
    if let Some(id) = value.get_mut("id") {
        assert_eq!(id.as_str().unwrap().len(), 24);
        *id = json!("ID");
    }
    value
}

async fn stream(server: &Server, ask: &Value) -> Vec<Value> {
    let got = server.cohere(&with(ask.clone(), json!({"stream": true}))).await;
    assert_eq!(got.status, 200, "{}", got.text());
    assert!(got.complete);
    got.data()
}

#[tokio::test]
async fn a_plain_reply_has_the_vendors_shape() {
    let server = start().await;
    let got = server.cohere(&with(chat("draw some water"), json!({"max_tokens": 5}))).await;
    assert_eq!(got.status, 200);
    assert_eq!(got.headers["content-type"], "application/json");
    assert!(got.headers.contains_key("x-debug-trace-id"));
    let golden = json!({
        "id": "ID",
        "message": {"role": "assistant", "content": [{"type": "text", "text": "You said: draw some water"}]},
        "finish_reason": "MAX_TOKENS",
        "usage": {
            "billed_units": {"input_tokens": 8, "output_tokens": 5},
            "tokens": {"input_tokens": 74, "output_tokens": 6},
            "cached_tokens": 0,
        },
    });
    assert_eq!(without_id(got.json()), golden);
}

#[tokio::test]
async fn a_stream_is_blocks_between_a_start_and_an_end_with_usage() {
    let server = start().await;
    let ask = with(chat("water"), json!({"max_tokens": 2, "stream": true}));
    let got = server.cohere(&ask).await;
    assert_eq!(got.headers["content-type"], "text/event-stream");
    let content = |content: Value| json!({"message": {"content": content}});
    let usage = json!({
        "billed_units": {"input_tokens": 6, "output_tokens": 2},
        "tokens": {"input_tokens": 72, "output_tokens": 3},
        "cached_tokens": 0,
    });
    let message = json!({"role": "assistant"});
    let golden = [
        json!({"type": "message-start", "id": "ID", "delta": {"message": message}}),
        json!({"type": "content-start", "index": 0, "delta": content(json!({"type": "text", "text": ""}))}),
        json!({"type": "content-delta", "index": 0, "delta": content(json!({"text": "You"}))}),
        json!({"type": "content-delta", "index": 0, "delta": content(json!({"text": " said:"}))}),
        json!({"type": "content-end", "index": 0}),
        json!({"type": "message-end", "delta": {"finish_reason": "MAX_TOKENS", "usage": usage}}),
    ];
    let events: Vec<Value> = got.data().into_iter().map(without_id).collect();
    assert_eq!(events, golden);
    for (name, data) in got.events() {
        assert!(
            data.contains(&format!("\"type\":\"{name}\"")),
            "an event is named by its type: {name} {data}"
        );
    }
}

#[tokio::test]
async fn the_same_request_makes_the_same_reply_streamed_or_not() {
    let server = start().await;
    let ask = with(
        chat("tell me of wells [[sim:tokens=40]]"),
        json!({"thinking": {"type": "enabled", "token_budget": 9}, "stop_sequences": ["never"]}),
    );
    let whole = server.cohere(&ask).await.json();
    let events = stream(&server, &ask).await;
    for (index, kind) in ["thinking", "text"].into_iter().enumerate() {
        let deltas =
            events.iter().filter(|event| event["type"] == "content-delta" && event["index"] == index);
        let joined: String =
            deltas.filter_map(|event| event["delta"]["message"]["content"][kind].as_str()).collect();
        assert_eq!(whole["message"]["content"][index], json!({"type": kind, kind: joined}));
    }
    assert_eq!(whole["usage"]["billed_units"]["output_tokens"], 49);
    assert_eq!(events.last().unwrap()["delta"]["usage"], whole["usage"]);
    assert_eq!(events.last().unwrap()["delta"]["finish_reason"], "COMPLETE");
    let met = server.cohere(&with(chat("a b c"), json!({"stop_sequences": [" b"]}))).await.json();
    assert_eq!(met["finish_reason"], "STOP_SEQUENCE");
}

#[tokio::test]
async fn tools_are_called_and_their_results_quoted_from_text_and_documents() {
    let server = start().await;
    let tools =
        json!({"tools": [function("weather", &city_schema()), function("now", &json!({"type": "object"}))]});
    let ask = with(chat("use weather and now"), tools.clone());
    let whole = server.cohere(&ask).await.json();
    assert_eq!(whole["finish_reason"], "TOOL_CALL");
    let calls = whole["message"]["tool_calls"].as_array().unwrap();
    assert_eq!(calls.len(), 2);
    check_city(&serde_json::from_str(calls[0]["function"]["arguments"].as_str().unwrap()).unwrap());
    assert_eq!(calls[1]["function"], json!({"name": "now", "arguments": "{}"}));
    let events = stream(&server, &ask).await;
    for (index, call) in calls.iter().enumerate() {
        let of = |kind: &str| -> Vec<&Value> {
            events.iter().filter(|event| event["type"] == kind && event["index"] == index).collect()
        };
        let begun = &of("tool-call-start")[0]["delta"]["message"]["tool_calls"];
        assert_eq!(begun["function"], json!({"name": call["function"]["name"], "arguments": ""}));
        let pieces = of("tool-call-delta");
        let piece = |event: &&Value| {
            event["delta"]["message"]["tool_calls"]["function"]["arguments"].as_str().unwrap().to_owned()
        };
        assert_eq!(pieces.iter().map(piece).collect::<String>(), call["function"]["arguments"]);
        assert_eq!(of("tool-call-end").len(), 1);
    }
    let ids: Vec<&str> = calls.iter().map(|call| call["id"].as_str().unwrap()).collect();
    let back = json!({"messages": [
        {"role": "user", "content": "use weather and now"},
        {"role": "assistant", "tool_plan": "I will.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": ids[0], "content": [{"type": "document", "document": {"data": {"sky": "blue"}}}]},
        {"role": "tool", "tool_call_id": ids[1], "content": "noon"},
    ]});
    let reply = server.cohere(&with(with(chat(""), back), tools)).await.json();
    assert_eq!(reply["message"]["content"][0]["text"], "The tools answered: {\"sky\":\"blue\"}; noon.");
    let schema = json!({"response_format": {"type": "json_object", "json_schema": city_schema()}});
    let reply = server.cohere(&with(chat("where?"), schema)).await.json();
    check_city(&serde_json::from_str(reply["message"]["content"][0]["text"].as_str().unwrap()).unwrap());
}

#[tokio::test]
async fn what_is_billed_is_in_the_account_and_what_cohere_adds_is_not() {
    let server = start().await;
    let ask = chat(&"abcd".repeat(2_000));
    for (requests, cached) in [(1, 0), (2, 1_920)] {
        let reply = server.cohere(&ask).await.json();
        let entry = server.ended(requests).await;
        assert_eq!(entry.id, reply["id"].as_str().unwrap());
        assert_eq!((entry.dialect, entry.endpoint), (Dialect::Cohere, Endpoint::Chat));
        let usage = &reply["usage"];
        assert_eq!(usage["billed_units"]["input_tokens"], 2_004);
        assert!(usage["tokens"]["input_tokens"].as_u64().unwrap() > 2_004);
        assert_eq!(usage["cached_tokens"], cached);
        assert_eq!(entry.usage.input_tokens, 2_004);
        assert_eq!(entry.usage.cache_read_tokens, cached);
        assert_eq!(usage["billed_units"]["output_tokens"], entry.usage.output_tokens);
        let cost = (2_004 - cached) * 150 + cached * 75 + entry.usage.output_tokens * 600;
        assert_eq!(entry.billed, NanoUsd::from_nanos(i64::try_from(cost).unwrap()));
    }
}

fn mistakes_of_messages() -> Vec<(Value, &'static str)> {
    let messages = |list: Value| json!({ "messages": list });
    let user = || json!({"role": "user", "content": "x"});
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "t", "arguments": "{}"}});
    let parts = |parts: Value| json!({"messages": [{"role": "user", "content": parts}]});
    vec![
        (messages(json!([])), "list of messages must not be empty"),
        (messages(json!(null)), "'messages' is of type null"),
        (messages(json!([{"content": "x"}])), "required 'messages[0].role'"),
        (messages(json!([{"role": "developer", "content": "x"}])), "messages[0].role must be one of 'user'"),
        (messages(json!([{"role": "user"}])), "required 'messages[0].content'"),
        (messages(json!([{"role": "user", "content": ""}])), "message must not be empty in a turn"),
        (messages(json!([{"role": "user", "content": "x", "name": "n"}])), "parameter 'messages[0].name'"),
        (
            messages(json!([user(), {"role": "system", "content": "x"}])),
            "system turn must be the first in the list",
        ),
        (messages(json!([user(), {"role": "assistant"}])), "message must not be empty in a turn"),
        (
            messages(
                json!([user(), {"role": "assistant", "tool_calls": [{"id": "a", "type": "custom", "function": {}}]}]),
            ),
            "tool call must be of type function",
        ),
        (
            messages(json!([user(), {"role": "assistant", "tool_calls": [call("a"), call("a")]}])),
            "cannot have duplicate tool ids",
        ),
        (
            messages(json!([user(), {"role": "tool", "content": "x"}])),
            "tool call id must be provided with tool message",
        ),
        (
            messages(json!([user(), {"role": "tool", "tool_call_id": "b", "content": "x"}])),
            "tool call id not found in previous tool calls",
        ),
        (parts(json!([])), "message must not be empty in a turn"),
        (parts(json!([{"type": "text"}])), "required 'messages[0].content[0].text'"),
        (
            parts(json!([{"type": "document", "document": {"data": {}}}])),
            "content[0].type must be one of 'text', 'image_url'",
        ),
        (
            parts(json!([{"type": "image_url", "image_url": {"url": "cat.png"}}])),
            "image url must be a web URL",
        ),
        (
            parts(
                json!([{"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "original"}}]),
            ),
            "detail",
        ),
    ]
}

fn mistakes_of_fields() -> Vec<(Value, &'static str)> {
    let tool = |name: &str| function(name, &json!({"type": "object"}));
    vec![
        (json!({"model": null}), "'model' is of type null"),
        (
            json!({"max_completion_tokens": 5}),
            "unknown field: parameter 'max_completion_tokens' is not a valid field",
        ),
        (json!({"stream_options": {}}), "unknown field: parameter 'stream_options'"),
        (json!({"stream": "yes"}), "parameter 'stream' is of type"),
        (json!({"max_tokens": 0}), "max_tokens must be greater than or equal to 1"),
        (json!({"temperature": 1.5}), "temperature must be between 0 and 1 inclusive"),
        (json!({"p": 1}), "p must be between 0.01 and 0.99 inclusive"),
        (json!({"k": 501}), "k must be between 0 and 500 inclusive"),
        (json!({"presence_penalty": -0.5}), "presence_penalty must be between 0 and 1 inclusive"),
        (json!({"seed": "x"}), "'seed' is of type a string but should be of type an integer"),
        (json!({"stop_sequences": ["1", "2", "3", "4", "5", "6"]}), "at most 5 elements"),
        (json!({"stop_sequences": [5]}), "stop_sequences[0]"),
        (json!({"logprobs": true}), "logprobs is not supported"),
        (json!({"safety_mode": "NONE"}), "safety_mode must be one of 'CONTEXTUAL'"),
        (json!({"citation_options": {"mode": "SLOW"}}), "citation_options.mode must be one of"),
        (json!({"documents": [{"text": "x"}]}), "parameter 'documents[0].text' is not a valid field"),
        (json!({"thinking": {"type": "adaptive"}}), "thinking.type must be one of"),
        (
            json!({"thinking": {"type": "enabled", "token_budget": 0}}),
            "token_budget must be a positive integer",
        ),
        (json!({"tool_choice": "AUTO"}), "tool_choice must be one of 'REQUIRED', 'NONE'"),
        (json!({"tool_choice": "REQUIRED"}), "tools must be passed"),
        (json!({"tools": [tool("get-weather")]}), "tool names can only contain certain characters"),
        (json!({"tools": [tool("1t")]}), "can't begin with a digit"),
        (
            json!({"tools": [{"type": "function", "function": {"name": "t"}}]}),
            "required 'tools[0].function.parameters'",
        ),
        (json!({"tools": [function("t", &json!({"type": "string"}))]}), "schema must be an object"),
        (json!({"response_format": {"type": "json_schema"}}), "response_format.type must be one of"),
        (
            json!({"response_format": {"type": "text", "json_schema": {}}}),
            "json_schema must not be specified",
        ),
        (
            json!({"response_format": {"type": "json_object", "json_schema": {"type": "array"}}}),
            "schema must be an object",
        ),
        (
            json!({"response_format": {"type": "json_object"}, "tools": [tool("t")]}),
            "not supported with tools",
        ),
        (json!({"response_format": {"type": "json_object"}, "documents": ["d"]}), "not supported with RAG"),
    ]
}

#[tokio::test]
async fn mistakes_are_refused_by_name() {
    let server = start().await;
    for (change, says) in [mistakes_of_messages(), mistakes_of_fields()].concat() {
        let got = server.cohere(&with(chat("x"), change.clone())).await;
        assert_eq!(got.status, 400, "{change}: {}", got.text());
        let body = got.json();
        assert!(body["message"].as_str().unwrap().contains(says), "{change}: {body}");
    }
    let got = server.cohere(&with(chat("x"), json!({"model": "gone"}))).await;
    assert_eq!(got.status, 404);
    assert!(got.json()["message"].as_str().unwrap().starts_with("model 'gone' not found, "));
    let got = server.send("POST", "/v2/chat", &[("content-type", "application/json")], "{}").await.unwrap();
    assert_eq!((got.status.as_u16(), got.json()["message"].as_str()), (401, Some("no api key supplied")));
    let got = server.cohere(&json!({"messages": []})).await;
    assert_eq!(got.json()["message"], "a model parameter is required for this endpoint.");
}

#[tokio::test]
async fn everything_it_takes_is_taken() {
    let server = start().await;
    let ask = json!({
        "model": "small",
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "be brief"}]},
            {"role": "user", "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
            ]},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "ok"}], "citations": []},
            {"role": "user", "content": "go on"},
        ],
        "documents": ["one", {"id": "2", "data": {"text": "two"}}],
        "citation_options": {"mode": "FAST"}, "safety_mode": "STRICT", "strict_tools": false, "priority": 0,
        "response_format": {"type": "text"}, "max_tokens": 99_999, "stop_sequences": ["END"], "temperature": 0.3,
        "seed": 7, "frequency_penalty": 0.1, "presence_penalty": 0, "k": 0, "p": 0.75, "logprobs": false,
        "thinking": {"type": "disabled"}, "tools": [], "tool_choice": null, "stream": false,
    });
    let got = server.cohere(&ask).await;
    assert_eq!(got.status, 200, "{}", got.text());
    let of_sdk = [("authorization", "Bearer k"), ("x-fern-sdk-name", "cohere")];
    let list = server.send("GET", "/v1/models", &of_sdk, "").await.unwrap().json();
    assert_eq!(list["models"][0]["name"], "small");
    assert_eq!(list["models"][0]["endpoints"], json!(["chat"]));
}

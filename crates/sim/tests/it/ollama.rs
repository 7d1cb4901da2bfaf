//! Ollama's own dialect: golden shapes of replies and streams, and what is refused.

use serde_json::{Value, json};
use stepwell_sim::{ModelOptions, SimOptions};
use stepwell_types::{Dialect, Endpoint};

use crate::client::{Got, Server, chat, check_city, city_schema, function, start, start_with, with};

/// A reply without what time it is.
fn timeless(mut value: Value) -> Value {
    let created = value["created_at"].as_str().unwrap();
    assert!(created.len() == "2026-11-21T08:00:00.000000Z".len() && created.ends_with('Z'), "{created}");
    value["created_at"] = json!("NOW");
    value
}

async fn whole(server: &Server, ask: Value) -> Value {
    let got = server.ollama(&with(ask, json!({"stream": false}))).await;
    assert_eq!(got.status, 200, "{}", got.text());
    got.json()
}

/// Asks without a word of streams, which asks for one.
async fn stream(server: &Server, ask: &Value) -> Vec<Value> {
    let got = server.ollama(ask).await;
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(got.headers["content-type"], "application/x-ndjson");
    assert!(got.complete && got.text().ends_with("}\n"));
    got.lines()
}

fn joined(lines: &[Value], field: &str) -> String {
    lines.iter().filter_map(|line| line["message"][field].as_str()).collect()
}

fn options(options: &Value) -> Value {
    json!({"options": options})
}

#[tokio::test]
async fn a_plain_reply_has_the_vendors_shape_and_needs_no_key_and_no_content_type() {
    let server = start().await;
    let ask = with(chat("draw some water"), options(&json!({"num_predict": 5})));
    let got = server.ollama(&with(ask, json!({"stream": false}))).await;
    assert_eq!(got.status, 200);
    assert_eq!(got.headers["content-type"], "application/json; charset=utf-8");
    let golden = json!({
        "model": "small",
        "created_at": "NOW",
        "message": {"role": "assistant", "content": "You said: draw some water"},
        "done": true,
        "done_reason": "length",
        "total_duration": 174_560_334,
        "load_duration": 101_397_084,
        "prompt_eval_count": 8,
        "prompt_eval_duration": 13_074_791,
        "eval_count": 5,
        "eval_duration": 52_479_709,
    });
    assert_eq!(timeless(got.json()), golden);
    let refused = server.ollama_with(&[("authorization", "Bearer sk-bad")], &chat("x")).await.unwrap();
    assert_eq!((refused.status.as_u16(), refused.json()), (401, json!({"error": "unauthorized"})));
}

#[tokio::test]
async fn a_stream_is_lines_and_the_last_says_that_it_is_done() {
    let server = start().await;
    let ask = with(chat("water"), options(&json!({"num_predict": 3})));
    let lines: Vec<Value> = stream(&server, &ask).await.into_iter().map(timeless).collect();
    let line = |text: &str| json!({"model": "small", "created_at": "NOW", "message": {"role": "assistant", "content": text}, "done": false});
    assert_eq!(lines[..3], [line("You"), line(" said:"), line(" water")]);
    assert_eq!(lines.len(), 4);
    assert_eq!(
        (&lines[3]["done"], &lines[3]["done_reason"], &lines[3]["message"]["content"]),
        (&json!(true), &json!("length"), &json!(""))
    );
    assert_eq!((&lines[3]["prompt_eval_count"], &lines[3]["eval_count"]), (&json!(6), &json!(3)));
}

#[tokio::test]
async fn the_same_request_makes_the_same_reply_streamed_or_not() {
    let server = start().await;
    let ask = with(chat("tell me of wells [[sim:tokens=70]]"), json!({"think": "low"}));
    let reply = whole(&server, ask.clone()).await;
    let lines = stream(&server, &ask).await;
    assert_eq!(reply["done_reason"], "stop");
    assert_eq!(reply["eval_count"], 86, "thinking is part of it");
    for field in ["content", "thinking"] {
        assert_eq!(joined(&lines, field), reply["message"][field].as_str().unwrap(), "{field}");
    }
    for field in ["prompt_eval_count", "eval_count", "done_reason"] {
        assert_eq!(lines.last().unwrap()[field], reply[field], "{field}");
    }
    let [one, other] = [server.ended(1).await, server.ended(2).await];
    assert_eq!((one.dialect, one.endpoint), (Dialect::Ollama, Endpoint::Chat));
    assert_eq!((one.streamed, other.streamed), (false, true));
    assert_eq!((one.usage, one.billed), (other.usage, other.billed));
    assert_eq!((one.usage.output_tokens, one.usage.reasoning_tokens), (86, 0));
    assert_eq!(one.usage.input_tokens, reply["prompt_eval_count"].as_u64().unwrap());
}

#[tokio::test]
async fn tools_are_called_whole_and_their_results_quoted() {
    let server = start().await;
    let tools =
        json!({"tools": [function("get_weather", &city_schema()), function("get_time", &city_schema())]});
    let ask = with(chat("get_weather and get_time"), tools.clone());
    let reply = whole(&server, ask.clone()).await;
    let lines = stream(&server, &ask).await;
    assert_eq!(reply["done_reason"], "stop");
    let streamed: Vec<Value> =
        lines.iter().filter_map(|line| line["message"]["tool_calls"].as_array()).flatten().cloned().collect();
    let calls = reply["message"]["tool_calls"].as_array().unwrap();
    assert_eq!(calls.len(), 2);
    for (number, (call, streamed)) in calls.iter().zip(&streamed).enumerate() {
        assert_eq!(call["function"], streamed["function"]);
        assert_eq!(call["function"]["index"], number);
        assert_eq!(call.get("id").is_some(), number == 0, "every second has none, as with older servers");
        check_city(&call["function"]["arguments"]);
    }
    let mut messages =
        vec![json!({"role": "user", "content": "get_weather and get_time"}), reply["message"].clone()];
    messages.push(json!({"role": "tool", "tool_name": "get_weather", "content": "rain"}));
    messages.push(json!({"role": "tool", "tool_name": "get_time", "content": "noon"}));
    let reply = whole(&server, with(tools, json!({"model": "small", "messages": messages}))).await;
    assert_eq!(reply["message"]["content"], "The tools answered: rain; noon.");
}

#[tokio::test]
async fn a_call_that_meets_the_limit_is_not_made() {
    let server = start().await;
    let tools = json!({"tools": [function("get_weather", &city_schema())], "options": {"num_predict": 4}});
    let ask = with(chat("get_weather"), tools);
    let reply = whole(&server, ask.clone()).await;
    assert_eq!((&reply["done_reason"], reply["message"].get("tool_calls")), (&json!("length"), None));
    let lines = stream(&server, &ask).await;
    assert!(lines.iter().all(|line| line["message"].get("tool_calls").is_none()));
}

#[tokio::test]
async fn formats_images_stops_and_limits_are_followed() {
    let server = start().await;
    let reply = whole(&server, with(chat("x"), json!({"format": city_schema()}))).await;
    check_city(&serde_json::from_str(reply["message"]["content"].as_str().unwrap()).unwrap());
    let reply = whole(&server, with(chat("x"), json!({"format": "json"}))).await;
    assert!(
        serde_json::from_str::<Value>(reply["message"]["content"].as_str().unwrap()).unwrap().is_object()
    );
    let stopped = with(chat("one two STOP three"), options(&json!({"stop": "STOP", "num_predict": -1})));
    let reply = whole(&server, stopped).await;
    assert_eq!(reply["message"]["content"], "You said: one two ");
    let messages = json!([{"role": "user", "content": "look", "images": ["iVBORw0KGgo="]}]);
    let reply = whole(&server, with(chat("x"), json!({"messages": messages}))).await;
    assert!(reply["message"]["content"].as_str().unwrap().contains("(with 1 image)"));
}

#[tokio::test]
async fn a_prompt_over_the_context_is_cut_and_nothing_is_said_of_it() {
    let models = vec![ModelOptions { context_tokens: 100, ..ModelOptions::small() }];
    let server = start_with(SimOptions { models, ..SimOptions::default() }).await;
    let reply = whole(&server, chat(&"abcd".repeat(1_000))).await;
    assert_eq!(reply["prompt_eval_count"], 100);
    assert_eq!(server.ended(1).await.usage.input_tokens, 100);
}

#[tokio::test]
async fn models_are_listed_at_their_own_path() {
    let server = start().await;
    let got = server.send("GET", "/api/tags", &[], "").await.unwrap();
    let list = got.json();
    assert_eq!((&list["models"][0]["name"], &list["models"][0]["model"]), (&json!("small"), &json!("small")));
    assert_eq!(list["models"][0]["details"]["format"], "gguf");
    assert_eq!(server.send("POST", "/api/tags", &[], "").await.unwrap().status, 405);
    assert_eq!(server.send("GET", "/api/chat", &[], "").await.unwrap().status, 405);
    let got = server.send("POST", "/api/generate", &[], "{}").await.unwrap();
    assert_eq!((got.status.as_u16(), got.json()["error"].is_string()), (404, true));
}

#[tokio::test]
async fn mistakes_are_refused_and_say_where_they_are() {
    let server = start().await;
    let refused = async |more: Value| {
        let got: Got = server.ollama(&with(chat("x"), more)).await;
        let error = got.json()["error"].as_str().unwrap().to_owned();
        (got.status.as_u16(), error)
    };
    for (more, place) in [
        (json!({"other": 1}), "other"),
        (json!({"messages": []}), "messages"),
        (json!({"messages": [{"role": "developer"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "user", "content": []}]}), "messages[0].content"),
        (json!({"messages": [{"role": "user", "images": ["http://x/a.png"]}]}), "base64"),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]}),
            "messages[0].tool_calls[0].function.arguments",
        ),
        (json!({"messages": [{"role": "tool", "tool_name": "f", "content": "x"}]}), "tool_name"),
        (json!({"tools": [{"type": "function", "function": {"name": "f"}}]}), "tools[0].function.parameters"),
        (json!({"options": {"temperature": "x"}}), "options.temperature"),
        (json!({"options": {"max_tokens": 7}}), "options.max_tokens"),
        (json!({"format": "xml"}), "format"),
        (json!({"think": "some"}), "think"),
        (json!({"stream": "yes"}), "stream"),
        (json!({"top_logprobs": 21}), "top_logprobs"),
    ] {
        let (status, error) = refused(more).await;
        assert!(status == 400 && error.contains(place), "{place}: {status} {error}");
    }
    assert_eq!(refused(json!({"model": "gone"})).await, (404, "model 'gone' not found".to_owned()));
    let got = server.send("POST", "/api/chat", &[], "{").await.unwrap();
    assert!(got.status == 400 && got.json()["error"].is_string());
}

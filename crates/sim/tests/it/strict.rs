//! What the vendors refuse, the simulator refuses, in their shapes.

use serde_json::{Value, json};

use crate::client::{chat, function, message, start, with};

/// Each change to a good request, and what the refusal says.
fn openai_mistakes() -> Vec<(Value, &'static str)> {
    let call = json!([{"id": "a", "type": "function", "function": {"name": "t", "arguments": "{}"}}]);
    let tool = |name: &str| function(name, &json!({"type": "object"}));
    let strict = |schema: Value| json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": schema}}});
    vec![
        (json!({"max_token": 1}), "Unknown parameter: 'max_token'."),
        (json!({"messages": []}), "empty array"),
        (json!({"messages": "hi"}), "Invalid type for 'messages'"),
        (json!({"messages": [{"role": "user"}]}), "Missing required parameter: 'messages[0].content'."),
        (json!({"messages": [{"role": "robot", "content": "x"}]}), "Invalid value: 'robot'"),
        (
            json!({"messages": [{"role": "user", "content": "x", "mood": 1}]}),
            "Unknown parameter: 'messages[0].mood'.",
        ),
        (json!({"messages": [{"role": "user", "content": [{"type": "video"}]}]}), "Invalid value: 'video'"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "cat.png"}}]}]}),
            "Invalid image URL",
        ),
        (
            json!({"messages": [{"role": "tool", "content": "x", "tool_call_id": "a"}]}),
            "must be a response to",
        ),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": call}, {"role": "user", "content": "x"}]}),
            "did not have response messages: a",
        ),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": call}]}),
            "did not have response messages: a",
        ),
        (
            json!({"messages": [
                {"role": "assistant", "tool_calls": call}, {"role": "tool", "content": "x", "tool_call_id": "b"},
            ]}),
            "'b' not found",
        ),
        (json!({"messages": [{"role": "assistant", "content": null}]}), "expected a string, got null"),
        (json!({"tools": []}), "Invalid 'tools': empty array"),
        (json!({"tools": [tool("bad name")]}), "'^[a-zA-Z0-9_-]+$'"),
        (
            json!({"tools": [function("t", &json!({"type": "string"}))]}),
            "must be a JSON Schema of 'type: \"object\"'",
        ),
        (json!({"tools": null}), "Invalid type for 'tools'"),
        (json!({"tool_choice": "auto"}), "only allowed when 'tools' are specified"),
        (json!({"parallel_tool_calls": true}), "only allowed when 'tools' are specified"),
        (json!({"tools": [tool("t")], "tool_choice": "always"}), "Invalid value: 'always'"),
        (
            json!({"tools": [tool("t")], "tool_choice": {"type": "function", "function": {"name": "u"}}}),
            "'u' was not found",
        ),
        (json!({"stream_options": {"include_usage": true}}), "only allowed when 'stream' is enabled"),
        (json!({"n": 2}), "'n' must be 1"),
        (json!({"temperature": 3}), "between 0 and 2"),
        (json!({"max_tokens": 0}), "Expected a value >= 1"),
        (json!({"max_tokens": 1, "max_completion_tokens": 1}), "at the same time is not supported"),
        (json!({"max_completion_tokens": 99_999}), "too large"),
        (json!({"stop": ["1", "2", "3", "4", "5"]}), "maximum length 4"),
        (json!({"reasoning_effort": "huge"}), "Invalid value: 'huge'"),
        (json!({"response_format": {"type": "xml"}}), "Invalid value: 'xml'"),
        (json!({"response_format": {"type": "json_object"}}), "must contain the word 'json'"),
        (json!({"response_format": {"type": "json_schema"}}), "'response_format.json_schema'"),
        (strict(json!({"type": "object", "properties": {}})), "'additionalProperties' is required"),
        (
            strict(json!({
                "type": "object", "additionalProperties": false, "properties": {"a": {"type": "string"}}, "required": [],
            })),
            "Missing 'a'",
        ),
        (json!({"functions": []}), "'functions' is not supported"),
        (json!({"metadata": {"k": 1}}), "Invalid type for 'metadata.k'"),
        (json!({"logit_bias": {"x": 1}}), "bias"),
        (json!({"messages": [{"role": "user", "content": "[[fault:explode]]"}]}), "unknown fault"),
    ]
}

#[tokio::test]
async fn openai_mistakes_are_refused_by_name() {
    let server = start().await;
    for (change, says) in openai_mistakes() {
        let got = server.openai(&with(chat("x"), change.clone())).await;
        assert_eq!(got.status, 400, "{change}: {}", got.text());
        let error = &got.json()["error"];
        assert!(error["message"].as_str().unwrap().contains(says), "{change}: {error}");
        assert_eq!(error["type"], "invalid_request_error");
        assert!(error.get("param").is_some() && error.get("code").is_some());
    }
    let model_missing = json!({"messages": [{"role": "user", "content": "x"}]});
    assert_eq!(server.openai(&model_missing).await.json()["error"]["param"], "model");
    let unknown = server.openai(&with(chat("x"), json!({"model": "gone"}))).await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["error"]["code"], "model_not_found");
}

fn anthropic_mistakes() -> Vec<(Value, &'static str)> {
    let user = |content: Value| json!({"role": "user", "content": content});
    let uses = |id: &str| json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "t", "input": {}}]});
    let result = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "r"});
    let messages = |list: Vec<Value>| json!({"messages": list});
    let hello = || user(json!("x"));
    vec![
        (json!({"max_token": 1}), "max_token: Extra inputs are not permitted"),
        (json!({"max_tokens": null}), "max_tokens: Input should be a value"),
        (json!({"max_tokens": 99_999}), "which is the maximum allowed number of output tokens for small"),
        (messages(vec![]), "at least one message is required"),
        (
            messages(vec![json!({"role": "robot", "content": "x"})]),
            "messages.0.role: Input should be 'user', 'assistant'",
        ),
        (
            messages(vec![json!({"role": "assistant", "content": "x"})]),
            "first message must use the \"user\" role",
        ),
        (
            messages(vec![json!({"role": "system", "content": "x"})]),
            "first message must use the \"user\" role",
        ),
        (messages(vec![user(json!(""))]), "user messages must have non-empty content"),
        (
            messages(vec![user(json!([{"type": "text", "text": ""}]))]),
            "text content blocks must be non-empty",
        ),
        (
            messages(vec![user(json!([{"type": "text", "text": "x", "mood": 1}]))]),
            "messages.0.content.0.text.mood: Extra inputs",
        ),
        (messages(vec![hello(), uses("a")]), "without `tool_result` blocks immediately after: a"),
        (messages(vec![hello(), uses("a"), hello()]), "messages.1: `tool_use` ids were found without"),
        (
            messages(vec![hello(), uses("a"), user(json!([{"type": "text", "text": "x"}, result("a")]))]),
            "`tool_use` ids were found without",
        ),
        (
            messages(vec![user(json!([result("a")]))]),
            "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: a",
        ),
        (messages(vec![hello(), uses("a"), user(json!([result("b")]))]), "blocks: b"),
        (
            messages(vec![
                hello(),
                uses("a"),
                user(json!([result("a")])),
                uses("a"),
                user(json!([result("a")])),
            ]),
            "ids must be unique",
        ),
        (messages(vec![hello(), uses("a b")]), "should match pattern '^[a-zA-Z0-9_-]+$'"),
        (
            messages(vec![hello(), json!({"role": "assistant", "content": "ends badly "})]),
            "cannot end with trailing whitespace",
        ),
        (
            messages(vec![
                hello(),
                json!({"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "x", "signature": ""},
                ]}),
            ]),
            "Invalid `signature` in `thinking` block",
        ),
        (
            messages(vec![
                hello(),
                json!({"role": "assistant", "content": [{"type": "thinking", "thinking": "x"}]}),
            ]),
            "signature: Field required",
        ),
    ]
}

fn more_anthropic_mistakes() -> Vec<(Value, &'static str)> {
    let messages = |list: Vec<Value>| json!({"messages": list});
    let user = |content: Value| json!({"role": "user", "content": content});
    let tool = || json!({"name": "t", "input_schema": {"type": "object"}});
    let image = |source: Value| messages(vec![user(json!([{"type": "image", "source": source}]))]);
    let cached = || json!({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}});
    vec![
        (
            image(json!({"type": "base64", "media_type": "image/tiff", "data": "aGVsbG8="})),
            "media_type: Input should be",
        ),
        (image(json!({"type": "base64", "media_type": "image/png", "data": "?"})), "Invalid base64 data"),
        (image(json!({"type": "url", "url": "file:///etc/passwd"})), "Only HTTP and HTTPS URLs"),
        (json!({"tools": [{"name": "t"}]}), "tools.0.custom.input_schema: Field required"),
        (json!({"tools": [{"name": "bad name", "input_schema": {"type": "object"}}]}), "tools.0.custom.name"),
        (json!({"tools": [tool(), tool()]}), "Tool names must be unique"),
        (json!({"tool_choice": {"type": "auto"}}), "only be specified while providing tools"),
        (json!({"tools": [tool()], "tool_choice": {"type": "tool", "name": "u"}}), "Tool 'u' not found"),
        (
            json!({"tools": [tool()], "tool_choice": {"type": "function"}}),
            "tool_choice.type: Input should be 'auto'",
        ),
        (json!({"thinking": {"type": "enabled", "budget_tokens": 1_000}}), "greater than or equal to 1024"),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 1_024}}),
            "must be greater than `thinking.budget_tokens`",
        ),
        (
            json!({"max_tokens": 2_000, "temperature": 0.5, "thinking": {"type": "enabled", "budget_tokens": 1_024}}),
            "may only be set to 1 when thinking",
        ),
        (
            json!({"tools": [tool()], "tool_choice": {"type": "any"}, "max_tokens": 2_000,
                   "thinking": {"type": "enabled", "budget_tokens": 1_024}}),
            "Thinking may not be enabled when tool_choice forces tool use",
        ),
        (json!({"temperature": 1.5}), "temperature: Input should be between 0 and 1"),
        (json!({"stop_sequences": [" "]}), "must contain non-whitespace"),
        (json!({"system": [cached(), cached(), cached(), cached(), cached()]}), "A maximum of 4 blocks"),
        (
            json!({"system": [cached(), {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}),
            "must not come after a ttl='5m'",
        ),
        (
            json!({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}),
            "'additionalProperties' must be explicitly set to false",
        ),
        (
            json!({"output_config": {"format": {"type": "json_schema", "schema": {"type": "integer", "minimum": 1}}}}),
            "property 'minimum' is not supported",
        ),
        (json!({"metadata": {"team": "x"}}), "metadata.team: Extra inputs"),
    ]
}

#[tokio::test]
async fn anthropic_mistakes_are_refused_by_name() {
    let server = start().await;
    for (change, says) in anthropic_mistakes().into_iter().chain(more_anthropic_mistakes()) {
        let got = server.anthropic(&with(message("x"), change.clone())).await;
        assert_eq!(got.status, 400, "{change}: {}", got.text());
        let error = got.json();
        assert!(error["error"]["message"].as_str().unwrap().contains(says), "{change}: {error}");
        assert_eq!(
            (&error["type"], &error["error"]["type"]),
            (&json!("error"), &json!("invalid_request_error"))
        );
        assert!(error["request_id"].as_str().unwrap().starts_with("req_"));
    }
    let mut limitless = message("x");
    limitless.as_object_mut().unwrap().remove("max_tokens");
    assert_eq!(server.anthropic(&limitless).await.json()["error"]["message"], "max_tokens: Field required");
    let unknown = server.anthropic(&with(message("x"), json!({"model": "gone"}))).await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["error"], json!({"type": "not_found_error", "message": "model: gone"}));
}

#[tokio::test]
async fn the_newer_version_of_the_messages_api_takes_no_sampling_parameters_nor_citations_of_a_user() {
    let server = start().await;
    let newer = [("anthropic-version", "2026-10-21")];
    let cited = json!([{"type": "text", "text": "x", "citations": [{"type": "char_location"}]}]);
    let cited = json!({"messages": [{"role": "user", "content": cited}]});
    for change in [json!({"temperature": 1}), json!({"top_p": 1}), json!({"top_k": 1}), cited] {
        let ask = with(message("x"), change.clone());
        assert_eq!(server.anthropic(&ask).await.status, 200, "{change}");
        let headers: Vec<_> =
            [("x-api-key", "k"), ("content-type", "application/json")].into_iter().chain(newer).collect();
        let got = server.send("POST", "/v1/messages", &headers, &ask.to_string()).await.unwrap();
        assert_eq!(got.status, 400, "{change}");
    }
}

#[tokio::test]
async fn keys_versions_and_content_types_are_checked() {
    let server = start().await;
    let json_type = ("content-type", "application/json");
    let bearer = ("authorization", "Bearer k");
    let status = async |path: &str, headers: &[(&str, &str)], body: Value| {
        server.send("POST", path, headers, &body.to_string()).await.unwrap().status.as_u16()
    };
    let chat_path = "/v1/chat/completions";
    assert_eq!(status(chat_path, &[json_type], chat("x")).await, 401);
    assert_eq!(status(chat_path, &[json_type, ("authorization", "Bearer sk-bad")], chat("x")).await, 401);
    assert_eq!(status(chat_path, &[json_type, ("authorization", "Bearer sk-bad-1")], chat("x")).await, 401);
    assert_eq!(status(chat_path, &[bearer], chat("x")).await, 415);
    assert_eq!(status(chat_path, &[json_type, bearer], chat("x")).await, 200);
    let version = ("anthropic-version", "2023-06-01");
    assert_eq!(status("/v1/messages", &[json_type, version], message("x")).await, 401);
    assert_eq!(
        status("/v1/messages", &[json_type, version, ("x-api-key", "sk-bad")], message("x")).await,
        401
    );
    assert_eq!(status("/v1/messages", &[json_type, ("x-api-key", "k")], message("x")).await, 400);
    let wrong = ("anthropic-version", "2020-01-01");
    assert_eq!(status("/v1/messages", &[json_type, wrong, ("x-api-key", "k")], message("x")).await, 400);
    assert_eq!(status("/v1/messages", &[json_type, version, bearer], message("x")).await, 200);
    let got = server.send("POST", chat_path, &[json_type, bearer], "{").await.unwrap();
    assert_eq!(got.status, 400);
    let deep = format!("{{\"model\":{}", "[".repeat(10_000));
    let got = server.send("POST", chat_path, &[json_type, bearer], &deep).await.unwrap();
    assert_eq!(got.status, 400);
    assert_eq!(server.send("GET", chat_path, &[bearer], "").await.unwrap().status, 405);
    assert_eq!(server.send("GET", "/v2/other", &[bearer], "").await.unwrap().status, 404);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let options = stepwell_sim::SimOptions { max_body_bytes: 1_000, ..stepwell_sim::SimOptions::default() };
    let server = crate::client::start_with(options).await;
    let got = server.anthropic(&message(&"x".repeat(2_000))).await;
    assert_eq!(got.status, 413);
    assert_eq!(got.json()["error"]["type"], "request_too_large");
}

#[tokio::test]
async fn images_of_every_kind_are_taken_and_mentioned() {
    let server = start().await;
    let url = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let parts = json!([url("data:image/png;base64,aGVsbG8="), url("https://example.com/a.png")]);
    let got =
        server.openai(&json!({"model": "small", "messages": [{"role": "user", "content": parts}]})).await;
    assert!(got.text().contains("with 2 images"), "{}", got.text());
    let image = |source: Value| json!({"type": "image", "source": source});
    let blocks = json!([
        image(json!({"type": "base64", "media_type": "image/webp", "data": "aGVsbG8="})),
        image(json!({"type": "url", "url": "https://example.com/a.png"})),
    ]);
    let got = server
        .anthropic(&with(message("x"), json!({"messages": [{"role": "user", "content": blocks}]})))
        .await;
    assert!(got.text().contains("with 2 images"), "{}", got.text());
}

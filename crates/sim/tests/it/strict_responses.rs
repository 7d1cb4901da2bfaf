//! What OpenAI refuses in requests for responses, the simulator refuses, in its shape.

use serde_json::{Value, json};

use crate::client::{function, input, start, with};

/// Each change to a good request for a response, what the refusal says, and of which parameter.
fn mistakes() -> Vec<(Value, &'static str, &'static str)> {
    let format = |format: Value| json!({"text": {"format": format}});
    let strict = |schema: Value| json!({"text": {"format": {"type": "json_schema", "name": "n", "strict": true, "schema": schema}}});
    vec![
        (json!({"max_tokens": 1}), "Unknown parameter: 'max_tokens'.", "max_tokens"),
        (json!({"messages": []}), "Unknown parameter: 'messages'.", "messages"),
        (
            json!({"input": 5}),
            "Invalid type for 'input': expected one of an array of objects or string",
            "input",
        ),
        (json!({"input": []}), "must be provided", "input"),
        (json!({"instructions": 5}), "Invalid type for 'instructions'", "instructions"),
        (
            json!({"max_output_tokens": 15}),
            "integer below minimum value. Expected a value >= 16, but got 15 instead.",
            "max_output_tokens",
        ),
        (json!({"max_output_tokens": 99_999}), "integer above maximum value", "max_output_tokens"),
        (json!({"max_tool_calls": 0}), "Expected a value >= 1", "max_tool_calls"),
        (json!({"temperature": 3}), "between 0 and 2", "temperature"),
        (json!({"top_logprobs": 21}), "from 0 to 20", "top_logprobs"),
        (json!({"top_logprobs": 2}), "not supported", "top_logprobs"),
        (json!({"truncation": "some"}), "Supported values are: 'auto' and 'disabled'.", "truncation"),
        (json!({"metadata": {"k": 1}}), "Invalid type for 'metadata.k'", "metadata.k"),
        (json!({"metadata": {"k": "x".repeat(513)}}), "at most 512", "metadata.k"),
        (json!({"safety_identifier": "x".repeat(129)}), "maximum length 128", "safety_identifier"),
        (json!({"include": ["everything"]}), "Invalid value: 'everything'", "include[0]"),
        (json!({"include": ["message.output_text.logprobs"]}), "not supported", "include[0]"),
        (json!({"stream_options": {}}), "only allowed when 'stream' is enabled", "stream_options"),
        (
            json!({"stream": true, "stream_options": {"include_usage": true}}),
            "Unknown parameter: 'stream_options.include_usage'.",
            "stream_options.include_usage",
        ),
        (json!({"reasoning": {"effort": "huge"}}), "Invalid value: 'huge'", "reasoning.effort"),
        (json!({"reasoning": {"summary": "long"}}), "Invalid value: 'long'", "reasoning.summary"),
        (json!({"reasoning_effort": "low"}), "Unknown parameter: 'reasoning_effort'.", "reasoning_effort"),
        (json!({"response_format": {}}), "Unknown parameter: 'response_format'.", "response_format"),
        (json!({"text": {"verbosity": "chatty"}}), "Invalid value: 'chatty'", "text.verbosity"),
        (format(json!({"type": "xml"})), "Invalid value: 'xml'", "text.format.type"),
        (format(json!({"type": "json_object"})), "must contain the word 'json'", "input"),
        (format(json!({"type": "json_schema"})), "'text.format.name'", "text.format.name"),
        (
            format(json!({"type": "json_schema", "json_schema": {"name": "n"}})),
            "Unknown parameter: 'text.format.json_schema'.",
            "text.format.json_schema",
        ),
        (
            strict(json!({"type": "object", "properties": {}})),
            "Invalid schema for response_format 'n': In context=(), 'additionalProperties' is required",
            "text.format.schema",
        ),
        (json!({"background": true}), "not supported", "background"),
        (
            json!({"previous_response_id": "resp_1"}),
            "Previous response with id 'resp_1' not found.",
            "previous_response_id",
        ),
        (json!({"moderation": {"model": "x"}}), "not supported", "moderation"),
        (json!({"input": "[[fault:explode]]"}), "unknown fault", ""),
        (json!({"input": "[[finish:stop]]"}), "is not a reason that openai_responses may be asked", ""),
    ]
}

fn mistakes_of_tools() -> Vec<(Value, &'static str, &'static str)> {
    let tool = |more: Value| json!({"tools": [with(json!({"type": "function", "name": "t"}), more)]});
    let choice = |choice: Value| with(tool(json!({})), json!({"tool_choice": choice}));
    vec![
        (
            json!({"tools": [function("t", &json!({"type": "object"}))]}),
            "Missing required parameter: 'tools[0].name'.",
            "tools[0].name",
        ),
        (json!({"tools": null}), "Invalid type for 'tools'", "tools"),
        (json!({"tools": [{"name": "t"}]}), "Missing required parameter: 'tools[0].type'.", "tools[0].type"),
        (json!({"tools": [{"type": "web_search"}]}), "are not simulated", "tools[0].type"),
        (json!({"tools": [{"type": "hammer"}]}), "Invalid value: 'hammer'", "tools[0].type"),
        (tool(json!({"name": "bad name"})), "'^[a-zA-Z0-9_-]+$'", "tools[0].name"),
        (
            tool(json!({"parameters": {"type": "string"}})),
            "must be a JSON Schema of 'type: \"object\"'",
            "tools[0].parameters",
        ),
        (
            tool(json!({"strict": true, "parameters": {"type": "object", "properties": {}}})),
            "Invalid schema for function 't'",
            "tools[0].parameters",
        ),
        (tool(json!({"mood": 1})), "Unknown parameter: 'tools[0].mood'.", "tools[0].mood"),
        (json!({"tool_choice": "required"}), "must be specified with 'tools' parameter", "tool_choice"),
        (choice(json!("always")), "Supported values are: 'none', 'auto', and 'required'.", "tool_choice"),
        (
            choice(json!({"type": "function", "function": {"name": "t"}})),
            "Missing required parameter: 'tool_choice.name'.",
            "tool_choice.name",
        ),
        (
            choice(json!({"type": "function", "name": "u"})),
            "Tool choice 'function' not found in 'tools' parameter.",
            "tool_choice",
        ),
        (
            choice(
                json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "u"}]}),
            ),
            "not found in 'tools'",
            "tool_choice.tools[0]",
        ),
        (choice(json!({"type": "mcp", "server_label": "x"})), "are not simulated", "tool_choice.type"),
    ]
}

fn mistakes_of_items() -> Vec<(Value, &'static str, &'static str)> {
    let items = |items: Value| json!({ "input": items });
    let user = || json!({"role": "user", "content": "x"});
    let parts = |parts: Value| json!({"input": [{"role": "user", "content": parts}]});
    let said = |parts: Value| json!({"input": [{"role": "assistant", "content": parts}, {"role": "user", "content": "x"}]});
    vec![
        (items(json!(["hi"])), "Invalid type for 'input[0]': expected an object", "input[0]"),
        (items(json!([{"content": "x"}])), "Missing required parameter: 'input[0].type'.", "input[0].type"),
        (items(json!([{"type": "dream"}])), "Invalid value: 'dream'", "input[0].type"),
        (items(json!([{"type": "mcp_call"}])), "are not simulated", "input[0].type"),
        (
            items(json!([{"role": "tool", "content": "x"}])),
            "Invalid value: 'tool'. Supported values are: 'assistant', 'system', 'developer', and 'user'.",
            "input[0].role",
        ),
        (
            items(json!([with(user(), json!({"name": "me"}))])),
            "Unknown parameter: 'input[0].name'.",
            "input[0].name",
        ),
        (parts(json!([])), "empty array", "input[0].content"),
        (
            parts(json!([{"type": "text", "text": "x"}])),
            "Supported values are: 'input_text', 'input_image', and 'input_file'.",
            "input[0].content[0]",
        ),
        (
            said(json!([{"type": "input_text", "text": "x"}])),
            "Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'.",
            "input[0].content[0]",
        ),
        (
            parts(json!([{"type": "input_image", "image_url": {"url": "https://example.com/a.png"}}])),
            "expected an image URL, but got an object instead.",
            "input[0].content[0].image_url",
        ),
        (
            parts(json!([{"type": "input_image", "image_url": "cat.png"}])),
            "Expected a valid URL",
            "input[0].content[0].image_url",
        ),
        (
            parts(json!([{"type": "input_image"}])),
            "exactly one of: 'file_id', 'image_url'",
            "input[0].content[0]",
        ),
        (
            parts(json!([{"type": "input_file", "file_url": "https://example.com/a", "file_data": "x"}])),
            "only providing one of",
            "input[0].content[0]",
        ),
        (
            parts(json!([{"type": "input_file", "filename": "a", "file_data": "aGVsbG8="}])),
            "Expected a base64-encoded data URL",
            "input[0].content[0].file_data",
        ),
    ]
}

fn mistakes_between_items() -> Vec<(Value, &'static str, &'static str)> {
    let items = |items: Value| json!({ "input": items });
    let user = || json!({"role": "user", "content": "x"});
    let call = |id: &str| json!({"type": "function_call", "call_id": id, "name": "t", "arguments": "{}"});
    let output = |id: &str| json!({"type": "function_call_output", "call_id": id, "output": "r"});
    let long = "x".repeat(65);
    let id = |id: &str| with(json!({"role": "assistant", "content": "x"}), json!({ "id": id }));
    vec![
        (items(json!([user(), id("x1")])), "Expected an ID that begins with 'msg'.", "input[1].id"),
        (
            items(json!([user(), id("msg 1")])),
            "contains letters, numbers, underscores, or dashes",
            "input[1].id",
        ),
        (
            items(json!([user(), id(&long)])),
            "maximum length 64, but got a string with length 65",
            "input[1].id",
        ),
        (
            items(json!([user(), with(call("a"), json!({"id": "call_1"})), output("a")])),
            "Expected an ID that begins with 'fc'.",
            "input[1].id",
        ),
        (items(json!([user(), call(&long), output(&long)])), "maximum length 64", "input[1].call_id"),
        (items(json!([user(), call(""), output("")])), "empty string", "input[1].call_id"),
        (
            items(json!([user(), with(call("a"), json!({"arguments": {}})), output("a")])),
            "Invalid type for 'input[1].arguments'",
            "input[1].arguments",
        ),
        (items(json!([user(), call("a")])), "No tool output found for function call a.", "input"),
        (items(json!([user(), call("a"), user()])), "No tool output found for function call a.", "input"),
        (
            items(json!([user(), output("b"), call("b")])),
            "No tool call found for function call output with call_id b.",
            "input",
        ),
        (
            items(json!([user(), call("a"), output("a"), output("a")])),
            "No tool call found for function call output with call_id a.",
            "input",
        ),
        (
            items(json!([user(), {"type": "reasoning", "summary": []}])),
            "Missing required parameter: 'input[1].id'.",
            "input[1].id",
        ),
        (
            items(json!([user(), {"type": "reasoning", "id": "rs_1"}])),
            "Missing required parameter: 'input[1].summary'.",
            "input[1].summary",
        ),
        (
            items(
                json!([user(), {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "?"}]),
            ),
            "The encrypted content for item rs_1 could not be verified.",
            "",
        ),
    ]
}

#[tokio::test]
async fn mistakes_in_requests_for_responses_are_refused_by_name() {
    let server = start().await;
    let all = [mistakes(), mistakes_of_tools(), mistakes_of_items(), mistakes_between_items()].concat();
    for (change, says, param) in all {
        let got = server.responses(&with(input("x"), change.clone())).await;
        assert_eq!(got.status, 400, "{change}: {}", got.text());
        let error = &got.json()["error"];
        assert!(error["message"].as_str().unwrap().contains(says), "{change}: {error}");
        assert_eq!(error["type"], "invalid_request_error");
        assert_eq!(error["param"].as_str().unwrap_or_default(), param, "{change}: {error}");
        assert!(error.get("code").is_some());
    }
    let unknown = server.responses(&with(input("x"), json!({"model": "gone"}))).await;
    assert_eq!((unknown.status.as_u16(), &unknown.json()["error"]["code"]), (404, &json!("model_not_found")));
    assert_eq!(server.responses(&json!({"model": "small"})).await.json()["error"]["param"], "input");
    let code = async |change: Value| {
        server.responses(&with(input("x"), change)).await.json()["error"]["code"].clone()
    };
    assert_eq!(code(json!({"mood": 1})).await, "unknown_parameter");
    assert_eq!(code(json!({"previous_response_id": "r"})).await, "previous_response_not_found");
    assert_eq!(code(json!({"max_output_tokens": 1})).await, "integer_below_min_value");
    assert_eq!(code(json!({"user": "x".repeat(513)})).await, "string_above_max_length");
}

#[tokio::test]
async fn what_would_have_to_be_kept_is_not_found() {
    let server = start().await;
    let reasoning = json!([
        {"role": "user", "content": "x"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"role": "assistant", "content": "y"},
    ]);
    let hint = " Items are not persisted when `store` is set to false. Try again with `store` set to true, or remove \
                this item from your input.";
    for (change, message, param) in [
        (json!({"input": reasoning}), "Item with id 'rs_1' not found.".to_owned(), "input"),
        (
            json!({"input": reasoning, "store": false}),
            format!("Item with id 'rs_1' not found.{hint}"),
            "input",
        ),
        (
            json!({"input": [{"type": "item_reference", "id": "msg_1"}]}),
            "Item with id 'msg_1' not found.".to_owned(),
            "input",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]}),
            "No such File object: file-1".to_owned(),
            "input[0].content[0].file_id",
        ),
        (
            json!({"conversation": "conv_1"}),
            "Conversation with id 'conv_1' not found.".to_owned(),
            "conversation",
        ),
        (
            json!({"conversation": {"id": "conv_1"}}),
            "Conversation with id 'conv_1' not found.".to_owned(),
            "conversation",
        ),
        (json!({"prompt": {"id": "pmpt_1"}}), "Prompt with id 'pmpt_1' not found.".to_owned(), "prompt"),
    ] {
        let got = server.responses(&with(input("x"), change.clone())).await;
        let golden = json!({"error": {
            "message": message, "type": "invalid_request_error", "param": param, "code": null,
        }});
        assert_eq!((got.status.as_u16(), got.json()), (404, golden), "{change}");
    }
    let bearer = [("authorization", "Bearer k")];
    let got = server.send("GET", "/v1/responses/resp_1", &bearer, "").await.unwrap();
    assert_eq!((got.status.as_u16(), &got.json()["error"]["type"]), (404, &json!("invalid_request_error")));
    assert_eq!(server.send("GET", "/v1/responses", &bearer, "").await.unwrap().status, 405);
}

#[tokio::test]
async fn everything_that_a_request_for_a_response_may_have_is_taken() {
    let server = start().await;
    let ask = json!({
        "model": "sim/small",
        "instructions": "be brief",
        "input": [
            {"role": "developer", "content": "be kind"},
            {"type": "message", "role": "user", "status": "completed", "content": [
                {"type": "input_text", "text": "look, json"},
                {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "low", "file_id": null},
                {"type": "input_image", "image_url": "data:image/png;base64,aGVsbG8="},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,aGVsbG8="},
                {"type": "input_file", "file_url": "https://example.com/a.pdf"},
            ]},
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "phase": "commentary",
             "content": [{"type": "output_text", "text": "a", "annotations": [], "logprobs": []},
                         {"type": "refusal", "refusal": "b"}]},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "t", "arguments": "{}",
             "status": "completed"},
            {"type": "function_call", "call_id": "call_2", "name": "t", "arguments": "{}"},
            {"role": "developer", "content": "between a call and its output"},
            {"type": "function_call_output", "id": "fc_2", "call_id": "call_2", "output": [
                {"type": "input_text", "text": "two"}, {"type": "input_image", "image_url": "https://example.com/b.png"}],
             "status": "completed"},
            {"type": "function_call_output", "call_id": "call_1", "output": "one"},
        ],
        "tools": [
            {"type": "function", "name": "t", "description": "d", "strict": null,
             "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": false}},
            {"type": "function", "name": "u", "parameters": null, "strict": false},
        ],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "t"}]},
        "parallel_tool_calls": false, "max_output_tokens": 64, "max_tool_calls": 3, "temperature": 0.5, "top_p": 1,
        "top_logprobs": 0, "truncation": "auto", "store": false, "background": false, "stream": false,
        "stream_options": null, "previous_response_id": null, "conversation": null, "prompt": null,
        "include": ["reasoning.encrypted_content", "message.input_image.image_url"],
        "metadata": {"k": "v"}, "user": "u", "safety_identifier": "s", "service_tier": "flex",
        "prompt_cache_key": "p", "prompt_cache_retention": "24h", "prompt_cache_options": {"mode": "implicit", "ttl": "12h"},
        "reasoning": {"effort": "none", "summary": "auto"},
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
    });
    let got = server.responses(&ask).await;
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(got.json()["output"].as_array().unwrap().len(), 1);
}

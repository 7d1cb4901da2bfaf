//! What the vendors refuse, the simulator refuses, in their shapes.

use serde_json::{Value, json};

use crate::client::{chat, content, function, input, message, start, with};

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

fn gemini_mistakes() -> Vec<(Value, &'static str)> {
    let parts = |parts: Value| json!({"contents": [{"parts": parts}]});
    let user = || json!({"role": "user", "parts": [{"text": "x"}]});
    let call = |name: &str| json!({"role": "model", "parts": [{"functionCall": {"name": name, "args": {}}}]});
    let answer = |name: &str| json!({"functionResponse": {"name": name, "response": {}}});
    let answers = |list: Vec<Value>| json!({"role": "user", "parts": list});
    let contents = |list: Vec<Value>| json!({ "contents": list });
    let unequal = "number of function response parts is equal to the number of function call parts";
    vec![
        (json!({"max_token": 1}), "Unknown name \"max_token\": Cannot find field."),
        (json!({"contents": []}), "GenerateContentRequest.contents: contents is not specified"),
        (json!({"contents": null}), "contents is not specified"),
        (json!({"contents": "hi"}), "v1beta.Content), \"hi\""),
        (contents(vec![json!({"role": "user"})]), "contents[0].parts: contents.parts must not be empty."),
        (contents(vec![json!({"role": "assistant", "parts": [{"text": "x"}]})]), "valid role: user, model."),
        (parts(json!([{"text": "x", "mood": 1}])), "Unknown name \"mood\" at 'contents[0].parts[0]': Cannot"),
        (parts(json!([{"text": 5}])), "Invalid value at 'contents[0].parts[0].text' (TYPE_STRING), 5"),
        (parts(json!([{"thought": true}])), "oneof field 'data' must have one initialized field"),
        (
            parts(json!([{"text": "x", "inlineData": {"mimeType": "image/png", "data": "aGVsbG8="}}])),
            "oneof field 'data' is already set. Cannot set 'inline_data'",
        ),
        (
            parts(json!([{"text": "x", "thoughtSignature": "?"}])),
            "(TYPE_BYTES), Base64 decoding failed for \"?\"",
        ),
        (
            parts(
                json!([{"inlineData": {"mimeType": "image/png", "mime_type": "image/png", "data": "aGVsbG8="}}]),
            ),
            "is set twice",
        ),
        (
            parts(json!([{"inlineData": {"mimeType": "image/gif", "data": "aGVsbG8="}}])),
            "Unsupported MIME type: image/gif",
        ),
        (
            parts(json!([{"inline_data": {"mimeType": "image/png"}}])),
            "inline_data.data: data must not be empty",
        ),
        (parts(json!([{"fileData": {"fileUri": "cat.png"}}])), "unsupported file uri"),
        (
            contents(vec![user(), call("bad name")]),
            "function_call.name: [FIELD_INVALID] Invalid function name.",
        ),
        (contents(vec![call("t")]), "function call turn comes immediately after a user turn"),
        (contents(vec![user(), call("t")]), unequal),
        (contents(vec![user(), call("t"), user()]), unequal),
        (contents(vec![user(), call("t"), call("t")]), unequal),
        (contents(vec![user(), call("t"), answers(vec![answer("u")])]), unequal),
        (
            contents(vec![user(), call("t"), answers(vec![answer("t"), answer("t")])]),
            "function response turn comes immediately after a function call turn",
        ),
        (contents(vec![answers(vec![answer("t")])]), "comes immediately after a function call turn"),
        (
            contents(vec![user(), call("t"), answers(vec![json!({"functionResponse": {"name": "t"}})])]),
            "function_response.response: response is not specified",
        ),
        (
            contents(vec![
                user(),
                call("t"),
                answers(vec![json!({"functionResponse": {"name": "t", "response": []}})]),
            ]),
            "(type.googleapis.com/google.protobuf.Struct), []",
        ),
        (parts(json!([{"functionCall": {"name": "t"}}])), "are of the role 'model'"),
        (
            json!({"systemInstruction": {"parts": [{"fileData": {"fileUri": "https://example.com/a"}}]}}),
            "system_instruction only supports text",
        ),
        (parts(json!([{"text": "[[fault:explode]]"}])), "unknown fault"),
        (parts(json!([{"text": "[[finish:stop]]"}])), "is not a reason that gemini may be asked"),
    ]
}

fn gemini_mistakes_of_tools() -> Vec<(Value, &'static str)> {
    let declared = |list: Value| json!({"tools": [{"functionDeclarations": list}]});
    let taking = |schema: Value| declared(json!([{"name": "t", "parameters": schema}]));
    let calling = |config: Value| {
        with(declared(json!([{"name": "t"}])), json!({"toolConfig": {"functionCallingConfig": config}}))
    };
    vec![
        (json!({"tools": [{"function": {"name": "t"}}]}), "Unknown name \"function\" at 'tools[0]'"),
        (declared(json!([{"description": "x"}])), "function_declarations[0].name: name must not be empty"),
        (declared(json!([{"name": "1t"}])), "Must start with a letter"),
        (declared(json!([{"name": "t"}, {"name": "t"}])), "Duplicate function declaration found: t"),
        (
            taking(json!({"type": "OBJECT", "properties": {"a": {"type": "STRING", "const": "x"}}})),
            "Unknown name \"const\" at 'tools[0].function_declarations[0].parameters.properties[0].value'",
        ),
        (
            taking(json!({"type": "OBJECT", "additionalProperties": false})),
            "Unknown name \"additionalProperties\"",
        ),
        (taking(json!({"type": ["OBJECT"]})), "v1beta.Type), [\"OBJECT\"]"),
        (taking(json!({"type": "STRING"})), "schema should be of OBJECT type"),
        (taking(json!({"properties": {}})), "parameters.type: must be specified"),
        (
            taking(json!({"type": "OBJECT", "properties": {"a": {"type": "ARRAY"}}})),
            "properties[0].value.items: missing field.",
        ),
        (taking(json!({"type": "OBJECT", "required": ["a"]})), "required[0]: property is not defined"),
        (
            taking(json!({"type": "OBJECT", "properties": {"a": {"type": "STRING", "format": "uri"}}})),
            "only 'enum' and 'date-time' are supported",
        ),
        (
            taking(json!({"type": "OBJECT", "properties": {"a": {"type": "INTEGER", "enum": ["1"]}}})),
            "enum: only allowed for STRING type",
        ),
        (
            declared(
                json!([{"name": "t", "parameters": {"type": "OBJECT"}, "parametersJsonSchema": {"type": "object"}}]),
            ),
            "only one of parameters and parameters_json_schema may be set",
        ),
        (
            json!({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}),
            "config is set without function_declarations",
        ),
        (calling(json!({"mode": "SOME"})), "FunctionCallingConfig.Mode), \"SOME\""),
        (
            calling(json!({"mode": "AUTO", "allowedFunctionNames": ["t"]})),
            "should only be set when the mode is",
        ),
        (calling(json!({"mode": "ANY", "allowedFunctionNames": ["u"]})), "u is not in function_declarations"),
        (
            json!({"safetySettings": [{"category": "HARM_CATEGORY_RUDE", "threshold": "OFF"}]}),
            "'safety_settings[0].category'",
        ),
        (json!({"safetySettings": [{"threshold": "OFF"}]}), "category must be specified"),
        (json!({"cachedContent": "mine"}), "unexpected cached content name format"),
        (json!({"labels": {"a": 1}}), "'labels[0].value' (TYPE_STRING), 1"),
    ]
}

fn gemini_mistakes_of_generation() -> Vec<(Value, &'static str)> {
    let config = |config: Value| json!({ "generationConfig": config });
    let thinking = |thinking: Value| config(json!({ "thinkingConfig": thinking }));
    vec![
        (
            config(json!({"maxTokens": 1})),
            "Unknown name \"maxTokens\" at 'generation_config': Cannot find field.",
        ),
        (config(json!({"topP": 0.5, "top_p": 0.5})), "is set twice"),
        (config(json!({"temperature": 3})), "temperature must be in the range [0.0, 2.0]."),
        (config(json!({"temperature": "hot"})), "'generation_config.temperature' (TYPE_FLOAT), \"hot\""),
        (config(json!({"topK": 1.5})), "'generation_config.top_k' (TYPE_INT32), 1.5"),
        (config(json!({"topK": 0})), "top_k must be positive"),
        (config(json!({"maxOutputTokens": 0})), "supported range is from 1 (inclusive) to 16385 (exclusive)"),
        (config(json!({"maxOutputTokens": 99_999})), "maxOutputTokens value of 99999"),
        (config(json!({"candidateCount": 2})), "Multiple candidates is not enabled for models/small"),
        (config(json!({"responseLogprobs": true})), "Logprobs is not enabled for models/small"),
        (config(json!({"stopSequences": ["1", "2", "3", "4", "5", "6"]})), "at most 5 stop_sequences"),
        (config(json!({"responseMimeType": "text/html"})), "allowed mimetypes are `text/plain`"),
        (config(json!({"responseSchema": {"type": "OBJECT"}})), "only allowed when response_mime_type is"),
        (
            config(json!({"responseMimeType": "application/json", "responseSchema": {"type": "ARRAY"}})),
            "generation_config.response_schema.items: missing field.",
        ),
        (config(json!({"responseModalities": ["IMAGE"]})), "requested response modalities: image"),
        (config(json!({"responseModalities": ["SMELL"]})), "GenerationConfig.Modality), \"SMELL\""),
        (config(json!({"mediaResolution": "HUGE"})), "GenerationConfig.MediaResolution), \"HUGE\""),
        (config(json!({"speechConfig": {"voice": "x"}})), "Unknown name \"voice\""),
        (config(json!({"imageConfig": {"size": "x"}})), "Unknown name \"size\""),
        (
            thinking(json!({"effort": "low"})),
            "Unknown name \"effort\" at 'generation_config.thinking_config'",
        ),
        (thinking(json!({"thinkingLevel": "huge"})), "ThinkingConfig.ThinkingLevel), \"huge\""),
        (
            thinking(json!({"thinkingLevel": "low", "thinkingBudget": 5})),
            "only set only one of thinking budget and thinking level",
        ),
        (thinking(json!({"thinkingBudget": -2})), "thinking budget -2 is invalid"),
        (
            thinking(json!({"thinkingBudget": 0, "includeThoughts": true})),
            "include_thoughts is only enabled when thinking is enabled",
        ),
    ]
}

#[tokio::test]
async fn gemini_mistakes_are_refused_by_name() {
    let server = start().await;
    let all = [gemini_mistakes(), gemini_mistakes_of_tools(), gemini_mistakes_of_generation()].concat();
    for (change, says) in all {
        let got = server.gemini(&with(content("x"), change.clone())).await;
        assert_eq!(got.status, 400, "{change}: {}", got.text());
        let error = &got.json()["error"];
        assert!(error["message"].as_str().unwrap().contains(says), "{change}: {error}");
        assert_eq!((&error["code"], &error["status"]), (&json!(400), &json!("INVALID_ARGUMENT")));
    }
    let unknown = json!({"contents": [{"parts": [{"x": 1}]}]});
    let message =
        "Invalid JSON payload received. Unknown name \"x\" at 'contents[0].parts[0]': Cannot find field.";
    let golden = json!({"error": {
        "code": 400,
        "message": message,
        "status": "INVALID_ARGUMENT",
        "details": [{
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": "contents[0].parts[0]", "description": message}],
        }],
    }});
    assert_eq!(server.gemini(&unknown).await.json(), golden);
    let got = server.gemini_with(&[], "gone:generateContent", &content("x")).await.unwrap();
    assert_eq!((got.status.as_u16(), &got.json()["error"]["status"]), (404, &json!("NOT_FOUND")));
    let got = server.gemini(&json!([])).await;
    assert!(got.text().contains("Root element must be a message"), "{}", got.text());
    let listed = server.gemini_with(&[], "small:streamGenerateContent", &unknown).await.unwrap();
    assert_eq!(listed.json(), json!([golden]));
}

#[tokio::test]
async fn everything_gemini_takes_is_taken_by_either_name() {
    let server = start().await;
    let camel = json!({
        "contents": {"parts": [
            {"text": "look"},
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}},
            {"fileData": {"fileUri": "https://example.com/a.mp4"}, "videoMetadata": {"startOffset": "1s", "fps": 2}},
        ]},
        "systemInstruction": {"role": "system", "parts": {"text": "be brief"}},
        "tools": [
            {"functionDeclarations": [
                {"name": "t", "description": "d", "behavior": "BLOCKING", "parameters": {"type": "object", "properties": {
                    "a": {"type": "STRING", "format": "enum", "enum": ["x"], "nullable": true},
                }}},
                {"name": "ns.u:v-w", "parametersJsonSchema": {"type": "object", "additionalProperties": false}, "responseJsonSchema": {}},
            ]},
            {"googleSearch": {}}, {"codeExecution": {}}, {"urlContext": {}},
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "auto"}},
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "cachedContent": "cachedContents/c1",
        "labels": {"team": "x"},
        "generationConfig": {
            "stopSequences": ["END"], "responseMimeType": "text/plain", "responseModalities": ["TEXT"],
            "candidateCount": 1, "maxOutputTokens": "64", "temperature": 1, "topP": 0.9, "topK": 40.0, "seed": 7,
            "presencePenalty": 0.1, "frequencyPenalty": -0.1, "responseLogprobs": false, "logprobs": null,
            "thinkingConfig": {"includeThoughts": false, "thinkingLevel": "minimal"},
            "mediaResolution": "MEDIA_RESOLUTION_HIGH",
            "speechConfig": {"languageCode": "en"}, "imageConfig": {"aspectRatio": "1:1"},
        },
    });
    let got = server.gemini(&camel).await;
    assert_eq!(got.status, 200, "{}", got.text());
    assert!(got.text().contains("with 2 images"), "{}", got.text());
    let text = camel.to_string();
    let mut snake = String::new();
    // Names of fields are the only words here that have a capital inside.
    for (letter, before) in text.chars().zip(std::iter::once(' ').chain(text.chars())) {
        if letter.is_ascii_uppercase() && before.is_ascii_lowercase() {
            snake.push('_');
            snake.push(letter.to_ascii_lowercase());
        } else {
            snake.push(letter);
        }
    }
    let snake = snake
        .replace("additional_properties", "additionalProperties")
        .replace("cached_contents", "cachedContents");
    let snake: Value = serde_json::from_str(&snake).unwrap();
    assert!(snake["generation_config"]["thinking_config"]["thinking_level"].is_string());
    let got = server.gemini(&snake).await;
    assert_eq!(got.status, 200, "{}", got.text());
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
    let got = server.responses(&input(&"x".repeat(2_000))).await;
    assert_eq!((got.status.as_u16(), &got.json()["error"]["type"]), (413, &json!("invalid_request_error")));
    let got = server.gemini(&content(&"x".repeat(2_000))).await;
    assert!(got.status == 400 && got.text().contains("exceeds the limit: 1000 bytes"), "{}", got.text());
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

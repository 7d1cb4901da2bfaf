//! The Converse dialect: golden shapes of replies and streams, and what is refused.

use serde_json::{Value, json};

use crate::client::{Got, Server, check_city, city_schema, converse, start, with};

const STREAM: &str = "small/converse-stream";

async fn stream(server: &Server, ask: &Value) -> Vec<(String, Value)> {
    let got = server.bedrock_with(&[], STREAM, ask).await.unwrap();
    assert_eq!(got.status, 200, "{:?}", got.body);
    assert!(got.complete);
    assert_eq!(got.headers["content-type"], "application/vnd.amazon.eventstream");
    got.frames()
}

fn tool(name: &str, schema: &Value) -> Value {
    json!({"toolSpec": {"name": name, "inputSchema": {"json": schema}}})
}

fn tools(list: &[Value]) -> Value {
    json!({"toolConfig": {"tools": list}})
}

fn empty() -> Value {
    json!({"type": "object", "properties": {}})
}

#[tokio::test]
async fn a_plain_reply_has_the_vendors_shape_and_headers() {
    let server = start().await;
    let limit = json!({"inferenceConfig": {"maxTokens": 5}});
    let got = server.bedrock(&with(converse("draw some water"), limit)).await;
    assert_eq!(got.status, 200);
    assert_eq!(got.headers["content-type"], "application/json");
    assert!(got.headers.contains_key("x-amzn-requestid"));
    let golden = json!({
        "metrics": {"latencyMs": 1},
        "output": {"message": {"content": [{"text": "You said: draw some water"}], "role": "assistant"}},
        "stopReason": "max_tokens",
        "usage": {
            "cacheReadInputTokens": 0,
            "cacheWriteInputTokens": 0,
            "inputTokens": 8,
            "outputTokens": 5,
            "totalTokens": 13,
        },
    });
    assert_eq!(got.json(), golden);
}

#[tokio::test]
async fn a_stream_is_frames_of_which_only_tools_begin_with_one() {
    let server = start().await;
    let limit = json!({"inferenceConfig": {"maxTokens": 2}});
    let frames = stream(&server, &with(converse("draw some water"), limit)).await;
    let p = "abcdefghijklm";
    let golden = [
        ("messageStart", json!({"role": "assistant", "p": p})),
        ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"text": "You"}, "p": p})),
        ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"text": " said:"}, "p": p})),
        ("contentBlockStop", json!({"contentBlockIndex": 0, "p": p})),
        ("messageStop", json!({"stopReason": "max_tokens", "p": p})),
    ];
    let frame = |(kind, payload): (&str, Value)| (kind.to_owned(), payload);
    assert_eq!(frames[..5], golden.map(frame));
    assert_eq!(frames[5].0, "metadata");
    assert_eq!(frames[5].1["usage"]["outputTokens"], 2);
    assert_eq!(frames.len(), 6);
}

#[tokio::test]
async fn tools_are_called_and_their_results_are_quoted_in_both_forms() {
    let server = start().await;
    let offered = tools(&[tool("city", &city_schema()), tool("now", &empty())]);
    let ask = with(converse("use city and now"), offered.clone());
    let reply = server.bedrock(&ask).await.json();
    assert_eq!(reply["stopReason"], "tool_use");
    let content = &reply["output"]["message"]["content"];
    check_city(&content[0]["toolUse"]["input"]);
    assert_eq!(
        (&content[1]["toolUse"]["name"], &content[1]["toolUse"]["input"]),
        (&json!("now"), &json!({}))
    );
    let frames = stream(&server, &ask).await;
    let starts: Vec<_> = frames.iter().filter(|(kind, _)| kind == "contentBlockStart").collect();
    assert_eq!(starts.len(), 2);
    let input: String = frames
        .iter()
        .filter(|(_, payload)| payload["contentBlockIndex"] == 0)
        .filter_map(|(_, payload)| payload["delta"]["toolUse"]["input"].as_str())
        .collect();
    check_city(&serde_json::from_str(&input).unwrap());

    let id = &content[1]["toolUse"]["toolUseId"];
    let messages = json!([
        {"role": "user", "content": [{"text": "use now"}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": id, "name": "now", "input": {}}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": id, "content": [{"text": "noon"}]}}]},
    ]);
    let reply = server.bedrock(&with(offered, json!({"messages": messages}))).await.json();
    assert!(reply["output"]["message"]["content"][0]["text"].as_str().unwrap().contains("noon"), "{reply}");
}

#[tokio::test]
async fn thinking_is_signed_and_comes_back_only_as_it_was() {
    let server = start().await;
    let effort = json!({"outputConfig": {"effort": "low"}});
    let reply = server.bedrock(&with(converse("think"), effort)).await.json();
    let reasoning = &reply["output"]["message"]["content"][0];
    assert!(reasoning["reasoningContent"]["reasoningText"]["signature"].is_string(), "{reply}");
    let again = |text: Value| {
        let mut said = reasoning.clone();
        said["reasoningContent"]["reasoningText"]["text"] = text;
        json!({"messages": [
            {"role": "user", "content": [{"text": "think"}]},
            {"role": "assistant", "content": [said, {"text": "well"}]},
            {"role": "user", "content": [{"text": "again"}]},
        ]})
    };
    let same = reasoning["reasoningContent"]["reasoningText"]["text"].clone();
    assert_eq!(server.bedrock(&again(same)).await.status, 200);
    assert_eq!(server.bedrock(&again(json!("other"))).await.status, 400);
}

#[tokio::test]
async fn a_schema_is_json_in_a_string_and_is_kept_to() {
    let server = start().await;
    let format = |schema: &str| {
        json!({"outputConfig": {"textFormat": {
            "type": "json_schema", "structure": {"jsonSchema": {"schema": schema, "name": "city"}},
        }}})
    };
    let schema = r#"{"type":"object","properties":{"depth":{"type":"integer"}},"required":["depth"],"additionalProperties":false}"#;
    let reply = server.bedrock(&with(converse("how deep"), format(schema))).await.json();
    let text = reply["output"]["message"]["content"][0]["text"].as_str().unwrap();
    let value: Value = serde_json::from_str(text).unwrap();
    assert!(value["depth"].is_i64(), "{text}");
    assert_eq!(server.bedrock(&with(converse("a city"), format("{"))).await.status, 400);
}

#[tokio::test]
async fn which_stop_sequence_came_is_a_field_of_the_models_own() {
    let server = start().await;
    let stop = json!({"inferenceConfig": {"stopSequences": ["said"]}});
    let reply = server.bedrock(&with(converse("draw"), stop)).await.json();
    assert_eq!(reply["stopReason"], "stop_sequence");
    assert_eq!(reply["additionalModelResponseFields"], json!({"stop_sequence": "said"}));
}

#[tokio::test]
async fn what_is_marked_is_cached_and_the_input_excludes_it() {
    let server = start().await;
    let system = json!([{"text": "wells ".repeat(2_000)}, {"cachePoint": {"type": "default", "ttl": "1h"}}]);
    let ask = with(converse("draw"), json!({"system": system}));
    let first = server.bedrock(&ask).await.json()["usage"].clone();
    let second = server.bedrock(&ask).await.json()["usage"].clone();
    let written = first["cacheWriteInputTokens"].as_u64().unwrap();
    assert!(written > 0 && first["cacheReadInputTokens"] == 0, "{first}");
    assert_eq!(first["cacheDetails"], json!([{"inputTokens": written, "ttl": "1h"}]));
    assert_eq!(
        (&second["cacheReadInputTokens"], &second["cacheWriteInputTokens"]),
        (&json!(written), &json!(0))
    );
    assert_eq!(first["totalTokens"], second["totalTokens"]);
    assert_eq!(first["inputTokens"], second["inputTokens"]);
}

fn refused(got: &Got) -> String {
    assert_eq!(got.status, 400, "{:?}", got.text());
    assert_eq!(got.headers["x-amzn-errortype"], "ValidationException");
    got.json()["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn mistakes_are_refused_by_name() {
    let server = start().await;
    let user = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    let call = |id: &str| json!({"toolUse": {"toolUseId": id, "name": "now", "input": {}}});
    let talk = |content: Value, results: Value| {
        json!({"messages": [
            {"role": "user", "content": [{"text": "hi"}]},
            {"role": "assistant", "content": content},
            {"role": "user", "content": results},
        ]})
    };
    let document =
        |name: &str| json!({"document": {"format": "pdf", "name": name, "source": {"bytes": "aGVsbG8="}}});
    let text = json!({"text": "hi"});
    for (ask, words) in [
        (json!({"messages": []}), "must start with a user message"),
        (with(converse("hi"), json!({"stream": true})), "extraneous key [stream]"),
        (user(json!([])), "is empty"),
        (user(json!([{"text": " "}])), "is blank"),
        (user(json!([{"text": "a", "image": {}}])), "Exactly one member"),
        (
            user(json!([text, {"image": {"format": "tiff", "source": {"bytes": "aGVsbG8="}}}])),
            "enum value set",
        ),
        (user(json!([text, {"image": {"format": "png", "source": {"bytes": "%%"}}}])), "not base64"),
        (user(json!([document("a")])), "A text block is required"),
        (user(json!([text, document("a.pdf")])), "document file name"),
        (user(json!([text, document("a"), document("a")])), "duplicate document names"),
        (talk(json!([call("a")]), json!([text])), "toolConfig field must be defined"),
        (
            with(talk(json!([call("a")]), json!([text])), tools(&[tool("now", &empty())])),
            "for the following Ids: a",
        ),
        (
            with(talk(json!([call("a b")]), json!([text])), tools(&[tool("now", &empty())])),
            "regular expression",
        ),
        (with(converse("hi"), tools(&[])), "length greater than or equal to 1"),
        (with(converse("hi"), tools(&[tool("a b", &empty())])), "regular expression"),
        (with(converse("hi"), tools(&[tool("a", &json!({}))])), "must be one of the following: object"),
        (with(converse("hi"), tools(&[tool("a", &empty()), tool("a", &empty())])), "already defined"),
        (
            with(
                converse("hi"),
                json!({"toolConfig": {"tools": [tool("a", &empty())], "toolChoice": {"tool": {"name": "b"}}}}),
            ),
            "not in toolConfig.tools",
        ),
        (with(converse("hi"), json!({"inferenceConfig": {"temperature": 2}})), "between 0 and 1"),
        (with(converse("hi"), json!({"inferenceConfig": {"stopSequences": [""]}})), "must not be empty"),
        (
            with(converse("hi"), json!({"inferenceConfig": {"topK": 2}})),
            "extraneous key [inferenceConfig.topK]",
        ),
        (with(converse("hi"), json!({"requestMetadata": {"a": "é"}})), "requestMetadata"),
        (with(converse("hi"), json!({"additionalModelResponseFieldPaths": ["x"]})), "JSON Pointer"),
        (with(converse("hi"), json!({"additionalModelRequestFields": {"seed": 1}})), "extraneous key"),
    ] {
        let message = refused(&server.bedrock(&ask).await);
        assert!(message.contains(words), "{ask}: {message}");
    }
    let got = server.bedrock_with(&[], "none/converse", &converse("hi")).await.unwrap();
    assert_eq!(
        (got.status.as_u16(), got.headers["x-amzn-errortype"].as_bytes()),
        (404, &b"ResourceNotFoundException"[..])
    );
}

#[tokio::test]
async fn a_key_or_a_signature_is_taken_and_a_bad_one_is_not() {
    let server = start().await;
    let signed = |key: &str| {
        format!("AWS4-HMAC-SHA256 Credential={key}/20261121/us-east-1/bedrock/aws4_request, Signature=0")
    };
    for (authorization, status) in [
        (signed("AKIDEXAMPLE"), 200),
        (signed("sk-bad"), 403),
        ("Bearer sk-bad".to_owned(), 403),
        ("Basic eDp5".to_owned(), 403),
    ] {
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let body = converse("hi").to_string();
        let got = server.send("POST", "/model/small/converse", &headers, &body).await.unwrap();
        assert_eq!(got.status.as_u16(), status, "{authorization}");
    }
}

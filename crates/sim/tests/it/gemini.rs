//! The `generateContent` dialect: golden shapes of replies and streams.

use serde_json::{Value, json};
use stepwell_sim::{ModelOptions, SimOptions};

use crate::client::{Got, Server, check_city, city_schema, content, start, start_with, with};

const STREAM: &str = "small:streamGenerateContent?alt=sse";

fn without_ids(mut value: Value) -> Value {
    if let Value::Object(members) = &mut value {
        assert_eq!(members["responseId"].as_str().unwrap().len(), 24);
        members.insert("responseId".to_owned(), json!("ID"));
    }
    value
}

async fn stream(server: &Server, ask: &Value) -> Vec<Value> {
    let got = server.gemini_with(&[], STREAM, ask).await.unwrap();
    assert_eq!(got.status, 200, "{}", got.text());
    assert!(got.complete);
    got.data()
}

/// The texts of steps, thoughts or not, joined.
fn joined(steps: &[Value], thoughts: bool) -> String {
    let parts = steps.iter().filter_map(|step| step["candidates"][0]["content"]["parts"].as_array());
    let of_kind = parts.flatten().filter(|part| part["thought"].as_bool().unwrap_or(false) == thoughts);
    of_kind.filter_map(|part| part["text"].as_str()).collect()
}

fn function(name: &str, parameters: &Value) -> Value {
    json!({"name": name, "parametersJsonSchema": parameters})
}

fn tools(list: &[Value]) -> Value {
    json!({"tools": [{"functionDeclarations": list}]})
}

fn config(config: &Value) -> Value {
    json!({"generationConfig": config})
}

#[tokio::test]
async fn a_plain_reply_has_the_vendors_shape_and_headers() {
    let server = start().await;
    let got = server.gemini(&with(content("draw some water"), config(&json!({"maxOutputTokens": 5})))).await;
    assert_eq!(got.status, 200);
    assert_eq!(got.headers["content-type"], "application/json; charset=UTF-8");
    assert!(got.headers["server-timing"].to_str().unwrap().starts_with("gfet4t7; dur="));
    assert!(!got.headers.keys().any(|name| name.as_str().contains("ratelimit")));
    let golden = json!({
        "candidates": [{
            "content": {"parts": [{"text": "You said: draw some water"}], "role": "model"},
            "finishReason": "MAX_TOKENS",
            "index": 0,
        }],
        "usageMetadata": {
            "promptTokenCount": 8,
            "candidatesTokenCount": 5,
            "totalTokenCount": 13,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 8}],
        },
        "modelVersion": "small",
        "responseId": "ID",
    });
    assert_eq!(without_ids(got.json()), golden);
}

#[tokio::test]
async fn a_stream_is_whole_responses_with_growing_usage_and_a_last_finish_reason() {
    let server = start().await;
    let ask = with(content("water"), config(&json!({"maxOutputTokens": 3})));
    let got = server.gemini_with(&[], STREAM, &ask).await.unwrap();
    assert_eq!(got.headers["content-type"], "text/event-stream");
    assert!(got.text().starts_with("data: {") && got.text().ends_with("}\r\n\r\n"));
    let step = |text: &str, tokens: u32, finish: Option<&str>| {
        let mut candidate = json!({"content": {"parts": [{"text": text}], "role": "model"}, "index": 0});
        if let Some(finish) = finish {
            candidate["finishReason"] = json!(finish);
        }
        json!({
            "candidates": [candidate],
            "usageMetadata": {
                "promptTokenCount": 6,
                "candidatesTokenCount": tokens,
                "totalTokenCount": 6 + tokens,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 6}],
            },
            "modelVersion": "small",
            "responseId": "ID",
        })
    };
    let golden = [step("You", 1, None), step(" said:", 2, None), step(" water", 3, Some("MAX_TOKENS"))];
    let steps: Vec<Value> = got.data().into_iter().map(without_ids).collect();
    assert_eq!(steps, golden);
    let listed = server.gemini_with(&[], "small:streamGenerateContent", &ask).await.unwrap();
    assert_eq!(listed.headers["content-type"], "application/json; charset=UTF-8");
    assert!(listed.text().contains("},\r\n{"));
    let listed: Vec<Value> = serde_json::from_slice(&listed.body).unwrap();
    assert_eq!(listed.into_iter().map(without_ids).collect::<Vec<_>>(), golden);
}

#[tokio::test]
async fn the_same_request_makes_the_same_reply_streamed_or_not() {
    let server = start().await;
    let ask = content("tell me of wells [[sim:tokens=70]]");
    let whole = server.gemini(&ask).await.json();
    assert_eq!(whole["candidates"][0]["finishReason"], "STOP");
    assert_eq!(whole["usageMetadata"]["candidatesTokenCount"], 70);
    let steps = stream(&server, &ask).await;
    assert!(steps.len() > 3);
    assert_eq!(joined(&steps, false), joined(std::slice::from_ref(&whole), false));
    let last = steps.last().unwrap();
    assert_eq!(last["usageMetadata"], whole["usageMetadata"]);
    assert!(steps.iter().rev().skip(1).all(|step| step["candidates"][0].get("finishReason").is_none()));
}

#[tokio::test]
async fn calls_are_whole_and_have_ids_and_signatures_here_and_there() {
    let server = start().await;
    let list = vec![
        function("find_city", &city_schema()),
        function("count", &json!({"type": "object"})),
        json!({"name": "now"}),
    ];
    let ask = with(content("use find_city, count and now"), tools(&list));
    let whole = server.gemini(&ask).await.json();
    assert_eq!(whole["candidates"][0]["finishReason"], "STOP");
    let parts = whole["candidates"][0]["content"]["parts"].as_array().unwrap().clone();
    let names: Vec<&str> = parts.iter().map(|part| part["functionCall"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["find_city", "count", "now"]);
    check_city(&parts[0]["functionCall"]["args"]);
    assert_eq!(parts[2]["functionCall"]["args"], json!({}));
    let has_id: Vec<bool> = parts.iter().map(|part| part["functionCall"].get("id").is_some()).collect();
    assert_eq!(has_id, [false, true, false]);
    let signed: Vec<bool> = parts.iter().map(|part| part.get("thoughtSignature").is_some()).collect();
    assert_eq!(signed, [true, false, false]);
    let steps = stream(&server, &ask).await;
    let sent: Vec<usize> = steps
        .iter()
        .map(|step| step["candidates"][0]["content"]["parts"].as_array().unwrap().len())
        .collect();
    assert_eq!(sent, [2, 1, 1]);
    assert_eq!(steps[0]["candidates"][0]["content"]["parts"][0], parts[0]);
    assert_eq!(steps[2]["candidates"][0]["content"]["parts"], json!([{"text": ""}]));
    assert_eq!(steps[2]["candidates"][0]["finishReason"], "STOP");
    assert_eq!(steps[2]["usageMetadata"], whole["usageMetadata"]);
}

#[tokio::test]
async fn a_call_that_does_not_fit_is_not_sent_but_counted() {
    let server = start().await;
    let ask = with(content("use find_city"), tools(&[function("find_city", &city_schema())]));
    let ask = with(ask, config(&json!({"maxOutputTokens": 4})));
    let whole = server.gemini(&ask).await.json();
    assert_eq!(whole["candidates"][0]["content"], json!({"role": "model"}));
    assert_eq!(whole["candidates"][0]["finishReason"], "MAX_TOKENS");
    let steps = stream(&server, &ask).await;
    assert_eq!(without_ids(steps[0].clone()), without_ids(whole.clone()));
    assert_eq!(whole["usageMetadata"]["candidatesTokenCount"], 4);
    assert_eq!(server.ended(2).await.usage, server.ended(1).await.usage);
}

#[tokio::test]
async fn a_function_that_must_be_called_is() {
    let server = start().await;
    let ask = |mode: Value| {
        let list = vec![json!({"name": "a"}), json!({"name": "b"})];
        let mode = json!({"toolConfig": {"functionCallingConfig": mode}});
        with(with(content("use a and b"), tools(&list)), mode)
    };
    let called = async |mode: Value| -> Vec<String> {
        let reply = server.gemini(&ask(mode)).await.json();
        let parts = reply["candidates"][0]["content"]["parts"].as_array().unwrap().clone();
        parts.iter().filter_map(|part| Some(part["functionCall"]["name"].as_str()?.to_owned())).collect()
    };
    assert_eq!(called(json!({"mode": "AUTO"})).await, ["a", "b"]);
    assert_eq!(called(json!({"mode": "ANY", "allowedFunctionNames": ["b"]})).await, ["b"]);
    assert_eq!(called(json!({"mode": "VALIDATED", "allowed_function_names": ["a"]})).await, ["a"]);
    assert_eq!(called(json!({"mode": "NONE"})).await, [] as [&str; 0]);
}

/// A conversation in which two functions were called, the second with an id.
fn called() -> Value {
    json!([
        {"role": "user", "parts": [{"text": "use t and u"}]},
        {"role": "model", "parts": [
            {"text": "Let me think.", "thought": true},
            {"functionCall": {"name": "t", "args": {"x": 1}}, "thoughtSignature": "c2ln"},
            {"function_call": {"id": "c1", "name": "u"}},
        ]},
        {"role": "user", "parts": [
            {"functionResponse": {"name": "t", "response": {"result": "thirty steps"}}},
            {"function_response": {"id": "c1", "name": "u", "response": {"deep": true}}},
        ]},
    ])
}

#[tokio::test]
async fn responses_of_functions_are_quoted_in_the_reply() {
    let server = start().await;
    let ask = with(json!({"contents": called()}), tools(&[json!({"name": "t"}), json!({"name": "u"})]));
    let got = server.gemini(&ask).await;
    assert_eq!(got.status, 200, "{}", got.text());
    let text = joined(&[got.json()], false);
    assert_eq!(text, "The tools answered: thirty steps; {\"deep\":true}.");
    let mut as_function = called();
    as_function[2]["role"] = json!("function");
    assert_eq!(server.gemini(&json!({"contents": as_function})).await.status, 200);
}

#[tokio::test]
async fn thoughts_are_counted_apart_and_shown_when_asked_for() {
    let server = start().await;
    let ask = |thinking: Value| with(content("why?"), config(&json!({"thinkingConfig": thinking})));
    let hidden = server.gemini(&ask(json!({"thinkingLevel": "LOW"}))).await.json();
    assert_eq!(hidden["usageMetadata"]["thoughtsTokenCount"], 16);
    assert_eq!(joined(std::slice::from_ref(&hidden), true), "");
    let parts = hidden["candidates"][0]["content"]["parts"].as_array().unwrap();
    assert!(parts[0]["thoughtSignature"].is_string());
    let shown = ask(json!({"includeThoughts": true, "thinkingBudget": 8}));
    let whole = server.gemini(&shown).await.json();
    assert_eq!(joined(std::slice::from_ref(&whole), true).split(' ').count(), 8);
    let steps = stream(&server, &shown).await;
    assert_eq!(joined(&steps, true), joined(std::slice::from_ref(&whole), true));
    assert_eq!(joined(&steps, false), joined(std::slice::from_ref(&whole), false));
    let usage = |step: &Value| step["usageMetadata"]["thoughtsTokenCount"].as_u64();
    assert_eq!((usage(&steps[0]), usage(&steps[7]), usage(&whole)), (Some(1), Some(8), Some(8)));
    let last = steps.last().unwrap();
    assert_eq!(last["usageMetadata"], whole["usageMetadata"]);
    let signature = &whole["candidates"][0]["content"]["parts"][1]["thoughtSignature"];
    assert_eq!(
        last["candidates"][0]["content"]["parts"],
        json!([{"text": "", "thoughtSignature": signature}])
    );
    let off = server.gemini(&ask(json!({"thinkingBudget": 0}))).await.json();
    assert!(off["usageMetadata"].get("thoughtsTokenCount").is_none());
    let hidden = stream(&server, &ask(json!({"thinking_level": "low"}))).await;
    assert_eq!(usage(&hidden[0]), Some(16));
}

#[tokio::test]
async fn a_reply_ends_for_the_reasons_of_the_dialect() {
    let server = start().await;
    let reply = server.gemini(&content("x [[finish:SAFETY]]")).await.json();
    assert_eq!(reply["candidates"][0]["finishReason"], "SAFETY");
    let stopped = with(content("one two three"), config(&json!({"stopSequences": ["two"]})));
    let reply = server.gemini(&stopped).await.json();
    assert_eq!(joined(std::slice::from_ref(&reply), false), "You said: one ");
    assert_eq!(reply["candidates"][0]["finishReason"], "STOP");
    for ask in ["small:generateContent", STREAM] {
        let got = server.gemini_with(&[], ask, &content("x [[refuse]]")).await.unwrap();
        let reply = if ask == STREAM { got.data().remove(0) } else { got.json() };
        let golden = json!({
            "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
            "usageMetadata": {
                "promptTokenCount": 7,
                "totalTokenCount": 7,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 7}],
            },
            "modelVersion": "small",
            "responseId": "ID",
        });
        assert_eq!(without_ids(reply), golden);
    }
    assert_eq!(server.ended(4).await.usage.output_tokens, 0);
}

#[tokio::test]
async fn json_of_either_kind_of_schema_is_made() {
    let server = start().await;
    let own = json!({
        "type": "OBJECT",
        "properties": {
            "names": {"type": "ARRAY", "minItems": "3", "items": {"type": "STRING", "enum": ["a", "b"]}},
            "deep": {"type": "INTEGER", "minimum": 5, "maximum": 6},
            "old": {"any_of": [{"type": "NULL"}, {"type": "BOOLEAN"}]},
        },
        "required": ["names", "deep", "old"],
        "propertyOrdering": ["names", "deep", "old"],
    });
    let made = async |schema: Value| -> Value {
        let ask = with(content("x"), config(&with(json!({"responseMimeType": "application/json"}), schema)));
        let got = server.gemini(&ask).await;
        assert_eq!(got.status, 200, "{}", got.text());
        serde_json::from_str(&joined(&[got.json()], false)).unwrap()
    };
    let document = made(json!({"responseSchema": own})).await;
    assert_eq!(document["names"].as_array().unwrap().len(), 3);
    assert!([5, 6].contains(&document["deep"].as_i64().unwrap()) && document["old"].is_boolean());
    check_city(&made(json!({"response_json_schema": city_schema()})).await);
    assert!(made(json!({})).await["answer"].is_string());
}

#[tokio::test]
async fn tokens_are_counted_as_the_prompt_of_a_reply_is() {
    let server = start().await;
    let ask =
        with(content("draw some water"), json!({"systemInstruction": {"parts": [{"text": "be brief"}]}}));
    let prompt = server.gemini(&ask).await.json()["usageMetadata"]["promptTokenCount"].clone();
    let request = with(ask, json!({"model": "models/small"}));
    let count = async |body: Value| server.gemini_with(&[], "small:countTokens", &body).await.unwrap();
    let got = count(json!({"generateContentRequest": request})).await;
    assert_eq!(got.headers["content-type"], "application/json; charset=UTF-8");
    let details = json!([{"modality": "TEXT", "tokenCount": prompt}]);
    assert_eq!(got.json(), json!({"totalTokens": prompt, "promptTokensDetails": details}));
    assert_eq!(count(content("draw some water")).await.json()["totalTokens"], 8);
    let both = with(content("x"), json!({"generateContentRequest": {"model": "models/small"}}));
    assert_eq!(count(both).await.status, 400);
    assert_eq!(count(with(content("x"), json!({"tools": []}))).await.status, 400);
}

#[tokio::test]
async fn models_are_listed_in_the_vendors_shape() {
    let server = start().await;
    let key = [("x-goog-api-key", "k")];
    let get = async |path: &str| server.send("GET", path, &key, "").await.unwrap();
    let list = get("/v1beta/models").await.json();
    assert_eq!(list["models"].as_array().unwrap().len(), 3);
    assert_eq!(
        list["models"][2]["supportedGenerationMethods"],
        json!(["embedContent", "batchEmbedContents"])
    );
    let one = get("/v1beta/models/small").await.json();
    assert_eq!(one, list["models"][0]);
    assert_eq!((&one["name"], &one["inputTokenLimit"]), (&json!("models/small"), &json!(128_000)));
    assert_eq!(one["supportedGenerationMethods"], json!(["generateContent", "countTokens"]));
    let gone = get("/v1beta/models/none").await;
    assert_eq!((gone.status.as_u16(), &gone.json()["error"]["status"]), (404, &json!("NOT_FOUND")));
    assert_eq!(get("/v1beta/tunedModels").await.status, 404);
    // The stable version's path is OpenAI's as well: the key says whose it is.
    assert_eq!(get("/v1/models").await.json(), list);
    assert_eq!(get("/v1/models/small:generateContent").await.status, 405);
    let path = "/v1/models/small:generateContent?key=k";
    let headers = [("content-type", "application/json")];
    let got = server.send("POST", path, &headers, &content("x").to_string()).await.unwrap();
    assert_eq!((got.status.as_u16(), &got.json()["modelVersion"]), (200, &json!("small")));
    assert_eq!(server.send("GET", "/v1beta/models", &[], "").await.unwrap().status, 403);
    assert_eq!(server.send("GET", "/v1beta/models?key=k", &[], "").await.unwrap().status, 200);
}

#[tokio::test]
async fn keys_are_taken_from_the_header_and_the_query() {
    let server = start().await;
    let json_type = ("content-type", "application/json");
    let send = async |query: &str, headers: &[(&str, &str)]| -> Got {
        let path = format!("/v1beta/models/small:generateContent{query}");
        let headers = [&[json_type], headers].concat();
        server.send("POST", &path, &headers, &content("x").to_string()).await.unwrap()
    };
    assert_eq!(send("", &[("x-goog-api-key", "k")]).await.status, 200);
    assert_eq!(send("?key=k&prettyPrint=false", &[]).await.status, 200);
    for missing in [send("", &[]).await, send("", &[("authorization", "Bearer k")]).await] {
        assert_eq!(missing.status, 403);
        assert_eq!(missing.json()["error"]["status"], "PERMISSION_DENIED");
    }
    for bad in [send("", &[("x-goog-api-key", "sk-bad")]).await, send("?key=sk-bad-1", &[]).await] {
        assert_eq!(bad.status, 400);
        let detail = &bad.json()["error"]["details"][0];
        assert_eq!(detail["@type"], "type.googleapis.com/google.rpc.ErrorInfo");
        assert_eq!(
            (&detail["reason"], &detail["domain"]),
            (&json!("API_KEY_INVALID"), &json!("googleapis.com"))
        );
    }
    let wrong = send("?key=k&stream=true", &[]).await;
    assert!(wrong.text().contains("Cannot bind query parameter"), "{}", wrong.text());
}

#[tokio::test]
async fn gemini_3_needs_the_signatures_of_its_current_turn() {
    let models = vec![ModelOptions { name: "gemini-3-small".to_owned(), ..ModelOptions::small() }];
    let server = start_with(SimOptions { models, ..SimOptions::default() }).await;
    let send = async |contents: Value| {
        let ask = json!({ "contents": contents });
        server.gemini_with(&[], "gemini-3-small:generateContent", &ask).await.unwrap()
    };
    let unsigned = || {
        let mut contents = called();
        contents[1]["parts"][1].as_object_mut().unwrap().remove("thoughtSignature");
        contents
    };
    assert_eq!(send(called()).await.status, 200);
    let got = send(unsigned()).await;
    assert_eq!(got.status, 400);
    let message = got.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("missing a thought_signature") && message.contains("position 2"), "{message}");
    let mut skipped = unsigned();
    skipped[1]["parts"][1]["thought_signature"] = json!("skip_thought_signature_validator");
    assert_eq!(send(skipped).await.status, 200);
    let mut earlier = unsigned();
    earlier.as_array_mut().unwrap().extend([
        json!({"role": "model", "parts": [{"text": "done"}]}),
        json!({"role": "user", "parts": [{"text": "and now?"}]}),
    ]);
    assert_eq!(send(earlier).await.status, 200);
}

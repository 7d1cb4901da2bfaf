//! The responses dialect: golden shapes of replies and streams.

use serde_json::{Value, json};
use stepwell_sim::{ModelOptions, SimOptions};

use crate::client::{Got, Server, check_city, city_schema, input, start, start_with, with};

/// A response of messages alone, with its ids and times made the same in every run.
fn without_ids(mut value: Value) -> Value {
    if let Value::Object(members) = &mut value {
        assert!(members["id"].as_str().unwrap().starts_with("resp_"));
        assert!(members["created_at"].as_i64().unwrap() > 1_700_000_000);
        members.insert("id".to_owned(), json!("ID"));
        members.insert("created_at".to_owned(), json!(0));
        if !members["completed_at"].is_null() {
            members.insert("completed_at".to_owned(), json!(0));
        }
        for item in members["output"].as_array_mut().unwrap() {
            assert!(item["id"].as_str().unwrap().starts_with("msg_"));
            item["id"] = json!("ITEM");
        }
    }
    value
}

fn function(name: &str, parameters: &Value) -> Value {
    json!({"type": "function", "name": name, "parameters": parameters, "strict": false})
}

fn names(got: &Got) -> Vec<String> {
    got.events().into_iter().map(|(name, _)| name).collect()
}

/// Streams, and checks what holds of every stream: numbers, names, and that the last event has the whole response.
async fn stream(server: &Server, ask: &Value) -> (Got, Vec<Value>, Value) {
    let got = server.responses(&with(ask.clone(), json!({"stream": true}))).await;
    assert_eq!(got.status, 200, "{}", got.text());
    assert!(got.complete && !got.text().contains("[DONE]"));
    let data = got.data();
    for (number, ((name, _), event)) in got.events().iter().zip(&data).enumerate() {
        assert_eq!((&event["type"], &event["sequence_number"]), (&json!(name), &json!(number)));
    }
    assert_eq!(names(&got)[..2], ["response.created", "response.in_progress"]);
    let (first, last) = (&data[0]["response"], data.last().unwrap()["response"].clone());
    assert_eq!(
        (&first["status"], &first["usage"], &first["output"]),
        (&json!("in_progress"), &Value::Null, &json!([]))
    );
    assert_eq!((&first["id"], &first["tools"]), (&last["id"], &last["tools"]));
    let done: Vec<&Value> = data
        .iter()
        .filter(|event| event["type"] == "response.output_item.done")
        .map(|event| &event["item"])
        .collect();
    assert_eq!(done, last["output"].as_array().unwrap().iter().collect::<Vec<_>>());
    (got, data, last)
}

/// The deltas of one kind, joined.
fn joined(data: &[Value], kind: &str) -> String {
    let of_kind = data.iter().filter(|event| event["type"] == format!("response.{kind}.delta"));
    of_kind.filter_map(|event| event["delta"].as_str()).collect()
}

fn text(response: &Value) -> &str {
    response["output"].as_array().unwrap().last().unwrap()["content"][0]["text"].as_str().unwrap()
}

fn golden(status: &str, output: &Value, usage: &Value) -> Value {
    let completed = if status == "completed" { json!(0) } else { Value::Null };
    json!({
        "id": "ID",
        "object": "response",
        "created_at": 0,
        "status": status,
        "background": false,
        "completed_at": completed,
        "error": null,
        "incomplete_details": null,
        "model": "small",
        "output": output,
        "instructions": null,
        "max_output_tokens": null,
        "max_tool_calls": null,
        "metadata": {},
        "parallel_tool_calls": true,
        "previous_response_id": null,
        "prompt_cache_key": null,
        "prompt_cache_retention": null,
        "reasoning": {"effort": null, "summary": null},
        "safety_identifier": null,
        "service_tier": "default",
        "store": true,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage,
        "user": null,
    })
}

#[tokio::test]
async fn a_plain_reply_has_the_vendors_shape_and_headers() {
    let server = start().await;
    let got = server.responses_with(&[("x-sim-tokens", "5")], &input("draw some water")).await.unwrap();
    assert_eq!(got.status, 200);
    assert_eq!(got.headers["content-type"], "application/json");
    assert!(got.headers["x-request-id"].to_str().unwrap().starts_with("req_"));
    assert_eq!(got.headers["x-ratelimit-limit-requests"], "10000");
    let output = json!([{
        "id": "ITEM",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [{
            "type": "output_text", "annotations": [], "logprobs": [], "text": "You said: draw some water",
        }],
    }]);
    let usage = json!({
        "input_tokens": 8,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 13,
    });
    assert_eq!(without_ids(got.json()), golden("completed", &output, &usage));
}

#[tokio::test]
async fn a_stream_has_the_vendors_events_from_created_to_completed() {
    let server = start().await;
    let ask =
        with(input("water [[sim:tokens=3]]"), json!({"stream_options": {"include_obfuscation": false}}));
    let (got, data, last) = stream(&server, &ask).await;
    assert_eq!(got.headers["content-type"], "text/event-stream; charset=utf-8");
    assert_eq!(
        names(&got)[2..],
        [
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    assert_eq!(without_ids(data[1]["response"].clone()), golden("in_progress", &json!([]), &Value::Null));
    let item = last["output"][0]["id"].clone();
    let part = |text: &str| json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text});
    let place = |kind: &str, number: u32, more: Value| {
        let place = json!({
            "type": format!("response.{kind}"), "sequence_number": number,
            "item_id": item, "output_index": 0, "content_index": 0,
        });
        with(place, more)
    };
    assert_eq!(
        data[2],
        json!({
            "type": "response.output_item.added", "sequence_number": 2, "output_index": 0,
            "item": {"id": item, "type": "message", "status": "in_progress", "role": "assistant", "content": []},
        })
    );
    assert_eq!(data[3], place("content_part.added", 3, json!({"part": part("")})));
    assert_eq!(data[5], place("output_text.delta", 5, json!({"delta": " said:", "logprobs": []})));
    let whole = "You said: water";
    assert_eq!(data[7], place("output_text.done", 7, json!({"text": whole, "logprobs": []})));
    assert_eq!(data[8], place("content_part.done", 8, json!({"part": part(whole)})));
    assert_eq!(
        data[9],
        json!({
            "type": "response.output_item.done", "sequence_number": 9, "output_index": 0,
            "item": {"id": item, "type": "message", "status": "completed", "role": "assistant",
                     "content": [part(whole)]},
        })
    );
    assert_eq!(last["usage"]["output_tokens"], 3);
}

#[tokio::test]
async fn deltas_are_padded_unless_the_request_says_no() {
    let server = start().await;
    let (_, data, _) = stream(&server, &input("tell me of wells [[sim:tokens=40]]")).await;
    let padding: Vec<Option<&str>> = data.iter().map(|event| event["obfuscation"].as_str()).collect();
    let deltas = data.iter().filter(|event| event.get("delta").is_some()).count();
    assert_eq!((deltas, padding.iter().flatten().count()), (40, 40));
    let lengths: std::collections::BTreeSet<usize> = padding.into_iter().flatten().map(str::len).collect();
    assert!(lengths.len() > 3, "{lengths:?}");
}

#[tokio::test]
async fn the_same_request_makes_the_same_reply_streamed_or_not() {
    let server = start().await;
    let ask = input("tell me of wells [[sim:tokens=70]]");
    let whole = server.responses(&ask).await.json();
    assert_eq!(whole["usage"]["output_tokens"], 70);
    let (_, data, last) = stream(&server, &ask).await;
    assert_eq!(joined(&data, "output_text"), text(&whole));
    assert_eq!(text(&last), text(&whole));
    assert_eq!(last["usage"], whole["usage"]);
    assert_ne!(last["id"], whole["id"]);
    let items = with(ask.clone(), json!({"input": [{"role": "user", "content": ask["input"]}]}));
    assert_eq!(text(&server.responses(&items).await.json()), text(&whole));
    let both = with(ask, json!({"instructions": "be brief"}));
    let both = server.responses(&both).await.json();
    assert_eq!(
        both["usage"]["input_tokens"].as_u64(),
        whole["usage"]["input_tokens"].as_u64().map(|tokens| tokens + 6)
    );
}

#[tokio::test]
async fn calls_are_items_whose_arguments_come_in_fragments() {
    let server = start().await;
    let tools = json!([function("find_city", &city_schema()), function("count", &json!({"type": "object"}))]);
    let ask = with(input("use find_city and count"), json!({"tools": tools}));
    let whole = server.responses(&ask).await.json();
    assert_eq!(whole["status"], "completed");
    let calls = whole["output"].as_array().unwrap();
    assert_eq!(calls.len(), 2);
    for (call, name) in calls.iter().zip(["find_city", "count"]) {
        assert_eq!((&call["type"], &call["name"]), (&json!("function_call"), &json!(name)));
        assert_eq!(call["status"], "completed");
        assert!(call["id"].as_str().unwrap().starts_with("fc_"));
        assert!(call["call_id"].as_str().unwrap().starts_with("call_"));
    }
    assert_ne!(calls[0]["id"], calls[1]["id"]);
    check_city(&serde_json::from_str(calls[0]["arguments"].as_str().unwrap()).unwrap());
    assert_eq!(calls[1]["arguments"], "{}");
    let (_, data, last) = stream(&server, &ask).await;
    for (index, call) in last["output"].as_array().unwrap().iter().enumerate() {
        let of_call = |kind: &str| -> Vec<&Value> {
            let kind = format!("response.{kind}");
            data.iter().filter(|event| event["type"] == kind && event["output_index"] == index).collect()
        };
        let begun = json!({
            "id": call["id"], "type": "function_call", "status": "in_progress", "arguments": "",
            "call_id": call["call_id"], "name": call["name"],
        });
        assert_eq!(of_call("output_item.added")[0]["item"], begun);
        let fragments = of_call("function_call_arguments.delta");
        assert!(fragments.iter().all(|event| event["item_id"] == call["id"]));
        let joined: String = fragments.iter().filter_map(|event| event["delta"].as_str()).collect();
        assert_eq!(call["arguments"], joined);
        assert_eq!(of_call("function_call_arguments.done")[0]["arguments"], joined);
    }
    assert_eq!(last["usage"], whole["usage"]);
}

#[tokio::test]
async fn a_function_that_must_be_called_is() {
    let server = start().await;
    let called = async |choice: Value| -> Vec<String> {
        let tools = ["a", "b"].map(|name| function(name, &json!({"type": "object"})));
        let more = with(json!({"tools": tools}), choice.clone());
        let reply = server.responses(&with(input("use a and b"), more)).await.json();
        if let Some(choice) = choice.get("tool_choice") {
            assert_eq!(reply["tool_choice"], *choice);
        }
        let output = reply["output"].as_array().unwrap().clone();
        output.iter().filter_map(|item| Some(item["name"].as_str()?.to_owned())).collect()
    };
    assert_eq!(called(json!({})).await, ["a", "b"]);
    assert_eq!(called(json!({"parallel_tool_calls": false})).await, ["a"]);
    assert_eq!(called(json!({"tool_choice": {"type": "function", "name": "b"}})).await, ["b"]);
    assert_eq!(called(json!({"tool_choice": "none"})).await, [] as [&str; 0]);
    let allowed = json!({
        "type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "b"}],
    });
    assert_eq!(called(json!({"tool_choice": allowed})).await, ["b"]);
}

#[tokio::test]
async fn tools_are_told_again_with_whether_they_are_strict() {
    let server = start().await;
    let closed = json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false});
    let tool = |more: Value| with(json!({"type": "function", "name": "t"}), more);
    let told = async |tool: Value| {
        let got = server.responses(&with(input("x"), json!({"tools": [tool]}))).await;
        assert_eq!(got.status, 200, "{}", got.text());
        got.json()["tools"][0].clone()
    };
    let golden = json!({
        "type": "function", "name": "t", "description": "d", "parameters": closed, "strict": true,
    });
    assert_eq!(told(tool(json!({"description": "d", "parameters": closed}))).await, golden);
    assert_eq!(told(tool(json!({"parameters": closed, "strict": false}))).await["strict"], false);
    assert_eq!(told(tool(json!({"parameters": {"type": "object"}}))).await["strict"], false);
    assert_eq!(told(tool(json!({}))).await["parameters"], Value::Null);
}

#[tokio::test]
async fn outputs_of_calls_are_quoted_in_the_reply() {
    let server = start().await;
    let call = |id: &str| json!({"type": "function_call", "call_id": id, "name": "t", "arguments": "{}"});
    let output =
        |id: &str, output: Value| json!({"type": "function_call_output", "call_id": id, "output": output});
    let parts = json!([{"type": "input_text", "text": "fir"}, {"type": "input_text", "text": "st"}]);
    let items = json!([
        {"role": "user", "content": "use t twice"}, call("a"), call("b"),
        output("b", json!("second")), output("a", parts),
    ]);
    let reply = server.responses(&with(input("x"), json!({"input": items}))).await.json();
    assert_eq!(text(&reply), "The tools answered: second; first.");
}

#[tokio::test]
async fn reasoning_is_an_item_and_its_summary_is_shown_if_asked_for() {
    let server = start().await;
    let ask = |reasoning: Value| with(input("why? [[sim:tokens=10]]"), json!({ "reasoning": reasoning }));
    let hidden = server.responses(&ask(json!({"effort": "low"}))).await.json();
    assert_eq!(hidden["usage"]["output_tokens_details"]["reasoning_tokens"], 16);
    assert_eq!(hidden["usage"]["output_tokens"], 26);
    assert_eq!(hidden["reasoning"], json!({"effort": "low", "summary": null}));
    let item = &hidden["output"][0];
    assert!(item["id"].as_str().unwrap().starts_with("rs_"));
    assert_eq!(*item, json!({"id": item["id"], "type": "reasoning", "summary": []}));
    let shown = ask(json!({"effort": "minimal", "summary": "auto"}));
    let whole = server.responses(&shown).await.json();
    let summary = whole["output"][0]["summary"][0].clone();
    assert_eq!(summary["type"], "summary_text");
    assert_eq!(summary["text"].as_str().unwrap().split(' ').count(), 8);
    let (got, data, last) = stream(&server, &shown).await;
    assert_eq!(joined(&data, "reasoning_summary_text"), summary["text"].as_str().unwrap());
    assert_eq!((&last["output"][0]["summary"][0], &last["usage"]), (&summary, &whole["usage"]));
    let names = names(&got);
    let at = |name: &str| names.iter().position(|other| other == &format!("response.{name}")).unwrap();
    assert_eq!(data[at("reasoning_summary_part.added")]["part"], json!({"type": "summary_text", "text": ""}));
    assert_eq!(data[at("reasoning_summary_text.done")]["text"], summary["text"]);
    assert_eq!(data[at("reasoning_summary_part.done")]["part"], summary);
    assert!(at("reasoning_summary_part.done") < at("content_part.added"));
    assert_eq!(data[at("content_part.added")]["output_index"], 1);
    let (_, data, last) = stream(&server, &ask(json!({"effort": "low"}))).await;
    assert_eq!(data[3]["item"], last["output"][0]);
    assert_eq!(last["usage"], hidden["usage"]);
    let usual = server.responses(&ask(json!({"summary": "detailed"}))).await.json();
    assert_eq!(usual["usage"]["output_tokens_details"]["reasoning_tokens"], 32);
    let off = server.responses(&ask(json!({"effort": "none", "summary": "auto"}))).await.json();
    assert_eq!(off["output"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn reasoning_comes_back_encrypted_or_by_an_id_that_may_be_stored() {
    let server = start().await;
    let tools = json!([function("t", &json!({"type": "object"}))]);
    let base = |more: Value| {
        let base = with(input("use t"), json!({"tools": tools, "reasoning": {"effort": "low"}}));
        with(base, more)
    };
    let again = async |output: &Value, more: Value| {
        let mut items = vec![json!({"role": "user", "content": "use t"})];
        items.extend(output.as_array().unwrap().iter().cloned());
        items
            .push(json!({"type": "function_call_output", "call_id": output[1]["call_id"], "output": "deep"}));
        server.responses(&with(base(json!({"input": items})), more)).await
    };
    let stored = server.responses(&base(json!({}))).await.json()["output"].clone();
    assert!(stored[0].get("encrypted_content").is_none());
    let got = again(&stored, json!({})).await;
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(text(&got.json()), "The tools answered: deep.");
    assert_eq!(again(&stored, json!({"store": false})).await.status, 404);
    let include = json!({"store": false, "include": ["reasoning.encrypted_content"]});
    let carried = server.responses(&base(include.clone())).await.json()["output"].clone();
    let encrypted = &carried[0]["encrypted_content"];
    assert!(encrypted.is_string());
    let (_, data, last) = stream(&server, &base(include.clone())).await;
    assert_eq!(last["output"][0]["encrypted_content"], *encrypted);
    let begun = &data[2]["item"];
    assert!(begun["type"] == "reasoning" && begun["encrypted_content"] != *encrypted);
    let got = again(&carried, include.clone()).await;
    assert_eq!(got.status, 200, "{}", got.text());
    let mut changed = carried.clone();
    changed[0]["encrypted_content"] =
        json!(carried[0]["encrypted_content"].as_str().unwrap().replace('0', "1"));
    let got = again(&changed, include.clone()).await;
    assert_eq!(
        (got.status.as_u16(), &got.json()["error"]["code"]),
        (400, &json!("invalid_encrypted_content"))
    );
    let lone = json!([{"role": "user", "content": "x"}, carried[0], {"role": "user", "content": "y"}]);
    let got = server.responses(&with(base(include), json!({"input": lone}))).await;
    assert_eq!(got.status, 400);
    assert!(got.text().contains("without its required following item"), "{}", got.text());
}

#[tokio::test]
async fn a_reply_that_is_cut_is_incomplete() {
    let server = start().await;
    let ask = with(input("tell me of wells [[sim:tokens=70]]"), json!({"max_output_tokens": 16}));
    let (got, _, last) = stream(&server, &ask).await;
    assert_eq!(names(&got).last().unwrap(), "response.incomplete");
    for reply in [last, server.responses(&ask).await.json()] {
        assert_eq!((&reply["status"], &reply["completed_at"]), (&json!("incomplete"), &Value::Null));
        assert_eq!(reply["incomplete_details"], json!({"reason": "max_output_tokens"}));
        assert_eq!(reply["output"][0]["status"], "incomplete");
        assert_eq!(reply["usage"]["output_tokens"], 16);
        assert_eq!(reply["max_output_tokens"], 16);
    }
    let thought = with(ask, json!({"reasoning": {"effort": "high"}}));
    let reply = server.responses(&thought).await.json();
    assert_eq!((&reply["status"], reply["output"].as_array().unwrap().len()), (&json!("incomplete"), 1));
    assert_eq!(reply["usage"]["output_tokens_details"]["reasoning_tokens"], 16);
    let schema = json!({
        "type": "object", "properties": {"long": {"type": "string", "minLength": 400}}, "required": ["long"],
    });
    let tool = json!({"tools": [function("t", &schema)], "max_output_tokens": 16});
    let (got, data, last) = stream(&server, &with(input("use t"), tool)).await;
    let call = &last["output"][0];
    assert_eq!((&call["status"], &last["status"]), (&json!("incomplete"), &json!("incomplete")));
    assert_eq!(names(&got).last().unwrap(), "response.incomplete");
    assert_eq!(call["arguments"], joined(&data, "function_call_arguments"));
    assert!(serde_json::from_str::<Value>(call["arguments"].as_str().unwrap()).is_err());
    assert_eq!(last["usage"]["output_tokens"], 16);
    let reply = server.responses(&input("x [[finish:content_filter]]")).await.json();
    assert_eq!(reply["incomplete_details"], json!({"reason": "content_filter"}));
    let reply = server.responses(&input("x [[finish:completed]]")).await.json();
    assert_eq!(reply["status"], "completed");
}

#[tokio::test]
async fn a_refusal_is_a_part_of_its_own() {
    let server = start().await;
    let whole = server.responses(&input("no [[refuse]]")).await.json();
    assert_eq!(whole["status"], "completed");
    let part = whole["output"][0]["content"][0].clone();
    assert_eq!(part["type"], "refusal");
    assert!(part["refusal"].as_str().unwrap().starts_with("I'm sorry"));
    let (got, data, _) = stream(&server, &input("no [[refuse]]")).await;
    assert_eq!(joined(&data, "refusal"), part["refusal"].as_str().unwrap());
    assert!(names(&got).contains(&"response.refusal.done".to_owned()) && !got.text().contains("output_text"));
    assert_eq!(data[3]["part"], json!({"type": "refusal", "refusal": ""}));
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
    let format = json!({"type": "json_schema", "name": "p", "schema": schema, "strict": true});
    let reply = server.responses(&with(input("a person"), json!({"text": {"format": format}}))).await.json();
    let person: Value = serde_json::from_str(text(&reply)).unwrap();
    assert!(person["name"].is_string() && person["age"].is_i64());
    assert_eq!(reply["text"], json!({"format": format, "verbosity": "medium"}));
    let object = json!({"text": {"format": {"type": "json_object"}}});
    let reply = server.responses(&with(input("some JSON"), object)).await.json();
    assert!(serde_json::from_str::<Value>(text(&reply)).unwrap().is_object());
}

#[tokio::test]
async fn what_a_request_sets_its_reply_tells() {
    let server = start().await;
    let set = json!({
        "instructions": "be \"brief\"", "metadata": {"k": "v"}, "temperature": 0.25, "top_p": 0.5, "store": false,
        "truncation": "auto", "user": "u", "safety_identifier": "s", "prompt_cache_key": "p",
        "prompt_cache_retention": "24h", "max_tool_calls": 2, "parallel_tool_calls": false,
    });
    let reply =
        server.responses(&with(input("x"), with(set.clone(), json!({"service_tier": "fast"})))).await.json();
    for (name, value) in set.as_object().unwrap() {
        assert_eq!(reply[name], *value, "{name}");
    }
    assert_eq!(reply["service_tier"], "priority");
}

#[tokio::test]
async fn tokens_are_counted_as_the_input_of_a_reply_is() {
    let server = start().await;
    let ask = with(
        input("draw some water"),
        json!({"instructions": "be brief", "tools": [function("t", &json!({"type": "object"}))],
               "reasoning": {"effort": "low"}, "text": {"verbosity": "low"}}),
    );
    let expected = server.responses(&ask).await.json()["usage"]["input_tokens"].clone();
    let headers = [("authorization", "Bearer k"), ("content-type", "application/json")];
    let count = async |body: &Value| {
        server.send("POST", "/v1/responses/input_tokens", &headers, &body.to_string()).await.unwrap()
    };
    assert_eq!(
        count(&ask).await.json(),
        json!({"object": "response.input_tokens", "input_tokens": expected})
    );
    let more = with(ask, json!({"personality": "friendly", "truncation": "auto", "conversation": null}));
    assert_eq!(count(&more).await.status, 200);
    let entry = server.ended(3).await;
    assert_eq!((entry.endpoint, entry.billed.as_nanos()), (stepwell_types::Endpoint::CountTokens, 0));
    let wrong = count(&with(input("x"), json!({"stream": true}))).await;
    assert_eq!(wrong.json()["error"]["message"], "Unknown parameter: 'stream'.");
}

#[tokio::test]
async fn an_input_that_is_too_long_is_refused_in_the_vendors_words() {
    let models = vec![ModelOptions { context_tokens: 10, ..ModelOptions::small() }];
    let server = start_with(SimOptions { models, ..SimOptions::default() }).await;
    let got = server.responses(&input(&"long ".repeat(20))).await;
    assert_eq!(got.status, 400);
    let error = &got.json()["error"];
    assert_eq!((&error["code"], &error["param"]), (&json!("context_length_exceeded"), &json!("input")));
}

#[tokio::test]
async fn keys_are_checked_as_in_the_other_dialect_of_the_vendor() {
    let server = start().await;
    let json_type = ("content-type", "application/json");
    let send = async |headers: &[(&str, &str)]| {
        server.send("POST", "/v1/responses", headers, &input("x").to_string()).await.unwrap()
    };
    assert_eq!(send(&[json_type]).await.status, 401);
    let bad = send(&[json_type, ("authorization", "Bearer sk-bad")]).await;
    assert_eq!((bad.status.as_u16(), &bad.json()["error"]["code"]), (401, &json!("invalid_api_key")));
    let bearer = ("authorization", "Bearer k");
    assert_eq!(send(&[bearer]).await.status, 415);
    // A header of another vendor's does not change whose path it is.
    let got = send(&[json_type, bearer, ("anthropic-version", "2023-06-01")]).await;
    assert_eq!((got.status.as_u16(), &got.json()["object"]), (200, &json!("response")));
}

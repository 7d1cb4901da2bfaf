//! Between this dialect and OpenAI's, both ways: nothing is lost that is not said to be.

use bytes::Bytes;
use serde_json::{Value, json};
use stepwell_types::{Finish, Usage};

use super::{assembled, fixture, value};
use crate::anthropic::Anthropic;
use crate::openai_chat::OpenaiChat;
use crate::{Asked, Codec, Edits, Facts, Quirks, translate};

fn request(from: &dyn Codec, to: &dyn Codec, body: &str) -> (Value, Vec<String>) {
    let chat = from.read_request(body.as_bytes()).unwrap();
    let written = to.write_request(&chat, &Edits::default(), Quirks::default()).unwrap();
    to.head(&written.body, &Asked { model: Some("m"), stream: false }).unwrap();
    (value(&written.body), written.losses.paths().to_vec())
}

fn reply(from: &dyn Codec, to: &dyn Codec, body: &[u8]) -> (Vec<u8>, Vec<String>) {
    let written = to.write_reply(&from.read_reply(body).unwrap());
    (written.body, written.losses.paths().to_vec())
}

fn stream(from: &dyn Codec, to: &dyn Codec, bytes: &[u8]) -> (Vec<u8>, Facts) {
    let mut pipe = translate(from, to.stream_writer(true, 0));
    let mut out = Vec::new();
    pipe.push(Bytes::copy_from_slice(bytes), &mut out).unwrap();
    (out.concat(), pipe.facts().clone())
}

#[test]
fn a_tool_round_of_an_openai_client_reaches_anthropic_whole() {
    let (body, losses) = request(
        &OpenaiChat,
        &Anthropic,
        r#"{"model":"m","messages":[
            {"role":"developer","content":"Be brief."},
            {"role":"user","content":[{"type":"text","text":"What is this?"},
                {"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"auto"}},
                {"type":"image_url","image_url":{"url":"https://example.com/a.jpg"}},
                {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}}]},
            {"role":"assistant","content":null,"tool_calls":[
                {"id":"call_1","type":"function","function":{"name":"look","arguments":"{\"x\": 1.50}"}},
                {"id":"call_2","type":"function","function":{"name":"now","arguments":""}}]},
            {"role":"tool","tool_call_id":"call_1","content":"a cat"},
            {"role":"tool","tool_call_id":"call_2","content":[{"type":"text","text":"noon"}]},
            {"role":"system","content":"Answer in Dutch."},
            {"role":"user","content":"So?"}],
          "tools":[{"type":"function","function":{"name":"look","description":"Looks.","parameters":
            {"type":"object","properties":{"x":{"type":"number"}}},"strict":true}},
            {"type":"function","function":{"name":"now"}}],
          "tool_choice":"required","parallel_tool_calls":false,"max_completion_tokens":900,"stop":"END","user":"u",
          "response_format":{"type":"json_schema","json_schema":{"name":"a","strict":true,"schema":{"type":"object"}}},
          "temperature":0.3,"n":1,"stream":true,"stream_options":{"include_usage":true}}"#,
    );
    assert_eq!(
        body,
        json!({
            "model": "m", "max_tokens": 900, "stream": true, "temperature": 0.3, "stop_sequences": ["END"],
            "metadata": {"user_id": "u"},
            "output_config": {"format": {"type": "json_schema", "schema":
                {"type": "object", "additionalProperties": false}}},
            "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Answer in Dutch."}],
            "tools": [
                {"name": "look", "description": "Looks.", "strict": true,
                    "input_schema": {"type": "object", "properties": {"x": {"type": "number"}},
                        "additionalProperties": false}},
                {"name": "now", "input_schema": {"type": "object", "properties": {}}},
            ],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
                    {"type": "image", "source": {"type": "url", "url": "https://example.com/a.jpg"}},
                    {"type": "document", "title": "a.pdf",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}},
                ]},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "call_1", "name": "look", "input": {"x": 1.50}},
                    {"type": "tool_use", "id": "call_2", "name": "now", "input": {}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "a cat"},
                    {"type": "tool_result", "tool_use_id": "call_2", "content": "noon"},
                    {"type": "text", "text": "So?"},
                ]},
            ],
        })
    );
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn what_openai_alone_has_is_named_as_lost() {
    let (_, losses) = request(
        &OpenaiChat,
        &Anthropic,
        r#"{"model":"m","messages":[{"role":"user","name":"bob","content":[{"type":"text","text":"x"},
            {"type":"input_audio","input_audio":{"data":"","format":"wav"}}]}],"n":2,"seed":1,"logit_bias":{"1":2},
            "logprobs":true,"frequency_penalty":0.5,"metadata":{"a":"b"},"store":true,"temperature":1.5,
            "response_format":{"type":"json_object"}}"#,
    );
    let expected = [
        "/n",
        "/logit_bias",
        "/logprobs",
        "/metadata",
        "/store",
        "/messages/0/name",
        "/messages/0/content/1",
        "/seed",
        "/frequency_penalty",
        "/temperature",
        "/response_format",
    ];
    assert_eq!(losses, expected);
}

#[test]
fn a_tool_round_of_an_anthropic_client_reaches_openai_whole() {
    let (body, losses) = request(&Anthropic, &OpenaiChat, fixture!("tool_round.request.json"));
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": "Weather in Utrecht and Delft?"},
            {"role": "assistant", "content": "I look both up.", "tool_calls": [
                {"id": "toolu_01A", "type": "function",
                    "function": {"name": "get_weather", "arguments": "{\"place\":\"Utrecht\"}"}},
                {"id": "toolu_01B", "type": "function",
                    "function": {"name": "get_weather", "arguments": "{\"place\":\"Delft\"}"}},
            ]},
            {"role": "tool", "tool_call_id": "toolu_01A", "content": "12 °C"},
            {"role": "tool", "tool_call_id": "toolu_01B", "content": "no such station"},
            {"role": "user", "content": "In Fahrenheit, please."},
        ])
    );
    assert_eq!((&body["tool_choice"], &body["max_completion_tokens"]), (&json!("required"), &json!(2048)));
    assert_eq!(losses, ["/messages/1/content/0", "/messages/2/content/1/is_error"]);
}

#[test]
fn the_other_fields_of_an_anthropic_client_reach_openai() {
    let (body, losses) = request(&Anthropic, &OpenaiChat, fixture!("conversation.request.json"));
    assert_eq!(body["messages"][0], json!({"role": "system", "content": "Answer in one line."}));
    assert_eq!((&body["stop"], &body["user"]), (&json!(["\n\nHuman:", "END"]), &json!("u-17")));
    assert_eq!(losses, ["/top_k", "/future_field"]);
    let (body, losses) = request(&Anthropic, &OpenaiChat, fixture!("cached_tools.request.json"));
    assert_eq!(body["parallel_tool_calls"], false);
    assert_eq!(
        (&body["tool_choice"], &body["stream_options"]),
        (&json!("auto"), &json!({"include_usage": true}))
    );
    assert_eq!(body["tools"][0]["function"]["strict"], true);
    assert_eq!(losses, ["/tools/1/cache_control"]);
    let (body, losses) = request(&Anthropic, &OpenaiChat, fixture!("structured.request.json"));
    assert_eq!(body["reasoning_effort"], "high");
    assert_eq!(body["response_format"]["json_schema"]["strict"], true);
    assert_eq!(losses, ["/thinking/display"]);
    let (body, losses) = request(&Anthropic, &OpenaiChat, fixture!("media.request.json"));
    let parts = &body["messages"][0]["content"];
    assert_eq!(parts[0]["image_url"]["url"], "data:image/png;base64,iVBORw0KGgo=");
    assert_eq!(parts[1]["image_url"]["url"], "https://example.com/a.jpg");
    assert_eq!(parts[2]["file"]["file_data"], "data:application/pdf;base64,JVBERi0xLjQ=");
    assert_eq!(parts[3]["text"], "Plain words.");
    assert_eq!(losses, ["/messages/0/content/2/cache_control", "/messages/0/content/3/citations"]);
    let (_, losses) = request(&Anthropic, &OpenaiChat, fixture!("hosted.request.json"));
    for lost in ["/container", "/tools/0", "/messages/0/content/0", "/system/0/cache_control"] {
        assert!(losses.iter().any(|path| path == lost), "{lost} in {losses:?}");
    }
}

#[test]
fn replies_of_either_side_mean_the_same_on_the_other() {
    for body in [
        fixture!("tiers.reply.json"),
        fixture!("tools.reply.json"),
        fixture!("stop_sequence.reply.json"),
        fixture!("max_tokens.reply.json"),
    ] {
        let before = Anthropic.reply_facts(body.as_bytes()).unwrap();
        let (there, _) = reply(&Anthropic, &OpenaiChat, body.as_bytes());
        let (back, _) = reply(&OpenaiChat, &Anthropic, &there);
        let after = Anthropic.reply_facts(&back).unwrap();
        assert_eq!((&after.id, &after.model), (&before.id, &before.model));
        assert_eq!(total(after.usage), total(before.usage));
        let same =
            before.finish.map(|finish| if finish == Finish::StopSequence { Finish::Stop } else { finish });
        assert_eq!(after.finish, same);
        assert_eq!(spoken(&value(&back)), spoken(&value(body.as_bytes())));
    }
    let (_, losses) = reply(&Anthropic, &OpenaiChat, fixture!("tools.reply.json").as_bytes());
    assert_eq!(losses, ["/content/0/signature", "/content/1"]);
    let (_, losses) = reply(&Anthropic, &OpenaiChat, fixture!("stop_sequence.reply.json").as_bytes());
    assert_eq!(losses, ["/stop_sequence"]);
}

/// OpenAI has one lifetime of cache writes.
fn total(usage: Option<Usage>) -> Option<Usage> {
    usage.map(|usage| Usage {
        cache_write_5m_tokens: usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        cache_write_1h_tokens: 0,
        ..usage
    })
}

/// The texts and calls of a message.
fn spoken(message: &Value) -> Vec<Value> {
    let said = |block: &Value| match block["type"].as_str().unwrap() {
        "text" => Some(block["text"].clone()),
        "tool_use" => Some(json!([block["id"], block["name"], block["input"]])),
        _ => None,
    };
    message["content"].as_array().unwrap().iter().filter_map(said).collect()
}

#[test]
fn streams_of_either_side_mean_the_same_on_the_other() {
    for body in [
        fixture!("tiers.sse"),
        fixture!("tools.sse"),
        fixture!("signed_thinking.sse"),
        fixture!("stop_sequence.sse"),
    ] {
        let (there, before) = stream(&Anthropic, &OpenaiChat, body.as_bytes());
        let (back, after) = stream(&OpenaiChat, &Anthropic, &there);
        assert!(before.terminal && after.terminal);
        assert_eq!(total(after.usage), total(before.usage));
        assert_eq!((&after.id, &after.model), (&before.id, &before.model));
        assert_eq!(spoken(&assembled(&back)), spoken(&assembled(body.as_bytes())));
        assert!(there.ends_with(b"data: [DONE]\n\n"));
    }
    let (_, facts) = stream(&Anthropic, &OpenaiChat, fixture!("signed_thinking.sse").as_bytes());
    assert_eq!(facts.losses.paths(), ["/content/0/signature", "/content/1"]);
    let (there, facts) = stream(&Anthropic, &OpenaiChat, fixture!("cut.sse").as_bytes());
    assert!(!facts.terminal && !there.windows(6).any(|window| window == b"[DONE]"));
    let (_, facts) = stream(&Anthropic, &OpenaiChat, fixture!("hosted.sse").as_bytes());
    let lost =
        ["/content/0", "/content/1", "/content/2/citations", "/future_event", "/usage/server_tool_use"];
    assert!(
        lost.iter().all(|lost| facts.losses.paths().iter().any(|path| path == lost)),
        "{:?}",
        facts.losses
    );
}

#[test]
fn parallel_calls_streamed_by_openai_are_blocks_of_their_own() {
    let chunk = |delta: &str, reason: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-1\",\"model\":\"gpt\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{reason}}}]}}\n\n"
        )
    };
    let call = |fields: &str| chunk(&format!("{{\"tool_calls\":[{{{fields}}}]}}"), "null");
    let body = [
        chunk(r#"{"role":"assistant","content":null}"#, "null"),
        call(r#""index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":""}"#),
        call(r#""index":0,"function":{"arguments":"{\"x\":"}"#),
        call(r#""index":0,"function":{"arguments":"1}"}"#),
        call(r#""index":1,"id":"call_b","type":"function","function":{"name":"g","arguments":""}"#),
        chunk("{}", "\"tool_calls\""),
        r#"data: {"id":"chatcmpl-1","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":8}}}"#.to_owned() + "\n\n",
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    let (out, facts) = stream(&OpenaiChat, &Anthropic, body.as_bytes());
    let message = assembled(&out);
    assert_eq!(
        message["content"],
        json!([
            {"type": "tool_use", "id": "call_a", "name": "f", "input": {"x": 1}},
            {"type": "tool_use", "id": "call_b", "name": "g", "input": {}},
        ])
    );
    assert_eq!(message["stop_reason"], "tool_use");
    assert_eq!(facts.usage.unwrap().cache_read_tokens, 8);
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains(
        r#""usage":{"input_tokens":12,"cache_creation_input_tokens":0,"cache_read_input_tokens":8,"#
    ));
}

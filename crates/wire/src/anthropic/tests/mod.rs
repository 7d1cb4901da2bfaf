//! The dialect as a whole, over its fixtures: what is read is written again, what passes passes whole.

mod across;
mod replies;
mod requests;
mod streams;

use serde_json::Value;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../fixtures/anthropic/messages/", $name))
    };
}
use fixture;

fn value(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap()
}

/// The request as it should come back: without what only this dialect has, and with shorthands in their short form.
fn without(body: &str, pointers: &[&str]) -> Value {
    let mut value = value(body.as_bytes());
    for pointer in pointers {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match value.pointer_mut(parent).unwrap() {
            Value::Object(map) => drop(map.remove(key).unwrap()),
            Value::Array(list) => drop(list.remove(key.parse().unwrap())),
            other => panic!("{other}"),
        }
    }
    value
}

/// The reply that a client makes of a stream, in the way Anthropic's SDK does.
fn assembled(stream: &[u8]) -> Value {
    let mut message = Value::Null;
    let mut arguments = vec![String::new(); 16];
    for line in std::str::from_utf8(stream).unwrap().lines().filter_map(|line| line.strip_prefix("data: ")) {
        let event = value(line.as_bytes());
        let index = usize::try_from(event["index"].as_u64().unwrap_or(0)).unwrap();
        match event["type"].as_str().unwrap() {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                let content = message["content"].as_array_mut().unwrap();
                assert_eq!(content.len(), index, "blocks begin in order");
                content.push(event["content_block"].clone());
                content[index].as_object_mut().unwrap().remove("caller");
            }
            "content_block_delta" => {
                let delta = &event["delta"];
                let block = &mut message["content"][index];
                let mut grow = |key: &str| {
                    let text = format!("{}{}", block[key].as_str().unwrap(), delta[key].as_str().unwrap());
                    block[key] = text.into();
                };
                match delta["type"].as_str().unwrap() {
                    "text_delta" => grow("text"),
                    "thinking_delta" => grow("thinking"),
                    "signature_delta" => grow("signature"),
                    _ => arguments[index].push_str(delta["partial_json"].as_str().unwrap()),
                }
            }
            "content_block_stop" if !arguments[index].is_empty() => {
                message["content"][index]["input"] = value(arguments[index].as_bytes());
            }
            "message_delta" => {
                message["stop_reason"] = event["delta"]["stop_reason"].clone();
                message["stop_sequence"] = event["delta"]["stop_sequence"].clone();
                message["usage"] = event["usage"]["output_tokens"].clone();
            }
            _ => {}
        }
    }
    message
}

//! The dialect as a whole, over its fixtures: what is read is written again, what passes passes whole.

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

//! JSON to a tree, within bounds. A name that is there twice is refused: one of the two would be dropped in silence.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::LARGEST;
use crate::error::Error;
use crate::tree::{DEEPEST, MOST, Node, Value};

/// The document in `text`.
pub(crate) fn read(text: &str) -> Result<Node, Error> {
    if text.len() > LARGEST {
        return Err(Error::whole(format!("{} bytes are too many, at most {LARGEST} are read", text.len())));
    }
    let count = Cell::new(0);
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Seed { count: &count, depth: 0 }.deserialize(&mut reader);
    let read = read.and_then(|node| reader.end().map(|()| node));
    read.map_err(|error| {
        // What serde_json says of a value may repeat it; what is said here does not.
        let said = error.to_string();
        let message = match error.classify() {
            serde_json::error::Category::Data => {
                said.split(" at line ").next().unwrap_or_default().to_owned()
            }
            serde_json::error::Category::Eof => "this JSON ends too early".to_owned(),
            _ => format!("this is not JSON at column {}", error.column()),
        };
        Error::at(Some(error.line()), "", message)
    })
}

/// Reads one value, `depth` levels down.
#[derive(Clone, Copy)]
struct Seed<'c> {
    count: &'c Cell<usize>,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        self.count.set(self.count.get() + 1);
        if self.count.get() > MOST {
            return Err(D::Error::custom(format_args!("more than {MOST} values")));
        }
        if self.depth > DEEPEST {
            return Err(D::Error::custom(format_args!("nests deeper than {DEEPEST} levels")));
        }
        deserializer.deserialize_any(self)
    }
}

fn scalar(text: String, is_plain: bool) -> Node {
    Node { line: None, value: Value::Scalar { text, is_plain } }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(scalar("null".to_owned(), true))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node, E> {
        Ok(scalar(flag.to_string(), true))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(scalar(number.to_string(), true))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(scalar(number.to_string(), true))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        Ok(scalar(number.to_string(), true))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(scalar(text.to_owned(), false))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element_seed(Seed { depth: self.depth + 1, ..self })? {
            nodes.push(node);
        }
        Ok(Node { line: None, value: Value::List(nodes) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        let mut names = BTreeSet::new();
        while let Some(name) = map.next_key_seed(Name)? {
            if !names.insert(name.clone()) {
                let name = crate::fields::step(&name);
                return Err(A::Error::custom(format_args!(
                    "the name {name} is there twice in one object; keep one"
                )));
            }
            entries.push((name, map.next_value_seed(Seed { depth: self.depth + 1, ..self })?));
        }
        Ok(Node { line: None, value: Value::Map(entries) })
    }
}

/// Reads a name.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        String::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        match read(text) {
            Ok(_) => panic!("read: {text}"),
            Err(error) => error.in_file("c.json").to_string(),
        }
    }

    #[test]
    fn values_keep_their_order_and_text_stays_text() {
        let root = read(r#"{"b": [1, "1", true, null, -2, 0.5], "a": {}}"#).unwrap();
        let entries = root.map().unwrap();
        assert_eq!(entries[0].0, "b");
        let texts: Vec<Option<&str>> = entries[0].1.list().unwrap().iter().map(Node::text).collect();
        assert_eq!(texts, [Some("1"), Some("1"), Some("true"), None, Some("-2"), Some("0.5")]);
    }

    #[test]
    fn broken_deep_doubled_and_large_texts_are_refused_with_their_line() {
        assert_eq!(
            refused("{\"a\": 1,\n \"a\": 2}"),
            "c.json:2: the name a is there twice in one object; keep one"
        );
        assert_eq!(refused("{\n\"a\": sk-secret}"), "c.json:2: this is not JSON at column 6");
        assert!(refused("{\"a\"").contains("ends too early"));
        assert!(refused("{} {}").contains("not JSON"));
        assert!(refused(&format!("{}1{}", "[".repeat(70), "]".repeat(70))).contains("deeper than 64"));
        assert!(refused(&format!("[{}0]", "0,".repeat(MOST))).contains("more than"));
        assert!(refused(&" ".repeat(LARGEST + 1)).contains("too many"));
    }
}

//! YAML to a tree, within bounds.
//!
//! The parser gives events; the tree is built here so that an alias counts for all that it repeats. Python's reader, which
//! LiteLLM uses, merges `<<`, so this one does.

use std::collections::{BTreeMap, BTreeSet};

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::LARGEST;
use crate::error::Error;
use crate::tree::{DEEPEST, MOST, Node, Value};

/// The document in `text`.
pub(crate) fn read(text: &str) -> Result<Node, Error> {
    if text.len() > LARGEST {
        return Err(Error::whole(format!("{} bytes are too many, at most {LARGEST} are read", text.len())));
    }
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        // What the scanner says of a text never repeats a value in it.
        let (event, span) = event.map_err(|error| {
            Error::at(Some(error.marker().line()), "", format!("this is not YAML: {}", error.info()))
        })?;
        builder.event(event, &span)?;
    }
    builder.document.ok_or_else(|| Error::whole("there is nothing in it"))
}

/// A list or a mapping that has not ended.
struct Open {
    line: usize,
    anchor: usize,
    value: Value,
    /// The names in it so far.
    names: BTreeSet<String>,
    /// The name whose value comes next, and its line.
    key: Option<(String, usize)>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    count: usize,
    document: Option<Node>,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: &Span) -> Result<(), Error> {
        let line = span.start.line();
        match event {
            Event::DocumentStart(_) if self.document.is_some() => {
                Err(Error::at(Some(line), "", "a second document begins here; one is read"))
            }
            Event::Scalar(text, style, anchor, _) => {
                self.grow(1, line)?;
                let value = Value::Scalar { text: text.into_owned(), is_plain: style == ScalarStyle::Plain };
                self.close(Node { line: Some(line), value }, anchor)
            }
            Event::SequenceStart(anchor, _) => self.begin(line, anchor, Value::List(Vec::new())),
            Event::MappingStart(anchor, _) => self.begin(line, anchor, Value::Map(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(ended) = self.open.pop() else { return Ok(()) };
                let mut node = Node { line: Some(ended.line), value: ended.value };
                merge(&mut node);
                self.close(node, ended.anchor)
            }
            Event::Alias(anchor) => {
                let size = self.anchors.get(&anchor).map(|node| (node.count(), depth(node)));
                let Some((count, depth)) = size else {
                    let message = "this alias stands for something it is itself part of";
                    return Err(Error::at(Some(line), "", message));
                };
                self.grow(count, line)?;
                if self.open.len() + depth > DEEPEST {
                    return Err(too_deep(line));
                }
                let Some(node) = self.anchors.get(&anchor).cloned() else { return Ok(()) };
                self.close(node, 0)
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    /// Counts values, those that an alias repeats before they are copied.
    fn grow(&mut self, by: usize, line: usize) -> Result<(), Error> {
        self.count = self.count.saturating_add(by);
        if self.count > MOST {
            let message = format!("more than {MOST} values, counting what aliases repeat");
            return Err(Error::at(Some(line), "", message));
        }
        Ok(())
    }

    fn begin(&mut self, line: usize, anchor: usize, value: Value) -> Result<(), Error> {
        self.grow(1, line)?;
        if self.open.len() >= DEEPEST {
            return Err(too_deep(line));
        }
        self.open.push(Open { line, anchor, value, names: BTreeSet::new(), key: None });
        Ok(())
    }

    /// Puts what is complete where it belongs.
    fn close(&mut self, node: Node, anchor: usize) -> Result<(), Error> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(parent) = self.open.last_mut() else {
            self.document = Some(node);
            return Ok(());
        };
        match &mut parent.value {
            Value::List(list) => list.push(node),
            Value::Map(entries) => match parent.key.take() {
                None => {
                    let Value::Scalar { text, .. } = node.value else {
                        return Err(Error::at(node.line, "", "a name is text, not a list or a mapping"));
                    };
                    if !parent.names.insert(text.clone()) {
                        let message = "this name is there twice in one mapping; keep one";
                        return Err(Error::at(node.line, crate::fields::step(&text), message));
                    }
                    parent.key = Some((text, node.line.unwrap_or(parent.line)));
                }
                Some((name, line)) => entries.push((name, Node { line: Some(line), ..node })),
            },
            Value::Scalar { .. } => {}
        }
        Ok(())
    }
}

fn too_deep(line: usize) -> Error {
    Error::at(Some(line), "", format!("nests deeper than {DEEPEST} levels"))
}

fn depth(node: &Node) -> usize {
    match &node.value {
        Value::Scalar { .. } => 0,
        Value::List(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Map(entries) => 1 + entries.iter().map(|(_, node)| depth(node)).max().unwrap_or(0),
    }
}

/// Puts what `<<` names into the mapping, behind what it says itself. <https://yaml.org/type/merge.html>
fn merge(node: &mut Node) {
    let Value::Map(entries) = &mut node.value else { return };
    let Some(place) = entries.iter().position(|(name, _)| name == "<<") else { return };
    let (_, merged) = entries.remove(place);
    let sources = match merged.value {
        Value::List(list) => list,
        _ => vec![merged],
    };
    let mut names: BTreeSet<String> = entries.iter().map(|(name, _)| name.clone()).collect();
    for source in sources {
        let Value::Map(more) = source.value else { continue };
        entries.extend(more.into_iter().filter(|(name, _)| names.insert(name.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        match read(text) {
            Ok(_) => panic!("read: {text}"),
            Err(error) => error.in_file("c.yaml").to_string(),
        }
    }

    #[test]
    fn anchors_aliases_and_merges_are_read_as_python_reads_them() {
        let text =
            "base: &b\n  rpm: 6\n  tpm: 7\none:\n  <<: *b\n  rpm: 9\ntwo: *b\nall:\n  <<: [*b, {x: 1}]\n";
        let root = read(text).unwrap();
        let of = |name: &str, field: &str| {
            let (_, node) = root.map().unwrap().iter().find(|(key, _)| key == name).unwrap();
            node.map().unwrap().iter().find(|(key, _)| key == field).unwrap().1.text().unwrap().to_owned()
        };
        assert_eq!(of("one", "rpm"), "9");
        assert_eq!(of("one", "tpm"), "7");
        assert_eq!(of("two", "rpm"), "6");
        assert_eq!(of("all", "x"), "1");
        assert_eq!(root.map().unwrap()[2].1.line, Some(7));
    }

    #[test]
    fn a_billion_laughs_are_refused_before_they_are_told() {
        let line = |step: usize| match step {
            0 => "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(),
            _ => format!("a{step}: &a{step} [{}]\n", vec![format!("*a{}", step - 1); 10].join(", ")),
        };
        let text: String = (0..12).map(line).collect();
        let refused = refused(&text);
        assert!(
            refused.contains("counting what aliases repeat") || refused.contains("not YAML"),
            "{refused}"
        );
        assert!(refused.starts_with("c.yaml:"), "{refused}");
    }

    #[test]
    fn an_alias_to_what_it_is_part_of_is_refused() {
        assert!(refused("a: &a [*a]\n").contains("alias"));
    }

    #[test]
    fn deep_large_doubled_and_broken_texts_are_refused_with_their_line() {
        assert!(refused(&"[".repeat(65)).contains("deeper than 64"));
        let chain = "a: &a [[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]\nb: &b [[[[[[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]]]]]\nc: &c [[[[[[[[[[[[[[[[[[[[*b]]]]]]]]]]]]]]]]]]]]\nd: [[[[[*c]]]]]\n";
        assert!(refused(chain).contains("deeper than 64"));
        assert!(refused(&" ".repeat(LARGEST + 1)).contains("too many"));
        assert_eq!(
            refused("a: 1\nb: 2\na: 3\n"),
            "c.yaml:3: a: this name is there twice in one mapping; keep one"
        );
        assert!(refused("a: 1\nb: [1, 2\nc: }\n").starts_with("c.yaml:"), "{}", refused("b: [1, 2\nc: }\n"));
        assert!(refused("a: 1\n---\nb: 2\n").contains("second document"));
        assert!(refused("").contains("nothing in it"));
    }

    #[test]
    fn numbers_keep_their_digits_and_quotes_make_text_of_anything() {
        let root = read("a: 4.2e-07\nb: \"null\"\nc: null\nd: ~\ne:\nf: Yes\n").unwrap();
        let entries = root.map().unwrap();
        assert_eq!(entries[0].1.text(), Some("4.2e-07"));
        assert_eq!(entries[1].1.text(), Some("null"));
        assert!(entries[2..5].iter().all(|(_, node)| node.is_null()));
        assert_eq!(entries[5].1.flag(), Some(true));
    }
}

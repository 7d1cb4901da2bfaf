//! Where in a body a byte stands, as a path like `messages[2].content`. Used only once something is wrong.

use super::depth::string_end;

/// A container on the way down.
enum Step {
    Index(usize),
    Key(String),
}

/// The path of the value that the byte at `offset` belongs to; empty at the root.
pub(super) fn path(body: &[u8], offset: usize) -> String {
    let body = body.get(..offset.min(body.len())).unwrap_or_default();
    let mut steps: Vec<Step> = Vec::new();
    let mut at = 0;
    let mut key_next = false;
    while let Some(byte) = body.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'"' => {
                at = string_end(body, at);
                if key_next && let Some(Step::Key(key)) = steps.last_mut() {
                    let inner = body.get(start + 1..at.saturating_sub(1)).unwrap_or_default();
                    *key = String::from_utf8_lossy(inner).into_owned();
                    key_next = false;
                }
            }
            b'{' => {
                steps.push(Step::Key(String::new()));
                key_next = true;
            }
            b'[' => {
                steps.push(Step::Index(0));
                key_next = false;
            }
            b'}' | b']' => {
                steps.pop();
                key_next = false;
            }
            b',' => match steps.last_mut() {
                Some(Step::Index(index)) => *index += 1,
                Some(Step::Key(_)) => key_next = true,
                None => {}
            },
            _ => {}
        }
    }
    written(&steps)
}

fn written(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Key(key) if key.is_empty() => {}
            Step::Key(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
            Step::Index(index) => {
                path.push('[');
                path.push_str(&index.to_string());
                path.push(']');
            }
        }
    }
    path
}

/// The byte offset of a parser's line and column, both from 1.
pub(super) fn offset(body: &[u8], line: usize, column: usize) -> usize {
    let mut start = 0;
    for _ in 1..line {
        let rest = body.get(start..).unwrap_or_default();
        match memchr::memchr(b'\n', rest) {
            Some(at) => start += at + 1,
            None => break,
        }
    }
    start.saturating_add(column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_named_by_the_path_of_its_value() {
        let body = br#"{"model":"m","messages":[{"role":"user"},{"content":[1,"x"]}],"t":2}"#;
        let cases =
            [("\"m\"", "model"), ("user", "messages[0].role"), ("x", "messages[1].content[1]"), ("2}", "t")];
        for (needle, expected) in cases {
            let at = memchr::memmem::find(body, needle.as_bytes()).unwrap();
            assert_eq!(path(body, at + 1), expected);
        }
        assert_eq!(path(body, usize::MAX), "");
    }

    #[test]
    fn lines_and_columns_become_offsets() {
        assert_eq!(offset(b"ab\ncd", 2, 1), 4);
        assert_eq!(offset(b"ab", 9, 9), 9);
    }
}

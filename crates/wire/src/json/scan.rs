//! The members of an object, found without parsing what they hold.
//!
//! For replies that pass byte for byte: the record needs four of their fields, and whatever else is wrong with them is
//! the client's parser's business. What is checked is the frame: strings end, brackets balance, nothing follows.

use serde::Deserialize;

use super::depth::string_end;

/// Bytes whose frame is not that of one JSON value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Broken;

/// A key as written, quotes left out, and its value's bytes.
pub(crate) type Member<'a> = (&'a [u8], &'a [u8]);

/// A walk over the members of an object or the elements of an array.
pub(crate) struct Scan<'a> {
    body: &'a [u8],
    at: usize,
    close: u8,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    First,
    Later,
    Over,
}

impl<'a> Scan<'a> {
    /// The members of the object that `body` is. Nothing but white space may stand around it.
    pub(crate) fn object(body: &'a [u8]) -> Result<Self, Broken> {
        Self::open(body, b'{', b'}')
    }

    /// The elements of the array that `body` is.
    pub(crate) fn array(body: &'a [u8]) -> Result<Self, Broken> {
        Self::open(body, b'[', b']')
    }

    fn open(body: &'a [u8], open: u8, close: u8) -> Result<Self, Broken> {
        let at = blank_end(body, 0);
        if body.get(at) != Some(&open) {
            return Err(Broken);
        }
        Ok(Self { body, at: at + 1, close, state: State::First })
    }

    /// The next member.
    pub(crate) fn member(&mut self) -> Result<Option<Member<'a>>, Broken> {
        if !self.advance()? {
            return Ok(None);
        }
        let start = self.at;
        if self.body.get(start) != Some(&b'"') {
            return Err(Broken);
        }
        let end = string_end(self.body, start + 1);
        let key = self.body.get(start + 1..end.saturating_sub(1)).ok_or(Broken)?;
        self.at = blank_end(self.body, end);
        if self.body.get(self.at) != Some(&b':') {
            return Err(Broken);
        }
        self.at = blank_end(self.body, self.at + 1);
        Ok(Some((key, self.value()?)))
    }

    /// The next element's bytes.
    pub(crate) fn element(&mut self) -> Result<Option<&'a [u8]>, Broken> {
        if self.advance()? { self.value().map(Some) } else { Ok(None) }
    }

    /// Steps over what stands before the next value. False at the end.
    fn advance(&mut self) -> Result<bool, Broken> {
        if self.state == State::Over {
            return Ok(false);
        }
        self.at = blank_end(self.body, self.at);
        match (self.body.get(self.at), self.state) {
            (Some(byte), _) if *byte == self.close => {
                self.state = State::Over;
                let is_last = blank_end(self.body, self.at + 1) == self.body.len();
                if is_last { Ok(false) } else { Err(Broken) }
            }
            (Some(b','), State::Later) => {
                self.at = blank_end(self.body, self.at + 1);
                Ok(true)
            }
            (Some(_), State::First) => {
                self.state = State::Later;
                Ok(true)
            }
            _ => Err(Broken),
        }
    }

    fn value(&mut self) -> Result<&'a [u8], Broken> {
        let start = self.at;
        self.at = value_end(self.body, start)?;
        self.body.get(start..self.at).filter(|value| !value.is_empty()).ok_or(Broken)
    }
}

/// Reads a small value that a scan has found.
pub(crate) fn small<'a, T: Deserialize<'a>>(value: &'a [u8]) -> Result<T, Broken> {
    serde_json::from_slice(value).map_err(|_| Broken)
}

fn blank_end(body: &[u8], at: usize) -> usize {
    let rest = body.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

/// Where the value that begins at `start` is over.
fn value_end(body: &[u8], start: usize) -> Result<usize, Broken> {
    let mut at = start;
    let mut depth = 0_usize;
    while let Some(byte) = body.get(at) {
        at += 1;
        match byte {
            b'"' => {
                let end = string_end(body, at);
                // A string that is never closed also "ends" at the end of the body.
                if body.get(end.wrapping_sub(1)) != Some(&b'"') || end == at {
                    return Err(Broken);
                }
                at = end;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return Ok(at - 1),
            b'}' | b']' => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return Ok(at);
        }
    }
    if depth == 0 { Ok(at) } else { Err(Broken) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn members(body: &[u8]) -> Result<Vec<Member<'_>>, Broken> {
        let mut scan = Scan::object(body)?;
        let mut found = Vec::new();
        while let Some(member) = scan.member()? {
            found.push(member);
        }
        Ok(found)
    }

    #[test]
    fn members_are_found_with_their_bytes() {
        let found = members(br#" { "a" : 1 , "b":"x\"},", "c":[{},{"d":"]"}], "e":{} } "#).unwrap();
        let text: Vec<_> = found
            .iter()
            .map(|(key, value)| (std::str::from_utf8(key).unwrap(), std::str::from_utf8(value).unwrap()))
            .collect();
        assert_eq!(text, [("a", "1"), ("b", r#""x\"},""#), ("c", r#"[{},{"d":"]"}]"#), ("e", "{}")]);
        assert_eq!(members(b"{}"), Ok(Vec::new()));
    }

    #[test]
    fn a_frame_that_is_cut_or_followed_is_broken() {
        let whole = br#"{"a":[1,{"b":"c"}],"d":2}"#;
        for end in 0..whole.len() {
            assert_eq!(members(&whole[..end]), Err(Broken), "{end}");
        }
        for body in [&b"{}x"[..], b"{,}", b"{\"a\":1,}", b"{\"a\" 1}", b"{\"a\":}", b"[]", b"{\"a\":\"b}"] {
            assert_eq!(members(body), Err(Broken), "{}", String::from_utf8_lossy(body));
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[a-z\"\\\\]{0,6}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_scan_finds_what_a_parser_finds(map in prop::collection::btree_map("[a-z]{0,6}", json(), 0..6), pretty: bool) {
            let value = Value::Object(map.into_iter().collect());
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let found = members(text.as_bytes()).unwrap();
            prop_assert_eq!(found.len(), value.as_object().unwrap().len());
            for (key, bytes) in found {
                let parsed: Value = small(bytes).unwrap();
                prop_assert_eq!(&parsed, &value[std::str::from_utf8(key).unwrap()]);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(members(&bytes).is_ok() || members(&bytes).is_err());
        }
    }
}

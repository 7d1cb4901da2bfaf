//! The members of an object, found without parsing what they hold.
//!
//! For replies that pass byte for byte: the record needs four of their fields, and whatever else is wrong with them is
//! the client's parser's business. What is checked is the frame: strings end, brackets balance, nothing follows.

use serde::Deserialize;

use super::depth::string_end;

/// Bytes whose frame is not that of one JSON value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Broken;

/// A walk over the members of an object or the elements of an array. What `key` or `next` has come to must be taken, by
/// [`Scan::value`] or [`Scan::array`] or [`Scan::object`], before the next is asked for.
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

/// Walks over the members of the object that `body` is. Nothing but white space may stand around it.
pub(crate) fn scan<'a>(
    body: &'a [u8],
    walk: impl FnOnce(&mut Scan<'a>) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let mut root = Scan { body, at: blank_end(body, 0), close: 0, state: State::Over };
    root.object(walk)?;
    if blank_end(body, root.at) == body.len() { Ok(()) } else { Err(Broken) }
}

impl<'a> Scan<'a> {
    /// Comes to the next member and gives its key as written, quotes left out.
    pub(crate) fn key(&mut self) -> Result<Option<&'a [u8]>, Broken> {
        if !self.next()? {
            return Ok(None);
        }
        let start = self.at;
        let end = closed_string_end(self.body, start)?;
        self.at = blank_end(self.body, end);
        if self.body.get(self.at) != Some(&b':') {
            return Err(Broken);
        }
        self.at = blank_end(self.body, self.at + 1);
        Ok(self.body.get(start + 1..end - 1))
    }

    /// Comes to the next element. False at the end.
    pub(crate) fn next(&mut self) -> Result<bool, Broken> {
        if self.state == State::Over {
            return Ok(false);
        }
        self.at = blank_end(self.body, self.at);
        match (self.body.get(self.at), self.state) {
            (Some(byte), _) if *byte == self.close => {
                self.state = State::Over;
                self.at += 1;
                Ok(false)
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

    /// Takes the value that the walk has come to.
    pub(crate) fn value(&mut self) -> Result<&'a [u8], Broken> {
        let start = self.at;
        self.at = value_end(self.body, start)?;
        self.body.get(start..self.at).filter(|value| !value.is_empty()).ok_or(Broken)
    }

    /// Walks over the elements of the array that the walk has come to. `walk` goes to the end.
    pub(crate) fn array(&mut self, walk: impl FnOnce(&mut Self) -> Result<(), Broken>) -> Result<(), Broken> {
        self.inside(b'[', b']', walk)
    }

    /// Walks over the members of the object that the walk has come to. `walk` goes to the end.
    pub(crate) fn object(
        &mut self,
        walk: impl FnOnce(&mut Self) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        self.inside(b'{', b'}', walk)
    }

    fn inside(
        &mut self,
        open: u8,
        close: u8,
        walk: impl FnOnce(&mut Self) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        if self.body.get(self.at) != Some(&open) {
            return Err(Broken);
        }
        let mut inner = Self { body: self.body, at: self.at + 1, close, state: State::First };
        walk(&mut inner)?;
        self.at = inner.at;
        if inner.state == State::Over { Ok(()) } else { Err(Broken) }
    }
}

/// Reads a small value that a scan has found.
pub(crate) fn small<'a, T: Deserialize<'a>>(value: &'a [u8]) -> Result<T, Broken> {
    serde_json::from_slice(value).map_err(|_| Broken)
}

fn blank_end(body: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = body.get(at) {
        at += 1;
    }
    at
}

/// Where the string that begins at `start` is over. One that never ends is broken.
fn closed_string_end(body: &[u8], start: usize) -> Result<usize, Broken> {
    if body.get(start) != Some(&b'"') {
        return Err(Broken);
    }
    let mut at = start + 1;
    loop {
        match body.get(at).ok_or(Broken)? {
            b'"' => return Ok(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
        if at - start > SHORT {
            break;
        }
    }
    // Long strings are searched, not walked. A string without an end also "ends" where the body does.
    let end = string_end(body, at);
    if end == body.len() && !ends_closed(body, at) { Err(Broken) } else { Ok(end) }
}

/// Strings up to about this long are walked: calling a search costs more.
const SHORT: usize = 24;

/// Whether the last byte of `body` closes the string of which `at` is inside.
fn ends_closed(body: &[u8], at: usize) -> bool {
    let Some((b'"', inside)) = body.get(at..).and_then(<[u8]>::split_last) else { return false };
    inside.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0
}

/// What a byte outside strings means to the frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Inner,
    Quote,
    Open,
    Close,
    Separator,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Inner; 256];
    classes[b'"' as usize] = Class::Quote;
    classes[b'{' as usize] = Class::Open;
    classes[b'[' as usize] = Class::Open;
    classes[b'}' as usize] = Class::Close;
    classes[b']' as usize] = Class::Close;
    classes[b',' as usize] = Class::Separator;
    classes[b' ' as usize] = Class::Separator;
    classes[b'\t' as usize] = Class::Separator;
    classes[b'\n' as usize] = Class::Separator;
    classes[b'\r' as usize] = Class::Separator;
    classes
};

/// Where the value that begins at `start` is over.
fn value_end(body: &[u8], start: usize) -> Result<usize, Broken> {
    let mut at = start;
    let mut depth = 0_usize;
    while let Some(byte) = body.get(at) {
        match (CLASSES[usize::from(*byte)], depth) {
            (Class::Separator | Class::Close, 0) => return Ok(at),
            (Class::Inner | Class::Separator, _) => {
                at += 1;
                continue;
            }
            (Class::Quote, _) => at = closed_string_end(body, at)?,
            (Class::Open, _) => {
                depth += 1;
                at += 1;
                continue;
            }
            (Class::Close, _) => {
                depth -= 1;
                at += 1;
            }
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

    type Member<'a> = (&'a [u8], &'a [u8]);

    fn members(body: &[u8]) -> Result<Vec<Member<'_>>, Broken> {
        let mut found = Vec::new();
        scan(body, |members| {
            while let Some(key) = members.key()? {
                found.push((key, members.value()?));
            }
            Ok(())
        })?;
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

    #[test]
    fn a_walk_inside_goes_on_where_it_ends() {
        let body = br#"{"a":[{"b":1},{"b":2}],"c":3}"#;
        let (mut inner, mut after) = (Vec::new(), None);
        let walked = scan(body, |members| {
            while let Some(key) = members.key()? {
                match key {
                    b"a" => members.array(|elements| {
                        while elements.next()? {
                            elements.object(|element| {
                                while element.key()?.is_some() {
                                    inner.push(element.value()?);
                                }
                                Ok(())
                            })?;
                        }
                        Ok(())
                    })?,
                    _ => after = Some(members.value()?),
                }
            }
            Ok(())
        });
        assert_eq!((walked, inner, after), (Ok(()), vec![&b"1"[..], b"2"], Some(&b"3"[..])));
        assert_eq!(scan(body, |_| Ok(())), Err(Broken), "a walk goes to the end");
    }

    #[test]
    fn long_strings_end_where_they_are_closed() {
        for inside in ["x".repeat(100), "\\\\".repeat(50), format!("{}\\\"", "y".repeat(40))] {
            let body = format!("{{\"a\":\"{inside}\"}}");
            assert_eq!(members(body.as_bytes()).unwrap().len(), 1, "{body}");
            for end in 0..body.len() {
                assert_eq!(members(&body.as_bytes()[..end]), Err(Broken), "{}", &body[..end]);
            }
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

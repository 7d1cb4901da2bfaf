//! A scanner for the few fields that every call's record needs of a whole reply.
//!
//! It reads what a parser of typed values reads, in two thirds of the instructions, and never reads more: whatever is not
//! plainly as expected (an escape in a key, a type that differs, a field that comes twice, bytes that are no JSON) ends
//! the scan without a result, and a parser has the last word on it.

/// How deep values may nest.
const DEPTH: u8 = 64;

/// Eight bytes of which each is this one.
const fn eight(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// A place in a text of JSON. Where a method gives none, the scan is over.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: u8,
}

/// A field that may come once, and may be null.
#[derive(Default)]
pub(crate) struct Field<T> {
    came: bool,
    value: Option<T>,
}

impl<T> Field<T> {
    /// Its value; none where it is null or did not come.
    pub(crate) fn value(self) -> Option<T> {
        self.value
    }
}

impl<'a> Scanner<'a> {
    /// A scanner at the start of `body`.
    pub(crate) fn new(body: &'a [u8]) -> Option<Self> {
        Some(Self { text: std::str::from_utf8(body).ok()?, at: 0, depth: 0 })
    }

    /// Reads a field's value with `read`, unless it is null.
    pub(crate) fn once<T>(
        &mut self,
        field: &mut Field<T>,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<()> {
        if std::mem::replace(&mut field.came, true) {
            return None;
        }
        if self.peek()? == b'n' {
            return self.word("null");
        }
        field.value = Some(read(self)?);
        Some(())
    }

    /// Reads an object: `field` is called behind each key and reads its value.
    pub(crate) fn object(&mut self, mut field: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.between(b'{', b'}', |scanner| {
            let key = scanner.string()?;
            (scanner.peek()? == b':').then_some(())?;
            scanner.at += 1;
            field(scanner, key)
        })
    }

    /// Reads an array: `item` is called for each item and reads it.
    pub(crate) fn array(&mut self, item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.between(b'[', b']', item)
    }

    /// Reads what stands between two brackets, with commas between its parts.
    fn between(&mut self, open: u8, close: u8, mut part: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        (self.peek()? == open && self.depth < DEPTH).then_some(())?;
        self.depth += 1;
        self.at += 1;
        if self.peek()? != close {
            part(self)?;
            while self.peek()? == b',' {
                self.at += 1;
                part(self)?;
            }
        }
        (self.peek()? == close).then_some(())?;
        self.depth -= 1;
        self.at += 1;
        Some(())
    }

    /// Reads a string without escapes.
    pub(crate) fn string(&mut self) -> Option<&'a str> {
        self.open_string()?;
        let start = self.at;
        self.pass_plain();
        (self.byte()? == b'"').then_some(())?;
        let text = self.text.get(start..self.at);
        self.at += 1;
        text
    }

    /// Reads a whole number from zero up.
    pub(crate) fn number(&mut self) -> Option<u64> {
        self.peek()?;
        let start = self.at;
        let mut number = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.byte() {
            number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
            self.at += 1;
        }
        let has_leading_zero = self.at - start > 1 && self.text.as_bytes().get(start) == Some(&b'0');
        let goes_on = matches!(self.byte(), Some(b'.' | b'e' | b'E'));
        (self.at > start && !has_leading_zero && !goes_on).then_some(number)
    }

    /// Whether a string comes next.
    pub(crate) fn is_at_string(&mut self) -> bool {
        self.peek() == Some(b'"')
    }

    /// Passes over any value.
    pub(crate) fn skip(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.skip_string(),
            b'{' => self.object(|scanner, _| scanner.skip()),
            b'[' => self.array(Self::skip),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.skip_number(),
        }
    }

    /// Checks that nothing else follows.
    pub(crate) fn end(mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte()? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text.as_bytes().get(self.at..)?.starts_with(word.as_bytes()).then_some(())?;
        self.at += word.len();
        Some(())
    }

    fn open_string(&mut self) -> Option<()> {
        (self.peek()? == b'"').then_some(())?;
        self.at += 1;
        Some(())
    }

    fn skip_string(&mut self) -> Option<()> {
        self.open_string()?;
        loop {
            self.pass_plain();
            match self.byte()? {
                b'"' => break,
                b'\\' => self.skip_escape()?,
                _ => return None,
            }
        }
        self.at += 1;
        Some(())
    }

    /// Passes over bytes of a string up to a quote, an escape, or what no string holds.
    fn pass_plain(&mut self) {
        let mut rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        while let Some((word, behind)) = rest.split_first_chunk() {
            let ends = ends(u64::from_le_bytes(*word));
            if ends != 0 {
                self.at += ends.trailing_zeros() as usize / 8;
                return;
            }
            self.at += word.len();
            rest = behind;
        }
        let plain = |byte: &&u8| **byte >= 0x20 && !matches!(byte, b'"' | b'\\');
        self.at += rest.iter().take_while(plain).count();
    }

    fn skip_escape(&mut self) -> Option<()> {
        let rest = self.text.as_bytes().get(self.at + 1..)?;
        self.at += match rest.first()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
            b'u' => rest.get(1..5)?.iter().all(u8::is_ascii_hexdigit).then_some(6)?,
            _ => return None,
        };
        Some(())
    }

    fn skip_number(&mut self) -> Option<()> {
        self.at += usize::from(self.byte() == Some(b'-'));
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.skip_digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.skip_digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.skip_digits()?;
        }
        Some(())
    }

    fn skip_digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}

/// A word whose lowest byte that is not zero stands where the first quote, backslash or control character of `word`
/// does; zero where there is none. The usual test for a byte below a bound, on eight bytes at once: what it says of the
/// bytes above the first hit may be wrong. <https://graphics.stanford.edu/~seander/bithacks.html#HasLessInWord>
const fn ends(word: u64) -> u64 {
    const HIGH: u64 = eight(0x80);
    let quote = word ^ eight(b'"');
    let backslash = word ^ eight(b'\\');
    let is_quote = quote.wrapping_sub(eight(1)) & !quote;
    let is_backslash = backslash.wrapping_sub(eight(1)) & !backslash;
    let is_control = word.wrapping_sub(eight(0x20)) & !word;
    (is_quote | is_backslash | is_control) & HIGH
}

/// For tests of what is read with a scanner.
#[cfg(test)]
pub(crate) mod testing {
    use proptest::prelude::*;
    use proptest::sample::Index;

    /// A body that is often JSON, and often not quite: one of `bodies`, changed in a few places.
    pub(crate) fn changed(bodies: &'static [&'static str]) -> impl Strategy<Value = String> {
        let piece = proptest::sample::select(vec![
            "",
            ",",
            ":",
            "\"",
            "\\",
            "{",
            "}",
            "[",
            "]",
            "1",
            "-",
            ".5",
            "null",
            "true",
            "\"a\":",
            " ",
            "é",
            "\u{1}",
            "\"id\":null,",
            "\"id\":\"x\",",
            "\"usage\":null,",
            "\"index\":7,",
            "{},",
            "\\u0061",
            "\\n",
            "0",
            "[1]",
        ]);
        let change = (any::<Index>(), 0..3_usize, piece);
        (proptest::sample::select(bodies), proptest::collection::vec(change, 0..3)).prop_map(
            |(body, changes)| {
                let mut text = body.to_owned();
                for (at, removed, piece) in changes {
                    let start = text.floor_char_boundary(at.index(text.len().max(1)));
                    let end = text.ceil_char_boundary((start + removed).min(text.len()));
                    text.replace_range(start..end, piece);
                }
                text
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    use super::*;

    fn skips(body: &[u8]) -> bool {
        let skipped = |mut scanner: Scanner<'_>| {
            scanner.skip()?;
            scanner.end()
        };
        Scanner::new(body).and_then(skipped).is_some()
    }

    #[test]
    fn values_of_every_kind_are_passed() {
        for body in [
            r#" { "a" : [ ] , "b" : { } , "c" : [ 1 , -2.5e+3 , 0 , "x\n\u00e9\"" , true , false , null ] } "#,
            r#""a text of more than eight bytes, with an é and a \\ in it""#,
            "0.5",
            "\u{7f}0".trim_start_matches('\u{7f}'),
        ] {
            assert!(skips(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn what_is_no_json_is_not_passed() {
        for body in [
            "",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\"}",
            "{a:1}",
            "01",
            "1.",
            ".5",
            "-",
            "1e",
            "+1",
            "nul",
            "tru",
            "\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\n\"",
            "\"12345678\u{1}\"",
            "1 2",
            "[1 2]",
            "{} x",
            "[}",
            "\u{feff}1",
        ] {
            assert!(!skips(body.as_bytes()), "{body:?}");
        }
        assert!(!skips(b"\"\xff\""));
        assert!(!skips("[".repeat(100_000).as_bytes()), "no stack is needed for what nests too deep");
    }

    #[test]
    fn a_field_comes_once_and_is_of_its_type() {
        let read = |body: &str| {
            let (mut text, mut number) = (Field::default(), Field::default());
            let mut scanner = Scanner::new(body.as_bytes())?;
            scanner.object(|scanner, key| match key {
                "text" => scanner.once(&mut text, |scanner| scanner.string().map(str::to_owned)),
                "number" => scanner.once(&mut number, Scanner::number),
                _ => scanner.skip(),
            })?;
            scanner.end()?;
            Some((text.value(), number.value()))
        };
        let whole = read(r#"{"text": "a", "x": {"text": 7}, "number": 18446744073709551615}"#);
        assert_eq!(whole, Some((Some("a".to_owned()), Some(u64::MAX))));
        assert_eq!(read(r#"{"text":null}"#), Some((None, None)));
        assert_eq!(read("{}"), Some((None, None)));
        for body in [
            r#"{"text":"a","text":"b"}"#,
            r#"{"text":null,"text":"b"}"#,
            r#"{"text":"\u0061"}"#,
            r#"{"te\u0078t":"a"}"#,
            r#"{"text":1}"#,
            r#"{"number":"1"}"#,
            r#"{"number":18446744073709551616}"#,
            r#"{"number":1.0}"#,
            r#"{"number":1e3}"#,
            r#"{"number":-1}"#,
            r#"{"number":01}"#,
            r#"["text"]"#,
        ] {
            assert_eq!(read(body), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn a_text_ends_where_a_byte_by_byte_search_says(bytes in proptest::collection::vec(any::<u8>(), 8)) {
            let found = bytes.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\');
            let word = u64::from_le_bytes(bytes.try_into().unwrap());
            prop_assert_eq!(ends(word).trailing_zeros() as usize / 8, found.unwrap_or(8));
        }

        #[test]
        fn nothing_is_passed_that_a_parser_refuses(
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just("{"), Just("}"), Just("["), Just("]"), Just(":"), Just(","), Just("\""), Just("\"a\":"), Just("\\u00"),
                    Just("\\"), Just("0"), Just("12"), Just("-"), Just("."), Just("e+"), Just("true"), Just("null"), Just(" "),
                    Just("é\u{1}"), Just("long enough for a word"), Just("[1]"), Just("{}"),
                ],
                0..12,
            )
        ) {
            let body = pieces.concat();
            if skips(body.as_bytes()) {
                prop_assert!(serde_json::from_str::<IgnoredAny>(&body).is_ok(), "{}", body);
            }
        }
    }
}

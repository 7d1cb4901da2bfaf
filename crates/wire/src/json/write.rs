//! JSON straight into bytes. Scopes are closures, so what is opened is closed and commas stand where they must.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// Writes an object.
pub(crate) fn object(out: &mut Vec<u8>, fields: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    fields(&mut Object { out, begun: false });
    out.push(b'}');
}

/// Writes an array.
pub(crate) fn array(out: &mut Vec<u8>, items: impl FnOnce(&mut Array<'_>)) {
    out.push(b'[');
    items(&mut Array { out, begun: false });
    out.push(b']');
}

/// Writes a string, quoted and escaped.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    string_inside(out, text);
    out.push(b'"');
}

/// Writes what stands between a string's quotes.
fn string_inside(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut plain = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if !matches!(byte, b'"' | b'\\' | 0..=0x1f) {
            continue;
        }
        out.extend_from_slice(bytes.get(plain..at).unwrap_or_default());
        plain = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 0xf)]);
            }
        }
    }
    out.extend_from_slice(bytes.get(plain..).unwrap_or_default());
}

/// Writes a whole number.
pub(crate) fn number(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = value;
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

/// An object being written. Keys must need no escapes, but for [`Object::field`] and [`Object::any_key`].
pub(crate) struct Object<'o> {
    out: &'o mut Vec<u8>,
    begun: bool,
}

impl Object<'_> {
    /// Writes a key and gives the bytes to write its value to.
    pub(crate) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if std::mem::replace(&mut self.begun, true) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// A field that was read: its key may hold anything.
    pub(crate) fn field(&mut self, key: &str, value: &RawValue) {
        self.any_key(key).extend_from_slice(value.get().as_bytes());
    }

    /// Writes a key that may hold anything and gives the bytes to write its value to.
    pub(crate) fn any_key(&mut self, key: &str) -> &mut Vec<u8> {
        if std::mem::replace(&mut self.begun, true) {
            self.out.push(b',');
        }
        string(self.out, key);
        self.out.push(b':');
        self.out
    }

    /// A string.
    pub(crate) fn string(&mut self, key: &str, text: &str) {
        string(self.key(key), text);
    }

    /// A string of several pieces.
    pub(crate) fn joined(&mut self, key: &str, pieces: &[&str]) {
        let out = self.key(key);
        out.push(b'"');
        for piece in pieces {
            string_inside(out, piece);
        }
        out.push(b'"');
    }

    /// A string, or null if there is none.
    pub(crate) fn string_or_null(&mut self, key: &str, text: Option<&str>) {
        match text {
            Some(text) => self.string(key, text),
            None => self.null(key),
        }
    }

    /// A string, if there is one.
    pub(crate) fn string_if(&mut self, key: &str, text: Option<&Cow<'_, str>>) {
        if let Some(text) = text {
            self.string(key, text);
        }
    }

    /// A value as it was read.
    pub(crate) fn raw(&mut self, key: &str, value: &RawValue) {
        self.literal(key, value.get());
    }

    /// A value as it was read, if there is one.
    pub(crate) fn raw_if(&mut self, key: &str, value: Option<&RawValue>) {
        if let Some(value) = value {
            self.raw(key, value);
        }
    }

    /// A value that is JSON already.
    pub(crate) fn literal(&mut self, key: &str, json: &str) {
        self.key(key).extend_from_slice(json.as_bytes());
    }

    /// A whole number.
    pub(crate) fn number(&mut self, key: &str, value: u64) {
        number(self.key(key), value);
    }

    /// A whole number, if there is one.
    pub(crate) fn number_if(&mut self, key: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }

    /// True or false.
    pub(crate) fn bool(&mut self, key: &str, value: bool) {
        self.literal(key, if value { "true" } else { "false" });
    }

    /// Null.
    pub(crate) fn null(&mut self, key: &str) {
        self.literal(key, "null");
    }

    /// An object within.
    pub(crate) fn object(&mut self, key: &str, fields: impl FnOnce(&mut Object<'_>)) {
        object(self.key(key), fields);
    }

    /// An array within.
    pub(crate) fn array(&mut self, key: &str, items: impl FnOnce(&mut Array<'_>)) {
        array(self.key(key), items);
    }
}

/// An array being written.
pub(crate) struct Array<'o> {
    out: &'o mut Vec<u8>,
    begun: bool,
}

impl Array<'_> {
    /// The bytes to write the next item to.
    pub(crate) fn item(&mut self) -> &mut Vec<u8> {
        if std::mem::replace(&mut self.begun, true) {
            self.out.push(b',');
        }
        self.out
    }

    /// A string.
    pub(crate) fn string(&mut self, text: &str) {
        string(self.item(), text);
    }

    /// A value as it was read.
    pub(crate) fn raw(&mut self, value: &RawValue) {
        self.item().extend_from_slice(value.get().as_bytes());
    }

    /// An object.
    pub(crate) fn object(&mut self, fields: impl FnOnce(&mut Object<'_>)) {
        object(self.item(), fields);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scopes_close_and_commas_stand_between() {
        let raw = RawValue::from_string("[1.50]".to_owned()).unwrap();
        let mut out = Vec::new();
        object(&mut out, |object| {
            object.string("a", "x\"\u{1}");
            object.joined("j", &["a\n", "b"]);
            object.object("b", |inner| inner.number("n", u64::MAX));
            object.array("c", |array| {
                array.object(|item| item.bool("t", true));
                array.raw(&raw);
                array.string("s");
            });
            object.field("k\"", &raw);
            object.null("z");
        });
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            r#"{"a":"x\"\u0001","j":"a\nb","b":{"n":18446744073709551615},"c":[{"t":true},[1.50],"s"],"k\"":[1.50],"z":null}"#
        );
    }

    proptest! {
        #[test]
        fn a_string_reads_back_as_it_was(text: String, number_in: u64) {
            let mut out = Vec::new();
            string(&mut out, &text);
            prop_assert_eq!(&serde_json::from_slice::<String>(&out).unwrap(), &text);
            prop_assert_eq!(&out, &serde_json::to_vec(&text).unwrap());
            out.clear();
            number(&mut out, number_in);
            prop_assert_eq!(String::from_utf8(out).unwrap(), number_in.to_string());
        }
    }
}

//! Headers as bytes: those that came, and those to send.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

/// The headers of a message, as the bytes they came in: most of them nobody asks for.
#[derive(Clone, Default)]
pub struct Headers {
    /// The whole head.
    bytes: Bytes,
    fields: Vec<Field>,
}

/// A line of a head that was read: one header, of which no byte ends it early.
#[derive(Clone, Copy)]
pub struct Line<'a>(&'a [u8]);

/// Where a header stands.
#[derive(Clone)]
struct Field {
    name: Range<usize>,
    value: Range<usize>,
}

impl Headers {
    /// Those that `httparse` found in `head`.
    pub(crate) fn parsed(head: &[u8], fields: &[httparse::Header<'_>]) -> Self {
        let fields = fields
            .iter()
            .map(|field| Field {
                name: range_in(head, field.name.as_bytes()),
                value: range_in(head, field.value),
            })
            .collect();
        Self { bytes: Bytes::copy_from_slice(head), fields }
    }

    /// Every header in the order it came: its name as it was written, and its value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|field| (&self.bytes[field.name.clone()], &self.bytes[field.value.clone()]))
    }

    /// Every header in the order it came: its name as it was written, its value, and its line, end included, where that
    /// is as we would write it.
    pub fn lines(&self) -> impl Iterator<Item = (&[u8], &[u8], Option<Line<'_>>)> {
        self.fields.iter().map(|Field { name, value }| {
            let is_ours = self.bytes.get(name.end..value.start) == Some(b": ")
                && self.bytes.get(value.end..value.end + 2) == Some(b"\r\n");
            let line = is_ours.then(|| Line(&self.bytes[name.start..value.end + 2]));
            (&self.bytes[name.clone()], &self.bytes[value.clone()], line)
        })
    }

    /// The values of every header of this name, in any case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(given, _)| given.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The first header of this name, in any case.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let is_it = |(given, _): &(&[u8], &[u8])| given.eq_ignore_ascii_case(name.as_bytes());
        self.iter().find(is_it).map(|(_, value)| value)
    }

    /// The first header of this name, if it is text.
    pub fn get_str(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Whether any header of this name lists `option`, in any case.
    pub(crate) fn lists(&self, name: &str, option: &str) -> bool {
        let names_it = |value: &[u8]| {
            value
                .split(|byte| *byte == b',')
                .any(|part| part.trim_ascii().eq_ignore_ascii_case(option.as_bytes()))
        };
        self.all(name).any(names_it)
    }

    /// A part of the head beside its headers.
    pub(crate) fn text(&self, range: &Range<usize>) -> &str {
        std::str::from_utf8(&self.bytes[range.clone()]).unwrap_or_default()
    }
}

/// Where `part` stands in `whole`, which it must be borrowed from.
pub(crate) fn range_in(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}

/// Headers that did not come over a wire.
impl<'a> FromIterator<(&'a str, &'a str)> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(headers: I) -> Self {
        let (mut bytes, mut fields) = (Vec::new(), Vec::new());
        for (name, value) in headers {
            let mut range = |text: &str| {
                let start = bytes.len();
                bytes.extend_from_slice(text.as_bytes());
                start..bytes.len()
            };
            fields.push(Field { name: range(name), value: range(value) });
        }
        Self { bytes: Bytes::from(bytes), fields }
    }
}

/// Names only: values may be secrets.
impl fmt::Debug for Headers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter().map(|(name, _)| String::from_utf8_lossy(name))).finish()
    }
}

/// Headers to send, as the lines they are sent in.
#[derive(Clone, Default)]
pub struct HeaderLines(Vec<u8>);

impl HeaderLines {
    /// None yet, with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Adds a header. A value that would end its line is left out, with its name: nothing of a request or a provider
    /// may write headers of its own.
    pub fn put(&mut self, name: &str, value: &[u8]) {
        if !ends_its_line(value) {
            self.0.reserve(name.len() + value.len() + 4);
            self.0.extend_from_slice(name.as_bytes());
            self.0.extend_from_slice(b": ");
            self.0.extend_from_slice(value);
            self.0.extend_from_slice(b"\r\n");
        }
    }

    /// Adds a header as it came.
    pub fn put_line(&mut self, line: Line<'_>) {
        self.0.extend_from_slice(line.0);
    }

    /// Adds a header whose value is what `write` appends, which must not end its line.
    pub fn put_with(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        let start = self.0.len();
        write(&mut self.0);
        debug_assert!(!ends_its_line(&self.0[start..]), "a value of our own ends its line");
        self.0.extend_from_slice(b"\r\n");
    }

    /// Adds a header whose value is a number.
    pub fn put_number(&mut self, name: &str, value: u64) {
        self.put_with(name, |line| push_number(line, value, 10));
    }

    /// Adds all of `other`.
    pub(crate) fn extend(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// None yet, behind the line that begins a message.
    pub(crate) const fn behind(line: Vec<u8>) -> Self {
        Self(line)
    }

    /// The whole head, with the empty line that ends it.
    pub(crate) fn into_whole(mut self) -> Vec<u8> {
        self.0.extend_from_slice(b"\r\n");
        self.0
    }

    /// Whether a header of this name, as it was put, is among them.
    pub fn has(&self, name: &str) -> bool {
        let is_it =
            |line: &[u8]| line.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b": "));
        self.0.split(|byte| *byte == b'\n').any(is_it)
    }

    /// The lines.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Whether a value has a byte in it that no line goes on behind: CR, LF or NUL.
fn ends_its_line(value: &[u8]) -> bool {
    let ends = |bytes: &[u8]| bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
    // Most values have no control character at all, which eight bytes at once tell.
    let (words, rest) = value.as_chunks::<8>();
    let mut control = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        control |= word.wrapping_sub(0x2020_2020_2020_2020) & !word;
    }
    ends(rest) || (control & 0x8080_8080_8080_8080 != 0 && ends(value))
}

/// Without what may be secret.
impl fmt::Debug for HeaderLines {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HeaderLines").field("bytes", &self.0.len()).finish()
    }
}

/// Writes a number in digits of this radix, 16 at most.
pub(crate) fn push_number(out: &mut Vec<u8>, mut value: u64, radix: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[usize::try_from(value % radix).unwrap_or_default()];
        value /= radix;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_found_in_any_case() {
        let headers: Headers =
            [("Retry-After", "7"), ("x-a", "1"), ("X-A", "b, Close")].into_iter().collect();
        assert_eq!(headers.get_str("retry-after"), Some("7"));
        assert_eq!(headers.all("x-a").collect::<Vec<_>>(), [&b"1"[..], b"b, Close"]);
        assert!(headers.lists("x-a", "close") && !headers.lists("x-a", "lose"));
        assert_eq!(headers.get("x"), None);
        assert_eq!(format!("{headers:?}"), r#"["Retry-After", "x-a", "X-A"]"#);
    }

    #[test]
    fn no_value_writes_another_line() {
        let mut lines = HeaderLines::default();
        lines.put("x-a", b"1");
        lines.put("x-b", b"2\r\nset-cookie: 3");
        lines.put("x-c", b"4\0");
        assert_eq!(lines.as_bytes(), b"x-a: 1\r\n");
        assert!(lines.has("x-a") && !lines.has("x") && !lines.has("x-b"));
        // Wherever it stands among words of eight bytes, and whatever stands beside it.
        for length in 0..40 {
            for place in 0..length {
                let value = |byte| {
                    let mut value = vec![b'\t'; length];
                    value[place] = byte;
                    value
                };
                assert!(
                    [b'\r', b'\n', 0].iter().all(|byte| ends_its_line(&value(*byte))),
                    "{length} {place}"
                );
                assert!([b'\t', b' ', 0x1f, 0x7f, 0xff].iter().all(|byte| !ends_its_line(&value(*byte))));
            }
        }
    }

    #[test]
    fn a_line_goes_on_as_it_came_only_if_it_is_as_we_would_write_it() {
        let text = b"GET / HTTP/1.1\r\na: 1\r\nb:2\r\nC: 3 \r\nd: \r\n\r\n";
        let mut room = [httparse::EMPTY_HEADER; 4];
        let mut request = httparse::Request::new(&mut room);
        assert!(request.parse(text).unwrap().is_complete());
        let headers = Headers::parsed(text, request.headers);
        let lines: Vec<_> = headers.lines().map(|(_, _, line)| line.map(|line| line.0)).collect();
        assert_eq!(lines[..3], [Some(&b"a: 1\r\n"[..]), None, None]);
        let mut out = HeaderLines::default();
        for (name, value, line) in headers.lines() {
            match line {
                Some(line) => out.put_line(line),
                None => out.put(std::str::from_utf8(name).unwrap(), value),
            }
        }
        assert_eq!(out.as_bytes(), b"a: 1\r\nb: 2\r\nC: 3\r\nd: \r\n");
    }
}

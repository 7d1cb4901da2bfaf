//! The head of a reply.

use std::fmt;
use std::mem::MaybeUninit;
use std::ops::Range;

use bytes::Bytes;
use http::StatusCode;
use httparse::{ParserConfig, Status};

use super::Broken;
use super::framing::Framing;

/// The most headers a reply may have: a provider is no more trusted than a client.
const HEADERS: usize = 100;

/// The status and the headers of a reply.
#[derive(Clone, Debug)]
pub struct Head {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: Headers,
}

/// The headers of a reply, as the bytes they came in: most of them nobody asks for.
#[derive(Clone, Default)]
pub struct Headers {
    bytes: Bytes,
    fields: Vec<Field>,
}

/// Where a header stands.
#[derive(Clone)]
struct Field {
    name: Range<usize>,
    value: Range<usize>,
}

impl Headers {
    /// Every header in the order it came: its name as the provider wrote it, and its value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|field| (&self.bytes[field.name.clone()], &self.bytes[field.value.clone()]))
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

    /// A value that [`Headers::iter`] gave, shared instead of copied.
    pub fn share(&self, value: &[u8]) -> Bytes {
        self.bytes.slice_ref(value)
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(given, _)| given.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }
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

/// Names only: values may be a secret between the provider and us.
impl fmt::Debug for Headers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter().map(|(name, _)| String::from_utf8_lossy(name))).finish()
    }
}

/// A head and what follows from it.
pub(super) struct Parsed {
    pub(super) head: Head,
    /// Bytes it took.
    pub(super) length: usize,
    /// Where its body ends.
    pub(super) framing: Framing,
    /// Whether another request may follow on the connection.
    pub(super) persists: bool,
}

/// Reads the head at the start of `bytes`. None where it is not whole.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Parsed>, Broken> {
    let mut room = [const { MaybeUninit::uninit() }; HEADERS];
    let mut reply = httparse::Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut reply, bytes, &mut room);
    let Status::Complete(length) = parsed.map_err(Broken::Head)? else { return Ok(None) };
    let status = reply.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(Broken::Head(httparse::Error::Status))?;
    let range = |part: &[u8]| {
        let start = part.as_ptr().addr() - bytes.as_ptr().addr();
        start..start + part.len()
    };
    let fields = reply
        .headers
        .iter()
        .map(|header| Field { name: range(header.name.as_bytes()), value: range(header.value) })
        .collect();
    let is_1_1 = reply.version == Some(1);
    let headers = Headers { bytes: Bytes::copy_from_slice(&bytes[..length]), fields };
    let (framing, is_sound) = framing(status, is_1_1, &headers)?;
    let persists = is_sound
        && match headers.all("connection").last() {
            Some(value) if lists(value, b"close") => false,
            Some(value) if lists(value, b"keep-alive") => true,
            _ => is_1_1,
        };
    Ok(Some(Parsed { head: Head { status, headers }, length, framing, persists }))
}

/// Where the body ends, and whether that is beyond doubt (RFC 9112, section 6.3; we send no HEAD and no CONNECT).
fn framing(status: StatusCode, is_1_1: bool, headers: &Headers) -> Result<(Framing, bool), Broken> {
    if status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
        return Ok((Framing::Length(0), true));
    }
    let length = content_length(headers)?;
    let mut codings = headers.all("transfer-encoding");
    if let Some(coding) = codings.next() {
        if !is_1_1 || codings.next().is_some() || !coding.trim_ascii().eq_ignore_ascii_case(b"chunked") {
            return Err(Broken::Framing("its transfer-encoding is not chunked alone"));
        }
        return Ok((Framing::chunked(), length.is_none()));
    }
    Ok(match length {
        Some(length) => (Framing::Length(length), true),
        None => (Framing::UntilClose, false),
    })
}

fn content_length(headers: &Headers) -> Result<Option<u64>, Broken> {
    let mut length = None;
    for value in headers.all("content-length") {
        // `parse` alone would take a sign.
        let digits =
            std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let this = digits.and_then(|digits| digits.parse::<u64>().ok());
        if this.is_none() || length.is_some_and(|other| Some(other) != this) {
            return Err(Broken::Framing("its content-length is not one number"));
        }
        length = this;
    }
    Ok(length)
}

/// Whether a list in a header names `option`.
fn lists(value: &[u8], option: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(option))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Parsed>, Broken> {
        parse(text.as_bytes())
    }

    fn framed(headers: &str) -> Option<(Framing, bool)> {
        let parsed = read(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n")).ok()??;
        Some((parsed.framing, parsed.persists))
    }

    #[test]
    fn a_head_is_whole_or_not_there() {
        let text = "HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nx-a: 1\r\nX-A: 2 \r\n\r\nbody";
        let length = text.len() - "body".len();
        for end in 0..length {
            assert!(read(&text[..end]).unwrap().is_none(), "{end}");
        }
        let parsed = read(text).unwrap().unwrap();
        assert_eq!((parsed.length, parsed.head.status.as_u16()), (length, 429));
        let headers = &parsed.head.headers;
        assert_eq!(headers.get_str("retry-after"), Some("7"));
        assert_eq!(headers.iter().collect::<Vec<_>>()[1..], [(&b"x-a"[..], &b"1"[..]), (b"X-A", b"2")]);
        assert_eq!(headers.share(headers.get("x-a").unwrap()), "1");
        assert_eq!(format!("{headers:?}"), r#"["Retry-After", "x-a", "X-A"]"#);
    }

    #[test]
    fn the_body_ends_where_rfc_9112_says() {
        assert_eq!(framed("content-length: 5\r\n"), Some((Framing::Length(5), true)));
        assert_eq!(framed("content-length: 5\r\nContent-Length: 5\r\n"), Some((Framing::Length(5), true)));
        assert_eq!(framed("transfer-encoding: Chunked\r\n"), Some((Framing::chunked(), true)));
        // Chunked wins, and nobody knows what the next reply would be.
        assert_eq!(
            framed("content-length: 5\r\ntransfer-encoding: chunked\r\n"),
            Some((Framing::chunked(), false))
        );
        assert_eq!(framed(""), Some((Framing::UntilClose, false)));
        for doubtful in [
            "content-length: 5\r\ncontent-length: 6\r\n",
            "content-length: 5, 5\r\n",
            "content-length: +5\r\n",
            "content-length: \r\n",
            "content-length: 99999999999999999999\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        ] {
            assert_eq!(framed(doubtful), None, "{doubtful}");
        }
        let of_status =
            |line: &str| read(&format!("{line}\r\ncontent-length: 5\r\n\r\n")).unwrap().unwrap().framing;
        assert_eq!(of_status("HTTP/1.1 204 No Content"), Framing::Length(0));
        assert_eq!(of_status("HTTP/1.1 304 Not Modified"), Framing::Length(0));
        assert!(read("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn a_connection_persists_only_if_both_versions_and_options_say_so() {
        let persists = |version: &str, connection: &str| {
            read(&format!("HTTP/{version} 200 OK\r\ncontent-length: 0\r\n{connection}\r\n"))
                .unwrap()
                .unwrap()
                .persists
        };
        assert!(persists("1.1", ""));
        assert!(!persists("1.1", "Connection: Close\r\n"));
        assert!(!persists("1.1", "connection: x, close\r\n"));
        assert!(!persists("1.0", ""));
        assert!(persists("1.0", "connection: keep-alive\r\n"));
    }

    #[test]
    fn what_is_no_head_is_refused() {
        let many = "x-many: 1\r\n".repeat(HEADERS + 1);
        for text in [
            "HTTP/2 200 OK\r\n\r\n".to_owned(),
            "SSH-2.0-x\r\n".to_owned(),
            "HTTP/1.1 abc\r\n\r\n".to_owned(),
            "HTTP/1.1 099 Early\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\nname : 1\r\n\r\n".to_owned(),
            format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
        ] {
            assert!(read(&text).is_err(), "{text}");
        }
    }
}

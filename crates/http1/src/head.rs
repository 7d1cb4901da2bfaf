//! The heads of messages, and what follows from them.

use std::mem::MaybeUninit;
use std::ops::Range;

use http::{Method, StatusCode};
use httparse::{ParserConfig, Status};

use crate::framing::Framing;
use crate::headers::range_in;
use crate::{Broken, Headers};

/// The most headers any message may have. A listener may allow fewer.
pub(crate) const HEADERS: usize = 100;

/// The head of a reply.
#[derive(Clone, Debug)]
pub struct ReplyHead {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: Headers,
}

/// The head of a request.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// What is asked.
    pub method: Method,
    target: Range<usize>,
    /// Its headers.
    pub headers: Headers,
}

impl RequestHead {
    /// The path that is asked for, without its query.
    pub fn path(&self) -> &str {
        let path = self.parts().1;
        path.split_once('?').map_or(path, |(path, _)| path)
    }

    /// The query, without its question mark, if there is one.
    pub fn query(&self) -> Option<&str> {
        self.parts().1.split_once('?').map(|(_, query)| query)
    }

    /// The host that the target itself names, if it is a whole URL.
    pub fn authority(&self) -> Option<&str> {
        self.parts().0
    }

    fn parts(&self) -> (Option<&str>, &str) {
        let target = self.headers.text(&self.target);
        if target.starts_with('/') {
            return (None, target);
        }
        let rest = target.split_once("://").map_or(target, |(_, rest)| rest);
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        (Some(&rest[..at]), if at == rest.len() { "/" } else { &rest[at..] })
    }
}

/// What a head says of its message and of the connection.
pub(crate) struct Parsed<T> {
    pub(crate) head: T,
    /// Bytes it took.
    pub(crate) length: usize,
    /// Where its body ends.
    pub(crate) framing: Framing,
    /// Whether another message may follow on the connection.
    pub(crate) persists: bool,
    /// Whether the sender speaks HTTP/1.1, and not 1.0.
    pub(crate) is_1_1: bool,
}

/// Reads the head of a reply at the start of `bytes`. None where it is not whole.
pub(crate) fn parse_reply(bytes: &[u8]) -> Result<Option<Parsed<ReplyHead>>, Broken> {
    let mut room = [const { MaybeUninit::uninit() }; HEADERS];
    let mut reply = httparse::Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut reply, bytes, &mut room);
    let Status::Complete(length) = parsed.map_err(Broken::Head)? else { return Ok(None) };
    let status = reply.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(Broken::Head(httparse::Error::Status))?;
    let is_1_1 = reply.version == Some(1);
    let said = match Said::by(reply.headers, is_1_1) {
        // What it says of a body that it cannot have does not matter, but nothing is expected of such a server.
        Err(_) if has_no_body(status) => Said { close: true, ..Said::default() },
        said => said?,
    };
    let (framing, is_sound) = reply_framing(status, &said);
    let persists = is_sound && said.persists(is_1_1);
    let headers = Headers::parsed(&bytes[..length], reply.headers);
    Ok(Some(Parsed { head: ReplyHead { status, headers }, length, framing, persists, is_1_1 }))
}

/// Reads the head of a request at the start of `bytes`, with so many headers at most. None where it is not whole.
pub(crate) fn parse_request(bytes: &[u8], most: usize) -> Result<Option<Parsed<RequestHead>>, Broken> {
    let mut room = [const { MaybeUninit::uninit() }; HEADERS];
    let room = room.get_mut(..most).unwrap_or_default();
    let mut request = httparse::Request::new(&mut []);
    let parsed = ParserConfig::default().parse_request_with_uninit_headers(&mut request, bytes, room);
    let Status::Complete(length) = parsed.map_err(Broken::Head)? else { return Ok(None) };
    let method = request.method.and_then(|method| Method::from_bytes(method.as_bytes()).ok());
    let method = method.ok_or(Broken::Head(httparse::Error::Token))?;
    let target = request.path.unwrap_or_default();
    if !target.starts_with('/') && !target.contains("://") {
        return Err(Broken::Framing("its target is neither a path nor a URL"));
    }
    let target = range_in(bytes, target.as_bytes());
    let is_1_1 = request.version == Some(1);
    let said = Said::by(request.headers, is_1_1)?;
    let framing = request_framing(&said)?;
    let persists = said.persists(is_1_1);
    let headers = Headers::parsed(&bytes[..length], request.headers);
    Ok(Some(Parsed { head: RequestHead { method, target, headers }, length, framing, persists, is_1_1 }))
}

/// What the headers say of a message's framing and of the connection, read in one pass.
#[derive(Default)]
struct Said {
    is_chunked: bool,
    length: Option<u64>,
    close: bool,
    keep_alive: bool,
}

impl Said {
    fn by(headers: &[httparse::Header<'_>], is_1_1: bool) -> Result<Self, Broken> {
        let mut said = Self::default();
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            // By length first: hardly any header is one of these.
            match header.name.len() {
                10 if is("connection") => said.connection(header.value),
                14 if is("content-length") => said.content_length(header.value)?,
                17 if is("transfer-encoding") => said.transfer_encoding(header.value, is_1_1)?,
                _ => {}
            }
        }
        Ok(said)
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Broken> {
        // `parse` would take a sign.
        let digit = |sum: u64, byte: &u8| {
            let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
            sum.checked_mul(10)?.checked_add(digit)
        };
        let length = if value.is_empty() { None } else { value.iter().try_fold(0, digit) };
        if length.is_none() || self.length.is_some_and(|other| Some(other) != length) {
            return Err(Broken::Framing("its content-length is not one number"));
        }
        self.length = length;
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8], is_1_1: bool) -> Result<(), Broken> {
        if !is_1_1 || self.is_chunked || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
            return Err(Broken::Framing("its transfer-encoding is not chunked alone"));
        }
        self.is_chunked = true;
        Ok(())
    }

    /// Whether another message may follow (RFC 9112, section 9.3).
    const fn persists(&self, is_1_1: bool) -> bool {
        !self.close && (is_1_1 || self.keep_alive)
    }
}

/// Where a reply's body ends, and whether that is beyond doubt (RFC 9112, section 6.3; we send no HEAD and no CONNECT).
fn reply_framing(status: StatusCode, said: &Said) -> (Framing, bool) {
    if has_no_body(status) {
        return (Framing::NOTHING, true);
    }
    match (said.is_chunked, said.length) {
        // Chunked wins, and nobody knows what the next reply would be.
        (true, length) => (Framing::chunked(), length.is_none()),
        (false, Some(length)) => (Framing::Length(length), true),
        (false, None) => (Framing::UntilClose, false),
    }
}

fn has_no_body(status: StatusCode) -> bool {
    status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED
}

/// Where a request's body ends. One that says it twice could be understood in two ways, which is how requests are
/// smuggled: it is refused.
fn request_framing(said: &Said) -> Result<Framing, Broken> {
    match (said.is_chunked, said.length) {
        (true, None) => Ok(Framing::chunked()),
        (true, Some(_)) => Err(Broken::Framing("it has both a transfer-encoding and a content-length")),
        (false, length) => Ok(Framing::Length(length.unwrap_or(0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Result<Option<Parsed<ReplyHead>>, Broken> {
        parse_reply(text.as_bytes())
    }

    fn request(text: &str) -> Result<Option<Parsed<RequestHead>>, Broken> {
        parse_request(text.as_bytes(), 10)
    }

    fn framed(headers: &str) -> Option<(Framing, bool)> {
        let parsed = reply(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n")).ok()??;
        Some((parsed.framing, parsed.persists))
    }

    #[test]
    fn a_head_is_whole_or_not_there() {
        let text = "HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nx-a: 1\r\nX-A: 2 \r\n\r\nbody";
        let length = text.len() - "body".len();
        for end in 0..length {
            assert!(reply(&text[..end]).unwrap().is_none(), "{end}");
        }
        let parsed = reply(text).unwrap().unwrap();
        assert_eq!((parsed.length, parsed.head.status.as_u16()), (length, 429));
        let headers: Vec<_> = parsed.head.headers.iter().collect();
        assert_eq!(headers, [(&b"Retry-After"[..], &b"7"[..]), (b"x-a", b"1"), (b"X-A", b"2")]);
        let text = "POST /v1/chat?a=b HTTP/1.1\r\nhost: h\r\n\r\n{}";
        for end in 0..text.len() - 2 {
            assert!(request(&text[..end]).unwrap().is_none(), "{end}");
        }
        let parsed = request(text).unwrap().unwrap();
        assert_eq!((parsed.length, parsed.head.method), (text.len() - 2, Method::POST));
    }

    #[test]
    fn a_target_is_a_path_or_a_url() {
        let target = |target: &str| {
            let head = request(&format!("GET {target} HTTP/1.1\r\n\r\n")).ok()??.head;
            Some((head.authority().map(str::to_owned), head.path().to_owned()))
        };
        assert_eq!(target("/a/b?c=/d"), Some((None, "/a/b".to_owned())));
        assert_eq!(target("http://h:1/a?b"), Some((Some("h:1".to_owned()), "/a".to_owned())));
        assert_eq!(target("http://h"), Some((Some("h".to_owned()), "/".to_owned())));
        assert_eq!(target("http://h?a"), Some((Some("h".to_owned()), String::new())));
        for target_of_another_kind in ["*", "h:443", "a/b"] {
            assert_eq!(target(target_of_another_kind), None);
        }
    }

    #[test]
    fn a_reply_ends_where_rfc_9112_says() {
        assert_eq!(framed("content-length: 5\r\n"), Some((Framing::Length(5), true)));
        assert_eq!(framed("content-length: 5\r\nContent-Length: 5\r\n"), Some((Framing::Length(5), true)));
        assert_eq!(framed("transfer-encoding: Chunked\r\n"), Some((Framing::chunked(), true)));
        let both = "content-length: 5\r\ntransfer-encoding: chunked\r\n";
        assert_eq!(framed(both), Some((Framing::chunked(), false)));
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
            |line: &str| reply(&format!("{line}\r\ncontent-length: 5\r\n\r\n")).unwrap().unwrap().framing;
        assert_eq!(of_status("HTTP/1.1 204 No Content"), Framing::NOTHING);
        assert_eq!(of_status("HTTP/1.1 304 Not Modified"), Framing::NOTHING);
        assert!(reply("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        let odd = reply("HTTP/1.1 304 Not Modified\r\ntransfer-encoding: gzip\r\n\r\n").unwrap().unwrap();
        assert_eq!((odd.framing, odd.persists), (Framing::NOTHING, false));
    }

    #[test]
    fn a_request_that_could_end_in_two_places_is_refused() {
        let framed =
            |headers: &str| Some(request(&format!("POST / HTTP/1.1\r\n{headers}\r\n")).ok()??.framing);
        assert_eq!(framed("content-length: 5\r\n"), Some(Framing::Length(5)));
        assert_eq!(framed("transfer-encoding: chunked\r\n"), Some(Framing::chunked()));
        assert_eq!(framed(""), Some(Framing::NOTHING));
        for doubtful in [
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
            "content-length: 5\r\ncontent-length: 6\r\n",
            "content-length: -5\r\n",
            "content-length : 5\r\n",
            "transfer-encoding: xchunked\r\n",
            "transfer-encoding: chunked, identity\r\n",
            " content-length: 5\r\n",
            "a: b\r\n content-length: 5\r\n",
        ] {
            assert_eq!(framed(doubtful), None, "{doubtful}");
        }
        assert!(request("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn a_connection_persists_only_if_both_versions_and_options_say_so() {
        let persists = |version: &str, connection: &str| {
            let text = format!("HTTP/{version} 200 OK\r\ncontent-length: 0\r\n{connection}\r\n");
            reply(&text).unwrap().unwrap().persists
        };
        assert!(persists("1.1", ""));
        assert!(!persists("1.1", "Connection: Close\r\n"));
        assert!(!persists("1.1", "connection: x, close\r\nconnection: keep-alive\r\n"));
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
            assert!(reply(&text).is_err(), "{text}");
        }
        let many = "x: 1\r\n".repeat(11);
        for text in ["GET / HTTP/2.0\r\n\r\n", "\u{16}\u{3}\u{1}", "GET /\r\n\r\n"] {
            assert!(request(text).is_err(), "{text}");
        }
        assert!(matches!(
            request(&format!("GET / HTTP/1.1\r\n{many}\r\n")),
            Err(Broken::Head(httparse::Error::TooManyHeaders))
        ));
    }
}

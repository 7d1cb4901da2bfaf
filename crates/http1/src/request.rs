//! A request as the bytes it is sent in.

use std::fmt;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method};

use crate::HeaderLines;
use crate::outgoing::COPIED;

/// Room for the headers that only one request has.
const OWN_HEADERS: usize = 256;

/// The part of a request's head that is the same each time: written once, copied for each request.
#[derive(Clone)]
pub struct Template {
    head: HeaderLines,
    has_body: bool,
}

impl Template {
    /// A request with `method` for `target` at `host`, with these headers. The body's length is written by itself, and so
    /// is the host unless a header names another.
    pub fn new(method: &Method, host: &HeaderValue, target: &PathAndQuery, headers: &HeaderMap) -> Self {
        let mut head = Vec::with_capacity(64);
        head.extend_from_slice(method.as_str().as_bytes());
        head.push(b' ');
        head.extend_from_slice(target.as_str().as_bytes());
        head.extend_from_slice(b" HTTP/1.1\r\n");
        let mut head = HeaderLines::behind(head);
        head.put(HOST.as_str(), headers.get(HOST).unwrap_or(host).as_bytes());
        for (name, value) in headers {
            if ![HOST, CONTENT_LENGTH, TRANSFER_ENCODING].contains(name) {
                head.put(name.as_str(), value.as_bytes());
            }
        }
        Self { head, has_body: *method != Method::GET }
    }
}

/// Its headers have credentials in them.
impl fmt::Debug for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Template").field("head", &self.head).finish_non_exhaustive()
    }
}

/// A request ready to send.
pub struct Request {
    /// The head but for the empty line at its end.
    pub(crate) head: HeaderLines,
    pub(crate) body: Bytes,
}

impl Request {
    /// A request of this form with this body.
    pub fn new(template: &Template, body: Bytes) -> Self {
        let own = OWN_HEADERS + body.len().min(COPIED);
        let mut head = HeaderLines::with_capacity(template.head.as_bytes().len() + own);
        head.extend(&template.head);
        if template.has_body {
            head.put_number(CONTENT_LENGTH.as_str(), body.len() as u64);
        }
        Self { head, body }
    }

    /// Adds a header. It must not be among the template's.
    pub fn header(&mut self, name: &str, value: &[u8]) {
        self.head.put(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_its_template_its_own_headers_and_its_body() {
        let host = HeaderValue::from_static("provider:81");
        let target = PathAndQuery::from_static("/v1/chat?a=b");
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("Bearer secret"));
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        let template = Template::new(&Method::POST, &host, &target, &headers);
        let mut request = Request::new(&template, Bytes::from_static(b"{}"));
        request.header("x-a", b"1");
        assert_eq!(
            std::str::from_utf8(request.head.as_bytes()).unwrap(),
            "POST /v1/chat?a=b HTTP/1.1\r\nhost: provider:81\r\nauthorization: Bearer secret\r\n\
             content-length: 2\r\nx-a: 1\r\n"
        );
        assert!(!format!("{template:?}").contains("secret"));
        headers.insert(HOST, HeaderValue::from_static("elsewhere"));
        let get = Request::new(&Template::new(&Method::GET, &host, &target, &headers), Bytes::new());
        assert_eq!(
            std::str::from_utf8(get.head.as_bytes()).unwrap(),
            "GET /v1/chat?a=b HTTP/1.1\r\nhost: elsewhere\r\nauthorization: Bearer secret\r\n"
        );
    }
}

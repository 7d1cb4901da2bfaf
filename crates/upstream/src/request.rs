//! A request as the bytes it is sent in.

use std::fmt;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::{Origin, OriginError};

/// Room for the headers that only one request has.
const OWN_HEADERS: usize = 256;

/// The part of a request's head that is the same each time: written once, copied for each request.
#[derive(Clone)]
pub struct Template {
    head: Box<[u8]>,
    has_body: bool,
}

impl Template {
    /// A request with `method` for `path` below the origin's base URL, with these headers. The body's length
    /// is written by itself, and so is the host unless a header names another.
    pub fn new(
        method: &Method,
        origin: &Origin,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Self, OriginError> {
        let target = origin.target(path)?;
        let mut head = Vec::with_capacity(512);
        head.extend_from_slice(method.as_str().as_bytes());
        head.push(b' ');
        head.extend_from_slice(target.path_and_query().map_or("/", |target| target.as_str()).as_bytes());
        head.extend_from_slice(b" HTTP/1.1\r\n");
        write(&mut head, &HOST, headers.get(HOST).unwrap_or(origin.host_header()));
        for (name, value) in headers {
            if ![HOST, CONTENT_LENGTH, TRANSFER_ENCODING].contains(name) {
                write(&mut head, name, value);
            }
        }
        Ok(Self { head: head.into_boxed_slice(), has_body: *method != Method::GET })
    }
}

/// Its headers have credentials in them.
impl fmt::Debug for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Template").field("bytes", &self.head.len()).finish_non_exhaustive()
    }
}

/// A request ready to send.
pub struct Request {
    /// The head but for the empty line at its end.
    pub(crate) head: Vec<u8>,
    pub(crate) body: Bytes,
}

impl Request {
    /// A request of this form with this body.
    pub fn new(template: &Template, body: Bytes) -> Self {
        let mut head = Vec::with_capacity(template.head.len() + OWN_HEADERS);
        head.extend_from_slice(&template.head);
        if template.has_body {
            write(&mut head, &CONTENT_LENGTH, &HeaderValue::from(body.len()));
        }
        Self { head, body }
    }

    /// Adds a header. It must not be among the template's.
    pub fn header(&mut self, name: &HeaderName, value: &HeaderValue) {
        write(&mut self.head, name, value);
    }
}

fn write(head: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    head.extend_from_slice(name.as_str().as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value.as_bytes());
    head.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_its_template_its_own_headers_and_its_body() {
        let origin = Origin::parse("http://provider:81/v1").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("Bearer secret"));
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        let template = Template::new(&Method::POST, &origin, "/chat?a=b", &headers).unwrap();
        let mut request = Request::new(&template, Bytes::from_static(b"{}"));
        request.header(&HeaderName::from_static("x-a"), &HeaderValue::from_static("1"));
        assert_eq!(
            String::from_utf8(request.head).unwrap(),
            "POST /v1/chat?a=b HTTP/1.1\r\nhost: provider:81\r\nauthorization: Bearer secret\r\n\
             content-length: 2\r\nx-a: 1\r\n"
        );
        assert!(!format!("{template:?}").contains("secret"));
        headers.insert(HOST, HeaderValue::from_static("elsewhere"));
        let get = Request::new(&Template::new(&Method::GET, &origin, "", &headers).unwrap(), Bytes::new());
        assert_eq!(
            String::from_utf8(get.head).unwrap(),
            "GET /v1 HTTP/1.1\r\nhost: elsewhere\r\nauthorization: Bearer secret\r\n"
        );
    }
}

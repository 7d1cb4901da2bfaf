//! The head of a response.

use std::cell::RefCell;
use std::time::SystemTime;

use http::StatusCode;
use httpdate::HttpDate;

use crate::outgoing::COPIED;
use crate::{Broken, HeaderLines};

/// What the request says of the form of its response.
#[derive(Clone, Copy)]
pub(super) struct Form {
    pub(super) has_body: bool,
    pub(super) is_1_1: bool,
}

/// The head of a response, up to where its body begins.
pub(super) fn head_of(
    status: StatusCode,
    headers: &HeaderLines,
    length: Option<u64>,
    form: Form,
    goes_on: bool,
) -> Vec<u8> {
    let content = length.map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX).min(COPIED));
    let mut line = Vec::with_capacity(headers.as_bytes().len() + 192 + content);
    // Old clients take a version that is not theirs for a mistake.
    line.extend_from_slice(if form.is_1_1 { b"HTTP/1.1 " } else { b"HTTP/1.0 " });
    line.extend_from_slice(status.as_str().as_bytes());
    line.push(b' ');
    line.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    line.extend_from_slice(b"\r\n");
    let mut head = HeaderLines::behind(line);
    head.extend(headers);
    match length {
        Some(length) => head.put_number("content-length", length),
        None if form.is_1_1 => head.put("transfer-encoding", b"chunked"),
        None => {}
    }
    match (goes_on, form.is_1_1) {
        (false, _) => head.put("connection", b"close"),
        (true, false) => head.put("connection", b"keep-alive"),
        (true, true) => {}
    }
    DATE.with_borrow_mut(|date| head.put("date", date.now()));
    head.into_whole()
}

thread_local! {
    static DATE: RefCell<Date> = const { RefCell::new(Date { second: u64::MAX, text: Vec::new() }) };
}

/// The time as headers have it, written once a second.
struct Date {
    second: u64,
    text: Vec<u8>,
}

impl Date {
    #[expect(clippy::disallowed_methods, reason = "for the client to read: nothing here is decided by it")]
    fn now(&mut self) -> &[u8] {
        let now = SystemTime::now();
        let second = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if second != self.second {
            self.second = second;
            self.text = HttpDate::from(now).to_string().into_bytes();
        }
        &self.text
    }
}

/// What a client is told that does not speak HTTP/1.1. None where it has gone.
pub(super) fn refusal(broken: &Broken) -> Option<Vec<u8>> {
    let status = match broken {
        Broken::Io(_) | Broken::Closed => return None,
        Broken::Head(httparse::Error::TooManyHeaders) | Broken::HeadTooLong(_) => {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        }
        Broken::Head(_) | Broken::Framing(_) => StatusCode::BAD_REQUEST,
    };
    let text = format!("the request cannot be read: {broken}\n");
    let mut headers = HeaderLines::default();
    headers.put("content-type", b"text/plain");
    let form = Form { has_body: true, is_1_1: true };
    let mut out = head_of(status, &headers, Some(text.len() as u64), form, false);
    out.extend_from_slice(text.as_bytes());
    Some(out)
}

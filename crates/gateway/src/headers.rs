//! Headers of Stepwell's own, on every reply.

use std::io::Write;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};
use stepwell_telemetry::server_timing;
use stepwell_types::{CallRecord, Stage};
use stepwell_upstream::Headers;

use crate::open_call::OpenCall;
use crate::passing::Passing;
use crate::snapshot::Target;

const CALL_ID: HeaderName = HeaderName::from_static("x-stepwell-call-id");
const PROVIDER: HeaderName = HeaderName::from_static("x-stepwell-provider");
const MODEL: HeaderName = HeaderName::from_static("x-stepwell-model");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-stepwell-attempts");
const CACHE: HeaderName = HeaderName::from_static("x-stepwell-cache");
const COST: HeaderName = HeaderName::from_static("x-stepwell-cost-usd");
const LOSSES: HeaderName = HeaderName::from_static("x-stepwell-losses");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The longest list of losses a header carries, in bytes.
const LOSSES_LIMIT: usize = 2_048;

/// Which call this was, how many attempts it took and where its time went. Formatted on the stack: nothing here
/// allocates but the values themselves.
pub(crate) fn put_call(headers: &mut HeaderMap, open: &OpenCall, through: Stage) {
    let record = &open.record;
    let mut id = [0; 36];
    put(headers, CALL_ID, record.id.encode(&mut id).as_bytes());
    headers.insert(CACHE, HeaderValue::from_static("bypass"));
    headers.insert(ATTEMPTS, HeaderValue::from(record.attempts.len() + usize::from(open.is_attempting())));
    put_losses(headers, &record.losses);
    let mut timing = Vec::with_capacity(160);
    server_timing(&record.stages, through, open.elapsed_us(), &mut timing);
    put(headers, SERVER_TIMING, &timing);
}

/// Who answered.
pub(crate) fn put_target(headers: &mut HeaderMap, target: &Target) {
    headers.insert(PROVIDER, target.provider.name_header.clone());
    headers.insert(MODEL, target.model_header.clone());
}

/// What it cost, where that is known.
pub(crate) fn put_cost(headers: &mut HeaderMap, record: &CallRecord) {
    if let Some(cost) = record.cost() {
        let mut text = [0_u8; 24];
        let mut rest = &mut text[..];
        // An `i64` of nano-dollars has at most 21 characters.
        if write!(rest, "{cost}").is_ok() {
            let left = rest.len();
            put(headers, COST, &text[..text.len() - left]);
        }
    }
}

/// When to come back, in whole seconds, rounded up.
pub(crate) fn put_retry_after(headers: &mut HeaderMap, after: Duration) {
    let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
}

/// The provider's headers that its kind lets through.
pub(crate) fn pass_back(from: &Headers, passing: &Passing, into: &mut HeaderMap) {
    passing.each(from, |name, value| {
        if let Ok(value) = HeaderValue::from_maybe_shared(from.share(value)) {
            into.append(name, value);
        }
    });
}

fn put_losses(headers: &mut HeaderMap, losses: &[String]) {
    if losses.is_empty() {
        return;
    }
    let mut text = String::new();
    for loss in losses {
        if text.len() + loss.len() > LOSSES_LIMIT {
            text.push_str(", …");
            break;
        }
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(loss);
    }
    let printable: String =
        text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
    put(headers, LOSSES, printable.as_bytes());
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(value) {
        headers.insert(name, value);
    }
}

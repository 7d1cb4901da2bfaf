//! Headers of Stepwell's own, on every reply.

use std::io::Write;
use std::time::Duration;

use stepwell_http1::HeaderLines;
use stepwell_telemetry::server_timing;
use stepwell_types::{CallRecord, Stage};

use crate::open_call::OpenCall;
use crate::snapshot::Target;

const CALL_ID: &str = "x-stepwell-call-id";
const PROVIDER: &str = "x-stepwell-provider";
const MODEL: &str = "x-stepwell-model";
const ATTEMPTS: &str = "x-stepwell-attempts";
const CACHE: &str = "x-stepwell-cache";
const COST: &str = "x-stepwell-cost-usd";
/// When to come back, in seconds.
pub(crate) const RETRY_AFTER: &str = "retry-after";
const LOSSES: &str = "x-stepwell-losses";
const SERVER_TIMING: &str = "server-timing";

/// The longest list of losses a header carries, in bytes.
const LOSSES_LIMIT: usize = 2_048;

/// Which call this was, how many attempts it took and where its time went. Formatted on the stack: nothing here
/// allocates but the values themselves.
pub(crate) fn put_call(headers: &mut HeaderLines, open: &OpenCall, through: Stage) {
    let record = &open.record;
    let mut id = [0; 36];
    headers.put(CALL_ID, record.id.encode(&mut id).as_bytes());
    headers.put(CACHE, b"bypass");
    headers.put_number(ATTEMPTS, (record.attempts.len() + usize::from(open.is_attempting())) as u64);
    put_losses(headers, &record.losses);
    headers.put_with(SERVER_TIMING, |value| {
        server_timing(&record.stages, through, open.elapsed_us(), value);
    });
}

/// Who answered.
pub(crate) fn put_target(headers: &mut HeaderLines, target: &Target) {
    headers.put(PROVIDER, target.name.provider.as_bytes());
    headers.put(MODEL, target.name.model.as_bytes());
}

/// What it cost, where that is known.
pub(crate) fn put_cost(headers: &mut HeaderLines, record: &CallRecord) {
    if let Some(cost) = record.cost() {
        let mut text = [0_u8; 24];
        let mut rest = &mut text[..];
        // An `i64` of nano-dollars has at most 21 characters.
        if write!(rest, "{cost}").is_ok() {
            let left = rest.len();
            headers.put(COST, &text[..text.len() - left]);
        }
    }
}

/// When to come back, in whole seconds, rounded up.
pub(crate) fn put_retry_after(headers: &mut HeaderLines, after: Duration) {
    let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    headers.put_number(RETRY_AFTER, seconds);
}

fn put_losses(headers: &mut HeaderLines, losses: &[String]) {
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
    headers.put(LOSSES, printable.as_bytes());
}

//! The standard `server-timing` header: where a call's time went, for a browser's or an SDK's own tools.
//!
//! Called once per reply: it appends to the caller's buffer and allocates nothing else.

use stepwell_types::{Stage, StageTimes};

/// Appends `decode;dur=0.012, …, attempt;dur=123.456, total;dur=123.500` to `out`: each stage up to and including
/// `through`, then the total. Durations are in milliseconds (W3C Server Timing); `total_us` is in microseconds.
///
/// A header is sent before the last stages end, so the caller says how far the call has come.
pub fn server_timing(times: &StageTimes, through: Stage, total_us: u64, out: &mut Vec<u8>) {
    for stage in Stage::ALL.iter().filter(|stage| **stage <= through) {
        push_entry(stage.as_str(), u64::from(times.get(*stage)), out);
        out.extend_from_slice(b", ");
    }
    push_entry("total", total_us, out);
}

fn push_entry(name: &str, micros: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b";dur=");
    push_decimal(micros / 1_000, out);
    let fraction = micros % 1_000;
    out.extend_from_slice(&[b'.', digit(fraction / 100), digit(fraction / 10), digit(fraction)]);
}

/// The last digit of `number`.
fn digit(number: u64) -> u8 {
    b'0' + u8::try_from(number % 10).unwrap_or_default()
}

/// Appends `number` in decimal.
fn push_decimal(number: u64, out: &mut Vec<u8>) {
    if number < 10 {
        return out.push(digit(number));
    }
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    while rest > 0 && at > 0 {
        at -= 1;
        digits[at] = digit(rest);
        rest /= 10;
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_so_far_and_the_total_are_named_in_milliseconds() {
        let mut times = StageTimes::default();
        times.add(Stage::Decode, 12);
        times.add(Stage::Plan, 3_000);
        times.add(Stage::Attempt, 123_456);
        let mut out = b"x: ".to_vec();
        server_timing(&times, Stage::Attempt, 123_500, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "x: decode;dur=0.012, identify;dur=0.000, admit;dur=0.000, plan;dur=3.000, attempt;dur=123.456, \
             total;dur=123.500"
        );
    }

    #[test]
    fn the_longest_duration_is_written_in_full() {
        let mut out = Vec::new();
        push_decimal(u64::MAX, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), u64::MAX.to_string());
    }
}

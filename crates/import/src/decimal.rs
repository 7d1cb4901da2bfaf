//! Numbers read from their digits, without a float on the way.

use std::time::Duration;

use stepwell_catalog::Rate;

/// The highest price that the config takes, in dollars per million tokens.
const HIGHEST: &str = "1000000";

/// The digits of a number, and how many of them stand behind its point.
struct Digits {
    digits: String,
    places: i64,
}

/// `12`, `0.25`, `4.2e-07`; nothing negative.
fn digits(text: &str) -> Option<Digits> {
    let text = text.trim().trim_start_matches('+');
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || whole.len() + fraction.len() == 0 || text.len() > 64 {
        return None;
    }
    let places = i64::try_from(fraction.len()).ok()? - i64::from(exponent);
    Some(Digits { digits: format!("{whole}{fraction}"), places })
}

/// The number with its point `shift` places further right, as a plain decimal.
fn shifted(text: &str, shift: i64) -> Option<String> {
    let Digits { digits, places } = digits(text)?;
    let places = places - shift;
    if !(-40..=40).contains(&places) {
        return None;
    }
    if places <= 0 {
        let zeros = usize::try_from(-places).ok()?;
        return Some(format!("{digits}{}", "0".repeat(zeros)));
    }
    let places = usize::try_from(places).ok()?;
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    Some(format!("{whole}.{fraction}"))
}

/// A price per token as a price per million tokens, if the config can hold it.
pub(crate) fn per_million(per_token: &str) -> Option<Rate> {
    let text = shifted(per_token, 6)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
    let fraction = fraction.trim_end_matches('0');
    let fraction = if fraction.is_empty() { "0" } else { fraction };
    let rate: Rate = format!("{whole}.{fraction}").parse().ok()?;
    (rate <= HIGHEST.parse().ok()?).then_some(rate)
}

/// A number as a duration of at least a millisecond, with its point `shift` places further right in milliseconds. What is
/// less than a millisecond is cut off.
fn millis(text: &str, shift: i64) -> Option<Duration> {
    let text = shifted(text, shift)?;
    let whole = text.split('.').next().unwrap_or_default();
    let millis = whole.parse::<u64>().ok()?;
    (millis > 0).then(|| Duration::from_millis(millis))
}

/// Seconds, with a fraction or without, as a duration of at least a millisecond.
pub(crate) fn seconds(text: &str) -> Option<Duration> {
    millis(text, 3)
}

/// Milliseconds as a duration of at least one.
pub(crate) fn milliseconds(text: &str) -> Option<Duration> {
    millis(text, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_per_token_become_prices_per_million_to_the_last_digit() {
        for (per_token, per_million_tokens) in [
            ("0.00000015", "0.15"),
            ("1.5e-07", "0.15"),
            ("4.2E-7", "0.42"),
            ("0.000421", "421.00"),
            ("0", "0.00"),
            ("0.0", "0.00"),
            ("3e-6", "3.00"),
            ("1", "1000000.00"),
            ("0.000000000000000123", "0.000000000123"),
        ] {
            assert_eq!(
                per_million(per_token).map(|rate| rate.to_string()).as_deref(),
                Some(per_million_tokens)
            );
        }
        for wrong in ["", ".", "-1", "1e9", "abc", "0x1", "1e-999", "nan", "1e99999999999", "1.000001"] {
            assert_eq!(per_million(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_are_whole_milliseconds() {
        assert_eq!(seconds("30"), Some(Duration::from_secs(30)));
        assert_eq!(seconds("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(milliseconds("10000"), Some(Duration::from_secs(10)));
        assert_eq!(seconds("0"), None);
        assert_eq!(seconds("0.0001"), None);
        assert_eq!(seconds("1e30"), None);
    }
}

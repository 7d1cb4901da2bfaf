//! Times as people write them in a query or on a command line.

use std::time::Duration;

use stepwell_types::Timestamp;

/// Reads an instant: RFC 3339 (`2026-11-21T08:00:00Z`), `now`, or how long ago (`90s`, `15m`, `24h`, `7d`, `4w`).
///
/// # Errors
/// What would have been understood.
pub fn parse_time(text: &str, now: Timestamp) -> Result<Timestamp, &'static str> {
    const WANTED: &str = "a time is RFC 3339 (2026-11-21T08:00:00Z), now, or how long ago: 15m, 24h, 7d";
    if text == "now" {
        return Ok(now);
    }
    if let Some(ago) = duration(text) {
        return Ok(now.minus(ago));
    }
    let instant: jiff::Timestamp = text.parse().map_err(|_| WANTED)?;
    Ok(Timestamp::from_micros(instant.as_microsecond()))
}

fn duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds_each = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    let digits = text.strip_suffix(unit)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    count.checked_mul(seconds_each).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_795_219_200_000_000);

    fn seconds_ago(text: &str) -> i64 {
        NOW.as_seconds() - parse_time(text, NOW).unwrap().as_seconds()
    }

    #[test]
    fn durations_count_back_from_now() {
        assert_eq!(seconds_ago("now"), 0);
        assert_eq!(seconds_ago("90s"), 90);
        assert_eq!(seconds_ago("15m"), 900);
        assert_eq!(seconds_ago("24h"), 86_400);
        assert_eq!(seconds_ago("7d"), 604_800);
        assert_eq!(seconds_ago("2w"), 1_209_600);
    }

    #[test]
    fn instants_are_rfc_3339_with_any_offset() {
        let utc = parse_time("2026-11-21T08:00:00Z", NOW).unwrap();
        assert_eq!(utc.to_rfc3339(), "2026-11-21T08:00:00.000000Z");
        assert_eq!(parse_time("2026-11-21T10:00:00+02:00", NOW).unwrap(), utc);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "d", "7", "-7d", "7y", "yesterday", "2026-11-21", "99999999999999999999d", "٣d"] {
            assert!(parse_time(text, NOW).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_duration_longer_than_time_saturates() {
        assert!(parse_time("30000000000000w", NOW).is_ok());
    }
}

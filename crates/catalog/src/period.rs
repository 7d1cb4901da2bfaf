//! When a list of rates holds: always, from a day on, or in a window of every day. All in UTC.

use stepwell_types::Timestamp;

use crate::error::Error;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// The condition under which rates hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum When {
    Always,
    /// From this time on.
    From(Timestamp),
    /// From the first to before the second, in microseconds of the day; over midnight where the second is earlier.
    Daily(i64, i64),
}

impl When {
    /// Whether it holds at a time.
    pub(crate) fn holds(self, at: Timestamp) -> bool {
        match self {
            Self::Always => true,
            Self::From(start) => at >= start,
            Self::Daily(start, end) => {
                let now = at.as_micros().rem_euclid(MICROS_PER_DAY);
                if end < start { now >= start || now < end } else { now >= start && now < end }
            }
        }
    }

    /// Reads `YYYY-MM-DD`: from its midnight on.
    pub(crate) fn from_date(text: &str) -> Result<Self, Error> {
        let days = days_of(text).ok_or_else(|| Error::Constraint(text.to_owned()))?;
        Ok(Self::From(Timestamp::from_micros(days * MICROS_PER_DAY)))
    }

    /// Reads two times of day, each `HH:MM:SS` and `Z` or an offset.
    pub(crate) fn from_times(start: &str, end: &str) -> Result<Self, Error> {
        Ok(Self::Daily(time_of_day(start)?, time_of_day(end)?))
    }
}

/// Reads `YYYY-MM-DD` into days since the epoch.
pub(crate) fn days_of(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '-');
    let mut part = |length: usize| parts.next().filter(|part| part.len() == length).and_then(digits);
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    is_date(year, month, day).then(|| days_from_civil(year, month, day))
}

/// Reads `HH:MM:SS` and `Z`, `+HH:MM` or `-HH:MM` into microseconds of the day in UTC.
fn time_of_day(text: &str) -> Result<i64, Error> {
    let invalid = || Error::Constraint(text.to_owned());
    let (clock, zone) = text.split_at_checked(8).ok_or_else(invalid)?;
    let mut parts = clock.splitn(3, ':');
    let mut part = |limit: i64| {
        parts.next().filter(|part| part.len() == 2).and_then(digits).filter(|part| *part < limit)
    };
    let seconds =
        part(24).zip(part(60)).zip(part(60)).map(|((h, m), s)| h * 3_600 + m * 60 + s).ok_or_else(invalid)?;
    let offset = if zone == "Z" { Some(0) } else { zone_offset(zone) };
    Ok((seconds - offset.ok_or_else(invalid)?).rem_euclid(86_400) * MICROS_PER_SECOND)
}

/// Reads `+HH:MM` or `-HH:MM` into seconds east of UTC.
fn zone_offset(zone: &str) -> Option<i64> {
    let (sign, clock) = match zone.strip_prefix('-') {
        Some(clock) => (-1, clock),
        None => (1, zone.strip_prefix('+')?),
    };
    let (hours, minutes) = clock.split_once(':')?;
    let part = |text: &str, limit: i64| {
        (text.len() == 2).then(|| digits(text)).flatten().filter(|part| *part < limit)
    };
    Some(sign * (part(hours, 24)? * 3_600 + part(minutes, 60)? * 60))
}

/// Whether this is a day of the Gregorian calendar.
pub(crate) fn is_date(year: i64, month: i64, day: i64) -> bool {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    year >= 1 && (1..=days).contains(&day)
}

/// A number of plain digits.
pub(crate) fn digits(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Year, month and day to days since the epoch. Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Days since the epoch to year, month and day. Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `civil_from_days`.
pub(crate) fn date_of(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * MICROS_PER_SECOND)
    }

    #[test]
    fn a_date_holds_from_its_midnight() {
        let day = When::from_date("2026-01-01").unwrap();
        assert_eq!(day, When::From(at(1_767_225_600)));
        assert!(!day.holds(at(1_767_225_599)));
        assert!(day.holds(at(1_767_225_600)));
        assert_eq!(When::from_date("2024-02-29").unwrap(), When::From(at(1_709_164_800)));
    }

    #[test]
    fn a_window_holds_from_its_start_to_before_its_end() {
        let window = When::from_times("01:00:00Z", "04:00:00Z").unwrap();
        assert!(!window.holds(at(3_599)));
        assert!(window.holds(at(3_600)));
        assert!(window.holds(Timestamp::from_micros(14_400 * MICROS_PER_SECOND - 1)));
        assert!(!window.holds(at(14_400)));
        assert!(window.holds(at(-86_400 + 3_600)), "before the epoch too");
    }

    #[test]
    fn a_window_over_midnight_and_offsets_are_read() {
        let window = When::from_times("23:00:00-01:00", "00:30:00-01:00").unwrap();
        assert_eq!(window, When::from_times("00:00:00Z", "01:30:00Z").unwrap());
        let night = When::from_times("16:30:00Z", "00:30:00Z").unwrap();
        assert!(night.holds(at(0)));
        assert!(night.holds(at(86_399)));
        assert!(!night.holds(at(1_800)));
    }

    #[test]
    fn what_is_no_date_or_time_is_refused() {
        for text in ["", "2025-02-29", "2026-13-01", "2026-1-01", "0000-01-01", "2026-01-0x", "+026-01-01"] {
            assert!(When::from_date(text).is_err(), "{text:?}");
        }
        for text in ["", "24:00:00Z", "12:00:00", "12:60:00Z", "12:00:00+0100", "1:00:00Z", "12:00:00+24:00"]
        {
            assert!(When::from_times(text, "00:00:00Z").is_err(), "{text:?}");
        }
    }
}

//! Texts with a unit: durations and sizes, read exactly and without floating point.

use std::time::Duration;

/// Units of time, in milliseconds.
const TIME: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// Units of size, in bytes.
const SIZE: &[(&str, u64)] = &[
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// A duration: `500ms`, `30s`, `2m`, `1h`, or several in a row as in `1m30s`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() || text.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (count, tail) = rest.split_at(digits);
        let unit = tail.find(|letter: char| letter.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let scale = TIME.iter().find(|(name, _)| *name == unit)?.1;
        total = total.checked_add(count.parse::<u64>().ok()?.checked_mul(scale)?)?;
        rest = tail;
    }
    Some(Duration::from_millis(total))
}

/// A size: `32MB` (millions), `32MiB` (2²⁰), `100B`, spaces allowed before the unit.
pub(crate) fn size(text: &str) -> Option<u64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (count, unit) = text.split_at(digits);
    let scale = SIZE.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim_start()))?.1;
    count.parse::<u64>().ok()?.checked_mul(scale)
}

/// A duration as one would write it: the largest unit that keeps it whole.
pub(crate) fn write_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let (name, scale) = TIME
        .iter()
        .rev()
        .find(|(_, scale)| millis >= u128::from(*scale) && millis.is_multiple_of(u128::from(*scale)))
        .unwrap_or(&("ms", 1));
    format!("{}{name}", millis / u128::from(*scale))
}

/// A size as one would write it: the largest unit that keeps it whole.
pub(crate) fn write_size(bytes: u64) -> String {
    let fits = |scale: u64| bytes >= scale && bytes.is_multiple_of(scale);
    let (name, scale) =
        SIZE.iter().filter(|(_, scale)| fits(*scale)).max_by_key(|(_, scale)| *scale).unwrap_or(&("B", 1));
    format!("{}{name}", bytes / scale)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_need_a_unit_and_may_be_several() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(duration("2h"), Some(Duration::from_hours(2)));
        for text in [
            "",
            "30",
            "s",
            "1.5s",
            "-1s",
            "1 s",
            "1d",
            "1s2",
            "99999999999999999999s",
            "18446744073709551615h",
            "１s",
        ] {
            assert_eq!(duration(text), None, "{text:?}");
        }
    }

    #[test]
    fn sizes_tell_millions_from_powers_of_two() {
        assert_eq!(size("32MB"), Some(32_000_000));
        assert_eq!(size("32 MiB"), Some(33_554_432));
        assert_eq!(size("1kb"), Some(1_000));
        for text in ["", "32", "MB", "1.5MB", "-1MB", "1XB", "99999999999999TB"] {
            assert_eq!(size(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(number in any::<u64>()) {
            prop_assert_eq!(size(&write_size(number)), Some(number));
            let time = Duration::from_millis(number);
            prop_assert_eq!(duration(&write_duration(time)), Some(time));
        }
    }
}

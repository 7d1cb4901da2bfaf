//! Money in integer nano-USD. No floating point, here or in any sum made of these.

use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount in billionths of a US dollar.
///
/// The `i64` holds ± 9.2 billion dollars; sums saturate there instead of wrapping. In JSON it is a decimal string
/// in dollars with nine places.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct NanoUsd(i64);

/// Text that is not an amount in dollars.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not an amount in dollars with at most nine decimal places")]
pub struct MoneyParseError;

impl NanoUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The amount of `nanos` billionths of a dollar.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Billionths of a dollar.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// The sum, saturating at the bounds of `i64`.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, saturating at the bounds of `i64`.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::plus)
    }
}

impl fmt::Display for NanoUsd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        write!(formatter, "{sign}{}.{:09}", magnitude / 1_000_000_000, magnitude % 1_000_000_000)
    }
}

impl FromStr for NanoUsd {
    type Err = MoneyParseError;

    /// Reads a decimal in dollars: `25`, `0.012345678`, `-1.5`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty())
            || fraction.len() > 9
            || !all_digits(whole)
            || !all_digits(fraction)
        {
            return Err(MoneyParseError);
        }
        let dollars: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| MoneyParseError)? };
        let nanos: i64 = format!("{fraction:0<9}").parse().map_err(|_| MoneyParseError)?;
        let magnitude = dollars
            .checked_mul(1_000_000_000)
            .and_then(|whole_nanos| whole_nanos.checked_add(nanos))
            .ok_or(MoneyParseError)?;
        Ok(Self(if negative { -magnitude } else { magnitude }))
    }
}

impl Serialize for NanoUsd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NanoUsd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_print_with_nine_places() {
        assert_eq!(NanoUsd::from_nanos(12_345_678).to_string(), "0.012345678");
        assert_eq!(NanoUsd::from_nanos(-1).to_string(), "-0.000000001");
        assert_eq!(NanoUsd::from_nanos(25_000_000_000).to_string(), "25.000000000");
    }

    #[test]
    fn amounts_beyond_nine_places_or_not_decimal_are_refused() {
        for text in ["", ".", "-", "1e3", "0.0000000001", "1,5", "$1", "9999999999999"] {
            assert!(text.parse::<NanoUsd>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_amount_reads_back_as_printed(nanos in (i64::MIN + 1)..i64::MAX) {
            let amount = NanoUsd::from_nanos(nanos);
            prop_assert_eq!(amount.to_string().parse::<NanoUsd>(), Ok(amount));
        }
    }
}

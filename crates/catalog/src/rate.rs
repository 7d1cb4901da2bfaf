//! A price per million units, exact to the last decimal it was written with.
//!
//! It never passes through a float: the digits of the text are the digits of the integer.

use std::fmt;
use std::str::FromStr;

use stepwell_types::NanoUsd;

/// Decimal places a rate can hold. The data's longest text has 18.
const PLACES: usize = 18;

/// A dollar per million.
const ONE: u128 = 1_000_000_000_000_000_000;

/// What a product of a rate and a count is divided by to give nano-USD: `10^-18` dollars per million to `10^-9`.
const TO_NANOS: u128 = 1_000_000_000_000_000;

/// Dollars per million units, held in `10^-18` dollars.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Rate(u128);

/// Text that is not a rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a price: write dollars per million as a decimal, not negative, with at most 18 places")]
pub struct RateParseError;

impl Rate {
    /// Nothing is charged. Different from no rate at all, which means that the price is not known.
    pub const ZERO: Self = Self(0);

    /// The rate `factor` times as high, saturating.
    #[must_use]
    pub(crate) const fn scaled(self, factor: u128) -> Self {
        Self(self.0.saturating_mul(factor))
    }

    /// The sum of two rates, saturating.
    #[must_use]
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// How much higher or lower another rate is than this, in tenths of a percent, rounded half away from zero and
    /// saturating; none from a rate of zero.
    pub fn change_to(self, other: Self) -> Option<i64> {
        let difference = self.0.abs_diff(other.0);
        let tenths = (difference.saturating_mul(1_000).saturating_add(self.0 / 2)).checked_div(self.0)?;
        let tenths = i64::try_from(tenths).unwrap_or(i64::MAX);
        Some(if other < self { -tenths } else { tenths })
    }

    /// What `count` units cost, rounded half up to the nano-dollar and saturating.
    pub(crate) fn of(self, count: u64) -> NanoUsd {
        nanos(self.0.saturating_mul(u128::from(count)).saturating_add(TO_NANOS / 2) / TO_NANOS)
    }

    /// What `count` units cost, rounded up to the nano-dollar and saturating.
    pub(crate) fn of_at_most(self, count: u64) -> NanoUsd {
        nanos(self.0.saturating_mul(u128::from(count)).div_ceil(TO_NANOS))
    }
}

fn nanos(amount: u128) -> NanoUsd {
    NanoUsd::from_nanos(i64::try_from(amount).unwrap_or(i64::MAX))
}

impl fmt::Display for Rate {
    /// Dollars per million, with the places it needs and at least two: `3.00`, `0.15`, `0.0416666666666667`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = format!("{:0PLACES$}", self.0 % ONE);
        let needed = places.trim_end_matches('0').len().max(2);
        write!(formatter, "{}.{}", self.0 / ONE, places.get(..needed).unwrap_or_default())
    }
}

impl FromStr for Rate {
    type Err = RateParseError;

    /// Reads dollars per million: `3`, `0.15`, `0.0416666666666667`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > PLACES {
            return Err(RateParseError);
        }
        let dollars: u128 = whole.parse().map_err(|_| RateParseError)?;
        let rest: u128 = format!("{fraction:0<PLACES$}").parse().map_err(|_| RateParseError)?;
        let attos = dollars.checked_mul(ONE).and_then(|attos| attos.checked_add(rest));
        attos.map(Self).ok_or(RateParseError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rate {
        text.parse().unwrap()
    }

    #[test]
    fn every_decimal_of_the_text_is_kept() {
        assert_eq!(rate("0.0416666666666667").0, 41_666_666_666_666_700);
        assert_eq!(rate("600").0, 600_000_000_000_000_000_000);
        assert_eq!(rate("0.000000000000000001").0, 1);
    }

    #[test]
    fn a_rate_is_shown_as_it_was_written_with_cents_at_least() {
        for (written, shown) in [
            ("0.0416666666666667", "0.0416666666666667"),
            ("600", "600.00"),
            ("2.5", "2.50"),
            ("0", "0.00"),
            ("0.000000000000000001", "0.000000000000000001"),
        ] {
            assert_eq!(rate(written).to_string(), shown);
        }
    }

    #[test]
    fn what_is_not_a_decimal_price_is_refused() {
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", "0.0000000000000000001", " 1", "NaN"] {
            assert_eq!(text.parse::<Rate>(), Err(RateParseError), "{text:?}");
        }
    }

    #[test]
    fn a_change_is_told_in_tenths_of_a_percent() {
        let change = |old, new| rate(old).change_to(rate(new));
        assert_eq!(change("2", "3"), Some(500));
        assert_eq!(change("3", "2"), Some(-333));
        assert_eq!(change("3", "0"), Some(-1_000));
        assert_eq!(change("0.15", "0.15"), Some(0));
        assert_eq!(change("0", "1"), None);
        assert_eq!(change("0.000000000000000001", "1000000"), Some(i64::MAX));
    }

    #[test]
    fn half_a_nano_dollar_rounds_up_and_less_does_not() {
        // $0.0005 per million is half a nano-dollar per token.
        assert_eq!(rate("0.0005").of(1).as_nanos(), 1);
        assert_eq!(rate("0.000499999999999999").of(1).as_nanos(), 0);
        assert_eq!(rate("0.000499999999999999").of_at_most(1).as_nanos(), 1);
        assert_eq!(rate("2.50").of(1_000_000).as_nanos(), 2_500_000_000);
    }

    #[test]
    fn a_cost_beyond_nine_billion_dollars_saturates() {
        assert_eq!(rate("600").of(u64::MAX).as_nanos(), i64::MAX);
        assert_eq!(rate("600").of_at_most(u64::MAX).as_nanos(), i64::MAX);
    }
}

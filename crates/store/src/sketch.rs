//! A mergeable sketch of times: an HDR histogram with two significant digits, so every quantile is within 1%.
//!
//! Stored in the V2 form of `HdrHistogram`, uncompressed, which its implementations in other languages read as well.
//! A time is in microseconds and is kept up to a day.

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};

use crate::{Error, Percentiles};

/// The longest time that is told apart from a longer one.
const MAX_US: u64 = 86_400_000_000;
const DIGITS: u8 = 2;

/// Times of which quantiles can be asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sketch(Option<Histogram<u64>>);

impl Sketch {
    /// Adds times.
    pub(crate) fn record(&mut self, micros: &[u64]) -> Result<(), Error> {
        if micros.is_empty() {
            return Ok(());
        }
        let histogram = self.histogram()?;
        micros.iter().try_for_each(|micros| histogram.record((*micros).min(MAX_US))).map_err(unusable)
    }

    /// Adds all times of another.
    pub(crate) fn merge(&mut self, other: &Self) -> Result<(), Error> {
        match &other.0 {
            Some(other) => self.histogram()?.add(other).map_err(unusable),
            None => Ok(()),
        }
    }

    /// The stored form; none when nothing was recorded.
    pub(crate) fn encode(&self) -> Result<Option<Vec<u8>>, Error> {
        let Some(histogram) = &self.0 else { return Ok(None) };
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(histogram, &mut bytes).map_err(unusable)?;
        Ok(Some(bytes))
    }

    /// Reads the stored form.
    pub(crate) fn decode(bytes: Option<&[u8]>) -> Result<Self, Error> {
        let Some(mut bytes) = bytes else { return Ok(Self(None)) };
        let mut histogram = Deserializer::new().deserialize(&mut bytes).map_err(unusable)?;
        Histogram::auto(&mut histogram, true);
        Ok(Self(Some(histogram)))
    }

    /// The quantiles; none when nothing was recorded.
    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        let histogram = self.0.as_ref().filter(|histogram| !histogram.is_empty())?;
        Some(Percentiles {
            count: histogram.len(),
            p50_us: histogram.value_at_quantile(0.5),
            p90_us: histogram.value_at_quantile(0.9),
            p99_us: histogram.value_at_quantile(0.99),
        })
    }

    fn histogram(&mut self) -> Result<&mut Histogram<u64>, Error> {
        if self.0.is_none() {
            self.0 = Some(Histogram::new(DIGITS).map_err(unusable)?);
        }
        self.0.as_mut().ok_or_else(|| Error::Unreadable("a sketch".to_owned()))
    }
}

fn unusable(error: impl std::fmt::Display) -> Error {
    Error::Unreadable(format!("a latency sketch: {error}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The nearest-rank quantile of sorted values.
    fn exact(sorted: &[u64], percent: usize) -> u64 {
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted[rank - 1]
    }

    fn within_one_percent(found: u64, exact: u64) -> bool {
        found.abs_diff(exact) * 100 <= exact
    }

    proptest! {
        #[test]
        fn quantiles_of_merged_and_stored_sketches_are_within_one_percent(
            parts in prop::collection::vec(prop::collection::vec(1_u64..600_000_000, 1..200), 1..5)
        ) {
            let mut merged = Sketch::default();
            let mut all = Vec::new();
            for part in parts {
                let mut sketch = Sketch::default();
                sketch.record(&part).unwrap();
                all.extend(part);
                let stored = sketch.encode().unwrap();
                merged.merge(&Sketch::decode(stored.as_deref()).unwrap()).unwrap();
            }
            all.sort_unstable();
            let found = merged.percentiles().unwrap();
            prop_assert_eq!(found.count, all.len() as u64);
            prop_assert!(within_one_percent(found.p50_us, exact(&all, 50)));
            prop_assert!(within_one_percent(found.p90_us, exact(&all, 90)));
            prop_assert!(within_one_percent(found.p99_us, exact(&all, 99)));
        }
    }

    #[test]
    fn an_empty_sketch_has_no_percentiles_and_no_stored_form() {
        assert_eq!(Sketch::default().percentiles(), None);
        assert_eq!(Sketch::default().encode().unwrap(), None);
        assert_eq!(Sketch::decode(None).unwrap().percentiles(), None);
    }

    #[test]
    fn a_time_longer_than_a_day_counts_as_a_day() {
        let mut sketch = Sketch::default();
        sketch.record(&[u64::MAX]).unwrap();
        assert!(within_one_percent(sketch.percentiles().unwrap().p99_us, MAX_US));
    }
}

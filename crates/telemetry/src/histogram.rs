//! A histogram with fixed integer bounds.
//!
//! Plain integers, no atomics and no floats: each lives inside a shard that one lock guards. Seconds are held in
//! microseconds, so sums are exact.

/// OpenTelemetry's bounds for GenAI operation durations, in microseconds.
pub(crate) const GEN_AI_SECONDS: &[u64] = &[
    10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 640_000, 1_280_000, 2_560_000, 5_120_000, 10_240_000,
    20_480_000, 40_960_000, 81_920_000,
];

/// OpenTelemetry's bounds for the time to the first token, in microseconds.
pub(crate) const FIRST_TOKEN_SECONDS: &[u64] = &[
    1_000, 5_000, 10_000, 20_000, 40_000, 60_000, 80_000, 100_000, 250_000, 500_000, 750_000, 1_000_000,
    2_500_000, 5_000_000, 7_500_000, 10_000_000,
];

/// OpenTelemetry's bounds for the time per output token, in microseconds.
pub(crate) const PER_TOKEN_SECONDS: &[u64] = &[
    10_000, 25_000, 50_000, 75_000, 100_000, 150_000, 200_000, 300_000, 400_000, 500_000, 750_000, 1_000_000,
    2_500_000,
];

/// OpenTelemetry's bounds for token counts.
pub(crate) const TOKENS: &[u64] =
    &[1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864];

/// Bounds for what Stepwell itself adds, in microseconds.
pub(crate) const OVERHEAD_SECONDS: &[u64] = &[
    25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
    10_000_000,
];

/// Bounds for a stage, from a short look-up to a long stream, in microseconds.
pub(crate) const STAGE_SECONDS: &[u64] =
    &[5, 10, 25, 50, 100, 250, 1_000, 5_000, 25_000, 100_000, 500_000, 2_500_000, 10_000_000, 60_000_000];

/// Counts of observations by upper bound, and their sum.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    bounds: &'static [u64],
    /// One per bound, and one for what is above the last.
    counts: Box<[u64]>,
    sum: u64,
}

impl Histogram {
    pub(crate) fn new(bounds: &'static [u64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1].into_boxed_slice(), sum: 0 }
    }

    /// Counts `value` in the first bucket whose bound is not below it.
    pub(crate) fn observe(&mut self, value: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum = self.sum.saturating_add(value);
    }

    /// Adds the observations of another with the same bounds.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// Each bound with how many observations are at or below it.
    pub(crate) fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> {
        self.bounds.iter().zip(&self.counts).scan(0, |total, (bound, count)| {
            *total += count;
            Some((*bound, *total))
        })
    }

    /// How many observations there are.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of the observations.
    pub(crate) fn sum(&self) -> u64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_belongs_to_that_bound() {
        let mut histogram = Histogram::new(&[10, 20]);
        for value in [0, 10, 11, 20, 21] {
            histogram.observe(value);
        }
        assert_eq!(histogram.cumulative().collect::<Vec<_>>(), [(10, 2), (20, 4)]);
        assert_eq!(histogram.count(), 5);
        assert_eq!(histogram.sum(), 62);
    }

    #[test]
    fn merging_adds_bucket_by_bucket() {
        let mut left = Histogram::new(&[10, 20]);
        left.observe(5);
        let mut right = Histogram::new(&[10, 20]);
        right.observe(15);
        right.observe(99);
        left.merge(&right);
        assert_eq!(left.cumulative().collect::<Vec<_>>(), [(10, 1), (20, 2)]);
        assert_eq!((left.count(), left.sum()), (3, 119));
    }
}

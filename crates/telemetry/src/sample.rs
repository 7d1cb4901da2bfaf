//! Figures that other parts keep themselves and that are pulled when the page is read.
//!
//! The journal and the shipper count for themselves; a source copies their figures into a [`Sample`], so this crate
//! need not know their types and they need not know metrics.

use std::collections::BTreeMap;

use crate::{Kind, Metric};

/// The figures pulled for one reading of the page.
#[derive(Debug, Default)]
pub struct Sample {
    values: BTreeMap<Metric, u64>,
}

impl Sample {
    /// Sets a counter or gauge that has no labels, in its unit (seconds: in microseconds). The last setting counts. A
    /// metric with labels or buckets is not sampled: setting one does nothing.
    pub fn set(&mut self, metric: Metric, value: u64) {
        let spec = metric.spec();
        if spec.labels.is_empty() && spec.kind != Kind::Histogram {
            self.values.insert(metric, value);
        }
    }

    pub(crate) fn get(&self, metric: Metric) -> Option<u64> {
        self.values.get(&metric).copied()
    }
}

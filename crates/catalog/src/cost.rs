//! What a metered attempt cost: a line item for each kind of unit, rounded once, and their sum.

use stepwell_types::{CostStatus, NanoUsd, Timestamp, Usage};

use crate::line::Line;
use crate::model::ModelPrice;
use crate::split::split;

/// The cost of one usage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// The sum of the lines; none where a metered unit has no price. Never zero for want of a price.
    pub total: Option<NanoUsd>,
    /// How far the total can be trusted: exact; estimated where usage does not tell apart units of different price and
    /// the dearest reading was taken; inconsistent where its parts exceed their wholes; unpriced where there is no
    /// total.
    pub status: CostStatus,
    lines: [NanoUsd; Line::COUNT],
}

impl Cost {
    /// What one line cost.
    pub const fn line(&self, line: Line) -> NanoUsd {
        self.lines[line as usize]
    }
}

impl ModelPrice {
    /// What a usage at a time cost, at the standard rates. Allocates nothing.
    pub fn cost(&self, usage: &Usage, at: Timestamp) -> Cost {
        self.cost_in(usage, at, &[])
    }

    /// What a usage at a time cost in a context, such as `[("service_tier", "priority")]`: the tier the provider's
    /// reply names. A context the data does not know is charged at the standard rates.
    pub fn cost_in(&self, usage: &Usage, at: Timestamp, context: &[(&str, &str)]) -> Cost {
        let prices = self.applied(at, context);
        let split = split(usage, &prices);
        let mut lines = [NanoUsd::ZERO; Line::COUNT];
        for (line, amount) in Line::ALL.into_iter().zip(&mut lines) {
            let count = split.counts[line as usize];
            if count > 0 {
                *amount = prices.rate(line, split.whole_input).of(count);
            }
        }
        let unpriced = prices.is_empty()
            || (split.whole_input > 0 && !prices.has(Line::Input))
            || (split.whole_output > 0 && !prices.has(Line::Output));
        let status = if unpriced {
            CostStatus::Unpriced
        } else if split.inconsistent {
            CostStatus::Inconsistent
        } else if split.ambiguous {
            CostStatus::Estimated
        } else {
            CostStatus::Exact
        };
        let total = (!unpriced).then(|| lines.iter().copied().sum());
        Cost { total, status, lines }
    }
}

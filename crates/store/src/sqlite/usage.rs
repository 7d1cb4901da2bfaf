//! Answers usage queries from rollups: whole days from days, whole hours from hours, the rest from minutes.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::Connection;
use stepwell_types::{NanoUsd, Tenant, Timestamp};

use super::cells::Cells;
use super::names::{self, Texts};
use super::rollup::LEVELS;
use super::{ReadSide, database, tags};
use crate::sketch::Sketch;
use crate::{Dimension, Error, Step, UsageQuery, UsageRow};

/// Rollup rows one query may read: about two seconds of work.
const MAX_READ: usize = 200_000;
/// Rows one answer may have.
const MAX_ROWS: usize = 20_000;

const COLUMNS: &str = "start, provider, model, route, requested_model, endpoint, dialect, outcome, tags, calls, \
     attempts, failed, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost, \
     charged, unpriced, latency, first_token";

/// A stretch of time that one level answers, in minutes since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stretch {
    level: usize,
    since: i64,
    until: i64,
}

/// Cuts a range into stretches, coarsest level first where whole buckets of it fit, in order of time.
fn cover(since: i64, until: i64, level: usize, stretches: &mut Vec<Stretch>) {
    if since >= until {
        return;
    }
    let minutes = LEVELS[level].1;
    let first =
        since.div_euclid(minutes) * minutes + if since.rem_euclid(minutes) == 0 { 0 } else { minutes };
    let last = until.div_euclid(minutes) * minutes;
    match level.checked_sub(1) {
        None => stretches.push(Stretch { level, since, until }),
        Some(finer) if first >= last => cover(since, until, finer, stretches),
        Some(finer) => {
            cover(since, first, finer, stretches);
            stretches.push(Stretch { level, since: first, until: last });
            cover(last, until, finer, stretches);
        }
    }
}

/// The rows of a query.
pub(crate) fn rows(side: &mut ReadSide, tenant: &Tenant, query: &UsageQuery) -> Result<Vec<UsageRow>, Error> {
    let Some(id) = names::find(&side.connection, tenant.as_str())? else { return Ok(Vec::new()) };
    let since = query.since.as_micros().div_euclid(60_000_000);
    let until = query.until.as_micros().saturating_add(59_999_999).div_euclid(60_000_000);
    let coarsest = match query.step {
        Step::Minute => 0,
        Step::Hour => 1,
        Step::Day | Step::None => 2,
    };
    let mut stretches = Vec::new();
    cover(since, until, coarsest, &mut stretches);
    let mut answer =
        Answer { query, tenant, read: 0, open: BTreeMap::new(), open_start: None, rows: Vec::new() };
    for stretch in stretches {
        answer.read_stretch(side, id, stretch)?;
    }
    answer.close();
    Ok(answer.rows)
}

/// An answer in the making. Rollups come in order of time, so only one step's groups are open at once.
struct Answer<'q> {
    query: &'q UsageQuery,
    tenant: &'q Tenant,
    read: usize,
    open: BTreeMap<Vec<Option<Arc<str>>>, Group>,
    open_start: Option<i64>,
    rows: Vec<UsageRow>,
}

#[derive(Default)]
struct Group {
    sums: [i64; 11],
    latency: Sketch,
    first_token: Sketch,
}

impl Answer<'_> {
    fn read_stretch(&mut self, side: &mut ReadSide, tenant: i64, stretch: Stretch) -> Result<(), Error> {
        let ReadSide { connection, texts } = side;
        let sql = format!(
            "SELECT {COLUMNS} FROM {} WHERE tenant = ?1 AND start >= ?2 AND start < ?3 ORDER BY start",
            LEVELS[stretch.level].0
        );
        let mut statement = connection.prepare(&sql).map_err(database("read rollups"))?;
        let mut rows =
            statement.query([tenant, stretch.since, stretch.until]).map_err(database("read rollups"))?;
        while let Some(row) = rows.next().map_err(database("read rollups"))? {
            self.read += 1;
            if self.read > MAX_READ {
                return Err(Error::TooWide { limit: MAX_READ });
            }
            self.add(connection, texts, row)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        connection: &Connection,
        texts: &mut Texts,
        row: &rusqlite::Row<'_>,
    ) -> Result<(), Error> {
        let mut cells = Cells::new(connection, texts, row);
        let start = self.step_of(cells.get()?);
        if start != self.open_start {
            self.close();
            self.open_start = start;
        }
        let names = Names::read(&mut cells)?;
        let key: Result<Vec<_>, Error> =
            self.query.group_by.iter().map(|dimension| names.get(dimension, self.tenant)).collect();
        let key = key?;
        if !self.open.contains_key(&key) && self.rows.len() + self.open.len() >= MAX_ROWS {
            return Err(Error::TooWide { limit: MAX_ROWS });
        }
        let group = self.open.entry(key).or_default();
        for sum in &mut group.sums {
            *sum = sum.saturating_add(cells.get()?);
        }
        group.latency.merge(&Sketch::decode(cells.get::<Option<Vec<u8>>>()?.as_deref())?)?;
        group.first_token.merge(&Sketch::decode(cells.get::<Option<Vec<u8>>>()?.as_deref())?)
    }

    /// The start of the step a minute is in; none when there are no steps.
    fn step_of(&self, minute: i64) -> Option<i64> {
        let minutes = match self.query.step {
            Step::Minute => 1,
            Step::Hour => 60,
            Step::Day => 24 * 60,
            Step::None => return None,
        };
        Some(minute.div_euclid(minutes) * minutes)
    }

    /// Turns the open groups into rows.
    fn close(&mut self) {
        let start = self.open_start.map(|minute| Timestamp::from_micros(minute.saturating_mul(60_000_000)));
        for (dimensions, group) in std::mem::take(&mut self.open) {
            let [
                calls,
                attempts,
                failed,
                input,
                output,
                cache_read,
                cache_write,
                reasoning,
                cost,
                charged,
                unpriced,
            ] = group.sums;
            self.rows.push(UsageRow {
                start,
                dimensions,
                calls: calls.cast_unsigned(),
                attempts: attempts.cast_unsigned(),
                failed: failed.cast_unsigned(),
                input_tokens: input.cast_unsigned(),
                output_tokens: output.cast_unsigned(),
                cache_read_tokens: cache_read.cast_unsigned(),
                cache_write_tokens: cache_write.cast_unsigned(),
                reasoning_tokens: reasoning.cast_unsigned(),
                cost: NanoUsd::from_nanos(cost),
                charged: NanoUsd::from_nanos(charged),
                unpriced: unpriced.cast_unsigned(),
                latency: group.latency.percentiles(),
                first_token: group.first_token.percentiles(),
            });
        }
    }
}

/// The names a rollup row is kept by.
struct Names {
    provider: Option<Arc<str>>,
    model: Option<Arc<str>>,
    route: Option<Arc<str>>,
    requested_model: Option<Arc<str>>,
    endpoint: Option<Arc<str>>,
    dialect: Option<Arc<str>>,
    outcome: Option<Arc<str>>,
    tags: Option<Arc<str>>,
}

impl Names {
    fn read(cells: &mut Cells<'_>) -> Result<Self, Error> {
        Ok(Self {
            provider: cells.some_name()?,
            model: cells.some_name()?,
            route: cells.some_name()?,
            requested_model: cells.some_name()?,
            endpoint: cells.some_name()?,
            dialect: cells.some_name()?,
            outcome: cells.some_name()?,
            tags: cells.some_name()?,
        })
    }

    fn get(&self, dimension: &Dimension, tenant: &Tenant) -> Result<Option<Arc<str>>, Error> {
        Ok(match dimension {
            Dimension::Project => Some(tenant.as_str().into()),
            Dimension::Provider => self.provider.clone(),
            Dimension::Model => self.model.clone(),
            Dimension::Route => self.route.clone(),
            Dimension::RequestedModel => self.requested_model.clone(),
            Dimension::Endpoint => self.endpoint.clone(),
            Dimension::Dialect => self.dialect.clone(),
            Dimension::Outcome => self.outcome.clone(),
            Dimension::Tag(name) => self.tag(name)?,
        })
    }

    fn tag(&self, name: &str) -> Result<Option<Arc<str>>, Error> {
        if self.tags.as_deref() == Some(tags::OTHER) {
            return Ok(self.tags.clone());
        }
        let tags = tags::decode(self.tags.as_deref())?;
        Ok(tags.into_iter().find(|(found, _)| &**found == name).map(|(_, value)| value))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn stretches_cover_the_range_once_in_order_with_whole_buckets(
            since in -10_000_i64..10_000, length in 0_i64..20_000, level in 0_usize..3
        ) {
            let until = since + length;
            let mut stretches = Vec::new();
            cover(since, until, level, &mut stretches);
            let mut at = since;
            for stretch in stretches {
                prop_assert_eq!(stretch.since, at);
                prop_assert!(stretch.until > stretch.since);
                let minutes = LEVELS[stretch.level].1;
                prop_assert_eq!(stretch.since.rem_euclid(minutes), 0);
                prop_assert_eq!(stretch.until.rem_euclid(minutes), 0);
                at = stretch.until;
            }
            prop_assert_eq!(at, until);
        }
    }
}

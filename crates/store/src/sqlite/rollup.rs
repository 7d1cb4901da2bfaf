//! Rollups: sums by minute, hour and day, added to in the transaction that takes the calls.
//!
//! A batch is summed by minute in memory first; then each minute, hour and day it touches is read, added to and
//! written once. Never keyed by end user. Per tenant and bucket at most [`MAX_GROUPS`] groups are told apart by
//! model, requested model and tags: what comes after is summed under `(other)`, so that sums stay whole.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use rusqlite::{Connection, OptionalExtension, Statement, params};
use stepwell_types::{AttemptRecord, CallRecord, NanoUsd};

use crate::sketch::Sketch;
use crate::{Error, facts};

use super::database;

/// Groups per tenant and bucket beyond which models, requested models and tags are not told apart.
pub(crate) const MAX_GROUPS: i64 = 2_000;
/// Buckets whose number of groups is remembered.
const MAX_BUCKETS: usize = 1_000;

/// The tables and how many minutes their buckets have, finest first.
pub(crate) const LEVELS: [(&str, i64); 3] =
    [("rollup_minute", 1), ("rollup_hour", 60), ("rollup_day", 24 * 60)];

/// What sums are kept by: ids of names, 0 for none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Key {
    pub(crate) tenant: i64,
    /// Minutes since the Unix epoch.
    pub(crate) start: i64,
    pub(crate) provider: i64,
    pub(crate) model: i64,
    pub(crate) route: i64,
    pub(crate) requested_model: i64,
    pub(crate) endpoint: i64,
    pub(crate) dialect: i64,
    pub(crate) outcome: i64,
    pub(crate) tags: i64,
}

/// Sums of one group, with the times not yet sketched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    calls: i64,
    attempts: i64,
    failed: i64,
    input_tokens: i64,
    output_tokens: i64,
    cache_read_tokens: i64,
    cache_write_tokens: i64,
    reasoning_tokens: i64,
    cost: i64,
    charged: i64,
    unpriced: i64,
    latency: Vec<u64>,
    first_token: Vec<u64>,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        let fields = [
            (&mut self.calls, other.calls),
            (&mut self.attempts, other.attempts),
            (&mut self.failed, other.failed),
            (&mut self.input_tokens, other.input_tokens),
            (&mut self.output_tokens, other.output_tokens),
            (&mut self.cache_read_tokens, other.cache_read_tokens),
            (&mut self.cache_write_tokens, other.cache_write_tokens),
            (&mut self.reasoning_tokens, other.reasoning_tokens),
            (&mut self.cost, other.cost),
            (&mut self.charged, other.charged),
            (&mut self.unpriced, other.unpriced),
        ];
        for (sum, more) in fields {
            *sum = sum.saturating_add(more);
        }
        self.latency.extend_from_slice(&other.latency);
        self.first_token.extend_from_slice(&other.first_token);
    }

    /// Adds an attempt that went there.
    pub(crate) fn add_attempt(&mut self, attempt: &AttemptRecord) {
        let usage = &attempt.usage;
        let written = usage.cache_write_5m_tokens.saturating_add(usage.cache_write_1h_tokens);
        self.attempts += 1;
        for (sum, tokens) in [
            (&mut self.input_tokens, usage.input_tokens),
            (&mut self.output_tokens, usage.output_tokens),
            (&mut self.cache_read_tokens, usage.cache_read_tokens),
            (&mut self.cache_write_tokens, written),
            (&mut self.reasoning_tokens, usage.reasoning_tokens),
        ] {
            *sum = sum.saturating_add(i64::try_from(tokens).unwrap_or(i64::MAX));
        }
        self.cost = self.cost.saturating_add(attempt.cost.map_or(0, NanoUsd::as_nanos));
        self.charged = self.charged.saturating_add(facts::charged(attempt).map_or(0, NanoUsd::as_nanos));
    }

    /// Adds a call that is counted there.
    pub(crate) fn add_call(&mut self, call: &CallRecord) {
        self.calls += 1;
        self.failed += i64::from(facts::failed(call.outcome));
        self.unpriced += i64::from(call.cost().is_none());
        if facts::measured(call) {
            self.latency.push(call.duration_us);
            self.first_token.extend(call.first_token_us);
        }
    }
}

type Groups = HashMap<Key, Sums, BuildHasherDefault<KeyHasher>>;

/// The sums of one batch, by minute.
#[derive(Default)]
pub(crate) struct Batch {
    groups: Vec<(Key, Sums)>,
    places: HashMap<Key, usize, BuildHasherDefault<KeyHasher>>,
    /// The place asked for last: neighbours are mostly counted in the same.
    last: usize,
}

impl Batch {
    /// The sums of a group.
    pub(crate) fn at(&mut self, key: Key) -> &mut Sums {
        if self.groups.get(self.last).is_none_or(|(last, _)| *last != key) {
            self.last = *self.places.entry(key).or_insert(self.groups.len());
            if self.last == self.groups.len() {
                self.groups.push((key, Sums::default()));
            }
        }
        &mut self.groups[self.last].1
    }

    /// The sums by buckets of so many minutes.
    fn by(&self, minutes: i64) -> Groups {
        let mut groups = Groups::default();
        for (key, sums) in &self.groups {
            let start = key.start.div_euclid(minutes) * minutes;
            groups.entry(Key { start, ..*key }).or_default().add(sums);
        }
        groups
    }
}

/// Writes sums into the tables.
pub(crate) struct Rollups<'c> {
    levels: Vec<Level<'c>>,
    /// How many groups a level's bucket has: by level, tenant and start.
    counts: HashMap<(usize, i64, i64), i64>,
}

struct Level<'c> {
    minutes: i64,
    find: Statement<'c>,
    count: Statement<'c>,
    add: Statement<'c>,
}

impl<'c> Rollups<'c> {
    pub(crate) fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        let levels = LEVELS
            .into_iter()
            .map(|(table, minutes)| Level::new(connection, table, minutes))
            .collect::<Result<_, _>>()?;
        Ok(Self { levels, counts: HashMap::new() })
    }

    /// Adds a batch to every level. `other` is the id of [`super::tags::OTHER`].
    pub(crate) fn add(&mut self, batch: &Batch, other: i64) -> Result<(), Error> {
        for (index, level) in self.levels.iter_mut().enumerate() {
            let mut rest = Groups::default();
            for (key, sums) in batch.by(level.minutes) {
                let stored = level.find(&key)?;
                if stored.is_none() && !admit(&mut self.counts, index, level, &key)? {
                    let key = Key { model: other, requested_model: other, tags: other, ..key };
                    rest.entry(key).or_default().add(&sums);
                    continue;
                }
                level.add(&key, &sums, stored.unwrap_or_default())?;
            }
            for (key, sums) in rest {
                let stored = level.find(&key)?;
                level.add(&key, &sums, stored.unwrap_or_default())?;
            }
        }
        Ok(())
    }

    /// Forgets what a rolled-back transaction counted.
    pub(crate) fn forget(&mut self) {
        self.counts.clear();
    }
}

/// Whether a bucket may have one group more; if so it is counted.
fn admit(
    counts: &mut HashMap<(usize, i64, i64), i64>,
    index: usize,
    level: &mut Level<'_>,
    key: &Key,
) -> Result<bool, Error> {
    if counts.len() > MAX_BUCKETS {
        counts.clear();
    }
    let bucket = (index, key.tenant, key.start);
    let count = match counts.get_mut(&bucket) {
        Some(count) => count,
        None => counts.entry(bucket).or_insert(level.count(key)?),
    };
    if *count >= MAX_GROUPS {
        return Ok(false);
    }
    *count += 1;
    Ok(true)
}

type Sketches = (Sketch, Sketch);
type Blob = Option<Vec<u8>>;

impl<'c> Level<'c> {
    fn new(connection: &'c Connection, table: &str, minutes: i64) -> rusqlite::Result<Self> {
        let find = connection.prepare(&format!(
            "SELECT latency, first_token FROM {table} WHERE tenant = ?1 AND start = ?2 AND provider = ?3
             AND model = ?4 AND route = ?5 AND requested_model = ?6 AND endpoint = ?7 AND dialect = ?8
             AND outcome = ?9 AND tags = ?10"
        ))?;
        let count =
            connection.prepare(&format!("SELECT count(*) FROM {table} WHERE tenant = ?1 AND start = ?2"))?;
        let add = connection.prepare(&format!(
            "INSERT INTO {table} VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
             ?17, ?18, ?19, ?20, ?21, ?22, ?23) ON CONFLICT DO UPDATE SET
             calls = calls + excluded.calls, attempts = attempts + excluded.attempts,
             failed = failed + excluded.failed, input_tokens = input_tokens + excluded.input_tokens,
             output_tokens = output_tokens + excluded.output_tokens,
             cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
             cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
             reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens,
             cost = cost + excluded.cost, charged = charged + excluded.charged,
             unpriced = unpriced + excluded.unpriced,
             latency = excluded.latency, first_token = excluded.first_token"
        ))?;
        Ok(Self { minutes, find, count, add })
    }

    /// The sketches of a group; none if there is no such group.
    fn find(&mut self, key: &Key) -> Result<Option<Sketches>, Error> {
        let k = key;
        let blobs: Option<(Blob, Blob)> = self
            .find
            .query_row(
                params![
                    k.tenant,
                    k.start,
                    k.provider,
                    k.model,
                    k.route,
                    k.requested_model,
                    k.endpoint,
                    k.dialect,
                    k.outcome,
                    k.tags
                ],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
            .map_err(database("read a rollup"))?;
        let Some((latency, first_token)) = blobs else { return Ok(None) };
        Ok(Some((Sketch::decode(latency.as_deref())?, Sketch::decode(first_token.as_deref())?)))
    }

    fn count(&mut self, key: &Key) -> Result<i64, Error> {
        self.count.query_row([key.tenant, key.start], |row| row.get(0)).map_err(database("count rollups"))
    }

    fn add(&mut self, key: &Key, sums: &Sums, (mut latency, mut first_token): Sketches) -> Result<(), Error> {
        latency.record(&sums.latency)?;
        first_token.record(&sums.first_token)?;
        let (k, s) = (key, sums);
        self.add
            .execute(params![
                k.tenant,
                k.start,
                k.provider,
                k.model,
                k.route,
                k.requested_model,
                k.endpoint,
                k.dialect,
                k.outcome,
                k.tags,
                s.calls,
                s.attempts,
                s.failed,
                s.input_tokens,
                s.output_tokens,
                s.cache_read_tokens,
                s.cache_write_tokens,
                s.reasoning_tokens,
                s.cost,
                s.charged,
                s.unpriced,
                latency.encode()?,
                first_token.encode()?
            ])
            .map(drop)
            .map_err(database("add to a rollup"))
    }
}

/// Mixes the ids of a key, which no client chooses.
#[derive(Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        // The multiplier is 2^64 over the golden ratio, made odd (Knuth, TAOCP vol. 3, §6.4).
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_i64(&mut self, word: i64) {
        self.write_u64(word.cast_unsigned());
    }
}

//! Takes batches into the tables: one thread, one connection, prepared statements, one transaction per batch.
//!
//! Rows that are there already are left alone and counted nowhere, so any batch may come twice.

use std::cmp::Ordering;

use rusqlite::types::ToSql;
use rusqlite::{Connection, Statement, params};
use stepwell_types::{AttemptRecord, CallRecord, NanoUsd, Stage, Timestamp, UsageSource};

use super::names::{Ids, Of};
use super::rollup::{self, Key, Rollups};
use super::{database, tags};
use crate::{Batch, Checkpoint, Error, Shipped, facts};

/// The writing side of the database.
pub(crate) struct Writer<'c> {
    connection: &'c Connection,
    ids: Ids<'c>,
    rollups: Rollups<'c>,
    call: Statement<'c>,
    attempt: Statement<'c>,
    checkpoint: Statement<'c>,
    text: Vec<u8>,
    stages: Vec<u8>,
    /// The tags of the call before, and their id: neighbours mostly have the same. No tags have the id 0.
    last_tags: (Vec<tags::Tag>, i64),
}

impl<'c> Writer<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Result<Self, Error> {
        let prepare = || {
            Ok(Self {
                connection,
                ids: Ids::new(connection)?,
                rollups: Rollups::new(connection)?,
                call: connection.prepare(&insert("calls", 29))?,
                attempt: connection.prepare(&insert("attempts", 28))?,
                checkpoint: connection.prepare(
                    "INSERT INTO checkpoints VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET
                     shipped_segment = ?2, shipped_offset = ?3, open_segment = ?4, open_offset = ?5
                     WHERE (?2, ?3) >= (shipped_segment, shipped_offset)",
                )?,
                text: Vec::new(),
                stages: Vec::new(),
                last_tags: (Vec::new(), 0),
            })
        };
        prepare().map_err(database("prepare its statements"))
    }

    /// Takes a batch, all or nothing.
    pub(crate) fn ship(&mut self, batch: &Batch) -> Result<Shipped, Error> {
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(database("begin"))?;
        let result = self.take(batch).and_then(|shipped| {
            self.connection.execute_batch("COMMIT").map_err(database("commit"))?;
            Ok(shipped)
        });
        if result.is_err() {
            self.ids.forget();
            self.last_tags = (Vec::new(), 0);
            self.rollups.forget();
            if !self.connection.is_autocommit()
                && let Err(error) = self.connection.execute_batch("ROLLBACK")
            {
                tracing::error!(%error, "the ledger cannot roll back");
            }
        }
        result
    }

    fn take(&mut self, batch: &Batch) -> Result<Shipped, Error> {
        let mut sums = rollup::Batch::default();
        let mut calls: Vec<&CallRecord> = batch.calls.iter().collect();
        calls.sort_unstable_by(|one, other| by_key(one, other));
        let mut inserted = 0;
        for call in calls {
            inserted += usize::from(self.take_call(call, &mut sums).map_err(database("take a call"))?);
        }
        if inserted > 0 {
            let other = self.ids.of(Of::Tags, tags::OTHER).map_err(database("name the rest"))?;
            self.rollups.add(&sums, other)?;
        }
        if let Some(checkpoint) = &batch.checkpoint {
            self.note(checkpoint).map_err(database("note the checkpoint"))?;
        }
        Ok(Shipped { inserted })
    }

    /// Takes a call with its attempts. False if it is there already.
    fn take_call(&mut self, call: &CallRecord, sums: &mut rollup::Batch) -> rusqlite::Result<bool> {
        let answering = facts::answering(call);
        let key = self.key(call, answering)?;
        if !self.insert_call(call, &key)? {
            return Ok(false);
        }
        sums.add_call(key, call);
        for attempt in &call.attempts {
            let key = Key {
                provider: self.ids.of(Of::Provider, &attempt.target.provider)?,
                model: self.ids.of(Of::Model, &attempt.target.model)?,
                ..key
            };
            self.insert_attempt(call, attempt, &key)?;
            sums.add_attempt(key, attempt);
        }
        Ok(true)
    }

    /// Where a call is counted. What a caller wrote as `model` is kept apart only for calls that reached a target:
    /// anyone can write anything.
    fn key(&mut self, call: &CallRecord, answering: Option<&AttemptRecord>) -> rusqlite::Result<Key> {
        let tags = self.tags(call)?;
        let ids = &mut self.ids;
        Ok(Key {
            tenant: ids.of(Of::Tenant, call.tenant.as_str())?,
            start: call.started.as_seconds().div_euclid(60),
            provider: ids
                .of_some(Of::Provider, answering.map(|attempt| &*attempt.target.provider))?
                .unwrap_or(0),
            model: ids.of_some(Of::Model, answering.map(|attempt| &*attempt.target.model))?.unwrap_or(0),
            route: ids.of_some(Of::Route, call.route.as_deref())?.unwrap_or(0),
            requested_model: ids
                .of_some(Of::RequestedModel, answering.map(|_| &*call.requested_model))?
                .unwrap_or(0),
            endpoint: ids.of(Of::Endpoint, call.endpoint.as_str())?,
            dialect: ids.of(Of::CallDialect, call.dialect.as_str())?,
            outcome: ids.of(Of::CallOutcome, call.outcome.as_str())?,
            tags,
        })
    }

    /// The id of a call's tags, 0 for none.
    fn tags(&mut self, call: &CallRecord) -> rusqlite::Result<i64> {
        if call.tags != self.last_tags.0 {
            let id = self.ids.of(Of::Tags, tags::encode(&call.tags, &mut self.text))?;
            self.last_tags = (call.tags.clone(), id);
        }
        Ok(self.last_tags.1)
    }

    fn insert_call(&mut self, call: &CallRecord, key: &Key) -> rusqlite::Result<bool> {
        let some = |id: i64| (id != 0).then_some(id);
        let requested_model = match some(key.requested_model) {
            Some(id) => id,
            None => self.ids.of(Of::RequestedModel, &call.requested_model)?,
        };
        let code = self.ids.of_some(Of::Code, call.code.map(stepwell_types::Code::as_str))?;
        let losses = (!call.losses.is_empty()).then(|| serde_json::Value::from(&call.losses[..]).to_string());
        encode_stages(call, &mut self.stages);
        let usage = facts::total_usage(call);
        let mut row = Row::new(&mut self.call);
        row.bind(key.tenant)?;
        row.bind(&call.id.as_bytes()[..])?;
        row.bind(call.started.as_micros())?;
        row.bind(key.endpoint)?;
        row.bind(key.dialect)?;
        row.bind(call.streamed)?;
        row.bind(requested_model)?;
        row.bind(some(key.route))?;
        row.bind(call.user.as_deref())?;
        row.bind(call.session.as_deref())?;
        row.bind(some(key.tags))?;
        row.bind(key.outcome)?;
        row.bind(code)?;
        row.bind(call.status)?;
        row.bind(int(call.request_bytes))?;
        row.bind(int(call.reply_bytes))?;
        row.bind(int(call.duration_us))?;
        row.bind(call.first_token_us.map(int))?;
        row.bind(&self.stages[..])?;
        row.bind(losses)?;
        row.bind(int(call.attempts.len() as u64))?;
        row.bind(some(key.provider))?;
        row.bind(some(key.model))?;
        row.bind(int(usage.input_tokens))?;
        row.bind(int(usage.cache_read_tokens))?;
        row.bind(int(usage.output_tokens))?;
        row.bind(int(usage.reasoning_tokens))?;
        row.bind(call.cost().map(NanoUsd::as_nanos))?;
        row.bind(facts::call_charged(call).map(NanoUsd::as_nanos))?;
        row.insert()
    }

    fn insert_attempt(
        &mut self,
        call: &CallRecord,
        attempt: &AttemptRecord,
        key: &Key,
    ) -> rusqlite::Result<()> {
        let ids = &mut self.ids;
        let dialect = ids.of(Of::AttemptDialect, attempt.dialect.as_str())?;
        let outcome = ids.of(Of::AttemptOutcome, attempt.outcome.as_str())?;
        let code = ids.of_some(Of::Code, attempt.code.map(stepwell_types::Code::as_str))?;
        let served_model = ids.of_some(Of::ServedModel, attempt.served_model.as_deref())?;
        let finish = ids.of_some(Of::Finish, attempt.finish.map(stepwell_types::Finish::as_str))?;
        let cost_status = ids.of(Of::CostStatus, attempt.cost_status.as_str())?;
        let usage = &attempt.usage;
        let mut row = Row::new(&mut self.attempt);
        row.bind(key.tenant)?;
        row.bind(&call.id.as_bytes()[..])?;
        row.bind(attempt.number)?;
        row.bind(key.provider)?;
        row.bind(key.model)?;
        row.bind(dialect)?;
        row.bind(Timestamp::as_micros(attempt.started))?;
        row.bind(int(attempt.duration_us))?;
        row.bind(attempt.first_byte_us.map(int))?;
        row.bind(attempt.status)?;
        row.bind(outcome)?;
        row.bind(code)?;
        row.bind(served_model)?;
        row.bind(attempt.provider_id.as_deref())?;
        row.bind(finish)?;
        row.bind(int(usage.input_tokens))?;
        row.bind(int(usage.cache_read_tokens))?;
        row.bind(int(usage.cache_write_5m_tokens))?;
        row.bind(int(usage.cache_write_1h_tokens))?;
        row.bind(int(usage.input_audio_tokens))?;
        row.bind(int(usage.output_tokens))?;
        row.bind(int(usage.reasoning_tokens))?;
        row.bind(int(usage.output_audio_tokens))?;
        row.bind(usage_source(attempt.usage_source))?;
        row.bind(attempt.cost.map(NanoUsd::as_nanos))?;
        row.bind(cost_status)?;
        row.bind(attempt.bound.map(NanoUsd::as_nanos))?;
        row.bind(facts::charged(attempt).map(NanoUsd::as_nanos))?;
        row.insert().map(drop)
    }

    fn note(&mut self, checkpoint: &Checkpoint) -> rusqlite::Result<()> {
        self.checkpoint
            .execute(params![
                &checkpoint.replica.0.as_bytes()[..],
                int(checkpoint.shipped.segment),
                int(checkpoint.shipped.offset),
                int(checkpoint.oldest_open.segment),
                int(checkpoint.oldest_open.offset),
            ])
            .map(drop)
    }
}

/// Binds a row's values in order.
struct Row<'s, 'c> {
    statement: &'s mut Statement<'c>,
    bound: usize,
}

impl<'s, 'c> Row<'s, 'c> {
    fn new(statement: &'s mut Statement<'c>) -> Self {
        Self { statement, bound: 0 }
    }

    fn bind(&mut self, value: impl ToSql) -> rusqlite::Result<()> {
        self.bound += 1;
        self.statement.raw_bind_parameter(self.bound, value)
    }

    /// Whether it is new.
    fn insert(self) -> rusqlite::Result<bool> {
        self.statement.raw_execute().map(|rows| rows > 0)
    }
}

fn insert(table: &str, columns: usize) -> String {
    let values = vec!["?"; columns].join(", ");
    format!("INSERT INTO {table} VALUES ({values}) ON CONFLICT DO NOTHING")
}

/// Rows in the order of the table: neighbours share pages.
fn by_key(one: &CallRecord, other: &CallRecord) -> Ordering {
    one.tenant.as_str().cmp(other.tenant.as_str()).then_with(|| one.id.cmp(&other.id))
}

/// SQLite has no unsigned integers; what does not fit is kept at the most that does.
fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

const fn usage_source(source: UsageSource) -> i64 {
    match source {
        UsageSource::Provider => 0,
        UsageSource::Estimate => 1,
        UsageSource::None => 2,
    }
}

fn encode_stages(call: &CallRecord, bytes: &mut Vec<u8>) {
    bytes.clear();
    for stage in Stage::ALL {
        let mut rest = call.stages.get(stage);
        while rest >= 0x80 {
            bytes.push(rest.to_le_bytes()[0] | 0x80);
            rest >>= 7;
        }
        bytes.push(rest.to_le_bytes()[0]);
    }
}

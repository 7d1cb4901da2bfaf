//! Takes batches into the tables: one thread, one connection, prepared statements, one transaction per batch.
//!
//! Rows that are there already are left alone and counted nowhere, so any batch may come twice. That is rare: a batch is
//! taken as if all its calls were new, many with each statement, and once more call by call if one was not.

use rusqlite::{Connection, ErrorCode, Statement, params};
use stepwell_types::CallRecord;

use super::bind::{self, int};
use super::names::{Ids, Of, OneOf};
use super::rollup::{self, Key, Rollups};
use super::rows::{Present, Rows};
use super::{database, tags};
use crate::{Batch, Checkpoint, Error, Shipped, facts};

/// Calls one statement inserts, where all must be new. Forty would save 2% more.
const AT_ONCE: usize = 16;

/// The writing side of the database.
pub(crate) struct Writer<'c> {
    connection: &'c Connection,
    ids: Ids<'c>,
    rollups: Rollups<'c>,
    call: Rows<'c>,
    calls: Rows<'c>,
    attempt: Rows<'c>,
    checkpoint: Statement<'c>,
    buffer: Vec<u8>,
    keys: Vec<Key>,
    /// The tags of the call before, and their id: neighbours mostly have the same. No tags have the id 0.
    last_tags: (Vec<tags::Tag>, i64),
}

/// A call beside what the table's index is in order of: tenant, then the half of the id with the time in it. Neighbours
/// in the index share pages.
struct Ordered<'b> {
    order: u128,
    tenant: i64,
    call: &'b CallRecord,
}

impl<'c> Writer<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Result<Self, Error> {
        let prepare = || {
            Ok(Self {
                connection,
                ids: Ids::new(connection)?,
                rollups: Rollups::new(connection)?,
                call: Rows::new(connection, "calls", bind::CALL_COLUMNS, 1, Present::Keep)?,
                calls: Rows::new(connection, "calls", bind::CALL_COLUMNS, AT_ONCE, Present::RollBack)?,
                attempt: Rows::new(connection, "attempts", bind::ATTEMPT_COLUMNS, 1, Present::Keep)?,
                checkpoint: connection.prepare(
                    "INSERT INTO checkpoints VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET
                     shipped_segment = ?2, shipped_offset = ?3, open_segment = ?4, open_offset = ?5
                     WHERE (?2, ?3) >= (shipped_segment, shipped_offset)",
                )?,
                buffer: Vec::new(),
                keys: Vec::with_capacity(AT_ONCE),
                last_tags: (Vec::new(), 0),
            })
        };
        prepare().map_err(database("prepare its statements"))
    }

    /// Takes a batch, all or nothing.
    pub(crate) fn ship(&mut self, batch: &Batch) -> Result<Shipped, Error> {
        if let Some(shipped) = self.transact(batch, AT_ONCE)? {
            return Ok(shipped);
        }
        let shipped = self.transact(batch, 1)?;
        shipped.ok_or_else(|| Error::Unreadable("a call that is there and is not".to_owned()))
    }

    /// Takes a batch in a transaction, which is rolled back if it fails. None if that was because several calls were
    /// inserted at once and one of them is there already.
    fn transact(&mut self, batch: &Batch, at_once: usize) -> Result<Option<Shipped>, Error> {
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(database("begin"))?;
        let result = self.take(batch, at_once).and_then(|shipped| {
            if shipped.is_some() {
                self.connection.execute_batch("COMMIT").map_err(database("commit"))?;
            }
            Ok(shipped)
        });
        if !matches!(result, Ok(Some(_))) {
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

    fn take(&mut self, batch: &Batch, at_once: usize) -> Result<Option<Shipped>, Error> {
        let mut sums = rollup::Batch::default();
        let calls = self.in_order(batch).map_err(database("take calls"))?;
        let mut inserted = 0;
        let (runs, rest) = calls.split_at(calls.len() - calls.len() % at_once);
        for calls in runs.chunks(at_once).chain(rest.chunks(1)) {
            inserted += match self.take_calls(calls, &mut sums) {
                Ok(new) => new,
                Err(error) if calls.len() > 1 && is_there(&error) => return Ok(None),
                Err(error) => return Err(database("take calls")(error)),
            };
        }
        if inserted > 0 {
            let other = self.ids.of(Of::Tags, tags::OTHER).map_err(database("name the rest"))?;
            self.rollups.add(&sums, other)?;
        }
        if let Some(checkpoint) = &batch.checkpoint {
            self.note(checkpoint).map_err(database("note the checkpoint"))?;
        }
        Ok(Some(Shipped { inserted }))
    }

    fn in_order<'b>(&mut self, batch: &'b Batch) -> rusqlite::Result<Vec<Ordered<'b>>> {
        let mut calls = Vec::with_capacity(batch.calls.len());
        for call in &batch.calls {
            let tenant = self.ids.of(Of::Tenant, call.tenant.as_str())?;
            let order =
                u128::from(tenant.cast_unsigned()) << 64 | u128::from_be_bytes(*call.id.as_bytes()) >> 64;
            calls.push(Ordered { order, tenant, call });
        }
        calls.sort_unstable_by_key(|call| call.order);
        Ok(calls)
    }

    /// Takes calls with their attempts: one, which may be there already, or as many as are inserted at once, which must
    /// all be new. Says how many were.
    fn take_calls(&mut self, calls: &[Ordered<'_>], sums: &mut rollup::Batch) -> rusqlite::Result<usize> {
        self.keys.clear();
        for Ordered { tenant, call, .. } in calls {
            let key = self.key(call, *tenant)?;
            self.keys.push(key);
        }
        let Self { ids, call: one, calls: many, attempt: attempts, buffer, keys, .. } = self;
        let rows = if calls.len() == 1 { one } else { many };
        rows.begin();
        for (Ordered { call, .. }, key) in calls.iter().zip(&*keys) {
            bind::call(rows, ids, call, key, buffer)?;
        }
        let inserted = rows.insert()?;
        if inserted == 0 {
            return Ok(0);
        }
        for (Ordered { call, .. }, key) in calls.iter().zip(&*keys) {
            sums.at(*key).add_call(call);
            if let Some((attempt, _)) = bind::only_attempt(call) {
                sums.at(*key).add_attempt(attempt);
                continue;
            }
            for attempt in &call.attempts {
                let key = Key {
                    provider: ids.of(Of::Provider, &attempt.target.provider)?,
                    model: ids.of(Of::Model, &attempt.target.model)?,
                    ..*key
                };
                sums.at(key).add_attempt(attempt);
                attempts.begin();
                bind::attempt(attempts, ids, call, attempt, &key)?;
                attempts.insert()?;
            }
        }
        Ok(inserted)
    }

    /// Where a call is counted. What a caller wrote as `model` is kept apart only for calls that reached a target:
    /// anyone can write anything.
    fn key(&mut self, call: &CallRecord, tenant: i64) -> rusqlite::Result<Key> {
        let tags = self.tags(call)?;
        let target = facts::answering(call).map(|attempt| &attempt.target);
        let ids = &mut self.ids;
        Ok(Key {
            tenant,
            start: call.started.as_seconds().div_euclid(60),
            provider: ids.of_some(Of::Provider, target.map(|target| &*target.provider))?.unwrap_or(0),
            model: ids.of_some(Of::Model, target.map(|target| &*target.model))?.unwrap_or(0),
            route: ids.of_some(Of::Route, call.route.as_deref())?.unwrap_or(0),
            requested_model: ids
                .of_some(Of::RequestedModel, target.map(|_| &*call.requested_model))?
                .unwrap_or(0),
            endpoint: ids.one_of(OneOf::Endpoint, call.endpoint.as_str())?,
            dialect: ids.one_of(OneOf::CallDialect, call.dialect.as_str())?,
            outcome: ids.one_of(OneOf::CallOutcome, call.outcome.as_str())?,
            tags,
        })
    }

    /// The id of a call's tags, 0 for none.
    fn tags(&mut self, call: &CallRecord) -> rusqlite::Result<i64> {
        if call.tags != self.last_tags.0 {
            let id = self.ids.of(Of::Tags, tags::encode(&call.tags, &mut self.buffer))?;
            self.last_tags = (call.tags.clone(), id);
        }
        Ok(self.last_tags.1)
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

/// Whether a row was not inserted because it is there already.
fn is_there(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

//! From stored rows to records: the values of a row, taken in the order of its columns.

use std::sync::Arc;

use rusqlite::types::FromSql;
use rusqlite::{Connection, Row};
use stepwell_types::{
    AttemptRecord, CallId, CallRecord, Code, CostStatus, Dialect, Endpoint, Finish, NanoUsd, Outcome, Stage,
    StageTimes, TargetName, Tenant, Timestamp, Usage, UsageSource,
};

use super::names::Texts;
use super::{database, tags};
use crate::{CallRow, Error};

/// What [`call`] reads, in its order.
pub(crate) const CALL_COLUMNS: &str = "id, started, endpoint, dialect, streamed, requested_model, route, user, \
     session, tags, outcome, code, status, request_bytes, reply_bytes, duration_us, first_token_us, stages, losses, \
     attempts, provider, model, input_tokens, cache_read_tokens, output_tokens, reasoning_tokens, cost, charged";

/// What [`attempt`] reads, in its order.
pub(crate) const ATTEMPT_COLUMNS: &str = "number, provider, model, dialect, started, duration_us, first_byte_us, \
     status, outcome, code, served_model, provider_id, finish, input_tokens, cache_read_tokens, \
     cache_write_5m_tokens, cache_write_1h_tokens, input_audio_tokens, output_tokens, reasoning_tokens, \
     output_audio_tokens, usage_source, cost, cost_status, bound";

/// The values of a row from left to right.
pub(crate) struct Cells<'a> {
    connection: &'a Connection,
    texts: &'a mut Texts,
    row: &'a Row<'a>,
    next: usize,
}

impl<'a> Cells<'a> {
    pub(crate) fn new(connection: &'a Connection, texts: &'a mut Texts, row: &'a Row<'a>) -> Self {
        Self { connection, texts, row, next: 0 }
    }

    /// The next value.
    pub(crate) fn get<T: FromSql>(&mut self) -> Result<T, Error> {
        let column = self.next;
        self.next += 1;
        self.row.get(column).map_err(database("read a value"))
    }

    /// The next value, a count.
    pub(crate) fn count(&mut self) -> Result<u64, Error> {
        self.get::<i64>().map(i64::cast_unsigned)
    }

    fn some_count(&mut self) -> Result<Option<u64>, Error> {
        Ok(self.get::<Option<i64>>()?.map(i64::cast_unsigned))
    }

    fn money(&mut self) -> Result<Option<NanoUsd>, Error> {
        Ok(self.get::<Option<i64>>()?.map(NanoUsd::from_nanos))
    }

    /// The text of the next value, an id of a name; none for null and for 0.
    pub(crate) fn some_name(&mut self) -> Result<Option<Arc<str>>, Error> {
        let id = self.get::<Option<i64>>()?.filter(|id| *id != 0);
        self.texts.of_some(self.connection, id)
    }

    fn name(&mut self) -> Result<Arc<str>, Error> {
        self.some_name()?.ok_or_else(|| Error::Unreadable("a name that must be there is not".to_owned()))
    }

    /// The value of a closed set that the next name stands for.
    fn one_of<T: Copy>(&mut self, all: &[T], text: fn(T) -> &'static str) -> Result<T, Error> {
        let name = self.name()?;
        all.iter()
            .copied()
            .find(|one| text(*one) == &*name)
            .ok_or_else(|| Error::Unreadable(name.to_string()))
    }

    fn code(&mut self) -> Result<Option<Code>, Error> {
        let Some(text) = self.some_name()? else { return Ok(None) };
        Code::from_text(&text).map(Some).ok_or_else(|| Error::Unreadable(format!("code {text}")))
    }
}

/// A row of `calls`.
pub(crate) struct StoredCall {
    /// The record, without its tenant's name and its attempts.
    pub(crate) record: CallRecord,
    attempts: u32,
    provider: Option<Arc<str>>,
    model: Option<Arc<str>>,
    usage: Usage,
    cost: Option<NanoUsd>,
    charged: Option<NanoUsd>,
}

impl StoredCall {
    /// As lists show it.
    pub(crate) fn into_row(self) -> CallRow {
        let Self { record, attempts, provider, model, usage, cost, charged } = self;
        CallRow {
            id: record.id,
            started: record.started,
            endpoint: record.endpoint,
            dialect: record.dialect,
            streamed: record.streamed,
            requested_model: record.requested_model,
            route: record.route,
            provider,
            model,
            user: record.user,
            session: record.session,
            tags: record.tags,
            outcome: record.outcome,
            code: record.code,
            status: record.status,
            duration_us: record.duration_us,
            first_token_us: record.first_token_us,
            attempts,
            input_tokens: usage.input_tokens,
            cache_read_tokens: usage.cache_read_tokens,
            output_tokens: usage.output_tokens,
            reasoning_tokens: usage.reasoning_tokens,
            cost,
            charged,
        }
    }
}

/// Reads [`CALL_COLUMNS`].
pub(crate) fn call(cells: &mut Cells<'_>) -> Result<StoredCall, Error> {
    let record = CallRecord {
        id: CallId::from_bytes(cells.get()?),
        tenant: Tenant::only(),
        started: Timestamp::from_micros(cells.get()?),
        endpoint: cells.one_of(&Endpoint::ALL, Endpoint::as_str)?,
        dialect: cells.one_of(&Dialect::ALL, Dialect::as_str)?,
        streamed: cells.get()?,
        requested_model: cells.name()?,
        route: cells.some_name()?,
        user: cells.get()?,
        session: cells.get()?,
        tags: tags::decode(cells.some_name()?.as_deref())?,
        outcome: cells.one_of(&Outcome::ALL, Outcome::as_str)?,
        code: cells.code()?,
        status: cells.get()?,
        request_bytes: cells.count()?,
        reply_bytes: cells.count()?,
        duration_us: cells.count()?,
        first_token_us: cells.some_count()?,
        stages: stages(&cells.get::<Vec<u8>>()?),
        losses: losses(cells.get::<Option<String>>()?)?,
        attempts: Vec::new(),
    };
    Ok(StoredCall {
        record,
        attempts: cells.get()?,
        provider: cells.some_name()?,
        model: cells.some_name()?,
        usage: Usage {
            input_tokens: cells.count()?,
            cache_read_tokens: cells.count()?,
            output_tokens: cells.count()?,
            reasoning_tokens: cells.count()?,
            ..Usage::default()
        },
        cost: cells.money()?,
        charged: cells.money()?,
    })
}

/// Reads [`ATTEMPT_COLUMNS`].
pub(crate) fn attempt(cells: &mut Cells<'_>) -> Result<AttemptRecord, Error> {
    Ok(AttemptRecord {
        number: cells.get()?,
        target: TargetName { provider: cells.name()?, model: cells.name()? },
        dialect: cells.one_of(&Dialect::ALL, Dialect::as_str)?,
        started: Timestamp::from_micros(cells.get()?),
        duration_us: cells.count()?,
        first_byte_us: cells.some_count()?,
        status: cells.get()?,
        outcome: cells.one_of(&Outcome::ALL, Outcome::as_str)?,
        code: cells.code()?,
        served_model: cells.some_name()?,
        provider_id: cells.get()?,
        finish: finish(cells.some_name()?.as_deref())?,
        usage: Usage {
            input_tokens: cells.count()?,
            cache_read_tokens: cells.count()?,
            cache_write_5m_tokens: cells.count()?,
            cache_write_1h_tokens: cells.count()?,
            input_audio_tokens: cells.count()?,
            output_tokens: cells.count()?,
            reasoning_tokens: cells.count()?,
            output_audio_tokens: cells.count()?,
        },
        usage_source: usage_source(cells.get()?)?,
        cost: cells.money()?,
        cost_status: cells.one_of(&CostStatus::ALL, CostStatus::as_str)?,
        bound: cells.money()?,
    })
}

fn finish(text: Option<&str>) -> Result<Option<Finish>, Error> {
    let Some(text) = text else { return Ok(None) };
    let known = Finish::ALL.into_iter().find(|finish| finish.as_str() == text);
    known.map(Some).ok_or_else(|| Error::Unreadable(format!("finish {text}")))
}

fn usage_source(stored: i64) -> Result<UsageSource, Error> {
    match stored {
        0 => Ok(UsageSource::Provider),
        1 => Ok(UsageSource::Estimate),
        2 => Ok(UsageSource::None),
        other => Err(Error::Unreadable(format!("usage source {other}"))),
    }
}

fn losses(text: Option<String>) -> Result<Vec<String>, Error> {
    let Some(text) = text else { return Ok(Vec::new()) };
    serde_json::from_str(&text).map_err(|_| Error::Unreadable(format!("losses {text}")))
}

/// Reads what the writer's `encode_stages` wrote; stages it did not have yet took no time.
fn stages(bytes: &[u8]) -> StageTimes {
    let mut stages = StageTimes::default();
    let mut bytes = bytes.iter();
    for stage in Stage::ALL {
        let mut micros = 0_u64;
        for shift in (0..35).step_by(7) {
            let Some(byte) = bytes.next() else { return stages };
            micros |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        stages.add(stage, micros);
    }
    stages
}

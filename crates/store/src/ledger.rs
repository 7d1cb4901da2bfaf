//! The ledger: the durable record of calls, as a trait that any database can stand behind.
//!
//! No database's words here. Every read takes the tenant; there is no way to ask across tenants.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;

use stepwell_types::{
    CallId, CallRecord, Code, Dialect, Endpoint, NanoUsd, Outcome, ReplicaId, Tenant, Timestamp,
};

use crate::Error;

/// A future on the heap: what an object-safe async method returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The durable record of calls.
///
/// A call that [`Ledger::ship`] has acknowledged is on disk, is counted in [`Ledger::usage`] exactly once, and is
/// found by every later read. An error from `ship` says nothing was taken, or that it is not known: ship again.
pub trait Ledger: Send + Sync {
    /// Takes calls, all or none, and the checkpoint with them in the same transaction. A call it already has is
    /// left as it is and counted no second time, so batches may overlap, repeat and come in any order.
    fn ship(&self, batch: Arc<Batch>) -> BoxFuture<'_, Result<Shipped, Error>>;

    /// How far a replica's journal had been shipped; none for a replica it never heard of.
    fn checkpoint(&self, replica: ReplicaId) -> BoxFuture<'_, Result<Option<Checkpoint>, Error>>;

    /// A tenant's calls that pass the filter, newest first by id, from after `cursor`. A page may be shorter than
    /// `limit` (filters that match little are answered in bounded steps): the list ends only when
    /// [`Page::next`] is none. `limit` is held to 1..=1,000.
    fn calls<'a>(
        &'a self,
        tenant: &'a Tenant,
        filter: &'a CallFilter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<CallRow>, Error>>;

    /// One call of a tenant with its attempts. None for another tenant's call, as for one that never was.
    fn call<'a>(&'a self, tenant: &'a Tenant, id: CallId)
    -> BoxFuture<'a, Result<Option<CallRecord>, Error>>;

    /// A tenant's sums, from rollups. `since` is rounded down and `until` up to the whole minute (UTC).
    fn usage<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a UsageQuery,
    ) -> BoxFuture<'a, Result<Vec<UsageRow>, Error>>;

    /// Whether it can be written and read now.
    fn health(&self) -> BoxFuture<'_, Result<Health, Error>>;
}

/// A place in a journal: a byte of a segment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Position {
    /// The segment's number.
    pub segment: u64,
    /// Bytes from the segment's start.
    pub offset: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.segment, self.offset)
    }
}

/// How far a replica's journal is in the ledger. It never moves back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// Whose journal.
    pub replica: ReplicaId,
    /// Every final before this place is in the ledger.
    pub shipped: Position,
    /// Reading from here finds all there is to know of the calls that were open at `shipped`.
    pub oldest_open: Position,
}

/// Calls to take, with the checkpoint that holds once they are taken.
#[derive(Debug)]
pub struct Batch {
    /// Calls that have ended.
    pub calls: Vec<CallRecord>,
    /// None where the calls come from elsewhere than a journal.
    pub checkpoint: Option<Checkpoint>,
}

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shipped {
    /// Calls that were new to the ledger.
    pub inserted: usize,
}

/// Which calls to list. An empty filter lists all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CallFilter {
    /// Only calls that began at or after this, to the millisecond.
    pub since: Option<Timestamp>,
    /// Only calls that began before this, to the millisecond.
    pub until: Option<Timestamp>,
    /// Only calls this provider answered, or failed last.
    pub provider: Option<String>,
    /// Only calls this model answered, or failed last.
    pub model: Option<String>,
    /// Only calls to this route.
    pub route: Option<String>,
    /// Only calls that ended so.
    pub outcome: Option<Outcome>,
    /// Only calls answered with a status of this class: 2 for 2xx, 4 for 4xx, …
    pub status_class: Option<u8>,
    /// Only calls of this end user.
    pub user: Option<String>,
    /// Only calls with this tag, by name and value.
    pub tag: Option<(String, String)>,
    /// Only calls that failed with this code.
    pub code: Option<Code>,
}

/// Where a page ends and the next begins. Its text is opaque to clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor(pub(crate) CallId);

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text.parse().map(Self).map_err(|_| Error::BadCursor)
    }
}

/// A part of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// The rows, in the list's order.
    pub rows: Vec<T>,
    /// Where the next page begins; none after the last.
    pub next: Option<Cursor>,
}

/// A call as lists show it: the whole record is behind [`Ledger::call`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallRow {
    /// The call.
    pub id: CallId,
    /// When its head had arrived.
    pub started: Timestamp,
    /// What it asked for.
    pub endpoint: Endpoint,
    /// The caller's dialect.
    pub dialect: Dialect,
    /// Whether the caller asked for a stream.
    pub streamed: bool,
    /// The `model` the caller wrote.
    pub requested_model: Arc<str>,
    /// The route it named, if one.
    pub route: Option<Arc<str>>,
    /// The provider that answered or failed last; none when no attempt was made.
    pub provider: Option<Arc<str>>,
    /// That provider's model.
    pub model: Option<Arc<str>>,
    /// The end user it named, if one.
    pub user: Option<Arc<str>>,
    /// The session it named, if one.
    pub session: Option<Arc<str>>,
    /// Its tags.
    pub tags: Vec<(Arc<str>, Arc<str>)>,
    /// How it ended.
    pub outcome: Outcome,
    /// The error, unless it ended well.
    pub code: Option<Code>,
    /// The HTTP status it was answered with; 0 when none is known to have been.
    pub status: u16,
    /// From its start to its last byte, in microseconds.
    pub duration_us: u64,
    /// From its start to the first content byte sent to the client, in microseconds.
    pub first_token_us: Option<u64>,
    /// How many attempts it took.
    pub attempts: u32,
    /// Input tokens of all attempts.
    pub input_tokens: u64,
    /// Of which read from the provider's cache.
    pub cache_read_tokens: u64,
    /// Output tokens of all attempts.
    pub output_tokens: u64,
    /// Of which reasoning.
    pub reasoning_tokens: u64,
    /// The sum of its attempts' costs; none where any is not known.
    pub cost: Option<NanoUsd>,
    /// What is charged: as `cost`, with an attempt's bound where its cost is not known.
    pub charged: Option<NanoUsd>,
}

/// What rollups can be grouped by. Never by end user: rollups are not kept by user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Dimension {
    /// The tenant.
    Project,
    /// The attempt's provider.
    Provider,
    /// The attempt's model.
    Model,
    /// The route the caller named.
    Route,
    /// The `model` the caller wrote; none for calls no attempt was made for.
    RequestedModel,
    /// What was asked for.
    Endpoint,
    /// The caller's dialect.
    Dialect,
    /// How the call ended.
    Outcome,
    /// The value of the tag of this name.
    Tag(String),
}

impl Dimension {
    /// Its name, as [`Dimension::from_str`] reads it.
    pub fn name(&self) -> String {
        match self {
            Self::Project => "project".to_owned(),
            Self::Provider => "provider".to_owned(),
            Self::Model => "model".to_owned(),
            Self::Route => "route".to_owned(),
            Self::RequestedModel => "requested_model".to_owned(),
            Self::Endpoint => "endpoint".to_owned(),
            Self::Dialect => "dialect".to_owned(),
            Self::Outcome => "outcome".to_owned(),
            Self::Tag(name) => format!("tag:{name}"),
        }
    }
}

impl FromStr for Dimension {
    type Err = &'static str;

    /// Reads a dimension's name; `team` is `project`; any other word, with or without `tag:`, is a tag.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "" | "tag:" => return Err("a dimension needs a name"),
            "user" | "session" => {
                return Err("rollups are not kept by user or session: list the calls instead");
            }
            "project" | "team" => Self::Project,
            "provider" => Self::Provider,
            "model" => Self::Model,
            "route" => Self::Route,
            "requested_model" => Self::RequestedModel,
            "endpoint" => Self::Endpoint,
            "dialect" => Self::Dialect,
            "outcome" => Self::Outcome,
            other => Self::Tag(other.strip_prefix("tag:").unwrap_or(other).to_owned()),
        })
    }
}

/// How the time axis is cut. Steps are whole in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Step {
    /// A row per minute.
    Minute,
    /// A row per hour.
    Hour,
    /// A row per day.
    Day,
    /// One row for the whole range.
    None,
}

/// Which sums to make.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsageQuery {
    /// From the minute this is in.
    pub since: Timestamp,
    /// Up to this, rounded up to the minute.
    pub until: Timestamp,
    /// A row for each combination of these, in this order.
    pub group_by: Vec<Dimension>,
    /// A row for each of these.
    pub step: Step,
}

/// The sums of one group.
///
/// A call is counted once, where the attempt that answered it (or failed last) went; attempts, tokens and money are
/// counted where each attempt went.
#[derive(Clone, PartialEq, Debug)]
pub struct UsageRow {
    /// The start of the step; none when the whole range is one row.
    pub start: Option<Timestamp>,
    /// The group: a value for each dimension of the query, none where the calls have none.
    pub dimensions: Vec<Option<Arc<str>>>,
    /// Calls.
    pub calls: u64,
    /// Attempts.
    pub attempts: u64,
    /// Calls that failed, were cut, or of which nobody knows the end.
    pub failed: u64,
    /// Input tokens, cached ones included.
    pub input_tokens: u64,
    /// Output tokens, reasoning included.
    pub output_tokens: u64,
    /// Input tokens read from the provider's cache.
    pub cache_read_tokens: u64,
    /// Input tokens written to the provider's cache.
    pub cache_write_tokens: u64,
    /// Output tokens spent on reasoning.
    pub reasoning_tokens: u64,
    /// The sum of all costs that are known.
    pub cost: NanoUsd,
    /// The sum of what is charged: costs, and bounds where a cost is not known.
    pub charged: NanoUsd,
    /// Calls whose cost is not known: with any, `cost` is only a part.
    pub unpriced: u64,
    /// The calls' durations; none when no call of the group has one.
    pub latency: Option<Percentiles>,
    /// The calls' times to the first content byte; none when no call of the group has one.
    pub first_token: Option<Percentiles>,
}

/// Quantiles of a time in microseconds, each within 1% of the exact one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Percentiles {
    /// Of how many measurements.
    pub count: u64,
    /// Half took no longer.
    pub p50_us: u64,
    /// 90% took no longer.
    pub p90_us: u64,
    /// 99% took no longer.
    pub p99_us: u64,
}

/// That a ledger can be used, and how large it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    /// Bytes on disk, where the ledger can tell.
    pub bytes: Option<u64>,
    /// The version of its schema.
    pub schema: u32,
}

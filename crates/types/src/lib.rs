//! The words every other crate speaks: ids, money, usage, error codes, time and the record of a call.
//!
//! It never does I/O, never is async and never knows HTTP.

mod clock;
mod code;
mod embedding;
mod failure;
mod id;
mod money;
mod names;
mod record;
mod usage;

pub use clock::{Clock, ManualClock, Moment, SystemClock, Timestamp};
pub use code::{Blame, Code, Retry};
pub use embedding::{EmbeddingFormat, EmbeddingQuirks, PurposeWords};
pub use failure::Failure;
pub use id::{CallId, ReplicaId, Tenant};
pub use money::{MoneyParseError, NanoUsd};
pub use names::{Dialect, Endpoint, TargetName};
pub use record::{
    AttemptRecord, CallRecord, CostStatus, Finish, Intent, Outcome, Stage, StageTimes, Tags, UsageSource,
};
pub use usage::Usage;

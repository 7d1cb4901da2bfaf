//! The life of a call: decode, identify, admit, plan, attempt, settle.
//!
//! It never speaks SQL and never names a provider. Read [`pipeline`] first: it is one function, a line a stage, and
//! each stage is one file in `stages/`. `docs/life-of-a-call.md` tells the same in words.

mod answer;
mod door;
mod headers;
mod models;
mod open_call;
mod passing;
mod pipeline;
mod probe;
mod relay;
mod snapshot;
mod stages;

pub use answer::ReplyBody;
pub use pipeline::{Gateway, RequestBody, Services};
pub use snapshot::{Snapshot, SnapshotError};

//! What was measured: a finished call becomes metrics, a log line and a `server-timing` header.
//!
//! It is the only crate that names a metric, and the only one that sets up logging. It never slows a call to report
//! it, never logs a body or a secret, and never knows the types of what it samples.

mod encode;
mod histogram;
mod logs;
mod metric;
mod metrics;
mod process;
mod reference;
mod sample;
mod server_timing;
mod shard;

pub use logs::{LogControl, LogError, LogFormat, LogPolicy, init_logs, log_call};
pub use metric::{Kind, Metric, Spec, Unit};
pub use metrics::{InFlight, MAX_PAIRS, Metrics};
pub use reference::metrics_reference;
pub use sample::Sample;
pub use server_timing::server_timing;

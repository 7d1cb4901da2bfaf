//! The load generator behind `stepwell bench`: open loop and closed loop, streamed and not, in both dialects.
//!
//! It never knows which server it loads, beyond the two dialects it can speak, and never parses a reply's JSON: it
//! shares the machine with what it measures, so a call must cost it as little as can be.
//!
//! [`run`] does everything: it connects, warms up, measures and gives a [`Report`].

mod client;
mod control;
mod drive;
mod error;
mod options;
mod pace;
mod process;
mod progress;
mod report;
mod request;
mod scan;
mod source;
mod table;
mod tally;

pub use control::run;
pub use error::Error;
pub use options::{ApiKey, Length, LoadOptions, Loop};
pub use progress::{Phase, Progress};
pub use report::{CpuSource, Latency, ProcessReport, Report};

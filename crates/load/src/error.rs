//! Why a run could not be made at all. Calls that fail are counted in the report instead.

use std::io;

/// A run that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The options contradict themselves or cannot be sent.
    #[error("{0}")]
    Options(String),
    /// Not one connection could be opened before the clock started.
    #[error("cannot connect to {address}: {reason}")]
    Unreachable {
        /// The host and port tried.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// A process to be measured is not there, or its figures cannot be read.
    #[error("cannot read the figures of process {pid} from /proc: {source}")]
    Process {
        /// The process.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
    /// A thread or a runtime could not be started.
    #[error("cannot start a load thread: {0}")]
    Thread(#[source] io::Error),
    /// A load thread ended before its work was done.
    #[error("a load thread ended early; its figures are lost")]
    Lost,
}

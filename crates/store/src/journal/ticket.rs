//! What an append gives back: a way to wait until it is on disk.

use std::sync::Arc;

use stepwell_types::Code;
use tokio::sync::watch;

use crate::Position;
use crate::block_on::block_on;

/// Why the journal did not take a record.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JournalError {
    /// There is no room that is not kept for the finals of calls already admitted. It passes when the shipper
    /// catches up, or when the disk has room again.
    #[error("the journal is full: the ledger has not taken its records, or the disk is full")]
    Full,
    /// The disk failed. No call is admitted again before a restart.
    #[error("the journal's disk failed: {0}; no call is admitted before a restart")]
    Failed(Arc<str>),
}

impl JournalError {
    /// The code a caller is answered with.
    pub fn code(&self) -> Code {
        Code::JournalUnavailable
    }
}

/// How much of the journal is on disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durable {
    /// Everything before this.
    pub(crate) position: Position,
    /// Why it will not move any more.
    pub(crate) failed: Option<Arc<str>>,
}

/// A record that has been appended.
#[derive(Clone, Debug)]
#[must_use = "under strict durability the record is only on disk once `durable` says so"]
pub struct Ticket {
    pending: Option<(watch::Receiver<Durable>, Position)>,
}

impl Ticket {
    /// For a record whose durability nobody waits for.
    pub(crate) const fn settled() -> Self {
        Self { pending: None }
    }

    /// For a record that ends at `position`.
    pub(crate) const fn pending(durable: watch::Receiver<Durable>, position: Position) -> Self {
        Self { pending: Some((durable, position)) }
    }

    /// Waits until the record is on disk: at once unless durability is strict.
    ///
    /// # Errors
    /// [`JournalError::Failed`] when it is not known to be on disk and never will be.
    pub async fn durable(self) -> Result<(), JournalError> {
        let Some((mut durable, position)) = self.pending else { return Ok(()) };
        let reached = durable.wait_for(|now| now.position >= position || now.failed.is_some()).await;
        match reached {
            Ok(now) if now.position >= position => Ok(()),
            Ok(now) => Err(JournalError::Failed(now.failed.clone().unwrap_or_default())),
            Err(_) => Err(JournalError::Failed("the journal was closed".into())),
        }
    }

    /// [`Ticket::durable`] for threads that may block.
    ///
    /// # Errors
    /// As [`Ticket::durable`].
    pub fn wait(self) -> Result<(), JournalError> {
        block_on(self.durable())
    }
}

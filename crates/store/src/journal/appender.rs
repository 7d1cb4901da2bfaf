//! One thread's way into the journal: what its tasks append in one turn is written with one system call.
//!
//! A record waits for the tasks that are ready to run, never for a clock: alone, it is written when its task's turn
//! comes again, which is at once. Under load most of what a turn appends shares a write, and threads seldom meet at the
//! journal's lock.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use serde::Serialize;
use stepwell_types::{AttemptRecord, CallId, CallRecord, Intent};

use super::batch::Batch;
use super::frame::Kind;
use super::ticket::{JournalError, Ticket};
use super::v1::{AttemptV1, CallV1, IntentV1};
use super::{Journal, Shared};

/// A worker's way into the journal. All records of a call must go the same way: only then do they stand in order.
pub struct Appender {
    journal: Arc<Journal>,
    desk: Mutex<Desk>,
}

/// What is not written yet, and what became of the rest.
struct Desk {
    batch: Batch,
    /// The number of the first record in the batch. Records are numbered as they come.
    first: u64,
    /// Records that were not taken, until their tasks ask.
    refused: Vec<(u64, JournalError)>,
    /// For what was written last.
    ticket: Ticket,
}

impl Appender {
    /// A way into `journal`, for the tasks of one thread.
    pub fn new(journal: Arc<Journal>) -> Self {
        let desk = Desk { batch: Batch::new(), first: 0, refused: Vec::new(), ticket: Ticket::settled() };
        Self { journal, desk: Mutex::new(desk) }
    }

    /// Records that an attempt is about to be sent, with room kept for whatever can follow, and waits until it is as
    /// durable as it is to be. Dropped before, it is recorded all the same.
    ///
    /// # Errors
    /// [`JournalError`] when the attempt must not be sent, because its end could not be recorded.
    pub async fn intent(&self, intent: &Intent) -> Result<(), JournalError> {
        let number = self.push(Kind::Intent, intent.call, &IntentV1::from(intent))?;
        self.written(number).await?.durable().await
    }

    /// Records the end of a call, with all its attempts or those not recorded before. Dropped before it is done, it is
    /// recorded all the same.
    ///
    /// # Errors
    /// [`JournalError::Failed`] when the disk refuses to take it; [`JournalError::Full`] only for a call that had
    /// no intent.
    pub async fn call(&self, call: &CallRecord) -> Result<(), JournalError> {
        let number = self.push(Kind::Call, call.id, &CallV1::from(call))?;
        self.written(number).await.map(drop)
    }

    /// [`Appender::call`] where nothing can be waited for: it is written on the spot.
    ///
    /// # Errors
    /// As [`Appender::call`].
    pub fn call_now(&self, call: &CallRecord) -> Result<(), JournalError> {
        let number = self.push(Kind::Call, call.id, &CallV1::from(call))?;
        self.write_now(number)
    }

    /// Records how an attempt failed when another follows, on the spot. The call's final may hold it again.
    ///
    /// # Errors
    /// [`JournalError::Failed`] when the disk refuses to take it.
    pub fn attempt_now(&self, call: CallId, attempt: &AttemptRecord) -> Result<(), JournalError> {
        let number = self.push(Kind::Attempt, call, &AttemptV1::from(attempt))?;
        self.write_now(number)
    }

    fn push<V: Serialize>(&self, kind: Kind, call: CallId, record: &V) -> Result<u64, JournalError> {
        let mut desk = self.desk.lock();
        desk.batch.push(kind, call, record)?;
        Ok(desk.next() - 1)
    }

    /// Refusals that no task has asked for.
    #[cfg(test)]
    pub(super) fn unasked(&self) -> usize {
        self.desk.lock().refused.len()
    }

    const fn written(&self, number: u64) -> Written<'_> {
        Written { appender: self, number, gave_way: false, is_known: false }
    }

    fn write_now(&self, number: u64) -> Result<(), JournalError> {
        let mut desk = self.desk.lock();
        desk.write(&self.journal.shared);
        desk.outcome(number).map(drop)
    }
}

impl Desk {
    /// The number of the record that comes next.
    fn next(&self) -> u64 {
        self.first + self.batch.len() as u64
    }

    /// Writes what has gathered.
    fn write(&mut self, journal: &Shared) {
        let Self { batch, first, refused, ticket } = self;
        *ticket = journal.append(batch, |place, error| refused.push((*first + place as u64, error)));
        *first += batch.len() as u64;
        batch.clear();
    }

    /// What became of a record that is not in the batch any more. To be asked once.
    fn outcome(&mut self, number: u64) -> Result<Ticket, JournalError> {
        match self.refused.iter().position(|(refused, _)| *refused == number) {
            Some(place) => Err(self.refused.swap_remove(place).1),
            None => Ok(self.ticket.clone()),
        }
    }
}

/// Waits until a record is written: by another's task, or by its own at its next turn.
struct Written<'a> {
    appender: &'a Appender,
    number: u64,
    gave_way: bool,
    is_known: bool,
}

impl Future for Written<'_> {
    type Output = Result<Ticket, JournalError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut desk = self.appender.desk.lock();
        if desk.first <= self.number {
            if !self.gave_way {
                drop(desk);
                self.gave_way = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            desk.write(&self.appender.journal.shared);
        }
        let outcome = desk.outcome(self.number);
        drop(desk);
        self.is_known = true;
        Poll::Ready(outcome)
    }
}

impl Drop for Written<'_> {
    /// Its task is gone. The record stands, in order: what the call appends next must not come before it.
    fn drop(&mut self) {
        if !self.is_known {
            let mut desk = self.appender.desk.lock();
            if desk.first <= self.number {
                desk.write(&self.appender.journal.shared);
            }
            if let Err(error) = desk.outcome(self.number) {
                tracing::error!(%error, "a record whose task is gone could not be journalled");
            }
        }
    }
}

//! Bodies of replies: whole, or event by event at a pace, with whatever is scripted to go wrong on the way.
//!
//! A body that is not paced is handed over in bursts; nothing is copied on the way to the socket.

use std::convert::Infallible;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::oracle::Ended;
use crate::reply::Mark;
use crate::socket::{HangUp, Line};
use crate::state::Account;

/// The body of a reply.
pub(crate) enum ReplyBody {
    /// All at once, with its length.
    Whole(Bytes),
    /// Event by event.
    Script(Box<Script>),
}

/// How a scripted body ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tail {
    /// As a body does.
    Proper(Ended),
    /// By hanging up, because of a fault.
    HangUp(HangUp),
}

/// A pause in a scripted body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stall {
    /// After so many events.
    pub(crate) after: usize,
    /// For how long; for ever if none.
    pub(crate) pause: Option<Duration>,
}

/// When content is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pace {
    /// The first.
    pub(crate) first: Instant,
    /// Each further one after the one before.
    pub(crate) every: Duration,
}

/// A body that is sent event by event.
pub(crate) struct Script {
    /// All events.
    pub(crate) bytes: Bytes,
    /// Where each ends.
    pub(crate) marks: Vec<Mark>,
    /// When they are due; at once if none.
    pub(crate) pace: Option<Pace>,
    /// A pause.
    pub(crate) stall: Option<Stall>,
    /// How it ends.
    pub(crate) tail: Tail,
    /// Bytes that are gathered into one chunk.
    pub(crate) burst: usize,
    /// Reasoning tokens of the whole reply.
    pub(crate) reasoning: u32,
    /// Whether output tokens are counted as events are sent.
    pub(crate) metered: bool,
    /// The connection.
    pub(crate) line: Line,
    /// The account.
    pub(crate) account: Option<Account>,
    /// Progress; begins as the default.
    pub(crate) progress: Progress,
}

/// How far a scripted body has come.
#[derive(Default)]
pub(crate) struct Progress {
    /// Events sent.
    events: usize,
    /// Bytes sent.
    bytes: usize,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Script(script) => {
                script.poll_chunk(context).map(|chunk| chunk.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
            Self::Script(_) => SizeHint::default(),
        }
    }
}

impl Script {
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(stall) = self.stall.filter(|stall| stall.after == self.progress.events) {
                let Some(pause) = stall.pause else { return Poll::Pending };
                ready!(self.poll_until(Instant::now() + pause, context));
                self.stall = None;
                self.delay_rest(pause);
            }
            if self.progress.events >= self.marks.len() {
                return self.poll_end();
            }
            let due = self.due();
            if due > self.progress.events {
                return Poll::Ready(Some(self.take(due)));
            }
            let at = self.deadline(self.progress.events);
            ready!(self.poll_until(at.unwrap_or_else(Instant::now), context));
        }
    }

    /// Waits for the first deadline asked for; later calls wait for the same one until it is over.
    fn poll_until(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        let timer = self.progress.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        ready!(timer.as_mut().poll(context));
        self.progress.timer = None;
        Poll::Ready(())
    }

    /// A pause moves everything behind it.
    fn delay_rest(&mut self, pause: Duration) {
        if let Some(pace) = &mut self.pace {
            pace.first += pause;
        }
    }

    /// When an event is due.
    fn deadline(&self, event: usize) -> Option<Instant> {
        let pace = self.pace?;
        let step = self.marks.get(event)?.step.checked_sub(1)?;
        Some(pace.first + pace.every.saturating_mul(step))
    }

    /// The events that may go in one chunk now, counted from the first of all.
    fn due(&self) -> usize {
        let mut events = self.progress.events;
        let stop = self.stall.map_or(self.marks.len(), |stall| stall.after.min(self.marks.len()));
        let now = self.pace.map(|_| Instant::now());
        while let Some(mark) = self.marks[..stop].get(events) {
            let early = now.is_some_and(|now| self.deadline(events).is_some_and(|deadline| deadline > now));
            let full = events > self.progress.events && mark.end - self.progress.bytes > self.burst;
            if early || full {
                break;
            }
            events += 1;
        }
        events
    }

    fn take(&mut self, events: usize) -> Bytes {
        let Some(mark) = events.checked_sub(1).and_then(|last| self.marks.get(last)).copied() else {
            return Bytes::new();
        };
        let chunk = self.bytes.slice(self.progress.bytes..mark.end);
        self.progress.bytes = mark.end;
        self.progress.events = events;
        if let (true, Some(account)) = (self.metered, &mut self.account) {
            account.generated(mark.tokens, self.reasoning);
        }
        if let (true, Tail::Proper(ended)) = (events == self.marks.len(), self.tail) {
            self.close(ended);
        }
        chunk
    }

    fn poll_end(&mut self) -> Poll<Option<Bytes>> {
        match self.tail {
            Tail::Proper(ended) => {
                self.close(ended);
                Poll::Ready(None)
            }
            Tail::HangUp(how) => {
                // What was sent is flushed when this waits, and then the socket hangs up.
                self.line.hang_up(how);
                self.close(Ended::CutByFault);
                Poll::Pending
            }
        }
    }

    fn close(&mut self, ended: Ended) {
        let Some(mut account) = self.account.take() else { return };
        account.note(|row| {
            if row.fault == Some("stream-error") && row.tokens.output == 0 {
                row.billed = false;
            }
        });
        account.close(ended);
    }
}

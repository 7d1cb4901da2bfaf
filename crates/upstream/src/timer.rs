//! How long a call waits for its provider.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::Error;

/// The deadline of a call and the patience of its present step. It counts only while the call waits, and progress costs
/// it nothing: an alarm that goes off too early is set again.
pub(crate) struct Timer {
    deadline: Instant,
    patience: Duration,
    /// When the patience is over: it begins with the first wait.
    expected: Option<Instant>,
}

/// Wakes a task, now or somewhat too early.
#[derive(Default)]
pub(crate) struct Alarm(Option<Pin<Box<Sleep>>>);

/// Which of the two ran out.
pub(crate) enum Expired {
    Patience(Duration),
    Deadline,
}

impl Expired {
    pub(crate) fn into_error(self, of_patience: fn(u128) -> Error) -> Error {
        match self {
            Self::Patience(patience) => of_patience(patience.as_millis()),
            Self::Deadline => Error::Deadline,
        }
    }
}

impl Timer {
    pub(crate) fn new(deadline: Instant) -> Self {
        Self { deadline, patience: Duration::MAX, expected: Some(deadline) }
    }

    /// Begins a step that may be waited for as long as `patience`.
    pub(crate) fn expect_within(&mut self, patience: Duration) {
        self.patience = patience;
        self.expected = None;
    }

    /// Waits with `alarm` until time has run out.
    pub(crate) fn poll(&mut self, alarm: &mut Alarm, cx: &mut Context<'_>) -> Poll<Expired> {
        let patience = self.patience;
        let expected = *self.expected.get_or_insert_with(|| Instant::now() + patience);
        alarm
            .poll(expected.min(self.deadline), cx)
            .map(|()| if self.deadline <= expected { Expired::Deadline } else { Expired::Patience(patience) })
    }
}

impl Alarm {
    fn poll(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        loop {
            if sleep.deadline() > due {
                sleep.as_mut().reset(due);
            }
            std::task::ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= due {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due);
        }
    }
}

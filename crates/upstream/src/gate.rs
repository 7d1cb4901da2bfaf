//! A waker that does not wake whoever is already awake.
//!
//! A connection's parts talk to each other over channels, and each message wakes the task that holds both ends: the
//! very task that is running. Without a gate every such wake-up costs another poll of the whole call. With it, what
//! wakes while the connection is polled is polled again on the spot, and only what happens outside (bytes, timers)
//! wakes the task.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;

/// How often in a row the connection is polled before others get their turn.
const TURNS: usize = 32;

/// The gate of one connection.
pub(crate) struct Gate {
    inner: Arc<Inner>,
    waker: Waker,
}

struct Inner {
    /// Who is to be woken from outside.
    task: Mutex<Waker>,
    polling: AtomicBool,
    woken: AtomicBool,
}

impl Wake for Inner {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        if !self.polling.load(Ordering::SeqCst) {
            self.task.lock().wake_by_ref();
        }
    }
}

impl Gate {
    pub(crate) fn new() -> Self {
        let inner = Arc::new(Inner {
            task: Mutex::new(Waker::noop().clone()),
            polling: AtomicBool::new(false),
            woken: AtomicBool::new(false),
        });
        Self { waker: Waker::from(Arc::clone(&inner)), inner }
    }

    /// Does something whose wake-ups need not be heard: the caller polls right after.
    pub(crate) fn hush<T>(&self, step: impl FnOnce() -> T) -> T {
        self.inner.polling.store(true, Ordering::SeqCst);
        let result = step();
        self.inner.polling.store(false, Ordering::SeqCst);
        result
    }

    /// Polls `step` until it is ready or nothing has woken it meanwhile.
    pub(crate) fn pass<T>(
        &self,
        cx: &Context<'_>,
        mut step: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        {
            let mut task = self.inner.task.lock();
            if !task.will_wake(cx.waker()) {
                task.clone_from(cx.waker());
            }
        }
        self.inner.polling.store(true, Ordering::SeqCst);
        let mut gated = Context::from_waker(&self.waker);
        let mut polled = Poll::Pending;
        for _ in 0..TURNS {
            self.inner.woken.store(false, Ordering::SeqCst);
            polled = step(&mut gated);
            if polled.is_ready() || !self.inner.woken.load(Ordering::SeqCst) {
                break;
            }
        }
        self.inner.polling.store(false, Ordering::SeqCst);
        // Woken too often, or from another thread after the last look: the task comes back.
        if polled.is_pending() && self.inner.woken.load(Ordering::SeqCst) {
            cx.waker().wake_by_ref();
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn what_wakes_while_it_is_polled_is_polled_again_without_waking_the_task() {
        let counter = Arc::new(Counter::default());
        let waker = Waker::from(Arc::clone(&counter));
        let gate = Gate::new();
        let mut polls = 0;
        let polled = gate.pass(&Context::from_waker(&waker), |cx| {
            polls += 1;
            if polls < 3 {
                cx.waker().wake_by_ref();
            }
            Poll::<()>::Pending
        });
        assert_eq!((polled, polls), (Poll::Pending, 3));
        assert_eq!(counter.0.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn what_wakes_from_outside_wakes_the_task_that_polled_last() {
        let (first, second) = (Arc::new(Counter::default()), Arc::new(Counter::default()));
        let gate = Gate::new();
        let mut kept = None;
        for counter in [&first, &second] {
            let waker = Waker::from(Arc::clone(counter));
            let polled = gate.pass(&Context::from_waker(&waker), |cx| {
                kept = Some(cx.waker().clone());
                Poll::<()>::Pending
            });
            assert!(polled.is_pending());
        }
        kept.unwrap().wake();
        assert_eq!((first.0.load(Ordering::SeqCst), second.0.load(Ordering::SeqCst)), (0, 1));
    }

    #[test]
    fn one_that_always_wakes_itself_gives_way_to_others() {
        let counter = Arc::new(Counter::default());
        let waker = Waker::from(Arc::clone(&counter));
        let polled = Gate::new().pass(&Context::from_waker(&waker), |cx| {
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        assert!(polled.is_pending());
        assert_eq!(counter.0.load(Ordering::SeqCst), 1);
    }
}

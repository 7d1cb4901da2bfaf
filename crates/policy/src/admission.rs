//! Whether there is room for one more call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use stepwell_types::{Code, Failure};

/// When a refused caller should come back: long enough for a burst to pass.
const COME_BACK: Duration = Duration::from_secs(1);

/// Counts the calls in flight and refuses what is over the bound, or anything while draining.
#[derive(Debug)]
pub struct Admission {
    in_flight: AtomicUsize,
    most: usize,
    draining: AtomicBool,
    cutting: AtomicBool,
}

/// A place among the calls in flight, given back when dropped.
#[derive(Debug)]
pub struct Permit(Arc<Admission>);

impl Admission {
    /// Room for `most` calls at once.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            in_flight: AtomicUsize::new(0),
            most,
            draining: AtomicBool::new(false),
            cutting: AtomicBool::new(false),
        })
    }

    /// Takes a place: `overloaded` if there is none.
    pub fn enter(self: &Arc<Self>) -> Result<Permit, Failure> {
        if self.in_flight.fetch_add(1, Ordering::Relaxed) >= self.most {
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
            let message = format!("all {} places for calls are taken: try again later", self.most);
            return Err(Failure::new(Code::Overloaded, message).retry_after(COME_BACK));
        }
        Ok(Permit(Arc::clone(self)))
    }

    /// From now on the server is shutting down: `/readyz` says so. Calls that still arrive are served until their
    /// connections are closed.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether the server is shutting down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// The drain timeout is over: a call that is dropped from now on was cut by the server, not left by its client.
    pub fn cut(&self) {
        self.cutting.store(true, Ordering::Release);
    }

    /// Whether the drain timeout is over.
    pub fn is_cutting(&self) -> bool {
        self.cutting.load(Ordering::Acquire)
    }

    /// How many calls are in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_over_the_bound_is_refused_until_another_ends() {
        let admission = Admission::new(2);
        let first = admission.enter().unwrap();
        let second = admission.enter().unwrap();
        let refused = admission.enter().unwrap_err();
        assert_eq!(refused.code, Code::Overloaded);
        assert!(refused.retry_after.is_some());
        drop(first);
        let third = admission.enter().unwrap();
        assert_eq!(admission.in_flight(), 2);
        drop((second, third));
        assert_eq!(admission.in_flight(), 0);
    }
}

//! Threads that can wait: what they do is not on any call's path.

/// How much weaker than a worker: about a third of its share of a busy core. Enough to keep up with what the workers can
/// record at their busiest, so that the journal does not fill while calls are served.
const WEAKER: i32 = 5;

/// Lets the threads that serve calls go first when the cores are all busy. Where the system does not allow it nothing
/// is lost but some latency.
pub(crate) fn calls_first() {
    if let Err(error) = rustix::process::nice(WEAKER) {
        tracing::debug!(%error, "a background thread keeps its usual priority");
    }
}

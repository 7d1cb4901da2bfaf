//! Signals: stop, and reload.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask the process to stop: SIGTERM, and SIGINT from a terminal. One value serves as long as the process:
/// a signal that comes while nobody waits for it is there for the next who does.
pub(crate) struct StopSignals(Option<(Signal, Signal)>);

impl StopSignals {
    /// Listens from now on.
    pub(crate) fn listen() -> Self {
        let signals = signal(SignalKind::terminate()).and_then(|terminate| {
            let interrupt = signal(SignalKind::interrupt())?;
            Ok((terminate, interrupt))
        });
        if let Err(error) = &signals {
            tracing::warn!(
                %error,
                "signals cannot be handled here: stop the process by killing it, nothing recorded is lost"
            );
        }
        Self(signals.ok())
    }

    /// Resolves when the process is asked to stop once more.
    pub(crate) async fn next(&mut self) {
        let Some((terminate, interrupt)) = &mut self.0 else { return std::future::pending().await };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// Calls `on_hangup` at each SIGHUP.
pub(crate) async fn on_hangup(mut on_hangup: impl FnMut()) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        on_hangup();
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    #[tokio::test]
    async fn a_signal_that_comes_while_nobody_waits_is_not_lost() {
        let mut signals = StopSignals::listen();
        for _ in 0..2 {
            kill_process(getpid(), Signal::TERM).unwrap();
            signals.next().await;
        }
    }
}

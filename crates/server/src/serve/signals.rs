//! Signals: stop, and reload.

use tokio::signal::unix::{SignalKind, signal};

/// Resolves when the process is asked to stop: SIGTERM, or SIGINT from a terminal.
pub(crate) async fn asked_to_stop() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::warn!(
            "signals cannot be handled here: stop the process by killing it, nothing recorded is lost"
        );
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Calls `on_hangup` at each SIGHUP.
pub(crate) async fn on_hangup(mut on_hangup: impl FnMut()) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        on_hangup();
    }
}

//! One client connection, and the watch over it.
//!
//! Timeouts of connections cost a call nothing: a connection notes what it is doing, and once a second its worker ends
//! those that have been doing it for too long.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use stepwell_config::{ServerSettings, Settings};
use stepwell_gateway::{Gateway, ReplyBody};
use stepwell_http1::Room;
use stepwell_http1::server::{self, Limits, Request};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// What a connection is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Phase {
    /// Nothing has come yet.
    Fresh,
    /// The head of a request is coming.
    Head,
    /// A call is served.
    Busy,
    /// A call is served, and the client takes nothing of its reply.
    Stuck,
    /// A reply has ended, though the last of it may still be on its way, and no other request has begun.
    Idle,
}

impl Phase {
    const ALL: [Self; 5] = [Self::Fresh, Self::Head, Self::Busy, Self::Stuck, Self::Idle];
}

/// What a connection is doing and since which second of its worker.
pub(super) struct Watch {
    phase: AtomicU8,
    since: AtomicU32,
    /// The worker's seconds.
    ticks: Arc<AtomicU32>,
}

impl Watch {
    pub(super) fn new(ticks: &Arc<AtomicU32>) -> Arc<Self> {
        let since = AtomicU32::new(ticks.load(Ordering::Relaxed));
        Arc::new(Self { phase: AtomicU8::new(Phase::Fresh as u8), since, ticks: Arc::clone(ticks) })
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.since.store(self.ticks.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    fn phase(&self) -> Phase {
        Phase::ALL[usize::from(self.phase.load(Ordering::Relaxed)) % Phase::ALL.len()]
    }

    /// Notes whether the client took what was written. A reply that nobody reads is not polled, and so has no other
    /// deadline than this; one that is read slowly is not idle.
    fn note_write(&self, is_taken: bool) {
        match (self.phase(), is_taken) {
            (Phase::Busy, false) => self.enter(Phase::Stuck),
            (Phase::Stuck, true) => self.enter(Phase::Busy),
            (Phase::Idle, true) => self.enter(Phase::Idle),
            _ => {}
        }
    }

    /// Whether the connection has been at what it does for longer than it may. A call under way has deadlines of its
    /// own.
    pub(super) fn is_overdue(&self, settings: &ServerSettings) -> bool {
        let allowed = match self.phase() {
            Phase::Fresh => settings.first_byte_timeout,
            Phase::Head => settings.header_timeout,
            Phase::Stuck | Phase::Idle => settings.idle_timeout,
            Phase::Busy => return false,
        };
        let now = self.ticks.load(Ordering::Relaxed);
        u64::from(now.wrapping_sub(self.since.load(Ordering::Relaxed))) > allowed.as_secs()
    }
}

/// Serves a connection until it ends; after `stop` it ends with the reply under way.
pub(super) async fn serve(
    stream: TcpStream,
    gateway: Arc<Gateway>,
    watch: Arc<Watch>,
    settings: Arc<Settings>,
    room: Room,
    stop: CancellationToken,
) {
    let limits = Limits { headers: settings.server.header_count, head: settings.server.header_limit };
    let handle = |request: Request<Watched>| {
        let gateway = Arc::clone(&gateway);
        let watch = Arc::clone(&watch);
        async move {
            watch.enter(Phase::Busy);
            let response = gateway.serve(request.head, request.body).await;
            response.map(|body| Watching { body, watch })
        }
    };
    let stream = Watched { stream, watch: Arc::clone(&watch) };
    if let Err(error) = server::serve(stream, limits, room, handle, stop.cancelled()).await {
        tracing::debug!(%error, "connection ended by an error");
    }
}

/// A socket that notes when the head of a request begins, and when the client takes nothing.
struct Watched {
    stream: TcpStream,
    watch: Arc<Watch>,
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before && matches!(this.watch.phase(), Phase::Fresh | Phase::Idle) {
            this.watch.enter(Phase::Head);
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.watch.note_write(written.is_ready());
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.watch.note_write(written.is_ready());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// A reply that notes its end.
struct Watching {
    body: ReplyBody,
    watch: Arc<Watch>,
}

impl Body for Watching {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.watch.enter(Phase::Idle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_overdue_only_while_it_waits_for_the_client() {
        let ticks = Arc::new(AtomicU32::new(0));
        let watch = Watch::new(&ticks);
        let settings = ServerSettings::default();
        assert!(!watch.is_overdue(&settings));
        ticks.store(100_000, Ordering::Relaxed);
        assert!(watch.is_overdue(&settings), "nothing has come");
        watch.enter(Phase::Busy);
        ticks.store(900_000, Ordering::Relaxed);
        assert!(!watch.is_overdue(&settings), "a call is served");
        watch.enter(Phase::Idle);
        assert!(!watch.is_overdue(&settings), "it has just become idle");
        ticks.store(1_000_000, Ordering::Relaxed);
        watch.note_write(true);
        assert!(!watch.is_overdue(&settings), "the last of a reply has just been taken");
    }

    #[test]
    fn a_reply_nobody_reads_is_overdue_and_one_read_slowly_is_not() {
        let ticks = Arc::new(AtomicU32::new(0));
        let watch = Watch::new(&ticks);
        let settings = ServerSettings::default();
        watch.enter(Phase::Busy);
        watch.note_write(false);
        ticks.store(70, Ordering::Relaxed);
        watch.note_write(true);
        watch.note_write(false);
        ticks.store(140, Ordering::Relaxed);
        assert!(!watch.is_overdue(&settings), "something was taken in between");
        ticks.store(150, Ordering::Relaxed);
        assert!(watch.is_overdue(&settings));
    }
}

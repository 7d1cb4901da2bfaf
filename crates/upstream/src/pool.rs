//! A worker's connections to providers.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use parking_lot::Mutex;
use stepwell_http1::Room;
use stepwell_http1::client::Request;
use tokio::time::Instant;

use crate::connection::Connection;
use crate::origin::OriginKey;
use crate::timer::Timer;
use crate::{Error, Exchange, Origin, Tls};

/// How long an idle connection is kept, between two looks at it: shorter than the keep-alive of most servers in the field
/// (60 s) by more than the few seconds between a connection's last use and the first look, so that it is seldom the
/// provider who closes first.
const IDLE: Duration = Duration::from_secs(45);

/// The bounds of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// To resolve the name and connect.
    pub connect: Duration,
    /// To shake hands.
    pub tls: Duration,
    /// From sending the request to the head of the reply.
    pub first_byte: Duration,
    /// Between two pieces of the reply.
    pub idle: Duration,
    /// Connections one worker may have open to one origin.
    pub connections: usize,
}

/// One worker's client: its connections, kept apart from other workers' so that no call waits for another thread.
pub struct Upstream {
    tls: Tls,
    origins: Mutex<HashMap<OriginKey, Arc<Slot>>>,
    pub(crate) room: Room,
}

/// A worker's connections to one origin.
#[derive(Default)]
pub(crate) struct Slot {
    /// The one used last comes first: what is not needed grows old and is closed.
    idle: Mutex<Vec<Idle>>,
    open: Arc<AtomicUsize>,
}

struct Idle {
    connection: Connection,
    /// When it was first seen idle: not by the call that gave it back, which has no use for the time.
    seen: Option<Instant>,
}

/// Counts an open connection for as long as it lives.
pub(crate) struct Lease(Arc<AtomicUsize>);

impl Lease {
    fn take(open: &Arc<AtomicUsize>, most: usize) -> Result<Self, Error> {
        if open.fetch_add(1, Ordering::Relaxed) >= most {
            open.fetch_sub(1, Ordering::Relaxed);
            return Err(Error::PoolFull(most));
        }
        Ok(Self(Arc::clone(open)))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Upstream {
    /// A client without connections, which reads into `room`.
    pub fn new(tls: Tls, room: Room) -> Arc<Self> {
        Arc::new(Self { tls, origins: Mutex::new(HashMap::new()), room })
    }

    /// Sends a request and waits for the head of its reply, until `deadline` at the latest.
    ///
    /// Dropping the future, or the exchange it gives, closes the connection: that is how a call is cancelled.
    pub async fn send(
        self: &Arc<Self>,
        origin: &Origin,
        request: Request,
        limits: &Limits,
        deadline: Instant,
    ) -> Result<Exchange, Error> {
        let slot = Arc::clone(self.origins.lock().entry(origin.key()).or_default());
        let mut connection = match slot.reuse().await {
            Some(connection) => connection,
            None => self.open(&slot, origin, limits, deadline).await?,
        };
        let mut timer = Timer::new(deadline);
        timer.expect_within(limits.first_byte);
        connection.http.begin(request);
        let head = poll_fn(|cx| {
            if let Poll::Ready(head) = connection.http.poll_head(cx, &mut self.room.enter()) {
                return Poll::Ready(head.map_err(Error::NoReply));
            }
            timer
                .poll(&mut connection.alarm, cx)
                .map(|expired| Err(expired.into_error(Error::FirstByteTimeout)))
        })
        .await?;
        timer.expect_within(limits.idle);
        Ok(Exchange::new(Arc::clone(self), slot, connection, head, timer, limits.idle))
    }

    /// Closes connections that have been idle for too long. To be called every few seconds.
    pub fn close_idle(&self) {
        let now = Instant::now();
        let mut old = Vec::new();
        for slot in self.origins.lock().values() {
            let is_old = |idle: &mut Idle| now.duration_since(*idle.seen.get_or_insert(now)) >= IDLE;
            old.extend(slot.idle.lock().extract_if(.., is_old));
        }
        // Dropped, and so closed, here: not under the lock.
        drop(old);
    }

    /// How many connections are open, in use or idle.
    pub fn connections(&self) -> usize {
        self.origins.lock().values().map(|slot| slot.open.load(Ordering::Relaxed)).sum()
    }

    async fn open(
        &self,
        slot: &Slot,
        origin: &Origin,
        limits: &Limits,
        deadline: Instant,
    ) -> Result<Connection, Error> {
        let lease = Lease::take(&slot.open, limits.connections)?;
        let opening = Connection::open(origin, &self.tls.0, limits, lease);
        tokio::time::timeout_at(deadline, opening).await.map_err(|_| Error::Deadline)?
    }
}

impl Slot {
    /// A connection that is open and free.
    async fn reuse(&self) -> Option<Connection> {
        loop {
            let idle = self.idle.lock().pop()?;
            let mut connection = idle.connection;
            if poll_fn(|cx| Poll::Ready(connection.http.is_reusable(cx))).await {
                return Some(connection);
            }
        }
    }

    pub(crate) fn give_back(&self, connection: Connection) {
        self.idle.lock().push(Idle { connection, seen: None });
    }
}

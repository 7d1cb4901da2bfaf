//! Clients that call without a pause, through every kill, and remember what each call showed them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::{sleep, timeout};

use super::http::{self, Connection};
use super::process::Gateway;
use super::request::{self, Plan};

/// How long a client waits before it connects again.
const AGAIN: Duration = Duration::from_millis(3);
/// How long a call may take: only what hangs takes so long.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a client saw of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Seen {
    /// It is under way.
    Open,
    /// A whole answer with this status.
    Answer(u16),
    /// A stream with its terminal event.
    Stream,
    /// A stream with an error event.
    ErrorEvent,
    /// The client left.
    Left,
    /// The connection broke.
    Broken,
}

/// When a process was killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Life {
    /// After it had been ready.
    Serving,
    /// While it started.
    Starting,
    /// After it had been asked to stop, if it had not stopped by then.
    Stopping,
}

/// A call as its client knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    /// Which process it went to: how many had been killed before.
    pub(super) life: usize,
    /// What the client saw.
    pub(super) seen: Seen,
}

/// A kill.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kill {
    /// When in the process's life.
    pub(super) life: Life,
    /// Calls whose clients waited when it was gone: no call begins between this count and its end.
    pub(super) in_flight: usize,
    /// Calls to it whose clients had left before: it may still have been at them.
    pub(super) left: usize,
}

/// Everything the clients know.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The calls, by number.
    pub(super) calls: Vec<Call>,
    /// The kills, in order.
    pub(super) kills: Vec<Kill>,
    open: usize,
    left: usize,
}

/// The clients.
pub(super) struct Load {
    log: Mutex<Log>,
    address: SocketAddr,
    stop: AtomicBool,
    clients: Mutex<JoinSet<()>>,
}

impl Load {
    /// Starts so many clients.
    pub(super) fn start(address: SocketAddr, clients: usize, random: &mut fastrand::Rng) -> Arc<Self> {
        let load = Arc::new(Self {
            log: Mutex::default(),
            address,
            stop: AtomicBool::new(false),
            clients: Mutex::new(JoinSet::new()),
        });
        let mut running = load.clients.try_lock().unwrap();
        for _ in 0..clients {
            running.spawn(Arc::clone(&load).client(random.fork()));
        }
        drop(running);
        load
    }

    /// Kills a process. No call begins meanwhile.
    pub(super) async fn kill(&self, mut gateway: Gateway, life: Life) {
        let mut log = self.log.lock().await;
        block_in_place(
            || if life == Life::Stopping { gateway.kill_unless_stopped() } else { gateway.kill() },
        );
        let kill = Kill { life, in_flight: log.open, left: std::mem::take(&mut log.left) };
        log.kills.push(kill);
    }

    /// Waits until every client's last call has ended; answers what they know.
    pub(super) async fn stop(&self) -> Log {
        self.stop.store(true, Ordering::Relaxed);
        let mut clients = self.clients.lock().await;
        while let Some(ended) = clients.join_next().await {
            ended.unwrap();
        }
        std::mem::take(&mut *self.log.lock().await)
    }

    async fn client(self: Arc<Self>, mut random: fastrand::Rng) {
        let host = self.address.to_string();
        let mut idle = None;
        while !self.stop.load(Ordering::Relaxed) {
            let connection = match idle.take() {
                Some(connection) => Some(connection),
                None => Connection::open(self.address).await,
            };
            let Some(mut connection) = connection else {
                sleep(AGAIN).await;
                continue;
            };
            let number = self.begin().await;
            let plan = request::any(&mut random, number, &host);
            let seen = call(&mut connection, plan).await;
            if matches!(seen, Seen::Answer(_) | Seen::Stream | Seen::ErrorEvent) {
                idle = Some(connection);
            } else {
                drop(connection);
            }
            self.end(number, seen).await;
        }
    }

    async fn begin(&self) -> usize {
        let mut log = self.log.lock().await;
        let life = log.kills.len();
        log.calls.push(Call { life, seen: Seen::Open });
        log.open += 1;
        log.calls.len() - 1
    }

    async fn end(&self, number: usize, seen: Seen) {
        let mut log = self.log.lock().await;
        let lives = log.kills.len();
        log.calls[number].seen = seen;
        log.open -= 1;
        if seen == Seen::Left && log.calls[number].life == lives {
            log.left += 1;
        }
    }
}

/// Makes a call; a client without patience leaves it.
async fn call(connection: &mut Connection, mut plan: Plan) -> Seen {
    match plan.patience.take() {
        Some(patience) => timeout(patience, answer(connection, plan)).await.unwrap_or(Seen::Left),
        None => timeout(PATIENCE, answer(connection, plan)).await.expect("a call hangs"),
    }
}

async fn answer(connection: &mut Connection, plan: Plan) -> Seen {
    let Plan { request, dialect, streamed, .. } = plan;
    let Ok(response) = connection.send(request).await else { return Seen::Broken };
    let status = response.status().as_u16();
    let mut body = Vec::new();
    let ended = http::read(response.into_body(), &mut body).await;
    if !streamed || status != 200 {
        return if ended.is_ok() { Seen::Answer(status) } else { Seen::Broken };
    }
    let is_complete = request::is_complete(dialect, &body);
    let has_error = request::has_error(dialect, &body);
    assert!(
        ended.is_err() || is_complete != has_error,
        "a stream ended with both a terminal and an error event, or neither: {}",
        String::from_utf8_lossy(&body)
    );
    match (is_complete, has_error) {
        (true, _) => Seen::Stream,
        (false, true) => Seen::ErrorEvent,
        (false, false) => Seen::Broken,
    }
}

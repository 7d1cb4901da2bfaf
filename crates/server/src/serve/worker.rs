//! Workers: a thread, a runtime and a set of connections each. A call never leaves its worker.

use std::collections::HashMap;
use std::io;
use std::net::TcpStream as StdTcpStream;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use stepwell_config::Settings;
use stepwell_gateway::{Gateway, Services};
use stepwell_http1::Room;
use stepwell_upstream::{Tls, Upstream};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{self, Watch};

/// Connections on their way to a worker.
const HANDOVER: usize = 1_024;

/// The most that a worker reads at once, in bytes: how much one burst may gather before it is passed on.
const READ: usize = 64 * 1024;

/// Seconds between two looks at idle connections to providers.
const IDLE_EVERY: u32 = 5;

/// A worker, seen from the listener.
pub(super) struct Worker {
    inbox: mpsc::Sender<StdTcpStream>,
    connections: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

/// Those that take connections.
pub(super) struct Workers(Vec<Worker>);

impl Workers {
    /// Starts `count` workers.
    pub(super) fn start(
        services: &Arc<Services>,
        tls: &Tls,
        count: NonZeroUsize,
        stop: &CancellationToken,
    ) -> io::Result<Self> {
        (0..count.get())
            .map(|number| Worker::start(number, services, tls, stop))
            .collect::<io::Result<Vec<_>>>()
            .map(Self)
    }

    /// Gives a connection to the worker that has the fewest: the kernel's own spread over sockets is uneven for the few
    /// and long-lived connections that SDKs keep.
    pub(super) async fn take(&self, stream: StdTcpStream) {
        let least = self.0.iter().min_by_key(|worker| worker.connections.load(Ordering::Relaxed));
        if let Some(worker) = least {
            worker.connections.fetch_add(1, Ordering::Relaxed);
            if worker.inbox.send(stream).await.is_err() {
                worker.connections.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// How many connections are open.
    pub(super) fn connections(&self) -> usize {
        self.0.iter().map(|worker| worker.connections.load(Ordering::Relaxed)).sum()
    }

    /// Takes no more connections and waits for the workers to end: when their connections have, or when the drain timeout
    /// is over.
    pub(super) fn join(self) {
        for worker in self.0 {
            drop(worker.inbox);
            if worker.thread.join().is_err() {
                tracing::error!("a worker thread panicked");
            }
        }
    }
}

impl Worker {
    fn start(
        number: usize,
        services: &Arc<Services>,
        tls: &Tls,
        stop: &CancellationToken,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (inbox, arriving) = mpsc::channel(HANDOVER);
        let connections = Arc::new(AtomicUsize::new(0));
        let buffer = Room::new(READ);
        let station = Station {
            gateway: Arc::new(Gateway::new(Arc::clone(services), Upstream::new(tls.clone(), buffer.clone()))),
            services: Arc::clone(services),
            buffer,
            stop: stop.clone(),
            connections: Arc::clone(&connections),
            ticks: Arc::default(),
            watched: Arc::default(),
        };
        let name = format!("worker-{number}");
        let thread =
            std::thread::Builder::new().name(name).spawn(move || runtime.block_on(station.run(arriving)))?;
        Ok(Self { inbox, connections, thread })
    }
}

/// What a worker's thread has.
struct Station {
    buffer: Room,
    gateway: Arc<Gateway>,
    services: Arc<Services>,
    stop: CancellationToken,
    connections: Arc<AtomicUsize>,
    ticks: Arc<AtomicU32>,
    watched: Arc<Mutex<HashMap<u64, Watched>>>,
}

struct Watched {
    watch: Arc<Watch>,
    task: AbortHandle,
}

impl Station {
    async fn run(self, mut arriving: mpsc::Receiver<StdTcpStream>) {
        let tasks = TaskTracker::new();
        let mut next = 0;
        let mut every_second = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                stream = arriving.recv() => match stream {
                    Some(stream) => {
                        next += 1;
                        self.welcome(next, stream, &tasks);
                    }
                    None => break,
                },
                _ = every_second.tick() => self.look_around(),
            }
        }
        tasks.close();
        let patience = self.settings().server.drain_timeout;
        if tokio::time::timeout(patience, tasks.wait()).await.is_err() {
            // Before the runtime goes, and every call left with it: that is how they know who ended them.
            self.services.admission.cut();
            tracing::warn!(left = tasks.len(), "the drain timeout is over, open replies are cut");
        }
    }

    fn welcome(&self, number: u64, stream: StdTcpStream, tasks: &TaskTracker) {
        let stream = match TcpStream::from_std(stream) {
            Ok(stream) => stream,
            Err(error) => {
                self.connections.fetch_sub(1, Ordering::Relaxed);
                tracing::debug!(%error, "a connection ended before it was served");
                return;
            }
        };
        let watch = Watch::new(&self.ticks);
        let serving = connection::serve(
            stream,
            Arc::clone(&self.gateway),
            Arc::clone(&watch),
            self.settings(),
            self.buffer.clone(),
            self.stop.clone(),
        );
        let leaving = Leaving {
            number,
            connections: Arc::clone(&self.connections),
            watched: Arc::clone(&self.watched),
            _counted: self.services.metrics.connection_opened(),
        };
        let task = tasks.spawn(async move {
            let _leaving = leaving;
            serving.await;
        });
        self.watched.lock().insert(number, Watched { watch, task: task.abort_handle() });
    }

    /// The settings in force now: a connection keeps those it began with.
    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.services.snapshots.load().settings)
    }

    fn look_around(&self) {
        let now = self.ticks.fetch_add(1, Ordering::Relaxed);
        let settings = self.settings();
        for watched in self.watched.lock().values() {
            if watched.watch.is_overdue(&settings.server) {
                watched.task.abort();
            }
        }
        if now.is_multiple_of(IDLE_EVERY) {
            self.gateway.close_idle();
        }
    }
}

/// Notes the end of a connection, however it came.
struct Leaving {
    number: u64,
    connections: Arc<AtomicUsize>,
    watched: Arc<Mutex<HashMap<u64, Watched>>>,
    _counted: stepwell_telemetry::InFlight,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
        self.watched.lock().remove(&self.number);
    }
}

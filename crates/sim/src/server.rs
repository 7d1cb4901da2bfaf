//! The listener: accepts, serves, refuses when told to, and drains when asked to stop.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::faults::Faults;
use crate::options::SimOptions;
use crate::oracle::Oracle;
use crate::socket::{Line, Socket};
use crate::state::State;
use crate::{Error, route};

/// How long to wait before accepting, or binding, again after a failure.
const AGAIN: Duration = Duration::from_millis(20);

/// A simulator that is bound and not yet served: connections wait until [`Sim::run`].
#[derive(Debug)]
pub struct Sim {
    listener: TcpListener,
    address: SocketAddr,
    state: Arc<State>,
}

/// Steers a simulator that runs. Cloning shares it.
#[derive(Clone, Debug)]
pub struct SimHandle(Arc<State>);

impl SimHandle {
    /// Its account.
    pub fn oracle(&self) -> Oracle {
        self.0.oracle.clone()
    }

    /// Its script of faults.
    pub fn faults(&self) -> Faults {
        self.0.faults.clone()
    }

    /// Stops listening for a while, so that connecting is refused. Connections that are idle are closed; replies
    /// that are on their way are finished.
    pub fn refuse_for(&self, while_: Duration) {
        self.0.refuse.send_replace(while_);
    }
}

impl Sim {
    /// Binds to `address`; port 0 takes any.
    ///
    /// # Errors
    /// [`Error::Options`] if the options cannot be served, [`Error::Bind`] if the address cannot be listened on.
    pub async fn bind(address: SocketAddr, options: SimOptions) -> Result<Self, Error> {
        options.check()?;
        let listen = async || {
            let listener = TcpListener::bind(address).await?;
            listener.local_addr().map(|bound| (listener, bound))
        };
        let (listener, bound) = listen().await.map_err(|source| Error::Bind { address, source })?;
        Ok(Self { listener, address: bound, state: Arc::new(State::new(options)) })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Its account.
    pub fn oracle(&self) -> Oracle {
        self.state.oracle.clone()
    }

    /// What steers it while it runs.
    pub fn handle(&self) -> SimHandle {
        SimHandle(Arc::clone(&self.state))
    }

    /// Serves until `shutdown` is ready, then lets open replies go on for [`SimOptions::drain`].
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = std::pin::pin!(shutdown);
        let mut refuse = self.state.refuse.subscribe();
        let mut server = Server::new(&self.state);
        let mut listener = self.listener;
        loop {
            let stream = tokio::select! {
                () = shutdown.as_mut() => break,
                _ = refuse.changed() => None,
                stream = server.accept(&listener) => Some(stream),
            };
            if let Some(stream) = stream {
                server.serve(stream);
                continue;
            }
            drop(listener);
            let pause = *refuse.borrow_and_update();
            server.close_idle();
            tokio::select! {
                () = shutdown.as_mut() => break,
                bound = rebind(self.address, pause) => listener = bound,
            }
        }
        server.drain(self.state.options.drain).await;
    }
}

/// Listens again after a pause, as soon as the address can be had.
async fn rebind(address: SocketAddr, pause: Duration) -> TcpListener {
    sleep(pause).await;
    loop {
        if let Ok(listener) = TcpListener::bind(address).await {
            return listener;
        }
        sleep(AGAIN).await;
    }
}

/// The connections of a simulator.
struct Server {
    state: Arc<State>,
    http: http1::Builder,
    room: Arc<Semaphore>,
    connections: JoinSet<()>,
    /// Each change asks connections to close once they are idle.
    closing: watch::Sender<()>,
}

/// A connection that was accepted, and its place among the most there may be.
struct Accepted {
    stream: TcpStream,
    place: Option<tokio::sync::OwnedSemaphorePermit>,
}

impl Server {
    fn new(state: &Arc<State>) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(None).pipeline_flush(false);
        Self {
            state: Arc::clone(state),
            http,
            room: Arc::new(Semaphore::new(state.options.max_connections)),
            connections: JoinSet::new(),
            closing: watch::Sender::new(()),
        }
    }

    /// The next connection, as soon as there is room for it.
    async fn accept(&self, listener: &TcpListener) -> Accepted {
        let place = Arc::clone(&self.room).acquire_owned().await.ok();
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Accepted { stream, place },
                Err(_) => sleep(AGAIN).await,
            }
        }
    }

    fn serve(&mut self, accepted: Accepted) {
        while self.connections.try_join_next().is_some() {}
        let Accepted { stream, place } = accepted;
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let line = Line::default();
        let socket = Socket::new(stream, line.clone());
        let state = Arc::clone(&self.state);
        let service = service_fn(move |request| route::serve(Arc::clone(&state), line.clone(), request));
        let connection = self.http.serve_connection(socket, service);
        let mut closing = self.closing.subscribe();
        self.connections.spawn(async move {
            let mut connection = std::pin::pin!(connection);
            let mut told = false;
            loop {
                tokio::select! {
                    // How a connection ended is the client's business, and the account's.
                    _ = connection.as_mut() => break,
                    _ = closing.changed(), if !told => {
                        told = true;
                        connection.as_mut().graceful_shutdown();
                    }
                }
            }
            drop(place);
        });
    }

    fn close_idle(&self) {
        self.closing.send_replace(());
    }

    async fn drain(mut self, within: Duration) {
        self.close_idle();
        let all = async { while self.connections.join_next().await.is_some() {} };
        // Those that are not done by then are aborted as the set is dropped.
        timeout(within, all).await.unwrap_or_default();
    }
}

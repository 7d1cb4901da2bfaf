//! The data plane's listener: accepts, bounds, hands over.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use super::worker::Workers;
use crate::commands::Failure;

/// Connections the kernel keeps for us until we accept them.
const BACKLOG: u32 = 4_096;

/// How long to wait when the process has no file descriptors or memory left for a connection.
const BREATHER: Duration = Duration::from_millis(50);

/// Binds an address, with an error that says what to do.
pub(super) fn bind(address: SocketAddr, key: &str) -> Result<TcpListener, Failure> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Failure(format!(
            "{address} is taken by another process: stop it, or set server.{key} to another address"
        )),
        _ => Failure(format!("cannot listen on {address} (server.{key}): {error}")),
    })
}

/// Accepts until `stop`, then gives the workers back.
pub(super) async fn accept(
    listener: TcpListener,
    workers: Workers,
    most: usize,
    stop: CancellationToken,
) -> Workers {
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return workers,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) if workers.connections() < most => hand_over(stream, &workers).await,
            Ok((_, peer)) => tracing::warn!(%peer, most, "too many connections, one was closed"),
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(BREATHER).await;
            }
        }
    }
}

async fn hand_over(stream: TcpStream, workers: &Workers) {
    // Without it the first event of a stream waits 40 ms for the acknowledgement of the head.
    let ready = stream.set_nodelay(true).and_then(|()| stream.into_std());
    match ready {
        Ok(stream) => workers.take(stream).await,
        Err(error) => tracing::debug!(%error, "a connection ended before it was served"),
    }
}

//! The least of an HTTP client: one connection, one request at a time.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

/// A connection. Dropped, it is closed at once, whatever is under way.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Connects; none where nothing listens.
    pub(super) async fn open(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        let driver = tokio::spawn(async move { drop(connection.await) }).abort_handle();
        Some(Self { sender, driver })
    }

    /// Sends a request and waits for the head of its reply.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        self.sender.ready().await?;
        self.sender.send_request(request).await
    }
}

/// Reads a body into `whole`, which keeps what came before an error.
pub(super) async fn read(mut body: Incoming, whole: &mut Vec<u8>) -> Result<(), hyper::Error> {
    while let Some(frame) = body.frame().await {
        if let Ok(bytes) = frame?.into_data() {
            whole.extend_from_slice(&bytes);
        }
    }
    Ok(())
}

/// Gets a page; none if there is no answer.
pub(super) async fn get(address: SocketAddr, path: &str) -> Option<(u16, Vec<u8>)> {
    let request = Request::get(path).header("host", address.to_string()).body(Full::default()).unwrap();
    let mut connection = Connection::open(address).await?;
    let response = connection.send(request).await.ok()?;
    let status = response.status().as_u16();
    let mut whole = Vec::new();
    read(response.into_body(), &mut whole).await.ok()?;
    Some((status, whole))
}

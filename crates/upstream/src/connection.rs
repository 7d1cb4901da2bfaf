//! One HTTP/1.1 connection and the machine that moves its bytes.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::gate::Gate;
use crate::pool::Lease;
use crate::stream::Stream;
use crate::{Error, Limits, Origin};

/// The bounds on a reply's head: a provider is no more trusted than a client.
const HEADERS: usize = 100;
const BUFFER: usize = 256 * 1024;

/// A connection. Whoever holds it must drive it: nothing moves otherwise.
pub(crate) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Pin<Box<http1::Connection<TokioIo<Stream>, Full<Bytes>>>>,
    ended: bool,
    gate: Gate,
    _lease: Lease,
}

impl Connection {
    /// Resolves, connects, and for `https` shakes hands.
    pub(crate) async fn open(
        origin: &Origin,
        tls: &Arc<ClientConfig>,
        limits: &Limits,
        lease: Lease,
    ) -> Result<Self, Error> {
        let connecting = TcpStream::connect((&*origin.host, origin.port));
        let tcp = timeout(limits.connect, connecting)
            .await
            .map_err(|_| Error::ConnectTimeout(limits.connect.as_millis()))?
            .map_err(Error::Connect)?;
        tcp.set_nodelay(true).map_err(Error::Connect)?;
        let stream = match &origin.tls_name {
            None => Stream::Plain(tcp),
            Some(name) => {
                let handshake = TlsConnector::from(Arc::clone(tls)).connect(name.clone(), tcp);
                let secured = timeout(limits.tls, handshake)
                    .await
                    .map_err(|_| Error::TlsTimeout(limits.tls.as_millis()))?
                    .map_err(Error::Tls)?;
                Stream::Secure(Box::new(secured))
            }
        };
        let (sender, driver) = http1::Builder::new()
            .max_headers(HEADERS)
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(Error::NoReply)?;
        Ok(Self { sender, driver: Box::pin(driver), ended: false, gate: Gate::new(), _lease: lease })
    }

    /// Polls `step` as long as the connection has something to do, moving before each time what can be moved.
    pub(crate) fn pass<T>(
        &mut self,
        cx: &Context<'_>,
        mut step: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let Self { driver, ended, gate, .. } = self;
        gate.pass(cx, |cx| {
            // How the driver ended is told again, with its cause, by the reply or its body.
            *ended = *ended || driver.as_mut().poll(cx).is_ready();
            step(cx)
        })
    }

    /// Sends a request and drives until its reply has a head, or until `give_up` says so.
    pub(crate) async fn send(
        &mut self,
        request: http::Request<Full<Bytes>>,
        mut give_up: impl FnMut(&mut Context<'_>) -> Poll<Error>,
    ) -> Result<http::Response<Incoming>, Error> {
        let Self { sender, gate, .. } = self;
        let mut reply = pin!(gate.hush(|| sender.send_request(request)));
        poll_fn(|cx| match self.pass(cx, |cx| reply.as_mut().poll(cx)) {
            Poll::Ready(reply) => Poll::Ready(reply.map_err(Error::NoReply)),
            Poll::Pending => give_up(cx).map(Err),
        })
        .await
    }

    /// Whether another request can be sent now. Looks at the socket: a provider that hung up meanwhile is noticed.
    pub(crate) fn is_reusable(&mut self, cx: &Context<'_>) -> bool {
        let polled = self.pass(cx, |_| Poll::<()>::Pending);
        debug_assert!(polled.is_pending());
        !self.ended && self.sender.is_ready()
    }
}

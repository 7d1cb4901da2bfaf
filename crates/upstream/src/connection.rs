//! A connection to a provider: resolved, connected, secured, and counted for as long as it lives.

use std::sync::Arc;

use rustls::ClientConfig;
use stepwell_http1::client;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::pool::Lease;
use crate::stream::Stream;
use crate::timer::Alarm;
use crate::{Error, Limits, Origin};

/// A connection. Whoever holds it must drive it: nothing moves otherwise.
pub(crate) struct Connection {
    pub(crate) http: client::Connection<Stream>,
    /// What wakes whoever waits for it. It stays armed from call to call: a new deadline is mostly a later one.
    pub(crate) alarm: Alarm,
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
        Ok(Self { http: client::Connection::new(stream), alarm: Alarm::default(), _lease: lease })
    }
}

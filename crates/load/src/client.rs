//! One connection and the calls on it, over hyper's HTTP/1.1 with nothing in between.
//!
//! It never parses a reply and never keeps one: it counts what passes. A connection that has ended is opened anew for
//! the next call, at that call's cost.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use stepwell_types::Dialect;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

use crate::request::Template;
use crate::scan::Scanner;
use crate::source::Due;
use crate::tally::{Class, Lane, Seen};

/// After a connection could not be opened, so that a server that is gone is not hammered.
const CONNECT_PAUSE: Duration = Duration::from_millis(10);

/// What all connections of a run share.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) template: Template,
    pub(crate) dialect: Dialect,
    pub(crate) stream: bool,
    pub(crate) timeout: Duration,
}

/// One connection of a run.
pub(crate) struct Connection {
    work: Arc<Work>,
    lane: Arc<Lane>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// When the parts of a reply came.
#[derive(Default)]
struct Marks {
    first_byte: Option<Instant>,
    first_event: Option<Instant>,
}

impl Connection {
    pub(crate) fn new(work: Arc<Work>, lane: Arc<Lane>) -> Self {
        Self { work, lane, sender: None }
    }

    /// Opens it before the clock starts, within the time a call may take.
    pub(crate) async fn open(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + self.work.timeout;
        let sender = timeout_at(deadline, connect(&self.work.template.address)).await??;
        self.lane.opened.fetch_add(1, Ordering::Relaxed);
        self.sender = Some(sender);
        Ok(())
    }

    /// Makes one call and counts it.
    pub(crate) async fn call(&mut self, due: Due) {
        self.lane.begin();
        let sent = Instant::now();
        let mut marks = Marks::default();
        let deadline = sent + self.work.timeout;
        let result = timeout_at(deadline, self.exchange(&mut marks)).await.unwrap_or(Err(Class::Timeout));
        let Marks { first_byte, first_event } = marks;
        self.lane.end(due, &Seen { sent, first_byte, first_event, end: Instant::now(), result });
        match result {
            Ok(()) | Err(Class::Status(_) | Class::EmptyReply | Class::ErrorEvent) => {}
            Err(Class::Connect) => sleep(CONNECT_PAUSE).await,
            // What is left on the connection belongs to the call that failed.
            Err(_) => self.sender = None,
        }
    }

    async fn exchange(&mut self, marks: &mut Marks) -> Result<(), Class> {
        let request = self.work.template.request();
        let reply = match self.ready().await?.try_send_request(request).await {
            Ok(reply) => reply,
            Err(mut error) => {
                // The server closed the connection between two calls: it cannot have seen this one.
                let unsent = error.take_message().ok_or(Class::NoReply)?;
                self.sender = None;
                self.ready().await?.send_request(unsent).await.map_err(|_| Class::NoReply)?
            }
        };
        marks.first_byte = Some(Instant::now());
        let status = reply.status();
        if self.work.stream && status == StatusCode::OK {
            return self.read_stream(reply.into_body(), marks).await;
        }
        let bytes = self.read_plain(reply.into_body()).await;
        match (status, bytes?) {
            (StatusCode::OK, 0) => Err(Class::EmptyReply),
            (StatusCode::OK, _) => Ok(()),
            (other, _) => Err(Class::Status(other.as_u16())),
        }
    }

    /// The open connection, or a new one.
    async fn ready(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, Class> {
        let usable = match &mut self.sender {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        if !usable {
            self.sender = None;
            let sender = connect(&self.work.template.address).await.map_err(|_| Class::Connect)?;
            self.lane.opened.fetch_add(1, Ordering::Relaxed);
            self.sender = Some(sender);
        }
        self.sender.as_mut().ok_or(Class::Connect)
    }

    async fn read_plain(&self, mut body: Incoming) -> Result<usize, Class> {
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Class::CutReply)?;
            bytes += frame.data_ref().map_or(0, Bytes::len);
        }
        self.lane.received(bytes, 0);
        Ok(bytes)
    }

    async fn read_stream(&self, mut body: Incoming, marks: &mut Marks) -> Result<(), Class> {
        let mut scanner = Scanner::new(self.work.dialect);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Class::CutStream)?;
            let Some(data) = frame.data_ref() else { continue };
            let events = scanner.push(data);
            if events > 0 && marks.first_event.is_none() {
                marks.first_event = Some(Instant::now());
            }
            self.lane.received(data.len(), events);
        }
        match (scanner.failed(), scanner.finished()) {
            (true, _) => Err(Class::ErrorEvent),
            (false, false) => Err(Class::CutStream),
            (false, true) => Ok(()),
        }
    }
}

async fn connect(address: &str) -> io::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // How it ends is told to the call that is on it.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

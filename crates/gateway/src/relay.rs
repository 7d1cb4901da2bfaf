//! A committed stream on its way to the client, and the call's end with it.
//!
//! The final is written before the terminal event is released. A stream that breaks ends with the client's dialect's
//! error event and without its terminal event: it never looks complete.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use stepwell_types::{Code, Failure, Outcome};
use stepwell_upstream::{Exchange, Progress};
use stepwell_wire::{Pipe, codec};

use crate::answer::{Committed, join};
use crate::open_call::{Billing, OpenCall, Seen};
use crate::snapshot::Target;
use crate::stages::attempt::words;

/// The status that was sent.
const OK: u16 = 200;

/// How long the end of a provider's reply is waited for once its terminal event has passed, so that the connection can
/// be used again.
const TAIL: Duration = Duration::from_secs(2);

/// How much may come after the terminal event.
const TAIL_BYTES: usize = 64 * 1024;

pub(crate) struct Relay {
    open: Box<OpenCall>,
    /// None once nothing more is wanted from it.
    exchange: Option<Exchange>,
    pipe: Box<dyn Pipe>,
    target: Arc<Target>,
    ready: Vec<Bytes>,
    _streaming: stepwell_telemetry::InFlight,
}

impl Relay {
    pub(crate) fn new(committed: Committed, open: Box<OpenCall>) -> Self {
        let Committed { target, mut exchange, pipe, ready, ended, broken, framing: _ } = committed;
        // They have gone to the client, and they hold on to the buffer they were read from.
        drop(exchange.take_headers());
        let streaming = open.stream_opened();
        let mut relay = Self { open, exchange: Some(exchange), pipe, target, ready, _streaming: streaming };
        relay.judge(broken, ended);
        relay
    }

    /// Takes what has arrived through the pipe.
    fn take(&mut self, bytes: Bytes, progress: Progress) {
        let pushed = self.pipe.push(bytes, &mut self.ready);
        if progress == Progress::End {
            self.pipe.end(&mut self.ready);
        }
        let broken = pushed.err().map(|fault| {
            Failure::new(Code::UpstreamInvalid, format!("{}: {fault}", self.target.name.provider))
        });
        self.judge(broken, progress == Progress::End);
    }

    /// Decides whether the stream goes on, is complete, or is broken.
    fn judge(&mut self, broken: Option<Failure>, ended: bool) {
        let facts = self.pipe.facts();
        if facts.terminal {
            self.complete(ended);
        } else if let Some(error) = facts.error.clone() {
            let failure = Failure::new(error.code, words(&self.target, &error)).status(error.status);
            self.cut(&failure);
        } else if let Some(failure) = broken {
            self.cut(&failure);
        } else if ended {
            let message = format!("{}: its stream ended before it was complete", self.target.name.provider);
            self.cut(&Failure::new(Code::UpstreamCut, message));
        }
    }

    /// The reply is whole: the final is written, then the last bytes may go.
    fn complete(&mut self, ended: bool) {
        self.close(Outcome::Ok, None, Billing::Complete);
        if let Some(exchange) = self.exchange.take()
            && !ended
        {
            read_tail(exchange);
        }
    }

    /// The reply broke: what was whole goes out, then the error event.
    fn cut(&mut self, failure: &Failure) {
        self.exchange = None;
        let event = codec(self.open.record.dialect).write_stream_error(failure, self.open.id());
        self.ready.push(Bytes::from(event));
        self.close(Outcome::Cut, Some(failure.code), Billing::Partial);
    }

    fn close(&mut self, outcome: Outcome, code: Option<Code>, billing: Billing) {
        let facts = self.pipe.facts();
        self.open.note_losses("reply", &facts.losses);
        self.open.end_attempt(outcome, code, billing, Seen::of_stream(facts));
        self.open.record.reply_bytes += self.ready.iter().map(Bytes::len).sum::<usize>() as u64;
        self.open.close_now(outcome, code, OK);
    }
}

/// Reads what comes after the terminal event, off the client's path, so that the connection goes back to the pool.
#[expect(clippy::let_underscore_must_use, reason = "a tail that fails costs a connection, nothing else")]
fn read_tail(mut exchange: Exchange) {
    tokio::spawn(async move {
        let _ = tokio::time::timeout(TAIL, exchange.read_all(TAIL_BYTES)).await;
    });
}

impl Body for Relay {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let relay = self.get_mut();
        loop {
            if !relay.ready.is_empty() {
                // One frame, and so one write.
                let bytes = join(&mut relay.ready);
                if !relay.open.is_closed() {
                    relay.open.record.reply_bytes += bytes.len() as u64;
                }
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            let Some(exchange) = &mut relay.exchange else {
                return Poll::Ready(None);
            };
            match std::task::ready!(exchange.poll_burst(cx)) {
                Ok((bytes, progress)) => relay.take(bytes, progress),
                Err(error) => {
                    relay
                        .cut(&Failure::new(error.code(), format!("{}: {error}", relay.target.name.provider)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.exchange.is_none() && self.ready.is_empty()
    }
}

impl Drop for Relay {
    /// The client went away, or a shutdown waits no longer: the record says which, with what was seen.
    fn drop(&mut self) {
        if !self.open.is_closed() {
            self.ready.clear();
            let (outcome, code) = if self.open.is_cut_by_shutdown() {
                (Outcome::Cut, Code::Draining)
            } else {
                (Outcome::Cancelled, Code::ClientClosed)
            };
            self.close(outcome, Some(code), Billing::Partial);
        }
    }
}

//! The life of a call as one function.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http_body::Body;
use stepwell_config::LogCalls;
use stepwell_http1::server::Response;
use stepwell_http1::{Broken, RequestHead};
use stepwell_policy::Admission;
use stepwell_store::{Appender, Journal};
use stepwell_telemetry::Metrics;
use stepwell_types::{Clock, Code, Failure, Stage};
use stepwell_upstream::Upstream;

use crate::answer::{Answer, Refusal, ReplyBody};
use crate::door::{CallDoor, Door};
use crate::open_call::OpenCall;
use crate::snapshot::Snapshot;
use crate::stages::{admit, attempt, decode, identify, plan, settle};
use crate::{answer, door, models, probe};

/// What every worker shares.
pub struct Services {
    /// Where calls are recorded.
    pub journal: Arc<Journal>,
    /// Where calls are measured.
    pub metrics: Arc<Metrics>,
    /// Who is let in.
    pub admission: Arc<Admission>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// The configuration in force. A call takes one snapshot and keeps it.
    pub snapshots: ArcSwap<Snapshot>,
}

impl Services {
    /// Whether calls can be taken: the process is not shutting down, and calls can be recorded.
    pub fn ready(&self) -> Result<(), Failure> {
        if self.admission.is_draining() {
            return Err(Failure::new(Code::Draining, "stepwell is shutting down"));
        }
        match self.journal.status().failed {
            Some(error) => {
                Err(Failure::new(Code::JournalUnavailable, format!("the journal failed: {error}")))
            }
            None => Ok(()),
        }
    }

    /// Which calls leave a line in the log.
    pub fn logged_calls(&self) -> LogCalls {
        self.snapshots.load().settings.log.calls
    }
}

/// The body of a request, as it comes.
pub trait RequestBody: Body<Data = Bytes, Error = Broken> + Unpin {}

impl<B: Body<Data = Bytes, Error = Broken> + Unpin> RequestBody for B {}

/// One worker's gateway: what all share, and the worker's own connections to providers and way into the journal.
pub struct Gateway {
    pub(crate) services: Arc<Services>,
    pub(crate) upstream: Arc<Upstream>,
    journal: Arc<Appender>,
}

impl Gateway {
    /// A gateway for one worker.
    pub fn new(services: Arc<Services>, upstream: Arc<Upstream>) -> Self {
        let journal = Arc::new(Appender::new(Arc::clone(&services.journal)));
        Self { services, upstream, journal }
    }

    /// Closes connections to providers that have been idle for too long. To be called every few seconds.
    pub fn close_idle(&self) {
        self.upstream.close_idle();
    }

    /// Answers one request of the data plane.
    pub async fn serve(&self, head: RequestHead, body: impl RequestBody) -> Response<ReplyBody> {
        let snapshot = self.services.snapshots.load_full();
        match door::find(&head, &snapshot) {
            Ok(Door::Call(call)) => self.call(call, head, body, &snapshot).await,
            Ok(Door::Models(dialect)) => models::list(dialect, &snapshot),
            Ok(Door::Model(dialect, name)) => models::one(dialect, &name, &snapshot),
            Ok(Door::Health) => probe::healthy(),
            Ok(Door::Ready) => probe::ready(&self.services, &snapshot),
            Err(refused) => answer::refuse_at_door(&refused),
        }
    }

    /// Serves one call. Its record is opened here and closed exactly once: by `settle`, by the stream's end, or, if
    /// the client goes away, by being dropped.
    async fn call(
        &self,
        door: CallDoor,
        head: RequestHead,
        body: impl RequestBody,
        snapshot: &Snapshot,
    ) -> Response<ReplyBody> {
        // It goes from hand to hand until the reply has ended.
        let tongue = door.tongue();
        let mut open = Box::new(OpenCall::begin(&self.services, &self.journal, door.endpoint, door.dialect));
        match self.stages(door, head, body, snapshot, &mut open).await {
            Ok(answer) => settle::answered(answer, open).await,
            Err(refusal) => settle::refused(refusal, open, tongue).await,
        }
    }

    /// The stages of a call, in order. Read this first.
    async fn stages(
        &self,
        door: CallDoor,
        head: RequestHead,
        body: impl RequestBody,
        snapshot: &Snapshot,
        open: &mut OpenCall,
    ) -> Result<Answer, Refusal> {
        let call = decode::call(door, head, body, &snapshot.settings.server, open).await?;
        open.enter(Stage::Identify);
        let caller = identify::caller(&call, open)?;
        open.enter(Stage::Admit);
        let admitted = admit::call(caller, &self.services.admission)?;
        open.enter(Stage::Plan);
        let plan = plan::targets(&call, &admitted, snapshot, open)?;
        open.enter(Stage::Attempt);
        attempt::run(&plan, &call, admitted, &self.upstream, open).await
    }
}

#[cfg(test)]
mod tests {
    use stepwell_http1::server::Incoming;
    use tokio::net::TcpStream;

    use super::*;

    /// The bytes of the future that `make` gives. Nothing is run.
    fn size_of_future<F>(
        _make: impl FnOnce(&'static Gateway, RequestHead, Incoming<TcpStream>) -> F,
    ) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_calls_future_stays_small() {
        // It is allocated for each connection and lives as long: ten thousand streams hold ten thousand of them.
        let size = size_of_future(Gateway::serve);
        assert!(size <= 8 * 1024, "{size} bytes");
    }
}

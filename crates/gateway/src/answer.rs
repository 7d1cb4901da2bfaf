//! What goes back to the client: a whole body, or a stream in the making.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use stepwell_http1::server::Response;
use stepwell_http1::{HeaderLines, Headers};
use stepwell_types::Failure;
use stepwell_upstream::Exchange;
use stepwell_wire::Pipe;
use stepwell_wire::framing::Framing;

use crate::door::Refused;
use crate::headers;
use crate::relay::Relay;
use crate::snapshot::Target;

/// A call that succeeded, or is about to.
pub(crate) enum Answer {
    /// The whole reply is here and its attempt is closed.
    Whole {
        /// Who answered; none where no attempt was needed.
        target: Option<Arc<Target>>,
        /// The provider's headers.
        upstream: Headers,
        /// The reply, in the client's dialect.
        body: Bytes,
    },
    /// The reply is committed and the rest of it is on its way; the attempt is open.
    Stream(Box<Committed>),
}

/// A stream whose first content has arrived.
pub(crate) struct Committed {
    pub(crate) target: Arc<Target>,
    /// How the client's dialect is cut into events.
    pub(crate) framing: Framing,
    pub(crate) exchange: Exchange,
    pub(crate) pipe: Box<dyn Pipe>,
    /// What may go to the client already.
    pub(crate) ready: Vec<Bytes>,
    /// The reply's frame has ended.
    pub(crate) ended: bool,
    /// What broke it after its first content, if anything has yet.
    pub(crate) broken: Option<Failure>,
}

/// A call that failed, and the provider's own words where they are in the client's dialect.
pub(crate) struct Refusal {
    pub(crate) failure: Failure,
    pub(crate) upstream: Option<Upstreams>,
}

/// What a provider answered with.
pub(crate) struct Upstreams {
    pub(crate) target: Arc<Target>,
    pub(crate) headers: Headers,
    /// The body to pass byte for byte, if it may pass.
    pub(crate) verbatim: Option<Bytes>,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self { failure, upstream: None }
    }
}

/// The body of any reply of the data plane.
pub enum ReplyBody {
    /// All of it; taken when sent.
    Whole(Option<Bytes>),
    /// As it comes.
    Stream(Box<dyn Body<Data = Bytes, Error = Infallible> + Send + Unpin>),
}

impl ReplyBody {
    pub(crate) fn stream(relay: Relay) -> Self {
        Self::Stream(Box::new(relay))
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Stream(body) => body.size_hint(),
        }
    }
}

/// Takes all pieces as one: a single one as it is, several copied together.
pub(crate) fn join(pieces: &mut Vec<Bytes>) -> Bytes {
    match pieces.as_slice() {
        [_] => pieces.pop().unwrap_or_default(),
        several => {
            let mut whole = BytesMut::with_capacity(several.iter().map(Bytes::len).sum());
            for piece in pieces.drain(..) {
                whole.extend_from_slice(&piece);
            }
            whole.freeze()
        }
    }
}

/// Room for the headers of a usual reply, ours and those of the provider that pass, in bytes.
const HEADERS: usize = 1_024;

/// A JSON reply.
pub(crate) fn json(status: u16, body: impl Into<Bytes>) -> Response<ReplyBody> {
    let mut headers = HeaderLines::with_capacity(HEADERS);
    headers.put("content-type", b"application/json");
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Response { status, headers, body: ReplyBody::Whole(Some(body.into())) }
}

/// The head of a stream of events.
pub(crate) fn events(framing: Framing) -> Response<()> {
    let mut headers = HeaderLines::with_capacity(HEADERS);
    headers.put("content-type", framing.content_type().as_bytes());
    headers.put("cache-control", b"no-cache");
    Response { status: StatusCode::OK, headers, body: () }
}

/// The answer to a request that never became a call. It leaves no record: there is nothing to record it under.
pub(crate) fn refuse_at_door(refused: &Refused) -> Response<ReplyBody> {
    let body = refused.tongue.write_error(&refused.failure, None);
    let mut response = json(refused.failure.status, body);
    if let Some(after) = refused.failure.retry_after {
        headers::put_retry_after(&mut response.headers, after);
    }
    if let Some(allow) = refused.allow {
        response.headers.put("allow", allow.as_bytes());
    }
    response
}

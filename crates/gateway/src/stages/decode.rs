//! decode: a request's bytes become a call: a typed head over the raw body.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use stepwell_config::ServerSettings;
use stepwell_http1::{Broken, Headers, RequestHead};
use stepwell_types::{Code, Dialect, Endpoint, Failure};
use stepwell_wire::embeddings::{self, Encoding};
use stepwell_wire::{Asked, Codec, Head, codec, json};
use tokio::time::{Instant, timeout_at};

use crate::door::CallDoor;
use crate::open_call::OpenCall;
use crate::pipeline::RequestBody;

/// A request that was understood.
pub(crate) struct Call {
    pub(crate) endpoint: Endpoint,
    pub(crate) dialect: Dialect,
    pub(crate) codec: &'static dyn Codec,
    pub(crate) headers: Headers,
    pub(crate) body: Bytes,
    pub(crate) head: Head,
    /// What else there is to a call for embeddings.
    pub(crate) embeds: Option<Embeds>,
}

/// How a call for embeddings is to be read and answered.
pub(crate) struct Embeds {
    pub(crate) codec: &'static dyn embeddings::Codec,
    /// How the vectors are to be written.
    pub(crate) encoding: Encoding,
}

/// Reads the body within its bounds, and what the gateway must know of it.
pub(crate) async fn call(
    door: CallDoor,
    head: RequestHead,
    body: impl RequestBody,
    limits: &ServerSettings,
    open: &mut OpenCall,
) -> Result<Call, Failure> {
    let headers = head.headers;
    let body = read(body, limits).await?;
    open.record.request_bytes = body.len() as u64;
    json::check_depth(&body, limits.json_depth)?;
    let codec = codec(door.dialect);
    let asked = Asked { model: door.model.as_deref(), stream: door.stream };
    let (head, embeds) = if let Some(format) = door.format {
        let codec = embeddings::codec(format);
        let (head, encoding) = codec.head(&body, &asked)?;
        (head, Some(Embeds { codec, encoding }))
    } else {
        (codec.head(&body, &asked)?, None)
    };
    open.record.requested_model = head.model.clone();
    open.record.streamed = head.stream;
    Ok(Call { endpoint: door.endpoint, dialect: door.dialect, codec, headers, body, head, embeds })
}

async fn read(mut incoming: impl RequestBody, limits: &ServerSettings) -> Result<Bytes, Failure> {
    let announced = incoming.size_hint().lower();
    if announced > limits.body_limit {
        return Err(too_large(limits.body_limit));
    }
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    let mut length: u64 = 0;
    let began = Instant::now();
    loop {
        // The time allowed grows with what has arrived: a large body may take long, a trickle may not.
        let earned = length.checked_div(limits.body_min_rate).map_or(Duration::ZERO, Duration::from_secs);
        let due = began + limits.body_timeout + earned;
        let next = poll_fn(|cx| Pin::new(&mut incoming).poll_frame(cx));
        let frame = match timeout_at(due, next).await {
            Err(_) => return Err(too_slow()),
            Ok(None) => break,
            Ok(Some(Err(error))) => return Err(unreadable(&error)),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(bytes) = frame.into_data() else { continue };
        length += bytes.len() as u64;
        if length > limits.body_limit {
            return Err(too_large(limits.body_limit));
        }
        match &first {
            None if length == announced => return Ok(bytes),
            None => first = Some(bytes),
            Some(_) => rest.extend_from_slice(&bytes),
        }
    }
    Ok(match first {
        None => Bytes::new(),
        Some(first) if rest.is_empty() => first,
        Some(first) => {
            let mut whole = BytesMut::with_capacity(first.len() + rest.len());
            whole.extend_from_slice(&first);
            whole.extend_from_slice(&rest);
            whole.freeze()
        }
    })
}

fn too_large(limit: u64) -> Failure {
    Failure::new(Code::BodyTooLarge, format!("the body is larger than {limit} bytes (server.body_limit)"))
}

fn too_slow() -> Failure {
    Failure::new(Code::RequestTimeout, "the body did not arrive in time (server.body_timeout)")
}

/// Framing that HTTP does not allow is the client's mistake; anything else that ends a body early is the client's end.
fn unreadable(error: &Broken) -> Failure {
    let code = match error {
        Broken::Framing(_) | Broken::Head(_) | Broken::HeadTooLong(_) => Code::InvalidRequest,
        Broken::Io(_) | Broken::Closed => Code::ClientClosed,
    };
    Failure::new(code, "the body could not be read to its end").detail(error.to_string())
}

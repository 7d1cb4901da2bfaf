//! The body of a request.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite};

use super::Shared;
use crate::framing::Framing;
use crate::inlet::Piece;
use crate::outgoing::Outgoing;
use crate::{Broken, RequestHead};

/// The body of a request. It can be read until the request is answered.
pub struct Incoming<S> {
    shared: Arc<Shared<S>>,
    length: Option<u64>,
    is_over: bool,
    /// The client waits to be told to send it, and with what.
    invitation: Option<Outgoing>,
}

impl<S> Incoming<S> {
    pub(super) fn new(shared: &Arc<Shared<S>>, head: &RequestHead, framing: Framing, is_1_1: bool) -> Self {
        let is_invited = is_1_1 && !framing.is_over() && head.headers.lists("expect", "100-continue");
        let invitation =
            is_invited.then(|| Outgoing::new(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), Bytes::new(), b""));
        let length = match framing {
            Framing::Length(length) => Some(length),
            Framing::Chunked { .. } | Framing::UntilClose => None,
        };
        Self { shared: Arc::clone(shared), length, is_over: framing.is_over(), invitation }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Body for Incoming<S> {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        if this.is_over {
            return Poll::Ready(None);
        }
        let mut inlet = this.shared.inlet.lock();
        if let Some(invitation) = &mut this.invitation {
            // What has come already needs none.
            if !inlet.holds_something()
                && let Err(error) = ready!(invitation.poll(Pin::new(&mut inlet.stream), cx))
            {
                this.is_over = true;
                return Poll::Ready(Some(Err(Broken::Io(error))));
            }
            this.invitation = None;
        }
        match ready!(inlet.poll_body(cx, &mut this.shared.room.enter())) {
            Ok(Piece { bytes, is_last }) => {
                this.is_over = is_last;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Err(broken) => {
                this.is_over = true;
                Poll::Ready(Some(Err(broken)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map(SizeHint::with_exact).unwrap_or_default()
    }
}

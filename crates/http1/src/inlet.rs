//! The reading end of a connection: where messages begin and bodies end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};

use crate::Broken;
use crate::framing::Framing;

/// A piece of a body.
#[derive(Debug)]
pub struct Piece {
    /// Content; empty only at the end.
    pub bytes: Bytes,
    /// Whether it is the last.
    pub is_last: bool,
}

/// What it reads it reads into a buffer that it is lent: it holds none while it waits.
pub(crate) struct Inlet<S> {
    pub(crate) stream: S,
    /// What was read and not taken yet: the start of a head, the first of a body that came with its head, or what came
    /// behind a body.
    held: Vec<u8>,
    /// So much of what is held is known not to be a whole head.
    looked_at: usize,
    /// How the stream ended, once it has.
    ended: Option<Result<(), io::Error>>,
    /// Of the body that is being read.
    framing: Framing,
    /// What broke the body behind the last piece that was given.
    fault: Option<Broken>,
}

impl<S: AsyncRead + Unpin> Inlet<S> {
    pub(crate) fn new(stream: S) -> Self {
        let (held, framing) = (Vec::new(), Framing::NOTHING);
        Self { stream, held, looked_at: 0, ended: None, framing, fault: None }
    }

    /// Whether something was read that was not taken.
    pub(crate) fn holds_something(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether the body has been read to its end.
    pub(crate) fn is_body_over(&self) -> bool {
        self.framing.is_over() && self.fault.is_none()
    }

    /// Waits for a message that `parse` can read: it gives the message, its length and where its body ends, or none while
    /// bytes are missing. Gives none at the end of the stream. A head may be so many bytes long.
    pub(crate) fn poll_head<T>(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut [u8],
        limit: usize,
        mut parse: impl FnMut(&[u8]) -> Result<Option<(T, usize, Framing)>, Broken>,
    ) -> Poll<Result<Option<T>, Broken>> {
        if self.held.len() > self.looked_at {
            let held = std::mem::take(&mut self.held);
            if let Some(message) = self.look(&held, limit, &mut parse)? {
                return Poll::Ready(Ok(Some(message)));
            }
        }
        loop {
            let filled = ready!(self.poll_fill(cx, room, 0));
            let arrived = &room[..filled];
            if arrived.is_empty() {
                return Poll::Ready(match self.ended.take() {
                    Some(Err(error)) => Err(Broken::Io(error)),
                    _ if self.held.is_empty() => Ok(None),
                    _ => Err(Broken::Closed),
                });
            }
            let found = if self.held.is_empty() {
                self.look(arrived, limit, &mut parse)?
            } else {
                let mut held = std::mem::take(&mut self.held);
                held.extend_from_slice(arrived);
                // A head that comes byte by byte is read again for each of its lines, not for each byte.
                if held.len() <= limit && memchr::memchr(b'\n', arrived).is_none() {
                    self.looked_at = held.len();
                    self.held = held;
                    continue;
                }
                self.look(&held, limit, &mut parse)?
            };
            if found.is_some() {
                return Poll::Ready(Ok(found));
            }
        }
    }

    /// Looks for a head at the start of `bytes`, and holds what is left of them.
    fn look<T>(
        &mut self,
        mut bytes: &[u8],
        limit: usize,
        parse: &mut impl FnMut(&[u8]) -> Result<Option<(T, usize, Framing)>, Broken>,
    ) -> Result<Option<T>, Broken> {
        // Some end a body with an empty line too many (RFC 9112, section 2.2).
        while let [b'\r' | b'\n', rest @ ..] = bytes {
            bytes = rest;
        }
        let parsed = if bytes.is_empty() { None } else { parse(bytes)? };
        let length = parsed.as_ref().map_or(bytes.len(), |(_, length, _)| *length);
        if length > limit {
            return Err(Broken::HeadTooLong(limit));
        }
        let Some((message, length, framing)) = parsed else {
            self.held = bytes.to_vec();
            self.looked_at = bytes.len();
            return Ok(None);
        };
        self.held = bytes[length..].to_vec();
        self.looked_at = 0;
        self.framing = framing;
        Ok(Some(message))
    }

    /// Gives as much of the body as is there, in one piece. What breaks it comes after what came before it.
    pub(crate) fn poll_body(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<Result<Piece, Broken>> {
        if let Some(fault) = self.fault.take() {
            return Poll::Ready(Err(fault));
        }
        loop {
            if self.framing.is_over() {
                return Poll::Ready(Ok(Piece { bytes: Bytes::new(), is_last: true }));
            }
            if let Some(bytes) = self.take_as_it_is() {
                return Poll::Ready(Ok(Piece { bytes, is_last: self.framing.is_over() }));
            }
            let held = self.take_held(room);
            let filled = ready!(self.poll_fill(cx, room, held));
            if filled == 0 {
                return Poll::Ready(self.end_of_stream());
            }
            let decoded = self.framing.decode(&mut room[..filled]);
            self.hold_before(&room[decoded.consumed..filled]);
            let is_last = self.framing.is_over();
            if decoded.content > 0 || is_last {
                self.fault = decoded.fault;
                let bytes = Bytes::copy_from_slice(&room[..decoded.content]);
                return Poll::Ready(Ok(Piece { bytes, is_last }));
            }
            if let Some(fault) = decoded.fault {
                return Poll::Ready(Err(fault));
            }
        }
    }

    /// Reads what comes while nothing is waited for, holding at most `limit` bytes of it. Ready when the stream has
    /// ended.
    pub(crate) fn poll_ended(&mut self, cx: &mut Context<'_>, room: &mut [u8], limit: usize) -> Poll<()> {
        while self.held.len() < limit {
            let filled = ready!(self.poll_fill(cx, room, 0));
            if filled == 0 {
                return Poll::Ready(());
            }
            self.held.extend_from_slice(&room[..filled]);
        }
        Poll::Pending
    }

    /// Fills `room` behind its first `filled` bytes with all that is there. Waits only if there is nothing at all.
    /// Gives how much of it is filled now, which is nothing at the end of the stream.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>, room: &mut [u8], filled: usize) -> Poll<usize> {
        let mut buffer = ReadBuf::new(room);
        buffer.set_filled(filled);
        while self.ended.is_none() && buffer.remaining() > 0 {
            let before = buffer.filled().len();
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if buffer.filled().len() > before => {}
                Poll::Ready(end) => self.ended = Some(end),
                Poll::Pending if before > 0 => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(buffer.filled().len())
    }

    /// What is held, if all of it is content.
    fn take_as_it_is(&mut self) -> Option<Bytes> {
        match &mut self.framing {
            Framing::Length(left) if !self.held.is_empty() && self.held.len() as u64 <= *left => {
                *left -= self.held.len() as u64;
                Some(Bytes::from(std::mem::take(&mut self.held)))
            }
            _ => None,
        }
    }

    /// Moves what is held into `room`, as much as fits. Gives how much that is.
    fn take_held(&mut self, room: &mut [u8]) -> usize {
        let length = self.held.len().min(room.len());
        if length > 0 {
            room[..length].copy_from_slice(&self.held[..length]);
            self.held.drain(..length);
            if self.held.is_empty() {
                self.held = Vec::new();
            }
        }
        length
    }

    /// Holds `bytes`, which came before what is held already.
    fn hold_before(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.held.splice(..0, bytes.iter().copied());
        }
    }

    fn end_of_stream(&mut self) -> Result<Piece, Broken> {
        match self.ended.take() {
            Some(Err(error)) => Err(Broken::Io(error)),
            _ if self.framing == Framing::UntilClose => {
                self.framing = Framing::NOTHING;
                self.ended = Some(Ok(()));
                Ok(Piece { bytes: Bytes::new(), is_last: true })
            }
            _ => Err(Broken::Closed),
        }
    }
}

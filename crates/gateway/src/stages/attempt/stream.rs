//! A reply that comes as a stream, up to the moment it is committed.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use stepwell_types::{Code, Failure, Outcome};
use stepwell_upstream::{Exchange, Progress};
use stepwell_wire::{Defaults, Fault, Pipe, UpstreamError, codec, translate_with};

use crate::answer::{Answer, Committed, Refusal};
use crate::open_call::{Billing, OpenCall, Seen};
use crate::snapshot::{Face, Target};
use crate::stages::attempt::{broken_by, content_type, cut_by, fail, invalid, is_type, refused};
use crate::stages::decode::Call;

/// How much may come before the first content: role deltas, pings, comments; and, of responses, the request's tools and
/// instructions repeated twice.
const PREFIX: usize = 256 * 1024;

/// Waits for the first content, tool call, thinking, refusal or terminal event.
///
/// Before that nothing has been sent: an error inside the stream, right after its 200, is still an error with a true
/// status, and another target can still answer.
pub(crate) async fn commit(
    mut exchange: Exchange,
    call: &Call,
    target: &Arc<Target>,
    face: &Face,
    open: &mut OpenCall,
) -> Result<Answer, Refusal> {
    if !is_type(&exchange.head().headers, codec(face.dialect).framing().media_type()) {
        let message = format!("a stream was asked for, and its reply is {}", content_type(&exchange));
        return Err(invalid(&message, Seen::default(), target, open));
    }
    let mut pipe = pipe(call, target, face, open);
    let mut ready = Vec::new();
    loop {
        let burst = poll_fn(|cx| exchange.poll_burst(cx)).await;
        let (pushed, progress) = match burst {
            Ok((bytes, progress)) => (pipe.push(bytes, &mut ready), Ok(progress)),
            Err(error) => (Ok(()), Err(error)),
        };
        if matches!(progress, Ok(Progress::End)) {
            pipe.end(&mut ready);
        }
        let facts = pipe.facts();
        if facts.committed {
            open.first_token();
            let ended = matches!(progress, Ok(Progress::End));
            let broken = match (pushed, progress) {
                (Err(fault), _) => Some(broken_by(&fault, target)),
                (Ok(()), Err(error)) => Some(cut_by(&error, target)),
                (Ok(()), Ok(_)) => None,
            };
            let target = Arc::clone(target);
            return Ok(Answer::Stream(Box::new(Committed {
                target,
                framing: call.codec.framing(),
                exchange,
                pipe,
                ready,
                ended,
                broken,
            })));
        }
        let seen = || Seen::of_stream(facts);
        if let Some(error) = &facts.error {
            return Err(by_event(error, seen(), target, open));
        }
        match (pushed, progress) {
            (Err(fault), _) => return Err(invalid(&fault.to_string(), seen(), target, open)),
            (Ok(()), Err(error)) => return Err(fail(&error, seen(), target, open)),
            (Ok(()), Ok(Progress::End)) => {
                open.end_attempt(Outcome::Failed, Some(Code::UpstreamCut), Billing::Partial, seen());
                let message = format!("{}: its stream ended before it began", target.name.provider);
                return Err(Failure::new(Code::UpstreamCut, message).into());
            }
            (Ok(()), Ok(Progress::More))
                if ready.iter().map(Bytes::len).sum::<usize>() > PREFIX + 3 * call.body.len() =>
            {
                return Err(invalid(&Fault::TooLarge.to_string(), seen(), target, open));
            }
            (Ok(()), Ok(Progress::More)) => {}
        }
    }
}

/// The machine between the two dialects.
fn pipe(call: &Call, target: &Target, face: &Face, open: &OpenCall) -> Box<dyn Pipe> {
    if face.dialect == call.dialect {
        return call.codec.tap(!call.head.include_usage);
    }
    let created = open.record.started.as_seconds();
    let writer = call.codec.stream_writer(call.head.include_usage, created);
    let defaults =
        Defaults { id: Some(open.id().to_string().into()), model: Some(Arc::clone(&target.name.model)) };
    translate_with(codec(face.dialect), writer, defaults)
}

/// An error event before any content.
fn by_event(error: &UpstreamError, seen: Seen, target: &Target, open: &mut OpenCall) -> Refusal {
    open.end_attempt(Outcome::Failed, Some(error.code), Billing::Partial, seen);
    let mut failure = Failure::new(error.code, refused::words(target, error)).status(error.status);
    failure.retry_after = error.retry_after;
    failure.detail = Some(format!("{} sent an error event before any content", target.name));
    failure.into()
}

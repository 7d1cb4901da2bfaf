//! A reply that comes in one piece.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use stepwell_types::Outcome;
use stepwell_upstream::Exchange;
use stepwell_wire::{ReplyFacts, codec};

use crate::answer::{Answer, Refusal};
use crate::open_call::{Billing, OpenCall, Seen};
use crate::snapshot::{Face, Target};
use crate::stages::attempt::{fail, invalid};
use crate::stages::decode::Call;

/// The longest reply, in bytes.
pub(super) const LIMIT: usize = 64 << 20;

/// Reads the whole reply, takes what the record needs, and closes the attempt.
pub(crate) async fn read(
    mut exchange: Exchange,
    call: &Call,
    target: &Arc<Target>,
    face: &Face,
    open: &mut OpenCall,
) -> Result<Answer, Refusal> {
    let body = match exchange.read_all(LIMIT).await {
        Ok(body) => body,
        Err(error) => return Err(fail(&error, Seen::default(), target, open)),
    };
    let read = if face.dialect == call.dialect {
        call.codec.reply_facts(&body).map(|facts| (facts, body))
    } else {
        translate(&body, call, target, face, open)
    };
    let (facts, body) = read
        .map_err(|error| invalid(&format!("its reply is invalid: {error}"), Seen::default(), target, open))?;
    let ended = open.end_attempt(Outcome::Ok, None, Billing::Complete, Seen::of_reply(facts));
    open.first_token_at(ended);
    let upstream = exchange.take_headers();
    Ok(Answer::Whole { target: Some(Arc::clone(target)), upstream, body })
}

fn translate(
    body: &[u8],
    call: &Call,
    target: &Target,
    face: &Face,
    open: &mut OpenCall,
) -> Result<(ReplyFacts, Bytes), stepwell_wire::Error> {
    let mut reply = codec(face.dialect).read_reply(body)?;
    let facts = ReplyFacts {
        id: reply.id.as_deref().map(Arc::from),
        model: reply.model.as_deref().map(Arc::from),
        finish: reply.finish,
        usage: reply.usage,
    };
    reply.created.get_or_insert(open.record.started.as_seconds());
    // Not every dialect has an id or says which model answers, and every client of one that does expects it.
    reply.id.get_or_insert_with(|| open.id().to_string().into());
    reply.model.get_or_insert(Cow::Borrowed(&target.name.model));
    let written = call.codec.write_reply(&reply);
    open.note_losses("reply", &written.losses);
    Ok((facts, Bytes::from(written.body)))
}

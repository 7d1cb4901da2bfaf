//! Embeddings: the request in the target's form, and the reply in the client's.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use stepwell_config::RouteSettings;
use stepwell_types::{Code, Failure, Outcome, Timestamp};
use stepwell_upstream::Exchange;
use stepwell_wire::embeddings::{Encoding, codec};
use stepwell_wire::{Error, Losses, ReplyFacts};

use crate::answer::{Answer, Refusal};
use crate::open_call::{Billing, OpenCall, Seen};
use crate::snapshot::{EmbeddingFace, Target};
use crate::stages::attempt::encode::{Encoded, bound_of_input, refuse_losses};
use crate::stages::attempt::whole::LIMIT;
use crate::stages::attempt::{Ready, fail, invalid};
use crate::stages::decode::{Call, Embeds};

/// What a reply must be, and be made into.
pub(crate) struct Expected<'c> {
    pub(crate) embeds: &'c Embeds,
    pub(crate) face: &'c EmbeddingFace,
    /// The request passed as it came.
    pub(crate) same: bool,
    /// How many vectors there must be, where the request was read.
    pub(crate) inputs: Option<usize>,
}

/// The request for `target`: the model spliced in where its form and its reading of it are the client's, written anew where
/// they are not; and the number of its inputs where it was read.
pub(crate) fn ready<'t>(
    call: &Call,
    embeds: &Embeds,
    target: &Target,
    face: &'t EmbeddingFace,
    route: Option<&RouteSettings>,
    at: Timestamp,
) -> Result<(Ready<'t>, Option<usize>), Failure> {
    let (encoded, inputs) = encode(call, embeds, target, face, route)?;
    let (bound, probable) = bound_of_input(&call.body, target, encoded.body.len(), at);
    let dialect = face.format.dialect();
    Ok((Ready { template: &face.template, dialect, encoded, bound, probable }, inputs))
}

fn encode(
    call: &Call,
    embeds: &Embeds,
    target: &Target,
    face: &EmbeddingFace,
    route: Option<&RouteSettings>,
) -> Result<(Encoded, Option<usize>), Failure> {
    let model = &target.name.model;
    if face.format == embeds.codec.format()
        && let Some(body) = embeds.codec.edit_request(&call.body, &call.head, model, face.quirks)?
    {
        return Ok((Encoded { body: Bytes::from(body), losses: Losses::default(), same: true }, None));
    }
    let embed = embeds.codec.read_request(&call.body)?;
    let written = codec(face.format).write_request(&embed, model, face.quirks)?;
    refuse_losses(route, target, &written.losses)?;
    let encoded = Encoded {
        body: Bytes::from(written.body),
        losses: written.losses,
        same: face.format == embeds.codec.format(),
    };
    Ok((encoded, Some(embed.inputs.len())))
}

/// Reads the whole reply, takes what the record needs, and closes the attempt.
pub(crate) async fn read(
    mut exchange: Exchange,
    expected: Expected<'_>,
    target: &Arc<Target>,
    open: &mut OpenCall,
) -> Result<Answer, Refusal> {
    let body = match exchange.read_all(LIMIT).await {
        Ok(body) => body,
        Err(error) => return Err(fail(&error, Seen::default(), target, open)),
    };
    let (facts, body) = understood(body, &expected, target, open)
        .map_err(|error| invalid(&format!("its reply is invalid: {error}"), Seen::default(), target, open))?;
    // There is no token to be the first.
    open.end_attempt(Outcome::Ok, None, Billing::Complete, Seen::of_reply(facts));
    let upstream = exchange.take_headers();
    Ok(Answer::Whole { target: Some(Arc::clone(target)), upstream, body })
}

/// The reply as the client is to have it. Within one form the bytes pass, unless the vectors are not written as the client
/// asked: there are servers that pass over `encoding_format`.
fn understood(
    body: Bytes,
    expected: &Expected<'_>,
    target: &Target,
    open: &mut OpenCall,
) -> Result<(ReplyFacts, Bytes), Error> {
    let Expected { embeds, face, same, inputs } = expected;
    let theirs = codec(face.format);
    if *same {
        let facts = theirs.reply_facts(&body)?;
        let is_as_asked = embeds.encoding == Encoding::AsIs
            || facts.encoding.is_none_or(|encoding| encoding == embeds.encoding);
        if is_as_asked {
            return Ok((facts.reply, body));
        }
    }
    let mut reply = theirs.read_reply(&body)?;
    let found = reply.vectors.len();
    if let Some(inputs) = inputs.filter(|inputs| *inputs != found) {
        let message = format!("there are {found} vectors for {inputs} inputs");
        return Err(Error::new(Code::UpstreamInvalid, message));
    }
    let facts = ReplyFacts {
        id: reply.id.as_deref().map(Arc::from),
        model: reply.model.as_deref().map(Arc::from),
        finish: None,
        usage: reply.usage,
    };
    reply.model.get_or_insert(Cow::Borrowed(&target.name.model));
    let written = embeds.codec.write_reply(&reply, embeds.encoding);
    open.note_losses("reply", &written.losses);
    Ok((facts, Bytes::from(written.body)))
}

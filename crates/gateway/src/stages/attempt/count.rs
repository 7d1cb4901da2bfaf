//! Counting input tokens: by the provider where it can, else by estimate.

use std::sync::Arc;

use stepwell_http1::Headers;
use stepwell_policy::estimate;
use stepwell_types::Outcome;
use stepwell_upstream::Exchange;
use stepwell_wire::Losses;

use crate::answer::{Answer, Refusal};
use crate::open_call::{Billing, OpenCall, Seen};
use crate::snapshot::Target;
use crate::stages::attempt::fail;
use crate::stages::decode::Call;

/// The longest answer to a count, in bytes.
const LIMIT: usize = 64 * 1024;

/// The provider's own count. It is free of charge.
pub(crate) async fn passed(
    mut exchange: Exchange,
    target: &Arc<Target>,
    open: &mut OpenCall,
) -> Result<Answer, Refusal> {
    let body = match exchange.read_all(LIMIT).await {
        Ok(body) => body,
        Err(error) => return Err(fail(&error, Seen::default(), target, open)),
    };
    open.end_attempt(Outcome::Ok, None, Billing::Nothing, Seen::default());
    let upstream = exchange.take_headers();
    Ok(Answer::Whole { target: Some(Arc::clone(target)), upstream, body })
}

/// An estimate, for a provider that does not count; said to be one by a loss.
pub(crate) fn estimated(call: &Call, target: &Arc<Target>, open: &mut OpenCall) -> Answer {
    let mut losses = Losses::default();
    losses.note("/input_tokens (estimated)");
    open.note_losses("reply", &losses);
    let tokens = estimate::input_tokens(call.body.len() as u64);
    let body = call.codec.write_token_count(tokens).into();
    Answer::Whole { target: Some(Arc::clone(target)), upstream: Headers::default(), body }
}

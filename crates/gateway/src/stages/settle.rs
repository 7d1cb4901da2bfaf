//! settle: the call's final is written, then its reply may go.

use stepwell_http1::server::Response;
use stepwell_types::{Code, Outcome, Stage};

use crate::answer::{Answer, Refusal, ReplyBody, events, json};
use crate::door::Tongue;
use crate::headers;
use crate::open_call::OpenCall;
use crate::relay::Relay;

/// The status of a call that succeeds.
const OK: u16 = 200;

/// Closes a call whose reply is whole; hands a streamed one to its relay, which closes it at the stream's end.
pub(crate) async fn answered(answer: Answer, mut open: Box<OpenCall>) -> Response<ReplyBody> {
    match answer {
        Answer::Whole { target, upstream, body } => {
            open.record.reply_bytes = body.len() as u64;
            open.close(Outcome::Ok, None, OK).await;
            let mut response = json(OK, body);
            let own = &mut response.headers;
            if let Some(target) = &target {
                target.provider.passing.pass(&upstream, own);
                headers::put_target(own, target);
            }
            headers::put_call(own, &open, Stage::Settle);
            headers::put_cost(own, &open.record);
            response
        }
        Answer::Stream(committed) => {
            // Its headers go while the attempt is under way: the time so far is the attempt's.
            open.enter(Stage::Attempt);
            let mut response = events(committed.framing);
            let own = &mut response.headers;
            committed.target.provider.passing.pass(&committed.exchange.head().headers, own);
            headers::put_target(own, &committed.target);
            headers::put_call(own, &open, Stage::Attempt);
            response.map(|()| ReplyBody::stream(Relay::new(*committed, open)))
        }
    }
}

/// Closes a call that failed before anything of a reply was sent, and says why in the client's dialect.
pub(crate) async fn refused(
    refusal: Refusal,
    mut open: Box<OpenCall>,
    tongue: Tongue,
) -> Response<ReplyBody> {
    let Refusal { failure, upstream } = refusal;
    if let Some(detail) = &failure.detail {
        tracing::warn!(call_id = %open.id(), code = %failure.code, detail, "call failed");
    }
    let verbatim = upstream.as_ref().and_then(|upstream| upstream.verbatim.clone());
    let body = verbatim.unwrap_or_else(|| tongue.write_error(&failure, Some(open.id())).into());
    open.record.reply_bytes = body.len() as u64;
    let outcome = if failure.code == Code::ClientClosed { Outcome::Cancelled } else { Outcome::Failed };
    open.close(outcome, Some(failure.code), failure.status).await;
    let mut response = json(failure.status, body);
    let own = &mut response.headers;
    if let Some(upstream) = &upstream {
        upstream.target.provider.passing.pass(&upstream.headers, own);
        headers::put_target(own, &upstream.target);
    }
    headers::put_call(own, &open, Stage::Settle);
    // What the provider said of it itself has passed already.
    if let Some(after) = failure.retry_after.filter(|_| !own.has(headers::RETRY_AFTER)) {
        headers::put_retry_after(own, after);
    }
    response
}

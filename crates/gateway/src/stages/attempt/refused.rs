//! A provider's error answer.

use std::sync::Arc;
use std::time::Duration;

use stepwell_http1::Headers;
use stepwell_types::{Blame, Code, Dialect, Failure, Outcome};
use stepwell_upstream::Exchange;
use stepwell_wire::{UpstreamError, codec};

use crate::answer::{Refusal, Upstreams};
use crate::open_call::{Billing, OpenCall, Seen};
use crate::snapshot::Target;

/// The longest error body that is read.
const LIMIT: usize = 1 << 20;

/// Reads the provider's error and closes the attempt: an error status is not billed.
///
/// The body passes byte for byte if the client speaks the `same` form of it, unless the error is about our own account there:
/// what a provider says of our credentials is not the client's business.
pub(crate) async fn by_provider(
    mut exchange: Exchange,
    target: &Arc<Target>,
    dialect: Dialect,
    same: bool,
    open: &mut OpenCall,
) -> Refusal {
    let status = exchange.head().status.as_u16();
    let body = exchange.read_all(LIMIT).await.unwrap_or_default();
    let error = codec(dialect).read_error(status, &body);
    open.end_attempt(Outcome::Failed, Some(error.code), Billing::Nothing, Seen::default());
    let is_ours = error.code.blame() == Blame::Gateway;
    let mut failure = Failure::new(error.code, words(target, &error));
    // A redirect is not followed, and its status is nothing to pass on.
    let is_error = (400..600).contains(&error.status);
    // Some say a key they refuse is a bad request, which to a client would be one of its own.
    if is_error && error.code != Code::UpstreamAuth {
        failure.status = error.status;
    }
    failure.param = error.param;
    failure.retry_after = retry_after(&exchange.head().headers).or(error.retry_after);
    failure.detail = Some(format!("{} answered {status}", target.name));
    let has_shape = is_error && body.first() == Some(&b'{');
    let verbatim = (same && !is_ours && has_shape).then_some(body);
    let headers = exchange.take_headers();
    Refusal { failure, upstream: Some(Upstreams { target: Arc::clone(target), headers, verbatim }) }
}

/// What a client hears of a provider's error: what is said of our own account there is not its business.
pub(crate) fn words(target: &Target, error: &UpstreamError) -> String {
    let provider = &target.name.provider;
    match error.code {
        Code::UpstreamAuth => format!(
            "{provider} refuses the key stepwell has for it: check its {}",
            target.provider.credential.key()
        ),
        code if code.blame() == Blame::Gateway => {
            format!("{provider} refuses {}: {}", target.name.model, error.message)
        }
        _ => error.message.clone(),
    }
}

/// What `retry-after-ms` or `retry-after` in seconds says. A date is left to the client: it reads the same header.
fn retry_after(headers: &Headers) -> Option<Duration> {
    let number = |name: &str| headers.get_str(name)?.trim().parse::<u64>().ok();
    number("retry-after-ms")
        .map(Duration::from_millis)
        .or_else(|| number("retry-after").map(Duration::from_secs))
}

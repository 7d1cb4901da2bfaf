//! attempt: targets are tried in order until one answers or none may.
//!
//! One owner of retries: a failed attempt goes to the next target if `policy` says that another can help. Until a
//! reply is committed every failure can, because nothing of it has been sent.

mod count;
mod embed;
mod encode;
mod refused;
mod stream;
mod whole;

use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use stepwell_http1::Headers;
use stepwell_http1::client::{Request, Template};
use stepwell_policy::{Next, after};
use stepwell_types::{Code, Dialect, Endpoint, Failure, NanoUsd, Outcome, Usage};
use stepwell_upstream::{Error, Exchange, Upstream};
use stepwell_wire::Fault;
use stepwell_wire::chat::Chat;
use tokio::time::Instant;

pub(crate) use self::refused::words;

use self::encode::Encoded;
use crate::answer::{Answer, Refusal};
use crate::open_call::{Billing, OpenCall, Seen};
use crate::snapshot::{CORRELATION, Forwarded, Provider, Target};
use crate::stages::admit::Admitted;
use crate::stages::decode::Call;
use crate::stages::plan::Plan;

/// When to come back to a provider whose connections are all taken.
const COME_BACK: Duration = Duration::from_secs(1);

/// Tries the plan's targets.
pub(crate) async fn run(
    plan: &Plan,
    call: &Call,
    admitted: Admitted,
    upstream: &Arc<Upstream>,
    open: &mut OpenCall,
) -> Result<Answer, Refusal> {
    open.hold(admitted.permit);
    let mut targets = plan.resolution.targets.iter().filter(|target| target.serves(call.endpoint));
    let mut parsed = None;
    let mut attempt = 0;
    while let Some(target) = targets.next() {
        attempt += 1;
        let refusal = match try_target(target, plan, call, &mut parsed, upstream, open).await {
            Ok(answer) => return Ok(answer),
            Err(refusal) => refusal,
        };
        if after(refusal.failure.code, attempt, targets.clone().count()) == Next::Stop {
            return Err(refusal);
        }
        tracing::info!(
            call_id = %open.id(), target = %target.name, code = %refusal.failure.code,
            "attempt failed, trying the next target"
        );
    }
    Err(Failure::new(Code::InternalError, "the route has no targets").into())
}

/// An attempt that is ready to be sent.
struct Ready<'t> {
    template: &'t Template,
    /// The dialect that the target is spoken to in.
    dialect: Dialect,
    encoded: Encoded,
    /// The most it can cost.
    bound: Option<NanoUsd>,
    /// What it probably uses.
    probable: Usage,
}

async fn try_target<'a>(
    target: &Arc<Target>,
    plan: &Plan,
    call: &'a Call,
    parsed: &mut Option<Chat<'a>>,
    upstream: &Arc<Upstream>,
    open: &mut OpenCall,
) -> Result<Answer, Refusal> {
    let route = plan.resolution.route.as_ref();
    if let Some(embeds) = &call.embeds {
        let face = target.embedding_face(embeds.codec.format())?;
        let (ready, inputs) = embed::ready(call, embeds, target, face, route, open.record.started)?;
        let same = ready.encoded.same;
        let exchange = send(ready, target, plan, call, upstream, open).await?;
        return embed::read(exchange, embed::Expected { embeds, face, same, inputs }, target, open).await;
    }
    let face = target.face(call.dialect)?;
    let template = match call.endpoint {
        Endpoint::CountTokens => match &face.count_tokens {
            Some(template) if face.dialect == call.dialect => template,
            _ => return Ok(count::estimated(call, target, open)),
        },
        _ if call.head.stream => &face.stream,
        _ => &face.chat,
    };
    let encoded = encode::request(call, target, face, route, parsed)?;
    let (bound, probable) = match call.endpoint {
        Endpoint::CountTokens => (Some(NanoUsd::ZERO), Usage::default()),
        _ => encode::worst_case(call, target, route, encoded.body.len(), open.record.started),
    };
    let ready = Ready { template, dialect: face.dialect, encoded, bound, probable };
    let exchange = send(ready, target, plan, call, upstream, open).await?;
    match call.endpoint {
        Endpoint::CountTokens => count::passed(exchange, target, open).await,
        _ if call.head.stream => stream::commit(exchange, call, target, face, open).await,
        _ => whole::read(exchange, call, target, face, open).await,
    }
}

/// Sends an attempt, its intent written before; gives its exchange once the head of a good reply is there.
async fn send(
    ready: Ready<'_>,
    target: &Arc<Target>,
    plan: &Plan,
    call: &Call,
    upstream: &Arc<Upstream>,
    open: &mut OpenCall,
) -> Result<Exchange, Refusal> {
    let Ready { template, dialect, encoded, bound, probable } = ready;
    open.record.losses.clear();
    open.note_losses("request", &encoded.losses);
    let authorization = authorization(target, upstream, plan.deadline).await?;
    open.begin_attempt(target, dialect, bound, probable).await?;
    let mut request = request(call, &target.provider, template, &encoded, open);
    if let Some(authorization) = &authorization {
        request.header(AUTHORIZATION.as_str(), authorization.as_bytes());
    }
    let limits = &target.provider.limits;
    let sent = upstream.send(&target.provider.origin, request, limits, plan.deadline).await;
    let exchange = sent.map_err(|error| fail(&error, Seen::default(), target, open))?;
    let status = exchange.head().status;
    open.first_byte(status.as_u16());
    if status == StatusCode::UNAUTHORIZED
        && let Some(authorization) = &authorization
    {
        target.provider.credential.refused(authorization);
    }
    if !status.is_success() {
        return Err(refused::by_provider(exchange, target, dialect, encoded.same, open).await);
    }
    Ok(exchange)
}

/// The credential of its own that a request needs, where the provider's is one that expires.
async fn authorization(
    target: &Target,
    upstream: &Arc<Upstream>,
    deadline: Instant,
) -> Result<Option<HeaderValue>, Failure> {
    target.provider.credential.authorization(upstream, deadline).await.map_err(|error| {
        let provider = &target.name.provider;
        let message = format!("{provider} cannot be called: stepwell has no valid credential for it");
        let mut failure = Failure::new(Code::UpstreamAuth, message);
        failure.detail = Some(format!("{provider}: {error}"));
        failure
    })
}

/// The request as this provider takes it: its credentials, the client's headers that its kind lets through, and ids to
/// find the attempt by on its side.
fn request(
    call: &Call,
    provider: &Provider,
    template: &Template,
    encoded: &Encoded,
    open: &OpenCall,
) -> Request {
    let mut request = Request::new(template, encoded.body.clone());
    let same = encoded.same;
    for Forwarded { name, by_itself, otherwise } in &provider.forwarded {
        let from_client = if same || *by_itself { call.headers.get(name.as_str()) } else { None };
        if let Some(value) = from_client.or(otherwise.as_ref().map(HeaderValue::as_bytes)) {
            request.header(name.as_str(), value);
        }
    }
    let mut id = [0; 36];
    request.header(CORRELATION.as_str(), open.id().encode(&mut id).as_bytes());
    request
}

/// Closes an attempt that the network or the provider's HTTP failed.
fn fail(error: &Error, seen: Seen, target: &Target, open: &mut OpenCall) -> Refusal {
    let code = error.code();
    let billing = if error.never_sent() { Billing::Nothing } else { Billing::Partial };
    open.end_attempt(Outcome::Failed, Some(code), billing, seen);
    cut_by(error, target).into()
}

/// What the network or the provider's HTTP did.
fn cut_by(error: &Error, target: &Target) -> Failure {
    let failure = Failure::new(error.code(), format!("{}: {error}", target.name.provider));
    match error {
        Error::PoolFull(_) => failure.retry_after(COME_BACK),
        _ => failure,
    }
}

/// What the provider's stream did to its dialect.
fn broken_by(fault: &Fault, target: &Target) -> Failure {
    Failure::new(Code::UpstreamInvalid, format!("{}: {fault}", target.name.provider))
}

/// Closes an attempt whose answer is not what its dialect allows.
fn invalid(message: &str, seen: Seen, target: &Target, open: &mut OpenCall) -> Refusal {
    open.end_attempt(Outcome::Failed, Some(Code::UpstreamInvalid), Billing::Partial, seen);
    Failure::new(Code::UpstreamInvalid, format!("{}: {message}", target.name.provider)).into()
}

/// Whether a reply's content type begins with `media_type`.
fn is_type(headers: &Headers, media_type: &str) -> bool {
    let value = headers.get(CONTENT_TYPE.as_str()).unwrap_or_default();
    value.get(..media_type.len()).is_some_and(|start| start.eq_ignore_ascii_case(media_type.as_bytes()))
}

/// What a failed attempt's exchange still tells.
fn content_type(exchange: &Exchange) -> String {
    exchange.head().headers.get_str(CONTENT_TYPE.as_str()).unwrap_or("nothing").to_owned()
}

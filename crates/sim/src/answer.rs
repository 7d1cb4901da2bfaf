//! Answers one call: reads it, makes the reply, applies the fault. Everything here is immediate; waiting is `route`'s.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use stepwell_types::{Clock as _, Dialect, Endpoint, Timestamp};
use tokio::time::Instant;

use crate::ask::{Ask, Thinking};
use crate::body::{Pace, Progress, ReplyBody, Script, Stall, Tail};
use crate::check::{Invalid, Path};
use crate::generate::{self, Ids};
use crate::json::Json;
use crate::knobs::{self, Knobs};
use crate::options::ModelOptions;
use crate::oracle::{Ended, id_text};
use crate::prompt_cache::Cached;
use crate::reply::{Events, Mark, Reply};
use crate::socket::{HangUp, Line};
use crate::state::{Account, Generating, State};
use crate::{Fault, anthropic, keys, openai};

/// What to do about a call.
pub(crate) struct Answer {
    /// How long to wait first.
    pub(crate) wait: Duration,
    /// What then.
    pub(crate) deed: Deed,
}

/// What to do about a call, after waiting.
pub(crate) enum Deed {
    /// Send a reply, and close the account, if it is still open.
    Respond(Response<ReplyBody>, Option<(Account, Ended)>),
    /// Hang up.
    HangUp(HangUp, Account),
    /// Nothing, ever.
    Silence(Account),
}

/// A call, read off the wire.
pub(crate) struct Call<'c> {
    /// The simulator.
    pub(crate) state: &'c Arc<State>,
    /// The connection.
    pub(crate) line: &'c Line,
    /// In which dialect.
    pub(crate) dialect: Dialect,
    /// What is asked for.
    pub(crate) endpoint: Endpoint,
    /// The head.
    pub(crate) headers: &'c HeaderMap,
    /// When it came.
    pub(crate) now: Timestamp,
    /// The request's number.
    pub(crate) id: u64,
}

/// An error in the dialect of its call.
pub(crate) enum Failure {
    OpenaiChat(openai::error::Failure),
    Anthropic(anthropic::error::Failure),
}

impl Failure {
    /// An error of the status's usual type.
    pub(crate) fn new(dialect: Dialect, status: u16, message: impl Into<String>) -> Self {
        match dialect {
            Dialect::OpenaiChat => Self::OpenaiChat(openai::error::Failure::new(status, message)),
            Dialect::Anthropic => Self::Anthropic(anthropic::error::Failure::new(status, message)),
        }
    }

    /// The error for a key that is not taken.
    pub(crate) fn key(dialect: Dialect, refused: keys::Refused) -> Self {
        match dialect {
            Dialect::OpenaiChat => Self::OpenaiChat(openai::error::Failure::key(refused)),
            Dialect::Anthropic => Self::Anthropic(anthropic::error::Failure::key(refused)),
        }
    }

    fn invalid(dialect: Dialect, invalid: Invalid) -> Self {
        match dialect {
            Dialect::OpenaiChat => Self::OpenaiChat(openai::error::Failure::invalid(invalid)),
            Dialect::Anthropic => Self::Anthropic(anthropic::error::Failure::invalid(invalid)),
        }
    }

    fn kind(self, kind: Option<&str>) -> Self {
        match self {
            Self::OpenaiChat(failure) => Self::OpenaiChat(failure.kind(kind)),
            Self::Anthropic(failure) => Self::Anthropic(failure.kind(kind)),
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::OpenaiChat(failure) => failure.status,
            Self::Anthropic(failure) => failure.status,
        }
    }
}

/// Answers a call whose body is `bytes`.
pub(crate) fn call(call: &Call<'_>, bytes: &[u8]) -> Answer {
    let account = Account::open(call.state, call.id, call.dialect, call.endpoint, call.headers);
    if let Err(failure) = call.admit() {
        return call.fail(account, &failure);
    }
    let json = match Json::parse(bytes) {
        Ok(json) => json,
        Err(error) => {
            let message = match call.dialect {
                Dialect::OpenaiChat => format!("We could not parse the JSON body of your request. ({error})"),
                Dialect::Anthropic => format!("The request body is not valid JSON: {error}"),
            };
            return call.fail(account, &Failure::new(call.dialect, 400, message));
        }
    };
    match (call.dialect, call.endpoint) {
        (Dialect::OpenaiChat, _) => match openai::request::read(&json, &call.state.models) {
            Ok(request) => {
                let form = openai::stream::Form {
                    include_usage: request.include_usage,
                    obfuscate: request.obfuscate,
                };
                call.serve(account, &request.ask, form)
            }
            Err(invalid) => call.refuse(account, invalid),
        },
        (Dialect::Anthropic, Endpoint::Chat) => match anthropic::request::read(&json, &call.state.models) {
            Ok(ask) => call.serve(account, &ask, NO_FORM),
            Err(invalid) => call.refuse(account, invalid),
        },
        (Dialect::Anthropic, Endpoint::CountTokens) => {
            match anthropic::request::read_count(&json, &call.state.models) {
                Ok(ask) => call.serve(account, &ask, NO_FORM),
                Err(invalid) => call.refuse(account, invalid),
            }
        }
    }
}

const NO_FORM: openai::stream::Form = openai::stream::Form { include_usage: false, obfuscate: false };

impl Call<'_> {
    /// What the head of the request must have.
    fn admit(&self) -> Result<(), Failure> {
        keys::check(self.dialect, self.headers).map_err(|refused| Failure::key(self.dialect, refused))?;
        let json =
            self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
                value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
            });
        if !json {
            return Err(Failure::new(self.dialect, 415, "content-type: must be application/json"));
        }
        if self.headers.contains_key(http::header::CONTENT_ENCODING) {
            return Err(Failure::new(self.dialect, 415, "content-encoding: is not supported"));
        }
        if self.dialect == Dialect::OpenaiChat {
            return Ok(());
        }
        match self.headers.get("anthropic-version").map(HeaderValue::as_bytes) {
            Some(b"2023-06-01" | b"2023-01-01") => Ok(()),
            Some(other) => {
                let version = String::from_utf8_lossy(other);
                let message = format!("anthropic-version: \"{version}\" is not a valid version");
                Err(Failure::new(self.dialect, 400, message))
            }
            None => Err(Failure::new(self.dialect, 400, "anthropic-version: header is required")),
        }
    }

    fn refuse(&self, account: Account, invalid: Invalid) -> Answer {
        self.fail(account, &Failure::invalid(self.dialect, invalid))
    }

    /// Answers with an error, which is not billed.
    fn fail(&self, mut account: Account, failure: &Failure) -> Answer {
        account.note(|row| row.status = failure.status());
        let response = self.error(failure, self.id);
        Answer { wait: Duration::ZERO, deed: Deed::Respond(response, Some((account, Ended::Error))) }
    }

    fn error(&self, failure: &Failure, id: u64) -> Response<ReplyBody> {
        error_response(self.state, failure, id)
    }

    /// Answers a valid request.
    fn serve(&self, mut account: Account, ask: &Ask<'_, '_>, form: openai::stream::Form) -> Answer {
        let Some(model) = self.state.models.get(ask.model) else {
            return self.fail(account, &Failure::new(self.dialect, 500, "the model is gone"));
        };
        account.note(|row| {
            row.model = Some(ask.model);
            row.streamed = ask.stream;
        });
        let text = &*ask.prompt.last_user_text;
        let knobs = match knobs::read(self.headers, text, self.state.options.timing, self.dialect) {
            Ok(knobs) => knobs,
            Err(message) => return self.fail(account, &Failure::new(self.dialect, 400, message)),
        };
        if let Err(invalid) = fits(ask, model) {
            return self.refuse(account, invalid);
        }
        let fault = knobs.fault.clone();
        let fault = fault
            .or_else(|| self.state.faults.next(&model.name))
            .or_else(|| self.state.options.fault.clone());
        account.note(|row| row.fault = fault.as_ref().map(Fault::name));
        let wait = fault.as_ref().map_or(Duration::ZERO, Fault::head_delay);
        let account = match self.before_reply(account, fault.as_ref(), ask.stream) {
            Ok(account) => account,
            Err(deed) => return Answer { wait, deed },
        };
        if self.endpoint == Endpoint::CountTokens {
            return self.count(account, ask, wait);
        }
        let cached = self.cached(ask);
        let ids = Ids { boot: self.state.boot, request: self.id, dialect: self.dialect };
        let reply = generate::reply(ask, &knobs, model.max_output_tokens, cached, ids);
        self.reply(account, Made { ask, knobs: &knobs, model, reply: &reply, fault, wait }, form)
    }

    fn cached(&self, ask: &Ask<'_, '_>) -> Cached {
        let least = self.state.options.cache_min_tokens;
        match self.dialect {
            Dialect::OpenaiChat => self.state.cache.automatic(&ask.prompt.boundaries, least, self.now),
            Dialect::Anthropic => self.state.cache.marked(&ask.prompt.boundaries, least, self.now),
        }
    }

    /// Faults that keep a reply from being made.
    fn before_reply(
        &self,
        mut account: Account,
        fault: Option<&Fault>,
        stream: bool,
    ) -> Result<Account, Deed> {
        let (failure, wait) = match fault {
            Some(Fault::Refuse) => return Err(Deed::HangUp(HangUp::Close, account)),
            Some(Fault::Reset) => return Err(Deed::HangUp(HangUp::Reset, account)),
            Some(Fault::Blackhole) => {
                account.note(|row| row.ended = Ended::CutByFault);
                return Err(Deed::Silence(account));
            }
            Some(Fault::Html(status)) => {
                account.note(|row| row.status = *status);
                return Err(Deed::Respond(html(*status), Some((account, Ended::Error))));
            }
            Some(Fault::Status(status, kind)) => {
                let message = format!("simulated fault: status {status}");
                (Failure::new(self.dialect, *status, message).kind(kind.as_deref()), None)
            }
            Some(Fault::RateLimit(seconds)) => {
                (Failure::new(self.dialect, 429, "simulated fault: rate limit reached"), Some(*seconds))
            }
            Some(Fault::StreamError(_)) if !stream => match self.dialect {
                Dialect::OpenaiChat => (Failure::new(self.dialect, 503, "The server is overloaded"), None),
                Dialect::Anthropic => (Failure::new(self.dialect, 529, "Overloaded"), None),
            },
            _ => return Ok(account),
        };
        account.note(|row| row.status = failure.status());
        let mut response = self.error(&failure, self.id);
        if let Some(seconds) = wait {
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            rate_limit_headers(headers, self.dialect, self.state, self.now, "0");
        }
        Err(Deed::Respond(response, Some((account, Ended::Error))))
    }

    fn count(&self, mut account: Account, ask: &Ask<'_, '_>, wait: Duration) -> Answer {
        account.note(|row| row.status = 200);
        let body = format!("{{\"input_tokens\":{}}}", ask.prompt.tokens());
        let response = self.head(200, "application/json", ReplyBody::Whole(Bytes::from(body)));
        Answer { wait, deed: Deed::Respond(response, Some((account, Ended::Finished))) }
    }

    fn reply(&self, mut account: Account, made: Made<'_>, form: openai::stream::Form) -> Answer {
        let tokens = made.reply.tokens;
        account.note(|row| {
            row.status = 200;
            row.billed = true;
            row.tokens = tokens;
        });
        if made.ask.stream {
            account.generated(0, 0);
            let events = self.events(&made, form);
            return self.stream(account, &made, events);
        }
        let id = id_text(self.dialect, self.state.boot, self.id);
        let body = match self.dialect {
            Dialect::OpenaiChat => openai::reply::write(&self.openai_head(&id, made.model), made.reply),
            Dialect::Anthropic => anthropic::reply::write(&anthropic_head(&id, &made), made.reply),
        };
        self.whole(account, &made, body)
    }

    fn openai_head<'h>(&self, id: &'h str, model: &'h ModelOptions) -> openai::reply::Head<'h> {
        openai::reply::Head { id, created: self.now.as_seconds(), model: &model.name }
    }

    fn events(&self, made: &Made<'_>, form: openai::stream::Form) -> Events {
        let id = id_text(self.dialect, self.state.boot, self.id);
        match self.dialect {
            Dialect::OpenaiChat => {
                openai::stream::write(&self.openai_head(&id, made.model), made.reply, form)
            }
            Dialect::Anthropic => anthropic::stream::write(&anthropic_head(&id, made), made.reply),
        }
    }

    /// A reply that is not streamed, whole or broken.
    fn whole(&self, mut account: Account, made: &Made<'_>, mut body: Vec<u8>) -> Answer {
        let tokens = made.reply.tokens;
        let timing = made.knobs.timing;
        let pace = timing.pace();
        let generating = timing.ttft + pace.saturating_mul(tokens.output.saturating_sub(1));
        let wait = made.wait + generating;
        if wait > Duration::ZERO {
            let ttft = made.wait + timing.ttft;
            account.generating(Generating { from: Instant::now(), ttft, pace, total: tokens.output });
        }
        let half = body.len() / 2;
        let length = body.len();
        let (kept, stall, tail) = match &made.fault {
            Some(Fault::Cut(_)) => (half, None, Tail::HangUp(HangUp::Close)),
            Some(Fault::Truncate(_)) => (half, None, Tail::HangUp(HangUp::Close)),
            Some(Fault::ResetAfterHeaders) => (0, None, Tail::HangUp(HangUp::Reset)),
            Some(Fault::Eof(_)) => (half, None, Tail::Proper(Ended::CutByFault)),
            Some(Fault::Stall(_, seconds)) => {
                let pause = seconds.map(|seconds| Duration::from_secs(seconds.into()));
                (length, Some(Stall { after: 1, pause }), Tail::Proper(Ended::Finished))
            }
            other => {
                let mut ended = Ended::Finished;
                if matches!(other, Some(Fault::Garbage(_) | Fault::GarbageSse(_))) {
                    body = b"{\"garbage\": \x01 not json".to_vec();
                    ended = Ended::CutByFault;
                }
                let response = self.head(200, "application/json", ReplyBody::Whole(Bytes::from(body)));
                return Answer { wait, deed: Deed::Respond(response, Some((account, ended))) };
            }
        };
        let mark = |end| Mark { end, tokens: tokens.output, step: 0 };
        let marks = [half, length].into_iter().filter(|end| *end <= kept).map(mark).collect();
        let script = self.script(Bytes::from(body), marks, tail, Script::UNMETERED);
        let script = Script { stall, account: Some(account), ..script };
        let mut response = self.head(200, "application/json", ReplyBody::Script(Box::new(script)));
        if matches!(made.fault, Some(Fault::Truncate(_) | Fault::ResetAfterHeaders)) {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length + 1));
        }
        Answer { wait, deed: Deed::Respond(response, None) }
    }

    fn script(&self, bytes: Bytes, marks: Vec<Mark>, tail: Tail, metered: bool) -> Script {
        Script {
            bytes,
            marks,
            pace: None,
            stall: None,
            tail,
            burst: self.state.options.burst_bytes,
            reasoning: 0,
            metered,
            line: self.line.clone(),
            account: None,
            progress: Progress::default(),
        }
    }

    /// A stream, whole or broken.
    fn stream(&self, account: Account, made: &Made<'_>, mut events: Events) -> Answer {
        // A fault always shows: at the latest before the last event.
        let last = events.count().saturating_sub(1);
        let at = |after: u32| after.min(last);
        let mut stall = None;
        let mut tail = Tail::Proper(Ended::Finished);
        match &made.fault {
            Some(Fault::Cut(after)) => {
                events.keep(at(*after));
                tail = Tail::HangUp(HangUp::Close);
            }
            Some(Fault::ResetAfterHeaders) => {
                events.keep(0);
                tail = Tail::HangUp(HangUp::Reset);
            }
            Some(Fault::Eof(after)) => {
                events.keep(at(*after));
                tail = Tail::Proper(Ended::CutByFault);
            }
            Some(Fault::Truncate(after)) => {
                let after = at(*after);
                let torn = torn_event(&events, after);
                events.keep(after);
                events.insert(after, &torn);
                tail = Tail::HangUp(HangUp::Close);
            }
            Some(Fault::StreamError(after)) => {
                let after = at(after.unwrap_or_else(|| events.preamble()));
                events.keep(after);
                let event = match self.dialect {
                    Dialect::OpenaiChat => openai::error::overload_event(),
                    Dialect::Anthropic => anthropic::error::overload_event(&request_id(self.state, self.id)),
                };
                events.insert(after, &event);
                tail = Tail::Proper(Ended::CutByFault);
            }
            Some(Fault::Garbage(after)) => {
                let garbage: &[u8] = match self.dialect {
                    Dialect::OpenaiChat => b"data: {\"garbage\": not json\n\n",
                    Dialect::Anthropic => b"event: content_block_delta\ndata: {\"garbage\": not json\n\n",
                };
                events.insert(at(*after), garbage);
            }
            Some(Fault::GarbageSse(after)) => {
                events.insert(at(*after), b"\xff\xfe\x00garbage without a colon\r\r\x1b[0m\n\n");
            }
            Some(Fault::Stall(after, seconds)) => {
                let pause = seconds.map(|seconds| Duration::from_secs(seconds.into()));
                stall = Some(Stall { after: usize::try_from(at(*after)).unwrap_or(0), pause });
            }
            _ => {}
        }
        let timing = made.knobs.timing;
        let every = timing.pace();
        let pace = (timing.ttft > Duration::ZERO || every > Duration::ZERO)
            .then(|| Pace { first: Instant::now() + made.wait + timing.ttft, every });
        let script = self.script(Bytes::from(events.bytes), events.marks, tail, Script::METERED);
        let reasoning = made.reply.tokens.reasoning;
        let script = Script { pace, stall, reasoning, account: Some(account), ..script };
        let mut response =
            self.head(200, "text/event-stream; charset=utf-8", ReplyBody::Script(Box::new(script)));
        response.headers_mut().insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        Answer { wait: made.wait, deed: Deed::Respond(response, None) }
    }

    /// The head of a good reply, with the vendor's ordinary headers.
    fn head(&self, status: u16, kind: &'static str, body: ReplyBody) -> Response<ReplyBody> {
        let mut response = respond(status, kind, body);
        let headers = response.headers_mut();
        headers.reserve(16);
        identify(headers, self.dialect, self.state, self.id);
        rate_limit_headers(headers, self.dialect, self.state, self.now, "9999");
        response
    }
}

impl Script {
    const METERED: bool = true;
    const UNMETERED: bool = false;
}

/// A reply and what it was made from.
struct Made<'m> {
    ask: &'m Ask<'m, 'm>,
    knobs: &'m Knobs<'m>,
    model: &'m ModelOptions,
    reply: &'m Reply,
    fault: Option<Fault>,
    wait: Duration,
}

fn anthropic_head<'h>(id: &'h str, made: &Made<'h>) -> anthropic::reply::Head<'h> {
    let thinking = made.ask.thinking != Thinking::Off;
    anthropic::reply::Head { id, model: &made.model.name, thinking }
}

/// Whether the prompt fits in the model's context.
fn fits(ask: &Ask<'_, '_>, model: &ModelOptions) -> Result<(), Invalid> {
    let (tokens, most) = (ask.prompt.tokens(), model.context_tokens);
    if tokens <= most {
        return Ok(());
    }
    Err(Path::ROOT.key("messages").rule_with_code(
        "context_length_exceeded",
        format!("prompt is too long: {tokens} tokens > {most} maximum"),
    ))
}

/// The first half of the event after the first `after`.
fn torn_event(events: &Events, after: u32) -> Vec<u8> {
    let place = usize::try_from(after).unwrap_or(usize::MAX);
    let from = place.checked_sub(1).and_then(|last| events.marks.get(last)).map_or(0, |mark| mark.end);
    let to = events.marks.get(place).map_or(from, |mark| mark.end);
    events.bytes[from..from + (to - from) / 2].to_vec()
}

/// The vendor's id of a request.
fn request_id(state: &State, id: u64) -> String {
    format!("req_{:08x}{id:016x}", state.boot)
}

/// A response with its status and content type.
pub(crate) fn respond(status: u16, kind: &'static str, body: ReplyBody) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// A response with an error in the dialect's shape.
pub(crate) fn error_response(state: &State, failure: &Failure, id: u64) -> Response<ReplyBody> {
    let mut body = Vec::new();
    let dialect = match failure {
        Failure::OpenaiChat(failure) => {
            failure.write(&mut body);
            Dialect::OpenaiChat
        }
        Failure::Anthropic(failure) => {
            failure.write(&mut body, &request_id(state, id));
            Dialect::Anthropic
        }
    };
    let mut response = respond(failure.status(), "application/json", ReplyBody::Whole(Bytes::from(body)));
    identify(response.headers_mut(), dialect, state, id);
    response
}

fn html(status: u16) -> Response<ReplyBody> {
    let page = format!(
        "<html>\r\n<head><title>{status} Bad Gateway</title></head>\r\n<body>\r\n<center><h1>{status} Bad \
         Gateway</h1></center>\r\n<hr><center>simulator</center>\r\n</body>\r\n</html>\r\n"
    );
    respond(status, "text/html", ReplyBody::Whole(Bytes::from(page)))
}

/// The headers by which the vendor names a request.
fn identify(headers: &mut HeaderMap, dialect: Dialect, state: &State, id: u64) {
    let Ok(value) = HeaderValue::try_from(request_id(state, id)) else { return };
    match dialect {
        Dialect::OpenaiChat => {
            headers.insert(HeaderName::from_static("x-request-id"), value);
            headers.insert(HeaderName::from_static("openai-version"), HeaderValue::from_static("2020-10-01"));
            headers.insert(HeaderName::from_static("openai-processing-ms"), HeaderValue::from_static("1"));
        }
        Dialect::Anthropic => {
            headers.insert(HeaderName::from_static("request-id"), value);
            let organization = HeaderValue::from_static("00000000-0000-7000-8000-000000000000");
            headers.insert(HeaderName::from_static("anthropic-organization-id"), organization);
        }
    }
}

/// The vendor's rate limit headers, with so many requests remaining.
fn rate_limit_headers(
    headers: &mut HeaderMap,
    dialect: Dialect,
    state: &State,
    now: Timestamp,
    left: &'static str,
) {
    let mut set = |name: &'static str, value: &'static str| {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    };
    match dialect {
        Dialect::OpenaiChat => {
            set("x-ratelimit-limit-requests", "10000");
            set("x-ratelimit-remaining-requests", left);
            set("x-ratelimit-reset-requests", if left == "0" { "1s" } else { "6ms" });
            set("x-ratelimit-limit-tokens", "2000000");
            set("x-ratelimit-remaining-tokens", "1999000");
            set("x-ratelimit-reset-tokens", "30ms");
        }
        Dialect::Anthropic => {
            set("anthropic-ratelimit-requests-limit", "10000");
            set("anthropic-ratelimit-requests-remaining", left);
            set("anthropic-ratelimit-input-tokens-limit", "2000000");
            set("anthropic-ratelimit-input-tokens-remaining", "1999000");
            set("anthropic-ratelimit-output-tokens-limit", "400000");
            set("anthropic-ratelimit-output-tokens-remaining", "399000");
            let reset = state.rate_limit_reset(now);
            for name in [
                "anthropic-ratelimit-requests-reset",
                "anthropic-ratelimit-input-tokens-reset",
                "anthropic-ratelimit-output-tokens-reset",
            ] {
                headers.insert(HeaderName::from_static(name), reset.clone());
            }
        }
    }
}

/// The time of a call.
pub(crate) fn now(state: &State) -> Timestamp {
    state.clock.now()
}

//! Hands a reply over: whole or event by event, at its pace, and broken where a fault says so.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH};
use stepwell_types::Dialect;
use tokio::time::Instant;

use crate::answer::{Answer, Call, Deed, Made, ReplyForm, Sent};
use crate::body::{Pace, Progress, ReplyBody, Script, Stall, Tail};
use crate::gemini::address::{Form, form};
use crate::head::{json_type, request_id};
use crate::openai::responses;
use crate::oracle::{Ended, id_text};
use crate::reply::{Events, Mark};
use crate::socket::HangUp;
use crate::state::{Account, Generating};
use crate::{Fault, anthropic, bedrock, cohere, gemini, ollama, openai};

impl Call<'_> {
    /// A reply that is not streamed, whole or broken.
    pub(crate) fn whole(&self, mut account: Account, sent: Sent<'_>, mut body: Vec<u8>) -> Answer {
        let Sent { tokens, timing, fault, wait } = sent;
        let pace = timing.pace();
        let generating = timing.ttft + pace.saturating_mul(tokens.output.saturating_sub(1));
        let ttft = wait + timing.ttft;
        let wait = wait + generating;
        if wait > Duration::ZERO {
            account.generating(Generating { from: Instant::now(), ttft, pace, total: tokens.output });
        }
        let half = body.len() / 2;
        let length = body.len();
        let (kept, stall, tail) = match fault {
            Some(Fault::Cut(_) | Fault::Truncate(_)) => (half, None, Tail::HangUp(HangUp::Close)),
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
                let kind = json_type(self.dialect);
                let response = self.head(200, kind, ReplyBody::Whole(Bytes::from(body)));
                return Answer { wait, deed: Deed::Respond(Box::new(response), Some((account, ended))) };
            }
        };
        let mark = |end| Mark { end, tokens: tokens.output, step: 0 };
        let marks = [half, length].into_iter().filter(|end| *end <= kept).map(mark).collect();
        let script = self.script(Bytes::from(body), marks, tail, Script::UNMETERED);
        let script = Script { stall, account: Some(account), ..script };
        let mut response = self.head(200, json_type(self.dialect), ReplyBody::Script(Box::new(script)));
        if matches!(fault, Some(Fault::Truncate(_) | Fault::ResetAfterHeaders)) {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length + 1));
        }
        Answer { wait, deed: Deed::Respond(Box::new(response), None) }
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
    pub(crate) fn stream(&self, account: Account, made: &Made<'_>, mut events: Events) -> Answer {
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
                for (place, event) in (after..).zip(self.overload(made, after)) {
                    events.insert(place, &event);
                }
                tail = Tail::Proper(Ended::CutByFault);
            }
            Some(Fault::Garbage(after)) => {
                let after = at(*after);
                let garbage = match self.dialect {
                    Dialect::OpenaiChat => b"data: {\"garbage\": not json\n\n".to_vec(),
                    Dialect::Anthropic => {
                        b"event: content_block_delta\ndata: {\"garbage\": not json\n\n".to_vec()
                    }
                    Dialect::OpenaiResponses => {
                        b"event: response.output_text.delta\ndata: {\"garbage\": not json\n\n".to_vec()
                    }
                    Dialect::Gemini => gemini::error::garbage_step(form(self.query), after == 0),
                    Dialect::Cohere => b"event: content-delta\ndata: {\"garbage\": not json\n\n".to_vec(),
                    Dialect::Ollama => b"{\"garbage\": not json\n".to_vec(),
                    Dialect::BedrockConverse => bedrock::error::garbage_frame(),
                };
                events.insert(after, &garbage);
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
        let kind = match (self.dialect, form(self.query)) {
            (Dialect::BedrockConverse, _) => "application/vnd.amazon.eventstream",
            (Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Anthropic, _) => {
                "text/event-stream; charset=utf-8"
            }
            (Dialect::Gemini, Form::Sse) | (Dialect::Cohere, _) => "text/event-stream",
            (Dialect::Gemini, Form::Array) => json_type(self.dialect),
            (Dialect::Ollama, _) => "application/x-ndjson",
        };
        let mut response = self.head(200, kind, ReplyBody::Script(Box::new(script)));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        Answer { wait: made.wait, deed: Deed::Respond(Box::new(response), None) }
    }

    /// The events that tell of an overload after `sent` others.
    fn overload(&self, made: &Made<'_>, sent: u32) -> Vec<Vec<u8>> {
        match made.form {
            ReplyForm::OpenaiChat(_) => vec![openai::error::overload_event()],
            ReplyForm::OpenaiResponses(settings) => {
                let id = id_text(self.dialect, self.state.boot, self.id);
                responses::stream::overload(&self.responses_head(&id, made.model, settings), sent).into()
            }
            ReplyForm::Anthropic => vec![anthropic::error::overload_event(&request_id(self.state, self.id))],
            ReplyForm::Gemini => vec![gemini::error::overload_step(form(self.query), sent == 0)],
            ReplyForm::Cohere => vec![cohere::error::overload_event()],
            ReplyForm::Ollama => vec![ollama::error::line()],
            ReplyForm::BedrockConverse => vec![bedrock::error::overload_frame()],
        }
    }
}

impl Script {
    const METERED: bool = true;
    const UNMETERED: bool = false;
}

/// The first half of the event after the first `after`.
fn torn_event(events: &Events, after: u32) -> Vec<u8> {
    let place = usize::try_from(after).unwrap_or(usize::MAX);
    let from = place.checked_sub(1).and_then(|last| events.marks.get(last)).map_or(0, |mark| mark.end);
    let to = events.marks.get(place).map_or(from, |mark| mark.end);
    events.bytes[from..from + (to - from) / 2].to_vec()
}

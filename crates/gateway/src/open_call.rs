//! A call's record while the call is under way: opened once, closed exactly once.
//!
//! Dropped before it is closed, it closes itself: that is how a client that goes away is still settled, and a call that a
//! shutdown does not wait for any longer.
//! Where a task can wait, what it appends shares a write with what other calls append; a drop and a stream's end append on
//! the spot.

use std::sync::Arc;
use std::time::Duration;

use stepwell_config::LogCalls;
use stepwell_policy::Permit;
use stepwell_store::{Appender, JournalError};
use stepwell_telemetry::{InFlight, LogPolicy, log_call};
use stepwell_types::{
    AttemptRecord, CallId, CallRecord, Code, CostStatus, Dialect, Endpoint, Failure, Finish, Intent, Moment,
    NanoUsd, Outcome, Stage, StageTimes, Tenant, Usage, UsageSource,
};
use stepwell_wire::{Facts, ReplyFacts};

use crate::pipeline::Services;
use crate::snapshot::Target;

pub(crate) struct OpenCall {
    pub(crate) record: CallRecord,
    services: Arc<Services>,
    journal: Arc<Appender>,
    arrived: Moment,
    stage: Stage,
    stage_began: Moment,
    attempt: Option<OpenAttempt>,
    _in_flight: InFlight,
    permit: Option<Permit>,
    closing: Closing,
}

/// How far a call's end has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Closing {
    /// It has not ended.
    Open,
    /// Its record is final, and on its way into the journal.
    Final,
    /// It is written and measured.
    Closed,
}

/// An attempt whose intent is in the journal, or on its way there.
struct OpenAttempt {
    record: AttemptRecord,
    /// Its intent is written, and so it may have been sent.
    may_be_sent: bool,
    began: Moment,
    price: Option<Arc<stepwell_catalog::ModelPrice>>,
    /// What is known of its usage before the provider has said so.
    estimate: Usage,
}

/// What an attempt showed of itself.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) id: Option<Arc<str>>,
    pub(crate) model: Option<Arc<str>>,
    pub(crate) finish: Option<Finish>,
    /// The provider's usage so far.
    pub(crate) usage: Option<Usage>,
    /// Output tokens counted by us, for a reply that ended before the provider said.
    pub(crate) counted_output: u64,
}

/// How an attempt ended, as far as money goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Billing {
    /// The provider's terminal usage counts, if it gave one.
    Complete,
    /// Cut, cancelled or timed out: what is known counts, as an estimate.
    Partial,
    /// Provably not accepted, or answered with an error that is not billed.
    Nothing,
}

impl OpenCall {
    pub(crate) fn begin(
        services: &Arc<Services>,
        journal: &Arc<Appender>,
        endpoint: Endpoint,
        dialect: Dialect,
    ) -> Self {
        let now = services.clock.now();
        let arrived = services.clock.moment();
        let record = CallRecord {
            id: CallId::new(now),
            tenant: Tenant::only(),
            started: now,
            endpoint,
            dialect,
            streamed: false,
            requested_model: Arc::default(),
            route: None,
            user: None,
            session: None,
            tags: Vec::new(),
            outcome: Outcome::Ok,
            code: None,
            status: 0,
            request_bytes: 0,
            reply_bytes: 0,
            duration_us: 0,
            first_token_us: None,
            stages: StageTimes::default(),
            losses: Vec::new(),
            attempts: Vec::new(),
        };
        Self {
            record,
            arrived,
            stage: Stage::Decode,
            stage_began: arrived,
            attempt: None,
            _in_flight: services.metrics.call_started(),
            services: Arc::clone(services),
            journal: Arc::clone(journal),
            permit: None,
            closing: Closing::Open,
        }
    }

    /// The call's id.
    pub(crate) const fn id(&self) -> CallId {
        self.record.id
    }

    /// Keeps the call's place among those in flight until it ends.
    pub(crate) fn hold(&mut self, permit: Permit) {
        self.permit = Some(permit);
    }

    /// Ends the running stage and begins another.
    pub(crate) fn enter(&mut self, stage: Stage) {
        let now = self.services.clock.moment();
        self.record.stages.add(self.stage, now.micros_since(self.stage_began));
        self.stage = stage;
        self.stage_began = now;
    }

    /// Notes losses, as `request:/path` or `reply:/path`.
    pub(crate) fn note_losses(&mut self, side: &str, losses: &stepwell_wire::Losses) {
        self.record.losses.extend(losses.paths().iter().map(|path| format!("{side}:{path}")));
    }

    /// Writes the intent of an attempt. Nothing may be sent before this returns.
    pub(crate) async fn begin_attempt(
        &mut self,
        target: &Target,
        dialect: Dialect,
        bound: Option<NanoUsd>,
        estimate: Usage,
    ) -> Result<(), Failure> {
        self.hand_over_last_attempt();
        let began = self.services.clock.moment();
        let started = self.record.started.plus(Duration::from_micros(began.micros_since(self.arrived)));
        let number = u8::try_from(self.record.attempts.len() + 1).unwrap_or(u8::MAX);
        let intent = Intent {
            call: self.record.id,
            attempt: number,
            tenant: self.record.tenant.clone(),
            started,
            endpoint: self.record.endpoint,
            dialect: self.record.dialect,
            streamed: self.record.streamed,
            requested_model: Arc::clone(&self.record.requested_model),
            route: self.record.route.clone(),
            user: self.record.user.clone(),
            tags: self.record.tags.clone(),
            target: target.name.clone(),
            target_dialect: dialect,
            bound,
        };
        self.attempt = Some(OpenAttempt {
            began,
            price: target.price.clone(),
            estimate,
            may_be_sent: false,
            record: AttemptRecord {
                number,
                target: intent.target.clone(),
                dialect,
                started,
                duration_us: 0,
                first_byte_us: None,
                status: None,
                outcome: Outcome::Ok,
                code: None,
                served_model: None,
                provider_id: None,
                finish: None,
                usage: Usage::default(),
                usage_source: UsageSource::None,
                cost: None,
                cost_status: CostStatus::Exact,
                bound,
            },
        });
        self.journal.intent(&intent).await.map_err(|error| {
            tracing::error!(call_id = %self.record.id, %error, "the journal refuses intents, and so calls are refused");
            // Nothing was sent. Should the intent stand all the same, the call's final says that no attempt was made.
            self.attempt = None;
            let message = "the call cannot be recorded, so it is refused: try again later";
            Failure::new(Code::JournalUnavailable, message).detail(error.to_string())
        })?;
        if let Some(attempt) = &mut self.attempt {
            attempt.may_be_sent = true;
        }
        Ok(())
    }

    /// A failed attempt is written as soon as another follows, so that a crash in the next does not charge its bound.
    fn hand_over_last_attempt(&self) {
        if let Some(last) = self.record.attempts.last()
            && let Err(error) = self.journal.attempt_now(self.record.id, last)
        {
            tracing::error!(call_id = %self.record.id, %error, "an attempt could not be journalled");
        }
    }

    /// The head of the provider's reply has arrived.
    pub(crate) fn first_byte(&mut self, status: u16) {
        let now = self.services.clock.moment();
        if let Some(attempt) = &mut self.attempt {
            attempt.record.first_byte_us = Some(now.micros_since(attempt.began));
            attempt.record.status = Some(status);
        }
    }

    /// The first piece of content goes to the client.
    pub(crate) fn first_token(&mut self) {
        self.first_token_at(self.services.clock.moment());
    }

    /// [`OpenCall::first_token`] at a moment that is known.
    pub(crate) fn first_token_at(&mut self, now: Moment) {
        self.record.first_token_us.get_or_insert(now.micros_since(self.arrived));
    }

    /// Closes the open attempt and costs it. Gives the moment.
    pub(crate) fn end_attempt(
        &mut self,
        outcome: Outcome,
        code: Option<Code>,
        billing: Billing,
        seen: Seen,
    ) -> Moment {
        let now = self.services.clock.moment();
        let Some(mut attempt) = self.attempt.take() else { return now };
        let record = &mut attempt.record;
        record.duration_us = now.micros_since(attempt.began);
        record.outcome = outcome;
        record.code = code;
        record.served_model = seen.model;
        record.provider_id = seen.id;
        record.finish = seen.finish;
        let billing = if attempt.may_be_sent { billing } else { Billing::Nothing };
        (record.usage, record.usage_source) = match (billing, seen.usage) {
            (Billing::Nothing, _) => (Usage::default(), UsageSource::None),
            (Billing::Complete, Some(usage)) => (usage, UsageSource::Provider),
            (_, said) => (estimated(attempt.estimate, said, seen.counted_output), UsageSource::Estimate),
        };
        (record.cost, record.cost_status) = match (&attempt.price, record.usage_source) {
            (_, UsageSource::None) => (Some(NanoUsd::ZERO), CostStatus::Exact),
            (None, _) => (None, CostStatus::Unpriced),
            (Some(price), source) => {
                let cost = price.cost(&record.usage, record.started);
                let is_estimate = source == UsageSource::Estimate && cost.status == CostStatus::Exact;
                (cost.total, if is_estimate { CostStatus::Estimated } else { cost.status })
            }
        };
        self.record.attempts.push(attempt.record);
        now
    }

    /// Closes the call: its final is written when this returns.
    pub(crate) async fn close(&mut self, outcome: Outcome, code: Option<Code>, status: u16) {
        if self.finalise(outcome, code, status) {
            let written = self.journal.call(&self.record).await;
            self.finish(written);
        }
    }

    /// [`OpenCall::close`] where nothing can be waited for.
    pub(crate) fn close_now(&mut self, outcome: Outcome, code: Option<Code>, status: u16) {
        if self.finalise(outcome, code, status) {
            let written = self.journal.call_now(&self.record);
            self.finish(written);
        }
    }

    /// Makes the record final, once. Whether it was not before.
    fn finalise(&mut self, outcome: Outcome, code: Option<Code>, status: u16) -> bool {
        if self.closing != Closing::Open {
            return false;
        }
        self.closing = Closing::Final;
        self.enter(Stage::Settle);
        self.record.outcome = outcome;
        self.record.code = code;
        self.record.status = status;
        self.record.duration_us = self.stage_began.micros_since(self.arrived);
        true
    }

    /// Measures a call whose final is written.
    fn finish(&mut self, written: Result<(), JournalError>) {
        self.closing = Closing::Closed;
        if let Err(error) = written {
            // Its intents stand: it will be charged as unknown, never forgotten.
            tracing::error!(call_id = %self.record.id, %error, "a call could not be journalled");
        }
        self.enter(Stage::Settle);
        self.services.metrics.call(&self.record);
        log_call(&self.record, log_policy(self.services.logged_calls()));
        self.permit = None;
    }

    /// Whether an attempt is open: begun, and not yet among the record's.
    pub(crate) const fn is_attempting(&self) -> bool {
        self.attempt.is_some()
    }

    /// Whether the call has been closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closing != Closing::Open
    }

    /// Whether a call that is dropped now was cut by a shutdown, and not left by its client.
    pub(crate) fn is_cut_by_shutdown(&self) -> bool {
        self.services.admission.is_cutting()
    }

    /// Counts the reply among the open streams.
    pub(crate) fn stream_opened(&self) -> InFlight {
        self.services.metrics.stream_opened()
    }

    /// Microseconds from the call's beginning to the stage that runs, or to its end.
    pub(crate) const fn elapsed_us(&self) -> u64 {
        self.stage_began.micros_since(self.arrived)
    }
}

impl Drop for OpenCall {
    /// Nothing of a reply was sent: a committed one is closed by its relay.
    fn drop(&mut self) {
        match self.closing {
            Closing::Open => {
                let (outcome, code) = if self.is_cut_by_shutdown() {
                    (Outcome::Failed, Code::Draining)
                } else {
                    (Outcome::Cancelled, Code::ClientClosed)
                };
                self.end_attempt(outcome, Some(code), Billing::Partial, Seen::default());
                self.close_now(outcome, Some(code), code.status());
            }
            // The client went away as the final was being written, which the journal does by itself.
            Closing::Final => self.finish(Ok(())),
            Closing::Closed => {}
        }
    }
}

/// What an attempt used, when the provider did not get to say: its last word where there was one, else our count. Never
/// less output than was seen.
fn estimated(ours: Usage, said: Option<Usage>, counted_output: u64) -> Usage {
    let mut usage = said.unwrap_or(ours);
    usage.output_tokens = usage.output_tokens.max(counted_output);
    usage
}

const fn log_policy(calls: LogCalls) -> LogPolicy {
    match calls {
        LogCalls::All => LogPolicy::All,
        LogCalls::Failed => LogPolicy::Failed,
        LogCalls::None => LogPolicy::None,
    }
}

impl Seen {
    /// What a whole reply showed.
    pub(crate) fn of_reply(facts: ReplyFacts) -> Self {
        Self { id: facts.id, model: facts.model, finish: facts.finish, usage: facts.usage, counted_output: 0 }
    }

    /// What a stream has shown so far.
    pub(crate) fn of_stream(facts: &Facts) -> Self {
        Self {
            id: facts.id.clone(),
            model: facts.model.clone(),
            finish: facts.finish,
            usage: facts.usage,
            counted_output: facts.events,
        }
    }
}

//! Runs the load: starts the threads, keeps the time, reads the counters at both ends of the measurement.
//!
//! It never sends a call itself: connections live on threads of their own, so that whoever waits for the report is not
//! in the way of what is measured.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use crate::client::Work;
use crate::drive::{News, drive};
use crate::pace::Schedule;
use crate::process::Usage;
use crate::report::Findings;
use crate::request::Template;
use crate::source::{Closed, Open, Source};
use crate::tally::{Lane, Tally, Totals};
use crate::{Error, Length, LoadOptions, Loop, Phase, Progress, Report};

/// Makes one run and waits for its end. `progress` is told at each interval, from a thread of the run.
///
/// Dropping the future ends the run within a progress interval: nothing new is sent.
///
/// # Errors
///
/// When the run could not be made; failed calls are in the report.
pub async fn run(
    options: LoadOptions,
    progress: impl FnMut(&Progress) + Send + 'static,
) -> Result<Report, Error> {
    if let Some(mistake) = options.mistake() {
        return Err(Error::Options(mistake));
    }
    let stop = StopOnDrop(Arc::new(AtomicBool::new(false)));
    let stopped = Arc::clone(&stop.0);
    let (tell, told) = oneshot::channel();
    spawn("load-control", move || {
        // When the future was dropped, nobody is there to be told.
        drop(tell.send(control(&options, &stopped, progress)));
    })?;
    told.await.unwrap_or(Err(Error::Lost))
}

struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop).map_err(Error::Thread)
}

fn control(
    options: &LoadOptions,
    stopped: &Arc<AtomicBool>,
    progress: impl FnMut(&Progress),
) -> Result<Report, Error> {
    let work = Arc::new(Work {
        template: Template::new(options)?,
        dialect: options.dialect,
        stream: options.stream,
        timeout: options.timeout,
    });
    // A wrong pid is told before anything is sent.
    Usage::read(&options.pids)?;
    let threads = options.threads.min(options.connections);
    let (go, going) = watch::channel(None);
    // Room for all that the threads will ever say.
    let (tell, news) = sync_channel(threads * 2);
    let mut lanes = Vec::with_capacity(threads);
    for index in 0..threads {
        let lane = Arc::new(Lane::new()?);
        lanes.push(Arc::clone(&lane));
        let share = options.connections / threads + usize::from(index < options.connections % threads);
        let (work, going, tell) = (Arc::clone(&work), going.clone(), tell.clone());
        spawn("load", move || drive(&work, &lane, share, &going, &tell))?;
    }
    drop((tell, going));
    await_connections(&news, threads, &work.template.address)?;

    let timing = Timing::new(options);
    let source = Arc::new(timing.source(options));
    let mut watch = Watch::new(options, timing, lanes, Arc::clone(&source));
    watch.read_if_due()?;
    go.send_replace(Some(Arc::clone(&source)));
    if let Some(schedule) = timing.schedule {
        let (source, stopped, connections) = (Arc::clone(&source), Arc::clone(stopped), options.connections);
        spawn("load-pace", move || {
            if let Source::Open(open) = &*source {
                schedule.run(open, connections, &stopped);
            }
        })?;
    }
    watch.until_done(&news, threads, stopped, progress)?;
    watch.report()
}

/// Waits until every thread has tried its connections. An error where not one could be opened.
fn await_connections(news: &Receiver<News>, threads: usize, address: &str) -> Result<(), Error> {
    let (mut opened, mut reason) = (0, None);
    for _ in 0..threads {
        match news.recv() {
            Ok(News::Ready { opened: more, error }) => {
                opened += more;
                reason = error.or(reason);
            }
            Ok(News::Done) | Err(_) => return Err(Error::Lost),
        }
    }
    match reason {
        Some(error) if opened == 0 => {
            Err(Error::Unreachable { address: address.to_owned(), reason: io::Error::to_string(&error) })
        }
        _ => Ok(()),
    }
}

/// When the measurement begins and ends.
#[derive(Clone, Copy)]
struct Timing {
    start: Instant,
    measured_from: Instant,
    /// None: when the last call has ended.
    until: Option<Instant>,
    /// Of the open loop.
    schedule: Option<Schedule>,
}

impl Timing {
    fn new(options: &LoadOptions) -> Self {
        let start = Instant::now();
        match options.mode {
            Loop::Closed => {
                let measured_from = start + options.warmup;
                let until = match options.length {
                    Length::For(time) => Some(measured_from + time),
                    Length::Calls(_) => None,
                };
                Self { start, measured_from, until, schedule: None }
            }
            Loop::Open { rate, .. } => {
                let measured = match options.length {
                    Length::For(time) => Schedule::calls_in(rate, time).max(1),
                    Length::Calls(calls) => calls,
                };
                let warmup = Schedule::calls_in(rate, options.warmup);
                let schedule = Schedule { start, rate, warmup, measured };
                let (measured_from, until) = (schedule.measured_from(), Some(schedule.end()));
                Self { start, measured_from, until, schedule: Some(schedule) }
            }
        }
    }

    fn source(&self, options: &LoadOptions) -> Source {
        match (options.mode, options.length) {
            (Loop::Closed, Length::For(_)) => {
                Source::Closed(Closed::new(self.measured_from, self.until, None))
            }
            (Loop::Closed, Length::Calls(calls)) => {
                Source::Closed(Closed::new(self.measured_from, None, Some(calls)))
            }
            (Loop::Open { backlog, .. }, _) => {
                Source::Open(Open::new(backlog, self.until.unwrap_or(self.start) + options.timeout))
            }
        }
    }

    fn phase(&self, now: Instant) -> Phase {
        if now < self.measured_from {
            Phase::Warmup
        } else if self.until.is_none_or(|until| now < until) {
            Phase::Measuring
        } else {
            Phase::Ending
        }
    }
}

/// The counters at a moment.
struct Reading {
    at: Instant,
    totals: Totals,
    usage: Usage,
}

/// Follows a run.
struct Watch<'run> {
    options: &'run LoadOptions,
    timing: Timing,
    lanes: Vec<Arc<Lane>>,
    source: Arc<Source>,
    first: Option<Reading>,
    last: Option<Reading>,
    /// When progress was last told, and how many calls had ended then.
    told: (Instant, u64),
}

impl<'run> Watch<'run> {
    fn new(options: &'run LoadOptions, timing: Timing, lanes: Vec<Arc<Lane>>, source: Arc<Source>) -> Self {
        Self { options, timing, lanes, source, first: None, last: None, told: (timing.start, 0) }
    }

    fn until_done(
        &mut self,
        news: &Receiver<News>,
        threads: usize,
        stopped: &AtomicBool,
        mut progress: impl FnMut(&Progress),
    ) -> Result<(), Error> {
        let mut working = threads;
        while working > 0 {
            match news.recv_timeout(self.until_next()) {
                Ok(News::Done) => working -= 1,
                Ok(News::Ready { .. }) | Err(RecvTimeoutError::Disconnected) => return Err(Error::Lost),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.read_if_due()?;
            let now = Instant::now();
            if now >= self.told.0 + self.options.progress_every {
                progress(&self.progress(now));
            }
            if stopped.load(Ordering::Relaxed) {
                self.source.stop();
            }
        }
        Ok(())
    }

    /// Time to the next thing to do.
    fn until_next(&self) -> Duration {
        let mut next = self.told.0 + self.options.progress_every;
        if self.first.is_none() {
            next = next.min(self.timing.measured_from);
        }
        if let (None, Some(until)) = (&self.last, self.timing.until) {
            next = next.min(until);
        }
        next.saturating_duration_since(Instant::now())
    }

    /// Reads the counters where the measurement begins and where it ends.
    fn read_if_due(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        if self.first.is_none() && now >= self.timing.measured_from {
            self.first = Some(self.read()?);
        }
        if self.last.is_none() && self.timing.until.is_some_and(|until| now >= until) {
            self.last = Some(self.read()?);
        }
        Ok(())
    }

    fn read(&self) -> Result<Reading, Error> {
        let usage = Usage::read(&self.options.pids)?;
        Ok(Reading { at: Instant::now(), totals: self.totals(), usage })
    }

    fn totals(&self) -> Totals {
        self.lanes.iter().map(|lane| lane.totals()).fold(Totals::default(), Totals::plus)
    }

    fn progress(&mut self, now: Instant) -> Progress {
        let totals = self.totals();
        let (told_at, told_calls) = std::mem::replace(&mut self.told, (now, totals.calls));
        #[expect(clippy::cast_precision_loss, reason = "a count for a ratio")]
        let calls = totals.calls.saturating_sub(told_calls) as f64;
        let (waiting, not_sent) = match &*self.source {
            Source::Closed(_) => (0, 0),
            Source::Open(open) => (open.waiting() as u64, open.not_sent()),
        };
        Progress {
            phase: self.timing.phase(now),
            elapsed: now - self.timing.start,
            calls: totals.calls,
            calls_per_second: calls / (now - told_at).as_secs_f64().max(f64::EPSILON),
            failed: totals.failed,
            events: totals.events,
            in_flight: self.lanes.iter().map(|lane| lane.in_flight()).sum(),
            waiting,
            not_sent,
        }
    }

    fn report(mut self) -> Result<Report, Error> {
        let last = match self.last.take() {
            Some(last) => last,
            None => self.read()?,
        };
        // A run that was stopped during its warm-up measured nothing.
        let (began, before, usage) = match self.first.take() {
            Some(first) => (first.at, first.totals, first.usage),
            None => (last.at, last.totals, last.usage.clone()),
        };
        let mut tally = Tally::new()?;
        for lane in &self.lanes {
            lane.add_to(&mut tally);
        }
        Ok(Report::new(Findings {
            options: self.options,
            tally,
            done: last.totals - before,
            measured: last.at - began,
            not_sent: match &*self.source {
                Source::Closed(_) => 0,
                Source::Open(open) => open.not_sent(),
            },
            opened: self.lanes.iter().map(|lane| lane.opened.load(Ordering::Relaxed)).sum(),
            usage: (!self.options.pids.is_empty()).then_some((usage, last.usage)),
        }))
    }
}

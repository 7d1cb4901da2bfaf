//! Everything that can go wrong on purpose: one enum, its text form, and the script for the next requests.
//!
//! A fault is named by the header `x-sim-fault: cut 5`, by a directive in the last user text, `[[fault:cut 5]]`, by
//! `POST /sim/faults`, or by the options; the first of these that names one counts.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

/// The most scripted faults that wait at once.
const MAX_SCRIPTED: usize = 10_000;

/// One thing that goes wrong. `N` counts the stream's events of every kind, from its first: OpenAI's role chunk or
/// `response.created`, Anthropic's `message_start` and `ping`, Cohere's `message-start` included; with Gemini every event has
/// content. Where a reply is not streamed, `N` has no meaning and the reply is split in the middle of its body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// `refuse`: the connection is closed (FIN) before a byte of the answer. Billed nothing.
    Refuse,
    /// `reset`: the connection is reset (RST) before a byte of the answer. Billed nothing.
    Reset,
    /// `reset-after-headers`: the connection is reset after the answer's head. A reply that is not streamed was
    /// generated, and is billed in full; a stream is billed its input.
    ResetAfterHeaders,
    /// `blackhole`: nothing is ever answered. Billed nothing.
    Blackhole,
    /// `status NNN [TYPE]`: the status, 400 to 599, with the dialect's error body; `TYPE` takes the place of the
    /// error's usual type and, with OpenAI, its code; with Gemini of its `status`. Billed nothing.
    Status(u16, Option<String>),
    /// `rate-limit [SECONDS]`: 429 with `retry-after` (default 1 s) and the vendor's headers; with Gemini the seconds
    /// are in the error's `RetryInfo`. Billed nothing.
    RateLimit(u32),
    /// `stream-error [N]`: a stream breaks off with the dialect's overload error after `N` events, by default before
    /// its first content; OpenAI's responses send `error` and then `response.failed`. Not streamed: 503 or 529. Billed nothing if no output was sent, else input and that.
    StreamError(Option<u32>),
    /// `cut N`: the connection is closed after `N` events, without a proper end. Not streamed: after half the body.
    Cut(u32),
    /// `eof N`: the body ends properly after `N` events, without a terminal event. Not streamed: after half.
    Eof(u32),
    /// `stall N [SECONDS]`: nothing more after `N` events, for so long or, by default, for ever.
    Stall(u32, Option<u32>),
    /// `garbage N`: after `N` events one whose data is not JSON; then the stream goes on. Not streamed: the body is
    /// not JSON.
    Garbage(u32),
    /// `garbage-sse N`: after `N` events some bytes that are no event, then the stream goes on. Not streamed: as
    /// `garbage`.
    GarbageSse(u32),
    /// `slow-headers MS`: the answer's head comes so much later.
    SlowHeaders(u32),
    /// `truncate [N]`: not streamed, the head declares more bytes than come before the connection is closed.
    /// Streamed, the connection is closed in the middle of event `N + 1`.
    Truncate(u32),
    /// `html [NNN]`: a page in HTML instead of the answer, by default with status 502. Billed nothing.
    Html(u16),
}

/// The names of all faults, in the order of [`Fault`].
const NAMES: [&str; 15] = [
    "refuse",
    "reset",
    "reset-after-headers",
    "blackhole",
    "status",
    "rate-limit",
    "stream-error",
    "cut",
    "eof",
    "stall",
    "garbage",
    "garbage-sse",
    "slow-headers",
    "truncate",
    "html",
];

impl Fault {
    /// Every name there is.
    pub const NAMES: &'static [&'static str] = &NAMES;

    /// Its name, without arguments.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Reset => "reset",
            Self::ResetAfterHeaders => "reset-after-headers",
            Self::Blackhole => "blackhole",
            Self::Status(..) => "status",
            Self::RateLimit(_) => "rate-limit",
            Self::StreamError(_) => "stream-error",
            Self::Cut(_) => "cut",
            Self::Eof(_) => "eof",
            Self::Stall(..) => "stall",
            Self::Garbage(_) => "garbage",
            Self::GarbageSse(_) => "garbage-sse",
            Self::SlowHeaders(_) => "slow-headers",
            Self::Truncate(_) => "truncate",
            Self::Html(_) => "html",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())?;
        match self {
            Self::Refuse
            | Self::Reset
            | Self::ResetAfterHeaders
            | Self::Blackhole
            | Self::StreamError(None) => Ok(()),
            Self::Status(status, None) | Self::Html(status) => write!(formatter, " {status}"),
            Self::Status(status, Some(kind)) => write!(formatter, " {status} {kind}"),
            Self::Stall(events, Some(seconds)) => write!(formatter, " {events} {seconds}"),
            Self::RateLimit(number)
            | Self::StreamError(Some(number))
            | Self::Cut(number)
            | Self::Eof(number)
            | Self::Stall(number, None)
            | Self::Garbage(number)
            | Self::GarbageSse(number)
            | Self::SlowHeaders(number)
            | Self::Truncate(number) => write!(formatter, " {number}"),
        }
    }
}

/// Text that names no fault.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FaultParseError {
    /// There is no fault of this name.
    #[error("unknown fault {0:?}; the faults are {names}", names = NAMES.join(", "))]
    Unknown(String),
    /// The fault takes other arguments.
    #[error("fault {name} takes {takes}")]
    Arguments {
        /// The fault.
        name: &'static str,
        /// What it takes.
        takes: &'static str,
    },
}

impl FromStr for Fault {
    type Err = FaultParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.split_ascii_whitespace();
        let given = words.next().unwrap_or_default();
        let Some(name) = NAMES.iter().copied().find(|name| *name == given) else {
            return Err(FaultParseError::Unknown(given.to_owned()));
        };
        let arguments: Vec<&str> = words.collect();
        let wrong = |takes| FaultParseError::Arguments { name, takes };
        let number = |index: usize, takes| match arguments.get(index) {
            None => Ok(None),
            Some(word) => word.parse::<u32>().map(Some).map_err(|_| wrong(takes)),
        };
        let at_most = |most: usize, takes| if arguments.len() > most { Err(wrong(takes)) } else { Ok(()) };
        let events = |takes| {
            at_most(1, takes)?;
            number(0, takes)?.ok_or_else(|| wrong(takes))
        };
        let status = |takes| match number(0, takes)?.map(u16::try_from) {
            None => Ok(None),
            Some(Ok(status)) if (400..=599).contains(&status) => Ok(Some(status)),
            Some(_) => Err(wrong(takes)),
        };
        match name {
            "refuse" => at_most(0, "no arguments").map(|()| Self::Refuse),
            "reset" => at_most(0, "no arguments").map(|()| Self::Reset),
            "reset-after-headers" => at_most(0, "no arguments").map(|()| Self::ResetAfterHeaders),
            "blackhole" => at_most(0, "no arguments").map(|()| Self::Blackhole),
            "status" => {
                let takes = "a status from 400 to 599 and an optional error type";
                at_most(2, takes)?;
                let kind = arguments.get(1).map(|kind| (*kind).to_owned());
                status(takes)?.map(|status| Self::Status(status, kind)).ok_or_else(|| wrong(takes))
            }
            "rate-limit" => {
                let takes = "an optional number of seconds";
                at_most(1, takes)?;
                Ok(Self::RateLimit(number(0, takes)?.unwrap_or(1)))
            }
            "stream-error" => {
                let takes = "an optional number of events";
                at_most(1, takes)?;
                number(0, takes).map(Self::StreamError)
            }
            "cut" => events("a number of events").map(Self::Cut),
            "eof" => events("a number of events").map(Self::Eof),
            "stall" => {
                let takes = "a number of events and an optional number of seconds";
                at_most(2, takes)?;
                let events = number(0, takes)?.ok_or_else(|| wrong(takes))?;
                Ok(Self::Stall(events, number(1, takes)?))
            }
            "garbage" => events("a number of events").map(Self::Garbage),
            "garbage-sse" => events("a number of events").map(Self::GarbageSse),
            "slow-headers" => events("a number of milliseconds").map(Self::SlowHeaders),
            "truncate" => {
                let takes = "an optional number of events";
                at_most(1, takes)?;
                Ok(Self::Truncate(number(0, takes)?.unwrap_or(1)))
            }
            _ => {
                let takes = "an optional status from 400 to 599";
                at_most(1, takes)?;
                Ok(Self::Html(status(takes)?.unwrap_or(502)))
            }
        }
    }
}

/// A fault for requests to come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scripted {
    /// What goes wrong.
    pub fault: Fault,
    /// For how many requests; zero is none.
    pub times: u32,
    /// Only for requests for this model, named without `sim/`.
    pub model: Option<String>,
}

/// The script: faults for the next requests, in order. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<VecDeque<Scripted>>>);

impl Faults {
    /// Adds to the script; false if it is full and nothing was added.
    pub fn push(&self, scripted: Scripted) -> bool {
        let mut script = self.0.lock();
        if script.len() >= MAX_SCRIPTED {
            return false;
        }
        script.push_back(scripted);
        true
    }

    /// Empties the script.
    pub fn clear(&self) {
        self.0.lock().clear();
    }

    /// What is left of the script.
    pub fn pending(&self) -> Vec<Scripted> {
        self.0.lock().iter().cloned().collect()
    }

    /// The next fault for a request for `model`.
    pub(crate) fn next(&self, model: &str) -> Option<Fault> {
        let mut script = self.0.lock();
        script.retain(|scripted| scripted.times > 0);
        let place =
            script.iter().position(|scripted| scripted.model.as_ref().is_none_or(|only| only == model))?;
        let scripted = script.get_mut(place)?;
        scripted.times -= 1;
        let fault = scripted.fault.clone();
        if scripted.times == 0 {
            script.remove(place);
        }
        Some(fault)
    }
}

impl Fault {
    /// How much later the head of the answer comes.
    pub(crate) fn head_delay(&self) -> Duration {
        match self {
            Self::SlowHeaders(millis) => Duration::from_millis(u64::from(*millis)),
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_reads_back_from_its_text() {
        let texts = [
            "refuse",
            "reset",
            "reset-after-headers",
            "blackhole",
            "status 503",
            "status 429 insufficient_quota",
            "rate-limit 7",
            "stream-error",
            "stream-error 4",
            "cut 0",
            "eof 3",
            "stall 2",
            "stall 2 5",
            "garbage 1",
            "garbage-sse 1",
            "slow-headers 20",
            "truncate 4",
            "html 502",
        ];
        for text in texts {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        for name in Fault::NAMES {
            assert!(texts.iter().any(|text| text.split(' ').next() == Some(name)), "{name}");
        }
    }

    #[test]
    fn wrong_faults_are_refused_with_what_would_be_right() {
        assert!("explode".parse::<Fault>().unwrap_err().to_string().contains("blackhole"));
        for text in
            ["", "status", "status 200", "status x", "cut", "cut x", "cut 1 2", "refuse now", "html 99"]
        {
            assert!(text.parse::<Fault>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_script_runs_in_order_and_only_for_its_model() {
        let faults = Faults::default();
        let scripted = |fault: &str, times, model: Option<&str>| Scripted {
            fault: fault.parse().unwrap(),
            times,
            model: model.map(str::to_owned),
        };
        assert!(faults.push(scripted("reset", 1, Some("large"))));
        assert!(faults.push(scripted("status 500", 2, None)));
        assert_eq!(faults.next("small").unwrap().name(), "status");
        assert_eq!(faults.next("large").unwrap().name(), "reset");
        assert_eq!(faults.next("large").unwrap().name(), "status");
        assert_eq!(faults.next("large"), None);
    }
}

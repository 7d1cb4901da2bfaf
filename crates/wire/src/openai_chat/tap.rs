//! What the tap of a stream whose two sides speak this dialect sees in its events.
//!
//! Until the reply is committed every event is parsed. After that an event of the same [`Form`] as one before passes as
//! it is: it is valid and says text. Any other must look like an object, and is parsed only where it holds what the
//! record needs (an error, a reason to stop, usage) or may teach a new form. JSON escapes quotes inside strings, so the
//! names searched for only match keys and whole values. Usage is kept as it came and read once a push: servers that
//! write it into every chunk cost no more than the others.

use std::sync::Arc;

use memchr::memmem;
use serde::Deserialize;

use super::finish;
use super::stream::{Choice, Chunk, DONE, Form, problem};
use super::usage::Counts;
use crate::framing::Frame;
use crate::json::{Listed, Text, read_frame};
use crate::openai::error;
use crate::tap::{Verdict, Watch, is_object};
use crate::{Facts, Fault};

/// The eye on one stream.
#[derive(Debug)]
pub(super) struct Watcher {
    withhold_usage: bool,
    facts: Facts,
    /// The chunks with usage that are not read yet, and where each begins.
    metered: String,
    starts: Vec<usize>,
    form: Form,
    search: Search,
}

#[derive(Debug)]
struct Search {
    error: memmem::Finder<'static>,
    reason: memmem::Finder<'static>,
    usage: memmem::Finder<'static>,
}

/// A chunk, as far as the usage at its top goes: where nearly all have it.
#[derive(Deserialize)]
struct Metered {
    usage: Option<Counts>,
}

impl Watcher {
    /// An eye at the start of a stream.
    pub(super) fn new(withhold_usage: bool) -> Self {
        let search = Search {
            error: memmem::Finder::new("\"error\""),
            reason: memmem::Finder::new("\"finish_reason\""),
            usage: memmem::Finder::new("\"usage\""),
        };
        Self {
            withhold_usage,
            facts: Facts::default(),
            metered: String::new(),
            starts: Vec::new(),
            form: Form::default(),
            search,
        }
    }

    /// Keeps a chunk with usage for [`Watch::settle`].
    fn keep(&mut self, frame: &Frame<'_>) {
        self.starts.push(self.metered.len());
        self.metered.push_str(frame.data);
    }

    /// Reads an event whole.
    fn read(&mut self, frame: &Frame<'_>) -> Result<Verdict, Fault> {
        let chunk: Chunk<'_> = read_frame(frame.data)?;
        self.form.learn(frame.data, &chunk);
        if let Some(problem) = problem(frame, &chunk)? {
            self.facts.error = Some(error::read_event(problem));
            return Ok(Verdict::Stop);
        }
        let some = |text: Option<Text<'_>>| {
            text.map(|text| text.0.into()).filter(|text: &Arc<str>| !text.is_empty())
        };
        if self.facts.id.is_none() {
            self.facts.id = some(chunk.id);
        }
        if self.facts.model.is_none() {
            self.facts.model = some(chunk.model);
        }
        let at_top = chunk.usage.is_some();
        let choices = chunk.choices.unwrap_or_default();
        for choice in &choices {
            self.facts.committed |= commits(choice);
            if let Some(reason) = &choice.finish_reason
                && choice.index.unwrap_or(0) == 0
            {
                self.facts.finish = Some(finish::read(&reason.0));
            }
        }
        self.facts.events += u64::from(!choices.is_empty());
        if at_top || choices.iter().any(|choice| choice.usage.is_some()) {
            self.keep(frame);
        }
        Ok(if at_top && choices.is_empty() && self.withhold_usage {
            Verdict::Withhold
        } else {
            Verdict::Pass
        })
    }
}

/// Whether a step shows the client something: anything but its role.
fn commits(choice: &Choice<'_>) -> bool {
    let said = |text: &Option<Text<'_>>| text.as_ref().is_some_and(|text| !text.0.is_empty());
    let Some(delta) = &choice.delta else { return choice.finish_reason.is_some() };
    let content = match &delta.content {
        Some(Listed::Text(text)) => !text.is_empty(),
        Some(Listed::Items(items)) => !items.is_empty(),
        None => false,
    };
    content
        || choice.finish_reason.is_some()
        || said(&delta.refusal)
        || said(&delta.reasoning_content)
        || said(&delta.reasoning)
        || delta.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty())
        || delta.extra.iter().any(|(_, value)| !matches!(value.get(), "null" | "[]" | "{}" | "\"\""))
}

/// Whether `data` has a value that is not null behind `key`.
fn has(key: &memmem::Finder<'_>, data: &str) -> bool {
    key.find_iter(data.as_bytes()).any(|at| {
        let rest = data.as_bytes().get(at + key.needle().len()..).unwrap_or_default().trim_ascii_start();
        let value = rest.strip_prefix(b":").unwrap_or(rest).trim_ascii_start();
        !value.starts_with(b"null")
    })
}

impl Watch for Watcher {
    fn look(&mut self, frame: &Frame<'_>) -> Result<Verdict, Fault> {
        if self.facts.committed && frame.event.is_none() && self.form.inner(frame.data).is_some() {
            self.facts.events += 1;
            return Ok(Verdict::Pass);
        }
        if frame.data.trim_ascii() == DONE {
            self.facts.committed = true;
            self.facts.terminal = true;
            return Ok(Verdict::PassAndEnd);
        }
        if !is_object(frame.data) {
            return Err(Fault::Invalid("an event of the stream is no object".to_owned()));
        }
        if !self.facts.committed
            || frame.event == Some("error")
            || has(&self.search.error, frame.data)
            || has(&self.search.reason, frame.data)
        {
            return self.read(frame);
        }
        let metered = has(&self.search.usage, frame.data);
        if (metered && self.withhold_usage) || (!metered && self.form.can_learn()) {
            return self.read(frame);
        }
        if metered {
            self.keep(frame);
        }
        self.facts.events += 1;
        Ok(Verdict::Pass)
    }

    fn settle(&mut self) {
        // The latest that can be read counts, so that what arrives together shows what it would have shown one by one.
        while let Some(start) = self.starts.pop() {
            let chunk = self.metered.get(start..).unwrap_or_default();
            let at_top = serde_json::from_str::<Metered>(chunk).ok().and_then(|read| read.usage?.usage());
            let anywhere = || serde_json::from_str::<Chunk<'_>>(chunk).ok().and_then(|read| read.metered());
            if let Some(usage) = at_top.or_else(anywhere) {
                self.facts.usage = Some(usage);
                break;
            }
            self.metered.truncate(start);
        }
        self.starts.clear();
        self.metered.clear();
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn facts_mut(&mut self) -> &mut Facts {
        &mut self.facts
    }
}

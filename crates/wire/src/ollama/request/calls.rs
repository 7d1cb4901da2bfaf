//! Which result belongs to which call.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};

use crate::json::Text;
use crate::ollama::message::Message;

/// The calls of tools so far, to give ids to those that come without: Ollama's Python client drops them, and servers
/// before 0.12.10 have none. A result without an id belongs to the oldest call of its tool that has none, and one that does not
/// name its tool to the oldest call of all.
#[derive(Debug, Default)]
pub(super) struct Calls<'a> {
    /// The ids that the conversation has itself, none of which may be made again.
    given: HashSet<Cow<'a, str>>,
    /// The calls of each tool by their numbers, the oldest first. Those that got a result may still be among them.
    called: HashMap<Cow<'a, str>, VecDeque<usize>>,
    /// The ids of all calls, in order.
    ids: Vec<Cow<'a, str>>,
    /// How many calls, from the oldest on, are known to have a result.
    settled: usize,
    /// The ids of calls that got a result.
    answered: HashSet<Cow<'a, str>>,
    made: usize,
}

impl<'a> Calls<'a> {
    /// Before the first call of a conversation.
    pub(super) fn of(messages: &[Message<'a>]) -> Self {
        let ids = messages.iter().flat_map(|message| {
            let calls = message.tool_calls.iter().flatten().filter_map(|call| call.value.id.as_ref());
            calls.chain(&message.tool_call_id).map(|id| id.0.clone())
        });
        Self { given: ids.collect(), ..Self::default() }
    }

    /// The id of a call.
    pub(super) fn call(&mut self, id: Option<Text<'a>>, name: &Cow<'a, str>) -> Cow<'a, str> {
        let id = id.map(|id| id.0).filter(|id| !id.is_empty()).unwrap_or_else(|| self.make());
        self.called.entry(name.clone()).or_default().push_back(self.ids.len());
        self.ids.push(id.clone());
        id
    }

    /// The id of the call that a result belongs to.
    pub(super) fn result(&mut self, id: Option<Text<'a>>, name: Option<Text<'a>>) -> Cow<'a, str> {
        let id = id.map(|id| id.0).filter(|id| !id.is_empty()).or_else(|| match name {
            Some(name) => self.oldest_of(&name.0),
            None => self.oldest(),
        });
        let id = id.unwrap_or_else(|| self.make());
        self.answered.insert(id.clone());
        id
    }

    fn oldest_of(&mut self, name: &str) -> Option<Cow<'a, str>> {
        let calls = self.called.get_mut(name)?;
        while let Some(number) = calls.pop_front() {
            let open = self.ids.get(number).filter(|id| !self.answered.contains(*id));
            if open.is_some() {
                return open.cloned();
            }
        }
        None
    }

    fn oldest(&mut self) -> Option<Cow<'a, str>> {
        while let Some(id) = self.ids.get(self.settled) {
            self.settled += 1;
            if !self.answered.contains(id) {
                return Some(id.clone());
            }
        }
        None
    }

    /// An id that no other call has.
    fn make(&mut self) -> Cow<'a, str> {
        loop {
            let id = Cow::Owned(format!("call_{}", self.made));
            self.made += 1;
            if !self.given.contains(&id) {
                return id;
            }
        }
    }
}

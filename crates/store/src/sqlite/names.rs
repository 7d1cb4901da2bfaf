//! Texts that repeat, stored once: from text to id when writing, from id to text when reading.
//!
//! Both caches are bounded: a client that makes up a new text for every call costs a row each, never memory.

use std::collections::HashMap;
use std::ptr;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Statement};

use super::database;
use crate::Error;

/// The most texts a cache holds; a full one is emptied.
const MAX_CACHED: usize = 16_384;

/// What a text is of. Neighbouring rows mostly have the same one, so the last id of each is at hand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    Tenant,
    Provider,
    Model,
    Route,
    RequestedModel,
    ServedModel,
    Tags,
}

/// What a text of a closed set is of: likewise, and texts are told apart by their place in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OneOf {
    Endpoint,
    CallDialect,
    CallOutcome,
    CallCode,
    AttemptDialect,
    AttemptOutcome,
    AttemptCode,
    Finish,
    CostStatus,
}

/// Ids of texts, for the writer.
pub(crate) struct Ids<'c> {
    last: [Option<(Arc<str>, i64)>; Of::Tags as usize + 1],
    last_of_set: [Option<(&'static str, i64)>; OneOf::CostStatus as usize + 1],
    cache: HashMap<Arc<str>, i64>,
    find: Statement<'c>,
    insert: Statement<'c>,
}

impl<'c> Ids<'c> {
    pub(crate) fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            last: Default::default(),
            last_of_set: Default::default(),
            cache: HashMap::new(),
            find: connection.prepare("SELECT id FROM names WHERE text = ?1")?,
            insert: connection.prepare("INSERT INTO names (text) VALUES (?1)")?,
        })
    }

    /// The id of a text, which is given one if it has none.
    pub(crate) fn of(&mut self, what: Of, text: &str) -> rusqlite::Result<i64> {
        let last = &mut self.last[what as usize];
        if let Some((_, id)) = last.as_ref().filter(|(last, _)| &**last == text) {
            return Ok(*id);
        }
        if let Some((text, id)) = self.cache.get_key_value(text) {
            *last = Some((Arc::clone(text), *id));
            return Ok(*id);
        }
        self.of_new(text)
    }

    /// The id of a text of a closed set.
    pub(crate) fn one_of(&mut self, what: OneOf, text: &'static str) -> rusqlite::Result<i64> {
        let last = self.last_of_set[what as usize];
        if let Some((_, id)) = last.filter(|(last, _)| ptr::eq(*last, text)) {
            return Ok(id);
        }
        let id = match self.cache.get(text) {
            Some(id) => *id,
            None => self.of_new(text)?,
        };
        self.last_of_set[what as usize] = Some((text, id));
        Ok(id)
    }

    /// The id of a text of a closed set that may be none.
    pub(crate) fn some_one_of(
        &mut self,
        what: OneOf,
        text: Option<&'static str>,
    ) -> rusqlite::Result<Option<i64>> {
        text.map(|text| self.one_of(what, text)).transpose()
    }

    /// The id of a text that is not in the cache.
    fn of_new(&mut self, text: &str) -> rusqlite::Result<i64> {
        let id = match self.find.query_row([text], |row| row.get(0)).optional()? {
            Some(id) => id,
            None => self.insert.insert([text])?,
        };
        if self.cache.len() >= MAX_CACHED {
            self.cache.clear();
        }
        self.cache.insert(text.into(), id);
        Ok(id)
    }

    /// The id of a text that may be none.
    pub(crate) fn of_some(&mut self, what: Of, text: Option<&str>) -> rusqlite::Result<Option<i64>> {
        text.map(|text| self.of(what, text)).transpose()
    }

    /// Forgets all: ids given in a transaction that was rolled back are no ids.
    pub(crate) fn forget(&mut self) {
        self.last = Default::default();
        self.last_of_set = Default::default();
        self.cache.clear();
    }
}

/// Texts of ids, for a reader.
#[derive(Default)]
pub(crate) struct Texts {
    cache: HashMap<i64, Arc<str>>,
}

impl Texts {
    /// The text of an id.
    pub(crate) fn of(&mut self, connection: &Connection, id: i64) -> Result<Arc<str>, Error> {
        if let Some(text) = self.cache.get(&id) {
            return Ok(Arc::clone(text));
        }
        let text: Option<String> = connection
            .query_row("SELECT text FROM names WHERE id = ?1", [id], |row| row.get(0))
            .optional()
            .map_err(database("read a name"))?;
        let text: Arc<str> = text.ok_or_else(|| Error::Unreadable(format!("name {id} is missing")))?.into();
        if self.cache.len() >= MAX_CACHED {
            self.cache.clear();
        }
        self.cache.insert(id, Arc::clone(&text));
        Ok(text)
    }

    /// The text of an id that may be none.
    pub(crate) fn of_some(
        &mut self,
        connection: &Connection,
        id: Option<i64>,
    ) -> Result<Option<Arc<str>>, Error> {
        id.map(|id| self.of(connection, id)).transpose()
    }
}

/// The id of a text, if any call ever had it.
pub(crate) fn find(connection: &Connection, text: &str) -> Result<Option<i64>, Error> {
    connection
        .query_row("SELECT id FROM names WHERE text = ?1", [text], |row| row.get(0))
        .optional()
        .map_err(database("read a name"))
}

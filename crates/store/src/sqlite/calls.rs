//! Reads calls: lists with filters, newest first, and one call with its attempts.
//!
//! A list with filters looks at no more than [`MAX_SCANNED`] rows per page, however few pass.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use stepwell_types::{AttemptRecord, CallId, CallRecord, Code, Outcome, Tenant};

use super::cells::{self, ATTEMPT_COLUMNS, CALL_COLUMNS, Cells};
use super::names::{self, Texts};
use super::{ReadSide, database, tags};
use crate::{CallFilter, CallRow, Cursor, Error, Page};

/// Rows a page looks at.
const MAX_SCANNED: i64 = 50_000;
/// Rows a page can have.
const MAX_ROWS: usize = 1_000;

/// A page of a tenant's calls.
pub(crate) fn list(
    side: &mut ReadSide,
    tenant: &Tenant,
    filter: &CallFilter,
    cursor: Option<Cursor>,
    limit: usize,
) -> Result<Page<CallRow>, Error> {
    let limit = limit.clamp(1, MAX_ROWS);
    let nothing = Page { rows: Vec::new(), next: None };
    let Some(tenant) = names::find(&side.connection, tenant.as_str())? else { return Ok(nothing) };
    let Some(mut query) = conditions(&side.connection, tenant, filter, cursor)? else { return Ok(nothing) };
    let floor = if query.filtered { query.floor(&side.connection)? } else { None };
    if let Some(floor) = floor {
        query.add("id >= ?", Value::Blob(floor.as_bytes().to_vec()));
    }
    let mut rows = query.run(side, limit + 1)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().map(|row| Cursor(row.id));
    let next = if more { last } else { floor.map(Cursor) };
    Ok(Page { rows, next })
}

/// A query for calls in the making.
struct Query {
    conditions: Vec<&'static str>,
    values: Vec<Value>,
    /// Whether rows within the range may be passed over.
    filtered: bool,
}

impl Query {
    fn add(&mut self, condition: &'static str, value: Value) {
        self.conditions.push(condition);
        self.values.push(value);
    }

    fn filter(&mut self, condition: &'static str, value: Value) {
        self.add(condition, value);
        self.filtered = true;
    }

    /// The id of the last row this page looks at; none if that is the end of the range.
    fn floor(&self, connection: &Connection) -> Result<Option<CallId>, Error> {
        let range = self
            .conditions
            .iter()
            .take_while(|condition| condition.starts_with("id") || condition.starts_with("tenant"));
        let range: Vec<&str> = range.copied().collect();
        let sql = format!(
            "SELECT id FROM calls WHERE {} ORDER BY id DESC LIMIT 1 OFFSET {MAX_SCANNED}",
            range.join(" AND ")
        );
        connection
            .query_row(&sql, params_from_iter(&self.values[..range.len()]), |row| row.get(0))
            .optional()
            .map(|id| id.map(CallId::from_bytes))
            .map_err(database("list calls"))
    }

    fn run(&self, side: &mut ReadSide, limit: usize) -> Result<Vec<CallRow>, Error> {
        let sql = format!(
            "SELECT {CALL_COLUMNS} FROM calls WHERE {} ORDER BY id DESC LIMIT {limit}",
            self.conditions.join(" AND ")
        );
        let ReadSide { connection, texts } = side;
        let mut statement = connection.prepare(&sql).map_err(database("list calls"))?;
        let mut rows = statement.query(params_from_iter(&self.values)).map_err(database("list calls"))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(database("list calls"))? {
            found.push(cells::call(&mut Cells::new(connection, texts, row))?.into_row());
        }
        Ok(found)
    }
}

/// The conditions of a filter; none if it names a text that no call has. The range of ids comes first.
fn conditions(
    connection: &Connection,
    tenant: i64,
    filter: &CallFilter,
    cursor: Option<Cursor>,
) -> Result<Option<Query>, Error> {
    let mut query = Query { conditions: Vec::new(), values: Vec::new(), filtered: false };
    let blob = |id: CallId| Value::Blob(id.as_bytes().to_vec());
    query.add("tenant = ?", Value::Integer(tenant));
    if let Some(Cursor(id)) = cursor {
        query.add("id < ?", blob(id));
    }
    if let Some(until) = filter.until {
        query.add("id < ?", blob(CallId::first_at(until)));
    }
    if let Some(since) = filter.since {
        query.add("id >= ?", blob(CallId::first_at(since)));
    }
    for (condition, text) in [
        ("provider = ?", filter.provider.as_deref()),
        ("model = ?", filter.model.as_deref()),
        ("route = ?", filter.route.as_deref()),
        ("outcome = ?", filter.outcome.map(Outcome::as_str)),
        ("code = ?", filter.code.map(Code::as_str)),
    ] {
        let Some(text) = text else { continue };
        let Some(name) = names::find(connection, text)? else { return Ok(None) };
        query.filter(condition, Value::Integer(name));
    }
    if let Some(class) = filter.status_class {
        query.filter("status / 100 = ?", Value::Integer(i64::from(class)));
    }
    if let Some(user) = &filter.user {
        query.filter("user = ?", Value::Text(user.clone()));
    }
    if let Some((name, value)) = &filter.tag {
        let condition = "EXISTS (SELECT 1 FROM names WHERE names.id = calls.tags AND instr(names.text, ?))";
        query.filter(condition, Value::Text(tags::pair(name, value)));
    }
    Ok(Some(query))
}

/// One call with its attempts.
pub(crate) fn one(side: &mut ReadSide, tenant: &Tenant, id: CallId) -> Result<Option<CallRecord>, Error> {
    let ReadSide { connection, texts } = side;
    let Some(name) = names::find(connection, tenant.as_str())? else { return Ok(None) };
    let sql = format!("SELECT {CALL_COLUMNS} FROM calls WHERE tenant = ?1 AND id = ?2");
    let mut statement = connection.prepare(&sql).map_err(database("read a call"))?;
    let mut rows = statement.query((name, &id.as_bytes()[..])).map_err(database("read a call"))?;
    let Some(row) = rows.next().map_err(database("read a call"))? else { return Ok(None) };
    let mut stored = cells::call(&mut Cells::new(connection, texts, row))?;
    stored.record.tenant = tenant.clone();
    stored.record.attempts = attempts(connection, texts, name, id)?;
    Ok(Some(stored.record))
}

fn attempts(
    connection: &Connection,
    texts: &mut Texts,
    tenant: i64,
    call: CallId,
) -> Result<Vec<AttemptRecord>, Error> {
    let sql = format!(
        "SELECT {ATTEMPT_COLUMNS} FROM call_attempts WHERE tenant = ?1 AND call = ?2 ORDER BY number"
    );
    let mut statement = connection.prepare(&sql).map_err(database("read attempts"))?;
    let mut rows = statement.query((tenant, &call.as_bytes()[..])).map_err(database("read attempts"))?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next().map_err(database("read attempts"))? {
        attempts.push(cells::attempt(&mut Cells::new(connection, texts, row))?);
    }
    Ok(attempts)
}

//! A statement that inserts rows, and what is bound to it.

use rusqlite::types::{Null, ToSql};
use rusqlite::{Connection, Statement};

/// What happens to a row that is there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Present {
    /// It is left as it is.
    Keep,
    /// The transaction is rolled back and the statement fails with a violated constraint. This spares SQLite a journal
    /// of what the statement alone has done.
    RollBack,
}

/// Inserts a fixed number of rows into a table with each run.
///
/// Values are bound from left to right and row by row. SQLite keeps what is bound from one run to the next, so what
/// stands there already is not bound again: much of a row is as it was in the row before.
pub(crate) struct Rows<'c> {
    statement: Statement<'c>,
    bound: Vec<Bound>,
    next: usize,
}

/// What a parameter holds, where that is quick to compare.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bound {
    Null,
    Int(i64),
    Bytes,
}

impl<'c> Rows<'c> {
    /// A statement for `rows` rows of a table with so many columns.
    pub(crate) fn new(
        connection: &'c Connection,
        table: &str,
        columns: usize,
        rows: usize,
        present: Present,
    ) -> rusqlite::Result<Self> {
        let row = format!("({})", vec!["?"; columns].join(", "));
        let rows = vec![row; rows].join(", ");
        let statement = connection.prepare(&match present {
            Present::Keep => format!("INSERT INTO {table} VALUES {rows} ON CONFLICT DO NOTHING"),
            Present::RollBack => format!("INSERT OR ROLLBACK INTO {table} VALUES {rows}"),
        })?;
        // As SQLite has it: nothing bound is null.
        let bound = vec![Bound::Null; statement.parameter_count()];
        Ok(Self { statement, bound, next: 0 })
    }

    /// Begins with the first value of the first row, whatever was bound since the last run.
    pub(crate) fn begin(&mut self) {
        self.next = 0;
    }

    /// Binds the next value.
    #[inline]
    pub(crate) fn int(&mut self, value: i64) -> rusqlite::Result<()> {
        if self.stands(Bound::Int(value)) { Ok(()) } else { self.bind(Bound::Int(value), value) }
    }

    /// Binds the next value, which may be null.
    #[inline]
    pub(crate) fn some_int(&mut self, value: Option<i64>) -> rusqlite::Result<()> {
        match value {
            Some(value) => self.int(value),
            None => self.null(),
        }
    }

    /// Binds the next value, which may be null.
    #[inline]
    pub(crate) fn some_text(&mut self, value: Option<&str>) -> rusqlite::Result<()> {
        match value {
            Some(value) => self.bind(Bound::Bytes, value),
            None => self.null(),
        }
    }

    /// Binds the next value.
    #[inline]
    pub(crate) fn blob(&mut self, value: &[u8]) -> rusqlite::Result<()> {
        self.bind(Bound::Bytes, value)
    }

    #[inline]
    fn null(&mut self) -> rusqlite::Result<()> {
        if self.stands(Bound::Null) { Ok(()) } else { self.bind(Bound::Null, Null) }
    }

    /// Whether the next parameter holds this; it is passed by if so.
    #[inline]
    fn stands(&mut self, value: Bound) -> bool {
        let stands = self.bound.get(self.next) == Some(&value);
        self.next += usize::from(stands);
        stands
    }

    #[inline(never)]
    fn bind(&mut self, bound: Bound, value: impl ToSql) -> rusqlite::Result<()> {
        // SQLite counts parameters from 1.
        self.statement.raw_bind_parameter(self.next + 1, value)?;
        if let Some(known) = self.bound.get_mut(self.next) {
            *known = bound;
        }
        self.next += 1;
        Ok(())
    }

    /// Inserts the rows that were bound, and says how many of them are new.
    pub(crate) fn insert(&mut self) -> rusqlite::Result<usize> {
        debug_assert_eq!(self.next, self.bound.len(), "every value of every row is bound");
        self.statement.raw_execute()
    }
}

//! A statement that inserts rows, and what is bound to it.

use rusqlite::types::ToSql;
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
        self.bind(Bound::Int(value), value)
    }

    /// Binds the next value, which may be null.
    #[inline]
    pub(crate) fn some_int(&mut self, value: Option<i64>) -> rusqlite::Result<()> {
        self.bind(value.map_or(Bound::Null, Bound::Int), value)
    }

    /// Binds the next value, which may be null.
    #[inline]
    pub(crate) fn some_text(&mut self, value: Option<&str>) -> rusqlite::Result<()> {
        self.bind(value.map_or(Bound::Null, |_| Bound::Bytes), value)
    }

    /// Binds the next value.
    #[inline]
    pub(crate) fn blob(&mut self, value: &[u8]) -> rusqlite::Result<()> {
        self.bind(Bound::Bytes, value)
    }

    #[inline]
    fn bind(&mut self, bound: Bound, value: impl ToSql) -> rusqlite::Result<()> {
        let at = self.next;
        self.next += 1;
        if bound != Bound::Bytes && self.bound.get(at) == Some(&bound) {
            return Ok(());
        }
        self.statement.raw_bind_parameter(self.next, value)?;
        if let Some(known) = self.bound.get_mut(at) {
            *known = bound;
        }
        Ok(())
    }

    /// Inserts the rows that were bound, and says how many of them are new.
    pub(crate) fn insert(&mut self) -> rusqlite::Result<usize> {
        debug_assert_eq!(self.next, self.bound.len(), "every value of every row is bound");
        self.statement.raw_execute()
    }
}

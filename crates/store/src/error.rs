//! What can go wrong in the store, in words that no database is needed to understand.

use std::io;
use std::path::{Path, PathBuf};

use stepwell_types::Code;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process holds the data directory.
    #[error(
        "{path} is in use by another stepwell (process {pid}): stop it, or give this one another data_dir",
        path = path.display()
    )]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// The process id its holder wrote, or `unknown`.
        pid: String,
    },
    /// The operating system refused something.
    #[error("cannot {what} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A journal file holds bytes that are not what was written there.
    #[error(
        "the journal is damaged: {path} at byte {offset}: {why}. Restore that file from a copy; or, to go on \
         without it, stop stepwell and move the file elsewhere: calls recorded in it after that byte and not yet in \
         the ledger are then missing from the ledger",
        path = path.display()
    )]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// The first byte that is not understood.
        offset: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The ledger has a checkpoint beyond the end of the journal.
    #[error(
        "the ledger was filled from more journal than there is in {path}: its segments were removed by hand. Delete \
         the file `replica` there to go on with a new, empty journal",
        path = path.display()
    )]
    JournalBehindLedger {
        /// The journal's directory.
        path: PathBuf,
    },
    /// The journal or the database was written by a newer stepwell.
    #[error(
        "{what} has format {found}, this stepwell knows up to {known}: run the newer version that wrote it"
    )]
    Newer {
        /// What was opened.
        what: String,
        /// Its format.
        found: u32,
        /// The newest format this version reads.
        known: u32,
    },
    /// The database was written by a stepwell from before the first release.
    #[error(
        "{path} has format {found}, from before the first release, and this stepwell reads {oldest} and later: move \
         it away to begin a new one. The stepwell that wrote it still reads it",
        path = path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The oldest format this version reads.
        oldest: u32,
    },
    /// A file that is not ours is where ours should be.
    #[error("{path} is not a stepwell {expected}: move it away or choose another data_dir", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What should be there.
        expected: &'static str,
    },
    /// A setting that cannot work.
    #[error("{0}")]
    Settings(&'static str),
    /// A text that is not a cursor this store gave out.
    #[error("this is not a cursor of this list: take `next_cursor` of the page before, unchanged")]
    BadCursor,
    /// A query that would read more than a query may.
    #[error("the query covers more than {limit} rollup rows: narrow its time range or take a coarser step")]
    TooWide {
        /// How many rows one query may read.
        limit: usize,
    },
    /// The database failed.
    #[error("the database failed to {what}: {source}")]
    Database {
        /// What was tried.
        what: &'static str,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A stored value that this version cannot read.
    #[error("the database holds a value that is not understood: {0}")]
    Unreadable(String),
    /// The journal did not do what the shipper needs.
    #[error("the journal failed to {what}: {source}")]
    Journal {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: crate::JournalError,
    },
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
}

impl Error {
    /// The code a caller is answered with.
    pub fn code(&self) -> Code {
        match self {
            Self::BadCursor | Self::TooWide { .. } => Code::InvalidRequest,
            _ => Code::InternalError,
        }
    }

    /// For `map_err`: a journal's refusal with what was tried.
    pub(crate) fn journal(what: &'static str) -> impl FnOnce(crate::JournalError) -> Self {
        move |source| Self::Journal { what, source }
    }

    /// For `map_err`: an I/O error with what was tried and where.
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, path: path.to_owned(), source }
    }
}

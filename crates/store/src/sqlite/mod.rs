//! The ledger in an SQLite file: what day one runs on.
//!
//! One thread writes and two read, each with a connection of its own; futures only wait for their answers. Why rusqlite
//! and not an async driver: `docs/journal.md`.

mod bind;
mod calls;
mod cells;
mod names;
mod rollup;
mod rows;
mod schema;
mod tags;
mod usage;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension};
use stepwell_types::{CallId, CallRecord, ReplicaId, Tenant, Timestamp};
use tokio::sync::{mpsc, oneshot};

use self::names::Texts;
use self::writer::Writer;
use crate::priority::calls_first;
use crate::{
    Batch, BoxFuture, CallFilter, CallRow, Checkpoint, Cursor, Error, Health, Ledger, Page, Position,
    Shipped, UsageQuery, UsageRow,
};

/// Threads that read.
const READERS: usize = 2;
/// Questions that wait for a reader.
const MAX_WAITING: usize = 64;

/// The ledger in one SQLite file.
pub struct SqliteLedger {
    writer: Option<mpsc::Sender<Write>>,
    readers: Option<mpsc::Sender<Read>>,
    threads: Vec<JoinHandle<()>>,
}

struct Write {
    batch: Arc<Batch>,
    answer: oneshot::Sender<Result<Shipped, Error>>,
}

type Read = Box<dyn FnOnce(&mut ReadSide) + Send>;

/// What a reading thread has.
struct ReadSide {
    connection: Connection,
    texts: Texts,
}

impl SqliteLedger {
    /// Opens the file, creating it or bringing its schema forward. `now` is noted beside the schema's version.
    ///
    /// # Errors
    /// [`Error::Foreign`] and [`Error::Newer`] for a file that is left as it is; [`Error::Database`] otherwise.
    pub fn open(path: &Path, now: Timestamp) -> Result<Self, Error> {
        let connection = schema::open_writer(path, now)?;
        let (writer, batches) = mpsc::channel(1);
        let (readers, questions) = mpsc::channel(MAX_WAITING);
        let questions = Arc::new(Mutex::new(questions));
        let mut ledger = Self { writer: Some(writer), readers: Some(readers), threads: Vec::new() };
        ledger.spawn(path, "ledger-writer", move || write(&connection, batches))?;
        for _ in 0..READERS {
            let mut side = ReadSide { connection: schema::open_reader(path)?, texts: Texts::default() };
            let questions = Arc::clone(&questions);
            ledger.spawn(path, "ledger-reader", move || {
                while let Some(question) = next(&questions) {
                    question(&mut side);
                }
            })?;
        }
        Ok(ledger)
    }

    fn spawn(&mut self, path: &Path, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(|| {
            calls_first();
            work();
        });
        self.threads.push(thread.map_err(Error::io("start a thread for", path))?);
        Ok(())
    }

    /// Asks a reader.
    async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut ReadSide) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let question: Read = Box::new(move |side| {
            // Whoever asked may have stopped waiting.
            drop(answer.send(question(side)));
        });
        let readers = self.readers.as_ref().ok_or(Error::Closed)?;
        readers.send(question).await.map_err(|_| Error::Closed)?;
        answered.await.map_err(|_| Error::Closed)?
    }
}

impl Drop for SqliteLedger {
    /// Ends what is under way and closes the file, so that the next open finds no work.
    fn drop(&mut self) {
        self.readers = None;
        // The writer's thread was started first. It closes last: only then is the write-ahead log folded in.
        for thread in self.threads.drain(1.min(self.threads.len())..) {
            join(thread);
        }
        self.writer = None;
        self.threads.drain(..).for_each(join);
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a ledger thread panicked");
    }
}

fn next(questions: &Mutex<mpsc::Receiver<Read>>) -> Option<Read> {
    questions.lock().blocking_recv()
}

fn write(connection: &Connection, mut batches: mpsc::Receiver<Write>) {
    let mut writer = match Writer::new(connection) {
        Ok(writer) => writer,
        Err(error) => {
            tracing::error!(%error, "the ledger cannot be written");
            return;
        }
    };
    while let Some(Write { batch, answer }) = batches.blocking_recv() {
        // Whoever shipped may have stopped waiting.
        drop(answer.send(writer.ship(&batch)));
    }
}

impl Ledger for SqliteLedger {
    fn ship(&self, batch: Arc<Batch>) -> BoxFuture<'_, Result<Shipped, Error>> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            let writer = self.writer.as_ref().ok_or(Error::Closed)?;
            writer.send(Write { batch, answer }).await.map_err(|_| Error::Closed)?;
            answered.await.map_err(|_| Error::Closed)?
        })
    }

    fn checkpoint(&self, replica: ReplicaId) -> BoxFuture<'_, Result<Option<Checkpoint>, Error>> {
        Box::pin(self.read(move |side| checkpoint(&side.connection, replica)))
    }

    fn calls<'a>(
        &'a self,
        tenant: &'a Tenant,
        filter: &'a CallFilter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<CallRow>, Error>> {
        let (tenant, filter) = (tenant.clone(), filter.clone());
        Box::pin(self.read(move |side| calls::list(side, &tenant, &filter, cursor, limit)))
    }

    fn call<'a>(
        &'a self,
        tenant: &'a Tenant,
        id: CallId,
    ) -> BoxFuture<'a, Result<Option<CallRecord>, Error>> {
        let tenant = tenant.clone();
        Box::pin(self.read(move |side| calls::one(side, &tenant, id)))
    }

    fn usage<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a UsageQuery,
    ) -> BoxFuture<'a, Result<Vec<UsageRow>, Error>> {
        let (tenant, query) = (tenant.clone(), query.clone());
        Box::pin(self.read(move |side| usage::rows(side, &tenant, &query)))
    }

    fn health(&self) -> BoxFuture<'_, Result<Health, Error>> {
        Box::pin(self.read(|side| {
            let bytes: i64 = side
                .connection
                .query_row(
                    "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
                    [],
                    |row| row.get(0),
                )
                .map_err(database("tell its size"))?;
            Ok(Health { bytes: u64::try_from(bytes).ok(), schema: schema::version(&side.connection)? })
        }))
    }
}

fn checkpoint(connection: &Connection, replica: ReplicaId) -> Result<Option<Checkpoint>, Error> {
    let found: Option<[i64; 4]> = connection
        .query_row(
            "SELECT shipped_segment, shipped_offset, open_segment, open_offset FROM checkpoints WHERE replica = ?1",
            [&replica.0.as_bytes()[..]],
            |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]),
        )
        .optional()
        .map_err(database("read the checkpoint"))?;
    Ok(found.map(|[shipped_segment, shipped_offset, open_segment, open_offset]| Checkpoint {
        replica,
        shipped: Position {
            segment: shipped_segment.cast_unsigned(),
            offset: shipped_offset.cast_unsigned(),
        },
        oldest_open: Position { segment: open_segment.cast_unsigned(), offset: open_offset.cast_unsigned() },
    }))
}

/// For `map_err`: a database's error with what was tried.
fn database(what: &'static str) -> impl FnOnce(rusqlite::Error) -> Error {
    move |source| Error::Database { what, source: source.into() }
}

//! What the journal promises: order, prefixes, detection of damage, room for finals, and what failing disks do.

mod appender;
mod faults;
mod forms;
mod reading;
mod room;

use std::sync::Arc;
use std::time::Duration;

use stepwell_testkit::TestDir;
use stepwell_types::{AttemptRecord, CallId, CallRecord, Clock, Intent, SystemClock};

use super::files::Files;
use super::{
    AttemptV1, CallV1, Durability, Frame, IntentV1, Journal, JournalOptions, Kind, Opened, Recent,
    SystemFiles,
};
use crate::{DataDir, Error, Position};

/// A record as it was appended or as it was read.
#[derive(Clone, PartialEq, Debug)]
enum Record {
    Intent(Intent),
    Attempt(CallId, AttemptRecord),
    Call(CallRecord),
}

impl Record {
    fn read(frame: &Frame<'_>) -> Self {
        match frame.kind {
            Kind::Intent => {
                let stored: IntentV1<'_> = postcard::from_bytes(frame.payload).unwrap();
                Self::Intent(stored.into_record(frame.call).unwrap())
            }
            Kind::Attempt => {
                let stored: AttemptV1<'_> = postcard::from_bytes(frame.payload).unwrap();
                Self::Attempt(frame.call, stored.into_record(&mut Recent::default()).unwrap())
            }
            Kind::Call => {
                let stored: CallV1<'_> = postcard::from_bytes(frame.payload).unwrap();
                Self::Call(stored.into_record(frame.call, &mut Recent::default()).unwrap())
            }
        }
    }

    fn append(&self, journal: &Journal) {
        match self {
            Self::Intent(intent) => journal.intent(intent).unwrap().wait().unwrap(),
            Self::Attempt(call, attempt) => journal.attempt(*call, attempt).unwrap(),
            Self::Call(call) => journal.call(call).unwrap().wait().unwrap(),
        }
    }
}

fn options(durability: Durability) -> JournalOptions {
    JournalOptions { durability, group_interval: Duration::from_millis(1), ..JournalOptions::default() }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

fn open(directory: &TestDir, options: JournalOptions) -> Result<Opened, Error> {
    open_with(directory, options, Box::new(SystemFiles))
}

fn open_with(directory: &TestDir, options: JournalOptions, files: Box<dyn Files>) -> Result<Opened, Error> {
    let data_dir = Arc::new(DataDir::open(directory.path())?);
    Journal::open_with(data_dir, options, clock(), files)
}

/// Every record in the journal, from the first segment there is.
fn read_all(journal: &Journal) -> Result<Vec<Record>, Error> {
    let mut reader = journal.reader(Position::default());
    let (end, _) = journal.end();
    let mut records = Vec::new();
    while let Some((_, frame)) = reader.next(end)? {
        records.push(Record::read(&frame));
    }
    Ok(records)
}

#[test]
fn a_second_process_on_the_same_directory_is_refused_with_the_holders_pid() {
    let directory = TestDir::new("lock");
    let held = DataDir::open(directory.path()).unwrap();
    let Err(Error::InUse { pid, .. }) = DataDir::open(directory.path()) else {
        panic!("it was opened twice")
    };
    assert_eq!(pid, std::process::id().to_string());
    drop(held);
    DataDir::open(directory.path()).unwrap();
}

#[test]
fn a_restart_is_the_same_replica_with_a_segment_of_its_own() {
    let directory = TestDir::new("replica");
    let first = open(&directory, options(Durability::Grouped)).unwrap();
    let (replica, begin) = (first.replica, first.journal.first());
    drop(first);
    let second = open(&directory, options(Durability::Grouped)).unwrap();
    assert_eq!(second.replica, replica);
    assert!(second.journal.first().segment > begin.segment);
}

#[test]
fn a_process_killed_as_it_made_a_segment_ready_leaves_no_gap() {
    let directory = TestDir::new("unwritten");
    for _ in 0..3 {
        let opened = open(&directory, options(Durability::Grouped)).unwrap();
        let next = opened.journal.first().segment + 1;
        let segments = super::segment::list(opened.journal.dir()).unwrap();
        assert_eq!(segments, (1..next).collect::<Vec<_>>());
        let unwritten = super::segment::path(opened.journal.dir(), next);
        drop(opened);
        std::fs::write(unwritten, [0; 40]).unwrap();
    }
}

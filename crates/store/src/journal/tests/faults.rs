//! Disks that fail: admission stops, finals that were promised still go in, nothing half-written is read.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use stepwell_testkit::{TestDir, fixture};

use super::super::JournalError;
use super::super::files::{Files, SegmentFile, SystemFiles};
use super::{Durability, Record, open, open_with, options, read_all};
use crate::block_on::block_on;

/// What fails from now on.
#[derive(Default)]
pub(super) struct Faults {
    sync: AtomicBool,
    /// Half of what is written arrives.
    pub(super) write: AtomicBool,
    pub(super) allocate: AtomicBool,
    /// Writes so far.
    pub(super) writes: AtomicUsize,
    /// Whoever holds it holds up every sync.
    gate: Mutex<()>,
}

pub(super) struct FaultyFiles(pub(super) Arc<Faults>);

struct FaultyFile {
    faults: Arc<Faults>,
    file: Arc<dyn SegmentFile>,
}

fn error(kind: io::ErrorKind, when: &AtomicBool) -> io::Result<()> {
    if when.load(Ordering::SeqCst) { Err(kind.into()) } else { Ok(()) }
}

impl Files for FaultyFiles {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        let file = SystemFiles.create(path)?;
        Ok(Arc::new(FaultyFile { faults: Arc::clone(&self.0), file }))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        SystemFiles.sync_dir(path)
    }
}

impl SegmentFile for FaultyFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.faults.writes.fetch_add(1, Ordering::SeqCst);
        if let Err(error) = error(io::ErrorKind::StorageFull, &self.faults.write) {
            self.file.write_at(&bytes[..bytes.len() / 2], offset)?;
            return Err(error);
        }
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        let _open = self.faults.gate.lock();
        error(io::ErrorKind::Other, &self.faults.sync)?;
        self.file.sync()
    }

    fn allocate(&self, offset: u64, length: u64) -> io::Result<bool> {
        error(io::ErrorKind::StorageFull, &self.faults.allocate)?;
        self.file.allocate(offset, length)
    }

    fn trim(&self, length: u64) -> io::Result<()> {
        self.file.trim(length)
    }
}

#[test]
fn a_failed_sync_stops_admission_but_a_call_under_way_still_ends() {
    let directory = TestDir::new("sync-fails");
    let faults = Arc::new(Faults::default());
    let files = Box::new(FaultyFiles(Arc::clone(&faults)));
    let journal = open_with(&directory, options(Durability::Strict), files).unwrap().journal;
    let call = fixture::call_record(fixture::MORNING);
    let intent = fixture::intent(&call, 1);
    journal.intent(&intent).unwrap().wait().unwrap();
    faults.sync.store(true, Ordering::SeqCst);
    let other = fixture::call_record(fixture::MORNING);
    let ticket = journal.intent(&fixture::intent(&other, 1)).unwrap();
    assert!(matches!(ticket.wait(), Err(JournalError::Failed(_))), "it is not known to be on disk");
    faults.sync.store(false, Ordering::SeqCst);
    assert!(matches!(journal.intent(&intent), Err(JournalError::Failed(_))), "a sync is never tried again");
    assert!(matches!(journal.call(&call).unwrap().wait(), Err(JournalError::Failed(_))));
    let records = read_all(&journal).unwrap();
    assert_eq!(records.last(), Some(&Record::Call(call)), "its end is in the journal all the same");
    assert!(journal.status().failed.is_some());
}

#[test]
fn a_write_cut_short_is_no_record_and_stops_admission() {
    let directory = TestDir::new("write-fails");
    let faults = Arc::new(Faults::default());
    let files = Box::new(FaultyFiles(Arc::clone(&faults)));
    let journal = open_with(&directory, options(Durability::Grouped), files).unwrap().journal;
    let call = fixture::call_record(fixture::MORNING);
    let intent = fixture::intent(&call, 1);
    journal.intent(&intent).unwrap().wait().unwrap();
    faults.write.store(true, Ordering::SeqCst);
    assert!(matches!(journal.call(&call), Err(JournalError::Failed(_))));
    faults.write.store(false, Ordering::SeqCst);
    assert!(matches!(journal.intent(&intent), Err(JournalError::Failed(_))));
    journal.call(&call).unwrap().wait().unwrap();
    let expected = vec![Record::Intent(intent), Record::Call(call)];
    assert_eq!(read_all(&journal).unwrap(), expected);
    drop(journal);
    let reopened = open(&directory, options(Durability::Grouped)).unwrap();
    assert_eq!(read_all(&reopened.journal).unwrap(), expected);
}

#[test]
fn a_full_disk_refuses_intents_until_it_has_room_and_ends_every_call_under_way() {
    let directory = TestDir::new("disk-full");
    let faults = Arc::new(Faults::default());
    let files = Box::new(FaultyFiles(Arc::clone(&faults)));
    let journal = open_with(&directory, options(Durability::Grouped), files).unwrap().journal;
    faults.allocate.store(true, Ordering::SeqCst);
    let mut admitted = Vec::new();
    let refusal = loop {
        let call = fixture::call_record(fixture::MORNING);
        match journal.intent(&fixture::intent(&call, 1)) {
            Ok(_) => admitted.push(call),
            Err(error) => break error,
        }
    };
    assert_eq!(refusal, JournalError::Full);
    for call in &admitted {
        journal.call(call).unwrap().wait().unwrap();
    }
    faults.allocate.store(false, Ordering::SeqCst);
    journal.intent(&fixture::intent(&fixture::call_record(fixture::MORNING), 1)).unwrap().wait().unwrap();
}

#[test]
fn a_strict_ticket_waits_for_the_disk_and_a_grouped_one_does_not() {
    for (durability, waits) in [(Durability::Strict, true), (Durability::Grouped, false)] {
        let directory = TestDir::new("ticket");
        let faults = Arc::new(Faults::default());
        let files = Box::new(FaultyFiles(Arc::clone(&faults)));
        let journal = open_with(&directory, options(durability), files).unwrap().journal;
        let held = faults.gate.lock();
        let ticket = journal.call(&fixture::call_record(fixture::MORNING)).unwrap();
        let mut durable = Box::pin(ticket.durable());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let polled = std::future::Future::poll(durable.as_mut(), &mut context);
        assert_eq!(polled.is_pending(), waits);
        drop(held);
        if waits {
            block_on(durable).unwrap();
        }
    }
}

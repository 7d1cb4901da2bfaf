//! Damage: a torn tail leaves a prefix, a flipped bit is seen, and what was on disk is never cut away.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use stepwell_testkit::{TestDir, fixture};
use stepwell_types::{CallId, ReplicaId};

use super::super::frame::{self, Kind, Parsed};
use super::super::{Reader, replica, segment};
use super::{Durability, JournalOptions, Recent, Record, open, options, read_all};
use crate::{Error, Position};

/// A segment made by hand of intents whose headers say so many bytes were on disk.
struct Made {
    directory: TestDir,
    path: PathBuf,
    replica: ReplicaId,
    bytes: Vec<u8>,
    /// Where each frame ends.
    ends: Vec<usize>,
}

fn intent(number: usize) -> Record {
    let mut call = fixture::call_record(fixture::MORNING);
    call.id = CallId::from_bytes([u8::try_from(number).unwrap(); 16]);
    Record::Intent(fixture::intent(&call, 1))
}

fn made(count: usize, durable: impl Fn(usize) -> usize) -> Made {
    let directory = TestDir::new("damage");
    let dir = directory.path().join("journal");
    fs::create_dir_all(&dir).unwrap();
    let replica = replica::load_or_create(&dir, fixture::MORNING).unwrap();
    let mut bytes = segment::header(replica, 1).to_vec();
    let mut ends = Vec::new();
    for number in 0..count {
        let Record::Intent(intent) = intent(number) else { unreachable!() };
        let mut frame = Vec::new();
        frame::begin(&mut frame);
        frame.extend(postcard::to_allocvec(&super::IntentV1::from(&intent)).unwrap());
        let durable = u32::try_from(durable(bytes.len())).unwrap();
        frame::seal(&mut frame, Kind::Intent, 1, intent.call, durable);
        bytes.extend(frame);
        ends.push(bytes.len());
    }
    let path = segment::path(&dir, 1);
    fs::write(&path, &bytes).unwrap();
    Made { directory, path, replica, bytes, ends }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_tail_torn_anywhere_leaves_the_whole_frames_before_it(count in 1_usize..12, at in any::<prop::sample::Index>()) {
        let made = made(count, |_| 0);
        let cut = at.index(made.bytes.len() + 1);
        fs::write(&made.path, &made.bytes[..cut]).unwrap();
        let whole = made.ends.iter().filter(|end| **end <= cut).count();
        let opened = open(&made.directory, JournalOptions::default()).unwrap();
        let expected: Vec<Record> = (0..whole).map(intent).collect();
        prop_assert_eq!(read_all(&opened.journal).unwrap(), expected);
        let kept = made.ends[..whole].last().copied().unwrap_or(segment::HEADER_BYTES);
        prop_assert_eq!(opened.truncated_bytes, cut.saturating_sub(kept) as u64);
    }

    #[test]
    fn a_flipped_bit_is_never_read_as_a_record(
        count in 1_usize..8, at in any::<prop::sample::Index>(), bit in 0_u8..8
    ) {
        let made = made(count, |_| 0);
        let flipped = at.index(made.bytes.len());
        let mut bytes = made.bytes.clone();
        bytes[flipped] ^= 1 << bit;
        fs::write(&made.path, &bytes).unwrap();
        let end = Position { segment: 1, offset: bytes.len() as u64 };
        let dir = made.path.parent().unwrap();
        let mut reader = Reader::new(dir, made.replica, Position { segment: 1, offset: 0 });
        let mut read = Vec::new();
        let error = loop {
            match reader.next(end) {
                Ok(Some((_, frame))) => read.push(Record::read(&frame)),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        let before = made.ends.iter().filter(|end| **end <= flipped).count();
        let expected: Vec<Record> = (0..before).map(intent).collect();
        prop_assert_eq!(read, expected);
        prop_assert!(error.is_some());
    }
}

#[test]
fn damage_before_bytes_known_to_be_on_disk_is_reported_with_its_place() {
    // In the payload, and in the length: then the frame seems to reach beyond the end, as a torn one does.
    for damaged_byte in [frame::HEADER + 3, 6] {
        let made = made(5, |written| written);
        let mut bytes = made.bytes.clone();
        bytes[made.ends[1] + damaged_byte] ^= 1;
        fs::write(&made.path, &bytes).unwrap();
        let Err(Error::Damaged { path, offset, .. }) = open(&made.directory, JournalOptions::default())
        else {
            panic!("damage went unseen");
        };
        assert_eq!(path, made.path);
        assert_eq!(offset, made.ends[1] as u64);
        assert_eq!(fs::read(&made.path).unwrap(), bytes, "what is damaged is left as it is");
    }
}

#[test]
fn records_a_power_failure_left_behind_a_hole_are_cut_off_if_none_was_promised() {
    let made = made(5, |_| segment::HEADER_BYTES);
    let mut bytes = made.bytes.clone();
    bytes[made.ends[1]..made.ends[2]].fill(0);
    fs::write(&made.path, &bytes).unwrap();
    let opened = open(&made.directory, JournalOptions::default()).unwrap();
    assert_eq!(read_all(&opened.journal).unwrap(), vec![intent(0), intent(1)]);
}

#[test]
fn a_segment_created_but_never_written_is_no_obstacle() {
    let made = made(3, |_| 0);
    fs::write(segment::path(made.path.parent().unwrap(), 2), b"").unwrap();
    let opened = open(&made.directory, JournalOptions::default()).unwrap();
    assert_eq!(read_all(&opened.journal).unwrap().len(), 3);
    assert!(opened.journal.first().segment > 2, "its number is not used again");
}

#[test]
fn a_file_that_is_no_segment_is_refused() {
    let made = made(1, |_| 0);
    fs::write(segment::path(made.path.parent().unwrap(), 2), [b'x'; 100]).unwrap();
    assert!(matches!(open(&made.directory, JournalOptions::default()), Err(Error::Foreign { .. })));
}

#[test]
fn strict_records_are_on_disk_before_their_ticket_says_so_and_later_frames_say_it_too() {
    let directory = TestDir::new("strict");
    let opened = open(&directory, options(Durability::Strict)).unwrap();
    for number in 0..4 {
        intent(number).append(&opened.journal);
    }
    let mut reader = opened.journal.reader(Position::default());
    let (end, _) = opened.journal.end();
    let mut ends = vec![0];
    while let Some((at, frame)) = reader.next(end).unwrap() {
        assert!(u64::from(frame.durable) >= *ends.last().unwrap(), "the frame before was waited for");
        ends.push(at.offset + frame.size() as u64);
    }
    assert_eq!(ends.len(), 5);
}

#[test]
fn any_bytes_are_a_frame_or_none_and_a_frame_is_exactly_what_was_written() {
    bolero::check!().for_each(|bytes: &[u8]| {
        if let Parsed::Frame(frame) = frame::parse(bytes) {
            let mut written = Vec::new();
            frame::begin(&mut written);
            written.extend_from_slice(frame.payload);
            frame::seal(&mut written, frame.kind, frame.version, frame.call, frame.durable);
            assert_eq!(written, &bytes[..frame.size()]);
        }
    });
}

#[test]
fn any_bytes_are_a_payload_or_none() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let (call, recent) = (CallId::from_bytes([0; 16]), &mut Recent::default());
        drop(postcard::from_bytes::<super::CallV1<'_>>(bytes).map(|stored| stored.into_record(call, recent)));
        drop(postcard::from_bytes::<super::IntentV1<'_>>(bytes).map(|stored| stored.into_record(call)));
        drop(postcard::from_bytes::<super::AttemptV1<'_>>(bytes).map(|stored| stored.into_record(recent)));
    });
}

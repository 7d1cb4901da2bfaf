//! Room: what is admitted can always be ended, and the journal never outgrows its bound.

use proptest::prelude::*;
use stepwell_testkit::{TestDir, fixture};
use stepwell_types::CallRecord;

use super::super::{JournalError, segment};
use super::{Durability, JournalOptions, open, options, read_all};

fn small() -> JournalOptions {
    JournalOptions { segment_bytes: 64 << 10, max_bytes: 256 << 10, ..options(Durability::Grouped) }
}

fn call(user: &str) -> CallRecord {
    CallRecord { user: Some(user.into()), ..fixture::call_record(fixture::MORNING) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_call_whose_intent_was_admitted_can_end_and_the_bound_holds(
        users in prop::collection::vec("[a-z]{0,300}", 50..400), attempts in 1_u8..4
    ) {
        let directory = TestDir::new("room");
        let journal = open(&directory, small()).unwrap().journal;
        let mut admitted = Vec::new();
        let mut refused = 0;
        for user in &users {
            let call = call(user);
            let mut sent = 0;
            for number in 1..=attempts {
                match journal.intent(&fixture::intent(&call, number)) {
                    Ok(_) => sent += 1,
                    Err(error) => {
                        prop_assert_eq!(error, JournalError::Full);
                        refused += 1;
                        break;
                    }
                }
                journal.attempt(call.id, &fixture::failed_attempt(number, call.started)).unwrap();
            }
            if sent > 0 {
                admitted.push((call, sent));
            }
        }
        for (mut call, sent) in admitted {
            call.session = Some("s".repeat(1_000).into());
            call.losses = vec!["request:/some/field/that/has/a/long/path".to_owned(); 100];
            call.attempts = (1..=sent).map(|number| fixture::attempt_record(number, call.started)).collect();
            journal.call(&call).unwrap().wait().unwrap();
        }
        let status = journal.status();
        prop_assert!(status.used_bytes <= status.max_bytes);
        prop_assert_eq!((status.open_calls, status.reserved_bytes), (0, 0));
        prop_assert!(users.len() < 200 || refused > 0, "this many cannot all fit");
    }
}

#[test]
fn records_stand_in_several_segments_once_one_is_full() {
    let directory = TestDir::new("segments");
    let options = JournalOptions { segment_bytes: 64 << 10, ..options(Durability::Strict) };
    let journal = open(&directory, options).unwrap().journal;
    for _ in 0..600 {
        journal.call(&call("one")).unwrap().wait().unwrap();
    }
    assert!(segment::list(journal.dir()).unwrap().len() > 2);
    assert_eq!(read_all(&journal).unwrap().len(), 600);
}

#[test]
fn settings_out_of_range_are_refused() {
    let directory = TestDir::new("settings");
    for options in
        [JournalOptions { max_bytes: 10, ..small() }, JournalOptions { segment_bytes: 10, ..small() }]
    {
        assert!(matches!(open(&directory, options), Err(crate::Error::Settings(_))));
    }
}

#[test]
fn what_is_appended_and_flushed_is_counted() {
    let directory = TestDir::new("counted");
    let journal = open(&directory, options(Durability::Strict)).unwrap().journal;
    let began = journal.status();
    assert_eq!((began.frames, began.appended_bytes, began.fsyncs, began.fsync_us), (0, 0, 0, 0));
    let call = call("someone");
    journal.intent(&fixture::intent(&call, 1)).unwrap().wait().unwrap();
    journal.call(&call).unwrap().wait().unwrap();
    let status = journal.status();
    assert_eq!(status.frames, 2);
    assert_eq!(status.appended_bytes, status.used_bytes - began.used_bytes);
    assert!(status.fsyncs >= 2 && status.fsync_us > 0, "each was waited for: {status:?}");
}

//! The stored forms: what is written reads back, and what was written once reads for ever.

use proptest::prelude::*;
use stepwell_testkit::{TestDir, fixture, strategy};
use stepwell_types::{CallId, CallRecord};

use super::super::v1::{self, CallV1, IntentV1};
use super::{Durability, Recent, Record, open, options, read_all};

/// The payload of an intent as the first version wrote it.
const INTENT: &str = concat!(
    "020764656661756c74808097f597b1b00600000004636861740104636861740106757365722d37020766656174757265",
    "06736561726368066d61726b6574026e6c066f70656e61690a6770742d352d6d696e690001c0ee6d",
);
/// The payload of a call with a failed attempt and a good one, likewise.
const CALL: &str = concat!(
    "0764656661756c74808097f597b1b00600000004636861740104636861740106757365722d3700020766656174757265",
    "06736561726368066d61726b6574026e6c0000c801ac06ec0ce0a81a01b4ad070c00000098a71a000113726571756573",
    "743a2f6c6f6769745f626961730201066f70656e61690a6770742d352d6d696e6900808097f597b1b006b09f1a01c0a9",
    "0701f703010113757073747265616d5f6f7665726c6f6164656400000000000000000000000201000001c0ee6d02066f",
    "70656e61690a6770742d352d6d696e6900808097f597b1b006b09f1a01c0a90701c801000001156770742d352d6d696e",
    "692d323032362d30382d3037011b63686174636d706c2d39783879377a36773576347533743273317201003400000000",
    "1100000001f2c0010001c0ee6d",
);

/// What they say. If the fixtures change, the old ones are to be written out here: the bytes stay.
fn example() -> CallRecord {
    let mut call = fixture::call_record(fixture::MORNING);
    call.id = CallId::first_at(fixture::MORNING);
    call.attempts.insert(0, fixture::failed_attempt(1, fixture::MORNING));
    call.attempts[1].number = 2;
    call.losses = vec!["request:/logit_bias".to_owned()];
    call
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[test]
fn the_first_version_of_the_payloads_never_changes() {
    let call = example();
    let intent = fixture::intent(&call, 2);
    let written = postcard::to_allocvec(&IntentV1::from(&intent)).unwrap();
    assert_eq!(hex(&written), INTENT);
    let read: IntentV1<'_> = postcard::from_bytes(&written).unwrap();
    assert_eq!(read.into_record(call.id), Some(intent));
    let written = postcard::to_allocvec(&CallV1::from(&call)).unwrap();
    assert_eq!(hex(&written), CALL);
    let read: CallV1<'_> = postcard::from_bytes(&written).unwrap();
    assert_eq!(read.into_record(call.id, &mut Recent::default()), Some(call));
}

fn record() -> impl Strategy<Value = Record> {
    prop_oneof![
        strategy::intent().prop_map(Record::Intent),
        (strategy::call_id(), strategy::attempt()).prop_map(|(call, attempt)| Record::Attempt(call, attempt)),
        strategy::call_record().prop_map(Record::Call),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_records_read_back_in_the_order_they_were_appended(
        records in prop::collection::vec(record(), 0..40),
        durability in prop::sample::select(vec![Durability::Grouped, Durability::Async])
    ) {
        let directory = TestDir::new("round-trip");
        let opened = open(&directory, options(durability)).unwrap();
        for record in &records {
            record.append(&opened.journal);
        }
        opened.journal.flush().unwrap();
        prop_assert_eq!(&read_all(&opened.journal).unwrap(), &records);
        drop(opened);
        let opened = open(&directory, options(durability)).unwrap();
        prop_assert_eq!(opened.truncated_bytes, 0);
        prop_assert_eq!(&read_all(&opened.journal).unwrap(), &records);
    }
}

proptest! {
    #[test]
    fn what_follows_an_intent_fits_the_room_kept_for_it(mut call in strategy::call_record(), long in "[é]{0,600}") {
        // As long as the forms let anything be.
        call.session = Some(long.as_str().into());
        call.losses = vec![long.clone(); 60];
        call.attempts = vec![fixture::attempt_record(1, call.started)];
        call.attempts[0].served_model = Some(long.as_str().into());
        call.attempts[0].provider_id = Some(long.as_str().into());
        let intent = postcard::to_allocvec(&IntentV1::from(&fixture::intent(&call, 1))).unwrap();
        let last = postcard::to_allocvec(&CallV1::from(&call)).unwrap();
        let kept = v1::CALL_ROOM + v1::ATTEMPT_ROOM + intent.len() as u64;
        prop_assert!(last.len() as u64 <= kept, "{} > {kept}", last.len());
    }
}

//! The suite that every ledger passes, whatever database is behind it.

#![expect(clippy::expect_used, reason = "a suite fails by panicking, as the tests it stands for do")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use stepwell_store::{
    Batch, CallFilter, Checkpoint, Dimension, Ledger, Page, Position, Step, UsageQuery, UsageRow,
};
use stepwell_types::{CallId, CallRecord, Outcome, ReplicaId, Tenant, Timestamp};

use crate::{Sums, fixture, percentile, sums_by};

const DAY: Duration = Duration::from_hours(24);

/// Whether a call should pass a filter.
type Passes = fn(&CallRecord) -> bool;
/// The value of a dimension.
type Value = fn(&CallRecord) -> Option<String>;

/// Runs every check, each on a ledger of its own that `new` gives.
///
/// # Panics
/// When the ledger breaks a promise of the trait.
pub async fn store_suite(new: impl Fn() -> Arc<dyn Ledger>) {
    a_call_reads_back_as_it_was_shipped(&*new()).await;
    batches_may_repeat_overlap_and_come_in_any_order(&*new()).await;
    the_checkpoint_moves_with_the_calls_and_never_back(&*new()).await;
    no_read_sees_another_tenants_calls(&*new()).await;
    pages_list_every_call_once_newest_first_while_others_are_shipped(&*new()).await;
    filters_pass_exactly_the_calls_they_name(&*new()).await;
    rollups_add_up_to_the_calls(&*new()).await;
    steps_add_up_to_the_whole(&*new()).await;
    attempts_are_counted_where_they_went(&*new()).await;
    percentiles_are_within_one_percent(&*new()).await;
    rollups_stay_whole_and_bounded_however_many_tags_there_are(&*new()).await;
    an_empty_ledger_is_healthy_and_answers_with_nothing(&*new()).await;
}

async fn ship(ledger: &dyn Ledger, calls: &[CallRecord]) -> usize {
    let batch = Batch { calls: calls.to_vec(), checkpoint: None };
    ledger.ship(Arc::new(batch)).await.expect("the ledger takes calls").inserted
}

fn varied(seed: u64, count: usize) -> Vec<CallRecord> {
    fixture::varied_calls(seed, count, fixture::MORNING, DAY * 2)
}

fn all_time(group_by: &[Dimension], step: Step) -> UsageQuery {
    UsageQuery {
        since: fixture::MORNING.minus(DAY),
        until: fixture::MORNING.plus(DAY * 4),
        group_by: group_by.to_vec(),
        step,
    }
}

async fn usage(ledger: &dyn Ledger, tenant: &Tenant, query: &UsageQuery) -> Vec<UsageRow> {
    ledger.usage(tenant, query).await.expect("the ledger adds up")
}

fn of<'c>(calls: &'c [CallRecord], tenant: &'c Tenant) -> impl Iterator<Item = &'c CallRecord> {
    calls.iter().filter(move |call| call.tenant == *tenant)
}

async fn a_call_reads_back_as_it_was_shipped(ledger: &dyn Ledger) {
    let calls = varied(1, 200);
    assert_eq!(ship(ledger, &calls).await, 200);
    for call in &calls {
        let found = ledger.call(&call.tenant, call.id).await.expect("the ledger reads");
        assert_eq!(found.as_ref(), Some(call));
    }
}

async fn batches_may_repeat_overlap_and_come_in_any_order(ledger: &dyn Ledger) {
    let calls = varied(2, 300);
    let mut inserted = ship(ledger, &calls[100..200]).await;
    inserted += ship(ledger, &calls[150..300]).await;
    inserted += ship(ledger, &calls[0..160]).await;
    inserted += ship(ledger, &calls).await;
    assert_eq!(inserted, 300);
    check_totals(ledger, &calls).await;
}

async fn check_totals(ledger: &dyn Ledger, calls: &[CallRecord]) {
    for (tenant, sums) in sums_by(calls, |call| call.tenant.clone()) {
        let rows = usage(ledger, &tenant, &all_time(&[], Step::None)).await;
        assert_eq!(rows.len(), 1);
        assert_same(&rows[0], &sums);
    }
}

fn assert_same(row: &UsageRow, sums: &Sums) {
    assert_eq!(row.calls, sums.calls);
    assert_eq!(row.attempts, sums.attempts);
    assert_eq!(row.failed, sums.failed);
    assert_eq!(row.input_tokens, sums.input_tokens);
    assert_eq!(row.output_tokens, sums.output_tokens);
    assert_eq!(row.cost.as_nanos(), sums.cost);
    assert_eq!(row.charged.as_nanos(), sums.charged);
    assert_eq!(row.unpriced, sums.unpriced);
    assert_eq!(row.latency.map_or(0, |latency| latency.count), sums.durations_us.len() as u64);
}

async fn the_checkpoint_moves_with_the_calls_and_never_back(ledger: &dyn Ledger) {
    let replica = ReplicaId::new(fixture::MORNING);
    assert_eq!(ledger.checkpoint(replica).await.expect("the ledger reads"), None);
    let at = |segment, offset| Position { segment, offset };
    let later = Checkpoint { replica, shipped: at(3, 70), oldest_open: at(2, 40) };
    let earlier = Checkpoint { replica, shipped: at(2, 90), oldest_open: at(2, 40) };
    for checkpoint in [later, earlier] {
        let batch = Batch { calls: varied(3, 5), checkpoint: Some(checkpoint) };
        ledger.ship(Arc::new(batch)).await.expect("the ledger takes calls");
        assert_eq!(ledger.checkpoint(replica).await.expect("the ledger reads"), Some(later));
    }
    let other = ReplicaId::new(fixture::MORNING);
    assert_eq!(ledger.checkpoint(other).await.expect("the ledger reads"), None);
}

async fn no_read_sees_another_tenants_calls(ledger: &dyn Ledger) {
    let call = fixture::call_record(fixture::MORNING);
    ship(ledger, std::slice::from_ref(&call)).await;
    let stranger = Tenant::named("stranger");
    assert_eq!(ledger.call(&stranger, call.id).await.expect("the ledger reads"), None);
    let page = list(ledger, &stranger, &CallFilter::default(), None, 10).await;
    assert_eq!(page, Page { rows: Vec::new(), next: None });
    assert_eq!(usage(ledger, &stranger, &all_time(&[], Step::None)).await, Vec::new());
}

async fn list(
    ledger: &dyn Ledger,
    tenant: &Tenant,
    filter: &CallFilter,
    cursor: Option<stepwell_store::Cursor>,
    limit: usize,
) -> Page<stepwell_store::CallRow> {
    ledger.calls(tenant, filter, cursor, limit).await.expect("the ledger lists")
}

/// Every id a filter passes, page by page.
async fn ids(ledger: &dyn Ledger, tenant: &Tenant, filter: &CallFilter) -> Vec<CallId> {
    let (mut ids, mut cursor) = (Vec::new(), None);
    loop {
        let page = list(ledger, tenant, filter, cursor, 37).await;
        assert!(page.rows.len() <= 37);
        ids.extend(page.rows.iter().map(|row| row.id));
        // A cursor goes through a client and comes back as text.
        let Some(next) = page.next else { return ids };
        cursor = Some(next.to_string().parse().expect("a cursor reads back"));
    }
}

async fn pages_list_every_call_once_newest_first_while_others_are_shipped(ledger: &dyn Ledger) {
    let calls = varied(4, 400);
    let (before, during) = calls.split_at(250);
    ship(ledger, before).await;
    let tenant = Tenant::only();
    let (mut ids, mut cursor) = (Vec::new(), None);
    for batch in during.chunks(5).map(Some).chain(std::iter::repeat(None)) {
        let page = list(ledger, &tenant, &CallFilter::default(), cursor, 7).await;
        ids.extend(page.rows.iter().map(|row| row.id));
        ship(ledger, batch.unwrap_or_default()).await;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert!(ids.is_sorted_by(|newer, older| newer > older), "newest first, none twice");
    let listed: BTreeSet<CallId> = ids.into_iter().collect();
    for call in of(before, &tenant) {
        assert!(listed.contains(&call.id), "a call that was there from the start is listed");
    }
}

async fn filters_pass_exactly_the_calls_they_name(ledger: &dyn Ledger) {
    let calls = varied(5, 500);
    ship(ledger, &calls).await;
    let any = CallFilter::default;
    let noon = fixture::MORNING.plus(Duration::from_hours(4));
    let cases: [(CallFilter, Passes); 11] = [
        (any(), |_| true),
        (CallFilter { since: Some(noon), ..any() }, |call| call.started >= morning_plus_hours(4)),
        (CallFilter { until: Some(noon), ..any() }, |call| call.started < morning_plus_hours(4)),
        (CallFilter { provider: Some("anthropic".into()), ..any() }, |call| {
            last(call).is_some_and(|target| target.0 == "anthropic")
        }),
        (CallFilter { model: Some("gpt-5-mini".into()), ..any() }, |call| {
            last(call).is_some_and(|target| target.1 == "gpt-5-mini")
        }),
        (CallFilter { route: Some("fast".into()), ..any() }, |call| call.route.as_deref() == Some("fast")),
        (CallFilter { outcome: Some(Outcome::Cut), ..any() }, |call| call.outcome == Outcome::Cut),
        (CallFilter { status_class: Some(4), ..any() }, |call| call.status / 100 == 4),
        (CallFilter { user: Some("user-3".into()), ..any() }, |call| call.user.as_deref() == Some("user-3")),
        (CallFilter { tag: Some(("feature".into(), "chat \"beta\"".into())), ..any() }, |call| {
            call.tags.iter().any(|(name, value)| &**name == "feature" && &**value == "chat \"beta\"")
        }),
        (CallFilter { provider: Some("nobody".into()), ..any() }, |_| false),
    ];
    let tenant = Tenant::only();
    for (filter, passes) in cases {
        let mut expected: Vec<CallId> =
            of(&calls, &tenant).filter(|call| passes(call)).map(|call| call.id).collect();
        expected.sort_unstable_by(|one, other| other.cmp(one));
        assert_eq!(ids(ledger, &tenant, &filter).await, expected, "{filter:?}");
    }
}

fn morning_plus_hours(hours: u64) -> Timestamp {
    fixture::MORNING.plus(Duration::from_hours(hours))
}

fn last(call: &CallRecord) -> Option<(&str, &str)> {
    let attempt = call.attempts.last()?;
    Some((&*attempt.target.provider, &*attempt.target.model))
}

async fn rollups_add_up_to_the_calls(ledger: &dyn Ledger) {
    let calls = varied(6, 1_000);
    for batch in calls.chunks(90) {
        ship(ledger, batch).await;
    }
    let tenant = Tenant::only();
    let whole_call: [(Dimension, Value); 6] = [
        (Dimension::Project, |call| Some(call.tenant.as_str().to_owned())),
        (Dimension::Route, |call| call.route.as_deref().map(str::to_owned)),
        (Dimension::Endpoint, |call| Some(call.endpoint.to_string())),
        (Dimension::Dialect, |call| Some(call.dialect.to_string())),
        (Dimension::Outcome, |call| Some(call.outcome.as_str().to_owned())),
        (Dimension::Tag("market".into()), |call| tag(call, "market")),
    ];
    for (dimension, value) in whole_call {
        let expected = sums_by(of(&calls, &tenant), value);
        let rows = usage(ledger, &tenant, &all_time(&[dimension], Step::None)).await;
        assert_eq!(rows.len(), expected.len());
        for row in rows {
            let group = row.dimensions[0].as_deref().map(str::to_owned);
            assert_same(&row, &expected[&group]);
        }
    }
}

fn tag(call: &CallRecord, name: &str) -> Option<String> {
    call.tags.iter().find(|(found, _)| &**found == name).map(|(_, value)| value.to_string())
}

async fn steps_add_up_to_the_whole(ledger: &dyn Ledger) {
    let calls = varied(7, 1_000);
    ship(ledger, &calls).await;
    let tenant = Tenant::only();
    // A range whose ends are whole minutes only: days, hours and minutes all take part.
    let since = fixture::MORNING.plus(Duration::from_mins(61));
    let until = fixture::MORNING.plus(Duration::from_mins(40 * 60 + 17));
    let within: Vec<CallRecord> =
        of(&calls, &tenant).filter(|call| call.started >= since && call.started < until).cloned().collect();
    for (step, seconds) in
        [(Step::Minute, 60), (Step::Hour, 3_600), (Step::Day, 86_400), (Step::None, i64::MAX)]
    {
        let query = UsageQuery { since, until, group_by: vec![Dimension::Outcome], step };
        let rows = usage(ledger, &tenant, &query).await;
        let expected = sums_by(&within, |call| {
            let start = (step != Step::None).then(|| call.started.as_seconds().div_euclid(seconds) * seconds);
            (start, Some(call.outcome.as_str().to_owned()))
        });
        assert_eq!(rows.len(), expected.len(), "{step:?}");
        for row in &rows {
            let group =
                (row.start.map(Timestamp::as_seconds), row.dimensions[0].as_deref().map(str::to_owned));
            assert_same(row, &expected[&group]);
        }
        assert!(
            rows.is_sorted_by_key(|row| (row.start, row.dimensions.clone())),
            "in order of time and name"
        );
    }
}

async fn attempts_are_counted_where_they_went(ledger: &dyn Ledger) {
    let started = fixture::MORNING;
    let mut call = fixture::call_record(started);
    let mut failed = fixture::failed_attempt(1, started);
    failed.target = "anthropic/claude-sonnet-4-5".parse().expect("a target");
    failed.cost = Some(stepwell_types::NanoUsd::from_nanos(700));
    call.attempts.insert(0, failed);
    call.attempts[1].number = 2;
    ship(ledger, &[call]).await;
    let rows = usage(ledger, &Tenant::only(), &all_time(&[Dimension::Provider], Step::None)).await;
    let by_provider: BTreeMap<&str, (u64, u64, i64)> = rows
        .iter()
        .map(|row| {
            (row.dimensions[0].as_deref().unwrap_or_default(), (row.calls, row.attempts, row.cost.as_nanos()))
        })
        .collect();
    assert_eq!(by_provider, BTreeMap::from([("anthropic", (0, 1, 700)), ("openai", (1, 1, 12_345))]));
}

async fn percentiles_are_within_one_percent(ledger: &dyn Ledger) {
    let calls = varied(8, 3_000);
    for batch in calls.chunks(500) {
        ship(ledger, batch).await;
    }
    let tenant = Tenant::only();
    let since = fixture::MORNING.plus(Duration::from_mins(90));
    let query = UsageQuery { since, ..all_time(&[], Step::None) };
    let rows = usage(ledger, &tenant, &query).await;
    let within = of(&calls, &tenant).filter(|call| call.started >= since);
    let sums = sums_by(within, |_| ()).remove(&()).expect("there are calls");
    let latency = rows[0].latency.expect("there are durations");
    for (percent, found) in [(50, latency.p50_us), (90, latency.p90_us), (99, latency.p99_us)] {
        let exact = percentile(&sums.durations_us, percent).expect("there are durations");
        assert!(found.abs_diff(exact) * 100 <= exact, "p{percent}: {found} is not within 1% of {exact}");
    }
}

async fn rollups_stay_whole_and_bounded_however_many_tags_there_are(ledger: &dyn Ledger) {
    let calls: Vec<CallRecord> = (0..3_000)
        .map(|number| CallRecord {
            tags: vec![("request".into(), format!("{number}").into())],
            ..fixture::call_record(fixture::MORNING)
        })
        .collect();
    for batch in calls.chunks(1_000) {
        ship(ledger, batch).await;
    }
    check_totals(ledger, &calls).await;
    let query = all_time(&[Dimension::Tag("request".into())], Step::None);
    let rows = usage(ledger, &Tenant::only(), &query).await;
    assert!(rows.len() < calls.len(), "beyond a bound, tags are summed under one name");
    assert_eq!(rows.iter().map(|row| row.calls).sum::<u64>(), 3_000);
    assert!(rows.iter().any(|row| row.dimensions[0].as_deref() == Some("(other)")));
}

async fn an_empty_ledger_is_healthy_and_answers_with_nothing(ledger: &dyn Ledger) {
    ledger.health().await.expect("the ledger is healthy");
    let tenant = Tenant::only();
    assert_eq!(list(ledger, &tenant, &CallFilter::default(), None, 10).await.rows, Vec::new());
    assert_eq!(usage(ledger, &tenant, &all_time(&[Dimension::Route], Step::Hour)).await, Vec::new());
    assert_eq!(ship(ledger, &[]).await, 0);
}

//! What a scraper reads after calls were recorded.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;

use stepwell_telemetry::{Kind, MAX_PAIRS, Metric, Metrics, Sample, metrics_reference};
use stepwell_types::{
    AttemptRecord, CallId, CallRecord, Code, CostStatus, Dialect, Endpoint, NanoUsd, Outcome, Stage,
    StageTimes, TargetName, Tenant, Timestamp, Usage, UsageSource,
};

const STARTED: Timestamp = Timestamp::from_micros(1_795_219_199_500_000);

fn metrics() -> Metrics {
    Metrics::new("1.2.3", STARTED)
}

fn attempt(target: &str) -> AttemptRecord {
    let (provider, model) = target.split_once('/').unwrap_or_default();
    AttemptRecord {
        number: 1,
        target: TargetName { provider: Arc::from(provider), model: Arc::from(model) },
        dialect: Dialect::OpenaiChat,
        started: STARTED,
        duration_us: 900_000,
        first_byte_us: Some(45_000),
        status: Some(200),
        outcome: Outcome::Ok,
        code: None,
        served_model: None,
        provider_id: None,
        finish: None,
        usage: Usage { input_tokens: 100, cache_read_tokens: 40, output_tokens: 11, ..Usage::default() },
        usage_source: UsageSource::Provider,
        cost: Some(NanoUsd::from_nanos(1_500)),
        cost_status: CostStatus::Exact,
        bound: None,
    }
}

fn call(attempts: Vec<AttemptRecord>) -> CallRecord {
    let mut stages = StageTimes::default();
    stages.add(Stage::Decode, 7);
    stages.add(Stage::Attempt, 900_000);
    CallRecord {
        id: CallId::new(STARTED),
        tenant: Tenant::only(),
        started: STARTED,
        endpoint: Endpoint::Chat,
        dialect: Dialect::Anthropic,
        streamed: true,
        requested_model: Arc::from("chat"),
        route: None,
        user: None,
        session: None,
        tags: Vec::new(),
        outcome: Outcome::Ok,
        code: None,
        status: 200,
        request_bytes: 321,
        reply_bytes: 654,
        duration_us: 900_300,
        first_token_us: Some(50_300),
        stages,
        losses: vec!["request:/logit_bias".to_owned(), "reply:/logprobs".to_owned()],
        attempts,
    }
}

fn has(page: &str, line: &str) {
    assert!(page.lines().any(|each| each == line), "no line {line:?} in\n{page}");
}

#[test]
fn every_metric_appears_after_one_call_and_one_sample() {
    let metrics = metrics();
    metrics.register_source(Box::new(|sample: &mut Sample| {
        for metric in Metric::ALL {
            if metric.spec().name.contains("journal") || metric.spec().name.contains("shipper") {
                sample.set(*metric, 1_500_000);
            }
        }
    }));
    metrics.call(&call(vec![attempt("openai/gpt-5-mini")]));
    let page = metrics.encode();
    for spec in Metric::ALL.iter().map(|metric| metric.spec()) {
        let suffix = if spec.kind == Kind::Histogram { "_count" } else { "" };
        let series = format!("{}{suffix}", spec.name);
        let found = page.lines().any(|line| {
            line.strip_prefix(&series).is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' '))
        });
        assert!(found, "{series} is not in\n{page}");
    }
    has(&page, "stepwell_shipper_lag_seconds 1.5");
    has(&page, "stepwell_shipper_lag_bytes 1500000");
    has(&page, "process_start_time_seconds 1795219199.5");
    has(&page, "stepwell_build_info{version=\"1.2.3\"} 1");
}

#[test]
fn names_are_unique_and_follow_the_conventions_of_their_kind() {
    let mut names = BTreeSet::new();
    for spec in Metric::ALL.iter().map(|metric| metric.spec()) {
        assert!(names.insert(spec.name), "{} twice", spec.name);
        assert_eq!(spec.kind == Kind::Counter, spec.name.ends_with("_total"), "{}", spec.name);
        assert!(spec.help.ends_with('.') && !spec.help.contains(['\n', '\\']), "{}", spec.name);
        let of_ours = ["stepwell_", "gen_ai_", "process_"];
        assert!(of_ours.iter().any(|prefix| spec.name.starts_with(prefix)), "{}", spec.name);
    }
}

#[test]
fn the_documentation_is_the_table() {
    let committed = include_str!("../../../docs/metrics.md");
    assert_eq!(
        committed,
        metrics_reference(),
        "refresh with: cargo run -p stepwell-telemetry --example metrics_page > docs/metrics.md"
    );
}

#[test]
fn a_call_is_counted_with_its_tokens_cost_and_overhead() {
    let metrics = metrics();
    metrics.call(&call(vec![attempt("openai/gpt-5-mini")]));
    let page = metrics.encode();
    let target = "provider=\"openai\",model=\"gpt-5-mini\"";
    let gen_ai =
        "gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"openai\",gen_ai_request_model=\"gpt-5-mini\"";
    has(&page, "stepwell_calls_total{endpoint=\"chat\",dialect=\"anthropic\",outcome=\"ok\"} 1");
    has(&page, &format!("stepwell_attempts_total{{{target},outcome=\"ok\"}} 1"));
    has(&page, &format!("stepwell_cost_nanousd_total{{{target},status=\"exact\"}} 1500"));
    has(&page, &format!("stepwell_unpriced_attempts_total{{{target}}} 0"));
    has(&page, &format!("stepwell_tokens_total{{{target},kind=\"input\"}} 100"));
    has(&page, &format!("stepwell_tokens_total{{{target},kind=\"cache_read\"}} 40"));
    has(&page, "stepwell_gateway_overhead_seconds_sum{endpoint=\"chat\"} 0.0003");
    has(&page, "stepwell_gateway_overhead_seconds_bucket{endpoint=\"chat\",le=\"0.00025\"} 0");
    has(&page, "stepwell_gateway_overhead_seconds_bucket{endpoint=\"chat\",le=\"0.0005\"} 1");
    has(&page, &format!("gen_ai_client_operation_duration_seconds_sum{{{gen_ai}}} 0.9"));
    has(&page, &format!("gen_ai_client_operation_time_to_first_chunk_seconds_sum{{{gen_ai}}} 0.045"));
    has(&page, &format!("gen_ai_client_token_usage_sum{{{gen_ai},gen_ai_token_type=\"output\"}} 11"));
    has(&page, &format!("gen_ai_server_time_to_first_token_seconds_sum{{{gen_ai}}} 0.0503"));
    has(&page, &format!("gen_ai_server_time_per_output_token_seconds_sum{{{gen_ai}}} 0.085"));
    has(&page, "stepwell_losses_total{side=\"request\"} 1");
    has(&page, "stepwell_losses_total{side=\"reply\"} 1");
    has(&page, "stepwell_request_bytes_total{endpoint=\"chat\"} 321");
    has(&page, "stepwell_reply_bytes_total{endpoint=\"chat\"} 654");
}

#[test]
fn a_failover_counts_both_targets_and_the_call_by_its_last() {
    let mut refused = attempt("openai/gpt-5-mini");
    refused.outcome = Outcome::Failed;
    refused.code = Some(Code::UpstreamOverloaded);
    refused.usage = Usage::default();
    refused.usage_source = UsageSource::None;
    refused.cost = Some(NanoUsd::ZERO);
    let mut served = attempt("local/llama");
    served.cost = None;
    served.cost_status = CostStatus::Unpriced;
    let metrics = metrics();
    metrics.call(&call(vec![refused, served]));
    let page = metrics.encode();
    let openai = "provider=\"openai\",model=\"gpt-5-mini\"";
    let local = "provider=\"local\",model=\"llama\"";
    has(
        &page,
        &format!("stepwell_attempts_total{{{openai},outcome=\"failed\",code=\"upstream_overloaded\"}} 1"),
    );
    has(&page, &format!("stepwell_attempts_total{{{local},outcome=\"ok\"}} 1"));
    has(&page, &format!("stepwell_unpriced_attempts_total{{{local}}} 1"));
    assert!(!page.contains(&format!("stepwell_cost_nanousd_total{{{local}")), "an unknown cost is not zero");
    let named = |provider: &str, model: &str| {
        format!(
            "gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"{provider}\",gen_ai_request_model=\"{model}\""
        )
    };
    let failed = format!("{},error_type=\"upstream_overloaded\"", named("openai", "gpt-5-mini"));
    has(&page, &format!("gen_ai_client_operation_duration_seconds_count{{{failed}}} 1"));
    has(&page, &format!("gen_ai_server_request_duration_seconds_count{{{}}} 1", named("local", "llama")));
    assert!(!page.contains(&format!("gen_ai_client_token_usage_count{{{}", named("openai", "gpt-5-mini"))));
    assert!(!page.contains(&format!(
        "gen_ai_server_request_duration_seconds_count{{{}",
        named("openai", "gpt-5-mini")
    )));
}

#[test]
fn a_refused_call_counts_only_the_stages_it_spent_time_in() {
    let mut refused = call(Vec::new());
    refused.outcome = Outcome::Failed;
    refused.code = Some(Code::ModelNotFound);
    refused.stages = StageTimes::default();
    refused.stages.add(Stage::Decode, 9);
    let metrics = metrics();
    metrics.call(&refused);
    let page = metrics.encode();
    has(
        &page,
        "stepwell_calls_total{endpoint=\"chat\",dialect=\"anthropic\",outcome=\"failed\",code=\"model_not_found\"} 1",
    );
    has(&page, "stepwell_stage_seconds_count{stage=\"decode\"} 1");
    assert!(!page.contains("stage=\"plan\""));
    assert!(!page.contains("gen_ai_"));
}

#[test]
fn models_beyond_the_bound_are_labelled_other_and_counted_as_folded() {
    let metrics = metrics();
    for number in 0..MAX_PAIRS + 700 {
        metrics.call(&call(vec![attempt(&format!("openai/model-{number}"))]));
    }
    metrics.call(&call(vec![attempt(&format!("openai/{}", "x".repeat(5_000)))]));
    let page = metrics.encode();
    let attempts: Vec<&str> =
        page.lines().filter(|line| line.starts_with("stepwell_attempts_total{")).collect();
    assert_eq!(attempts.len(), MAX_PAIRS + 1);
    has(&page, "stepwell_attempts_total{provider=\"openai\",model=\"other\",outcome=\"ok\"} 701");
    has(&page, "stepwell_labels_folded_total 701");
}

#[test]
fn providers_without_bound_are_labelled_other_too() {
    let metrics = metrics();
    for number in 0..MAX_PAIRS + 200 {
        metrics.call(&call(vec![attempt(&format!("provider-{number}/m"))]));
    }
    let page = metrics.encode();
    let attempts = page.lines().filter(|line| line.starts_with("stepwell_attempts_total{")).count();
    assert!(attempts <= MAX_PAIRS + 51, "{attempts}");
    has(&page, "stepwell_labels_folded_total 200");
}

#[test]
fn guards_count_what_is_open_until_they_drop() {
    let metrics = metrics();
    let calls = [metrics.call_started(), metrics.call_started()];
    let stream = metrics.stream_opened();
    let connection = metrics.connection_opened();
    assert_eq!((metrics.calls_in_flight(), metrics.connections_open()), (2, 1));
    let page = metrics.encode();
    has(&page, "stepwell_calls_in_flight 2");
    has(&page, "stepwell_streams_open 1");
    has(&page, "stepwell_connections_open 1");
    drop((calls, stream, connection));
    let page = metrics.encode();
    has(&page, "stepwell_calls_in_flight 0");
    has(&page, "stepwell_streams_open 0");
    has(&page, "stepwell_connections_open 0");
}

#[test]
fn reloads_are_counted_by_result() {
    let metrics = metrics();
    metrics.config_reloaded(true);
    metrics.config_reloaded(false);
    metrics.config_reloaded(false);
    let page = metrics.encode();
    has(&page, "stepwell_config_reloads_total{result=\"applied\"} 1");
    has(&page, "stepwell_config_reloads_total{result=\"refused\"} 2");
}

#[test]
fn calls_recorded_by_many_threads_are_all_on_the_page() {
    let metrics = metrics();
    let record = call(vec![attempt("openai/gpt-5-mini")]);
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                for _ in 0..500 {
                    metrics.call(&record);
                }
            });
        }
    });
    has(
        &metrics.encode(),
        "stepwell_calls_total{endpoint=\"chat\",dialect=\"anthropic\",outcome=\"ok\"} 10000",
    );
}

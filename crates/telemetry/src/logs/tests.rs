//! What a log line holds, and what it never does.

use std::io::Write;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use stepwell_types::{
    CallId, CostStatus, Dialect, Endpoint, StageTimes, TargetName, Tenant, Timestamp, Usage, UsageSource,
};
use tracing::subscriber::with_default;

use super::*;

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

fn call(outcome: Outcome, code: Option<Code>) -> CallRecord {
    let started = Timestamp::from_micros(1_795_219_199_000_000);
    CallRecord {
        id: CallId::new(started),
        tenant: Tenant::only(),
        started,
        endpoint: Endpoint::Chat,
        dialect: Dialect::OpenaiChat,
        streamed: false,
        requested_model: Arc::from("chat"),
        route: Some(Arc::from("chat")),
        user: Some(Arc::from("user-7")),
        session: None,
        tags: Vec::new(),
        outcome,
        code,
        status: code.map_or(200, Code::status),
        request_bytes: 10,
        reply_bytes: 20,
        duration_us: 1_234,
        first_token_us: None,
        stages: StageTimes::default(),
        losses: Vec::new(),
        attempts: vec![AttemptRecord {
            number: 1,
            target: "sim/small".parse::<TargetName>().unwrap(),
            dialect: Dialect::OpenaiChat,
            started,
            duration_us: 1_000,
            first_byte_us: Some(900),
            status: Some(200),
            outcome,
            code,
            served_model: None,
            provider_id: None,
            finish: None,
            usage: Usage { input_tokens: 12, output_tokens: 34, ..Usage::default() },
            usage_source: UsageSource::Provider,
            cost: Some(NanoUsd::from_nanos(12_345_678)),
            cost_status: CostStatus::Exact,
            bound: None,
        }],
    }
}

fn logged(format: LogFormat, level: &str, terminal: bool, act: impl FnOnce(&LogControl)) -> String {
    let out = Captured::default();
    let writer = out.clone();
    let (subscriber, control) = subscriber(format, level, terminal, move || writer.clone()).unwrap();
    with_default(subscriber, || act(&control));
    out.text()
}

#[test]
fn a_finished_call_is_one_json_line_with_typed_fields() {
    let record = call(Outcome::Ok, None);
    let text = logged(LogFormat::Auto, "info", false, |_| log_call(&record, LogPolicy::All));
    let line: Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!(text.lines().count(), 1);
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["message"], "call finished");
    assert_eq!(line["call_id"], record.id.to_string());
    assert_eq!(line["endpoint"], "chat");
    assert_eq!(line["dialect"], "openai_chat");
    assert_eq!(line["provider"], "sim");
    assert_eq!(line["model"], "small");
    assert_eq!(line["status"], 200);
    assert_eq!(line["outcome"], "ok");
    assert_eq!(line["duration_us"], 1_234);
    assert_eq!(line["input_tokens"], 12);
    assert_eq!(line["output_tokens"], 34);
    assert_eq!(line["cost_usd"], "0.012345678");
    assert!(line.get("code").is_none());
    assert!(!text.contains("user-7"), "end users are not logged");
}

#[test]
fn the_policy_chooses_which_calls_get_a_line() {
    let good = call(Outcome::Ok, None);
    let bad = call(Outcome::Failed, Some(Code::UpstreamTimeout));
    for (policy, lines) in [(LogPolicy::All, 2), (LogPolicy::Failed, 1), (LogPolicy::None, 0)] {
        let text = logged(LogFormat::Json, "info", true, |_| {
            log_call(&good, policy);
            log_call(&bad, policy);
        });
        assert_eq!(text.lines().count(), lines, "{policy:?}");
    }
    let text = logged(LogFormat::Json, "info", true, |_| log_call(&bad, LogPolicy::Failed));
    let line: Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!((&line["level"], &line["code"]), (&Value::from("WARN"), &Value::from("upstream_timeout")));
}

#[test]
fn a_terminal_gets_readable_lines_and_a_client_cannot_colour_or_break_them() {
    let mut record = call(Outcome::Failed, Some(Code::ModelNotFound));
    record.requested_model = Arc::from(format!("\u{1b}[31mred\n{}", "x".repeat(1_000)));
    let text = logged(LogFormat::Auto, "info", true, |_| log_call(&record, LogPolicy::All));
    assert!(text.contains("call failed"), "{text}");
    assert!(!text.contains("\u{1b}[31mred"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.len() < 1_500, "{}", text.len());
}

#[test]
fn the_level_can_be_changed_while_running_and_a_bad_one_changes_nothing() {
    let text = logged(LogFormat::Json, "warn", false, |control| {
        tracing::info!("unheard");
        control.set_level("info").unwrap();
        tracing::info!("heard");
        assert!(matches!(control.set_level("info,stepwell=loud"), Err(LogError::Level(_))));
        tracing::info!("still heard");
    });
    assert!(!text.contains("unheard"));
    assert!(text.contains("heard") && text.contains("still heard"), "{text}");
}

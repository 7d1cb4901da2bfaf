//! The page of metrics of a real process.

use stepwell_telemetry::Metric;
use stepwell_types::Dialect;

use crate::harness::{Simulator, Stepwell, eventually};
use crate::harness_client::{ask, get, question};

#[tokio::test]
async fn every_metric_there_is_stands_on_the_page_after_one_call() {
    let sim = Simulator::start().await;
    let stepwell = Stepwell::start("", &sim.providers()).await;
    let body = question(Dialect::OpenaiChat, "oai/small", true, "draw [[sim:tokens=8]]");
    assert_eq!(ask(stepwell.api, Dialect::OpenaiChat, &[], &body).await.status, 200);
    stepwell.idle().await;
    eventually("the journal to be flushed", || async {
        (stepwell.gauge("stepwell_journal_fsyncs_total").await > 0).then_some(())
    })
    .await;
    let page = get(stepwell.admin, "/metrics").await.text();
    let is_shown = |metric: &Metric| {
        let spec = metric.spec();
        page.contains(&format!("# TYPE {} {}\n{}", spec.name, spec.kind.as_str(), spec.name))
    };
    let missing: Vec<&Metric> = Metric::ALL.iter().filter(|metric| !is_shown(metric)).collect();
    assert!(missing.is_empty(), "{missing:?} are not on the page:\n{page}");
    assert_eq!(stepwell.gauge("stepwell_journal_frames_total").await, 2, "an intent and a final");
    let bytes = stepwell.gauge("stepwell_journal_bytes_total").await;
    assert!((100..2_000).contains(&bytes), "two frames in {bytes} bytes");
}

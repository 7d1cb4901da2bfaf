//! `docs/metrics.md`, written from the table of metrics so that it cannot fall behind it.

use crate::{MAX_PAIRS, Metric};

/// The page as it is committed.
pub fn metrics_reference() -> String {
    let mut page = format!(
        "# Metrics\n\n\
         `GET /metrics` on the admin listener answers in Prometheus' text format. Every metric is below; the page is \
         written from the code by `cargo run -p stepwell-telemetry --example metrics_page > docs/metrics.md`, and a \
         test compares them.\n\n\
         - `gen_ai_*` are the OpenTelemetry semantic conventions for generative AI, spelled as OpenTelemetry's \
         Prometheus exporter spells them. `gen_ai_client_*` is Stepwell as a provider's client: one observation per \
         attempt. `gen_ai_server_*` is Stepwell as the product sees it: one observation per call that reached a \
         provider, labelled with its last target.\n\
         - `gen_ai_provider_name` and `provider` are the provider's name in the config, `gen_ai_request_model` and \
         `model` the model's name at that provider.\n\
         - A label without a value is left out of a series: there is no `code` or `error_type` on what ended well. \
         `code` and `error_type` are the codes of `docs/errors.md`.\n\
         - Model names come from clients, so at most {MAX_PAIRS} provider and model pairs are labelled by name; later \
         ones, and names over 128 bytes, are labelled `other`. `stepwell_labels_folded_total` counts them. Users, keys, \
         tags and prompts are never labels: ask `GET /admin/v1/usage` for those.\n\
         - Money is integer nano-USD (billionths of a dollar); divide by 1e9 for dollars.\n\
         - A metric appears with its first figure. `process_*` need Linux.\n\n\
         | metric | kind | unit | labels | meaning |\n|---|---|---|---|---|\n"
    );
    for spec in Metric::ALL.iter().map(|metric| metric.spec()) {
        let labels: Vec<_> = spec.labels.iter().map(|label| format!("`{label}`")).collect();
        let cells = [
            &format!("`{}`", spec.name),
            spec.kind.as_str(),
            spec.unit.as_str(),
            &labels.join(", "),
            spec.help,
        ];
        page.push_str(&format!("| {} |\n", cells.join(" | ")).replace("|  |", "| |"));
    }
    page
}

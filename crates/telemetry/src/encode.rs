//! The page a scraper reads: Prometheus' text exposition format, version 0.0.4.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>. Seconds are written from integer microseconds, so
//! no figure is rounded. A family without a series is left out.

use stepwell_types::{Code, Endpoint, TargetName};

use crate::histogram::Histogram;
use crate::sample::Sample;
use crate::shard::{Keyed, Shard, TOKEN_KINDS, TargetSeries};
use crate::{Metric, Unit};

/// What a page is written from.
pub(crate) struct Figures<'a> {
    pub(crate) calls: &'a Shard,
    pub(crate) sample: &'a Sample,
    pub(crate) version: &'a str,
    /// Config reloads by result.
    pub(crate) reloads: [(&'static str, u64); 2],
}

/// Writes every family that has a series, in the order of [`Metric::ALL`].
pub(crate) fn page(figures: &Figures<'_>) -> String {
    let targets = figures.calls.targets();
    let mut page = Page { text: String::new(), open: None };
    for metric in Metric::ALL {
        write_calls(*metric, figures.calls, &mut page);
        for (name, series) in &targets {
            write_target(*metric, name, series, &mut page);
        }
        write_process(*metric, figures, &mut page);
    }
    page.text
}

fn write_calls(metric: Metric, calls: &Shard, page: &mut Page) {
    match metric {
        Metric::Calls => {
            for ((endpoint, dialect, outcome, code), count) in calls.calls.sorted() {
                page.value(
                    metric,
                    &[endpoint.as_str(), dialect.as_str(), outcome.as_str(), text(code)],
                    *count,
                );
            }
        }
        Metric::CallDuration => {
            for ((endpoint, dialect, outcome), durations) in calls.call_durations.sorted() {
                page.histogram(metric, &[endpoint.as_str(), dialect.as_str(), outcome.as_str()], durations);
            }
        }
        Metric::GatewayOverhead => {
            for (endpoint, overheads) in calls.overheads.sorted() {
                page.histogram(metric, &[endpoint.as_str()], overheads);
            }
        }
        Metric::StageDuration => {
            for (stage, durations) in calls.stages.sorted() {
                page.histogram(metric, &[stage.as_str()], durations);
            }
        }
        Metric::RequestBytes => page.by_endpoint(metric, &calls.request_bytes),
        Metric::ReplyBytes => page.by_endpoint(metric, &calls.reply_bytes),
        Metric::Losses => {
            page.value(metric, &["request"], calls.request_losses);
            page.value(metric, &["reply"], calls.reply_losses);
        }
        Metric::LabelsFolded => page.value(metric, &[], calls.folded),
        _ => {}
    }
}

fn write_target(metric: Metric, name: &TargetName, series: &TargetSeries, page: &mut Page) {
    let (provider, model) = (&*name.provider, &*name.model);
    match metric {
        Metric::ClientOperationDuration => page.by_error(metric, name, &series.durations),
        Metric::ClientTimeToFirstChunk => page.by_operation(metric, name, &series.first_chunks),
        Metric::ClientTokenUsage => {
            for (kind, counts) in [("input", &series.input_tokens), ("output", &series.output_tokens)] {
                for (endpoint, tokens) in counts.sorted() {
                    page.histogram(metric, &[endpoint.as_str(), provider, model, kind], tokens);
                }
            }
        }
        Metric::ServerRequestDuration => page.by_error(metric, name, &series.call_durations),
        Metric::ServerTimeToFirstToken => page.by_operation(metric, name, &series.first_tokens),
        Metric::ServerTimePerOutputToken => page.by_operation(metric, name, &series.per_token),
        Metric::Attempts => {
            for ((outcome, code), count) in series.attempts.sorted() {
                page.value(metric, &[provider, model, outcome.as_str(), text(code)], *count);
            }
        }
        Metric::Tokens => {
            for (kind, count) in TOKEN_KINDS.iter().zip(series.tokens) {
                page.value(metric, &[provider, model, kind], count);
            }
        }
        Metric::Cost => {
            for (status, nanos) in series.costs.sorted() {
                page.value(metric, &[provider, model, status.as_str()], *nanos);
            }
        }
        Metric::UnpricedAttempts => page.value(metric, &[provider, model], series.unpriced),
        _ => {}
    }
}

fn write_process(metric: Metric, figures: &Figures<'_>, page: &mut Page) {
    match metric {
        Metric::BuildInfo => page.value(metric, &[figures.version], 1),
        Metric::ConfigReloads => {
            for (result, count) in figures.reloads {
                page.value(metric, &[result], count);
            }
        }
        _ => {
            if let Some(value) = figures.sample.get(metric) {
                page.value(metric, &[], value);
            }
        }
    }
}

fn text(code: Option<Code>) -> &'static str {
    code.map_or("", Code::as_str)
}

/// A page being written.
struct Page {
    text: String,
    /// The family whose head is written.
    open: Option<Metric>,
}

impl Page {
    /// Writes the family's head before its first series.
    fn open(&mut self, metric: Metric) {
        if self.open == Some(metric) {
            return;
        }
        self.open = Some(metric);
        let spec = metric.spec();
        self.push(&[
            "# HELP ",
            spec.name,
            " ",
            spec.help,
            "\n# TYPE ",
            spec.name,
            " ",
            spec.kind.as_str(),
            "\n",
        ]);
    }

    fn value(&mut self, metric: Metric, labels: &[&str], value: u64) {
        self.open(metric);
        self.push(&[metric.spec().name]);
        self.labels(metric, labels, None);
        self.number(metric, value);
    }

    fn histogram(&mut self, metric: Metric, labels: &[&str], histogram: &Histogram) {
        self.open(metric);
        let name = metric.spec().name;
        for (bound, count) in histogram.cumulative() {
            self.push(&[name, "_bucket"]);
            self.labels(metric, labels, Some(&amount(metric, bound)));
            self.count(count);
        }
        self.push(&[name, "_bucket"]);
        self.labels(metric, labels, Some("+Inf"));
        self.count(histogram.count());
        self.push(&[name, "_sum"]);
        self.labels(metric, labels, None);
        self.number(metric, histogram.sum());
        self.push(&[name, "_count"]);
        self.labels(metric, labels, None);
        self.count(histogram.count());
    }

    fn by_endpoint(&mut self, metric: Metric, counts: &Keyed<Endpoint, u64>) {
        for (endpoint, count) in counts.sorted() {
            self.value(metric, &[endpoint.as_str()], *count);
        }
    }

    fn by_operation(&mut self, metric: Metric, name: &TargetName, histograms: &Keyed<Endpoint, Histogram>) {
        for (endpoint, histogram) in histograms.sorted() {
            self.histogram(metric, &[endpoint.as_str(), &name.provider, &name.model], histogram);
        }
    }

    fn by_error(
        &mut self,
        metric: Metric,
        name: &TargetName,
        histograms: &Keyed<(Endpoint, Option<Code>), Histogram>,
    ) {
        for ((endpoint, code), histogram) in histograms.sorted() {
            self.histogram(metric, &[endpoint.as_str(), &name.provider, &name.model, text(code)], histogram);
        }
    }

    fn labels(&mut self, metric: Metric, values: &[&str], bound: Option<&str>) {
        let named = metric.spec().labels.iter().copied().zip(values.iter().copied());
        let mut separator = "{";
        for (name, value) in
            named.chain(bound.map(|bound| ("le", bound))).filter(|(_, value)| !value.is_empty())
        {
            self.push(&[separator, name, "=\""]);
            self.escaped(value);
            self.text.push('"');
            separator = ",";
        }
        if separator == "," {
            self.text.push('}');
        }
    }

    /// A label's value, with backslash, quote and line feed escaped as the format demands.
    fn escaped(&mut self, value: &str) {
        for character in value.chars() {
            match character {
                '\\' => self.text.push_str("\\\\"),
                '"' => self.text.push_str("\\\""),
                '\n' => self.text.push_str("\\n"),
                _ => self.text.push(character),
            }
        }
    }

    fn count(&mut self, count: u64) {
        self.push(&[" ", &count.to_string(), "\n"]);
    }

    fn number(&mut self, metric: Metric, value: u64) {
        self.push(&[" ", &amount(metric, value), "\n"]);
    }

    fn push(&mut self, parts: &[&str]) {
        self.text.extend(parts.iter().copied());
    }
}

/// A value in the unit the page shows.
fn amount(metric: Metric, value: u64) -> String {
    match metric.spec().unit {
        Unit::Seconds => seconds(value),
        Unit::Bytes | Unit::Tokens | Unit::NanoUsd | Unit::Count => value.to_string(),
    }
}

/// Microseconds as a decimal number of seconds without trailing zeros.
fn seconds(micros: u64) -> String {
    let mut text = (micros / 1_000_000).to_string();
    let fraction = micros % 1_000_000;
    if fraction > 0 {
        let digits = format!("{fraction:06}");
        text.push('.');
        text.push_str(digits.trim_end_matches('0'));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact_and_short() {
        assert_eq!(seconds(0), "0");
        assert_eq!(seconds(10_000), "0.01");
        assert_eq!(seconds(81_920_000), "81.92");
        assert_eq!(seconds(1_000_001), "1.000001");
    }

    #[test]
    fn a_label_cannot_break_out_of_its_quotes() {
        let mut page = Page { text: String::new(), open: None };
        page.value(Metric::UnpricedAttempts, &["p", "a\"}\n\\"], 1);
        let last = page.text.lines().last().unwrap();
        assert_eq!(last, r#"stepwell_unpriced_attempts_total{provider="p",model="a\"}\n\\"} 1"#);
    }

    #[test]
    fn an_empty_label_is_left_out() {
        let mut page = Page { text: String::new(), open: None };
        page.value(Metric::Calls, &["chat", "anthropic", "ok", ""], 7);
        assert!(
            page.text.ends_with(
                "stepwell_calls_total{endpoint=\"chat\",dialect=\"anthropic\",outcome=\"ok\"} 7\n"
            )
        );
    }
}

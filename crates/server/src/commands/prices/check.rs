//! `stepwell prices check`: whether what the configuration names has a price, and how old the prices are.

use std::process::ExitCode;

use serde::Serialize;
use stepwell_catalog::{Day, ModelPrice, PriceBook};
use stepwell_config::{ProviderSettings, Settings};
use stepwell_policy::Pricing;
use stepwell_types::Timestamp;

use super::{Data, now, targets};
use crate::cli::PricesCheckArgs;
use crate::commands::{Failure, GATE_FAILED, settings};
use crate::{output, price_book};

/// What is shown.
#[derive(Serialize)]
struct Shown {
    ok: bool,
    data: Data,
    age_days: Option<i64>,
    /// How many targets the configuration names.
    targets: usize,
    unpriced: usize,
    findings: Vec<Finding>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Severity {
    /// The check fails.
    Error,
    Warning,
    /// What may well be meant.
    Note,
}

/// Something to know.
#[derive(Serialize)]
struct Finding {
    severity: Severity,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    message: String,
}

impl Finding {
    fn new(severity: Severity, code: &'static str, message: String) -> Self {
        Self { severity, code, target: None, message }
    }

    fn about(self, provider: &ProviderSettings, model: &str) -> Self {
        Self { target: Some(format!("{}/{model}", provider.name)), ..self }
    }
}

pub(super) fn run(args: &PricesCheckArgs) -> Result<ExitCode, Failure> {
    let (_, _, loaded) = settings(&args.config)?;
    let settings = &loaded.settings;
    let now = now();
    let (book, problem) = price_book::in_force(&settings.data_dir)?;
    let age_days = book.data().day().map(|day| day.until(Day::of(now)));
    let mut findings = Vec::new();
    findings.extend(problem.map(|problem| Finding::new(Severity::Warning, "installed_not_used", problem)));
    findings.extend(of_age(&book, age_days, args.max_age_days));
    let named = targets(settings);
    let pricing = Pricing::new(settings, std::sync::Arc::clone(&book));
    let unpriced = findings.len();
    for (provider, model) in named.iter().filter(|(provider, model)| pricing.of(provider, model).is_none()) {
        let message = format!(
            "no price: its calls are recorded as unpriced; set [providers.{}.prices.\"{model}\"]",
            provider.name
        );
        findings.push(Finding::new(Severity::Error, "unpriced", message).about(provider, model));
    }
    let unpriced = findings.len() - unpriced;
    findings.extend(of_own_prices(settings, &book, now));
    let ok = unpriced == 0;
    let shown = Shown { ok, data: Data::of(&book), age_days, targets: named.len(), unpriced, findings };
    if args.json {
        output::result(serde_json::to_string_pretty(&shown).map_err(Failure::new)?);
    } else {
        output::result(text(&shown));
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::from(GATE_FAILED) })
}

/// What the age of the data gives to know.
fn of_age(book: &PriceBook, age_days: Option<i64>, most: u32) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(age) = age_days.filter(|age| *age > i64::from(most)) {
        let message = format!("the prices are {age} days old: see `stepwell prices update`");
        findings.push(Finding::new(Severity::Warning, "stale", message));
    }
    if book.data().day() < PriceBook::DATA.day() {
        let message = format!(
            "the installed prices are older than the binary's own, of {}: `stepwell prices update --embedded` takes those",
            PriceBook::DATA.date
        );
        findings.push(Finding::new(Severity::Warning, "older_than_embedded", message));
    }
    findings
}

/// The configuration's own prices that differ from the data's, or that nothing is charged by.
fn of_own_prices(settings: &Settings, book: &PriceBook, at: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    for provider in settings.providers.values() {
        for (model, own) in &provider.prices {
            if model != "*" && !is_served(settings, provider, model) {
                let message =
                    "has a price of its own, but neither the provider's models nor a route names it"
                        .to_owned();
                findings.push(Finding::new(Severity::Warning, "not_served", message).about(provider, model));
            }
            let Some(data) = provider.kind.prices.and_then(|data| book.find(data, model)) else { continue };
            let differing = differing(&ModelPrice::from_own(model, own), &data, at);
            if !differing.is_empty() {
                let message = format!("its own price differs from the data's: {}", differing.join(", "));
                findings.push(Finding::new(Severity::Note, "differs", message).about(provider, model));
            }
        }
    }
    findings
}

/// Whether clients can come to a model by its own name: all can where the provider lists no models.
fn is_served(settings: &Settings, provider: &ProviderSettings, model: &str) -> bool {
    let mut routed = settings.routes.values().flat_map(|route| &route.targets);
    provider.models.is_empty()
        || provider.models.iter().any(|listed| listed == model)
        || routed.any(|target| target.provider == provider.name && *target.model == *model)
}

/// The rates of one's own that the data has too, at another height.
fn differing(own: &ModelPrice, data: &ModelPrice, at: Timestamp) -> Vec<String> {
    let base = own.rates(at).filter(|rate| rate.above.is_none());
    base.filter_map(|own| {
        let mut others = data.rates(at).filter(|rate| rate.line == own.line && rate.above.is_none());
        let data = others.next()?.rate;
        (data != own.rate).then(|| format!("{} {}, not {data}", own.line.as_str(), own.rate))
    })
    .collect()
}

fn text(shown: &Shown) -> String {
    let Shown { data, age_days, targets, unpriced, findings, .. } = shown;
    let age = age_days.map(|days| format!(", {days} days ago")).unwrap_or_default();
    let mut lines = vec![format!("prices: {data}{age}, sha256 {}", data.sha256)];
    lines.extend(findings.iter().map(|finding| {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let target = finding.target.as_ref().map(|target| format!("{target}: ")).unwrap_or_default();
        format!("{severity}: {target}{}", finding.message)
    }));
    lines.push(format!("{targets} targets are named, {unpriced} of them without a price"));
    lines.join("\n")
}

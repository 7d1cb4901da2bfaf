//! `[routes.NAME]`: a name clients use as `model`, with a strategy over targets.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use stepwell_types::TargetName;

use super::name;
use super::provider::is_model;
use crate::key::{Choice, HOUR, Key, Keys, Shape, ms};
use crate::near::nearest;
use crate::report::{Report, quoted};
use crate::section::{Node, Section, names};

/// The most targets one route may have.
const MOST_TARGETS: usize = 32;

/// A name clients use as `model`, with a strategy over targets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteSettings {
    /// Its name: what clients send as `model`.
    pub name: Arc<str>,
    /// How a target is chosen.
    pub strategy: Strategy,
    /// Where calls go, at least one, each at a configured provider.
    pub targets: Vec<TargetName>,
    /// How long a call may take in all, unless its caller allows less.
    pub timeout: Option<Duration>,
    /// Whether a call is refused, rather than sent with fields lost, where its target's dialect lacks them.
    pub strict: bool,
    /// Output tokens taken as the most a call asks for that names no limit of its own.
    pub max_output_tokens: Option<u64>,
}

/// How a route chooses among its targets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Strategy {
    /// In their order: the next where the one before failed.
    #[default]
    Fallback,
}

const STRATEGY: Key = Key {
    name: "strategy",
    shape: Shape::OneOf(&Choice {
        now: &["fallback"],
        later: &["weighted", "fastest", "cheapest", "spillover", "cascade"],
    }),
    default: Some("\"fallback\""),
    doc: "How a target is chosen: fallback tries them in their order.",
};
const TARGETS: Key = Key {
    name: "targets",
    shape: Shape::Texts,
    default: None,
    doc: "Where calls go, as \"provider/model\". Required, 1 to 32.",
};
const TIMEOUT: Key = Key {
    name: "timeout",
    shape: Shape::Duration { min: ms(1), max: HOUR },
    default: None,
    doc: "How long a call may take in all, over every attempt. Without it, only the providers' own timeouts bound it.",
};
const STRICT: Key = Key {
    name: "strict",
    shape: Shape::Flag,
    default: Some("false"),
    doc: "Refuse a call rather than send it with fields lost, where its target's dialect lacks them.",
};
const MAX_OUTPUT_TOKENS: Key = Key {
    name: "max_output_tokens",
    shape: Shape::Integer { min: 1, max: 10_000_000 },
    default: None,
    doc: "Output tokens taken as the most a call asks for that names no limit of its own.",
};

/// The keys of `[routes.NAME]`.
pub(crate) const KEYS: Keys = Keys {
    doc: "A name clients use as model, with a strategy over targets.",
    known: &[STRATEGY, TARGETS, TIMEOUT, STRICT, MAX_OUTPUT_TOKENS],
    required: &["targets"],
    later: &["cache", "static_reply", "allow", "guards", "weights", "max_attempts"],
};

/// Reads `[routes]`. `providers` are the names of all providers, those with mistakes of their own included.
pub(crate) fn read_all(
    node: &Node<'_>,
    providers: &[&str],
    report: &mut Report<'_>,
) -> BTreeMap<Arc<str>, RouteSettings> {
    let mut routes = BTreeMap::new();
    for (route, span, node) in names(node, report) {
        let is_name = name::check("route", route, span.clone(), report);
        let Some(section) = Section::open(node, span, &format!("routes.{route}"), &KEYS, report) else {
            continue;
        };
        let settings = read(route, &section, providers, report);
        if is_name {
            routes.insert(Arc::clone(&settings.name), settings);
        }
    }
    routes
}

fn read(
    route: &str,
    section: &Section<'_, '_>,
    providers: &[&str],
    report: &mut Report<'_>,
) -> RouteSettings {
    section.one_of(&STRATEGY, report);
    let mut strict = false;
    section.flag(&STRICT, &mut strict, report);
    RouteSettings {
        name: Arc::from(route),
        strategy: Strategy::default(),
        targets: read_targets(route, section, providers, report),
        timeout: section.optional_duration(&TIMEOUT, report),
        strict,
        max_output_tokens: section.integer(&MAX_OUTPUT_TOKENS, report),
    }
}

fn read_targets(
    route: &str,
    section: &Section<'_, '_>,
    providers: &[&str],
    report: &mut Report<'_>,
) -> Vec<TargetName> {
    let hint = "add targets = [\"provider/model\"]";
    let Some(node) = section.node(&TARGETS) else {
        report
            .error("missing_key", section.span.clone(), format!("route {} has no targets", quoted(route)))
            .absent()
            .hint(hint);
        return Vec::new();
    };
    let count = node.get_ref().as_array().map(|array| array.len());
    if count == Some(0) {
        report
            .error("missing_key", node.span(), format!("route {} has no targets", quoted(route)))
            .hint(hint);
    }
    if count.is_some_and(|count| count > MOST_TARGETS) {
        report
            .error("out_of_range", node.span(), format!("a route has at most {MOST_TARGETS} targets"))
            .hint("remove some");
    }
    let mut targets: Vec<TargetName> = Vec::new();
    for (text, span) in section.texts(&TARGETS, report) {
        let Some(target) = read_target(text, span.clone(), providers, report) else { continue };
        if targets.contains(&target) {
            report
                .warning("duplicate", span, format!("target {} is listed twice", quoted(text)))
                .hint("a target that failed is not tried again by listing it again");
        } else {
            targets.push(target);
        }
    }
    targets
}

fn read_target(
    text: &str,
    span: Range<usize>,
    providers: &[&str],
    report: &mut Report<'_>,
) -> Option<TargetName> {
    let target = text.parse::<TargetName>().ok().filter(|target| is_model(&target.model));
    let Some(target) = target else {
        report
            .error("bad_value", span, format!("{} is not a target", quoted(text)))
            .hint("a target is written \"provider/model\", such as \"openai/gpt-5-mini\"");
        return None;
    };
    if providers.contains(&&*target.provider) {
        return Some(target);
    }
    let hint = match nearest(&target.provider, providers.iter().copied()) {
        Some(near) => format!("did you mean \"{near}/{}\"?", target.model),
        None if stepwell_catalog::provider_kind(&target.provider).is_some() => {
            format!("add [providers.{0}] with kind = \"{0}\"", target.provider)
        }
        None if providers.is_empty() => "no provider is configured".to_owned(),
        None => format!("providers here: {}", providers.join(", ")),
    };
    report
        .error("unknown_provider", span, format!("no provider is called {}", quoted(&target.provider)))
        .hint(hint);
    None
}

//! `[providers.NAME]`: a configured account at a model vendor, or a server of one's own.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use stepwell_catalog::{Auth, Face, OwnPrice, ProviderKind};

use super::google::{self, GoogleCloud};
use super::reference::Resolver;
use super::timeouts::{self, Timeouts};
use super::{api_key, base_url, headers, name, price};
use crate::environment::Environment;
use crate::key::{Key, Keys, Shape};
use crate::near::nearest;
use crate::report::{Report, quoted};
use crate::secret::Secret;
use crate::section::{Node, Section, names, text_of};

/// The kind, and the provider's name, of the simulator in this process: the one kind without an address.
const SIMULATOR: &str = "sim";

/// An account at a model vendor, or a server of one's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderSettings {
    /// Its name: the first half of its targets.
    pub name: Arc<str>,
    /// What the catalog knows about its like.
    pub kind: &'static ProviderKind,
    /// The dialects it speaks, and where: at least one. The first is the one that calls in others are translated into.
    pub faces: Vec<Face>,
    /// Where it is, `http` or `https`, without a trailing slash, query or user; none only for the simulator.
    pub base_url: Option<String>,
    /// What it is paid by; none where the kind needs none.
    pub api_key: Option<Secret>,
    /// The account at Google Cloud, of a kind that is there.
    pub google: Option<GoogleCloud>,
    /// Added to every request, names in lower case.
    pub headers: Vec<(String, Secret)>,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// Models that a client may name without the provider, and that `/v1/models` lists.
    pub models: Vec<String>,
    /// Prices of one's own by model, `*` for every other; before the catalog's.
    pub prices: BTreeMap<String, OwnPrice>,
    /// The most connections open to it at once.
    pub max_connections: usize,
}

/// The most connections open to one provider, unless it says otherwise.
const CONNECTIONS: usize = 4_096;

const KIND: Key = Key {
    name: "kind",
    shape: Shape::Text,
    default: None,
    doc: "What it is: a name from the catalog, or \"openai-compatible\" for anything else. Required.",
};
const DIALECTS: Key = Key {
    name: "dialects",
    shape: Shape::Texts,
    default: None,
    doc: "The dialects it speaks, of those its kind can: the first is the one that other clients' calls are translated into. Without it, the kind's own.",
};
const BASE_URL: Key = Key {
    name: "base_url",
    shape: Shape::Url,
    default: None,
    doc: "Where it is: what that vendor's own SDK would take. Without it, the kind's own.",
};
const REGION: Key = Key {
    name: "region",
    shape: Shape::Text,
    default: None,
    doc: "Its region, for a kind whose address names one. Without it, AWS_REGION or AWS_DEFAULT_REGION.",
};
const HEADERS: Key = Key {
    name: "headers",
    shape: Shape::Headers,
    default: None,
    doc: "Header fields added to every request; values by reference, or as they are where the name does not speak of a secret.",
};
const TIMEOUTS: Key = Key {
    name: "timeouts",
    shape: Shape::Table(&timeouts::KEYS),
    default: None,
    doc: "How long it may take for each part of one attempt.",
};
const MODELS: Key = Key {
    name: "models",
    shape: Shape::Texts,
    default: Some("[]"),
    doc: "Models that clients may name without the provider, and that /v1/models lists.",
};
const PRICES: Key = Key {
    name: "prices",
    shape: Shape::Map(&price::KEYS),
    default: None,
    doc: "Prices of one's own, by model; \"*\" stands for every model without one.",
};
const MAX_CONNECTIONS: Key = Key {
    name: "max_connections",
    shape: Shape::Integer { min: 1, max: 100_000 },
    default: Some("4096"),
    doc: "The most connections open to it at once.",
};

/// The keys of `[providers.NAME]`.
pub(crate) const KEYS: Keys = Keys {
    doc: "An account at a model vendor, or a server of one's own.",
    known: &[
        KIND,
        DIALECTS,
        BASE_URL,
        REGION,
        api_key::KEY,
        google::PROJECT,
        google::LOCATION,
        google::CREDENTIALS_FILE,
        HEADERS,
        TIMEOUTS,
        MODELS,
        PRICES,
        MAX_CONNECTIONS,
    ],
    required: &["kind"],
    later: &["limits", "access_key_id", "secret_access_key", "session_token", "api_version"],
};

/// Reads `[providers]`.
pub(crate) fn read_all(
    node: &Node<'_>,
    resolver: &Resolver<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<Arc<str>, ProviderSettings> {
    let mut providers = BTreeMap::new();
    for (provider, span, node) in names(node, report) {
        let is_name = name::check("provider", provider, span.clone(), report);
        let path = format!("providers.{provider}");
        let Some(section) = Section::open(node, span, &path, &KEYS, report) else { continue };
        if let Some(settings) = read(provider, &section, resolver, report).filter(|_| is_name) {
            providers.insert(Arc::clone(&settings.name), settings);
        }
    }
    providers
}

fn read(
    provider: &str,
    section: &Section<'_, '_>,
    resolver: &Resolver<'_>,
    report: &mut Report<'_>,
) -> Option<ProviderSettings> {
    let kind = read_kind(provider, section, report);
    let faces = kind.map(|kind| read_faces(kind, section, report));
    let google = kind.and_then(|kind| google::read(kind, section, resolver, report));
    let base_url = read_base_url(kind, google.as_ref(), section, resolver.environment, report);
    let api_key = api_key::read(kind, section.node(&BASE_URL).is_some(), section, resolver, report);
    let has_key = section.node(&api_key::KEY).is_some() || api_key.is_some() || google.is_some();
    let headers = section.node(&HEADERS).map(|node| headers::read(node, has_key, resolver, report));
    let headers = headers.unwrap_or_default();
    let timeouts = read_timeouts(provider, section, report);
    let models = read_models(section, report);
    let prices = read_prices(provider, section, report);
    let max_connections =
        section.integer(&MAX_CONNECTIONS, report).and_then(|count| usize::try_from(count).ok());
    let kind = kind?;
    if let Some((span, _)) = section.entry(&BASE_URL)
        && base_url.as_deref().is_some_and(base_url::is_readable_on_the_way)
        && (api_key.is_some() || google.is_some() || !headers.is_empty())
    {
        report
            .warning(
                "insecure",
                span,
                format!("provider {} is sent its credential over plain http", quoted(provider)),
            )
            .hint("use https, or a network that nobody else is on");
    }
    Some(ProviderSettings {
        name: Arc::from(provider),
        kind,
        faces: faces.unwrap_or_default(),
        base_url,
        api_key,
        google,
        headers,
        timeouts,
        models,
        prices,
        max_connections: max_connections.unwrap_or(CONNECTIONS),
    })
}

fn read_kind(
    provider: &str,
    section: &Section<'_, '_>,
    report: &mut Report<'_>,
) -> Option<&'static ProviderKind> {
    let Some((name, span)) = section.text(&KIND, report) else {
        if section.node(&KIND).is_none() {
            let kind = if stepwell_catalog::provider_kind(provider).is_some() {
                provider
            } else {
                "openai-compatible"
            };
            report
                .error(
                    "missing_key",
                    section.span.clone(),
                    format!("provider {} has no `kind`", quoted(provider)),
                )
                .absent()
                .hint(format!("add kind = \"{kind}\""));
        }
        return None;
    };
    let Some(kind) = stepwell_catalog::provider_kind(name) else {
        unknown_kind(name, span, report);
        return None;
    };
    if provider == SIMULATOR && kind.name != SIMULATOR {
        report
            .error("bad_name", section.span.clone(), "the name `sim` is kept for the simulator")
            .hint("give this provider another name, or write kind = \"sim\"");
    }
    Some(kind)
}

fn read_faces(kind: &ProviderKind, section: &Section<'_, '_>, report: &mut Report<'_>) -> Vec<Face> {
    let mut faces: Vec<Face> = Vec::new();
    for (name, span) in section.texts(&DIALECTS, report) {
        let Some(face) = kind.all_faces().find(|face| face.dialect.as_str() == name) else {
            let known: Vec<_> = kind.all_faces().map(|face| face.dialect.as_str()).collect();
            report
                .error(
                    "bad_value",
                    span,
                    format!("kind \"{}\" does not speak the dialect {}", kind.name, quoted(name)),
                )
                .hint(if known.is_empty() {
                    "it only embeds: leave `dialects` out".to_owned()
                } else {
                    format!("it can speak {}", known.join(", "))
                });
            continue;
        };
        if faces.contains(&face) {
            report
                .warning("duplicate", span, format!("dialect {} is listed twice", quoted(name)))
                .hint("remove one");
        } else {
            faces.push(face);
        }
    }
    if faces.is_empty() { kind.faces.to_vec() } else { faces }
}

fn unknown_kind(name: &str, span: Range<usize>, report: &mut Report<'_>) {
    let known = || stepwell_catalog::provider_kinds().iter().map(|kind| kind.name);
    let hint = match nearest(name, known()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!(
            "one of {}; \"openai-compatible\" for anything else",
            known().collect::<Vec<_>>().join(", ")
        ),
    };
    report.error("unknown_kind", span, format!("no provider kind is called {}", quoted(name))).hint(hint);
}

fn read_base_url(
    kind: Option<&'static ProviderKind>,
    google: Option<&GoogleCloud>,
    section: &Section<'_, '_>,
    environment: &dyn Environment,
    report: &mut Report<'_>,
) -> Option<String> {
    let region = read_region(kind, section, report);
    if let Some(node) = section.node(&BASE_URL) {
        let text = text_of(node, BASE_URL.shape.noun(), report)?;
        return base_url::check(text, node.span(), report);
    }
    let kind = kind?;
    if kind.auth == Auth::GoogleCloud {
        return google.map(GoogleCloud::base_url);
    }
    if kind.base_url.is_none() && kind.name != SIMULATOR {
        report
            .error("missing_key", section.span.clone(), format!("kind \"{}\" needs a `base_url`", kind.name))
            .absent()
            .hint("add base_url = \"https://…\", what that vendor's own SDK would take");
    }
    let url = kind.base_url?.trim_end_matches('/');
    let in_region = usual_url(url, region.or_else(|| usual_region(environment)).as_deref());
    if in_region.is_none() && section.node(&REGION).is_none() {
        report
            .error("missing_key", section.span.clone(), format!("kind \"{}\" needs a `region`", kind.name))
            .absent()
            .hint("add region = \"us-east-1\", or set AWS_REGION");
    }
    in_region
}

/// What stands for the region in an address.
const IN_ADDRESS: &str = "{region}";

/// A kind's usual address. None where it names a region and there is none.
fn usual_url(url: &str, region: Option<&str>) -> Option<String> {
    if !url.contains(IN_ADDRESS) {
        return Some(url.to_owned());
    }
    region.map(|region| url.replace(IN_ADDRESS, region))
}

/// The region that AWS's own SDKs would take.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html>
fn usual_region(environment: &dyn Environment) -> Option<String> {
    let mut found =
        ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().filter_map(|variable| environment.var(variable));
    found.find(|region| is_region(region))
}

fn read_region(
    kind: Option<&'static ProviderKind>,
    section: &Section<'_, '_>,
    report: &mut Report<'_>,
) -> Option<String> {
    let (region, span) = section.text(&REGION, report)?;
    if !is_region(region) {
        report
            .error("bad_value", span, format!("{} is not a region", quoted(region)))
            .hint("lower-case letters, digits and hyphens, such as \"eu-central-1\"");
        return None;
    }
    let is_named = kind.is_none_or(|kind| kind.base_url.is_some_and(|url| url.contains(IN_ADDRESS)));
    if !is_named || section.node(&BASE_URL).is_some() {
        report
            .warning("unused", span, "the address of this provider does not depend on a region")
            .hint("remove `region`");
        return None;
    }
    Some(region.to_owned())
}

/// Whether a text can be part of a host's name.
fn is_region(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn read_timeouts(provider: &str, section: &Section<'_, '_>, report: &mut Report<'_>) -> Timeouts {
    let path = format!("providers.{provider}.timeouts");
    section
        .entry(&TIMEOUTS)
        .and_then(|(span, node)| Section::open(node, span, &path, &timeouts::KEYS, report))
        .map(|section| timeouts::read(&section, report))
        .unwrap_or_default()
}

fn read_models(section: &Section<'_, '_>, report: &mut Report<'_>) -> Vec<String> {
    let mut models: Vec<String> = Vec::new();
    for (model, span) in section.texts(&MODELS, report) {
        if !is_model(model) {
            report
                .error("bad_value", span, format!("{} is not the name of a model", quoted(model)))
                .hint("1 to 256 visible ASCII characters");
        } else if models.iter().any(|earlier| earlier == model) {
            report
                .warning("duplicate", span, format!("model {} is listed twice", quoted(model)))
                .hint("remove one");
        } else {
            models.push(model.to_owned());
        }
    }
    models
}

/// Whether `text` can be a model's name: it goes into response headers and records.
pub(crate) fn is_model(text: &str) -> bool {
    !text.is_empty() && text.len() <= 256 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn read_prices(
    provider: &str,
    section: &Section<'_, '_>,
    report: &mut Report<'_>,
) -> BTreeMap<String, OwnPrice> {
    let mut prices = BTreeMap::new();
    let Some(node) = section.node(&PRICES) else { return prices };
    for (model, span, node) in names(node, report) {
        let path = format!("providers.{provider}.prices.{model}");
        let Some(section) = Section::open(node, span, &path, &price::KEYS, report) else { continue };
        if let Some(price) = price::read(&section, report) {
            prices.insert(model.to_owned(), price);
        }
    }
    prices
}

/// Every provider whose usual key is in the environment, and the simulator: what there is without a `[providers]`.
pub(crate) fn detected(environment: &dyn Environment) -> BTreeMap<Arc<str>, ProviderSettings> {
    let mut providers = BTreeMap::new();
    for kind in stepwell_catalog::provider_kinds() {
        let api_key = kind.key_env.and_then(|variable| api_key::from_variable(variable, environment));
        let url = kind.base_url.map(|url| url.trim_end_matches('/'));
        let base_url = url.and_then(|url| usual_url(url, usual_region(environment).as_deref()));
        if (base_url.is_none() || api_key.is_none()) && kind.name != SIMULATOR {
            continue;
        }
        let name: Arc<str> = Arc::from(kind.name);
        let settings = ProviderSettings {
            name: Arc::clone(&name),
            kind,
            faces: kind.faces.to_vec(),
            base_url,
            api_key,
            google: None,
            headers: Vec::new(),
            timeouts: Timeouts::default(),
            models: Vec::new(),
            prices: BTreeMap::new(),
            max_connections: CONNECTIONS,
        };
        providers.insert(name, settings);
    }
    providers
}

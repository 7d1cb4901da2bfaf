//! What every source is read into: providers, routes over their models, and what did not fit.

use std::collections::BTreeMap;
use std::time::Duration;

use stepwell_catalog::Rate;
use stepwell_config::Secret;

use crate::fields::Field;
use crate::report::{Item, Report};
use crate::tree::Node;

/// What is read out of a source.
pub(crate) struct Draft {
    /// The providers, each account once.
    pub(crate) providers: Vec<Provider>,
    /// The routes, in the source's order.
    pub(crate) routes: Vec<Route>,
    /// Names that are reached without a route: providers and what is asked of them.
    pub(crate) direct: Vec<Target>,
    /// Routes that lack something only a person knows: written as comments.
    pub(crate) unfinished: Vec<Unfinished>,
    /// Whether logs are to be JSON.
    pub(crate) logs_json: bool,
    /// The largest request body, in mebibytes.
    pub(crate) body_limit_mib: Option<u64>,
    /// What came along and what did not.
    pub(crate) report: Report,
}

/// Where a credential comes from.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// There is none.
    None,
    /// The environment variable that the source names, or that its vendor's key usually is in.
    Variable(String),
    /// The source has it as it is, at this path. It is kept to tell accounts apart and never written.
    Literal(Secret, String),
}

/// The value of a header that every request to a provider carries.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Header {
    /// Text that is known to be no secret.
    Plain(String),
    /// Whatever may be a secret.
    Hidden(Credential),
}

/// An account at a vendor, or a server.
#[derive(Clone)]
pub(crate) struct Provider {
    /// What it is called unless another one is already.
    pub(crate) base_name: String,
    /// The name that clients of the source know it by, where they do: it comes first.
    pub(crate) wanted_name: Option<String>,
    /// The catalog's name of its kind.
    pub(crate) kind: &'static str,
    /// Its address, if it is not the kind's own.
    pub(crate) base_url: Option<String>,
    /// Whether the address stands for one that the source did not give.
    pub(crate) is_placeholder: bool,
    /// Its key.
    pub(crate) api_key: Credential,
    /// What every request to it carries besides.
    pub(crate) headers: BTreeMap<String, Header>,
    /// How long one attempt may take.
    pub(crate) timeout: Option<Duration>,
    /// Prices of one's own by model.
    pub(crate) prices: BTreeMap<String, Price>,
    /// Where in the source it comes from.
    pub(crate) from: String,
}

impl Provider {
    /// Whether `other` is the same account, asked in the same way.
    fn is_same(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.base_url == other.base_url
            && self.base_name == other.base_name
            && is_same_credential(&self.api_key, &other.api_key)
            && self.timeout == other.timeout
            && self.headers.len() == other.headers.len()
            && self.headers.iter().zip(&other.headers).all(|((name, value), (other_name, other_value))| {
                name == other_name
                    && match (value, other_value) {
                        (Header::Plain(value), Header::Plain(other)) => value == other,
                        (Header::Hidden(value), Header::Hidden(other)) => is_same_credential(value, other),
                        _ => false,
                    }
            })
    }
}

/// Whether two credentials are one, wherever they stand.
fn is_same_credential(one: &Credential, other: &Credential) -> bool {
    match (one, other) {
        (Credential::Literal(one, _), Credential::Literal(other, _)) => one == other,
        _ => one == other,
    }
}

/// What a model costs, in dollars per million tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Price {
    pub(crate) input: Rate,
    pub(crate) output: Rate,
    pub(crate) cache_read: Option<Rate>,
    pub(crate) cache_write: Option<Rate>,
}

/// A model of a provider of the draft.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Target {
    /// Its place in [`Draft::providers`].
    pub(crate) provider: usize,
    pub(crate) model: String,
}

/// A name that clients use, with its targets in order.
pub(crate) struct Route {
    /// The name as the source has it.
    pub(crate) name: String,
    pub(crate) targets: Vec<Target>,
    pub(crate) strict: bool,
    pub(crate) max_output_tokens: Option<u64>,
    /// Where in the source it comes from.
    pub(crate) from: String,
}

/// A route whose targets' models are not all known.
pub(crate) struct Unfinished {
    pub(crate) name: String,
    /// The providers in order, with the model of those that have one.
    pub(crate) targets: Vec<(usize, Option<String>)>,
    pub(crate) from: String,
}

impl Draft {
    pub(crate) fn new(source: &'static str) -> Self {
        Self {
            providers: Vec::new(),
            routes: Vec::new(),
            direct: Vec::new(),
            unfinished: Vec::new(),
            logs_json: false,
            body_limit_mib: None,
            report: Report::new(source),
        }
    }

    /// The place of the provider, which is new or was there before.
    pub(crate) fn provider(&mut self, provider: Provider) -> usize {
        let fits = |known: &Provider| {
            known.is_same(&provider)
                && (known.wanted_name.is_none()
                    || provider.wanted_name.is_none()
                    || known.wanted_name == provider.wanted_name)
        };
        if let Some(place) = self.providers.iter().position(fits) {
            if let Some(known) = self.providers.get_mut(place)
                && known.wanted_name.is_none()
            {
                known.wanted_name = provider.wanted_name;
            }
            return place;
        }
        self.providers.push(provider);
        self.providers.len() - 1
    }

    /// Says that a field did not come along.
    pub(crate) fn drop_field(&mut self, field: &Field<'_>, advice: impl Into<String>) {
        self.drop_at(&field.path, field.node, advice);
    }

    /// Says that what stands at `path` did not come along.
    pub(crate) fn drop_at(&mut self, path: &str, node: &Node, advice: impl Into<String>) {
        let item = Item { path: path.to_owned(), line: node.line, advice: advice.into() };
        self.report.not_carried.push(item);
    }

    /// Says that a field came along and behaves otherwise.
    pub(crate) fn change_field(&mut self, field: &Field<'_>, advice: impl Into<String>) {
        self.change_at(&field.path, field.node.line, advice);
    }

    /// Says that what stands at `path` came along and behaves otherwise.
    pub(crate) fn change_at(&mut self, path: &str, line: Option<usize>, advice: impl Into<String>) {
        self.report.changed.push(Item { path: path.to_owned(), line, advice: advice.into() });
    }
}

//! `api_key` of a provider: the reference, or the kind's usual environment variable.

use stepwell_catalog::ProviderKind;

use super::reference::Resolver;
use crate::environment::Environment;
use crate::key::{Key, Shape};
use crate::report::Report;
use crate::secret::Secret;
use crate::section::Section;

pub(crate) const KEY: Key = Key {
    name: "api_key",
    shape: Shape::Secret,
    default: None,
    doc: "Its key, by reference. Without it, the kind's usual environment variable.",
};
/// The key that is referred to; without a reference, the kind's usual variable. A provider at an address of its own
/// is never sent the usual key without being told to: it is the vendor's.
pub(crate) fn read(
    kind: Option<&'static ProviderKind>,
    own_address: bool,
    section: &Section<'_, '_>,
    resolver: &Resolver<'_>,
    report: &mut Report<'_>,
) -> Option<Secret> {
    if let Some(node) = section.node(&KEY) {
        return resolver.resolve(node, report);
    }
    let kind = kind?;
    let usual = kind.key_env.filter(|_| !own_address);
    let found = usual.and_then(|variable| from_variable(variable, resolver.environment));
    if found.is_none() && kind.key_required {
        let (message, hint) = match usual {
            Some(usual) => (
                format!("this provider has no key: {usual} is not set"),
                format!("set {usual}, or add api_key = \"env:NAME\" or \"file:PATH\""),
            ),
            None => (
                "this provider has no key".to_owned(),
                format!("add api_key = \"env:{}\" or \"file:PATH\"", kind.key_env.unwrap_or("NAME")),
            ),
        };
        report.error("missing_secret", section.span.clone(), message).absent().hint(hint);
    }
    found
}

/// The key in a kind's usual variable, if there is one that can be sent.
pub(crate) fn from_variable(variable: &str, environment: &dyn Environment) -> Option<Secret> {
    let value = environment.var(variable)?;
    let value = value.trim();
    (!value.is_empty() && http::HeaderValue::from_str(value).is_ok()).then(|| Secret::new(value))
}

//! Where a deployment's calls go and what they are paid by: `credential_list`, keys and addresses.

use std::cell::RefCell;
use std::collections::BTreeSet;

use stepwell_catalog::{ProviderKind, provider_kind};

use crate::advice;
use crate::draft::{Credential, Draft};
use crate::error::Error;
use crate::fields::{Field, Fields};
use crate::tree::Node;
use crate::url;
use crate::values::{self, Resolved, Values};
use crate::vendors::{Address, Vendor, base, placeholder};

/// What a deployment may take from a credential of the list.
const SHARED: &[&str] = &["api_key", "api_base", "api_version"];

/// `credential_list`: accounts that deployments name.
pub(super) struct Credentials<'n> {
    list: Vec<Shared<'n>>,
    used: RefCell<BTreeSet<String>>,
}

struct Shared<'n> {
    name: String,
    path: String,
    node: &'n Node,
    values: Vec<Field<'n>>,
}

/// Reads `credential_list`.
pub(super) fn credentials<'n>(fields: &mut Fields<'n>, draft: &mut Draft) -> Result<Credentials<'n>, Error> {
    let mut credentials = Credentials { list: Vec::new(), used: RefCell::default() };
    let Some(field) = fields.take("credential_list") else { return Ok(credentials) };
    for (index, node) in field.node.list().unwrap_or_default().iter().enumerate() {
        let path = format!("{}[{index}]", field.path);
        let mut entry = Fields::of(node, &path)
            .ok_or_else(|| Error::at(node.line, path.as_str(), "expected a mapping"))?;
        let name = entry.take("credential_name").and_then(|field| field.node.text());
        let Some(name) = name else {
            return Err(Error::at(node.line, path, "a credential needs a `credential_name`"));
        };
        let values = entry.take("credential_values");
        for field in entry.rest() {
            draft.drop_field(&field, advice::litellm(field.name));
        }
        let mut shared = Shared { name: name.to_owned(), path, node, values: Vec::new() };
        if let Some(mut given) = values.and_then(|field| Fields::of(field.node, &field.path)) {
            shared.values = SHARED.iter().filter_map(|name| given.take(name)).collect();
            for field in given.rest() {
                draft.drop_field(&field, advice::litellm(field.name));
            }
        }
        credentials.list.push(shared);
    }
    Ok(credentials)
}

impl<'n> Credentials<'n> {
    /// A value of the credential called `name`. None if it has none; an error if there is no such credential.
    pub(super) fn get(&self, name: &str, value: &str) -> Result<Option<Field<'n>>, &'static str> {
        let shared = self.list.iter().find(|shared| shared.name == name);
        let shared = shared.ok_or("no credential of the list has this name")?;
        self.used.borrow_mut().insert(name.to_owned());
        Ok(shared.values.iter().find(|field| field.name == value).cloned())
    }

    /// Names the credentials that no deployment took anything from.
    pub(super) fn report_unused(&self, draft: &mut Draft) {
        for shared in &self.list {
            if !self.used.borrow().contains(&shared.name) {
                draft.drop_at(&shared.path, shared.node, "no model that came along refers to it");
            }
        }
    }
}

/// Where a provider is.
pub(super) struct Place {
    /// Its base URL, if it is not the kind's own.
    pub(super) base_url: Option<String>,
    pub(super) is_placeholder: bool,
    /// Whether the source named it: a vendor's usual key is not for it.
    pub(super) is_given: bool,
}

/// The base URL of what `api_base` names. `model` is the field that is reported where there is no address at all.
pub(super) fn place(
    api_base: Option<&Field<'_>>,
    model: &Field<'_>,
    (vendor, kind): (&Vendor, &ProviderKind),
    (how, default): (Address, Option<&str>),
    values: &Values<'_>,
    draft: &mut Draft,
) -> Place {
    let given = match api_base {
        Some(field) => match values.resolve(field.node.text().unwrap_or_default()) {
            Resolved::Text(text) if url::is_base(&text) => Some(text),
            Resolved::Text(_) => {
                draft.drop_field(field, "this is no address (http or https, no user, query or fragment): put one in place of the base_url that ends in .invalid");
                let base_url = placeholder(vendor.name, how);
                return Place { base_url: Some(base_url), is_placeholder: true, is_given: true };
            }
            Resolved::Unset(name) => {
                draft.drop_field(field, format!("{name} is not set here: set it and import again, or put the address in place of the base_url that ends in .invalid"));
                return Place {
                    base_url: Some(placeholder(&name, how)),
                    is_placeholder: true,
                    is_given: true,
                };
            }
        },
        None => None,
    };
    if let Some(given) = given {
        let base_url = Some(base(&given, how, kind)).filter(|base_url| kind.base_url != Some(base_url));
        return Place { is_given: base_url.is_some(), base_url, is_placeholder: false };
    }
    match (default, kind.base_url) {
        (Some(default), _) => {
            Place { base_url: Some(default.to_owned()), is_placeholder: false, is_given: false }
        }
        (None, Some(_)) if how != Address::Azure => {
            Place { base_url: None, is_placeholder: false, is_given: false }
        }
        _ => missing(model, vendor, kind, how, values, draft),
    }
}

/// The place of a provider that has to have an address and was given none: LiteLLM looks into a variable.
fn missing(
    model: &Field<'_>,
    vendor: &Vendor,
    kind: &ProviderKind,
    how: Address,
    values: &Values<'_>,
    draft: &mut Draft,
) -> Place {
    let variable = vendor.key_env.map(|name| name.replace("_API_KEY", "_API_BASE"));
    let found = variable.as_ref().map(|name| values.resolve(&format!("os.environ/{name}")));
    if let Some(Resolved::Text(text)) = found
        && url::is_base(&text)
    {
        return Place { base_url: Some(base(&text, how, kind)), is_placeholder: false, is_given: false };
    }
    let advice = match &variable {
        Some(name) => format!(
            "it has no api_base, and {name} is not set here: put the address in place of the base_url that ends in .invalid"
        ),
        None => {
            "it has no api_base: put the address in place of the base_url that ends in .invalid".to_owned()
        }
    };
    draft.drop_field(model, advice);
    let name = variable.as_deref().unwrap_or(vendor.name);
    Place { base_url: Some(placeholder(name, how)), is_placeholder: true, is_given: false }
}

/// The kind of a provider at an address of the source's own that has no key there: any server of OpenAI's dialect, since
/// a vendor's own key is not sent elsewhere without being told to. With it, what is to be said about that.
pub(super) fn kind_without_key(
    has_key: bool,
    vendor: &Vendor,
    kind: &'static ProviderKind,
    is_given: bool,
) -> (&'static ProviderKind, Option<&'static str>) {
    let any = provider_kind("openai-compatible").filter(|any| {
        any.faces.first().map(|face| face.dialect) == kind.faces.first().map(|face| face.dialect)
    });
    let is_server = kind.key_env.is_none() && !kind.key_required && vendor.name != "compatible";
    match any {
        Some(any) if !has_key && is_given && vendor.name != "azure" && !is_server => (
            any,
            Some(
                "it has no api_key: LiteLLM would send its vendor's to this address, Stepwell sends none; add api_key if the server needs one",
            ),
        ),
        None if !has_key && is_given => (
            kind,
            Some(
                "it has no api_key: its vendor's is sent to this address, as by LiteLLM; name another variable if it has a key of its own",
            ),
        ),
        _ => (kind, None),
    }
}

/// The key of a provider: what the source names, else the variable that LiteLLM would look into.
pub(super) fn api_key(
    field: Option<&Field<'_>>,
    vendor: &Vendor,
    kind: &ProviderKind,
    is_given: bool,
) -> Credential {
    let written = field.and_then(|field| Some(values::credential(field.node.text()?, &field.path)));
    match written {
        None | Some(Credential::None) => {}
        Some(credential) => return credential,
    }
    let usual = vendor.key_env.or(kind.key_env);
    match usual {
        Some(usual) if kind.key_required || !is_given => Credential::Variable(usual.to_owned()),
        None if kind.key_required => {
            Credential::Variable(format!("{}_API_KEY", values::shouted(vendor.name)))
        }
        _ => Credential::None,
    }
}

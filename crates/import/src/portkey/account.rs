//! The account that a target is at: its address, its key, what its requests carry.

use std::collections::BTreeMap;

use stepwell_catalog::ProviderKind;

use super::target::Inherited;
use crate::draft::{Credential, Draft, Header, Provider};
use crate::fields::{Field, Fields};
use crate::report::Item;
use crate::url;
use crate::values;
use crate::vendors::{Address, Vendor, base, placeholder};

/// A vendor as the catalog has it.
pub(super) struct Account {
    pub(super) vendor: &'static Vendor,
    pub(super) kind: &'static ProviderKind,
    pub(super) how: Address,
    pub(super) default: Option<&'static str>,
}

/// Fields that become a header of every request.
const HEADERS: &[(&str, &str)] = &[
    ("openai_organization", "openai-organization"),
    ("openai_project", "openai-project"),
    ("anthropic_beta", "anthropic-beta"),
    ("anthropic_version", "anthropic-version"),
];

/// The provider of a target.
pub(super) fn provider(
    fields: &mut Fields<'_>,
    account: &Account,
    inherited: &Inherited,
    (virtual_key, path): (Option<&Field<'_>>, &str),
    draft: &mut Draft,
) -> Provider {
    let (vendor, kind) = (account.vendor, account.kind);
    let (base_url, is_placeholder) = address(fields, account, inherited, path, draft);
    let api_key = fields.take("api_key");
    let written = api_key.and_then(|field| Some(values::credential(field.node.text()?, &field.path)));
    let usual = || match vendor.key_env.or(kind.key_env) {
        Some(usual) if kind.key_required || base_url.is_none() || virtual_key.is_some() => {
            Credential::Variable(usual.to_owned())
        }
        None if kind.key_required || virtual_key.is_some() => {
            Credential::Variable(format!("{}_API_KEY", values::shouted(vendor.name)))
        }
        _ => Credential::None,
    };
    let credential = match written {
        Some(Credential::None) | None => usual(),
        Some(credential) => credential,
    };
    let mut headers: BTreeMap<String, Header> = BTreeMap::new();
    for (name, header) in HEADERS {
        if let Some(field) = fields.take(name) {
            match values::header(header, field.node.text().unwrap_or_default(), &field.path) {
                Ok((name, header)) => {
                    headers.insert(name, header);
                }
                Err(advice) => draft.drop_field(&field, advice),
            }
        }
    }
    Provider {
        base_name: vendor.name.to_owned(),
        wanted_name: None,
        kind: kind.name,
        base_url,
        is_placeholder,
        api_key: credential,
        headers,
        timeout: inherited.timeout,
        prices: BTreeMap::new(),
        from: path.to_owned(),
    }
}

/// The base URL, if it is not the kind's own, and whether it stands for one that is not known.
fn address(
    fields: &mut Fields<'_>,
    account: &Account,
    inherited: &Inherited,
    path: &str,
    draft: &mut Draft,
) -> (Option<String>, bool) {
    let (vendor, kind) = (account.vendor, account.kind);
    if account.how == Address::Azure {
        return azure(fields, inherited, path, draft);
    }
    if let Some((host, path)) = &inherited.custom_host {
        if url::is_base(host) {
            let base_url =
                Some(base(host, account.how, kind)).filter(|base_url| kind.base_url != Some(base_url));
            return (base_url, false);
        }
        let advice = "this is no address (http or https, no user, query or fragment): put one in place of the base_url that ends in .invalid";
        draft.report.not_carried.push(Item { path: path.clone(), line: None, advice: advice.to_owned() });
        return (Some(placeholder(vendor.name, account.how)), true);
    }
    match (account.default, kind.base_url) {
        (Some(default), _) => (Some(default.to_owned()), false),
        (None, Some(_)) => (None, false),
        (None, None) => {
            let advice =
                "its address is not in the file: put it in place of the base_url that ends in .invalid";
            draft.report.not_carried.push(Item {
                path: path.to_owned(),
                line: None,
                advice: advice.to_owned(),
            });
            (Some(placeholder(vendor.name, account.how)), true)
        }
    }
}

/// An Azure resource by its v1 API, where the deployment is the model.
fn azure(
    fields: &mut Fields<'_>,
    inherited: &Inherited,
    path: &str,
    draft: &mut Draft,
) -> (Option<String>, bool) {
    let advice = "Azure is called by its v1 API, which takes no API version; set prices of your own where a deployment is not named as its model is";
    match fields.take_any(&["api_version", "azure_api_version"]) {
        Some(version) => draft.change_field(&version, advice),
        None => draft.change_at(path, None, advice),
    }
    for name in ["deployment_id", "azure_deployment_name"] {
        if let Some(deployment) = fields.take(name)
            && inherited.model.as_deref() != deployment.node.text()
        {
            draft.drop_field(&deployment, "the deployment is the model here: write it as the target's model");
        }
    }
    let resource = fields.take("resource_name").and_then(|field| field.node.text().map(str::to_owned));
    let resource = resource.map(|name| format!("https://{name}.openai.azure.com/openai/v1"));
    let custom = inherited.custom_host.as_ref().map(|(host, _)| format!("{}/openai/v1", url::origin(host)));
    if let Some(base_url) = custom.or(resource).filter(|base_url| url::is_base(base_url)) {
        return (Some(base_url), false);
    }
    let advice = "the resource's name is not in the file: put its address in place of the base_url that ends in .invalid";
    draft.report.not_carried.push(Item { path: path.to_owned(), line: None, advice: advice.to_owned() });
    (Some(placeholder("azure", Address::Azure)), true)
}

//! Where a deployment's model is, and the account that it is called with.

use std::collections::BTreeMap;

use stepwell_catalog::ProviderKind;

use super::settings::seconds;
use super::{Source, account};
use crate::draft::{Draft, Header, Provider};
use crate::fields::{Field, Fields, step};
use crate::tree::Node;
use crate::url;
use crate::values;
use crate::vendors::{self, Vendor};

/// Where a deployment's model is.
pub(super) struct Reached {
    pub(super) vendor: &'static Vendor,
    pub(super) kind: &'static ProviderKind,
    how: vendors::Address,
    default: Option<&'static str>,
    pub(super) model: String,
}

/// The vendor of a model, and its own name of it.
pub(super) fn reach(
    written: &str,
    params: &mut Fields<'_>,
    source: &Source<'_, '_>,
) -> Result<Reached, String> {
    let custom = params.take("custom_llm_provider").and_then(|field| field.node.text());
    let has_address = params.has("api_base") || params.has("base_url");
    let (prefix, rest) = written.split_once('/').unwrap_or(("", written));
    let (vendor, model) = if let Some(custom) = custom {
        let model = written.strip_prefix(custom).and_then(|rest| rest.strip_prefix('/'));
        (vendors::of_litellm(custom), model.unwrap_or(written))
    } else if let Some(vendor) = vendors::of_litellm(prefix) {
        (Some(vendor), rest)
    } else if let Some(vendor) = vendors::of_model(written) {
        (Some(vendor), written)
    } else if has_address {
        (vendors::of_litellm("custom_openai"), written)
    } else {
        (None, written)
    };
    let Some(vendor) = vendor else {
        let advice = match written {
            "*" => {
                "it is every vendor at once: add a provider for each that is used, and send `provider/model`"
            }
            _ => {
                "nothing here knows its vendor: if it has an OpenAI-compatible endpoint, add a provider of kind = \"openai-compatible\""
            }
        };
        return Err(advice.to_owned());
    };
    let (mut kind, how, default) = vendor.found()?;
    if vendor.name == "azure-ai" && model.starts_with("claude") {
        return Err("Azure serves it by Anthropic's API: add a provider of kind = \"anthropic\" with the resource's address".to_owned());
    }
    let mut vendor = vendor;
    // LiteLLM's word for any server of OpenAI's dialect is `openai` with an address.
    if vendor.name == "openai" && has_address && !is_openais(params, source) {
        vendor = vendors::of_litellm("custom_openai").unwrap_or(vendor);
        kind = vendor.found()?.0;
    }
    let model = own_name(vendor, model);
    if !values::is_model(&model) {
        return Err("the name of its model is not 1 to 256 visible ASCII characters".to_owned());
    }
    Ok(Reached { vendor, kind, how, default, model })
}

/// Whether the address is one of OpenAI's own.
fn is_openais(params: &Fields<'_>, source: &Source<'_, '_>) -> bool {
    let address = params.peek("api_base").or_else(|| params.peek("base_url")).and_then(Node::text);
    let Some(values::Resolved::Text(address)) = address.map(|address| source.values.resolve(address)) else {
        return false;
    };
    let host = url::host(&address);
    host == "api.openai.com" || host.ends_with(".api.openai.com")
}

/// The vendor's own name of a model, where LiteLLM writes it otherwise.
fn own_name(vendor: &Vendor, model: &str) -> String {
    match vendor.name {
        "azure" => model.trim_start_matches("o_series/").trim_start_matches("gpt5_series/").to_owned(),
        // <https://docs.litellm.ai/docs/providers/huggingface>, <https://huggingface.co/docs/inference-providers/index>
        "huggingface" => match model.split('/').collect::<Vec<_>>().as_slice() {
            [provider, owner, name] => format!("{owner}/{name}:{provider}"),
            _ => model.to_owned(),
        },
        // <https://docs.litellm.ai/docs/providers/fireworks_ai>
        "fireworks" if !model.contains('*') && !model.starts_with("accounts/") => {
            format!("accounts/fireworks/models/{model}")
        }
        _ => model.to_owned(),
    }
}

/// The accounts that a deployment stands for: one, or one for each of its organizations.
pub(super) fn providers(
    group: &str,
    model: &Field<'_>,
    reached: &Reached,
    params: &mut Fields<'_>,
    source: &Source<'_, '_>,
    draft: &mut Draft,
) -> Vec<Provider> {
    let shared = params.take("litellm_credential_name");
    let from_shared = |name: &str, draft: &mut Draft| -> Option<Field<'_>> {
        let field = shared.as_ref()?;
        match source.credentials.get(field.node.text().unwrap_or_default(), name) {
            Ok(value) => value,
            Err(advice) => {
                if name == "api_key" {
                    draft.drop_field(field, advice);
                }
                None
            }
        }
    };
    let api_key = params.take("api_key").or_else(|| from_shared("api_key", draft));
    let api_base = params.take_any(&["api_base", "base_url"]).or_else(|| from_shared("api_base", draft));
    let api_version = params.take("api_version").or_else(|| from_shared("api_version", draft));
    let (vendor, kind) = (reached.vendor, reached.kind);
    let place = account::place(
        api_base.as_ref(),
        model,
        (vendor, kind),
        (reached.how, reached.default),
        &source.values,
        draft,
    );
    if vendor.name == "azure" {
        let field = api_version.as_ref().unwrap_or(model);
        draft.change_field(field, "Azure is called by its v1 API, which takes no API version; set prices of your own where a deployment is not named as its model is");
    } else if let Some(field) = &api_version {
        draft.drop_field(field, "only Azure has API versions");
    }
    let (kind, note) = account::kind_without_key(api_key.is_some(), vendor, kind, place.is_given);
    if let Some(note) = note {
        draft.change_field(model, note);
    }
    let credential = account::api_key(api_key.as_ref(), vendor, kind, place.is_given);
    let timeout = params.take("timeout").and_then(|field| seconds(&field, &source.values, draft));
    let mut headers = BTreeMap::new();
    for name in ["extra_headers", "headers"] {
        if let Some(field) = params.take(name) {
            read_headers(&field, &mut headers, draft);
        }
    }
    let provider = Provider {
        base_name: if vendor.litellm.contains(&"custom_openai") { "openai-compatible" } else { vendor.name }
            .to_owned(),
        wanted_name: wanted(group, &reached.model),
        kind: kind.name,
        base_url: place.base_url,
        is_placeholder: place.is_placeholder,
        api_key: credential,
        headers,
        timeout: timeout.or(source.timeout),
        prices: BTreeMap::new(),
        from: String::new(),
    };
    let organizations = read_organizations(params, kind, draft);
    if organizations.is_empty() {
        return vec![provider];
    }
    let with = |(name, header): (String, Header)| {
        let mut provider = provider.clone();
        provider.headers.insert(name, header);
        provider
    };
    organizations.into_iter().map(with).collect()
}

/// The name that the provider must have for clients to reach the model as they do: `openai/*`, `openai/gpt-4o`.
fn wanted(group: &str, model: &str) -> Option<String> {
    let (prefix, rest) = group.split_once('/')?;
    (rest == model && !prefix.is_empty()).then(|| prefix.to_owned())
}

fn read_headers(field: &Field<'_>, headers: &mut BTreeMap<String, Header>, draft: &mut Draft) {
    for (name, node) in field.node.map().unwrap_or_default() {
        let path = format!("{}.{}", field.path, step(name));
        match values::header(name, node.text().unwrap_or_default(), &path) {
            Ok((name, header)) if headers.len() < 30 => {
                headers.insert(name, header);
            }
            Ok(_) => draft.drop_at(&path, node, "a provider adds at most 32 headers"),
            Err(advice) => draft.drop_at(&path, node, advice),
        }
    }
    if field.node.map().is_none() {
        draft.drop_field(field, "expected a mapping of header names to values");
    }
}

/// The header of each organization that calls are to be billed to.
fn read_organizations(
    params: &mut Fields<'_>,
    kind: &ProviderKind,
    draft: &mut Draft,
) -> Vec<(String, Header)> {
    let Some(field) = params.take("organization") else { return Vec::new() };
    if kind.name != "openai" {
        draft.drop_field(&field, "only OpenAI has organizations");
        return Vec::new();
    }
    let single = std::slice::from_ref(field.node);
    let nodes = field.node.list().unwrap_or(single);
    let header = |(index, node): (usize, &Node)| {
        let path = format!("{}[{index}]", field.path);
        node.text().and_then(|text| values::header("openai-organization", text, &path).ok())
    };
    nodes.iter().take(32).enumerate().filter_map(header).collect()
}

//! One element of `model_list`: a name, and where calls under it go.

use std::collections::BTreeMap;

use stepwell_catalog::ProviderKind;

use super::settings::seconds;
use super::{Source, account, text};
use crate::advice;
use crate::decimal;
use crate::draft::{Draft, Header, Price, Provider, Target};
use crate::error::Error;
use crate::fields::{Field, Fields, step};
use crate::tree::Node;
use crate::url;
use crate::values;
use crate::vendors::{self, Vendor};

/// A target under the name that LiteLLM's clients use.
pub(super) struct Deployment {
    /// The name: `model_name`.
    pub(super) group: String,
    /// What a fallback may call this one deployment.
    pub(super) id: Option<Id>,
    /// Lower numbers are tried first.
    pub(super) order: i64,
    pub(super) target: Target,
    pub(super) max_output_tokens: Option<u64>,
    /// Whether parameters that the model lacks are refused.
    pub(super) strict: bool,
    /// Where it stands.
    pub(super) path: String,
    pub(super) line: Option<usize>,
}

/// A name of one deployment, and where it stands.
#[derive(Clone)]
pub(super) struct Id {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) line: Option<usize>,
}

/// Where a deployment's model is.
struct Reached {
    vendor: &'static Vendor,
    kind: &'static ProviderKind,
    how: vendors::Address,
    default: Option<&'static str>,
    model: String,
}

/// Reads one element: no deployment where it is not reached, several where it stands for several organizations.
pub(super) fn read(
    node: &Node,
    path: &str,
    source: &Source<'_, '_>,
    draft: &mut Draft,
) -> Result<Vec<Deployment>, Error> {
    let missing = |name: &str| Error::at(node.line, path, format!("a model needs a `{name}`"));
    let mut fields =
        Fields::of(node, path).ok_or_else(|| Error::at(node.line, path, "expected a mapping"))?;
    let name = fields.take("model_name").ok_or_else(|| missing("model_name"))?;
    let params = fields.take("litellm_params").ok_or_else(|| missing("litellm_params"))?;
    let mut params = Fields::of(params.node, &params.path)
        .ok_or_else(|| Error::at(params.node.line, params.path.as_str(), "expected a mapping"))?;
    let info = fields.take("model_info");
    let mut info = info.and_then(|field| Fields::of(field.node, &field.path));
    let model = params.take("model").ok_or_else(|| missing("litellm_params.model"))?;
    for field in fields.rest() {
        draft.drop_field(&field, advice::litellm(field.name));
    }
    let group = text(&name, &source.values, draft);
    let (Some(group), Some(written)) = (group, text(&model, &source.values, draft)) else {
        draft.drop_at(path, node, "without its name and its model it was left out, with all that it holds");
        return Ok(Vec::new());
    };
    let reached = match reach(&written, &mut params, source) {
        Ok(reached) => reached,
        Err(advice) => {
            draft.drop_at(path, node, format!("{}: {advice}", step(&group)));
            return Ok(Vec::new());
        }
    };
    let mut deployments = Vec::new();
    let ours = read_ours(&mut params, info.as_mut(), source, draft);
    for provider in read_providers(&group, &model, &reached, &mut params, source, draft) {
        let mut provider = Provider { from: format!("{path} ({})", step(&group)), ..provider };
        if let Some(price) = ours.price {
            provider.prices.insert(reached.model.clone(), price);
        }
        if reached.model.contains('*') {
            if ours.max_output_tokens.is_some() || ours.strict {
                draft.drop_field(&model, "a name with `*` has no route to hold max_tokens or drop_params: make routes for the models that need them");
            }
            wildcard(&group, &reached.model, provider, &model, draft);
            continue;
        }
        let place = draft.provider(provider);
        keep_price(place, &reached.model, ours.price, &model, draft);
        deployments.push(Deployment {
            group: group.clone(),
            id: ours.id.clone(),
            order: ours.order,
            target: Target { provider: place, model: reached.model.clone() },
            max_output_tokens: ours.max_output_tokens,
            strict: ours.strict,
            path: path.to_owned(),
            line: node.line,
        });
    }
    for field in params.rest().into_iter().chain(info.map(Fields::rest).unwrap_or_default()) {
        draft.drop_field(&field, advice::litellm(field.name));
    }
    Ok(deployments)
}

/// The vendor of a model, and its own name of it.
fn reach(written: &str, params: &mut Fields<'_>, source: &Source<'_, '_>) -> Result<Reached, String> {
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
        // <https://docs.litellm.ai/docs/providers/fireworks_ai>
        "fireworks" if !model.contains('*') && !model.starts_with("accounts/") => {
            format!("accounts/fireworks/models/{model}")
        }
        _ => model.to_owned(),
    }
}

/// What a deployment says that a route or a price can hold.
struct Ours {
    id: Option<Id>,
    order: i64,
    max_output_tokens: Option<u64>,
    strict: bool,
    price: Option<Price>,
}

fn read_ours(
    params: &mut Fields<'_>,
    mut info: Option<&mut Fields<'_>>,
    source: &Source<'_, '_>,
    draft: &mut Draft,
) -> Ours {
    let id = info.as_mut().and_then(|info| info.take("id"));
    let order = params.take("order");
    let order = order.and_then(|field| {
        let order = field.node.text().and_then(|text| text.parse::<i64>().ok());
        if order.is_none() {
            draft.drop_field(&field, "expected a whole number");
        }
        order
    });
    let limit = params.take_any(&["max_tokens", "max_completion_tokens"]);
    let max_output_tokens = limit.and_then(|field| {
        let text = text(&field, &source.values, draft)?;
        let limit = text.parse::<u64>().ok().filter(|limit| (1..=10_000_000).contains(limit));
        if limit.is_none() {
            draft.drop_field(&field, "expected a whole number from 1 to 10000000");
        }
        limit
    });
    let mut strict = false;
    if let Some(field) = params.take("drop_params") {
        match field.node.flag() {
            Some(flag) => strict = !flag,
            None => draft.drop_field(&field, "expected true or false"),
        }
    }
    let mode = info.as_mut().and_then(|info| info.take("mode"));
    if let Some(mode) =
        mode.filter(|mode| !matches!(mode.node.text(), Some("chat" | "completion" | "responses")))
    {
        draft.drop_field(&mode, "its route came along, and this version serves conversations only");
    }
    let price = read_price(params, info, draft);
    Ours {
        id: id.and_then(|field| {
            let name = field.node.text()?.to_owned();
            Some(Id { name, path: field.path, line: field.node.line })
        }),
        order: order.unwrap_or(i64::MAX),
        max_output_tokens,
        strict,
        price,
    }
}

/// Prices of the deployment's own, from its parameters or its information.
fn read_price(
    params: &mut Fields<'_>,
    mut info: Option<&mut Fields<'_>>,
    draft: &mut Draft,
) -> Option<Price> {
    let mut rate = |name: &str, draft: &mut Draft| {
        let of_info = info.as_mut().and_then(|info| info.take(name));
        let field = params.take(name).or(of_info)?;
        let rate = field.node.text().and_then(decimal::per_million);
        if rate.is_none() {
            draft.drop_field(
                &field,
                "expected US dollars per token, at most 1 and with at most 24 decimal places",
            );
        }
        rate.map(|rate| (field, rate))
    };
    let input = rate("input_cost_per_token", draft);
    let output = rate("output_cost_per_token", draft);
    let cache_read = rate("cache_read_input_token_cost", draft);
    let cache_write = rate("cache_creation_input_token_cost", draft);
    if let (Some((_, input)), Some((_, output))) = (&input, &output) {
        let cache_read = cache_read.map(|(_, rate)| rate);
        let cache_write = cache_write.map(|(_, rate)| rate);
        return Some(Price { input: *input, output: *output, cache_read, cache_write });
    }
    for (field, _) in [input, output, cache_read, cache_write].into_iter().flatten() {
        draft
            .drop_field(&field, "a price needs both input and output: add [providers.NAME.prices.\"MODEL\"]");
    }
    None
}

/// Puts the price into a provider that was there before, or says that it has another already.
fn keep_price(place: usize, model: &str, price: Option<Price>, field: &Field<'_>, draft: &mut Draft) {
    let (Some(price), Some(provider)) = (price, draft.providers.get_mut(place)) else { return };
    let known = *provider.prices.entry(model.to_owned()).or_insert(price);
    if known != price {
        draft.drop_field(field, "another deployment has the same model at the same account for another price: the first price stands");
    }
}

/// The accounts that a deployment stands for: one, or one for each of its organizations.
fn read_providers(
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
        draft.change_field(field, "Azure is called by its v1 API, which takes no API version, and priced as OpenAI: set prices of your own if yours differ");
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

/// A name with `*` in it is not a route: clients reach the provider's models as `provider/model`.
fn wildcard(group: &str, model: &str, provider: Provider, field: &Field<'_>, draft: &mut Draft) {
    let is_as_before = provider.wanted_name.is_some() && model == "*";
    let is_first = !draft
        .providers
        .iter()
        .any(|known| known.wanted_name.is_some() && known.wanted_name == provider.wanted_name);
    let provider = Provider { wanted_name: provider.wanted_name.filter(|_| is_as_before), ..provider };
    let place = draft.provider(provider);
    let target = Target { provider: place, model: "*".to_owned() };
    if !draft.direct.contains(&target) {
        draft.direct.push(target);
    }
    if !is_as_before {
        draft.change_field(field, format!("{} is not a name here: clients send `provider/model`, or a model's own name where exactly one provider has it", step(group)));
    } else if !is_first {
        draft.change_field(
            field,
            format!("{} is reached at the first of its accounts; write a route to use several", step(group)),
        );
    }
}

//! One element of `model_list`: a name, and where calls under it go.

use super::{Source, provider, text};
use crate::advice;
use crate::decimal;
use crate::draft::{Draft, Price, Provider, Target};
use crate::error::Error;
use crate::fields::{Field, Fields, step};
use crate::tree::Node;

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
    let reached = match provider::reach(&written, &mut params, source) {
        Ok(reached) => reached,
        Err(advice) => {
            draft.drop_at(path, node, format!("{}: {advice}", step(&group)));
            return Ok(Vec::new());
        }
    };
    let mut deployments = Vec::new();
    let ours = read_ours(&mut params, info.as_mut(), source, draft);
    for provider in provider::providers(&group, &model, &reached, &mut params, source, draft) {
        let provider = Provider { from: format!("{path} ({})", step(&group)), ..provider };
        if reached.model.contains('*') {
            if ours.max_output_tokens.is_some() || ours.strict {
                draft.drop_field(&model, "a name with `*` has no route to hold max_tokens or drop_params: make routes for the models that need them");
            }
            let place = wildcard(&group, &reached.model, provider, &model, draft);
            keep_price(place, &reached.model, ours.price, &model, draft);
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
    if model.contains('*') && model != "*" {
        draft.drop_field(
            field,
            "a price is of one model or, as \"*\", of all: add [providers.NAME.prices.\"MODEL\"]",
        );
        return;
    }
    let known = *provider.prices.entry(model.to_owned()).or_insert(price);
    if known != price {
        draft.drop_field(field, "another deployment has the same model at the same account for another price: the first price stands");
    }
}

/// A name with `*` in it is not a route: clients reach the provider's models as `provider/model`.
fn wildcard(group: &str, model: &str, provider: Provider, field: &Field<'_>, draft: &mut Draft) -> usize {
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
    place
}

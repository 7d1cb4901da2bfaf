//! One target of a config: the account it is at, the model it names, and what it has from above.

use std::time::Duration;

use super::account;
use crate::advice;
use crate::decimal;
use crate::draft::Draft;
use crate::fields::{Field, Fields};
use crate::values;
use crate::vendors::{self, Vendor};

/// The longest timeout that the config takes.
const LONGEST: Duration = Duration::from_hours(1);

/// A target at a provider of the draft.
#[derive(Clone)]
pub(super) struct Leaf {
    pub(super) provider: usize,
    /// The model it names, if it names one.
    pub(super) model: Option<String>,
    pub(super) path: String,
}

/// What targets have from what they stand in, `tryTargetsRecursively` in `src/handlers/handlerUtils.ts`.
#[derive(Clone, Default)]
pub(super) struct Inherited {
    pub(super) model: Option<String>,
    pub(super) timeout: Option<Duration>,
    /// Its address, and where it stands.
    pub(super) custom_host: Option<(String, String)>,
}

/// What a node gives to what stands in it, and to itself.
pub(super) fn inherited(fields: &mut Fields<'_>, above: &Inherited, draft: &mut Draft) -> Inherited {
    let mut inherited = above.clone();
    if let Some(field) = fields.take("override_params") {
        match Fields::of(field.node, &field.path) {
            Some(mut params) => {
                if let Some(model) = params.take("model") {
                    read_model(&model, &mut inherited, draft);
                }
                for field in params.rest() {
                    draft.drop_field(&field, advice::OVERRIDE);
                }
            }
            None => draft.drop_field(&field, "expected an object"),
        }
    }
    if let Some(field) = fields.take("request_timeout") {
        match field.node.text().and_then(decimal::milliseconds) {
            Some(timeout) => {
                if timeout > LONGEST {
                    draft.change_field(&field, "an hour is the longest that an attempt may take");
                }
                inherited.timeout = Some(timeout.min(LONGEST));
            }
            None => draft.drop_field(&field, "expected a number of milliseconds above 0"),
        }
    }
    if let Some(field) = fields.take("custom_host") {
        match field.node.text() {
            Some(host) => inherited.custom_host = Some((host.to_owned(), field.path)),
            None => draft.drop_field(&field, "expected text"),
        }
    }
    inherited
}

fn read_model(field: &Field<'_>, inherited: &mut Inherited, draft: &mut Draft) {
    match field.node.text().filter(|model| values::is_model(model)) {
        Some(model) => inherited.model = Some(model.to_owned()),
        None => draft.drop_field(field, "expected the name of a model, 1 to 256 visible ASCII characters"),
    }
}

/// The target that `fields` say, if its vendor is reached. What is not taken is left for whoever asked.
pub(super) fn leaf(
    fields: &mut Fields<'_>,
    path: &str,
    inherited: &Inherited,
    draft: &mut Draft,
) -> Option<Leaf> {
    let provider = fields.take("provider");
    let virtual_key = fields.take("virtual_key");
    fields.take("name");
    let shown = if path.is_empty() { "the config" } else { path };
    // `@slug/model` names an account in Portkey's catalog together with the model.
    let (slug, model) = match inherited.model.as_deref().and_then(|model| model.strip_prefix('@')) {
        Some(both) => match both.split_once('/') {
            Some((slug, model)) => (Some(slug.to_owned()), Some(model.to_owned())),
            None => (Some(both.to_owned()), None),
        },
        None => (None, inherited.model.clone()),
    };
    let found = vendor(provider.as_ref(), virtual_key.as_ref(), slug.as_deref(), path, draft);
    let vendor = found?;
    let (kind, how, default) = match vendor.found() {
        Ok(found) => found,
        Err(advice) => {
            let field = provider.as_ref().or(virtual_key.as_ref());
            let line = field.and_then(|field| field.node.line);
            let item = crate::report::Item { path: shown.to_owned(), line, advice: advice.to_owned() };
            draft.report.not_carried.push(item);
            return None;
        }
    };
    let account = account::Account { vendor, kind, how, default };
    let provider = account::provider(fields, &account, inherited, (virtual_key.as_ref(), shown), draft);
    let place = draft.provider(provider);
    Some(Leaf { provider: place, model: model.filter(|model| !model.is_empty()), path: shown.to_owned() })
}

/// Whose account it is: as it says, or as the name of the account in Portkey's vault lets one guess.
fn vendor(
    provider: Option<&Field<'_>>,
    virtual_key: Option<&Field<'_>>,
    slug: Option<&str>,
    path: &str,
    draft: &mut Draft,
) -> Option<&'static Vendor> {
    let written = provider.and_then(|field| field.node.text());
    let advice = "Portkey keeps what this stands for: add a provider of its kind, with its key in a variable";
    match (provider, written) {
        (Some(field), Some(name)) if !name.starts_with('@') => {
            let vendor = vendors::of_portkey(name);
            if vendor.is_none() {
                draft.drop_field(field, "nothing here knows this vendor: if it has an OpenAI-compatible endpoint, add a provider of kind = \"openai-compatible\"");
            }
            return vendor;
        }
        (Some(field), None) => {
            draft.drop_field(field, "expected text");
            return None;
        }
        _ => {}
    }
    let named = provider.or(virtual_key);
    let name = written
        .map(|name| name.trim_start_matches('@'))
        .or_else(|| virtual_key.and_then(|field| field.node.text()))
        .or(slug);
    let name = name?;
    let vendor = vendors::guessed(name);
    match (vendor, named) {
        (Some(vendor), Some(field)) => draft.change_field(field, format!("Portkey keeps what this stands for: by its name it is `{}`'s; set the key's variable, and the kind if that is wrong", vendor.name)),
        (None, Some(field)) => draft.drop_field(field, advice),
        (Some(vendor), None) => draft.change_at(path, None, format!("Portkey keeps what the model's `@` name stands for: by its name it is `{}`'s", vendor.name)),
        (None, None) => {
            let item = crate::report::Item { path: path.to_owned(), line: None, advice: advice.to_owned() };
            draft.report.not_carried.push(item);
        }
    }
    vendor
}

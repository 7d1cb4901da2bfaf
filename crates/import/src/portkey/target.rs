//! One target of a config: the account it is at, the model it names, and what it has from above.

use std::time::Duration;

use super::account;
use crate::advice;
use crate::decimal;
use crate::draft::Draft;
use crate::fields::{Field, Fields};
use crate::report::Item;
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

/// What a node without targets of its own is.
pub(super) enum Read {
    /// A target.
    Target(Leaf),
    /// A target that is not reached, which is reported of the whole of it.
    LeftOut,
    /// It names no provider.
    Nothing,
}

/// The target that `fields` say. What is not taken is left for whoever asked.
pub(super) fn leaf(fields: &mut Fields<'_>, path: &str, inherited: &Inherited, draft: &mut Draft) -> Read {
    let provider = fields.take("provider");
    let virtual_key = fields.take("virtual_key");
    let shown = if path.is_empty() { "the config" } else { path };
    // `@slug/model` names an account in Portkey's catalog together with the model.
    let (slug, model) = match inherited.model.as_deref().and_then(|model| model.strip_prefix('@')) {
        Some(both) => match both.split_once('/') {
            Some((slug, model)) => (Some(slug), Some(model.to_owned())),
            None => (Some(both), None),
        },
        None => (None, inherited.model.clone()),
    };
    let leave_out = |advice: &str, draft: &mut Draft| {
        let item = Item { path: shown.to_owned(), line: None, advice: advice.to_owned() };
        draft.report.not_carried.push(item);
    };
    let vendor = match vendor(provider.as_ref(), virtual_key.as_ref(), slug) {
        Whose::Said(vendor) => {
            if let Some(field) = &virtual_key {
                draft.change_field(
                    field,
                    "Portkey keeps the key that this stands for: put the vendor's own into the variable",
                );
            }
            vendor
        }
        Whose::Guessed(vendor) => {
            let path = provider.as_ref().or(virtual_key.as_ref()).map_or(shown, |field| &field.path);
            let advice = format!(
                "Portkey keeps what this stands for: by its name it is `{}`'s; put its key into the variable, and mend the kind if that is wrong",
                vendor.name
            );
            draft.change_at(path, None, advice);
            vendor
        }
        Whose::Unknown(advice) => {
            leave_out(advice, draft);
            return Read::LeftOut;
        }
        Whose::Nobody => {
            leave_out(
                "it names no provider: Portkey's clients send one with each call, Stepwell's send `provider/model`",
                draft,
            );
            return Read::Nothing;
        }
    };
    let (kind, how, default) = match vendor.found() {
        Ok(found) => found,
        Err(advice) => {
            leave_out(advice, draft);
            return Read::LeftOut;
        }
    };
    let account = account::Account { vendor, kind, how, default };
    let provider = account::provider(fields, &account, inherited, (virtual_key.as_ref(), shown), draft);
    let place = draft.provider(provider);
    let model = model.filter(|model| !model.is_empty());
    Read::Target(Leaf { provider: place, model, path: shown.to_owned() })
}

/// Whose account a target is at.
enum Whose {
    /// It says so.
    Said(&'static Vendor),
    /// It names an account in Portkey's vault, whose name lets one guess.
    Guessed(&'static Vendor),
    /// It says something that nothing here knows.
    Unknown(&'static str),
    /// It says nothing.
    Nobody,
}

fn vendor(provider: Option<&Field<'_>>, virtual_key: Option<&Field<'_>>, slug: Option<&str>) -> Whose {
    let written = provider.map(|field| field.node.text().unwrap_or_default());
    let name = match written {
        Some(name) => match name.strip_prefix('@') {
            Some(slug) => slug,
            None => {
                return vendors::of_portkey(name).map_or(
                    Whose::Unknown("nothing here knows its vendor: if it has an OpenAI-compatible endpoint, add a provider of kind = \"openai-compatible\""),
                    Whose::Said,
                );
            }
        },
        None => match virtual_key.map(|field| field.node.text().unwrap_or_default()).or(slug) {
            Some(name) => name,
            None => return Whose::Nobody,
        },
    };
    vendors::guessed(name).map_or(
        Whose::Unknown("Portkey keeps what it stands for, and its name does not tell: add a provider of its kind, with its key in a variable"),
        Whose::Guessed,
    )
}

//! LiteLLM's proxy configuration to a draft.
//!
//! The format: <https://docs.litellm.ai/docs/proxy/configs>, <https://docs.litellm.ai/docs/proxy/config_settings>, and the
//! types in `litellm/types/router.py` of <https://github.com/BerriAI/litellm>.

mod account;
mod deployment;
mod groups;
mod include;
mod provider;
mod settings;

use std::collections::BTreeMap;

use stepwell_config::Environment;

use crate::advice;
use crate::draft::Draft;
use crate::error::Error;
use crate::fields::{Field, Fields, step};
use crate::tree::Node;
use crate::values::{Resolved, Values};

pub(crate) use include::include;

/// What a report calls the source.
const SOURCE: &str = "LiteLLM";

/// Reads the whole configuration.
pub(crate) fn read(root: &Node, environment: &dyn Environment) -> Result<Draft, Error> {
    let what = "a configuration of LiteLLM's proxy is a mapping with a `model_list`";
    let mut fields = Fields::of(root, "").ok_or_else(|| Error::at(root.line, "", what))?;
    let models = fields.take("model_list").ok_or_else(|| Error::at(root.line, "model_list", what))?;
    let list = models
        .node
        .list()
        .ok_or_else(|| Error::at(models.node.line, "model_list", "expected a list of models"))?;
    let mut draft = Draft::new(SOURCE);
    let values = Values::new(environment, own_variables(&mut fields, &mut draft));
    let settings = settings::read(&mut fields, &values, &mut draft)?;
    let credentials = account::credentials(&mut fields, &mut draft)?;
    let source = Source { values, credentials, timeout: settings.timeout };
    let mut deployments = Vec::new();
    for (index, node) in list.iter().enumerate() {
        deployments.extend(deployment::read(node, &format!("model_list[{index}]"), &source, &mut draft)?);
    }
    source.credentials.report_unused(&mut draft);
    groups::routes(deployments, &settings, &mut draft);
    for field in fields.rest() {
        draft.drop_field(&field, advice::litellm(field.name));
    }
    Ok(draft)
}

/// What every deployment is read with.
struct Source<'n, 'e> {
    values: Values<'e>,
    credentials: account::Credentials<'n>,
    /// How long an attempt may take that says nothing of its own.
    timeout: Option<std::time::Duration>,
}

/// `environment_variables`: what LiteLLM puts into its own environment.
fn own_variables(fields: &mut Fields<'_>, draft: &mut Draft) -> BTreeMap<String, String> {
    let mut own = BTreeMap::new();
    let Some(field) = fields.take("environment_variables") else { return own };
    for (name, node) in field.node.map().unwrap_or_default() {
        draft.drop_at(
            &format!("{}.{}", field.path, step(name)),
            node,
            "set it for the process that runs stepwell, where the new file refers to it",
        );
        if let Some(text) = node.text() {
            own.insert(name.clone(), text.to_owned());
        }
    }
    own
}

/// The text of a field that is no secret; none if it is not text or refers to a variable that is not set, which is
/// reported.
fn text(field: &Field<'_>, values: &Values<'_>, draft: &mut Draft) -> Option<String> {
    let Some(text) = field.node.text() else {
        draft.drop_field(field, "expected text");
        return None;
    };
    match values.resolve(text) {
        Resolved::Text(text) => Some(text),
        Resolved::Unset(name) => {
            draft.drop_field(
                field,
                format!("{name} is not set here: set it and import again, or write the value by hand"),
            );
            None
        }
    }
}

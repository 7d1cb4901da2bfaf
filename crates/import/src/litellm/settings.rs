//! `router_settings`, `litellm_settings` and `general_settings`.

use std::time::Duration;

use super::text;
use crate::advice;
use crate::decimal;
use crate::draft::Draft;
use crate::error::Error;
use crate::fields::{Field, Fields, step};
use crate::tree::Node;
use crate::values::Values;

/// The longest timeout that the config takes.
const LONGEST: Duration = Duration::from_hours(1);

/// The largest request body that the config takes, in mebibytes.
const LARGEST_BODY: u64 = 953;

/// A name that stands for another.
pub(super) struct Alias {
    pub(super) name: String,
    pub(super) group: String,
    pub(super) path: String,
    pub(super) line: Option<usize>,
}

/// Models to try when a group's own have failed.
pub(super) struct Fallback {
    /// The group; `*` for all without their own.
    pub(super) group: String,
    /// A name, where it stands, and its line.
    pub(super) names: Vec<(String, String, Option<usize>)>,
}

/// What the sections say that holds for many models.
#[derive(Default)]
pub(super) struct Settings {
    /// How long an attempt may take.
    pub(super) timeout: Option<Duration>,
    /// Whether parameters that a model lacks are refused.
    pub(super) strict: bool,
    pub(super) aliases: Vec<Alias>,
    pub(super) fallbacks: Vec<Fallback>,
}

/// Reads the sections.
pub(super) fn read(
    fields: &mut Fields<'_>,
    values: &Values<'_>,
    draft: &mut Draft,
) -> Result<Settings, Error> {
    let mut settings = Settings::default();
    // What stands in router_settings comes before the same in litellm_settings.
    for name in ["router_settings", "litellm_settings", "general_settings"] {
        let Some(section) = fields.take(name) else { continue };
        let mut section = Fields::of(section.node, &section.path)
            .ok_or_else(|| Error::at(section.node.line, name, "expected a mapping"))?;
        match name {
            "router_settings" => read_router(&mut section, values, &mut settings, draft),
            "litellm_settings" => read_module(&mut section, values, &mut settings, draft),
            _ => read_general(&mut section, values, draft),
        }
        if name != "general_settings" {
            read_fallbacks(&mut section, &mut settings, draft);
        }
        for field in section.rest() {
            draft.drop_field(&field, advice::litellm(field.name));
        }
    }
    Ok(settings)
}

fn read_router(section: &mut Fields<'_>, values: &Values<'_>, settings: &mut Settings, draft: &mut Draft) {
    if let Some(field) = section.take("timeout") {
        settings.timeout = seconds(&field, values, draft);
    }
    if let Some(field) = section.take("model_group_alias") {
        read_aliases(&field, settings, draft);
    }
    if let Some(field) = section.take("routing_strategy") {
        draft
            .drop_field(&field, "targets are tried in their order; other strategies are not in this version");
    }
}

fn read_module(section: &mut Fields<'_>, values: &Values<'_>, settings: &mut Settings, draft: &mut Draft) {
    if let Some(field) = section.take("request_timeout") {
        let timeout = seconds(&field, values, draft);
        if settings.timeout.is_some() {
            draft.drop_field(&field, "router_settings.timeout came along, which LiteLLM puts first");
        } else {
            settings.timeout = timeout;
        }
    }
    if let Some(field) = section.take("drop_params") {
        match field.node.flag() {
            // To drop them and name them in x-stepwell-losses is what a route does.
            Some(true) => {}
            Some(false) => settings.strict = true,
            None => draft.drop_field(&field, "expected true or false"),
        }
    }
    if let Some(field) = section.take("json_logs") {
        match field.node.flag() {
            Some(flag) => draft.logs_json = flag,
            None => draft.drop_field(&field, "expected true or false"),
        }
    }
}

fn read_general(section: &mut Fields<'_>, values: &Values<'_>, draft: &mut Draft) {
    let Some(field) = section.take("max_request_size_mb") else { return };
    let Some(text) = text(&field, values, draft) else { return };
    match text.parse::<u64>() {
        Ok(size) if (1..=LARGEST_BODY).contains(&size) => draft.body_limit_mib = Some(size),
        _ => draft.drop_field(&field, "set server.body_limit, from 1KB to 1GB"),
    }
}

/// A time in seconds, at most what the config takes.
pub(super) fn seconds(field: &Field<'_>, values: &Values<'_>, draft: &mut Draft) -> Option<Duration> {
    let text = text(field, values, draft)?;
    let Some(timeout) = decimal::seconds(&text) else {
        draft.drop_field(field, "expected a number of seconds above 0");
        return None;
    };
    if timeout > LONGEST {
        draft.change_field(field, "an hour is the longest that an attempt may take");
    }
    Some(timeout.min(LONGEST))
}

fn read_aliases(field: &Field<'_>, settings: &mut Settings, draft: &mut Draft) {
    let Some(entries) = field.node.map() else {
        draft.drop_field(field, "expected a mapping of names to names");
        return;
    };
    for (name, node) in entries {
        let path = format!("{}.{}", field.path, step(name));
        let (group, rest) = match Fields::of(node, &path) {
            Some(mut alias) => {
                let group = alias.take("model").and_then(|field| field.node.text().map(str::to_owned));
                (group, alias.rest())
            }
            None => (node.text().map(str::to_owned), Vec::new()),
        };
        for field in rest {
            draft.drop_field(&field, "every route is listed by /v1/models");
        }
        match group {
            Some(group) => {
                settings.aliases.push(Alias { name: name.clone(), group, path, line: node.line });
            }
            None => draft.drop_at(&path, node, "expected the name of a model"),
        }
    }
}

fn read_fallbacks(section: &mut Fields<'_>, settings: &mut Settings, draft: &mut Draft) {
    if let Some(field) = section.take("fallbacks") {
        for (index, node) in field.node.list().unwrap_or_default().iter().enumerate() {
            let path = format!("{}[{index}]", field.path);
            let Some(entries) = node.map() else {
                draft.drop_at(&path, node, "expected a model and a list of those to try after it");
                continue;
            };
            for (group, node) in entries {
                add_fallback(group, node, &format!("{path}.{}", step(group)), settings, draft);
            }
        }
        if field.node.list().is_none() {
            draft.drop_field(&field, "expected a list");
        }
    }
    if let Some(field) = section.take("default_fallbacks") {
        add_fallback("*", field.node, &field.path, settings, draft);
    }
}

fn add_fallback(group: &str, node: &Node, path: &str, settings: &mut Settings, draft: &mut Draft) {
    if settings.fallbacks.iter().any(|known| known.group == group) {
        draft.drop_at(
            path,
            node,
            "another list of fallbacks for the same name came along, which LiteLLM puts first",
        );
        return;
    }
    let mut names = Vec::new();
    let single = std::slice::from_ref(node);
    for (index, node) in node.list().unwrap_or(single).iter().enumerate() {
        let path = format!("{path}[{index}]");
        match node.text() {
            Some(name) => names.push((name.to_owned(), path, node.line)),
            None => draft.drop_at(
                &path,
                node,
                "a fallback is a name here: parameters of its own are sent by the product",
            ),
        }
    }
    settings.fallbacks.push(Fallback { group: group.to_owned(), names });
}

//! Deployments of one name to a route, with the fallbacks behind them; other names for it.

use std::collections::{BTreeMap, BTreeSet};

use super::deployment::Deployment;
use super::settings::Settings;
use crate::draft::{Draft, Route, Target};
use crate::fields::step;
use crate::report::Item;

/// How many groups LiteLLM falls back through: `max_fallbacks`.
const DEEPEST: usize = 5;

/// The most targets that are gathered for one route: the config takes fewer.
const MOST: usize = 64;

/// The deployments of every name, in the order of their first.
struct Groups {
    names: Vec<String>,
    members: BTreeMap<String, Vec<Deployment>>,
    by_id: BTreeMap<String, Target>,
}

/// Makes the routes.
pub(super) fn routes(deployments: Vec<Deployment>, settings: &Settings, draft: &mut Draft) {
    report_idle_ids(&deployments, settings, draft);
    let groups = group(deployments);
    report_missing(&groups, settings, draft);
    for name in &groups.names {
        if let Some(route) = route(name, name, &groups, settings, draft) {
            draft.routes.push(route);
        }
    }
    for alias in &settings.aliases {
        if groups.members.contains_key(&alias.name) {
            draft.change_at(
                &alias.path,
                alias.line,
                "a model of the list has the same name, and its route stands",
            );
            continue;
        }
        match route(&alias.name, &alias.group, &groups, settings, draft) {
            Some(route) => draft.routes.push(Route {
                from: format!("{} (an alias of {})", alias.path, step(&alias.group)),
                ..route
            }),
            None => draft.report.not_carried.push(Item {
                path: alias.path.clone(),
                line: alias.line,
                advice: "no model that came along has the name it stands for".to_owned(),
            }),
        }
    }
}

/// Names the ids that no fallback refers to: they came along as nothing.
fn report_idle_ids(deployments: &[Deployment], settings: &Settings, draft: &mut Draft) {
    let named: BTreeSet<&str> = settings
        .fallbacks
        .iter()
        .flat_map(|fallback| &fallback.names)
        .map(|(name, _, _)| name.as_str())
        .collect();
    for id in deployments.iter().filter_map(|deployment| deployment.id.as_ref()) {
        if !named.contains(id.name.as_str()) {
            let advice = "it names the deployment to LiteLLM alone: a target is named `provider/model` here";
            draft.report.not_carried.push(Item {
                path: id.path.clone(),
                line: id.line,
                advice: advice.to_owned(),
            });
        }
    }
}

fn group(deployments: Vec<Deployment>) -> Groups {
    let mut groups = Groups { names: Vec::new(), members: BTreeMap::new(), by_id: BTreeMap::new() };
    for deployment in deployments {
        if let Some(id) = &deployment.id {
            groups.by_id.insert(id.name.clone(), deployment.target.clone());
        }
        if !groups.members.contains_key(&deployment.group) {
            groups.names.push(deployment.group.clone());
        }
        groups.members.entry(deployment.group.clone()).or_default().push(deployment);
    }
    for members in groups.members.values_mut() {
        members.sort_by_key(|deployment| deployment.order);
    }
    groups
}

/// Names fallbacks that lead nowhere, once each.
fn report_missing(groups: &Groups, settings: &Settings, draft: &mut Draft) {
    let is_known = |name: &str| {
        groups.members.contains_key(name)
            || groups.by_id.contains_key(name)
            || settings
                .aliases
                .iter()
                .any(|alias| alias.name == name && groups.members.contains_key(&alias.group))
    };
    for fallback in &settings.fallbacks {
        let is_group_known = fallback.group == "*" || is_known(&fallback.group);
        for (name, path, line) in &fallback.names {
            let advice = match (is_group_known, is_known(name)) {
                (true, true) => continue,
                (false, _) => "no model that came along has the name these are fallbacks of",
                (true, false) => "no model that came along has this name",
            };
            draft.report.not_carried.push(Item {
                path: path.clone(),
                line: *line,
                advice: advice.to_owned(),
            });
        }
    }
}

/// The route `name` over the deployments of `group` and what follows them.
fn route(name: &str, group: &str, groups: &Groups, settings: &Settings, draft: &mut Draft) -> Option<Route> {
    let members = groups.members.get(group)?;
    let first = members.first()?;
    let mut targets: Vec<Target> = Vec::new();
    for deployment in members {
        add(&mut targets, &deployment.target);
    }
    if name == group {
        report_spread(name, members, draft);
    }
    let mut seen = BTreeSet::from([group.to_owned(), name.to_owned()]);
    let has_own = settings.fallbacks.iter().any(|fallback| fallback.group == name);
    follow(if has_own { name } else { group }, groups, settings, &mut seen, &mut targets, DEEPEST);
    let limits: BTreeSet<Option<u64>> =
        members.iter().map(|deployment| deployment.max_output_tokens).collect();
    let max_output_tokens = if limits.len() == 1 { first.max_output_tokens } else { None };
    if limits.len() > 1 && name == group {
        draft.report.not_carried.push(Item {
            path: format!("{}.litellm_params.max_tokens", first.path),
            line: first.line,
            advice: format!(
                "the deployments of {} have different limits, a route has one: set max_output_tokens",
                step(name)
            ),
        });
    }
    Some(Route {
        name: name.to_owned(),
        targets,
        strict: settings.strict || members.iter().any(|deployment| deployment.strict),
        max_output_tokens,
        from: members
            .iter()
            .map(|deployment| deployment.path.as_str())
            .take(8)
            .collect::<Vec<_>>()
            .join(", "),
    })
}

fn add(targets: &mut Vec<Target>, target: &Target) {
    if targets.len() < MOST && !targets.contains(target) {
        targets.push(target.clone());
    }
}

/// Says that calls were spread and no longer are.
fn report_spread(name: &str, members: &[Deployment], draft: &mut Draft) {
    let Some(first) = members.first() else { return };
    let equals = members.iter().filter(|deployment| deployment.order == first.order).count();
    if equals > 1 {
        let advice = format!(
            "LiteLLM spreads calls for {} over {equals} deployments; here the first takes them, and the next ones when it fails",
            step(name)
        );
        draft.change_at(&first.path, first.line, advice);
    }
}

/// Adds the targets of a group's fallbacks, each followed by its own.
fn follow(
    group: &str,
    groups: &Groups,
    settings: &Settings,
    seen: &mut BTreeSet<String>,
    targets: &mut Vec<Target>,
    depth: usize,
) {
    let own = settings.fallbacks.iter().find(|fallback| fallback.group == group);
    let Some(fallback) = own.or_else(|| settings.fallbacks.iter().find(|fallback| fallback.group == "*"))
    else {
        return;
    };
    for (name, _, _) in &fallback.names {
        if targets.len() >= MOST || !seen.insert(name.clone()) {
            continue;
        }
        let alias = settings.aliases.iter().find(|alias| alias.name == *name);
        let named = alias.map_or(name, |alias| &alias.group);
        if let Some(members) = groups.members.get(named) {
            for deployment in members {
                add(targets, &deployment.target);
            }
            if depth > 1 {
                follow(named, groups, settings, seen, targets, depth - 1);
            }
        } else if let Some(target) = groups.by_id.get(name) {
            add(targets, target);
        }
    }
}

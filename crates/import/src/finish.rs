//! The last steps of every import: names, variables, the text, and the config's own reader over it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use stepwell_config::{Environment, Secret};

use crate::draft::{Credential, Draft, Header, Provider, Route, Target};
use crate::error::Error;
use crate::report::{Item, Variable};
use crate::values::shouted;
use crate::{Imported, url, write};

/// The longest name of a provider or route, in bytes.
const LONGEST: usize = 64;

/// The most targets of one route.
const MOST_TARGETS: usize = 32;

/// The most providers and the most routes that are written.
const MOST: usize = 2_000;

/// What a draft's parts are called in the text.
pub(crate) struct Names {
    /// Each provider's name, by its place.
    pub(crate) providers: Vec<String>,
    /// Each route's name, by its place.
    pub(crate) routes: Vec<String>,
    /// The models of each provider that anything leads to, by its place; none where any model may be asked of it.
    pub(crate) models: Vec<Option<BTreeSet<String>>>,
    /// The variable of each literal secret, by its path in the source.
    pub(crate) variables: BTreeMap<String, String>,
}

impl Names {
    /// A target as clients and routes write it.
    pub(crate) fn target(&self, target: &Target) -> String {
        let provider = self.providers.get(target.provider).map_or("", String::as_str);
        format!("{provider}/{}", target.model)
    }

    /// What the config is to say in place of a credential.
    pub(crate) fn reference(&self, credential: &Credential) -> Option<String> {
        let name = match credential {
            Credential::None => return None,
            Credential::Variable(name) => Some(name),
            Credential::Literal(_, path) => self.variables.get(path),
        };
        name.map(|name| format!("env:{name}"))
    }
}

/// Makes the text and the report of a draft.
pub(crate) fn finish(mut draft: Draft) -> Result<Imported, Error> {
    if draft.providers.is_empty() {
        let message = "nothing in it can be carried over";
        return Err(Error::whole(message).with(draft.report));
    }
    if draft.providers.len() > MOST || draft.routes.len() > MOST {
        return Err(Error::whole(format!("more than {MOST} providers or routes")));
    }
    let mut names = Names {
        providers: provider_names(&draft.providers),
        routes: Vec::new(),
        models: models(&draft),
        variables: BTreeMap::new(),
    };
    leave_out_needless(&mut draft, &names);
    names.routes = route_names(&mut draft);
    shorten(&mut draft);
    name_variables(&mut draft, &mut names);
    draft.report.providers.clone_from(&names.providers);
    draft.report.routes.clone_from(&names.routes);
    let mut direct: Vec<String> = draft.direct.iter().map(|target| names.target(target)).collect();
    direct.dedup();
    draft.report.direct = direct;
    once(&mut draft.report.changed);
    once(&mut draft.report.not_carried);
    let toml = write::write(&draft, &names);
    check(&toml)?;
    Ok(Imported { toml, report: draft.report })
}

/// Keeps each item once: several models may have it from one place.
fn once(items: &mut Vec<Item>) {
    let mut seen = BTreeSet::new();
    items.retain(|item| seen.insert((item.path.clone(), item.advice.clone())));
}

/// An environment in which every variable is set: the text is to load once its own are.
struct AllSet;

impl Environment for AllSet {
    fn var(&self, _: &str) -> Option<String> {
        Some("to-be-set".to_owned())
    }

    fn read(&self, _: &Path) -> io::Result<String> {
        Err(io::Error::from(io::ErrorKind::NotFound))
    }
}

/// Reads the text as the server will.
fn check(toml: &str) -> Result<(), Error> {
    let Err(problems) = stepwell_config::load(Path::new("stepwell.toml"), toml, &AllSet) else {
        return Ok(());
    };
    let first = problems.first().map(|problem| format!("{}: {}", problem.code, problem.message));
    Err(Error::whole(format!("what was made of it does not load: {}", first.unwrap_or_default())))
}

/// `text` as a name of a provider or route.
pub(crate) fn plain(text: &str) -> String {
    let allowed =
        |letter: char| if letter.is_ascii_alphanumeric() || "-_.:".contains(letter) { letter } else { '-' };
    let name: String = text.chars().map(allowed).collect();
    let name = name.trim_start_matches(|first: char| !first.is_ascii_alphanumeric()).trim_end_matches('-');
    let name: String = name.chars().take(LONGEST).collect();
    if name.is_empty() { "unnamed".to_owned() } else { name }
}

/// `name`, or with a number behind it the first that is not taken. Takes it.
fn free(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut candidate = name.to_owned();
    let mut number = 2_usize;
    while !taken.insert(candidate.clone()) {
        let ending = format!("-{number}");
        let start: String = name.chars().take(LONGEST - ending.len()).collect();
        candidate = format!("{start}{ending}");
        number += 1;
    }
    candidate
}

/// What each provider is called: first what clients know it by, then its vendor's name, then that with its host.
fn provider_names(providers: &[Provider]) -> Vec<String> {
    // The simulator's name is kept for it.
    let mut taken = BTreeSet::from(["sim".to_owned()]);
    let mut names: Vec<Option<String>> = providers
        .iter()
        .map(|provider| {
            let wanted = provider.wanted_name.as_ref().filter(|name| plain(name) == **name)?;
            taken.insert(wanted.clone()).then(|| wanted.clone())
        })
        .collect();
    for (name, provider) in names.iter_mut().zip(providers) {
        if name.is_some() {
            continue;
        }
        let base = plain(&provider.base_name);
        let host = provider.base_url.as_deref().map(url::host).unwrap_or_default();
        let label = host.split('.').next().unwrap_or_default();
        let is_telling =
            !provider.is_placeholder && label.len() > 3 && !label.bytes().all(|byte| byte.is_ascii_digit());
        *name = Some(if taken.contains(&base) && is_telling {
            free(&plain(&format!("{base}-{label}")), &mut taken)
        } else {
            free(&base, &mut taken)
        });
    }
    names.into_iter().map(Option::unwrap_or_default).collect()
}

/// The models of each provider that anything leads to.
fn models(draft: &Draft) -> Vec<Option<BTreeSet<String>>> {
    let mut models = vec![Some(BTreeSet::new()); draft.providers.len()];
    let routed = draft.routes.iter().flat_map(|route| &route.targets).chain(&draft.direct);
    let unfinished = draft.unfinished.iter().flat_map(|route| &route.targets);
    let routed = routed.map(|target| (target.provider, Some(&target.model)));
    for (place, model) in routed.chain(unfinished.map(|(place, model)| (*place, model.as_ref()))) {
        let Some(known) = models.get_mut(place) else { continue };
        match model.filter(|model| !model.contains('*')) {
            Some(model) => {
                if let Some(known) = known {
                    known.insert(model.clone());
                }
            }
            None => *known = None,
        }
    }
    models
}

/// Takes out routes that say no more than their name does: a target by its own name.
fn leave_out_needless(draft: &mut Draft, names: &Names) {
    let is_needless = |route: &Route| {
        let [target] = route.targets.as_slice() else { return false };
        names.target(target) == route.name && !route.strict && route.max_output_tokens.is_none()
    };
    let (needless, kept) = std::mem::take(&mut draft.routes).into_iter().partition(is_needless);
    draft.routes = kept;
    let needless: Vec<Route> = needless;
    draft.direct.extend(needless.into_iter().flat_map(|route| route.targets));
}

/// What each route is called, and a word about those that cannot keep their name.
fn route_names(draft: &mut Draft) -> Vec<String> {
    let mut taken = BTreeSet::new();
    // Names that need no change keep theirs, wherever they stand.
    let mut names: Vec<Option<String>> = draft
        .routes
        .iter()
        .map(|route| (plain(&route.name) == route.name).then(|| free(&route.name, &mut taken)))
        .collect();
    for (name, route) in names.iter_mut().zip(&draft.routes) {
        if name.is_none() {
            let new = free(&plain(&route.name), &mut taken);
            let advice =
                format!("a route's name is letters, digits, `-`, `_`, `.` and `:`: clients send `{new}`");
            draft.report.changed.push(Item { path: route.from.clone(), line: None, advice });
            *name = Some(new);
        }
    }
    names.into_iter().map(Option::unwrap_or_default).collect()
}

/// The most attempts a call makes, and so the most of its targets that it reaches.
const ATTEMPTS: usize = 3;

/// Cuts routes to the length that the config takes, and says which targets are never reached.
fn shorten(draft: &mut Draft) {
    for route in &mut draft.routes {
        if route.targets.len() > ATTEMPTS {
            let advice = format!(
                "a call makes at most {ATTEMPTS} attempts: targets after the third of a route are not reached"
            );
            draft.report.changed.push(Item { path: route.from.clone(), line: None, advice });
        }
        if route.targets.len() > MOST_TARGETS {
            let advice = format!(
                "a route has at most {MOST_TARGETS} targets: the {} after them were left out",
                route.targets.len() - MOST_TARGETS
            );
            draft.report.not_carried.push(Item { path: route.from.clone(), line: None, advice });
            route.targets.truncate(MOST_TARGETS);
        }
    }
}

/// Finds a variable for every literal secret, none that the source uses for something else, and lists all of them.
fn name_variables(draft: &mut Draft, names: &mut Names) {
    let mut variables: Vec<Variable> = Vec::new();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let credentials = |provider: &'_ Provider| -> Vec<(String, Credential)> {
        let key = std::iter::once(("API_KEY".to_owned(), provider.api_key.clone()));
        let headers = provider.headers.iter().filter_map(|(name, header)| match header {
            Header::Hidden(credential) => Some((shouted(name), credential.clone())),
            Header::Plain(_) => None,
        });
        key.chain(headers).collect()
    };
    for (provider, name) in draft.providers.iter().zip(&names.providers) {
        for (what, credential) in credentials(provider) {
            if let Credential::Variable(variable) = credential
                && taken.insert(variable.clone())
            {
                let holds = match what.as_str() {
                    "API_KEY" => format!("the key of `{name}`"),
                    header => format!("a header of `{name}`: {}", header.to_lowercase().replace('_', "-")),
                };
                variables.push(Variable { name: variable, holds, is_new: false });
            }
        }
    }
    let mut found: Vec<(Secret, String)> = Vec::new();
    for (provider, name) in draft.providers.iter().zip(&names.providers) {
        for (what, credential) in credentials(provider) {
            let Credential::Literal(secret, path) = credential else { continue };
            // One secret has one variable, wherever in the source it stands.
            if let Some((_, known)) = found.iter().find(|(known, _)| *known == secret) {
                names.variables.insert(path, known.clone());
                continue;
            }
            let mut variable = format!("{}_{what}", shouted(name));
            let mut number = 2_usize;
            while !taken.insert(variable.clone()) {
                variable = format!("{}_{what}_{number}", shouted(name));
                number += 1;
            }
            let holds = format!("what stands at {path}");
            variables.push(Variable { name: variable.clone(), holds, is_new: true });
            names.variables.insert(path, variable.clone());
            found.push((secret, variable));
        }
    }
    draft.report.variables = variables;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_what_the_config_takes() {
        assert_eq!(plain("gpt-4o"), "gpt-4o");
        assert_eq!(plain("team/gpt 4ö"), "team-gpt-4");
        assert_eq!(plain("/*"), "unnamed");
        assert_eq!(plain(&"x".repeat(80)).len(), 64);
        let mut taken = BTreeSet::new();
        assert_eq!(
            [free("a", &mut taken), free("a", &mut taken), free("a", &mut taken)],
            ["a", "a-2", "a-3"]
        );
    }
}

//! The top level: `data_dir`, and the sections.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use toml::de::DeTable;

use super::reference::Resolver;
use super::{auth, engines, journal, log, provider, route, server};
use crate::key::{Key, Keys, Shape};
use crate::report::{Report, quoted};
use crate::section::Section;
use crate::sections::ProviderSettings;
use crate::settings::Settings;

const DATA_DIR: Key = Key {
    name: "data_dir",
    shape: Shape::Text,
    default: Some("\"stepwell-data\""),
    doc: "Where the journal, the SQLite file and the lock live, relative to this file's directory.",
};
const SERVER: Key = section("server", &server::KEYS);
const STORE: Key = section("store", &engines::STORE_KEYS);
const SHARED: Key = section("shared", &engines::SHARED_KEYS);
const AUTH: Key = section("auth", &auth::KEYS);
const JOURNAL: Key = section("journal", &journal::KEYS);
const LOG: Key = section("log", &log::KEYS);
const PROVIDERS: Key = Key {
    name: "providers",
    shape: Shape::Map(&provider::KEYS),
    default: None,
    doc: "Providers by name. Without it, every provider whose usual key is in the environment, and the simulator.",
};
const ROUTES: Key =
    Key { name: "routes", shape: Shape::Map(&route::KEYS), default: None, doc: "Routes by name." };

/// The keys at the top level.
pub(crate) const KEYS: Keys = Keys {
    doc: "Stepwell's configuration.",
    known: &[DATA_DIR, SERVER, STORE, SHARED, AUTH, JOURNAL, LOG, PROVIDERS, ROUTES],
    required: &[],
    later: &[
        "alerts",
        "budgets",
        "cache",
        "guards",
        "jobs",
        "levels",
        "limits",
        "otel",
        "projects",
        "prompts",
        "telemetry",
    ],
};

const fn section(name: &'static str, keys: &'static Keys) -> Key {
    Key { name, shape: Shape::Table(keys), default: None, doc: keys.doc }
}

/// Reads the whole tree. What is wrong is in the report; the settings are whole only if nothing is.
pub(crate) fn read(table: &DeTable<'_>, resolver: &Resolver<'_>, report: &mut Report<'_>) -> Settings {
    let root = Section::of_table(table, 0..0, "", &KEYS, report);
    let providers = read_providers(&root, resolver, report);
    let routes = match root.node(&ROUTES) {
        Some(node) => {
            let names = provider_names(&root, &providers);
            route::read_all(node, &names, report)
        }
        None => BTreeMap::new(),
    };
    let defaults = Settings::default();
    Settings {
        data_dir: read_data_dir(&root, resolver, report),
        server: of(&root, &SERVER, &server::KEYS, server::read, report),
        store: of(&root, &STORE, &engines::STORE_KEYS, engines::read_store, report),
        shared: of(&root, &SHARED, &engines::SHARED_KEYS, engines::read_shared, report),
        auth: of(&root, &AUTH, &auth::KEYS, auth::read, report),
        journal: of(&root, &JOURNAL, &journal::KEYS, journal::read, report),
        log: of(&root, &LOG, &log::KEYS, log::read, report),
        providers,
        routes,
        revision: defaults.revision,
    }
}

/// The settings of one section: as read if it is there, else its defaults.
fn of<T: Default>(
    root: &Section<'_, '_>,
    key: &Key,
    keys: &Keys,
    read: impl Fn(&Section<'_, '_>, &mut Report<'_>) -> T,
    report: &mut Report<'_>,
) -> T {
    root.entry(key)
        .and_then(|(span, node)| Section::open(node, span, key.name, keys, report))
        .map(|section| read(&section, report))
        .unwrap_or_default()
}

fn read_data_dir(root: &Section<'_, '_>, resolver: &Resolver<'_>, report: &mut Report<'_>) -> PathBuf {
    let written = root.text(&DATA_DIR, report);
    if let Some((text, span)) = written.clone().filter(|(text, _)| text.is_empty() || text.contains('\0')) {
        report
            .error("bad_value", span, format!("{} is not a directory", quoted(text)))
            .hint("a path, such as \"stepwell-data\" or \"/var/lib/stepwell\"");
    }
    let text = written.map_or("stepwell-data", |(text, _)| text);
    resolver.directory.join(text)
}

fn read_providers(
    root: &Section<'_, '_>,
    resolver: &Resolver<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<Arc<str>, ProviderSettings> {
    match root.node(&PROVIDERS) {
        Some(node) => provider::read_all(node, resolver, report),
        None => provider::detected(resolver.environment),
    }
}

/// Every provider's name as written, so that a mistake in one is not reported again by each route to it.
fn provider_names<'s>(
    root: &Section<'s, '_>,
    providers: &'s BTreeMap<Arc<str>, ProviderSettings>,
) -> Vec<&'s str> {
    match root.node(&PROVIDERS).and_then(|node| node.get_ref().as_table()) {
        Some(table) => table.keys().map(|name| name.get_ref().as_ref()).collect(),
        None => providers.keys().map(|name| &**name).collect(),
    }
}

/// Whether `name` is a key whose value can never hold a secret, wherever in the text it stands.
pub(crate) fn is_public(name: &str) -> bool {
    fn holds(keys: &Keys, name: &str) -> bool {
        keys.known.iter().any(|key| match key.shape {
            Shape::Table(keys) | Shape::Map(keys) => holds(keys, name),
            _ => key.shape.is_public() && key.name == name,
        })
    }
    holds(&KEYS, name)
}

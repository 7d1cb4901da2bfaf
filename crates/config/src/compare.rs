//! What changes when a running Stepwell is given new settings, and what of it has to wait for a restart.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::settings::Settings;

/// A part of the settings that a running process cannot change.
struct Fixed {
    key: &'static str,
    same: fn(&Settings, &Settings) -> bool,
    keep: fn(&mut Settings, &Settings),
}

/// All such parts: what is opened, bound or started once.
const FIXED: &[Fixed] = &[
    Fixed {
        key: "data_dir",
        same: |old, new| old.data_dir == new.data_dir,
        keep: |new, old| new.data_dir.clone_from(&old.data_dir),
    },
    Fixed {
        key: "server.listen",
        same: |old, new| old.server.listen == new.server.listen,
        keep: |new, old| new.server.listen = old.server.listen,
    },
    Fixed {
        key: "server.admin_listen",
        same: |old, new| old.server.admin_listen == new.server.admin_listen,
        keep: |new, old| new.server.admin_listen = old.server.admin_listen,
    },
    Fixed {
        key: "server.workers",
        same: |old, new| old.server.workers == new.server.workers,
        keep: |new, old| new.server.workers = old.server.workers,
    },
    Fixed {
        key: "server.max_connections",
        same: |old, new| old.server.max_connections == new.server.max_connections,
        keep: |new, old| new.server.max_connections = old.server.max_connections,
    },
    Fixed {
        key: "store",
        same: |old, new| old.store == new.store,
        keep: |new, old| new.store.clone_from(&old.store),
    },
    Fixed {
        key: "shared",
        same: |old, new| old.shared == new.shared,
        keep: |new, old| new.shared.clone_from(&old.shared),
    },
    Fixed {
        key: "journal",
        same: |old, new| old.journal == new.journal,
        keep: |new, old| new.journal.clone_from(&old.journal),
    },
    Fixed {
        key: "log.format",
        same: |old, new| old.log.format == new.log.format,
        keep: |new, old| new.log.format = old.log.format,
    },
];

/// What differs between two settings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// Keys that differ and change only at a restart: `data_dir`, `server.listen`, ….
    pub restart_needed: Vec<&'static str>,
    /// Sections with differences that apply to calls from now on: `server`, `auth`, `log`.
    pub applied: Vec<&'static str>,
    /// Providers that differ.
    pub providers: NameChanges,
    /// Routes that differ.
    pub routes: NameChanges,
}

/// What differs between two tables of names, each list in the order of the names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NameChanges {
    /// Names only the new one has.
    pub added: Vec<Arc<str>>,
    /// Names both have, with different settings; a credential that changed is one.
    pub changed: Vec<Arc<str>>,
    /// Names only the old one has.
    pub removed: Vec<Arc<str>>,
}

impl Changes {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What differs between `old` and `new`. Their revisions do not count.
pub fn compare(old: &Settings, new: &Settings) -> Changes {
    let restart_needed = FIXED.iter().filter(|part| !(part.same)(old, new)).map(|part| part.key).collect();
    let live = new.clone().keeping(old);
    let sections = [
        ("server", old.server != live.server),
        ("auth", old.auth != live.auth),
        ("log", old.log != live.log),
    ];
    Changes {
        restart_needed,
        applied: sections.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect(),
        providers: compare_names(&old.providers, &new.providers),
        routes: compare_names(&old.routes, &new.routes),
    }
}

fn compare_names<T: PartialEq>(old: &BTreeMap<Arc<str>, T>, new: &BTreeMap<Arc<str>, T>) -> NameChanges {
    let mut changes = NameChanges::default();
    for (name, settings) in new {
        match old.get(name) {
            None => changes.added.push(Arc::clone(name)),
            Some(before) if before != settings => changes.changed.push(Arc::clone(name)),
            Some(_) => {}
        }
    }
    changes.removed = old.keys().filter(|name| !new.contains_key(*name)).cloned().collect();
    changes
}

impl Settings {
    /// These settings with all that only a restart can change as `running` has it: what a reload puts in force.
    #[must_use]
    pub fn keeping(mut self, running: &Self) -> Self {
        for part in FIXED {
            (part.keep)(&mut self, running);
        }
        self
    }
}

//! What a running Stepwell is told: every value present, checked and in its real type.
//!
//! Made by [`crate::load`] or [`crate::detect`] and immutable from then on; a reload makes a new one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::{
    AuthSettings, JournalSettings, LogSettings, ProviderSettings, RouteSettings, ServerSettings,
    SharedSettings, StoreSettings,
};

/// The whole configuration. `docs/configuration.md` has each key with its meaning, unit and default.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Where the journal, the SQLite file and the lock live. Relative to the config file's directory; without a
    /// file, to the working directory.
    pub data_dir: PathBuf,
    /// The listeners and what they accept.
    pub server: ServerSettings,
    /// The durable truth.
    pub store: StoreSettings,
    /// The shared hot state.
    pub shared: SharedSettings,
    /// Who may call.
    pub auth: AuthSettings,
    /// The append-only file in front of the ledger.
    pub journal: JournalSettings,
    /// What is logged, and how.
    pub log: LogSettings,
    /// Providers by name.
    pub providers: BTreeMap<Arc<str>, ProviderSettings>,
    /// Routes by name.
    pub routes: BTreeMap<Arc<str>, RouteSettings>,
    /// Names this configuration in records and in `/readyz`: sixteen hex digits of a hash over the text, or
    /// `detected` where there was no file.
    pub revision: String,
}

impl Default for Settings {
    /// What an empty file means, without any provider.
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("stepwell-data"),
            server: ServerSettings::default(),
            store: StoreSettings::default(),
            shared: SharedSettings::default(),
            auth: AuthSettings::default(),
            journal: JournalSettings::default(),
            log: LogSettings::default(),
            providers: BTreeMap::new(),
            routes: BTreeMap::new(),
            revision: "detected".to_owned(),
        }
    }
}

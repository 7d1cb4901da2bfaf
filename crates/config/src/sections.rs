//! One file per section of the configuration: its settings, its keys, its reader.

mod api_key;
mod auth;
mod base_url;
mod engines;
mod google;
mod headers;
mod journal;
mod log;
mod name;
mod price;
mod provider;
mod reference;
mod root;
mod route;
mod server;
mod timeouts;

pub(crate) use provider::detected;
pub(crate) use reference::Resolver;
pub(crate) use root::{KEYS, is_public, read};

pub use auth::{AuthMode, AuthSettings};
pub use engines::{SharedSettings, SharedUrl, StoreSettings, StoreUrl};
pub use google::GoogleCloud;
pub use journal::{Durability, JournalSettings};
pub use log::{LogCalls, LogFormat, LogSettings};
pub use provider::ProviderSettings;
pub use route::{RouteSettings, Strategy};
pub use server::ServerSettings;
pub use timeouts::Timeouts;

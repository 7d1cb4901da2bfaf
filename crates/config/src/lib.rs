//! Configuration text to [`Settings`], with every mistake reported at once, where it stands and how to mend it.
//!
//! Text is parsed to a tree with spans, each section's reader walks its part of the tree, and what they find wrong
//! becomes [`Problem`]s with a snippet. The tables of keys ([`schema`] shows them) are what the readers read by.
//! It never opens a socket or a store and never keeps a secret in a printable form.

mod compare;
mod environment;
mod key;
mod load;
mod near;
mod problem;
mod report;
mod schema;
mod secret;
mod section;
mod sections;
mod settings;
mod snippet;
mod tree;
mod unit;

pub use compare::{Changes, NameChanges, compare};
pub use environment::{Environment, FixedEnvironment, ProcessEnvironment};
pub use load::{Loaded, detect, load};
pub use problem::{Problem, Severity};
pub use schema::schema;
pub use secret::Secret;
pub use sections::{
    AuthMode, AuthSettings, Durability, GoogleCloud, JournalSettings, LogCalls, LogFormat, LogSettings,
    ProviderSettings, RouteSettings, ServerSettings, SharedSettings, SharedUrl, StoreSettings, StoreUrl,
    Strategy, Timeouts,
};
pub use settings::Settings;

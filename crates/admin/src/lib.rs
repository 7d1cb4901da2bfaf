//! The management API: calls, usage, providers, routes, config, status, metrics and its OpenAPI description.
//!
//! The server serves [`router`] on `server.admin_listen`. It never depends on the gateway, never serves a product,
//! and never shows a secret: its JSON forms are views of their own, in [`view`].

mod calls;
mod config;
mod guard;
mod openapi;
mod pages;
mod params;
mod refusal;
mod router;
mod state;
mod status;
mod time;
mod token;
mod usage;
pub mod view;

pub use openapi::openapi_json;
pub use router::router;
pub use state::{AdminState, ConfigState, Control, PriceStatus, Refused, ReloadRefused, Status};
pub use time::parse_time;
pub use token::{AdminToken, TokenError};
pub use usage::{UsageRequest, usage};

//! The management API: calls, usage, metrics and its OpenAPI description.
//!
//! It never depends on the gateway and never serves a product.

//! The JSON forms of the management API, version 1.
//!
//! They are apart from what the crates pass each other, so that a field on the wire changes only on purpose. Money is
//! text (a decimal in US dollars with nine places), times are RFC 3339, durations say their unit in their name. None
//! has room for a secret.

mod calls;
mod config;
mod status;
mod usage;

use serde::Serialize;
use utoipa::ToSchema;

pub use calls::{AttemptView, CallDetailView, CallView};
pub use config::{ConfigView, ProblemView, ProviderView, RefusedView, ReloadView, RouteView};
pub use status::{
    HealthView, IndexView, JournalView, LedgerView, LoadView, OperationView, PricesView, ReadyView,
    ShipperView, StatusView,
};
pub use usage::{FIGURES, PercentilesView, UsageRowView, UsageView};

/// A part of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// The entries.
    pub data: Vec<T>,
    /// What to send as `cursor` for the next part; null after the last.
    pub next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A list that is one part.
    pub fn whole(data: Vec<T>) -> Self {
        Self { data, next_cursor: None }
    }
}

/// What every error is answered with.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorView,
}

/// What went wrong.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ErrorView {
    /// What happened and what to do.
    pub message: String,
    /// The error's class, in OpenAI's words.
    #[serde(rename = "type")]
    #[schema(example = "invalid_request_error")]
    pub kind: &'static str,
    /// The parameter at fault, the first if several are.
    pub param: Option<String>,
    /// The stable code.
    #[schema(example = "invalid_request")]
    pub code: &'static str,
    /// Always null here: a management request is not a call.
    pub call_id: Option<String>,
    /// Where the code is explained.
    #[schema(example = "docs/errors.md#invalid_request")]
    pub docs: String,
    /// Every parameter at fault, where parameters are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub params: Vec<ParamView>,
    /// Every mistake of a config file that was refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub problems: Vec<ProblemView>,
}

/// A parameter that is wrong.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ParamView {
    /// Its name.
    pub param: String,
    /// What is wrong with it.
    pub message: String,
}

//! Credentials that are not a fixed header: tokens that a vendor gives for a while.

mod google;

use std::sync::Arc;

use http::HeaderValue;
use tokio::time::Instant;

use crate::{Error, Upstream};

pub use google::GoogleToken;

/// How a provider's requests prove whose they are, beside the headers that are the same for each.
#[derive(Clone, Debug, Default)]
pub enum Credential {
    /// By those headers alone.
    #[default]
    Fixed,
    /// By an OAuth token of Google's, in `authorization`.
    Google(Arc<GoogleToken>),
}

impl Credential {
    /// The value of `authorization` that a request needs now, if it needs one of its own. Waits for a new token, until
    /// `deadline` at the latest, where there is none that is valid.
    pub async fn authorization(
        &self,
        upstream: &Arc<Upstream>,
        deadline: Instant,
    ) -> Result<Option<HeaderValue>, CredentialError> {
        match self {
            Self::Fixed => Ok(None),
            Self::Google(token) => token.authorization(upstream, deadline).await.map(Some),
        }
    }
}

impl Credential {
    /// Says that the provider refused what [`Credential::authorization`] gave.
    pub fn refused(&self, authorization: &HeaderValue) {
        match self {
            Self::Fixed => {}
            Self::Google(token) => token.refused(authorization),
        }
    }

    /// The key in config that says what it is made of.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Fixed => "api_key",
            Self::Google(_) => "credentials_file",
        }
    }
}

/// A credential that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// What it is made of cannot be used. Says which field.
    #[error("the credentials cannot be used: {0}")]
    Unusable(String),
    /// Who gives the tokens cannot be reached, or gives none.
    #[error("no token from {place}: {cause}")]
    Unreachable {
        /// Who.
        place: String,
        /// Why.
        #[source]
        cause: Error,
    },
    /// Another call tried a moment ago. Says what came of it.
    #[error("{0} (a moment ago)")]
    Lately(String),
    /// Who gives the tokens refused.
    #[error("{place} refused a token with status {status}: {reason}")]
    Refused {
        /// Who.
        place: String,
        /// The status.
        status: u16,
        /// What it said.
        reason: String,
    },
}

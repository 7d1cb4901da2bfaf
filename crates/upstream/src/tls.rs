//! The TLS configuration for all providers.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// TLS cannot be set up on this machine.
#[derive(Debug, thiserror::Error)]
#[error("tls cannot be set up: {0}")]
pub struct TlsError(#[from] rustls::Error);

/// What connections to providers are secured with. Cheap to clone.
#[derive(Clone)]
pub struct Tls(pub(crate) Arc<ClientConfig>);

impl Tls {
    /// Trusts what the machine trusts, or, on a machine without certificates of its own (a bare container), the roots
    /// Mozilla trusts.
    pub fn system() -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        let (added, ignored) = roots.add_parsable_certificates(native.certs);
        if added == 0 {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        tracing::debug!(added, ignored, "loaded trusted certificates");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }
}

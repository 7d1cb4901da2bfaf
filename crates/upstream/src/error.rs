//! What can go wrong between sending a request and having its reply.

use std::io;

use stepwell_http1::Broken;
use stepwell_types::Code;

/// Why an attempt has no reply, or no whole one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection: name not resolved, refused, unreachable.
    #[error("no connection: {0}")]
    Connect(#[source] io::Error),
    /// No connection in time.
    #[error("no connection within {0} ms")]
    ConnectTimeout(u128),
    /// The TLS handshake failed.
    #[error("tls handshake failed: {0}")]
    Tls(#[source] io::Error),
    /// The TLS handshake did not end in time.
    #[error("no tls session within {0} ms")]
    TlsTimeout(u128),
    /// As many connections to this origin as may be are in use.
    #[error("all {0} connections to this origin are in use")]
    PoolFull(usize),
    /// The provider hung up, or broke HTTP, before its reply had a head.
    #[error("no reply: {0}")]
    NoReply(#[source] Broken),
    /// The provider hung up, or broke HTTP, inside the reply's body.
    #[error("broke off inside the reply: {0}")]
    Truncated(#[source] Broken),
    /// No head of a reply in time.
    #[error("no reply within {0} ms")]
    FirstByteTimeout(u128),
    /// Silence inside the reply.
    #[error("silence of {0} ms inside the reply")]
    IdleTimeout(u128),
    /// The call's deadline passed.
    #[error("the deadline passed")]
    Deadline,
    /// The reply is larger than the limit.
    #[error("the reply is larger than {0} bytes")]
    TooLarge(usize),
}

impl Error {
    /// The code clients and records get for it.
    pub const fn code(&self) -> Code {
        match self {
            Self::Connect(_) | Self::Tls(_) | Self::NoReply(_) => Code::UpstreamUnreachable,
            Self::ConnectTimeout(_)
            | Self::TlsTimeout(_)
            | Self::FirstByteTimeout(_)
            | Self::IdleTimeout(_) => Code::UpstreamTimeout,
            Self::PoolFull(_) => Code::Overloaded,
            Self::Truncated(_) => Code::UpstreamCut,
            Self::Deadline => Code::DeadlineExceeded,
            Self::TooLarge(_) => Code::UpstreamTooLarge,
        }
    }

    /// Whether the provider provably never had the request: such an attempt costs nothing.
    pub const fn never_sent(&self) -> bool {
        matches!(
            self,
            Self::Connect(_)
                | Self::ConnectTimeout(_)
                | Self::Tls(_)
                | Self::TlsTimeout(_)
                | Self::PoolFull(_)
        )
    }
}

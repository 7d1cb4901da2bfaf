//! Identifiers: the call, the replica, the tenant.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// Names one call, everywhere: response header, ledger, journal, logs. A UUIDv7 (RFC 9562 §5.7), so ids
/// sort by the time the call began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallId(Uuid);

impl CallId {
    /// A new id for a call that began at `at`. The 74 bits beside the time are random: unique across replicas
    /// without coordination.
    pub fn new(at: Timestamp) -> Self {
        let mut random = [0_u8; 10];
        fastrand::fill(&mut random);
        let millis = u64::try_from(at.as_micros() / 1_000).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The smallest id a call that began at `at` can have: the bound for a range over time.
    pub fn first_at(at: Timestamp) -> Self {
        let millis = u64::try_from(at.as_micros() / 1_000).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid())
    }

    /// The sixteen bytes, in sort order.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id whose bytes these are.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// Writes the 36 characters of the hyphenated form into `buffer` without allocating.
    pub fn encode<'a>(&self, buffer: &'a mut [u8; 36]) -> &'a str {
        self.0.as_hyphenated().encode_lower(buffer)
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(formatter)
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for CallId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

/// Names one data directory and so one journal: a restart on the same directory is the same replica.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ReplicaId(pub Uuid);

impl ReplicaId {
    /// A new replica, first seen at `at`.
    pub fn new(at: Timestamp) -> Self {
        Self(CallId::new(at).0)
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(formatter)
    }
}

/// The isolation boundary: a project. Every store call takes one, so no query can forget it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tenant(Arc<str>);

impl Tenant {
    /// The tenant of the given name.
    pub fn named(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The tenant whose name is held elsewhere already.
    pub const fn sharing(name: Arc<str>) -> Self {
        Self(name)
    }

    /// The one tenant there is before keys exist: `default`.
    pub fn only() -> Self {
        Self::named("default")
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_the_time_their_call_began() {
        let earlier = CallId::new(Timestamp::from_micros(1_700_000_000_000_000));
        let later = CallId::new(Timestamp::from_micros(1_700_000_000_001_000));
        assert!(earlier < later);
        assert!(CallId::first_at(Timestamp::from_micros(1_700_000_000_001_000)) <= later);
        assert!(CallId::first_at(Timestamp::from_micros(1_700_000_000_001_000)) > earlier);
    }

    #[test]
    fn the_text_form_reads_back() {
        let id = CallId::new(Timestamp::from_micros(1_700_000_000_000_000));
        assert_eq!(id.to_string().parse::<CallId>().unwrap(), id);
    }
}

//! `[server]`: the listeners, and the bounds on what they accept.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::time::Duration;

use crate::key::{HOUR, Key, Keys, Shape, ms, seconds};
use crate::report::{Report, quoted};
use crate::section::Section;

/// The listeners, and the bounds on what they accept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerSettings {
    /// Where the data plane listens.
    pub listen: SocketAddr,
    /// Where the admin API, the metrics and the dashboard listen.
    pub admin_listen: SocketAddr,
    /// Threads that serve calls.
    pub workers: NonZeroUsize,
    /// The most connections open at once on the data plane; those beyond it are closed as soon as they are accepted.
    pub max_connections: usize,
    /// The largest request body, in bytes.
    pub body_limit: u64,
    /// The deepest nesting of a request body's JSON.
    pub json_depth: usize,
    /// The largest request head, in bytes.
    pub header_limit: usize,
    /// The most header fields in a request.
    pub header_count: usize,
    /// From accepting a connection to its first byte.
    pub first_byte_timeout: Duration,
    /// From a request's first byte to the end of its head.
    pub header_timeout: Duration,
    /// What a body may take to arrive, on top of its length at `body_min_rate`.
    pub body_timeout: Duration,
    /// The slowest a body may arrive once `body_timeout` has passed, in bytes per second.
    pub body_min_rate: u64,
    /// How long a connection may stand idle between two requests, and how long a client may take nothing of its reply.
    pub idle_timeout: Duration,
    /// How long a shutdown waits for replies to end.
    pub drain_timeout: Duration,
    /// Values of `Host` that are served besides loopback addresses and `localhost`, in lower case.
    pub allowed_hosts: Vec<String>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7070),
            admin_listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7071),
            workers: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            max_connections: 10_000,
            body_limit: 32_000_000,
            json_depth: 64,
            header_limit: 64_000,
            header_count: 100,
            first_byte_timeout: seconds(10),
            header_timeout: seconds(10),
            body_timeout: seconds(30),
            body_min_rate: 10_000,
            idle_timeout: seconds(75),
            drain_timeout: seconds(600),
            allowed_hosts: Vec::new(),
        }
    }
}

const WAIT: Shape = Shape::Duration { min: ms(1), max: HOUR };

const LISTEN: Key = Key {
    name: "listen",
    shape: Shape::Address,
    default: Some("\"127.0.0.1:7070\""),
    doc: "Where the data plane listens. Loopback only in this version.",
};
const ADMIN_LISTEN: Key = Key {
    name: "admin_listen",
    shape: Shape::Address,
    default: Some("\"127.0.0.1:7071\""),
    doc: "Where the admin API, the metrics and the dashboard listen. Loopback only in this version.",
};
const WORKERS: Key = Key {
    name: "workers",
    shape: Shape::Integer { min: 1, max: 1_024 },
    default: None,
    doc: "Threads that serve calls. Without it, one per core.",
};
const MAX_CONNECTIONS: Key = Key {
    name: "max_connections",
    shape: Shape::Integer { min: 1, max: 1_000_000 },
    default: Some("10000"),
    doc: "The most connections open at once on the data plane; those beyond it are closed as soon as they are accepted.",
};
const BODY_LIMIT: Key = Key {
    name: "body_limit",
    shape: Shape::Bytes { min: 1_000, max: 1_000_000_000 },
    default: Some("\"32MB\""),
    doc: "The largest request body.",
};
const JSON_DEPTH: Key = Key {
    name: "json_depth",
    shape: Shape::Integer { min: 8, max: 120 },
    default: Some("64"),
    doc: "The deepest nesting of a request body's JSON.",
};
const HEADER_LIMIT: Key = Key {
    name: "header_limit",
    shape: Shape::Bytes { min: 8_192, max: 1_000_000 },
    default: Some("\"64KB\""),
    doc: "The largest request head: the request line and all header fields.",
};
const HEADER_COUNT: Key = Key {
    name: "header_count",
    shape: Shape::Integer { min: 16, max: 1_000 },
    default: Some("100"),
    doc: "The most header fields in a request.",
};
const FIRST_BYTE_TIMEOUT: Key = Key {
    name: "first_byte_timeout",
    shape: WAIT,
    default: Some("\"10s\""),
    doc: "From accepting a connection to its first byte.",
};
const HEADER_TIMEOUT: Key = Key {
    name: "header_timeout",
    shape: WAIT,
    default: Some("\"10s\""),
    doc: "From a request's first byte to the end of its head.",
};
const BODY_TIMEOUT: Key = Key {
    name: "body_timeout",
    shape: WAIT,
    default: Some("\"30s\""),
    doc: "What a body may take to arrive, on top of its length at body_min_rate.",
};
const BODY_MIN_RATE: Key = Key {
    name: "body_min_rate",
    shape: Shape::Bytes { min: 1, max: 1_000_000_000 },
    default: Some("\"10KB\""),
    doc: "The slowest a body may arrive once body_timeout has passed, per second.",
};
const IDLE_TIMEOUT: Key = Key {
    name: "idle_timeout",
    shape: WAIT,
    default: Some("\"75s\""),
    doc: "How long a connection may stand idle between two requests, and how long a client may take nothing of its reply.",
};
const DRAIN_TIMEOUT: Key = Key {
    name: "drain_timeout",
    shape: Shape::Duration { min: ms(0), max: HOUR },
    default: Some("\"10m\""),
    doc: "How long a shutdown waits for replies to end; then it cuts them.",
};
const ALLOWED_HOSTS: Key = Key {
    name: "allowed_hosts",
    shape: Shape::Texts,
    default: Some("[]"),
    doc: "Values of the Host header that are served besides loopback addresses and localhost.",
};

/// The keys of `[server]`.
pub(crate) const KEYS: Keys = Keys {
    doc: "The listeners, and the bounds on what they accept.",
    known: &[
        LISTEN,
        ADMIN_LISTEN,
        WORKERS,
        MAX_CONNECTIONS,
        BODY_LIMIT,
        JSON_DEPTH,
        HEADER_LIMIT,
        HEADER_COUNT,
        FIRST_BYTE_TIMEOUT,
        HEADER_TIMEOUT,
        BODY_TIMEOUT,
        BODY_MIN_RATE,
        IDLE_TIMEOUT,
        DRAIN_TIMEOUT,
        ALLOWED_HOSTS,
    ],
    required: &[],
    later: &["tls", "cors"],
};

/// Reads `[server]`.
pub(crate) fn read(section: &Section<'_, '_>, report: &mut Report<'_>) -> ServerSettings {
    let mut server = ServerSettings::default();
    let listen = section.address(&LISTEN, &mut server.listen, report);
    let admin_listen = section.address(&ADMIN_LISTEN, &mut server.admin_listen, report);
    check_listeners(&server, listen, admin_listen, report);
    if let Some(workers) = section.integer(&WORKERS, report).and_then(whole).and_then(NonZeroUsize::new) {
        server.workers = workers;
    }
    for (key, into) in [
        (&MAX_CONNECTIONS, &mut server.max_connections),
        (&JSON_DEPTH, &mut server.json_depth),
        (&HEADER_COUNT, &mut server.header_count),
    ] {
        *into = section.integer(key, report).and_then(whole).unwrap_or(*into);
    }
    server.body_limit = section.bytes(&BODY_LIMIT, report).unwrap_or(server.body_limit);
    server.header_limit = section.bytes(&HEADER_LIMIT, report).and_then(whole).unwrap_or(server.header_limit);
    server.body_min_rate = section.bytes(&BODY_MIN_RATE, report).unwrap_or(server.body_min_rate);
    section.duration(&FIRST_BYTE_TIMEOUT, &mut server.first_byte_timeout, report);
    section.duration(&HEADER_TIMEOUT, &mut server.header_timeout, report);
    section.duration(&BODY_TIMEOUT, &mut server.body_timeout, report);
    section.duration(&IDLE_TIMEOUT, &mut server.idle_timeout, report);
    section.duration(&DRAIN_TIMEOUT, &mut server.drain_timeout, report);
    server.allowed_hosts = section
        .texts(&ALLOWED_HOSTS, report)
        .into_iter()
        .filter_map(|(host, span)| host_value(host, span, report))
        .collect();
    server
}

/// A number as this machine counts; none where it does not fit, which the keys' bounds rule out.
fn whole(number: u64) -> Option<usize> {
    usize::try_from(number).ok()
}

/// Until keys exist, being on this machine is what lets a caller in; and two listeners need two addresses.
fn check_listeners(
    server: &ServerSettings,
    listen: Option<Range<usize>>,
    admin_listen: Option<Range<usize>>,
    report: &mut Report<'_>,
) {
    let mut open = false;
    for (address, span) in [(server.listen, &listen), (server.admin_listen, &admin_listen)] {
        let Some(span) = span.clone().filter(|_| !address.ip().is_loopback()) else { continue };
        open = true;
        report.error("open_listen", span, format!("{address} can be reached from other machines")).hint(
            format!(
                "keys do not exist yet in this version, so only loopback is served: use \"127.0.0.1:{}\"",
                address.port()
            ),
        );
    }
    if !open
        && server.listen == server.admin_listen
        && server.listen.port() != 0
        && let Some(span) = admin_listen.or(listen)
    {
        report
            .error("same_address", span, format!("listen and admin_listen are both {}", server.listen))
            .hint("give each a port of its own");
    }
}

/// A value of `Host` in lower case: a name or address, with or without a port.
fn host_value(host: &str, span: Range<usize>, report: &mut Report<'_>) -> Option<String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || ".-_:[]".contains(letter);
    if !host.is_empty() && host.len() <= 255 && host.chars().all(plain) {
        return Some(host.to_ascii_lowercase());
    }
    report
        .error("bad_value", span, format!("{} is not a value of the Host header", quoted(host)))
        .hint("a name as clients send it, with the port if they send one: \"gateway.internal:7070\"");
    None
}

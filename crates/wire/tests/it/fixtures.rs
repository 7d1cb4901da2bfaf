//! The fixtures: `fixtures/<dialect>/<endpoint>/<case>.{request.json,reply.json,error.json,sse}`. Which cases each dialect must
//! have is for `representable` to say.

use std::path::Path;

use stepwell_types::Dialect;

/// What a fixture is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    Request,
    Reply,
    Error,
    Stream,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Request, Self::Reply, Self::Error, Self::Stream];

    const fn suffix(self) -> &'static str {
        match self {
            Self::Request => ".request.json",
            Self::Reply => ".reply.json",
            Self::Error => ".error.json",
            Self::Stream => ".sse",
        }
    }
}

/// The status an error fixture was answered with.
const STATUS: [(&str, u16); 8] = [
    ("authentication", 401),
    ("detail", 422),
    ("invalid_request", 400),
    ("not_found", 404),
    ("overloaded", 503),
    ("permission", 403),
    ("quota", 429),
    ("rate_limit", 429),
];

/// The status that an error of a case is answered with.
pub(crate) fn status_of(case: &str) -> u16 {
    STATUS.iter().find(|(known, _)| *known == case).expect("a status for every case").1
}

/// One file.
pub(crate) struct Fixture {
    pub(crate) dialect: Dialect,
    pub(crate) kind: Kind,
    pub(crate) case: String,
    pub(crate) bytes: Vec<u8>,
}

impl Fixture {
    /// A name for snapshots and messages.
    pub(crate) fn name(&self) -> String {
        format!("{}_{:?}_{}", self.dialect, self.kind, self.case).to_lowercase()
    }
}

/// Every fixture of every dialect, in the order of their names.
pub(crate) fn all() -> Vec<Fixture> {
    let mut fixtures: Vec<_> = Dialect::ALL.into_iter().flat_map(of).collect();
    fixtures.sort_by_key(Fixture::name);
    fixtures
}

/// Every fixture of one kind.
pub(crate) fn of_kind(kind: Kind) -> Vec<Fixture> {
    all().into_iter().filter(|fixture| fixture.kind == kind).collect()
}

fn of(dialect: Dialect) -> Vec<Fixture> {
    let endpoint = match dialect {
        Dialect::OpenaiChat => "chat_completions",
        Dialect::Anthropic => "messages",
        Dialect::Gemini => "generate_content",
        Dialect::OpenaiResponses => "responses",
        Dialect::Cohere => "chat",
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(dialect.as_str()).join(endpoint);
    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            let read = |kind: Kind| Some((kind, name.strip_suffix(kind.suffix())?));
            let (kind, case) = Kind::ALL.into_iter().find_map(read).expect("a fixture's name says its kind");
            Fixture { dialect, kind, case: case.to_owned(), bytes: std::fs::read(&path).unwrap() }
        })
        .collect()
}

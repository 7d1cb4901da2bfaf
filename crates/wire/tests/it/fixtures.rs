//! The fixtures: `fixtures/<dialect>/<endpoint>/<case>.{request.json,reply.json,error.json,sse,ndjson,jsonl}`. Which cases each
//! dialect must have is for `representable` to say.

use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;
use stepwell_types::Dialect;
use stepwell_wire::codec;
use stepwell_wire::framing::{Framing, Splitter};

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

    /// How the name of such a fixture ends, in a dialect whose streams are cut in this way.
    const fn suffix(self, framing: Framing) -> &'static str {
        match self {
            Self::Request => ".request.json",
            Self::Reply => ".reply.json",
            Self::Error => ".error.json",
            Self::Stream => match framing {
                Framing::Sse => ".sse",
                Framing::Lines => ".ndjson",
                Framing::EventStream => ".jsonl",
            },
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
        Dialect::Cohere | Dialect::Ollama => "chat",
        Dialect::BedrockConverse => "converse",
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(dialect.as_str()).join(endpoint);
    let framing = codec(dialect).framing();
    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            let bytes = std::fs::read(&path).unwrap();
            let read = |kind: Kind| Some((kind, name.strip_suffix(kind.suffix(framing))?));
            let (kind, case) = Kind::ALL.into_iter().find_map(read).expect("a fixture's name says its kind");
            let bytes =
                if kind == Kind::Stream && framing == Framing::EventStream { framed(&bytes) } else { bytes };
            Fixture { dialect, kind, case: case.to_owned(), bytes }
        })
        .collect()
}

/// A line of a stream in AWS's event stream: a frame.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    event: &'a str,
    #[serde(borrow)]
    payload: &'a RawValue,
    /// How many bytes of the frame arrived, where not all did.
    cut: Option<usize>,
}

/// The frames that lines say.
fn framed(lines: &[u8]) -> Vec<u8> {
    let lines = std::str::from_utf8(lines).unwrap().lines();
    let frames = lines.flat_map(|line| {
        let line: Line<'_> = serde_json::from_str(line).expect("a line is a frame");
        let mut frame = event_frame(line.event, line.payload.get());
        frame.truncate(line.cut.unwrap_or(usize::MAX));
        frame
    });
    frames.collect()
}

/// A frame of AWS's event stream, encoded here anew: <https://smithy.io/2.0/aws/amazon-eventstream.html>.
fn event_frame(event: &str, payload: &str) -> Vec<u8> {
    let kind = if event.ends_with("Exception") { "exception" } else { "event" };
    let headers = [
        (format!(":{kind}-type"), event),
        (":content-type".to_owned(), "application/json"),
        (":message-type".to_owned(), kind),
    ];
    let header = |(name, value): (String, &str)| {
        let length = u8::try_from(value.len()).unwrap();
        [&[u8::try_from(name.len()).unwrap()], name.as_bytes(), &[7, 0, length], value.as_bytes()].concat()
    };
    let headers: Vec<u8> = headers.into_iter().flat_map(header).collect();
    let length = |length: usize| u32::try_from(length).unwrap().to_be_bytes();
    let mut frame = [length(headers.len() + payload.len() + 16), length(headers.len())].concat();
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    frame.extend(headers);
    frame.extend_from_slice(payload.as_bytes());
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    frame
}

/// A stream as text: as it is, or a line for each frame where it is binary. What is left of a frame is not shown.
pub(crate) fn readable(dialect: Dialect, stream: &[u8]) -> String {
    if codec(dialect).framing() != Framing::EventStream {
        return std::str::from_utf8(stream).unwrap().to_owned();
    }
    let mut text = String::new();
    let show = &mut |frame: stepwell_wire::framing::Frame<'_>| {
        writeln!(text, "{} {}", frame.event.unwrap(), frame.data).unwrap();
        Ok(())
    };
    Splitter::new(Framing::EventStream).push(stream, show).expect("it is a stream of frames");
    text
}

/// A stream's events, each with the bytes it is.
pub(crate) fn events(stream: &[u8], dialect: Dialect) -> Vec<&[u8]> {
    let framing = codec(dialect).framing();
    if framing == Framing::EventStream {
        let (mut events, mut rest) = (Vec::new(), stream);
        while let Some(length) = rest.first_chunk::<4>() {
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap().min(rest.len());
            let (event, after) = rest.split_at(length);
            events.push(event);
            rest = after;
        }
        return events;
    }
    let text = std::str::from_utf8(stream).unwrap();
    let end = match framing {
        Framing::Lines => "\n",
        _ if text.contains("\r\n") => "\r\n\r\n",
        _ => "\n\n",
    };
    text.split_inclusive(end).map(str::as_bytes).collect()
}

//! What `fixtures/representable.toml` promises, cell by cell: a client's dialect, a provider's dialect, a case.
//!
//! A cell that is carried loses nothing, and what was written reads back as what was read. A cell that is not says so.
//! Every dialect that speaks a case has a fixture of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use stepwell_types::{Dialect, Failure, Finish, Usage};
use stepwell_wire::chat::{Chat, Format, Part, Reply, Role, Source, Thinking, ToolChoice, Turn};
use stepwell_wire::framing::Splitter;
use stepwell_wire::stream::Event;
use stepwell_wire::{Edits, Losses, Quirks, codec, translate};

use crate::fixtures::{Fixture, Kind, of_kind, status_of};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    clients: Vec<String>,
    providers: Vec<String>,
    request: BTreeMap<String, Case>,
    reply: BTreeMap<String, Case>,
    stream: BTreeMap<String, Case>,
    error: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    from: Vec<String>,
    to: Vec<String>,
    #[serde(default)]
    lost: Vec<(String, String, String)>,
    #[serde(default)]
    also: Vec<(String, String)>,
}

/// A case between two dialects.
struct Cell<'t> {
    case: &'t str,
    from: Dialect,
    to: Dialect,
    is_carried: bool,
}

fn table() -> Table {
    toml::from_str(include_str!("../../fixtures/representable.toml")).expect("the table can be read")
}

impl Table {
    fn cases(&self, kind: Kind) -> &BTreeMap<String, Case> {
        match kind {
            Kind::Request => &self.request,
            Kind::Reply => &self.reply,
            Kind::Stream => &self.stream,
            Kind::Error => &self.error,
        }
    }

    /// Who speaks cases of a kind first, and who has to have a form for them.
    fn sides(&self, kind: Kind) -> (&[String], &[String]) {
        match kind {
            Kind::Request => (&self.clients, &self.providers),
            Kind::Reply | Kind::Stream | Kind::Error => (&self.providers, &self.clients),
        }
    }

    /// Every cell between dialects that there are so far.
    fn cells(&self, kind: Kind) -> Vec<Cell<'_>> {
        let (speakers, listeners) = self.sides(kind);
        let mut cells = Vec::new();
        for (name, case) in self.cases(kind) {
            for from in named(&case.from, speakers) {
                for to in known(listeners) {
                    if from != to {
                        cells.push(Cell {
                            case: name,
                            from,
                            to,
                            is_carried: case.carries(from, to, listeners),
                        });
                    }
                }
            }
        }
        cells
    }
}

impl Case {
    fn carries(&self, from: Dialect, to: Dialect, listeners: &[String]) -> bool {
        let is = |name: &str, dialect: Dialect| name == dialect.as_str();
        let is_sayable = named(&self.to, listeners).contains(&to)
            || self.also.iter().any(|(a, b)| is(a, from) && is(b, to));
        is_sayable && !self.lost.iter().any(|(a, b, _)| is(a, from) && is(b, to))
    }
}

fn known(names: &[String]) -> Vec<Dialect> {
    Dialect::ALL.into_iter().filter(|dialect| names.iter().any(|name| name == dialect.as_str())).collect()
}

/// The dialects that a list names, among those of its side.
fn named(list: &[String], side: &[String]) -> Vec<Dialect> {
    if list.iter().any(|name| name == "*") { known(side) } else { known(list) }
}

/// The fixtures of a kind by dialect and case.
fn by_case(kind: Kind) -> BTreeMap<(Dialect, String), Fixture> {
    of_kind(kind).into_iter().map(|fixture| ((fixture.dialect, fixture.case.clone()), fixture)).collect()
}

/// Runs `exercise` over every cell of a kind: it gives what the source says, what the target says, and what was lost.
#[expect(clippy::print_stdout, reason = "the counts are the test's result as much as that it passes")]
fn prove(kind: Kind, exercise: impl Fn(&Fixture, Dialect) -> (Vec<String>, Vec<String>, Losses)) {
    let (table, fixtures) = (table(), by_case(kind));
    let mut broken = String::new();
    let (mut carried, mut lost) = (0, 0);
    for Cell { case, from, to, is_carried } in table.cells(kind) {
        let Some(fixture) = fixtures.get(&(from, case.to_owned())) else {
            writeln!(broken, "{from} has no fixture of {case}").unwrap();
            continue;
        };
        let (said, heard, losses) = exercise(fixture, to);
        if is_carried {
            carried += 1;
            let missing: Vec<_> = said.iter().filter(|fact| !heard.contains(fact)).collect();
            if !losses.is_empty() || !missing.is_empty() {
                let paths = losses.paths();
                writeln!(
                    broken,
                    "{case}: {from} to {to} loses {paths:?}\n  said  {missing:?}\n  heard {heard:?}"
                )
                .unwrap();
            }
        } else {
            lost += 1;
            if losses.is_empty() {
                writeln!(broken, "{case}: {from} to {to} loses nothing, or does not say what").unwrap();
            }
        }
    }
    println!("{kind:?}: {carried} cells carried, {lost} reported as losses");
    assert!(broken.is_empty(), "{broken}");
    assert!(carried > 0);
}

#[test]
fn requests() {
    prove(Kind::Request, |fixture, to| {
        let chat = codec(fixture.dialect).read_request(&fixture.bytes).unwrap();
        let written = codec(to).write_request(&chat, &Edits::default(), Quirks::default()).unwrap();
        let back = codec(to).read_request(&written.body).expect("what is written is a request");
        (of_chat(&chat), of_chat(&back), written.losses)
    });
}

#[test]
fn replies() {
    prove(Kind::Reply, |fixture, to| {
        let reply = codec(fixture.dialect).read_reply(&fixture.bytes).unwrap();
        let written = codec(to).write_reply(&reply);
        let back = codec(to).read_reply(&written.body).expect("what is written is a reply");
        (of_reply(&reply), of_reply(&back), written.losses)
    });
}

#[test]
fn streams() {
    prove(Kind::Stream, |fixture, to| {
        let from = codec(fixture.dialect);
        let mut pipe = translate(from, codec(to).stream_writer(true, 0));
        let mut out = Vec::new();
        pipe.push(Bytes::copy_from_slice(&fixture.bytes), &mut out).unwrap();
        pipe.end(&mut out);
        if let Some(error) = &pipe.facts().error {
            let failure = Failure::new(error.code, error.message.clone()).status(error.status);
            let call = stepwell_types::CallId::from_bytes([7; 16]);
            out.push(codec(to).write_stream_error(&failure, call).into());
        }
        let said = of_stream(fixture.dialect, &fixture.bytes);
        (said, of_stream(to, &out.concat()), pipe.facts().losses.clone())
    });
}

#[test]
fn errors() {
    prove(Kind::Error, |fixture, to| {
        let error = codec(fixture.dialect).read_error(status_of(&fixture.case), &fixture.bytes);
        let mut failure = Failure::new(error.code, error.message.clone()).status(error.status);
        failure.retry_after = error.retry_after;
        let body = codec(to).write_error(&failure, None);
        let back = codec(to).read_error(failure.status, &body);
        let fact = |code, message: &str| vec![format!("{code} {message}")];
        (fact(error.code, &error.message), fact(back.code, &back.message), Losses::default())
    });
}

/// The ids of calls as numbers, in the order they were made: ids may be rewritten, as long as they match.
#[derive(Default)]
struct Ids(Vec<String>);

impl Ids {
    fn number(&mut self, id: &str) -> usize {
        if let Some(number) = self.0.iter().position(|known| known == id) {
            number
        } else {
            self.0.push(id.to_owned());
            self.0.len() - 1
        }
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(if text.is_empty() { "{}" } else { text }).expect("it is JSON")
}

fn of_source(source: &Source<'_>) -> String {
    match source {
        Source::Url(url) => format!("at {url}"),
        Source::Base64 { media_type, data } => format!("{media_type} {data}"),
        Source::File(id) => format!("file {id}"),
        Source::Text(text) => format!("text {text}"),
    }
}

/// What a part says, in a form that all dialects share.
fn of_part(part: &Part<'_>, ids: &mut Ids) -> Vec<String> {
    vec![match part {
        Part::Text { text, cache } => return marked(format!("text {text}"), cache.is_some()),
        Part::Document { source: Source::Text(text), .. } | Part::Refusal { text } => format!("text {text}"),
        Part::Image { source, detail, .. } => {
            let mut said = vec![format!("image {}", of_source(source))];
            said.extend(detail.as_ref().map(|detail| format!("detail {detail}")));
            return said;
        }
        Part::Document { source, .. } => format!("document {}", of_source(source)),
        Part::Audio { source } => format!("audio {}", of_source(source)),
        Part::Thinking { text, signature } => format!("thinking {text} {signature:?}"),
        Part::RedactedThinking { data } => format!("redacted {data}"),
        Part::ToolCall { id, name, arguments, .. } => {
            format!("call {} of {name} with {}", ids.number(id), json(arguments))
        }
        Part::ToolResult { id, parts, is_error, .. } => {
            let mut said = vec![format!("result of {}, failed: {is_error}", ids.number(id))];
            said.extend(parts.iter().flat_map(|part| of_part(part, ids)));
            return said;
        }
        Part::Other(extra) => format!("other {}", extra.path),
    }]
}

fn marked(said: String, is_marked: bool) -> Vec<String> {
    let mark = is_marked.then(|| format!("cache up to: {said}"));
    mark.into_iter().chain([said]).collect()
}

fn of_turns(turns: &[Turn<'_>]) -> Vec<String> {
    let (mut ids, mut said) = (Ids::default(), Vec::new());
    for turn in turns {
        let role = match turn.role {
            Role::System | Role::Developer => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        for part in &turn.parts {
            said.extend(of_part(part, &mut ids).into_iter().map(|fact| format!("{role}: {fact}")));
        }
    }
    said
}

/// What a request asks, as facts.
fn of_chat(chat: &Chat<'_>) -> Vec<String> {
    let mut said = of_turns(&chat.turns);
    for tool in &chat.tools {
        let schema = tool.schema.as_ref().map(|schema| json(schema.get()));
        said.push(format!("tool {} {:?} {schema:?}", tool.name, tool.description));
        said.extend((tool.strict == Some(true)).then(|| format!("strict {}", tool.name)));
    }
    match &chat.tool_choice {
        None | Some(ToolChoice::Auto) => {}
        Some(choice) => said.push(format!("choice {choice:?}")),
    }
    said.extend((chat.parallel_tool_calls == Some(false)).then(|| "one tool at a time".to_owned()));
    let numbers = [
        ("temperature", chat.temperature),
        ("top_p", chat.top_p),
        ("top_k", chat.top_k),
        ("seed", chat.seed),
        ("presence", chat.presence_penalty),
        ("frequency", chat.frequency_penalty),
    ];
    let number = |(name, value): (&str, Option<&serde_json::value::RawValue>)| {
        value.map(|value| format!("{name} {}", value.get().parse::<f64>().unwrap()))
    };
    said.extend(numbers.into_iter().filter_map(number));
    said.extend(chat.max_output_tokens.map(|limit| format!("limit {limit}")));
    said.extend(chat.stop.iter().map(|stop| format!("stop {stop}")));
    said.extend(chat.format.as_ref().map(|format| match format {
        Format::JsonObject => "any object".to_owned(),
        Format::JsonSchema { schema, .. } => format!("schema {}", json(schema.get())),
    }));
    said.extend(match &chat.thinking {
        None => None,
        Some(Thinking::Effort(level)) if level == "none" => Some(format!("{:?}", Thinking::Off)),
        Some(thinking) => Some(format!("{thinking:?}")),
    });
    said.extend(chat.user.as_ref().map(|user| format!("user {user}")));
    // The same field may stand elsewhere in another dialect.
    let key = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    said.extend(chat.extra.iter().map(|extra| format!("{} {}", key(&extra.path), extra.value)));
    said
}

fn of_usage(usage: &Usage) -> Vec<String> {
    let written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens;
    let mut said = vec![format!("input {}", usage.input_tokens), format!("output {}", usage.output_tokens)];
    for (name, tokens) in
        [("cached", usage.cache_read_tokens), ("written", written), ("reasoning", usage.reasoning_tokens)]
    {
        said.extend((tokens > 0).then(|| format!("{name} {tokens}")));
    }
    said
}

/// What a reply says, as facts.
fn of_reply(reply: &Reply<'_>) -> Vec<String> {
    let mut ids = Ids::default();
    let mut said: Vec<_> = reply.parts.iter().flat_map(|part| of_part(part, &mut ids)).collect();
    said.extend(reply.id.as_ref().map(|id| format!("id {id}")));
    said.extend(reply.model.as_ref().map(|model| format!("model {model}")));
    let refuses = reply.parts.iter().any(|part| matches!(part, Part::Refusal { .. }));
    // OpenAI says `stop` behind a refusal in words.
    let finish = if refuses { Some(Finish::Refusal) } else { reply.finish };
    said.extend(finish.map(|finish| format!("finish {finish:?}")));
    said.extend(reply.stop_sequence.as_ref().map(|sequence| format!("met {sequence}")));
    said.extend(reply.usage.iter().flat_map(of_usage));
    said
}

/// What a stream says, as facts.
fn of_stream(dialect: Dialect, bytes: &[u8]) -> Vec<String> {
    let (mut blocks, mut ids) = (BTreeMap::<u32, String>::new(), Ids::default());
    let (mut said, mut origin, mut usage) = (Vec::new(), None, None);
    let mut take = |event: Event<'_>| {
        let mut add = |block: u32, kind: &str, text: &str| {
            blocks.entry(block).or_insert_with(|| kind.to_owned()).push_str(text);
        };
        match event {
            Event::Start { id, model, usage: metered } => {
                // Cohere does not say which model answers; who has a field for it writes an empty one then.
                let (id, model) = (id.filter(|id| !id.is_empty()), model.filter(|model| !model.is_empty()));
                origin = Some(format!("id {id:?} model {model:?}"));
                usage = metered;
            }
            Event::Text { block, text } | Event::Refusal { block, text } => add(block, "text ", &text),
            Event::Thinking { block, text } => add(block, "thinking ", &text),
            Event::Signature { block, signature } => add(block, "thinking ", &signature),
            Event::RedactedThinking { block, data } => add(block, "redacted ", &data),
            Event::ToolCall { block, id, name, .. } => {
                add(block, &format!("call {} of {name} with ", ids.number(&id)), "");
            }
            Event::ToolArguments { block, fragment } => add(block, "", &fragment),
            Event::Usage(metered) => usage = Some(metered),
            Event::Finish { reason, stop_sequence } => {
                said.push(format!("finish {reason:?} {stop_sequence:?}"));
            }
            Event::Error(error) => said.push(format!("error {} {}", error.code, error.message)),
            Event::End => said.push("complete".to_owned()),
            Event::BlockEnd { .. } | Event::Ping => {}
        }
    };
    let (mut splitter, mut reader) =
        (Splitter::new(codec(dialect).framing()), codec(dialect).stream_reader());
    splitter.push(bytes, &mut |frame| reader.push(&frame, &mut take)).expect("it is a stream");
    reader.end(&mut take);
    let is_complete = said.iter().any(|fact| fact == "complete");
    said.push(format!("complete: {is_complete}"));
    // A dialect whose streams begin with content cannot say whose they are before.
    said.extend(origin.filter(|_| is_complete));
    said.extend(usage.filter(|_| is_complete).iter().flat_map(of_usage));
    said.extend(blocks.into_values().map(|block| match block.split_once(" with ") {
        Some((call, arguments)) if call.starts_with("call ") => format!("{call} with {}", json(arguments)),
        _ => block,
    }));
    said
}

/// The page in the documentation, made of the table. To write it anew: `STEPWELL_WRITE_DOCS=1 cargo nextest run -p
/// stepwell-wire the_page_in_the_documentation`.
#[test]
fn the_page_in_the_documentation_is_made_of_the_table() {
    let page = page(&table());
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/dialects.md");
    if std::env::var_os("STEPWELL_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), page, "docs/dialects.md is not of today");
}

fn page(table: &Table) -> String {
    let mut page = String::from(
        "# Dialects\n\nMade of `crates/wire/fixtures/representable.toml` by its tests; do not edit.\n\nWhat can be carried between \
         dialects, case by case. Where both sides speak the same dialect the bytes pass untouched, and everything is carried. \
         Across dialects, what cannot be carried is named in `x-stepwell-losses`, and a route with `strict = true` refuses \
         it.\n\n",
    );
    let names =
        |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    writeln!(page, "Spoken today: {}.", names(&Dialect::ALL.map(|dialect| dialect.as_str().to_owned())))
        .unwrap();
    for (kind, title, from, to) in [
        (Kind::Request, "Requests", "Said by a client of", "Understood by a provider of"),
        (Kind::Reply, "Complete replies", "Said by a provider of", "Understood by a client of"),
        (Kind::Stream, "Streams", "Said by a provider of", "Understood by a client of"),
        (Kind::Error, "Errors", "Said by a provider of", "Understood by a client of"),
    ] {
        let cells = table.cells(kind);
        let carried = cells.iter().filter(|cell| cell.is_carried).count();
        let (speakers, listeners) = table.sides(kind);
        write!(
            page,
            "\n## {title}\n\n{carried} cells between two dialects are carried, {} are reported as losses.\n\n\
             | case | | {from} | {to} |\n|---|---|---|---|\n",
            cells.len() - carried
        )
        .unwrap();
        for (name, case) in table.cases(kind) {
            let list = |list: &[String], side: &[String]| {
                let listed = named(list, side);
                if listed == known(side) {
                    "all".to_owned()
                } else {
                    names(&listed.iter().map(|dialect| dialect.as_str().to_owned()).collect::<Vec<_>>())
                }
            };
            let (from, to) = (list(&case.from, speakers), list(&case.to, listeners));
            let known = |name: &str| Dialect::ALL.iter().any(|dialect| dialect.as_str() == name);
            write!(page, "| {name} | {} | {from} | {to}", case.about).unwrap();
            for (from, to) in case.also.iter().filter(|(a, b)| known(a) && known(b)) {
                write!(page, "; from `{from}` to `{to}` too").unwrap();
            }
            for (from, to, why) in case.lost.iter().filter(|(a, b, _)| known(a) && known(b)) {
                write!(page, "; not from `{from}` to `{to}`: {why}").unwrap();
            }
            page.push_str(" |\n");
        }
    }
    page
}

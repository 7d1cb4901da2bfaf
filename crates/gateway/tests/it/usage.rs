//! The golden table of usage: a provider's own payload, what it means, and what it costs by hand. `usage.toml` has the rows.
//!
//! Each row is read in the four ways there are: out of a whole reply by the scan and by the parser, out of a stream that
//! passes and out of one that is translated. All must give the row's figures.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::Deserialize;
use stepwell_catalog::{ModelPrice, OwnPrice, PriceBook, Rate, provider_kind, provider_kinds};
use stepwell_types::{CostStatus, Dialect, NanoUsd, Timestamp, Usage};
use stepwell_wire::{Pipe, codec, translate};

const TABLE: &str = include_str!("usage.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    row: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// The provider kind.
    provider: String,
    dialect: Dialect,
    /// Where the payload's form is documented, or where the payload was recorded.
    source: String,
    /// Whether the figures are the source's; else they are made up to be told apart.
    figures: Figures,
    /// The price data's name of the provider.
    prices: Option<String>,
    /// Prices from config, where the data has none.
    own: Option<Own>,
    model: String,
    /// When the call was made; noon of 20 November 2026 if not given.
    at: Option<String>,
    /// The usage object, as the provider writes it.
    usage: Option<String>,
    /// The whole reply, in place of `usage`.
    reply: Option<String>,
    /// The last event with usage of a stream, where it is not the usual one around `usage`.
    event: Option<String>,
    /// The whole stream, for a dialect that has no usual one here.
    stream: Option<String>,
    expect: Expected,
    /// Dollars with nine places, or `unpriced`.
    cost: String,
}

#[derive(Deserialize, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Figures {
    Source,
    Ours,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    input: String,
    output: String,
    cache_read: Option<String>,
    cache_write: Option<String>,
}

/// Absent is zero.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Expected {
    input: u64,
    cache_read: u64,
    cache_write: u64,
    cache_write_1h: u64,
    input_audio: u64,
    output: u64,
    reasoning: u64,
    output_audio: u64,
}

impl Expected {
    fn usage(&self) -> Usage {
        Usage {
            input_tokens: self.input,
            cache_read_tokens: self.cache_read,
            cache_write_5m_tokens: self.cache_write,
            cache_write_1h_tokens: self.cache_write_1h,
            input_audio_tokens: self.input_audio,
            output_tokens: self.output,
            reasoning_tokens: self.reasoning,
            output_audio_tokens: self.output_audio,
        }
    }
}

fn rows() -> Vec<Row> {
    toml::from_str::<Table>(TABLE).unwrap().row
}

impl Row {
    fn name(&self) -> String {
        format!("{}/{} ({})", self.provider, self.model, self.source)
    }

    fn metered(&self) -> &str {
        self.usage.as_deref().unwrap_or_else(|| panic!("{} has no usage", self.name()))
    }

    /// The whole reply around the usage.
    fn reply(&self) -> String {
        if let Some(reply) = &self.reply {
            return reply.clone();
        }
        let usage = self.metered();
        match self.dialect.as_str() {
            "openai_chat" => format!(
                r#"{{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,
                "message":{{"role":"assistant","content":"hi"}},"finish_reason":"stop"}}],"usage":{usage}}}"#
            ),
            "anthropic" => format!(
                r#"{{"id":"c","type":"message","role":"assistant","model":"m","content":[{{"type":"text","text":"hi"}}],
                "stop_reason":"end_turn","stop_sequence":null,"usage":{usage}}}"#
            ),
            "gemini" => format!(
                r#"{{"candidates":[{{"content":{{"role":"model","parts":[{{"text":"hi"}}]}},"finishReason":"STOP","index":0}}],
                "usageMetadata":{usage},"modelVersion":"m","responseId":"c"}}"#
            ),
            other => panic!("{}: a row of {other} gives its reply", self.name()),
        }
    }

    /// A stream that ends with the usage; none where the row has none and its dialect has no usual one here.
    fn stream(&self) -> Option<String> {
        if self.stream.is_some() {
            return self.stream.clone();
        }
        let one_line = |text: &str| text.lines().map(str::trim).collect::<String>();
        let data = |text: &str| format!("data: {}\n\n", one_line(text));
        let begun = match self.dialect.as_str() {
            "openai_chat" => data(
                r#"{"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"hi"}}]}"#,
            ),
            // The counts at the start are of the input: those at the end are the same or leave them out.
            "anthropic" => {
                let event = |name: &str, text: &str| format!("event: {name}\n{}", data(text));
                event(
                    "message_start",
                    &format!(
                        r#"{{"type":"message_start","message":{{"id":"c","type":"message","role":"assistant","model":"m",
                        "content":[],"usage":{}}}}}"#,
                        self.metered()
                    ),
                ) + &event(
                    "content_block_start",
                    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
                ) + &event(
                    "content_block_delta",
                    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}"#,
                ) + &event("content_block_stop", r#"{"type":"content_block_stop","index":0}"#)
            }
            "gemini" => String::new(),
            _ => return None,
        };
        let end = match (&self.event, self.dialect.as_str()) {
            (Some(event), _) => data(event),
            (None, "openai_chat") => {
                data(
                    r#"{"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
                ) + &data(&format!(
                    r#"{{"id":"c","object":"chat.completion.chunk","model":"m","choices":[],"usage":{}}}"#,
                    self.metered()
                ))
            }
            (None, "anthropic") => format!(
                "event: message_delta\n{}",
                data(&format!(
                    r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn","stop_sequence":null}},"usage":{}}}"#,
                    self.metered()
                ))
            ),
            (None, _) => data(&self.reply()),
        };
        let terminal = match self.dialect.as_str() {
            "openai_chat" => "data: [DONE]\n\n",
            "anthropic" => "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            _ => "",
        };
        Some(begun + &end + terminal)
    }

    fn price(&self, book: &PriceBook) -> Option<ModelPrice> {
        let rate = |text: &String| text.parse::<Rate>().unwrap();
        match &self.own {
            Some(own) => Some(ModelPrice::from_own(
                &self.model,
                &OwnPrice {
                    input: rate(&own.input),
                    output: rate(&own.output),
                    cache_read: own.cache_read.as_ref().map(rate),
                    cache_write: own.cache_write.as_ref().map(rate),
                },
            )),
            None => book.find(self.prices.as_deref()?, &self.model).map(|price| ModelPrice::clone(&price)),
        }
    }

    fn at(&self) -> Timestamp {
        let text = self.at.as_deref().unwrap_or("2026-11-20T12:00:00Z");
        Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }
}

/// What a pipe has learnt once a stream has passed, in pieces of every size from one byte on.
fn passed(mut pipe: Box<dyn Pipe>, stream: &str, piece: usize) -> Option<Usage> {
    let mut out = Vec::new();
    for piece in stream.as_bytes().chunks(piece) {
        pipe.push(Bytes::copy_from_slice(piece), &mut out).unwrap();
    }
    pipe.end(&mut out);
    pipe.facts().usage
}

#[test]
fn every_payload_is_read_as_its_row_says_whole_and_streamed() {
    for row in rows() {
        let (expected, name) = (Some(row.expect.usage()), row.name());
        let codec_of_row = codec(row.dialect);
        if row.event.is_none() {
            let reply = row.reply();
            let facts = codec_of_row.reply_facts(reply.as_bytes()).unwrap();
            assert_eq!(facts.usage, expected, "the facts of {name}");
            assert_eq!(
                codec_of_row.read_reply(reply.as_bytes()).unwrap().usage,
                expected,
                "the reply of {name}"
            );
            // White space at odd places leaves the scan to the parser, which must agree.
            let spaced = reply.replacen(':', " :\t", 2);
            assert_eq!(
                codec_of_row.reply_facts(spaced.as_bytes()).unwrap().usage,
                expected,
                "{name}, spaced"
            );
        }
        let Some(stream) = row.stream() else { continue };
        for piece in [1, 7, stream.len()] {
            assert_eq!(
                passed(codec_of_row.tap(false), &stream, piece),
                expected,
                "the tap of {name}: {stream}"
            );
            let translation = translate(codec_of_row, codec(Dialect::Anthropic).stream_writer(true, 0));
            assert_eq!(passed(translation, &stream, piece), expected, "the translation of {name}: {stream}");
        }
    }
}

#[test]
fn every_payload_costs_what_it_costs_by_hand() {
    let book = PriceBook::embedded().unwrap();
    for row in rows() {
        let usage = row.expect.usage();
        assert!(usage.is_consistent(), "{}", row.name());
        let Some(price) = row.price(&book) else {
            assert_eq!(row.cost, "unpriced", "{}", row.name());
            continue;
        };
        let cost = price.cost(&usage, row.at());
        assert_eq!(
            cost.total.map(|total: NanoUsd| total.to_string()).as_deref(),
            Some(&*row.cost),
            "{}",
            row.name()
        );
        assert_eq!(cost.status, CostStatus::Exact, "{}", row.name());
    }
}

#[test]
fn the_table_covers_every_provider_of_its_dialects_and_says_where_each_payload_is_from() {
    let rows = rows();
    for row in &rows {
        assert!(row.source.starts_with("https://") || row.provider == "sim", "{}", row.name());
        if let Some(kind) = provider_kind(&row.provider) {
            assert_eq!(kind.prices, row.prices.as_deref(), "{}", row.name());
        }
        assert!(row.own.is_none() || row.prices.is_none(), "{}: the data has prices", row.name());
    }
    let covered: BTreeSet<&str> = rows.iter().map(|row| row.provider.as_str()).collect();
    let dialects: BTreeSet<Dialect> = rows.iter().map(|row| row.dialect).collect();
    let of_dialects = provider_kinds()
        .iter()
        .filter(|kind| kind.faces.first().is_some_and(|face| dialects.contains(&face.dialect)));
    let missing: Vec<&str> =
        of_dialects.map(|kind| kind.name).filter(|name| !covered.contains(name)).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
    let from_source = rows.iter().filter(|row| row.figures == Figures::Source).count();
    assert!(from_source >= 10, "{from_source} rows have a provider's own figures");
}

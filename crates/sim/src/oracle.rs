//! The simulator's own account: one entry per request, what it generated, what it bills and how it ended.
//!
//! Entries are numbered in the order in which their requests ended, so reading after a number misses none. Memory is
//! bounded: beyond the option's limit the oldest are forgotten; totals go on.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use stepwell_types::{Dialect, Endpoint, NanoUsd, Timestamp, Usage};

use crate::options::{ModelOptions, Prices};
use crate::shapes::Models;

/// How a request ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// The whole reply was sent.
    Finished,
    /// A scripted fault broke it off, or kept it from being answered.
    CutByFault,
    /// The client went away first.
    ClientGone,
    /// It was answered with an error.
    Error,
}

impl Ended {
    /// Its name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::CutByFault => "cut_by_fault",
            Self::ClientGone => "client_gone",
            Self::Error => "error",
        }
    }
}

/// One request in the account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OracleEntry {
    /// Its number, from 1, in the order in which requests ended.
    pub seq: u64,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The id in the reply's body: `chatcmpl-...`, `resp_...`, `msg_...`, or a bare one with Gemini.
    pub id: String,
    /// The client's `x-request-id`, its first 128 bytes.
    pub request_id: Option<String>,
    /// The client's `x-client-request-id`, its first 128 bytes.
    pub client_request_id: Option<String>,
    /// The model, if it is one that is served.
    pub model: Option<String>,
    /// The dialect.
    pub dialect: Dialect,
    /// What was asked for.
    pub endpoint: Endpoint,
    /// Whether a stream was asked for.
    pub streamed: bool,
    /// The HTTP status; none if there was none.
    pub status: Option<u16>,
    /// How it ended.
    pub ended: Ended,
    /// The fault that was scripted for it.
    pub fault: Option<&'static str>,
    /// What was generated until it ended, and its input.
    pub usage: Usage,
    /// What of that is billed: all, or nothing.
    pub billed_usage: Usage,
    /// What it costs.
    pub billed: NanoUsd,
}

/// Sums over all requests since the start or the last reset, forgotten entries included.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OracleTotals {
    /// Requests that have ended.
    pub requests: u64,
    /// Requests that have not.
    pub in_flight: u64,
    /// Of those that ended, how many with the whole reply.
    pub finished: u64,
    /// How many cut by a fault.
    pub cut_by_fault: u64,
    /// How many left by their client.
    pub client_gone: u64,
    /// How many answered with an error.
    pub errors: u64,
    /// Billed usage.
    pub usage: Usage,
    /// Billed money.
    pub billed: NanoUsd,
}

/// The account. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Oracle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    enabled: bool,
    most: usize,
    boot: u32,
    models: Arc<Models>,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    rows: VecDeque<Row>,
    /// The number of the last row.
    last: u64,
    totals: OracleTotals,
    /// Resets so far: a request that began before one is not booked after it.
    epoch: u32,
}

/// Tokens of one request, compactly.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tokens {
    /// All input.
    pub(crate) input: u32,
    /// Of it, read from the prompt cache.
    pub(crate) cache_read: u32,
    /// Of it, written for five minutes.
    pub(crate) cache_write_5m: u32,
    /// Of it, written for an hour.
    pub(crate) cache_write_1h: u32,
    /// All output.
    pub(crate) output: u32,
    /// Of it, reasoning.
    pub(crate) reasoning: u32,
}

impl Tokens {
    fn usage(self) -> Usage {
        Usage {
            input_tokens: self.input.into(),
            cache_read_tokens: self.cache_read.into(),
            cache_write_5m_tokens: self.cache_write_5m.into(),
            cache_write_1h_tokens: self.cache_write_1h.into(),
            output_tokens: self.output.into(),
            reasoning_tokens: self.reasoning.into(),
            ..Usage::default()
        }
    }

    /// Input that the prompt cache had no part in.
    pub(crate) fn uncached(self) -> u32 {
        self.input
            .saturating_sub(self.cache_read)
            .saturating_sub(self.cache_write_5m)
            .saturating_sub(self.cache_write_1h)
    }

    /// What the tokens cost: each line item rounded half up, once.
    fn cost(self, prices: &Prices) -> NanoUsd {
        let lines = [
            (self.uncached(), prices.input),
            (self.cache_read, prices.cache_read),
            (self.cache_write_5m, prices.cache_write_5m),
            (self.cache_write_1h, prices.cache_write_1h),
            (self.output, prices.output),
        ];
        lines.into_iter().map(|(tokens, price)| line(tokens, price)).sum()
    }
}

fn line(tokens: u32, price: i64) -> NanoUsd {
    let nanos = (i128::from(tokens) * i128::from(price) + 500_000).div_euclid(1_000_000);
    NanoUsd::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

/// One request, as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The number in its id.
    pub(crate) id: u64,
    /// When it ended.
    pub(crate) ended_at: Timestamp,
    /// The client's `x-request-id`.
    pub(crate) request_id: Option<Box<str>>,
    /// The client's `x-client-request-id`.
    pub(crate) client_request_id: Option<Box<str>>,
    /// What was generated.
    pub(crate) tokens: Tokens,
    /// The model's place.
    pub(crate) model: Option<u16>,
    /// The HTTP status, or 0.
    pub(crate) status: u16,
    /// The dialect.
    pub(crate) dialect: Dialect,
    /// What was asked for.
    pub(crate) endpoint: Endpoint,
    /// Whether a stream was asked for.
    pub(crate) streamed: bool,
    /// Whether it is billed.
    pub(crate) billed: bool,
    /// How it ended.
    pub(crate) ended: Ended,
    /// The fault scripted for it.
    pub(crate) fault: Option<&'static str>,
}

/// The text of a reply's id.
pub(crate) fn id_text(dialect: Dialect, boot: u32, id: u64) -> String {
    let prefix = match dialect {
        Dialect::OpenaiChat => "chatcmpl-",
        Dialect::OpenaiResponses => "resp_",
        Dialect::Anthropic => "msg_",
        Dialect::Gemini | Dialect::Cohere => "",
    };
    format!("{prefix}{boot:08x}{id:016x}")
}

impl Oracle {
    /// An empty account.
    pub(crate) fn new(enabled: bool, most: usize, boot: u32, models: Arc<Models>) -> Self {
        Self(Arc::new(Shared { enabled, most, boot, models, book: Mutex::default() }))
    }

    /// At most `limit` entries after the number `after`, in order.
    pub fn entries(&self, after: u64, limit: usize) -> Vec<OracleEntry> {
        let book = self.0.book.lock();
        let first = book.last + 1 - u64::try_from(book.rows.len()).unwrap_or(0);
        let skip = usize::try_from((after + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        let numbered = (first..).zip(book.rows.iter());
        numbered.skip(skip).take(limit).map(|(seq, row)| self.entry(seq, row)).collect()
    }

    /// The sums.
    pub fn totals(&self) -> OracleTotals {
        self.0.book.lock().totals
    }

    /// Forgets everything. Requests in flight will not be in the account.
    pub fn reset(&self) {
        let mut book = self.0.book.lock();
        book.rows.clear();
        book.last = 0;
        book.totals = OracleTotals::default();
        book.epoch = book.epoch.wrapping_add(1);
    }

    /// Whether an account is kept.
    pub(crate) fn enabled(&self) -> bool {
        self.0.enabled
    }

    /// A request begins; what is returned goes back to [`Oracle::close`].
    pub(crate) fn open(&self) -> u32 {
        if !self.0.enabled {
            return 0;
        }
        let mut book = self.0.book.lock();
        book.totals.in_flight += 1;
        book.epoch
    }

    /// A request ended.
    pub(crate) fn close(&self, epoch: u32, row: Row) {
        if !self.0.enabled {
            return;
        }
        let billed = self.billed(&row);
        let mut book = self.0.book.lock();
        if book.epoch != epoch {
            return;
        }
        let totals = &mut book.totals;
        totals.in_flight = totals.in_flight.saturating_sub(1);
        totals.requests += 1;
        *match row.ended {
            Ended::Finished => &mut totals.finished,
            Ended::CutByFault => &mut totals.cut_by_fault,
            Ended::ClientGone => &mut totals.client_gone,
            Ended::Error => &mut totals.errors,
        } += 1;
        totals.billed = totals.billed.plus(billed);
        if row.billed {
            add(&mut totals.usage, row.tokens.usage());
        }
        book.last += 1;
        book.rows.push_back(row);
        while book.rows.len() > self.0.most {
            book.rows.pop_front();
        }
    }

    fn model(&self, row: &Row) -> Option<&ModelOptions> {
        row.model.and_then(|place| self.0.models.get(place))
    }

    fn billed(&self, row: &Row) -> NanoUsd {
        match self.model(row) {
            Some(model) if row.billed => row.tokens.cost(&model.prices),
            _ => NanoUsd::ZERO,
        }
    }

    fn entry(&self, seq: u64, row: &Row) -> OracleEntry {
        let usage = row.tokens.usage();
        OracleEntry {
            seq,
            ended_at: row.ended_at,
            id: id_text(row.dialect, self.0.boot, row.id),
            request_id: row.request_id.as_deref().map(str::to_owned),
            client_request_id: row.client_request_id.as_deref().map(str::to_owned),
            model: self.model(row).map(|model| model.name.clone()),
            dialect: row.dialect,
            endpoint: row.endpoint,
            streamed: row.streamed,
            status: Some(row.status).filter(|status| *status != 0),
            ended: row.ended,
            fault: row.fault,
            usage,
            billed_usage: if row.billed { usage } else { Usage::default() },
            billed: self.billed(row),
        }
    }
}

fn add(sum: &mut Usage, usage: Usage) {
    sum.input_tokens += usage.input_tokens;
    sum.cache_read_tokens += usage.cache_read_tokens;
    sum.cache_write_5m_tokens += usage.cache_write_5m_tokens;
    sum.cache_write_1h_tokens += usage.cache_write_1h_tokens;
    sum.output_tokens += usage.output_tokens;
    sum.reasoning_tokens += usage.reasoning_tokens;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(input: u32, billed: bool) -> Row {
        Row {
            id: 1,
            ended_at: Timestamp::default(),
            request_id: None,
            client_request_id: None,
            tokens: Tokens { input, output: 1, ..Tokens::default() },
            model: Some(0),
            status: 200,
            dialect: Dialect::OpenaiChat,
            endpoint: Endpoint::Chat,
            streamed: false,
            billed,
            ended: Ended::Finished,
            fault: None,
        }
    }

    fn oracle(most: usize) -> Oracle {
        Oracle::new(true, most, 0, Arc::new(Models::new(vec![ModelOptions::small()])))
    }

    #[test]
    fn each_line_item_is_rounded_half_up_once() {
        assert_eq!(line(1, 500_000).as_nanos(), 1);
        assert_eq!(line(1, 499_999).as_nanos(), 0);
        assert_eq!(line(3, 500_000).as_nanos(), 2);
        assert_eq!(line(u32::MAX, i64::MAX).as_nanos(), i64::MAX);
        let tokens = Tokens { input: 10, cache_read: 4, cache_write_5m: 3, output: 2, ..Tokens::default() };
        // 3 * 150 + 4 * 75 + 3 * 187.5 + 2 * 600, the third rounded up on its own.
        assert_eq!(tokens.cost(&Prices::SMALL).as_nanos(), 450 + 300 + 563 + 1_200);
    }

    #[test]
    fn entries_after_a_number_are_all_that_ended_since() {
        let oracle = oracle(3);
        let epoch = oracle.open();
        for input in 1..=5 {
            oracle.close(epoch, row(input, true));
        }
        let numbers = |after, limit| -> Vec<u64> {
            oracle.entries(after, limit).into_iter().map(|entry| entry.seq).collect()
        };
        assert_eq!(numbers(0, 10), [3, 4, 5]);
        assert_eq!(numbers(3, 1), [4]);
        assert_eq!(numbers(5, 10), [] as [u64; 0]);
        assert_eq!(numbers(99, 10), [] as [u64; 0]);
        assert_eq!(oracle.totals().requests, 5);
        assert_eq!(oracle.totals().usage.input_tokens, 15);
    }

    #[test]
    fn what_is_not_billed_costs_nothing_and_a_reset_forgets() {
        let oracle = oracle(3);
        let before = oracle.open();
        oracle.close(before, row(1_000, false));
        let entry = oracle.entries(0, 1).remove(0);
        assert_eq!((entry.usage.input_tokens, entry.billed), (1_000, NanoUsd::ZERO));
        oracle.reset();
        oracle.close(before, row(1, true));
        assert_eq!(oracle.totals(), OracleTotals::default());
    }
}

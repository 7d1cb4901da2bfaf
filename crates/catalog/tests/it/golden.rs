//! Costs worked out by hand, in nano-dollars, for usages as providers report them.
//!
//! A rate of $1 per million tokens is 1,000 nano-dollars per token, so $0.25 is 250 and $15 is 15,000.

use stepwell_catalog::{ModelPrice, OwnPrice, PriceBook, Rate};
use stepwell_types::{CostStatus, Timestamp, Usage};

struct Case {
    /// The provider's name in the price data, the model, and the time.
    call: (&'static str, &'static str, &'static str),
    context: &'static [(&'static str, &'static str)],
    usage: Usage,
    /// The arithmetic, line by line.
    nanos: i64,
}

const NOON: &str = "2026-11-20T12:00:00Z";

fn at(time: &str) -> Timestamp {
    Timestamp::from_micros(time.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

fn plain(input_tokens: u64, output_tokens: u64) -> Usage {
    Usage { input_tokens, output_tokens, ..Usage::default() }
}

fn case(provider: &'static str, model: &'static str, time: &'static str, usage: Usage, nanos: i64) -> Case {
    Case { call: (provider, model, time), context: &[], usage, nanos }
}

fn openai() -> Vec<Case> {
    vec![
        // {"prompt_tokens":1000,"completion_tokens":200}: $0.25 in, $2 out.
        case("openai", "gpt-5-mini", NOON, plain(1_000, 200), 1_000 * 250 + 200 * 2_000),
        // {"prompt_tokens":10000,"prompt_tokens_details":{"cached_tokens":8192},"completion_tokens":300,
        //  "completion_tokens_details":{"reasoning_tokens":128}}: cached at $0.025, reasoning is output.
        case(
            "openai",
            "gpt-5-mini",
            NOON,
            Usage { cache_read_tokens: 8_192, reasoning_tokens: 128, ..plain(10_000, 300) },
            1_808 * 250 + 8_192 * 25 + 300 * 2_000,
        ),
        // The same as above by its dated name, and in capitals.
        case("openai", "GPT-5-mini-2025-08-07", NOON, plain(1, 1), 250 + 2_000),
        // $0.15, $0.075, $0.60.
        case(
            "openai",
            "gpt-4o-mini",
            NOON,
            Usage { cache_read_tokens: 3, ..plain(7, 1) },
            4 * 150 + 3 * 75 + 600,
        ),
        // Exactly 272,000 tokens in are still short: $0.20 in, $1.20 out.
        case("openai", "gpt-5.6-luna", NOON, plain(272_000, 1_000), 272_000 * 200 + 1_000 * 1_200),
        // Above that the whole call is long: $0.40 in, $0.04 cached, $0.50 written, $1.80 out.
        case(
            "openai",
            "gpt-5.6-luna",
            NOON,
            Usage { cache_read_tokens: 100_000, cache_write_5m_tokens: 50_000, ..plain(300_000, 1_000) },
            150_000 * 400 + 100_000 * 40 + 50_000 * 500 + 1_000 * 1_800,
        ),
        // The microsecond before the price fell on 2026-07-30: $1 in, $6 out.
        case(
            "openai",
            "gpt-5.6-luna",
            "2026-07-29T23:59:59.999999Z",
            plain(1_000, 100),
            1_000 * 1_000 + 100 * 6_000,
        ),
        // $10 and $40 until 2025-06-10, then $2 and $8.
        case("openai", "o3", "2025-06-09T23:59:59Z", plain(100, 10), 100 * 10_000 + 10 * 40_000),
        case("openai", "o3", "2025-06-10T00:00:00Z", plain(100, 10), 100 * 2_000 + 10 * 8_000),
        // {"prompt_tokens":100,"prompt_tokens_details":{"audio_tokens":80},"completion_tokens":50,
        //  "completion_tokens_details":{"audio_tokens":40}}: text $2.50 and $10, audio $32 and $64.
        case(
            "openai",
            "gpt-audio",
            NOON,
            Usage { input_audio_tokens: 80, output_audio_tokens: 40, ..plain(100, 50) },
            20 * 2_500 + 80 * 32_000 + 10 * 10_000 + 40 * 64_000,
        ),
        // {"service_tier":"priority"} in the reply: $0.45 and $3.60.
        Case {
            context: &[("service_tier", "priority")],
            ..case("openai", "gpt-5-mini", NOON, plain(1_000, 200), 1_000 * 450 + 200 * 3_600)
        },
        // {"service_tier":"default"}: as without.
        Case {
            context: &[("service_tier", "default")],
            ..case("openai", "gpt-5-mini", NOON, plain(1_000, 200), 1_000 * 250 + 200 * 2_000)
        },
    ]
}

fn anthropic() -> Vec<Case> {
    vec![
        // {"input_tokens":1200,"cache_read_input_tokens":4096,"cache_creation":{"ephemeral_5m_input_tokens":2048,
        //  "ephemeral_1h_input_tokens":1024},"output_tokens":500}: $3, $0.30, $3.75, $6, $15.
        case(
            "anthropic",
            "claude-sonnet-4-5-20250929",
            NOON,
            Usage {
                cache_read_tokens: 4_096,
                cache_write_5m_tokens: 2_048,
                cache_write_1h_tokens: 1_024,
                ..plain(1_200 + 4_096 + 2_048 + 1_024, 500)
            },
            1_200 * 3_000 + 4_096 * 300 + 2_048 * 3_750 + 1_024 * 6_000 + 500 * 15_000,
        ),
        // Up to 100,000 tokens in: $0.10 and $0.50. One more, cached ones counted: $0.50 and $2.50, cached $0.05.
        case("anthropic", "claude-haiku-5-5", NOON, plain(100_000, 10), 100_000 * 100 + 10 * 500),
        case(
            "anthropic",
            "claude-haiku-5-5",
            NOON,
            Usage { cache_read_tokens: 90_000, ..plain(100_001, 10) },
            10_001 * 500 + 90_000 * 50 + 10 * 2_500,
        ),
        // On a cloud whose 1-hour rate the data does not have: twice the input rate of $3.
        case(
            "aws",
            "global.anthropic.claude-sonnet-4-20250514-v1:0",
            NOON,
            Usage { cache_write_1h_tokens: 1_000, ..plain(1_000, 1) },
            1_000 * 6_000 + 15_000,
        ),
    ]
}

fn others() -> Vec<Case> {
    vec![
        // {"billed_units":{"input_tokens":6772,"output_tokens":248},"tokens":{"input_tokens":7596,"output_tokens":645},
        //  "cached_tokens":5000}: $2.50 and $10 for what is billed; Cohere has no rate of its own for what is cached.
        case(
            "cohere",
            "command-a-03-2025",
            NOON,
            Usage { cache_read_tokens: 5_000, ..plain(6_772, 248) },
            6_772 * 2_500 + 248 * 10_000,
        ),
        // In the daytime window $0.55 and $2.19, outside $0.135 and $0.55; the window's end is outside.
        case("deepseek", "deepseek-reasoner", "2026-11-20T00:30:00Z", plain(1_000, 100), 550_000 + 219_000),
        case("deepseek", "deepseek-reasoner", "2026-11-20T16:30:00Z", plain(1_000, 100), 135_000 + 55_000),
        // From 200,000 tokens in: $4, $0.60, $12.
        case(
            "x-ai",
            "grok-4.5",
            NOON,
            Usage { cache_read_tokens: 50_000, ..plain(200_000, 1_000) },
            150_000 * 4_000 + 50_000 * 600 + 1_000 * 12_000,
        ),
        // $14 per thousand requests, $3, $15.
        case("perplexity", "sonar-pro", NOON, plain(100, 50), 14_000_000 + 100 * 3_000 + 50 * 15_000),
        // Reasoning at a rate of its own: $3, other output $8, input $2.
        case(
            "openrouter",
            "perplexity/sonar-deep-research",
            NOON,
            Usage { reasoning_tokens: 60, ..plain(10, 100) },
            10 * 2_000 + 40 * 8_000 + 60 * 3_000,
        ),
        // $1.50 and $7.50.
        case("mistral", "mistral-medium-3-5", NOON, plain(123, 45), 123 * 1_500 + 45 * 7_500),
        // One cached token at $0.0375 is 37.5: rounded half up to 38, once for the line. In $0.075, out $0.30.
        case(
            "groq",
            "openai/gpt-oss-20b",
            NOON,
            Usage { cache_read_tokens: 1, ..plain(3, 1) },
            2 * 75 + 38 + 300,
        ),
        // Three cached tokens are 112.5: 113, not three times 38.
        case("groq", "openai/gpt-oss-20b", NOON, Usage { cache_read_tokens: 3, ..plain(3, 0) }, 113),
        // The simulator's: $0.15, $0.075, $0.1875, $0.30, $0.60.
        case(
            "sim",
            "small",
            NOON,
            Usage {
                cache_read_tokens: 20,
                cache_write_5m_tokens: 16,
                cache_write_1h_tokens: 4,
                ..plain(50, 5)
            },
            10 * 150 + 20 * 75 + 16 * 375 / 2 + 4 * 300 + 5 * 600,
        ),
        // $3, $0.30, $3.75, $6, $15.
        case(
            "sim",
            "large",
            NOON,
            Usage {
                cache_read_tokens: 20,
                cache_write_5m_tokens: 16,
                cache_write_1h_tokens: 4,
                ..plain(50, 5)
            },
            10 * 3_000 + 20 * 300 + 16 * 3_750 + 4 * 6_000 + 5 * 15_000,
        ),
    ]
}

#[test]
fn provider_usages_cost_what_they_cost_by_hand() {
    let book = PriceBook::embedded().unwrap();
    for Case { call: (provider, model, time), context, usage, nanos } in
        openai().into_iter().chain(anthropic()).chain(others())
    {
        let cost = book.find(provider, model).unwrap().cost_in(&usage, at(time), context);
        let total = cost.total.unwrap().as_nanos();
        assert_eq!((total, cost.status), (nanos, CostStatus::Exact), "{provider}/{model} {usage:?}");
    }
}

#[test]
fn a_usage_that_contradicts_itself_costs_its_dearest_reading() {
    let book = PriceBook::embedded().unwrap();
    let price = book.find("openai", "gpt-5-mini").unwrap();
    // More cached than there is: the 10 are read as coming on top of the 1,000.
    let input = Usage { cache_read_tokens: 1_000, ..plain(10, 5) };
    let cost = price.cost(&input, at(NOON));
    assert_eq!(cost.total.unwrap().as_nanos(), 10 * 250 + 1_000 * 25 + 5 * 2_000);
    assert_eq!(cost.status, CostStatus::Inconsistent);
    // A provider that reports reasoning beside its output.
    let output = Usage { reasoning_tokens: 20, ..plain(10, 5) };
    let cost = price.cost(&output, at(NOON));
    assert_eq!(cost.total.unwrap().as_nanos(), 10 * 250 + 25 * 2_000);
    assert_eq!(cost.status, CostStatus::Inconsistent);
}

#[test]
fn audio_that_may_or_may_not_be_cached_costs_its_dearest_reading() {
    let book = PriceBook::embedded().unwrap();
    let price = book.find("openai", "gpt-realtime").unwrap();
    // Text $4, cached $0.40, audio $32, cached audio $0.40. Of 100 tokens 60 are audio and 70 cached, so 30 to 60
    // are both. 30: no plain text, 40 cached text, 30 audio, 30 cached audio.
    let usage = Usage { cache_read_tokens: 70, input_audio_tokens: 60, ..plain(100, 0) };
    let cost = price.cost(&usage, at(NOON));
    assert_eq!(cost.total.unwrap().as_nanos(), 40 * 400 + 30 * 32_000 + 30 * 400);
    assert_eq!(cost.status, CostStatus::Estimated);
    // With nothing cached there is one reading only.
    let usage = Usage { input_audio_tokens: 60, ..plain(100, 0) };
    let cost = price.cost(&usage, at(NOON));
    assert_eq!(cost.total.unwrap().as_nanos(), 40 * 4_000 + 60 * 32_000);
    assert_eq!(cost.status, CostStatus::Exact);
}

#[test]
fn a_price_of_ones_own_is_charged_as_written() {
    let rate = |text: &str| text.parse::<Rate>().unwrap();
    let mut own = OwnPrice { input: rate("0.2"), output: rate("0.8"), cache_read: None, cache_write: None };
    let usage = Usage {
        cache_read_tokens: 500,
        cache_write_5m_tokens: 100,
        cache_write_1h_tokens: 10,
        ..plain(1_000, 10)
    };
    let nanos =
        |own: &OwnPrice| ModelPrice::from_own("llama", own).cost(&usage, at(NOON)).total.unwrap().as_nanos();
    // Without rates of their own, cached tokens are input.
    assert_eq!(nanos(&own), 1_000 * 200 + 10 * 800);
    own.cache_read = Some(rate("0.02"));
    own.cache_write = Some(rate("0.25"));
    assert_eq!(nanos(&own), 390 * 200 + 500 * 20 + 100 * 250 + 10 * 400 + 10 * 800);
    assert_eq!(nanos(&OwnPrice::FREE), 0);
}

#[test]
fn what_has_no_price_has_no_cost_and_no_bound() {
    let book = PriceBook::embedded().unwrap();
    for (provider, model) in
        [("openai", "no-such-model"), ("no such provider", "gpt-5"), ("openai", "whisper-9"), ("openai", "")]
    {
        assert!(book.find(provider, model).is_none(), "{provider}/{model}");
    }
    // Listed without any rate, and not as free.
    assert!(book.find("cerebras", "qwen-3-coder-480b").is_none());
    // Priced for input only: tokens out have no price.
    let embedding = book.find("openai", "text-embedding-3-small").unwrap();
    assert_eq!(embedding.cost(&plain(100, 0), at(NOON)).total.unwrap().as_nanos(), 100 * 20);
    let cost = embedding.cost(&plain(100, 1), at(NOON));
    assert_eq!((cost.total, cost.status), (None, CostStatus::Unpriced));
    assert!(embedding.bound(100, 0, at(NOON)).is_some());
    assert_eq!(embedding.bound(100, 1, at(NOON)), None);
}

//! How long opening the book, look-ups and sums take. Run by hand:
//! `cargo run --release -p stepwell-catalog --example speed`.

use std::hint::black_box;
use std::time::Instant;

use stepwell_catalog::{Day, Error, Installed, PriceBook};
use stepwell_types::{Timestamp, Usage};

#[expect(clippy::disallowed_methods, reason = "a measurement reads the machine's clock")]
fn timed<T>(what: &str, rounds: u32, mut run: impl FnMut() -> T) -> T {
    let start = Instant::now();
    for _ in 1..rounds {
        black_box(run());
    }
    let last = run();
    let each = start.elapsed() / rounds;
    #[expect(clippy::print_stdout, reason = "the measurement is the output")]
    {
        println!("{each:>12?}  {what}");
    }
    last
}

fn main() -> Result<(), Error> {
    let book = timed("open the book", 1, PriceBook::embedded)?;
    timed("open it again", 100, PriceBook::embedded)?;
    let text = include_str!("../data/prices.json");
    let today = Day::of(Timestamp::from_micros(1_795_000_000_000_000));
    let (file, _) = timed("check and install a file", 1, || Installed::make(text, "prices.json", today))?;
    timed("open an installed file", 10, || Installed::open(&file))?;
    timed("find the last day it mentions", 10, || Day::last_mentioned(text, today));
    for provider in ["openai", "anthropic", "openrouter"] {
        timed(&format!("read the models of {provider}"), 1, || book.find(provider, "no such model"));
    }
    timed("find gpt-5-mini at openai", 10_000, || book.find("openai", black_box("gpt-5-mini")));
    timed("find none at openai", 10_000, || book.find("openai", black_box("no such model")));
    timed("find none at openrouter", 10_000, || book.find("openrouter", black_box("no such model")));
    let usage = Usage {
        input_tokens: 10_000,
        cache_read_tokens: 8_000,
        output_tokens: 300,
        reasoning_tokens: 100,
        ..Usage::default()
    };
    let at = Timestamp::from_micros(1_795_000_000_000_000);
    for (provider, model) in [("openai", "gpt-5.4"), ("anthropic", "claude-sonnet-4-5"), ("sim", "small")] {
        let Some(price) = book.find(provider, model) else { continue };
        timed(&format!("cost of {model}"), 1_000_000, || price.cost(black_box(&usage), black_box(at)));
        timed(&format!("bound of {model}"), 1_000_000, || price.bound(black_box(10_000), 1_000, at));
    }
    Ok(())
}

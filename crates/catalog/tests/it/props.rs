//! What holds of every model of the data, whatever is metered and whenever.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use proptest::prelude::*;
use stepwell_catalog::{Line, ModelPrice, PROMPT_OVERHEAD_TOKENS, PriceBook, provider_kinds};
use stepwell_types::{CostStatus, NanoUsd, Timestamp, Usage};

static BOOK: LazyLock<PriceBook> = LazyLock::new(|| PriceBook::embedded().unwrap());

/// Every price of the providers we know, those with audio, reasoning and request prices too.
static PRICES: LazyLock<Vec<Arc<ModelPrice>>> = LazyLock::new(|| {
    let providers = provider_kinds().iter().filter_map(|kind| kind.prices);
    let of = |id| BOOK.model_ids(id).filter_map(|model| BOOK.find(id, model)).collect::<Vec<_>>();
    providers.chain(["google", "perplexity", "aws", "azure", "minimax"]).flat_map(of).collect()
});

fn price() -> impl Strategy<Value = Arc<ModelPrice>> {
    any::<prop::sample::Index>().prop_map(|index| Arc::clone(index.get(&PRICES)))
}

/// From 2023 to 2027.
fn time() -> impl Strategy<Value = Timestamp> {
    (1_672_531_200_000_000_i64..1_830_297_600_000_000).prop_map(Timestamp::from_micros)
}

fn context() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    prop_oneof![
        Just(vec![]),
        prop::sample::select(vec!["default", "flex", "priority", "fast"])
            .prop_map(|tier| vec![("service_tier", tier)]),
        Just(vec![("processing", "batch")]),
    ]
}

/// A usage whose parts fit in `input` and `output`.
fn consistent(input: u64, output: u64) -> impl Strategy<Value = Usage> {
    let share = || 0_u64..=1_000;
    (share(), share(), share(), share(), share(), share()).prop_map(move |shares| {
        let of =
            |whole: u64, share: u64| u64::try_from(u128::from(whole) * u128::from(share) / 1_000).unwrap();
        let (read, write, hour, audio, reasoning, voice) = shares;
        let cache_read_tokens = of(input, read);
        let cache_write_5m_tokens = of(input - cache_read_tokens, write);
        Usage {
            input_tokens: input,
            cache_read_tokens,
            cache_write_5m_tokens,
            cache_write_1h_tokens: of(input - cache_read_tokens - cache_write_5m_tokens, hour),
            input_audio_tokens: of(input, audio),
            output_tokens: output,
            reasoning_tokens: of(output, reasoning),
            output_audio_tokens: of(output, voice),
        }
    })
}

fn tokens() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..2_000, 0_u64..2_000_000, Just(u64::MAX), any::<u64>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_usage_panics_or_overflows_and_the_total_is_the_sum_of_the_lines(
        price in price(), at in time(), context in context(),
        counts in prop::array::uniform8(tokens()),
    ) {
        let [input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, input_audio_tokens,
            output_tokens, reasoning_tokens, output_audio_tokens] = counts;
        let usage = Usage { input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
            input_audio_tokens, output_tokens, reasoning_tokens, output_audio_tokens };
        let cost = price.cost_in(&usage, at, &context);
        let lines = Line::ALL.map(|line| cost.line(line));
        prop_assert!(lines.iter().all(|amount| *amount >= NanoUsd::ZERO));
        if let Some(total) = cost.total {
            prop_assert_eq!(total, lines.into_iter().sum());
            prop_assert_eq!(cost.status == CostStatus::Inconsistent, !usage.is_consistent());
        } else {
            prop_assert_eq!(cost.status, CostStatus::Unpriced);
        }
        let bound = price.bound(input_tokens, output_tokens, at);
        prop_assert!(bound.is_none_or(|bound| bound >= NanoUsd::ZERO));
    }

    #[test]
    fn no_consistent_usage_within_the_bounds_costs_more_than_the_bound(
        (price, at, context, later) in (price(), time(), context(), 0_u64..=86_400),
        (bytes, output, usage) in (0_u64..400_000, 0_u64..70_000).prop_flat_map(|(bytes, output)| {
            let usage = (0..=bytes + PROMPT_OVERHEAD_TOKENS, 0..=output)
                .prop_flat_map(|(input, output)| consistent(input, output));
            (Just(bytes), Just(output), usage)
        }),
    ) {
        if let Some(bound) = price.bound(bytes, output, at) {
            let cost = price.cost_in(&usage, at.plus(Duration::from_secs(later)), &context);
            prop_assert!(cost.total.is_some_and(|total| total <= bound), "{} {cost:?} {bound:?}", price.id());
        }
    }

    #[test]
    fn the_bound_is_reached_by_a_call_at_the_dearest_rate(bytes in 0_u64..400_000, output in 0_u64..70_000) {
        // The simulator has no tiers: an hour's cache write for every token is the dearest input.
        let price = BOOK.find("sim", "large").unwrap();
        let input_tokens = bytes + PROMPT_OVERHEAD_TOKENS;
        let usage = Usage { input_tokens, cache_write_1h_tokens: input_tokens, output_tokens: output, ..Usage::default() };
        let at = Timestamp::from_micros(0);
        let bound = price.bound(bytes, output, at).unwrap().as_nanos();
        let dearest = price.cost(&usage, at).total.unwrap().as_nanos();
        prop_assert!((0..=5).contains(&(bound - dearest)), "{dearest} {bound}");
    }

    #[test]
    fn more_tokens_never_cost_less(
        (price, at) in (price(), time()),
        usage in (0_u64..400_000, 0_u64..70_000).prop_flat_map(|(input, output)| consistent(input, output)),
        (more_input, more_output) in (0_u64..400_000, 0_u64..70_000),
    ) {
        let total = |usage: &Usage| price.cost(usage, at).total;
        let longer = Usage { input_tokens: usage.input_tokens + more_input, ..usage };
        let wordier = Usage { output_tokens: usage.output_tokens + more_output, ..usage };
        if total(&longer).is_some() && total(&wordier).is_some() {
            prop_assert!(total(&usage) <= total(&longer), "{} {usage:?} {longer:?}", price.id());
            prop_assert!(total(&usage) <= total(&wordier), "{} {usage:?} {wordier:?}", price.id());
        }
    }
}

//! Properties of what follows after a price: discounts and margins, sums, integers, prepaid bills.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::str::FromStr;
use std::sync::LazyLock;

use bigdecimal::{BigDecimal, RoundingMode};
use llm_costmap::accounting::{CostSum, PricingSnapshot};
use llm_costmap::cost::{Adjustment, Adjustments, Charge, Number, PriceSet, PriceTerms};
use llm_costmap::{Call, Cost, CostMap, Error, Usage, Usd};
use proptest::prelude::*;
use serde_json::json;

static MAP: LazyLock<CostMap> = LazyLock::new(|| {
    CostMap::from_json(
        r#"{
            "a": {"litellm_provider": "openai", "input_cost_per_token": 1.234567e-6, "output_cost_per_token": 9.87e-6,
                "cache_read_input_token_cost": 1e-28, "output_cost_per_reasoning_token": 3e-6,
                "regional_processing_uplift_multiplier_eu": 1.1, "input_cost_per_token_above_200k_tokens": 2.5e-6},
            "b": {"litellm_provider": "azure", "input_cost_per_token": 3e-7, "output_cost_per_token": 6e-7},
            "half": {"litellm_provider": "openai", "input_cost_per_token": 1e-6}
        }"#,
    )
    .expect("a map")
});

const MODELS: [&str; 3] = ["a", "b", "half"];

fn big(usd: Usd) -> BigDecimal {
    BigDecimal::from_str(&usd.to_string()).expect("digits")
}

fn usd(units: i64, scale: u32) -> Usd {
    BigDecimal::new(units.into(), scale.into()).to_plain_string().parse().expect("within the range")
}

fn number(digits: u64, scale: u32) -> Number {
    BigDecimal::new(digits.into(), scale.into()).to_plain_string().parse().expect("digits")
}

fn usage() -> impl Strategy<Value = Usage> {
    (0..400_000u64, 0..50_000u64, 0..=100u64, 0..=100u64).prop_map(|(prompt, completion, read, reasoning)| {
        Usage::new(prompt, completion)
            .cached_tokens(prompt * read / 100)
            .reasoning_tokens(completion * reasoning / 100)
    })
}

/// A share with its decimals, and a fixed amount in 10^-9 dollars.
fn adjustment() -> impl Strategy<Value = (u64, u32, i64)> {
    (0..=1_000_000_000u64, 9..=18u32, prop_oneof![Just(0), 0..5_000_000_000i64])
}

fn adjusting((digits, scale, fixed): (u64, u32, i64)) -> Adjustment {
    let share = Adjustment::percentage(number(digits, scale)).expect("a share");
    share.and_fixed_amount(Usd::from_nanos(fixed)).expect("an amount")
}

/// A bill, complete or not.
fn bill(model: &str, usage: &Usage, terms: &PriceTerms, is_prepaid: bool) -> Result<Cost, Error> {
    let call = Call::new(usage).data_residency("eu").terms(terms);
    MAP.cost(model, if is_prepaid { call.prepaid() } else { call })
}

fn sum(bills: &[Result<Cost, Error>]) -> CostSum {
    let mut sum = CostSum::new();
    for bill in bills {
        let added = match bill {
            Ok(cost) => sum.add(cost),
            Err(Error::Unpriced(bill)) => sum.add_unpriced(bill),
            Err(error) => panic!("{error}"),
        };
        added.expect("within the range");
    }
    sum
}

proptest! {
    /// First the discount, then the margin on what is left, each rounded once, half to even.
    #[test]
    fn a_discount_and_a_margin_are_exact(
        usage in usage(), discount in adjustment(), margin in adjustment(), model in 0..2usize,
        factor in 0..3_000_000u64,
    ) {
        let adjustments = Adjustments::new()
            .discount("global", adjusting(discount)).expect("a discount")
            .margin("global", adjusting(margin)).expect("a margin");
        let multiplier = number(factor, 6);
        let terms = PriceTerms::new().adjustments(adjustments).multiplier(multiplier).expect("a factor");
        let cost = bill(MODELS[model], &usage, &terms, false).expect("a price");
        let call = Call::new(&usage).data_residency("eu").terms(&terms);
        prop_assert_eq!(MAP.total(MODELS[model], call).expect("a price"), cost.total());

        let share = |(digits, scale, fixed): (u64, u32, i64), of: &BigDecimal| {
            let product = of * BigDecimal::new(digits.into(), scale.into());
            product.with_scale_round(28, RoundingMode::HalfEven) + BigDecimal::new(fixed.into(), 9)
        };
        let original = big(cost.original());
        let taken = share(discount, &original).min(original.clone());
        let left = &original - &taken;
        let added = share(margin, &left);
        prop_assert_eq!(big(cost.discount()), taken);
        prop_assert_eq!(big(cost.margin()), added.clone());
        prop_assert_eq!(big(cost.total()), left + added);
        let lines: Option<Usd> = cost.lines().map(|line| line.amount).sum();
        prop_assert_eq!(lines, Some(cost.total()));
        // The multiplier is of each line, rounded once.
        let plain = bill(MODELS[model], &usage, &PriceTerms::new(), false).expect("a price");
        if factor != 1_000_000 {
            for (line, plain) in cost.lines().zip(plain.lines()) {
                let quantity = BigDecimal::from_str(&plain.quantity.to_string()).expect("digits");
                let product = big(plain.rate.expect("a rate")) * quantity
                    * BigDecimal::from_str(&plain.multiplier.to_string()).expect("digits")
                    * BigDecimal::new(factor.into(), 6);
                prop_assert_eq!(big(line.amount), product.with_scale_round(28, RoundingMode::HalfEven));
            }
        }
    }

    #[test]
    fn a_prepaid_bill_keeps_its_list_cost(
        usage in usage(), margin in adjustment(), model in 0..3usize, charge in 0..1_000_000_000i64,
    ) {
        let adjustments = Adjustments::new().margin("openai", adjusting(margin)).expect("a margin");
        let terms = PriceTerms::new().adjustments(adjustments);
        let [metered, prepaid] = [false, true].map(|is_prepaid| bill(MODELS[model], &usage, &terms, is_prepaid));
        let (Ok(mut metered), Ok(mut prepaid)) = (metered, prepaid) else { return Ok(()) };
        prop_assert!(prepaid.lines().eq(metered.lines()));
        prop_assert_eq!((prepaid.total(), prepaid.billed()), (metered.total(), Usd::ZERO));
        let charge = Charge::fee("f", Usd::from_nanos(charge)).expect("a charge");
        for cost in [&mut metered, &mut prepaid] {
            cost.add_charge(charge.clone()).expect("within the range");
        }
        prop_assert_eq!((prepaid.total(), prepaid.billed()), (metered.total(), charge.amount()));
        prop_assert_eq!(metered.billed(), metered.total());
        let rows: Option<Usd> = prepaid.focus_rows().map(|row| row.billed_cost).sum();
        prop_assert_eq!(rows, Some(prepaid.billed()));
    }

    #[test]
    fn sums_do_not_depend_on_their_order(
        calls in prop::collection::vec((usage(), 0..3usize, any::<bool>(), adjustment()), 0..8), split in 0..8usize,
    ) {
        let bills: Vec<Result<Cost, Error>> = calls
            .iter()
            .map(|(usage, model, is_prepaid, discount)| {
                let adjustments = Adjustments::new().discount("azure", adjusting(*discount)).expect("a discount");
                bill(MODELS[*model], usage, &PriceTerms::new().adjustments(adjustments), *is_prepaid)
            })
            .collect();
        let whole = sum(&bills);
        let (front, back) = bills.split_at(split.min(bills.len()));
        for (one, other) in [(front, back), (back, front)] {
            let mut merged = sum(one);
            merged.merge(&sum(other)).expect("within the range");
            prop_assert_eq!(&merged, &whole);
        }
        let backwards: Vec<Result<Cost, Error>> = bills.iter().rev().cloned().collect();
        prop_assert_eq!(&sum(&backwards), &whole);
        let known = |bill: &Result<Cost, Error>| match bill {
            Ok(cost) => cost.total(),
            Err(Error::Unpriced(bill)) => bill.known_total(),
            Err(error) => panic!("{error}"),
        };
        let exact = bills.iter().map(|bill| big(known(bill))).sum::<BigDecimal>();
        prop_assert_eq!(big(whole.known_total()), exact.clone());
        let lines: Option<Usd> = whole.components().map(|(_, sum)| sum.amount).sum();
        prop_assert_eq!(lines.map(big), Some(exact));
        prop_assert_eq!(whole.total().is_some(), bills.iter().all(Result::is_ok));
        prop_assert_eq!(whole.calls(), bills.len() as u64);
        let read: CostSum = serde_json::from_str(&serde_json::to_string(&whole).expect("JSON")).expect("a sum");
        prop_assert_eq!(read, whole);
    }

    #[test]
    fn integers_are_read_back(nanos: i64, micros in -17_000_000_000_000_000i64..=17_000_000_000_000_000, units: i64, scale in 0..=28u32) {
        prop_assert_eq!(Usd::from_nanos(nanos).to_nanos(), Some(nanos));
        prop_assert_eq!(Usd::from_micros(micros).map(Usd::to_micros_ceil), Some(micros));
        let amount = usd(units, scale.max(9));
        let rounded = big(amount).with_scale_round(9, RoundingMode::HalfEven);
        prop_assert_eq!(amount.to_nanos().map(|nanos| BigDecimal::new(nanos.into(), 9)), Some(rounded));
        let ceiling = big(amount).with_scale_round(6, RoundingMode::Ceiling);
        prop_assert_eq!(BigDecimal::new(amount.to_micros_ceil().into(), 6), ceiling);
    }

    /// Any set of prices of one's own gives the bill that a map with those prices gives.
    #[test]
    fn a_price_set_is_a_map_with_other_prices(usage in usage(), input in 0..1_000u64, output in prop::option::of(0..1_000u64)) {
        let mut prices = json!({"input_cost_per_token": format!("{input}e-9")});
        if let Some(output) = output {
            prices["output_cost_per_token"] = format!("{output}e-9").into();
        }
        let terms = PriceTerms::new().price_set(PriceSet::new("s", json!({"a": prices})).expect("a set"));
        let own = CostMap::from_json(serde_json::to_vec(&json!({})).expect("JSON")).expect("a map");
        let info = MAP.get("a").expect("a model");
        own.register_model("a", &info).expect("a model");
        own.register_model("a", &prices).expect("a model");
        let call = Call::new(&usage).data_residency("eu");
        let (by_set, by_map) = (MAP.cost("a", call.terms(&terms)), own.cost("a", call));
        let (by_set, by_map) = (by_set.expect("a price"), by_map.expect("a price"));
        prop_assert_eq!(by_set.lines().len(), by_map.lines().len());
        for (line, own) in by_set.lines().zip(by_map.lines()) {
            prop_assert_eq!((line.component, line.quantity, line.rate), (own.component, own.quantity, own.rate));
            prop_assert_eq!((line.multiplier, line.amount), (own.multiplier, own.amount));
        }
        prop_assert_eq!(by_set.total(), by_map.total());
    }

    /// The rates, quantities and multipliers of a snapshot are those of the bill, and it is read back.
    #[test]
    fn a_snapshot_can_be_recomputed(usage in usage(), factor in 1..3_000_000u64, model in 0..2usize) {
        let terms = PriceTerms::new().multiplier(number(factor, 6)).expect("a factor");
        let call = Call::new(&usage).data_residency("eu").terms(&terms);
        let cost = MAP.cost(MODELS[model], call).expect("a price");
        let snapshot = PricingSnapshot::new(&cost, MODELS[model], call);
        let decimal = |number: Number| BigDecimal::from_str(&number.to_string()).expect("digits");
        let factors = snapshot.multipliers.iter().map(|multiplier| decimal(multiplier.factor));
        let multiplier = factors.fold(BigDecimal::from(1), |product, factor| product * factor);
        let amounts = snapshot.rates.iter().map(|rate| {
            let used = snapshot.usage.iter().find(|used| used.measure == rate.measure && used.unit == rate.unit);
            let amount = decimal(used.expect("a quantity").value) * decimal(rate.usd_per_unit) * multiplier.clone();
            amount.with_scale_round(28, RoundingMode::HalfEven)
        });
        prop_assert_eq!(amounts.sum::<BigDecimal>(), big(snapshot.total_cost));
        let json = serde_json::to_string(&snapshot).expect("JSON");
        prop_assert_eq!(serde_json::from_str::<PricingSnapshot>(&json).expect("a snapshot"), snapshot);
    }
}

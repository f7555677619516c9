//! The calculation of a cost from rates and counts. It reads no map, and no clock unless the entry
//! has off-peak hours.

use super::bill::{Bill, used};
use super::key::Key;
use super::line::{How, Packed, What};
use super::lines::{Lines, Others};
use super::note::NoteSet;
use super::subject::{AskedProvider, Subject};
use super::tokens;
use super::{Call, Cost, NotPriced, Note, PriceSetName, Unpriced};
use crate::num::Usd;
use crate::rates::{CommonCounts, Component, Factors, Price, RateRow, RateSet, RowPosition};
use crate::usage::{Counter, Part};

/// A call that is billed for common components alone, by a row that its service tier and the length
/// of its prompt select.
struct Plain<'a> {
    rates: &'a RateSet,
    row: &'a RateRow,
    position: RowPosition,
    counts: CommonCounts,
    knows_tier: bool,
}

impl<'a> Plain<'a> {
    /// Returns `None` if the price depends on anything else.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "a result that is returned through memory is measurably slower")]
    fn of(rates: &'a RateSet, provider: AskedProvider<'_>, call: &Call<'_>) -> Option<Self> {
        let is_simple = rates.is_simple(|| call.usage.has_tokens());
        if !(is_simple && call.is_plain() && tokens::is_plain(call.usage)) {
            return None;
        }
        let (tier, knows_tier) = call.billed_tier();
        let (row, position) = rates.pick_simply(tier, call.usage.prompt_tokens, || provider.get())?;
        let counts = tokens::common(call.usage)?;
        (row.is_whole() || row.apart(used(counts)) == 0).then_some(Self {
            rates,
            row,
            position,
            counts,
            knows_tier,
        })
    }

    #[inline]
    fn notes(&self) -> NoteSet {
        let mut notes = NoteSet::NONE;
        if !self.knows_tier {
            notes.add(Note::UnknownServiceTier);
        }
        if self.row.displaces_tier {
            notes.add(Note::StandardRateAboveThreshold);
        }
        notes
    }
}

/// Returns the total of a call that is billed for common components alone. Returns `None` if the
/// call is billed for others, its service tier is unknown, or the sum is beyond the range of money.
#[inline(always)]
#[allow(clippy::inline_always, reason = "a result that is returned through memory is measurably slower")]
pub(crate) fn plain_total(rates: &RateSet, provider: AskedProvider<'_>, call: &Call<'_>) -> Option<Usd> {
    let plain = Plain::of(rates, provider, call).filter(|plain| plain.knows_tier)?;
    Usd::from_unsigned(plain.row.total(plain.counts)?)
}

/// Prices a call. The parts of the subject that few calls depend on are asked for when they are
/// needed.
#[inline]
pub(crate) fn price<'a, E: From<NotPriced>>(
    rates: &'a RateSet,
    key: &str,
    provider: AskedProvider<'_>,
    generation: u64,
    call: &Call<'_>,
    subject: impl FnOnce() -> Subject<'a>,
) -> Result<Cost, E> {
    if let Some(plain) = Plain::of(rates, provider, call) {
        let sums = plain.row.sums(plain.counts).zip(plain.rates.from(plain.position));
        let amounts = sums.and_then(|([input, output], from)| {
            let (input, output) = (Usd::from_unsigned(input)?, Usd::from_unsigned(output)?);
            Some((input, output, input.checked_add(output)?, from))
        });
        if let Some((input, output, total, from)) = amounts {
            // Written out down to the lines, so that the cost is constructed in place: moving one
            // is measurable.
            return Ok(Cost {
                input,
                output,
                total,
                factors: Factors::ONE,
                generation,
                notes: plain.notes(),
                key: Key::new(key),
                lines: Lines {
                    row: *plain.row,
                    from: *from,
                    counts: plain.counts,
                    used: used(plain.counts),
                    others: Others::new(),
                },
                extra: None,
                price_set: PriceSetName::new_const(),
            });
        }
    }
    if Bill::is_of_tokens(rates, call) {
        return price_tokens(rates, key, provider, generation, call);
    }
    price_any(subject(), call)
}

/// Prices a call of tokens alone: see [`Bill::is_of_tokens`].
#[inline(never)]
fn price_tokens<E: From<NotPriced>>(
    rates: &RateSet,
    key: &str,
    provider: AskedProvider<'_>,
    generation: u64,
    call: &Call<'_>,
) -> Result<Cost, E> {
    finish(rates, key, generation, |bill| bill.make_of_tokens(provider, call), || None)
}

#[inline(never)]
fn price_any<E: From<NotPriced>>(subject: Subject<'_>, call: &Call<'_>) -> Result<Cost, E> {
    let Subject { rates, key, generation, .. } = subject;
    finish(rates, key, generation, |bill| bill.make(&subject, call), || stated_alone(&subject, call))
}

/// Returns the cost of a bill that `make` adds all lines to. If an amount overflows, returns the cost that
/// `otherwise` returns, or the error that it overflows.
#[inline(always)]
#[allow(clippy::inline_always, reason = "moving a cost is measurable")]
fn finish<'a, E: From<NotPriced>>(
    rates: &'a RateSet,
    key: &str,
    generation: u64,
    make: impl FnOnce(&mut Bill<'a>) -> Option<[Usd; 3]>,
    otherwise: impl FnOnce() -> Option<Cost>,
) -> Result<Cost, E> {
    let mut bill = Bill::new(rates);
    let Some([input, output, total]) = make(&mut bill) else {
        return otherwise().ok_or_else(|| NotPriced::Overflow { key: key.to_owned() }.into());
    };
    let Bill { factors, notes, .. } = bill;
    let extra = bill.extra.take();
    if !bill.is_complete {
        let lines = bill.lines;
        let partial =
            Cost { input, output, total, factors, notes, lines, extra, ..Cost::free(key, generation) };
        return Err(unpriced(partial).into());
    }
    // The cost is written out twice, since moving lines is measurable, and most bills have only
    // those that the row prices.
    if bill.lines.others.is_empty() {
        let Lines { row, from, counts, used, .. } = bill.lines;
        return Ok(Cost {
            input,
            output,
            total,
            factors,
            generation,
            notes,
            key: Key::new(key),
            lines: Lines { row, from, counts, used, others: Others::new() },
            extra,
            price_set: PriceSetName::new_const(),
        });
    }
    Ok(Cost {
        input,
        output,
        total,
        factors,
        generation,
        notes,
        key: Key::new(key),
        lines: bill.lines,
        extra,
        price_set: PriceSetName::new_const(),
    })
}

/// Returns the cost of a call whose calculated amounts overflow: the amount that the provider
/// states, if it does.
#[cold]
fn stated_alone(subject: &Subject<'_>, call: &Call<'_>) -> Option<Cost> {
    let mut bill = Bill::new(subject.rates);
    let [input, output, total] = bill.make_stated_alone(subject, call)?;
    let mut cost = Cost::free(subject.key, subject.generation);
    (cost.input, cost.output, cost.total) = (input, output, total);
    (cost.factors, cost.notes) = (bill.factors, bill.notes);
    (cost.lines.others, cost.extra) = (bill.lines.others, bill.extra);
    Some(cost)
}

#[cold]
fn unpriced(partial: Cost) -> NotPriced {
    NotPriced::Unpriced(Box::new(Unpriced { partial }))
}

impl Cost {
    /// Returns the cost of a call to a model that runs on the caller's own machines.
    pub(crate) fn free(name: &str, generation: u64) -> Self {
        let mut notes = NoteSet::NONE;
        notes.add(Note::SelfHosted);
        Self {
            input: Usd::ZERO,
            output: Usd::ZERO,
            total: Usd::ZERO,
            factors: Factors::ONE,
            generation,
            notes,
            key: Key::new(name),
            lines: Lines::none(),
            extra: None,
            price_set: PriceSetName::new_const(),
        }
    }

    /// Returns the bill of a call to a model that is not known, if its provider states the charge.
    pub(crate) fn stated_alone(name: &str, generation: u64, call: &Call<'_>) -> Option<Self> {
        let usage = call.usage;
        let stated = call.stated_cost()?;
        let mut cost = Self::free(name, generation);
        cost.factors = call.factor_of_all();
        let amount = cost.factors.of_all_lines().times(stated)?;
        cost.notes = NoteSet::NONE;
        cost.notes.add(Note::StatedByProvider);
        (cost.output, cost.total) = (amount, amount);
        cost.extra.get_or_insert_default().stated = Some(stated);
        let counts = [(Component::Input, usage.prompt_tokens), (Component::Output, usage.completion_tokens)];
        for (component, digits) in counts {
            if digits > 0 || component == Component::Output {
                let what = What { component, how: How::Stated, is_priced: false };
                cost.lines.others.try_push(Packed { price: Price::NONE, digits, what }).ok()?;
            }
        }
        Some(cost)
    }

    /// Returns the bill of a usage whose model is not known: lines without a price.
    pub(crate) fn unknown(part: &Part, generation: u64) -> Self {
        let Part { model, usage, units } = part;
        let mut cost = Self::free(model, generation);
        cost.notes = NoteSet::NONE;
        let seconds = units.input_audio.and_then(|audio| u64::try_from(audio.as_nanos()).ok());
        let counts = [
            (Component::Input, usage.get(Counter::PromptTokens)),
            (Component::Output, usage.get(Counter::CompletionTokens)),
            (Component::SentAudio, seconds),
            (Component::MadeImage, units.images),
        ];
        for (component, digits) in counts {
            let what = What { component, how: How::Plain, is_priced: false };
            if let Some(digits) = digits {
                // There is room for a line of each component.
                let _ = cost.lines.others.try_push(Packed { price: Price::NONE, digits, what });
            }
        }
        cost
    }
}

impl From<Cost> for Unpriced {
    fn from(partial: Cost) -> Self {
        Self { partial }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, EntryRef, Text};
    use crate::usage::{ServiceTier, Usage};

    /// Entries that calls are priced by in one step: tiers, thresholds, and rules of providers.
    const SHAPES: &str = r#"{
        "flat": {"input_cost_per_token": 2.5e-6, "output_cost_per_token": 1e-5, "cache_read_input_token_cost": 1.25e-6},
        "fine": {"input_cost_per_token": 1.234567890123e-15, "output_cost_per_token": 1e4, "cache_creation_input_token_cost": 3e-28},
        "tiers": {"input_cost_per_token": 2e-6, "output_cost_per_token": 8e-6, "input_cost_per_token_priority": 4e-6,
            "output_cost_per_token_flex": 4e-6, "output_cost_per_reasoning_token": 9e-6},
        "steps": {"input_cost_per_token": 1.25e-6, "output_cost_per_token": 1e-5, "input_cost_per_token_priority": 2e-6,
            "input_cost_per_token_above_200k_tokens": 2.5e-6, "output_cost_per_token_above_200k_tokens": 1.5e-5},
        "xai/steps": {"litellm_provider": "xai", "input_cost_per_token": 3e-6, "output_cost_per_token": 6e-6,
            "input_cost_per_token_above_200k_tokens": 6e-6},
        "fireworks_ai/half": {"litellm_provider": "fireworks_ai", "input_cost_per_token": 9e-7, "output_cost_per_token": 9e-7},
        "partial": {"input_cost_per_token": 1e-6}
    }"#;

    /// Entries with rates of rare components, batches, hours, ranges, a step at 128k tokens, and multipliers.
    const OF_TOKENS: &str = r#"{
        "sound": {"input_cost_per_token": 2.5e-6, "output_cost_per_token": 1e-5, "cache_read_input_token_cost": 1.25e-6,
            "input_cost_per_audio_token": 4e-5, "output_cost_per_audio_token": 8e-5, "cache_read_input_audio_token_cost": 3e-28,
            "input_cost_per_token_batches": 1.25e-6, "output_cost_per_token_batches": 5e-6,
            "regional_processing_uplift_multiplier_eu": 1.1},
        "writes": {"input_cost_per_token": 3e-6, "output_cost_per_token": 1.5e-5, "cache_creation_input_token_cost": 3.75e-6,
            "cache_creation_input_token_cost_above_1hr": 6e-6, "cache_read_input_token_cost": 3e-7,
            "cache_read_input_token_cost_above_200k_tokens": 6e-7, "explicit_cache_read_input_token_cost": 2e-7,
            "citation_cost_per_token": 5e-6, "provider_specific_entry": {"us": 1.1, "fast": 6}},
        "night": {"input_cost_per_token": 2e-6, "output_cost_per_token": 8e-6,
            "off_peak_pricing": {"hours_utc": "00:00-12:00", "input_cost_per_token": 1e-6}},
        "ranges": {"tiered_pricing": [{"range": [0, 100000], "input_cost_per_token": 2e-6, "output_cost_per_token": 9e-6},
            {"range": [100000, 1000000], "input_cost_per_token": 4e-6, "output_cost_per_token": 1.8e-5}]},
        "vertex_ai/step": {"litellm_provider": "vertex_ai-language-models", "input_cost_per_token": 1e-6,
            "input_cost_per_token_above_128k_tokens": 2e-6, "output_cost_per_token": 4e-6, "output_cost_per_token_above_128k_tokens": 8e-6},
        "fireworks_ai/half": {"litellm_provider": "fireworks_ai", "input_cost_per_token": 9e-7, "output_cost_per_token": 9e-7}
    }"#;

    /// Returns what a map says of an entry that was asked for by its key.
    fn subject<'a>(entry: &EntryRef<'a>) -> Subject<'a> {
        Subject {
            rates: entry.rates().unwrap(),
            key: entry.key(),
            provider: AskedProvider::InName(entry.key()),
            tool_provider: None,
            router: None,
            container: None,
            request_fee: None,
            operator_priced: false,
            trusts_stated: false,
            generation: 1,
        }
    }

    /// A call of tokens alone gets the bill that it would get as a call that may have used anything.
    #[test]
    fn a_call_of_tokens_gets_the_bill_of_any_call() {
        let catalog = Catalog::parse(Text::Owned(OF_TOKENS.into())).unwrap();
        let morning = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(6 * 3_600);
        let evening = morning + std::time::Duration::from_secs(12 * 3_600);
        let mut outcomes = [0; 5];
        for entry in catalog.entries() {
            let rates = entry.rates().unwrap();
            let subject = subject(&entry);
            for seed in 0..4_096_u64 {
                let some = |bit: u64, count: u64| if seed >> bit & 1 == 1 { count } else { 0 };
                let prompt = [900, 210_000][usize::from(seed & 1 == 1)];
                let mut usage =
                    Usage::new(prompt, 150_001).cached_tokens(some(1, 100)).reasoning_tokens(some(2, 77));
                let details = &mut usage.prompt_tokens_details;
                details.audio_tokens = some(3, 300);
                details.cached_tokens_details.audio_tokens = some(4, 40);
                details.cache_creation_tokens = some(5, 90);
                details.cache_creation_token_details.ephemeral_1h_input_tokens = some(5, 60);
                // With all of the former, more than there are.
                details.image_tokens = some(6, 700);
                usage.completion_tokens_details.audio_tokens = some(7, 11);
                usage.completion_tokens_details.text_tokens = some(8, 149_000);
                usage.citation_tokens = u64::from(seed % 3 == 0);
                usage.prompt_tokens_details.cache_type = (seed % 7 == 0).then(|| "ephemeral".to_owned());
                usage.inference_geo = (seed >> 9 & 1 == 1).then(|| "us".to_owned());
                usage.speed = (seed >> 9 & 1 == 1).then(|| "fast".to_owned());
                let call = Call::new(&usage).at(if seed & 2 == 2 { morning } else { evening });
                let call = if seed >> 10 & 1 == 1 { call.batch() } else { call };
                let call = if seed >> 11 & 1 == 1 {
                    call.data_residency("EU").vertex_location("us-east5")
                } else {
                    call
                };
                let call = if seed % 5 == 0 { call.service_tier("nonsense") } else { call };
                assert!(Bill::is_of_tokens(rates, &call));
                let alone: Result<Cost, NotPriced> =
                    price_tokens(rates, entry.key(), subject.provider, 1, &call);
                match (alone, price_any(subject, &call)) {
                    (Ok(alone), Ok(all)) => {
                        assert_eq!(alone, all, "{call:?}");
                        assert_eq!(alone.to_string(), all.to_string());
                        outcomes[0] += 1;
                        outcomes[1] += usize::from(!alone.lines.others.is_empty());
                        outcomes[2] += usize::from(!alone.factors.is_one());
                        outcomes[3] += usize::from(alone.notes.has(Note::InconsistentCounts));
                    }
                    (Err(NotPriced::Unpriced(alone)), Err(NotPriced::Unpriced(all))) => {
                        assert_eq!(alone, all, "{call:?}");
                        outcomes[4] += 1;
                    }
                    (alone, all) => panic!("{call:?}: {alone:?} {all:?}"),
                }
            }
        }
        // Priced; with lines beside the common ones; multiplied; inconsistent; unpriced.
        assert_eq!(outcomes, [22_528, 18_373, 4_096, 2_816, 2_048]);
    }

    /// A call that is priced in one step gets the bill that it would get line by line.
    #[test]
    fn one_step_makes_the_bill_that_all_steps_make() {
        let catalog = Catalog::parse(Text::Owned(SHAPES.into())).unwrap();
        let counts = [0, 1, 7, 128_000, 199_999, 200_000, 200_001, 3_000_000_019];
        let tiers = [None, Some("flex"), Some("priority"), Some("auto"), Some("nonsense")];
        let (mut in_one_step, mut unpriced, mut compared) = (0, 0, 0);
        for entry in catalog.entries() {
            let rates = entry.rates().unwrap();
            for prompt in counts {
                for (cached, written) in [(0, 0), (prompt / 2, 0), (prompt / 3, prompt / 4), (prompt, 9)] {
                    let usage = Usage::new(prompt, 901)
                        .cached_tokens(cached)
                        .cache_creation_tokens(written)
                        .reasoning_tokens(prompt.min(77));
                    for tier in tiers {
                        let call = Call::new(&usage);
                        let call = tier.map_or(call, |tier| call.service_tier(ServiceTier::from(tier)));
                        let subject = subject(&entry);
                        let plain = Plain::of(rates, subject.provider, &call);
                        in_one_step += usize::from(plain.is_some());
                        let short: Result<Cost, NotPriced> =
                            price(rates, entry.key(), subject.provider, 1, &call, || subject);
                        let long: Result<Cost, NotPriced> = price_any(subject, &call);
                        match (short, long) {
                            (Ok(short), Ok(long)) => assert_eq!(short, long, "{call:?}"),
                            (Err(NotPriced::Unpriced(short)), Err(NotPriced::Unpriced(long))) => {
                                assert_eq!(short, long, "{call:?}");
                                assert!(plain.is_none(), "{call:?}");
                                unpriced += 1;
                            }
                            (short, long) => panic!("{call:?}: {short:?} {long:?}"),
                        }
                        let total = plain_total(rates, subject.provider, &call);
                        let is_known = tier != Some("nonsense");
                        assert_eq!(total.is_some(), plain.is_some() && is_known, "{call:?}");
                        compared += 1;
                    }
                }
            }
        }
        assert_eq!((compared, in_one_step, unpriced), (1_120, 615, 160));
    }
}

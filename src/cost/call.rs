//! [`Call`]: the usage of a call, and what else its price depends on.

use std::time::{Duration, SystemTime};

use super::PriceTerms;
use crate::num::Usd;
use crate::rates::Factors;
use crate::rates::field::Tier;
use crate::usage::{Part, ServiceTier, Units, UnknownTier, Usage};

/// A call: its usage, and what else its price depends on.
///
/// Everything but the usage is optional; each method states its default. Methods that take a call
/// also accept a `&Usage`.
///
/// # Examples
///
/// ```
/// use llm_costmap::{Call, CostMap, ServiceTier, Usage};
///
/// let map = CostMap::from_json(
///     r#"{"m": {"input_cost_per_token": 2e-6, "input_cost_per_token_priority": 3e-6}}"#,
/// )?;
/// let usage = Usage::new(1_000_000, 0);
/// let call = Call::new(&usage).service_tier(ServiceTier::Priority);
/// assert_eq!(map.cost("m", &call)?.total().to_string(), "3");
/// assert_eq!(map.cost("m", &usage)?.total().to_string(), "2");
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[allow(clippy::struct_excessive_bools, reason = "independent facts about a call")]
pub struct Call<'a> {
    pub(crate) usage: &'a Usage,
    pub(crate) requested_model: Option<&'a str>,
    /// The tier that was asked for; standard if its word is unknown.
    asked: Tier,
    pub(crate) unknown_tier: Option<UnknownTier>,
    served: Served,
    pub(super) batch: bool,
    kind: Kind,
    pub(crate) accepts_unknown: bool,
    pub(crate) data_residency: Option<&'a str>,
    pub(crate) vertex_location: Option<&'a str>,
    at: Option<SystemTime>,
    pub(super) duration: Option<Duration>,
    /// Usage in other units than tokens.
    units: Option<&'a Units>,
    /// The usages of other models. With a slice, a call would be so large that a function copies it.
    parts: Option<&'a Vec<Part>>,
    /// True until the entry is known that prices the units, and the bills of other models are left to
    /// the caller.
    pub(crate) is_apart: bool,
    /// True if the response was cut before its number of completion tokens.
    pub(super) lacks_completion: bool,
    pub(crate) is_prepaid: bool,
    /// True if the call is the part of another one that another model served.
    pub(crate) is_part: bool,
    /// True if the amount that the provider states does not matter.
    by_rates: bool,
    /// True if the prompt is billed as if no cache had been used.
    pub(super) ignores_cache: bool,
    pub(crate) terms: Option<&'a PriceTerms>,
}

/// The settings that a call has besides its usage, its service tier, its billing time and its duration.
/// Each kind includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// None.
    Plain,
    /// A batch, a data residency or a location.
    Usual,
    /// Any.
    Special,
}

/// The service tier that a response names beside its usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Served {
    Unsaid,
    Tier(Tier),
    /// A word that is no known tier.
    Unknown,
}

impl<'a> Call<'a> {
    /// Returns a call that used `usage`.
    #[inline]
    pub fn new(usage: &'a Usage) -> Self {
        Self {
            usage,
            requested_model: None,
            asked: Tier::Standard,
            unknown_tier: None,
            served: Served::Unsaid,
            batch: false,
            kind: Kind::Plain,
            accepts_unknown: false,
            data_residency: None,
            vertex_location: None,
            at: None,
            duration: None,
            units: None,
            parts: None,
            is_apart: false,
            lacks_completion: false,
            is_prepaid: false,
            is_part: false,
            by_rates: false,
            ignores_cache: false,
            terms: None,
        }
    }

    /// Sets the name that the client asked for, if the call is priced by the name in the response:
    /// Azure's model router adds its fee to the model that it chose. Default: the priced model.
    #[inline]
    pub fn requested_model(mut self, name: &'a str) -> Self {
        (self.requested_model, self.kind) = (Some(name), Kind::Special);
        self
    }

    /// Sets the service tier that the client asked for. Default: standard.
    ///
    /// A word that is no known tier is priced as standard by [`cost`](crate::CostMap::cost), with a
    /// [note](super::Note::UnknownServiceTier), and is an error in [`total`](crate::CostMap::total)
    /// unless the call [accepts it](Self::accept_unknown).
    #[inline]
    pub fn service_tier(mut self, tier: impl Into<ServiceTier>) -> Self {
        (self.asked, self.unknown_tier) = match tier.into() {
            ServiceTier::Unknown(word) => (Tier::Standard, Some(word)),
            tier => (rate_tier(&tier).unwrap_or(Tier::Standard), None),
        };
        self
    }

    /// Sets the service tier that the response says was served. Default: the usage's own.
    ///
    /// A known tier that was served takes the place of the one that was asked for; `auto` and
    /// unknown words do not. An unknown word is [noted](super::Note::UnknownServedTier).
    #[inline]
    pub fn served_tier(mut self, tier: impl Into<ServiceTier>) -> Self {
        let tier = tier.into();
        self.served = rate_tier(&tier).map_or(Served::Unsaid, Served::Tier);
        if tier.is_unknown() {
            (self.served, self.kind) = (Served::Unknown, Kind::Special);
        }
        self
    }

    /// Prices the call as part of a batch. Default: no batch.
    #[inline]
    pub fn batch(mut self) -> Self {
        (self.batch, self.kind) = (true, self.kind.max(Kind::Usual));
        self
    }

    /// Sets the region that data had to stay in: `eu` or `us`, in any case. Default: none.
    #[inline]
    pub fn data_residency(mut self, region: &'a str) -> Self {
        (self.data_residency, self.kind) = (Some(region), self.kind.max(Kind::Usual));
        self
    }

    /// Sets the Vertex AI location that served the call, such as `us-east5` or `global`. Default:
    /// none, priced as `global`. An unknown location is priced without an uplift.
    #[inline]
    pub fn vertex_location(mut self, location: &'a str) -> Self {
        (self.vertex_location, self.kind) = (Some(location), self.kind.max(Kind::Usual));
        self
    }

    /// Sets the time at which the call is billed, which decides whether off-peak rates apply.
    /// Default: now, read from the clock only if the model has off-peak rates.
    #[inline]
    pub fn at(mut self, time: SystemTime) -> Self {
        self.at = Some(time);
        self
    }

    /// Sets how long the call took, for models that are billed by the second. Default: unknown,
    /// which makes the cost of such a model an [`Error::Unpriced`](crate::Error::Unpriced).
    #[inline]
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    /// Lets [`total`](crate::CostMap::total) price an unknown service tier as standard and an
    /// unknown data residency without an uplift, as [`cost`](crate::CostMap::cost) does with a
    /// note. Default: both are errors in `total`.
    #[inline]
    pub fn accept_unknown(mut self) -> Self {
        self.accepts_unknown = true;
        self
    }

    /// Sets what was used in other units than tokens, such as images, seconds and searches. Default:
    /// nothing.
    #[inline]
    pub fn units(mut self, units: &'a Units) -> Self {
        (self.units, self.kind) = (Some(units), Kind::Special);
        self.is_apart |= units.images.is_some() || units.search_mode.is_some();
        self
    }

    /// Sets terms that the call is priced by beside the map: a tenant's prices, a multiplier, discounts
    /// and margins. They replace those that were set before. Default: none.
    #[inline]
    pub fn terms(mut self, terms: &'a PriceTerms) -> Self {
        self.terms = None;
        if !terms.is_empty() {
            (self.terms, self.kind) = (Some(terms), Kind::Special);
            self.is_apart |= terms.is_apart();
        }
        self
    }

    /// Prices the call as one that was paid for in advance, by a subscription or as reserved capacity:
    /// the [total](super::Cost::total) stays as it is, and nothing of it is
    /// [billed](super::Cost::billed). Default: metered, unless the
    /// [deployment](crate::Deployment::is_prepaid) says otherwise.
    #[inline]
    pub fn prepaid(mut self) -> Self {
        (self.is_prepaid, self.is_apart, self.kind) = (true, true, Kind::Special);
        self
    }

    /// Prices the call by rates, whatever amount its provider states. Default: the amount of a provider
    /// that is [trusted](crate::CostMapBuilder::trust_stated_costs) is what the call costs.
    ///
    /// This is how the same call is priced by another model or another map: see
    /// [`Comparison`](crate::accounting::Comparison).
    #[inline]
    pub fn by_rates(mut self) -> Self {
        (self.by_rates, self.kind) = (true, Kind::Special);
        self
    }

    /// Prices the prompt as if nothing of it had been read from a cache or written to one, and by rates:
    /// see [`by_rates`](Self::by_rates). Default: as the usage counts it.
    ///
    /// A [`Comparison`](crate::accounting::Comparison) with the bill of such a call tells what the cache
    /// saved.
    #[inline]
    pub fn without_cache(mut self) -> Self {
        self.ignores_cache = true;
        self.by_rates()
    }

    /// Returns the multiplier that the terms of the call set for all of its lines.
    pub(super) fn factor_of_all(&self) -> Factors {
        self.terms.and_then(|terms| terms.multiplier).map_or(Factors::ONE, Factors::of_all)
    }

    /// Returns the amount that the provider states, if it matters.
    #[inline]
    pub(super) fn stated_cost(&self) -> Option<Usd> {
        self.usage.cost.filter(|_| !self.by_rates)
    }

    /// Sets the usages of other models in the same response.
    pub(crate) fn parts_of(mut self, parts: &'a Vec<Part>) -> Self {
        if !parts.is_empty() {
            (self.parts, self.is_apart, self.kind) = (Some(parts), true, Kind::Special);
        }
        self
    }

    /// Sets that the response was cut before its number of completion tokens.
    pub(crate) fn cut(mut self) -> Self {
        (self.lacks_completion, self.kind) = (true, Kind::Special);
        self
    }

    /// Returns whether the call may have used tools that the provider ran.
    pub(crate) fn may_use_tools(&self) -> bool {
        self.units.is_some() || self.usage.prompt_tokens_details.web_search_requests > 0
    }

    /// Returns the units, if an entry may be chosen by them.
    pub(crate) fn units_that_choose(&self) -> Option<&'a Units> {
        self.units.filter(|_| self.is_apart)
    }

    pub(crate) fn units_used(&self) -> Option<&'a Units> {
        self.units
    }

    /// Returns the usages of other models.
    #[inline]
    pub(crate) fn parts(&self) -> &'a [Part] {
        self.parts.map_or(&[], Vec::as_slice)
    }

    /// Returns the call to be priced by one entry: see [`is_apart`](Self::is_apart).
    pub(crate) fn settled(&self) -> Self {
        Self { is_apart: false, ..*self }
    }

    /// Returns the call with the usage of another model of the same response in the place of its
    /// own.
    pub(crate) fn of_part<'p>(&self, part: &'p Part) -> Call<'p>
    where
        'a: 'p,
    {
        let Part { usage, units, .. } = part;
        let call = Self { parts: None, duration: None, requested_model: None, ..*self };
        let is_apart = self.terms.is_some_and(PriceTerms::is_apart);
        let call = Call { usage, units: None, is_apart, is_part: true, ..call };
        if units.is_empty() { call } else { call.units(units) }
    }

    /// Returns whether the usage has an amount that the provider states.
    #[inline]
    pub(crate) fn states_cost(&self) -> bool {
        self.stated_cost().is_some()
    }

    /// Returns whether the tier that was served is an unknown word, by which nothing is priced.
    #[inline]
    pub(super) fn serves_unknown_tier(&self) -> bool {
        self.served == Served::Unknown || matches!(self.usage.service_tier, Some(ServiceTier::Unknown(_)))
    }

    /// Returns the seconds from 1970 to the billing time.
    pub(super) fn unix_seconds(&self) -> i64 {
        let time = self.at.unwrap_or_else(SystemTime::now);
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            Err(before) => {
                // Rounds towards the past: a second that has begun counts.
                let before = before.duration();
                let whole = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
                -whole.saturating_add(i64::from(before.subsec_nanos() > 0))
            }
        }
    }

    /// Returns whether the call is described by its usage and its service tier alone. The billing
    /// time and the duration matter to few entries, which are told apart by their rates.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.kind == Kind::Plain
    }

    /// Returns whether the call is described by its usage, its service tier, the places that served it, and
    /// whether it was part of a batch.
    #[inline]
    pub(super) fn is_usual(&self) -> bool {
        self.kind <= Kind::Usual
    }

    /// Returns whether a multiplier of tokens may apply to the call, because of where or how fast it was
    /// served. The multiplier of the caller's terms is another one.
    #[inline]
    pub(super) fn may_be_multiplied(&self) -> bool {
        let Self { data_residency, vertex_location, usage, .. } = self;
        data_residency.is_some()
            || vertex_location.is_some()
            || usage.inference_geo.is_some()
            || usage.speed.is_some()
    }

    /// Returns the tier that the call is billed at, and whether the word that asks for it is known.
    #[inline]
    pub(super) fn billed_tier(&self) -> (Tier, bool) {
        let of_usage = || rate_tier(self.usage.service_tier.as_ref()?);
        let served = if let Served::Tier(tier) = self.served { Some(tier) } else { of_usage() };
        match served {
            Some(served) => (served, true),
            None => (self.asked, self.unknown_tier.is_none()),
        }
    }
}

/// Returns the column of rates of a tier; `None` for `auto` and for unknown words.
#[inline]
fn rate_tier(tier: &ServiceTier) -> Option<Tier> {
    match tier {
        ServiceTier::Standard => Some(Tier::Standard),
        ServiceTier::Flex => Some(Tier::Flex),
        ServiceTier::Balanced => Some(Tier::Balanced),
        ServiceTier::Priority => Some(Tier::Priority),
        ServiceTier::Ultrafast => Some(Tier::Ultrafast),
        ServiceTier::Auto | ServiceTier::Unknown(_) => None,
    }
}

impl<'a> From<&'a Usage> for Call<'a> {
    #[inline]
    fn from(usage: &'a Usage) -> Self {
        Self::new(usage)
    }
}

/// A call of which no tokens were counted.
impl<'a> From<&'a Units> for Call<'a> {
    fn from(units: &'a Units) -> Self {
        static UNKNOWN: Usage = Usage::UNKNOWN;
        Self::new(&UNKNOWN).units(units)
    }
}

impl<'a> From<&Call<'a>> for Call<'a> {
    #[inline]
    fn from(call: &Call<'a>) -> Self {
        *call
    }
}

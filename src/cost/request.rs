//! [`CostRequest`]: what to price.

use std::time::{Duration, SystemTime};

use crate::rates::field::Tier;
use crate::resolve::Lookup;
use crate::usage::Usage;

/// A call to price: the model, what it used, and what else its price depends on.
///
/// Everything but the model and the usage is optional; the default of each is stated at its method.
///
/// # Examples
///
/// ```
/// use llm_costmap::{CostRequest, Usage};
///
/// let usage = Usage::new(1_000, 500);
/// let request = CostRequest::new("claude-sonnet-4-5", &usage).provider("anthropic").batch(true);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct CostRequest<'a> {
    pub(crate) lookup: Lookup<'a>,
    pub(crate) usage: &'a Usage,
    pub(crate) requested_model: Option<&'a str>,
    pub(crate) service_tier: Option<&'a str>,
    pub(crate) served_tier: Option<&'a str>,
    pub(crate) batch: bool,
    pub(crate) data_residency: Option<&'a str>,
    pub(crate) vertex_location: Option<&'a str>,
    pub(crate) at: Option<SystemTime>,
    pub(crate) duration: Option<Duration>,
}

impl<'a> CostRequest<'a> {
    /// A call to `model`, under any name that the map knows, that used `usage`.
    #[inline]
    #[must_use]
    pub fn new(model: &'a str, usage: &'a Usage) -> Self {
        Self {
            lookup: Lookup::new(model),
            usage,
            requested_model: None,
            service_tier: None,
            served_tier: None,
            batch: false,
            data_residency: None,
            vertex_location: None,
            at: None,
            duration: None,
        }
    }

    /// Whose model it is, in LiteLLM's words (`openai`, `bedrock`, …). Default: whoever the name says.
    #[inline]
    #[must_use]
    pub fn provider(mut self, provider: &'a str) -> Self {
        self.lookup = self.lookup.provider(provider);
        self
    }

    /// Prices nothing but a key or an alias of the map, letter by letter. Default: any name that leads to a model.
    #[inline]
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.lookup = self.lookup.strict();
        self
    }

    /// The name that the client asked for, where the call is priced by what the response names: Azure's model
    /// router adds its fee to the model that it chose. Default: the model.
    #[inline]
    #[must_use]
    pub fn requested_model(mut self, name: &'a str) -> Self {
        self.requested_model = Some(name);
        self
    }

    /// The service tier that was asked for: `flex`, `balanced`, `priority` (or `fast`), `ultrafast`, in any
    /// case; `auto`, `default` and `standard` are the standard one. Default: standard.
    #[inline]
    #[must_use]
    pub fn service_tier(mut self, tier: &'a str) -> Self {
        self.service_tier = Some(tier);
        self
    }

    /// The service tier that the response says was served. It goes before the usage's own, and both
    /// before the one asked for, where they are one of the tiers, `default` or `standard`.
    /// Default: none.
    #[inline]
    #[must_use]
    pub fn served_tier(mut self, tier: &'a str) -> Self {
        self.served_tier = Some(tier);
        self
    }

    /// Whether it was a batch. Default: no.
    #[inline]
    #[must_use]
    pub fn batch(mut self, batch: bool) -> Self {
        self.batch = batch;
        self
    }

    /// The region that data had to stay in: `eu` or `us`, in any case. Default: none.
    #[inline]
    #[must_use]
    pub fn data_residency(mut self, region: &'a str) -> Self {
        self.data_residency = Some(region);
        self
    }

    /// The Vertex AI location that served the call, such as `us-east5` or `global`. Default: none, priced
    /// as `global`.
    #[inline]
    #[must_use]
    pub fn vertex_location(mut self, location: &'a str) -> Self {
        self.vertex_location = Some(location);
        self
    }

    /// When the call is billed: it decides whether off-peak rates apply. Default: now, where the
    /// model has such rates.
    #[inline]
    #[must_use]
    pub fn at(mut self, time: SystemTime) -> Self {
        self.at = Some(time);
        self
    }

    /// How long the call took, for models that are billed by the second. Default: unknown, which
    /// leaves the cost of such a model incomplete.
    #[inline]
    #[must_use]
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    /// Seconds since 1970 of the billing moment.
    pub(super) fn unix_seconds(&self) -> i64 {
        let time = self.at.unwrap_or_else(SystemTime::now);
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            Err(before) => {
                // Into the second that has begun.
                let before = before.duration();
                let whole = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
                -whole.saturating_add(i64::from(before.subsec_nanos() > 0))
            }
        }
    }

    /// Whether nothing is said but the model, the usage and the tier; times count for few entries.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        !self.batch
            && self.requested_model.is_none()
            && self.data_residency.is_none()
            && self.vertex_location.is_none()
    }

    /// The tier that the call is billed at, and whether the word that asks for it is a known one.
    #[inline]
    pub(super) fn billed_tier(&self) -> (Tier, bool) {
        // What was served beats what was asked, where it says so in a known word.
        let known = |word: Option<&str>| match Word::parse(word?) {
            Word::Tier(tier) => Some(tier),
            Word::Auto | Word::Unknown => None,
        };
        if let Some(tier) = known(self.served_tier).or_else(|| known(self.usage.service_tier.as_deref())) {
            return (tier, true);
        }
        match self.service_tier.map(Word::parse) {
            Some(Word::Tier(tier)) => (tier, true),
            Some(Word::Unknown) => (Tier::Standard, false),
            Some(Word::Auto) | None => (Tier::Standard, true),
        }
    }
}

/// `ultrafast` is the longest word.
const LONGEST: usize = 9;

/// What a word for a service tier says.
enum Word {
    Tier(Tier),
    /// Whatever the provider likes.
    Auto,
    Unknown,
}

impl Word {
    #[inline]
    fn parse(word: &str) -> Self {
        Self::lower(word).unwrap_or_else(|| Self::of_any_case(word))
    }

    /// Most words come in lower case.
    #[inline]
    fn lower(word: &str) -> Option<Self> {
        Some(match word {
            "default" | "standard" => Self::Tier(Tier::Standard),
            "flex" => Self::Tier(Tier::Flex),
            "balanced" => Self::Tier(Tier::Balanced),
            "priority" | "fast" => Self::Tier(Tier::Priority),
            "ultrafast" => Self::Tier(Tier::Ultrafast),
            "auto" => Self::Auto,
            _ => return None,
        })
    }

    #[cold]
    fn of_any_case(word: &str) -> Self {
        let Ok(mut lower) = arrayvec::ArrayString::<LONGEST>::from(word) else { return Self::Unknown };
        lower.make_ascii_lowercase();
        Self::lower(&lower).unwrap_or(Self::Unknown)
    }
}

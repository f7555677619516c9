//! [`Adjustments`]: the discounts and margins that an operator configures.

use std::fmt;
use std::sync::Arc;

use super::InvalidTerms;
use super::glob::Glob;
use crate::num::decimal::{multiply_divide, pow10};
use crate::num::{Fixed, Number, Usd};
use crate::rates::provider_of_kind;

/// LiteLLM's names of the two settings.
pub(super) const DISCOUNTS: &str = "cost_discount_config";
pub(super) const MARGINS: &str = "cost_margin_config";

/// Discounts and margins, by provider and model: LiteLLM's `cost_discount_config` and
/// `cost_margin_config`.
///
/// At most one discount and one margin apply to a call. A scope is one of these; of those that fit
/// a call, the first in this list applies:
///
/// 1. `provider/model`, such as `openai/gpt-4o`.
/// 2. `provider/pattern`, such as `bedrock/*claude*`. A pattern has `*`, `?` and `[...]`, as in a
///    shell; the one with the most letters of its own goes first. `*` as the provider stands for
///    any.
/// 3. `provider`, such as `vertex_ai`.
/// 4. `global`.
///
/// The provider is the one that was asked for, else the one that the name begins with, else the one
/// of the entry. The model is the name that was asked for, or the key of the entry, without a
/// provider or the region of a cloud before it.
///
/// The discount is taken from the [original](super::Cost::original) amount, and the margin is a share
/// of what is left, plus its fixed amount. Both are [lines](super::Line) of the bill. A discount takes
/// no more than there is.
///
/// # Examples
///
/// ```
/// use llm_costmap::cost::Adjustments;
/// use llm_costmap::{CostMap, Usage};
///
/// let adjustments = Adjustments::from_json(
///     r#"{
///         "cost_discount_config": {"openai": 0.05, "openai/gpt-x-*": 0.2},
///         "cost_margin_config": {"global": {"percentage": 0.1, "fixed_amount": 0.001}}
///     }"#,
/// )?;
/// let map = CostMap::builder()
///     .json(r#"{"gpt-x-mini": {"litellm_provider": "openai", "input_cost_per_token": 1e-6}}"#)
///     .adjustments(adjustments)
///     .build()?;
///
/// let cost = map.cost("gpt-x-mini", &Usage::new(1_000_000, 0))?;
/// assert_eq!(
///     cost.to_string(),
///     "gpt-x-mini: 0.881 USD\n\
///      \x20 1000000 tokens of input x 0.000001 = 1 (input_cost_per_token)\n\
///      \x20 discount = -0.2 (20% by openai/gpt-x-*)\n\
///      \x20 margin = 0.081 (10% + 0.001 by global)"
/// );
/// assert_eq!(cost.original().to_string(), "1");
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adjustments {
    discounts: Rules,
    margins: Rules,
}

impl Adjustments {
    /// Returns no discounts and no margins.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads LiteLLM's settings: an object with `cost_discount_config`, `cost_margin_config` or both.
    /// Other fields are ignored, so that all of `litellm_settings` may be handed over.
    ///
    /// Each setting is an object of scopes. The value of a scope is a share, such as `0.05` for 5%,
    /// or an object with `percentage`, which is such a share, `fixed_amount` in US dollars a call, or
    /// both.
    ///
    /// # Errors
    ///
    /// [`InvalidTerms`] if the text is not such an object, a share or an amount is negative, or a
    /// discount is more than all.
    pub fn from_json(json: &str) -> Result<Self, InvalidTerms> {
        serde_json::from_str(json)
            .map_err(|error| InvalidTerms::new("discounts and margins", error.to_string()))
    }

    /// Adds a discount. One that the scope had is replaced.
    ///
    /// # Errors
    ///
    /// [`InvalidTerms`] if the scope is empty or no pattern, or the discount is more than all.
    pub fn discount(mut self, scope: &str, discount: Adjustment) -> Result<Self, InvalidTerms> {
        let place = format!("{DISCOUNTS}.{scope}");
        if discount.share.number() > Number::ONE {
            let reason = format!("a discount of {}% is more than all: write 0.05 for 5%", discount.percent());
            return Err(InvalidTerms::new(place, reason));
        }
        self.discounts.add(scope, discount).map_err(|reason| InvalidTerms::new(place, reason))?;
        Ok(self)
    }

    /// Adds a margin. One that the scope had is replaced.
    ///
    /// # Errors
    ///
    /// [`InvalidTerms`] if the scope is empty or no pattern.
    pub fn margin(mut self, scope: &str, margin: Adjustment) -> Result<Self, InvalidTerms> {
        let added = self.margins.add(scope, margin);
        added.map_err(|reason| InvalidTerms::new(format!("{MARGINS}.{scope}"), reason))?;
        Ok(self)
    }

    /// Returns whether there are no discounts and no margins.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.discounts.0.is_empty() && self.margins.0.is_empty()
    }

    /// Returns the discount and the margin of a call to a provider. `models` are the names of its
    /// model, without a provider before them, the one that was asked for first.
    pub(crate) fn of_call(&self, provider: Option<&str>, models: &[&str]) -> CallRules {
        let [discount, margin] =
            [&self.discounts, &self.margins].map(|rules| rules.of_call(provider, models));
        CallRules { discount, margin }
    }

    /// Returns the discount and the margin that [`of_call`](Self::of_call) found.
    pub(crate) fn get(&self, rules: CallRules) -> CallAdjustments<'_> {
        CallAdjustments {
            discount: self.discounts.0.get(rules.discount as usize),
            margin: self.margins.0.get(rules.margin as usize),
        }
    }
}

/// A share of an amount, a fixed amount, or both.
///
/// # Examples
///
/// ```
/// use llm_costmap::cost::{Adjustment, Adjustments};
///
/// let margin = Adjustment::percentage("0.08".parse()?)?.and_fixed_amount("0.0005".parse()?)?;
/// let adjustments = Adjustments::new().margin("openai", margin)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adjustment {
    pub(super) share: Fixed,
    pub(super) fixed_amount: Usd,
}

impl Adjustment {
    /// Returns an adjustment by a share: 0.05 is 5%.
    ///
    /// # Errors
    ///
    /// [`InvalidTerms`] if the share is negative, or has more than 19 significant digits or 28
    /// decimals.
    pub fn percentage(share: Number) -> Result<Self, InvalidTerms> {
        let share = self::share(share).map_err(|reason| InvalidTerms::new("percentage", reason))?;
        Ok(Self { share, fixed_amount: Usd::ZERO })
    }

    /// Returns an adjustment by an amount for each call.
    ///
    /// # Errors
    ///
    /// [`InvalidTerms`] if the amount is negative.
    pub fn fixed_amount(amount: Usd) -> Result<Self, InvalidTerms> {
        Self { share: Fixed::ZERO, fixed_amount: Usd::ZERO }.and_fixed_amount(amount)
    }

    /// Adds an amount for each call to the share.
    ///
    /// # Errors
    ///
    /// [`InvalidTerms`] if the amount is negative.
    pub fn and_fixed_amount(self, amount: Usd) -> Result<Self, InvalidTerms> {
        if amount < Usd::ZERO {
            return Err(InvalidTerms::new("fixed_amount", format!("{amount} is negative")));
        }
        Ok(Self { fixed_amount: amount, ..self })
    }

    /// Returns the share as a number of per cent.
    pub(super) fn percent(&self) -> Number {
        self.share.number().checked_mul(Number::from(100)).unwrap_or(self.share.number())
    }

    /// Returns the amount that the adjustment makes of another one, which is not negative: the share,
    /// rounded half to even, and the fixed amount. Returns `None` beyond the range of [`Usd`].
    pub(super) fn of(&self, amount: Usd) -> Option<Usd> {
        let whole = pow10(u32::from(self.share.scale))?.unsigned_abs();
        let share = multiply_divide(amount.units().unsigned_abs(), u128::from(self.share.digits), whole)?;
        Usd::from_unsigned(share)?.checked_add(self.fixed_amount)
    }
}

/// Returns a number as a share or a multiplier is kept, or the reason why it is none.
pub(super) fn share(number: Number) -> Result<Fixed, String> {
    if number < Number::from(0) {
        return Err(format!("{number} is negative"));
    }
    let fixed = number.to_fixed().filter(|fixed| u32::from(fixed.scale) <= Usd::DECIMALS);
    fixed.ok_or_else(|| format!("{number} has more than 19 significant digits or 28 decimals"))
}

/// `5%`, `0.001`, or `5% + 0.001`.
impl fmt::Display for Adjustment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.share.is_zero(), self.fixed_amount.is_zero()) {
            (true, false) => write!(f, "{}", self.fixed_amount),
            (_, true) => write!(f, "{}%", self.percent()),
            (false, false) => write!(f, "{}% + {}", self.percent(), self.fixed_amount),
        }
    }
}

/// Discounts or margins, in the order in which their scopes were added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Rules(Vec<Rule>);

/// A discount or a margin, and the calls that it applies to.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// The scope as it was written. A bill keeps it.
    pub(super) scope: Arc<str>,
    pattern: Option<Glob>,
    pub(super) adjustment: Adjustment,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        (&self.scope, self.adjustment) == (&other.scope, other.adjustment)
    }
}

impl Eq for Rule {}

impl Rule {
    /// Returns the provider of the scope, and its model or pattern.
    fn parts(&self) -> (&str, Option<&str>) {
        self.scope.split_once('/').map_or((&*self.scope, None), |(provider, model)| (provider, Some(model)))
    }

    /// Returns how well the rule fits a call: the greater, the better. Returns `None` if it does not.
    fn fit(&self, provider: Option<&str>, models: &[&str]) -> Option<Fit> {
        let (own, model) = self.parts();
        let is_own = provider == Some(own);
        match (model, &self.pattern) {
            (None, _) if is_own => Some(Fit::Provider),
            (None, _) => (own == "global").then_some(Fit::Global),
            _ if !is_own && own != "*" => None,
            (Some(model), None) => {
                // Of two names, the one that was asked for goes first.
                let position = models.iter().position(|name| *name == model)?;
                Some(if is_own { Fit::Model(models.len() - position) } else { Fit::AnyProvidersModel })
            }
            (Some(model), Some(pattern)) => {
                let is_behind_provider = |name: &str| {
                    provider.and_then(|own| name.strip_prefix(own)).is_some_and(|rest| rest.starts_with('/'))
                };
                let fits =
                    |name: &&str| (model.contains('/') || !is_behind_provider(name)) && pattern.matches(name);
                let literal = pattern.literal_length;
                models.iter().any(fits).then_some(if is_own {
                    Fit::Pattern(literal)
                } else {
                    Fit::AnyProvidersPattern(literal)
                })
            }
        }
    }
}

/// The way in which a rule fits a call, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Global,
    Provider,
    AnyProvidersPattern(usize),
    AnyProvidersModel,
    Pattern(usize),
    Model(usize),
}

impl Rules {
    fn add(&mut self, scope: &str, adjustment: Adjustment) -> Result<(), String> {
        let (provider, model) =
            scope.split_once('/').map_or((scope, None), |(own, model)| (own, Some(model)));
        if provider.trim().is_empty() || model.is_some_and(|model| model.trim().is_empty()) {
            return Err("write global, a provider, provider/model or provider/pattern".to_owned());
        }
        let is_global = provider == "*" || (provider.eq_ignore_ascii_case("global") && provider != "global");
        if is_global && model.is_none() {
            return Err("write global for all providers".to_owned());
        }
        if let Some(own) = provider_of_kind(provider) {
            return Err(format!("write {own}, which is the provider of {provider}"));
        }
        let pattern = model.map_or(Ok(None), Glob::new)?;
        let rule = Rule { scope: scope.into(), pattern, adjustment };
        match self.0.iter_mut().find(|known| *known.scope == *scope) {
            Some(known) => *known = rule,
            None => self.0.push(rule),
        }
        Ok(())
    }

    /// Returns the position of the rule that fits best, or [`CallRules::NO_RULE`]; of two that fit
    /// alike, the first.
    fn of_call(&self, provider: Option<&str>, models: &[&str]) -> u32 {
        let mut best: Option<(Fit, u32)> = None;
        for (position, rule) in (0..CallRules::NO_RULE).zip(&self.0) {
            if let Some(fit) = rule.fit(provider, models) {
                if best.is_none_or(|(known, _)| fit > known) {
                    best = Some((fit, position));
                }
            }
        }
        best.map_or(CallRules::NO_RULE, |(_, position)| position)
    }
}

/// The positions of the discount and the margin of a call, which are found once for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallRules {
    discount: u32,
    margin: u32,
}

impl CallRules {
    const NO_RULE: u32 = u32::MAX;
    /// Neither a discount nor a margin.
    pub(crate) const NONE: Self = Self { discount: Self::NO_RULE, margin: Self::NO_RULE };
}

/// The discount and the margin of a call.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CallAdjustments<'a> {
    pub(super) discount: Option<&'a Rule>,
    pub(super) margin: Option<&'a Rule>,
}

impl CallAdjustments<'_> {
    /// Returns the discount and the margin of an amount, in US dollars. Returns `None` beyond the range
    /// of [`Usd`].
    pub(super) fn amounts(&self, original: Usd) -> Option<(Usd, Usd)> {
        let of =
            |rule: Option<&Rule>, amount| rule.map_or(Some(Usd::ZERO), |rule| rule.adjustment.of(amount));
        // A discount beyond the range of money takes all that there is.
        let discount = of(self.discount, original).unwrap_or(original).min(original);
        let margin = of(self.margin, original.checked_sub(discount)?)?;
        Some((discount, margin))
    }

    /// Returns the total that an amount comes to, in US dollars. Returns `None` beyond the range of
    /// [`Usd`].
    pub(crate) fn total(&self, original: Usd) -> Option<Usd> {
        let (discount, margin) = self.amounts(original)?;
        original.checked_sub(discount)?.checked_add(margin)
    }
}

//! [`Subject`]: what a map says of the model of a call, as far as its price depends on it.

use crate::rates::{Price, RateSet, RuleProvider};

/// The rates that price a call, and what else of a map decides its price.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) rates: &'a RateSet,
    /// The key that the cost shows.
    pub(crate) key: &'a str,
    pub(crate) provider: AskedProvider<'a>,
    /// The provider whose rules the prices of tools follow: the one that the entry names, else the one
    /// that was asked for, else the first segment of the key.
    pub(crate) tool_provider: Option<&'a str>,
    /// The rates of a router that adds a fee.
    pub(crate) router: Option<&'a RateSet>,
    /// The rates of the provider's container, which runs its code interpreter.
    pub(crate) container: Option<&'a RateSet>,
    /// The fee of a request, if the operator set one.
    pub(crate) request_fee: Option<Price>,
    /// True if the operator set prices of the entry, which win over an amount that a provider
    /// states.
    pub(crate) operator_priced: bool,
    /// True if the provider is trusted with the amount that it states.
    pub(crate) trusts_stated: bool,
    pub(crate) generation: u64,
}

/// The provider of a call, as far as rules depend on it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AskedProvider<'a> {
    Known(RuleProvider),
    /// The first segment of this name, read when a rule needs it: few rules do.
    InName(&'a str),
}

impl AskedProvider<'_> {
    #[inline]
    pub(super) fn get(self) -> RuleProvider {
        match self {
            Self::Known(provider) => provider,
            Self::InName(name) => RuleProvider::of(None, name),
        }
    }
}

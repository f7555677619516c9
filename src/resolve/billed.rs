//! The provider that bills a call.

use super::names::OTHER_PROVIDERS;
use super::{Layers, Lookup};
use crate::catalog::EntryRef;
use crate::rates::provider_of_kind;

/// Returns the provider that bills a call to a model, under LiteLLM's name: the one that was asked for,
/// else the one that the name begins with, else the one of the entry.
pub(crate) fn billed_provider<'a>(
    layers: Layers<'_>,
    lookup: Lookup<'a>,
    entry: Option<EntryRef<'a>>,
) -> Option<&'a str> {
    let is_provider = |first: &&str| OTHER_PROVIDERS.contains(first) || layers.has_provider(first);
    let of_name = |name: &'a str| name.split_once('/').map(|(first, _)| first).filter(is_provider);
    let provider = lookup
        .provider
        .or_else(|| of_name(lookup.name))
        .or_else(|| entry.and_then(EntryRef::provider))
        .or_else(|| lookup.name.split_once('/').map(|(first, _)| first))?;
    Some(provider_of_kind(provider).unwrap_or(provider))
}

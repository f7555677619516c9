//! [`TrustedProviders`]: the providers whose stated charges are what calls cost.

use crate::catalog::EntryRef;
use crate::resolve::Lookup;

/// The providers that are trusted by default: they state charges in US dollars.
const DEFAULT: [&str; 3] = ["openrouter", "perplexity", "xai"];

/// Providers that are trusted with the charges that they state.
#[derive(Debug, Clone)]
pub(crate) struct TrustedProviders(Vec<Box<str>>);

impl Default for TrustedProviders {
    fn default() -> Self {
        Self(DEFAULT.map(Box::from).to_vec())
    }
}

impl TrustedProviders {
    pub(crate) fn set(&mut self, providers: impl IntoIterator<Item = String>) {
        self.0 = providers.into_iter().map(Box::from).collect();
    }

    fn has(&self, provider: &str) -> bool {
        self.0.iter().any(|trusted| **trusted == *provider)
    }

    /// Returns whether the provider of a call is trusted: the one that was asked for, else the one
    /// that the name begins with or that the entry names. A name of a response leads to none.
    pub(super) fn trust(&self, lookup: Lookup<'_>, entry: Option<EntryRef<'_>>) -> bool {
        if let Some(asked) = lookup.provider {
            return self.has(asked);
        }
        if lookup.served {
            // A response must not choose whom to trust.
            return false;
        }
        let first = lookup.name.split_once('/').map(|(first, _)| first);
        first.is_some_and(|first| self.has(first))
            || entry.and_then(EntryRef::provider).is_some_and(|provider| self.has(provider))
    }
}

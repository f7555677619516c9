//! A name to an entry.

use crate::catalog::{Catalog, EntryRef};

/// Names up to this length are joined to their provider without an allocation.
const INLINE: usize = 192;

/// What a name led to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resolved<'m, 'n> {
    pub(crate) entry: EntryRef<'m>,
    /// The provider asked for, or that the name begins with. Not inferred where the name is a key.
    pub(crate) provider: Option<&'n str>,
}

/// The maps that a name is looked up in: the operator's own models lie over the catalogue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layers<'a> {
    pub(crate) own: Option<&'a Catalog>,
    pub(crate) base: &'a Catalog,
}

impl<'a> Layers<'a> {
    /// The entry whose key or alias is exactly `name`.
    #[inline]
    pub(crate) fn exact(self, name: &str) -> Option<EntryRef<'a>> {
        if let Some(own) = self.own {
            if let Some(id) = own.index().find(name) {
                return own.entry(id);
            }
        }
        self.base.entry(self.base.index().find(name)?).map(|entry| self.overridden(entry))
    }

    /// The same, ignoring case.
    fn folded(self, name: &str) -> Option<EntryRef<'a>> {
        if let Some(own) = self.own {
            if let Some(id) = own.index().find_folded(name) {
                return own.entry(id);
            }
        }
        self.base.entry(self.base.index().find_folded(name)?).map(|entry| self.overridden(entry))
    }

    /// The operator's entry of the same key, where there is one: it answers to the aliases too.
    pub(crate) fn overridden(self, entry: EntryRef<'a>) -> EntryRef<'a> {
        let own = self.own.and_then(|own| own.entry(own.index().find(entry.key())?));
        own.unwrap_or(entry)
    }

    fn has_provider(self, name: &str) -> bool {
        self.base.has_provider(name) || self.own.is_some_and(|own| own.has_provider(name))
    }

    fn longest(self) -> usize {
        self.base.index().longest().max(self.own.map_or(0, |own| own.index().longest()))
    }
}

/// The entry of a name, with or without a provider. The first candidate that is a key of an entry
/// that fits wins:
///
/// 1. `provider/name`, or the name as given where it begins so
/// 2. the name as given
/// 3. the name without its provider
/// 4. `provider/` and the name that begins so already, for ids that repeat their provider
pub(crate) fn resolve<'m, 'n>(
    layers: Layers<'m>,
    name: &'n str,
    provider: Option<&'n str>,
) -> Option<Resolved<'m, 'n>> {
    let Some(provider) = provider else {
        // A name that is a key is that entry: the common case, and the fast one.
        if let Some(entry) = layers.exact(name) {
            return Some(Resolved { entry, provider: None });
        }
        return resolve_inferred(layers, name);
    };
    let provider = if provider == "vertex_ai_beta" { "vertex_ai" } else { provider };
    let name = without_doubled_prefix(name, provider);
    let rest = strip_provider(name, provider);
    let fit = |entry: &EntryRef<'_>| fits(entry.provider(), Some(provider));
    let look_up = |candidate: &str| {
        let exact = layers.exact(candidate).filter(fit);
        exact.or_else(|| layers.folded(candidate).filter(fit))
    };
    let joined = || join(layers, provider, name, look_up);
    let entry = match rest {
        None => joined().or_else(|| look_up(name)),
        Some(rest) => look_up(name).or_else(|| look_up(rest)).or_else(joined),
    }?;
    Some(Resolved { entry, provider: Some(provider) })
}

fn resolve_inferred<'m, 'n>(layers: Layers<'m>, name: &'n str) -> Option<Resolved<'m, 'n>> {
    let provider = inferred(layers, name);
    let name = provider.map_or(name, |provider| without_doubled_prefix(name, provider));
    let fit = |entry: &EntryRef<'_>| fits(entry.provider(), provider);
    let look_up = |candidate: &str| {
        let exact = layers.exact(candidate).filter(fit);
        exact.or_else(|| layers.folded(candidate).filter(fit))
    };
    let entry = look_up(name).or_else(|| look_up(strip_provider(name, provider?)?))?;
    Some(Resolved { entry, provider })
}

/// Looks up `provider/name`.
fn join<'a>(
    layers: Layers<'a>,
    provider: &str,
    name: &str,
    look_up: impl Fn(&str) -> Option<EntryRef<'a>>,
) -> Option<EntryRef<'a>> {
    let length = provider.len().checked_add(1)?.checked_add(name.len())?;
    // No key is as long; in another case a key may be a little shorter than its name.
    if length > layers.longest().saturating_mul(3) {
        return None;
    }
    let mut joined = arrayvec::ArrayString::<INLINE>::new();
    let whole = joined.try_push_str(provider).is_ok()
        && joined.try_push('/').is_ok()
        && joined.try_push_str(name).is_ok();
    if whole { look_up(&joined) } else { look_up(&format!("{provider}/{name}")) }
}

/// The provider that a name begins with.
fn inferred<'a>(layers: Layers<'_>, name: &'a str) -> Option<&'a str> {
    const OTHERS: [&str; 4] = ["litellm_proxy", "github", "nadir", "openrouter"];
    let (first, _) = name.split_once('/')?;
    let internal =
        first.starts_with("vertex_ai-") || first.starts_with("fireworks_ai-") || first == "bedrock_converse";
    ((layers.has_provider(first) && !internal) || OTHERS.contains(&first)).then_some(first)
}

fn strip_provider<'a>(name: &'a str, provider: &str) -> Option<&'a str> {
    name.strip_prefix(provider)?.strip_prefix('/')
}

/// `openai/openai/x` is `openai/x`.
fn without_doubled_prefix<'a>(mut name: &'a str, provider: &str) -> &'a str {
    while let Some(rest) = strip_provider(name, provider) {
        if strip_provider(rest, provider).is_none() {
            break;
        }
        name = rest;
    }
    name
}

/// Whether an entry may answer for a provider.
fn fits(entry: Option<&str>, asked: Option<&str>) -> bool {
    let (Some(entry), Some(asked)) = (entry, asked) else { return true };
    entry == asked
        || match asked {
            "vertex_ai" => entry.starts_with("vertex_ai"),
            "fireworks_ai" => entry.starts_with("fireworks_ai"),
            "azure_ai" => entry == "azure" || entry == "openai",
            "litellm_proxy" | "github" | "nadir" => true,
            _ => asked.starts_with("bedrock") && entry.starts_with("bedrock"),
        }
}

//! Lookup of names: from a name to an entry, and how it was found.

mod billed;
mod explain;
mod families;
mod lookup;
mod memo;
mod names;
mod near;
mod query;
mod strip;
mod units;

use std::ops::ControlFlow;

use crate::catalog::{Catalog, EntryRef, Layer, NameHash, Rules, SetAside};
use crate::json;

pub(crate) use billed::billed_provider;
pub use explain::{Explanation, Outcome, Step};
pub(crate) use families::{is_router_entry, router_fee};
pub use lookup::{Candidate, FoundBy, Lookup, Match};
pub(crate) use memo::{Memo, Remembered};
pub(crate) use near::Spellings;
use query::Query;
pub(crate) use strip::without_region_path;
pub(crate) use units::unit_entry;

/// The maps that a name is looked up in: the operator's own models take precedence over the
/// catalogue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layers<'a> {
    pub(crate) own: Option<&'a Layer>,
    pub(crate) base: &'a Catalog,
}

impl<'a> Layers<'a> {
    /// Returns the layers of a catalogue without any models of the operator's.
    pub(crate) fn only(base: &'a Catalog) -> Self {
        Self { own: None, base }
    }

    /// Returns the entry whose key or alias is exactly `name`.
    #[inline]
    pub(crate) fn exact(self, name: &str) -> Option<EntryRef<'a>> {
        self.exact_hashed(name, NameHash::of(name))
    }

    /// Does the same as [`exact`](Self::exact), with a hash that the caller has already computed.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "a result that is returned through memory is measurably slower")]
    pub(crate) fn exact_hashed(self, name: &str, hash: NameHash) -> Option<EntryRef<'a>> {
        match self.own {
            None => self.base.find_hashed(name, hash),
            Some(own) => self.exact_over(own, name, hash),
        }
    }

    #[inline(never)]
    fn exact_over(self, own: &'a Layer, name: &str, hash: NameHash) -> Option<EntryRef<'a>> {
        let (own, upstream) = (own.find_hashed(name, hash), self.base.find_hashed(name, hash));
        self.first_claim(own, upstream, |key| key == name)
    }

    /// Chooses between the operator's entry and the catalogue's for the same name. An alias of the
    /// operator's displaces aliases of the catalogue, but no key.
    fn first_claim(
        self,
        own: Option<EntryRef<'a>>,
        upstream: Option<EntryRef<'a>>,
        is_name: impl Fn(&str) -> bool,
    ) -> Option<EntryRef<'a>> {
        match (own, upstream) {
            (Some(own), Some(upstream)) if !is_name(own.key()) && is_name(upstream.key()) => {
                Some(self.overridden(upstream))
            }
            (Some(own), _) => Some(own),
            (None, upstream) => upstream.map(|entry| self.overridden(entry)),
        }
    }

    /// Returns the entry of a key. Aliases do not count.
    pub(crate) fn key(self, key: &str) -> Option<EntryRef<'a>> {
        self.exact(key).filter(|entry| entry.key() == key)
    }

    /// Returns the entry of a name, exactly or else ignoring case.
    fn find(self, name: &str) -> Option<(EntryRef<'a>, Match)> {
        let (entry, is_exact) = match self.own {
            None => self.base.find_either(name)?,
            Some(own) => {
                let exact = self.exact(name).map(|entry| (entry, true));
                let folded = || {
                    let upstream = self.base.find_either(name).map(|(entry, _)| entry);
                    let entry = self.first_claim(own.find_ignoring_case(name), upstream, |key| {
                        key.eq_ignore_ascii_case(name) || key.to_lowercase() == name.to_lowercase()
                    });
                    entry.map(|entry| (entry, false))
                };
                exact.or_else(folded)?
            }
        };
        let matched = match is_exact {
            true if entry.key() == name => Match::Key,
            true => Match::Alias,
            false => Match::IgnoringCase,
        };
        Some((entry, matched))
    }

    /// Returns the operator's entry of the same key if there is one, and else `entry`. The
    /// operator's entry thus answers to the aliases in the catalogue too.
    pub(crate) fn overridden(self, entry: EntryRef<'a>) -> EntryRef<'a> {
        self.own.and_then(|own| own.key(entry.key())).unwrap_or(entry)
    }

    /// Returns the fields of an entry, including those that fallback rules fill in.
    pub(crate) fn fields_of(self, entry: EntryRef<'a>) -> Vec<json::JsonField<'a>> {
        let mut fields = json::fields(entry.json()).unwrap_or_default();
        self.rules().fill_in(entry.key(), &mut fields);
        fields
    }

    /// Returns the fallback rules of the catalogue.
    pub(crate) fn rules(self) -> &'a Rules {
        self.base.rules()
    }

    /// Returns all entries: the catalogue's, then those that only the operator has.
    pub(crate) fn entries(self) -> impl Iterator<Item = EntryRef<'a>> {
        let upstream = self.base.entries().map(move |entry| self.overridden(entry));
        upstream.chain(self.only_own())
    }

    /// Returns the operator's entries that override no entry of the catalogue.
    pub(crate) fn only_own(self) -> impl Iterator<Item = EntryRef<'a>> {
        let own = self.own.into_iter().flat_map(Layer::entries);
        own.filter(move |entry| !self.base.has_key(entry.key()))
    }

    /// Returns the row of the map that has this key and was set aside, unless an entry has exactly
    /// this name.
    fn row_set_aside(self, name: &str) -> Option<&'a SetAside> {
        let row = self.base.row_set_aside(name)?;
        if self.exact(name).is_none() { Some(row) } else { None }
    }

    fn has_provider(self, name: &str) -> bool {
        self.base.has_provider(name) || self.own.is_some_and(|own| own.has_provider(name))
    }

    fn longest(self) -> usize {
        self.base.longest_name().max(self.own.map_or(0, Layer::longest_name))
    }
}

/// The entry that a name led to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResolvedEntry<'m, 'n> {
    pub(crate) entry: EntryRef<'m>,
    /// The provider that was asked for or inferred. Not inferred if the name is a key or an alias.
    pub(crate) provider: Option<&'n str>,
    pub(crate) found_by: FoundBy,
}

/// Returns the entry of a name: of the first candidate that is the name of an entry whose provider
/// fits.
#[inline]
pub(crate) fn resolve<'m: 'n, 'n>(layers: Layers<'m>, lookup: Lookup<'n>) -> Option<ResolvedEntry<'m, 'n>> {
    match reach(layers, lookup)? {
        Reached::Entry(found) => Some(found),
        Reached::SetAside(_) => None,
    }
}

/// Returns the row that a name leads to and that was set aside.
pub(crate) fn row_set_aside<'m>(layers: Layers<'m>, lookup: Lookup<'_>) -> Option<&'m SetAside> {
    match reach(layers, lookup)? {
        Reached::Entry(_) => None,
        Reached::SetAside(row) => Some(row),
    }
}

/// The first thing that a name leads to.
enum Reached<'m, 'n> {
    Entry(ResolvedEntry<'m, 'n>),
    /// A row that was set aside. The name is unknown, rather than priced by an entry or a rule
    /// further on: no other price may stand in for one that cannot be trusted.
    SetAside(&'m SetAside),
}

#[inline]
fn reach<'m: 'n, 'n>(layers: Layers<'m>, lookup: Lookup<'n>) -> Option<Reached<'m, 'n>> {
    if lookup.provider.is_none() {
        // A key or an alias needs no candidates. This is the common case and the fast path.
        if let Some(entry) = layers.exact(lookup.name) {
            let mut found_by = FoundBy::KEY;
            if entry.key() != lookup.name {
                found_by.matched = Match::Alias;
            }
            return Some(Reached::Entry(ResolvedEntry { entry, provider: None, found_by }));
        }
    }
    if lookup.strict {
        resolve_strictly(layers, lookup).map(Reached::Entry)
    } else {
        reach_by_candidates(layers, lookup)
    }
}

fn resolve_strictly<'m, 'n>(layers: Layers<'m>, lookup: Lookup<'n>) -> Option<ResolvedEntry<'m, 'n>> {
    let provider = lookup.provider?;
    let entry = layers.exact(lookup.name).filter(|entry| fits(entry.provider(), Some(provider)))?;
    let matched = if entry.key() == lookup.name { Match::Key } else { Match::Alias };
    let found_by = FoundBy { matched, ..FoundBy::KEY };
    Some(ResolvedEntry { entry, provider: Some(provider), found_by })
}

fn reach_by_candidates<'m: 'n, 'n>(layers: Layers<'m>, lookup: Lookup<'n>) -> Option<Reached<'m, 'n>> {
    let query = Query::new(layers, lookup);
    let (provider, rewritten) = (query.provider, query.rewritten);
    let reached = query.candidates(|candidate, name| {
        if let Some(row) = layers.row_set_aside(name) {
            return ControlFlow::Break(Reached::SetAside(row));
        }
        match layers.find(name) {
            Some((entry, matched)) if fits(entry.provider(), provider) => {
                let found_by = FoundBy { candidate, matched, rewritten };
                ControlFlow::Break(Reached::Entry(ResolvedEntry { entry, provider, found_by }))
            }
            _ => ControlFlow::Continue(()),
        }
    });
    reached.break_value()
}

/// The source of the price and the description of a model.
#[derive(Debug)]
pub(crate) enum Answer<'m> {
    /// An entry: the model's own, or one that stands in for it.
    Entry(EntryRef<'m>),
    /// No entry: the model runs on the caller's own machines.
    SelfHosted,
    /// A catalogue of one entry, made from fallback rules.
    Described(Box<Catalog>),
}

/// The answer that a name led to, and how it was found.
#[derive(Debug)]
pub(crate) struct Found<'m, 'n> {
    pub(crate) answer: Answer<'m>,
    /// The provider that was asked for or inferred. Not inferred if the name is a key or an alias.
    pub(crate) provider: Option<&'n str>,
    pub(crate) found_by: FoundBy,
}

impl<'m, 'n> From<ResolvedEntry<'m, 'n>> for Found<'m, 'n> {
    fn from(ResolvedEntry { entry, provider, found_by }: ResolvedEntry<'m, 'n>) -> Self {
        Self { answer: Answer::Entry(entry), provider, found_by }
    }
}

/// Looks up a name, in this order: entries, entries that stand in for models without one, models
/// that run on the caller's own machines, and descriptions by fallback rules. Pricing, `resolve`
/// and `explain` all use this lookup.
pub(crate) fn look_up<'m: 'n, 'n>(layers: Layers<'m>, lookup: Lookup<'n>) -> Option<Found<'m, 'n>> {
    match reach(layers, lookup) {
        Some(Reached::Entry(found)) => Some(found.into()),
        Some(Reached::SetAside(_)) => None,
        None => look_up_served(layers, lookup).or_else(|| look_up_without_entry(layers, lookup)),
    }
}

/// Looks up a name of a response without what its provider adds to it.
fn look_up_served<'m: 'n, 'n>(layers: Layers<'m>, lookup: Lookup<'n>) -> Option<Found<'m, 'n>> {
    if !lookup.served || lookup.strict {
        return None;
    }
    // The names of Fireworks' resources say whose they are, and the models of Cohere's chat are those
    // of a provider of their own in the map.
    let is_resource = lookup.provider.is_none() && lookup.name.starts_with("accounts/fireworks/");
    let other_provider = match lookup.provider {
        None if is_resource => Some("fireworks_ai"),
        Some("cohere") => Some("cohere_chat"),
        _ => None,
    };
    if let Some(Reached::Entry(found)) =
        other_provider.and_then(|_| reach(layers, Lookup { provider: other_provider, ..lookup }))
    {
        return Some(found.into());
    }
    if is_resource {
        return None;
    }
    if lookup.provider.is_some_and(|provider| provider.starts_with("bedrock")) {
        let mut ids = strip::bedrock_ids(lookup.name).filter_map(|id| layers.exact(&id));
        if let Some(entry) = ids.find(|entry| fits(entry.provider(), lookup.provider)) {
            let found_by = FoundBy { candidate: Candidate::Served, ..FoundBy::KEY };
            return Some(ResolvedEntry { entry, provider: lookup.provider, found_by }.into());
        }
    }
    let found = strip::served_forms(lookup.name)
        .map_while(|name| match reach(layers, Lookup { name, ..lookup }) {
            Some(Reached::Entry(found)) => Some(Some(found)),
            Some(Reached::SetAside(_)) => None,
            None => Some(None),
        })
        .flatten()
        .next()?;
    let found_by = FoundBy { candidate: Candidate::Served, ..found.found_by };
    Some(ResolvedEntry { found_by, ..found }.into())
}

/// Looks up a name that leads to no entry of its own, nor to a row that was set aside.
pub(crate) fn look_up_without_entry<'m: 'n, 'n>(
    layers: Layers<'m>,
    lookup: Lookup<'n>,
) -> Option<Found<'m, 'n>> {
    if lookup.strict {
        return None;
    }
    let by = |matched| FoundBy { candidate: Candidate::AsGiven, matched, rewritten: false };
    if let Some(entry) = families::stand_in(layers, lookup) {
        let answer = Answer::Entry(entry);
        return Some(Found { answer, provider: lookup.provider, found_by: by(Match::StandIn) });
    }
    if families::is_self_hosted(lookup) {
        let answer = Answer::SelfHosted;
        return Some(Found { answer, provider: lookup.provider, found_by: by(Match::SelfHosted) });
    }
    let (catalog, provider, found_by) = describe(layers, lookup)?;
    Some(Found { answer: Answer::Described(Box::new(catalog)), provider, found_by })
}

/// Returns the model info of a self-hosted model as JSON: the fields that fallback rules describe,
/// and the provider.
pub(crate) fn self_hosted_info(layers: Layers<'_>, lookup: Lookup<'_>) -> String {
    let provider = families::provider_of(lookup).map(json::quoted);
    let described = described(layers, lookup);
    let described = described.as_ref().and_then(|catalog| catalog.entry(0)).map(EntryRef::json);
    let mut info = json::Union::default();
    for (name, json) in json::fields(described.unwrap_or("{}")).unwrap_or_default() {
        info.set(name, json);
    }
    if let Some(provider) = &provider {
        info.set("litellm_provider".into(), provider);
    }
    json::object(info.fields)
}

/// Returns the description by fallback rules of a name without an entry: a catalogue of one entry.
pub(crate) fn described(layers: Layers<'_>, lookup: Lookup<'_>) -> Option<Catalog> {
    describe(layers, lookup).map(|(catalog, ..)| catalog)
}

/// Describes a name without an entry by fallback rules: a catalogue of one entry.
///
/// Returns `None` if a candidate names any entry, even one of another provider: the model is then
/// known, and must not be guessed at.
fn describe<'m: 'n, 'n>(
    layers: Layers<'m>,
    lookup: Lookup<'n>,
) -> Option<(Catalog, Option<&'n str>, FoundBy)> {
    if !layers.rules().describe_any() {
        return None;
    }
    let query = Query::new(layers, lookup);
    let known = query.candidates(|_, name| match layers.find(name) {
        Some(_) => ControlFlow::Break(()),
        None => ControlFlow::Continue(()),
    });
    if known.is_break() {
        return None;
    }
    let described = query.candidates(|candidate, name| match layers.rules().describe(name, query.provider) {
        Some(catalog) => ControlFlow::Break((candidate, catalog)),
        None => ControlFlow::Continue(()),
    });
    let (candidate, catalog) = described.break_value()?;
    let found_by = FoundBy { candidate, matched: Match::Described, rewritten: query.rewritten };
    Some((catalog, query.provider, found_by))
}

/// Returns whether an entry of the provider `entry` may answer for the provider `asked`.
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

//! Lookup of names: from a name to an entry, and how it was found.

mod billed;
mod explain;
mod families;
mod layers;
mod lookup;
mod memo;
mod names;
mod near;
mod query;
mod strip;
mod units;

use std::ops::ControlFlow;

use crate::catalog::{Catalog, EntryRef, SetAside};
use crate::json;

pub(crate) use billed::billed_provider;
pub use explain::{Explanation, Outcome, Step};
pub(crate) use families::{is_router_entry, router_fee};
pub(crate) use layers::Layers;
pub use lookup::{Candidate, FoundBy, Lookup, Match};
pub(crate) use memo::{Memo, Remembered};
pub(crate) use near::Spellings;
use query::Query;
pub(crate) use strip::without_region_path;
pub(crate) use units::unit_entry;

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
                let found_by = FoundBy { candidate, matched, rewritten, retired: false };
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

/// Looks up a name, in this order: entries, entries that stand in for models without one, models that left
/// the map, models that run on the caller's own machines, and descriptions by fallback rules. Pricing, `resolve`
/// and `explain` all use this lookup.
pub(crate) fn look_up<'m: 'n, 'n>(layers: Layers<'m>, lookup: Lookup<'n>) -> Option<Found<'m, 'n>> {
    match reach(layers, lookup) {
        Some(Reached::Entry(found)) => Some(found.into()),
        Some(Reached::SetAside(_)) => None,
        None => {
            let served = look_up_served(layers, lookup).map(Into::into);
            served.or_else(|| look_up_without_entry(layers, lookup))
        }
    }
}

/// Returns the entry of a name of a request or of a response. Other entries do not stand in.
pub(crate) fn look_up_entry<'m: 'n, 'n>(
    layers: Layers<'m>,
    lookup: Lookup<'n>,
) -> Option<ResolvedEntry<'m, 'n>> {
    match reach(layers, lookup) {
        Some(Reached::Entry(found)) => Some(found),
        Some(Reached::SetAside(_)) => None,
        None => look_up_served(layers, lookup),
    }
}

/// Looks up a name that leads to no entry of the map among the models that left the map.
fn look_up_retired<'m: 'n, 'n>(layers: Layers<'m>, lookup: Lookup<'n>) -> Option<Found<'m, 'n>> {
    let found = look_up_entry(layers.of_retired()?, lookup)?;
    let found_by = FoundBy { retired: true, ..found.found_by };
    layers.shows_retired(found.entry).then(|| ResolvedEntry { found_by, ..found }.into())
}

/// Looks up a name of a response without what its provider adds to it.
fn look_up_served<'m: 'n, 'n>(layers: Layers<'m>, lookup: Lookup<'n>) -> Option<ResolvedEntry<'m, 'n>> {
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
        return Some(found);
    }
    if is_resource {
        return None;
    }
    if lookup.provider.is_some_and(|provider| provider.starts_with("bedrock")) {
        let mut ids = strip::bedrock_ids(lookup.name).filter_map(|id| layers.exact(&id));
        if let Some(entry) = ids.find(|entry| fits(entry.provider(), lookup.provider)) {
            let found_by = FoundBy { candidate: Candidate::Served, ..FoundBy::KEY };
            return Some(ResolvedEntry { entry, provider: lookup.provider, found_by });
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
    Some(ResolvedEntry { found_by, ..found })
}

/// Looks up a name that leads to no entry of its own, nor to a row that was set aside.
pub(crate) fn look_up_without_entry<'m: 'n, 'n>(
    layers: Layers<'m>,
    lookup: Lookup<'n>,
) -> Option<Found<'m, 'n>> {
    if lookup.strict {
        return look_up_retired(layers, lookup);
    }
    let by = |matched| FoundBy { matched, ..FoundBy::KEY };
    if let Some(entry) = families::stand_in(layers, lookup) {
        let answer = Answer::Entry(entry);
        return Some(Found { answer, provider: lookup.provider, found_by: by(Match::StandIn) });
    }
    if let Some(found) = look_up_retired(layers, lookup) {
        return Some(found);
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
    let rewritten = query.rewritten;
    let found_by = FoundBy { candidate, matched: Match::Described, rewritten, retired: false };
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

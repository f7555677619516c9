//! [`Resolved`] and [`ResolvedModel`]: models that were looked up, and price calls.

use std::fmt;
use std::sync::Arc;

use super::Snapshot;
use super::retired::{by_set, retired};
use super::terms::Route;
use crate::catalog::{Catalog, EntryRef, Target};
use crate::cost::{Call, Cost};
use crate::error::Error;
use crate::model_info::ModelInfo;
use crate::num::Usd;
use crate::rates::RuleProvider;
use crate::resolve::{Answer, Found, FoundBy, Lookup, self_hosted_info};
use crate::retired::Retirement;

/// A model that a name led to, and the way it was found: from [`Snapshot::resolve`].
///
/// Calls to the model are priced without another lookup. A resolved model borrows its snapshot;
/// [`ResolvedModel`] keeps it.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "bundled")] {
/// use llm_costmap::{CostMap, Lookup, Usage};
///
/// let snapshot = CostMap::bundled().snapshot();
/// let model = snapshot.resolve(Lookup::new("gpt-4o-mini").provider("azure"))?;
/// let usage = Usage::new(1_000_000, 0);
/// assert_eq!(model.cost(&usage)?.total().to_string(), "0.15");
/// assert_eq!(model.total(&usage)?.to_string(), "0.15");
/// assert_eq!(model.found_by().to_string(), "the name behind its provider, a key");
/// # }
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Clone)]
pub struct Resolved<'a> {
    snapshot: &'a Snapshot,
    priced_by: PricedBy<EntryRef<'a>>,
    asked: Option<Box<Asked>>,
    terms: Terms,
}

/// A model that was looked up, with the snapshot that it was looked up in: from
/// [`CostMap::resolve`](crate::CostMap::resolve) or [`Snapshot::resolve_owned`].
///
/// It prices by its snapshot for as long as it is kept, whatever is reloaded meanwhile.
///
/// # Examples
///
/// ```
/// use llm_costmap::{CostMap, Usage};
///
/// let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
/// let model = map.resolve("m")?;
/// map.reload_from_bytes(r#"{"m": {"input_cost_per_token": 2e-6}}"#)?;
/// let priced = std::thread::spawn(move || model.total(&Usage::new(1_000_000, 0)));
/// assert_eq!(priced.join().expect("no panic")?.to_string(), "1");
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Clone)]
pub struct ResolvedModel {
    snapshot: Arc<Snapshot>,
    priced_by: PricedBy<OwnedEntry>,
    asked: Option<Box<Asked>>,
    terms: Terms,
}

/// The name and the provider that were asked for, unless these are a key and none.
#[derive(Clone)]
struct Asked {
    name: Box<str>,
    provider: Option<Box<str>>,
}

/// An entry, with its catalogue.
#[derive(Clone)]
struct OwnedEntry {
    catalog: Arc<Catalog>,
    target: Target,
}

/// An entry, borrowed or with its catalogue.
trait AsEntry {
    fn as_entry(&self) -> EntryRef<'_>;
}

impl AsEntry for EntryRef<'_> {
    #[inline]
    fn as_entry(&self) -> EntryRef<'_> {
        *self
    }
}

impl AsEntry for OwnedEntry {
    #[inline]
    fn as_entry(&self) -> EntryRef<'_> {
        self.catalog.at(self.target)
    }
}

/// The part of a snapshot that prices and describes a model.
#[derive(Clone)]
enum PricedBy<E> {
    Entry(E),
    /// Nothing: calls are free. Holds the name.
    SelfHosted(Box<str>),
    /// A catalogue of one entry, made of fallback rules.
    Described(Arc<Catalog>),
}

impl<E: AsEntry> PricedBy<E> {
    /// Returns the entry that prices the model; `None` if it is self-hosted.
    #[inline]
    fn entry(&self) -> Option<EntryRef<'_>> {
        match self {
            Self::Entry(entry) => Some(entry.as_entry()),
            Self::SelfHosted(_) => None,
            Self::Described(catalog) => catalog.entry(0),
        }
    }

    fn key(&self) -> &str {
        match self {
            Self::SelfHosted(name) => name,
            Self::Entry(_) | Self::Described(_) => self.entry().map_or("", EntryRef::key),
        }
    }
}

/// The lookup, as far as prices depend on it.
#[derive(Clone, Copy)]
struct Terms {
    found_by: FoundBy,
    route: Route,
    /// True if the provider is trusted with the amounts that it states.
    trusts: bool,
}

impl Terms {
    fn cost(
        self,
        snapshot: &Snapshot,
        entry: EntryRef<'_>,
        asked: Option<&Asked>,
        call: &Call<'_>,
    ) -> Result<Cost, Error> {
        let lookup = lookup(entry.key(), asked);
        let priced = snapshot.price(entry, self.route, lookup, Some(self.trusts), call);
        if self.route.is_retired { retired(priced, by_set(call, lookup, entry)) } else { priced }
    }

    #[inline]
    fn total(
        self,
        snapshot: &Snapshot,
        entry: EntryRef<'_>,
        asked: Option<&Asked>,
        call: &Call<'_>,
    ) -> Result<Usd, Error> {
        let lookup = || lookup(entry.key(), asked);
        snapshot.total_by(entry, self.route, lookup, Some(self.trusts), call)
    }
}

/// Returns the lookup of a model that was found before.
#[inline]
fn lookup<'n>(key: &'n str, asked: Option<&'n Asked>) -> Lookup<'n> {
    match asked {
        Some(Asked { name, provider }) => Lookup { provider: provider.as_deref(), ..Lookup::new(name) },
        None => Lookup::new(key),
    }
}

impl<'a> Resolved<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, lookup: Lookup<'_>, found: Found<'a, '_>) -> Self {
        let entry = if let Answer::Entry(entry) = &found.answer { Some(*entry) } else { None };
        let terms = Terms {
            trusts: snapshot.trusted.trust(lookup, entry),
            found_by: found.found_by,
            route: Route {
                provider: Some(RuleProvider::of(found.provider, lookup.name)),
                rules: entry.map(|entry| snapshot.rules_to_remember(lookup, entry)),
                is_retired: found.found_by.retired,
            },
        };
        let priced_by = match found.answer {
            Answer::Entry(entry) => PricedBy::Entry(entry),
            Answer::SelfHosted => PricedBy::SelfHosted(lookup.name.into()),
            Answer::Described(catalog) => PricedBy::Described(Arc::from(catalog)),
        };
        let is_key = lookup.provider.is_none() && priced_by.key() == lookup.name;
        let asked = || Asked { name: lookup.name.into(), provider: lookup.provider.map(Into::into) };
        let asked = (!is_key).then(|| Box::new(asked()));
        Self { snapshot, priced_by, asked, terms }
    }

    /// Returns the key of the entry that prices the model; for a model that fallback rules
    /// describe, the name that they matched; for a self-hosted model, its name.
    #[must_use]
    pub fn key(&self) -> &str {
        self.priced_by.key()
    }

    /// Returns the way in which the model was found.
    #[must_use]
    pub fn found_by(&self) -> FoundBy {
        self.terms.found_by
    }

    /// Returns the last map that had the model, if that is retired: see
    /// [`CostMapBuilder::retired`](crate::CostMapBuilder::retired).
    #[must_use]
    pub fn retirement(&self) -> Option<Retirement> {
        let entry = self.priced_by.entry().filter(|_| self.terms.found_by.retired)?;
        self.snapshot.retirement_of(entry)
    }

    /// Returns what the map says of the model. Intended for diagnostics and display: reading a
    /// field takes longer than pricing a call.
    #[must_use]
    pub fn model_info(&self) -> ModelInfo<'a> {
        match &self.priced_by {
            PricedBy::Entry(entry) if self.terms.found_by.retired => self.snapshot.info_of_retired(*entry),
            PricedBy::Entry(entry) => self.snapshot.info(*entry),
            PricedBy::SelfHosted(name) => {
                let lookup = lookup(name, self.asked.as_deref());
                ModelInfo::of_text(name.to_string(), self_hosted_info(self.snapshot.layers(), lookup))
            }
            PricedBy::Described(catalog) => {
                let json = catalog.entry(0).map_or("{}", EntryRef::json);
                ModelInfo::of_text(self.key().to_owned(), json.to_owned())
            }
        }
    }

    /// Prices a call to the model, by the snapshot that it was looked up in.
    ///
    /// # Errors
    ///
    /// [`Error::Unpriced`] and [`Error::Overflow`], as [`Snapshot::cost`].
    #[inline]
    pub fn cost<'c>(&self, call: impl Into<Call<'c>>) -> Result<Cost, Error> {
        let call = call.into();
        match self.priced_by.entry() {
            Some(entry) => self.terms.cost(self.snapshot, entry, self.asked.as_deref(), &call),
            None => self.snapshot.free(lookup(self.key(), self.asked.as_deref()), &call),
        }
    }

    /// Returns the total of a call to the model: the amount of [`cost`](Self::cost), in less time.
    ///
    /// # Errors
    ///
    /// The errors of [`cost`](Self::cost); and [`Error::UnknownServiceTier`] and
    /// [`Error::UnknownDataResidency`], as [`Snapshot::total`].
    #[inline]
    pub fn total<'c>(&self, call: impl Into<Call<'c>>) -> Result<Usd, Error> {
        let call = call.into();
        match self.priced_by.entry() {
            Some(entry) => self.terms.total(self.snapshot, entry, self.asked.as_deref(), &call),
            None => self.total_without_entry(&call),
        }
    }

    #[cold]
    fn total_without_entry(&self, call: &Call<'_>) -> Result<Usd, Error> {
        self.cost(call).map(|cost| cost.total())
    }
}

impl ResolvedModel {
    pub(super) fn new(snapshot: &Arc<Snapshot>, model: Resolved<'_>) -> Option<Self> {
        let priced_by = match model.priced_by {
            PricedBy::Entry(entry) => {
                PricedBy::Entry(OwnedEntry { catalog: snapshot.catalog_of(entry)?, target: entry.target() })
            }
            PricedBy::SelfHosted(name) => PricedBy::SelfHosted(name),
            PricedBy::Described(catalog) => PricedBy::Described(catalog),
        };
        Some(Self { snapshot: snapshot.clone(), priced_by, asked: model.asked, terms: model.terms })
    }

    /// Returns the model, borrowed.
    #[must_use]
    pub fn as_resolved(&self) -> Resolved<'_> {
        let priced_by = match &self.priced_by {
            PricedBy::Entry(entry) => PricedBy::Entry(entry.as_entry()),
            PricedBy::SelfHosted(name) => PricedBy::SelfHosted(name.clone()),
            PricedBy::Described(catalog) => PricedBy::Described(catalog.clone()),
        };
        Resolved { snapshot: &self.snapshot, priced_by, asked: self.asked.clone(), terms: self.terms }
    }

    /// Returns the snapshot that the model was looked up in, and prices by.
    #[must_use]
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Returns the key of the entry that prices the model: see [`Resolved::key`].
    #[must_use]
    pub fn key(&self) -> &str {
        self.priced_by.key()
    }

    /// Returns the way in which the model was found.
    #[must_use]
    pub fn found_by(&self) -> FoundBy {
        self.terms.found_by
    }

    /// Returns the last map that had the model, if that is retired: see [`Resolved::retirement`].
    #[must_use]
    pub fn retirement(&self) -> Option<Retirement> {
        self.as_resolved().retirement()
    }

    /// Returns what the map says of the model: see [`Resolved::model_info`].
    #[must_use]
    pub fn model_info(&self) -> ModelInfo<'_> {
        self.as_resolved().model_info()
    }

    /// Prices a call to the model: see [`Resolved::cost`].
    ///
    /// # Errors
    ///
    /// The errors of [`Resolved::cost`].
    #[inline]
    pub fn cost<'c>(&self, call: impl Into<Call<'c>>) -> Result<Cost, Error> {
        let call = call.into();
        match self.priced_by.entry() {
            Some(entry) => self.terms.cost(&self.snapshot, entry, self.asked.as_deref(), &call),
            None => self.snapshot.free(lookup(self.key(), self.asked.as_deref()), &call),
        }
    }

    /// Returns the total of a call to the model: see [`Resolved::total`].
    ///
    /// # Errors
    ///
    /// The errors of [`Resolved::total`].
    #[inline]
    pub fn total<'c>(&self, call: impl Into<Call<'c>>) -> Result<Usd, Error> {
        let call = call.into();
        match self.priced_by.entry() {
            Some(entry) => self.terms.total(&self.snapshot, entry, self.asked.as_deref(), &call),
            None => self.as_resolved().total_without_entry(&call),
        }
    }
}

impl fmt::Debug for Resolved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolved")
            .field("key", &self.key())
            .field("found_by", &self.terms.found_by)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ResolvedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolvedModel")
            .field("key", &self.key())
            .field("found_by", &self.terms.found_by)
            .field("snapshot", &self.snapshot)
            .finish_non_exhaustive()
    }
}

//! [`Resolved`]: a model that was looked up, and prices calls.

use std::fmt;
use std::sync::Arc;

use super::{Snapshot, total_of};
use crate::catalog::{Catalog, EntryRef};
use crate::cost::{Cost, CostRequest};
use crate::error::Error;
use crate::model_info::ModelInfo;
use crate::rates::RuleProvider;
use crate::resolve::{FoundBy, Lookup};
use crate::usd::Usd;

/// A model that a name led to, and how: from [`Snapshot::resolve`].
///
/// Calls to it are priced without another lookup.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "bundled")] {
/// use llm_costmap::{CostMap, CostRequest, Lookup, Usage};
///
/// let snapshot = CostMap::bundled().snapshot();
/// let model = snapshot.resolve(Lookup::new("gpt-4o-mini").provider("azure"))?;
/// let usage = Usage::new(1_000_000, 0);
/// let call = CostRequest::new("my-deployment", &usage);
/// assert_eq!(model.cost(&call)?.total().to_string(), "0.15");
/// assert_eq!(model.total(&call)?.to_string(), "0.15");
/// # }
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Resolved<'a> {
    /// What is known of the model.
    pub model_info: ModelInfo<'a>,
    /// How it was found.
    pub found_by: FoundBy,
    pub(super) snapshot: &'a Snapshot,
    pub(super) rates: Rates<'a>,
    /// Who was asked for it, as far as Azure AI's router asks: nobody, Azure AI, or nobody with a name.
    pub(super) router: Option<&'static str>,
    pub(super) provider: RuleProvider,
}

/// What prices the calls to a model.
#[derive(Clone)]
pub(super) enum Rates<'a> {
    Entry(EntryRef<'a>),
    /// Nothing: calls to it are free.
    SelfHosted,
    /// A catalogue of one entry.
    Described(Arc<Catalog>),
}

impl Resolved<'_> {
    /// The key of the entry that prices the model; of a model that fallback rules describe, the name that they matched; of one that is
    /// self-hosted, its name.
    #[must_use]
    pub fn key(&self) -> &str {
        self.model_info.key()
    }

    /// What a call to it costs, by the snapshot that it was looked up in. The model and the provider that the request names are passed over
    /// for those that were looked up.
    ///
    /// # Errors
    ///
    /// [`Error::Overflow`], as [`Snapshot::cost`].
    #[inline]
    pub fn cost(&self, request: &CostRequest<'_>) -> Result<Cost, Error> {
        let Some(entry) = self.entry() else { return Ok(self.snapshot.free(self.key())) };
        if request.requested_model.is_none() {
            self.snapshot.price(entry, Some(self.provider), request)
        } else {
            self.snapshot.price(entry, Some(self.provider), &self.routed(request))
        }
    }

    /// What a call to it costs in all: the same amount as that of [`cost`](Self::cost), in less time.
    ///
    /// # Errors
    ///
    /// [`Error::Overflow`] and [`Error::Incomplete`], as [`Snapshot::total`].
    #[inline]
    pub fn total(&self, request: &CostRequest<'_>) -> Result<Usd, Error> {
        match self.entry() {
            Some(entry) if request.requested_model.is_none() => {
                self.snapshot.total_by(entry, Some(self.provider), request)
            }
            _ => total_of(self.cost(request)),
        }
    }

    /// The request with the provider that was looked up, on whom a router's fee hangs.
    fn routed<'r>(&self, request: &CostRequest<'r>) -> CostRequest<'r> {
        CostRequest { lookup: Lookup { provider: self.router, ..request.lookup }, ..*request }
    }

    /// The entry that prices it; none is needed where it is self-hosted.
    #[inline]
    fn entry(&self) -> Option<EntryRef<'_>> {
        match &self.rates {
            Rates::Entry(entry) => Some(*entry),
            Rates::SelfHosted => None,
            Rates::Described(catalog) => catalog.entry(0),
        }
    }
}

impl fmt::Debug for Resolved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolved")
            .field("model_info", &self.model_info)
            .field("found_by", &self.found_by)
            .finish_non_exhaustive()
    }
}

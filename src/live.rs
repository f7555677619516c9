//! The live snapshot, and the one place where it is swapped.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use arc_swap::{ArcSwap, Guard};

use crate::catalog::{Catalog, View};
use crate::cost::Adjustments;
use crate::deployment::{Deployment, Deployments};
use crate::error::Error;
use crate::overlay::{ExpiredCorrection, Overlay, Overrides};
use crate::resolve::Layers;
use crate::retired::{self, RetiredModels};
use crate::snapshot::{Adjusted, Snapshot, SnapshotParts, TrustedProviders};
use crate::sync::lock;
use crate::version::{Generation, Version};

/// The number of generations whose provenance is kept.
const REMEMBERED: usize = 64;

/// A map that readers load while writers replace it.
///
/// Writers are serialised by a lock. Each builds the next snapshot beside the live one, with the
/// operator's models over the catalogue, and swaps it in whole.
pub(crate) struct Live {
    current: ArcSwap<Snapshot>,
    writer: Mutex<Writer>,
}

/// A catalogue, and the version of the text that it was read from.
#[derive(Debug, Clone)]
pub(crate) struct VersionedCatalog {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) version: Arc<Version>,
}

impl VersionedCatalog {
    pub(crate) fn new(catalog: Arc<Catalog>, version: Version) -> Self {
        Self { catalog, version: Arc::new(version) }
    }

    /// Returns a map without models.
    pub(crate) fn empty() -> Self {
        Self::new(Arc::new(Catalog::empty()), Version::empty())
    }
}

/// A swap that was made.
pub(crate) struct Swapped {
    pub(crate) snapshot: Arc<Snapshot>,
    /// The operator's corrections that no longer apply.
    pub(crate) expired: Vec<ExpiredCorrection>,
}

/// The writers' state, from which the next snapshot is built together with the live one.
struct Writer {
    base: VersionedCatalog,
    overrides: Overrides,
    adjustments: Option<Arc<Adjustments>>,
    generation: u64,
    /// Replaced snapshots that readers may still hold. They are kept so that no reader has to free
    /// one.
    replaced: Vec<Arc<Snapshot>>,
    /// The time at which the live catalogue went live.
    base_since: SystemTime,
    /// The treatment of models that leave the map.
    retires: RetiredModels,
    generations: VecDeque<Generation>,
    /// The first generation since which the live catalogue is live.
    since: u64,
    /// The generations of the live catalogue before it was replaced and gone back to.
    earlier: Vec<RangeInclusive<u64>>,
    /// The catalogues that were replaced last, oldest first, with their generations.
    kept: VecDeque<(Vec<RangeInclusive<u64>>, VersionedCatalog)>,
    /// The number of replaced catalogues to keep.
    keeps: usize,
}

impl Live {
    pub(crate) fn new(
        base: VersionedCatalog,
        trusted: TrustedProviders,
        adjustments: Option<Arc<Adjustments>>,
        retires: RetiredModels,
        history: Option<&View>,
        keeps: usize,
    ) -> Self {
        let generation = 1;
        let parts = SnapshotParts {
            base: base.catalog.clone(),
            version: base.version.clone(),
            trusted: Arc::new(trusted),
            retired: match retires {
                RetiredModels::Forget => None,
                RetiredModels::Keep => retired::at_start(&base.catalog, history),
            },
            adjusted: adjustments.clone().map(|of_all| Arc::new(Adjusted::new(of_all, &base.catalog))),
            generation,
            ..SnapshotParts::default()
        };
        let first = Snapshot::new(parts, SystemTime::now());
        let mut writer = Writer {
            base,
            overrides: Overrides::default(),
            adjustments,
            generation,
            replaced: Vec::new(),
            base_since: first.loaded_at(),
            retires,
            generations: VecDeque::new(),
            since: generation,
            earlier: Vec::new(),
            kept: VecDeque::new(),
            keeps,
        };
        writer.remember(&first);
        Self { current: ArcSwap::new(first), writer: Mutex::new(writer) }
    }

    /// Loads the live snapshot for the duration of a call.
    #[inline]
    pub(crate) fn load(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// Returns the live snapshot, for as long as the caller keeps it.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Returns the catalogue under the operator's models.
    pub(crate) fn base(&self) -> VersionedCatalog {
        self.writer().base.clone()
    }

    /// Returns the catalogue under the operator's models, and the time at which it went live.
    pub(crate) fn base_since(&self) -> (VersionedCatalog, SystemTime) {
        let writer = self.writer();
        (writer.base.clone(), writer.base_since)
    }

    /// Returns the catalogue that was live in a generation, if that is kept.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownGeneration`] otherwise.
    pub(crate) fn base_of(&self, generation: u64) -> Result<VersionedCatalog, Error> {
        let writer = self.writer();
        let has = |ranges: &[RangeInclusive<u64>]| ranges.iter().any(|range| range.contains(&generation));
        if (writer.since..=writer.generation).contains(&generation) || has(&writer.earlier) {
            return Ok(writer.base.clone());
        }
        let kept = writer.kept.iter().find(|(ranges, _)| has(ranges));
        kept.map(|(_, base)| base.clone()).ok_or_else(|| Error::UnknownGeneration {
            generation,
            kept: writer.kept.iter().flat_map(|(ranges, _)| ranges.clone()).collect(),
        })
    }

    /// Returns the last generations, oldest first.
    pub(crate) fn generations(&self) -> Vec<Generation> {
        self.writer().generations.iter().cloned().collect()
    }

    /// Replaces the live catalogue. Nothing changes on an error.
    pub(crate) fn replace(&self, base: VersionedCatalog) -> Result<Swapped, Error> {
        let mut writer = self.writer();
        let (overrides, deployments) = (writer.overrides.clone(), self.deployments());
        self.swap(&mut writer, base, overrides, deployments)
    }

    /// Changes the registered models, and swaps in the result if `change` returns `true`. Nothing
    /// changes on an error. Returns the snapshot that was swapped in.
    ///
    /// `change` runs under the lock, and must not run a caller's code.
    pub(crate) fn change(
        &self,
        change: impl FnOnce(&mut Overrides) -> Result<bool, Error>,
    ) -> Result<Option<Arc<Snapshot>>, Error> {
        let mut writer = self.writer();
        let mut overrides = writer.overrides.clone();
        if !change(&mut overrides)? {
            return Ok(None);
        }
        let (base, deployments) = (writer.base.clone(), self.deployments());
        self.swap(&mut writer, base, overrides, deployments).map(|swapped| Some(swapped.snapshot))
    }

    /// Changes the deployments, and swaps in the result if `change` returns `true`. Nothing changes
    /// on an error.
    ///
    /// `change` runs under the lock, and must not run a caller's code.
    pub(crate) fn change_deployments(
        &self,
        change: impl FnOnce(&mut Vec<Deployment>) -> bool,
    ) -> Result<bool, Error> {
        let mut writer = self.writer();
        let mut list = self.deployments().list().to_vec();
        if !change(&mut list) {
            return Ok(false);
        }
        let deployments = Arc::new(Deployments::new(list)?);
        self.swap_deployments(&mut writer, deployments).map(|()| true)
    }

    /// Replaces the live list of deployments. Nothing changes on an error.
    pub(crate) fn set_deployments(&self, deployments: Arc<Deployments>) -> Result<(), Error> {
        self.swap_deployments(&mut self.writer(), deployments)
    }

    /// Replaces the discounts and margins. Nothing changes on an error.
    pub(crate) fn set_adjustments(&self, adjustments: Option<Arc<Adjustments>>) -> Result<(), Error> {
        let mut writer = self.writer();
        let before = std::mem::replace(&mut writer.adjustments, adjustments);
        let (base, overrides, deployments) =
            (writer.base.clone(), writer.overrides.clone(), self.deployments());
        let swapped = self.swap(&mut writer, base, overrides, deployments);
        if swapped.is_err() {
            writer.adjustments = before;
        }
        swapped.map(drop)
    }

    fn swap_deployments(&self, writer: &mut Writer, deployments: Arc<Deployments>) -> Result<(), Error> {
        let (base, overrides) = (writer.base.clone(), writer.overrides.clone());
        self.swap(writer, base, overrides, deployments).map(drop)
    }

    fn deployments(&self) -> Arc<Deployments> {
        self.load().deployments_shared().clone()
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        lock(&self.writer)
    }

    /// Builds the next snapshot and swaps it in. Nothing changes on an error.
    fn swap(
        &self,
        writer: &mut Writer,
        base: VersionedCatalog,
        overrides: Overrides,
        deployments: Arc<Deployments>,
    ) -> Result<Swapped, Error> {
        let before = self.snapshot();
        let is_same_base = Arc::ptr_eq(&writer.base.catalog, &base.catalog);
        let own = if is_same_base && overrides.is_same(&writer.overrides) {
            before.overlay().cloned()
        } else {
            let known = before.overlay().map(|own| &**own);
            overrides.compose(Layers::only(&base.catalog), known, is_same_base)?.map(Arc::new)
        };
        let retired = match writer.retires {
            RetiredModels::Forget => None,
            RetiredModels::Keep if is_same_base => before.retired().cloned(),
            RetiredModels::Keep => {
                let known = before.retired().map(|known| &**known);
                let VersionedCatalog { catalog, version } = &writer.base;
                retired::after(known, catalog, version, writer.base_since, &base.catalog)
            }
        };
        let own_layer = own.as_deref().map(Overlay::layer);
        let layers = Layers::new(own_layer, &base.catalog, retired.as_deref());
        let priced =
            deployments.compose(layers, before.deployments_shared(), before.priced(), is_same_base)?;
        let adjusted = writer.adjustments.as_ref().map(|of_all| {
            let known = before.adjusted().filter(|known| is_same_base && known.is_of(of_all));
            known.cloned().unwrap_or_else(|| Arc::new(Adjusted::new(of_all.clone(), &base.catalog)))
        });
        let generation = writer.generation + 1;
        let parts = SnapshotParts {
            base: base.catalog.clone(),
            version: base.version.clone(),
            own,
            deployments,
            priced: Arc::new(priced),
            trusted: before.trusted().clone(),
            retired,
            adjusted,
            generation,
        };
        let next = Snapshot::new(parts, SystemTime::now());
        self.current.store(next.clone());
        if !is_same_base {
            // A map that was gone back to is the live one again, and no longer one that is kept.
            let is_it = |(_, kept): &(_, VersionedCatalog)| Arc::ptr_eq(&kept.catalog, &base.catalog);
            let back = writer.kept.iter().position(is_it).and_then(|at| writer.kept.remove(at));
            let earlier = back.map(|(ranges, _)| ranges).unwrap_or_default();
            let mut ranges = std::mem::replace(&mut writer.earlier, earlier);
            ranges.push(writer.since..=writer.generation);
            let replaced = std::mem::replace(&mut writer.base, base);
            writer.kept.push_back((ranges, replaced));
            while writer.kept.len() > writer.keeps {
                writer.kept.pop_front();
            }
            writer.since = generation;
            writer.base_since = next.loaded_at();
        }
        writer.overrides = overrides;
        writer.generation = generation;
        writer.remember(&next);
        let expired = next.expired_since(&before);
        writer.replaced.push(before);
        writer.replaced.retain(|snapshot| Arc::strong_count(snapshot) > 1);
        Ok(Swapped { snapshot: next, expired })
    }
}

impl Writer {
    fn remember(&mut self, snapshot: &Snapshot) {
        if self.generations.len() == REMEMBERED {
            self.generations.pop_front();
        }
        self.generations.push_back(snapshot.provenance());
    }
}

//! The live snapshot: the only swap, and the only lock of writers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use arc_swap::{ArcSwap, Guard};

use crate::catalog::Catalog;
use crate::deployment::{Deployment, Deployments};
use crate::error::Error;
use crate::overlay::{Overlay, Overrides};
use crate::resolve::Layers;
use crate::snapshot::{Parts, Snapshot};
use crate::sync::lock;
use crate::version::{Generation, Version};

/// How many generations are remembered by where their prices are from.
const REMEMBERED: usize = 64;

/// A map that readers load while writers replace it.
///
/// Writers are serialised; each builds the next snapshot aside, with the operator's models over the catalogue, and swaps it in whole.
pub(crate) struct Live {
    current: ArcSwap<Snapshot>,
    writer: Mutex<Writer>,
}

/// A catalogue, and which text it was read from.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) version: Arc<Version>,
}

impl Base {
    pub(crate) fn new(catalog: Arc<Catalog>, version: Version) -> Self {
        Self { catalog, version: Arc::new(version) }
    }

    /// A map of no models.
    pub(crate) fn empty() -> Self {
        Self::new(Arc::new(Catalog::empty()), Version::empty())
    }
}

/// What the next snapshot is made from, beside what the live one has.
struct Writer {
    base: Base,
    overrides: Overrides,
    generation: u64,
    /// Snapshots that readers may still hold: kept until no reader can be the one that frees them.
    retired: Vec<Arc<Snapshot>>,
    history: VecDeque<Generation>,
}

impl Live {
    pub(crate) fn new(base: Base) -> Self {
        let generation = 1;
        let parts = Parts {
            base: base.catalog.clone(),
            version: base.version.clone(),
            generation,
            ..Parts::default()
        };
        let first = Snapshot::new(parts, SystemTime::now());
        let mut writer = Writer {
            base,
            overrides: Overrides::default(),
            generation,
            retired: Vec::new(),
            history: VecDeque::new(),
        };
        writer.remember(&first);
        Self { current: ArcSwap::new(first), writer: Mutex::new(writer) }
    }

    /// The live snapshot, for as long as a call takes.
    #[inline]
    pub(crate) fn load(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// The live snapshot, to keep.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The catalogue under the operator's models.
    pub(crate) fn base(&self) -> Base {
        self.writer().base.clone()
    }

    /// The last generations, oldest first.
    pub(crate) fn history(&self) -> Vec<Generation> {
        self.writer().history.iter().cloned().collect()
    }

    /// Puts a catalogue in the place of the one that is live. Nothing changes on an error.
    pub(crate) fn replace(&self, base: Base) -> Result<Arc<Snapshot>, Error> {
        let mut writer = self.writer();
        let (overrides, deployments) = (writer.overrides.clone(), self.deployments());
        self.swap(&mut writer, base, overrides, deployments)
    }

    /// Changes what is registered, and swaps it in where `change` says that it did. Nothing changes on an error.
    ///
    /// `change` runs under the lock, and must not run a caller's code.
    pub(crate) fn change(
        &self,
        change: impl FnOnce(&mut Overrides) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        let mut writer = self.writer();
        let mut overrides = writer.overrides.clone();
        if !change(&mut overrides)? {
            return Ok(false);
        }
        let (base, deployments) = (writer.base.clone(), self.deployments());
        self.swap(&mut writer, base, overrides, deployments).map(|_| true)
    }

    /// Changes the deployments, and swaps them in where `change` says that it did. Nothing changes on an error.
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

    /// Puts a list of deployments in the place of the one that is live.
    pub(crate) fn set_deployments(&self, deployments: Arc<Deployments>) -> Result<(), Error> {
        self.swap_deployments(&mut self.writer(), deployments)
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

    /// Puts the next snapshot together and swaps it in. Nothing changes on an error.
    fn swap(
        &self,
        writer: &mut Writer,
        base: Base,
        overrides: Overrides,
        deployments: Arc<Deployments>,
    ) -> Result<Arc<Snapshot>, Error> {
        let before = self.snapshot();
        let is_same_base = Arc::ptr_eq(&writer.base.catalog, &base.catalog);
        let own = if is_same_base && overrides.is_same(&writer.overrides) {
            before.overlay().cloned()
        } else {
            let known = before.overlay().map(|own| &**own);
            overrides.compose(&base.catalog, known, is_same_base)?.map(Arc::new)
        };
        let layers = Layers { own: own.as_deref().map(Overlay::layer), base: &base.catalog };
        let priced =
            deployments.compose(layers, before.deployments_shared(), before.priced(), is_same_base)?;
        let generation = writer.generation + 1;
        let parts = Parts {
            base: base.catalog.clone(),
            version: base.version.clone(),
            own,
            deployments,
            priced: Arc::new(priced),
            generation,
        };
        let next = Snapshot::new(parts, SystemTime::now());
        self.current.store(next.clone());
        writer.base = base;
        writer.overrides = overrides;
        writer.generation = generation;
        writer.remember(&next);
        writer.retired.push(before);
        writer.retired.retain(|snapshot| Arc::strong_count(snapshot) > 1);
        Ok(next)
    }
}

impl Writer {
    fn remember(&mut self, snapshot: &Snapshot) {
        if self.history.len() == REMEMBERED {
            self.history.pop_front();
        }
        self.history.push_back(snapshot.provenance());
    }
}

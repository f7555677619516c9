//! Snapshots of the prices of an earlier time.

use std::sync::Arc;
use std::time::SystemTime;

use super::{Adjusted, Snapshot, SnapshotParts};
use crate::catalog::{Layer, Shows, View};
use crate::deployment::{Deployments, PricedDeployments};
use crate::error::Error;
use crate::overlay::Overlay;
use crate::resolve::{Layers, Lookup, look_up_entry, row_set_aside};
use crate::retired::RetiredModels;
use crate::text::clip;
use crate::time;
use crate::version::{Channel, Version};

impl Snapshot {
    /// Returns the snapshot of a view.
    pub(crate) fn of_past(view: View, retired: RetiredModels) -> Arc<Self> {
        Self::new(parts_of_past(view, retired), SystemTime::now())
    }

    /// Returns the snapshot of a view, with the models, deployments and settings of the operator of this
    /// snapshot.
    ///
    /// # Errors
    ///
    /// The error of one of those models or deployments, if it cannot be laid over the rows of the view.
    pub(crate) fn with_past(&self, view: View, retired: RetiredModels) -> Result<Arc<Self>, Error> {
        let mut parts = parts_of_past(view, retired);
        let (base, retired) = (parts.base.clone(), parts.retired.clone());
        if let Some(own) = &self.own {
            let past = parts.own.as_deref().map(Overlay::layer);
            let layers = Layers::new(past, &base, retired.as_deref());
            parts.own = own.overrides().compose(layers, None, false)?.map(Arc::new);
        }
        let (none, unpriced) = (Deployments::default(), PricedDeployments::default());
        let own = parts.own.as_deref().map(Overlay::layer);
        let layers = Layers::new(own, &base, retired.as_deref());
        parts.priced = Arc::new(self.deployments.compose(layers, &none, &unpriced, false)?);
        parts.deployments = self.deployments.clone();
        parts.trusted = self.trusted.clone();
        let unprepared = |adjusted: &Adjusted| Arc::new(Adjusted::unprepared(adjusted.adjustments.clone()));
        parts.adjusted = self.adjusted.as_deref().map(unprepared);
        Ok(Self::new(parts, SystemTime::now()))
    }

    /// Returns the error of a name that leads to no model at the time of this snapshot, if it leads to one at
    /// another.
    pub(super) fn no_price_at(&self, lookup: Lookup<'_>) -> Option<Error> {
        let past = self.layers().past()?;
        if row_set_aside(self.layers(), lookup).is_some() {
            return None;
        }
        let ever = Layer::new(Vec::new(), Some(past.showing(Shows::Ever)));
        let layers = Layers::new(Some(&ever), &self.base, None);
        let key = look_up_entry(layers, lookup)?.entry.key();
        // A model that is there has other names or another provider at this time.
        if past.has_key(key) {
            return None;
        }
        let (earliest, until) = past.span_of(key)?;
        let at = past.at;
        Some(Error::NoPriceAt {
            model: clip(lookup.name).to_owned(),
            at: time::of_micros(at),
            earliest: time::of_micros(earliest),
            until: until.map(time::of_micros),
        })
    }
}

/// Returns the parts of a snapshot of a view.
fn parts_of_past(view: View, retired: RetiredModels) -> SnapshotParts {
    let retired = match retired {
        RetiredModels::Forget => None,
        RetiredModels::Keep => Some(Arc::new(Layer::new(Vec::new(), Some(view.showing(Shows::Gone))))),
    };
    let version = Version {
        source: "the history".to_owned(),
        revision: view.map().and_then(|map| map.revision.clone()),
        channel: Channel::HandedIn,
    };
    SnapshotParts {
        base: view.rules(),
        version: Arc::new(version),
        own: Some(Arc::new(Overlay::of_past(view))),
        retired,
        ..SnapshotParts::default()
    }
}

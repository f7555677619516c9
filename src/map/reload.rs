//! The reloads of a map, by hand and on a schedule.

use std::sync::Arc;
use std::time::Duration;

use super::CostMap;
use crate::error::Error;
use crate::reload::{Guarded, ReloadReport, ScheduleStatus, SourceInfo};
use crate::source::Fetched;

/// Reloads.
impl CostMap {
    /// Fetches the map from its source and swaps it in, with the operator's models over it. Readers
    /// price by the map in use meanwhile. Concurrent calls share one fetch and its result.
    ///
    /// The map is checked first: see
    /// [`CostMapBuilder::min_models`](crate::CostMapBuilder::min_models),
    /// [`max_shrink_ratio`](crate::CostMapBuilder::max_shrink_ratio),
    /// [`required_models`](crate::CostMapBuilder::required_models) and
    /// [`max_price_jump_ratio`](crate::CostMapBuilder::max_price_jump_ratio).
    ///
    /// # Errors
    ///
    /// - [`Error::NoSource`] if the map has no source. If it has none since
    ///   `LITELLM_LOCAL_MODEL_COST_MAP` is `true`, the map is reported as unchanged instead.
    /// - [`Error::Fetch`] or [`Error::Io`] if the source returns no map.
    /// - [`Error::NestedReload`] if the caller is a source or a listener of this map.
    /// - The errors of [`reload_from_bytes`](Self::reload_from_bytes).
    ///
    /// The map is then unchanged.
    pub fn reload(&self) -> Result<ReloadReport, Error> {
        self.handle.reloader.reload(Guarded::Yes)
    }

    /// Reloads the map as [`reload`](Self::reload) does, but accepts a map that the guards refuse,
    /// even one without models. [`ReloadReport::forced_past`] has their objection.
    ///
    /// The whole map is fetched even if it has not changed. A map that was forced past a guard is
    /// not written to the cache.
    ///
    /// # Errors
    ///
    /// As [`reload`](Self::reload), except those of the guards.
    pub fn reload_forced(&self) -> Result<ReloadReport, Error> {
        self.handle.reloader.reload(Guarded::Forced)
    }

    /// Reloads the map if its source is a file that has changed since it was last read. Returns
    /// `None` otherwise. While reloads are scheduled, this is done every second.
    ///
    /// # Errors
    ///
    /// As [`reload`](Self::reload). A file that holds no map is read again when it changes.
    pub fn reload_if_changed(&self) -> Result<Option<ReloadReport>, Error> {
        self.handle.reloader.reload_if_changed()
    }

    /// Swaps in a map that the caller fetched, with the operator's models over it. The map is
    /// checked as by [`reload`](Self::reload), and not written to the cache.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidMap`] if the bytes are not JSON, or not an object.
    /// - [`Error::EmptyMap`] if the map has no models, unless
    ///   [`CostMapBuilder::min_models`](crate::CostMapBuilder::min_models) is 0.
    /// - [`Error::TooFewModels`], [`Error::MapShrank`], [`Error::MissingModel`],
    ///   [`Error::UnpricedModel`] or [`Error::PricesJumped`] if a guard refuses the map.
    ///
    /// The map is then unchanged.
    pub fn reload_from_bytes(&self, bytes: impl Into<Vec<u8>>) -> Result<ReloadReport, Error> {
        self.handle.reloader.reload_from_bytes(bytes.into(), Guarded::Yes)
    }

    /// Swaps in a map that was pushed to the program, such as by a watch of etcd, Redis or Kubernetes, with
    /// its validators. A map that is live already, by its revision, is unchanged: the same map may be handed
    /// over any number of times.
    ///
    /// If the map has a source, what is pushed is that of the source: it is written to the cache, and the
    /// next fetch is given its validators. So a program can watch a source, and still fetch from it every few
    /// hours, in case the watch missed something. Behind a [pointer](crate::CostMapBuilder::pointer), reload
    /// instead: the document is not the map. [`Fetched::unchanged`](crate::source::Fetched::unchanged)
    /// reports the live map.
    ///
    /// # Errors
    ///
    /// As [`reload_from_bytes`](Self::reload_from_bytes).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::CostMap;
    /// use llm_costmap::source::{Fetched, Validators};
    ///
    /// let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
    /// let pushed = || {
    ///     let version = Validators::default().with_etag("42");
    ///     Fetched::new(r#"{"m": {"input_cost_per_token": 2e-6}}"#).validators(version)
    /// };
    /// assert!(!map.apply(pushed())?.is_unchanged());
    /// assert!(map.apply(pushed())?.is_unchanged());
    /// assert_eq!(map.status().etag.as_deref(), Some("42"));
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn apply(&self, fetched: Fetched) -> Result<ReloadReport, Error> {
        self.handle.reloader.apply_pushed(fetched)
    }

    /// Swaps in a map as [`reload_from_bytes`](Self::reload_from_bytes) does, but accepts a map
    /// that the guards refuse.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidMap`].
    pub fn reload_from_bytes_forced(&self, bytes: impl Into<Vec<u8>>) -> Result<ReloadReport, Error> {
        self.handle.reloader.reload_from_bytes(bytes.into(), Guarded::Forced)
    }

    /// Reloads the map in the background: at once, and then at an interval or up to a tenth sooner,
    /// until the schedule is [cancelled](Self::cancel_schedule) or the last handle on the map is
    /// dropped.
    ///
    /// After a failure the reload is tried again sooner: after 30 s, after twice that and so on, up
    /// to half the interval. A second call replaces the schedule. If the source is a file, it is
    /// also checked for changes every second.
    ///
    /// When the last handle is dropped, the thread ends at once: a fetch over HTTP is cut off (one
    /// that is still connecting, when the connection is made or times out), and the result of a
    /// custom source is ignored.
    ///
    /// # Errors
    ///
    /// - [`Error::NoSource`] if the map has no source.
    /// - [`Error::InvalidSetting`] if the interval is shorter than a second, or than a minute if the source
    ///   is a URL, or longer than ten years.
    /// - [`Error::Thread`] if the system does not start a thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_costmap::CostMap;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("map.json");
    /// std::fs::write(&path, r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
    ///
    /// let map = CostMap::from_file(&path)?;
    /// map.schedule_reload(Duration::from_secs(6 * 3600))?;
    /// assert_eq!(map.status().interval_hours, Some(6.0));
    /// assert!(map.cancel_schedule());
    /// assert!(!map.status().scheduled);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn schedule_reload(&self, every: Duration) -> Result<(), Error> {
        self.handle.reloader.schedule(every, Duration::ZERO)
    }

    /// Continues the schedule of an earlier process: its interval, and its next reload at the time that
    /// was planned, or at once if that has passed.
    ///
    /// `stored` is the [`status`](Self::status) that the process kept when it last changed its schedule,
    /// such as in a file. [`ScheduleStatus::last_run`] is continued as well, until the next reload, and a
    /// [hold](Self::hold) if the live map is the one that was held. If
    /// nothing was scheduled, nothing is scheduled now. An interval beyond the limits of the source is
    /// brought within them.
    ///
    /// # Errors
    ///
    /// [`Error::NoSource`] if the map has no source, [`Error::InvalidSetting`] if the interval is no number of
    /// hours, and [`Error::Thread`] if the system does not start a thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_costmap::CostMap;
    /// use llm_costmap::reload::ScheduleStatus;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("map.json");
    /// std::fs::write(&path, r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
    ///
    /// let map = CostMap::from_file(&path)?;
    /// map.schedule_reload(Duration::from_secs(6 * 3600))?;
    /// let stored = serde_json::to_string(&map.status())?;
    ///
    /// // After a restart:
    /// let map = CostMap::from_file(&path)?;
    /// let status: ScheduleStatus = serde_json::from_str(&stored)?;
    /// map.restore_schedule(&status)?;
    /// assert_eq!(map.status().interval_hours, Some(6.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restore_schedule(&self, stored: &ScheduleStatus) -> Result<(), Error> {
        self.handle.reloader.restore_schedule(stored)
    }

    /// Ends the schedule. Returns whether one existed. A running reload is not interrupted.
    #[allow(clippy::must_use_candidate)]
    pub fn cancel_schedule(&self) -> bool {
        self.handle.reloader.cancel_schedule()
    }

    /// Holds the map: until it is [released](Self::release), no reload replaces it, the one in flight
    /// included. Reloads that are scheduled pass, and others return [`Error::Held`].
    /// [`ScheduleStatus::held_since`] shows the hold.
    ///
    /// Registered models, deployments, discounts and margins change as before.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::{CostMap, Error};
    ///
    /// let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
    /// map.hold();
    /// let newer = r#"{"m": {"input_cost_per_token": 2e-6}}"#;
    /// assert!(matches!(map.reload_from_bytes(newer), Err(Error::Held)));
    /// assert!(map.release());
    /// map.reload_from_bytes(newer)?;
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn hold(&self) {
        self.handle.reloader.hold();
    }

    /// Ends a [hold](Self::hold). Returns whether the map was held. The next reload replaces the map: a
    /// schedule runs it at once; without one, call [`reload`](Self::reload).
    #[allow(clippy::must_use_candidate)]
    pub fn release(&self) -> bool {
        self.handle.reloader.release()
    }

    /// Goes back to the map of an earlier generation, and [holds](Self::hold) it, so that the next reload does
    /// not bring back what it replaced. The registered models and the deployments stay as they are, over the
    /// earlier map. The guards are not asked.
    ///
    /// The maps that were replaced last are kept, by default one: see
    /// [`CostMapBuilder::kept_maps`](crate::CostMapBuilder::kept_maps). Each generation since such a map went live
    /// names it; [`generations`](Self::generations) lists them. A rollback makes a generation of its own.
    ///
    /// With a [`cache_dir`](crate::CostMapBuilder::cache_dir), a restart starts with the map that was gone back
    /// to, unless the source is a file, which is read first. [`restore_schedule`](Self::restore_schedule) holds
    /// the map again if it is the one that was held.
    ///
    /// # Errors
    ///
    /// - [`Error::UnknownGeneration`] if the map of the generation is not kept.
    /// - [`Error::NestedReload`] if the caller is a listener of this map.
    ///
    /// The map is then unchanged, and not held.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::{CostMap, Usage};
    ///
    /// let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
    /// let good = map.snapshot().generation();
    /// map.reload_from_bytes(r#"{"m": {"input_cost_per_token": 5e-6}}"#)?;
    ///
    /// let report = map.rollback(good)?;
    /// assert_eq!(report.diff.repriced[0].to_string(), "m: input_cost_per_token: 0.000005 -> 0.000001 (x0.2)");
    /// assert_eq!(map.total("m", &Usage::new(1_000_000, 0))?.to_string(), "1");
    /// assert!(map.status().held_since.is_some());
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn rollback(&self, generation: u64) -> Result<ReloadReport, Error> {
        self.handle.reloader.rollback(generation)
    }

    /// Returns the state of the schedule and the results of the last reloads.
    #[must_use]
    pub fn status(&self) -> ScheduleStatus {
        self.handle.reloader.status()
    }

    /// Returns the source of the live map.
    #[must_use]
    pub fn source_info(&self) -> SourceInfo {
        self.handle.reloader.source_info(&self.live)
    }

    /// Calls `listener` after each reload that replaced the map, and after each that failed: on the
    /// thread that reloaded, outside every lock.
    ///
    /// A panic of a listener is reported by [`status`](Self::status). A listener that keeps a
    /// handle on the map keeps the map alive forever.
    ///
    /// A listener cannot reload the map, since it would be told of that reload as well: it gets
    /// [`Error::NestedReload`]. It must not wait for a reload on another thread either. To reload
    /// in answer to a reload, it hands the work to a thread of its own and returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    ///
    /// use llm_costmap::CostMap;
    ///
    /// let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
    /// let (told, heard) = mpsc::channel();
    /// map.on_reload(move |result| {
    ///     told.send(result.as_ref().map(|report| report.diff.repriced.len()).ok()).ok();
    /// });
    /// map.reload_from_bytes(r#"{"m": {"input_cost_per_token": 2e-6}}"#)?;
    /// assert_eq!(heard.recv(), Ok(Some(1)));
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn on_reload(&self, listener: impl Fn(&Result<ReloadReport, Error>) + Send + Sync + 'static) {
        self.handle.reloader.listen(Arc::new(listener));
    }
}

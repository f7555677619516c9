//! The constructors of [`CostMap`].

use std::path::PathBuf;

use super::{CostMap, CostMapBuilder};
use crate::error::Error;
use crate::live::VersionedCatalog;
use crate::reload::{Results, Settings};

/// Constructors.
impl CostMap {
    /// Creates a map from the public map that is part of this crate. [`BUNDLED`](crate::BUNDLED)
    /// describes its version.
    ///
    /// The map has no source to be reloaded from. To reload the public map, use
    /// [`builder`](Self::builder).
    ///
    /// The bundled map is parsed once per process, when it is first used, and shared by all maps.
    #[cfg(feature = "bundled")]
    #[must_use]
    pub fn bundled() -> Self {
        let base =
            VersionedCatalog::new(crate::catalog::bundled::catalog(), crate::version::Version::bundled());
        Self::with(base, Settings::default(), Results::default(), Vec::new())
    }

    /// Creates a map without models, to be filled with [`register_model`](Self::register_model) or
    /// [`reload_from_bytes`](Self::reload_from_bytes).
    #[must_use]
    pub fn empty() -> Self {
        Self::with(VersionedCatalog::empty(), Settings::default(), Results::default(), Vec::new())
    }

    /// Creates a map from JSON in LiteLLM's format: an object of entries by model.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidMap`] if the text is not JSON, or not an object. A row whose price cannot be
    /// trusted is not an error: it is set aside, and listed by
    /// [`Snapshot::set_aside`](crate::Snapshot::set_aside).
    pub fn from_json(json: impl Into<Vec<u8>>) -> Result<Self, Error> {
        Self::builder().json(json).build()
    }

    /// Creates a map from a file in LiteLLM's format, which [`reload`](Self::reload) reads again.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be read, and the errors of [`from_json`](Self::from_json).
    pub fn from_file(path: impl Into<PathBuf>) -> Result<Self, Error> {
        Self::builder().file(path).build()
    }

    /// Creates a map with the source that the environment names, as LiteLLM reads it.
    ///
    /// If `LITELLM_LOCAL_MODEL_COST_MAP` is `true`, the map has no source. Otherwise the source is
    /// the URL or the path in `LITELLM_MODEL_COST_MAP_URL`, or the public map if that is not set. The
    /// map starts with the bundled map, or with the source if that is a file. Nothing is fetched
    /// before [`reload`](Self::reload) or [`schedule_reload`](Self::schedule_reload) is called.
    ///
    /// # Errors
    ///
    /// The errors of [`CostMapBuilder::build`].
    pub fn from_env() -> Result<Self, Error> {
        Self::builder().env().build()
    }

    /// Returns a builder, to create a map with settings.
    pub fn builder() -> CostMapBuilder {
        CostMapBuilder::default()
    }
}

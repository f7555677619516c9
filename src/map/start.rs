//! The map that a [`CostMap`](super::CostMap) starts with, before anything is fetched.

use std::sync::Arc;

use crate::catalog;
use crate::error::Error;
use crate::live::VersionedCatalog;
use crate::reload::cache::Cache;
use crate::reload::guard::{Guards, KEPT};
use crate::source::{Origin, Validators};
use crate::version::{Channel, HANDED_IN, MapBytes, Version};

/// The map to start with.
pub(super) struct Start {
    pub(super) base: VersionedCatalog,
    pub(super) validators: Validators,
    /// The reason that this is not the source's map.
    pub(super) reason: Option<String>,
    pub(super) cache_error: Option<String>,
    /// The revision of the map in the cache, if that was read.
    pub(super) cached: Option<String>,
}

impl Start {
    pub(super) fn new(base: VersionedCatalog) -> Self {
        Self { base, validators: Validators::default(), reason: None, cache_error: None, cached: None }
    }
}

/// Finds the map to start with: the file that is the source, the cache, the JSON that was handed
/// in, the bundled map.
pub(super) fn start(
    origin: Option<&dyn Origin>,
    cache: Option<&Cache>,
    guards: &Guards,
    json: Option<Vec<u8>>,
    or_bundled: bool,
) -> Result<Start, Error> {
    let mut failed = None;
    if let Some(file) = origin.and_then(Origin::as_file) {
        let name = file.name();
        match file.read().and_then(|map| read(map, &name, Channel::Source)) {
            Ok(base) => return Ok(Start::new(base)),
            Err(error) => failed = Some(error),
        }
    }
    let mut cache_error = None;
    if let (Some(cache), Some(origin)) = (cache, origin) {
        match from_cache(cache, &origin.name(), guards) {
            Ok(None) => {}
            Ok(Some((base, validators))) => {
                let reason = failed.map(|error| format!("{error:#}"));
                let cached = base.version.revision.clone();
                return Ok(Start { base, validators, reason, cache_error, cached });
            }
            Err(error) => {
                log::warn!("{error:#}");
                cache_error = Some(error);
            }
        }
    }
    let reason = failed.as_ref().map(|error| format!("{error:#}")).or_else(|| cache_error.clone());
    let with =
        |base| Ok(Start { base, validators: Validators::default(), reason, cache_error, cached: None });
    if let Some(json) = json {
        return with(read(json.into(), HANDED_IN, Channel::HandedIn)?);
    }
    match (failed, origin) {
        (Some(error), _) if !or_bundled => Err(error),
        #[cfg(feature = "bundled")]
        _ => with(VersionedCatalog::new(catalog::bundled::catalog(), Version::bundled())),
        #[cfg(not(feature = "bundled"))]
        (_, Some(origin)) => Err(Error::NothingToStartWith { origin: origin.name() }),
        #[cfg(not(feature = "bundled"))]
        (_, None) => with(VersionedCatalog::empty()),
    }
}

fn read(map: MapBytes, origin: &str, channel: Channel) -> Result<VersionedCatalog, Error> {
    let version = Version::of(&map, origin, channel);
    let catalog = catalog::read(map.bytes, map.damage).map_err(|bad| Error::not_a_map(origin, bad))?;
    Ok(VersionedCatalog::new(Arc::new(catalog), version))
}

/// Reads the map in the cache. Like a fetched map, it must pass the guards; it must also have
/// models.
fn from_cache(
    cache: &Cache,
    origin: &str,
    guards: &Guards,
) -> Result<Option<(VersionedCatalog, Validators)>, String> {
    let Some(cached) = cache.read()? else { return Ok(None) };
    let passed_over = |reason: String| format!("the cache is ignored: {reason}");
    let base = read(cached.map, origin, Channel::Cache).map_err(|error| passed_over(format!("{error:#}")))?;
    if base.catalog.len() == 0 {
        return Err(passed_over("it has no models".to_owned()));
    }
    guards.check_alone(origin, &base.catalog).map_err(|refusal| {
        let said = refusal.to_string();
        passed_over(said.strip_suffix(KEPT).unwrap_or(&said).to_owned())
    })?;
    Ok(Some((base, cached.validators)))
}

//! The maps that a process has, by their revisions.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use llm_costmap::{CostMap, Snapshot};

/// The maps that a process has, by their revisions. A folder may have more, which are read when they are needed.
#[derive(Default)]
pub struct Maps {
    folder: Option<PathBuf>,
    known: Mutex<HashMap<String, Arc<Snapshot>>>,
}

impl Maps {
    /// Creates maps of a folder, whose files are called `REVISION.json` or `REVISION.json.gz`.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()), known: Mutex::default() }
    }

    /// Adds the map in a file. Returns its revision.
    ///
    /// # Errors
    ///
    /// Returns an error if the file is no map.
    pub fn add_file(&self, file: &Path) -> Result<String> {
        self.add(&CostMap::from_file(file)?)
    }

    /// Adds a map. Returns its revision.
    ///
    /// # Errors
    ///
    /// Returns an error if the map has no revision, which is so for one without models.
    pub fn add(&self, map: &CostMap) -> Result<String> {
        let snapshot = map.snapshot();
        let revision =
            snapshot.provenance().source_revision.context("a map without models has no revision")?;
        self.lock().insert(revision.clone(), snapshot);
        Ok(revision)
    }

    /// Returns the map with a revision.
    ///
    /// # Errors
    ///
    /// Returns a message if this process does not have it, so that it cannot price by another one.
    pub fn get(&self, revision: &str) -> std::result::Result<Arc<Snapshot>, String> {
        if let Some(known) = self.lock().get(revision) {
            return Ok(known.clone());
        }
        if revision.len() != 40 || !revision.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("{revision:?} is no revision of a map: write its 40 hexadecimal digits"));
        }
        let Some(folder) = &self.folder else {
            return Err(format!("this process has no map of revision {revision}"));
        };
        let name = |packed: &str| format!("{revision}.json{packed}");
        let file = ["", ".gz"].iter().map(|packed| folder.join(name(packed))).find(|file| file.exists());
        let file = file.ok_or_else(|| {
            let (folder, name) = (folder.display(), name(".gz"));
            format!("this process has no map of revision {revision}: put it into {folder}, as {name}")
        })?;
        let found = self.add_file(&file).map_err(|error| format!("{error:#}"))?;
        let snapshot = self.lock().get(&found).cloned().filter(|_| found == revision);
        snapshot.ok_or_else(|| format!("{} has the map of revision {found}", file.display()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Snapshot>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// Maps are equal if they are the same: functions of one process are, if they price by the same maps.
impl PartialEq for Maps {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Maps {}

impl Hash for Maps {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::from_ref(self).hash(state);
    }
}

impl std::fmt::Debug for Maps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Maps").field("folder", &self.folder).finish_non_exhaustive()
    }
}

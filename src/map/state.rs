//! The file that keeps what was added at run time: deployments, and the schedule.

use std::collections::HashSet;
use std::fmt::Display;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::CostMap;
use crate::deployment::{Deployment, DeploymentWithSecrets};
use crate::error::Error;
use crate::files;
use crate::reload::ScheduleStatus;
use crate::sync::lock;

/// The content of the file. Files of a later version of it have another number.
#[derive(Serialize, Deserialize)]
struct State<D> {
    llm_costmap_state: u32,
    schedule: ScheduleStatus,
    deployments: D,
}

const FORMAT: u32 = 1;

/// State that outlives the process.
impl CostMap {
    /// Writes the deployments that were added at run time, and the schedule, to a file, which
    /// [`read_state`](Self::read_state) reads after a restart.
    ///
    /// These deployments are those with `"db_model": true` in their `model_info`: LiteLLM's mark of a model
    /// that is stored, and not configured. They are written **with their secrets**; on Unix, nobody but the
    /// file's owner can read it. The file is replaced whole, by a new one in its folder, and synced. Calls of
    /// several threads do not undo each other.
    ///
    /// # Errors
    ///
    /// [`Error::StateFile`] if the file cannot be written. It is then as it was before.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::{CostMap, Deployment};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let file = folder.path().join("state.json");
    /// let map = CostMap::empty();
    /// map.add_deployment(Deployment::from_json(
    ///     r#"{"model_name": "mine", "litellm_params": {"model": "openai/gpt-x", "api_key": "sk-1"},
    ///         "model_info": {"db_model": true}}"#,
    /// )?)?;
    /// map.write_state(&file)?;
    ///
    /// // After a restart:
    /// let map = CostMap::empty();
    /// assert!(map.read_state(&file)?);
    /// let snapshot = map.snapshot();
    /// let found = snapshot.deployments_of("mine").next().ok_or("no deployment")?;
    /// assert_eq!(found.deployment.api_key()?.ok_or("no key")?.expose(), "sk-1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_state(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let _one_at_a_time = lock(&self.handle.writing_state);
        let snapshot = self.snapshot();
        let added = snapshot.deployments().filter(|known| known.is_db_model());
        let deployments: Vec<DeploymentWithSecrets<'_>> = added.map(Deployment::with_secrets).collect();
        let state = State { llm_costmap_state: FORMAT, schedule: self.status(), deployments };
        let text = serde_json::to_vec(&state).map_err(|error| unusable(path, "cannot write it", &error))?;
        // A link to the file stays one.
        let file = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        files::replace(&file, &[&text]).map_err(|error| unusable(path, "cannot write it", &error))
    }

    /// Reads a file of [`write_state`](Self::write_state): adds its deployments to those of the map, and
    /// [continues its schedule](Self::restore_schedule). Returns `false` if there is no such file, as at the
    /// first start.
    ///
    /// A deployment whose id the map already has is left out, so that the configuration takes precedence.
    /// Call this after [`set_deployments`](Self::set_deployments), which replaces all deployments.
    ///
    /// # Errors
    ///
    /// [`Error::StateFile`] if the file cannot be read, is no such file, or may have been written by another
    /// user; the errors of [`add_deployment`](Self::add_deployment) and of
    /// [`restore_schedule`](Self::restore_schedule). After the latter, the deployments are added.
    pub fn read_state(&self, path: impl AsRef<Path>) -> Result<bool, Error> {
        let path = path.as_ref();
        let unreadable = |error: io::Error| unusable(path, "cannot read it", &error);
        let (mut file, metadata) = match files::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened.map_err(unreadable)?,
        };
        if let Some(reason) = files::distrusted(&metadata) {
            return Err(unusable(path, "it is not used", &reason));
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(unreadable)?;
        let no_state = |reason: &dyn Display| unusable(path, "it is no state of this version", reason);
        // The text at the position of an error may be a secret, so it is left out.
        let state: State<&RawValue> = serde_json::from_str(&text)
            .map_err(|error| no_state(&format!("line {}, column {}", error.line(), error.column())))?;
        if state.llm_costmap_state != FORMAT {
            return Err(no_state(&format!("its format is {}", state.llm_costmap_state)));
        }
        let added = Deployment::list_from_json(state.deployments.get()).map_err(|error| no_state(&error))?;
        self.live.change_deployments(|list| {
            let known: HashSet<String> = list.iter().map(|known| known.id().to_owned()).collect();
            list.extend(added.into_iter().filter(|added| !known.contains(added.id())));
            true
        })?;
        self.restore_schedule(&state.schedule)?;
        Ok(true)
    }
}

fn unusable(path: &Path, said: &str, reason: &dyn Display) -> Error {
    Error::StateFile { path: path.to_owned(), reason: format!("{said}: {reason}") }
}

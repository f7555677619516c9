//! [`ModelInfoList`] and [`DeploymentInfo`]: deployments as `GET /model/info` shows them.

use serde::ser::{Error as _, SerializeMap};
use serde::{Serialize, Serializer};

use super::Snapshot;
use crate::deployment::Deployment;
use crate::json::{InOrder, Shown};
use crate::model_info::ModelInfo;

/// All deployments, as `GET /model/info` shows them: from [`Snapshot::model_info`].
///
/// It serialises to `{"data": [{"model_name", "litellm_params", "model_info"}]}`, a deployment
/// each, without secrets.
#[derive(Debug, Clone, Copy)]
pub struct ModelInfoList<'a> {
    pub(super) snapshot: &'a Snapshot,
}

impl Serialize for ModelInfoList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_map(Some(1))?;
        let data: Vec<DeploymentInfo<'_>> = self
            .snapshot
            .deployments()
            .map(|deployment| DeploymentInfo { deployment, snapshot: self.snapshot })
            .collect();
        list.serialize_entry("data", &data)?;
        list.end()
    }
}

/// A deployment as `GET /model/info` shows it: from [`Snapshot::deployment_info`].
///
/// It serialises to `{"model_name", "litellm_params", "model_info"}`, without secrets.
#[derive(Debug, Clone, Copy)]
pub struct DeploymentInfo<'a> {
    pub(super) deployment: &'a Deployment,
    pub(super) snapshot: &'a Snapshot,
}

impl Serialize for DeploymentInfo<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let deployment = self.deployment;
        let known = self.snapshot.info_of(deployment);
        let mut info = deployment.shown_info();
        let known = known.as_ref().map(ModelInfo::shown).transpose().map_err(S::Error::custom)?;
        // The operator's fields win, except for null, which leaves the map's alone.
        for (name, value) in known.unwrap_or_default() {
            info.set_if(name, value, Shown::is_null);
        }
        for (name, json) in deployment.prices_of_params() {
            info.set(name, Shown::of(json));
        }
        let mut shown = serializer.serialize_map(Some(3))?;
        shown.serialize_entry("model_name", deployment.model_name())?;
        shown.serialize_entry("litellm_params", &InOrder(&deployment.shown_params()))?;
        shown.serialize_entry("model_info", &InOrder(&info.fields))?;
        shown.end()
    }
}

//! Deployments as an operator stores and changes them.

use std::fmt;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Deployment, Params, Part, invalid};
use crate::error::Error;
use crate::json::{self, InOrder, JsonField, Shown, Union};

/// A deployment that serialises with its secrets: from [`Deployment::with_secrets`].
///
/// Its `Debug` is that of the deployment, without secrets.
#[derive(Clone, Copy)]
pub struct DeploymentWithSecrets<'a>(&'a Deployment);

impl Serialize for DeploymentWithSecrets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = |fields: Vec<JsonField<'_>>| -> Vec<_> {
            fields
                .into_iter()
                .map(|(name, json)| (name.into_owned(), Shown::of_text(json.to_owned())))
                .collect()
        };
        let id = json::quoted(self.0.id());
        let mut whole = serializer.serialize_map(Some(3))?;
        whole.serialize_entry("model_name", self.0.model_name())?;
        whole.serialize_entry("litellm_params", &InOrder(&shown(self.0.litellm_params().fields())))?;
        whole.serialize_entry("model_info", &InOrder(&shown(self.0.info_with_id(&id).fields)))?;
        whole.end()
    }
}

impl fmt::Debug for DeploymentWithSecrets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Stored and changed deployments.
impl Deployment {
    /// Returns the deployment in a form that serialises with its secrets: `{"model_name",
    /// "litellm_params", "model_info"}`, as it was read, and with its id. [`from_json`](Self::from_json)
    /// and [`list_from_json`](Self::list_from_json) read it back.
    ///
    /// This is meant for a store that only the operator can read. A reference `os.environ/NAME` stays a
    /// reference. To show a deployment, serialise the [`Deployment`] itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::Deployment;
    ///
    /// let deployment = Deployment::from_json(
    ///     r#"{"model_name": "a", "litellm_params": {"model": "openai/gpt-x", "api_key": "sk-123"}}"#,
    /// )?;
    /// assert!(!serde_json::to_string(&deployment)?.contains("sk-123"));
    ///
    /// let stored = serde_json::to_string(&deployment.with_secrets())?;
    /// let read = Deployment::from_json(&stored)?;
    /// assert_eq!(read.id(), deployment.id());
    /// assert_eq!(read.api_key()?.ok_or("no key")?.expose(), "sk-123");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_secrets(&self) -> DeploymentWithSecrets<'_> {
        DeploymentWithSecrets(self)
    }

    /// Returns the deployment with changes over it, as LiteLLM's `POST /model/update` makes them: JSON
    /// with any of `model_name`, `litellm_params` and `model_info`. Fields that it does not have, or that
    /// are null in it, stay as they are. So do those whose value is the one that the serialised deployment
    /// shows: a masked secret that is sent back does not replace the secret. The id stays as well, so that
    /// [`CostMap::update_deployment`](crate::CostMap::update_deployment) takes the result.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidDeployment`] if the changes are not an object, name another id, or make the
    /// deployment invalid.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::Deployment;
    ///
    /// let deployment = Deployment::from_json(
    ///     r#"{"model_name": "a", "litellm_params": {"model": "openai/gpt-x", "api_key": "sk-123"}}"#,
    /// )?;
    /// let changed = deployment.with_changes(r#"{"litellm_params": {"input_cost_per_token": 1e-6}}"#)?;
    /// assert_eq!((changed.id(), changed.model()), (deployment.id(), "openai/gpt-x"));
    /// assert_eq!(changed.param::<f64>("input_cost_per_token"), Some(1e-6));
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn with_changes(&self, json: &str) -> Result<Self, Error> {
        let changes = self.object("", json)?;
        let shown = serde_json::to_value(self).unwrap_or_default();
        let changes_of = |part: &str| -> Result<Vec<JsonField<'_>>, Error> {
            let mut fields = match changes.get(part) {
                Some(json) => self.object(part, json)?.fields(),
                None => Vec::new(),
            };
            let is_shown = |name: &str, json: &str| {
                let shown = shown.get(part).and_then(|fields| fields.get(name));
                shown.is_some() && serde_json::from_str::<Value>(json).ok().as_ref() == shown
            };
            fields.retain(|(name, json)| *json != "null" && !is_shown(name, json));
            Ok(fields)
        };
        let model_name = match changes.get("model_name") {
            None => self.model_name().to_owned(),
            Some(name) => serde_json::from_str(name)
                .map_err(|_| invalid(self.model_name(), "model_name", "not a string"))?,
        };
        let mut params = Union::default();
        for (name, json) in self.litellm_params().fields().into_iter().chain(changes_of("litellm_params")?) {
            params.set(name, json);
        }
        let id = json::quoted(self.id());
        let mut info = self.info_with_id(&id);
        for (name, json) in changes_of("model_info")? {
            if name == "id" && json::text(json).as_deref().unwrap_or(json) != self.id() {
                let reason = "the id of another deployment: a deployment keeps its id";
                return Err(invalid(self.model_name(), "model_info.id", reason));
            }
            if name != "id" {
                info.set(name, json);
            }
        }
        let (params, info) = (json::object(params.fields), json::object(info.fields));
        let (params, info) = (self.object("litellm_params", &params)?, self.object("model_info", &info)?);
        Self::of(&model_name, params, info)
    }

    /// Returns the deployment as one that was added at run time, with an id.
    pub(crate) fn stored_as(&self, id: &str) -> Result<Self, Error> {
        let id = json::quoted(id);
        let mut info = self.info_with_id(&id);
        info.set("db_model".into(), "true");
        let info = json::object(info.fields);
        Self::of(self.model_name(), self.litellm_params(), self.object("model_info", &info)?)
    }

    fn object<'a>(&self, field: &str, json: &'a str) -> Result<Params<'a>, Error> {
        Params::read(json).map_err(|_| invalid(self.model_name(), field, "not an object"))
    }

    /// Returns the operator's model info as it was read, with the id, which is given as JSON, in front.
    fn info_with_id<'a>(&'a self, id: &'a str) -> Union<'a> {
        let mut info = Union::default();
        info.set("id".into(), id);
        for (name, json) in Params(self.part(Part::ModelInfo)).fields() {
            if name != "id" {
                info.set(name, json);
            }
        }
        info
    }
}

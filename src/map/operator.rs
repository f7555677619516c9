//! The operator's models and deployments: registered, replaced and removed.

use std::sync::Arc;

use serde::Serialize;

use super::CostMap;
use crate::cost::{Adjustments, Call, Cost};
use crate::deployment::{Deployment, DeploymentLookup, Deployments};
use crate::error::Error;
use crate::num::Usd;
use crate::overlay::Registration;
use crate::snapshot::Snapshot;
use crate::text::clip;

/// Models and deployments of the operator. They survive every reload.
impl CostMap {
    /// Replaces the discounts and margins that apply to every call: see
    /// [`CostMapBuilder::adjustments`](crate::CostMapBuilder::adjustments). They survive every reload.
    ///
    /// # Errors
    ///
    /// None that is known: an error of composing the next generation would be returned.
    pub fn set_adjustments(&self, adjustments: Adjustments) -> Result<(), Error> {
        let adjustments = Some(adjustments).filter(|adjustments| !adjustments.is_empty()).map(Arc::new);
        self.live.set_adjustments(adjustments)
    }

    /// Adds a model, or lays fields over the one that answers to `name`. The registration survives
    /// every reload.
    ///
    /// `info` serialises to an object of fields. Fields are merged one by one, and objects in them
    /// one level deep; null leaves a field alone; numbers may be strings. The name is taken
    /// literally: registering `openai/gpt-4o` does not change `gpt-4o`, and registering an alias
    /// changes neither its model nor the model's other aliases. An alias among the fields displaces
    /// aliases of the map, and no key.
    ///
    /// If the fields cannot be laid over the model of a newer map, the model stays as it was, and
    /// the [report](crate::reload::ReloadReport::warnings) of the reload says so.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidModel`] if `info` is not an object, or a price in it is not valid. The map
    /// is then unchanged.
    pub fn register_model(&self, name: &str, info: impl Serialize) -> Result<(), Error> {
        self.register(name, &object_json(name, &info)?, Registration::Over)
    }

    /// Adds a model, or lays fields over one, as [`register_model`](Self::register_model) does,
    /// with the fields as JSON text.
    ///
    /// # Errors
    ///
    /// As [`register_model`](Self::register_model).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::{CostMap, Usage};
    ///
    /// let map = CostMap::empty();
    /// map.register_model_json("my-llama", r#"{"input_cost_per_token": 2e-7}"#)?;
    /// assert_eq!(map.total("my-llama", &Usage::new(1_000_000, 0))?.to_string(), "0.2");
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn register_model_json(&self, name: &str, json: &str) -> Result<(), Error> {
        self.register(name, json, Registration::Over)
    }

    /// Corrects a model for as long as the map is wrong about it: lays fields over it while the map says what
    /// `while_map_says` has, and no longer than that. Returns whether the fields apply to the live map.
    ///
    /// Both serialise to objects of fields. Numbers are compared by value, in any notation, and null stands for
    /// a field that the map does not have. When a newer map says something else in any of the fields, the
    /// correction no longer applies, and [`Diff::expired`](crate::reload::Diff::expired) of the reload's
    /// report has it. Should a map say so again, it applies again, until it is
    /// [unregistered](Self::unregister_model) or [replaced](Self::replace_model). A further correction of the
    /// model replaces it. Fields that are [registered](Self::register_model) lie over it, in any case.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidModel`] if `info` or `while_map_says` is not an object, the latter has no fields, a
    /// price is not valid, or the model was replaced. The map is then unchanged.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::{CostMap, Usage};
    /// use serde_json::json;
    ///
    /// let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-5}}"#)?;
    /// let applies = map.register_model_while(
    ///     "m",
    ///     json!({"input_cost_per_token": 1e-6}),
    ///     json!({"input_cost_per_token": 0.00001}),
    /// )?;
    /// let usage = Usage::new(1_000_000, 0);
    /// assert!(applies && map.total("m", &usage)?.to_string() == "1");
    ///
    /// let report = map.reload_from_bytes(r#"{"m": {"input_cost_per_token": 2e-6}}"#)?;
    /// assert_eq!(map.total("m", &usage)?.to_string(), "2");
    /// assert_eq!(
    ///     report.diff.expired[0].to_string(),
    ///     "m: the correction no longer applies: input_cost_per_token is 2e-6, and not 0.00001"
    /// );
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn register_model_while(
        &self,
        name: &str,
        info: impl Serialize,
        while_map_says: impl Serialize,
    ) -> Result<bool, Error> {
        self.register_model_while_json(name, &object_json(name, &info)?, &object_json(name, &while_map_says)?)
    }

    /// Corrects a model, as [`register_model_while`](Self::register_model_while) does, with the fields as JSON
    /// text.
    ///
    /// # Errors
    ///
    /// As [`register_model_while`](Self::register_model_while).
    pub fn register_model_while_json(
        &self,
        name: &str,
        json: &str,
        while_map_says: &str,
    ) -> Result<bool, Error> {
        let changed =
            self.live.change(|overrides| overrides.correct(name, json, while_map_says).map(|()| true))?;
        let expires =
            |snapshot: Arc<Snapshot>| snapshot.expired_corrections().any(|expired| expired.model == name);
        Ok(!changed.is_some_and(expires))
    }

    /// Registers models, each as [`register_model`](Self::register_model) does: all of them, or
    /// none.
    ///
    /// `models` serialises to an object of models.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidModel`] for the first model that cannot be registered.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::CostMap;
    /// use serde_json::json;
    ///
    /// let map = CostMap::empty();
    /// map.register_models(json!({
    ///     "a": {"max_input_tokens": 12345},
    ///     "b": {"max_output_tokens": "678"},
    /// }))?;
    /// assert_eq!(map.get("b").and_then(|model| model.max_output_tokens()), Some(678));
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn register_models(&self, models: impl Serialize) -> Result<(), Error> {
        self.register_models_json(&object_json("the models", &models)?)
    }

    /// Registers models, as [`register_models`](Self::register_models) does, from JSON text.
    ///
    /// # Errors
    ///
    /// As [`register_models`](Self::register_models).
    pub fn register_models_json(&self, json: &str) -> Result<(), Error> {
        self.live.change(|overrides| overrides.register_all(json).map(|()| true)).map(drop)
    }

    /// Replaces the model that answers to `name`: takes over nothing of the map's model, nor of an
    /// earlier registration.
    ///
    /// # Errors
    ///
    /// As [`register_model`](Self::register_model).
    pub fn replace_model(&self, name: &str, info: impl Serialize) -> Result<(), Error> {
        self.register(name, &object_json(name, &info)?, Registration::Instead)
    }

    /// Replaces a model, as [`replace_model`](Self::replace_model) does, with the fields as JSON
    /// text.
    ///
    /// # Errors
    ///
    /// As [`register_model`](Self::register_model).
    pub fn replace_model_json(&self, name: &str, json: &str) -> Result<(), Error> {
        self.register(name, json, Registration::Instead)
    }

    fn register(&self, name: &str, json: &str, how: Registration) -> Result<(), Error> {
        self.live.change(|overrides| overrides.register(name, json, how).map(|()| true)).map(drop)
    }

    /// Removes the registration of `name`, so that the map's own model is back. Returns whether one
    /// existed.
    ///
    /// # Errors
    ///
    /// As [`register_model`](Self::register_model). None is expected, since the registrations that
    /// are left were accepted before.
    pub fn unregister_model(&self, name: &str) -> Result<bool, Error> {
        self.live.change(|overrides| Ok(overrides.remove(name))).map(|removed| removed.is_some())
    }

    /// Adds a deployment, and returns its id.
    ///
    /// # Errors
    ///
    /// [`Error::DuplicateDeployment`] if another deployment has the same id, and
    /// [`Error::InvalidDeployment`] if its prices do not go with those of its model. The map is then
    /// unchanged.
    pub fn add_deployment(&self, deployment: Deployment) -> Result<String, Error> {
        let id = deployment.id().to_owned();
        self.live.change_deployments(|list| {
            list.push(deployment);
            true
        })?;
        Ok(id)
    }

    /// Replaces the deployment that has the same id.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownDeployment`] if no deployment has the id.
    pub fn update_deployment(&self, deployment: Deployment) -> Result<(), Error> {
        let id = deployment.id().to_owned();
        let known = self.live.change_deployments(|list| {
            let slot = list.iter_mut().find(|slot| slot.id() == id);
            slot.map(|slot| *slot = deployment).is_some()
        })?;
        if known { Ok(()) } else { Err(Error::UnknownDeployment { name: id }) }
    }

    /// Changes the deployment with an id field by field, as
    /// [`Deployment::with_changes`] does, and returns it as it is then. Changes of several threads do not
    /// undo each other.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownDeployment`] if no deployment has the id, and those of `with_changes`. The map is
    /// then unchanged.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::{CostMap, Deployment, Usage};
    ///
    /// let map = CostMap::from_json(r#"{"gpt-x": {"input_cost_per_token": 1e-6}}"#)?;
    /// let id = map.add_deployment(Deployment::from_json(
    ///     r#"{"model_name": "mine", "litellm_params": {"model": "gpt-x", "api_key": "sk-1"}}"#,
    /// )?)?;
    /// map.change_deployment(&id, r#"{"litellm_params": {"input_cost_per_token": 2e-6}}"#)?;
    /// assert_eq!(map.deployment_total("mine", &Usage::new(1_000_000, 0))?.to_string(), "2");
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn change_deployment(&self, id: &str, json: &str) -> Result<Deployment, Error> {
        let mut changed = Err(Error::UnknownDeployment { name: clip(id).into() });
        self.live.change_deployments(|list| {
            if let Some(slot) = list.iter_mut().find(|slot| slot.id() == id) {
                changed = slot.with_changes(json);
                if let Ok(changed) = &changed {
                    *slot = changed.clone();
                }
            }
            changed.is_ok()
        })?;
        changed
    }

    /// Removes the deployment with an id. Returns whether it existed.
    ///
    /// # Errors
    ///
    /// As [`set_deployments`](Self::set_deployments). None is expected, since the deployments that
    /// are left were accepted before.
    pub fn remove_deployment(&self, id: &str) -> Result<bool, Error> {
        self.live.change_deployments(|list| {
            let before = list.len();
            list.retain(|deployment| deployment.id() != id);
            list.len() < before
        })
    }

    /// Replaces all deployments by a list, in one swap: no reader sees a mixture.
    ///
    /// # Errors
    ///
    /// [`Error::DuplicateDeployment`] if two deployments have the same id, and
    /// [`Error::InvalidDeployment`] if the prices of one do not go with those of its model. The map is
    /// then unchanged.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::{CostMap, Deployment, Usage};
    ///
    /// let map = CostMap::from_json(r#"{"gpt-x": {"litellm_provider": "openai", "input_cost_per_token": 1e-6}}"#)?;
    /// map.set_deployments(Deployment::list_from_json(
    ///     r#"[{"model_name": "fast", "litellm_params": {"model": "openai/gpt-x"}, "model_info": {"id": "a"}},
    ///         {"model_name": "cheap", "litellm_params": {"model": "openai/gpt-x", "input_cost_per_token": 5e-7}}]"#,
    /// )?)?;
    /// let usage = Usage::new(1_000_000, 0);
    /// assert_eq!(map.deployment_cost("a", &usage)?.total().to_string(), "1");
    /// assert_eq!(map.deployment_cost("cheap", &usage)?.total().to_string(), "0.5");
    /// assert!(map.cost("cheap", &usage).is_err());
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn set_deployments(&self, deployments: impl IntoIterator<Item = Deployment>) -> Result<(), Error> {
        // Indexed before the lock is taken.
        let deployments = Arc::new(Deployments::new(deployments.into_iter().collect())?);
        self.live.set_deployments(deployments)
    }

    /// Prices a call that a deployment served, by the live snapshot. `name` is the id or the
    /// `model_name` of a deployment: see
    /// [`Snapshot::deployment_cost`](crate::Snapshot::deployment_cost).
    ///
    /// # Errors
    ///
    /// As [`Snapshot::deployment_cost`](crate::Snapshot::deployment_cost).
    #[inline]
    pub fn deployment_cost<'n, 'c>(
        &self,
        deployment: impl Into<DeploymentLookup<'n>>,
        call: impl Into<Call<'c>>,
    ) -> Result<Cost, Error> {
        self.deployment_cost_of(deployment.into(), &call.into())
    }

    /// Returns the total of a call that a deployment served, by the live snapshot: see
    /// [`Snapshot::deployment_total`](crate::Snapshot::deployment_total).
    ///
    /// # Errors
    ///
    /// As [`Snapshot::deployment_total`](crate::Snapshot::deployment_total).
    pub fn deployment_total<'n, 'c>(
        &self,
        deployment: impl Into<DeploymentLookup<'n>>,
        call: impl Into<Call<'c>>,
    ) -> Result<Usd, Error> {
        self.live.load().deployment_total_of(deployment.into(), &call.into())
    }

    fn deployment_cost_of(&self, deployment: DeploymentLookup<'_>, call: &Call<'_>) -> Result<Cost, Error> {
        self.live.load().deployment_cost_of(deployment, call)
    }
}

/// Serialises the fields of a model. The caller's code runs here, outside every lock: it may use
/// the map.
fn object_json(model: &str, info: &impl Serialize) -> Result<String, Error> {
    let invalid = |reason: String| Error::InvalidModel { model: model.to_owned(), field: None, reason };
    let json = serde_json::to_string(info).map_err(|error| invalid(error.to_string()))?;
    if json.starts_with('"') {
        return Err(invalid(
            "not an object but a string: hand JSON text to the method whose name ends in _json".to_owned(),
        ));
    }
    Ok(json)
}

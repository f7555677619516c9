//! [`DeploymentLookup`]: the deployment that served a call. [`DeploymentMatch`]: one that can serve it.

use std::borrow::Cow;

use super::Deployment;

/// The id or the `model_name` of a deployment, and the model that was asked for, if the `*` of its
/// `model_name` stands for a part of that.
///
/// # Examples
///
/// ```
/// use llm_costmap::{CostMap, Deployment, DeploymentLookup, Usage};
///
/// let map = CostMap::from_json(r#"{"anthropic/claude-x": {"input_cost_per_token": 1e-6}}"#)?;
/// map.set_deployments(Deployment::list_from_json(
///     r#"[{"model_name": "anthropic/*", "litellm_params": {"model": "anthropic/*"}, "model_info": {"id": "eu"}},
///         {"model_name": "anthropic/*", "litellm_params": {"model": "anthropic/*", "input_cost_per_token": 2e-6},
///          "model_info": {"id": "us"}}]"#,
/// )?)?;
/// let usage = Usage::new(1_000_000, 0);
/// let total = |id| map.deployment_total(DeploymentLookup::new(id).model("anthropic/claude-x"), &usage);
/// assert_eq!((total("eu")?.to_string(), total("us")?.to_string()), ("1".to_owned(), "2".to_owned()));
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeploymentLookup<'a> {
    pub(crate) name: &'a str,
    pub(crate) model: Option<&'a str>,
}

impl<'a> DeploymentLookup<'a> {
    /// Creates a lookup of a deployment by its id, or by a `model_name`.
    #[must_use]
    pub fn new(name: &'a str) -> Self {
        Self { name, model: None }
    }

    /// Sets the model that the client asked for. It matters to a deployment that is named by its id, and
    /// whose `model_name` has a `*`. Default: none.
    #[must_use]
    pub fn model(mut self, model: &'a str) -> Self {
        self.model = Some(model);
        self
    }
}

impl<'a, N: AsRef<str> + ?Sized> From<&'a N> for DeploymentLookup<'a> {
    fn from(name: &'a N) -> Self {
        Self::new(name.as_ref())
    }
}

/// A deployment that can serve a name: from [`Snapshot::deployments_of`](crate::Snapshot::deployments_of).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeploymentMatch<'a> {
    /// The deployment.
    pub deployment: &'a Deployment,
    /// The model to call: `litellm_params.model`, with what the `*` of the deployment's name stands for in
    /// the place of its own.
    pub model: Cow<'a, str>,
}

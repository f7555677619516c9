//! The provider, the parameters and the secrets that a gateway calls a deployment with.

use std::fmt;

use serde::de::DeserializeOwned;

use super::{Deployment, Part, invalid};
use crate::error::Error;
use crate::redact::is_secret;

/// The prefix of a parameter that names an environment variable, in whose place it stands.
const ENVIRONMENT: &str = "os.environ/";

/// A secret of a deployment, such as its key. Its `Debug` does not show it, and it has no `Display`.
///
/// # Examples
///
/// ```
/// use llm_costmap::Deployment;
///
/// let deployment = Deployment::from_json(
///     r#"{"model_name": "a", "litellm_params": {"model": "openai/gpt-x", "api_key": "sk-123"}}"#,
/// )?;
/// let key = deployment.api_key()?.ok_or("no key")?;
/// assert_eq!(format!("{key:?}"), "Secret(****)");
/// assert_eq!(key.expose(), "sk-123");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(****)")
    }
}

/// Parameters to call a deployment with.
impl Deployment {
    /// Returns the provider that is called, under LiteLLM's name: `custom_llm_provider`, or else what
    /// stands before the first `/` of the model.
    #[must_use]
    pub fn provider(&self) -> Option<&str> {
        let own = Some(self.part(Part::Provider)).filter(|own| !own.is_empty());
        own.or_else(|| self.model().split_once('/').map(|(first, _)| first))
    }

    /// Returns the URL that the provider is called at: `litellm_params.api_base`. A reference
    /// `os.environ/NAME` is replaced by the environment variable.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidDeployment`] if the parameter is not a text, or the variable is not set.
    pub fn api_base(&self) -> Result<Option<String>, Error> {
        self.resolved("api_base")
    }

    /// Returns the key that the provider is called with: `litellm_params.api_key`. A reference
    /// `os.environ/NAME` is replaced by the environment variable, which is read on each call.
    ///
    /// # Errors
    ///
    /// As [`api_base`](Self::api_base). The error does not show the key.
    pub fn api_key(&self) -> Result<Option<Secret>, Error> {
        self.secret("api_key")
    }

    /// Returns a secret parameter, such as `aws_secret_access_key`, as [`api_key`](Self::api_key) does. An
    /// object, such as `vertex_credentials` may be, is returned as JSON.
    ///
    /// # Errors
    ///
    /// As [`api_key`](Self::api_key).
    pub fn secret(&self, name: &str) -> Result<Option<Secret>, Error> {
        match self.litellm_params().get(name) {
            Some(json) if json.starts_with('{') => Ok(Some(Secret(json.to_owned()))),
            _ => Ok(self.resolved(name)?.map(Secret)),
        }
    }

    /// Returns another parameter of `litellm_params`, such as `api_version` or `timeout`. Returns `None`
    /// if the deployment has none of the name, if it is of another type, or if it is a secret: those are
    /// shown by [`secret`](Self::secret) alone.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::Deployment;
    ///
    /// let deployment = Deployment::from_json(
    ///     r#"{"model_name": "a", "litellm_params": {"model": "azure/gpt-x", "api_version": "2026-01-01", "timeout": 30}}"#,
    /// )?;
    /// assert_eq!(deployment.param::<String>("api_version").as_deref(), Some("2026-01-01"));
    /// assert_eq!(deployment.param::<u64>("timeout"), Some(30));
    /// assert_eq!(deployment.param::<u64>("api_version"), None);
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    #[must_use]
    pub fn param<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let json = self.litellm_params().get(name).filter(|_| !is_secret(name))?;
        serde_json::from_str(json).ok()
    }

    /// Returns a parameter that is a text, or the environment variable that it refers to.
    fn resolved(&self, name: &str) -> Result<Option<String>, Error> {
        let bad = |reason: &str| invalid(self.model_name(), &format!("litellm_params.{name}"), reason);
        let Some(json) = self.litellm_params().get(name) else { return Ok(None) };
        let text: String = serde_json::from_str(json).map_err(|_| bad("not a string"))?;
        let Some(variable) = text.strip_prefix(ENVIRONMENT) else { return Ok(Some(text)) };
        match std::env::var(variable) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(bad(&format!("the environment variable {variable} is not set, or no text"))),
        }
    }
}

//! [`Deployment`]: a model as an operator serves it, with its own parameters, prices and secrets.

mod compose;
mod export;
mod id;
mod lookup;
mod params;
#[cfg(feature = "yaml")]
mod yaml;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::error::Error;
use crate::json::{self, InOrder, JsonField, Shown, Union};
use crate::printable;
use crate::rates::field;

pub(crate) use compose::{Deployments, FoundDeployment, PricedDeployments};
pub use export::DeploymentWithSecrets;
pub use lookup::{DeploymentLookup, DeploymentMatch};
pub use params::Secret;

/// A deployment of a model, as in LiteLLM's `model_list`: the name that clients ask for, the
/// parameters it is called with, and the operator's information about the model.
///
/// Prices set in `litellm_params` or `model_info` apply to this deployment alone. Its `Debug` and
/// serialised forms contain no secrets: credentials are left out or masked.
///
/// # Examples
///
/// ```
/// use llm_costmap::Deployment;
///
/// let deployment = Deployment::from_json(
///     r#"{"model_name": "azure-gpt-turbo", "litellm_params": {
///         "model": "azure/gpt-3.5-turbo", "api_key": "os.environ/AZURE_API_KEY", "api_base": "https://example.com"}}"#,
/// )?;
/// assert_eq!(deployment.model_name(), "azure-gpt-turbo");
/// assert_eq!(deployment.model(), "azure/gpt-3.5-turbo");
/// assert_eq!(deployment.id().len(), 64);
/// assert!(!format!("{deployment:?}").contains("AZURE_API_KEY"));
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Clone)]
pub struct Deployment {
    /// The concatenated texts of all deployments that were read together. Lists of deployments are
    /// long, and are copied and replaced as a whole.
    text: Arc<str>,
    /// The start of this deployment's part of the text, and the end of each [`Part`] in it.
    start: usize,
    ends: [usize; Part::PricingKey as usize + 1],
    /// The hashes of the id and the name, so that a list is indexed without reading the texts.
    hashes: [u64; 2],
    has_prices: bool,
    is_pattern: bool,
    is_prepaid: bool,
}

/// The words of `model_info.billing`.
const METERED: &str = "metered";
const PREPAID: &str = "prepaid";

/// A part of a deployment's text, in order.
#[derive(Clone, Copy)]
enum Part {
    Id,
    ModelName,
    Model,
    /// Empty if the deployment has no base model.
    BaseModel,
    Provider,
    LitellmParams,
    ModelInfo,
    /// Everything that decides what the deployment costs. Deployments with equal parts cost the
    /// same.
    PricingKey,
}

/// The JSON of an object, with its fields in order.
#[derive(Clone, Copy)]
struct Params<'a>(&'a str);

impl<'a> Params<'a> {
    fn read(json: &'a str) -> Result<Self, serde_json::Error> {
        json::fields(json)?;
        Ok(Self(json))
    }

    /// Returns the fields with their JSON.
    fn fields(self) -> Vec<JsonField<'a>> {
        // `Params::read` has checked the JSON.
        json::fields(self.0).unwrap_or_default()
    }

    /// Returns the JSON of a field. Null counts as absent.
    fn get(self, wanted: &str) -> Option<&'a str> {
        let fields = self.fields();
        fields.iter().find(|(name, json)| name == wanted && *json != "null").map(|(_, json)| *json)
    }

    fn prices(self) -> Vec<JsonField<'a>> {
        let mut fields = self.fields();
        fields.retain(|(name, json)| *json != "null" && field::is_price(name));
        fields
    }
}

impl Deployment {
    /// Creates a deployment from parts that serialise to objects, or are texts of JSON.
    ///
    /// The order of the parameters matters if the id is computed from them.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidDeployment`] if a part is not an object, or a field is invalid or missing.
    pub fn new(
        model_name: impl Into<String>,
        litellm_params: impl Serialize,
        model_info: impl Serialize,
    ) -> Result<Self, Error> {
        let model_name = model_name.into();
        let not_an_object = |field| invalid(&model_name, field, "not an object");
        let params = serde_json::to_string(&litellm_params).map_err(|_| not_an_object("litellm_params"))?;
        let info = serde_json::to_string(&model_info).map_err(|_| not_an_object("model_info"))?;
        let params = Params::read(&params).map_err(|_| not_an_object("litellm_params"))?;
        let info = Params::read(&info).map_err(|_| not_an_object("model_info"))?;
        Self::of(&model_name, params, info)
    }

    fn of(model_name: &str, litellm_params: Params<'_>, model_info: Params<'_>) -> Result<Self, Error> {
        let text = |field: &str, json: &str| {
            serde_json::from_str::<String>(json).map_err(|_| invalid(model_name, field, "not a string"))
        };
        for (part, params) in [("litellm_params", litellm_params), ("model_info", model_info)] {
            if json::is_deep(params.0) {
                return Err(invalid(model_name, part, &format!("nested more than {} deep", json::MAX_DEPTH)));
            }
        }
        // A deployment that does not say which model to call is called by its name.
        let model = match litellm_params.get("model") {
            Some(model) => text("litellm_params.model", model)?,
            None => model_name.to_owned(),
        };
        // The value in `model_info` takes precedence.
        let named = |name: &str| -> Result<String, Error> {
            let mut named = String::new();
            for (part, params) in [("litellm_params", litellm_params), ("model_info", model_info)] {
                if let Some(json) = params.get(name) {
                    named = text(&format!("{part}.{name}"), json)?;
                }
            }
            Ok(named)
        };
        let (base_model, provider) = (named("base_model")?, named("custom_llm_provider")?);
        let id = match model_info.get("id") {
            Some(id) if id.starts_with('"') => text("model_info.id", id)?,
            Some(id) if id.bytes().all(|byte| byte.is_ascii_digit()) => id.to_owned(),
            Some(_) => return Err(invalid(model_name, "model_info.id", "not a string")),
            None => id::id_of(model_name, litellm_params),
        };
        if model_name.is_empty() {
            return Err(invalid("a deployment", "model_name", "empty"));
        }
        // Ids are keys, and values of headers.
        if id.is_empty() || id.contains(char::is_control) {
            return Err(invalid(model_name, "model_info.id", "empty, or with a control character"));
        }
        let prices = compose::checked_prices(model_name, litellm_params, model_info)?;
        let is_prepaid = match model_info.get("billing").map(|json| text("model_info.billing", json)) {
            None => false,
            Some(word) => match &*word? {
                METERED => false,
                PREPAID => true,
                _ => {
                    let reason = format!("write {METERED} or {PREPAID}");
                    return Err(invalid(model_name, "model_info.billing", &reason));
                }
            },
        };
        let billing = if is_prepaid { PREPAID } else { METERED };
        let pricing_key = compose::pricing_key(&[&model, &base_model, &provider, billing], &prices);
        let parts =
            [&id, model_name, &model, &base_model, &provider, litellm_params.0, model_info.0, &pricing_key];
        let mut end = 0;
        let ends = parts.map(|part| {
            end += part.len();
            end
        });
        Ok(Self {
            ends,
            hashes: [compose::hash(&id), compose::hash(model_name)],
            has_prices: !prices.is_empty(),
            is_pattern: model_name.contains('*'),
            is_prepaid,
            text: parts.concat().into(),
            start: 0,
        })
    }

    fn part(&self, part: Part) -> &str {
        let end_of = |part: usize| self.ends.get(part).copied();
        let start = (part as usize).checked_sub(1).and_then(end_of).unwrap_or(self.start);
        end_of(part as usize).and_then(|end| self.text.get(start..end)).unwrap_or_default()
    }

    /// Returns whether this is the same deployment, and not merely an equal one.
    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.text, &other.text) && self.start == other.start && self.ends == other.ends
    }

    /// Returns the text of all parts.
    fn parts(&self) -> &str {
        self.ends.last().and_then(|end| self.text.get(self.start..*end)).unwrap_or_default()
    }

    /// Moves the texts of all deployments into one shared text.
    fn share_text(list: &mut [Self]) {
        let text: Arc<str> = list.iter().map(Self::parts).collect::<String>().into();
        let mut start = 0;
        for deployment in list {
            let length = deployment.parts().len();
            for end in &mut deployment.ends {
                *end = *end - deployment.start + start;
            }
            deployment.start = start;
            deployment.text = text.clone();
            start += length;
        }
    }

    /// Returns the prices among the parameters.
    pub(crate) fn prices_of_params(&self) -> Vec<JsonField<'_>> {
        self.litellm_params().prices()
    }

    fn litellm_params(&self) -> Params<'_> {
        Params(self.part(Part::LitellmParams))
    }

    /// Reads a deployment from JSON: `{"model_name": …, "litellm_params": {…}, "model_info": {…}}`.
    /// `model_info` may be left out.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidDeployment`], which names the field.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        Self::read(json, "the deployment")
    }

    /// Reads deployments from JSON: a list of them, or an object with a list as its `model_list`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidDeployment`], which names the deployment and the field.
    pub fn list_from_json(json: &str) -> Result<Vec<Self>, Error> {
        let bad = |reason: &str| invalid("model_list", "", reason);
        let list = if json.trim_start().starts_with('[') {
            Cow::Borrowed(json)
        } else {
            let fields = json::fields(json).map_err(|e| bad(&format!("not JSON: {}", place(&e))))?;
            let list = fields.into_iter().find(|(name, _)| name == "model_list").map(|(_, json)| json);
            Cow::Borrowed(list.ok_or_else(|| bad("missing"))?)
        };
        let list: Vec<&serde_json::value::RawValue> =
            serde_json::from_str(&list).map_err(|e| bad(&format!("not a list: {}", place(&e))))?;
        let read =
            (1..).zip(list).map(|(number, json)| Self::read(json.get(), &format!("deployment {number}")));
        let mut list = read.collect::<Result<Vec<_>, _>>()?;
        Self::share_text(&mut list);
        Ok(list)
    }

    /// Reads the deployments of a `config.yaml`: its `model_list`. None of them is a
    /// [`db_model`](Self::is_db_model), whatever the file says.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidDeployment`], which names the line if the text is not valid YAML, and
    /// otherwise the deployment and the field.
    #[cfg(feature = "yaml")]
    pub fn list_from_yaml(yaml: &str) -> Result<Vec<Self>, Error> {
        let json = yaml::to_json(yaml).map_err(|reason| invalid("config.yaml", "", &reason))?;
        let mut list = Self::list_from_json(&json)?;
        // What is configured is not stored beside the configuration.
        for stored in list.iter_mut().filter(|deployment| deployment.is_db_model()) {
            *stored = stored.with_changes(r#"{"model_info": {"db_model": false}}"#)?;
        }
        Ok(list)
    }

    /// Reads one deployment. Errors call it `label` until its name is known.
    fn read(json: &str, label: &str) -> Result<Self, Error> {
        let parts = Params::read(json).map_err(|_| invalid(label, "", "not an object"))?;
        let name = parts.get("model_name").ok_or_else(|| invalid(label, "model_name", "missing"))?;
        let name: String =
            serde_json::from_str(name).map_err(|_| invalid(label, "model_name", "not a string"))?;
        let label = match label.starts_with("deployment ") {
            true => format!("{label} ({name})"),
            false if name.is_empty() => label.to_owned(),
            false => name.clone(),
        };
        let object =
            |field: &str, json| Params::read(json).map_err(|_| invalid(&label, field, "not an object"));
        let params =
            parts.get("litellm_params").ok_or_else(|| invalid(&label, "litellm_params", "missing"))?;
        let params = object("litellm_params", params)?;
        let info = object("model_info", parts.get("model_info").unwrap_or("{}"))?;
        Self::of(&name, params, info).map_err(|error| relabelled(error, label))
    }

    /// Returns the name that clients ask for. Several deployments may share one.
    #[must_use]
    pub fn model_name(&self) -> &str {
        self.part(Part::ModelName)
    }

    /// Returns the model that is called: `litellm_params.model`, or else the name.
    #[must_use]
    pub fn model(&self) -> &str {
        self.part(Part::Model)
    }

    /// Returns the id, which is unique among the deployments of a map: `model_info.id`, or else the
    /// SHA-256 of the name and of `litellm_params`, in order, as LiteLLM computes it.
    #[must_use]
    pub fn id(&self) -> &str {
        self.part(Part::Id)
    }

    /// Returns whether calls to the deployment are paid for in advance, by a subscription or as reserved
    /// capacity: its `model_info.billing` is `prepaid`. By default it is `metered`.
    ///
    /// The [total](crate::Cost::total) of such a call is what it would have cost, and nothing of it is
    /// [billed](crate::Cost::billed).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::{CostMap, Deployment, Usage};
    ///
    /// let map = CostMap::from_json(r#"{"azure/gpt-x": {"input_cost_per_token": 1e-6}}"#)?;
    /// map.add_deployment(Deployment::from_json(
    ///     r#"{"model_name": "reserved", "litellm_params": {"model": "azure/gpt-x"}, "model_info": {"billing": "prepaid"}}"#,
    /// )?)?;
    /// let cost = map.deployment_cost("reserved", &Usage::new(1_000_000, 0))?;
    /// assert_eq!((cost.total().to_string(), cost.billed().to_string()), ("1".to_owned(), "0".to_owned()));
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    #[must_use]
    pub fn is_prepaid(&self) -> bool {
        self.is_prepaid
    }

    /// Returns whether the deployment was added at run time, and is stored rather than configured: whether
    /// its `model_info.db_model` is `true`, LiteLLM's mark. [`CostMap::write_state`](crate::CostMap::write_state)
    /// writes such deployments.
    #[must_use]
    pub fn is_db_model(&self) -> bool {
        Params(self.part(Part::ModelInfo)).get("db_model") == Some("true")
    }

    /// Returns the prices that the deployment sets. Those in `litellm_params` take precedence.
    fn prices(&self) -> Vec<JsonField<'_>> {
        compose::prices(self.litellm_params(), Params(self.part(Part::ModelInfo)))
    }

    /// Returns the parameters in their printable form, without secrets.
    pub(crate) fn shown_params(&self) -> Vec<(Cow<'_, str>, Shown<'_>)> {
        let mut fields = self.litellm_params().fields();
        fields.retain(|(name, _)| printable::is_shown(name));
        let shown = fields.into_iter().map(|(name, json)| {
            let value = printable::shown(&name, json);
            (name, value)
        });
        shown.collect()
    }

    /// Returns the operator's model info in its printable form, without secrets. The id comes
    /// first.
    pub(crate) fn shown_info(&self) -> Union<'_, Shown<'_>> {
        let mut shown = Union::default();
        shown.set("id".into(), Shown::Value(Value::from(self.id())));
        shown.set("db_model".into(), Shown::Value(Value::Bool(false)));
        for (name, json) in Params(self.part(Part::ModelInfo)).fields() {
            if name != "id" {
                let value = printable::shown(&name, json);
                shown.set(name, value);
            }
        }
        shown
    }
}

/// Two deployments are equal if their texts are: the order of fields counts.
impl PartialEq for Deployment {
    fn eq(&self, other: &Self) -> bool {
        let all = |deployment: &Self| deployment.ends.map(|end| end - deployment.start);
        all(self) == all(other) && self.parts() == other.parts()
    }
}

impl Eq for Deployment {}

/// Serialises the deployment without its secrets.
impl Serialize for Deployment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut shown = serializer.serialize_map(Some(3))?;
        shown.serialize_entry("model_name", self.model_name())?;
        shown.serialize_entry("litellm_params", &InOrder(&self.shown_params()))?;
        shown.serialize_entry("model_info", &InOrder(&self.shown_info().fields))?;
        shown.end()
    }
}

/// Prints the deployment without its secrets.
impl fmt::Debug for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Deployment({})", serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

fn invalid(deployment: &str, field: &str, reason: &str) -> Error {
    Error::InvalidDeployment {
        deployment: deployment.to_owned(),
        field: Some(field.to_owned()).filter(|field| !field.is_empty()),
        reason: reason.to_owned(),
    }
}

fn relabelled(error: Error, label: String) -> Error {
    match error {
        Error::InvalidDeployment { field, reason, .. } => {
            Error::InvalidDeployment { deployment: label, field, reason }
        }
        error => error,
    }
}

/// Returns the position of a syntax error. The text at that position may be a secret, so it is left
/// out.
fn place(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

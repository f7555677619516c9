//! LiteLLM's endpoints for prices and models, for a server of any framework.
//!
//! The crate has no server. A program that has one hands the requests for these paths to
//! [`Endpoints::answer`], and gets a status and JSON, with LiteLLM's fields, to send:
//!
//! | request | answer |
//! |---|---|
//! | `POST /reload/model_cost_map` | `message`, `status`, `models_count`, `timestamp`, `source_revision`, `etag` |
//! | `POST /schedule/model_cost_map_reload?hours=6` | `message`, `status`, `interval_hours`, `timestamp` |
//! | `DELETE /schedule/model_cost_map_reload` | `message`, `status`, `timestamp` |
//! | `GET /schedule/model_cost_map_reload/status` | `scheduled`, `interval_hours`, `last_run`, `next_run`, `source_revision`, `etag` |
//! | `GET /model/cost_map/source` | `source`, `url`, `is_env_forced`, `fallback_reason`, `loaded_at`, `source_revision`, `etag`, `model_count` |
//! | `GET /model/info`, `GET /v1/model/info`, also with `?litellm_model_id=` | `data`: `model_name`, `litellm_params`, `model_info` of each |
//! | `POST /model/new`: `model_name`, `litellm_params`, `model_info`? | the model, with its `model_id` |
//! | `POST /model/update`: `model_info.id`, and what changes | the model, with its `model_id` |
//! | `POST /model/delete`: `id` | `message` |
//! | `GET /models`, `GET /v1/models` | `data`: `id`, `object`, `created`, `owned_by` of each name |
//!
//! A model that is added without an id gets a random one. Clients may send back to `POST /model/update` what
//! `GET /model/info` showed them: fields with the values that it shows are no changes.
//!
//! Answers may have further fields, such as `last_error` of the schedule's status. Errors have LiteLLM's
//! forms, `{"detail": …}` and `{"error": {"message", "type", "param", "code"}}`. No answer has a secret.
//!
//! Who may send a request is the server's to decide. All but the lists of models, `GET /model/info` and
//! `GET /models` under both of their paths, are for admins ([`Request::needs_admin`]).

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::{Value, json};

use crate::deployment::Deployment;
use crate::error::{Error, ErrorKind};
use crate::jitter;
use crate::json::{self, JsonField};
use crate::map::CostMap;
use crate::reload::guard::KEPT;
use crate::time;

/// LiteLLM's endpoints of a map.
///
/// # Examples
///
/// ```
/// use llm_costmap::CostMap;
/// use llm_costmap::endpoints::{Endpoints, Request};
///
/// let endpoints = Endpoints::new(CostMap::from_json(r#"{"gpt-x": {"input_cost_per_token": 1e-6}}"#)?);
/// let new = r#"{"model_name": "mine", "litellm_params": {"model": "gpt-x", "api_key": "sk-1"}}"#;
/// let answer = endpoints.answer(&Request::new("POST", "/model/new").body(new)).ok_or("no such endpoint")?;
/// assert_eq!(answer.status, 200);
/// assert!(answer.json.contains("model_id") && !answer.json.contains("sk-1"));
/// assert!(endpoints.answer(&Request::new("GET", "/v1/chat/completions")).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Endpoints {
    map: CostMap,
    state_file: Option<PathBuf>,
}

/// A request: its method, its path, the parameters of its query, and its body.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    method: &'a str,
    path: &'a str,
    params: Vec<(&'a str, &'a str)>,
    body: &'a str,
}

impl<'a> Request<'a> {
    /// Creates a request without parameters and without a body. The path begins with `/`, and has no query.
    #[must_use]
    pub fn new(method: &'a str, path: &'a str) -> Self {
        Self { method, path, params: Vec::new(), body: "" }
    }

    /// Adds a parameter of the query, percent-decoded. The last one of a name counts.
    #[must_use]
    pub fn param(mut self, name: &'a str, value: &'a str) -> Self {
        self.params.push((name, value));
        self
    }

    /// Sets the body. Default: empty.
    #[must_use]
    pub fn body(self, body: &'a str) -> Self {
        Self { body, ..self }
    }

    /// Returns whether LiteLLM answers this request for admins alone. Lists of models are for everyone who
    /// has a key.
    #[must_use]
    pub fn needs_admin(&self) -> bool {
        !matches!(self.path, "/model/info" | "/v1/model/info" | "/models" | "/v1/models")
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.params.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// An answer: a status of HTTP, and JSON to send as `application/json`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The status: 200, 400, 422, 500 or 502.
    pub status: u16,
    /// The body.
    pub json: String,
}

impl Answer {
    fn new(status: u16, body: &impl Serialize) -> Self {
        let json = serde_json::to_string(body);
        json.map_or_else(|error| Self::error(500, &error.to_string()), |json| Self { status, json })
    }

    fn detail(status: u16, detail: impl Into<Value>) -> Self {
        Self::new(status, &json!({"detail": detail.into()}))
    }

    fn error(status: u16, message: &str) -> Self {
        let kind = if status < 500 { "invalid_request_error" } else { "internal_server_error" };
        let error = json!({"message": message, "type": kind, "param": null, "code": status.to_string()});
        Self { status, json: json!({"error": error}).to_string() }
    }

    fn ok(body: &impl Serialize) -> Self {
        Self::new(200, body)
    }
}

impl From<Error> for Answer {
    fn from(error: Error) -> Self {
        match &error {
            Error::StateFile { .. } => {
                Self::error(500, &format!("done, but it will not outlive the process: {error}"))
            }
            error if error.kind() == ErrorKind::Internal => Self::error(500, &format!("{error:#}")),
            error => Self::error(400, &format!("{error:#}")),
        }
    }
}

impl Endpoints {
    /// Creates the endpoints of a map. Changes are not kept across restarts.
    #[must_use]
    pub fn new(map: CostMap) -> Self {
        Self { map, state_file: None }
    }

    /// Keeps models that are added, and the schedule, in a file, with secrets: see
    /// [`CostMap::write_state`]. Read it after a start with [`CostMap::read_state`].
    #[must_use]
    pub fn state_file(self, file: impl Into<PathBuf>) -> Self {
        Self { state_file: Some(file.into()), ..self }
    }

    /// Answers a request. Returns `None` if it is for no endpoint.
    ///
    /// A reload fetches the map, and changes write a file: call this on a thread that may wait. In an async
    /// program, that is a thread of `spawn_blocking`.
    #[must_use]
    pub fn answer(&self, request: &Request<'_>) -> Option<Answer> {
        let answered = match (request.method, request.path) {
            ("POST", "/reload/model_cost_map") => self.reload(),
            ("POST", "/schedule/model_cost_map_reload") => self.schedule(request),
            ("DELETE", "/schedule/model_cost_map_reload") => self.cancel(),
            ("GET", "/schedule/model_cost_map_reload/status") => Ok(Answer::ok(&self.map.status())),
            ("GET", "/model/cost_map/source") => Ok(Answer::ok(&self.map.source_info())),
            ("GET", "/model/info" | "/v1/model/info") => self.model_info(request),
            ("GET", "/models" | "/v1/models") => Ok(self.models()),
            ("POST", "/model/new") => self.add(request.body),
            ("POST", "/model/update") => self.update(request.body),
            ("POST", "/model/delete") => self.delete(request.body),
            _ => return None,
        };
        Some(answered.unwrap_or_else(|refused| refused))
    }

    fn reload(&self) -> Result<Answer, Answer> {
        let report = self.map.reload().map_err(|error| {
            let reason = format!("{error:#}");
            let reason = reason.trim_end_matches(KEPT);
            let said = format!("Failed to reload model cost map: {reason}. Current pricing data was kept.");
            Answer::detail(502, said)
        })?;
        let message = format!("Price data reloaded successfully! {} models updated.", report.models_count);
        Ok(Answer::ok(&Done { message, status: "success", rest: report.summary() }))
    }

    fn schedule(&self, request: &Request<'_>) -> Result<Answer, Answer> {
        let given = request.get("hours");
        let hours: i64 = given.and_then(|hours| whole(hours.trim())).ok_or_else(|| {
            let (kind, said) = match given {
                None => ("missing", "Field required"),
                Some(_) => {
                    ("int_parsing", "Input should be a valid integer, unable to parse string as an integer")
                }
            };
            Answer::detail(
                422,
                json!([{"type": kind, "loc": ["query", "hours"], "msg": said, "input": given}]),
            )
        })?;
        let hours = u64::try_from(hours).ok().filter(|hours| *hours > 0);
        let hours = hours.ok_or_else(|| Answer::detail(400, "Hours must be greater than 0"))?;
        self.map.schedule_reload(Duration::from_secs(hours.saturating_mul(3600))).map_err(|error| {
            let status = if matches!(error, Error::InvalidSetting { .. }) { 400 } else { 500 };
            Answer::detail(status, format!("Failed to schedule model cost map reload: {error:#}"))
        })?;
        self.keep()?;
        let message = format!("Model cost map reload scheduled for every {hours} hours");
        let rest = Scheduled { interval_hours: Some(hours), timestamp: SystemTime::now() };
        Ok(Answer::ok(&Done { message, status: "success", rest }))
    }

    fn cancel(&self) -> Result<Answer, Answer> {
        self.map.cancel_schedule();
        self.keep()?;
        let message = "Model cost map reload schedule cancelled".to_owned();
        let rest = Scheduled { interval_hours: None, timestamp: SystemTime::now() };
        Ok(Answer::ok(&Done { message, status: "success", rest }))
    }

    fn model_info(&self, request: &Request<'_>) -> Result<Answer, Answer> {
        let snapshot = self.map.snapshot();
        let Some(id) = request.get("litellm_model_id") else { return Ok(Answer::ok(&snapshot.model_info())) };
        let known = snapshot.deployment_info(id).ok_or_else(|| {
            Answer::detail(400, json!({"error": format!("Model id = {id} not found on litellm proxy")}))
        })?;
        Ok(Answer::ok(&Data { data: vec![known] }))
    }

    fn models(&self) -> Answer {
        let snapshot = self.map.snapshot();
        let names: BTreeSet<&str> = snapshot.deployments().map(Deployment::model_name).collect();
        let model = |name| json!({"id": name, "object": "model", "created": CREATED, "owned_by": "openai"});
        let data: Vec<Value> = names.into_iter().map(model).collect();
        Answer::ok(&json!({"object": "list", "data": data}))
    }

    fn add(&self, body: &str) -> Result<Answer, Answer> {
        let (_, request) = fields(body)?;
        // LiteLLM gives each model that is added an id of its own; models of a configuration have a hash.
        let id = request.get("model_info").and_then(id_in).unwrap_or_else(jitter::uuid);
        let added = Deployment::from_json(body)?.stored_as(&id)?;
        self.map.add_deployment(added.clone())?;
        self.keep()?;
        Ok(Answer::ok(&shown(&added)))
    }

    /// Changes a model. Clients send back what `GET /model/info` showed them: fields with the values that it
    /// shows are no changes, neither masked secrets nor the map's own prices. The latter are known by the
    /// field `key` beside them.
    fn update(&self, body: &str) -> Result<Answer, Answer> {
        let (parts, request) = fields(body)?;
        let info = request.get("model_info").filter(|info| !info.is_null());
        let info = info.ok_or_else(|| Answer::error(400, "model_info not provided"))?;
        let id = id_in(info).ok_or_else(|| Answer::error(400, "model_info.id not provided"))?;
        self.check_added(&id)?;
        let snapshot = self.map.snapshot();
        let known = snapshot.deployment_info(&id).map(|known| json!(known)).unwrap_or_default();
        let is_echo = info.get("key").is_some();
        let is_change = |name: &str, json: &str| {
            let value: Option<Value> = serde_json::from_str(json).ok();
            let is_shown = value.as_ref() == known.get("model_info").and_then(|known| known.get(name));
            let is_served = matches!(name, "key" | "db_model");
            !(is_served || is_echo && is_shown)
        };
        let changes = parts.into_iter().map(|(part, json)| {
            let info = json::fields(json).ok().filter(|_| part == "model_info");
            let kept = info.map(|mut info| {
                info.retain(|(name, json)| is_change(name, json));
                json::object(info)
            });
            (part, kept.unwrap_or_else(|| json.to_owned()))
        });
        let changed = self.map.change_deployment(&id, &json::object(changes))?;
        self.keep()?;
        Ok(Answer::ok(&shown(&changed)))
    }

    fn delete(&self, body: &str) -> Result<Answer, Answer> {
        let (_, request) = fields(body)?;
        let id = id_in(&request).ok_or_else(|| Answer::error(400, "id not provided"))?;
        self.check_added(&id)?;
        self.map.remove_deployment(&id)?;
        self.keep()?;
        Ok(Answer::ok(&json!({"message": format!("Model: {id} deleted successfully")})))
    }

    /// Checks that a model was added at run time: those of the configuration are changed there.
    fn check_added(&self, id: &str) -> Result<(), Answer> {
        match self.map.snapshot().deployment(id) {
            Some(known) if known.is_db_model() => Ok(()),
            Some(_) => Err(Answer::error(
                400,
                "Can't edit model. Model in config. Store model in db via `/model/new`. to edit.",
            )),
            None => Err(Answer::error(400, &format!("Model with id={id} not found in db"))),
        }
    }

    fn keep(&self) -> Result<(), Error> {
        self.state_file.as_ref().map_or(Ok(()), |file| self.map.write_state(file))
    }
}

/// Reads a whole number, as Pydantic does: also with a fraction of zero.
fn whole(text: &str) -> Option<i64> {
    let whole =
        text.split_once('.').filter(|(_, rest)| !rest.is_empty() && rest.bytes().all(|digit| digit == b'0'));
    whole.map_or(text, |(whole, _)| whole).parse().ok()
}

/// The time that LiteLLM gives as that of every model's creation, in seconds.
const CREATED: u64 = 1_677_610_602;

/// The answer to a request that was done.
#[derive(Serialize)]
struct Done<R> {
    message: String,
    status: &'static str,
    #[serde(flatten)]
    rest: R,
}

#[derive(Serialize)]
struct Scheduled {
    #[serde(skip_serializing_if = "Option::is_none")]
    interval_hours: Option<u64>,
    #[serde(serialize_with = "time::serialize")]
    timestamp: SystemTime,
}

#[derive(Serialize)]
struct Data<D> {
    data: Vec<D>,
}

/// A model that was added or changed: its id, and its fields without secrets.
#[derive(Serialize)]
struct Changed<'a> {
    model_id: &'a str,
    #[serde(flatten)]
    model: &'a Deployment,
}

fn shown(deployment: &Deployment) -> Changed<'_> {
    Changed { model_id: deployment.id(), model: deployment }
}

/// Reads a body: its fields as they stand, and as values. The text at the position of an error may be a
/// secret, so it is left out.
fn fields(body: &str) -> Result<(Vec<JsonField<'_>>, Value), Answer> {
    let read = json::fields(body).and_then(|fields| Ok((fields, serde_json::from_str(body)?)));
    let place = |error: serde_json::Error| format!("line {}, column {}", error.line(), error.column());
    read.map_err(|error| Answer::error(400, &format!("the body is not a JSON object: {}", place(error))))
}

/// Returns the id in an object, which may be a number.
fn id_in(object: &Value) -> Option<String> {
    match object.get("id")? {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

//! Who may do what: the admin's key, and those of callers.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use headers::HeaderMapExt;
use headers::authorization::{Authorization, Basic, Bearer};
use serde_json::json;
use subtle::{Choice, ConstantTimeEq};

use crate::{App, Failure};

/// The keys that are accepted. Without a key of the admin, everything is open, as in LiteLLM.
pub struct Keys {
    pub admin: Option<String>,
    pub callers: Vec<String>,
}

impl Keys {
    pub fn from_env() -> Self {
        let set = |name| std::env::var(name).ok().filter(|keys: &String| !keys.trim().is_empty());
        let callers = set("GATEWAY_KEYS").unwrap_or_default();
        let callers = callers.split(',').map(|key| key.trim().to_owned()).filter(|key| !key.is_empty());
        Self { admin: set("LITELLM_MASTER_KEY"), callers: callers.collect() }
    }

    /// Returns whether a request is the admin's. Every key is compared, and in full, so that the time of an
    /// answer tells nothing about them.
    fn is_admin(&self, headers: &HeaderMap) -> Result<bool, &'static str> {
        let Some(admin) = &self.admin else { return Ok(true) };
        let key = key(headers).ok_or("Authentication Error, No api key passed in.")?;
        let is = |known: &String| known.as_bytes().ct_eq(key.as_bytes());
        let is_caller = self.callers.iter().fold(Choice::from(0), |found, known| found | is(known));
        match (bool::from(is(admin)), bool::from(is_caller)) {
            (false, false) => Err("Authentication Error, Invalid proxy server token passed"),
            (is_admin, _) => Ok(is_admin),
        }
    }
}

/// Returns the key of a client of OpenAI, the password of a browser, or the key of a client of Anthropic.
fn key(headers: &HeaderMap) -> Option<String> {
    let bearer = headers.typed_get::<Authorization<Bearer>>().map(|bearer| bearer.token().to_owned());
    let basic = || headers.typed_get::<Authorization<Basic>>().map(|basic| basic.password().to_owned());
    bearer.or_else(basic).or_else(|| headers.get("x-api-key")?.to_str().ok().map(str::to_owned))
}

/// Returns whether a page of another site may have sent a request: browsers add the key that their user
/// entered, and need none where there is none.
fn is_of_another_site(headers: &HeaderMap, is_keyless: bool) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text(HOST).unwrap_or_default();
    let is_foreign = |origin: &str| origin.split_once("://").is_none_or(|(_, origin)| origin != host);
    // A name of another site can lead to this machine.
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    let is_named = name != "localhost" && name.parse::<IpAddr>().is_err();
    text(ORIGIN).is_some_and(is_foreign) || (is_keyless && is_named)
}

/// Lets a request pass to a route of callers or, if `is_open` is false, of the admin.
pub async fn check(State((app, is_open)): State<(Arc<App>, bool)>, request: Request, next: Next) -> Response {
    if is_of_another_site(request.headers(), app.keys.admin.is_none()) {
        return Failure(StatusCode::FORBIDDEN, "a page of another site sent this".to_owned()).into_response();
    }
    match app.keys.is_admin(request.headers()) {
        Ok(is_admin) if is_admin || is_open => next.run(request).await,
        Ok(_) => {
            let detail = "Access denied. Admin role required. Current role: internal_user";
            (StatusCode::FORBIDDEN, Json(json!({"detail": detail}))).into_response()
        }
        // A browser asks its user for the key, as a password.
        Err(said) => {
            let failure = Failure(StatusCode::UNAUTHORIZED, said.to_owned());
            ([(WWW_AUTHENTICATE, "Basic realm=\"gateway\"")], failure).into_response()
        }
    }
}

//! The source that LiteLLM's environment variables name.

use std::env::VarError;
use std::path::Path;

use crate::error::Error;
use crate::source::Asked;

/// The source that the environment names.
pub(super) enum Named {
    /// The bundled map alone.
    Bundled,
    Source(Asked),
    Nothing,
}

/// The variable that is `true` to use the bundled map only.
pub(super) const LOCAL: &str = "LITELLM_LOCAL_MODEL_COST_MAP";
/// The variable that otherwise has the URL or the path of the map.
pub(super) const URL: &str = "LITELLM_MODEL_COST_MAP_URL";

/// Reads the environment.
pub(super) fn named_by_env() -> Result<Named, Error> {
    let set = |name: &str| match std::env::var(name) {
        Ok(value) => Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            Err(Error::InvalidSetting { setting: "env", reason: format!("{name} is not UTF-8") })
        }
    };
    if set(LOCAL)?.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(Named::Bundled);
    }
    Ok(match set(URL)? {
        None => Named::Nothing,
        Some(path) if is_path(&path) => Named::Source(Asked::File(path.into())),
        Some(url) => Named::Source(Asked::Url(url)),
    })
}

/// Returns whether a text is a path and no URL. A text that may be a mistyped URL, and hold a secret, is a
/// path only if it begins as one.
fn is_path(text: &str) -> bool {
    let begins_as_path = text.starts_with(['/', '.']) || Path::new(text).is_absolute();
    begins_as_path || !(text.contains([':', '@', '?']) || text.contains("//"))
}

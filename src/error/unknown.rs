//! [`UnknownModel`]: a name that leads to no model.

use std::fmt;
use std::sync::Weak;

use crate::text::clip;

/// Says more about an unknown name.
pub(crate) trait Suggest: Send + Sync {
    /// Returns names that are spelled almost like it.
    fn suggest(&self, name: &str, provider: Option<&str>) -> Vec<String>;

    /// Returns why the row that the name leads to was set aside, if it was.
    fn set_aside(&self, name: &str, provider: Option<&str>) -> Option<String>;
}

/// The error of a name that no entry of the map answers to.
///
/// Its `Display` says why the map's row of the name was set aside, if it was, and else suggests keys
/// that are spelled almost like the name. Both are looked up when
/// the error is displayed, in the generation of the map that was asked, if that is still in use:
/// making the error costs little, and it keeps no generation alive.
#[derive(Clone)]
pub struct UnknownModel {
    model: Box<str>,
    provider: Option<Box<str>>,
    asked: Weak<dyn Suggest>,
}

impl UnknownModel {
    pub(crate) fn new(model: &str, provider: Option<&str>, asked: Weak<dyn Suggest>) -> Self {
        Self { model: clip(model).into(), provider: provider.map(|provider| clip(provider).into()), asked }
    }

    /// Returns the name that was asked for, or its beginning if it is very long.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Returns the provider that was asked for.
    #[must_use]
    pub fn provider(&self) -> Option<&str> {
        self.provider.as_deref()
    }

    /// Returns at most three keys that are spelled almost like the name, nearest first. Returns
    /// none if the generation of the map that was asked is no longer in use.
    #[must_use]
    pub fn near_names(&self) -> Vec<String> {
        self.asked.upgrade().map(|asked| asked.suggest(&self.model, self.provider())).unwrap_or_default()
    }
}

impl fmt::Display for UnknownModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown model {:?}", self.model)?;
        if let Some(provider) = &self.provider {
            write!(f, " of provider {provider:?}")?;
        }
        let asked = self.asked.upgrade();
        if let Some(reason) = asked.and_then(|asked| asked.set_aside(&self.model, self.provider())) {
            return write!(f, ": the map has a row for it that was set aside ({reason}): register it");
        }
        match &*self.near_names() {
            [] => f.write_str(": register it, or check the name"),
            near => write!(f, ": did you mean {}? If not, register it", near.join(", ")),
        }
    }
}

impl fmt::Debug for UnknownModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("UnknownModel");
        shown.field("model", &self.model).field("provider", &self.provider).finish_non_exhaustive()
    }
}

/// Two errors are equal if they are about the same name and provider.
impl PartialEq for UnknownModel {
    fn eq(&self, other: &Self) -> bool {
        (&self.model, &self.provider) == (&other.model, &other.provider)
    }
}

impl Eq for UnknownModel {}

impl std::error::Error for UnknownModel {}

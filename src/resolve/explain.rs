//! [`Explanation`]: the candidates that were tried for a name, and the outcome of each.

use std::fmt;
use std::ops::ControlFlow;

use super::lookup::{Candidate, FoundBy, Lookup, Match};
use super::query::{ProviderOrigin, Query};
use super::{Answer, Layers, fits, look_up_without_entry, resolve};
use crate::catalog::EntryRef;
use crate::text::clip;

/// The steps of a lookup, as returned by [`Snapshot::explain`](crate::Snapshot::explain).
///
/// The `Display` implementation writes a multi-line text for diagnostics.
///
/// # Examples
///
/// ```
/// use llm_costmap::{CostMap, Lookup};
///
/// let map = CostMap::from_json(
///     r#"{"azure/gpt-x": {"litellm_provider": "azure"}, "gpt-x-pro": {"litellm_provider": "openai"}}"#,
/// )?;
/// let snapshot = map.snapshot();
/// assert_eq!(
///     snapshot.explain(Lookup::new("gpt-x-pro-2026-01-31").provider("azure")).to_string(),
///     "gpt-x-pro-2026-01-31, of azure, which was asked for\n\
///      \x20 azure/gpt-x-pro-2026-01-31 (the name behind its provider): no entry\n\
///      \x20 gpt-x-pro-2026-01-31 (the name as given): no entry\n\
///      \x20 azure/gpt-x-pro (the stripped name behind its provider): no entry\n\
///      \x20 gpt-x-pro (the stripped name): gpt-x-pro is of openai\n\
///      unknown"
/// );
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Explanation {
    /// The name that was looked up, after an older name was rewritten. A very long name is cut off.
    pub name: String,
    /// True if the name was an older one and was rewritten.
    pub rewritten: bool,
    /// The provider that was asked for or inferred.
    pub provider: Option<String>,
    /// The origin of the provider, in words.
    pub provider_from: Option<String>,
    /// The candidates, in the order in which they were tried.
    pub steps: Vec<Step>,
    /// The key that was found, or the name if the model needs no entry, and how it was found.
    /// `None` if the model is unknown.
    pub found: Option<(String, FoundBy)>,
}

/// One candidate of a lookup, and its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Step {
    /// The form of the name that was tried.
    pub candidate: Candidate,
    /// The name that was tried. A very long name is cut off.
    pub name: String,
    /// The outcome of the candidate.
    pub outcome: Outcome,
}

/// The outcome of a candidate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// No entry has this name.
    NoEntry,
    /// An entry has this name, but its provider does not fit the lookup.
    #[non_exhaustive]
    OtherProvider {
        /// The key of the entry.
        key: String,
        /// The provider of the entry.
        provider: String,
    },
    /// The map's row of this name was set aside, so that the model is unknown. No later candidate is
    /// tried.
    #[non_exhaustive]
    SetAside {
        /// The key of the row.
        key: String,
        /// The field that is wrong, if it is one, and the reason.
        reason: String,
    },
    /// An entry has this name, and is the answer.
    #[non_exhaustive]
    Found {
        /// The key of the entry.
        key: String,
        /// The kind of match.
        matched: Match,
    },
    /// No candidate leads to an entry. Another entry stands in, and is the answer.
    #[non_exhaustive]
    StandsIn {
        /// The key of the entry that stands in.
        key: String,
    },
    /// No candidate leads to an entry. The model left the map, its last prices are kept, and they are the
    /// answer.
    #[non_exhaustive]
    Retired {
        /// The key that the model had.
        key: String,
        /// The kind of match.
        matched: Match,
    },
    /// No candidate leads to an entry. The model runs on the caller's own machines, and is known
    /// without one.
    SelfHosted,
    /// No candidate names an entry of any provider. Fallback rules of the map describe this form of
    /// the name, and their description is the answer.
    #[non_exhaustive]
    Described {
        /// The names of the rules, in the order of the map.
        rules: Vec<String>,
    },
}

impl Explanation {
    pub(crate) fn of(layers: Layers<'_>, lookup: Lookup<'_>) -> Self {
        // A strict lookup, and an exact key or alias without a provider, has no other candidates.
        if lookup.strict || (lookup.provider.is_none() && layers.exact(lookup.name).is_some()) {
            return Self::of_exact(layers, lookup);
        }
        let query = Query::new(layers, lookup);
        let mut explanation = Self {
            name: clip(&query.name).into(),
            rewritten: query.rewritten,
            provider: query.provider.map(|provider| clip(provider).into()),
            provider_from: match query.origin {
                ProviderOrigin::Asked => Some("which was asked for".to_owned()),
                ProviderOrigin::FirstSegment => Some("with which the name begins".to_owned()),
                ProviderOrigin::Rule(rule) => Some(format!("by the rule {rule}")),
                ProviderOrigin::None => None,
            },
            steps: Vec::new(),
            found: None,
        };
        let is_found = query.candidates(|candidate, name| {
            let (outcome, found) = tried(layers, &query, name);
            let is_set_aside = matches!(outcome, Outcome::SetAside { .. });
            explanation.add(candidate, name, outcome);
            if is_set_aside {
                return ControlFlow::Break(());
            }
            if let Some((key, matched)) = found {
                let found_by = FoundBy { candidate, matched, rewritten: query.rewritten, retired: false };
                explanation.found = Some((key, found_by));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        if is_found.is_continue() {
            explanation.add_without_entry(layers, lookup, &query.name);
        }
        explanation
    }

    fn of_exact(layers: Layers<'_>, lookup: Lookup<'_>) -> Self {
        let found = resolve(layers, lookup).map(|found| (found.entry.key().to_owned(), found.found_by));
        let outcome = match (&found, layers.exact(lookup.name)) {
            (Some((key, by)), _) => Outcome::Found { key: key.clone(), matched: by.matched },
            (None, Some(entry)) => Outcome::OtherProvider {
                key: entry.key().to_owned(),
                provider: entry.provider().unwrap_or_default().to_owned(),
            },
            (None, None) => Outcome::NoEntry,
        };
        let mut explanation = Self {
            name: clip(lookup.name).into(),
            rewritten: false,
            provider: lookup.provider.map(|provider| clip(provider).into()),
            provider_from: lookup.provider.map(|_| "which was asked for".to_owned()),
            steps: Vec::new(),
            found,
        };
        explanation.add(Candidate::AsGiven, lookup.name, outcome);
        if explanation.found.is_none() {
            explanation.add_without_entry(layers, lookup, lookup.name);
        }
        explanation
    }

    fn add(&mut self, candidate: Candidate, name: &str, outcome: Outcome) {
        self.steps.push(Step { candidate, name: clip(name).into(), outcome });
    }

    /// Adds the step and the answer for a name that leads to no entry of its own.
    fn add_without_entry(&mut self, layers: Layers<'_>, lookup: Lookup<'_>, asked: &str) {
        let Some(found) = look_up_without_entry(layers, lookup) else { return };
        let (key, outcome) = match found.answer {
            Answer::Entry(entry) => {
                let key = entry.key().to_owned();
                let outcome = if found.found_by.retired {
                    Outcome::Retired { key: key.clone(), matched: found.found_by.matched }
                } else {
                    Outcome::StandsIn { key: key.clone() }
                };
                (key, outcome)
            }
            Answer::SelfHosted => (lookup.name.to_owned(), Outcome::SelfHosted),
            Answer::Described(catalog) => {
                let key = catalog.entry(0).map_or("", EntryRef::key).to_owned();
                let rules = layers.rules().describing(&key);
                let rules = rules.into_iter().map(|rule| rule.name.to_string()).collect();
                (key, Outcome::Described { rules })
            }
        };
        // Rules describe one form of the name. A stand-in or a self-hosted model is found by the
        // name as given.
        let name = if found.found_by.matched == Match::Described { &key } else { asked };
        self.add(found.found_by.candidate, name, outcome);
        self.found = Some((clip(&key).to_owned(), found.found_by));
    }
}

/// Returns the outcome of a candidate, and the key and the match if the candidate is the answer.
fn tried(layers: Layers<'_>, query: &Query<'_>, name: &str) -> (Outcome, Option<(String, Match)>) {
    if let Some(row) = layers.row_set_aside(name) {
        return (Outcome::SetAside { key: clip(&row.model).to_owned(), reason: row.said() }, None);
    }
    let Some((entry, matched)) = layers.find(name) else { return (Outcome::NoEntry, None) };
    let key = entry.key().to_owned();
    match entry.provider() {
        Some(provider) if !fits(Some(provider), query.provider) => {
            (Outcome::OtherProvider { key, provider: provider.to_owned() }, None)
        }
        _ => (Outcome::Found { key: key.clone(), matched }, Some((key, matched))),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.rewritten {
            f.write_str(", rewritten from an older name")?;
        }
        match (&self.provider, &self.provider_from) {
            (Some(provider), Some(from)) => write!(f, ", of {provider}, {from}")?,
            _ => f.write_str(", of any provider")?,
        }
        for step in &self.steps {
            write!(f, "\n  {} ({}): {}", step.name, step.candidate, step.outcome)?;
        }
        match &self.found {
            Some((key, _)) => write!(f, "\n{key}"),
            None => f.write_str("\nunknown"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEntry => f.write_str("no entry"),
            Self::OtherProvider { key, provider } => write!(f, "{key} is of {provider}"),
            Self::SetAside { key, reason } => write!(f, "{key} was set aside: {reason}"),
            Self::Found { matched, .. } => write!(f, "{matched}"),
            Self::StandsIn { key } => write!(f, "{key} stands in"),
            Self::Retired { key, .. } => write!(f, "{key} left the map, and its last prices are kept"),
            Self::SelfHosted => f.write_str("self-hosted"),
            Self::Described { rules } => write!(f, "described by {}", rules.join(", ")),
        }
    }
}

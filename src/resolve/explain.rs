//! [`Explanation`]: every candidate that was tried for a name, and what became of it.

use std::fmt;
use std::ops::ControlFlow;

use super::lookup::{Candidate, FoundBy, Lookup, Match};
use super::query::{Origin, Query};
use super::{Answer, Layers, fits, look_up_without_entry, resolve};
use crate::catalog::EntryRef;
use crate::text::clip;

/// How a name was looked up, step by step: from [`Snapshot::explain`](crate::Snapshot::explain).
///
/// Its `Display` is a text for people.
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
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The name that was looked up, rewritten where it is an older one; its beginning, where it is very long.
    pub name: String,
    /// Whether an older name was rewritten.
    pub rewritten: bool,
    /// The provider asked for or inferred.
    pub provider: Option<String>,
    /// Where the provider is from, in words.
    pub provider_from: Option<String>,
    /// The candidates, in the order in which they were tried.
    pub steps: Vec<Step>,
    /// The key, or the name where no entry is needed, and how it was found; `None` where the model is unknown.
    pub found: Option<(String, FoundBy)>,
}

/// One candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Which form of the name it is.
    pub candidate: Candidate,
    /// The name that was looked up; its beginning, where it is very long.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// No entry is called so.
    NoEntry,
    /// An entry is called so, and it is of a provider that the lookup cannot mean.
    OtherProvider {
        /// The entry's key.
        key: String,
        /// Its provider.
        provider: String,
    },
    /// An entry is called so: the answer.
    Found {
        /// The entry's key.
        key: String,
        /// How the name matched.
        matched: Match,
    },
    /// No candidate is an entry's name, and another entry stands in: the answer.
    StandsIn {
        /// That entry's key.
        key: String,
    },
    /// No candidate is an entry's name, and the model runs on machines of the caller's own: the answer.
    SelfHosted,
    /// No candidate is any entry's name, and fallback rules of the map describe this one: the answer.
    Described {
        /// The names of the rules, in their order.
        rules: Vec<String>,
    },
}

impl Explanation {
    pub(crate) fn of(layers: Layers<'_>, lookup: Lookup<'_>) -> Self {
        // A name that is a key is that entry, before anything else is asked.
        if lookup.strict || (lookup.provider.is_none() && layers.exact(lookup.name).is_some()) {
            return Self::of_exact(layers, lookup);
        }
        let query = Query::new(layers, lookup);
        let mut explanation = Self {
            name: clip(&query.name).into(),
            rewritten: query.rewritten,
            provider: query.provider.map(|provider| clip(provider).into()),
            provider_from: match query.origin {
                Origin::Asked => Some("which was asked for".to_owned()),
                Origin::FirstSegment => Some("with which the name begins".to_owned()),
                Origin::Rule(rule) => Some(format!("by the rule {rule}")),
                Origin::None => None,
            },
            steps: Vec::new(),
            found: None,
        };
        let is_found = query.candidates(|candidate, name| {
            let (outcome, found) = tried(layers, &query, name);
            explanation.add(candidate, name, outcome);
            if let Some((key, matched)) = found {
                explanation.found = Some((key, FoundBy { candidate, matched, rewritten: query.rewritten }));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        if is_found.is_continue() {
            explanation.add_without_entry(layers, lookup, &query);
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
        explanation
    }

    fn add(&mut self, candidate: Candidate, name: &str, outcome: Outcome) {
        self.steps.push(Step { candidate, name: clip(name).into(), outcome });
    }

    /// Adds what is found for a name that is no entry's.
    fn add_without_entry(&mut self, layers: Layers<'_>, lookup: Lookup<'_>, query: &Query<'_>) {
        let Some(found) = look_up_without_entry(layers, lookup) else { return };
        let (key, outcome) = match found.answer {
            Answer::Entry(entry) => {
                let key = entry.key().to_owned();
                (key.clone(), Outcome::StandsIn { key })
            }
            Answer::SelfHosted => (lookup.name.to_owned(), Outcome::SelfHosted),
            Answer::Described(catalog) => {
                let key = catalog.entry(0).map_or("", EntryRef::key).to_owned();
                let rules = layers.rules().describing(&key);
                let rules = rules.into_iter().map(|rule| rule.name.to_string()).collect();
                (key, Outcome::Described { rules })
            }
        };
        // Rules describe a form of the name; the others are about the name as given.
        let name = if found.found_by.matched == Match::Described { &key } else { &*query.name };
        self.add(found.found_by.candidate, name, outcome);
        self.found = Some((clip(&key).to_owned(), found.found_by));
    }
}

/// What becomes of a candidate, and the answer where it is one.
fn tried(layers: Layers<'_>, query: &Query<'_>, name: &str) -> (Outcome, Option<(String, Match)>) {
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
            Self::Found { matched, .. } => write!(f, "{matched}"),
            Self::StandsIn { key } => write!(f, "{key} stands in"),
            Self::SelfHosted => f.write_str("self-hosted"),
            Self::Described { rules } => write!(f, "described by {}", rules.join(", ")),
        }
    }
}

//! A prepared lookup: rewritten, with its provider, and with its candidates in order.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::Layers;
use super::lookup::{Candidate, Lookup};
use super::names::{Family, OTHER_PROVIDERS, renamed};
use super::strip::{
    fireworks_resource, stripped, without_bedrock_route, without_doubled_provider, without_provider,
    without_region_path,
};
use crate::catalog::EntryRef;

/// The longest name that is joined to its provider without an allocation, in bytes.
const INLINE: usize = 192;

/// The origin of the provider of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProviderOrigin<'a> {
    Asked,
    /// The name begins with the provider.
    FirstSegment,
    /// A routing rule of the map names the provider. The field is the name of the rule.
    Rule(&'a str),
    None,
}

#[derive(Debug)]
pub(super) struct Query<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) provider: Option<&'a str>,
    pub(super) origin: ProviderOrigin<'a>,
    pub(super) rewritten: bool,
    family: Family,
    /// The limit on the length of joined candidates, in bytes: no name in the map matches a longer
    /// one, even ignoring case.
    limit: usize,
}

impl<'a> Query<'a> {
    pub(super) fn new<'m: 'a>(layers: Layers<'m>, lookup: Lookup<'a>) -> Self {
        let renamed = renamed(lookup.name);
        let name = renamed.unwrap_or(lookup.name);
        let (provider, origin) = match lookup.provider {
            Some("vertex_ai_beta") => (Some("vertex_ai"), ProviderOrigin::Asked),
            Some(provider) => (Some(provider), ProviderOrigin::Asked),
            None => inferred(layers, name),
        };
        let on_vertex = (lookup.provider.is_some() && provider == Some("vertex_ai"))
            .then(|| renamed_on_vertex(layers, name))
            .flatten();
        Self {
            rewritten: renamed.is_some() || on_vertex.is_some(),
            name: on_vertex.map_or(Cow::Borrowed(name), Cow::Owned),
            provider,
            origin,
            family: provider.map_or(Family::Other, Family::of),
            limit: layers.longest().saturating_mul(3),
        }
    }

    /// Calls `visit` with each candidate, in order, until `visit` breaks.
    pub(super) fn candidates<B>(
        &self,
        mut visit: impl FnMut(Candidate, &str) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.candidates_of(&self.name, &mut visit)?;
        let Some(provider) = self.provider else { return ControlFlow::Continue(()) };
        // If the name leads to nothing, a doubled provider counts once. On Bedrock, a provider that
        // was asked for is a route as well and has already been removed as one.
        let once = without_doubled_provider(&self.name, provider);
        if once == &*self.name || (self.origin == ProviderOrigin::Asked && self.family == Family::Bedrock) {
            return ControlFlow::Continue(());
        }
        self.candidates_of(once, &mut visit)
    }

    fn candidates_of<B>(
        &self,
        name: &str,
        visit: &mut impl FnMut(Candidate, &str) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let Some(provider) = self.provider else {
            visit(Candidate::AsGiven, name)?;
            return stripped(name, Family::Other)
                .map_or(ControlFlow::Continue(()), |rest| visit(Candidate::Stripped, rest));
        };
        let asked = self.origin == ProviderOrigin::Asked;
        let begins_with_provider = without_provider(name, provider);
        let rest = begins_with_provider.unwrap_or(name);
        let mantle = self.family == Family::Mantle;

        if asked && begins_with_provider.is_none() {
            self.join(provider, name, |joined| visit(Candidate::WithProvider, joined))?;
        }
        visit(Candidate::AsGiven, name)?;
        let bare = match self.family {
            Family::Mantle => without_region_path(rest),
            Family::Bedrock => without_bedrock_route(rest),
            Family::Fireworks | Family::Versioned | Family::Other => rest,
        };
        if mantle && bare.len() != rest.len() {
            self.join(provider, bare, |joined| visit(Candidate::WithoutRegion, joined))?;
        }
        if bare.len() != name.len() {
            visit(Candidate::WithoutProvider, bare)?;
        }
        if asked || mantle {
            if let Some(model) = stripped(if mantle { bare } else { rest }, self.family) {
                self.join(provider, model, |joined| visit(Candidate::StrippedWithProvider, joined))?;
            }
        }
        if let Some(model) = stripped(if asked { rest } else { name }, self.family) {
            visit(Candidate::Stripped, model)?;
        }
        if self.family == Family::Fireworks {
            if bare.len() <= self.limit {
                let resource = fireworks_resource(bare);
                self.join(provider, &resource, |joined| visit(Candidate::FireworksResource, joined))?;
            }
        } else if asked && begins_with_provider.is_some() {
            self.join(provider, name, |joined| visit(Candidate::RepeatedProvider, joined))?;
        }
        ControlFlow::Continue(())
    }

    /// Calls `visit` with `provider/name`, unless that is longer than the limit.
    fn join<B>(
        &self,
        provider: &str,
        name: &str,
        visit: impl FnOnce(&str) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if provider.len().saturating_add(name.len()) >= self.limit {
            return ControlFlow::Continue(());
        }
        let mut joined = arrayvec::ArrayString::<INLINE>::new();
        let whole = joined.try_push_str(provider).is_ok()
            && joined.try_push('/').is_ok()
            && joined.try_push_str(name).is_ok();
        if whole { visit(&joined) } else { visit(&format!("{provider}/{name}")) }
    }
}

/// Returns the provider that a name begins with, or else the provider that a routing rule names.
fn inferred<'a, 'm: 'a>(layers: Layers<'m>, name: &'a str) -> (Option<&'a str>, ProviderOrigin<'a>) {
    if let Some((first, _)) = name.split_once('/') {
        let internal = first.starts_with("vertex_ai-")
            || first.starts_with("fireworks_ai-")
            || first == "bedrock_converse";
        if OTHER_PROVIDERS.contains(&first) || (!internal && layers.has_provider(first)) {
            return (Some(first), ProviderOrigin::FirstSegment);
        }
    }
    // A name that the map has, in whatever case, takes precedence over the routing rules.
    let routed = if layers.find(name).is_some() { None } else { layers.rules().route(name) };
    routed
        .map_or((None, ProviderOrigin::None), |(rule, provider)| (Some(provider), ProviderOrigin::Rule(rule)))
}

/// Returns the name of a Vertex AI model as it is in the map, if the map has it with a publisher in
/// front or a version behind.
fn renamed_on_vertex(layers: Layers<'_>, name: &str) -> Option<String> {
    if name.len() > layers.longest() {
        return None;
    }
    let is = |name: &str, providers: &[&str]| {
        let entry = layers.exact(&format!("vertex_ai/{name}")).or_else(|| layers.exact(name));
        entry.and_then(EntryRef::provider).is_some_and(|provider| providers.contains(&provider))
    };
    let llama = format!("meta/{name}");
    if is(&llama, &["vertex_ai-llama_models"]) {
        return Some(llama);
    }
    let latest = format!("{name}@latest");
    is(&latest, &["vertex_ai-mistral_models", "vertex_ai-ai21_models"]).then_some(latest)
}

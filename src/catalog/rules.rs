//! The fallback rules of a map: patterns that route unknown names to providers, describe unknown
//! names, and fill in fields that entries leave out.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use hashbrown::HashSet;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::pattern::{MAX_NAME, Pattern};
use super::{Catalog, RULES, SetAside, check_prices};
use crate::json::{self, Union, fields, quoted};

/// The largest number of rules in a map.
const MAX_RULES: usize = 1_000;

/// The largest sum of the steps that the patterns of a map may take on one name, in the worst case:
/// about a second. The public map's patterns take half of it.
const MAX_STEPS: u64 = 3_000_000_000;

/// The largest number of fields in the description of a rule.
const MAX_FIELDS: usize = 1_000;

/// The modes of entries that rules fill in. Entries without a mode are filled in too.
const FILLED_MODES: [&str; 2] = ["chat", "responses"];

/// The fallback rules of a map, in the order of the map.
#[derive(Default)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    /// Compiled when a name first needs a pattern, or when the rules set aside are asked for: most
    /// names are keys, and a reload should not wait for the compilation.
    compiled: OnceLock<Compiled>,
}

pub(crate) struct Rule {
    pub(crate) name: Box<str>,
    pattern: Box<str>,
    kind: RuleKind,
}

enum RuleKind {
    /// The rule names the provider of a name without one.
    Routes(Box<str>),
    /// The rule describes a name.
    Describes {
        /// Names of fields of model info, and their JSON.
        fields: Vec<(Box<str>, Box<str>)>,
        /// The providers whose entries the rule fills in as well.
        fills: Vec<Box<str>>,
    },
}

struct Compiled {
    patterns: Vec<Option<Pattern>>,
    set_aside: Vec<SetAside>,
}

impl Rules {
    /// Reads the rules of a map, and sets aside those that are invalid.
    ///
    /// # Errors
    ///
    /// Returns an error if there are more than [`MAX_RULES`] rules.
    pub(super) fn parse(json: &str, set_aside: &mut Vec<SetAside>) -> Result<Self, TooManyRules> {
        let mut rules = Vec::new();
        match read_list(json) {
            Ok(list) if list.len() > MAX_RULES => return Err(TooManyRules(list.len())),
            Ok(list) => {
                for (number, json) in (1..).zip(list) {
                    match read_rule(json.get(), number) {
                        Ok(rule) => rules.push(rule),
                        Err(bad) => set_aside.push(bad),
                    }
                }
            }
            Err(reason) => set_aside.push(SetAside { model: RULES.to_owned(), field: None, reason }),
        }
        Ok(Self { rules, compiled: OnceLock::new() })
    }

    fn compiled(&self) -> &Compiled {
        self.compiled.get_or_init(|| {
            let (mut set_aside, mut steps) = (Vec::new(), 0_u64);
            let patterns = self.rules.iter().map(|rule| {
                let pattern = Pattern::compile(&rule.pattern).and_then(|pattern| {
                    steps = steps.saturating_add(pattern.steps);
                    let fits = steps <= MAX_STEPS;
                    if fits {
                        Ok(pattern)
                    } else {
                        Err("its pattern and those before it may take too long".to_owned())
                    }
                });
                pattern.map_err(|reason| set_aside.push(bad_rule(&rule.name, reason))).ok()
            });
            Compiled { patterns: patterns.collect(), set_aside }
        })
    }

    /// Returns the rules whose patterns do not compile, and that therefore match nothing.
    pub(crate) fn set_aside(&self) -> &[SetAside] {
        &self.compiled().set_aside
    }

    /// Returns whether the pattern of a rule occurs in a name.
    fn matches(&self, rule: usize, name: &str) -> bool {
        if name.is_empty() || name.len() > MAX_NAME {
            return false;
        }
        let pattern = self.compiled().patterns.get(rule).and_then(Option::as_ref);
        pattern.is_some_and(|pattern| pattern.is_match(name))
    }

    /// Returns the name of the first rule that routes a name, and the provider to which the name is
    /// routed.
    pub(crate) fn route(&self, name: &str) -> Option<(&str, &str)> {
        self.rules.iter().enumerate().find_map(|(position, rule)| match &rule.kind {
            RuleKind::Routes(provider) if self.matches(position, name) => Some((&*rule.name, &**provider)),
            _ => None,
        })
    }

    /// Returns whether any rule describes names.
    pub(crate) fn describe_any(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.kind, RuleKind::Describes { .. }))
    }

    /// Returns the rules that describe a name.
    pub(crate) fn describing(&self, name: &str) -> Vec<&Rule> {
        let rules = self.rules.iter().enumerate();
        let describing = rules.filter(|(position, rule)| {
            matches!(rule.kind, RuleKind::Describes { .. }) && self.matches(*position, name)
        });
        describing.map(|(_, rule)| rule).collect()
    }

    /// Returns a catalogue of the one model that all matching rules describe together. Later rules
    /// take precedence over earlier ones. `provider` becomes the provider of the model.
    pub(crate) fn describe(&self, name: &str, provider: Option<&str>) -> Option<Catalog> {
        let rules = self.describing(name);
        if rules.is_empty() {
            return None;
        }
        let provider = provider.map(quoted);
        let mut info = Union::default();
        for rule in rules {
            if let RuleKind::Describes { fields, .. } = &rule.kind {
                lay_over(&mut info, fields);
            }
        }
        if let Some(provider) = &provider {
            info.set(Cow::Borrowed("litellm_provider"), provider);
        }
        Catalog::of_row(name, &info.fields).ok()
    }

    /// Returns the wanted fields that rules fill in for an entry.
    pub(crate) fn fill(&self, entry: Filled<'_>, wanted: impl Fn(&str) -> bool) -> Vec<json::JsonField<'_>> {
        let mut filled = Union::default();
        if entry.mode.is_some_and(|mode| !FILLED_MODES.contains(&mode)) {
            return filled.fields;
        }
        for (position, rule) in self.rules.iter().enumerate() {
            let RuleKind::Describes { fields, fills } = &rule.kind else { continue };
            if fills.iter().any(|provider| Some(&**provider) == entry.provider)
                && fields.iter().any(|(name, _)| wanted(name))
                && self.matches(position, entry.key)
            {
                lay_over(&mut filled, fields);
            }
        }
        filled.fields.retain(|(name, _)| wanted(name));
        filled.fields
    }

    /// Adds the fields that rules fill in for an entry, unless `fields` has them already.
    pub(crate) fn fill_in<'a>(&'a self, key: &str, fields: &mut Vec<json::JsonField<'a>>) {
        if !self.may_fill(|_| true) {
            return;
        }
        let text = |name: &str| json::get(fields, name).and_then(json::text);
        let (provider, mode) = (text("litellm_provider"), text("mode"));
        let entry = Filled { key, provider: provider.as_deref(), mode: mode.as_deref() };
        let own: HashSet<&str> = fields.iter().map(|(name, _)| &**name).collect();
        let filled = self.fill(entry, |name| !own.contains(name));
        drop(own);
        fields.extend(filled);
    }

    /// Returns whether any rule fills in a wanted field.
    pub(crate) fn may_fill(&self, wanted: impl Fn(&str) -> bool) -> bool {
        self.rules.iter().any(|rule| match &rule.kind {
            RuleKind::Describes { fields, fills } => {
                !fills.is_empty() && fields.iter().any(|(name, _)| wanted(name))
            }
            RuleKind::Routes(_) => false,
        })
    }
}

/// An entry that rules may fill in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filled<'a> {
    pub(crate) key: &'a str,
    pub(crate) provider: Option<&'a str>,
    pub(crate) mode: Option<&'a str>,
}

fn lay_over<'a>(info: &mut Union<'a>, fields: &'a [(Box<str>, Box<str>)]) {
    for (name, json) in fields {
        info.set(Cow::Borrowed(name), json);
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rules.iter().map(|rule| &rule.name)).finish()
    }
}

/// The error for a map with too many rules.
#[derive(Debug, thiserror::Error)]
#[error("{RULES} has {0} rules, more than 1,000")]
pub(crate) struct TooManyRules(usize);

fn bad_rule(name: &str, reason: String) -> SetAside {
    SetAside { model: RULES.to_owned(), field: Some(name.to_owned()), reason }
}

fn read_list(json: &str) -> Result<Vec<&RawValue>, String> {
    let fields = fields(json).map_err(|_| "not an object with a list of rules")?;
    let rules = fields.iter().find(|(name, _)| name == "rules").ok_or("it has no list of rules")?;
    read(rules.1).ok_or_else(|| "rules: not a list".to_owned())
}

fn read_rule(json: &str, number: usize) -> Result<Rule, SetAside> {
    let rule = fields(json).unwrap_or_default();
    let get = |wanted: &str| rule.iter().find(|(name, _)| name == wanted).map(|(_, json)| *json);
    let text = |wanted: &str| get(wanted).and_then(read::<String>);
    let name = text("name").or_else(|| text("pattern")).unwrap_or_else(|| format!("rule {number}"));
    let bad = |reason: &str| bad_rule(&name, reason.to_owned());

    let pattern = text("pattern").ok_or_else(|| bad("pattern: missing, or not a string"))?;
    let info_json = get("model_info").unwrap_or_default();
    let info = fields(info_json).map_err(|_| bad("it has no model_info, which is an object"))?;
    if info.len() > MAX_FIELDS {
        return Err(bad("its model_info has more than 1,000 fields"));
    }
    if get("extends").is_some() {
        return Err(bad("rules that extend others are of an older format"));
    }
    let fills = match get("fill_missing_for_providers") {
        Some(list) => read(list).ok_or_else(|| bad("fill_missing_for_providers: not a list of providers"))?,
        None => Vec::new(),
    };
    let kind = if let Some((_, provider)) = info.iter().find(|(name, _)| name == "litellm_provider") {
        let provider = read(provider).ok_or_else(|| bad("litellm_provider: not a string"))?;
        if info.len() != 1 {
            return Err(bad("litellm_provider beside other fields: neither a route nor a description"));
        }
        RuleKind::Routes(provider)
    } else {
        check_prices(&info).map_err(|reason| bad(&reason))?;
        let fields = info.into_iter().map(|(name, json)| (name.into(), json.into())).collect();
        RuleKind::Describes { fields, fills }
    };
    Ok(Rule { name: name.into(), pattern: pattern.into(), kind })
}

fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    serde_json::from_str(json).ok()
}

#[cfg(all(test, feature = "bundled"))]
mod tests {
    use super::*;
    use crate::catalog::bundled;

    /// The patterns of the public map stay far below the bounds, so the bounds do not change what
    /// they match.
    #[test]
    fn the_bundled_patterns_are_within_their_bounds() {
        let catalog = bundled::catalog();
        let rules = catalog.rules();
        assert_eq!((rules.rules.len(), rules.set_aside()), (12, &[][..]));
        let steps: Vec<u64> =
            rules.compiled().patterns.iter().flatten().map(|pattern| pattern.steps).collect();
        let sum: u64 = steps.iter().sum();
        assert!(steps.len() == 12 && sum <= MAX_STEPS / 2, "{steps:?}");
    }
}

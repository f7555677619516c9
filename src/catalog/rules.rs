//! Fallback rules of a map: patterns that say whose an unknown name is, what is known of it, and what
//! entries of the map leave out.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use fancy_regex::{BytesMode, Regex, RegexBuilder};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Catalog, RULES, SetAside, Text, check_prices};
use crate::json::{Union, fields, object, quoted};

/// More rules than this are no map that anyone keeps.
const MAX_RULES: usize = 1_000;

/// Longer names are no model's; the rules do not look at them, so that no name can be made to cost much.
const MAX_NAME: usize = 256;

/// Longer patterns are refused. The map's own are less than half as long.
const MAX_PATTERN: usize = 512;

/// How often a pattern may backtrack over one name. The map's own need fewer than 3,000 on the worst names.
const MAX_BACKTRACKS: usize = 10_000;

/// How many patterns may run into that in one lookup before the rest are passed over.
const MAX_RUNAWAYS: u8 = 8;

/// How much a compiled pattern may take, in bytes. The map's own take less than a quarter.
const MAX_COMPILED: usize = 32 << 10;

/// How many steps a compiled pattern may have.
const MAX_STEPS: usize = 1_024;

/// Modes of entries that are filled in.
const FILLED_MODES: [&str; 2] = ["chat", "responses"];

/// The fallback rules of a map, in its order.
#[derive(Default)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    /// Compiled when a name first needs them, or somebody asks what is wrong with them: most names are
    /// keys, and a reload should not wait for it.
    compiled: OnceLock<Compiled>,
}

pub(crate) struct Rule {
    pub(crate) name: Box<str>,
    pattern: Box<str>,
    kind: Kind,
}

enum Kind {
    /// Names the provider of a bare id.
    Routes(Box<str>),
    /// Tells what is known of a name.
    Describes {
        /// Fields of model info, and their JSON.
        fields: Vec<(Box<str>, Box<str>)>,
        /// Providers whose entries it fills in too.
        fills: Vec<Box<str>>,
    },
}

struct Compiled {
    patterns: Vec<Option<Regex>>,
    set_aside: Vec<SetAside>,
}

/// What one lookup may spend on patterns.
pub(crate) struct Budget(u8);

impl Default for Budget {
    fn default() -> Self {
        Self(MAX_RUNAWAYS)
    }
}

impl Rules {
    /// Reads the rules of a map. What is no rule is set aside.
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
            let mut set_aside = Vec::new();
            let patterns = self.rules.iter().map(|rule| match compile(&rule.pattern) {
                Ok(pattern) => Some(pattern),
                Err(error) => {
                    set_aside.push(bad_rule(&rule.name, format!("its pattern does not compile: {error}")));
                    None
                }
            });
            Compiled { patterns: patterns.collect(), set_aside }
        })
    }

    /// The rules whose patterns do not compile, and so match nothing.
    pub(crate) fn set_aside(&self) -> &[SetAside] {
        &self.compiled().set_aside
    }

    fn matches(&self, rule: usize, name: &str, budget: &mut Budget) -> bool {
        if budget.0 == 0 || name.is_empty() || name.len() > MAX_NAME {
            return false;
        }
        let Some(pattern) = self.compiled().patterns.get(rule).and_then(Option::as_ref) else { return false };
        // A pattern that runs away matches nothing.
        pattern.is_match(name.as_bytes()).unwrap_or_else(|_| {
            budget.0 -= 1;
            false
        })
    }

    /// The rule that says whose a bare id is, and the provider that it names.
    pub(crate) fn route(&self, name: &str) -> Option<(&str, &str)> {
        let mut budget = Budget::default();
        self.rules.iter().enumerate().find_map(|(position, rule)| match &rule.kind {
            Kind::Routes(provider) if self.matches(position, name, &mut budget) => {
                Some((&*rule.name, &**provider))
            }
            _ => None,
        })
    }

    /// Whether there are rules that describe names.
    pub(crate) fn describe_any(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.kind, Kind::Describes { .. }))
    }

    /// The rules that describe a name.
    pub(crate) fn describing(&self, name: &str, budget: &mut Budget) -> Vec<&Rule> {
        let rules = self.rules.iter().enumerate();
        let describing = rules.filter(|(position, rule)| {
            matches!(rule.kind, Kind::Describes { .. }) && self.matches(*position, name, budget)
        });
        describing.map(|(_, rule)| rule).collect()
    }

    /// The one model that all matching rules describe together, later over earlier.
    pub(crate) fn describe(
        &self,
        name: &str,
        provider: Option<&str>,
        budget: &mut Budget,
    ) -> Option<Catalog> {
        let rules = self.describing(name, budget);
        if rules.is_empty() {
            return None;
        }
        let provider = provider.map(quoted);
        let mut info = Union::default();
        for rule in rules {
            if let Kind::Describes { fields, .. } = &rule.kind {
                lay_over(&mut info, fields);
            }
        }
        if let Some(provider) = &provider {
            info.set(Cow::Borrowed("litellm_provider"), provider);
        }
        let text = object([(name, object(info.fields))]);
        Catalog::parse(Text::Owned(text.into())).ok().filter(|catalog| catalog.len() == 1)
    }

    /// The fields that rules know of an entry, whether or not it has them itself. `wanted` narrows them down.
    pub(crate) fn fill(&self, entry: Filled<'_>, wanted: impl Fn(&str) -> bool) -> Vec<(Cow<'_, str>, &str)> {
        let mut filled = Union::default();
        let mut budget = Budget::default();
        if entry.mode.is_some_and(|mode| !FILLED_MODES.contains(&mode)) {
            return filled.fields;
        }
        for (position, rule) in self.rules.iter().enumerate() {
            let Kind::Describes { fields, fills } = &rule.kind else { continue };
            if fills.iter().any(|provider| Some(&**provider) == entry.provider)
                && fields.iter().any(|(name, _)| wanted(name))
                && self.matches(position, entry.key, &mut budget)
            {
                lay_over(&mut filled, fields);
            }
        }
        filled.fields.retain(|(name, _)| wanted(name));
        filled.fields
    }

    /// Whether some rule fills in a field that is wanted.
    pub(crate) fn may_fill(&self, wanted: impl Fn(&str) -> bool) -> bool {
        self.rules.iter().any(|rule| match &rule.kind {
            Kind::Describes { fields, fills } => {
                !fills.is_empty() && fields.iter().any(|(name, _)| wanted(name))
            }
            Kind::Routes(_) => false,
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

/// Patterns are searched for in ASCII, ignoring case.
fn compile(pattern: &str) -> Result<Regex, fancy_regex::Error> {
    RegexBuilder::new(pattern)
        .case_insensitive(true)
        .bytes_mode(BytesMode::Ascii)
        .backtrack_limit(MAX_BACKTRACKS)
        .delegate_size_limit(MAX_COMPILED)
        .delegate_dfa_size_limit(8 * MAX_COMPILED)
        .max_prog_size(MAX_STEPS)
        .build()
}

/// A map with more rules than one can have.
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

    let pattern = text("pattern").ok_or_else(|| bad("it has no pattern, which is a text"))?;
    if pattern.len() > MAX_PATTERN {
        return Err(bad("its pattern is longer than 512 bytes"));
    }
    let info_json = get("model_info").unwrap_or_default();
    let info = fields(info_json).map_err(|_| bad("it has no model_info, which is an object"))?;
    if get("extends").is_some() {
        return Err(bad("rules that extend others are of an older format"));
    }
    let fills = match get("fill_missing_for_providers") {
        Some(list) => read(list).ok_or_else(|| bad("fill_missing_for_providers: not a list of providers"))?,
        None => Vec::new(),
    };
    let kind = if let Some((_, provider)) = info.iter().find(|(name, _)| name == "litellm_provider") {
        let provider = read(provider).ok_or_else(|| bad("litellm_provider: not a text"))?;
        if info.len() != 1 {
            return Err(bad("litellm_provider beside other fields: neither a route nor a description"));
        }
        Kind::Routes(provider)
    } else {
        check_prices(info_json).map_err(|reason| bad(&reason))?;
        let fields = info.into_iter().map(|(name, json)| (name.into(), json.into())).collect();
        Kind::Describes { fields, fills }
    };
    Ok(Rule { name: name.into(), pattern: pattern.into(), kind })
}

fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    serde_json::from_str(json).ok()
}

//! The rows of a map: the fields that names and prices depend on.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::role::{Role, Roles, region};
use crate::currency;
use crate::json::{self, JsonField, MAX_DEPTH, Name, is_deep};
use crate::num::Fixed;
use crate::rates::field::{Base, Field, Kind, SEARCH_CONTEXT, SEARCH_SIZES, Tier};
use crate::rates::{BadField, BadRate, Buffers, Inputs, Mode, ProviderRules, compile, from_json};

/// The limit of price fields in a row. Real rows have up to about fifty, and compiling them is not
/// linear in their number.
const MAX_PRICES: usize = 256;

/// Checks whether calls can be priced by the fields of a row.
///
/// # Errors
///
/// Returns the reason if they cannot.
pub(crate) fn check_prices(fields: &[JsonField<'_>]) -> Result<(), String> {
    let bad = |bad: BadField| {
        if bad.field.is_empty() { bad.reason } else { format!("{}: {}", bad.field, bad.reason) }
    };
    let mut row = Row::of(fields);
    row.check().map_err(bad)?;
    compile(&row.inputs, &mut Buffers::default(), &mut Vec::new()).map(drop).map_err(bad)
}

/// The fields of a row that names and prices depend on.
#[derive(Default)]
pub(super) struct Row<'a> {
    pub(super) inputs: Inputs<'a>,
    pub(super) provider: Option<Cow<'a, str>>,
    pub(super) aliases: Vec<String>,
    pub(super) unknown: Vec<String>,
    pub(super) warnings: Vec<String>,
    pub(super) mode: Option<Cow<'a, str>>,
    roles: Roles,
    search_context: Option<&'a str>,
    /// The table of searches that was read last, and its prices.
    last_searches: (&'a str, Vec<(Field, Fixed)>),
    is_per_query: bool,
    bad: Option<BadField>,
    /// Set if a multiplier is null, which takes back an earlier value of the same field.
    has_null_factor: bool,
}

impl<'a> Row<'a> {
    /// Creates a row of fields.
    pub(super) fn of(fields: &'a [JsonField<'a>]) -> Self {
        let mut row = Self::default();
        for (name, value) in fields {
            row.add(name, value);
        }
        row
    }

    /// Replaces the row by another one.
    pub(super) fn read(&mut self, json: &'a str) {
        self.clear();
        let mut deserializer = serde_json::Deserializer::from_str(json);
        if deserializer.deserialize_map(RowVisitor(self)).is_err() {
            self.bad = Some(BadField::new("", "not an object of fields"));
        }
    }

    pub(super) fn clear(&mut self) {
        let Self {
            inputs,
            provider,
            aliases,
            unknown,
            warnings,
            mode,
            roles: _,
            search_context,
            last_searches: _,
            is_per_query,
            bad,
            has_null_factor,
        } = self;
        inputs.clear();
        aliases.clear();
        unknown.clear();
        warnings.clear();
        (*provider, *mode, *search_context, *bad) = (None, None, None, None);
        (*is_per_query, *has_null_factor) = (false, false);
    }

    /// Reads the row again from its JSON if a repeated field could make a difference: fields are added
    /// as they come, and of a repeated one the last value counts.
    pub(super) fn settle_repeated(&mut self, json: &'a str) {
        if self.bad.is_none() && !self.has_null_factor {
            return;
        }
        let Ok(fields) = json::fields(json) else { return };
        self.clear();
        for (name, value) in fields {
            self.add(&name, value);
        }
    }

    /// Sets the rules of the row's provider, or returns the reason why the row cannot be trusted.
    pub(super) fn check(&mut self) -> Result<(), BadField> {
        if let Some(bad) = self.bad.take() {
            return Err(bad);
        }
        let provider = self.provider.as_deref().unwrap_or("");
        self.inputs.rules = ProviderRules {
            half_price_reads: provider == "fireworks_ai",
            inclusive_thresholds: provider == "xai",
            step_at_128k: provider.starts_with("vertex_ai"),
            is_per_query: self.is_per_query,
            mode: Mode::of(self.mode.as_deref()),
        };
        self.add_searches()
    }

    /// Adds the prices of searches by context size. A single price applies to all sizes, also where a
    /// table has it for each.
    fn add_searches(&mut self) -> Result<(), BadField> {
        let Some(table) = self.search_context.take() else { return Ok(()) };
        if self.last_searches.0 != table {
            // Hundreds of rows have one of a few tables.
            self.last_searches = (table, searches(table).map_err(|bad| BadField::new(SEARCH_CONTEXT, bad))?);
        }
        self.inputs.fields.extend_from_slice(&self.last_searches.1);
        Ok(())
    }

    /// Adds a field. The row must be [checked](Self::check) after the last one.
    pub(super) fn add(&mut self, name: &str, value: &'a str) {
        if is_deep(value) {
            let reason = format!("nested more than {MAX_DEPTH} deep");
            self.bad.get_or_insert_with(|| BadField::new(name, reason));
        } else if !is_plain(name) {
            self.add_checked(name, value);
        }
    }

    fn add_checked(&mut self, name: &str, value: &'a str) {
        match self.roles.get(name) {
            Role::Provider => self.provider = json::text(value),
            Role::Mode => self.mode = json::text(value),
            Role::Aliases => match serde_json::from_str(value) {
                Ok(aliases) => self.aliases = aliases,
                Err(_) => self.warnings.push("aliases: not a list of names; ignored".to_owned()),
            },
            Role::TieredPricing => self.inputs.tables_mut().tiered_pricing = table(value),
            Role::OffPeakPricing => self.inputs.tables_mut().off_peak_pricing = table(value),
            Role::Specific => self.inputs.tables_mut().provider_specific_entry = table(value),
            Role::SearchContext => self.search_context = table(value),
            Role::SearchUnit => {
                self.is_per_query = json::text(value).as_deref() == Some("per_query");
            }
            Role::VertexFactor => {
                if let Some(factor) = self.factor(name, value) {
                    self.inputs.tables_mut().vertex = Some(factor);
                }
            }
            Role::ResidencyFactor => {
                if let (Some(region), Some(factor)) = (region(name), self.factor(name, value)) {
                    self.inputs.tables_mut().residency.push((region.into(), factor));
                }
            }
            Role::Currency => {
                if let Some(reason) = currency::refusal(name, value) {
                    self.bad.get_or_insert_with(|| BadField::new(name, reason));
                }
            }
            Role::Price(kind) => self.price(kind, name, value),
        }
    }

    fn price(&mut self, kind: Kind, name: &str, value: &'a str) {
        match kind {
            Kind::Rate(_) if self.inputs.fields.len() >= MAX_PRICES => {
                let reason = format!("one of more than {MAX_PRICES} prices");
                self.bad.get_or_insert_with(|| BadField::new(name, reason));
            }
            // A table in the place of a unit's price is not read.
            Kind::Rate(field) if !field.base.is_of_tokens() && value.starts_with(['{', '[']) => {
                self.unknown.push(name.to_owned());
            }
            Kind::Rate(field) => {
                if let Some(rate) = self.rate_of(field, name, value) {
                    self.inputs.fields.push((field, rate));
                    // A fee applies where the operator set it, and decisions are no calls that are priced.
                    if field.base == Base::Request || field.tier == Tier::Decisions {
                        self.unknown.push(name.to_owned());
                    }
                } else {
                    // A repeated field counts as it is last written, null included.
                    self.inputs.fields.retain(|(known, _): &(Field, Fixed)| *known != field);
                }
            }
            // Checked, but not priced by.
            Kind::Unit => {
                if self.rate(name, value).is_some() {
                    self.unknown.push(name.to_owned());
                }
            }
            Kind::Unknown => self.unknown.push(name.to_owned()),
            Kind::Other => {}
        }
    }

    /// Reads the multiplier of a field, as [`rate`](Self::rate) does.
    fn factor(&mut self, name: &str, value: &str) -> Option<Fixed> {
        let factor = self.rate(name, value);
        self.has_null_factor |= factor.is_none();
        factor
    }

    /// Reads the rate of a field, for one unit.
    fn rate_of(&mut self, field: Field, name: &str, value: &str) -> Option<Fixed> {
        let rate = self.rate(name, value)?;
        if !field.base.is_per_thousand() {
            return Some(rate);
        }
        match rate.per_thousand() {
            None => {
                let reason = "more than 25 decimals, which cannot be kept exactly";
                self.bad.get_or_insert_with(|| BadField::new(name, reason));
                None
            }
            rate => rate,
        }
    }

    /// Reads the rate of a field. A value that is not a rate makes the row a bad one.
    fn rate(&mut self, name: &str, value: &str) -> Option<Fixed> {
        match from_json(value) {
            Ok(rate) => rate,
            Err(bad) => {
                let shown: String = value.chars().take(40).collect();
                self.bad.get_or_insert_with(|| BadField::new(name, format!("{shown} is {}", said(bad))));
                None
            }
        }
    }
}

/// Returns the prices of a table of searches, or of its single price.
fn searches(table: &str) -> Result<Vec<(Field, Fixed)>, BadRate> {
    let any_size = |rate| (Field::new(Base::SearchContext), rate);
    let Ok(fields) = json::fields(table) else {
        return Ok(from_json(table)?.map(any_size).into_iter().collect());
    };
    let mut prices = Vec::new();
    for (size, name) in SEARCH_SIZES {
        if let Some(rate) = json::get(&fields, name).map_or(Ok(None), from_json)? {
            prices.push((Field::search(size), rate));
        }
    }
    match prices.as_slice() {
        [(_, low), (_, medium), (_, high)] if low == medium && medium == high => Ok(vec![any_size(*low)]),
        _ => Ok(prices),
    }
}

/// Returns the end of a sentence about a bad value, which begins with "is".
fn said(bad: BadRate) -> String {
    match bad {
        BadRate::TooPrecise | BadRate::TooManyDigits => format!("of {bad}"),
        _ => bad.to_string(),
    }
}

/// Returns the JSON of a table, or `None` for null.
fn table(value: &str) -> Option<&str> {
    Some(value).filter(|json| *json != "null")
}

/// Reads a row into one that was [cleared](Row::clear), and returns its last value. The row must be
/// [checked](Row::check) afterwards.
pub(super) struct RowVisitor<'b, 'a>(pub(super) &'b mut Row<'a>);

impl<'de> Visitor<'de> for RowVisitor<'_, 'de> {
    type Value = Option<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self(row) = self;
        let mut last = None;
        while let Some(name) = map.next_key_seed(Name)? {
            let value: &RawValue = map.next_value()?;
            last = Some(value.get());
            row.add(&name, value.get());
        }
        Ok(last)
    }
}

/// Returns whether neither names nor prices depend on a field. Most fields are abilities and
/// limits.
pub(super) fn is_plain(name: &str) -> bool {
    name.starts_with("support")
        || name.starts_with("max_")
        || matches!(name, "source" | "deprecation_date" | "metadata")
}

//! From the text of a map to a catalogue: one pass over the map, its rows as slices of the text.

use std::borrow::Cow;
use std::fmt;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry as MapEntry;
use serde::Deserializer as _;
use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::field::{self, Field, Kind, SEARCH_CONTEXT};
use super::index::{Added, Index, Span, Target};
use super::rules::{Filled, Rules, TooManyRules};
use super::{Catalog, Entry, Notes, RULES, SetAside, Text, UnpricedField, Warning};
use crate::json::{self, Name};
use crate::rates::compile::{BadField, Inputs, ProviderRules, compile};
use crate::rates::text::TextRates;
use crate::rates::{BadRate, Rate, RateSet};

/// The entry with the most has about fifty. What is done with them is not made for any number.
const MAX_PRICES: usize = 256;

/// Keys of the map that are no models.
const NO_MODELS: [&str; 2] = ["sample_spec", RULES];

/// Modes whose entries may be billed by the second of wall-clock time.
const BY_THE_SECOND: [&str; 5] = ["chat", "completion", "embedding", "responses", "audio_transcription"];

/// Why a text is no map of models.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAMap {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("larger than 4 GiB")]
    TooLarge,
    #[error(transparent)]
    TooManyRules(#[from] TooManyRules),
}

pub(super) fn parse(text: Text) -> Result<Catalog, NotAMap> {
    let Parts { entries, index, rate_sets, providers, provider_ids, rules, notes } = read(&text)?;
    let text_rates = rate_sets.iter().map(TextRates::of).collect();
    Ok(Catalog { text, entries, index, rate_sets, text_rates, providers, provider_ids, rules, notes })
}

/// A catalogue without the text that it is about.
struct Parts {
    entries: Vec<Entry>,
    index: Index,
    rate_sets: Vec<RateSet>,
    providers: Vec<Box<str>>,
    provider_ids: HashMap<Box<str>, u16>,
    rules: Rules,
    notes: Notes,
}

fn read(text: &str) -> Result<Parts, NotAMap> {
    // A byte order mark is no part of the map.
    let map = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut deserializer = serde_json::Deserializer::from_str(map);
    let rows = deserializer.deserialize_map(MapVisitor)?;
    deserializer.end()?;

    let mut notes = Notes::default();
    let rows = last_of_each(rows, &mut notes);
    let rules = match rows.iter().find(|(name, _)| name == RULES) {
        Some((_, json)) => Rules::parse(json.get(), &mut notes.set_aside)?,
        None => Rules::default(),
    };
    let mut builder = Builder {
        text,
        entries: Vec::with_capacity(rows.len()),
        index: Index::with_capacity(rows.len()),
        rate_sets: RateSets::default(),
        providers: Vec::new(),
        provider_ids: HashMap::new(),
        last_provider: None,
        unpriced: HashMap::new(),
        aliases: Vec::new(),
        rules_fill_prices: rules.may_fill(field::is_price),
        rules,
        notes,
    };
    for (name, json) in &rows {
        if !NO_MODELS.contains(&&**name) {
            builder.add(name, json.get())?;
        }
    }
    Ok(builder.finish())
}

type Rows<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

struct MapVisitor;

impl<'de> Visitor<'de> for MapVisitor {
    type Value = Rows<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of models")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::new();
        while let Some(name) = map.next_key_seed(Name)? {
            rows.push((name, map.next_value::<&RawValue>()?));
        }
        Ok(rows)
    }
}

/// Of rows with one name the last counts, in the place of the first, as every JSON reader has it.
fn last_of_each<'a>(rows: Rows<'a>, notes: &mut Notes) -> Rows<'a> {
    let repeats = repeats(&rows);
    if repeats.is_empty() {
        return rows;
    }
    let mut rows: Vec<Option<(Cow<'a, str>, &'a RawValue)>> = rows.into_iter().map(Some).collect();
    for (first, repeat) in repeats {
        let repeat = rows.get_mut(repeat).and_then(Option::take);
        if let (Some(repeat), Some(slot)) = (repeat, rows.get_mut(first)) {
            let message = "named more than once; the last row counts".to_owned();
            notes.warnings.push(Warning { model: repeat.0.clone().into_owned(), message });
            *slot = Some(repeat);
        }
    }
    rows.into_iter().flatten().collect()
}

/// Each repeated row: where its name came first, and where it came again.
fn repeats(rows: &Rows<'_>) -> Vec<(usize, usize)> {
    let mut seen: HashMap<&str, usize> = HashMap::with_capacity(rows.len());
    let mut repeats = Vec::new();
    for (position, (name, _)) in rows.iter().enumerate() {
        match seen.entry(name) {
            MapEntry::Occupied(first) => repeats.push((*first.get(), position)),
            MapEntry::Vacant(vacant) => {
                vacant.insert(position);
            }
        }
    }
    repeats
}

struct Builder<'a> {
    text: &'a str,
    entries: Vec<Entry>,
    index: Index,
    rate_sets: RateSets<'a>,
    providers: Vec<Box<str>>,
    provider_ids: HashMap<Box<str>, u16>,
    last_provider: Option<(String, u16)>,
    /// How many models have a field that names an unknown cost.
    unpriced: HashMap<String, usize>,
    aliases: Vec<(String, Target)>,
    rules_fill_prices: bool,
    rules: Rules,
    notes: Notes,
}

impl<'a> Builder<'a> {
    fn add(&mut self, name: &str, json: &'a str) -> Result<(), NotAMap> {
        if let Err(bad) = self.try_add(name, json)? {
            let field = Some(bad.field).filter(|field| !field.is_empty());
            self.notes.set_aside.push(SetAside { model: name.to_owned(), field, reason: bad.reason });
        }
        Ok(())
    }

    fn try_add(&mut self, name: &str, json: &'a str) -> Result<Result<(), BadField>, NotAMap> {
        let row = match Row::read(json) {
            Ok(row) => row,
            Err(bad) => return Ok(Err(bad)),
        };
        let mut warnings = Vec::new();
        let rates = match self.filled_prices(name, json, &row) {
            Some(filled) => Row::read(&filled).and_then(|row| self.rate_sets.add(&row.inputs, &mut warnings)),
            None => self.rate_sets.get(row.inputs, &mut warnings),
        };
        let rates = match rates {
            Ok(rates) => rates,
            Err(bad) => return Ok(Err(bad)),
        };
        let id = u32::try_from(self.entries.len()).map_err(|_| NotAMap::TooLarge)?;
        let target = Target { entry: id, rates };
        let Some(Added::New(key)) = self.index.add_key(name, target) else {
            return Err(NotAMap::TooLarge);
        };
        // A row is a slice of the text.
        let start = json.as_ptr().addr() - self.text.as_ptr().addr();
        let json = Span::new(start, json.len()).ok_or(NotAMap::TooLarge)?;
        let provider = row.provider.and_then(|provider| self.provider(&provider));
        self.entries.push(Entry { key, json, rates, provider });
        self.aliases.extend(row.aliases.into_iter().map(|alias| (alias, target)));

        warnings.extend(row.warnings);
        let warnings = warnings.into_iter().map(|message| Warning { model: name.to_owned(), message });
        self.notes.warnings.extend(warnings);
        for field in row.unknown {
            *self.unpriced.entry(field.into_owned()).or_insert(0) += 1;
        }
        Ok(Ok(()))
    }

    /// A row with the prices that rules fill in, where there are any.
    fn filled_prices(&self, name: &str, json: &str, row: &Row<'_>) -> Option<String> {
        if !self.rules_fill_prices {
            return None;
        }
        let entry = Filled { key: name, provider: row.provider.as_deref(), mode: row.mode.as_deref() };
        let own = json::fields(json).ok()?;
        let missing = |field: &str| field::is_price(field) && own.iter().all(|(known, _)| known != field);
        let filled = self.rules.fill(entry, missing);
        (!filled.is_empty()).then(|| json::object(own.iter().chain(&filled).map(|(name, json)| (name, json))))
    }

    fn provider(&mut self, name: &str) -> Option<u16> {
        // Rows of one provider mostly stand together.
        if let Some((last, id)) = &self.last_provider {
            if last == name {
                return Some(*id);
            }
        }
        let id = if let Some(id) = self.provider_ids.get(name) {
            *id
        } else {
            let id = u16::try_from(self.providers.len()).ok()?;
            self.providers.push(name.into());
            self.provider_ids.insert(name.into(), id);
            id
        };
        self.last_provider = Some((name.to_owned(), id));
        Some(id)
    }

    /// Aliases come last: none displaces an entry, and the first to claim one has it.
    fn finish(self) -> Parts {
        let Self {
            mut entries,
            mut index,
            rate_sets,
            providers,
            provider_ids,
            unpriced,
            aliases,
            rules,
            mut notes,
            ..
        } = self;
        for (alias, target) in aliases {
            index.add_alias(&alias, target);
        }
        let mut rate_sets = rate_sets.sets;
        entries.shrink_to_fit();
        index.shrink();
        rate_sets.shrink_to_fit();
        notes.unpriced_fields =
            unpriced.into_iter().map(|(name, models)| UnpricedField { name, models }).collect();
        notes.unpriced_fields.sort_by(|a, b| a.name.cmp(&b.name));
        Parts { entries, index, rate_sets, providers, provider_ids, rules, notes }
    }
}

/// Compiled rates, shared by all entries that say the same.
#[derive(Default)]
struct RateSets<'a> {
    sets: Vec<RateSet>,
    by_inputs: HashMap<Inputs<'a>, u32>,
}

impl<'a> RateSets<'a> {
    fn get(&mut self, inputs: Inputs<'a>, warnings: &mut Vec<String>) -> Result<u32, BadField> {
        if let Some(known) = self.by_inputs.get(&inputs) {
            return Ok(*known);
        }
        let id = self.add(&inputs, warnings)?;
        // A set with something odd is compiled for each of its rows, so that each row says so.
        if warnings.is_empty() {
            self.by_inputs.insert(inputs, id);
        }
        Ok(id)
    }

    fn add(&mut self, inputs: &Inputs<'_>, warnings: &mut Vec<String>) -> Result<u32, BadField> {
        let id =
            u32::try_from(self.sets.len()).map_err(|_| BadField::new("", "more rows than a map may have"))?;
        self.sets.push(compile(inputs, warnings)?);
        Ok(id)
    }
}

/// Whether a row could be priced by what it says.
pub(crate) fn check_prices(json: &str) -> Result<(), String> {
    let bad = |bad: BadField| {
        if bad.field.is_empty() { bad.reason } else { format!("{}: {}", bad.field, bad.reason) }
    };
    let row = Row::read(json).map_err(bad)?;
    compile(&row.inputs, &mut Vec::new()).map(drop).map_err(bad)
}

/// What a row says, as far as names and prices go.
#[derive(Default)]
struct Row<'a> {
    inputs: Inputs<'a>,
    provider: Option<Cow<'a, str>>,
    aliases: Vec<String>,
    unknown: Vec<Cow<'a, str>>,
    warnings: Vec<String>,
    mode: Option<Cow<'a, str>>,
    search_context: Option<&'a str>,
    bad: Option<BadField>,
}

impl<'a> Row<'a> {
    fn read(json: &'a str) -> Result<Self, BadField> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let mut row = deserializer
            .deserialize_map(RowVisitor)
            .map_err(|_| BadField::new("", "not an object of fields"))?;
        if let Some(bad) = row.bad {
            return Err(bad);
        }
        let provider = row.provider.as_deref().unwrap_or("");
        row.inputs.rules = ProviderRules {
            half_price_reads: provider == "fireworks_ai",
            inclusive_thresholds: provider == "xai",
            step_at_128k: provider.starts_with("vertex_ai"),
            by_the_second: row.mode.as_deref().is_none_or(|mode| BY_THE_SECOND.contains(&mode)),
        };
        if provider == "perplexity" {
            row.inputs.search_context = row.search_context;
        }
        Ok(row)
    }

    fn field(&mut self, name: Cow<'a, str>, value: &'a RawValue) {
        match &*name {
            "litellm_provider" => self.provider = string(value),
            "mode" => self.mode = string(value),
            "aliases" => match serde_json::from_str(value.get()) {
                Ok(aliases) => self.aliases = aliases,
                Err(_) => self.warnings.push("aliases: not a list of names; passed over".to_owned()),
            },
            "tiered_pricing" => self.inputs.tiered_pricing = table(value),
            "off_peak_pricing" => self.inputs.off_peak_pricing = table(value),
            "provider_specific_entry" => self.inputs.provider_specific_entry = table(value),
            SEARCH_CONTEXT => self.search_context = table(value),
            "regional_endpoint_uplift_multiplier" => {
                if let Some(factor) = self.rate(&name, value) {
                    self.inputs.vertex = Some(factor);
                }
            }
            _ => self.price(name, value),
        }
    }

    fn price(&mut self, name: Cow<'a, str>, value: &'a RawValue) {
        if let Some(region) = name.strip_prefix("regional_processing_uplift_multiplier_") {
            if let Some(factor) = self.rate(&name, value) {
                self.inputs.residency.push((region.into(), factor));
            }
            return;
        }
        match field::parse(&name) {
            Kind::Rate(_) if self.inputs.fields.len() >= MAX_PRICES => {
                let reason = format!("one of more than {MAX_PRICES} prices");
                self.bad.get_or_insert_with(|| BadField::new(&*name, reason));
            }
            Kind::Rate(field) => {
                if let Some(rate) = self.rate(&name, value) {
                    self.inputs.fields.push((field, rate));
                } else {
                    // A repeated field counts as it is last written, null included.
                    self.inputs.fields.retain(|(known, _): &(Field, Rate)| *known != field);
                }
            }
            // Checked all the same; a table of rates is a matter of its own.
            Kind::Unit => {
                if !value.get().starts_with('{') {
                    self.rate(&name, value);
                }
            }
            Kind::Unknown => self.unknown.push(name),
            Kind::Other => {}
        }
    }

    /// The rate of a field; one that is none is remembered as what is wrong with the row.
    fn rate(&mut self, name: &str, value: &RawValue) -> Option<Rate> {
        match read_rate(value.get()) {
            Ok(rate) => rate,
            Err(bad) => {
                let shown: String = value.get().chars().take(40).collect();
                self.bad.get_or_insert_with(|| BadField::new(name, format!("{shown} is {}", said(bad))));
                None
            }
        }
    }
}

/// How a sentence about a value goes on.
fn said(bad: BadRate) -> String {
    match bad {
        BadRate::TooPrecise => format!("of {bad}"),
        _ => bad.to_string(),
    }
}

/// A rate out of JSON: a number, or a string of one (out of YAML).
fn read_rate(json: &str) -> Result<Option<Rate>, BadRate> {
    match json.as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'"') => {
            let text: Cow<'_, str> = serde_json::from_str(json).map_err(|_| BadRate::NotANumber)?;
            Rate::parse(&text).map(Some)
        }
        _ => Rate::parse(json).map(Some),
    }
}

fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    let mut deserializer = serde_json::Deserializer::from_str(value.get());
    Name.deserialize(&mut deserializer).ok()
}

/// The JSON of a table; null is none.
fn table(value: &RawValue) -> Option<&str> {
    Some(value.get()).filter(|json| *json != "null")
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Row<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut row = Row::default();
        while let Some(name) = map.next_key_seed(Name)? {
            let value: &RawValue = map.next_value()?;
            if is_deep(value.get()) {
                let reason = format!("nested more than {MAX_DEPTH} deep");
                row.bad.get_or_insert_with(|| BadField::new(&*name, reason));
            } else if !is_plain(&name) {
                row.field(name, value);
            }
        }
        Ok(row)
    }
}

/// Tables of the map are three deep. What reads an entry later, and whoever is shown it, may stop at some depth.
const MAX_DEPTH: usize = 32;

fn is_deep(json: &str) -> bool {
    if !matches!(json.as_bytes().first(), Some(b'{' | b'[')) {
        return false;
    }
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest > MAX_DEPTH
}

/// Most fields of the map are abilities and limits, which stay in the text.
fn is_plain(name: &str) -> bool {
    name.starts_with("supports_") || name.starts_with("max_")
}

//! Construction of a catalogue, row by row.

use std::borrow::Cow;
use std::hash::BuildHasher;
use std::num::NonZeroU32;
use std::ops::Range;
use std::time::{Duration, Instant};

use hashbrown::{DefaultHashBuilder, HashMap, HashSet, HashTable};

use super::index::{Added, Index, NameHash, Span, Target};
use super::row::Row;
use super::rules::{Filled, Rules, TooManyRules};
use super::{Catalog, Entry, Notes, RULES, SetAside, Text, UnpricedField, Warning, is_model, next_serial};
use crate::json::{self, JsonField};
use crate::num::Fixed;
use crate::rates::field::{self, Field};
use crate::rates::{BadField, Buffers, Inputs, ProviderRules, RateSet, Tables, compile};

/// The longest time that a map's patterns may take to fill in the prices of all rows. Those of real
/// maps take milliseconds.
const MAX_FILLING: Duration = Duration::from_secs(30);

/// The reason that a text is not a map of models.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAMap {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("larger than 4 GiB")]
    TooLarge,
    #[error(transparent)]
    TooManyRules(#[from] TooManyRules),
    #[error("{RULES}: the rules that fill in prices take more than {MAX_FILLING:?}")]
    SlowRules,
}

/// A catalogue without its text.
#[derive(Debug)]
pub(super) struct CatalogParts {
    entries: Vec<Entry>,
    index: Index,
    rate_sets: Vec<RateSet>,
    providers: Vec<Box<str>>,
    pub(super) provider_ids: HashMap<Box<str>, NonZeroU32>,
    rules: Rules,
    notes: Notes,
    rows_set_aside: HashMap<String, usize>,
}

impl CatalogParts {
    /// Returns the catalogue of `text`, which must be the text that was read.
    pub(super) fn into_catalog(self, text: Text) -> Catalog {
        let Self { entries, index, rate_sets, providers, provider_ids, rules, notes, rows_set_aside } = self;
        let serial = next_serial();
        Catalog {
            serial,
            text,
            entries,
            index,
            rate_sets,
            providers,
            provider_ids,
            rules,
            notes,
            rows_set_aside,
        }
    }
}

/// A catalogue under construction.
pub(super) struct Builder<'a> {
    text: &'a str,
    entries: Vec<Entry>,
    index: Index,
    rate_sets: RateSets<'a>,
    providers: Vec<Box<str>>,
    provider_ids: HashMap<Box<str>, NonZeroU32>,
    last_provider: Option<(String, NonZeroU32)>,
    /// The number of models that have each field of an unknown cost.
    unpriced: HashMap<String, usize>,
    aliases: Vec<(String, Target)>,
    /// Set if a row was left out since another one has its key.
    has_taken_key: bool,
    rules_fill_prices: bool,
    /// The time that patterns have taken so far to fill in prices.
    filling: Duration,
    rules: Rules,
    notes: Notes,
}

impl<'a> Builder<'a> {
    pub(super) fn new(text: &'a str, rows: usize) -> Self {
        Self {
            text,
            entries: Vec::with_capacity(rows),
            index: Index::with_capacity(rows),
            rate_sets: RateSets::with_capacity(rows),
            providers: Vec::new(),
            provider_ids: HashMap::new(),
            last_provider: None,
            unpriced: HashMap::new(),
            aliases: Vec::new(),
            has_taken_key: false,
            rules_fill_prices: false,
            filling: Duration::ZERO,
            rules: Rules::default(),
            notes: Notes::default(),
        }
    }

    /// Sets the fallback rules, and puts the notes on them in front of the others. Only rows that
    /// are added later are filled in.
    pub(super) fn with_rules(mut self, rules: Rules, mut notes: Notes) -> Self {
        notes.set_aside.append(&mut self.notes.set_aside);
        notes.warnings.append(&mut self.notes.warnings);
        self.rules_fill_prices = rules.may_fill(field::is_price);
        Self { rules, notes, ..self }
    }

    /// Returns whether two rows have the same name, set aside or not.
    pub(super) fn has_repeated_names(&self) -> bool {
        if self.has_taken_key {
            return true;
        }
        let mut seen = HashSet::new();
        let names = self.notes.set_aside.iter().map(|row| &*row.model);
        names
            .into_iter()
            .any(|name| !seen.insert(name) || self.index.find(name, NameHash::of(name)).is_some())
    }

    /// Adds a row of the text, or sets it aside.
    ///
    /// # Errors
    ///
    /// Returns an error if the whole map must be refused: it is too large, or its rules are too
    /// slow.
    pub(super) fn add_row(&mut self, name: &str, json: &'a str, row: &mut Row<'a>) -> Result<(), NotAMap> {
        row.settle_repeated(json);
        let added = match row.check() {
            Ok(()) => self.try_add(name, json, row)?,
            Err(bad) => Err(bad),
        };
        if let Err(bad) = added {
            let field = Some(bad.field).filter(|field| !field.is_empty());
            self.notes.set_aside.push(SetAside { model: name.to_owned(), field, reason: bad.reason });
        }
        Ok(())
    }

    fn try_add(
        &mut self,
        name: &str,
        json: &'a str,
        row: &mut Row<'a>,
    ) -> Result<Result<(), BadField>, NotAMap> {
        let mut warnings = Vec::new();
        let rates = match self.filled_prices(name, json, row)? {
            Some(filled) => {
                let fields: Vec<JsonField<'_>> =
                    filled.iter().map(|(name, json)| (Cow::Borrowed(&**name), &**json)).collect();
                let mut row = Row::of(&fields);
                row.check().and_then(|()| self.rate_sets.add(&row.inputs, &mut warnings))
            }
            None => self.rate_sets.get(&mut row.inputs, &mut warnings),
        };
        let rates = match rates {
            Ok(rates) => rates,
            Err(bad) => return Ok(Err(bad)),
        };
        let id = u32::try_from(self.entries.len()).map_err(|_| NotAMap::TooLarge)?;
        let target = Target { entry: id, rates };
        let key = match self.index.add_key(name, target) {
            Some(Added::New(key)) => key,
            Some(Added::Taken) => {
                self.has_taken_key = true;
                return Ok(Ok(()));
            }
            None => return Err(NotAMap::TooLarge),
        };
        // `json` is a slice of the text.
        let start = json.as_ptr().addr() - self.text.as_ptr().addr();
        let json = Span::new(start, json.len()).ok_or(NotAMap::TooLarge)?;
        let provider = match row.provider.as_deref() {
            Some(provider) => Some(self.provider(provider)?),
            None => None,
        };
        self.entries.push(Entry { key, json, rates, provider });
        // Most rows have neither: a loop over nothing takes less time than `extend` by nothing.
        for alias in row.aliases.drain(..) {
            self.aliases.push((alias, target));
        }
        for message in warnings.drain(..).chain(row.warnings.drain(..)) {
            self.notes.warnings.push(Warning { model: name.to_owned(), message });
        }
        for field in row.unknown.drain(..) {
            *self.unpriced.entry(field).or_insert(0) += 1;
        }
        Ok(Ok(()))
    }

    /// Returns the fields of a row with the prices that rules fill in, or `None` if they fill in
    /// none.
    fn filled_prices(
        &mut self,
        name: &str,
        json: &str,
        row: &Row<'_>,
    ) -> Result<Option<Vec<(String, String)>>, NotAMap> {
        if !self.rules_fill_prices {
            return Ok(None);
        }
        let start = Instant::now();
        let entry = Filled { key: name, provider: row.provider.as_deref(), mode: row.mode.as_deref() };
        let Ok(own) = json::fields(json) else { return Ok(None) };
        let known: HashSet<&str> = own.iter().map(|(name, _)| &**name).collect();
        let filled = self.rules.fill(entry, |field| field::is_price(field) && !known.contains(field));
        self.filling += start.elapsed();
        if self.filling > MAX_FILLING {
            return Err(NotAMap::SlowRules);
        }
        let owned = |(name, json): &JsonField<'_>| (name.clone().into_owned(), (*json).to_owned());
        Ok((!filled.is_empty()).then(|| own.iter().chain(&filled).map(owned).collect()))
    }

    /// Returns the position of a provider, from 1.
    fn provider(&mut self, name: &str) -> Result<NonZeroU32, NotAMap> {
        // Rows of one provider are mostly adjacent.
        if let Some((last, id)) = &self.last_provider {
            if last == name {
                return Ok(*id);
            }
        }
        let id = if let Some(id) = self.provider_ids.get(name) {
            *id
        } else {
            self.providers.push(name.into());
            let id = u32::try_from(self.providers.len()).ok().and_then(NonZeroU32::new);
            let id = id.ok_or(NotAMap::TooLarge)?;
            self.provider_ids.insert(name.into(), id);
            id
        };
        self.last_provider = Some((name.to_owned(), id));
        Ok(id)
    }

    /// Returns the finished parts. Aliases are added last: no alias displaces a key, not even that
    /// of a row that was set aside, and the first row to claim an alias gets it.
    pub(super) fn finish(self) -> CatalogParts {
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
        // Of rows whose keys differ in case only, the first gives the reason.
        let mut rows_set_aside = HashMap::new();
        for (position, row) in notes.set_aside.iter().enumerate().filter(|(_, row)| is_model(&row.model)) {
            rows_set_aside.entry(row.model.to_lowercase()).or_insert(position);
        }
        for (alias, target) in aliases {
            if rows_set_aside.is_empty() || !rows_set_aside.contains_key(&alias.to_lowercase()) {
                index.add_alias(&alias, target);
            }
        }
        let mut rate_sets = rate_sets.sets;
        entries.shrink_to_fit();
        index.shrink();
        rate_sets.shrink_to_fit();
        notes.unpriced_fields =
            unpriced.into_iter().map(|(name, models)| UnpricedField { name, models }).collect();
        notes.unpriced_fields.sort_by(|a, b| a.name.cmp(&b.name));
        CatalogParts { entries, index, rate_sets, providers, provider_ids, rules, notes, rows_set_aside }
    }
}

/// Compiled rates, shared by all entries with the same price fields.
struct RateSets<'a> {
    sets: Vec<RateSet>,
    /// The inputs of the sets, by their hashes.
    known: HashTable<Known<'a>>,
    /// The fields of the inputs.
    fields: Vec<(Field, Fixed)>,
    hasher: DefaultHashBuilder,
    buffers: Buffers,
}

/// The inputs of a set, without their fields.
struct Known<'a> {
    hash: u64,
    /// The positions of the fields.
    fields: Range<usize>,
    tables: Option<Box<Tables<'a>>>,
    rules: ProviderRules,
    /// The position of the set.
    set: u32,
}

impl<'a> RateSets<'a> {
    fn with_capacity(rows: usize) -> Self {
        // About two rows in five have prices that no earlier row has.
        Self {
            sets: Vec::with_capacity(rows / 2),
            known: HashTable::with_capacity(rows / 2),
            fields: Vec::new(),
            hasher: DefaultHashBuilder::default(),
            buffers: Buffers::default(),
        }
    }

    /// Returns the position of the rates that are compiled from `inputs`. The tables of new inputs are
    /// moved out of them.
    fn get(&mut self, inputs: &mut Inputs<'a>, warnings: &mut Vec<String>) -> Result<u32, BadField> {
        let hash = self.hasher.hash_one(&*inputs);
        if let Some(known) = self.find(hash, inputs) {
            return Ok(known.set);
        }
        let set = self.add(inputs, warnings)?;
        // Inputs with warnings are compiled again for each row, so that each row gets the warnings.
        if warnings.is_empty() {
            let start = self.fields.len();
            self.fields.extend_from_slice(&inputs.fields);
            let fields = start..self.fields.len();
            let known = Known { hash, fields, tables: inputs.tables.take(), rules: inputs.rules, set };
            self.known.insert_unique(hash, known, |known| known.hash);
        }
        Ok(set)
    }

    fn find(&self, hash: u64, Inputs { fields, tables, rules }: &Inputs<'a>) -> Option<&Known<'a>> {
        self.known.find(hash, |known| {
            known.hash == hash
                && known.rules == *rules
                && self.fields.get(known.fields.clone()) == Some(fields)
                && known.tables == *tables
        })
    }

    fn add(&mut self, inputs: &Inputs<'_>, warnings: &mut Vec<String>) -> Result<u32, BadField> {
        let id =
            u32::try_from(self.sets.len()).map_err(|_| BadField::new("", "more rows than a map may have"))?;
        self.sets.push(compile(inputs, &mut self.buffers, warnings)?);
        Ok(id)
    }
}

//! The parsed model map: entries that keep their own text, an index of names, and compiled rates.

mod builder;
#[cfg(feature = "bundled")]
pub(crate) mod bundled;
#[cfg(feature = "retired")]
pub(crate) mod bundled_retired;
mod index;
mod layer;
mod parse;
mod pattern;
mod priced_over;
mod read;
mod role;
mod row;
mod rules;
mod timeline;

use std::num::NonZeroU32;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashMap;
use serde::Serialize;

use builder::Builder;
pub(crate) use builder::NotAMap;
use index::Index;
pub(crate) use index::{EntryId, NameHash, Span, Target};
pub(crate) use layer::Layer;
pub(crate) use priced_over::priced_over;
pub(crate) use read::{BadMap, read};
use row::Row;
pub(crate) use row::check_prices;
pub(crate) use rules::{Filled, Rules};
pub(crate) use timeline::{BatchOrigin, KeyedRow, MapTimes, Shows, Timelines, View};

use crate::json::{self, JsonField};
use crate::rates::RateSet;

/// A model map, parsed and compiled.
#[derive(Debug)]
pub(crate) struct Catalog {
    /// Tells the catalogue from every other one of the process.
    serial: u64,
    text: Text,
    entries: Vec<Entry>,
    index: Index,
    rate_sets: Vec<RateSet>,
    providers: Vec<Box<str>>,
    provider_ids: HashMap<Box<str>, NonZeroU32>,
    rules: Rules,
    notes: Notes,
    /// The rows that were set aside: from their keys, in lower case, to positions in
    /// [`Notes::set_aside`].
    rows_set_aside: HashMap<String, usize>,
}

/// The key of a map's fallback rules, which is not a model.
pub(crate) const RULES: &str = "fallback_generalizations";

/// The key of a map's description of its fields, which is not a model.
pub(crate) const SAMPLE: &str = "sample_spec";

/// Keys of a map that are no models.
const KEYS_OF_NO_MODEL: [&str; 2] = [SAMPLE, RULES];

pub(crate) fn is_model(name: &str) -> bool {
    !KEYS_OF_NO_MODEL.contains(&name)
}

/// The text of a map: bundled with the crate, or owned.
#[derive(Debug)]
pub(crate) enum Text {
    #[cfg(feature = "bundled")]
    Static(&'static str),
    Owned(Box<str>),
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            #[cfg(feature = "bundled")]
            Self::Static(text) => text,
            Self::Owned(text) => text,
        }
    }
}

#[derive(Debug)]
struct Entry {
    key: Span,
    /// The JSON object of the entry.
    json: Span,
    rates: u32,
    /// The position of the provider, from 1.
    provider: Option<NonZeroU32>,
}

/// The problems that were found while a map was read.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) set_aside: Vec<SetAside>,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) unpriced_fields: Vec<UnpricedField>,
}

impl Notes {
    pub(crate) const NONE: Self =
        Self { set_aside: Vec::new(), warnings: Vec::new(), unpriced_fields: Vec::new() };
}

/// A row of a map that was not loaded because its price cannot be trusted, or a fallback rule that
/// is invalid. The other rows and rules are loaded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct SetAside {
    /// The key of the model, or `fallback_generalizations` for a rule.
    pub model: String,
    /// The field that is wrong, or the name of the rule. `None` if the row as a whole is wrong.
    pub field: Option<String>,
    /// The reason for setting the row or the rule aside.
    pub reason: String,
}

impl SetAside {
    /// Returns the field and the reason, without the model.
    pub(crate) fn said(&self) -> String {
        self.field.as_ref().map_or_else(|| self.reason.clone(), |field| format!("{field}: {}", self.reason))
    }
}

impl std::fmt::Display for SetAside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.model, self.said())
    }
}

/// An oddity in a row that was loaded nevertheless.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Warning {
    /// The key of the model.
    pub model: String,
    /// A description of the oddity and of how it was handled.
    pub message: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.model, self.message)
    }
}

/// A field that names a cost, and that no call is priced by: it is unknown to this version of the
/// crate, counts something that no response tells, or is billed only where the operator sets it
/// (`input_cost_per_request`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct UnpricedField {
    /// The name of the field in the map.
    pub name: String,
    /// The number of models that have the field.
    pub models: usize,
}

/// Returns a number that no other catalogue of the process has.
fn next_serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Default for Catalog {
    fn default() -> Self {
        Self::empty()
    }
}

impl Catalog {
    /// Returns a map without models.
    pub(crate) fn empty() -> Self {
        Self {
            serial: next_serial(),
            text: Text::Owned(Box::default()),
            entries: Vec::new(),
            index: Index::default(),
            rate_sets: Vec::new(),
            providers: Vec::new(),
            provider_ids: HashMap::new(),
            rules: Rules::default(),
            notes: Notes::default(),
            rows_set_aside: HashMap::new(),
        }
    }

    /// Reads a map. Rows that cannot be trusted are set aside.
    pub(crate) fn parse(text: Text) -> Result<Self, NotAMap> {
        parse::parse(text)
    }

    /// Creates a catalogue of one row. A field must not be repeated.
    ///
    /// # Errors
    ///
    /// If the row cannot be trusted, or if maps use the key for something else, returns the row as
    /// it would be set aside.
    pub(crate) fn of_row(key: &str, fields: &[JsonField<'_>]) -> Result<Self, SetAside> {
        let bad = |reason: String| SetAside { model: key.to_owned(), field: None, reason };
        if !is_model(key) {
            return Err(bad("the map uses this name for something other than a model".to_owned()));
        }
        let text = json::object(fields.iter().map(|(name, json)| (name, json)));
        let mut builder = Builder::new(&text, 1);
        builder.add_row(key, &text, &mut Row::of(fields)).map_err(|error| bad(error.to_string()))?;
        let parts = builder.finish();
        let mut catalog = parts.into_catalog(Text::Owned(text.into()));
        catalog.notes.set_aside.pop().map_or(Ok(catalog), Err)
    }

    /// Returns the text that the catalogue was read from.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn notes(&self) -> &Notes {
        &self.notes
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Returns the rows and rules that were not loaded, including rules whose patterns do not
    /// compile.
    pub(crate) fn set_aside(&self) -> impl Iterator<Item = &SetAside> {
        self.notes.set_aside.iter().chain(self.rules.set_aside())
    }

    /// Returns the row that was set aside and has this key, ignoring case.
    pub(crate) fn row_set_aside(&self, key: &str) -> Option<&SetAside> {
        if self.rows_set_aside.is_empty() {
            return None;
        }
        self.notes.set_aside.get(*self.rows_set_aside.get(&key.to_lowercase())?)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = EntryRef<'_>> {
        (0..).zip(&self.entries).map(|(id, entry)| self.entry_ref(Target { entry: id, rates: entry.rates }))
    }

    pub(crate) fn entry(&self, id: EntryId) -> Option<EntryRef<'_>> {
        let rates = self.entries.get(id as usize)?.rates;
        Some(self.entry_ref(Target { entry: id, rates }))
    }

    fn entry_ref(&self, target: Target) -> EntryRef<'_> {
        EntryRef { catalog: self, target }
    }

    /// Returns the entry of a key or an alias.
    #[inline]
    pub(crate) fn find(&self, name: &str) -> Option<EntryRef<'_>> {
        self.find_hashed(name, NameHash::of(name))
    }

    /// Does the same as [`find`](Self::find), with a hash that the caller has already computed.
    #[inline]
    pub(crate) fn find_hashed(&self, name: &str, hash: NameHash) -> Option<EntryRef<'_>> {
        self.index.find(name, hash).map(|target| self.entry_ref(target))
    }

    /// Returns the entry of a key or an alias, exactly or else ignoring case, and whether the match
    /// is exact.
    pub(crate) fn find_either(&self, name: &str) -> Option<(EntryRef<'_>, bool)> {
        self.index.find_either(name).map(|(target, exact)| (self.entry_ref(target), exact))
    }

    /// Returns the length of the longest name, in bytes.
    pub(crate) fn longest_name(&self) -> usize {
        self.index.longest()
    }

    /// Returns whether a name is the key of an entry. Aliases do not count.
    pub(crate) fn has_key(&self, name: &str) -> bool {
        self.find(name).is_some_and(|entry| entry.key() == name)
    }

    /// Returns the aliases of the catalogue with their entries, in no particular order.
    pub(crate) fn aliases(&self) -> impl Iterator<Item = (&str, EntryRef<'_>)> {
        let named = self.index.names().map(|(name, target)| (name, self.at(target)));
        named.filter(|(name, entry)| entry.key() != *name)
    }

    /// Returns the entry of a target that an earlier lookup returned.
    #[inline]
    pub(crate) fn at(&self, target: Target) -> EntryRef<'_> {
        self.entry_ref(target)
    }

    /// Returns whether any entry has this provider.
    pub(crate) fn has_provider(&self, name: &str) -> bool {
        self.provider_ids.contains_key(name)
    }
}

/// One entry of a catalogue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EntryRef<'a> {
    catalog: &'a Catalog,
    target: Target,
}

impl<'a> EntryRef<'a> {
    pub(crate) fn id(self) -> EntryId {
        self.target.entry
    }

    /// Returns the positions of the entry and its rates in the catalogue.
    pub(crate) fn target(self) -> Target {
        self.target
    }

    /// Returns numbers that no other entry of the process has, whether or not its catalogue is still in
    /// use.
    pub(crate) fn identity(self) -> (u64, EntryId) {
        (self.catalog.serial, self.target.entry)
    }

    /// Returns whether the entry belongs to `catalog`.
    pub(crate) fn is_of(self, catalog: &Catalog) -> bool {
        std::ptr::eq(self.catalog, catalog)
    }

    fn entry(self) -> Option<&'a Entry> {
        self.catalog.entries.get(self.target.entry as usize)
    }

    pub(crate) fn key(self) -> &'a str {
        self.entry().map_or("", |entry| self.catalog.index.name(entry.key))
    }

    /// Returns the JSON object of the entry, as written in the map.
    pub(crate) fn json(self) -> &'a str {
        self.entry().map_or("", |entry| entry.json.of(&self.catalog.text))
    }

    pub(crate) fn provider(self) -> Option<&'a str> {
        let position = self.entry()?.provider?.get() - 1;
        self.catalog.providers.get(position as usize).map(|provider| &**provider)
    }

    #[inline]
    pub(crate) fn rates(self) -> Option<&'a RateSet> {
        self.catalog.rate_sets.get(self.target.rates as usize)
    }
}

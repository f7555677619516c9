//! [`Layers`]: the maps that a name is looked up in.

use super::lookup::Match;
use crate::catalog::{Catalog, EntryRef, Layer, NameHash, Rules, SetAside, View};
use crate::json;

/// The maps that a name is looked up in: the operator's own models take precedence over the
/// catalogue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layers<'a> {
    pub(crate) own: Option<&'a Layer>,
    pub(crate) base: &'a Catalog,
    /// The models that left the map, if they are kept: they answer to names that lead to no entry.
    pub(crate) retired: Option<&'a Layer>,
    /// The layer beside which that of the retired models is looked at, which knows further providers.
    beside: Beside<'a>,
}

/// The layer of the live models, where retired ones are looked at.
#[derive(Debug, Clone, Copy)]
enum Beside<'a> {
    Nothing,
    Live(Option<&'a Layer>),
}

impl<'a> Layers<'a> {
    /// Returns the layers of a catalogue without any models of the operator's.
    pub(crate) fn only(base: &'a Catalog) -> Self {
        Self::new(None, base, None)
    }

    pub(crate) fn new(own: Option<&'a Layer>, base: &'a Catalog, retired: Option<&'a Layer>) -> Self {
        Self { own, base, retired, beside: Beside::Nothing }
    }

    /// Returns the layers of the models that left the map, with the map's fallback rules.
    pub(super) fn of_retired(self) -> Option<Self> {
        let beside = Beside::Live(self.own);
        self.retired.map(|retired| Self { own: Some(retired), base: self.base, retired: None, beside })
    }

    /// Returns whether a retired model is shown: one whose row is in the map, and set aside, has not left it.
    pub(crate) fn shows_retired(self, entry: EntryRef<'_>) -> bool {
        self.row_set_aside(entry.key()).is_none()
    }

    /// Returns the rows that take the place of the catalogue's.
    pub(crate) fn past(self) -> Option<&'a View> {
        self.own.and_then(Layer::under)
    }

    /// Returns the entry of a key or an alias that is not the operator's.
    fn upstream(self, name: &str, hash: NameHash) -> Option<EntryRef<'a>> {
        match self.past() {
            None => self.base.find_hashed(name, hash),
            Some(past) => past.find(name, hash),
        }
    }

    /// Returns the entry of a key or an alias that is not the operator's, exactly or else ignoring case, and
    /// whether the match is exact.
    fn upstream_either(self, name: &str) -> Option<(EntryRef<'a>, bool)> {
        match self.past() {
            None => self.base.find_either(name),
            Some(past) => past.find_either(name),
        }
    }

    /// Returns the entries that are not the operator's.
    fn upstream_entries(self) -> impl Iterator<Item = EntryRef<'a>> {
        let past = self.past();
        let base = past.is_none().then(|| self.base.entries()).into_iter().flatten();
        past.into_iter().flat_map(View::entries).chain(base)
    }

    /// Returns the entry whose key or alias is exactly `name`.
    #[inline]
    pub(crate) fn exact(self, name: &str) -> Option<EntryRef<'a>> {
        self.exact_hashed(name, NameHash::of(name))
    }

    /// Does the same as [`exact`](Self::exact), with a hash that the caller has already computed.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "a result that is returned through memory is measurably slower")]
    pub(crate) fn exact_hashed(self, name: &str, hash: NameHash) -> Option<EntryRef<'a>> {
        match self.own {
            None => self.base.find_hashed(name, hash),
            Some(own) => self.exact_over(own, name, hash),
        }
    }

    #[inline(never)]
    fn exact_over(self, own: &'a Layer, name: &str, hash: NameHash) -> Option<EntryRef<'a>> {
        let (own, upstream) = (own.find_hashed(name, hash), self.upstream(name, hash));
        self.first_claim(own, upstream, |key| key == name)
    }

    /// Chooses between the operator's entry and the catalogue's for the same name. An alias of the
    /// operator's displaces aliases of the catalogue, but no key.
    fn first_claim(
        self,
        own: Option<EntryRef<'a>>,
        upstream: Option<EntryRef<'a>>,
        is_name: impl Fn(&str) -> bool,
    ) -> Option<EntryRef<'a>> {
        match (own, upstream) {
            (Some(own), Some(upstream)) if !is_name(own.key()) && is_name(upstream.key()) => {
                Some(self.overridden(upstream))
            }
            (Some(own), _) => Some(own),
            (None, upstream) => upstream.map(|entry| self.overridden(entry)),
        }
    }

    /// Returns the entry of a key. Aliases do not count.
    pub(crate) fn key(self, key: &str) -> Option<EntryRef<'a>> {
        self.exact(key).filter(|entry| entry.key() == key)
    }

    /// Returns the entry of a name, exactly or else ignoring case.
    pub(super) fn find(self, name: &str) -> Option<(EntryRef<'a>, Match)> {
        let (entry, is_exact) = match self.own {
            None => self.base.find_either(name)?,
            Some(own) => {
                let exact = self.exact(name).map(|entry| (entry, true));
                let folded = || {
                    let upstream = self.upstream_either(name).map(|(entry, _)| entry);
                    let entry = self.first_claim(own.find_ignoring_case(name), upstream, |key| {
                        key.eq_ignore_ascii_case(name) || key.to_lowercase() == name.to_lowercase()
                    });
                    entry.map(|entry| (entry, false))
                };
                exact.or_else(folded)?
            }
        };
        let matched = match is_exact {
            true if entry.key() == name => Match::Key,
            true => Match::Alias,
            false => Match::IgnoringCase,
        };
        Some((entry, matched))
    }

    /// Returns the operator's entry of the same key if there is one, and else `entry`. The
    /// operator's entry thus answers to the aliases in the catalogue too.
    pub(crate) fn overridden(self, entry: EntryRef<'a>) -> EntryRef<'a> {
        self.own.and_then(|own| own.key(entry.key())).unwrap_or(entry)
    }

    /// Returns the fields of an entry, including those that fallback rules fill in.
    ///
    /// Rows of another time have the fields that the rules of their time filled in.
    pub(crate) fn fields_of(self, entry: EntryRef<'a>) -> Vec<json::JsonField<'a>> {
        let mut fields = json::fields(entry.json()).unwrap_or_default();
        if !self.is_of_another_time(entry) {
            self.rules().fill_in(entry.key(), &mut fields);
        }
        fields
    }

    /// Returns whether an entry is one of the rows that take the place of the catalogue's, or of a model that
    /// left the map.
    pub(crate) fn is_of_another_time(self, entry: EntryRef<'_>) -> bool {
        let has = |view: Option<&View>| view.is_some_and(|view| view.position(entry).is_some());
        has(self.past()) || has(self.retired.and_then(Layer::under))
    }

    /// Returns the fallback rules of the catalogue.
    pub(crate) fn rules(self) -> &'a Rules {
        self.base.rules()
    }

    /// Returns all entries: the catalogue's, then those that only the operator has.
    pub(crate) fn entries(self) -> impl Iterator<Item = EntryRef<'a>> {
        let upstream = self.upstream_entries().map(move |entry| self.overridden(entry));
        upstream.chain(self.only_own())
    }

    /// Returns the number of entries.
    pub(crate) fn len(self) -> usize {
        let upstream = self.past().map_or_else(|| self.base.len(), |past| past.entries().count());
        upstream + self.only_own().count()
    }

    /// Returns the operator's entries that override no entry of the catalogue.
    fn only_own(self) -> impl Iterator<Item = EntryRef<'a>> {
        let own = self.own.into_iter().flat_map(Layer::entries);
        own.filter(move |entry| match self.past() {
            None => !self.base.has_key(entry.key()),
            Some(past) => !past.has_key(entry.key()),
        })
    }

    /// Returns the row of the map that has this key and was set aside, unless an entry has exactly
    /// this name.
    pub(super) fn row_set_aside(self, name: &str) -> Option<&'a SetAside> {
        let row = match self.past() {
            None => self.base.row_set_aside(name)?,
            Some(past) => past.row_set_aside(name)?,
        };
        if self.exact(name).is_none() { Some(row) } else { None }
    }

    pub(super) fn has_provider(self, name: &str) -> bool {
        let upstream = match self.past() {
            None => self.base.has_provider(name),
            Some(past) => past.has_provider(name),
        };
        let is_live = || match self.beside {
            Beside::Nothing => false,
            Beside::Live(own) => Self::new(own, self.base, None).has_provider(name),
        };
        upstream || self.own.is_some_and(|own| own.has_provider(name)) || is_live()
    }

    pub(super) fn longest(self) -> usize {
        let upstream = self.past().map_or_else(|| self.base.longest_name(), View::longest_name);
        upstream.max(self.own.map_or(0, Layer::longest_name))
    }
}

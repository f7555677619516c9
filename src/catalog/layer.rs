//! A layer of entries over a catalogue: the operator's own models, and the rows of a time in the place of
//! the catalogue's.

use std::sync::Arc;

use hashbrown::HashSet;

use super::index::{Index, NameHash, Target};
use super::{Catalog, EntryRef, View};

/// Entries that take precedence over a catalogue. Each is a catalogue of one row, so that one entry
/// can change without reading the others again.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    rows: Vec<Arc<Catalog>>,
    /// Leads from a name to a position in `rows`.
    index: Index,
    providers: HashSet<Box<str>>,
    /// The rows that take the place of the catalogue's. Its entries then do not count, while its fallback
    /// rules do.
    under: Option<View>,
}

impl Layer {
    /// Indexes rows of one entry each by their keys, and then by their aliases, which displace no
    /// key.
    ///
    /// `under` takes the place of the entries of the catalogue that the layer is laid over.
    pub(crate) fn new(rows: Vec<Arc<Catalog>>, under: Option<View>) -> Self {
        let index = Index::with_capacity(rows.len());
        let mut layer = Self { index, rows, providers: HashSet::new(), under };
        let Self { rows, index, providers, .. } = &mut layer;
        for (position, entry) in (0..).zip(rows.iter().filter_map(|row| row.entry(0))) {
            index.add_key(entry.key(), Target { entry: position, rates: 0 });
            if let Some(provider) = entry.provider().filter(|provider| !providers.contains(*provider)) {
                providers.insert(provider.into());
            }
        }
        for (position, row) in (0..).zip(rows) {
            for (alias, _) in row.aliases() {
                index.add_alias(alias, Target { entry: position, rates: 0 });
            }
        }
        layer
    }

    /// Returns the rows that take the place of the catalogue's.
    pub(crate) fn under(&self) -> Option<&View> {
        self.under.as_ref()
    }

    pub(crate) fn row(&self, position: u32) -> Option<&Arc<Catalog>> {
        self.rows.get(position as usize)
    }

    pub(crate) fn entry(&self, position: u32) -> Option<EntryRef<'_>> {
        self.row(position)?.entry(0)
    }

    /// Returns the position of the entry of a key.
    pub(crate) fn position(&self, key: &str) -> Option<u32> {
        let position = self.index.find(key, NameHash::of(key))?.entry;
        self.entry(position).is_some_and(|entry| entry.key() == key).then_some(position)
    }

    /// Returns the entry of a key; aliases do not count.
    pub(crate) fn key(&self, key: &str) -> Option<EntryRef<'_>> {
        self.entry(self.position(key)?)
    }

    /// Returns the entry of a key or an alias.
    pub(crate) fn find_hashed(&self, name: &str, hash: NameHash) -> Option<EntryRef<'_>> {
        self.entry(self.index.find(name, hash)?.entry)
    }

    /// Returns the entry of a key or an alias, ignoring case.
    pub(crate) fn find_ignoring_case(&self, name: &str) -> Option<EntryRef<'_>> {
        self.entry(self.index.find_either(name)?.0.entry)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = EntryRef<'_>> {
        self.rows.iter().filter_map(|row| row.entry(0))
    }

    pub(crate) fn longest_name(&self) -> usize {
        self.index.longest()
    }

    pub(crate) fn has_provider(&self, name: &str) -> bool {
        self.providers.contains(name)
    }
}

//! The public map that is bundled with the crate.

use std::sync::Arc;

use once_cell::sync::OnceCell;

use super::{Catalog, Text};

include!("bundled_version.rs");

/// The version of the public map that is bundled with the crate: see [`BUNDLED`](crate::BUNDLED).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BundledCatalog {
    /// The git blob id of the upstream file, as `git hash-object` prints it.
    pub source_revision: &'static str,
    /// The version of LiteLLM that shipped the map.
    pub package_version: &'static str,
    /// The day on which the map was taken, as `YYYY-MM-DD`.
    pub date: &'static str,
}

/// The text of the map: upstream's file without its prose.
pub(super) static TEXT: &str = include_str!("bundled.json");

/// Returns the bundled catalogue, which is parsed once per process.
pub(crate) fn catalog() -> Arc<Catalog> {
    static CATALOG: OnceCell<Arc<Catalog>> = OnceCell::new();
    // A test parses the same text, so the fallback is never used.
    CATALOG
        .get_or_init(|| Arc::new(Catalog::parse(Text::Static(TEXT)).unwrap_or_else(|_| Catalog::empty())))
        .clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_map_is_whole() {
        let catalog = Catalog::parse(Text::Static(TEXT)).map_err(|e| e.to_string());
        assert_eq!(catalog.as_ref().map(Catalog::len), Ok(4551));
        let notes =
            catalog.as_ref().map(|catalog| (catalog.notes().set_aside.len(), catalog.notes().warnings.len()));
        assert_eq!(notes, Ok((0, 0)));
    }
}

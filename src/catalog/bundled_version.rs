// Written by examples/refresh_bundled.rs.

/// The public map that this version of the crate carries: `model_prices_and_context_window.json` as `litellm`
/// 1.109.1 shipped it, without its prose. The data is MIT licensed, (c) 2023 Berri AI.
pub const BUNDLED: BundledCatalog = BundledCatalog {
    source_revision: "d68eb3ce77503b757f30e611eea758937f2ac2ed",
    package_version: "1.109.1",
    date: "2026-11-21",
};

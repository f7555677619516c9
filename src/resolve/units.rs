//! Entries that are chosen by what a call used: those of images by quality and size, such as
//! `hd/1024-x-1024/dall-e-3`, and those of queries by mode, such as `tavily/search-advanced`.

use super::Layers;
use crate::catalog::EntryRef;
use crate::usage::{ImageSize, Units};

/// The longest name that is considered, in bytes.
const MAX_NAME: usize = 256;

/// The number of pixels of fal's images if a call does not say: 1024 x 768.
const PIXELS_AT_FAL: u64 = 1024 * 768;

/// Returns the entry that prices what a call used, if the model has entries for it. `name` is the key
/// of the model's own entry, or its name if it has none.
pub(crate) fn unit_entry<'m>(
    layers: Layers<'m>,
    name: &str,
    provider: Option<&str>,
    units: &Units,
) -> Option<EntryRef<'m>> {
    if name.len() > MAX_NAME {
        return None;
    }
    let of = |layers: Layers<'m>| match &units.search_mode {
        Some(mode) if units.images.is_none() => layers.exact(&format!("{name}-{mode}")),
        _ => image_entry(layers, name, provider, units),
    };
    // Live prices of the model go before retired ones of a size.
    let retired = || layers.of_retired().filter(|_| layers.key(name).is_none()).and_then(of);
    of(layers).or_else(|| retired().filter(|entry| layers.shows_retired(*entry)))
}

/// Returns the entry that prices images of a model by their quality and size.
///
/// Without a quality, images are of the quality `standard`, else `high`. Bedrock's are keyed by steps:
/// `50-steps` if a call does not say. Fal's are keyed by a quality, `high` if a call does not say, and by
/// sizes, of which the nearest is billed.
fn image_entry<'m>(
    layers: Layers<'m>,
    name: &str,
    provider: Option<&str>,
    units: &Units,
) -> Option<EntryRef<'m>> {
    let provider = provider.or_else(|| name.split_once('/').map(|(first, _)| first)).unwrap_or("");
    let rest = name.strip_prefix(provider).and_then(|rest| rest.strip_prefix('/')).unwrap_or(name);
    let quality = units.image_quality.as_deref().filter(|quality| *quality != "auto");
    if provider == "fal_ai" {
        return fal_entry(layers, rest, quality.unwrap_or("high"), units.image_size);
    }
    let ImageSize { width, height } = units.image_size.unwrap_or(ImageSize::DEFAULT);
    let size = format!("{width}-x-{height}");
    let standard = quality.unwrap_or("standard");
    let names = [
        format!("{standard}/{size}/{name}"),
        format!("{provider}/{standard}/{size}/{rest}"),
        format!("{size}/{}/{name}", quality.unwrap_or("50-steps")),
        format!("{size}/{}/{rest}", quality.unwrap_or("50-steps")),
        format!("{size}/{name}"),
        format!("{provider}/{size}/{rest}"),
        format!("high/{size}/{name}"),
        format!("{provider}/high/{size}/{rest}"),
        format!("{standard}/{size}/{rest}"),
        format!("{size}/{rest}"),
        format!("high/{size}/{rest}"),
    ];
    let fits = |entry: &EntryRef<'_>| provider.is_empty() || entry.provider().is_none_or(|of| of == provider);
    names.iter().filter_map(|name| layers.exact(name)).find(fits)
}

/// Returns the entry of the quality whose size is the nearest in pixels. Of two, the smaller one applies.
fn fal_entry<'m>(
    layers: Layers<'m>,
    model: &str,
    quality: &str,
    size: Option<ImageSize>,
) -> Option<EntryRef<'m>> {
    let wanted = size.map_or(PIXELS_AT_FAL, ImageSize::pixels);
    let size_of = |entry: &EntryRef<'_>| {
        let rest = entry.key().strip_prefix("fal_ai/")?.strip_prefix(quality)?.strip_prefix('/')?;
        let size: ImageSize = rest.strip_suffix(model)?.strip_suffix('/')?.parse().ok()?;
        Some(size.pixels())
    };
    let of_model = layers.entries().filter_map(|entry| Some((size_of(&entry)?, entry)));
    of_model.min_by_key(|(pixels, _)| (pixels.abs_diff(wanted), *pixels)).map(|(_, entry)| entry)
}

//! The price fields of an entry, as they are read from a map.

use std::hash::{Hash, Hasher};

use super::field::Field;
use crate::num::Fixed;

/// The price fields of an entry as read. Entries with equal inputs share a [`RateSet`].
#[derive(Debug, Default)]
pub(crate) struct Inputs<'a> {
    pub(crate) fields: Vec<(Field, Fixed)>,
    /// Optional tables, absent from most entries.
    pub(crate) tables: Option<Box<Tables<'a>>>,
    pub(crate) rules: ProviderRules,
}

/// The price inputs that are not plain rate fields.
#[derive(Debug, Default, PartialEq, Eq, Hash, Clone)]
pub(crate) struct Tables<'a> {
    /// `regional_processing_uplift_multiplier_REGION`.
    pub(crate) residency: Vec<(Box<str>, Fixed)>,
    /// `regional_endpoint_uplift_multiplier`.
    pub(crate) vertex: Option<Fixed>,
    /// The JSON of `tiered_pricing`. The fields below hold JSON as well.
    pub(crate) tiered_pricing: Option<&'a str>,
    pub(crate) off_peak_pricing: Option<&'a str>,
    pub(crate) provider_specific_entry: Option<&'a str>,
}

impl<'a> Inputs<'a> {
    pub(super) fn tables(&self) -> &Tables<'a> {
        const NONE: &Tables<'_> = &Tables {
            residency: Vec::new(),
            vertex: None,
            tiered_pricing: None,
            off_peak_pricing: None,
            provider_specific_entry: None,
        };
        self.tables.as_deref().unwrap_or(NONE)
    }

    /// Clears all inputs for the next entry, keeping the allocation of `fields`.
    pub(crate) fn clear(&mut self) {
        self.fields.clear();
        self.tables = None;
        self.rules = ProviderRules::default();
    }

    pub(crate) fn tables_mut(&mut self) -> &mut Tables<'a> {
        self.tables.get_or_insert_default()
    }
}

/// Written by hand, since the derived implementation would hash each part of a field separately,
/// and the tables even of entries that have none.
impl Hash for Inputs<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rules.hash(state);
        if let Some(tables) = &self.tables {
            tables.hash(state);
        }
        for (field, rate) in &self.fields {
            state.write_u64(field.as_u64() | u64::from(rate.scale));
            state.write_u64(rate.digits);
        }
    }
}

/// Rules that depend on the provider or the mode of an entry.
#[derive(Debug, Default, PartialEq, Eq, Hash, Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts about an entry")]
pub(crate) struct ProviderRules {
    /// Fireworks: a cache read without a rate of its own costs half the input rate.
    pub(crate) half_price_reads: bool,
    /// xAI: a threshold is reached at its number of tokens, not above it.
    pub(crate) inclusive_thresholds: bool,
    /// Vertex AI: the entry may have a step at 128k tokens.
    pub(crate) step_at_128k: bool,
    /// The billing unit of searches is the query, not the prompt.
    pub(crate) is_per_query: bool,
    pub(crate) mode: Mode,
}

/// The mode of an entry, as far as prices depend on it.
#[derive(Debug, Default, PartialEq, Eq, Hash, Clone, Copy)]
pub(crate) enum Mode {
    /// No mode, or one of text: `chat`, `completion`, `embedding`, `responses`.
    #[default]
    Text,
    /// `image_generation`, `image_edit`.
    Image,
    /// `audio_speech`.
    Speech,
    /// `audio_transcription`.
    Transcription,
    /// `video_generation`.
    Video,
    /// `rerank`.
    Rerank,
    /// `ocr`, `search`.
    Document,
    /// `realtime`.
    Realtime,
    Other,
}

impl Mode {
    pub(crate) fn of(mode: Option<&str>) -> Self {
        match mode {
            None | Some("chat" | "completion" | "embedding" | "responses") => Self::Text,
            Some("image_generation" | "image_edit") => Self::Image,
            Some("audio_speech") => Self::Speech,
            Some("audio_transcription") => Self::Transcription,
            Some("video_generation") => Self::Video,
            Some("rerank") => Self::Rerank,
            Some("ocr" | "search") => Self::Document,
            Some("realtime") => Self::Realtime,
            Some(_) => Self::Other,
        }
    }

    /// Returns whether calls may use nothing, such as those that a provider refused: those of other modes
    /// than media and documents.
    pub(crate) fn is_of_text(self) -> bool {
        matches!(self, Self::Text | Self::Realtime | Self::Other)
    }

    /// Returns whether entries without rates of tokens are billed by the second of a call, a session
    /// or a transcribed audio.
    pub(crate) fn is_by_the_second(self) -> bool {
        matches!(self, Self::Text | Self::Transcription | Self::Realtime)
    }
}

/// The reason why an entry cannot be priced: a field and its defect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadField {
    pub(crate) field: String,
    pub(crate) reason: String,
}

impl BadField {
    pub(crate) fn new(field: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self { field: field.into(), reason: reason.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::hash::BuildHasher;

    use super::*;
    use crate::rates::field::{Base, Tier};

    /// If rows that differ only in tables had equal hashes, a map of such rows would take hours to
    /// read.
    #[test]
    fn inputs_that_differ_in_anything_are_hashed_apart() {
        let state = hashbrown::DefaultHashBuilder::default();
        let with = |change: &dyn Fn(&mut Inputs<'static>)| {
            let mut inputs = Inputs::default();
            change(&mut inputs);
            state.hash_one(&inputs)
        };
        let rate = |digits| Fixed::new(digits, 6);
        let hashes: BTreeSet<u64> = [
            with(&|_| {}),
            with(&|inputs| inputs.fields.push((Field::new(Base::Input), rate(1)))),
            with(&|inputs| inputs.fields.push((Field::new(Base::Input), rate(2)))),
            with(&|inputs| inputs.fields.push((Field::new(Base::Input).tier(Tier::Flex), rate(2)))),
            with(&|inputs| inputs.rules.mode = Mode::Image),
            with(&|inputs| inputs.tables_mut().vertex = Some(rate(1))),
            with(&|inputs| inputs.tables_mut().vertex = Some(rate(2))),
            with(&|inputs| inputs.tables_mut().residency.push(("eu".into(), rate(1)))),
            with(&|inputs| inputs.tables_mut().tiered_pricing = Some("[1]")),
            with(&|inputs| inputs.tables_mut().off_peak_pricing = Some("[1]")),
            with(&|inputs| inputs.tables_mut().provider_specific_entry = Some("[1]")),
            with(&|inputs| inputs.rules.is_per_query = true),
        ]
        .into();
        assert_eq!(hashes.len(), 12);
    }
}

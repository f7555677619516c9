//! The prices of other units than tokens: which one applies to a call, and which one an entry is billed by.

use super::compile::Compiler;
use super::field::{Base, Field, Size, Tier};
use super::inputs::Mode;
use super::{Component, Price, RatePlace, RateSet, ResultRange, ToolProvider};
use crate::num::Fixed;

/// The properties of a call that select the price of a unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// The service tier, or [`Tier::Batches`].
    pub(crate) tier: Tier,
    pub(crate) prompt_tokens: u64,
}

impl RateSet {
    /// Returns the price of a unit: the one above the highest threshold that the prompt crosses, of the
    /// tier if the entry has one of it, else the standard one. A batch has no discount but its own
    /// prices.
    pub(crate) fn unit(&self, base: Base, terms: Terms) -> Option<&Price> {
        self.best(base, terms, |field| field.size().is_none())
    }

    /// Returns the price of a unit of a size, or the one that has no size.
    pub(crate) fn unit_of_size(&self, base: Base, size: Option<Size>, terms: Terms) -> Option<&Price> {
        let of_size = size.and_then(|size| {
            self.best(base, terms, |field| field.size().is_some_and(|known| known.is_same(size)))
        });
        of_size.or_else(|| self.unit(base, terms))
    }

    fn best(&self, base: Base, terms: Terms, applies: impl Fn(Field) -> bool) -> Option<&Price> {
        let of_entry = self.tail.prices.iter().filter(|price| price.origin().place() == RatePlace::Entry);
        let applying = of_entry.filter(|price| {
            let field = price.field();
            let above = field.threshold();
            field.base == base
                && (field.tier == Tier::Standard || field.tier == terms.tier)
                && (above == 0 || terms.prompt_tokens > u64::from(above))
                && applies(field)
        });
        // Of repeated fields, the last counts.
        applying.max_by_key(|price| (price.field().threshold(), price.field().tier == terms.tier))
    }

    /// Returns the price of a query that may return so many results.
    pub(crate) fn query(&self, results: u64, terms: Terms) -> Option<&Price> {
        let ranges = self.tail.extras.as_ref().map_or(&[][..], |extras| &extras.searches);
        let fits = |range: &&ResultRange| (range.least..=range.most).contains(&results);
        // Beyond the table, its last tier applies, as in LiteLLM.
        match ranges.iter().find(fits).or(ranges.last()) {
            Some(range) => self.price(range.price),
            None => self.unit(Base::Query, terms),
        }
    }

    /// Returns the component that a call has to count to have a price.
    pub(crate) fn need(&self) -> Option<Need> {
        self.tail.need
    }

    /// Returns the mode of the entry.
    pub(crate) fn mode(&self) -> Mode {
        self.tail.mode
    }

    /// Returns whether Gemini's searches are billed by the query, and not by the prompt.
    pub(crate) fn is_per_query(&self) -> bool {
        self.is_per_query
    }

    /// Returns the fee of a request. It is billed where the operator set it.
    pub(crate) fn request_fee(&self) -> Option<Price> {
        self.unit(Base::Request, Terms { tier: Tier::Standard, prompt_tokens: 0 }).copied()
    }

    /// Returns whether the entry has a price of the images that a model makes.
    pub(crate) fn prices_images(&self) -> bool {
        let bases = [Base::PerOutputImage, Base::PerInputImage, Base::InputPixel, Base::OutputPixel];
        self.tail.prices.iter().any(|price| bases.contains(&price.field().base))
    }

    /// Returns whether the entry has a positive rate of tokens.
    pub(crate) fn prices_tokens(&self) -> bool {
        self.tail.prices.iter().any(|price| price.field().base.is_of_tokens() && !price.rate().is_zero())
    }
}

/// Returns the price that all models of a provider have whose entries have none: as LiteLLM 1.109.1 has
/// them.
pub(crate) fn default_price(base: Base, provider: ToolProvider, is_per_query: bool) -> Option<Price> {
    use ToolProvider::{Azure, Google, Groq, Xai};
    let (digits, scale) = match (base, provider) {
        (Base::SearchContext, Google) => (35, 3),
        (Base::SearchContext, Xai) => (5, 3),
        (Base::MapsGrounding, Google) if is_per_query => (14, 3),
        (Base::MapsGrounding, Google) => (25, 3),
        (Base::PageVisit, Groq) => (1, 3),
        (Base::FileStorage | Base::VectorStore, Azure) => (1, 1),
        (Base::ComputerInput, Azure) => (3, 6),
        (Base::ComputerOutput, Azure) => (12, 6),
        (Base::FileSearch, provider) if provider != Azure => (25, 4),
        _ => return None,
    };
    Some(Price::new(Fixed::new(digits, scale), Field::new(base), RatePlace::Default))
}

/// The component that a call has to count to have a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) component: Component,
    /// True if tokens do not stand for the component: the entry prices none, or none of input.
    pub(crate) is_beside_tokens: bool,
    /// False if the entry has no price at all.
    pub(crate) is_priced: bool,
}

impl Compiler<'_> {
    /// Returns the component that a call has to count. It is that of the entry's first positive price of
    /// a unit, if the entry has no positive rate of tokens, or none of input for the input that it
    /// prices by the unit. In modes of media and documents, of which no call uses nothing, it is that
    /// or a count of tokens, unless the entry is free.
    pub(super) fn need(&self, searches: &[ResultRange]) -> Option<Need> {
        let fields = &self.inputs.fields;
        let has = |wanted: &dyn Fn(Field) -> bool| {
            fields.iter().any(|(field, rate)| !rate.is_zero() && wanted(*field))
        };
        let prices_input = fields.iter().any(|(field, _)| field.base == Base::Input);
        let tables = self.inputs.tables();
        let prices_tokens = has(&|field| field.base.is_of_tokens())
            || (tables.tiered_pricing.is_some() && searches.is_empty());
        let mode = self.inputs.rules.mode;
        let is_beside_tokens = !(prices_tokens && prices_input);
        if !is_beside_tokens && mode.is_of_text() {
            return None;
        }
        let second = match mode {
            Mode::Video => Component::MadeVideo,
            Mode::Speech => Component::MadeAudio,
            _ => Component::SentAudio,
        };
        let queries = if mode == Mode::Rerank { Component::SearchUnit } else { Component::Query };
        let sent = if mode == Mode::Image { Component::MadeImage } else { Component::SentImage };
        let needs = [
            (Base::PerOutputImage, Component::MadeImage),
            (Base::OutputVideoSecond, Component::MadeVideo),
            (Base::OutputSecond, second),
            (Base::OutputAudioSecond, Component::MadeAudio),
            (Base::OutputPixel, Component::MadeImage),
            (Base::InputCharacter, Component::InputCharacter),
            (Base::PerInputImage, sent),
            (Base::InputPixel, Component::MadeImage),
            (Base::InputVideoSecond, Component::SentVideo),
            (Base::InputAudioSecond, Component::SentAudio),
            (Base::InputSecond, second),
            (Base::Query, queries),
            (Base::Page, Component::Page),
            (Base::Credit, Component::Credit),
            (Base::OutputCharacter, Component::OutputCharacter),
            (Base::CodeInterpreter, Component::CodeInterpreter),
        ];
        let has_price = |base: Base| has(&|field| field.base == base);
        let of_input = prices_tokens && is_beside_tokens;
        let needed = needs
            .into_iter()
            .find(|(base, component)| (!of_input || component.is_input()) && has_price(*base))
            .map(|(_, component)| component)
            .or(if searches.is_empty() { None } else { Some(queries) });
        if let Some(component) = needed {
            return Some(Need { component, is_beside_tokens, is_priced: true });
        }
        let is_free = !fields.is_empty() && fields.iter().all(|(_, rate)| rate.is_zero());
        if mode.is_of_text() || is_free {
            return None;
        }
        let component = if has_price(Base::Input) { Component::Input } else { Component::Output };
        Some(Need { component, is_beside_tokens: false, is_priced: prices_tokens })
    }
}

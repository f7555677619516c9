//! Lines of units: what a call used beside the tokens of its model, each at the price that applies to it,
//! and the tokens whose place it takes.

use std::time::Duration;

use arrayvec::ArrayVec;

use super::Call;
use super::line::How;
use super::subject::Subject;
use super::tokens::{Counts, RARE};
use crate::num::Number;
use crate::rates::field::{Base, Size};
use crate::rates::{
    COMMON, Cells, Component, Mode, Need, Price, RateSet, Terms, ToolProvider, default_price,
};
use crate::usage::{ImageSize, SearchContextSize, Units, Usage};

/// The most lines of units in a bill: one for each component behind the tokens.
const MOST: usize = Component::ComputerOutput as usize - Component::RouterFee as usize;

/// The number of results that a query returns if the call does not say, as in LiteLLM.
const RESULTS: u64 = 10;

/// The pixels of a megapixel, to which an image is rounded up if its pixels are billed as output.
const MEGAPIXEL: u64 = 1 << 20;

/// A line of units.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnitLine {
    pub(super) component: Component,
    pub(super) digits: u64,
    pub(super) price: Option<Price>,
    pub(super) how: How,
}

/// The lines of units of a bill.
#[derive(Debug, Default)]
pub(super) struct UnitLines {
    /// In the order of their components.
    pub(super) lines: ArrayVec<UnitLine, MOST>,
    /// The components of tokens whose place a unit takes, one bit each.
    replaced: u64,
    /// True if units are billed instead of those tokens of the input, and of the output, that have no
    /// price.
    covers: [bool; 2],
    /// True if the call says how much it used of a unit that the entry prices.
    is_counted: bool,
    /// True if the call says how much it used of any unit of the model, in the place of tokens.
    stands_for_tokens: bool,
}

impl UnitLines {
    /// Returns the lines of a call. Returns `None` if a count overflows.
    pub(super) fn of(subject: &Subject<'_>, call: &Call<'_>, terms: Terms) -> Option<Self> {
        let rates = subject.rates;
        let is_by_the_second = !rates.second().is_none();
        let none = Units::default();
        let mut reader = Reader {
            rates,
            mode: rates.mode(),
            is_per_query: rates.is_per_query(),
            provider: ToolProvider::of(subject.tool_provider),
            container: subject.container,
            key: subject.key,
            units: call.units_used().unwrap_or(&none),
            usage: call.usage,
            terms,
            of: Self::default(),
        };
        if is_by_the_second {
            reader.add_seconds(call)?;
        }
        if subject.request_fee.is_some() {
            reader.add(Component::Request, 1, subject.request_fee)?;
        }
        if call.units_used().is_some() {
            reader.add_media(is_by_the_second)?;
            reader.add_documents()?;
            reader.add_tools()?;
        }
        reader.add_searches()?;
        reader.require_characters()?;
        let mut lines = reader.of;
        let is_needed = |need: &Need| need.is_beside_tokens || !call.usage.has_tokens();
        if let Some(need) = rates.need().filter(|need| !lines.is_counted && is_needed(need)) {
            let how = if need.is_priced { How::Uncounted } else { How::Plain };
            if need.is_priced || lines.lines.is_empty() {
                lines.push(UnitLine { component: need.component, digits: 0, price: None, how })?;
            }
        }
        lines.lines.sort_unstable_by_key(|line| line.component);
        Some(lines)
    }

    /// Returns whether the call counts units of the model, so that it need not count tokens.
    pub(super) fn stand_for_tokens(&self) -> bool {
        self.stands_for_tokens
    }

    /// Removes the counts of tokens whose place units take.
    pub(super) fn replace(&self, counts: &mut Counts, cells: &Cells) {
        let [covers_input, covers_output] = self.covers;
        let is_replaced = |component: Component| {
            let is_covered = if component.is_input() { covers_input } else { covers_output };
            self.replaced >> component as u8 & 1 == 1 || (is_covered && cells.cell(component).is_none())
        };
        let common = COMMON.into_iter().zip(&mut counts.common);
        for (component, count) in common.chain(RARE.into_iter().zip(&mut counts.rare)) {
            if is_replaced(component) {
                *count = 0;
            }
        }
    }

    fn push(&mut self, line: UnitLine) -> Option<()> {
        // A unit that is needed and has no price is a line already.
        if self.lines.iter().any(|known| known.component == line.component) {
            return Some(());
        }
        self.lines.try_push(line).ok()
    }
}

/// Reads the units of a call.
struct Reader<'a> {
    rates: &'a RateSet,
    mode: Mode,
    is_per_query: bool,
    provider: ToolProvider,
    container: Option<&'a RateSet>,
    key: &'a str,
    units: &'a Units,
    usage: &'a Usage,
    terms: Terms,
    of: UnitLines,
}

impl Reader<'_> {
    fn unit(&self, base: Base) -> Option<Price> {
        self.rates.unit(base, self.terms).copied()
    }

    fn unit_or_default(&self, base: Base) -> Option<Price> {
        self.unit(base).or_else(|| default_price(base, self.provider, self.is_per_query))
    }

    /// Adds a line, unless nothing was used.
    fn add(&mut self, component: Component, digits: u64, price: Option<Price>) -> Option<()> {
        if digits == 0 {
            return Some(());
        }
        // The multipliers of a call are those of its model.
        let is_of_model =
            !component.is_tool() && !matches!(component, Component::Search | Component::Request);
        let how = if is_of_model { How::Multiplied } else { How::Plain };
        self.of.push(UnitLine { component, digits, price, how })
    }

    /// Adds a unit of the model, if the call counts it. A unit without a price is no line if it is
    /// counted in tokens.
    fn add_counted(
        &mut self,
        component: Component,
        count: Option<u64>,
        price: Option<Price>,
        tokens: &[Component],
        is_in_tokens: bool,
    ) -> Option<()> {
        let Some(count) = count else { return Some(()) };
        if price.is_none() && is_in_tokens {
            return Some(());
        }
        self.of.stands_for_tokens = true;
        self.of.is_counted |= price.is_some();
        if price.is_some() && count > 0 {
            // An entry that prices no tokens is billed by units alone.
            let (is_input, only) = (component.is_input(), !self.rates.prices_tokens());
            let [input, output] = self.of.covers;
            self.of.covers = [input || is_input || only, output || !is_input || only];
            for tokens in tokens {
                self.of.replaced |= 1 << *tokens as u8;
            }
        }
        self.add(component, count, price)
    }

    /// Adds the seconds of a call, of a session or of transcribed audio.
    fn add_seconds(&mut self, call: &Call<'_>) -> Option<()> {
        let price = self.rates.price(self.rates.second()).copied();
        let audio = self.units.input_audio.filter(|_| self.mode == Mode::Transcription);
        let (component, duration) = match (audio, self.mode) {
            (None, Mode::Transcription) if call.duration.is_none() => (Component::SentAudio, None),
            (None, _) => (Component::Duration, call.duration),
            (audio, _) => (Component::SentAudio, audio),
        };
        let (digits, how) = match duration {
            Some(duration) => (nanoseconds(duration)?, How::Plain),
            None => (0, How::Uncounted),
        };
        (self.of.is_counted, self.of.stands_for_tokens) = (true, true);
        self.of.push(UnitLine { component, digits, price: price.filter(|_| how == How::Plain), how })
    }

    /// Returns whether the usage has tokens of a prompt, and the entry has a rate for them.
    fn is_input_in_tokens(&self) -> bool {
        self.usage.prompt_tokens > 0 && self.unit(Base::Input).is_some()
    }

    /// Returns whether the usage has tokens of a completion, and the entry has a rate for them.
    fn is_output_in_tokens(&self) -> bool {
        let has_rate = [Base::Output, Base::OutputAudio].iter().any(|base| self.unit(*base).is_some());
        self.usage.completion_tokens > 0 && has_rate
    }

    /// Adds text by the character, images, audio and video.
    fn add_media(&mut self, is_by_the_second: bool) -> Option<()> {
        let (units, in_tokens) = (self.units, self.is_input_in_tokens());
        let made_in_tokens = self.is_output_in_tokens();
        let characters = self.unit(Base::InputCharacter);
        let text = &[Component::Input];
        self.add_counted(Component::InputCharacter, units.input_characters, characters, text, in_tokens)?;
        let characters = self.unit(Base::OutputCharacter);
        let text = &[Component::Output];
        self.add_counted(
            Component::OutputCharacter,
            units.output_characters,
            characters,
            text,
            made_in_tokens,
        )?;
        let makes_images = self.mode == Mode::Image && self.unit(Base::PerOutputImage).is_none();
        let image = self.unit(Base::PerInputImage).filter(|_| !makes_images);
        let tokens = &[Component::InputImage];
        self.add_counted(Component::SentImage, units.input_images, image, tokens, in_tokens)?;

        let video = optional(units.input_video)?;
        let tokens = &[Component::InputVideo];
        self.add_counted(Component::SentVideo, video, self.unit(Base::InputVideoSecond), tokens, in_tokens)?;
        if !(is_by_the_second && self.mode == Mode::Transcription) {
            let (audio, second) = (optional(units.input_audio)?, self.second_of_sent_audio());
            let tokens = &[Component::InputAudio];
            self.add_counted(Component::SentAudio, audio, second, tokens, in_tokens)?;
        }
        self.add_images()?;
        let resolution = units.video_resolution.as_deref().and_then(resolution);
        let by_size = || self.rates.unit_of_size(Base::OutputSecond, resolution, self.terms).copied();
        let second = self.unit(Base::OutputVideoSecond).or_else(by_size);
        let tokens = &[Component::OutputVideo];
        self.add_counted(Component::MadeVideo, optional(units.video)?, second, tokens, made_in_tokens)?;

        let second = self.unit(Base::OutputAudioSecond).or_else(|| self.unit(Base::OutputSecond));
        let second = second.filter(|_| !made_in_tokens);
        self.add_counted(Component::MadeAudio, optional(units.audio)?, second, &[], made_in_tokens)
    }

    /// Adds the characters that an entry without rates of tokens prices, and that the call does not count
    /// beside other units.
    fn require_characters(&mut self) -> Option<()> {
        if !self.of.is_counted || self.rates.prices_tokens() {
            return Some(());
        }
        for (base, component, count) in [
            (Base::InputCharacter, Component::InputCharacter, self.units.input_characters),
            (Base::OutputCharacter, Component::OutputCharacter, self.units.output_characters),
        ] {
            if count.is_none() && self.unit(base).is_some_and(|price| !price.rate().is_zero()) {
                self.of.push(UnitLine { component, digits: 0, price: None, how: How::Uncounted })?;
            }
        }
        Some(())
    }

    /// Returns the price of a second of audio that was sent. The price of a second of a transcription
    /// applies if its tokens are not counted.
    fn second_of_sent_audio(&self) -> Option<Price> {
        self.unit(Base::InputAudioSecond).or_else(|| {
            let is_transcription = self.mode == Mode::Transcription && self.usage.prompt_tokens == 0;
            let output = self.unit(Base::OutputSecond).filter(|price| !price.rate().is_zero());
            output.or_else(|| self.unit(Base::InputSecond)).filter(|_| is_transcription)
        })
    }

    /// Adds the images that were made: by their tokens if the usage has any and the entry prices them,
    /// else by the image, else by the pixel. The first positive price applies.
    fn add_images(&mut self) -> Option<()> {
        let Some(images) = self.units.images else { return Some(()) };
        if self.usage.completion_tokens > 0 && self.rates.prices_tokens() {
            self.of.is_counted = true;
            return Some(());
        }
        let size = self.units.image_size;
        let resolution = self.units.image_resolution.as_deref().and_then(resolution);
        let of_resolution = || {
            let price = self.rates.unit_of_size(Base::PerOutputImage, resolution, self.terms);
            price.filter(|price| resolution.is_some() && price.field().size().is_some()).copied()
        };
        let whole_pixels =
            |size: ImageSize| size.pixels().div_ceil(MEGAPIXEL).checked_mul(MEGAPIXEL)?.checked_mul(images);
        let known_size = size.filter(|_| self.unit(Base::PerOutputImage).is_some());
        let pixels = size.or_else(|| size_in(self.key)).unwrap_or(ImageSize::DEFAULT).pixels();
        let (images, pixels) = (Some(images), pixels.checked_mul(images));
        let prices = [
            (Component::MadeImage, images, of_resolution()),
            // An entry that has both prices is billed by the whole megapixel if the size is known.
            match known_size {
                Some(size) => (Component::MadePixel, whole_pixels(size), self.unit(Base::OutputPixel)),
                None => (Component::MadePixel, None, None),
            },
            (Component::MadeImage, images, self.unit(Base::PerOutputImage)),
            (Component::MadeImage, images, self.unit(Base::PerInputImage)),
            (Component::MadePixel, pixels, self.unit(Base::InputPixel)),
            (Component::MadePixel, pixels, self.unit(Base::OutputPixel)),
        ];
        let is_positive = |price: &Option<Price>| price.is_some_and(|price| !price.rate().is_zero());
        let first = prices.iter().find(|(_, _, price)| is_positive(price));
        let first = first.or_else(|| prices.iter().find(|(_, _, price)| price.is_some()));
        let (component, count, price) = *first.unwrap_or(&(Component::MadeImage, images, None));
        self.add_counted(component, Some(count?), price, &[Component::OutputImage], false)
    }

    /// Adds search units, pages, queries and messages.
    fn add_documents(&mut self) -> Option<()> {
        let (units, in_tokens) = (self.units, self.is_input_in_tokens());
        let query = self.unit(Base::Query);
        self.add_counted(Component::SearchUnit, units.search_units, query, &[Component::Input], in_tokens)?;
        let query = self.rates.query(units.max_results.unwrap_or(RESULTS), self.terms).copied();
        self.add_counted(Component::Query, units.queries, query, &[], false)?;
        let message = self.unit(Base::TextMessage);
        self.add_counted(Component::TextMessage, units.text_messages, message, &[], in_tokens)?;

        // Pages and credits stand for what the model read and wrote, and credits for pages.
        let document = &[Component::Input, Component::Output];
        let (page, credit) = (self.unit(Base::Page), self.unit(Base::Credit));
        let has_pages = units.pages.is_some() && page.is_some();
        let credits = match units.credits {
            Some(credits) if credit.is_some() || !has_pages => Some(nano(credits)?),
            _ => None,
        };
        self.add_counted(Component::Credit, credits, credit, document, in_tokens)?;
        if credits.is_some() && credit.is_some() {
            return Some(());
        }
        self.add_counted(Component::Page, units.pages, page, document, in_tokens)?;
        let annotated = self.unit(Base::AnnotatedPage).or(page);
        self.add_counted(Component::AnnotatedPage, units.annotated_pages, annotated, document, in_tokens)
    }

    fn search(&self, size: Size) -> Option<Price> {
        self.rates.unit_of_size(Base::SearchContext, Some(size), self.terms).copied()
    }

    /// Adds searches of the web, by the rule of the provider.
    fn add_searches(&mut self) -> Option<()> {
        let of_usage = self.usage.prompt_tokens_details.web_search_requests;
        let each = self.units.web_searches.unwrap_or(of_usage);
        let medium = || self.search(Size::MEDIUM);
        let or_default = || default_price(Base::SearchContext, self.provider, self.is_per_query);
        let (component, count, price) = match self.provider {
            ToolProvider::Perplexity => (Component::Search, each, self.search(Size::LOW)),
            ToolProvider::Anthropic | ToolProvider::Groq => (Component::WebSearch, each, medium()),
            ToolProvider::Google => {
                let count = if self.is_per_query { each } else { each.min(1) };
                (Component::WebSearch, count, medium().or_else(or_default))
            }
            ToolProvider::Xai => {
                let sizes = [Size::MEDIUM, Size::LOW, Size::HIGH];
                let mut prices = sizes.into_iter().filter_map(|size| self.search(size));
                let first = prices.find(|price| !price.rate().is_zero());
                (Component::WebSearch, each, first.or_else(or_default))
            }
            ToolProvider::Other | ToolProvider::Azure => {
                let size = match self.units.search_context_size {
                    Some(SearchContextSize::Low) => Size::LOW,
                    Some(SearchContextSize::High) => Size::HIGH,
                    Some(SearchContextSize::Medium) | None => Size::MEDIUM,
                };
                let count = self.units.web_searches.unwrap_or(of_usage.min(1));
                (Component::WebSearch, count, self.search(size))
            }
        };
        self.add(component, count, price)
    }

    /// Adds the other tools that the provider ran.
    fn add_tools(&mut self) -> Option<()> {
        let units = self.units;
        let visit = self.unit_or_default(Base::PageVisit);
        self.add(Component::PageVisit, units.page_visits.unwrap_or(0), visit)?;

        let requests = units.maps_requests.unwrap_or(0);
        let requests = if self.is_per_query { requests } else { requests.min(1) };
        self.add(Component::MapsGrounding, requests, self.unit_or_default(Base::MapsGrounding))?;

        let (searches, search) = (units.file_searches.unwrap_or(0), self.unit_or_default(Base::FileSearch));
        let storage = self.unit_or_default(Base::FileStorage);
        if search.is_some() || storage.is_none() {
            self.add(Component::FileSearch, searches, search)?;
        } else if searches > 0 && units.file_storage.is_none() {
            // The provider bills the storage, and not the searches.
            let component = Component::FileStorage;
            self.of.push(UnitLine { component, digits: 0, price: None, how: How::Uncounted })?;
        }
        let stored = units.file_storage.map_or(Some(0), nano)?;
        self.add(Component::FileStorage, stored, storage)?;
        let stored = units.vector_store.map_or(Some(0), nano)?;
        self.add(Component::VectorStore, stored, self.unit_or_default(Base::VectorStore))?;

        let of_container = || self.container?.unit(Base::CodeInterpreter, self.terms).copied();
        let session = self.unit(Base::CodeInterpreter).or_else(of_container);
        let sessions = units.code_interpreter_sessions;
        if sessions.is_some() && self.unit(Base::CodeInterpreter).is_some() {
            (self.of.is_counted, self.of.stands_for_tokens) = (true, true);
        }
        self.add(Component::CodeInterpreter, sessions.unwrap_or(0), session)?;

        let [input, output] = units.computer_use.unwrap_or_default();
        self.add(Component::ComputerInput, input, self.unit_or_default(Base::ComputerInput))?;
        self.add(Component::ComputerOutput, output, self.unit_or_default(Base::ComputerOutput))
    }
}

/// Returns the size that a resolution names.
fn resolution(text: &str) -> Option<Size> {
    Size::parse(&text.trim().to_ascii_lowercase())
}

/// Returns the size that the key of an entry names, such as `azure/hd/1024-x-1792/dall-e-3`.
fn size_in(key: &str) -> Option<ImageSize> {
    key.split('/').find_map(|part| part.parse().ok())
}

fn nanoseconds(duration: Duration) -> Option<u64> {
    u64::try_from(duration.as_nanos()).ok()
}

/// Returns the nanoseconds of a duration, if there is one. Returns `None` if they overflow.
#[allow(clippy::option_option, reason = "an overflow, and a duration that is not known")]
fn optional(duration: Option<Duration>) -> Option<Option<u64>> {
    duration.map_or(Some(None), |duration| nanoseconds(duration).map(Some))
}

/// Returns a number in billionths. Returns `None` if it is negative, not whole or too large.
fn nano(number: Number) -> Option<u64> {
    let billionths = number.checked_mul(Number::from(1_000_000_000))?;
    if number < Number::from(0) { None } else { billionths.as_u64() }
}

//! The components of a bill.

use std::fmt;

use super::field::Base;
use crate::words::words;

/// One kind of usage that a call is billed for. Every line of a [`Cost`](crate::Cost) is about one
/// component.
///
/// Token components are disjoint: every token of a call belongs to exactly one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Component {
    /// Prompt tokens that were neither cached nor written to a cache, nor audio, image or video.
    Input,
    /// Prompt tokens read from a cache.
    CacheRead,
    /// Audio tokens read from a cache.
    CacheReadAudio,
    /// Image tokens read from a cache.
    CacheReadImage,
    /// Prompt tokens written to a cache, for its usual lifetime (5 or 30 minutes).
    CacheWrite,
    /// Prompt tokens written to a cache that lives for an hour.
    CacheWrite1h,
    /// Prompt tokens written to a cache that lives for twelve hours.
    CacheWrite12h,
    /// Audio tokens of the prompt.
    InputAudio,
    /// Image tokens of the prompt.
    InputImage,
    /// Video tokens of the prompt.
    InputVideo,
    /// Completion tokens of text.
    Output,
    /// Completion tokens spent on reasoning.
    Reasoning,
    /// Audio tokens of the completion.
    OutputAudio,
    /// Image tokens of the completion.
    OutputImage,
    /// Video tokens of the completion.
    OutputVideo,
    /// Citation tokens (Perplexity).
    Citation,
    /// The flat fee of a router, by prompt tokens (Azure's model router).
    RouterFee,
    /// Seconds that the call or the session took, for models that are billed by the second.
    Duration,
    /// The request itself, if the operator's prices have a fee for it.
    Request,
    /// Text messages of a session.
    TextMessage,
    /// Characters of the prompt.
    InputCharacter,
    /// Characters of the completion.
    OutputCharacter,
    /// Images that the model was sent.
    SentImage,
    /// Seconds of audio that the model was sent.
    SentAudio,
    /// Seconds of video that the model was sent.
    SentVideo,
    /// Images that the model made, billed by the image.
    MadeImage,
    /// Pixels of the images that the model made, billed by the pixel.
    MadePixel,
    /// Seconds of audio that the model made.
    MadeAudio,
    /// Seconds of video that the model made.
    MadeVideo,
    /// Pages that were read (OCR).
    Page,
    /// Pages that were annotated (OCR).
    AnnotatedPage,
    /// Credits of the provider (OCR).
    Credit,
    /// Search units of a reranker.
    SearchUnit,
    /// Queries of a search or embedding API.
    Query,
    /// Searches that are part of an answer (Perplexity).
    Search,
    /// Searches of the web, a tool that the provider ran. So are the components below.
    WebSearch,
    /// Pages that a browser opened (Groq).
    PageVisit,
    /// Requests of Grounding with Google Maps.
    MapsGrounding,
    /// Searches of files.
    FileSearch,
    /// Storage of the files that are searched, in gigabytes times days (Azure).
    FileStorage,
    /// Storage of vectors, in gigabytes times days.
    VectorStore,
    /// Sessions of a code interpreter.
    CodeInterpreter,
    /// Input tokens of computer use.
    ComputerInput,
    /// Output tokens of computer use.
    ComputerOutput,
    /// A discount of the operator's, which is negative. This and the components below follow on a bill
    /// after what the map prices.
    Discount,
    /// A margin of the operator's.
    Margin,
    /// A guardrail that the caller [charges](crate::cost::Charge) for. So are the components below.
    Guardrail,
    /// A tool that the caller ran.
    ToolCall,
    /// Any other charge.
    Fee,
}

words! {
    Component is a "component of a cost":
    Input = "input",
    CacheRead = "cache_read",
    CacheReadAudio = "cache_read_audio",
    CacheReadImage = "cache_read_image",
    CacheWrite = "cache_write",
    CacheWrite1h = "cache_write_1h",
    CacheWrite12h = "cache_write_12h",
    InputAudio = "input_audio",
    InputImage = "input_image",
    InputVideo = "input_video",
    Output = "output",
    Reasoning = "reasoning",
    OutputAudio = "output_audio",
    OutputImage = "output_image",
    OutputVideo = "output_video",
    Citation = "citation",
    RouterFee = "router_fee",
    Duration = "duration",
    Request = "request",
    TextMessage = "text_message",
    InputCharacter = "input_character",
    OutputCharacter = "output_character",
    SentImage = "sent_image",
    SentAudio = "sent_audio",
    SentVideo = "sent_video",
    MadeImage = "made_image",
    MadePixel = "made_pixel",
    MadeAudio = "made_audio",
    MadeVideo = "made_video",
    Page = "page",
    AnnotatedPage = "annotated_page",
    Credit = "credit",
    SearchUnit = "search_unit",
    Query = "query",
    Search = "search",
    WebSearch = "web_search",
    PageVisit = "page_visit",
    MapsGrounding = "maps_grounding",
    FileSearch = "file_search",
    FileStorage = "file_storage",
    VectorStore = "vector_store",
    CodeInterpreter = "code_interpreter",
    ComputerInput = "computer_input",
    ComputerOutput = "computer_output",
    Discount = "discount",
    Margin = "margin",
    Guardrail = "guardrail",
    ToolCall = "tool_call",
    Fee = "fee",
}

impl Component {
    /// Returns whether the component counts towards [`Cost::input`](crate::Cost::input): the prompt,
    /// what is billed by the request or by its duration, and what the model was sent or reads.
    #[must_use]
    pub fn is_input(self) -> bool {
        let is_output = matches!(
            self,
            Self::OutputCharacter
                | Self::MadeImage
                | Self::MadePixel
                | Self::MadeAudio
                | Self::MadeVideo
                | Self::Search
        );
        self < Self::Output || (self > Self::OutputVideo && self < Self::WebSearch && !is_output)
    }

    /// Returns whether the component counts towards [`Cost::tools`](crate::Cost::tools): tools that the
    /// provider ran.
    #[must_use]
    pub fn is_tool(self) -> bool {
        self >= Self::WebSearch && self < Self::Discount
    }

    /// Returns whether the component is read from a cache.
    pub(crate) fn is_cache_read(self) -> bool {
        matches!(self, Self::CacheRead | Self::CacheReadAudio | Self::CacheReadImage)
    }

    /// Returns whether the component is written to a cache.
    pub(crate) fn is_cache_write(self) -> bool {
        matches!(self, Self::CacheWrite | Self::CacheWrite1h | Self::CacheWrite12h)
    }

    /// Returns the number of decimals of the component's counts, which are whole numbers: seconds are
    /// counted in nanoseconds.
    #[inline]
    pub(crate) fn decimals(self) -> u8 {
        match self.unit() {
            Unit::Seconds | Unit::Credits | Unit::GigabyteDays => 9,
            _ => 0,
        }
    }

    /// Returns the unit of the component's quantities.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Self::Duration | Self::SentAudio | Self::SentVideo | Self::MadeAudio | Self::MadeVideo => {
                Unit::Seconds
            }
            Self::Request | Self::MapsGrounding => Unit::Requests,
            Self::TextMessage => Unit::Messages,
            Self::InputCharacter | Self::OutputCharacter => Unit::Characters,
            Self::SentImage | Self::MadeImage => Unit::Images,
            Self::MadePixel => Unit::Pixels,
            Self::Page | Self::AnnotatedPage | Self::PageVisit => Unit::Pages,
            Self::Credit => Unit::Credits,
            Self::SearchUnit => Unit::SearchUnits,
            Self::Query | Self::Search | Self::WebSearch => Unit::Queries,
            Self::FileSearch
            | Self::Discount
            | Self::Margin
            | Self::Guardrail
            | Self::ToolCall
            | Self::Fee => Unit::Calls,
            Self::FileStorage | Self::VectorStore => Unit::GigabyteDays,
            Self::CodeInterpreter => Unit::Sessions,
            _ => Unit::Tokens,
        }
    }

    /// Returns the base of the field that prices the component. Returns `None` for components that
    /// several fields price alike.
    pub(crate) fn own_base(self) -> Option<Base> {
        Some(match self {
            Self::Input | Self::RouterFee => Base::Input,
            Self::CacheRead => Base::CacheRead,
            Self::CacheReadAudio => Base::CacheReadAudio,
            Self::CacheReadImage => Base::CacheReadImage,
            Self::CacheWrite => Base::CacheWrite,
            Self::CacheWrite1h => Base::CacheWrite1h,
            Self::CacheWrite12h => Base::CacheWrite12h,
            Self::InputAudio => Base::InputAudio,
            Self::InputImage => Base::InputImage,
            Self::InputVideo => Base::InputVideo,
            Self::Citation => Base::Citation,
            Self::Output => Base::Output,
            Self::Reasoning => Base::Reasoning,
            Self::OutputAudio => Base::OutputAudio,
            Self::OutputImage => Base::OutputImage,
            Self::OutputVideo => Base::OutputVideo,
            Self::AnnotatedPage => Base::AnnotatedPage,
            _ => return None,
        })
    }

    /// Returns the method that sets the count of the component, for errors.
    pub(crate) fn setter(self) -> &'static str {
        match self {
            Self::Duration => "Call::duration",
            Self::TextMessage => "Units::text_messages",
            Self::InputCharacter => "Units::input_characters",
            Self::OutputCharacter => "Units::output_characters",
            Self::SentImage => "Units::input_images",
            Self::SentAudio => "Units::input_audio",
            Self::SentVideo => "Units::input_video",
            Self::MadeImage | Self::MadePixel => "Units::images",
            Self::MadeAudio => "Units::audio",
            Self::MadeVideo => "Units::video",
            Self::Page => "Units::pages",
            Self::AnnotatedPage => "Units::annotated_pages",
            Self::Credit => "Units::credits",
            Self::SearchUnit => "Units::search_units",
            Self::Query => "Units::queries",
            Self::WebSearch => "Units::web_searches",
            Self::PageVisit => "Units::page_visits",
            Self::MapsGrounding => "Units::maps_requests",
            Self::FileSearch => "Units::file_searches",
            Self::FileStorage => "Units::file_storage",
            Self::VectorStore => "Units::vector_store",
            Self::CodeInterpreter => "Units::code_interpreter_sessions",
            Self::ComputerInput | Self::ComputerOutput => "Units::computer_use",
            _ => "the tokens of the usage",
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The unit of a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Unit {
    /// Tokens.
    Tokens,
    /// Seconds.
    Seconds,
    /// Requests.
    Requests,
    /// Messages.
    Messages,
    /// Characters.
    Characters,
    /// Images.
    Images,
    /// Pixels.
    Pixels,
    /// Pages.
    Pages,
    /// Credits of a provider.
    Credits,
    /// Search units.
    SearchUnits,
    /// Search queries.
    Queries,
    /// Calls.
    Calls,
    /// Gigabytes times days.
    GigabyteDays,
    /// Sessions.
    Sessions,
}

words! {
    Unit is a "unit":
    Tokens = "tokens",
    Seconds = "seconds",
    Requests = "requests",
    Messages = "messages",
    Characters = "characters",
    Images = "images",
    Pixels = "pixels",
    Pages = "pages",
    Credits = "credits",
    SearchUnits = "search_units",
    Queries = "queries",
    Calls = "calls",
    GigabyteDays = "gigabyte_days",
    Sessions = "sessions",
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

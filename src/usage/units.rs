//! [`Units`]: what a call used beside the tokens of its model.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::num::Number;
use crate::text::clip;
use crate::words::words;

/// Usage in other units than tokens, and the properties of a call that the prices of such units depend
/// on.
///
/// Every count is absent unless it is set: a call to a model that is billed by a unit of which the call
/// says nothing is an [`Error::Unpriced`](crate::Error::Unpriced). A count of zero is free. A
/// [`Call`](crate::Call) is made of units alone, or has them beside its
/// [`Usage`](crate::Usage); a [`wire::Response`](crate::wire::Response) counts those that it shows.
///
/// A count that the model has a price for takes the place of the tokens of the same: characters for
/// text, images, seconds of audio and of video, pages and search units. Images and audio that the model
/// made are billed by the tokens of the completion if the usage counts them and the model prices them. A
/// model without a price of search units or pages is billed by the tokens of the prompt.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "bundled")] {
/// use std::time::Duration;
///
/// use llm_costmap::{Call, CostMap, ImageSize, Units, Usage};
///
/// let map = CostMap::bundled();
/// let images = Units::new().images(2).image_size(ImageSize::new(1024, 1536)).image_quality("high");
/// let cost = map.cost("gpt-image-1.5", &images)?;
/// assert_eq!(cost.key(), "high/1024-x-1536/gpt-image-1.5");
/// assert_eq!(cost.total().to_string(), "0.4");
///
/// let audio = Units::new().input_audio(Duration::from_secs(90));
/// assert_eq!(map.cost("whisper-1", &audio)?.total().to_string(), "0.009");
///
/// // Three searches of the web beside the tokens of an answer.
/// let units = Units::new().web_searches(3);
/// let cost = map.cost("claude-sonnet-4-5", Call::new(&Usage::new(1_000, 100)).units(&units))?;
/// assert_eq!(cost.tools().to_string(), "0.03");
/// assert_eq!(cost.total().to_string(), "0.0345");
/// # }
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[must_use]
pub struct Units {
    /// Images that the model made.
    pub images: Option<u64>,
    /// The size of each image that the model made, in pixels. Default: that of the priced entry, else
    /// 1024 x 1024.
    pub image_size: Option<ImageSize>,
    /// The quality that was asked for, such as `hd` or `high`; the steps, on Bedrock. Default:
    /// `standard`, else `high`.
    pub image_quality: Option<String>,
    /// The resolution that was asked for, such as `2K` or `1024`, for models that price images by it.
    pub image_resolution: Option<String>,
    /// Images that the model was sent.
    pub input_images: Option<u64>,
    /// The video that the model made.
    pub video: Option<Duration>,
    /// The resolution of the video that the model made, such as `720p` or `4k`. Default: the price of
    /// a second without a resolution.
    pub video_resolution: Option<String>,
    /// The video that the model was sent.
    pub input_video: Option<Duration>,
    /// The audio that the model made.
    pub audio: Option<Duration>,
    /// The audio that the model was sent, such as that of a transcription.
    pub input_audio: Option<Duration>,
    /// Characters of the prompt, such as those of a text that is spoken.
    pub input_characters: Option<u64>,
    /// Characters of the completion.
    pub output_characters: Option<u64>,
    /// Search units of a reranker.
    pub search_units: Option<u64>,
    /// Pages that were read (OCR).
    pub pages: Option<u64>,
    /// Pages that were annotated (OCR).
    pub annotated_pages: Option<u64>,
    /// Credits of the provider, with up to nine decimals (OCR).
    pub credits: Option<Number>,
    /// Queries of a search or embedding API.
    pub queries: Option<u64>,
    /// The results that each query may return. Default: 10.
    pub max_results: Option<u64>,
    /// The mode of queries that was asked for, such as Tavily's `advanced` or Linkup's `deep`, for APIs
    /// whose modes have entries of their own. Default: that of the priced entry.
    pub search_mode: Option<String>,
    /// Text messages of a session (xAI).
    pub text_messages: Option<u64>,
    /// Searches of the web that are billed one by one. Default: those of the
    /// [usage](crate::usage::PromptTokensDetails::web_search_requests), which some providers bill once a
    /// call.
    pub web_searches: Option<u64>,
    /// The context size of searches that was asked for. Default: medium.
    pub search_context_size: Option<SearchContextSize>,
    /// Pages that a browser of the provider opened (Groq).
    pub page_visits: Option<u64>,
    /// Requests of Grounding with Google Maps.
    pub maps_requests: Option<u64>,
    /// Searches of files.
    pub file_searches: Option<u64>,
    /// The storage of files that are searched, in gigabytes times days, with up to nine decimals
    /// (Azure).
    pub file_storage: Option<Number>,
    /// The storage of vectors, in gigabytes times days, with up to nine decimals.
    pub vector_store: Option<Number>,
    /// Sessions of a code interpreter.
    pub code_interpreter_sessions: Option<u64>,
    /// Input and output tokens of computer use.
    pub computer_use: Option<[u64; 2]>,
}

/// Defines methods that set a field.
macro_rules! setters {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)+) => {
        $(
            $(#[$doc])*
            pub fn $field(mut self, $field: $type) -> Self {
                self.$field = Some($field);
                self
            }
        )+
    };
}

impl Units {
    /// Creates units without any count.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// Sets the number of images that the model made.
        images: u64,
        /// Sets the size of each image that the model made.
        image_size: ImageSize,
        /// Sets the number of images that the model was sent.
        input_images: u64,
        /// Sets the duration of the video that the model made.
        video: Duration,
        /// Sets the duration of the video that the model was sent.
        input_video: Duration,
        /// Sets the duration of the audio that the model made.
        audio: Duration,
        /// Sets the duration of the audio that the model was sent.
        input_audio: Duration,
        /// Sets the number of characters of the prompt.
        input_characters: u64,
        /// Sets the number of characters of the completion.
        output_characters: u64,
        /// Sets the number of search units of a reranker.
        search_units: u64,
        /// Sets the number of pages that were read (OCR).
        pages: u64,
        /// Sets the number of pages that were annotated (OCR).
        annotated_pages: u64,
        /// Sets the credits of the provider (OCR). A number that is negative or has more than nine
        /// decimals makes the cost an [`Error::Overflow`](crate::Error::Overflow).
        credits: Number,
        /// Sets the number of queries of a search or embedding API.
        queries: u64,
        /// Sets the number of results that each query may return.
        max_results: u64,
        /// Sets the number of text messages of a session.
        text_messages: u64,
        /// Sets the number of searches of the web, each of which is billed.
        web_searches: u64,
        /// Sets the context size of searches that was asked for.
        search_context_size: SearchContextSize,
        /// Sets the number of pages that a browser of the provider opened.
        page_visits: u64,
        /// Sets the number of requests of Grounding with Google Maps.
        maps_requests: u64,
        /// Sets the number of searches of files.
        file_searches: u64,
        /// Sets the storage of files that are searched, in gigabytes times days. The numbers of
        /// [`credits`](Self::credits) are forbidden here, too.
        file_storage: Number,
        /// Sets the storage of vectors, in gigabytes times days. The numbers of
        /// [`credits`](Self::credits) are forbidden here, too.
        vector_store: Number,
        /// Sets the number of sessions of a code interpreter.
        code_interpreter_sessions: u64,
    }

    /// Sets the quality of images that was asked for.
    pub fn image_quality(mut self, quality: impl Into<String>) -> Self {
        self.image_quality = Some(quality.into());
        self
    }

    /// Sets the resolution of images that was asked for.
    pub fn image_resolution(mut self, resolution: impl Into<String>) -> Self {
        self.image_resolution = Some(resolution.into());
        self
    }

    /// Sets the mode of queries that was asked for.
    pub fn search_mode(mut self, mode: impl Into<String>) -> Self {
        self.search_mode = Some(mode.into());
        self
    }

    /// Sets the resolution of the video that the model made.
    pub fn video_resolution(mut self, resolution: impl Into<String>) -> Self {
        self.video_resolution = Some(resolution.into());
        self
    }

    /// Sets the input and output tokens of computer use.
    pub fn computer_use(mut self, input_tokens: u64, output_tokens: u64) -> Self {
        self.computer_use = Some([input_tokens, output_tokens]);
        self
    }

    /// Returns whether nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The units of a response. Most have none, and reading a short one is measurably slower if their room is
/// moved along.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ShownUnits(Option<Box<Units>>);

impl ShownUnits {
    pub(crate) fn get(&self) -> Option<&Units> {
        self.0.as_deref()
    }

    pub(crate) fn get_mut(&mut self) -> &mut Units {
        self.0.get_or_insert_default()
    }

    /// Sets a field, if there is a value for it.
    #[inline]
    pub(crate) fn put<T>(&mut self, field: fn(&mut Units) -> &mut Option<T>, value: Option<T>) {
        if value.is_some() {
            *field(self.get_mut()) = value;
        }
    }
}

impl From<Units> for ShownUnits {
    fn from(units: Units) -> Self {
        Self(Some(Box::new(units)))
    }
}

/// The size of an image, in pixels.
///
/// # Examples
///
/// ```
/// use llm_costmap::ImageSize;
///
/// let size: ImageSize = "1024x1536".parse()?;
/// assert_eq!(size, ImageSize::new(1024, 1536));
/// assert_eq!("1024-x-1536".parse(), Ok(size));
/// # Ok::<(), llm_costmap::usage::ParseImageSizeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct ImageSize {
    /// The width, in pixels.
    pub width: u32,
    /// The height, in pixels.
    pub height: u32,
}

impl ImageSize {
    /// The size that images have if a call does not say.
    pub const DEFAULT: Self = Self::new(1024, 1024);

    /// Creates a size.
    #[must_use]
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Returns the number of pixels.
    #[must_use]
    pub fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// Writes the size as `1024x1536`.
impl fmt::Display for ImageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// Reads `1024x1536`, `1024-x-1536` or `1024*1536`.
impl FromStr for ImageSize {
    type Err = ParseImageSizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let sides = ["-x-", "x", "*"].iter().find_map(|separator| text.split_once(separator));
        let side = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { text.parse::<u32>().ok() } else { None }
        };
        let size = sides.and_then(|(width, height)| Some(Self::new(side(width)?, side(height)?)));
        size.ok_or_else(|| ParseImageSizeError { text: clip(text).into() })
    }
}

/// The error of a text that is not the size of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the size of an image: write it as 1024x1536")]
pub struct ParseImageSizeError {
    text: Box<str>,
}

/// The amount of context that a search of the web reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SearchContextSize {
    /// The least context.
    Low,
    /// The usual context.
    Medium,
    /// The most context.
    High,
}

words! {
    SearchContextSize is a "search context size":
    Low = "low",
    Medium = "medium",
    High = "high",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_the_forms_of_providers() {
        for text in ["1024x1536", "1024-x-1536", "1024*1536"] {
            assert_eq!(text.parse(), Ok(ImageSize::new(1024, 1536)), "{text}");
        }
        for text in ["", "1024", "x", "1024x", "x1024", "+1x2", "1x2x3", "auto", "4294967296x1", "1 x 2"] {
            let error = text.parse::<ImageSize>().unwrap_err();
            let expected = format!("{text:?} is not the size of an image: write it as 1024x1536");
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn units_are_empty_until_something_is_set() {
        assert!(Units::new().is_empty());
        assert!(!Units::new().images(0).is_empty() && !Units::new().image_quality("").is_empty());
    }
}

//! The amounts of a line: what a call used in other units than tokens.

use std::time::Duration;

use llm_costmap::cost::Number;
use llm_costmap::usage::SearchContextSize;
use llm_costmap::{Call, Units, Usage};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Amounts {
    images: Option<u64>,
    size: Option<String>,
    quality: Option<String>,
    resolution: Option<String>,
    input_images: Option<u64>,
    seconds: Option<Number>,
    input_seconds: Option<Number>,
    characters: Option<u64>,
    output_characters: Option<u64>,
    search_units: Option<u64>,
    total_tokens: Option<u64>,
    pages: Option<u64>,
    annotation_pages: Option<u64>,
    credits: Option<Number>,
    queries: Option<u64>,
    max_results: Option<u64>,
    search_mode: Option<String>,
    text_messages: Option<u64>,
    web_search_requests: Option<u64>,
    search_context_size: Option<String>,
    page_visits: Option<u64>,
    maps_requests: Option<u64>,
    file_searches: Option<u64>,
    file_storage_gb_days: Option<Number>,
    vector_store_gb_days: Option<Number>,
    code_interpreter_sessions: Option<u64>,
    computer_use_input_tokens: Option<u64>,
    computer_use_output_tokens: Option<u64>,
}

/// The words for what a line counts.
const UNITS: [&str; 9] =
    ["image", "video", "speech", "transcription", "session", "rerank", "ocr", "search", "web_search"];

/// The amounts of a line, as calls take them.
pub(crate) struct Measured {
    pub(crate) units: Units,
    /// The tokens of a line that has no other usage.
    usage: Option<Usage>,
    /// The seconds of a session.
    duration: Option<Duration>,
}

impl Measured {
    /// Returns a call of the tokens that the amounts count.
    pub(crate) fn call(&self) -> Call<'_> {
        let call = self.usage.as_ref().map_or_else(|| Call::from(&self.units), Call::new);
        self.duration.map_or(call, |duration| call.duration(duration))
    }
}

impl Amounts {
    /// Sorts the amounts by what they count. `unit` says what was measured in seconds.
    pub(crate) fn measured(self, unit: Option<&str>) -> Result<Measured, String> {
        if let Some(unit) = unit.filter(|unit| !UNITS.contains(unit)) {
            return Err(format!("unit: {unit:?} is none of {}", UNITS.join(", ")));
        }
        let seconds = |name: &str, seconds: Option<Number>| {
            seconds
                .map(|seconds| duration(seconds).ok_or(format!("amounts: {name}: {seconds} is no duration")))
        };
        let mut units = Units::new();
        (units.images, units.input_images) = (self.images, self.input_images);
        (units.image_quality, units.image_resolution) = (self.quality, self.resolution.clone());
        units.video_resolution = self.resolution;
        let size = self.size.filter(|size| size != "auto").map(|size| size.parse()).transpose();
        units.image_size = size.map_err(|error| format!("amounts: size: {error}"))?;
        (units.input_characters, units.output_characters) = (self.characters, self.output_characters);
        (units.search_units, units.queries, units.max_results) =
            (self.search_units, self.queries, self.max_results);
        (units.pages, units.annotated_pages, units.credits) =
            (self.pages, self.annotation_pages, self.credits);
        (units.search_mode, units.text_messages) = (self.search_mode, self.text_messages);
        let size = self.search_context_size.map(|size| size.parse::<SearchContextSize>()).transpose();
        units.search_context_size = size.map_err(|error| format!("amounts: search_context_size: {error}"))?;
        (units.page_visits, units.maps_requests) = (self.page_visits, self.maps_requests);
        units.file_searches = self.file_searches;
        (units.file_storage, units.vector_store) = (self.file_storage_gb_days, self.vector_store_gb_days);
        units.code_interpreter_sessions = self.code_interpreter_sessions;
        if let (Some(_), _) | (_, Some(_)) = (self.computer_use_input_tokens, self.computer_use_output_tokens)
        {
            let [input, output] = [self.computer_use_input_tokens, self.computer_use_output_tokens];
            units = units.computer_use(input.unwrap_or(0), output.unwrap_or(0));
        }

        let (measured, sent) =
            (seconds("seconds", self.seconds), seconds("input_seconds", self.input_seconds).transpose()?);
        let (measured, mut session) = (measured.transpose()?, None);
        match unit {
            Some("video") => (units.video, units.input_video) = (measured, sent),
            Some("speech") => (units.audio, units.input_audio) = (measured, sent),
            Some("session") => (session, units.input_audio) = (measured, sent),
            _ => units.input_audio = measured.or(sent),
        }

        // Tools have their price beside that of an answer, of which the line may say nothing.
        let searches = self.web_search_requests;
        let has_tools = searches.is_some()
            || units.page_visits.or(units.maps_requests).or(units.file_searches).is_some()
            || units.file_storage.or(units.vector_store).is_some()
            || units.code_interpreter_sessions.is_some()
            || units.computer_use.is_some();
        let tokens = self.total_tokens.or(has_tools.then_some(0));
        let usage = tokens.map(|tokens| {
            let mut usage = Usage::new(tokens, 0);
            usage.prompt_tokens_details.web_search_requests = searches.unwrap_or(0);
            usage
        });
        Ok(Measured { units, usage, duration: session })
    }
}

/// Returns a duration of seconds, to the nanosecond.
fn duration(seconds: Number) -> Option<Duration> {
    let text = seconds.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let nanoseconds = format!("{fraction:0<9}");
    let nanoseconds = nanoseconds.get(..9)?.parse().ok()?;
    Some(Duration::new(whole.parse().ok()?, nanoseconds))
}

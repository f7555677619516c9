//! [`ToolCalls`]: the calls of tools that a response shows.

use std::collections::BTreeSet;

use serde::de::MapAccess;

use crate::usage::{Count, Format, List, Object, Text, Units, object, slots_by};

slots_by!(read_list: Queries);
slots_by!(read_each: Chunks);

/// Calls of tools that a response shows, by kind.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ToolCalls {
    /// Functions and other tools that the caller runs.
    pub functions: u64,
    /// Searches of the web that the provider ran.
    pub web_searches: u64,
    /// Searches of files that the provider ran.
    pub file_searches: u64,
    /// Pages that a browser of the provider's opened (Groq).
    pub page_visits: u64,
    /// Runs of the provider's code interpreter.
    pub code_interpreter: u64,
    /// Sessions of the provider's code interpreter: its containers, or one if it ran and the response
    /// names none.
    pub code_interpreter_sessions: u64,
    /// Actions on a computer.
    pub computer_use: u64,
    /// Requests of Grounding with Google Maps.
    pub maps_grounding: u64,
    /// Images that were made beside the output.
    pub image_generation: u64,
}

impl ToolCalls {
    /// Counts an item or a content block by its type.
    pub(super) fn count(&mut self, kind: &str) {
        let counter = match kind {
            "tool_use" | "function_call" | "custom_tool_call" | "mcp_call" => &mut self.functions,
            "web_search_call" | "search" => &mut self.web_searches,
            "file_search_call" => &mut self.file_searches,
            "code_interpreter_call" | "python" => &mut self.code_interpreter,
            "computer_call" => &mut self.computer_use,
            "image_generation_call" => &mut self.image_generation,
            _ => return,
        };
        *counter = counter.saturating_add(1);
    }

    pub(super) fn count_function(&mut self) {
        self.functions = self.functions.saturating_add(1);
    }

    /// Sets the units of the calls that providers have a fee for. Searches of OpenAI's Responses are
    /// billed one by one; how others are billed depends on the provider.
    pub(super) fn count_units(&self, format: Format, units: &mut Units) {
        let positive = |calls: u64| Some(calls).filter(|calls| *calls > 0);
        if format == Format::OpenAiResponses {
            units.web_searches = positive(self.web_searches);
        }
        units.maps_requests = positive(self.maps_grounding).or(units.maps_requests);
        units.page_visits = positive(self.page_visits).or(units.page_visits);
        units.file_searches = positive(self.file_searches);
        units.code_interpreter_sessions = positive(self.code_interpreter_sessions);
    }

    pub(super) fn add(&mut self, more: Self) {
        for (sum, more) in [
            (&mut self.functions, more.functions),
            (&mut self.web_searches, more.web_searches),
            (&mut self.file_searches, more.file_searches),
            (&mut self.page_visits, more.page_visits),
            (&mut self.code_interpreter, more.code_interpreter),
            (&mut self.code_interpreter_sessions, more.code_interpreter_sessions),
            (&mut self.computer_use, more.computer_use),
            (&mut self.maps_grounding, more.maps_grounding),
            (&mut self.image_generation, more.image_generation),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

/// The queries that Gemini searched for. Each counts once, however often it is repeated.
#[derive(Debug, Default)]
pub(super) struct Grounding {
    web: BTreeSet<String>,
    maps: BTreeSet<String>,
    has_maps: bool,
}

impl Grounding {
    /// The most queries that are kept. No response has as many.
    const MOST: usize = 1_000;

    pub(super) fn add(&mut self, item: GroundingMetadata) {
        let is_maps = item.chunks.has_maps || item.widget.get().is_some_and(|token| !token.is_empty());
        let queries = if is_maps && !item.chunks.has_web { &mut self.maps } else { &mut self.web };
        for query in item.queries.0 {
            if queries.len() < Self::MOST {
                queries.insert(query);
            }
        }
        self.has_maps |= is_maps;
    }

    pub(super) fn web_searches(&self) -> Count {
        (!self.web.is_empty()).then_some(self.web.len() as u64)
    }

    /// Returns whether the web or Maps was searched, the results of which are not billed as tokens.
    pub(super) fn is_grounded(&self) -> bool {
        self.has_maps || !self.web.is_empty()
    }

    pub(super) fn maps_requests(&self) -> u64 {
        if self.has_maps { self.maps.len().max(1) as u64 } else { 0 }
    }
}

object! {
    struct GroundingMetadata {
        queries: Queries = "webSearchQueries",
        chunks: Chunks = "groundingChunks",
        widget: Text = "googleMapsWidgetContextToken",
    }
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Queries(Vec<String>);

impl List for Queries {
    type Element = Text;

    fn begin(&mut self) {
        self.0.clear();
    }

    fn add(&mut self, element: Text) {
        if let Some(query) = element.get().filter(|query| !query.is_empty()) {
            if self.0.len() < Grounding::MOST {
                self.0.push(query.to_owned());
            }
        }
    }
}

/// The kinds of chunks that an answer is grounded in.
#[derive(Debug, Default, Clone)]
pub(crate) struct Chunks {
    has_web: bool,
    has_maps: bool,
}

impl Object for Chunks {
    fn read_field<'de, A: MapAccess<'de>>(&mut self, name: &str, _: &mut A) -> Result<bool, A::Error> {
        self.has_web |= name == "web";
        self.has_maps |= name == "maps";
        Ok(false)
    }
}

//! [`ToolCalls`]: the calls of tools that a response shows, and the units that they are billed by.

use std::collections::BTreeSet;

use serde::de::MapAccess;

use crate::usage::{
    Context, Count, Format, List, Normal, Object, Part, Text, Units, Usage, UsageFields, Word, object,
    slots_by,
};

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
    /// Actions on a computer.
    pub computer_use: u64,
    /// Requests of Grounding with Google Maps.
    pub maps_grounding: u64,
    /// Images that were made beside the output.
    pub image_generation: u64,
}

object! {
    /// An item of output, or a tool that was executed.
    struct Item {
        kind: Word = "type",
        name: Word = "name",
        status: Word = "status",
        container: Text = "container_id",
        size: Word = "size",
        quality: Word = "quality",
    }
}

object! {
    struct ToolSettings {
        kind: Word = "type",
        model: Text = "model",
    }
}

object! {
    struct SearchUsage {
        requests: Count = "num_requests",
    }
}

object! {
    /// The usage of tools that a response reports apart from that of its model.
    struct ToolUsage {
        web_search: SearchUsage = "web_search",
        images: UsageFields = "image_gen",
    }
}

/// What a response shows of tools.
#[derive(Debug, Default, Clone)]
pub(super) struct Tools {
    pub(super) calls: ToolCalls,
    /// True if the answer cites pages of the web, which it searched for at least once.
    pub(super) cites_web: bool,
    /// True if the answer cites files, which it searched for at least once.
    pub(super) cites_files: bool,
    containers: BTreeSet<String>,
    images: Vec<MadeImages>,
    /// The model that makes images.
    image_model: Text,
    usage: ToolUsage,
}

/// Images of one size and quality, made by a tool.
#[derive(Debug, Clone)]
struct MadeImages {
    size: Word,
    quality: Word,
    count: u64,
}

impl Tools {
    /// The most containers, and sizes and qualities of images, that are told apart. No response has as
    /// many.
    const MOST: usize = 1_000;

    /// Forgets the items, which are counted anew. Settings and usages stay.
    pub(super) fn recount(&mut self) {
        (self.calls, self.images) = (ToolCalls::default(), Vec::new());
        self.containers.clear();
    }

    /// Counts an item of output.
    pub(super) fn count_item(&mut self, item: Item) {
        let kind = item.kind.get().unwrap_or("");
        self.calls.count(kind);
        match kind {
            "code_interpreter_call" => {
                if let Some(id) = item.container.into_inner().filter(|_| self.containers.len() < Self::MOST) {
                    self.containers.insert(id);
                }
            }
            "image_generation_call" if item.status.get().is_none_or(|status| status == "completed") => {
                self.count_image(item.size, item.quality);
            }
            _ => {}
        }
    }

    fn count_image(&mut self, size: Word, quality: Word) {
        let is_known = |known: &&mut MadeImages| (known.size, known.quality) == (size, quality);
        let has_room = self.images.len() < Self::MOST;
        match self.images.iter_mut().find(is_known) {
            Some(known) => known.count += 1,
            None if has_room => self.images.push(MadeImages { size, quality, count: 1 }),
            None => {}
        }
    }

    /// Reads what a response says of a tool that it was offered.
    fn note_settings(&mut self, settings: ToolSettings) {
        if settings.kind.is("image_generation") {
            self.image_model = settings.model;
        }
    }

    pub(super) fn usage_mut(&mut self) -> &mut ToolUsage {
        &mut self.usage
    }

    /// Returns the number of searches of the web that the response reports or shows.
    pub(super) fn web_searches(&self) -> Count {
        let shown = Some(self.calls.web_searches).filter(|shown| *shown > 0);
        self.usage.web_search.requests.or(shown).or(self.cites_web.then_some(1))
    }

    pub(super) fn add(&mut self, more: Self) {
        self.calls.add(more.calls);
        self.containers.extend(more.containers);
        self.images.extend(more.images);
    }

    /// Sets the units of the tools that providers have a fee for. Searches of OpenAI's Responses are
    /// billed one by one; how others are billed depends on the provider.
    pub(super) fn count_units(&self, format: Format, calls: &ToolCalls, units: &mut Units) {
        let positive = |calls: u64| Some(calls).filter(|calls| *calls > 0);
        if format == Format::OpenAiResponses {
            units.web_searches = positive(calls.web_searches);
        }
        units.maps_requests = positive(calls.maps_grounding).or(units.maps_requests);
        units.page_visits = positive(calls.page_visits).or(units.page_visits);
        units.file_searches = positive(calls.file_searches).or(self.cites_files.then_some(1));
        // A container is a session. A response that names none ran in one.
        let sessions = positive(self.containers.len() as u64);
        units.code_interpreter_sessions = sessions.or(positive(calls.code_interpreter.min(1)));
    }

    /// Returns the images that a tool made, as usages of the model that made them: by the tokens that
    /// the response reports of them, else by the image.
    pub(super) fn image_parts(&self) -> Vec<Part> {
        let model = self.image_model.get().unwrap_or("image_generation");
        let part = |usage, units| Part { model: model.to_owned(), usage, units };
        let tokens = self.usage.images.normalise(Format::OpenAiImages, Context::default());
        match tokens {
            _ if self.images.is_empty() => Vec::new(),
            Ok(Normal { usage, .. }) if usage.total_tokens() > 0 => vec![part(usage, Units::new())],
            _ => self.images.iter().map(|images| part(Usage::UNKNOWN, images.units())).collect(),
        }
    }
}

impl MadeImages {
    fn units(&self) -> Units {
        made_images(self.count, self.size, self.quality)
    }
}

/// Returns the units of images that a model made, of a size and quality in the provider's words.
pub(super) fn made_images(count: u64, size: Word, quality: Word) -> Units {
    let mut units = Units::new().images(count);
    units.image_size = size.get().and_then(|size| size.parse().ok());
    units.image_quality = quality.get().filter(|quality| *quality != "auto").map(str::to_owned);
    units
}

slots_by!(read_list: ExecutedTools<'_>, OfferedTools<'_>);

/// Groq's list of tools that it executed. The name of a tool says more than its type.
pub(super) struct ExecutedTools<'a>(pub(super) &'a mut Tools);

impl List for ExecutedTools<'_> {
    type Element = Item;

    fn begin(&mut self) {}

    fn add(&mut self, element: Item) {
        let kind = element.name.get().or(element.kind.get()).unwrap_or("");
        self.0.calls.count(kind);
    }
}

/// The tools that a response says that it was offered.
pub(super) struct OfferedTools<'a>(pub(super) &'a mut Tools);

impl List for OfferedTools<'_> {
    type Element = ToolSettings;

    fn begin(&mut self) {}

    fn add(&mut self, element: ToolSettings) {
        self.0.note_settings(element);
    }
}

impl ToolCalls {
    /// Counts an item or a content block by its type.
    pub(super) fn count(&mut self, kind: &str) {
        let counter = match kind {
            "tool_use" | "function_call" | "custom_tool_call" | "mcp_call" => &mut self.functions,
            "web_search_call" | "search" | "browser.search" | "browser_search" => &mut self.web_searches,
            "browser.open" => &mut self.page_visits,
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

    pub(super) fn add(&mut self, more: Self) {
        for (sum, more) in [
            (&mut self.functions, more.functions),
            (&mut self.web_searches, more.web_searches),
            (&mut self.file_searches, more.file_searches),
            (&mut self.page_visits, more.page_visits),
            (&mut self.code_interpreter, more.code_interpreter),
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

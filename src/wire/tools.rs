//! [`ToolCalls`]: the calls of tools that a response shows, and the units that they are billed by.

use std::collections::BTreeSet;

use serde::de::MapAccess;

use crate::usage::{
    Context, Count, Format, List, Normal, Object, Part, ShownUnits, Text, Units, Usage, UsageFields, Word,
    object, slots_by,
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

/// The calls of tools that a response shows.
#[derive(Debug, Default, Clone)]
pub(super) struct Tools {
    pub(super) calls: ToolCalls,
    /// Absent from most responses: making and dropping it is measurable.
    details: Option<Box<Details>>,
}

/// The parts of tools that few responses show.
#[derive(Debug, Default, Clone)]
struct Details {
    /// True if the answer cites pages of the web, which it searched for at least once.
    cites_web: bool,
    /// True if the answer cites files, which it searched for at least once.
    cites_files: bool,
    containers: BTreeSet<String>,
    images: Vec<MadeImages>,
    /// The model that makes images.
    image_model: Text,
    usage: ToolUsage,
    /// True if more containers or kinds of images were shown than are told apart.
    is_beyond: bool,
}

/// Images of one size and quality, made by a tool.
#[derive(Debug, Clone)]
struct MadeImages {
    size: Word,
    quality: Word,
    count: u64,
}

impl Tools {
    /// Forgets the items, which are counted anew. Settings and usages stay.
    pub(super) fn recount(&mut self) {
        self.calls = ToolCalls::default();
        if let Some(details) = &mut self.details {
            details.images.clear();
            details.containers.clear();
        }
    }

    fn details_mut(&mut self) -> &mut Details {
        self.details.get_or_insert_default()
    }

    /// Counts an item of output.
    pub(super) fn count_item(&mut self, item: Item) {
        let kind = item.kind.get().unwrap_or("");
        self.calls.count(kind);
        match kind {
            "code_interpreter_call" => {
                if let Some(id) = item.container.into_inner() {
                    self.details_mut().add_container(id);
                }
            }
            "image_generation_call" if item.status.get().is_none_or(|status| status == "completed") => {
                let images = MadeImages { size: item.size, quality: item.quality, count: 1 };
                self.details_mut().add_images(images);
            }
            _ => {}
        }
    }

    /// Counts what an answer cites.
    pub(super) fn count_citation(&mut self, kind: &str) {
        match kind {
            "url_citation" => self.details_mut().cites_web = true,
            "file_citation" => self.details_mut().cites_files = true,
            _ => {}
        }
    }

    /// Reads what a response says of a tool that it was offered.
    fn note_settings(&mut self, settings: ToolSettings) {
        if settings.kind.is("image_generation") {
            self.details_mut().image_model = settings.model;
        }
    }

    pub(super) fn usage_mut(&mut self) -> &mut ToolUsage {
        &mut self.details_mut().usage
    }

    /// Returns the number of searches of the web that the response reports or shows.
    pub(super) fn web_searches(&self) -> Count {
        let shown = Some(self.calls.web_searches).filter(|shown| *shown > 0);
        match &self.details {
            Some(details) => details.usage.web_search.requests.or(shown).or(details.cites_web.then_some(1)),
            None => shown,
        }
    }

    pub(super) fn add(&mut self, more: Self) {
        self.calls.add(more.calls);
        if let Some(more) = more.details {
            let details = self.details_mut();
            more.containers.into_iter().for_each(|id| details.add_container(id));
            more.images.into_iter().for_each(|images| details.add_images(images));
            details.cites_web |= more.cites_web;
            details.cites_files |= more.cites_files;
            details.is_beyond |= more.is_beyond;
            if more.image_model.get().is_some() {
                details.image_model = more.image_model;
            }
        }
    }

    /// Returns whether the response shows more than is told apart.
    pub(super) fn is_beyond(&self) -> bool {
        self.details.as_ref().is_some_and(|details| details.is_beyond)
    }

    /// Sets the units of the tools that providers have a fee for. Searches of OpenAI's Responses are
    /// billed one by one; how others are billed depends on the provider.
    pub(super) fn count_units(&self, format: Format, calls: &ToolCalls, units: &mut ShownUnits) {
        let positive = |calls: u64| Some(calls).filter(|calls| *calls > 0);
        if format == Format::OpenAiResponses {
            units.put(|units| &mut units.web_searches, positive(calls.web_searches));
        }
        units.put(|units| &mut units.maps_requests, positive(calls.maps_grounding));
        units.put(|units| &mut units.page_visits, positive(calls.page_visits));
        let details = self.details.as_deref();
        let cites_files = details.is_some_and(|details| details.cites_files);
        let file_searches = positive(calls.file_searches).or(cites_files.then_some(1));
        units.put(|units| &mut units.file_searches, file_searches);
        // A container is a session. A response that names none ran in one.
        let containers = details.map_or(0, |details| details.containers.len() as u64);
        let sessions = positive(containers).or(positive(calls.code_interpreter.min(1)));
        units.put(|units| &mut units.code_interpreter_sessions, sessions);
    }

    /// Returns the images that a tool made, as usages of the model that made them: by the tokens that
    /// the response reports of them, else by the image.
    pub(super) fn image_parts(&self) -> Vec<Part> {
        let made = self.details.as_deref().filter(|details| !details.images.is_empty());
        let Some(Details { images, image_model, usage, .. }) = made else { return Vec::new() };
        let model = image_model.get().unwrap_or("image_generation");
        let part = |usage, units| Part { model: model.to_owned(), usage, units };
        match usage.images.normalise(Format::OpenAiImages, Context::default()) {
            Ok(Normal { usage, .. }) if usage.total_tokens() > 0 => vec![part(usage, Units::new())],
            _ => images.iter().map(|images| part(Usage::UNKNOWN, images.units())).collect(),
        }
    }
}

impl Details {
    /// The most containers that are told apart. No response has as many.
    const MOST_CONTAINERS: usize = 1_000;

    /// The most sizes and qualities of images that are told apart. No provider has as many.
    const MOST_KINDS: usize = 64;

    fn add_container(&mut self, id: String) {
        if self.containers.len() < Self::MOST_CONTAINERS {
            self.containers.insert(id);
        } else {
            self.is_beyond |= !self.containers.contains(&id);
        }
    }

    fn add_images(&mut self, images: MadeImages) {
        let is_same = |known: &&mut MadeImages| (known.size, known.quality) == (images.size, images.quality);
        let has_room = self.images.len() < Self::MOST_KINDS;
        match self.images.iter_mut().find(is_same) {
            Some(known) => known.count = known.count.saturating_add(images.count),
            None if has_room => self.images.push(images),
            None => self.is_beyond = true,
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
    /// True if more queries were shown than are told apart.
    is_beyond: bool,
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
            } else {
                self.is_beyond |= !queries.contains(&query);
            }
        }
        self.has_maps |= is_maps;
    }

    /// Returns whether the response shows more queries than are told apart.
    pub(super) fn is_beyond(&self) -> bool {
        self.is_beyond
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
        // One more than is told apart is enough to see that there are too many.
        if let Some(query) = element.get().filter(|query| !query.is_empty()) {
            if self.0.len() <= Grounding::MOST {
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

//! From overlapping counters to disjoint counts.

use crate::rates::{Component, Row};
use crate::usage::Usage;

/// Every token of a call in one component, in the order of [`COMPONENTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tokens([u64; COMPONENTS.len()]);

/// The components that are counted in tokens of the model, in the order of a bill's lines.
pub(super) const COMPONENTS: [Component; 15] = [
    Component::Input,
    Component::CacheRead,
    Component::CacheReadAudio,
    Component::CacheReadImage,
    Component::CacheWrite,
    Component::CacheWrite1h,
    Component::CacheWrite12h,
    Component::InputAudio,
    Component::InputImage,
    Component::InputVideo,
    Component::Output,
    Component::Reasoning,
    Component::OutputAudio,
    Component::OutputImage,
    Component::OutputVideo,
];

impl Tokens {
    /// What was used at all, each with its component.
    #[inline]
    pub(super) fn used(&self) -> impl Iterator<Item = (Component, u64)> + '_ {
        COMPONENTS
            .iter()
            .zip(&self.0)
            .filter(|(_, count)| **count > 0)
            .map(|(component, count)| (*component, *count))
    }
}

/// The prompt as it is reported, its modalities without their cached shares.
struct Prompt {
    all: u64,
    hit: u64,
    hit_audio: u64,
    hit_image: u64,
    write: u64,
    text: u64,
    audio: u64,
    image: u64,
    video: u64,
}

impl Prompt {
    #[inline]
    fn of(usage: &Usage) -> Self {
        let details = &usage.prompt_tokens_details;
        let cached = details.cached_tokens_details;
        let hit = details.cached_tokens;
        // Each share takes what the ones before it left of the hits: audio, then text, then image.
        let hit_audio = cached.audio_tokens.min(hit);
        let hit_text = cached.text_tokens.min(hit - hit_audio);
        let hit_image = cached.image_tokens.min(hit - hit_audio - hit_text);
        Self {
            all: usage.prompt_tokens,
            hit,
            hit_audio,
            hit_image,
            write: details.cache_creation_tokens,
            text: details.text_tokens.saturating_sub(hit_text),
            audio: details.audio_tokens.saturating_sub(hit_audio),
            image: details.image_tokens.saturating_sub(hit_image),
            video: details.video_tokens,
        }
    }

    #[inline]
    fn modalities(&self) -> u128 {
        u128::from(self.audio) + u128::from(self.image) + u128::from(self.video)
    }

    /// Where the details overlap, the modalities are cut to what the cache does not cover.
    #[inline]
    fn without_overlap(self) -> Self {
        let cache = u128::from(self.hit) + u128::from(self.write);
        if cache == 0 || cache + self.modalities() + u128::from(self.text) <= u128::from(self.all) {
            return self;
        }
        let room = self.all.saturating_sub(self.hit).saturating_sub(self.write);
        let audio = self.audio.min(room);
        let image = self.image.min(room - audio);
        let video = self.video.min(room - audio - image);
        Self { audio, image, video, ..self }
    }

    /// What is left of the prompt after all that is counted apart.
    #[inline]
    fn rest(&self) -> u64 {
        let apart = u128::from(self.hit) + u128::from(self.write) + self.modalities();
        u64::try_from(u128::from(self.all).saturating_sub(apart)).unwrap_or(0)
    }
}

/// Cache writes by lifetime: the usual one, an hour, twelve hours. What no lifetime accounts for has the
/// usual one. `None` where a count overflows.
#[inline]
fn writes(usage: &Usage, write: u64) -> Option<[u64; 3]> {
    let ttl = usage.prompt_tokens_details.cache_creation_token_details;
    let (one, twelve) = (ttl.ephemeral_1h_input_tokens, ttl.ephemeral_12h_input_tokens);
    let short = ttl.ephemeral_5m_input_tokens.checked_add(ttl.ephemeral_30m_input_tokens)?;
    let accounted = short.checked_add(one)?.checked_add(twelve)?;
    Some([short.checked_add(write.saturating_sub(accounted))?, one, twelve])
}

/// The completion: text, reasoning, audio, image, video.
#[inline]
fn completion(usage: &Usage) -> [u64; 5] {
    let details = &usage.completion_tokens_details;
    let (reasoning, audio) = (details.reasoning_tokens, details.audio_tokens);
    let (image, video) = (details.image_tokens, details.video_tokens);
    let all = u128::from(usage.completion_tokens);
    let others = u128::from(audio) + u128::from(image) + u128::from(video);
    // Reported text that nests reasoning loses what is counted twice.
    let excess = (u128::from(details.text_tokens) + u128::from(reasoning) + others).saturating_sub(all);
    let nested = u64::try_from(excess).unwrap_or(u64::MAX).min(reasoning).min(details.text_tokens);
    let text = match details.text_tokens - nested {
        0 => u64::try_from(all.saturating_sub(u128::from(reasoning) + others)).unwrap_or(0),
        reported => reported,
    };
    [text, reasoning, audio, image, video]
}

/// The disjoint counts of a call. `None` where a count overflows.
#[inline]
pub(super) fn split(usage: &Usage) -> Option<Tokens> {
    let prompt = Prompt::of(usage).without_overlap();
    let writes = writes(usage, prompt.write)?;
    Some(tokens(&prompt, writes, usage))
}

/// The disjoint counts of a call in a batch: what the row has no price for is billed as text, and the
/// details may overlap.
pub(super) fn split_batch(usage: &Usage, row: &Row) -> Option<Tokens> {
    let mut prompt = Prompt::of(usage);
    let mut writes = writes(usage, prompt.write)?;
    let is_text = |component| row.cell(component).is_none();
    if is_text(Component::CacheRead) {
        (prompt.hit, prompt.hit_audio, prompt.hit_image) = (0, 0, 0);
    }
    if is_text(Component::CacheWrite) {
        prompt.write = 0;
        writes = [0; 3];
    }
    if is_text(Component::InputAudio) {
        (prompt.audio, prompt.image, prompt.video) = (0, 0, 0);
    }
    Some(tokens(&prompt, writes, usage))
}

#[inline]
fn tokens(prompt: &Prompt, [write, write_1h, write_12h]: [u64; 3], usage: &Usage) -> Tokens {
    let [text, reasoning, audio, image, video] = completion(usage);
    Tokens([
        prompt.rest(),
        prompt.hit - prompt.hit_audio - prompt.hit_image,
        prompt.hit_audio,
        prompt.hit_image,
        write,
        write_1h,
        write_12h,
        prompt.audio,
        prompt.image,
        prompt.video,
        text,
        reasoning,
        audio,
        image,
        video,
    ])
}

//! Splits the overlapping counters of a usage into disjoint counts.

use crate::rates::{Cells, CommonCounts, Component};
use crate::usage::Usage;

/// The counts of a prompt as reported. Text, audio and image exclude their cached shares.
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
        // Each share is limited to the hits that the previous ones left, in the order audio, text,
        // image.
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

    /// Limits the modalities to the tokens that the cache does not cover, if the counts overlap.
    #[inline]
    fn without_overlap(self) -> Self {
        let parts = [self.hit, self.write, self.audio, self.image, self.video, self.text];
        if self.hit | self.write == 0 || !exceed(parts, self.all) {
            return self;
        }
        let room = less(self.all, [self.hit, self.write]);
        let audio = self.audio.min(room);
        let image = self.image.min(room - audio);
        let video = self.video.min(room - audio - image);
        Self { audio, image, video, ..self }
    }

    /// Returns the number of prompt tokens that are not counted elsewhere.
    #[inline]
    fn rest(&self) -> u64 {
        less(self.all, [self.hit, self.write, self.audio, self.image, self.video])
    }
}

/// Returns a count without its parts; 0 if these are more.
#[inline]
fn less<const N: usize>(whole: u64, parts: [u64; N]) -> u64 {
    parts.into_iter().fold(whole, u64::saturating_sub)
}

/// Returns whether parts are together more than the whole.
#[inline]
fn exceed<const N: usize>(parts: [u64; N], whole: u64) -> bool {
    parts.into_iter().try_fold(whole, u64::checked_sub).is_none()
}

/// Returns the cache writes by lifetime: the usual one, an hour, twelve hours. Writes without a
/// reported lifetime have the usual one. Returns `None` if a count overflows.
#[inline]
fn writes(usage: &Usage, write: u64) -> Option<[u64; 3]> {
    let ttl = usage.prompt_tokens_details.cache_creation_token_details;
    let (one, twelve) = (ttl.ephemeral_1h_input_tokens, ttl.ephemeral_12h_input_tokens);
    let short = ttl.ephemeral_5m_input_tokens.checked_add(ttl.ephemeral_30m_input_tokens)?;
    let accounted = short.checked_add(one)?.checked_add(twelve)?;
    Some([short.checked_add(write.saturating_sub(accounted))?, one, twelve])
}

/// Returns the counts of the completion: text, reasoning, audio, image, video.
#[inline]
fn completion(usage: &Usage) -> [u64; 5] {
    let details = &usage.completion_tokens_details;
    let (reasoning, audio) = (details.reasoning_tokens, details.audio_tokens);
    let (image, video) = (details.image_tokens, details.video_tokens);
    let (all, others) = (usage.completion_tokens, [reasoning, audio, image, video]);
    let text = match reported_text(details.text_tokens, others, all) {
        0 => less(all, others),
        reported => reported,
    };
    [text, reasoning, audio, image, video]
}

/// Returns the number of text tokens that a completion reports. If it includes reasoning, the first of
/// the other counts, the tokens that are counted twice are subtracted from it.
#[inline]
fn reported_text(text: u64, others: [u64; 4], all: u64) -> u64 {
    if text == 0 {
        return 0;
    }
    let [reasoning, ..] = others;
    let sum: u128 = others.into_iter().map(u128::from).sum();
    let excess = (u128::from(text) + sum).saturating_sub(u128::from(all));
    text - u64::try_from(excess).unwrap_or(u64::MAX).min(reasoning).min(text)
}

/// Returns whether only the common components were used, and the usage has no other field that
/// affects the bill.
#[inline(always)]
#[allow(clippy::inline_always, reason = "a call of every price")]
pub(super) fn is_plain(usage: &Usage) -> bool {
    usage.citation_tokens == 0
        && is_usual(usage)
        && !has_rare(usage)
        && usage.prompt_tokens_details.cache_type.is_none()
        && usage.speed.is_none()
        && usage.inference_geo.is_none()
}

/// Returns whether the bill of a usage has lines of tokens alone, and no note because of the usage but
/// that its counts are inconsistent.
#[inline(always)]
#[allow(clippy::inline_always, reason = "a call of every price")]
pub(super) fn is_usual(usage: &Usage) -> bool {
    usage.prompt_tokens_details.web_search_requests == 0 && !usage.is_remarkable() && usage.cost.is_none()
}

/// Returns whether making the counts disjoint takes more than subtractions, because of modalities,
/// cache lifetimes or reported text.
#[inline]
fn has_rare(usage: &Usage) -> bool {
    let prompt = &usage.prompt_tokens_details;
    let (cached, ttl) = (&prompt.cached_tokens_details, &prompt.cache_creation_token_details);
    let completion = &usage.completion_tokens_details;
    let modalities = prompt.audio_tokens
        | prompt.image_tokens
        | prompt.video_tokens
        | cached.audio_tokens
        | cached.image_tokens
        | completion.audio_tokens
        | completion.image_tokens
        | completion.video_tokens;
    let lifetimes = ttl.ephemeral_5m_input_tokens
        | ttl.ephemeral_30m_input_tokens
        | ttl.ephemeral_1h_input_tokens
        | ttl.ephemeral_12h_input_tokens;
    modalities | lifetimes | completion.text_tokens != 0
}

/// Returns the counts of the common components, for a usage without rare ones. Returns `None` if the
/// counts are not consistent.
#[inline]
pub(super) fn common(usage: &Usage) -> Option<CommonCounts> {
    let prompt = &usage.prompt_tokens_details;
    let (hit, write) = (prompt.cached_tokens, prompt.cache_creation_tokens);
    let reasoning = usage.completion_tokens_details.reasoning_tokens;
    Some([
        usage.prompt_tokens.checked_sub(hit)?.checked_sub(write)?,
        hit,
        write,
        usage.completion_tokens.checked_sub(reasoning)?,
        reasoning,
    ])
}

/// Returns whether parts of the prompt, of the cache writes or of the completion are more than the
/// whole.
pub(super) fn is_inconsistent(usage: &Usage) -> bool {
    let prompt = &usage.prompt_tokens_details;
    let completion = &usage.completion_tokens_details;
    let ttl = &prompt.cache_creation_token_details;
    let lifetimes = [
        ttl.ephemeral_5m_input_tokens,
        ttl.ephemeral_30m_input_tokens,
        ttl.ephemeral_1h_input_tokens,
        ttl.ephemeral_12h_input_tokens,
    ];
    // Text and modalities may include what was cached, and reported text may include reasoning.
    let modalities = [prompt.audio_tokens, prompt.image_tokens, prompt.video_tokens];
    let outputs = [
        completion.reasoning_tokens,
        completion.audio_tokens,
        completion.image_tokens,
        completion.video_tokens,
    ];
    exceed([prompt.cached_tokens, prompt.cache_creation_tokens], usage.prompt_tokens)
        || exceed(modalities, usage.prompt_tokens)
        || exceed(lifetimes, prompt.cache_creation_tokens)
        || exceed(outputs, usage.completion_tokens)
}

/// The components that few calls are billed for, in the order of [`Component`].
pub(super) const RARE: [Component; 10] = [
    Component::CacheReadAudio,
    Component::CacheReadImage,
    Component::CacheWrite1h,
    Component::CacheWrite12h,
    Component::InputAudio,
    Component::InputImage,
    Component::InputVideo,
    Component::OutputAudio,
    Component::OutputImage,
    Component::OutputVideo,
];

/// Disjoint counts: every token of a call belongs to exactly one of them.
pub(super) struct Counts {
    pub(super) common: CommonCounts,
    pub(super) rare: [u64; RARE.len()],
}

impl Counts {
    /// Returns the counts as if no cache had been used. Returns `None` if a count overflows.
    pub(super) fn without_cache(self) -> Option<Self> {
        let [text, read, write, output, reasoning] = self.common;
        let [read_audio, read_image, write_1h, write_12h, audio, image, rest @ ..] = self.rare;
        let text = [read, write, write_1h, write_12h].into_iter().try_fold(text, u64::checked_add)?;
        let (audio, image) = (audio.checked_add(read_audio)?, image.checked_add(read_image)?);
        let [video, output_audio, output_image, output_video] = rest;
        Some(Self {
            common: [text, 0, 0, output, reasoning],
            rare: [0, 0, 0, 0, audio, image, video, output_audio, output_image, output_video],
        })
    }
}

/// Splits the counters of a usage into disjoint counts. In a batch, components without a price in
/// the row are billed as text, and overlapping details are left as they are. Returns `None` if a
/// count overflows.
#[inline(always)]
#[allow(clippy::inline_always, reason = "one call of many is measurable")]
pub(super) fn split(usage: &Usage, batch: Option<&Cells>) -> Option<Counts> {
    if batch.is_none() && !has_rare(usage) {
        if let Some(common) = common(usage) {
            return Some(Counts { common, rare: [0; RARE.len()] });
        }
    }
    let mut prompt = Prompt::of(usage);
    let [mut write, mut write_1h, mut write_12h] = writes(usage, prompt.write)?;
    if let Some(cells) = batch {
        let is_text = |component| cells.cell(component).is_none();
        if is_text(Component::CacheRead) {
            (prompt.hit, prompt.hit_audio, prompt.hit_image) = (0, 0, 0);
        }
        if is_text(Component::CacheWrite) {
            prompt.write = 0;
            (write, write_1h, write_12h) = (0, 0, 0);
        }
        if is_text(Component::InputAudio) {
            (prompt.audio, prompt.image, prompt.video) = (0, 0, 0);
        }
    } else {
        prompt = prompt.without_overlap();
    }
    let read = prompt.hit - prompt.hit_audio - prompt.hit_image;
    let [text, reasoning, audio, image, video] = completion(usage);
    Some(Counts {
        common: [prompt.rest(), read, write, text, reasoning],
        rare: [
            prompt.hit_audio,
            prompt.hit_image,
            write_1h,
            write_12h,
            prompt.audio,
            prompt.image,
            prompt.video,
            audio,
            image,
            video,
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: [u64; 6] = [0, 1, 7, u64::MAX / 2, u64::MAX - 1, u64::MAX];

    /// Calls `f` with all lists of counts.
    fn each<const N: usize>(mut f: impl FnMut([u64; N])) -> usize {
        let lists = COUNTS.len().pow(u32::try_from(N).unwrap());
        for mut list in 0..lists {
            f(std::array::from_fn(|_| {
                let count = COUNTS[list % COUNTS.len()];
                list /= COUNTS.len();
                count
            }));
        }
        lists
    }

    fn sum(counts: &[u64]) -> u128 {
        counts.iter().map(|count| u128::from(*count)).sum()
    }

    /// Sums beyond 64 bits are as exact as others.
    #[test]
    fn parts_are_compared_with_the_whole_exactly() {
        let compared = each(|[whole, parts @ ..]: [u64; 5]| {
            let rest = u128::from(whole).saturating_sub(sum(&parts));
            assert_eq!(u128::from(less(whole, parts)), rest, "{parts:?} of {whole}");
            assert_eq!(exceed(parts, whole), sum(&parts) > u128::from(whole), "{parts:?} of {whole}");
        });
        assert_eq!(compared, 7_776);
    }

    #[test]
    fn text_that_is_reported_excludes_what_is_counted_twice() {
        let compared = each(|[text, all, others @ ..]: [u64; 6]| {
            let excess = (u128::from(text) + sum(&others)).saturating_sub(u128::from(all));
            let nested = excess.min(u128::from(others[0])).min(u128::from(text));
            let expected = u128::from(text) - nested;
            assert_eq!(u128::from(reported_text(text, others, all)), expected, "{text} {others:?} of {all}");
        });
        assert_eq!(compared, 46_656);
    }
}

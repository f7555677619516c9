//! Prices of units other than tokens, and of tools, by the map of LiteLLM 1.109.1: each once by hand from
//! the price that its provider publishes, at its boundaries, and beside tokens.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use SearchContextSize::{High, Low, Medium};
use llm_costmap::cost::{Basis, Component};
use llm_costmap::usage::SearchContextSize;
use llm_costmap::{Call, Cost, CostMap, Deployment, Error, ImageSize, Lookup, Units, Usage};
use serde_json::{Value, json};

static MAP: LazyLock<CostMap> = LazyLock::new(|| CostMap::from_json(common::catalog("1.109.1")).unwrap());

/// Makes a map of one model, `m`.
fn map(entry: &str) -> CostMap {
    CostMap::from_json(format!(r#"{{"m": {entry}}}"#)).unwrap()
}

#[track_caller]
fn cost<'n>(map: &CostMap, model: impl Into<Lookup<'n>>, units: &Units) -> Cost {
    map.cost(model, units).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn total(model: &str, units: &Units) -> String {
    cost(&MAP, model, units).total().to_string()
}

#[track_caller]
fn unpriced<'c>(map: &CostMap, model: &str, call: impl Into<Call<'c>>) -> String {
    match map.cost(model, call) {
        Err(Error::Unpriced(bill)) => bill.to_string(),
        other => panic!("{other:?}"),
    }
}

fn lines(cost: &Cost) -> Vec<String> {
    cost.lines().map(|line| line.to_string()).collect()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Prices as the providers list them, in November 2026.
#[test]
fn each_unit_costs_what_its_provider_lists() {
    // OpenAI: gpt-image-1.5, medium, 1024 x 1024, $0.034 an image.
    let images = Units::new().images(3).image_quality("medium").image_size(ImageSize::new(1024, 1024));
    assert_eq!(total("gpt-image-1.5", &images), "0.102");
    // Stability AI on Bedrock: Stable Diffusion 3.5 Large, $0.08 an image.
    assert_eq!(total("stability.sd3-5-large-v1:0", &Units::new().images(2)), "0.16");
    // OpenAI: Whisper, $0.006 a minute, to the nanosecond.
    let audio = Units::new().input_audio(Duration::from_millis(90_500));
    assert_eq!(total("whisper-1", &audio), "0.00905");
    // OpenAI: TTS, $15 a million characters.
    assert_eq!(total("tts-1", &Units::new().input_characters(1_234)), "0.01851");
    // OpenAI: Sora 2, $0.10 a second. Google: Veo 3.1, $0.40 a second, $0.60 in 4k.
    assert_eq!(total("sora-2", &Units::new().video(seconds(8))), "0.8");
    let video = Units::new().video(seconds(8));
    assert_eq!(total("gemini/veo-3.1-generate-preview", &video), "3.2");
    assert_eq!(total("gemini/veo-3.1-generate-preview", &video.video_resolution("4k")), "4.8");
    // Cohere: Rerank 3.5, $2 a thousand searches.
    assert_eq!(total("rerank-v3.5", &Units::new().search_units(3)), "0.006");
    // Mistral: OCR 4, $4 a thousand pages and $5 a thousand annotated pages.
    let pages = Units::new().pages(10).annotated_pages(2);
    assert_eq!(total("mistral/mistral-ocr-4-0", &pages), "0.05");
    // Reducto: $0.015 a credit.
    assert_eq!(total("reducto/parse-v3", &Units::new().credits("2.5".parse().unwrap())), "0.0375");
    // Exa: $5 a thousand searches of up to 25 results.
    assert_eq!(total("exa_ai/search", &Units::new().queries(4)), "0.02");
    // Amazon: Titan Multimodal Embeddings, $0.00006 an image.
    assert_eq!(total("amazon.titan-embed-image-v1", &Units::new().input_images(5)), "0.0003");
    // TwelveLabs on Bedrock: Marengo, $0.0007 a second of video and $0.00014 of audio.
    let media = Units::new().input_video(seconds(60)).input_audio(seconds(30));
    assert_eq!(total("twelvelabs.marengo-embed-2-7-v1:0", &media), "0.0462");
    // Google: MedLM Large, $0.005 a thousand characters in and $0.015 out.
    let text = Units::new().input_characters(2_000).output_characters(1_000);
    assert_eq!(total("medlm-large", &text), "0.025");
    // Black Forest Labs at fal: FLUX.1 [dev], $0.025 a megapixel, rounded up.
    let image = Units::new().images(2).image_size(ImageSize::new(1280, 1024));
    assert_eq!(total("fal_ai/fal-ai/flux/dev", &image), "0.1");
    assert_eq!(total("fal_ai/fal-ai/flux/dev", &Units::new().images(2)), "0.05");
    // xAI: voice sessions, $0.08 a minute (as the map rounds it) and $0.004 a text message.
    let messages = Units::new().text_messages(2);
    let session = Call::from(&messages).duration(seconds(60));
    let session = MAP.cost("xai/grok-voice-3.0", session).unwrap();
    assert_eq!(session.total().to_string(), "0.08799999999998");
    assert_eq!(
        lines(&session),
        [
            "60 seconds of duration x 0.001333333333333 = 0.07999999999998 (input_cost_per_second)",
            "2 messages of text_message x 0.004 = 0.008 (input_cost_per_text_message)",
        ]
    );
    // OpenAI: gpt-4o-mini-tts, $0.60 a million text tokens, and $0.015 a minute of audio.
    let units = Units::new().audio(seconds(60));
    let speech = MAP.cost("gpt-4o-mini-tts", Call::new(&Usage::new(1_000, 0)).units(&units)).unwrap();
    assert_eq!(speech.total().to_string(), "0.0156");
}

/// Prices of tools as the providers list them, in November 2026.
#[test]
fn each_tool_costs_what_its_provider_lists() {
    let usage = Usage::new(1_000, 100);
    let priced = |model: &str, units: &Units| {
        let cost = MAP.cost(model, Call::new(&usage).units(units)).unwrap_or_else(|e| panic!("{e}"));
        let tokens = MAP.cost(model, &usage).unwrap();
        assert_eq!((cost.input(), cost.output()), (tokens.input(), tokens.output()), "{model}");
        assert_eq!(tokens.tools().to_string(), "0", "{model}");
        assert_eq!(Some(cost.total()), tokens.total().checked_add(cost.tools()), "{model}");
        cost.tools().to_string()
    };
    let searches = Units::new().web_searches(3);
    // Anthropic: $10 a thousand searches.
    assert_eq!(priced("claude-sonnet-4-5", &searches), "0.03");
    // OpenAI: $10 a thousand calls, and $25 with models that do not reason.
    assert_eq!(priced("gpt-5", &searches), "0.03");
    assert_eq!(priced("gpt-4.1", &searches), "0.075");
    // Gemini 3: $14 a thousand queries. Gemini 2.5: $35 a thousand prompts, of any number of queries.
    assert_eq!(priced("gemini/gemini-3.1-pro-preview", &searches), "0.042");
    assert_eq!(priced("gemini/gemini-2.5-pro", &searches), "0.035");
    // Google Maps: $14 a thousand queries, and $25 a thousand prompts.
    let maps = Units::new().maps_requests(2);
    assert_eq!(priced("gemini/gemini-3.1-pro-preview", &maps), "0.028");
    assert_eq!(priced("gemini/gemini-2.5-pro", &maps), "0.025");
    // Groq: $5 a thousand searches, and $1 a thousand pages.
    assert_eq!(priced("groq/openai/gpt-oss-120b", &searches.clone().page_visits(4)), "0.019");
    // xAI: $5 a thousand searches.
    assert_eq!(priced("xai/grok-4.3", &searches), "0.015");
    // OpenAI: file search $2.50 a thousand calls, a container $0.03 a session. Azure: $0.033.
    assert_eq!(priced("gpt-5", &Units::new().file_searches(4)), "0.01");
    assert_eq!(priced("gpt-5", &Units::new().code_interpreter_sessions(2)), "0.06");
    assert_eq!(priced("azure/gpt-4o", &Units::new().code_interpreter_sessions(2)), "0.066");
    // Azure: $0.10 a gigabyte-day of files and of vectors; computer use $3 and $12 a million tokens.
    let storage = Units::new().file_storage("1.5".parse().unwrap()).vector_store(2.into());
    assert_eq!(priced("azure/gpt-4o", &storage), "0.35");
    assert_eq!(priced("azure/gpt-4o", &Units::new().computer_use(1_000, 500)), "0.009");
    // A tool that was offered and not used costs nothing.
    assert_eq!(priced("gpt-5", &Units::new().web_searches(0).file_searches(0).computer_use(0, 0)), "0");
}

/// Searches of the usage are billed by the provider's rule: each, once a call, or by the prompt.
#[test]
fn searches_of_a_usage_are_billed_by_the_rule_of_the_provider() {
    let mut usage = Usage::new(1_000, 100);
    usage.prompt_tokens_details.web_search_requests = 5;
    for (model, provider, tools, line) in [
        ("claude-sonnet-4-5", "anthropic", "0.05", "5 queries of web_search x 0.01 = 0.05"),
        ("gpt-4o-search-preview", "openai", "0.025", "1 queries of web_search x 0.025 = 0.025"),
        ("azure_ai/claude-opus-4-6", "azure_ai", "0.05", "5 queries of web_search x 0.01 = 0.05"),
        ("vertex_ai/claude-sonnet-4-5", "vertex_ai", "0.05", "5 queries of web_search x 0.01 = 0.05"),
        ("gemini/gemini-2.5-pro", "gemini", "0.035", "1 queries of web_search x 0.035 = 0.035"),
        ("gemini/gemini-3.1-pro-preview", "gemini", "0.07", "5 queries of web_search x 0.014 = 0.07"),
        ("groq/openai/gpt-oss-120b", "groq", "0.025", "5 queries of web_search x 0.005 = 0.025"),
    ] {
        let cost = MAP.cost(Lookup::new(model).provider(provider), &usage).unwrap();
        let of_tools: Vec<_> = cost.lines().filter(|line| line.component.is_tool()).collect();
        assert_eq!(of_tools.len(), 1, "{model}");
        let expected = format!("{line} (search_context_cost_per_query)");
        assert_eq!((cost.tools().to_string(), of_tools[0].to_string()), (tools.to_owned(), expected));
    }
    // Perplexity's searches are part of its answers, at the price of the low context size.
    let cost = MAP.cost("perplexity/sonar", &usage).unwrap();
    assert_eq!((cost.output().to_string(), cost.tools().to_string()), ("0.0251".into(), "0".into()));
    // A model without a price of searches: LiteLLM's default, if its provider has one.
    let model = |provider: &str| {
        map(&format!(
            r#"{{"litellm_provider": "{provider}", "input_cost_per_token": 0, "output_cost_per_token": 0}}"#
        ))
    };
    for (provider, line) in [
        (
            "gemini",
            "1 queries of web_search x 0.035 = 0.035 (LiteLLM's default of search_context_cost_per_query)",
        ),
        (
            "xai",
            "5 queries of web_search x 0.005 = 0.025 (LiteLLM's default of search_context_cost_per_query)",
        ),
    ] {
        assert_eq!(lines(&model(provider).cost("m", &usage).unwrap()).last().unwrap(), line);
    }
    let error = unpriced(&model("openai"), "m", &usage);
    assert_eq!(error, "no price of m is known for web_search: register one with register_model");
}

/// The price of a search is that of the context size that was asked for, with providers that have
/// several.
#[test]
fn searches_have_the_price_of_their_context_size() {
    let entry = |provider: &str| {
        map(&format!(
            r#"{{"litellm_provider": "{provider}", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6,
                "search_context_cost_per_query": {{"search_context_size_low": 0.01,
                    "search_context_size_medium": 0.02, "search_context_size_high": 0.05}}}}"#
        ))
    };
    let usage = Usage::new(0, 0);
    let tools = |provider: &str, size: Option<SearchContextSize>| {
        let mut units = Units::new().web_searches(1);
        units.search_context_size = size;
        entry(provider).cost("m", Call::new(&usage).units(&units)).unwrap().total().to_string()
    };
    let openai = [None, Some(Low), Some(Medium), Some(High)].map(|size| tools("openai", size));
    assert_eq!(openai, ["0.02", "0.01", "0.02", "0.05"]);
    for provider in ["anthropic", "groq", "gemini", "xai"] {
        assert_eq!(tools(provider, Some(High)), "0.02", "{provider}");
    }
    assert_eq!(tools("perplexity", Some(High)), "0.01");
}

#[test]
fn the_number_of_results_selects_the_price_of_a_query() {
    let query = |results: u64| total("exa_ai/search", &Units::new().queries(1).max_results(results));
    let prices = [0, 10, 25, 26, 100, 101, u64::MAX].map(query);
    assert_eq!(prices, ["0.005", "0.005", "0.005", "0.025", "0.025", "0.025", "0.025"]);
    let query = |results: u64| total("firecrawl/search", &Units::new().queries(1).max_results(results));
    let prices = [1, 10, 11, 20, 21, 100, 0].map(query);
    // Zero results are in no range: the last one applies, as in LiteLLM.
    assert_eq!(prices, ["0.00166", "0.00166", "0.00332", "0.00332", "0.00498", "0.0166", "0.0166"]);
    // Modes have entries of their own.
    let mode = |mode: &str| cost(&MAP, "tavily/search", &Units::new().queries(1).search_mode(mode));
    assert_eq!((mode("advanced").key(), mode("basic").key()), ("tavily/search-advanced", "tavily/search"));
    assert_eq!(mode("advanced").total().to_string(), "0.016");
    assert_eq!(total("linkup/search", &Units::new().queries(1).search_mode("deep")), "0.05867");
}

#[test]
fn resolutions_select_prices_of_images_and_seconds() {
    let image = |resolution: &str| {
        total("fal_ai/fal-ai/nano-banana-pro", &Units::new().images(1).image_resolution(resolution))
    };
    assert_eq!(["1K", "2k", "4K", "8K", "wide"].map(image), ["0.15", "0.15", "0.3", "0.15", "0.15"]);
    let image = |resolution: &str| {
        total("fal_ai/fal-ai/trellis-2", &Units::new().images(1).image_resolution(resolution))
    };
    assert_eq!(["512", "1024", "1536", "2048"].map(image), ["0.25", "0.3", "0.35", "0.3"]);
    let video = |resolution: &str| {
        let units = Units::new().video(seconds(2)).video_resolution(resolution);
        total("gemini/veo-3.1-fast-generate-preview", &units)
    };
    assert_eq!(
        ["720p", " 1080P", "4k", "4K", "", "9k"].map(video),
        ["0.2", "0.24", "0.6", "0.6", "0.2", "0.2"]
    );
}

/// Quality and size select the entry, also of names that have no entry of their own.
#[test]
fn images_are_priced_by_the_entry_of_their_quality_and_size() {
    let by = |quality: Option<&str>, size: Option<(u32, u32)>| {
        let mut units = Units::new().images(2);
        units.image_quality = quality.map(str::to_owned);
        units.image_size = size.map(|(width, height)| ImageSize::new(width, height));
        units
    };
    for (model, provider, units, key, total) in [
        ("gpt-image-1", None, by(None, None), "high/1024-x-1024/gpt-image-1", "0.334"),
        ("gpt-image-1", None, by(Some("auto"), None), "high/1024-x-1024/gpt-image-1", "0.334"),
        ("gpt-image-1", None, by(Some("low"), Some((1536, 1024))), "low/1536-x-1024/gpt-image-1", "0.032"),
        ("gpt-image-1.5", None, by(None, None), "standard/1024-x-1024/gpt-image-1.5", "0.018"),
        ("dall-e-3", Some("azure"), by(Some("hd"), None), "azure/hd/1024-x-1024/dall-e-3", "0.1759999164416"),
        (
            "azure/dall-e-3",
            None,
            by(None, Some((1792, 1024))),
            "azure/standard/1792-x-1024/dall-e-3",
            "0.1760000212992",
        ),
        (
            "stability.stable-diffusion-xl-v1",
            Some("bedrock"),
            by(None, None),
            "1024-x-1024/50-steps/stability.stable-diffusion-xl-v1",
            "0.08",
        ),
        (
            "stability.stable-diffusion-xl-v1",
            Some("bedrock"),
            by(Some("max-steps"), None),
            "1024-x-1024/max-steps/stability.stable-diffusion-xl-v1",
            "0.16",
        ),
        (
            "fal_ai/openai/gpt-image-2",
            None,
            by(None, None),
            "fal_ai/high/1024-x-768/openai/gpt-image-2",
            "0.29",
        ),
        // The nearest size in pixels.
        (
            "fal_ai/openai/gpt-image-2",
            None,
            by(Some("low"), Some((1030, 770))),
            "fal_ai/low/1024-x-768/openai/gpt-image-2",
            "0.01",
        ),
        ("aiml/dall-e-3", None, by(Some("hd"), None), "aiml/dall-e-3", "0.104"),
    ] {
        let lookup = common::lookup(model, provider);
        let cost = cost(&MAP, lookup, &units);
        assert_eq!((cost.key(), cost.total().to_string()), (key, total.to_owned()), "{model}");
        // The key itself is a name, and a model that was looked up prices alike.
        if let Ok(found) = MAP.resolve(lookup) {
            assert_eq!(found.cost(&units).unwrap().key(), key, "{model}");
            assert_eq!(found.total(&units).unwrap(), cost.total(), "{model}");
        }
        assert_eq!(MAP.total(lookup, &units).unwrap(), cost.total(), "{model}");
    }
    let names = ["hd/1024-x-1024/dall-e-3", "standard/1024-x-1024/dall-e-3"];
    let totals = names.map(|name| cost(&MAP, Lookup::new(name).provider("azure"), &Units::new().images(1)));
    assert_eq!(
        totals.map(|cost| cost.total().to_string()),
        ["0.0879999582208", "0.0440000315392"].map(String::from)
    );
    // A model of another name or provider is unknown, as it is without units.
    for lookup in [
        Lookup::new("dall-e-9"),
        Lookup::new("dall-e-3").provider("openai"),
        Lookup::new("azure/dall-e-3").strict(),
    ] {
        let units = Units::new().images(1);
        assert!(matches!(MAP.cost(lookup, &units), Err(Error::UnknownModel(_))), "{lookup:?}");
        assert!(matches!(MAP.total(lookup, &units), Err(Error::UnknownModel(_))), "{lookup:?}");
    }
}

/// Where LiteLLM has no amount, a price of the entry is billed: that of an image or a pixel for images
/// that it bills by tokens alone, and that of tokens for rerankers that it bills by the query alone.
#[test]
fn prices_that_the_reference_passes_over_are_billed() {
    let images = Units::new().images(2);
    for (model, provider, total) in [
        ("high/1024-x-1024/gpt-image-1.5", Some("openai"), "0.266"),
        ("azure/high/1024-x-1024/gpt-image-1-mini", Some("azure"), "0.06656"),
        ("512-x-512/max-steps/stability.stable-diffusion-xl-v0", Some("bedrock"), "0.072"),
    ] {
        let cost = cost(&MAP, common::lookup(model, provider), &images);
        assert_eq!((cost.key(), cost.total().to_string()), (model, total.to_owned()));
    }
    let (usage, units) = (Usage::new(10_000, 0), Units::new().search_units(3));
    let call = Call::new(&usage).units(&units);
    assert_eq!(MAP.total("rerank-v5.0-pro", call).unwrap().to_string(), "0.0005");
    let video = Units::new().video(seconds(2));
    assert_eq!(MAP.total("vertex_ai/veo-2.0-generate-001", &video).unwrap().to_string(), "1");
}

/// The size that a key names is the size of its images. LiteLLM takes 1024 x 1024 if the call names
/// none.
#[test]
fn the_size_in_a_key_counts() {
    let priced = |units: Units| {
        let cost = MAP.cost("azure/hd/1024-x-1792/dall-e-3", &units).unwrap();
        let pixels = cost.lines().map(|line| line.quantity.as_u64()).next().unwrap();
        (pixels, cost.total().to_string())
    };
    assert_eq!(priced(Units::new().images(1)), (Some(1_024 * 1_792), "0.1320000159744".to_owned()));
    let asked = Units::new().images(1).image_size(ImageSize::new(512, 512));
    assert_eq!(priced(asked), (Some(512 * 512), "0.01885714513920".trim_end_matches('0').to_owned()));
}

/// Tokens that the usage reports of an image go first, if the model prices them.
#[test]
fn images_are_billed_by_tokens_first_then_by_the_image_then_by_the_pixel() {
    let images = Units::new().images(2);
    let usage = Usage::new(100, 1_000);
    let priced = |entry: &str, usage: Option<&Usage>| {
        let call = usage.map_or(Call::from(&images), |usage| Call::new(usage).units(&images));
        lines(&map(entry).cost("m", call).unwrap())
    };
    let all = r#"{"mode": "image_generation", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6,
        "output_cost_per_image": 0.04, "input_cost_per_image": 0.03, "input_cost_per_pixel": 1e-8}"#;
    assert_eq!(
        priced(all, Some(&usage)),
        [
            "100 tokens of input x 0.000001 = 0.0001 (input_cost_per_token)",
            "1000 tokens of output x 0.000002 = 0.002 (output_cost_per_token)",
        ]
    );
    let by_image = "2 images of made_image x 0.04 = 0.08 (output_cost_per_image)";
    assert_eq!(priced(all, None), [by_image]);
    assert_eq!(priced(all, Some(&Usage::new(0, 0))), [by_image]);
    // Without a rate of tokens, the image stands for them.
    let flat = r#"{"mode": "image_generation", "output_cost_per_image": 0.04, "input_cost_per_image": 0}"#;
    assert_eq!(priced(flat, Some(&usage)), [by_image]);
    let input = r#"{"mode": "image_generation", "input_cost_per_image": 0.03, "input_cost_per_pixel": 1e-8, "output_cost_per_pixel": 0}"#;
    assert_eq!(priced(input, None), ["2 images of made_image x 0.03 = 0.06 (input_cost_per_image)"]);
    let pixel = r#"{"mode": "image_generation", "input_cost_per_pixel": 1e-8, "output_cost_per_pixel": 0}"#;
    let by_pixel = "2097152 pixels of made_pixel x 0.00000001 = 0.02097152 (input_cost_per_pixel)";
    assert_eq!(priced(pixel, None), [by_pixel]);
    let free = r#"{"mode": "image_generation", "input_cost_per_pixel": 0.0, "output_cost_per_token": 0.0}"#;
    assert_eq!(priced(free, None), ["2097152 pixels of made_pixel x 0 = 0 (input_cost_per_pixel)"]);
    let none = unpriced(&map(r#"{"mode": "image_generation", "input_cost_per_token": 1e-6}"#), "m", &images);
    assert_eq!(none, "m is billed for input, which the call does not count: set the tokens of the usage");
}

/// A count in a unit that the entry prices takes the place of the tokens of the same.
#[test]
fn units_take_the_place_of_their_tokens() {
    let entry = r#"{"mode": "embedding", "input_cost_per_token": 1e-6, "output_cost_per_token": 0,
        "input_cost_per_image_token": 2e-6, "input_cost_per_audio_token": 3e-6, "input_cost_per_video_token": 4e-6,
        "input_cost_per_character": 1e-7, "input_cost_per_image": 0.001,
        "input_cost_per_audio_per_second": 0.0001, "input_cost_per_video_per_second": 0.0002}"#;
    let mut usage = Usage::new(1_000, 0);
    usage.prompt_tokens_details.image_tokens = 100;
    usage.prompt_tokens_details.audio_tokens = 200;
    usage.prompt_tokens_details.video_tokens = 300;
    let components = |units: Units| -> Vec<(&'static str, String)> {
        let cost = map(entry).cost("m", Call::new(&usage).units(&units)).unwrap();
        cost.lines().map(|line| (line.component.as_str(), line.quantity.to_string())).collect()
    };
    let owned = |known: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        known.iter().map(|(name, count)| (*name, (*count).to_owned())).collect()
    };
    let tokens = [("input", "400"), ("input_audio", "200"), ("input_image", "100"), ("input_video", "300")];
    assert_eq!(components(Units::new()), owned(&tokens));
    for (units, replaced, line) in [
        (Units::new().input_characters(50), "input", ("input_character", "50")),
        (Units::new().input_images(2), "input_image", ("sent_image", "2")),
        (Units::new().input_audio(seconds(7)), "input_audio", ("sent_audio", "7")),
        (Units::new().input_video(Duration::from_millis(8_250)), "input_video", ("sent_video", "8.25")),
    ] {
        let mut expected = tokens.to_vec();
        expected.retain(|(name, _)| *name != replaced);
        expected.push(line);
        assert_eq!(components(units), owned(&expected));
    }
    // A unit that the entry does not price is counted by its tokens.
    let cost =
        |entry: &str, units: Units| map(entry).cost("m", Call::new(&usage).units(&units)).unwrap().total();
    let plain = r#"{"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}"#;
    assert_eq!(cost(plain, Units::new().input_images(2).input_characters(9)).to_string(), "0.001");
}

/// Units of the input do not pay for the output.
#[test]
fn units_stand_for_no_tokens_of_the_other_side() {
    let entry = r#"{"input_cost_per_token": 1e-6, "input_cost_per_image": 0.001}"#;
    let (usage, units) = (Usage::new(10, 5), Units::new().input_images(1));
    let error = unpriced(&map(entry), "m", Call::new(&usage).units(&units));
    assert_eq!(error, "no price of m is known for output: register one with register_model");
    // Video stands for the input of a model that prices no tokens of input.
    let units = Units::new().input_video(seconds(10));
    let pegasus = "twelvelabs.pegasus-1-5-v1:0";
    let cost = MAP.cost(pegasus, Call::new(&Usage::new(9_999, 1_000)).units(&units)).unwrap();
    assert_eq!(
        lines(&cost),
        [
            "1000 tokens of output x 0.0000075 = 0.0075 (output_cost_per_token)",
            "10 seconds of sent_video x 0.00049 = 0.0049 (input_cost_per_video_per_second)",
        ]
    );
    let error = unpriced(&MAP, pegasus, &Usage::new(0, 1_000));
    assert_eq!(
        error,
        "twelvelabs.pegasus-1-5-v1:0 is billed for sent_video, which the call does not count: set Units::input_video"
    );
}

/// Tools and fees do not stand for the tokens of an answer, and units of one side not for the other's.
#[test]
fn what_is_not_counted_beside_units_is_named() {
    let answer =
        "claude-sonnet-4-5 is billed for input, which the call does not count: set the tokens of the usage";
    for searches in [0, 3] {
        assert_eq!(unpriced(&MAP, "claude-sonnet-4-5", &Units::new().web_searches(searches)), answer);
    }
    let map = map(r#"{"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}"#);
    map.register_model("m", json!({"input_cost_per_request": 0.01})).unwrap();
    let error = "m is billed for input, which the call does not count: set the tokens of the usage";
    assert_eq!(unpriced(&map, "m", &Units::new()), error);
    assert_eq!(map.total("m", &Usage::new(0, 0)).unwrap().to_string(), "0.01");
    // A model that is billed by characters on both sides.
    let (usage, input, output) =
        (Usage::new(500, 300), Units::new().input_characters(2_000), Units::new().output_characters(2_000));
    let named = |component: &str| {
        format!(
            "medlm-large is billed for {component}_character, which the call does not count: set Units::{component}_characters"
        )
    };
    for call in [Call::new(&usage).units(&input), Call::from(&input)] {
        assert_eq!(unpriced(&MAP, "medlm-large", call), named("output"));
    }
    assert_eq!(unpriced(&MAP, "medlm-large", Call::new(&usage).units(&output)), named("input"));
}

/// A count of zero says that nothing was used. It takes the place of no tokens.
#[test]
fn a_count_of_zero_replaces_no_tokens() {
    let none = Units::new().images(0).input_characters(0).search_units(0);
    let usage = Usage::new(1_000, 0);
    let call = Call::new(&usage).units(&none);
    assert_eq!(
        MAP.total("text-embedding-004", call).unwrap(),
        MAP.total("text-embedding-004", &usage).unwrap()
    );
    let error = unpriced(&MAP, "azure/hd/1024-x-1024/dall-e-3", call);
    assert_eq!(
        error,
        "no price of azure/hd/1024-x-1024/dall-e-3 is known for input: register one with register_model"
    );
}

/// Prompt tokens alone do not stand for images that were made.
#[test]
fn images_are_billed_beside_a_prompt() {
    let (usage, images) = (Usage::new(50, 0), Units::new().images(4));
    let cost = MAP.cost("gemini/gemini-2.5-flash-image", Call::new(&usage).units(&images)).unwrap();
    assert_eq!(
        lines(&cost),
        [
            "50 tokens of input x 0.0000003 = 0.000015 (input_cost_per_token)",
            "4 images of made_image x 0.039 = 0.156 (output_cost_per_image)",
        ]
    );
    // The size of an image that is billed by the number does not matter, however large it is.
    let huge = Units::new().images(u64::MAX).image_size(ImageSize::new(u32::MAX, u32::MAX));
    assert!(matches!(MAP.cost("aiml/dall-e-3", &huge), Err(Error::Overflow { .. })));
    let huge = Units::new().images(2).image_size(ImageSize::new(u32::MAX, u32::MAX));
    assert_eq!(total("aiml/dall-e-3", &huge), "0.104");
}

/// Search units and pages stand for the tokens of a model that prices both.
#[test]
fn documents_stand_for_their_tokens() {
    let rerank = map(r#"{"mode": "rerank", "input_cost_per_query": 0.002, "input_cost_per_token": 1e-6}"#);
    let usage = Usage::new(1_000, 0);
    let units = Units::new().search_units(1);
    let total = rerank.total("m", Call::new(&usage).units(&units)).unwrap();
    assert_eq!(
        (total.to_string(), rerank.total("m", &usage).unwrap().to_string()),
        ("0.002".into(), "0.001".into())
    );
    let usage = Usage::new(1_000, 1_000);
    let pages = Units::new().pages(2);
    let model = "vertex_ai/deepseek-ai/deepseek-ocr-maas";
    assert_eq!(MAP.total(model, Call::new(&usage).units(&pages)).unwrap().to_string(), "0.0006");
}

/// A deployment's price of a unit takes the place of the model's prices of the same. Its other prices leave
/// the entries by quality and size in force.
#[test]
fn a_deployments_price_of_a_unit_counts() {
    let map = CostMap::from_json(common::catalog("1.109.1")).unwrap();
    let deployment = |name: &str, params: Value| Deployment::new(name, params, json!({})).unwrap();
    map.set_deployments([
        deployment("whisper", json!({"model": "whisper-1", "input_cost_per_second": 0.001})),
        deployment("sora", json!({"model": "sora-2", "output_cost_per_second": 0.5})),
        deployment("image", json!({"model": "stability.sd3-5-large-v1:0", "input_cost_per_image": 0.01})),
        deployment("fee", json!({"model": "azure/dall-e-3", "input_cost_per_request": 0.01})),
        deployment("token", json!({"model": "gpt-image-1.5", "input_cost_per_token": 1e-6})),
    ])
    .unwrap();
    let hd = Units::new().images(2).image_quality("hd");
    for (name, units, total) in [
        ("whisper", Units::new().input_audio(seconds(10)), "0.01"),
        ("sora", Units::new().video(seconds(10)), "5"),
        ("image", Units::new().images(2), "0.02"),
        ("fee", hd, "0.1859999164416"),
        ("token", Units::new().images(2), "0.018"),
    ] {
        let cost = map.deployment_cost(name, &units).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(cost.total().to_string(), total, "{name}: {cost}");
    }
}

/// The rules of tools are those of the provider that an entry names, or else of the one that was asked for
/// or begins its key.
#[test]
fn tools_follow_the_provider_that_is_known() {
    let prices = json!({"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6, "search_context_cost_per_query":
        {"search_context_size_low": 0.01, "search_context_size_medium": 0.02}});
    let map = CostMap::empty();
    map.register_model("anthropic/zz", prices.clone()).unwrap();
    map.register_model("bare", prices).unwrap();
    let mut usage = Usage::new(10, 10);
    usage.prompt_tokens_details.web_search_requests = 3;
    for (lookup, total) in [
        (Lookup::new("anthropic/zz"), "0.06002"),
        (Lookup::new("zz").provider("anthropic"), "0.06002"),
        (Lookup::new("bare"), "0.02002"),
        (Lookup::new("bare").provider("groq"), "0.06002"),
    ] {
        assert_eq!(map.total(lookup, &usage).unwrap().to_string(), total, "{lookup:?}");
    }
}

/// Without any price, a model has none of what was used, whatever the call counts.
#[test]
fn a_model_without_prices_needs_one() {
    let map = map(r#"{"mode": "image_generation"}"#);
    for (units, component) in [(Units::new().images(1), "made_image"), (Units::new().queries(1), "query")] {
        let expected = format!("no price of m is known for {component}: register one with register_model");
        assert_eq!(unpriced(&map, "m", &units), expected);
    }
    let expected = "no price of m is known for output: register one with register_model";
    assert_eq!(unpriced(&map, "m", &Usage::new(0, 0)), expected);
    // Calls in other modes may use nothing.
    for mode in ["chat", "evaluation", "decisions", "realtime"] {
        let map = self::map(&format!(r#"{{"mode": "{mode}", "input_cost_per_token": 1e-6}}"#));
        assert_eq!(map.total("m", &Usage::new(0, 0)).unwrap().to_string(), "0", "{mode}");
    }
}

/// A call that does not count what its model is billed by has no price, and the error names the unit and
/// the way to count it.
#[test]
fn a_unit_that_is_not_counted_is_named() {
    for (model, component, setter) in [
        ("azure/hd/1024-x-1024/dall-e-3", "made_image", "Units::images"),
        ("gpt-image-1", "input", "the tokens of the usage"),
        ("tts-1", "input_character", "Units::input_characters"),
        ("whisper-1", "sent_audio", "Units::input_audio"),
        ("rerank-v3.5", "search_unit", "Units::search_units"),
        ("mistral/mistral-ocr-4-0", "page", "Units::pages"),
        ("reducto/parse-v3", "credit", "Units::credits"),
        ("sora-2", "made_video", "Units::video"),
        ("exa_ai/search", "query", "Units::queries"),
        ("gemini/lyria-3-pro-preview", "made_image", "Units::images"),
        ("openai/container", "code_interpreter", "Units::code_interpreter_sessions"),
    ] {
        let expected =
            format!("{model} is billed for {component}, which the call does not count: set {setter}");
        assert_eq!(unpriced(&MAP, model, &Usage::new(0, 0)), expected);
        let Err(Error::Unpriced(bill)) = MAP.cost(model, &Usage::new(0, 0)) else { panic!("{model}") };
        let line = bill.lines().last().unwrap();
        assert_eq!((line.component.as_str(), line.basis), (component, Basis::Uncounted), "{model}");
        assert_eq!(line.to_string(), format!("{} of {component}: not counted", line.unit()), "{model}");
    }
    // A session is billed by the second, and so is a model without a mode.
    let error = unpriced(&MAP, "gpt-live-1", &Usage::new(0, 0));
    assert_eq!(error, "gpt-live-1 is billed by the second, and the call has no duration: set Call::duration");
    // A count of zero is a count.
    assert_eq!(total("tts-1", &Units::new().input_characters(0)), "0");
    assert_eq!(total("gpt-image-1", &Units::new().images(0)), "0");
    // A unit of another kind is not the one that is needed.
    let error = unpriced(&MAP, "tts-1", &Units::new().images(1));
    assert_eq!(
        error,
        "tts-1 is billed for input_character, which the call does not count: set Units::input_characters"
    );
    let error = unpriced(&MAP, "gpt-4o", &Units::new().queries(1));
    assert_eq!(error, "no price of gpt-4o is known for query: register one with register_model");
    assert_eq!(
        unpriced(&MAP, "gpt-4o", &Units::new()),
        "gpt-4o is billed for input, which the call does not count: set the tokens of the usage"
    );
}

/// No call that counts nothing is free, to none of the models of media and documents, unless the map says
/// that the model is.
#[test]
fn media_and_documents_are_not_free() {
    const MODES: [&str; 8] = [
        "image_generation",
        "image_edit",
        "audio_speech",
        "audio_transcription",
        "rerank",
        "ocr",
        "video_generation",
        "search",
    ];
    let (mut uncounted, mut free) = (0, Vec::new());
    for model in MAP.snapshot().models() {
        let fields: BTreeMap<String, Value> =
            serde_json::from_value(serde_json::to_value(&model).unwrap()).unwrap();
        let has_price = fields.iter().any(|(name, value)| name.contains("cost") && !value.is_null());
        if !has_price || !model.mode().is_some_and(|mode| MODES.contains(&mode.as_str())) {
            continue;
        }
        for call in [Call::new(&Usage::new(0, 0)), Call::from(&Units::new())] {
            match MAP.cost(model.key(), call) {
                Err(Error::Unpriced(bill)) => {
                    assert_eq!(bill.known_total().to_string(), "0", "{}", model.key());
                    assert!(bill.lines().any(|line| line.basis == Basis::Uncounted), "{}", model.key());
                    uncounted += 1;
                }
                Ok(cost) => {
                    assert_eq!(cost.total().to_string(), "0", "{}", model.key());
                    free.push(model.key().to_owned());
                }
                Err(error) => panic!("{}: {error}", model.key()),
            }
        }
    }
    assert_eq!((uncounted, free.len()), (1_541, 13), "{free:?}");
    assert!(free.contains(&"duckduckgo/search".to_owned()), "{free:?}");
}

#[test]
fn transcriptions_are_billed_by_tokens_or_seconds() {
    let audio = Units::new().input_audio(Duration::from_millis(1_500));
    let one = |entry: &str, call: Call<'_>| lines(&map(entry).cost("m", call).unwrap());
    let both =
        r#"{"mode": "audio_transcription", "input_cost_per_second": 0.1, "output_cost_per_second": 0.2}"#;
    let line = "1.5 seconds of sent_audio x 0.2 = 0.3 (output_cost_per_second)";
    assert_eq!(one(both, Call::from(&audio)), [line]);
    let zero =
        r#"{"mode": "audio_transcription", "input_cost_per_second": 0.1, "output_cost_per_second": 0.0}"#;
    let line = "1.5 seconds of sent_audio x 0.1 = 0.15 (input_cost_per_second)";
    assert_eq!(one(zero, Call::from(&audio)), [line]);
    let line = "2 seconds of duration x 0.1 = 0.2 (input_cost_per_second)";
    assert_eq!(one(zero, Call::new(&Usage::new(5, 5)).duration(seconds(2))), [line]);
    let tokens = r#"{"mode": "audio_transcription", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6, "input_cost_per_second": 0.1}"#;
    assert_eq!(
        one(tokens, Call::from(&audio)),
        ["1.5 seconds of sent_audio x 0.1 = 0.15 (input_cost_per_second)"]
    );
    let line = "10 tokens of input x 0.000001 = 0.00001 (input_cost_per_token)";
    assert_eq!(one(tokens, Call::new(&Usage::new(10, 0)).units(&audio)), [line]);
    // Tokens of the output alone do not stand for the audio.
    let lines = one(tokens, Call::new(&Usage::new(0, 10)).units(&audio));
    assert_eq!(
        (lines.len(), lines[1].as_str()),
        (2, "1.5 seconds of sent_audio x 0.1 = 0.15 (input_cost_per_second)")
    );
}

#[test]
fn pages_credits_and_batches() {
    let entry = r#"{"mode": "ocr", "ocr_cost_per_page": 0.004, "ocr_cost_per_page_batches": 0.002}"#;
    let pages = Units::new().pages(3).annotated_pages(2);
    let cost = cost(&map(entry), "m", &pages);
    assert_eq!(
        lines(&cost),
        [
            "3 pages of page x 0.004 = 0.012 (ocr_cost_per_page)",
            "2 pages of annotated_page x 0.004 = 0.008 (ocr_cost_per_page, since there is no annotation_cost_per_page)",
        ]
    );
    let batch = map(entry).cost("m", Call::from(&pages).batch()).unwrap();
    assert_eq!(batch.total().to_string(), "0.01");
    // A unit without a price of batches has no discount.
    let batch = MAP.cost("tts-1", Call::from(&Units::new().input_characters(1_000)).batch()).unwrap();
    assert_eq!(batch.total().to_string(), "0.015");
    // Credits stand for pages where they have a price.
    let both = r#"{"mode": "ocr", "ocr_cost_per_page": 0.004, "ocr_cost_per_credit": 0.015}"#;
    let units = Units::new().pages(3).credits(2.into());
    assert_eq!(self::cost(&map(both), "m", &units).total().to_string(), "0.03");
    assert_eq!(self::cost(&map(entry), "m", &units).total().to_string(), "0.012");
    let error = unpriced(&map(entry), "m", &Units::new().credits(2.into()));
    assert_eq!(error, "m is billed for page, which the call does not count: set Units::pages");
    for odd in ["-1", "0.0000000001", "1e30"] {
        let units = Units::new().credits(odd.parse().unwrap());
        assert!(matches!(map(both).cost("m", &units), Err(Error::Overflow { .. })), "{odd}");
    }
}

#[test]
fn tiers_thresholds_and_multipliers_apply_to_units() {
    let entry = r#"{"mode": "image_generation", "output_cost_per_image": 0.04, "output_cost_per_image_priority": 0.08,
        "output_cost_per_image_2K": 0.1, "output_cost_per_image_2K_priority": 0.2, "input_cost_per_image": 0.01,
        "input_cost_per_image_above_128k_tokens": 0.02, "regional_endpoint_uplift_multiplier": 1.1}"#;
    let map = map(entry);
    let total = |call: Call<'_>| map.cost("m", call).unwrap().total().to_string();
    let (made, large) = (Units::new().images(1), Units::new().images(1).image_resolution("2k"));
    assert_eq!(total(Call::from(&made)), "0.04");
    assert_eq!(total(Call::from(&made).service_tier("priority")), "0.08");
    assert_eq!(total(Call::from(&made).service_tier("flex")), "0.04");
    assert_eq!(total(Call::from(&large)), "0.1");
    assert_eq!(total(Call::from(&large).service_tier("priority")), "0.2");
    assert_eq!(total(Call::from(&made).vertex_location("us-east5")), "0.044");
    let sent = Units::new().input_images(1);
    for (prompt, expected) in [(128_000, "0.01"), (128_001, "0.02")] {
        assert_eq!(total(Call::new(&Usage::new(prompt, 0)).units(&sent)), expected);
    }
}

/// The fee of a request is billed where the operator set it: for a model, or for a deployment.
#[test]
fn the_fee_of_a_request_is_the_operators() {
    let usage = Usage::new(0, 1_000);
    let model = "perplexity/sonar-small-online";
    assert_eq!(MAP.cost(model, &usage).unwrap().total().to_string(), "0.00028");
    let map = CostMap::from_json(common::catalog("1.109.1")).unwrap();
    map.register_model(model, json!({"output_cost_per_token": 2.8e-7})).unwrap();
    assert_eq!(map.cost(model, &usage).unwrap().total().to_string(), "0.00028");
    map.register_model(model, json!({"input_cost_per_request": 0.005})).unwrap();
    let cost = map.cost(model, &usage).unwrap();
    assert_eq!(
        lines(&cost),
        [
            "1000 tokens of output x 0.00000028 = 0.00028 (output_cost_per_token)",
            "1 requests of request x 0.005 = 0.005 (input_cost_per_request)",
        ]
    );
    assert_eq!((cost.input().to_string(), map.total(model, &usage).unwrap()), ("0.005".into(), cost.total()));
    map.set_deployments([
        Deployment::new("fee", json!({"model": "gpt-4o", "input_cost_per_request": 0.01}), json!({}))
            .unwrap(),
        Deployment::new(
            "none",
            json!({"model": "perplexity/pplx-7b-online", "output_cost_per_token": 1e-6}),
            json!({}),
        )
        .unwrap(),
    ])
    .unwrap();
    assert_eq!(map.deployment_cost("fee", &usage).unwrap().total().to_string(), "0.02");
    assert_eq!(map.deployment_cost("none", &usage).unwrap().total().to_string(), "0.001");
}

/// Azure bills the storage of files, and not the searches in them.
#[test]
fn tools_without_a_price_are_not_free() {
    let usage = Usage::new(10, 10);
    let error = |model: &str, units: Units| unpriced(&MAP, model, Call::new(&usage).units(&units));
    let gigabyte = "1".parse().unwrap();
    assert_eq!(
        error("azure/gpt-4o", Units::new().file_searches(1)),
        "azure/gpt-4o is billed for file_storage, which the call does not count: set Units::file_storage"
    );
    for (model, units, component) in [
        ("gpt-4o", Units::new().vector_store(gigabyte), "vector_store"),
        ("gpt-4o", Units::new().file_storage(gigabyte), "file_storage"),
        ("claude-sonnet-4-5", Units::new().code_interpreter_sessions(1), "code_interpreter"),
        ("claude-sonnet-4-5", Units::new().maps_requests(1), "maps_grounding"),
        ("gpt-4o", Units::new().page_visits(1), "page_visit"),
        ("gpt-4o", Units::new().computer_use(1, 0), "computer_input"),
        ("gpt-4o", Units::new().computer_use(0, 1), "computer_output"),
    ] {
        let expected =
            format!("no price of {model} is known for {component}: register one with register_model");
        assert_eq!(error(model, units), expected);
    }
    // An operator sets what the map lacks. Prices of a thousand are told for one.
    let map =
        map(r#"{"input_cost_per_token": 0, "output_cost_per_token": 0, "file_search_cost_per_1k_calls": 2,
            "computer_use_input_cost_per_1k_tokens": 0.003, "vector_store_cost_per_gb_per_day": 0.1,
            "groq_browser_visit_website_cost_per_call": 0.001, "code_interpreter_cost_per_session": 0.03}"#);
    let units = Units::new().file_searches(1).computer_use(1, 0).vector_store(gigabyte).page_visits(1);
    let units = units.code_interpreter_sessions(1);
    let cost = map.cost("m", Call::new(&usage).units(&units)).unwrap();
    assert_eq!(
        lines(&cost)[2..],
        [
            "1 pages of page_visit x 0.001 = 0.001 (groq_browser_visit_website_cost_per_call)",
            "1 calls of file_search x 0.002 = 0.002 (file_search_cost_per_1k_calls)",
            "1 gigabyte_days of vector_store x 0.1 = 0.1 (vector_store_cost_per_gb_per_day)",
            "1 sessions of code_interpreter x 0.03 = 0.03 (code_interpreter_cost_per_session)",
            "1 tokens of computer_input x 0.000003 = 0.000003 (computer_use_input_cost_per_1k_tokens)",
        ]
    );
    assert_eq!((cost.tools(), cost.total().to_string()), (cost.total(), "0.133003".to_owned()));
}

/// A bill has as many lines as the call has components.
#[test]
fn a_bill_has_room_for_every_component() {
    let mut entry = serde_json::Map::new();
    for name in PRICED {
        entry.insert(name.to_owned(), json!(1));
    }
    entry.insert("search_context_cost_per_query".to_owned(), json!({"search_context_size_medium": 1}));
    let map = CostMap::empty();
    map.register_model("m", entry).unwrap();
    let cost = map.cost("m", Call::new(&everything(300_000)).units(&all_units())).unwrap();
    let components: BTreeSet<Component> = cost.lines().map(|line| line.component).collect();
    assert_eq!(cost.lines().len(), components.len());
    assert!(cost.lines().map(|line| line.component).is_sorted());
    let sum: Option<_> = cost.lines().map(|line| line.amount).sum();
    assert_eq!(sum, Some(cost.total()));
    let record = serde_json::to_string(&cost).unwrap();
    let record: llm_costmap::cost::CostRecord = serde_json::from_str(&record).unwrap();
    assert_eq!((record.lines.len(), record), (cost.lines().len(), cost.record()));
    assert_eq!(cost.clone(), cost);
    let left: Vec<&str> =
        Component::ALL.iter().filter(|one| !components.contains(one)).map(|one| one.as_str()).collect();
    assert_eq!(left, COMPONENTS_LEFT);
}

/// The components that one call cannot have beside the others: those whose place units take, fees that
/// others set, alternatives, and what operators and callers add to a bill.
const COMPONENTS_LEFT: [&str; 19] = [
    "input",
    "input_audio",
    "input_image",
    "input_video",
    "output",
    "output_video",
    "router_fee",
    "duration",
    "made_image",
    "made_pixel",
    "made_audio",
    "page",
    "annotated_page",
    "search",
    "discount",
    "margin",
    "guardrail",
    "tool_call",
    "fee",
];

fn everything(prompt_tokens: u64) -> Usage {
    let mut usage = Usage::new(prompt_tokens, 10_000)
        .cached_tokens(1_000)
        .cache_creation_tokens(1_000)
        .reasoning_tokens(10);
    let prompt = &mut usage.prompt_tokens_details;
    prompt.cached_tokens_details.audio_tokens = 10;
    prompt.cached_tokens_details.image_tokens = 10;
    prompt.cache_creation_token_details.ephemeral_1h_input_tokens = 10;
    prompt.cache_creation_token_details.ephemeral_12h_input_tokens = 10;
    (prompt.audio_tokens, prompt.image_tokens, prompt.video_tokens) = (100, 100, 100);
    prompt.web_search_requests = 3;
    let completion = &mut usage.completion_tokens_details;
    (completion.audio_tokens, completion.image_tokens, completion.video_tokens) = (100, 100, 100);
    usage.citation_tokens = 10;
    usage
}

fn all_units() -> Units {
    Units::new()
        .images(2)
        .input_images(2)
        .video(seconds(2))
        .input_video(seconds(2))
        .audio(seconds(2))
        .input_audio(seconds(2))
        .input_characters(2)
        .output_characters(2)
        .search_units(2)
        .pages(2)
        .annotated_pages(2)
        .credits(2.into())
        .queries(2)
        .text_messages(2)
        .page_visits(2)
        .maps_requests(2)
        .file_searches(2)
        .file_storage(2.into())
        .vector_store(2.into())
        .code_interpreter_sessions(2)
        .computer_use(2, 2)
}

/// Fields that one entry has at once.
const PRICED: [&str; 24] = [
    "input_cost_per_token",
    "output_cost_per_token",
    "citation_cost_per_token",
    "input_cost_per_request",
    "input_cost_per_text_message",
    "input_cost_per_character",
    "output_cost_per_character",
    "input_cost_per_image",
    "output_cost_per_image",
    "input_cost_per_audio_per_second",
    "output_cost_per_audio_per_second",
    "input_cost_per_video_per_second",
    "output_cost_per_video_per_second",
    "input_cost_per_query",
    "ocr_cost_per_page",
    "ocr_cost_per_credit",
    "google_maps_grounding_cost_per_query",
    "file_search_cost_per_1k_calls",
    "file_search_cost_per_gb_per_day",
    "vector_store_cost_per_gb_per_day",
    "code_interpreter_cost_per_session",
    "computer_use_input_cost_per_1k_tokens",
    "computer_use_output_cost_per_1k_tokens",
    "groq_browser_visit_website_cost_per_call",
];

/// Calls that between them use everything that a price may be for.
fn probes<'a>(usages: &'a [Usage], units: &'a [Units]) -> Vec<Call<'a>> {
    let mut probes = Vec::new();
    for units in units {
        for usage in usages {
            let call = Call::new(usage).units(units).at(std::time::SystemTime::UNIX_EPOCH);
            probes.extend([call, call.batch(), call.duration(seconds(3))]);
            for tier in ["flex", "balanced", "priority", "ultrafast"] {
                probes.push(call.service_tier(tier));
            }
        }
        probes.push(Call::from(units));
    }
    probes
}

/// Every price field of the map has an entry in which it changes the cost of some call, or is listed as
/// one that prices no call.
#[test]
fn every_price_field_prices_a_call_or_is_listed() {
    let sizes: Vec<Units> = ["480p", "720p", "768p", "1080p", "2k", "4k"]
        .into_iter()
        .map(|size| Units::new().video(seconds(2)).video_resolution(size))
        .chain(
            ["512", "1024", "1536", "0.5K", "1K", "2K", "4K"]
                .map(|size| Units::new().images(2).image_resolution(size)),
        )
        .chain([Units::new().images(1).image_size(ImageSize::new(640, 480)), Units::new(), all_units()])
        .chain([Units::new().pages(2).annotated_pages(1), Units::new().audio(seconds(2))])
        .collect();
    let mut explicit = everything(300_000);
    explicit.prompt_tokens_details.cache_type = Some("ephemeral".to_owned());
    let lengths = [10_000, 140_000, 300_000, 600_000, 1_500_000];
    let usages: Vec<Usage> =
        lengths.into_iter().map(everything).chain([explicit, Usage::new(0, 0)]).collect();
    let probes = probes(&usages, &sizes);
    let costs = |name: &str, entry: &Value| -> Vec<String> {
        let map = CostMap::from_json(json!({name: entry}).to_string()).unwrap();
        let priced = |call: &Call<'_>| match map.cost(name, call) {
            Ok(cost) => cost.total().to_string(),
            Err(Error::Unpriced(bill)) => bill.known_total().to_string(),
            Err(error) => panic!("{name}: {error}"),
        };
        probes.iter().map(priced).collect()
    };

    let catalog: BTreeMap<String, Value> = serde_json::from_str(&common::catalog("1.109.1")).unwrap();
    let listed: BTreeSet<String> =
        MAP.snapshot().unpriced_fields().iter().map(|field| field.name.clone()).collect();
    let (mut found, mut reached) = (BTreeSet::new(), BTreeSet::new());
    let models = catalog
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "sample_spec" | "fallback_generalizations"));
    for (name, entry) in models {
        let fields = entry.as_object().unwrap();
        for (field, price) in
            fields.iter().filter(|(field, _)| field.contains("cost") && !field.starts_with("supports_"))
        {
            if price.is_null() {
                continue;
            }
            found.insert(field.clone());
            // Entries are tried until the field is reached.
            if reached.contains(field) || listed.contains(field) {
                continue;
            }
            let mut other = entry.clone();
            other[field] = match price {
                Value::Object(table) => table
                    .keys()
                    .map(|size| (size.clone(), json!(7.5)))
                    .collect::<serde_json::Map<_, _>>()
                    .into(),
                _ => json!(7.5),
            };
            if costs(name, entry) != costs(name, &other) {
                reached.insert(field.clone());
            }
        }
    }
    let left: Vec<&String> = found.difference(&reached).filter(|field| !listed.contains(*field)).collect();
    assert_eq!(left, Vec::<&String>::new());
    assert_eq!((found.len(), reached.len(), listed.len()), (159, 143, 16));
}

//! Reads responses of the shapes that providers document, and prices them. Each cost is worked out
//! by hand from the rates in `MAP`.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use llm_costmap::cost::{Component, Line, Note};
use llm_costmap::usage::{Counter, Provenance, SearchContextSize};
use llm_costmap::wire::{Format, Response, Status};
use llm_costmap::{Call, Cost, CostMap, Error, Lookup, ServiceTier, Usage};

/// Rates in US dollars per token, as providers published them: gpt-4o is $2.50, $1.25 cached and
/// $10 per million, and so on.
const MAP: &str = r#"{
    "gpt-4o": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-6, "cache_read_input_token_cost": 1.25e-6,
        "output_cost_per_token": 1e-5, "input_cost_per_token_priority": 4.25e-6, "output_cost_per_token_priority": 1.7e-5,
        "cache_read_input_token_cost_priority": 2.125e-6},
    "gpt-4o-audio": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-6, "output_cost_per_token": 1e-5,
        "input_cost_per_audio_token": 4e-5, "output_cost_per_audio_token": 8e-5},
    "gpt-image": {"litellm_provider": "openai", "input_cost_per_token": 5e-6, "input_cost_per_image_token": 1e-5,
        "output_cost_per_image_token": 4e-5},
    "transcribe": {"litellm_provider": "openai", "mode": "audio_transcription", "input_cost_per_token": 2.5e-6,
        "input_cost_per_audio_token": 6e-6, "output_cost_per_token": 1e-5},
    "whisper": {"litellm_provider": "openai", "mode": "audio_transcription", "input_cost_per_second": 0.0001},
    "realtime": {"litellm_provider": "openai", "input_cost_per_token": 4e-6, "input_cost_per_audio_token": 3.2e-5,
        "cache_read_input_token_cost": 4e-7, "cache_read_input_audio_token_cost": 4e-7,
        "output_cost_per_token": 1.6e-5, "output_cost_per_audio_token": 6.4e-5},
    "sonnet": {"litellm_provider": "anthropic", "input_cost_per_token": 3e-6, "cache_read_input_token_cost": 3e-7,
        "cache_creation_input_token_cost": 3.75e-6, "cache_creation_input_token_cost_above_1hr": 6e-6,
        "output_cost_per_token": 1.5e-5, "provider_specific_entry": {"us": 1.1}},
    "opus": {"litellm_provider": "anthropic", "input_cost_per_token": 5e-6, "output_cost_per_token": 2.5e-5},
    "flash": {"litellm_provider": "gemini", "input_cost_per_token": 3e-7, "input_cost_per_audio_token": 1e-6,
        "cache_read_input_token_cost": 3e-8, "cache_read_input_audio_token_cost": 1e-7, "output_cost_per_token": 2.5e-6,
        "input_cost_per_token_priority": 5.4e-7, "output_cost_per_token_priority": 4.5e-6,
        "input_cost_per_token_flex": 1.5e-7, "output_cost_per_token_flex": 1.25e-6},
    "nova": {"litellm_provider": "bedrock_converse", "input_cost_per_token": 8e-7, "cache_read_input_token_cost": 2e-7,
        "cache_creation_input_token_cost": 1e-6, "cache_creation_input_token_cost_above_1hr": 2e-6, "output_cost_per_token": 3.2e-6},
    "deepseek": {"litellm_provider": "deepseek", "input_cost_per_token": 2.8e-7, "cache_read_input_token_cost": 2.8e-8,
        "output_cost_per_token": 4.2e-7},
    "grok": {"litellm_provider": "xai", "input_cost_per_token": 3e-6, "cache_read_input_token_cost": 7.5e-7, "output_cost_per_token": 1.5e-5},
    "sonar": {"litellm_provider": "perplexity", "input_cost_per_token": 2e-6, "output_cost_per_token": 8e-6,
        "citation_cost_per_token": 2e-6, "output_cost_per_reasoning_token": 3e-6,
        "search_context_cost_per_query": {"search_context_size_low": 0.005}},
    "searching": {"litellm_provider": "openai", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6,
        "search_context_cost_per_query": {"search_context_size_low": 0.01, "search_context_size_medium": 0.02, "search_context_size_high": 0.03}},
    "groq": {"litellm_provider": "groq", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6,
        "search_context_cost_per_query": {"search_context_size_medium": 0.005}},
    "openai/container": {"litellm_provider": "openai", "mode": "chat", "code_interpreter_cost_per_session": 0.03},
    "painter": {"litellm_provider": "openai", "mode": "image_generation", "output_cost_per_image": 0.04},
    "high/1024-x-1536/painter": {"litellm_provider": "openai", "mode": "image_generation", "output_cost_per_image": 0.25},
    "flash-image": {"litellm_provider": "gemini", "mode": "image_generation", "input_cost_per_token": 3e-7, "output_cost_per_token": 2.5e-6,
        "output_cost_per_image_token": 3e-5, "output_cost_per_image": 0.039},
    "credits": {"litellm_provider": "reducto", "mode": "ocr", "ocr_cost_per_credit": 0.015},
    "imagen": {"litellm_provider": "vertex_ai-image-models", "mode": "image_generation", "output_cost_per_image": 0.04},
    "multimodal": {"litellm_provider": "bedrock", "mode": "embedding", "input_cost_per_token": 1e-6, "input_cost_per_image": 0.001},
    "openrouter/any": {"litellm_provider": "openrouter", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6},
    "cheap": {"input_cost_per_token": 1e-6, "cache_read_input_token_cost": 1e-7, "output_cost_per_token": 2e-6},
    "rerank": {"litellm_provider": "cohere", "input_cost_per_query": 0.002, "input_cost_per_token": 0.0, "output_cost_per_token": 0.0},
    "ocr": {"litellm_provider": "mistral", "mode": "ocr", "ocr_cost_per_page": 0.004}
}"#;

fn map() -> CostMap {
    CostMap::from_json(MAP).unwrap()
}

/// Reads a body with and without being told its format, and expects the same.
fn read(format: Format, body: &str) -> Response {
    let response = Response::read(body.as_bytes()).unwrap_or_else(|e| panic!("{e}: {body}"));
    assert_eq!(response.format(), format, "{body}");
    assert_eq!(Response::read_as(format, body.as_bytes()).unwrap(), response, "{body}");
    response
}

fn price(format: Format, model: &str, body: &str) -> (Response, Cost) {
    let response = read(format, body);
    let cost = map().cost(model, &response).unwrap_or_else(|e| panic!("{e}: {body}"));
    (response, cost)
}

#[track_caller]
fn costs(format: Format, model: &str, body: &str, total: &str) -> Response {
    let (response, cost) = price(format, model, body);
    assert_eq!(cost.total().to_string(), total, "{cost}");
    response
}

fn pair(one: &str, other: &str) -> (String, String) {
    (one.to_owned(), other.to_owned())
}

fn notes(cost: &Cost) -> Vec<Note> {
    cost.notes().collect()
}

#[test]
fn openai_chat() {
    let body = r#"{"id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "object": "chat.completion", "created": 1741569952,
        "model": "gpt-4o-2024-08-06", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!",
        "refusal": null, "annotations": []}, "logprobs": null, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1900, "completion_tokens": 100, "total_tokens": 2000,
        "prompt_tokens_details": {"cached_tokens": 1000, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 64, "audio_tokens": 0, "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0}}, "service_tier": "default"}"#;
    // 900 x 2.5e-6 + 1000 x 1.25e-6 + 100 x 1e-5
    let response = costs(Format::OpenAiChat, "gpt-4o", body, "0.0045");
    assert_eq!(response.id(), Some("chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT"));
    assert_eq!(response.model(), Some("gpt-4o-2024-08-06"));
    assert_eq!(response.service_tier(), Some(ServiceTier::Standard));
    assert_eq!((response.status(), response.finish_reason()), (Some(Status::Completed), Some("stop")));
    assert_eq!(response.tool_calls().functions, 0);
    assert_eq!(response.usage().provenance(Counter::PromptAudio), Provenance::Reported);
    assert_eq!(response.usage().provenance(Counter::PromptImage), Provenance::Missing);
    // The tier that was served is billed: 900 x 4.25e-6 + 1000 x 2.125e-6 + 100 x 1.7e-5
    let priority = body.replace("\"default\"", "\"priority\"");
    costs(Format::OpenAiChat, "gpt-4o", &priority, "0.00765");
}

#[test]
fn openai_chat_with_audio_and_tools() {
    let body = r#"{"object": "chat.completion", "choices": [{"finish_reason": "tool_calls", "message": {"content": null,
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{\"name\": \"x\"}"}},
        {"id": "call_2", "type": "custom", "custom": {"name": "grep", "input": "y"}}]}}],
        "usage": {"prompt_tokens": 150, "completion_tokens": 90, "total_tokens": 240,
        "prompt_tokens_details": {"audio_tokens": 100, "cached_tokens": 0, "text_tokens": 50},
        "completion_tokens_details": {"audio_tokens": 70, "text_tokens": 20, "reasoning_tokens": 0}}}"#;
    // 50 x 2.5e-6 + 100 x 4e-5 + 20 x 1e-5 + 70 x 8e-5
    let response = costs(Format::OpenAiChat, "gpt-4o-audio", body, "0.009925");
    assert_eq!(response.tool_calls().functions, 2);
    assert_eq!(response.status(), Some(Status::Completed));
}

/// The dialects of OpenAI's chat completions.
#[test]
fn openai_chat_elsewhere() {
    for (model, usage, total) in [
        // DeepSeek: hits are part of the prompt. 400 x 2.8e-7 + 600 x 2.8e-8 + 10 x 4.2e-7
        (
            "deepseek",
            r#"{"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010,
            "prompt_cache_hit_tokens": 600, "prompt_cache_miss_tokens": 400}"#,
            "0.000133",
        ),
        // xAI: reasoning stands beside the completion. 50 x 3e-6 + 50 x 7.5e-7 + 310 x 1.5e-5
        (
            "grok",
            r#"{"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 410, "num_sources_used": 0,
            "prompt_tokens_details": {"text_tokens": 100, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 50},
            "completion_tokens_details": {"reasoning_tokens": 300, "audio_tokens": 0}}"#,
            "0.0048375",
        ),
        // Moonshot and Mistral have hits at the top. 30 x 1e-6 + 70 x 1e-7 + 1 x 2e-6
        (
            "cheap",
            r#"{"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 101, "cached_tokens": 70}"#,
            "0.000039",
        ),
        (
            "cheap",
            r#"{"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 101, "num_cached_tokens": 70}"#,
            "0.000039",
        ),
        // Databricks: hits at the top, inside the prompt.
        (
            "cheap",
            r#"{"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 101, "cache_read_input_tokens": 70}"#,
            "0.000039",
        ),
        // Groq adds times.
        (
            "cheap",
            r#"{"queue_time": 0.0378, "prompt_tokens": 18, "prompt_time": 0.0006, "completion_tokens": 556,
            "completion_time": 0.4, "total_tokens": 574, "total_time": 0.46}"#,
            "0.00113",
        ),
        // Embeddings of Voyage and Jina have a total alone.
        ("cheap", r#"{"total_tokens": 10}"#, "0.00001"),
        ("cheap", r#"{"prompt_tokens": 8, "total_tokens": 8}"#, "0.000008"),
    ] {
        costs(
            Format::OpenAiChat,
            model,
            &format!(r#"{{"object": "list", "data": [], "usage": {usage}}}"#),
            total,
        );
    }
    // Cloudflare wraps the response.
    let body = r#"{"result": {"response": "Hi", "tool_calls": [{"name": "f", "arguments": {}}],
        "usage": {"prompt_tokens": 26, "completion_tokens": 4, "total_tokens": 30}}, "success": true, "errors": [], "messages": []}"#;
    let response = costs(Format::OpenAiChat, "cheap", body, "0.000034");
    assert_eq!(response.tool_calls().functions, 1);
}

#[test]
fn perplexity_and_its_stated_cost() {
    let usage = r#""prompt_tokens": 33, "completion_tokens": 7163, "total_tokens": 7196, "search_context_size": "low",
        "citation_tokens": 20016, "num_search_queries": 18, "reasoning_tokens": 73997"#;
    // 33 x 2e-6 + 20016 x 2e-6 + 7163 x 8e-6 + 73997 x 3e-6 + 18 x 0.005
    let response = costs(Format::OpenAiChat, "sonar", &format!(r#"{{"usage": {{{usage}}}}}"#), "0.409393");
    assert_eq!((response.usage().prompt_tokens, response.usage().completion_tokens), (33, 81_160));
    let stated =
        format!(r#"{{"usage": {{{usage}, "cost": {{"input_tokens_cost": 0.1, "total_cost": 0.409}}}}}}"#);
    let (_, cost) = price(Format::OpenAiChat, "sonar", &stated);
    assert_eq!(cost.total().to_string(), "0.409");
    assert_eq!(cost.computed().unwrap().to_string(), "0.409393");
    assert_eq!(notes(&cost), [Note::StatedByProvider]);
}

/// OpenRouter's cost includes the upstream's, unless the caller's own key paid for that.
#[test]
fn openrouter_and_the_key_of_the_caller() {
    let body = |usage: &str| {
        format!(
            r#"{{"id": "gen-1", "model": "any", "usage": {{"prompt_tokens": 1000, "completion_tokens": 0, "total_tokens": 1000, {usage}}}}}"#
        )
    };
    let upstream = r#""cost_details": {"upstream_inference_cost": 0.001}"#;
    for (usage, total) in [
        (format!(r#""cost": 0.00105, "is_byok": false, {upstream}"#), "0.00105"),
        (format!(r#""cost": 0.00005, "is_byok": true, {upstream}"#), "0.00105"),
        (format!(r#"{upstream}, "is_byok": true, "cost": 0"#), "0.001"),
        // With the caller's own key, an amount without the upstream's is not the whole charge.
        (
            r#""cost": 0, "is_byok": true, "cost_details": {"upstream_inference_cost": null}"#.to_owned(),
            "0.001",
        ),
        (r#""cost": 0.0011"#.to_owned(), "0.0011"),
    ] {
        let response = read(Format::OpenAiChat, &body(&usage));
        let cost = map().cost(Lookup::new("any").provider("openrouter"), &response).unwrap();
        assert_eq!(
            (cost.total().to_string(), cost.computed().unwrap().to_string()),
            (total.to_owned(), "0.001".to_owned())
        );
    }
    // The charge of another server is shown beside the cost by the map.
    let response = read(Format::OpenAiChat, &body(r#""cost": 77"#));
    let cost = map().cost("cheap", &response).unwrap();
    assert_eq!(
        (cost.total().to_string(), cost.stated().unwrap().to_string()),
        ("0.001".to_owned(), "77".to_owned())
    );
    assert_eq!(notes(&cost), [Note::StatedNotTrusted, Note::StatedDiffers]);
    // OpenRouter serves models that the map does not know yet, and states what they cost.
    let cost = map().cost(Lookup::new("new/model").provider("openrouter"), &response).unwrap();
    assert_eq!((cost.key(), cost.total().to_string(), cost.computed()), ("new/model", "77".to_owned(), None));
    assert!(matches!(map().cost("new/model", &response), Err(Error::UnknownModel(_))));
}

#[test]
fn xai_states_ticks() {
    let body = r#"{"model": "grok", "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100, "cost_in_usd_ticks": 45000000}}"#;
    let (response, cost) = price(Format::OpenAiChat, "grok", body);
    assert_eq!(response.usage().cost.unwrap().to_string(), "0.0045");
    assert_eq!((cost.total().to_string(), notes(&cost)), ("0.0045".to_owned(), vec![Note::StatedByProvider]));
}

#[test]
fn openai_responses() {
    let body = r#"{"id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b", "object": "response", "created_at": 1741476542,
        "status": "completed", "error": null, "incomplete_details": null, "model": "gpt-4o-2024-08-06",
        "output": [{"type": "reasoning", "summary": []},
            {"type": "message", "status": "completed", "content": [{"type": "output_text", "text": "In a peaceful grove..."}]},
            {"type": "function_call", "name": "f", "arguments": "{}"}],
        "metadata": {"usage": {"prompt_tokens": 0}}, "service_tier": "default",
        "usage": {"input_tokens": 1000, "input_tokens_details": {"cached_tokens": 400}, "output_tokens": 87,
        "output_tokens_details": {"reasoning_tokens": 50}, "total_tokens": 1087}}"#;
    // 600 x 2.5e-6 + 400 x 1.25e-6 + 87 x 1e-5
    let response = costs(Format::OpenAiResponses, "gpt-4o", body, "0.00287");
    let tools = response.tool_calls();
    assert_eq!((tools.functions, tools.file_searches, tools.web_searches), (1, 0, 0));
    // Responses that are incomplete or failed carry billed usage.
    for (status, known) in
        [("incomplete", Status::Incomplete), ("failed", Status::Failed), ("cancelled", Status::Cancelled)]
    {
        let body = body.replacen("\"completed\"", &format!("\"{status}\""), 1);
        assert_eq!(costs(Format::OpenAiResponses, "gpt-4o", &body, "0.00287").status(), Some(known));
    }
    let cut = body
        .replace("\"incomplete_details\": null", r#""incomplete_details": {"reason": "max_output_tokens"}"#);
    assert_eq!(read(Format::OpenAiResponses, &cut).finish_reason(), Some("max_output_tokens"));
    let failed = body.replace("\"error\": null", r#""error": {"code": "server_error", "message": "oops"}"#);
    assert_eq!(costs(Format::OpenAiResponses, "gpt-4o", &failed, "0.00287").status(), Some(Status::Failed));
}

/// Tools that OpenAI ran are counted from the items of a response, each by the rule of its kind: searches
/// one by one, containers as sessions, images by their own model.
#[test]
fn tools_are_counted_from_items() {
    let body = |items: &str| {
        format!(
            r#"{{"object": "response", "tools": [{{"type": "web_search"}}, {{"type": "image_generation", "model": "painter"}}],
                "output": [{items}], "usage": {{"input_tokens": 1000, "output_tokens": 0}}}}"#
        )
    };
    let container = |id: &str| format!(r#"{{"type": "code_interpreter_call", "container_id": "{id}"}}"#);
    for (items, tools, total) in [
        // Offered, and not used.
        (r#"{"type": "message"}"#.to_owned(), "0", "0.001"),
        (r#"{"type": "web_search_call"}, {"type": "web_search_call"}"#.to_owned(), "0.04", "0.041"),
        (r#"{"type": "file_search_call"}"#.to_owned(), "0.0025", "0.0035"),
        (r#"{"type": "file_search_call"}, {"type": "web_search_call"}"#.to_owned(), "0.0225", "0.0235"),
        ([container("a"), container("b"), container("a")].join(","), "0.06", "0.061"),
        (r#"{"type": "code_interpreter_call"}, {"type": "code_interpreter_call"}"#.to_owned(), "0.03", "0.031"),
        (r#"{"type": "computer_call"}"#.to_owned(), "0", "0.001"),
        (
            r#"{"type": "image_generation_call", "status": "completed", "size": "1024x1536", "quality": "high", "result": "..."},
                {"type": "image_generation_call", "status": "failed"}, {"type": "image_generation_call", "size": "auto", "quality": "auto"}"#
                .to_owned(),
            "0",
            "0.291",
        ),
    ] {
        let (_, cost) = price(Format::OpenAiResponses, "searching", &body(&items));
        assert_eq!((cost.tools().to_string(), cost.total().to_string()), pair(tools, total), "{items}");
    }
    // The number of searches that the response reports counts, and the size is the caller's to say.
    let reported = body(r#"{"type": "web_search_call"}, {"type": "web_search_call"}"#)
        .replace("\"usage\"", r#""tool_usage": {"web_search": {"num_requests": 1}}, "usage""#);
    let mut response = read(Format::OpenAiResponses, &reported);
    response.units_mut().search_context_size = Some(SearchContextSize::High);
    assert_eq!(map().cost("searching", &response).unwrap().tools().to_string(), "0.03");
    let within = body(r#"{"type": "web_search_call"}, {"type": "web_search_call"}"#).replace(
        "\"output_tokens\"",
        r#""tool_usage": {"web_search": {"num_requests": 1}}, "output_tokens""#,
    );
    assert_eq!(price(Format::OpenAiResponses, "searching", &within).1.tools().to_string(), "0.02");
    // Images are billed by the tokens that the response reports of them, and without a model they have
    // no price.
    let image = r#"{"type": "image_generation_call", "status": "completed"}"#;
    let tokens = r#""tool_usage": {"image_gen": {"input_tokens": 100, "input_tokens_details": {"text_tokens": 100},
        "output_tokens": 1000, "output_tokens_details": {"image_tokens": 1000}, "total_tokens": 1100}}, "usage""#;
    let by_tokens = body(image).replace("painter", "gpt-image").replace("\"usage\"", tokens);
    let (_, cost) = price(Format::OpenAiResponses, "searching", &by_tokens);
    let lines: Vec<String> = cost.lines().map(|line| format!("{} {line}", line.key)).collect();
    assert_eq!(
        lines,
        [
            "searching 1000 tokens of input x 0.000001 = 0.001 (input_cost_per_token)",
            "gpt-image 100 tokens of input x 0.000005 = 0.0005 (input_cost_per_token)",
            "gpt-image 1000 tokens of output_image x 0.00004 = 0.04 (output_cost_per_image_token)",
        ]
    );
    let unnamed = body(image).replace(r#", "model": "painter""#, "");
    let Err(Error::Unpriced(bill)) = map().cost("searching", &read(Format::OpenAiResponses, &unnamed)) else {
        panic!("images are not free")
    };
    assert_eq!(bill.lines().last().map(|line| line.key), Some("image_generation"));
}

/// The output of an image API is images, unless the usage says otherwise. A chat's output is text.
#[test]
fn the_output_of_an_image_api_is_images() {
    let usage = r#""usage": {"input_tokens": 50, "output_tokens": 1290, "total_tokens": 1340"#;
    let images = format!(r#"{{"created": 1, "data": [{{"b64_json": "x"}}], {usage}}}}}"#);
    costs(Format::OpenAiImages, "flash-image", &images, "0.038715");
    let event = format!(r#"{{"type": "image_generation.completed", "b64_json": "x", {usage}}}}}"#);
    costs(Format::OpenAiImages, "flash-image", &event, "0.038715");
    let details = r#", "output_tokens_details": {"image_tokens": 1000, "text_tokens": 290}}}"#;
    let detailed = format!(r#"{{"created": 1, "data": [{{"b64_json": "x"}}], {usage}{details}"#);
    costs(Format::OpenAiImages, "flash-image", &detailed, "0.03074");
    let chat = r#"{"choices": [], "usage": {"prompt_tokens": 50, "completion_tokens": 1290}}"#;
    costs(Format::OpenAiChat, "flash-image", chat, "0.00324");
}

/// Tools that used more than is told apart are an error, in linear time, and not a lower bill.
#[test]
fn too_many_containers_queries_or_kinds_of_images_are_an_error() {
    let body = |items: &str| {
        format!(
            r#"{{"object": "response", "output": [{items}], "usage": {{"input_tokens": 1, "output_tokens": 0}}}}"#
        )
    };
    let list =
        |count: usize, item: &dyn Fn(usize) -> String| (0..count).map(item).collect::<Vec<_>>().join(",");
    let container = |n| format!(r#"{{"type": "code_interpreter_call", "container_id": "c{n}"}}"#);
    let image = |n| format!(r#"{{"type": "image_generation_call", "size": "{n}x1"}}"#);
    let queries = |count| {
        let queries = list(count, &|n| format!("\"q{n}\""));
        format!(
            r#"{{"candidates": [{{"groundingMetadata": {{"webSearchQueries": [{queries}]}}}}], "usageMetadata": {{"promptTokenCount": 1, "candidatesTokenCount": 1}}}}"#
        )
    };
    for (fits, beyond) in [
        (body(&list(1_000, &container)), body(&list(1_001, &container))),
        (body(&list(64, &image)), body(&list(50_000, &image))),
        (queries(1_000), queries(1_001)),
    ] {
        assert!(Response::read(fits.as_bytes()).is_ok());
        let error = Response::read(beyond.as_bytes()).unwrap_err();
        let expected =
            "cannot read the response: its tools used too many containers, queries, or sizes of images";
        assert_eq!(error.to_string(), expected);
    }
    let many = body(&list(5_000, &|_| r#"{"type": "image_generation_call", "size": "1x1"}"#.to_owned()));
    let response = Response::read(many.as_bytes()).unwrap();
    let parts: Vec<_> =
        response.parts().map(|part| (part.model, part.units.and_then(|units| units.images))).collect();
    assert_eq!(parts, [("image_generation", Some(5_000))]);
    let Err(Error::Unpriced(bill)) = map().cost("searching", &response) else {
        panic!("images are not free")
    };
    let message = "no price of image_generation is known for made_image: register one with register_model";
    assert_eq!(bill.to_string(), message);
}

/// Chat completions show no calls of the provider's tools: what an answer cites was searched for once.
#[test]
fn tools_are_counted_from_what_chat_completions_show() {
    let body = |message: &str| {
        format!(
            r#"{{"object": "chat.completion", "choices": [{{"message": {{"content": "...", {message}}}, "finish_reason": "stop"}}],
                "usage": {{"prompt_tokens": 1000, "completion_tokens": 0}}}}"#
        )
    };
    let cited = r#""annotations": [{"type": "url_citation", "url_citation": {"url": "..."}}, {"type": "url_citation"}]"#;
    let files = r#""annotations": [{"type": "file_citation"}]"#;
    for (model, message, tools) in [
        ("searching", r#""annotations": []"#, "0"),
        ("searching", cited, "0.02"),
        ("searching", files, "0.0025"),
        (
            "groq",
            r#""executed_tools": [{"name": "browser.search", "type": "function"}, {"type": "browser_search"},
                {"name": "browser.open", "type": "browser_search"}]"#,
            "0.011",
        ),
    ] {
        let (_, cost) = price(Format::OpenAiChat, model, &body(message));
        assert_eq!(cost.tools().to_string(), tools, "{message}");
    }
    // LiteLLM's counts in other units, beside the tokens.
    let usage = r#"{"object": "list", "usage": {"prompt_tokens": 10, "completion_tokens": 0, "total_tokens": 10,
        "prompt_tokens_details": {"text_tokens": 10, "image_count": 2, "character_count": 0}}}"#;
    let (response, cost) = price(Format::OpenAiChat, "multimodal", usage);
    assert_eq!(
        (response.units().unwrap().input_images, response.units().unwrap().input_characters),
        (Some(2), None)
    );
    assert_eq!(cost.total().to_string(), "0.00201");
}

/// Images without a usage are billed by the image, of the size and quality that the response says.
#[test]
fn images_without_tokens_are_counted() {
    let body = r#"{"created": 1, "data": [{"url": "..."}, {"b64_json": "..."}]}"#;
    let response = costs(Format::OpenAiImages, "painter", body, "0.08");
    assert_eq!(response.units().unwrap().images, Some(2));
    let body = r#"{"created": 1, "size": "1024x1536", "quality": "high", "data": [{"b64_json": "..."}]}"#;
    costs(Format::OpenAiImages, "painter", body, "0.25");
    let body = r#"{"predictions": [{"bytesBase64Encoded": "...", "mimeType": "image/png"}, {"raiFilteredReason": "..."}]}"#;
    costs(Format::VertexPredictions, "imagen", body, "0.04");
    // Data of another kind are no images.
    for body in [
        r#"{"data": [{"embedding": [0.5]}]}"#,
        r#"{"created": 1, "data": []}"#,
        r#"{"object": "list", "data": [{"url": "x"}]}"#,
    ] {
        assert!(matches!(Response::read(body.as_bytes()), Err(Error::MissingUsage { .. })), "{body}");
    }
}

/// A search that has no price leaves the bill incomplete.
#[test]
fn searches_without_a_price_are_not_free() {
    let body = r#"{"object": "response", "output": [{"type": "web_search_call"}, {"type": "web_search_call"}],
        "usage": {"input_tokens": 1000, "output_tokens": 0}}"#;
    let response = read(Format::OpenAiResponses, body);
    assert_eq!(response.tool_calls().web_searches, 2);
    let Err(Error::Unpriced(bill)) = map().cost("gpt-4o", &response) else { panic!() };
    let message = "no price of gpt-4o is known for web_search: register one with register_model";
    assert_eq!(bill.to_string(), message);
    assert_eq!(bill.known_total().to_string(), "0.0025");
    let lines: Vec<String> = bill.lines().map(|line| line.to_string()).collect();
    assert_eq!(lines.last().map(String::as_str), Some("2 queries of web_search: no price"));
}

#[test]
fn openai_images() {
    let body = r#"{"created": 1713833628, "data": [{"b64_json": "..."}], "usage": {"total_tokens": 4100, "input_tokens": 50,
        "output_tokens": 4050, "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
        "output_tokens_details": {"image_tokens": 4050, "text_tokens": 0}}}"#;
    // 10 x 5e-6 + 40 x 1e-5 + 4050 x 4e-5
    costs(Format::OpenAiImages, "gpt-image", body, "0.16245");
}

#[test]
fn openai_transcription() {
    let body = r#"{"text": "Imagine the wildest idea...", "usage": {"type": "tokens", "input_tokens": 14,
        "input_token_details": {"text_tokens": 4, "audio_tokens": 10}, "output_tokens": 101, "total_tokens": 115}}"#;
    // 4 x 2.5e-6 + 10 x 6e-6 + 101 x 1e-5
    costs(Format::OpenAiTranscription, "transcribe", body, "0.00108");
    let body = r#"{"text": "...", "usage": {"type": "duration", "seconds": 12.5}}"#;
    let response = costs(Format::OpenAiTranscription, "whisper", body, "0.00125");
    assert_eq!(response.units().unwrap().input_audio, Some(Duration::from_millis(12_500)));
    let body =
        r#"{"task": "transcribe", "language": "english", "duration": 8.470000267028809, "text": "..."}"#;
    let response = costs(Format::OpenAiTranscription, "whisper", body, "0.0008470000267");
    assert_eq!(response.units().unwrap().input_audio, Some(Duration::from_nanos(8_470_000_267)));
    // Seconds have no price where tokens are billed, and are not free.
    assert!(matches!(map().cost("gpt-4o", &response), Err(Error::Unpriced(_))));
}

#[test]
fn openai_realtime() {
    let body = r#"{"type": "response.done", "event_id": "event_1", "response": {"object": "realtime.response", "id": "resp_1",
        "status": "completed", "output": [{"type": "function_call", "name": "f"}], "usage": {"total_tokens": 350, "input_tokens": 250, "output_tokens": 100,
        "input_token_details": {"text_tokens": 150, "audio_tokens": 100, "cached_tokens": 90,
            "cached_tokens_details": {"text_tokens": 50, "audio_tokens": 40}},
        "output_token_details": {"text_tokens": 30, "audio_tokens": 70}}}}"#;
    // text 100 x 4e-6, audio 60 x 3.2e-5, cached 90 x 4e-7, output 30 x 1.6e-5 + 70 x 6.4e-5
    let response = costs(Format::OpenAiRealtime, "realtime", body, "0.007316");
    assert_eq!((response.id(), response.tool_calls().functions), (Some("resp_1"), 1));
}

#[test]
fn anthropic() {
    let body = r#"{"id": "msg_013Zva2CMHLNnXjNJJKqJ2EF", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929",
        "content": [{"type": "thinking", "thinking": "..."}, {"type": "text", "text": "Hi! My name is Claude."},
            {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"type": "tool_use"}}],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 2095, "cache_creation_input_tokens": 2051, "cache_read_input_tokens": 10000,
        "cache_creation": {"ephemeral_5m_input_tokens": 2000, "ephemeral_1h_input_tokens": 51},
        "output_tokens": 503, "output_tokens_details": {"thinking_tokens": 200}, "service_tier": "standard", "inference_geo": "us"}}"#;
    // (2095 x 3e-6 + 10000 x 3e-7 + 2000 x 3.75e-6 + 51 x 6e-6 + 503 x 1.5e-5) x 1.1
    let response = costs(Format::Anthropic, "sonnet", body, "0.0270996");
    let usage = response.usage();
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (14_146, 503));
    assert_eq!(usage.completion_tokens_details.reasoning_tokens, 200);
    assert_eq!(response.tool_calls().functions, 1);
    assert_eq!((response.status(), response.finish_reason()), (Some(Status::Completed), Some("tool_use")));
    // Without caches, the type of the body tells the format.
    costs(
        Format::Anthropic,
        "sonnet",
        r#"{"type": "message", "usage": {"input_tokens": 10, "output_tokens": 1}}"#,
        "0.000045",
    );
    let cut = r#"{"type": "message", "stop_reason": "max_tokens", "usage": {"input_tokens": 10, "output_tokens": 1,
        "server_tool_use": {"web_search_requests": 0}}}"#;
    assert_eq!(read(Format::Anthropic, cut).status(), Some(Status::Incomplete));
}

/// Turns replace the totals. A turn of another model is billed at that model's rates.
#[test]
fn anthropic_turns_of_several_models() {
    let body = r#"{"type": "message", "model": "sonnet", "usage": {"input_tokens": 1, "output_tokens": 1,
        "iterations": [
            {"type": "message", "input_tokens": 100, "output_tokens": 10, "cache_read_input_tokens": 50, "cache_creation_input_tokens": 0},
            {"type": "advisor_message", "model": "opus", "input_tokens": 1000, "output_tokens": 20, "cache_read_input_tokens": null},
            {"type": "message", "model": "sonnet", "input_tokens": 200, "output_tokens": 30}]}}"#;
    let response = read(Format::Anthropic, body);
    let cost = map().cost(response.lookup_or("nothing"), &response).unwrap();
    // sonnet: 300 x 3e-6 + 50 x 3e-7 + 40 x 1.5e-5; opus: 1000 x 5e-6 + 20 x 2.5e-5
    assert_eq!(
        cost.to_string(),
        "sonnet: 0.007015 USD\n\
         \x20 300 tokens of input x 0.000003 = 0.0009 (input_cost_per_token)\n\
         \x20 50 tokens of cache_read x 0.0000003 = 0.000015 (cache_read_input_token_cost)\n\
         \x20 40 tokens of output x 0.000015 = 0.0006 (output_cost_per_token)\n\
         \x20 1000 tokens of input x 0.000005 = 0.005 (input_cost_per_token) of opus\n\
         \x20 20 tokens of output x 0.000025 = 0.0005 (output_cost_per_token) of opus"
    );
    assert_eq!(
        (cost.input().to_string(), cost.output().to_string()),
        ("0.005915".to_owned(), "0.0011".to_owned())
    );
    assert_eq!(cost.lines().len(), 5);
    let parts: Vec<_> = response.parts().map(|part| (part.model, part.usage.clone(), part.units)).collect();
    assert_eq!(parts, [("opus", Usage::new(1_000, 20), None)]);
    assert_eq!(map().total("sonnet", &response).unwrap(), cost.total());
    let record = cost.record();
    assert_eq!(
        record.lines.iter().map(|line| line.key.as_deref()).collect::<Vec<_>>(),
        [None, None, None, Some("opus"), Some("opus")]
    );
    assert_eq!(
        serde_json::from_str::<llm_costmap::cost::CostRecord>(&serde_json::to_string(&cost).unwrap())
            .unwrap(),
        record
    );
    // A model that the map does not know leaves the bill incomplete.
    let response = read(Format::Anthropic, &body.replace("opus", "unheard-of"));
    let Err(Error::Unpriced(bill)) = map().cost("sonnet", &response) else { panic!() };
    assert_eq!(bill.known_total().to_string(), "0.001515");
    let unpriced: Vec<_> =
        bill.lines().filter(Line::is_unpriced).map(|line| (line.key.to_owned(), line.component)).collect();
    let unheard = |component| ("unheard-of".to_owned(), component);
    assert_eq!(unpriced, [unheard(Component::Input), unheard(Component::Output)]);
}

#[test]
fn gemini() {
    let body = r#"{"candidates": [{"content": {"parts": [{"text": "..."}, {"functionCall": {"name": "f", "args": {}}}], "role": "model"}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 100, "thoughtsTokenCount": 400, "totalTokenCount": 1530,
        "toolUsePromptTokenCount": 30, "cachedContentTokenCount": 300,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 700}, {"modality": "AUDIO", "tokenCount": 300}],
        "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 200}, {"modality": "AUDIO", "tokenCount": 100}],
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 100}], "trafficType": "ON_DEMAND"},
        "modelVersion": "gemini-2.5-flash", "responseId": "xyz"}"#;
    // text 500 + 30 at 3e-7, audio 200 x 1e-6, cached 200 x 3e-8 + 100 x 1e-7, output 500 x 2.5e-6
    let response = costs(Format::Gemini, "flash", body, "0.001625");
    assert_eq!((response.model(), response.id()), (Some("gemini-2.5-flash"), Some("xyz")));
    assert_eq!((response.status(), response.tool_calls().functions), (Some(Status::Completed), 1));
    // A grounded answer is not billed for what the tools read: 30 x 3e-7 less. The search has a fee.
    let grounded = body.replace("\"finishReason\"", r#""groundingMetadata": {"webSearchQueries": ["a", "b", "a", ""], "groundingChunks": [{"web": {}}]}, "finishReason""#);
    let (response, cost) = price(Format::Gemini, "flash", &grounded);
    assert_eq!((response.usage().prompt_tokens, response.tool_calls().web_searches), (1_000, 2));
    assert_eq!((cost.tools().to_string(), cost.total().to_string()), pair("0.035", "0.036616"));
    let maps = body.replace(
        "\"finishReason\"",
        r#""groundingMetadata": {"groundingChunks": [{"maps": {}}]}, "finishReason""#,
    );
    let response = read(Format::Gemini, &maps);
    assert_eq!(
        (
            response.usage().prompt_tokens,
            response.tool_calls().maps_grounding,
            response.tool_calls().web_searches
        ),
        (1_000, 1, 0)
    );
    // The total says that the candidates include the thoughts: 100 fewer tokens of output.
    let inclusive = body.replace("\"candidatesTokenCount\": 100", "\"candidatesTokenCount\": 500");
    assert_eq!(read(Format::Gemini, &inclusive).usage().completion_tokens, 500);
    // Cloud Code wraps the response.
    costs(Format::Gemini, "flash", &format!(r#"{{"response": {body}}}"#), "0.001625");
    // A chunk may have nothing but the traffic type.
    let error = Response::read(br#"{"usageMetadata": {"trafficType": "ON_DEMAND"}}"#).unwrap_err();
    assert!(matches!(error, Error::MissingUsage { .. }), "{error}");
}

#[test]
fn gemini_serves_tiers() {
    for (traffic, tier, total) in [
        ("ON_DEMAND_PRIORITY", ServiceTier::Priority, "0.00099"),
        ("ON_DEMAND_FLEX", ServiceTier::Flex, "0.000275"),
        ("BATCH", ServiceTier::Flex, "0.000275"),
        ("FLEX", ServiceTier::Flex, "0.000275"),
        ("PROVISIONED_THROUGHPUT", ServiceTier::Standard, "0.00055"),
    ] {
        let body = format!(
            r#"{{"usageMetadata": {{"promptTokenCount": 1000, "candidatesTokenCount": 100, "totalTokenCount": 1100, "trafficType": "{traffic}"}}}}"#
        );
        // 1000 and 100 tokens at 3e-7 and 2.5e-6, or the rates of the tier
        let response = read(Format::Gemini, &body);
        assert_eq!(response.service_tier(), Some(tier), "{traffic}");
        let call = response.call().service_tier("priority");
        assert_eq!(map().cost("flash", call).unwrap().total().to_string(), total, "{traffic}");
    }
}

#[test]
fn gemini_live_and_vertex_embeddings() {
    let body = r#"{"usageMetadata": {"promptTokenCount": 200, "responseTokenCount": 50, "totalTokenCount": 250,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 200}], "responseTokensDetails": [{"modality": "TEXT", "tokenCount": 50}]}}"#;
    // 200 x 1e-6 + 50 x 2.5e-6
    costs(Format::Gemini, "flash", body, "0.000325");
    let body = r#"{"predictions": [{"embeddings": {"statistics": {"truncated": false, "token_count": 6}, "values": [0.1, 0.2]}},
        {"embeddings": {"statistics": {"token_count": 7}, "values": []}}]}"#;
    costs(Format::VertexPredictions, "cheap", body, "0.000013");
}

#[test]
fn bedrock_converse() {
    let body = r#"{"output": {"message": {"role": "assistant", "content": [{"text": "..."}, {"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}]}},
        "stopReason": "tool_use", "usage": {"inputTokens": 30, "outputTokens": 628, "totalTokens": 1758, "cacheReadInputTokens": 1000,
        "cacheWriteInputTokens": 100, "cacheDetails": [{"ttl": "1h", "inputTokens": 60}, {"ttl": "5m", "inputTokens": 40}]},
        "metrics": {"latencyMs": 1275}}"#;
    // 30 x 8e-7 + 1000 x 2e-7 + 40 x 1e-6 + 60 x 2e-6 + 628 x 3.2e-6
    let response = costs(Format::BedrockConverse, "nova", body, "0.0023936");
    assert_eq!((response.tool_calls().functions, response.status()), (1, Some(Status::Completed)));
    // Lifetimes that do not add up to the writes are not used: 100 x 1e-6.
    let odd = body.replace("\"inputTokens\": 60", "\"inputTokens\": 61");
    costs(Format::BedrockConverse, "nova", &odd, "0.0023336");
    let tier = body.replace("\"metrics\"", r#""serviceTier": {"type": "priority"}, "metrics""#);
    assert_eq!(read(Format::BedrockConverse, &tier).service_tier(), Some(ServiceTier::Priority));
}

#[test]
fn bedrock_invoke() {
    let titan = r#"{"inputTextTokenCount": 100, "results": [{"tokenCount": 8, "outputText": "...", "completionReason": "FINISH"}]}"#;
    costs(Format::BedrockInvoke, "cheap", titan, "0.000116");
    let titan = r#"{"embedding": [0.5, 0.25], "inputTextTokenCount": 100}"#;
    costs(Format::BedrockInvoke, "cheap", titan, "0.0001");
    let llama = r#"{"generation": "...", "prompt_token_count": 100, "generation_token_count": 8, "stop_reason": "length"}"#;
    let response = costs(Format::BedrockInvoke, "cheap", llama, "0.000116");
    assert_eq!(response.status(), Some(Status::Incomplete));
    let nova = r#"{"output": {"message": {}}, "stopReason": "end_turn", "usage": {"inputTokens": 100, "outputTokens": 8,
        "totalTokens": 108, "cacheReadInputTokenCount": 10, "cacheWriteInputTokenCount": 0}}"#;
    // 100 x 8e-7 + 10 x 2e-7 + 8 x 3.2e-6
    costs(Format::BedrockConverse, "nova", nova, "0.0001076");
}

/// Models without a usage of their own are billed by the headers.
#[test]
fn bedrock_invoke_by_headers() {
    let headers = [
        ("content-type", "application/json"),
        ("X-Amzn-Bedrock-Input-Token-Count", " 100 "),
        ("x-amzn-bedrock-output-token-count", "8"),
        ("x-amzn-bedrock-cache-read-input-token-count", "10"),
    ];
    let mistral = br#"{"outputs": [{"text": "...", "stop_reason": "stop"}]}"#;
    let response = Response::read_with_headers(mistral, headers).unwrap();
    // 100 x 8e-7 + 10 x 2e-7 + 8 x 3.2e-6
    assert_eq!(map().cost("nova", &response).unwrap().total().to_string(), "0.0001076");
    assert_eq!(response.format(), Format::BedrockInvoke);
    let claude = br#"{"type": "message", "usage": {"input_tokens": 5, "cache_read_input_tokens": 0, "output_tokens": 1}}"#;
    let response = Response::read_with_headers(claude, headers).unwrap();
    assert_eq!(
        (response.format(), response.usage()),
        (Format::Anthropic, &Usage::new(5, 1).cached_tokens(0))
    );
    let error =
        Response::read_with_headers(mistral, [("x-amzn-bedrock-input-token-count", "many")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read the response: the header x-amzn-bedrock-input-token-count is not a count: a whole number from 0 to 2^64 - 1"
    );
    assert!(matches!(Response::read_with_headers(mistral, []), Err(Error::MissingUsage { .. })));
}

#[test]
fn cohere() {
    let chat = r#"{"id": "c14c80c3", "finish_reason": "COMPLETE", "message": {"role": "assistant", "content": [{"type": "text", "text": "..."}],
        "tool_calls": [{"id": "f0", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        "usage": {"billed_units": {"input_tokens": 5, "output_tokens": 418}, "tokens": {"input_tokens": 71, "output_tokens": 418}, "cached_tokens": 64}}"#;
    // 7 x 1e-6 + 64 x 1e-7 + 418 x 2e-6
    let response = costs(Format::Cohere, "cheap", chat, "0.0008494");
    assert_eq!((response.status(), response.tool_calls().functions), (Some(Status::Completed), 1));
    let embed = r#"{"id": "x", "embeddings": {"float": [[0.1]]}, "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 2}}}"#;
    costs(Format::Cohere, "cheap", embed, "0.000002");
    let v1 = r#"{"text": "...", "finish_reason": "MAX_TOKENS", "meta": {"billed_units": {"input_tokens": 20, "output_tokens": 30}}}"#;
    assert_eq!(costs(Format::Cohere, "cheap", v1, "0.00008").status(), Some(Status::Incomplete));
    let rerank = r#"{"results": [{"index": 3, "relevance_score": 0.999}], "id": "07734bd2", "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 3}}}"#;
    let response = costs(Format::Cohere, "rerank", rerank, "0.006");
    assert_eq!(response.units().unwrap().search_units, Some(3));
}

#[test]
fn ollama_watsonx_and_ocr() {
    let body = r#"{"model": "llama3.2", "created_at": "2023-08-04T19:22:45.499127Z", "message": {"role": "assistant", "content": "",
        "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}, "done": true, "done_reason": "stop",
        "total_duration": 5589157167, "load_duration": 3013701500, "prompt_eval_count": 46, "prompt_eval_duration": 1160282000, "eval_count": 113, "eval_duration": 1325948000}"#;
    let response = costs(Format::Ollama, "cheap", body, "0.000272");
    assert_eq!((response.model(), response.tool_calls().functions), (Some("llama3.2"), 1));
    // A prompt that was cached is not counted.
    let (_, cost) = price(Format::Ollama, "cheap", r#"{"response": "hi", "done": true, "eval_count": 113}"#);
    assert_eq!(
        (cost.total().to_string(), notes(&cost)),
        ("0.000226".to_owned(), vec![Note::MissingPromptTokens])
    );
    let body = r#"{"model_id": "ibm/granite", "results": [{"generated_text": "...", "generated_token_count": 8, "input_token_count": 100, "stop_reason": "max_tokens"}]}"#;
    costs(Format::Watsonx, "cheap", body, "0.000116");
    let body = r#"{"pages": [{"index": 0, "markdown": "..."}], "model": "mistral-ocr-2505-completion", "usage_info": {"pages_processed": 29, "doc_size_bytes": 3002783}}"#;
    costs(Format::MistralOcr, "credits", r#"{"usage_info": {"credits": 4.5}}"#, "0.0675");
    costs(Format::MistralOcr, "ocr", r#"{"usage_info": {"pages_processed": 1, "credits": -4.5}}"#, "0.004");
    let response = costs(Format::MistralOcr, "ocr", body, "0.116");
    assert_eq!(response.units().unwrap().pages, Some(29));
}

#[test]
fn errors_say_so() {
    for (body, said) in [
        (
            r#"{"error": {"message": "Incorrect API key provided: sk-12345", "type": "invalid_request_error", "param": null, "code": "invalid_api_key"}}"#,
            "the provider responded with an error (invalid_request_error, invalid_api_key): it reports no usage",
        ),
        (
            r#"{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}"#,
            "the provider responded with an error (overloaded_error): it reports no usage",
        ),
        (
            r#"{"error": {"code": 429, "message": "Resource exhausted", "status": "RESOURCE_EXHAUSTED"}}"#,
            "the provider responded with an error (RESOURCE_EXHAUSTED, 429): it reports no usage",
        ),
        (r#"{"error": "model 'x' not found"}"#, "the provider responded with an error: it reports no usage"),
        (
            r#"{"error": null}"#,
            "the response has no usage: there is neither a usage object nor another field with counts",
        ),
        (
            r#"{"choices": [], "usage": null}"#,
            "the response has no usage: missing field `prompt_tokens` or `input_tokens`, or a count of any other format: there are no fields",
        ),
        (
            r#"{"usage": {"tokens_in": 5}}"#,
            "the response has no usage: missing field `prompt_tokens` or `input_tokens`, or a count of any other format: found only tokens_in",
        ),
        ("[]", "the response has no usage: there is neither a usage object nor another field with counts"),
        ("", "cannot read the response: EOF while parsing a value at line 1 column 0"),
        ("<html>", "cannot read the response: expected value at line 1 column 1"),
        (
            r#"{"usage": {"prompt_tokens": 5}} x"#,
            "cannot read the response: trailing characters at line 1 column 33",
        ),
        (
            r#"{"usage": {"prompt_tokens": -5}}"#,
            "cannot read the response: prompt_tokens: -5 is not a count: a whole number from 0 to 2^64 - 1 at line 1 column 30",
        ),
    ] {
        let error = Response::read(body.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), said, "{body}");
        assert!(!format!("{error:?}").contains("sk-12345"));
    }
    let error = Response::read(b"{\"model\": \"\xFF\"}").unwrap_err();
    assert_eq!(error.to_string(), "cannot read the response: it is not UTF-8 from byte 11 on");
    let error =
        Response::read_as(Format::Gemini, br#"{"usage": {"prompt_tokens": 5, "completion_tokens": 1}}"#)
            .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the response has no usage: missing field `promptTokenCount` or `candidatesTokenCount` of the format gemini: found only prompt_tokens, completion_tokens"
    );
}

/// Counts that contradict each other are priced by the rules, and noted.
#[test]
fn inconsistent_counts_are_noted() {
    for (usage, total, note) in [
        // 0 x 2.5e-6 + 5000 x 1.25e-6
        (
            r#"{"prompt_tokens": 100, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 5000}}"#,
            "0.00625",
            Note::InconsistentCounts,
        ),
        // 0 x 1e-5 of text + 9 x 1e-5 of reasoning
        (
            r#"{"prompt_tokens": 0, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 9}}"#,
            "0.00009",
            Note::InconsistentCounts,
        ),
        (
            r#"{"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 700}"#,
            "0.0003",
            Note::TotalDoesNotAddUp,
        ),
    ] {
        let (response, cost) = price(Format::OpenAiChat, "gpt-4o", &format!(r#"{{"usage": {usage}}}"#));
        assert_eq!((cost.total().to_string(), notes(&cost)), (total.to_owned(), vec![note]), "{usage}");
        let written = serde_json::to_string(response.usage()).unwrap();
        assert_eq!(serde_json::from_str::<Usage>(&written).unwrap(), *response.usage(), "{written}");
    }
}

#[test]
fn a_call_can_be_described_further() {
    let body = br#"{"usage": {"prompt_tokens": 1000, "completion_tokens": 0}, "service_tier": "priority"}"#;
    let response = Response::read(body).unwrap();
    let call: Call<'_> = response.call().service_tier("flex");
    // The tier that was served takes the place of the one that was asked for.
    assert_eq!(map().cost("gpt-4o", call).unwrap().total().to_string(), "0.00425");
}

/// Names that providers serve lead to the entry of the model.
#[test]
fn served_names_are_found() {
    let map = CostMap::from_json(
        r#"{"gemini/gemini-2.5-pro": {"litellm_provider": "gemini", "input_cost_per_token": 1e-6},
            "claude-opus-4-1": {"litellm_provider": "anthropic", "input_cost_per_token": 1e-6},
            "mistral/mistral-large": {"litellm_provider": "mistral", "input_cost_per_token": 1e-6},
            "gpt-4o": {"litellm_provider": "openai", "input_cost_per_token": 1e-6},
            "vertex_ai/gemini-2.5-pro": {"litellm_provider": "vertex_ai-language-models", "input_cost_per_token": 1e-6},
            "command-r-08-2024": {"litellm_provider": "cohere_chat", "input_cost_per_token": 1e-6},
            "fireworks_ai/accounts/fireworks/models/glm": {"litellm_provider": "fireworks_ai", "input_cost_per_token": 1e-6},
            "anthropic.claude-sonnet-4-5-20250929-v1:0": {"litellm_provider": "bedrock_converse", "input_cost_per_token": 1e-6},
            "anthropic.claude-v2:1": {"litellm_provider": "bedrock", "input_cost_per_token": 1e-6}}"#,
    )
    .unwrap();
    let snapshot = map.snapshot();
    for (name, provider, key) in [
        ("models/gemini-2.5-pro", Some("gemini"), "gemini/gemini-2.5-pro"),
        ("models/gemini-2.5-pro-001", Some("gemini"), "gemini/gemini-2.5-pro"),
        (
            "projects/p/locations/l/publishers/google/models/gemini-2.5-pro@default",
            Some("gemini"),
            "gemini/gemini-2.5-pro",
        ),
        ("claude-opus-4-1-20250805", Some("anthropic"), "claude-opus-4-1"),
        ("claude-opus-4-1@20250805", None, "claude-opus-4-1"),
        ("claude-opus-4-1-latest", None, "claude-opus-4-1"),
        ("mistral-large-latest", Some("mistral"), "mistral/mistral-large"),
        ("gpt-4o-2024-11-20", None, "gpt-4o"),
        ("google/gemini-2.5-pro", Some("vertex_ai"), "vertex_ai/gemini-2.5-pro"),
        ("command-r-08-2024", Some("cohere"), "command-r-08-2024"),
        ("accounts/fireworks/models/glm", None, "fireworks_ai/accounts/fireworks/models/glm"),
        ("claude-sonnet-4-5-20250929", Some("bedrock"), "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("gpt-4o:latest", None, "gpt-4o"),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-v2:1", None, "anthropic.claude-v2:1"),
    ] {
        let lookup =
            provider.map_or(Lookup::served(name), |provider| Lookup::served(name).provider(provider));
        let found = snapshot.resolve(lookup).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(found.key(), key, "{name}");
        let usage = Usage::new(1, 0);
        for _ in 0..2 {
            // The second time, the name is remembered.
            assert_eq!(map.total(lookup, &usage).unwrap().to_string(), "0.000001", "{name}");
        }
    }
    // Other numbers are versions with prices of their own, other resources have names that their owners
    // chose, and a name that is asked for is not cut.
    let own = "arn:aws:bedrock:us-east-1:1:provisioned-model/gpt-4o";
    for name in [
        own,
        "accounts/fireworks/models/gpt-4o",
        "accounts/acme/models/gpt-4o",
        "mistral-large-2407",
        "gpt-4o-mini",
        "gpt-4",
        "gpt-4o:free",
        "models/",
        "-latest",
    ] {
        assert!(snapshot.resolve(Lookup::served(name)).is_err(), "{name}");
    }
    assert!(snapshot.resolve("claude-opus-4-1-20250805").is_err());
    assert!(map.total("claude-opus-4-1@20250805", &Usage::new(1, 0)).is_err());
}

/// A message within a batch's line or another envelope is a whole one.
#[test]
fn messages_in_envelopes() {
    let message = r#"{"id": "m", "type": "message", "model": "sonnet", "content": [{"type": "tool_use"}], "stop_reason": "end_turn",
        "usage": {"input_tokens": 1000, "output_tokens": 500, "service_tier": "batch"}}"#;
    let batch = format!(r#"{{"custom_id": "r1", "result": {{"type": "succeeded", "message": {message}}}}}"#);
    // Half of 1000 x 3e-6 + 500 x 1.5e-5: Anthropic reports a batch as a service tier.
    for body in [message.to_owned(), format!(r#"{{"message": {message}}}"#), batch] {
        let response = costs(Format::Anthropic, "sonnet", &body, "0.00525");
        assert_eq!((response.model(), response.tool_calls().functions), (Some("sonnet"), 1), "{body}");
    }
    let unknown = message.replace("batch", "hourly");
    let (_, cost) = price(Format::Anthropic, "sonnet", &unknown);
    assert_eq!(
        (cost.total().to_string(), notes(&cost)),
        ("0.0105".to_owned(), vec![Note::UnknownServedTier])
    );
}

/// The web searches of Groq and of xAI are not free.
#[test]
fn searches_of_other_providers() {
    for (body, searches) in [
        (
            r#"{"choices": [{"message": {"executed_tools": [{"type": "search"}, {"type": "search"}]}}], "usage": {"prompt_tokens": 5, "completion_tokens": 1}}"#,
            2,
        ),
        (r#"{"usage": {"prompt_tokens": 5, "completion_tokens": 1, "num_sources_used": 25}}"#, 25),
        (r#"{"usage": {"prompt_tokens": 5, "completion_tokens": 1, "num_sources_used": 0}}"#, 0),
    ] {
        let response = read(Format::OpenAiChat, body);
        assert_eq!(response.tool_calls().web_searches, searches, "{body}");
        assert_eq!(
            matches!(map().cost("gpt-4o", &response), Err(Error::Unpriced(_))),
            searches > 0,
            "{body}"
        );
    }
}

/// Zeros of one format do not hide the counts of another.
#[test]
fn zeros_of_another_format_are_not_the_counts() {
    for (format, usage) in [
        (
            Format::OpenAiResponses,
            r#"{"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "input_tokens": 1000, "output_tokens": 0}"#,
        ),
        (
            Format::OpenAiChat,
            r#"{"inputTokens": 0, "outputTokens": 0, "prompt_tokens": 1000, "completion_tokens": 0}"#,
        ),
        (Format::OpenAiChat, r#"{"promptTokenCount": 0, "total_tokens": 1000}"#),
        (Format::OpenAiChat, r#"{"completion_tokens": 0, "total_tokens": 1000}"#),
        (Format::OpenAiChat, r#"{"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 1000}"#),
        (Format::Cohere, r#"{"tokens": {"input_tokens": 0}, "billed_units": {"input_tokens": 1000}}"#),
    ] {
        costs(format, "cheap", &format!(r#"{{"usage": {usage}}}"#), "0.001");
    }
    // Turns without counts do not hide the totals.
    let turns = r#"{"type": "message", "usage": {"input_tokens": 1000, "output_tokens": 0, "iterations": [{"input_tokens": 0}]}}"#;
    costs(Format::Anthropic, "cheap", turns, "0.001");
}

/// A response of OpenAI's stays one, whatever a gateway adds to its usage.
#[test]
fn responses_with_fields_of_another_format() {
    let body = r#"{"object": "response", "usage": {"input_tokens": 5100, "input_tokens_details": {"cached_tokens": 5000},
        "cache_read_input_tokens": 5000, "output_tokens": 10, "total_tokens": 5110}}"#;
    // 100 x 2.5e-6 + 5000 x 1.25e-6 + 10 x 1e-5
    costs(Format::OpenAiResponses, "gpt-4o", body, "0.0066");
    costs(Format::OpenAiResponses, "gpt-4o", &body.replace("\"object\": \"response\", ", ""), "0.0066");
}

/// What a caller or the model may have written is not read.
#[test]
fn content_is_not_read_as_the_response() {
    let usage = r#""usage": {"prompt_tokens": 1000, "completion_tokens": 0, "total_tokens": 1000}"#;
    for (body, model) in [
        (
            format!(
                r#"{{"result": {{{usage}, "response": {{"model": "opus", "service_tier": "priority", "usage": {{"cached_tokens": 900, "cost": 0}}}}}}}}"#
            ),
            None,
        ),
        (
            format!(
                r#"{{"model": "cheap", {usage}, "metadata": {{"usage": {{"inputTokens": 1, "prompt_tokens": 1}}}}}}"#
            ),
            Some("cheap"),
        ),
        (format!(r#"{{"object": "x", {usage}, "metadata": {{"usage": {{"inputTokens": 1}}}}}}"#), None),
        (
            format!(r#"{{"model": "cheap", {usage}, "message": {{"model": "opus", "id": "x"}}}}"#),
            Some("cheap"),
        ),
        (format!(r#"{{"text": "usage", "input": {{"usage": {{"prompt_tokens": 1}}}}, {usage}}}"#), None),
    ] {
        let response = costs(Format::OpenAiChat, "cheap", &body, "0.001");
        assert_eq!((response.model(), response.service_tier()), (model, None), "{body}");
    }
}

/// The units of Cohere: version 1 of the chat and embeddings by what is billed, images by tokens or
/// number.
#[test]
fn cohere_units() {
    let v1 = r#"{"text": "x", "meta": {"tokens": {"input_tokens": 71, "output_tokens": 12}, "billed_units": {"input_tokens": 5, "output_tokens": 10}}}"#;
    costs(Format::Cohere, "cheap", v1, "0.000025");
    let embed = r#"{"embeddings": {}, "meta": {"billed_units": {"input_tokens": 7, "image_tokens": 1234}}}"#;
    let response = costs(Format::Cohere, "cheap", embed, "0.001241");
    assert_eq!(response.usage().prompt_tokens_details.image_tokens, 1_234);
    let images = r#"{"embeddings": {}, "meta": {"billed_units": {"images": 3}}}"#;
    let Err(Error::Unpriced(bill)) = map().cost("cheap", &read(Format::Cohere, images)) else { panic!() };
    assert_eq!(
        bill.to_string(),
        "no price of cheap is known for sent_image: register one with register_model"
    );
}

/// A response must not choose who is trusted with a stated charge.
#[test]
fn a_response_does_not_choose_whom_to_trust() {
    let body = br#"{"model": "openrouter/new", "usage": {"prompt_tokens": 1000, "completion_tokens": 0, "cost": 0}}"#;
    let response = Response::read(body).unwrap();
    assert!(matches!(map().cost(response.lookup_or("any"), &response), Err(Error::UnknownModel(_))));
    let asked = response.lookup_or("any").provider("openrouter");
    assert_eq!(map().cost(asked, &response).unwrap().total().to_string(), "0");
}

/// Turns of any number of models cost linear time, and a limited number is kept.
#[test]
fn turns_of_too_many_models_are_an_error() {
    let turns = |count: usize| {
        let turns: Vec<String> =
            (0..count).map(|n| format!(r#"{{"model": "m{n}", "input_tokens": 1}}"#)).collect();
        format!(
            r#"{{"type": "message", "model": "sonnet", "usage": {{"input_tokens": 1, "iterations": [{}]}}}}"#,
            turns.join(",")
        )
    };
    assert_eq!(Response::read(turns(64).as_bytes()).unwrap().parts().len(), 64);
    let error = Response::read(turns(50_000).as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "cannot read the response: the turns of the call name too many models");
    // Turns of one model that goes by another name are no usage of the response's own model.
    let body = r#"{"type": "message", "model": "sonnet", "usage": {"input_tokens": 1, "iterations": [{"model": "opus", "input_tokens": 100, "output_tokens": 0}]}}"#;
    costs(Format::Anthropic, "sonnet", body, "0.0005");
    let usage: Usage = serde_json::from_str(
        r#"{"input_tokens": 1, "iterations": [{"model": "opus", "input_tokens": 100, "output_tokens": 2}]}"#,
    )
    .unwrap();
    assert_eq!(usage, Usage::new(100, 2));
}

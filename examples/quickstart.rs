//! Prices calls by the bundled map: `cargo run --example quickstart`.

use llm_costmap::{BUNDLED, Call, CostMap, Lookup, ServiceTier, Usage};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let map = CostMap::bundled();
    println!("{} models, as of LiteLLM {}\n", map.len(), BUNDLED.package_version);

    // A thousand tokens in, five hundred out.
    let usage = Usage::new(1_000, 500);
    println!("{:<28} {:>12} {:>12} {:>12}", "USD for 1,000 in, 500 out", "input", "output", "total");
    for model in
        ["gpt-4o", "gpt-5-mini", "claude-sonnet-4-5", "gemini/gemini-2.5-pro", "deepseek/deepseek-chat"]
    {
        let cost = map.cost(model, &usage)?;
        println!("{:<28} {:>12} {:>12} {:>12}", cost.key(), cost.input(), cost.output(), cost.total());
    }

    // A long prompt, mostly cached, on a faster tier. Every line names the source of its rate.
    let usage = Usage::new(300_000, 2_000).cached_tokens(250_000).reasoning_tokens(1_500);
    let model = Lookup::new("gemini-2.5-pro").provider("vertex_ai");
    let call = Call::new(&usage).service_tier(ServiceTier::Priority);
    println!("\n{}", map.cost(model, call)?);

    // A model of the operator's own. It survives reloads.
    map.register_model_json("my-llama", r#"{"input_cost_per_token": 2e-7, "output_cost_per_token": 6e-7}"#)?;
    println!("\n{}", map.cost("my-llama", &Usage::new(1_000_000, 50_000))?);

    // An unknown model is an error, never a zero.
    if let Err(error) = map.cost("gpt-4-telepathic", &usage) {
        println!("\n{error}");
    }
    Ok(())
}

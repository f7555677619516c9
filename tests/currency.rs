//! Prices in other currencies than US dollars are refused, wherever they come from.

use llm_costmap::{CostMap, Deployment, Error, Usage};
use serde_json::json;

const REFUSED: &str = "RUB is not USD: all prices are US dollars, so convert them and leave the field out";

/// A map in roubles is not read as one in dollars: each such row is set aside, and the others load.
#[test]
fn a_row_is_set_aside() {
    let map = CostMap::from_json(
        r#"{
            "roubles": {"input_cost_per_token": 0.0003, "currency": "RUB"},
            "dollars": {"input_cost_per_token": 3e-6, "currency": "usd"},
            "repeated": {"input_cost_per_token": 3e-6, "currency": "RUB", "currency": "USD"},
            "neither": {"input_cost_per_token": 3e-6, "pricing_currency": null}
        }"#,
    )
    .unwrap();
    let set_aside: Vec<String> = map.snapshot().set_aside().map(ToString::to_string).collect();
    assert_eq!(set_aside, [format!("roubles: currency: {REFUSED}")]);
    let usage = Usage::new(1_000_000, 0);
    for model in ["dollars", "repeated", "neither"] {
        assert_eq!(map.total(model, &usage).unwrap().to_string(), "3", "{model}");
    }
    let error = map.total("roubles", &usage).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "unknown model \"roubles\": the map has a row for it that was set aside (currency: {REFUSED}): register it"
        )
    );
}

#[test]
fn a_registered_model_is_refused() {
    let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#).unwrap();
    let error = map.register_model("m", json!({"input_cost_per_token": 0.1, "currency": "RUB"})).unwrap_err();
    assert!(matches!(&error, Error::InvalidModel { model, field, .. }
        if model == "m" && field.as_deref() == Some("currency")));
    assert_eq!(error.to_string(), format!("cannot register m: currency: {REFUSED}"));
    assert_eq!(map.total("m", &Usage::new(1_000_000, 0)).unwrap().to_string(), "1");
}

#[test]
fn a_deployment_is_refused() {
    for part in ["litellm_params", "model_info"] {
        let mut deployment = json!({"model_name": "d", "litellm_params": {"model": "m"}, "model_info": {}});
        deployment[part]["currency"] = "RUB".into();
        let error = Deployment::from_json(&deployment.to_string()).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot use d: {part}.currency: {REFUSED}"));
        deployment[part]["currency"] = "USD".into();
        assert!(Deployment::from_json(&deployment.to_string()).is_ok());
    }
}

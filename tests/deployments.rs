//! Tests of deployments: their ids, their prices, and that no secret is shown.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use llm_costmap::{Call, CostMap, Deployment, DeploymentLookup, Error, ErrorKind, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The parameters of a deployment, the reference's id of them, and the output of its masker.
#[derive(Deserialize)]
struct Reference {
    model_name: String,
    litellm_params: Box<RawValue>,
    id: String,
    masked: Value,
}

fn reference() -> Vec<Reference> {
    let vectors: Vec<Reference> = common::vectors("deployments");
    assert_eq!(vectors.len(), 1_000);
    vectors
}

fn map() -> CostMap {
    CostMap::from_json(
        r#"{"gpt-x": {"litellm_provider": "openai", "mode": "chat", "max_input_tokens": 8192,
                "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "cache_read_input_token_cost": 5e-7},
            "azure/gpt-x": {"litellm_provider": "azure", "input_cost_per_token": 3e-6, "output_cost_per_token": 4e-6},
            "gpt-y": {"litellm_provider": "openai", "input_cost_per_token": 7e-6}}"#,
    )
    .unwrap()
}

fn deployment(json: &Value) -> Deployment {
    Deployment::from_json(&json.to_string()).unwrap()
}

/// Returns the cost of 1,000 input tokens and 100 output tokens.
fn cost(map: &CostMap, name: &str) -> Result<String, Error> {
    map.deployment_cost(name, &Usage::new(1_000, 100)).map(|cost| cost.total().to_string())
}

#[test]
fn ids_are_the_reference_s() {
    let gpt_4 = Deployment::new("gpt-4", json!({"model": "gpt-4"}), json!({})).unwrap();
    assert_eq!(gpt_4.id(), "e889baacd17f591cce4c63639275ba5e8dc60765d6c553e6ee5a504b19e50ddc");
    for Reference { model_name, litellm_params, id, .. } in reference() {
        let deployment = Deployment::new(&*model_name, &litellm_params, json!({}));
        assert_eq!(deployment.unwrap().id(), id, "{model_name:?} {litellm_params}");
    }
    let own = deployment(
        &json!({"model_name": "m", "litellm_params": {"model": "x"}, "model_info": {"id": "mine"}}),
    );
    assert_eq!(own.id(), "mine");
}

#[test]
fn what_is_shown_is_what_the_reference_shows_but_for_the_stricter_rules() {
    let mut stricter = BTreeMap::new();
    for Reference { model_name, litellm_params, masked, .. } in reference() {
        let deployment = Deployment::new(&*model_name, &litellm_params, json!({})).unwrap();
        let ours = serde_json::to_value(&deployment).unwrap();
        let original = serde_json::from_str(litellm_params.get()).unwrap();
        compare(&ours["litellm_params"], &masked, &original, "", &mut stricter);
    }
    // Only values below a secret's name differ, and below each of these names some do.
    let secrets_of = |path: &String| {
        SECRETS
            .into_iter()
            .filter(|name| path.split(['.', '[']).any(|part| part == *name))
            .collect::<Vec<_>>()
    };
    let stray: Vec<&String> = stricter.keys().filter(|path| secrets_of(path).is_empty()).collect();
    assert_eq!(stray, Vec::<&String>::new());
    let found: BTreeSet<&str> = stricter.keys().flat_map(secrets_of).collect();
    assert_eq!(found, BTreeSet::from(SECRETS));
    let counts: Vec<usize> = stricter.into_values().filter(|count| *count > 0).collect();
    assert_eq!((counts.len(), counts.iter().sum::<usize>()), (407, 700));
}

/// The names of secrets in the vectors, in full.
const SECRETS: [&str; 19] = [
    "Authorization",
    "KEY",
    "access",
    "api_key",
    "auth",
    "aws_access_key_id",
    "aws_secret_access_key",
    "azure_ad_token",
    "client_secret",
    "cookie_jar",
    "cost_key",
    "credentials",
    "fingerprint",
    "private-thing",
    "tenancy",
    "token",
    "vertex_ai_credentials",
    "vertex_credentials",
    "x-api-key",
];

/// Compares a masked value with the reference's and with the original, and counts by path the values
/// that are masked more strictly, numbers apart.
fn compare(
    ours: &Value,
    theirs: &Value,
    original: &Value,
    path: &str,
    stricter: &mut BTreeMap<String, usize>,
) {
    if let (Value::Object(ours), Value::Object(theirs)) = (ours, theirs) {
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
        for (name, value) in ours {
            compare(value, &theirs[name], &original[name], &format!("{path}.{name}"), stricter);
        }
        return;
    }
    if let (Value::Array(ours), Value::Array(theirs)) = (ours, theirs) {
        assert_eq!(ours.len(), theirs.len());
        for (position, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
            compare(ours, theirs, &original[position], &format!("{path}[]"), stricter);
        }
        return;
    }
    if ours == theirs {
        return;
    }
    // Null stays null. The reference prints it as text.
    if original.is_null() {
        assert_eq!(ours, original);
        return;
    }
    // How a number is printed, and whether it equals the reference's text, depends on the features of
    // `serde_json`.
    *stricter.entry(path.to_owned()).or_insert(0) += usize::from(!original.is_number());
    let original = original.as_str().map_or_else(|| original.to_string(), str::to_owned);
    let letters: Vec<char> = original.chars().collect();
    let masked = if letters.len() < 16 {
        "*".repeat(letters.len())
    } else {
        let ends = |part: &[char]| part.iter().collect::<String>();
        let (head, tail) = (ends(&letters[..4]), ends(&letters[letters.len() - 4..]));
        format!("{head}{}{tail}", "*".repeat(letters.len() - 8))
    };
    assert_eq!(ours, &Value::from(masked), "{original}");
}

#[test]
fn no_secret_is_ever_printed() {
    let marked = |place: &str| format!("SECRET-{place}-0123456789abcdef");
    let params = json!({
        "model": "gpt-x", "api_key": marked("a"), "client_secret": marked("b"), "vertex_credentials": {"x": [marked("c")]},
        "vertex_ai_credentials": marked("d"), "aws_access_key_id": marked("e"), "aws_secret_access_key": marked("f"),
        "azure_ad_token": {"deep": [{"er": [marked("g")]}]}, "api_base": format!("https://user:{}@host/?api-key={}", marked("h"), marked("i")),
        "extra_headers": {"Authorization": [marked("j")], "X-Cookie": marked("k"), "plain": "shown"},
        "password": "SECRET-l", "auth": {"anything": marked("m")}, "private": [[marked("n")]],
        "fallbacks": [{"api-key": marked("o")}, format!("see http://{}@host", marked("p"))],
    });
    let info = json!({
        "api_key": marked("q"), "db_password": marked("r"), "url": format!("postgres://u:{}@host/db", marked("s")),
        "nested": {"client_secret": [marked("t")]}, "my_custom_key": "shown",
    });
    let deployment = Deployment::new("m", &params, &info).unwrap();
    let map = map();
    map.add_deployment(deployment.clone()).unwrap();
    let snapshot = map.snapshot();
    let mut printed = vec![
        format!("{deployment:?}"),
        format!("{deployment:#?}"),
        serde_json::to_string(&deployment).unwrap(),
        serde_json::to_string(&snapshot.model_info()).unwrap(),
        format!("{:?}", snapshot.model_info()),
        format!("{snapshot:?}"),
        format!("{map:?}"),
        format!("{:?}", map.deployment_cost("m", &Usage::new(1, 1))),
        format!("{:?}", map.add_deployment(deployment.clone())),
        map.add_deployment(deployment).unwrap_err().to_string(),
    ];
    // An error does not quote the bad value.
    for (name, json) in [
        ("", format!("{{\"model_name\": {:?}", marked("u"))),
        ("", format!("{:?}", marked("v"))),
        ("", format!(r#"{{"model_name": ["{}"]}}"#, marked("w"))),
        ("", format!(r#"{{"model_name": "m", "litellm_params": "{}"}}"#, marked("x"))),
        ("", format!(r#"{{"model_name": "m", "litellm_params": {{"model": ["{}"]}}}}"#, marked("y"))),
        (
            "",
            format!(
                r#"{{"model_name": "m", "litellm_params": {{"model": "x", "custom_llm_provider": ["{}"]}}}}"#,
                marked("z")
            ),
        ),
        (
            "",
            format!(
                r#"{{"model_name": "m", "litellm_params": {{"model": "x"}}, "model_info": "{}"}}"#,
                marked("1")
            ),
        ),
        (
            "",
            format!(
                r#"{{"model_name": "m", "litellm_params": {{"model": "x", "input_cost_per_token": "{}"}}}}"#,
                marked("4")
            ),
        ),
        ("list", format!(r#"{{"model_list": "{}"}}"#, marked("2"))),
        ("list", format!(r#"["{}"]"#, marked("3"))),
    ] {
        let one = Deployment::from_json(&json).map(drop);
        let error =
            if name == "list" { Deployment::list_from_json(&json).map(drop) } else { one }.unwrap_err();
        printed.extend([error.to_string(), format!("{error:?}")]);
    }
    for text in &printed {
        // At most four characters at each end of a long secret are shown.
        assert!(!text.contains("SECRET-") && !text.contains("789abcdef"), "{text}");
    }
    assert!(printed[3].contains("\"plain\":\"shown\"") && printed[3].contains("\"my_custom_key\":\"shown\""));
}

#[test]
fn the_documented_example_comes_out_field_for_field() {
    let map = CostMap::from_json(common::catalog("1.109.1")).unwrap();
    map.add_deployment(
        Deployment::from_json(
            r#"{"model_name": "gpt-4", "litellm_params": {"model": "gpt-4"},
                "model_info": {"my_custom_key": "my_custom_value"}}"#,
        )
        .unwrap(),
    )
    .unwrap();
    let snapshot = map.snapshot();
    let documented = r#"{"data":[{"model_name":"gpt-4","litellm_params":{"model":"gpt-4"},"model_info":{"id":"e889baacd17f591cce4c63639275ba5e8dc60765d6c553e6ee5a504b19e50ddc","db_model":false,"my_custom_key":"my_custom_value","key":"gpt-4","max_tokens":4096,"max_input_tokens":8192,"max_output_tokens":4096,"input_cost_per_token":3e-5,"input_cost_per_character":null,"input_cost_per_token_above_128k_tokens":null,"output_cost_per_token":6e-5,"output_cost_per_character":null,"output_cost_per_token_above_128k_tokens":null,"output_cost_per_character_above_128k_tokens":null,"output_vector_size":null,"litellm_provider":"openai","mode":"chat""#;
    let shown = serde_json::to_string(&snapshot.model_info())
        .unwrap()
        .replace("0.00003", "3e-5")
        .replace("3e-05", "3e-5")
        .replace("0.00006", "6e-5")
        .replace("6e-05", "6e-5");
    // The map has more fields by now. They follow the documented ones.
    assert!(shown.starts_with(documented), "{shown}");
}

#[test]
fn a_documented_new_model_is_shown_without_its_key() {
    let map = CostMap::from_json(common::catalog("1.109.1")).unwrap();
    let id = map
        .add_deployment(deployment(&json!({"model_name": "azure-gpt-turbo", "litellm_params": {
            "model": "azure/gpt-3.5-turbo", "api_key": "os.environ/AZURE_API_KEY", "api_base": "https://my-endpoint.openai.azure.com/"}})))
        .unwrap();
    let shown = serde_json::to_value(map.snapshot().model_info()).unwrap();
    let shown = &shown["data"][0];
    assert_eq!(
        shown["litellm_params"],
        json!({"model": "azure/gpt-3.5-turbo", "api_base": "https://my-endpoint.openai.azure.com/"})
    );
    assert_eq!(
        (&shown["model_info"]["id"], &shown["model_info"]["key"]),
        (&id.into(), &"azure/gpt-3.5-turbo".into())
    );
    assert_eq!(shown["model_info"]["litellm_provider"], "azure");
}

#[cfg(feature = "yaml")]
#[test]
fn a_documented_config_is_read() {
    let yaml = "model_list:\n  - model_name: text-davinci-003\n    litellm_params:\n      model: text-completion-openai/text-davinci-003\n    \
                model_info:\n      metadata: \"here's additional metadata on the model\"\ngeneral_settings:\n  master_key: sk-1234\n";
    let list = Deployment::list_from_yaml(yaml).unwrap();
    let map = CostMap::from_json(common::catalog("1.109.1")).unwrap();
    map.set_deployments(list).unwrap();
    let shown = serde_json::to_value(map.snapshot().model_info()).unwrap();
    let shown = &shown["data"][0];
    assert_eq!(shown["model_name"], "text-davinci-003");
    assert_eq!(shown["litellm_params"], json!({"model": "text-completion-openai/text-davinci-003"}));
    assert_eq!(shown["model_info"]["metadata"], "here's additional metadata on the model");
    assert_eq!(shown["model_info"]["db_model"], false);
    // Keys keep their order, on which the id depends.
    let json = r#"{"model_name": "m", "litellm_params": {"model": "x", "z": 1, "b": [1.5, null, true], "a": "it's"}}"#;
    let yaml = "model_list: [{model_name: m, litellm_params: {model: x, z: 1, b: [1.5, ~, true], a: it's}}]";
    assert_eq!(Deployment::list_from_yaml(yaml).unwrap()[0].id(), Deployment::from_json(json).unwrap().id());
    let error = |yaml: &str| Deployment::list_from_yaml(yaml).unwrap_err().to_string();
    let bad = error("model_list:\n  - model_name: m\n  litellm_params: {");
    assert!(bad.starts_with("cannot use config.yaml: not valid YAML: ") && bad.contains("line "), "{bad}");
    assert_eq!(
        error("model_list:\n  - model_name: m\n    litellm_params:\n      model: [x]\n"),
        "cannot use deployment 1 (m): litellm_params.model: not a string"
    );
    assert_eq!(error("a: 1"), "cannot use model_list: missing");
    // The messages are the crate's own, since those of the parser would quote the text.
    for (yaml, said) in [
        ("- [sk-1234567890abcdef: :\n", "line 1, column 3: a bracket that is not closed"),
        ("a: 'sk-1234567890abcdef\n", "line 2, column 1: wrong indentation"),
        ("--- a\n--- sk-1234567890abcdef", "line 2, column 5: more than one document"),
        ("a: !!int sk-1234567890abcdef", "line 1, column 10: a value that is not of its tag"),
        ("a: *sk-1234567890abcdef", "line 1, column 4: an alias of no anchor"),
        (
            "a: sk-1234567890abcdef\n b: c: d\n",
            "line 2, column 3: a colon where none can be: is the value to be quoted?",
        ),
        ("sk-1234567890abcdef: 1\nsk-1234567890abcdef: 2\n", "line 2, column 1: a key that is there already"),
        ("? [sk-1234567890abcdef]\n: 1\n", "line 1, column 3: a key that is neither text nor a number"),
        ("a: .inf\nsk-1234567890abcdef: 1", "line 1, column 4: a number that is not finite"),
        ("<<: sk-1234567890abcdef", "line 1, column 5: a merge of something that is not a mapping"),
        ("a:\n\tsk-1234567890abcdef: 1", "line 2, column 2: a tab where only spaces can be"),
        (
            "a: @sk-1234567890abcdef",
            "line 1, column 4: a character that cannot begin a value: is it to be quoted?",
        ),
        ("a: {sk-1234567890abcdef: 1]", "line 1, column 4: a bracket that closes nothing"),
    ] {
        assert_eq!(error(yaml), format!("cannot use config.yaml: not valid YAML: {said}"), "{yaml:?}");
    }
    assert_eq!(error("sk-1234567890abcdef"), "cannot use model_list: not JSON: line 1, column 21");
}

/// Deployments of a `config.yaml` may share fields by an anchor. A few lines that unfold to
/// billions of values are an error.
#[test]
#[cfg(feature = "yaml")]
fn deployments_may_share_an_anchor_and_no_text_unfolds_without_end() {
    let rows = |count: usize| {
        let row = |n| format!("  - {{model_name: m{n}, litellm_params: {{<<: *d, model: gpt-x}}}}\n");
        (0..count).map(row).collect::<String>()
    };
    let fields: Vec<String> = (0..20).map(|n| format!("p{n}: {n}, ")).collect();
    let fields = fields.concat();
    let yaml = format!(
        "d: &d {{api_key: os.environ/K, {fields}input_cost_per_token: 2e-6}}\nmodel_list:\n{}",
        rows(1_000)
    );
    let list = Deployment::list_from_yaml(&yaml).unwrap();
    assert_eq!(list.len(), 1_000);
    let map = map();
    map.set_deployments(list).unwrap();
    let usage = Usage::new(1_000_000, 0);
    assert_eq!(map.deployment_cost("m999", &usage).unwrap().total().to_string(), "2");

    let mut laughs = vec!["a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned()];
    for n in 1..12 {
        let alias = format!("*a{}", n - 1);
        laughs.push(format!("a{n}: &a{n} [{}]\n", [alias.as_str(); 9].join(", ")));
    }
    let error = Deployment::list_from_yaml(&laughs.concat()).unwrap_err().to_string();
    assert!(error.ends_with("aliases that unfold to too much"), "{error}");
    let deep = format!("a: {}{}", "[".repeat(100), "]".repeat(100));
    let error = Deployment::list_from_yaml(&deep).unwrap_err().to_string();
    assert!(error.ends_with("nested too deeply"), "{error}");
}

#[test]
fn a_deployment_s_prices_are_its_own() {
    let map = map();
    map.set_deployments([
        deployment(&json!({"model_name": "a", "litellm_params": {"model": "gpt-x"}, "model_info": {"id": "1"}})),
        deployment(&json!({"model_name": "b", "litellm_params": {"model": "openai/gpt-x", "input_cost_per_token": "5e-6"}, "model_info": {"id": "2"}})),
        deployment(&json!({"model_name": "c", "litellm_params": {"model": "gpt-x", "input_cost_per_token": 6e-6},
            "model_info": {"id": "3", "input_cost_per_token": 9e-6, "output_cost_per_token": 0}})),
        deployment(&json!({"model_name": "d", "litellm_params": {"model": "azure/my-alias"}, "model_info": {"id": "4", "base_model": "azure/gpt-x"}})),
        deployment(&json!({"model_name": "e", "litellm_params": {"model": "azure/my-alias"}, "model_info": {"id": "5", "base_model": "gpt-x"}})),
        deployment(&json!({"model_name": "f", "litellm_params": {"model": "azure/my-alias"}, "model_info": {"id": "6", "base_model": "gpt-y"}})),
        deployment(&json!({"model_name": "g", "litellm_params": {"model": "nobody/knows", "input_cost_per_token": 1e-6, "output_cost_per_token": 0}, "model_info": {"id": "7"}})),
        deployment(&json!({"model_name": "h", "litellm_params": {"model": "nobody/knows"}, "model_info": {"id": "8"}})),
        deployment(&json!({"model_name": "i", "litellm_params": {"model": "gpt-x", "custom_llm_provider": "azure"}, "model_info": {"id": "9"}})),
    ])
    .unwrap();
    for (names, expected) in [
        (["1", "a"], "0.0012"),
        (["2", "b"], "0.0052"),
        (["3", "c"], "0.006"),
        (["4", "d"], "0.0034"),
        (["5", "e"], "0.0034"),
        (["7", "g"], "0.001"),
        (["9", "i"], "0.0034"),
    ] {
        for name in names {
            assert_eq!(cost(&map, name).unwrap(), expected, "{name}");
        }
    }
    let unpriced = map.deployment_cost("6", &Usage::new(1_000, 100)).unwrap_err();
    assert!(matches!(&unpriced, Error::Unpriced(bill) if bill.key() == "gpt-y"), "{unpriced}");
    assert!(matches!(cost(&map, "8").unwrap_err(), Error::UnknownModel(_)));
    assert_eq!(map.deployment_total("3", &Usage::new(1_000, 100)).unwrap().to_string(), "0.006");
    let plain = Usage::new(1_000, 100);
    let error = map.deployment_total("3", Call::new(&plain).service_tier("warp")).unwrap_err();
    assert!(matches!(error, Error::UnknownServiceTier { .. }), "{error}");
    // A rate that the deployment does not set is its model's.
    let usage = Usage::new(1_000, 0).cached_tokens(1_000);
    assert_eq!(map.deployment_cost("b", &usage).unwrap().total().to_string(), "0.0005");
    // The deployment's own price takes precedence over a cost that the provider states.
    let stated: Usage = serde_json::from_str(r#"{"prompt_tokens": 1000, "cost": 77}"#).unwrap();
    assert_eq!(map.deployment_cost("b", &stated).unwrap().total().to_string(), "0.005");
    // `CostMap::cost` knows the map and registered models, and no deployments.
    assert!(map.cost("b", &usage).is_err());
    assert_eq!(map.cost("gpt-x", &usage).unwrap().total().to_string(), "0.0005");
    // Registered prices are those of the model, for every deployment that sets none.
    map.register_model("gpt-x", json!({"input_cost_per_token": 1e-3, "output_cost_per_token": 0})).unwrap();
    assert_eq!((cost(&map, "a").unwrap(), cost(&map, "b").unwrap()), ("1".to_owned(), "0.005".to_owned()));
    let shown = serde_json::to_value(map.snapshot().model_info()).unwrap();
    assert_eq!(shown["data"][0]["model_info"]["input_cost_per_token"], 1e-3);
    assert_eq!(shown["data"][2]["model_info"]["input_cost_per_token"], 6e-6);
    assert_eq!(shown["data"][2]["model_info"]["output_cost_per_token"], 0);
}

#[test]
fn seconds_may_be_what_a_deployment_charges() {
    let map = map();
    map.add_deployment(deployment(&json!({"model_name": "own", "litellm_params": {
        "model": "sagemaker/mine", "input_cost_per_second": 0.001}})))
        .unwrap();
    let usage = Usage::new(1_000, 100);
    let request = ("own", Call::new(&usage).duration(std::time::Duration::from_millis(2_500)));
    assert_eq!(map.deployment_cost(request.0, request.1).unwrap().total().to_string(), "0.0025");
}

#[test]
fn a_name_prices_where_its_deployments_cost_alike() {
    let map = map();
    let of = |id: &str, params: Value| {
        deployment(&json!({"model_name": "m", "litellm_params": params, "model_info": {"id": id}}))
    };
    map.set_deployments([
        of("1", json!({"model": "gpt-x", "api_base": "https://a"})),
        of("2", json!({"model": "gpt-x", "api_base": "https://b"})),
    ])
    .unwrap();
    assert_eq!(cost(&map, "m").unwrap(), "0.0012");
    map.add_deployment(of("3", json!({"model": "gpt-x", "input_cost_per_token": 1e-6}))).unwrap();
    let error = cost(&map, "m").unwrap_err();
    assert_eq!(error.to_string(), "the deployments of \"m\" differ in price: ask for one of the ids 1, 2, 3");
    assert!(matches!(error, Error::AmbiguousDeployment { .. }));
    assert_eq!(cost(&map, "3").unwrap(), "0.0012");
    let error = cost(&map, "nobody").unwrap_err();
    assert_eq!(
        error.to_string(),
        "no deployment has the id or the name \"nobody\": add it, or check the name"
    );
}

#[test]
fn a_star_stands_for_what_it_matches() {
    let map = map();
    map.set_deployments([
        deployment(&json!({"model_name": "*", "litellm_params": {"model": "*"}, "model_info": {"id": "all"}})),
        deployment(&json!({"model_name": "openai/*", "litellm_params": {"model": "openai/*"}, "model_info": {"id": "openai"}})),
        deployment(&json!({"model_name": "azure/*", "litellm_params": {"model": "azure/*", "input_cost_per_token": 0}, "model_info": {"id": "azure"}})),
        deployment(&json!({"model_name": "openai/gpt-y", "litellm_params": {"model": "gpt-y", "output_cost_per_token": 1}, "model_info": {"id": "y"}})),
    ])
    .unwrap();
    assert_eq!(cost(&map, "openai/gpt-x").unwrap(), "0.0012");
    assert_eq!(cost(&map, "azure/gpt-x").unwrap(), "0.0004");
    assert_eq!(cost(&map, "gpt-x").unwrap(), "0.0012");
    assert_eq!(cost(&map, "openai/gpt-y").unwrap(), "100.007");
    assert!(matches!(cost(&map, "openai/").unwrap_err(), Error::UnknownModel(_)));
    assert!(matches!(cost(&map, "").unwrap_err(), Error::UnknownDeployment { .. }));
}

#[test]
fn deployments_are_added_updated_and_removed() {
    let map = map();
    let of = |id: &str, model: &str| {
        deployment(&json!({"model_name": "m", "litellm_params": {"model": model}, "model_info": {"id": id}}))
    };
    assert_eq!(map.add_deployment(of("1", "gpt-x")).unwrap(), "1");
    let error = map.add_deployment(of("1", "gpt-y")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot use m: another deployment has the id \"1\" too: give it an id of its own"
    );
    assert_eq!(cost(&map, "1").unwrap(), "0.0012");
    map.update_deployment(of("1", "azure/gpt-x")).unwrap();
    assert_eq!(cost(&map, "1").unwrap(), "0.0034");
    let generation = map.snapshot().generation();
    assert!(matches!(map.update_deployment(of("2", "gpt-x")).unwrap_err(), Error::UnknownDeployment { .. }));
    assert!(!map.remove_deployment("2").unwrap() && !map.unregister_model("nobody").unwrap());
    assert_eq!(map.snapshot().generation(), generation);
    let snapshot = map.snapshot();
    assert!(map.remove_deployment("1").unwrap() && !map.remove_deployment("1").unwrap());
    assert_eq!((snapshot.deployments().len(), map.snapshot().deployments().len()), (1, 0));
    // A list is set as a whole or not at all.
    map.set_deployments([of("1", "gpt-x"), of("2", "gpt-x")]).unwrap();
    assert!(map.set_deployments([of("3", "gpt-x"), of("3", "gpt-x")]).is_err());
    let ids: Vec<String> =
        map.snapshot().deployments().map(|deployment| deployment.id().to_owned()).collect();
    assert_eq!(ids, ["1", "2"]);
}

#[test]
fn deployments_are_the_same_however_they_were_read() {
    let of =
        |n: usize| format!(r#"{{"model_name": "m-{n}", "litellm_params": {{"model": "gpt-x", "n": {n}}}}}"#);
    let list = Deployment::list_from_json(&format!("[{}, {}, {}]", of(1), of(22), of(3))).unwrap();
    for (deployment, n) in list.iter().zip([1, 22, 3]) {
        let alone = Deployment::from_json(&of(n)).unwrap();
        assert_eq!(deployment, &alone);
        assert_eq!((deployment.id(), deployment.model()), (alone.id(), "gpt-x"));
        assert_eq!(format!("{deployment:?}"), format!("{alone:?}"));
    }
    assert!(list[0] != list[1] && list[1].model_name() == "m-22");
    assert_eq!(Deployment::list_from_json("[]").unwrap(), []);
}

#[test]
fn what_is_no_deployment_is_refused_by_name_and_field() {
    let error = |json: &str| Deployment::from_json(json).unwrap_err().to_string();
    for (json, expected) in [
        ("{}", "cannot use the deployment: model_name: missing"),
        ("[]", "cannot use the deployment: not an object"),
        ("{", "cannot use the deployment: not an object"),
        (r#"{"model_name": 1}"#, "cannot use the deployment: model_name: not a string"),
        (r#"{"model_name": "m"}"#, "cannot use m: litellm_params: missing"),
        (r#"{"model_name": "m", "litellm_params": []}"#, "cannot use m: litellm_params: not an object"),
        (
            r#"{"model_name": "m", "litellm_params": {"model": 1}}"#,
            "cannot use m: litellm_params.model: not a string",
        ),
        (
            r#"{"model_name": "m", "litellm_params": {"model": "x"}, "model_info": 1}"#,
            "cannot use m: model_info: not an object",
        ),
        (
            r#"{"model_name": "m", "litellm_params": {"model": "x"}, "model_info": {"id": {}}}"#,
            "cannot use m: model_info.id: not a string",
        ),
        (
            r#"{"model_name": "m", "litellm_params": {"model": "x"}, "model_info": {"base_model": 1}}"#,
            "cannot use m: model_info.base_model: not a string",
        ),
        (
            r#"{"model_name": "m", "litellm_params": {"model": "x", "input_cost_per_token": -1}}"#,
            "cannot use m: litellm_params.input_cost_per_token: -1 is negative",
        ),
    ] {
        assert_eq!(error(json), expected, "{json}");
    }
    let list = r#"[{"model_name": "a", "litellm_params": {"model": "x"}}, {"model_name": "b", "litellm_params": {"model": 1}}, 7]"#;
    let error = Deployment::list_from_json(list).unwrap_err();
    assert_eq!(error.to_string(), "cannot use deployment 2 (b): litellm_params.model: not a string");
    assert!(matches!(error, Error::InvalidDeployment { .. }));
}

#[test]
fn overrides_and_deployments_outlive_reloads_under_readers() {
    let map = map();
    let text =
        |n: u32| format!(r#"{{"gpt-x": {{"litellm_provider": "openai", "input_cost_per_token": {n}}}}}"#);
    map.register_model("gpt-x", json!({"max_input_tokens": 12345, "max_output_tokens": 678})).unwrap();
    map.add_deployment(deployment(&json!({"model_name": "m", "litellm_params": {"model": "gpt-x", "output_cost_per_token": 5}, "model_info": {"id": "d"}}))).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    let usage = Usage::new(1, 1);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut seen = 0_u64;
                while !done.load(std::sync::atomic::Ordering::Relaxed) || seen == 0 {
                    let snapshot = map.snapshot();
                    let model = snapshot.get("gpt-x").expect("the model");
                    assert_eq!(
                        (model.max_input_tokens(), model.max_output_tokens()),
                        (Some(12_345), Some(678))
                    );
                    let base = model.input_cost_per_token().expect("a price");
                    let cost = snapshot.deployment_cost("d", &usage).expect("the deployment");
                    assert_eq!((cost.input(), cost.output().to_string().as_str()), (base, "5"));
                    seen += 1;
                }
            });
        }
        let over = common::Over(&done);
        for n in 1..=1_000 {
            map.reload_from_bytes_forced(text(n)).expect("a map");
        }
        drop(over);
    });
    assert_eq!(cost(&map, "m").unwrap(), "1000500");
}

#[test]
fn ten_thousand_deployments_are_a_list_like_any_other() {
    let map = map();
    let list = |count: usize, model: &str| -> Vec<Deployment> {
        let of = |n: usize| json!({"model_name": format!("m-{n}"), "litellm_params": {"model": model, "input_cost_per_token": 1e-6, "api_base": format!("https://{n}")}});
        (0..count).map(|n| deployment(&of(n))).collect()
    };
    map.set_deployments(list(10_000, "gpt-x")).unwrap();
    map.set_deployments(list(10_000, "azure/gpt-x")).unwrap();
    assert_eq!(cost(&map, "m-9999").unwrap(), "0.0014");
    assert_eq!(map.snapshot().deployments().len(), 10_000);
}

/// A gateway calls a deployment with its own provider, URL, parameters and key.
#[test]
fn a_deployment_gives_back_its_parameters() {
    let deployment = Deployment::from_json(
        r#"{"model_name": "a", "litellm_params": {"model": "azure/gpt-x", "api_base": "https://host/v1", "api_version": "2026-01-01",
            "api_key": "os.environ/CARGO_PKG_NAME", "aws_secret_access_key": "very-secret", "timeout": 30, "tags": ["x"],
            "client_secret": "os.environ/NO_SUCH_VARIABLE_AT_ALL", "bad": 5, "vertex_credentials": {"private_key": "x"}}}"#,
    )
    .unwrap();
    assert_eq!((deployment.provider(), deployment.model()), (Some("azure"), "azure/gpt-x"));
    assert_eq!(deployment.api_base().unwrap().as_deref(), Some("https://host/v1"));
    assert_eq!(deployment.api_key().unwrap().unwrap().expose(), "llm-costmap");
    assert_eq!(deployment.secret("aws_secret_access_key").unwrap().unwrap().expose(), "very-secret");
    assert!(deployment.secret("azure_ad_token").unwrap().is_none());
    assert_eq!(deployment.secret("vertex_credentials").unwrap().unwrap().expose(), r#"{"private_key": "x"}"#);
    let error = deployment.secret("client_secret").unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot use a: litellm_params.client_secret: the environment variable NO_SUCH_VARIABLE_AT_ALL is not set, or no text"
    );
    assert_eq!(
        deployment.secret("bad").unwrap_err().to_string(),
        "cannot use a: litellm_params.bad: not a string"
    );
    assert_eq!(deployment.param::<String>("api_version").as_deref(), Some("2026-01-01"));
    assert_eq!(deployment.param::<Vec<String>>("tags"), Some(vec!["x".to_owned()]));
    for secret in ["api_key", "aws_secret_access_key", "client_secret"] {
        assert_eq!(deployment.param::<Value>(secret), None, "{secret}");
    }
    let shown = format!("{deployment:?} {:?}", deployment.secret("aws_secret_access_key"));
    assert!(!shown.contains("very-secret"), "{shown}");
    let bare = |params: Value| Deployment::new("b", params, json!({})).unwrap();
    assert_eq!(bare(json!({"model": "gpt-x"})).provider(), None);
    assert_eq!(bare(json!({"model": "a/b", "custom_llm_provider": "groq"})).provider(), Some("groq"));
}

/// The deployments that serve a name, with the models that they lead to; and a price by id and model.
#[test]
fn deployments_of_a_name_lead_to_models() {
    let map = CostMap::from_json(r#"{"anthropic/claude-x": {"input_cost_per_token": 1e-6}}"#).unwrap();
    let deployment = |name: &str, model: &str, id: &str, price: Option<f64>| {
        let mut params = json!({"model": model});
        if let Some(price) = price {
            params["input_cost_per_token"] = price.into();
        }
        Deployment::new(name, params, json!({"id": id})).unwrap()
    };
    map.set_deployments([
        deployment("anthropic/*", "anthropic/*", "eu", None),
        deployment("*", "openai/*", "rest", None),
        deployment("anthropic/*", "anthropic/*", "us", Some(2e-6)),
        deployment("fixed", "anthropic/claude-x", "fixed", None),
    ])
    .unwrap();
    let snapshot = map.snapshot();
    let of = |name: &str| -> Vec<(String, String)> {
        let found = snapshot.deployments_of(name);
        found.map(|found| (found.deployment.id().to_owned(), found.model.into_owned())).collect()
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(id, model)| ((*id).to_owned(), (*model).to_owned())).collect()
    };
    assert_eq!(
        of("anthropic/claude-x"),
        pairs(&[("eu", "anthropic/claude-x"), ("us", "anthropic/claude-x")])
    );
    assert_eq!(of("gpt-x"), pairs(&[("rest", "openai/gpt-x")]));
    assert_eq!(of("fixed"), pairs(&[("fixed", "anthropic/claude-x")]));
    assert_eq!(of(""), []);

    let usage = Usage::new(1_000_000, 0);
    let cost = |id, model| map.deployment_cost(DeploymentLookup::new(id).model(model), &usage);
    assert_eq!(cost("eu", "anthropic/claude-x").unwrap().total().to_string(), "1");
    assert_eq!(cost("us", "anthropic/claude-x").unwrap().total().to_string(), "2");
    // The model of a deployment without a `*` is its own, whatever was asked for.
    assert_eq!(cost("fixed", "fixed").unwrap().total().to_string(), "1");
    let error = cost("us", "openai/gpt-x").unwrap_err();
    assert_eq!(
        error.to_string(),
        "no deployment has the id or the name \"openai/gpt-x\": add it, or check the name"
    );
    assert!(matches!(
        map.deployment_cost("anthropic/claude-x", &usage),
        Err(Error::AmbiguousDeployment { .. })
    ));
}

/// One deployment is shown as the list of all shows it, and two with one id are an error of their own.
#[test]
fn one_deployment_is_shown_by_its_id() {
    let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6, "max_tokens": 5}}"#).unwrap();
    let deployment =
        |id: &str| Deployment::new("d", json!({"model": "m", "api_key": "sk-1"}), json!({"id": id})).unwrap();
    map.set_deployments([deployment("a"), deployment("b")]).unwrap();
    let snapshot = map.snapshot();
    let all = serde_json::to_value(snapshot.model_info()).unwrap();
    for (position, id) in ["a", "b"].into_iter().enumerate() {
        assert_eq!(
            serde_json::to_value(snapshot.deployment_info(id).unwrap()).unwrap(),
            all["data"][position]
        );
    }
    assert!(snapshot.deployment_info("d").is_none());
    let error = map.set_deployments([deployment("a"), deployment("a")]).unwrap_err();
    assert!(
        matches!(&error, Error::DuplicateDeployment { id, model_name, .. } if id == "a" && model_name == "d")
    );
    assert_eq!((error.code(), error.kind()), ("duplicate_deployment", ErrorKind::InvalidInput));
}

/// LiteLLM's documents have an example whose parameters name no model: the deployment's name is the model.
#[test]
fn a_deployment_without_a_model_is_called_by_its_name() {
    let deployment = Deployment::from_json(
        r#"{"model_name": "gpt-x", "litellm_params": {"some_parameter": "some_value", "another_parameter": "another_value"},
            "model_info": {"author": "Me", "version": "1.0", "description": "mine"}}"#,
    )
    .unwrap();
    assert_eq!((deployment.model(), deployment.provider()), ("gpt-x", None));
    assert_eq!(deployment.param::<String>("some_parameter").as_deref(), Some("some_value"));
    let map = map();
    map.add_deployment(deployment).unwrap();
    assert_eq!(map.deployment_total("gpt-x", &Usage::new(1_000_000, 0)).unwrap().to_string(), "1");
    let shown = serde_json::to_value(map.snapshot().model_info()).unwrap();
    assert_eq!(
        (&shown["data"][0]["model_info"]["author"], &shown["data"][0]["model_info"]["max_input_tokens"]),
        (&json!("Me"), &json!(8192))
    );
}

#[test]
fn deployments_are_stored_with_their_secrets_and_read_back() {
    let texts = [
        r#"{"model_name": "a", "litellm_params": {"model": "openai/gpt-x", "api_key": "sk-SECRET", "api_base": "https://u:SECRET@host", "input_cost_per_token": 0.00000012345678901234567}}"#,
        r#"{"model_name": "b", "litellm_params": {"model": "azure/gpt-x", "api_key": "os.environ/NO_SUCH"}, "model_info": {"billing": "prepaid", "id": 7, "odd": 1e400}}"#,
        r#"{"model_name": "c*", "litellm_params": {"vertex_credentials": {"private_key": "SECRET"}}, "model_info": {"team": "x"}}"#,
    ];
    let list = Deployment::list_from_json(&format!("[{}]", texts.join(","))).unwrap();
    let stored =
        serde_json::to_string(&list.iter().map(Deployment::with_secrets).collect::<Vec<_>>()).unwrap();
    let read = Deployment::list_from_json(&stored).unwrap();
    assert_eq!(read.len(), 3);
    for (read, known) in read.iter().zip(&list) {
        assert_eq!(read.id(), known.id());
        assert_eq!(serde_json::to_string(&read).unwrap(), serde_json::to_string(&known).unwrap());
        assert_eq!(format!("{:?}", known.with_secrets()), format!("{known:?}"));
        assert!(!format!("{:?}", known.with_secrets()).contains("SECRET"));
    }
    assert_eq!(read[0].api_key().unwrap().unwrap().expose(), "sk-SECRET");
    assert_eq!(
        read[2].secret("vertex_credentials").unwrap().unwrap().expose(),
        r#"{"private_key": "SECRET"}"#
    );
    // All digits are kept, and what only this crate can read is as well.
    assert!(stored.contains("0.00000012345678901234567") && stored.contains("1e400"), "{stored}");
    assert_eq!(
        serde_json::to_string(&read.iter().map(Deployment::with_secrets).collect::<Vec<_>>()).unwrap(),
        stored
    );
}

#[test]
fn a_deployment_is_changed_field_by_field_and_keeps_its_id() {
    let map = map();
    let first = deployment(
        &json!({"model_name": "a", "litellm_params": {"model": "openai/gpt-x", "api_key": "sk-1", "timeout": 5}, "model_info": {"team": "x"}}),
    );
    map.add_deployment(first.clone()).unwrap();
    let changes = format!(
        r#"{{"model_name": "b", "litellm_params": {{"api_key": null, "timeout": 6, "input_cost_per_token": 0.12345678901234567}},
            "model_info": {{"id": "{}", "team": "y"}}}}"#,
        first.id()
    );
    let changed = first.with_changes(&changes).unwrap();
    map.update_deployment(changed.clone()).unwrap();
    assert_eq!((changed.id(), changed.model_name(), changed.model()), (first.id(), "b", "openai/gpt-x"));
    assert_eq!(changed.api_key().unwrap().unwrap().expose(), "sk-1");
    assert_eq!(changed.param::<u32>("timeout"), Some(6));
    // With 100 tokens of output at the price of the map.
    assert_eq!(cost(&map, "b").unwrap(), "123.45698901234567");
    let shown = serde_json::to_value(&changed).unwrap();
    assert_eq!(shown["model_info"], json!({"id": first.id(), "db_model": false, "team": "y"}));
    assert_eq!(first.with_changes("{}").unwrap().id(), first.id());
    for (changes, expected) in [
        ("[]", "cannot use a: not an object"),
        (r#"{"model_info": 1}"#, "cannot use a: model_info: not an object"),
        (r#"{"model_name": 1}"#, "cannot use a: model_name: not a string"),
        (
            r#"{"model_info": {"id": "other"}}"#,
            "cannot use a: model_info.id: the id of another deployment: a deployment keeps its id",
        ),
        (
            r#"{"litellm_params": {"input_cost_per_token": -1}}"#,
            "cannot use a: litellm_params.input_cost_per_token: -1 is negative",
        ),
    ] {
        assert_eq!(first.with_changes(changes).unwrap_err().to_string(), expected);
    }
}

#[test]
fn what_a_deployment_shows_is_no_change_of_it() {
    let own = deployment(
        &json!({"model_name": "a", "litellm_params": {"model": "openai/gpt-x", "my_token": "tk-1", "timeout": 5}, "model_info": {"password": "pw"}}),
    );
    let shown = serde_json::to_string(&own).unwrap();
    assert!(!shown.contains("tk-1") && !shown.contains("pw\""), "{shown}");
    let changed = own.with_changes(&shown).unwrap();
    assert_eq!(changed.secret("my_token").unwrap().unwrap().expose(), "tk-1");
    let stored = |deployment: &Deployment| serde_json::to_value(deployment.with_secrets()).unwrap();
    assert_eq!(stored(&changed)["litellm_params"], stored(&own)["litellm_params"]);
    assert_eq!(stored(&changed)["model_info"]["password"], "pw");
    let changed = own.with_changes(r#"{"litellm_params": {"my_token": "tk-2", "timeout": 5.0}}"#).unwrap();
    assert_eq!(changed.secret("my_token").unwrap().unwrap().expose(), "tk-2");
}

#[test]
#[cfg(feature = "yaml")]
fn a_configured_model_is_not_a_stored_one() {
    let yaml = "model_list:\n  - {model_name: a, litellm_params: {model: m}, model_info: {id: i, db_model: true, team: x}}\n";
    let list = Deployment::list_from_yaml(yaml).unwrap();
    assert_eq!((list[0].is_db_model(), list[0].id()), (false, "i"));
    assert_eq!(serde_json::to_value(&list[0]).unwrap()["model_info"]["team"], "x");
}

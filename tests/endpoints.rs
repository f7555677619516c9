//! Tests of LiteLLM's endpoints, by the calls of its documentation.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::time::Duration;

use common::edition;
use llm_costmap::endpoints::{Endpoints, Request};
use llm_costmap::{CostMap, Deployment};
use serde_json::{Value, json};

fn send(endpoints: &Endpoints, request: &Request<'_>) -> (u16, Value) {
    let answer = endpoints.answer(request).expect("an endpoint");
    (answer.status, serde_json::from_str(&answer.json).unwrap())
}

/// Returns the named fields of an answer, with each time replaced by `"TIME"` if Python 3.10 reads it.
fn fields(answer: &Value, names: &[&str]) -> Value {
    let is_time = |text: &str| {
        let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        shape == "0000-00-00T00:00:00.000000+00:00"
    };
    let field = |name: &&str| {
        let value = answer.get(name).unwrap_or_else(|| panic!("no {name} in {answer}"));
        let value = if value.as_str().is_some_and(is_time) { json!("TIME") } else { value.clone() };
        ((*name).to_owned(), value)
    };
    Value::Object(names.iter().map(field).collect())
}

const RELOAD: &str = "/reload/model_cost_map";
const SCHEDULE: &str = "/schedule/model_cost_map_reload";

#[test]
fn the_map_is_reloaded_and_the_reason_told_if_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("map.json");
    fs::write(&file, edition(60, "1")).unwrap();
    let endpoints = Endpoints::new(CostMap::from_file(&file).unwrap());
    fs::write(&file, edition(61, "2")).unwrap();
    let (status, answer) = send(&endpoints, &Request::new("POST", RELOAD));
    let expected = json!({
        "message": "Price data reloaded successfully! 61 models updated.", "status": "success",
        "models_count": 61, "timestamp": "TIME", "etag": null,
    });
    assert_eq!(
        (status, fields(&answer, &["message", "status", "models_count", "timestamp", "etag"])),
        (200, expected)
    );
    assert_eq!(answer["source_revision"].as_str().map(str::len), Some(40));
    assert!(answer["repriced"].is_number(), "no lists: {answer}");

    fs::write(&file, edition(3, "2")).unwrap();
    let (status, answer) = send(&endpoints, &Request::new("POST", RELOAD));
    let reason = format!("{} has 3 models, fewer than 30", file.display());
    let said = format!("Failed to reload model cost map: {reason}. Current pricing data was kept.");
    assert_eq!((status, answer), (502, json!({"detail": said})));
    let (_, answer) = send(&endpoints, &Request::new("GET", "/model/cost_map/source"));
    let names = ["source", "url", "is_env_forced", "fallback_reason", "loaded_at", "etag", "model_count"];
    let expected = json!({"source": "local", "url": null, "is_env_forced": false, "fallback_reason": null,
        "loaded_at": "TIME", "etag": null, "model_count": 61});
    assert_eq!(fields(&answer, &names), expected);
}

#[test]
fn a_schedule_is_made_shown_and_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let (file, state) = (folder.path().join("map.json"), folder.path().join("state.json"));
    fs::write(&file, edition(60, "1")).unwrap();
    let endpoints = Endpoints::new(CostMap::from_file(&file).unwrap()).state_file(&state);
    let names = ["scheduled", "interval_hours", "last_run", "next_run", "etag"];
    let status = |endpoints: &Endpoints| {
        fields(&send(endpoints, &Request::new("GET", "/schedule/model_cost_map_reload/status")).1, &names)
    };
    let idle =
        json!({"scheduled": false, "interval_hours": null, "last_run": null, "next_run": null, "etag": null});
    assert_eq!(status(&endpoints), idle);

    let (code, answer) = send(&endpoints, &Request::new("POST", SCHEDULE).param("hours", "6"));
    let expected = json!({"message": "Model cost map reload scheduled for every 6 hours", "status": "success",
        "interval_hours": 6, "timestamp": "TIME"});
    assert_eq!(
        (code, fields(&answer, &["message", "status", "interval_hours", "timestamp"])),
        (200, expected)
    );
    assert_eq!(answer.as_object().unwrap().len(), 4);
    let made = status(&endpoints);
    assert_eq!(
        (&made["scheduled"], &made["interval_hours"], &made["next_run"]),
        (&json!(true), &json!(6), &json!("TIME"))
    );
    // Another process continues it.
    let map = CostMap::from_file(&file).unwrap();
    assert!(map.read_state(&state).unwrap());
    assert_eq!(map.status().interval_hours, Some(6.0));

    for (hours, code, detail) in [
        (Some("0"), 400, json!("Hours must be greater than 0")),
        (Some("-3"), 400, json!("Hours must be greater than 0")),
        (
            Some("87601"),
            400,
            json!(
                "Failed to schedule model cost map reload: invalid schedule_reload: 315363600s is more than ten years"
            ),
        ),
        (
            Some("soon"),
            422,
            json!([{"type": "int_parsing", "loc": ["query", "hours"], "input": "soon",
                "msg": "Input should be a valid integer, unable to parse string as an integer"}]),
        ),
        (
            None,
            422,
            json!([{"type": "missing", "loc": ["query", "hours"], "msg": "Field required", "input": null}]),
        ),
    ] {
        let request = Request::new("POST", SCHEDULE);
        let request = hours.map_or(request.clone(), |hours| request.param("hours", hours));
        assert_eq!(send(&endpoints, &request), (code, json!({"detail": detail})));
    }
    assert_eq!(status(&endpoints)["interval_hours"], 6);

    let (code, answer) = send(&endpoints, &Request::new("DELETE", SCHEDULE));
    let expected = json!({"message": "Model cost map reload schedule cancelled", "status": "success", "timestamp": "TIME"});
    assert_eq!((code, fields(&answer, &["message", "status", "timestamp"])), (200, expected));
    assert_eq!(answer.as_object().unwrap().len(), 3);
    assert_eq!(status(&endpoints)["scheduled"], false);
    let map = CostMap::from_file(&file).unwrap();
    assert!(map.read_state(&state).unwrap() && !map.status().scheduled);
}

#[test]
fn models_are_added_changed_shown_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let map = CostMap::from_json(r#"{"azure/gpt-3.5-turbo": {"input_cost_per_token": 5e-7, "max_tokens": 4096, "litellm_provider": "azure", "mode": "chat"}}"#).unwrap();
    map.set_deployments([Deployment::new("configured", json!({"model": "m"}), json!({"id": "c"})).unwrap()])
        .unwrap();
    let endpoints = Endpoints::new(map.clone()).state_file(&state);

    // The documented call.
    let new = r#"{ "model_name": "azure-gpt-turbo", "litellm_params": {"model": "azure/gpt-3.5-turbo", "api_key": "os.environ/AZURE_API_KEY", "api_base": "my-azure-api-base"} }"#;
    let (code, answer) = send(&endpoints, &Request::new("POST", "/model/new").body(new));
    let id = answer["model_id"].as_str().unwrap().to_owned();
    let expected = json!({"model_id": id, "model_name": "azure-gpt-turbo",
        "litellm_params": {"model": "azure/gpt-3.5-turbo", "api_base": "my-azure-api-base"},
        "model_info": {"id": id, "db_model": true}});
    assert_eq!((code, &answer), (200, &expected));
    let by_id = Request::new("GET", "/v1/model/info").param("litellm_model_id", &id);
    let (code, answer) = send(&endpoints, &by_id);
    let shown = &answer["data"][0];
    assert_eq!((code, answer["data"].as_array().unwrap().len()), (200, 1));
    assert_eq!(
        (&shown["model_name"], &shown["litellm_params"]),
        (&expected["model_name"], &expected["litellm_params"])
    );
    let names = ["id", "db_model", "key", "max_tokens", "input_cost_per_token", "litellm_provider", "mode"];
    let info = json!({"id": id, "db_model": true, "key": "azure/gpt-3.5-turbo", "max_tokens": 4096,
        "input_cost_per_token": 5e-7, "litellm_provider": "azure", "mode": "chat"});
    assert_eq!(fields(&shown["model_info"], &names), info);
    let (_, answer) = send(&endpoints, &Request::new("GET", "/model/info"));
    assert_eq!(answer["data"].as_array().unwrap().len(), 2);
    let (_, answer) = send(&endpoints, &Request::new("GET", "/v1/models"));
    let names: Vec<&str> =
        answer["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!((&answer["object"], names), (&json!("list"), vec!["azure-gpt-turbo", "configured"]));

    // The documented structure, whose parameters name no model.
    let awesome = r#"{"model_name": "my_awesome_model", "litellm_params": {"some_parameter": "some_value", "another_parameter": "another_value"},
        "model_info": {"author": "Your Name", "version": "1.0", "description": "A brief description of the model."}}"#;
    let (code, answer) = send(&endpoints, &Request::new("POST", "/model/new").body(awesome));
    assert_eq!((code, &answer["litellm_params"]["some_parameter"]), (200, &json!("some_value")));
    assert_eq!(answer["model_info"]["author"], "Your Name");

    let update = format!(
        r#"{{"litellm_params": {{"input_cost_per_token": 1e-6}}, "model_info": {{"id": "{id}", "team": "a"}}}}"#
    );
    let (code, answer) = send(&endpoints, &Request::new("POST", "/model/update").body(&update));
    assert_eq!((code, &answer["model_id"], &answer["model_info"]["team"]), (200, &json!(id), &json!("a")));
    assert_eq!(answer["litellm_params"]["model"], "azure/gpt-3.5-turbo");
    // A later process has the key's reference and the price as well.
    let later = CostMap::empty();
    later.read_state(&state).unwrap();
    let snapshot = later.snapshot();
    let kept = snapshot.deployment(&id).unwrap();
    let error = kept.api_key().unwrap_err().to_string();
    assert!(error.contains("the environment variable AZURE_API_KEY is not set"), "{error}");
    assert_eq!(kept.param::<f64>("input_cost_per_token"), Some(1e-6));

    let delete = json!({"id": id}).to_string();
    let request = Request::new("POST", "/model/delete").body(&delete);
    assert_eq!(
        send(&endpoints, &request),
        (200, json!({"message": format!("Model: {id} deleted successfully")}))
    );
    assert_eq!(map.snapshot().deployments().len(), 2);
    let said = format!("Model with id={id} not found in db");
    assert_eq!(send(&endpoints, &request).1["error"]["message"], said);
    let (code, answer) = send(&endpoints, &by_id);
    let said = json!({"detail": {"error": format!("Model id = {id} not found on litellm proxy")}});
    assert_eq!((code, answer), (400, said));
}

#[test]
fn what_is_refused_says_why_and_changes_nothing() {
    let map = CostMap::from_json("{}").unwrap();
    map.set_deployments([Deployment::new("configured", json!({"model": "m"}), json!({"id": "c"})).unwrap()])
        .unwrap();
    let endpoints = Endpoints::new(map.clone());
    let config = "Can't edit model. Model in config. Store model in db via `/model/new`. to edit.";
    for (path, body, said) in [
        ("/model/new", "{", "the body is not a JSON object: line 1, column 1"),
        ("/model/new", "[]", "the body is not a JSON object: line 1, column 0"),
        (
            "/model/new",
            r#"{"model_name": "x", "litellm_params": {}, "model_info": 1}"#,
            "cannot use x: model_info: not an object",
        ),
        (
            "/model/new",
            r#"{"model_name": "x", "litellm_params": {}, "model_info": {"id": "a\nb"}}"#,
            "cannot use x: model_info.id: empty, or with a control character",
        ),
        (
            "/model/new",
            r#"{"model_name": "", "litellm_params": {}}"#,
            "cannot use the deployment: model_name: empty",
        ),
        ("/model/new", r#"{"litellm_params": {}}"#, "cannot use the deployment: model_name: missing"),
        ("/model/new", r#"{"model_name": "x"}"#, "cannot use x: litellm_params: missing"),
        (
            "/model/new",
            r#"{"model_name": "x", "litellm_params": {}, "model_info": {"id": "c"}}"#,
            "cannot use x: another deployment has the id \"c\" too: give it an id of its own",
        ),
        ("/model/update", "{\"sk-SECRET\"", "the body is not a JSON object: line 1, column 12"),
        ("/model/update", "{}", "model_info not provided"),
        ("/model/update", r#"{"model_info": {}}"#, "model_info.id not provided"),
        ("/model/update", r#"{"model_info": {"id": "none"}}"#, "Model with id=none not found in db"),
        ("/model/update", r#"{"model_info": {"id": "c"}}"#, config),
        ("/model/delete", r#"{"id": "c"}"#, config),
        ("/model/delete", r#"{"id": 1}"#, "Model with id=1 not found in db"),
        ("/model/delete", r#"{"id": []}"#, "id not provided"),
    ] {
        let (code, answer) = send(&endpoints, &Request::new("POST", path).body(body));
        let error = json!({"error": {"message": said, "type": "invalid_request_error", "param": null, "code": "400"}});
        assert_eq!((code, answer), (400, error), "{path} {body}");
    }
    assert_eq!(map.snapshot().deployments().len(), 1);
    // A file that cannot be written does not undo a change, and the answer says so.
    let endpoints = endpoints.state_file("/no/such/folder/state.json");
    let (code, answer) = send(
        &endpoints,
        &Request::new("POST", "/model/new").body(r#"{"model_name": "x", "litellm_params": {}}"#),
    );
    let said = answer["error"]["message"].as_str().unwrap();
    assert!(
        code == 500 && said.starts_with("done, but it will not outlive the process: the state file /no/such"),
        "{said}"
    );
    assert_eq!(map.snapshot().deployments().len(), 2);
    for (method, path) in [("GET", RELOAD), ("POST", "/model/info"), ("GET", "/"), ("PATCH", "/model/new")] {
        assert!(endpoints.answer(&Request::new(method, path)).is_none());
    }
    assert!(Request::new("POST", RELOAD).needs_admin() && !Request::new("GET", "/model/info").needs_admin());
    // A map without a source has nothing to reload from.
    let (code, answer) = send(&endpoints, &Request::new("POST", RELOAD));
    assert!(
        code == 502 && answer["detail"].as_str().unwrap().contains("has no source to reload from"),
        "{answer}"
    );
    let (code, _) = send(&endpoints, &Request::new("POST", SCHEDULE).param("hours", "1"));
    assert_eq!(code, 500);
    assert!(map.schedule_reload(Duration::from_secs(60)).is_err());
}

#[test]
fn what_was_shown_and_is_sent_back_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let map =
        CostMap::from_json(r#"{"gpt-x": {"input_cost_per_token": 1e-6, "litellm_provider": "openai"}}"#)
            .unwrap();
    let endpoints = Endpoints::new(map.clone()).state_file(&state);
    let new = r#"{"model_name": "mine", "litellm_params": {"model": "gpt-x", "api_key": "sk-SECRET",
        "api_base": "https://user:SECRET@host/v1?key=SECRET", "my_token": "SECRET", "extra_headers": {"Authorization": "SECRET"}},
        "model_info": {"team_secret": "SECRET", "team": "a"}}"#;
    let (_, added) = send(&endpoints, &Request::new("POST", "/model/new").body(new));
    let id = added["model_id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 36, "a UUID, as LiteLLM has it: {id}");
    // The same model can be added once more, with an id of its own.
    let (code, again) = send(&endpoints, &Request::new("POST", "/model/new").body(new));
    assert!(code == 200 && again["model_id"] != id.as_str());

    let by_id = Request::new("GET", "/model/info").param("litellm_model_id", &id);
    let kept = |name: &str| -> String {
        let snapshot = map.snapshot();
        snapshot.deployment(&id).unwrap().secret(name).unwrap().unwrap().expose().to_owned()
    };
    let before = fs::read_to_string(&state).unwrap();
    let (_, shown) = send(&endpoints, &by_id);
    let mut echo = shown["data"][0].clone();
    assert!(!echo.to_string().contains("SECRET"), "{echo}");
    let (code, answer) = send(&endpoints, &Request::new("POST", "/model/update").body(&echo.to_string()));
    assert_eq!(code, 200, "{answer}");
    let sorted =
        |text: &str| -> Value { serde_json::from_str::<Value>(text).unwrap()["deployments"].clone() };
    assert_eq!(sorted(&fs::read_to_string(&state).unwrap()), sorted(&before));
    assert_eq!(
        (kept("my_token"), kept("api_base")),
        ("SECRET".to_owned(), "https://user:SECRET@host/v1?key=SECRET".to_owned())
    );
    // The prices of a newer map reach it.
    map.reload_from_bytes(r#"{"gpt-x": {"input_cost_per_token": 9e-6, "litellm_provider": "openai"}}"#)
        .unwrap();
    let usage = llm_costmap::Usage::new(1_000_000, 0);
    assert_eq!(map.deployment_total(id.as_str(), &usage).unwrap().to_string(), "9");

    // A field that was changed in between is a change, and one beside no `key` is the operator's own.
    echo["litellm_params"]["my_token"] = json!("NEW");
    echo["model_info"]["team"] = json!("b");
    echo["model_info"]["input_cost_per_token"] = json!(2e-6);
    send(&endpoints, &Request::new("POST", "/model/update").body(&echo.to_string()));
    assert_eq!((kept("my_token"), kept("api_key")), ("NEW".to_owned(), "sk-SECRET".to_owned()));
    assert_eq!(map.deployment_total(id.as_str(), &usage).unwrap().to_string(), "2");
    let pinned = again["model_id"].as_str().unwrap();
    let pin = json!({"model_info": {"id": pinned, "input_cost_per_token": 9e-6}}).to_string();
    send(&endpoints, &Request::new("POST", "/model/update").body(&pin));
    map.reload_from_bytes(r#"{"gpt-x": {"input_cost_per_token": 5e-6, "litellm_provider": "openai"}}"#)
        .unwrap();
    assert_eq!(map.deployment_total(pinned, &usage).unwrap().to_string(), "9");

    // The mark of a stored model is not the client's to set.
    let unmark = json!({"model_info": {"id": id, "db_model": false, "key": "gpt-x"}}).to_string();
    let (code, answer) = send(&endpoints, &Request::new("POST", "/model/update").body(&unmark));
    assert_eq!((code, &answer["model_info"]["db_model"]), (200, &json!(true)));
    assert!(answer["model_info"].get("key").is_none(), "{answer}");
    assert_eq!(sorted(&fs::read_to_string(&state).unwrap()).as_array().unwrap().len(), 2);
}

#[test]
fn ids_may_be_numbers_and_hours_may_have_a_fraction_of_zero() {
    let map = CostMap::from_json("{}").unwrap();
    let endpoints = Endpoints::new(map.clone());
    let new = r#"{"model_name": "x", "litellm_params": {}, "model_info": {"id": 5}}"#;
    let (code, answer) = send(&endpoints, &Request::new("POST", "/model/new").body(new));
    assert_eq!((code, &answer["model_id"]), (200, &json!("5")));
    let update = r#"{"model_info": {"id": 5, "team": "a"}}"#;
    let (code, answer) = send(&endpoints, &Request::new("POST", "/model/update").body(update));
    assert_eq!((code, &answer["model_info"]["team"]), (200, &json!("a")));
    let (code, answer) = send(&endpoints, &Request::new("POST", "/model/delete").body(r#"{"id": 5}"#));
    assert_eq!((code, answer), (200, json!({"message": "Model: 5 deleted successfully"})));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("map.json");
    fs::write(&file, edition(60, "1")).unwrap();
    let endpoints = Endpoints::new(CostMap::from_file(&file).unwrap());
    for (hours, expected) in
        [("6.0", 200), (" 6 ", 200), ("6.5", 422), ("6.", 422), (".0", 422), ("1e1", 422)]
    {
        let (code, _) = send(&endpoints, &Request::new("POST", SCHEDULE).param("hours", hours));
        assert_eq!(code, expected, "{hours}");
    }
}

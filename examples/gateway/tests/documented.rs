//! The calls of LiteLLM's documentation, with `curl` as they are printed there but for the host and the key.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "tests"
)]

mod common;

use std::process::Command;

use common::{Gateway, write};
use serde_json::{Value, json};

/// The map before and after a reload.
const BEFORE: &str = r#"{"gpt-4": {"litellm_provider": "openai", "mode": "chat", "max_tokens": 4096, "max_input_tokens": 8192,
    "max_output_tokens": 4096, "input_cost_per_token": 3e-05, "output_cost_per_token": 6e-05},
    "azure/gpt-3.5-turbo": {"litellm_provider": "azure", "mode": "chat", "input_cost_per_token": 5e-07}}"#;

const CONFIG: &str = r#"
model_list:
  - model_name: "gpt-4"
    litellm_params:
      model: "gpt-4"
      api_key: "os.environ/OPENAI_API_KEY"
    model_info:
      my_custom_key: "my_custom_value"
"#;

/// Runs a command of the documentation against the gateway, and returns the status and the answer.
fn curl(gateway: &Gateway, command: &str) -> (u16, Value) {
    let command = ["https://your-proxy-url", "http://0.0.0.0:4000"]
        .iter()
        .fold(command.to_owned(), |command, host| command.replace(host, &gateway.url("")))
        .replace("YOUR_ADMIN_TOKEN", "sk-admin")
        .replace("LITELLM_KEY", "sk-caller");
    let command = format!("{} -s -w '\n%{{http_code}}'", command.trim().trim_end_matches('\\'));
    let output = Command::new("sh").args(["-c", &command]).output().expect("sh");
    let text = String::from_utf8(output.stdout).expect("text");
    let (body, status) = text.rsplit_once('\n').unwrap_or_else(|| panic!("is curl installed? {text}"));
    let body = serde_json::from_str(body).unwrap_or_else(|_| panic!("{command}: {text}"));
    (status.parse().expect("a status"), body)
}

/// Returns the fields of an answer, with `TIME` for each time that Python's `isoformat` could have written.
fn timeless(answer: &Value, names: &[&str]) -> Value {
    let fields = names.iter().map(|name| {
        let value = answer.get(*name).unwrap_or_else(|| panic!("no {name}: {answer}"));
        let shape: String = value
            .as_str()
            .unwrap_or_default()
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        let value = if shape == "0000-00-00T00:00:00.000000+00:00" { json!("TIME") } else { value.clone() };
        ((*name).to_owned(), value)
    });
    fields.collect::<serde_json::Map<_, _>>().into()
}

const KEYS: [(&str, &str); 2] = [("LITELLM_MASTER_KEY", "sk-admin"), ("GATEWAY_KEYS", "sk-other,sk-caller")];

#[test]
fn the_map_is_synced_by_hand_and_on_a_schedule() {
    let folder = tempfile::tempdir().unwrap();
    let map = write(folder.path(), "map.json", BEFORE);
    let gateway = Gateway::start(&["--map", &map], &KEYS);

    let (status, answer) = curl(
        &gateway,
        r#"curl -X GET "https://your-proxy-url/model/cost_map/source" -H "Authorization: Bearer YOUR_ADMIN_TOKEN""#,
    );
    let names = ["source", "url", "is_env_forced", "fallback_reason", "loaded_at", "etag", "model_count"];
    let expected = json!({"source": "local", "url": null, "is_env_forced": false, "fallback_reason": null,
        "loaded_at": "TIME", "etag": null, "model_count": 2});
    assert_eq!((status, timeless(&answer, &names)), (200, expected));
    let before = answer["source_revision"].clone();

    // "Manual sync"
    write(folder.path(), "map.json", &BEFORE.replace("3e-05", "2e-05"));
    let manual = r#"
curl -X POST "https://your-proxy-url/reload/model_cost_map" \
  -H "Authorization: Bearer YOUR_ADMIN_TOKEN" \
  -H "Content-Type: application/json""#;
    let (status, answer) = curl(&gateway, manual);
    let expected = json!({"message": "Price data reloaded successfully! 2 models updated.", "status": "success",
        "models_count": 2, "timestamp": "TIME", "etag": null});
    let names = ["message", "status", "models_count", "timestamp", "etag"];
    assert_eq!((status, timeless(&answer, &names)), (200, expected));
    assert!(answer["source_revision"].is_string() && answer["source_revision"] != before);

    write(folder.path(), "map.json", "not JSON");
    let (status, answer) = curl(&gateway, manual);
    let said = format!(
        "Failed to reload model cost map: {map} is not a model map: expected ident (line 1, column 2). Current pricing data was kept."
    );
    assert_eq!((status, answer), (502, json!({"detail": said})));

    // "Automatic sync every 6 hours"
    let schedule = r#"
curl -X POST "https://your-proxy-url/schedule/model_cost_map_reload?hours=6" \
  -H "Authorization: Bearer YOUR_ADMIN_TOKEN" \
  -H "Content-Type: application/json""#;
    let (status, answer) = curl(&gateway, schedule);
    let expected = json!({"message": "Model cost map reload scheduled for every 6 hours", "status": "success",
        "interval_hours": 6, "timestamp": "TIME"});
    assert_eq!(
        (status, timeless(&answer, &["message", "status", "interval_hours", "timestamp"])),
        (200, expected)
    );
    let (status, answer) = curl(&gateway, &schedule.replace("hours=6", "hours=0"));
    assert_eq!((status, answer), (400, json!({"detail": "Hours must be greater than 0"})));

    let shown = r#"curl -X GET "https://your-proxy-url/schedule/model_cost_map_reload/status" -H "Authorization: Bearer YOUR_ADMIN_TOKEN""#;
    let names = ["scheduled", "interval_hours", "last_run", "next_run", "etag"];
    let (status, answer) = curl(&gateway, shown);
    let expected =
        json!({"scheduled": true, "interval_hours": 6, "last_run": "TIME", "next_run": "TIME", "etag": null});
    assert_eq!((status, timeless(&answer, &names)), (200, expected));
    assert!(answer["source_revision"].is_string());

    let cancel = r#"curl -X DELETE "https://your-proxy-url/schedule/model_cost_map_reload" -H "Authorization: Bearer YOUR_ADMIN_TOKEN""#;
    let (status, answer) = curl(&gateway, cancel);
    let expected = json!({"message": "Model cost map reload schedule cancelled", "status": "success", "timestamp": "TIME"});
    assert_eq!((status, timeless(&answer, &["message", "status", "timestamp"])), (200, expected));
    let (_, answer) = curl(&gateway, shown);
    let expected = json!({"scheduled": false, "interval_hours": null, "last_run": "TIME", "next_run": null, "etag": null});
    assert_eq!(timeless(&answer, &names), expected);

    // Without a key, with one of nobody, and with a caller's.
    let bearer = "Authorization: Bearer YOUR_ADMIN_TOKEN";
    let error =
        |said: &str| json!({"error": {"message": said, "type": "auth_error", "param": null, "code": "401"}});
    let denied = json!({"detail": "Access denied. Admin role required. Current role: internal_user"});
    for (header, status, answer) in [
        ("X: y", 401, error("Authentication Error, No api key passed in.")),
        (
            "Authorization: Bearer sk-nobody",
            401,
            error("Authentication Error, Invalid proxy server token passed"),
        ),
        (
            "Authorization: Bearer sk-admi",
            401,
            error("Authentication Error, Invalid proxy server token passed"),
        ),
        ("Authorization: Bearer sk-caller", 403, denied.clone()),
        ("x-api-key: sk-other", 403, denied),
    ] {
        for call in [manual, schedule, shown, cancel] {
            assert_eq!(
                curl(&gateway, &call.replace(bearer, header)),
                (status, answer.clone()),
                "{header} {call}"
            );
        }
    }
    for path in ["/", "/metrics", "/model/new", "/nowhere"] {
        let (status, _) =
            curl(&gateway, &format!("curl 'http://0.0.0.0:4000{path}' -H 'x-api-key: sk-caller'"));
        assert_eq!(status, 403, "{path}");
    }
}

#[test]
fn models_are_shown_and_added() {
    let folder = tempfile::tempdir().unwrap();
    let (map, config) =
        (write(folder.path(), "map.json", BEFORE), write(folder.path(), "config.yaml", CONFIG));
    let state = folder.path().join("state.json").display().to_string();
    let args = ["--map", &map, "--config", &config, "--state", &state];
    let gateway = Gateway::start(&args, &[]);
    // The documented answer: the operator's info, and what the map says.
    let info = "
curl -L -X GET 'http://0.0.0.0:4000/v1/model/info' \\
-H 'Authorization: Bearer LITELLM_KEY' \\";
    let (status, answer) = curl(&gateway, info);
    let shown = &answer["data"][0];
    assert_eq!((status, answer["data"].as_array().map(Vec::len)), (200, Some(1)));
    assert_eq!(
        (&shown["model_name"], &shown["litellm_params"]),
        (&json!("gpt-4"), &json!({"model": "gpt-4"}))
    );
    let expected = json!({
        "id": shown["model_info"]["id"], "db_model": false,
        "my_custom_key": "my_custom_value", "key": "gpt-4", "max_tokens": 4096, "max_input_tokens": 8192,
        "max_output_tokens": 4096, "input_cost_per_token": 3e-05, "input_cost_per_character": null,
        "input_cost_per_token_above_128k_tokens": null, "output_cost_per_token": 6e-05,
        "output_cost_per_character": null, "output_cost_per_token_above_128k_tokens": null,
        "output_cost_per_character_above_128k_tokens": null, "output_vector_size": null,
        "litellm_provider": "openai", "mode": "chat",
    });
    // The id is a hash of the parameters; that of the documents has another key.
    assert_eq!(expected["id"].as_str().map(str::len), Some(64));
    let names: Vec<&str> = expected.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(timeless(&shown["model_info"], &names), expected);

    let (status, answer) = curl(
        &gateway,
        r#"
curl -X POST "http://0.0.0.0:4000/model/new" \
    -H "accept: application/json" \
    -H "Content-Type: application/json" \
    -d '{ "model_name": "azure-gpt-turbo", "litellm_params": {"model": "azure/gpt-3.5-turbo", "api_key": "os.environ/AZURE_API_KEY", "api_base": "my-azure-api-base"} }'"#,
    );
    let id = answer["model_id"].as_str().unwrap().to_owned();
    assert_eq!(status, 200);
    assert_eq!(
        answer["litellm_params"],
        json!({"model": "azure/gpt-3.5-turbo", "api_base": "my-azure-api-base"})
    );
    assert_eq!(answer["model_info"], json!({"id": id, "db_model": true}));
    assert_eq!(id.len(), 36);
    let awesome = r#"curl -X POST "http://0.0.0.0:4000/model/new" -d '{
  "model_name": "my_awesome_model",
  "litellm_params": {
    "some_parameter": "some_value",
    "another_parameter": "another_value"
  },
  "model_info": {
    "author": "Your Name",
    "version": "1.0",
    "description": "A brief description of the model."
  }
}'"#;
    assert_eq!(curl(&gateway, awesome).0, 200);
    let list = "
curl -X GET \"http://0.0.0.0:4000/model/info\" \\
     -H \"accept: application/json\" \\";
    let names = |gateway: &Gateway| -> Vec<String> {
        let (status, answer) = curl(gateway, list);
        assert_eq!(status, 200);
        answer["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|model| model["model_name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&gateway), ["gpt-4", "azure-gpt-turbo", "my_awesome_model"]);

    let update = format!(
        r#"curl -X POST "http://0.0.0.0:4000/model/update" -d '{{"litellm_params": {{"input_cost_per_token": 1e-6}}, "model_info": {{"id": "{id}"}}}}'"#
    );
    assert_eq!(curl(&gateway, &update).0, 200);
    assert_eq!(
        curl(&gateway, r#"curl -X POST "http://0.0.0.0:4000/schedule/model_cost_map_reload?hours=6""#).0,
        200
    );
    gateway.terminate();

    // What was added outlives the process, and its file is the operator's alone.
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o600);
    let gateway = Gateway::start(&args, &[]);
    assert_eq!(names(&gateway), ["gpt-4", "azure-gpt-turbo", "my_awesome_model"]);
    let one = format!("curl 'http://0.0.0.0:4000/model/info?litellm_model_id={id}'");
    let (status, answer) = curl(&gateway, &one);
    assert_eq!((status, &answer["data"][0]["model_info"]["input_cost_per_token"]), (200, &json!(1e-6)));
    let (_, answer) = curl(&gateway, "curl 'http://0.0.0.0:4000/schedule/model_cost_map_reload/status'");
    assert_eq!((&answer["scheduled"], &answer["interval_hours"]), (&json!(true), &json!(6)));
    assert!(answer["next_run"].is_string());
    let delete = format!(r#"curl -X POST "http://0.0.0.0:4000/model/delete" -d '{{"id": "{id}"}}'"#);
    assert_eq!(
        curl(&gateway, &delete),
        (200, json!({"message": format!("Model: {id} deleted successfully")}))
    );
    assert_eq!(curl(&gateway, &one).0, 400);
    assert_eq!(names(&gateway), ["gpt-4", "my_awesome_model"]);
}

#[test]
fn it_says_why_it_does_not_start() {
    let said = |args: &[&str], env: &[(&str, &str)]| {
        let output = common::command(args, env).stderr(std::process::Stdio::piped()).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(
        said(&["--listen", "0.0.0.0:0"], &[]),
        "error: the argument '--listen <ADDR>' cannot be used multiple times\n\nUsage: gateway [OPTIONS]\n\nFor more information, try '--help'.\n"
    );
    let no_file = said(&["--config", "/no/such/file"], &[]);
    assert!(no_file.starts_with("Error: cannot read /no/such/file\n"), "{no_file}");
    let env = [("LITELLM_MODEL_COST_MAP_URL", "s3://bucket/key")];
    assert!(said(&[], &env).starts_with("Error: invalid LITELLM_MODEL_COST_MAP_URL: s3://bucket/key: "));
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(["--listen", "0.0.0.0:0"])
        .env_remove("LITELLM_MASTER_KEY")
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(output.stderr).unwrap().lines().next(),
        Some("Error: set LITELLM_MASTER_KEY to listen on 0.0.0.0:0, which others reach")
    );
}

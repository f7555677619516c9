//! Tests of the file that keeps what was added at run time.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

use llm_costmap::{CostMap, Deployment, Error, Usage};
use serde_json::{Value, json};

const MAP: &str = r#"{"gpt-x": {"input_cost_per_token": 1e-6}}"#;

/// Returns a deployment that was added at run time, with its own price.
fn added(id: &str, price: &str) -> Deployment {
    Deployment::from_json(&format!(
        r#"{{"model_name": "{id}", "litellm_params": {{"model": "gpt-x", "api_key": "sk-SECRET", "input_cost_per_token": {price}}},
            "model_info": {{"id": "{id}", "db_model": true}}}}"#
    ))
    .unwrap()
}

fn configured(id: &str) -> Deployment {
    Deployment::new(id, json!({"model": "gpt-x", "api_key": "sk-CONFIG"}), json!({"id": id})).unwrap()
}

fn ids(map: &CostMap) -> Vec<String> {
    map.snapshot().deployments().map(|known| known.id().to_owned()).collect()
}

#[test]
fn what_was_added_outlives_a_restart_and_the_configuration_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (file, source) = (folder.path().join("state.json"), folder.path().join("map.json"));
    fs::write(&source, MAP).unwrap();
    let map = CostMap::from_file(&source).unwrap();
    assert!(!map.read_state(&file).unwrap());
    map.set_deployments([configured("a")]).unwrap();
    map.add_deployment(added("b", "0.00000012345678901234567")).unwrap();
    map.schedule_reload(Duration::from_secs(6 * 3600)).unwrap();
    map.write_state(&file).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("sk-SECRET") && !text.contains("sk-CONFIG"), "{text}");
    // A link to the file stays a link.
    let link = folder.path().join("link.json");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    map.write_state(&link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&file).unwrap(), fs::read_to_string(&link).unwrap());
    fs::remove_file(&link).unwrap();
    // Nothing but the file is left in the folder.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);

    let map = CostMap::from_file(&source).unwrap();
    map.set_deployments([configured("a"), configured("c")]).unwrap();
    assert!(map.read_state(&file).unwrap());
    assert_eq!(ids(&map), ["a", "c", "b"]);
    let total = map.deployment_total("b", &Usage::new(1_000_000, 0)).unwrap();
    assert_eq!(total.to_string(), "0.12345678901234567");
    assert_eq!(map.status().interval_hours, Some(6.0));
    // Of two deployments with one id, the configured one counts.
    let map = CostMap::from_json(MAP).unwrap();
    map.set_deployments([configured("b")]).unwrap();
    let error = map.read_state(&file).unwrap_err();
    assert!(matches!(error, Error::NoSource), "{error}");
    assert_eq!(ids(&map), ["b"]);
    assert_eq!(map.deployment_total("b", &Usage::new(1_000_000, 0)).unwrap().to_string(), "1");
}

#[test]
fn a_file_that_cannot_be_trusted_or_read_is_an_error_that_names_it_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.json");
    let map = CostMap::from_json(MAP).unwrap();
    let read = |text: &str, mode: u32| {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let said = map.read_state(&file).unwrap_err().to_string();
        said.replace(&*file.to_string_lossy(), "FILE")
    };
    assert_eq!(
        read("{\"llm_costmap_state\": \"sk-SECRET\"}", 0o600),
        "the state file FILE: it is no state of this version: line 1, column 33"
    );
    let other = r#"{"llm_costmap_state": 2, "schedule": {}, "deployments": []}"#;
    assert_eq!(read(other, 0o600), "the state file FILE: it is no state of this version: its format is 2");
    let bad = r#"{"llm_costmap_state": 1, "schedule": {}, "deployments": [{"model_name": "x"}]}"#;
    assert_eq!(
        read(bad, 0o600),
        "the state file FILE: it is no state of this version: cannot use deployment 1 (x): litellm_params: missing"
    );
    assert_eq!(
        read(other, 0o620),
        "the state file FILE: it is not used: others than its owner may write to it"
    );
    let error = map.write_state(folder.path().join("none/state.json")).unwrap_err().to_string();
    assert!(
        error.ends_with("none/state.json: cannot write it: No such file or directory (os error 2)"),
        "{error}"
    );
    let error = map.read_state(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with(": cannot read it: not a file"), "{error}");
    assert_eq!(ids(&map).len(), 0);
}

#[test]
fn writers_do_not_undo_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.json");
    let map = CostMap::from_json(MAP).unwrap();
    thread::scope(|scope| {
        for writer in 0..4 {
            let (map, file) = (&map, &file);
            scope.spawn(move || {
                for number in 0..10 {
                    map.add_deployment(added(&format!("{writer}-{number}"), "1")).unwrap();
                    map.write_state(file).unwrap();
                }
            });
        }
        let (map, file) = (&map, &file);
        scope.spawn(move || {
            // Changes of one deployment by several threads all count.
            map.add_deployment(added("changed", "1")).unwrap();
            thread::scope(|scope| {
                for field in 0..8 {
                    let change = format!(r#"{{"model_info": {{"field_{field}": {field}}}}}"#);
                    scope.spawn(move || map.change_deployment("changed", &change).unwrap());
                }
            });
            map.write_state(file).unwrap();
        });
    });
    let kept: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let kept = kept["deployments"].as_array().unwrap();
    assert_eq!(kept.len(), 41);
    let changed = kept.iter().find(|kept| kept["model_name"] == "changed").unwrap();
    assert_eq!(changed["model_info"].as_object().unwrap().len(), 10);
    let error = map.change_deployment("none", "{}").unwrap_err();
    assert_eq!(error.to_string(), "no deployment has the id or the name \"none\": add it, or check the name");
}

//! `leaver config show` and `leaver config env`.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::process::run;
use crate::support::scratch;

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:9000"

[accounts]
disabled_column = "is_disabled"
[[sources]]
name = "hr"
provider = "bamboohr"
webhook_secrets = ["env:HR_KEY", "env:HR_OLD_KEY"]
api = { base_url = "https://user:hush-in-url@hr.example.com/api", api_key = "env:HR_API" }
"#;

/// Returns the settings with these variables.
fn shown(config: &str, env: &[(&str, &str)]) -> Vec<Value> {
    let folder = scratch::folder();
    let path = folder.path().join("leaver.toml");
    std::fs::write(&path, config).unwrap();
    let args = [
        "config",
        "show",
        "--json",
        "--config",
        path.to_str().unwrap(),
    ];
    let output = run(&args, env).succeeded();
    assert!(
        !output.out.contains("hush") && !output.err.contains("hush"),
        "{output:?}"
    );
    let mut list = output.json().as_array().unwrap().clone();
    for setting in &mut list {
        if let Some(path) = setting["origin"].get_mut("path") {
            *path = json!(
                Path::new(path.as_str().unwrap())
                    .file_name()
                    .unwrap()
                    .to_str()
            );
        }
    }
    list
}

fn setting<'a>(list: &'a [Value], key: &str) -> &'a Value {
    let found = list.iter().find(|setting| setting["key"] == key);
    found.unwrap_or_else(|| panic!("no {key} in {list:?}"))
}

#[test]
fn each_setting_has_its_value_and_where_it_comes_from() {
    let env = [
        ("LEAVER_LOG", "debug"),
        ("LEAVER__WORKER__BATCH_SIZE", "7"),
        ("HR_KEY", "hush-key-of-hr"),
    ];
    let list = shown(CONFIG, &env);
    for (key, value, origin) in [
        (
            "server.listen",
            json!("127.0.0.1:9000"),
            json!({"layer": "file", "path": "leaver.toml", "line": 3}),
        ),
        (
            "server.max_body",
            json!("10MiB"),
            json!({"layer": "default"}),
        ),
        (
            "accounts.disabled_column",
            json!("is_disabled"),
            json!({"layer": "file", "path": "leaver.toml", "line": 6}),
        ),
        (
            "log.filter",
            json!("debug"),
            json!({"layer": "variable", "name": "LEAVER_LOG"}),
        ),
        (
            "worker.batch_size",
            json!(7),
            json!({"layer": "variable", "name": "LEAVER__WORKER__BATCH_SIZE"}),
        ),
        (
            "safeguard.hour.floor",
            json!(5),
            json!({"layer": "default"}),
        ),
        (
            "sources[0].name",
            json!("hr"),
            json!({"layer": "file", "path": "leaver.toml", "line": 8}),
        ),
        (
            "sources[0].api.base_url",
            json!("https://...@hr.example.com/api"),
            json!({"layer": "file", "path": "leaver.toml", "line": 11}),
        ),
    ] {
        let found = setting(&list, key);
        assert_eq!(
            (&found["value"], &found["origin"]),
            (&value, &origin),
            "{key}"
        );
    }
    // Another shape replaces the default.
    assert!(
        list.iter()
            .all(|setting| setting["key"] != "accounts.active_column")
    );
}

#[test]
fn a_secret_is_shown_as_its_reference_and_state() {
    let env = [
        ("HR_KEY", "hush-key-of-hr"),
        ("HR_API", "hush-api"),
        ("LEAVER_ADMIN_TOKEN", "hush-token-of-the-admin"),
        ("LEAVER__DATABASE__URL", "postgres://app:hush@localhost/app"),
    ];
    let list = shown(CONFIG, &env);
    let keys = setting(&list, "sources[0].webhook_secrets");
    assert_eq!(keys["value"], json!(["env:HR_KEY", "env:HR_OLD_KEY"]));
    assert_eq!(keys["secret"], "missing");
    assert_eq!(setting(&list, "sources[0].api.api_key")["secret"], "set");
    assert_eq!(
        setting(&list, "server.admin_token")["value"],
        "env:LEAVER_ADMIN_TOKEN"
    );
    // The text in place of a reference may be the secret.
    let url = setting(&list, "database.url");
    assert_eq!(url["value"], "(hidden: no reference to a secret)");
    assert_eq!(url["origin"]["name"], "LEAVER__DATABASE__URL");
}

#[test]
fn a_secret_in_the_file_is_hidden() {
    for config in [
        "[database]\nurl = \"postgres://app:hush@localhost/app\"",
        "[server]\nadmin_token = \"hush-token\"",
        "[[sources]]\nname = \"a\"\nprovider = \"merge\"\nwebhook_secrets = [\"hush\"]\napi = { api_key = \"hush\" }\nlinked_accounts = [{ id = \"a\", tenant = \"t\", token = \"hush\" }]",
    ] {
        let folder = scratch::folder();
        let path = folder.path().join("leaver.toml");
        std::fs::write(&path, config).unwrap();
        for format in [&["--json"][..], &[]] {
            let args = [
                &["config", "show", "--config", path.to_str().unwrap()],
                format,
            ]
            .concat();
            let output = run(&args, &[]);
            assert!(
                output.out.contains("hidden") && !output.out.contains("hush"),
                "{output:?}"
            );
            assert!(!output.err.contains("hush"), "{output:?}");
        }
    }
}

#[test]
fn a_source_of_a_variable_is_shown() {
    let list = shown("", &[("MERGE_WEBHOOK_SECRET", "hush-key-of-merge")]);
    assert_eq!(
        setting(&list, "sources[0].webhook_secrets")["value"],
        json!(["env:MERGE_WEBHOOK_SECRET"])
    );
    let name = setting(&list, "sources[0].name");
    assert_eq!(
        name["origin"],
        json!({"layer": "variable", "name": "MERGE_WEBHOOK_SECRET"})
    );
}

#[test]
fn an_invalid_value_is_shown_and_reported() {
    let output = run(&["config", "show"], &[("LEAVER__WORKER__BATCH_SIZE", "0")])
        .findings(&["worker.batch_size\t0"]);
    assert!(
        output
            .err
            .contains("worker.batch_size: it must be at least 1"),
        "{output:?}"
    );
    run(
        &["config", "show"],
        &[("LEAVER__WORKER__BATCH_SIZE", "many")],
    )
    .findings(&["worker.batch_size\tmany"]);
}

#[test]
fn the_printed_defaults_are_the_reference() {
    let printed = run(&["config", "defaults"], &[]).succeeded().out;
    assert_eq!(printed, leaver::config::DEFAULTS);
}

#[test]
fn each_variable_is_listed_without_its_value() {
    let env = [
        ("BAMBOOHR_WEBHOOK_SECRET", "hush-key-of-bamboohr"),
        ("LEAVER_LOG", "hush=debug"),
        ("DATABASE_URL_FILE", "/hush"),
    ];
    let listed = run(&["config", "env", "--json"], &env).succeeded();
    assert!(!listed.out.contains("hush"), "{}", listed.out);
    let listed = listed.json();
    let variables = listed.as_array().unwrap();
    let named = |name: &str| {
        let found = variables.iter().find(|variable| variable["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}"))
    };
    for variable in variables {
        let is_set = env.iter().any(|(name, _)| variable["name"] == *name)
            || variable["name"] == "PATH"
            || variable["name"] == "PG_BINDIR";
        if variable["name"] != "PG_BINDIR" {
            assert_eq!(variable["is_set"], is_set, "{variable}");
        }
        assert!(
            variable["meaning"].as_str().unwrap().len() > 3,
            "{variable}"
        );
    }
    assert_eq!(named("LEAVER_LOG")["key"], "log.filter");
    assert_eq!(named("LEAVER__WORKER__BATCH_SIZE")["default"], 500);
    // Each key of the reference has a variable, those of sources excepted.
    let shown = run(&["config", "show", "--json"], &[]).succeeded().json();
    let every: BTreeSet<&str> = variables
        .iter()
        .map(|variable| variable["name"].as_str().unwrap())
        .collect();
    for setting in shown.as_array().unwrap() {
        let key = setting["key"].as_str().unwrap();
        let name = format!("LEAVER__{}", key.to_uppercase().replace('.', "__"));
        let of_table = name.rsplit_once("__").unwrap().0;
        assert!(
            every.contains(name.as_str()) || every.contains(of_table),
            "{key} has no variable"
        );
    }
}

#[test]
fn each_variable_that_the_program_reads_is_listed() {
    let listed = run(&["config", "env", "--json"], &[]).succeeded().out;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                for call in ["env.text(\"", "env.raw(\""] {
                    for rest in text.split(call).skip(1) {
                        found.insert(rest.split_once('"').unwrap().0.to_owned());
                    }
                }
            }
        }
    }
    // The variable of the fail points exists in test builds only.
    found.remove("FAILPOINTS");
    assert!(found.len() >= 5, "{found:?}");
    for name in found {
        assert!(
            listed.contains(&format!("\"{name}\"")),
            "add {name} to src/config/reference/variables.rs"
        );
    }
}

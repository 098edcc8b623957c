//! `leaver config schema`, compared with what the settings accept.

use std::path::Path;

use leaver::config::{Environment, Settings};
use serde_json::{Value, json};

use super::Fresh;
use crate::support::process::run;
use crate::support::scratch;

fn schema() -> Value {
    run(&["config", "schema"], &[]).succeeded().json()
}

/// Returns a file as JSON.
fn as_json(text: &str) -> Value {
    let table: toml::Table = text
        .parse()
        .unwrap_or_else(|error| panic!("{error}: {text}"));
    serde_json::to_value(table).unwrap()
}

/// Returns the problems of a file.
fn problems(schema: &Value, text: &str) -> Vec<String> {
    let validator = jsonschema::draft202012::new(schema).unwrap();
    let file = as_json(text);
    validator
        .iter_errors(&file)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

const NO_PROBLEM: [&str; 0] = [];

/// A source that needs nothing more.
const SOURCE: &str =
    "[[sources]]\nname = \"x\"\nprovider = \"merge\"\nwebhook_secrets = [\"env:KEY\"]\n";

/// Returns the sources of the reference without their `#`.
fn documented_sources() -> String {
    let (_, rest) = leaver::config::DEFAULTS
        .split_once("# [[sources]]")
        .unwrap();
    let lines = format!("# [[sources]]{rest}");
    let lines: Vec<&str> = lines
        .lines()
        .map(|line| line.strip_prefix('#').unwrap())
        .collect();
    lines.join("\n")
}

#[test]
fn the_schema_accepts_the_reference() {
    let schema = schema();
    assert_eq!(problems(&schema, leaver::config::DEFAULTS), NO_PROBLEM);
    assert_eq!(problems(&schema, &documented_sources()), NO_PROBLEM);
    assert_eq!(problems(&schema, ""), NO_PROBLEM);
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
}

#[test]
fn the_schema_accepts_every_documented_example() {
    let schema = schema();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md")];
    let docs = std::fs::read_dir(root.join("docs")).unwrap();
    pages.extend(docs.map(|entry| entry.unwrap().path()));
    let mut checked = 0;
    for page in pages
        .iter()
        .filter(|page| page.extension().is_some_and(|end| end == "md"))
    {
        let text = std::fs::read_to_string(page).unwrap();
        for block in text.split("```toml\n").skip(1) {
            let block = block.split_once("```").unwrap().0;
            // The site includes a file there, which is checked by itself.
            if block.starts_with("{{#include") {
                continue;
            }
            let has_section = block.lines().any(|line| line.trim().starts_with('['));
            let files: Vec<String> = if has_section {
                vec![block.to_owned()]
            } else if block.starts_with("api") {
                let lines = block.lines().filter(|line| !line.is_empty());
                lines.map(|line| format!("{SOURCE}{line}")).collect()
            } else {
                vec![format!("[accounts]\n{block}")]
            };
            for file in files {
                assert_eq!(
                    problems(&schema, &file),
                    NO_PROBLEM,
                    "{}: {file}",
                    page.display()
                );
                checked += 1;
            }
        }
    }
    assert!(checked >= 10, "only {checked} examples were found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_accepts_the_file_of_init() {
    let fresh = Fresh::with_users().await;
    for args in [
        &["--bamboohr"][..],
        &["--merge", "--merge-account", "a", "--bamboohr", "--force"],
    ] {
        fresh.init(args).succeeded();
        let file = fresh.read("leaver.toml");
        assert_eq!(problems(&schema(), &file), NO_PROBLEM);
        // What is commented out is valid, too.
        let uncommented: Vec<&str> = file
            .lines()
            .map(|line| {
                line.strip_prefix("# ")
                    .filter(|rest| rest.contains(" = "))
                    .unwrap_or(line)
            })
            .collect();
        assert_eq!(problems(&schema(), &uncommented.join("\n")), NO_PROBLEM);
    }
}

#[test]
fn the_schema_refuses_what_the_settings_refuse() {
    let schema = schema();
    for wrong in [
        "[server]\nlisten = 8080",
        "[server]\nlistn = \"127.0.0.1:1\"",
        "[sever]",
        "[database]\nurl = \"postgres://app:secret@localhost/app\"",
        "[database]\nmax_connections = 7",
        "[database]\ntls = \"verify-ca\"",
        "[policy]\ncutoff = \"noon\"",
        "[policy]\nrehire = \"deactivate\"",
        "[policy.deleted]\nworkday = \"hold\"",
        "[drift]\ninterval = \"often\"",
        "[safeguard]\nhour = { floor = 5, percent = 51 }",
        "[safeguard]\nhour = { floor = 5, share = 5 }",
        "[inbox]\nretention = 90",
        "[worker]\nbatch_bytes = \"32MB\"",
        "[log]\nformat = \"xml\"",
        "[[sources]]\nname = \"a\"\nprovider = \"merge\"",
        "[[sources]]\nname = \"a\"\nprovider = \"merge\"\nwebhook_secrets = [\"secret\"]",
        "[[sources]]\nname = \"a\"\nprovider = \"merge\"\nwebhook_secrets = [\"env:A\"]\napi = { company_domain = \"x\" }",
        "[[sources]]\nname = \"a\"\nprovider = \"merge\"\nwebhook_secrets = [\"env:A\"]\nlinked_accounts = [{ id = \"x\" }]",
    ] {
        assert_ne!(problems(&schema, wrong), NO_PROBLEM, "{wrong}");
    }
}

/// Values of all types and forms.
fn values() -> Vec<&'static str> {
    vec![
        "true",
        "-1",
        "0",
        "1",
        "7",
        "60",
        "1.5",
        "\"\"",
        "\"text\"",
        "\"0\"",
        "\"30s\"",
        "\"1h 30m\"",
        "\"7d\"",
        "\"off\"",
        "\"10MiB\"",
        "\"1 GiB\"",
        "\"12\"",
        "\"UTC\"",
        "\"start_of_day\"",
        "\"17:30\"",
        "\"25:00\"",
        "\"hold\"",
        "\"deactivate\"",
        "\"ignore\"",
        "\"reactivate\"",
        "\"report\"",
        "\"fix\"",
        "\"enforce\"",
        "\"shadow\"",
        "\"json\"",
        "\"verify-full\"",
        "\"unverified\"",
        "\"bamboohr\"",
        "\"body+timestamp\"",
        "\"env:KEY\"",
        "\"file:/dev/null\"",
        "\"127.0.0.1:8080\"",
        "\"https://leaver.example.com\"",
        "[]",
        "[1]",
        "[\"env:KEY\"]",
        "[\"a\"]",
        "{}",
        "{ a = \"b\" }",
        "{ a = 1 }",
        "{ floor = 1, percent = 5 }",
        "{ floor = 1 }",
        "[{ id = \"a\", tenant = \"b\" }]",
    ]
}

/// Returns the paths of all keys below a part of the schema.
fn keys(part: &Value, path: &str, found: &mut Vec<String>) {
    let Some(properties) = part["properties"].as_object() else {
        return;
    };
    for (name, inner) in properties {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        if inner.get("default").is_some() || inner.get("examples").is_some() {
            found.push(path);
        } else {
            keys(inner.get("items").unwrap_or(inner), &path, found);
        }
    }
}

/// Returns a file that sets one key.
fn file_with(key: &str, value: &str) -> String {
    let (section, name) = key.rsplit_once('.').unwrap();
    let Some(rest) = section.strip_prefix("sources") else {
        let source = SOURCE.replace("merge", "bamboohr");
        return format!("[{section}]\n{name} = {value}\n{source}");
    };
    let is_of_merge = name.contains("linked_accounts");
    let source = if is_of_merge {
        SOURCE.to_owned()
    } else {
        SOURCE.replace("merge", "bamboohr")
    };
    let lines = source.lines();
    let others = lines.filter(|line| !line.starts_with(&format!("{name} =")));
    let source = others.map(|line| [line, "\n"].concat()).collect::<String>();
    match rest {
        "" => format!("{source}{name} = {value}\n"),
        ".api" if name != "api_key" => {
            format!("{source}[sources.api]\napi_key = \"env:KEY\"\n{name} = {value}\n")
        }
        rest => format!("{source}[sources{rest}]\n{name} = {value}\n"),
    }
}

#[test]
fn the_schema_is_neither_stricter_nor_laxer_than_the_settings() {
    let schema = schema();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let mut paths = vec![];
    keys(&schema, "", &mut paths);
    assert!(paths.len() >= 80, "{paths:?}");
    let folder = scratch::folder();
    let path = folder.path().join("leaver.toml");
    let key = "a key of more than sixteen bytes";
    let env = Environment::of([("KEY", key)]);
    let mut differences = vec![];
    for one in &paths {
        for value in values() {
            let text = file_with(one, value);
            std::fs::write(&path, &text).unwrap();
            let refused = Settings::load(Some(&path), &env)
                .err()
                .map(|error| error.to_string());
            let is_valid = validator.is_valid(&as_json(&text));
            match refused {
                // A URL in place of the reference is refused where a command connects.
                None if !is_valid && one == "database.url" => {}
                None if !is_valid => {
                    differences.push(format!("{one} = {value}: the schema is stricter"));
                }
                // A type or form; other rules need more than one key or a list of names.
                Some(error)
                    if is_valid && error.contains("expected") && !error.contains("IANA") =>
                {
                    differences.push(format!(
                        "{one} = {value}: the schema is laxer than: {error}"
                    ));
                }
                _ => {}
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn each_key_has_a_description_and_each_section_is_closed() {
    let schema = schema();
    let mut paths = vec![];
    keys(&schema, "", &mut paths);
    for path in &paths {
        let parts = path.split('.').fold(&schema, |part, name| {
            let part = part.get("items").unwrap_or(part);
            &part["properties"][name]
        });
        assert!(
            parts["description"]
                .as_str()
                .is_some_and(|text| text.len() > 3),
            "{path}"
        );
    }
    let sections = schema["properties"].as_object().unwrap();
    for (name, section) in sections
        .iter()
        .filter(|(name, _)| !["sources", "destinations"].contains(&name.as_str()))
    {
        assert_eq!(section["additionalProperties"], json!(false), "{name}");
    }
    assert_eq!(schema["additionalProperties"], json!(false));
    assert_eq!(sections.len(), sections_of_the_settings());
}

/// Returns the number of sections that the settings accept, from the error for one that they do not.
fn sections_of_the_settings() -> usize {
    let folder = scratch::folder();
    let path = folder.path().join("leaver.toml");
    std::fs::write(&path, "[unlike_every_other]").unwrap();
    let error = Settings::load(Some(&path), &Environment::default())
        .unwrap_err()
        .to_string();
    error.matches('`').count() / 2
}

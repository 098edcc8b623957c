//! Each command reads only the secrets that it uses: all others may be unset or unreadable.

use std::collections::BTreeSet;
use std::sync::Arc;

use clap::CommandFactory;

use crate::support::apis::{StandIn, bamboohr_employee, bamboohr_with_hooks};
use crate::support::hooks::Hooks;
use crate::support::process::run;
use crate::support::{BAMBOOHR_KEY, MERGE_KEY, TestApp};

/// All secrets of the configuration, with valid values.
const SECRETS: [(&str, &str); 8] = [
    ("B1", BAMBOOHR_KEY),
    ("B2", "the previous key of bamboohr"),
    ("M1", MERGE_KEY),
    ("API_B", "api-key-of-bamboohr"),
    ("API_M", "api-key-of-merge"),
    ("TOKEN", "token-of-a-linked-account"),
    ("COLLECTOR", "token-of-the-collector"),
    ("FACTS", "key-of-the-hashes-of-facts"),
];

const DB: &[&str] = &["DATABASE_URL"];
const API: &[&str] = &["API_B"];

/// A row of the matrix: the arguments of a command, and the secrets that it needs.
type Row = (&'static [&'static str], &'static [&'static str]);

/// Every command, but those of [`ALL_OR_NONE`].
const MATRIX: [Row; 48] = [
    (&["health"], &[]),
    (&["migrate"], DB),
    (&["migrate", "--grant-to", "nobody-of-this-name"], DB),
    (
        &["send", "--source", "bamboohr", "--print", "BODY"],
        &["B1"],
    ),
    (&["send", "--source", "merge", "--print", "BODY"], &["M1"]),
    (
        &[
            "send",
            "--source",
            "bamboohr",
            "--left",
            "ana@example.com",
            "--print",
        ],
        &["B1"],
    ),
    (&["config", "show"], &[]),
    (&["config", "env"], &[]),
    (&["config", "schema"], &[]),
    (&["config", "defaults"], &[]),
    (&["deliveries"], DB),
    (&["replay", "0199f2c4-7b1e-7c3d-9a55-2f1c8e6b4d10"], DB),
    (&["holds"], DB),
    (&["holds", "list"], DB),
    (&["holds", "approve", "1"], DB),
    (&["holds", "approve", "--source", "merge"], DB),
    (&["holds", "reject", "1"], DB),
    (&["restores"], DB),
    (&["restores", "acknowledge", "1"], DB),
    (&["safeguard"], DB),
    (&["safeguard", "release", "1"], DB),
    (&["safeguard", "reject", "1"], DB),
    (
        &[
            "safeguard",
            "grant",
            "--tenant",
            "acme",
            "--count",
            "1",
            "--for",
            "1h",
            "--reason",
            "test",
        ],
        DB,
    ),
    (&["end", "account:999", "--reason", "test", "--yes"], DB),
    (&["undo", "--since", "2026-11-22"], DB),
    (&["plan"], DB),
    (&["shadow", "--source", "merge"], DB),
    (&["enforce", "--source", "merge"], DB),
    (&["explain", "1"], DB),
    (&["explain", "dana@example.com"], DB),
    (&["employees"], DB),
    (&["audit", "--from", "2026-11-01", "--to", "2026-11-30"], DB),
    (
        &["leavers", "--from", "2026-11-01", "--to", "2026-11-30"],
        DB,
    ),
    (&["drift"], DB),
    (&["drift", "--fix"], DB),
    (&["backtest", "--against", "CONFIG"], DB),
    (
        &["sync"],
        &["DATABASE_URL", "API_B", "API_M", "TOKEN", "FACTS"],
    ),
    (
        &["sync", "--source", "bamboohr"],
        &["DATABASE_URL", "API_B", "FACTS"],
    ),
    (
        &["sync", "--source", "merge"],
        &["DATABASE_URL", "API_M", "TOKEN", "FACTS"],
    ),
    (&["webhooks"], API),
    (&["webhooks", "list"], API),
    (&["webhooks", "list", "--source", "bamboohr"], API),
    (&["webhooks", "show", "1"], API),
    (&["webhooks", "log", "1"], API),
    (&["webhooks", "fields"], API),
    (
        &["webhooks", "create", "--url", "https://leaver.example.com"],
        API,
    ),
    (&["webhooks", "delete", "77"], &["DATABASE_URL", "API_B"]),
    (&["webhooks", "gaps"], &["DATABASE_URL", "API_B", "FACTS"]),
];

/// `serve` and `check` read all secrets; `demo` makes its own. `init` reads the URL of the database before there is a
/// configuration. `completions` and `man` read no settings.
const ALL_OR_NONE: [&str; 6] = ["serve", "check", "demo", "init", "completions", "man"];

/// The name of every command and subcommand.
fn leaf_commands(command: &clap::Command, path: &str, names: &mut BTreeSet<String>) {
    for inner in command.get_subcommands() {
        let name = format!("{path} {}", inner.get_name()).trim().to_owned();
        if inner.has_subcommands() {
            leaf_commands(inner, &name, names);
        } else if inner.get_name() != "help" {
            names.insert(name);
        }
    }
}

#[test]
fn the_matrix_has_every_command() {
    let mut names = BTreeSet::new();
    leaf_commands(&leaver::cli::Cli::command(), "", &mut names);
    names.retain(|name| {
        let words: Vec<&str> = name.split(' ').collect();
        !ALL_OR_NONE.contains(&name.as_str())
            && !MATRIX.iter().any(|(args, _)| args.starts_with(&words))
    });
    assert!(names.is_empty(), "add a row to MATRIX for {names:?}");
}

struct Company {
    app: TestApp,
    _api: StandIn,
    config: String,
    body: String,
}

async fn company() -> Company {
    let hooks = Arc::new(Hooks::default());
    hooks.add("https://leaver.example.com/webhooks/bamboohr");
    let employees = vec![bamboohr_employee(1)];
    let api = StandIn::start(bamboohr_with_hooks(employees, &hooks)).await;
    let app = TestApp::new().await;
    let url = &api.url;
    let config = format!(
        r#"
        [server]
        admin_token = "env:ADMIN"
        [[sources]]
        name = "bamboohr"
        provider = "bamboohr"
        tenant = "acme"
        webhook_secrets = ["env:B1", "env:B2"]
        api = {{ base_url = "{url}", api_key = "env:API_B" }}
        [[sources]]
        name = "merge"
        provider = "merge"
        webhook_secrets = ["env:M1"]
        api = {{ base_url = "{url}", api_key = "env:API_M" }}
        linked_accounts = [{{ id = "5b0f", tenant = "acme", token = "env:TOKEN" }}]

        [events]
        facts = ["job_title"]
        hash_key = "env:FACTS"

        [traces]
        endpoint = "{url}"
        headers = {{ authorization = "env:COLLECTOR" }}
        "#
    );
    let config = app.file("leaver.toml", &config).display().to_string();
    let body = app.file("body", "{}").display().to_string();
    Company {
        app,
        _api: api,
        config,
        body,
    }
}

impl Company {
    /// Returns the environment with these secrets. The others are unset, or name files that cannot be read.
    fn env<'a>(
        &'a self,
        needed: &[&str],
        unreadable: &'a [(String, String)],
    ) -> Vec<(&'a str, &'a str)> {
        let all = SECRETS.iter().copied();
        let all = all.chain([
            ("DATABASE_URL", self.app.url.as_str()),
            ("ADMIN", "token-of-the-administrator"),
        ]);
        let mut env: Vec<(&str, &str)> = all.filter(|(name, _)| needed.contains(name)).collect();
        let others = unreadable.iter();
        let others = others.map(|(name, path)| (name.as_str(), path.as_str()));
        env.extend(others.filter(|(name, _)| !needed.contains(&name.trim_end_matches("_FILE"))));
        env.extend([
            ("LEAVER_CONFIG", self.config.as_str()),
            ("LEAVER_ADMIN_LISTEN", "127.0.0.1:1"),
        ]);
        env
    }

    fn args<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        let real = |arg: &&'a str| match *arg {
            "CONFIG" => self.config.as_str(),
            "BODY" => self.body.as_str(),
            other => other,
        };
        args.iter().map(real).collect()
    }
}

/// Returns the variables that make every secret unreadable.
fn unreadable() -> Vec<(String, String)> {
    let names = SECRETS.map(|(name, _)| name);
    let names = names.into_iter().chain(["DATABASE_URL", "ADMIN"]);
    names
        .map(|name| (format!("{name}_FILE"), format!("/nowhere/{name}")))
        .collect()
}

/// Returns whether a text complains about a secret.
fn is_about_secrets(text: &str) -> bool {
    ["is not set", "/nowhere/", "database URL"]
        .iter()
        .any(|words| text.contains(words))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_command_runs_with_only_the_secrets_it_uses() {
    let company = company().await;
    for others in [vec![], unreadable()] {
        for (args, needed) in MATRIX {
            let args = company.args(args);
            let output = run(&args, &company.env(needed, &others));
            assert!(!is_about_secrets(&output.err), "{args:?}: {output:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_command_fails_without_a_secret_it_uses() {
    let company = company().await;
    for (args, needed) in MATRIX {
        let args = company.args(args);
        for missing in needed {
            let others: Vec<&str> = needed
                .iter()
                .copied()
                .filter(|name| name != missing)
                .collect();
            let output = run(&args, &company.env(&others, &[]));
            let output = output.failed(&[missing]);
            assert!(is_about_secrets(&output.err), "{args:?}: {output:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_and_check_need_every_secret() {
    let company = company().await;
    let names = SECRETS.map(|(name, _)| name);
    let all: Vec<&str> = names.into_iter().chain(["DATABASE_URL", "ADMIN"]).collect();
    for missing in &all {
        let others: Vec<&str> = all.iter().copied().filter(|name| name != missing).collect();
        let env = company.env(&others, &[]);
        run(&["serve"], &env).failed(&[missing]);
        let output = run(&["check", "--offline"], &env);
        let code = if *missing == "DATABASE_URL" { 3 } else { 1 };
        assert_eq!(output.code, Some(code), "{output:?}");
        assert!(output.out.contains(missing), "{output:?}");
    }
    run(&["check", "--offline"], &company.env(&all, &[])).succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_alone_need_no_readable_key_either() {
    let app = TestApp::new().await;
    let env = [
        ("DATABASE_URL", app.url.as_str()),
        ("BAMBOOHR_WEBHOOK_SECRET_FILE", "/nowhere/bamboohr"),
        ("MERGE_WEBHOOK_SECRET_FILE", "/nowhere/merge"),
        ("LEAVER_ADMIN_TOKEN_FILE", "/nowhere/token"),
    ];
    for args in [
        &["migrate"][..],
        &["holds", "list"],
        &["deliveries"],
        &["employees"],
        &["drift"],
        &["safeguard"],
        &["plan"],
    ] {
        let output = run(args, &env).succeeded();
        assert!(!is_about_secrets(&output.err), "{args:?}: {output:?}");
    }
    run(&["serve"], &env).failed(&["BAMBOOHR_WEBHOOK_SECRET", "/nowhere/bamboohr"]);
}

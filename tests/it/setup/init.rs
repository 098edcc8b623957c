//! `leaver init` without a terminal.

use serde_json::{Value, json};

use super::{Fresh, PASSWORD, mode};
use crate::support::process::{RunningProcess, RunningService};

#[tokio::test(flavor = "multi_thread")]
async fn init_leads_to_the_first_deactivated_user() {
    let fresh = Fresh::with_users().await;
    let made = fresh
        .init(&["--bamboohr", "--timezone", "Europe/Berlin"])
        .succeeded();
    for words in [
        "public.users (id id, e-mail email)",
        "active_column = \"is_active\"",
        "DELETE FROM public.sessions WHERE user_id::text = ANY($1)",
        "leaver check --config leaver.toml",
        "https://YOUR-HOST/webhooks/bamboohr",
        "leaver.secrets/bamboohr-webhook-secret",
    ] {
        assert!(made.out.contains(words), "no {words:?} in {}", made.out);
    }
    let check = fresh.run(&["check", "--config", "leaver.toml", "--json"]);
    let lines = check.json();
    let errors: Vec<&Value> = lines
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["status"] == "error")
        .collect();
    assert_eq!(errors, Vec::<&Value>::new());
    let listen = [
        ("LEAVER_LISTEN", "127.0.0.1:0"),
        ("LEAVER_ADMIN_LISTEN", "127.0.0.1:0"),
    ];
    let serve = fresh.command(&["serve", "--config", "leaver.toml"], &listen);
    let mut service = RunningService::start_command(serve);
    service.wait_until_ready();
    let url = service.url.clone();
    let leave = |email: &str| {
        fresh.run(&[
            "send",
            "--config",
            "leaver.toml",
            "--source",
            "bamboohr",
            "--to",
            &url,
            "--left",
            email,
            "--wait",
            "--json",
        ])
    };
    let sent = leave("ana@example.com").succeeded().json();
    assert_eq!(sent["delivery"]["state"], "processed", "{sent}");
    assert_eq!(sent["delivery"]["outcome"], json!({"deactivated": 1}));
    let mut session = fresh.session().await;
    assert_eq!(session.active().await, ["ben@example.com"]);
    assert_eq!(session.count("SELECT count(*) FROM sessions").await, 1);
    service.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_configuration_or_the_output() {
    let fresh = Fresh::with_users().await;
    for flag in ["--systemd", "--compose"] {
        let made = fresh
            .init(&["--merge", "--bamboohr", flag, "--force"])
            .succeeded();
        let file = fresh.read("leaver.toml");
        let snippets = ["leaver.service", "leaver.compose.yaml"];
        let snippets = snippets.iter().filter(|name| fresh.path(name).exists());
        let texts: Vec<String> = snippets.map(|name| fresh.read(name)).collect();
        let texts = [texts, vec![file, made.out, made.err]].concat();
        let keys = [
            "bamboohr-webhook-secret",
            "merge-webhook-secret",
            "database-url",
        ];
        for name in keys {
            let secret = fresh.read(&format!("leaver.secrets/{name}"));
            for text in &texts {
                assert!(
                    !text.contains(&secret) && !text.contains(PASSWORD),
                    "{text}"
                );
            }
        }
    }
    assert_eq!(fresh.read("leaver.secrets/database-url"), fresh.url);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_strong_distinct_and_for_their_owner_only() {
    let fresh = Fresh::with_users().await;
    fresh.init(&["--merge", "--bamboohr"]).succeeded();
    let keys = ["bamboohr-webhook-secret", "merge-webhook-secret"];
    let keys = keys.map(|name| fresh.read(&format!("leaver.secrets/{name}")));
    assert_ne!(keys[0], keys[1]);
    for key in &keys {
        assert!(
            key.len() == 64 && key.chars().all(|c| c.is_ascii_hexdigit()),
            "{key}"
        );
    }
    assert_eq!(mode(&fresh.path("leaver.secrets")), 0o700);
    for name in [
        "bamboohr-webhook-secret",
        "merge-webhook-secret",
        "database-url",
    ] {
        assert_eq!(
            mode(&fresh.path(&format!("leaver.secrets/{name}"))),
            0o600,
            "{name}"
        );
    }
    let shown = fresh
        .run(&["config", "show", "--config", "leaver.toml"])
        .succeeded();
    assert!(!shown.out.contains("(not set)"), "{}", shown.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_is_replaced_without_force() {
    let fresh = Fresh::with_users().await;
    std::fs::write(fresh.path("leaver.toml"), "mine").unwrap();
    fresh
        .init(&[])
        .failed(&["leaver.toml exists", "--output", "--force"]);
    assert_eq!(fresh.read("leaver.toml"), "mine");
    assert!(!fresh.path("leaver.secrets").exists());
    std::fs::remove_file(fresh.path("leaver.toml")).unwrap();
    std::fs::write(fresh.path("leaver.service"), "mine").unwrap();
    fresh
        .init(&["--systemd"])
        .failed(&["leaver.service exists"]);
    assert!(!fresh.path("leaver.toml").exists());
    fresh.init(&[]).succeeded();
    // A key that is there may be the provider's.
    std::fs::write(
        fresh.path("leaver.secrets/bamboohr-webhook-secret"),
        "the key of BambooHR",
    )
    .unwrap();
    let made = fresh.init(&["--force"]).succeeded();
    assert!(
        made.out
            .contains("kept  leaver.secrets/bamboohr-webhook-secret"),
        "{}",
        made.out
    );
    assert_eq!(
        fresh.read("leaver.secrets/bamboohr-webhook-secret"),
        "the key of BambooHR"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_answer_is_wrong_use_that_names_the_flag() {
    let fresh = Fresh::with(
        "CREATE TABLE users (id int PRIMARY KEY, email text, is_active bool);
         CREATE SCHEMA app; CREATE TABLE app.users (id int PRIMARY KEY, email text, is_active bool);
         CREATE SCHEMA old; CREATE TABLE old.users (id int PRIMARY KEY, email text, is_active bool);
         DROP TABLE public.users;",
    )
    .await;
    let env = [("DATABASE_URL", fresh.url.as_str())];
    for (args, env, words) in [
        (
            &["init"][..],
            &env[..],
            &["--yes", "--database-url", "--timezone"][..],
        ),
        (&["init", "--yes"], &[], &["DATABASE_URL", "--database-url"]),
        (
            &["init", "--yes"],
            &env,
            &["app.users, old.users", "--table"],
        ),
        (
            &["init", "--yes", "--timezone", "Mars"],
            &env,
            &["Europe/Berlin"],
        ),
        (
            &["init", "--yes", "--systemd", "--compose"],
            &env,
            &["cannot be used with"],
        ),
    ] {
        let output = RunningProcess::start(fresh.command(args, env)).wait();
        assert_eq!(output.code, Some(2), "{args:?}: {output:?}");
        for word in words {
            assert!(output.err.contains(word), "no {word:?} in {output:?}");
        }
    }
    let left = std::fs::read_dir(fresh.folder.path()).unwrap().count();
    assert_eq!(left, 0, "something was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_a_usable_table_is_an_error_with_advice() {
    let fresh = Fresh::with("CREATE TABLE people (id int PRIMARY KEY, email text)").await;
    fresh.init(&[]).failed(&[
        "public.people",
        "ALTER TABLE public.people ADD COLUMN is_active",
    ]);
    fresh
        .init(&["--table", "public.nobody"])
        .failed(&["no table public.nobody", "public.people"]);
    let empty = Fresh::with("").await;
    empty.init(&[]).failed(&["--table", "--example"]);
    let unreachable = ["--database-url", "postgres://app@localhost:1/app"];
    let failed = empty.init(&unreachable).failed(&["localhost:1", "app"]);
    assert!(!failed.err.contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_output_for_programs_lists_the_files() {
    let fresh = Fresh::with_users().await;
    std::fs::create_dir(fresh.path("etc")).unwrap();
    let made = fresh
        .init(&["--json", "--output", "etc/hr.toml", "--systemd"])
        .succeeded()
        .json();
    assert_eq!(
        made["written"],
        json!([
            "etc/hr.toml",
            "etc/hr.secrets/database-url",
            "etc/hr.secrets/bamboohr-webhook-secret",
            "etc/leaver.service"
        ])
    );
    assert_eq!(made["accounts"]["active_column"], "is_active");
    // The references begin at the folder of the file, wherever the command runs.
    let shown = fresh
        .run(&["config", "show", "--config", "etc/hr.toml"])
        .succeeded();
    assert!(
        shown.out.contains("file:hr.secrets/database-url (set)"),
        "{}",
        shown.out
    );
}

//! Every shell block of every page runs, word for word, from an empty folder.

mod stage;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::pages::{Page, all, page};
use crate::support::TestApp;
use crate::support::apis::{Answer, StandIn, bamboohr_employee, bamboohr_with_hooks};
use crate::support::apis_setup::{SINGLE_COMPANY, source_with_api};
use stage::Stage;

/// The pages with shell blocks. Each has a test below.
const PAGES: [&str; 10] = [
    "CONTRIBUTING.md",
    "README.md",
    "docs/BAMBOOHR.md",
    "docs/CONFIGURATION.md",
    "docs/EVENTS.md",
    "docs/GETTING-STARTED.md",
    "docs/MEASURED.md",
    "docs/OPERATIONS.md",
    "docs/RELEASING.md",
    "docs/SECURITY.md",
];

fn run_all(page: &Page, stage: &Stage) {
    for block in page.blocks.iter().filter(|block| block.info == "sh") {
        stage.run(&page.path, block);
    }
}

#[test]
fn every_page_with_a_shell_block_is_run() {
    let with_blocks: BTreeSet<_> = all()
        .into_iter()
        .filter(|page| page.blocks.iter().any(|block| block.info == "sh"))
        .map(|page| page.path)
        .collect();
    let run = PAGES
        .iter()
        .map(|path| Path::new(path).to_owned())
        .collect();
    assert_eq!(with_blocks, run);
}

#[test]
fn every_block_names_its_language() {
    // `console` is a transcript: its commands need another machine, or root.
    let known = [
        "console",
        "ini",
        "javascript",
        "json",
        "nginx",
        "python",
        "sh",
        "sql",
        "text",
        "toml",
        "yaml",
    ];
    for page in all() {
        for block in &page.blocks {
            assert!(
                known.contains(&block.info.as_str()),
                "{}:{}: {:?} is none of {known:?}",
                page.path.display(),
                block.line,
                block.info
            );
        }
    }
}

/// Returns an app of the company `acme` whose employees are those of the pages, with an API for BambooHR. The text is
/// its configuration.
async fn acme() -> (TestApp, StandIn, String) {
    let hr = StandIn::start(bamboohr_with_hooks(
        vec![bamboohr_employee(1)],
        &Arc::default(),
    ))
    .await;
    let source = source_with_api("bamboohr", "bamboohr", &hr);
    let source = source.replace("provider = ", "tenant = \"acme\"\nprovider = ");
    let variables = [
        ("SECRET", "a key of sixteen bytes or more"),
        ("API_KEY", "an API key of the tests"),
        ("LEAVER_ADMIN_TOKEN", "a-token-of-the-pages-0123456789"),
    ];
    let config = format!("{SINGLE_COMPANY}{source}");
    let mut app = TestApp::builder()
        .config_file(&config, &variables)
        .build()
        .await;
    app.add_users(&["dana.ruiz@example.com", "ada.keller@example.com"])
        .await;
    // Roles belong to the whole server, which other tests use too.
    app.sql("DO $$ BEGIN CREATE ROLE leaver_service; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$")
        .await;
    (app, hr, config)
}

/// The URL of the pages for the reader's own database.
const READERS: &str = "postgres://app:secret@localhost/app";

#[tokio::test(flavor = "multi_thread")]
async fn the_blocks_of_the_first_pages_run() {
    for path in ["README.md", "docs/GETTING-STARTED.md"] {
        let mut app = TestApp::builder().tables("").unmigrated().build().await;
        let stage = Stage::new(&app).await.with(READERS, &app.url);
        run_all(&page(path), &stage);
        let dana = "SELECT count(*) FROM users WHERE lower(email) = 'dana.ruiz@example.com' AND NOT is_active";
        assert_eq!(app.count(dana).await, 1, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_blocks_of_configuration_run() {
    let app = TestApp::builder().tables("").unmigrated().build().await;
    let stage = Stage::new(&app).await;
    let page = page("docs/CONFIGURATION.md");
    for block in page.blocks.iter().filter(|block| block.info == "sh") {
        stage.run(&page.path, block);
        if block.text.starts_with("leaver init") {
            stage.serve();
        }
    }
    let pages = std::fs::read_dir(stage.path().join("target/man")).unwrap();
    assert!(pages.count() > 20, "no man pages");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_blocks_of_bamboohr_run() {
    let (app, hr, config) = acme().await;
    let stage = Stage::new(&app).await.file("leaver.toml", &config);
    run_all(&page("docs/BAMBOOHR.md"), &stage);
    let created = hr.requests().iter().any(|request| request.method == "POST");
    assert!(created, "no webhook was created");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_blocks_of_events_run() {
    let app = TestApp::new().await;
    let receiver = StandIn::always(Answer::status(204)).await;
    let destination = format!(
        "[[destinations]]\nname = \"audit-bus\"\nkind = \"webhook\"\nurl = \"{}\"\nsecrets = [\"file:bus.whsec\"]\nevents = [\"*\"]\n",
        receiver.url
    );
    let stage = Stage::new(&app).await.file("leaver.toml", &destination);
    run_all(&page("docs/EVENTS.md"), &stage);
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_for_a_checkout_exist() {
    let app = TestApp::new().await;
    for path in ["CONTRIBUTING.md", "docs/MEASURED.md", "docs/RELEASING.md"] {
        run_all(&page(path), &Stage::new(&app).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_blocks_of_operations_run() {
    let (app, _hr, config) = acme().await;
    let other = format!("[policy]\ncutoff = \"start_of_day\"\n{config}");
    let stage = Stage::new(&app).await.file("new.toml", &other);
    run_all(&page("docs/OPERATIONS.md"), &stage);
    let made = stage.path().join("server.pem");
    assert!(made.exists(), "no certificate");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_blocks_of_security_run() {
    let (app, _hr, _) = acme().await;
    let owner = "postgres://owner@db.example/app?sslrootcert=/etc/leaver/ca.pem";
    let stage = Stage::new(&app)
        .await
        .with(owner, &format!("'{}'", app.url));
    run_all(&page("docs/SECURITY.md"), &stage);
}

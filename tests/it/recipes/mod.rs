//! The recipes of docs/USERS-TABLES.md. Each one is created and mapped as on the page.

mod people;

use std::collections::BTreeSet;

use leaver::jobs::drift::compare;
use leaver_core::decision::policy::DriftMode;

use self::people::{PEOPLE, People};
use crate::support::driving::{terminated, working};
use crate::support::{BAMBOOHR_KEY, TestApp};

const PAGE: &str = include_str!("../../../docs/USERS-TABLES.md");
/// The source beside a recipe's section `[accounts]`.
const SOURCE: &str = "
    [[sources]]
    name = \"bamboohr\"
    provider = \"bamboohr\"
    webhook_secrets = [\"env:BAMBOOHR_WEBHOOK_SECRET\"]
    tenant = \"7\"
";
const ANA: &str = "ana@example.com";

/// Returns the recipes of the page as heading and text.
fn recipes() -> Vec<(&'static str, &'static str)> {
    let (_, recipes) = PAGE.split_once("\n## Recipes\n").unwrap();
    let sections = recipes.split("\n### ").skip(1);
    sections
        .map(|section| section.split_once('\n').unwrap())
        .collect()
}

/// Returns the one block of a language.
#[track_caller]
fn block<'a>(text: &'a str, language: &str) -> &'a str {
    let opening = format!("\n```{language}\n");
    let mut found = text.split(&opening).skip(1);
    let block = found.next().unwrap().split("\n```").next().unwrap();
    assert!(found.next().is_none(), "two blocks of {language} in {text}");
    block
}

/// Returns the rows, Ana's first and the others behind it.
async fn rows(app: &mut TestApp, people: &People) -> (String, Vec<String>) {
    let mut rows = app.lines(people.rows).await;
    let ana = rows.remove(0);
    (ana, rows)
}

/// Has Ana leave, get access by hand and return, with a recipe of the page.
async fn assert_works(recipe: &str) {
    let (_, text) = recipes().into_iter().find(|(h, _)| *h == recipe).unwrap();
    let people = PEOPLE.iter().find(|p| p.recipe == recipe).unwrap();
    let config = format!("{}\n{SOURCE}", block(text, "toml"));
    let tables = format!("{}\n{}", block(text, "sql"), people.insert);
    let mut app = TestApp::builder()
        .config_file(&config, &[("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY)])
        .tables(&tables)
        .build()
        .await;
    let (ana, others) = rows(&mut app, people).await;
    assert_eq!(ana, "ana t 1");

    let checked = app.run(&["check"]).succeeded();
    let tried = "an update was tried in both directions";
    assert!(checked.out.contains(tried), "{checked:?}");
    assert!(!checked.out.contains("ERROR"), "{checked:?}");
    assert_eq!(rows(&mut app, people).await, (ana, others.clone()));

    app.bamboohr(&[
        terminated("1", ANA, "2026-11-22T09:00:00Z"),
        working("2", "ben@example.com", "2026-11-22T09:00:00Z"),
    ])
    .await;
    let ended = ("ana f 0".to_owned(), others.clone());
    assert_eq!(rows(&mut app, people).await, ended);

    app.sql(people.by_hand).await;
    assert_eq!(rows(&mut app, people).await.0, "ana t 0");
    let found = compare(&app.parts.engine, DriftMode::Fix).await.unwrap();
    assert_eq!(found.fixed.len(), 1, "{found:?}");
    assert_eq!(rows(&mut app, people).await, ended);

    app.bamboohr(&[working("1", ANA, "2026-11-22T10:00:00Z")])
        .await;
    assert_eq!(rows(&mut app, people).await, ended);
    let hold = app.open_hold().await;
    app.approve(hold, None).await.unwrap();
    let returned = ("ana t 0".to_owned(), others);
    assert_eq!(rows(&mut app, people).await, returned);
}

#[test]
fn every_recipe_of_the_page_is_tested() {
    let on_the_page: BTreeSet<&str> = recipes().into_iter().map(|(h, _)| h).collect();
    let tested: BTreeSet<&str> = PEOPLE.iter().map(|people| people.recipe).collect();
    assert_eq!(on_the_page, tested);
}

#[tokio::test]
async fn the_recipe_for_django_works() {
    assert_works("Django").await;
}

#[tokio::test]
async fn the_recipe_for_rails_works() {
    assert_works("Rails with Devise").await;
}

#[tokio::test]
async fn the_recipe_for_laravel_works() {
    assert_works("Laravel").await;
}

#[tokio::test]
async fn the_recipe_for_prisma_works() {
    assert_works("Prisma with Auth.js").await;
}

#[tokio::test]
async fn the_recipe_for_supabase_works() {
    assert_works("Supabase").await;
}

#[tokio::test]
async fn the_recipe_for_keycloak_works() {
    assert_works("Keycloak and similar schemas").await;
}

#[tokio::test]
async fn the_recipe_for_memberships_works() {
    assert_works("Membership per organization").await;
}

#[tokio::test]
async fn the_recipe_for_a_view_works() {
    assert_works("View with an INSTEAD OF trigger").await;
}

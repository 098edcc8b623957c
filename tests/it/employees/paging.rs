//! Paging: every employee once, also under concurrent changes.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::*;
use crate::support::driving::working;

/// 250 employees of one delivery, so with equal times.
async fn many() -> TestApp {
    let mut app = with_token().await;
    let all: Vec<Value> = (0..250).map(|n| one(n, "2026-11-22T11:00:00Z")).collect();
    app.bamboohr(&all).await;
    app
}

fn one(n: usize, as_of: &str) -> Value {
    working(&n.to_string(), &format!("p{n}@example.com"), as_of)
}

/// Returns the IDs of this page and all following ones.
async fn rest(app: &TestApp, query: &str, mut page: Answer) -> Vec<String> {
    let mut found = ids(&page);
    while let Some(next) = page.body["next"].as_str() {
        page = ask(app, &format!("?{query}&cursor={next}")).await;
        found.extend(ids(&page));
    }
    found
}

#[tokio::test]
async fn employees_with_equal_times_appear_once_each() {
    let app = many().await;
    let everybody: BTreeSet<String> = (0..250).map(|n| n.to_string()).collect();
    for size in [1_000, 250, 249, 100, 7] {
        let query = format!("page_size={size}");
        let first = ask(&app, &format!("?{query}")).await;
        assert_eq!(ids(&first).len(), size.min(250));
        assert_eq!(first.body["next"].is_null(), size >= 250);
        let found = rest(&app, &query, first).await;
        assert_eq!(found.len(), 250, "pages of {size}");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), everybody);
    }
    assert_eq!(ids(&ask(&app, "").await).len(), 100);
}

#[tokio::test]
async fn an_employee_changed_between_pages_moves_to_the_end() {
    let mut app = many().await;
    let first = ask(&app, "?page_size=100").await;
    let last = rest(&app, "page_size=100", ask(&app, "?page_size=100").await).await;
    let (seen, ahead) = (&last[3], &last[240]);
    app.advance(TimeDelta::minutes(1));
    let changed: Vec<Value> = [seen, ahead]
        .iter()
        .map(|id| working(id, "new@example.com", "2026-11-22T11:30:00Z"))
        .collect();
    app.bamboohr(&changed).await;

    let found = rest(&app, "page_size=100", first).await;
    assert_eq!(found.len(), 251, "the one that was seen comes again");
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 250);
    let end: BTreeSet<_> = found[249..].iter().collect();
    assert_eq!(end, BTreeSet::from([seen, ahead]));
}

#[tokio::test]
async fn modified_after_is_exclusive() {
    let mut app = with_token().await;
    app.bamboohr(&[one(1, "2026-11-22T11:00:00Z")]).await;
    app.set_clock("2026-11-22T12:00:00.000001Z");
    app.bamboohr(&[one(2, "2026-11-22T11:00:00Z")]).await;
    for (after, expected) in [
        ("2026-11-22", &["1", "2"][..]),
        ("2026-11-22T11:59:59.999999Z", &["1", "2"]),
        ("2026-11-22T12:00:00Z", &["2"]),
        ("2026-11-22T12:00:00%2B0000", &["2"]),
        ("2026-11-22T12:00:00+00:00", &["2"]),
        ("2026-11-22T13:00:00%2B01:00", &["2"]),
        ("2026-11-22T12:00:00.000001Z", &[]),
        ("0001-01-01", &["1", "2"]),
        ("9999-12-31", &[]),
    ] {
        let page = ask(&app, &format!("?modified_after={after}")).await;
        assert_eq!(ids(&page), expected, "{after}");
        assert_eq!(page.body["next"], Value::Null);
    }
    // Polling continues from the last time received.
    let last = ask(&app, "").await.body["results"][1]["modified_at"].clone();
    let last = last.as_str().unwrap();
    assert_eq!(
        ids(&ask(&app, &format!("?modified_after={last}")).await),
        [""; 0]
    );
}

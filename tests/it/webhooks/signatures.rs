//! Only requests signed with a key of the source are accepted, and all others get the same response.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use leaver::base::clock::Clock;
use leaver_core::signature::{Key, Layout, Scheme};
use serde_json::{Value, json};

use crate::support::{BAMBOOHR_KEY, MERGE_KEY, TestApp};

use super::{BODY, deliveries, post};

/// What is wrong with the request, the source, the headers.
type Forgery<'a> = (&'a str, &'a str, Vec<(&'a str, String)>);

fn bamboohr(key: &str, layout: Layout) -> Scheme {
    Scheme::BambooHr {
        keys: vec![Key::new(&key.into()).unwrap()],
        layout,
        timestamp_tolerance: TimeDelta::hours(3),
    }
}

fn merge(key: &str) -> Scheme {
    Scheme::Merge {
        keys: vec![Key::new(&key.into()).unwrap()],
    }
}

/// Returns the headers with which `scheme` signs `body`.
fn signs(scheme: &Scheme, body: &str, now: DateTime<Utc>) -> Vec<(String, String)> {
    scheme
        .sign(body.as_bytes(), now)
        .into_iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect()
}

fn signed_by(scheme: &Scheme, source: &str, at: DateTime<Utc>) -> Request<Body> {
    let signed = signs(scheme, BODY, at);
    let headers: Vec<(&str, &str)> = signed
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    post(source, &headers, BODY)
}

#[tokio::test]
async fn each_forgery_gets_the_same_401_and_is_not_stored() {
    let mut app = TestApp::new().await;
    let now = app.clock.now();
    let (s, t, m) = (
        "x-bamboohr-signature",
        "x-bamboohr-timestamp",
        "x-merge-webhook-signature",
    );
    let own = bamboohr(BAMBOOHR_KEY, Layout::BodyThenTimestamp);
    let value = |scheme: &Scheme, name: &str, at| {
        let signed = signs(scheme, BODY, at);
        signed.into_iter().find(|(n, _)| n == name).unwrap().1
    };
    let (good, time) = (value(&own, s, now), value(&own, t, now));
    let mine = value(&merge(MERGE_KEY), m, now);
    let stale = now - TimeDelta::hours(3) - TimeDelta::seconds(1);
    let future = now + TimeDelta::hours(3) + TimeDelta::seconds(1);
    let wrong_key = value(&bamboohr("another key", Layout::BodyThenTimestamp), s, now);
    let other_layout = value(&bamboohr(BAMBOOHR_KEY, Layout::TimestampDotBody), s, now);
    let standard = format!("{}+/", &mine[..41]);
    let forgeries: Vec<Forgery<'_>> = vec![
        (
            "wrong key",
            "bamboohr",
            vec![(s, wrong_key), (t, time.clone())],
        ),
        (
            "other layout",
            "bamboohr",
            vec![(s, other_layout), (t, time.clone())],
        ),
        (
            "stale",
            "bamboohr",
            vec![(s, value(&own, s, stale)), (t, value(&own, t, stale))],
        ),
        (
            "future",
            "bamboohr",
            vec![(s, value(&own, s, future)), (t, value(&own, t, future))],
        ),
        (
            "truncated",
            "bamboohr",
            vec![(s, good[..62].to_owned()), (t, time.clone())],
        ),
        (
            "prefixed",
            "bamboohr",
            vec![(s, format!("sha256={good}")), (t, time.clone())],
        ),
        (
            "other alphabet",
            "bamboohr",
            vec![(s, mine.clone()), (t, time.clone())],
        ),
        ("no headers", "bamboohr", vec![]),
        ("no signature", "bamboohr", vec![(t, time.clone())]),
        ("no timestamp", "bamboohr", vec![(s, good.clone())]),
        (
            "empty signature",
            "bamboohr",
            vec![(s, String::new()), (t, time.clone())],
        ),
        (
            "empty timestamp",
            "bamboohr",
            vec![(s, good.clone()), (t, String::new())],
        ),
        (
            "two signatures",
            "bamboohr",
            vec![(s, good.clone()), (s, good.clone()), (t, time.clone())],
        ),
        (
            "two timestamps",
            "bamboohr",
            vec![(s, good.clone()), (t, time.clone()), (t, time.clone())],
        ),
        (
            "another time",
            "bamboohr",
            vec![(s, good.clone()), (t, (now.timestamp() + 1).to_string())],
        ),
        (
            "a time that is none",
            "bamboohr",
            vec![(s, good.clone()), (t, "soon".to_owned())],
        ),
        (
            "another source's scheme",
            "bamboohr",
            vec![(m, mine.clone())],
        ),
        (
            "another source's scheme",
            "merge",
            vec![(s, good.clone()), (t, time.clone())],
        ),
        (
            "wrong key",
            "merge",
            vec![(m, value(&merge(BAMBOOHR_KEY), m, now))],
        ),
        ("truncated", "merge", vec![(m, mine[..40].to_owned())]),
        ("other alphabet", "merge", vec![(m, standard)]),
        ("hex", "merge", vec![(m, good)]),
        (
            "two signatures",
            "merge",
            vec![(m, mine.clone()), (m, mine)],
        ),
        ("empty signature", "merge", vec![(m, String::new())]),
        ("no headers", "merge", vec![]),
    ];
    let mut answers = vec![];
    for (what, source, headers) in &forgeries {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let answer = app.request(post(source, &headers, BODY)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{source}: {what}");
        assert_eq!(
            answer.body,
            json!({"error": "invalid signature"}),
            "{source}: {what}"
        );
        answers.push(answer.headers);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "the headers differ: {answers:?}");
    assert_eq!(deliveries(&mut app).await, 0);

    let failures: u64 = app
        .get("/metrics")
        .await
        .body
        .as_str()
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("leaver_webhook_signature_failures_total"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(failures, forgeries.len() as u64);
}

#[tokio::test]
async fn accepts_all_keys_of_a_rotation_and_no_others() {
    let env = [
        ("BAMBOOHR_WEBHOOK_SECRET_PREVIOUS", "old bamboohr key"),
        ("MERGE_WEBHOOK_SECRET_PREVIOUS", "old key of merge"),
    ];
    let app = TestApp::builder().settings(&env).build().await;
    let layout = Layout::BodyThenTimestamp;
    for (source, scheme, expected) in [
        ("bamboohr", bamboohr(BAMBOOHR_KEY, layout), 200),
        ("bamboohr", bamboohr("old bamboohr key", layout), 200),
        ("bamboohr", bamboohr("old key of merge", layout), 401),
        ("merge", merge(MERGE_KEY), 200),
        ("merge", merge("old key of merge"), 200),
        ("merge", merge("old bamboohr key"), 401),
    ] {
        let answer = app
            .request(signed_by(&scheme, source, app.clock.now()))
            .await;
        assert_eq!(answer.status, expected, "{source}");
    }
}

#[tokio::test]
async fn the_signature_layout_is_a_setting() {
    let file = r#"
        [[sources]]
        name = "copycat"
        provider = "bamboohr"
        webhook_secrets = ["env:COPYCAT"]
        signature_layout = "timestamp.body"
        timestamp_tolerance = "5m"
    "#;
    let app = TestApp::builder()
        .config_file(file, &[("COPYCAT", "a key of the copycat")])
        .build()
        .await;
    let now = app.clock.now();
    let six_minutes_ago = now - TimeDelta::minutes(6);
    for (layout, at, expected) in [
        (Layout::TimestampDotBody, now, 200),
        (Layout::BodyThenTimestamp, now, 401),
        (Layout::TimestampDotBody, six_minutes_ago, 401),
    ] {
        let signed = signs(&bamboohr("a key of the copycat", layout), BODY, at);
        let headers: Vec<(&str, &str)> = signed
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            app.request(post("copycat", &headers, BODY)).await.status,
            expected
        );
    }
    let bamboohr: Value = app.request(post("bamboohr", &[], BODY)).await.body;
    assert_eq!(bamboohr, json!({"error": "unknown source"}));
}

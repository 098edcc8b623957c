//! Syncs and reads against mock servers generated from the providers' OpenAPI files. Every request is declared there,
//! and no response, valid or random, ends the access of an employee whom it does not show as inactive.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use leaver::base::clock::Clock;
use leaver::jobs::sync::pending_reads::PendingReader;
use leaver::jobs::sync::{SyncMode, SyncSource, Syncer};
use tokio_util::sync::CancellationToken;

use crate::support::apis::Answer;
use crate::support::apis_setup::source_with_api;
use crate::support::bulk_apis::{DATASET_FIELDS, REPORT};
use crate::support::driving::event;
use crate::support::generated::{Generated, Words};
use crate::support::{BAMBOOHR_KEY, MERGE_KEY, TestApp};

/// Full syncs per seed.
const ROUNDS: usize = 100;

/// Values with which a read is complete in some rounds.
const OF_MERGE: Words = &[
    ("model_id", &["hris.Employee"]),
    ("status", &["COMPLETE", "DONE"]),
    ("last_sync_result", &["DONE"]),
    (
        "work_email",
        &["dana.1@widgets.example", "dana.2@widgets.example"],
    ),
];
/// Values with which a read is complete in some rounds.
const OF_BAMBOOHR: Words = &[
    ("*", &["1", "2", "3"]),
    ("id", &["1", "2", "3"]),
    (
        "workEmail",
        &["dana.1@widgets.example", "dana.2@widgets.example"],
    ),
    (
        "terminationDate",
        &["0000-00-00", "2026-11-20", "2027-01-31"],
    ),
    ("status", &["Active", "Inactive"]),
    ("employmentHistoryStatus", &["Full-Time", "Terminated"]),
];

struct GeneratedTest {
    app: TestApp,
    mock: Generated,
    companies: Vec<SyncSource>,
}

async fn over(provider: &str, file: &str, seed: u64, words: Words) -> GeneratedTest {
    let mock = Generated::start(file, seed, words).await;
    let secret = match provider {
        "merge" => MERGE_KEY,
        _ => BAMBOOHR_KEY,
    };
    let secrets = [
        ("SECRET", secret),
        ("API_KEY", "api-key"),
        ("TOKEN", "token"),
    ];
    let mut app = TestApp::builder()
        .config_file(&source_with_api(provider, provider, &mock.api), &secrets)
        .build()
        .await;
    app.add_users(&[
        "dana.1@widgets.example",
        "dana.2@widgets.example",
        "else@widgets.example",
    ])
    .await;
    let companies = app.sync_sources(2);
    GeneratedTest {
        app,
        mock,
        companies,
    }
}

impl GeneratedTest {
    /// Syncs in full, again and again. Returns how many syncs were complete, and how many records came.
    async fn sync(&mut self) -> (usize, u64) {
        let syncer = Syncer::new(Arc::clone(&self.app.parts.engine));
        let (mut complete, mut records) = (0, 0);
        for _ in 0..ROUNDS {
            let read = syncer
                .sync(&self.companies[0], SyncMode::Full, &|_, _| {})
                .await;
            let report = read.unwrap().unwrap().remove(0);
            assert_ne!(report.incomplete.as_deref(), Some(""), "{report:?}");
            let state = self.app.text("SELECT state FROM leaver.sync_state").await;
            let expected = match report.incomplete {
                None => "complete",
                Some(_) => "incomplete",
            };
            assert_eq!(state.as_deref(), Some(expected));
            complete += usize::from(report.incomplete.is_none());
            records += report.records;
            self.app.advance(TimeDelta::minutes(20));
        }
        assert_eq!(self.mock.complaints(), [""; 0]);
        (complete, records)
    }

    async fn off(&mut self) -> BTreeSet<String> {
        let sql = "SELECT email FROM users WHERE NOT is_active";
        self.app.lines(sql).await.into_iter().collect()
    }
}

#[tokio::test]
async fn random_merge_responses_end_no_access() {
    let (mut complete, mut records) = (0, 0);
    for seed in [1, 2] {
        let mut test = over("merge", "merge-hris.yaml", seed, OF_MERGE).await;
        let read = test.sync().await;
        (complete, records) = (complete + read.0, records + read.1);
        let mut left = BTreeSet::new();
        for (_, page) in test.mock.responses() {
            for record in page["results"].as_array().into_iter().flatten() {
                let email = record["work_email"].as_str().unwrap_or_default();
                if record["employment_status"] == "INACTIVE"
                    || record["termination_date"].is_string()
                {
                    left.insert(email.to_owned());
                }
            }
        }
        let off = test.off().await;
        assert!(off.is_subset(&left), "{off:?} {left:?}");
        assert!(!off.contains("else@widgets.example"));
    }
    assert!(complete > 0 && records > 20, "{complete} {records}");
}

#[tokio::test]
async fn random_bamboohr_responses_end_no_access() {
    let (mut complete, mut records) = (0, 0);
    for seed in [3, 4] {
        let mut test = over("bamboohr", "bamboohr.yaml", seed, OF_BAMBOOHR).await;
        // The ways of reading employees take turns. A refusal lasts for six hours.
        // With the second seed only single reads are left, since few random answers to the others are complete.
        let refused = || Some(Answer::status(404));
        let answered = || if seed == 4 { refused() } else { None };
        let turns = [
            refused(),
            answered(),
            answered(),
            answered(),
            refused(),
            refused(),
            answered(),
            answered(),
        ];
        test.mock
            .api
            .script(REPORT, turns.into_iter().cycle().take(64));
        test.mock.api.script(
            DATASET_FIELDS,
            [refused(), answered()].into_iter().cycle().take(64),
        );
        let read = test.sync().await;
        (complete, records) = (complete + read.0, records + read.1);
        let reader = PendingReader::new(
            Arc::clone(&test.app.parts.engine),
            &test.companies,
            Duration::from_mins(15),
        );
        for id in ["1", "2", "3", "4175"] {
            let as_of = test.app.clock.now().to_rfc3339();
            let thin = event("employee.updated", id, &as_of);
            test.app.deliver("bamboohr", &thin).await;
        }
        test.app.advance(TimeDelta::seconds(2));
        let stop = CancellationToken::new();
        while reader.read_due(&stop).await.unwrap() > 0 {}
        let unsaid =
            "SELECT count(*) FROM leaver.pending_reads WHERE attempts > 0 AND reason IS NULL";
        assert_eq!(test.app.count(unsaid).await, 0);
        assert_eq!(test.mock.complaints(), [""; 0]);

        let mut emails: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let (mut inactive, mut deleted) = (BTreeSet::new(), BTreeSet::new());
        for (path, body) in test.mock.responses() {
            let id = path.rsplit('/').next().unwrap_or_default().to_owned();
            for (key, entry) in body["employees"].as_object().into_iter().flatten() {
                if entry["action"] == "Deleted" {
                    deleted.extend([
                        key.clone(),
                        entry["id"].as_str().unwrap_or_default().to_owned(),
                    ]);
                }
            }
            // The rows of a report or of a dataset.
            for row in body["employees"].as_array().into_iter().flatten() {
                let id = row["id"].as_str().unwrap_or_default().to_owned();
                let email = row["workEmail"].as_str().unwrap_or_default().to_owned();
                emails.entry(email).or_default().insert(id);
            }
            let email = body["workEmail"].as_str().unwrap_or_default().to_owned();
            if body["status"] == "Inactive" || body["terminationDate"].is_string() {
                inactive.insert(id.clone());
            }
            emails.entry(email).or_default().insert(id);
        }
        for email in test.off().await {
            let ids = &emails[&email];
            assert!(
                !ids.is_disjoint(&inactive) || !ids.is_disjoint(&deleted),
                "{email}"
            );
            assert_ne!(email, "else@widgets.example");
        }
    }
    assert!(complete > 0 && records > 20, "{complete} {records}");
}

#[tokio::test]
async fn the_mock_server_refuses_undeclared_requests() {
    let merge = Generated::start("merge-hris.yaml", 5, OF_MERGE).await;
    let bamboohr = Generated::start("bamboohr.yaml", 5, OF_BAMBOOHR).await;
    let client = leaver::connect::client::new(Duration::from_secs(5)).unwrap();
    let employees = format!("{}/api/hris/v1/employees", merge.api.url);
    let known = |url: String| {
        let request = client.get(url).header("authorization", "Bearer k");
        request.header("x-account-token", "t")
    };
    let as_user =
        |request: reqwest::RequestBuilder| request.header("authorization", "Basic a2V5Ong=");
    let hooks = format!("{}/api/v1/webhooks", bamboohr.api.url);
    let changed = format!("{}/api/v1/employees/changed", bamboohr.api.url);
    let since = format!("{changed}?since=2026-11-22T12:00:00Z");
    assert_eq!(known(employees.clone()).send().await.unwrap().status(), 200);
    assert_eq!(
        as_user(client.get(&since)).send().await.unwrap().status(),
        200
    );
    for (request, complaint) in [
        (
            known(format!("{employees}?pages=2")),
            "pages is not declared",
        ),
        (
            known(format!("{employees}?page_size=101")),
            "100 is the most",
        ),
        (known(format!("{employees}?page_size=all")), "no integer"),
        (
            known(format!("{employees}?modified_after=2026-11-22")),
            "format",
        ),
        (
            known(format!(
                "{employees}?modified_after=2026-11-22T12:00:00%2B01:00"
            )),
            "not in UTC",
        ),
        (
            known(format!("{employees}?cursor=a&cursor=b")),
            "comes twice",
        ),
        (
            client.get(&employees).header("authorization", "Bearer k"),
            "X-Account-Token is required",
        ),
        (known(format!("{employees}/a/b")), "is not declared"),
        (as_user(client.get(&changed)), "since is required"),
        (
            client.get(&since).header("authorization", "Bearer k"),
            "security",
        ),
        (as_user(client.get(&since).body("{}")), "no JSON body"),
        (as_user(client.delete(&since)), "DELETE"),
        (as_user(client.post(&hooks)), "body is required"),
        (as_user(client.post(&hooks).body("[")), "not JSON"),
        (
            as_user(client.post(&hooks).body(r#"{"name": 1, "colour": "red"}"#)),
            "body",
        ),
    ] {
        let shown = format!("{request:?}");
        assert_eq!(request.send().await.unwrap().status(), 400, "{shown}");
        let complaints = [merge.complaints(), bamboohr.complaints()].concat();
        assert!(
            complaints.iter().any(|one| one.contains(complaint)),
            "{complaint}: {complaints:?}"
        );
    }
}

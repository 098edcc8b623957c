//! An end of employment that the safeguard held is reported once the access has ended in another way.

use super::{BUS, CONFIG, VARIABLES, taken};
use crate::support::TestApp;
use crate::support::driving::{terminated, working};

const EMAILS: [&str; 3] = ["a@example.com", "b@example.com", "c@example.com"];

/// Three people whose end the safeguard holds: trip 1.
async fn tripped() -> TestApp {
    let text = format!("{CONFIG}\n{BUS}");
    let limits = [
        ("LEAVER__SAFEGUARD__HOUR__FLOOR", "1"),
        ("LEAVER__SAFEGUARD__DAY__FLOOR", "1"),
    ];
    let variables: Vec<(&str, &str)> = VARIABLES.into_iter().chain(limits).collect();
    let built = TestApp::builder().config_file(&text, &variables);
    let mut app = built.build().await;
    app.add_users(&EMAILS).await;
    for (at, report) in [
        ("2026-11-22T08:00:00Z", working as fn(&str, &str, &str) -> _),
        ("2026-11-22T09:00:00Z", terminated),
    ] {
        let each = (1..).zip(EMAILS);
        let all: Vec<_> = each
            .map(|(n, email)| report(&n.to_string(), email, at))
            .collect();
        app.bamboohr(&all).await;
    }
    taken(&mut app).await;
    app
}

#[tokio::test]
async fn a_held_end_is_reported_by_an_end_by_hand() {
    let mut app = tripped().await;
    let end = [
        "end",
        "a@example.com",
        "--reason",
        "lost laptop",
        "--as",
        "ada",
        "--yes",
    ];
    app.run(&end).succeeded();
    assert_eq!(taken(&mut app).await, ["employee.terminated 1"]);
    let listed = app.run(&["safeguard", "release", "1", "--json"]);
    let listed = listed.succeeded().json();
    let digest = listed["digest"].as_str().unwrap();
    let release = [
        "safeguard",
        "release",
        "1",
        "--confirm",
        digest,
        "--as",
        "Kim",
    ];
    app.run(&release).succeeded();
    let others = ["employee.terminated 2", "employee.terminated 3"];
    assert_eq!(taken(&mut app).await, others);
}

#[tokio::test]
async fn a_held_end_is_reported_by_the_end_of_a_shared_account() {
    let mut app = tripped().await;
    // Another record of the same person, which is approved.
    app.bamboohr(&[terminated("9", "a@example.com", "2026-11-22T09:10:00Z")])
        .await;
    taken(&mut app).await;
    let of_other = "SELECT id FROM leaver.holds WHERE state = 'open' AND employee_id = '9'";
    let hold = app.count(of_other).await;
    app.approve(hold, None).await.unwrap();
    let both = ["employee.terminated 1", "employee.terminated 9"];
    assert_eq!(taken(&mut app).await, both);
}

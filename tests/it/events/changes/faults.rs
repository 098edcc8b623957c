//! The service is killed before and after the commit: an event exists if its change does.

use super::CHANGES;
use crate::support::driving::terminated;
use crate::support::process::RunningService;
use crate::support::{JSON, TestApp, employees};

const PEOPLE: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_service_leaves_changes_and_events_that_agree() {
    let settings = [("LEAVER__WORKER__BATCH_SIZE", "1")];
    let app = TestApp::builder().settings(&settings).wanting(CHANGES);
    let mut app = app.build().await;
    app.clock.set(leaver::base::clock::Clock::now(
        &leaver::base::clock::SystemClock,
    ));
    let time = app.clock_text();
    for n in 0..PEOPLE {
        let email = format!("u{n}@example.com");
        app.add_users(&[&email]).await;
        let body = employees(&[terminated(&n.to_string(), &email, &time)]);
        app.send("bamboohr", JSON, body.to_string()).await;
    }
    for point in [
        "changes_recorded=abort@3",
        "after_effect_before_commit=abort@2",
        "after_effect_commit=abort@2",
    ] {
        let mut service = RunningService::start(&app.env(&[("FAILPOINTS", point)]));
        let ended = service.process.wait();
        assert_eq!(ended.code, None, "{point}: {ended:?}");
        app.changes_have_events().await;
    }
    let service = app.serve(&[]);
    app.wait_until_processed().await;
    service.stop();
    app.changes_have_events().await;
    let all = i64::try_from(PEOPLE).unwrap();
    assert_eq!(app.count("SELECT count(*) FROM leaver.outbox").await, all);
}

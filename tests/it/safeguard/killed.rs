//! The real service, killed between the lock, the count, the effect and the commit.

use super::{changes, employ, held, inactive, limits, reported, trips};
use crate::support::process::RunningService;
use crate::support::{JSON, TestApp};
use chrono::TimeDelta;
use leaver::base::clock::{Clock as _, SystemClock};

const PEOPLE: usize = 40;
const LIMIT: u32 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_point_exceeds_no_limit() {
    let limits = limits((LIMIT, 1), (LIMIT, 1));
    let mut settings: Vec<(&str, &str)> = limits.iter().map(|(n, v)| (*n, v.as_str())).collect();
    settings.push(("LEAVER__WORKER__BATCH_SIZE", "1"));
    let mut app = TestApp::builder().settings(&settings).build().await;
    // The service that is killed has the clock of this machine.
    app.clock.set(SystemClock.now() - TimeDelta::minutes(10));
    employ(&mut app, PEOPLE).await;
    app.advance(TimeDelta::minutes(1));
    for n in 0..PEOPLE {
        let body = reported(&app, n..n + 1, false).to_string();
        app.send("bamboohr", JSON, body).await;
    }
    for point in [
        "safeguard_locked=abort@3",
        "safeguard_counted=abort@2",
        "changes_recorded=abort@3",
        "after_effect_before_commit=abort@2",
        "after_effect_commit=abort@2",
    ] {
        let mut service = RunningService::start(&app.env(&[("FAILPOINTS", point)]));
        let ended = service.process.wait();
        assert_eq!(ended.code, None, "{point}: {ended:?}");
        let recorded = "SELECT count(*) FROM leaver.changes";
        assert_eq!(
            app.count(recorded).await,
            inactive(&mut app).await,
            "{point}"
        );
    }
    let service = app.serve(&[]);
    let pending = "SELECT count(*) FROM leaver.deliveries WHERE state <> 'processed'";
    app.wait_for_count(0, pending).await;
    service.stop();
    assert_eq!(inactive(&mut app).await, i64::from(LIMIT));
    let all = i64::try_from(PEOPLE).unwrap();
    assert_eq!(held(&mut app).await, all - i64::from(LIMIT));
    assert_eq!(
        changes(&mut app).await,
        [format!("deactivated webhook counted {LIMIT}")]
    );
    assert_eq!(trips(&mut app).await.len(), 1);
}

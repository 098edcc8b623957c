//! Deliveries that crash the process or panic at each attempt.

use super::ledger::{Client, Delivery, Reply, people};
use crate::support::TestApp;
use crate::support::process::{RunningProcess, command, wait_until};

const PEOPLE: usize = 40;

/// Returns an app with the users that these tests send deliveries about.
async fn app_with_people() -> TestApp {
    let mut app = TestApp::builder().unmigrated().build().await;
    app.sql(&people(PEOPLE)).await;
    app
}

/// E-mail of one leaver, which is in no other body.
const POISON: &str = "p20@example.com";

async fn send_all(address: &str) {
    let mut client = Client::default();
    for person in 0..PEOPLE {
        let request = Delivery::about(person, 1).request();
        let reply = client.ask(Some(address.to_owned()), &request).await;
        assert!(matches!(reply, Reply::Accepted(_)), "{reply:?}");
    }
}

/// Returns the leavers whose users are still active.
async fn still_active(app: &mut TestApp) -> Vec<String> {
    app
        .lines("SELECT email FROM users WHERE is_active AND substr(split_part(email, '@', 1), 2)::int % 3 <> 0")
        .await
}

/// Restarts the service until no delivery is pending. Returns how often it has crashed.
async fn restart_until_processed(app: &mut TestApp, env: &[(&str, &str)]) -> usize {
    let mut deaths = 0;
    while app
        .count("SELECT count(*) FROM leaver.deliveries WHERE state = 'pending'")
        .await
        > 0
    {
        let mut process = RunningProcess::start(command(&["serve"], &app.env(env)));
        let mut alive = true;
        wait_until("the service has crashed or is done", || {
            alive = process.is_running();
            !alive || process.err().contains("failed permanently") || deaths > 20
        });
        if alive {
            app.wait_until_processed().await;
        } else {
            deaths += 1;
        }
        assert!(deaths < 10, "{}", process.err());
        process.kill();
    }
    deaths
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crashing_delivery_fails_and_its_neighbours_are_processed() {
    let mut app = app_with_people().await;
    // All are pending before the first crash.
    let service = app.serve(&[]);
    app.sql("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        .await;
    send_all(service.address()).await;
    drop(service);
    app.sql("COMMIT").await;

    let poison = format!("mid_batch=abort:{POISON}");
    let deaths = restart_until_processed(&mut app, &[("FAILPOINTS", poison.as_str())]).await;
    let failed = "SELECT reason FROM leaver.deliveries WHERE state <> 'processed'";
    let failed = app.lines(failed).await;
    assert_eq!(failed.len(), 1);
    assert!(failed[0].contains("3 times"), "{failed:?}");
    assert_eq!(still_active(&mut app).await, [POISON]);
    // One with the batch and three alone; one more where the dead one still held its rows when the next looked.
    assert!(deaths >= 3, "{deaths} deaths");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_fails_one_delivery_and_the_process_lives() {
    let mut app = app_with_people().await;
    let panics = format!("mid_batch=panic:{POISON}");
    let service = app.serve(&[
        ("FAILPOINTS", panics.as_str()),
        ("LEAVER__WORKER__MAX_ATTEMPTS", "2"),
    ]);
    send_all(service.address()).await;
    app.wait_until_processed().await;
    let failed = "SELECT reason FROM leaver.deliveries WHERE state <> 'processed'";
    let failed = app.lines(failed).await;
    assert!(
        failed.len() == 1 && failed[0].contains("panicked"),
        "{failed:?}"
    );
    assert_eq!(still_active(&mut app).await, [POISON]);
    service.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_beside_a_crashing_one_does_not_fail() {
    let mut app = app_with_people().await;
    let service = app.serve(&[]);
    app.sql("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        .await;
    let mut client = Client::default();
    for person in [20, 22] {
        let request = Delivery::about(person, 1).request();
        let reply = client
            .ask(Some(service.address().to_owned()), &request)
            .await;
        assert!(matches!(reply, Reply::Accepted(_)), "{reply:?}");
    }
    drop(service);
    app.sql("COMMIT").await;

    // Whenever the one ends the process, another loop has the other one in hand, which takes its time.
    let points = format!(
        "after_claim=sleep(700):{POISON};mid_batch=abort:{POISON};after_effect_before_commit=sleep(2000):p22@example.com"
    );
    let env = [
        ("FAILPOINTS", points.as_str()),
        ("LEAVER__WORKER__BATCH_SIZE", "1"),
        ("LEAVER__WORKER__CONCURRENCY", "2"),
    ];
    let deaths = restart_until_processed(&mut app, &env).await;
    assert!(deaths >= 3, "{deaths} deaths");
    let failed = "SELECT reason FROM leaver.deliveries WHERE state <> 'processed'";
    assert_eq!(app.lines(failed).await.len(), 1);
    let on = "SELECT email FROM users WHERE is_active AND email IN ('p20@example.com', 'p22@example.com')";
    assert_eq!(app.lines(on).await, [POISON]);
}

//! Deliveries that crash the process or panic at each attempt.

use super::ledger::{Client, Delivery, Reply, people};
use crate::support::TestApp;
use crate::support::process::{RunningProcess, command, wait_until};

const CROWD: usize = 40;

/// A place where a crowd's deliveries wait, the one about this person among them.
async fn waiting_crowd() -> TestApp {
    let mut app = TestApp::builder().unmigrated().build().await;
    app.sql(&people(CROWD)).await;
    app
}

/// The address of one that leaves; in no other body.
const POISON: &str = "p20@example.com";

async fn send_all(address: &str) {
    let mut client = Client::default();
    for person in 0..CROWD {
        let request = Delivery::about(person, 1).request();
        let reply = client.ask(Some(address.to_owned()), &request).await;
        assert!(matches!(reply, Reply::Accepted(_)), "{reply:?}");
    }
}

/// Who may still log in although they have left.
async fn left_over(app: &mut TestApp) -> Vec<String> {
    app
        .lines("SELECT email FROM users WHERE is_active AND substr(split_part(email, '@', 1), 2)::int % 3 <> 0")
        .await
}

/// Starts the service again and again until nothing waits any more; says how often it has died.
async fn wait_until_nothing_waits(app: &mut TestApp, env: &[(&str, &str)]) -> usize {
    let mut deaths = 0;
    while app
        .count("SELECT count(*) FROM leaver.deliveries WHERE state = 'pending'")
        .await
        > 0
    {
        let mut process = RunningProcess::start(command(&["serve"], &app.env(env)));
        // It dies of it, or there is nothing left that it could die of.
        let mut alive = true;
        wait_until("it has died or is done", || {
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
    let mut app = waiting_crowd().await;
    // All wait already when the first service dies of one of them.
    let service = app.serve(&[]);
    app.sql("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        .await;
    send_all(service.address()).await;
    drop(service);
    app.sql("COMMIT").await;

    let poison = format!("mid_batch=abort:{POISON}");
    let deaths = wait_until_nothing_waits(&mut app, &[("FAILPOINTS", poison.as_str())]).await;
    let failed = "SELECT reason FROM leaver.deliveries WHERE state <> 'processed'";
    let failed = app.lines(failed).await;
    assert_eq!(failed.len(), 1);
    assert!(failed[0].contains("3 times"), "{failed:?}");
    assert_eq!(left_over(&mut app).await, [POISON]);
    // One with the batch and three alone; one more where the dead one still held its rows when the next looked.
    assert!(deaths >= 3, "{deaths} deaths");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_fails_one_delivery_and_the_process_lives() {
    let mut app = waiting_crowd().await;
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
    assert_eq!(left_over(&mut app).await, [POISON]);
    service.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_beside_a_crashing_one_does_not_fail() {
    let mut app = waiting_crowd().await;
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
    let deaths = wait_until_nothing_waits(&mut app, &env).await;
    assert!(deaths >= 3, "{deaths} deaths");
    let failed = "SELECT reason FROM leaver.deliveries WHERE state <> 'processed'";
    assert_eq!(app.lines(failed).await.len(), 1);
    let on = "SELECT email FROM users WHERE is_active AND email IN ('p20@example.com', 'p22@example.com')";
    assert_eq!(app.lines(on).await, [POISON]);
}

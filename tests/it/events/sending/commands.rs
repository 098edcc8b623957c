//! `leaver events`: the list, and events that are sent again.

use leaver::config::{Environment, Settings};
use leaver::jobs::outbox::Sender;
use serde_json::Value;
use std::sync::Arc;

use super::{app_with, flip, send_due, sender};
use crate::support::event_receiver::{RECEIVER_KEYS, Receiver, webhook};
use crate::support::{BAMBOOHR_KEY, TestApp};

/// Sets the clock of the service to a time after that of the commands, which use the clock of the machine.
fn catch_up(app: &TestApp) {
    app.set_clock("2199-01-01T00:00:00Z");
}

async fn make_dead(app: &mut TestApp) {
    app.sql("UPDATE leaver.outbox_attempts SET state = 'dead', attempts = 11, finished_at = now()")
        .await;
}

#[tokio::test]
async fn the_list_filters_by_destination_state_type_and_time() {
    let bus = Receiver::start().await;
    let both = [
        webhook("bus", &bus.url, "account.*"),
        webhook("ops", &bus.url, "account.reactivated"),
    ];
    let mut app = app_with(&both.concat(), 2).await;
    flip(&mut app, [1, 2], true).await;
    send_due(&sender(&app, "bus")).await;
    flip(&mut app, [1], false).await;
    let lines = |args: &[&str]| {
        let args = [&["events", "--no-header"], args].concat();
        let out = app.run(&args).succeeded().out;
        out.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(&[]).len(), 4);
    assert_eq!(lines(&["--destination", "ops"]).len(), 1);
    assert_eq!(lines(&["--state", "done"]).len(), 2);
    assert_eq!(lines(&["--type", "account.reactivated"]).len(), 2);
    assert_eq!(lines(&["--type", "hold.*"]).len(), 0);
    assert_eq!(lines(&["--since", "2026-11-23"]).len(), 0);
    assert_eq!(lines(&["--limit", "1"]).len(), 1);
    let columns = "type,employee,destination,state,failed";
    let chosen = lines(&["--columns", columns, "--destination", "ops"]);
    assert_eq!(chosen, ["account.reactivated\t1\tops\tdue\t0"]);
    let list = app.run(&["events", "--json", "--state", "done"]).json();
    assert_eq!(list[0]["last_status"], 200);
    assert_eq!(list[0]["next_at"], Value::Null);

    let wrong = app.run(&["events", "--destination", "mail"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(
        wrong.err.contains("the destinations are: bus, ops"),
        "{wrong:?}"
    );
    assert_eq!(app.run(&["events", "--type", "hold"]).code, Some(2));
    let misplaced = app.run(&["events", "--state", "done", "resume", "bus"]);
    assert_eq!(misplaced.code, Some(2), "{misplaced:?}");
}

#[tokio::test]
async fn dead_events_are_sent_again_on_request() {
    let bus = Receiver::start().await;
    let mut app = app_with(&webhook("bus", &bus.url, "account.*"), 2).await;
    let sender = sender(&app, "bus");
    flip(&mut app, [1, 2], true).await;
    make_dead(&mut app).await;
    let list = app.run(&["events", "--json"]).json();
    let id = list[0]["id"].as_str().unwrap().to_owned();
    let one = app
        .run(&["events", "retry", &id, "--json"])
        .succeeded()
        .json();
    assert_eq!(one[0]["result"], "due");
    assert_eq!(one[0]["destination"], "bus");
    catch_up(&app);
    assert_eq!(send_due(&sender).await, 1);
    assert_eq!(bus.accepted()[0].id, id);
    let again = app.run(&["events", "retry", &id, "--json"]).succeeded();
    assert_eq!(again.json()[0]["result"], "already_sent");

    let all = app.run(&[
        "events",
        "retry",
        "--destination",
        "bus",
        "--dead",
        "--json",
    ]);
    assert_eq!(all.succeeded().json()["due"], 1);
    assert_eq!(send_due(&sender).await, 1);

    let unknown = app.run(&["events", "retry", "0199f2c4-7b1e-7c3d-9a55-2f1c8e6b4d10"]);
    assert_eq!(unknown.code, Some(3), "{unknown:?}");
    assert_eq!(app.run(&["events", "retry"]).code, Some(2));
    assert_eq!(app.run(&["events", "retry", "--dead"]).code, Some(2));
}

#[tokio::test]
async fn a_later_destination_gets_recorded_events_under_their_ids() {
    let (bus, ops) = (Receiver::start().await, Receiver::start().await);
    let first = webhook("bus", &bus.url, "account.*");
    let mut app = app_with(&first, 3).await;
    flip(&mut app, 1..=3, true).await;
    flip(&mut app, [1], false).await;
    send_due(&sender(&app, "bus")).await;

    let both = first + &webhook("ops", &ops.url, "account.deactivated");
    let file = app.file("both.toml", &both).display().to_string();
    let config = [("LEAVER_CONFIG", file.as_str())];
    let args = [
        "events",
        "recover",
        "--destination",
        "ops",
        "--since",
        "2026-11-22",
    ];
    let recovered = app.run_with(&[&args[..], &["--json"]].concat(), &config);
    assert_eq!(recovered.succeeded().json()["due"], 3);
    catch_up(&app);
    let variables = [
        RECEIVER_KEYS[0],
        RECEIVER_KEYS[1],
        ("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY),
    ];
    let settings = Settings::load(Some(file.as_ref()), &Environment::of(variables)).unwrap();
    let engine = Arc::clone(&app.parts.engine);
    let to_ops = Sender::new(engine, &settings.destinations[1], None).unwrap();
    assert_eq!(send_due(&to_ops).await, 3);
    let ids = |receiver: &Receiver| {
        let mut requests = receiver.requests();
        requests.retain(|request| request.kind() == "account.deactivated");
        let mut ids: Vec<String> = requests.into_iter().map(|one| one.id).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&ops), ids(&bus));

    // Also those that it has.
    let again = app.run_with(&args, &config).succeeded();
    assert_eq!(again.err, "3 events due at ops\n");
    assert_eq!(send_due(&to_ops).await, 3);
    let late = [
        "events",
        "recover",
        "--destination",
        "ops",
        "--since",
        "2026-11-23",
        "--json",
    ];
    assert_eq!(app.run_with(&late, &config).json()["due"], 0);
}

#[tokio::test]
async fn a_pause_ends_on_request() {
    let bus = Receiver::start().await;
    let mut app = app_with(&webhook("bus", &bus.url, "account.*"), 20).await;
    let sender = sender(&app, "bus");
    bus.answers(500);
    flip(&mut app, 1..=20, true).await;
    send_due(&sender).await;
    bus.answers(204);
    assert_eq!(send_due(&sender).await, 0, "paused");
    let listed = app.run(&["events"]).succeeded();
    assert!(
        listed.err.contains("destination bus is paused since"),
        "{listed:?}"
    );
    assert!(listed.err.contains("20 events wait"), "{listed:?}");
    let resumed = app.run(&["events", "resume", "bus"]).succeeded();
    assert!(resumed.err.contains("was paused since"), "{resumed:?}");
    catch_up(&app);
    assert_eq!(send_due(&sender).await, 20);
    assert_eq!(app.run(&["events", "resume", "mail"]).code, Some(2));
}

#[tokio::test]
async fn events_of_a_removed_destination_are_named() {
    let bus = Receiver::start().await;
    let both = [
        webhook("bus", &bus.url, "account.*"),
        webhook("ops", &bus.url, "account.*"),
    ];
    let mut app = app_with(&both.concat(), 1).await;
    flip(&mut app, [1], true).await;
    let file = app.file("one.toml", &both[0]).display().to_string();
    let args = ["events", "--destination", "ops"];
    let listed = app.run_with(&args, &[("LEAVER_CONFIG", &file)]).succeeded();
    let words = "destination ops is not configured any more; 1 event waits for it";
    assert!(listed.err.contains(words), "{listed:?}");
}

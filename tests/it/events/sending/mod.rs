//! How events reach their destinations: order, retries, pauses, and what happens when a process ends.

mod closed;
mod commands;
mod deaths;
mod leftovers;
mod messages;
mod pauses;
mod retries;
mod watched;

use std::sync::Arc;

use chrono::TimeDelta;
use leaver::jobs::outbox::Sender;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::support::driving::{REACTIVATE, terminated, working};
use crate::support::event_receiver::RECEIVER_KEYS;
use crate::support::{BAMBOOHR_KEY, END_SESSIONS, TestApp};

/// Returns an app with these destinations and one source, whose employees 1 to `people` have accounts.
async fn app_with(destinations: &str, people: usize) -> TestApp {
    let variables = [
        ("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY),
        RECEIVER_KEYS[0],
        RECEIVER_KEYS[1],
        END_SESSIONS,
        REACTIVATE,
    ];
    let mut app = TestApp::builder()
        .config_file(destinations, &variables)
        .build()
        .await;
    let emails: Vec<String> = (1..=people).map(email).collect();
    let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
    app.add_users(&emails).await;
    app
}

fn email(person: usize) -> String {
    format!("dana.{person}@example.com")
}

/// Returns the sender of a destination, as the service has it.
fn sender(app: &TestApp, name: &str) -> Sender {
    let mut destinations = app.settings.destinations.iter();
    let destination = destinations.find(|one| one.name() == name).unwrap();
    Sender::new(Arc::clone(&app.parts.engine), destination, None).unwrap()
}

/// Sends until nothing is due. Returns the number of claimed events.
async fn send_due(sender: &Sender) -> usize {
    let stop = CancellationToken::new();
    let mut claimed = 0;
    loop {
        match sender.round(&stop).await.unwrap().claimed {
            0 => return claimed,
            more => claimed += more,
        }
    }
}

/// Ends or restores the access of these people: one event for each.
async fn flip(app: &mut TestApp, people: impl IntoIterator<Item = usize>, is_leaving: bool) {
    app.advance(TimeDelta::seconds(1));
    let as_of = app.parts.engine.clock.now().to_rfc3339();
    let entry = |person: usize| -> Value {
        let make = if is_leaving { terminated } else { working };
        make(&person.to_string(), &email(person), &as_of)
    };
    let entries: Vec<Value> = people.into_iter().map(entry).collect();
    app.bamboohr(&entries).await;
}

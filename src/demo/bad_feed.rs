//! The second part of the demo: a feed reports too many leavers, the safeguard trips, and a person releases the trip.

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::deliver::deliver;
use super::story::{Sender, Step};
use super::{example, wait_until_processed};
use crate::base::clock::{Clock, SystemClock};
use crate::cli::output::{self, Table};
use crate::config::Settings;
use crate::engine::accounts::AccountsTable;
use crate::engine::safeguard::trips::{self, Member};
use crate::service::{self, Service};
use leaver_core::domain::{Actor, CliUser, Operator};

/// The name of the person who releases the trip.
const PERSON: &str = "demo";

/// An employee of BambooHR.
#[derive(Clone, Copy)]
struct Person {
    id: &'static str,
    email: &'static str,
}

const ADA: Person = Person {
    id: "40231",
    email: "ada.keller@example.com",
};
const SAM: Person = Person {
    id: "40232",
    email: "sam.okoye@example.com",
};

/// Runs the part, and returns true if each result is as expected.
pub(super) async fn run(
    settings: &Settings,
    service: &Service,
    conn: &mut PgConnection,
) -> anyhow::Result<bool> {
    output::line!(
        "\nThen a feed goes wrong: one delivery of BambooHR reports Ada and Sam as terminated. With the 4 leavers before\n\
         that makes 6 ends of access within an hour, and the safeguard allows 5.\n"
    );
    // BambooHR's times are whole seconds, and the correction must be later.
    let reported = SystemClock.now() - TimeDelta::minutes(1);
    let body = employees(reported, &[(ADA, false), (SAM, false)]);
    let is_stored = send(settings, service, conn, body).await?;

    let table = AccountsTable::inspect(conn, &settings.accounts).await?;
    let policies = service::policies(settings);
    let trip = example::open_trip(conn).await?;
    let trip = trip.context("the safeguard did not trip")?;
    let now = SystemClock.now();
    let actor = Actor::Cli(CliUser::new(Operator::parse(PERSON)?, "-", "-"));
    let listed = trips::preview(conn, &table, &policies, trip, &actor, now).await?;
    let are_spared = example::are_active(conn, &[ADA.email, SAM.email]).await? == [true, true];
    output::line!(
        "The safeguard trips: both keep access until a person decides. `leaver safeguard release {trip}` lists them:\n{}\n",
        table_of(&listed.members, "would be deactivated")
    );

    output::line!(
        "Ada is corrected: she works there. Then `leaver safeguard release {trip} --confirm {}` decides about each again:",
        listed.digest
    );
    let body = employees(SystemClock.now(), &[(ADA, true)]);
    let is_corrected = send(settings, service, conn, body).await?;
    let (digest, expires_after, now) = (&listed.digest, TimeDelta::hours(1), SystemClock.now());
    let released = trips::release(
        conn,
        &table,
        &policies,
        trip,
        digest,
        expires_after,
        &actor,
        now,
    )
    .await?;
    let all: Vec<Member> = released
        .changed
        .iter()
        .chain(&released.skipped)
        .cloned()
        .collect();
    output::line!("{}", table_of(&all, "deactivated"));
    let is_right = example::are_active(conn, &[ADA.email, SAM.email]).await? == [true, false];
    let counts = (released.changed.len(), released.skipped.len());
    let as_expected = is_stored && are_spared && is_corrected && is_right && counts == (1, 1);
    output::line!(
        "\n{}",
        if as_expected {
            "Sam lost access, Ada did not, and the trip is closed."
        } else {
            "Some results are not as expected; see above."
        }
    );
    Ok(as_expected)
}

/// Delivers a body of BambooHR and waits until it is processed. Returns true if it was stored.
async fn send(
    settings: &Settings,
    service: &Service,
    conn: &mut PgConnection,
    body: String,
) -> anyhow::Result<bool> {
    let step = Step {
        sender: Sender::BambooHr,
        form: "JSON",
        event: "",
        content_type: "application/json",
        body,
        expected_status: 200,
        is_repeat: false,
    };
    let response = deliver(settings, service, &step).await?;
    wait_until_processed(conn).await?;
    Ok(response.status == step.expected_status)
}

/// Returns a body that reports each person as active or as terminated.
fn employees(at: DateTime<Utc>, people: &[(Person, bool)]) -> String {
    let at = at.format("%Y-%m-%dT%H:%M:%S+0000").to_string();
    let entries: Vec<serde_json::Value> = people
        .iter()
        .map(|(person, works)| {
            let (status, history) = if *works {
                ("Active", "Full-Time")
            } else {
                ("Inactive", "Terminated")
            };
            json!({"id": person.id, "action": "Updated", "timestamp": at,
                   "changedFields": ["status", "employmentHistoryStatus"],
                   "fields": {"status": status, "employmentHistoryStatus": history, "workEmail": person.email}})
        })
        .collect();
    json!({ "employees": entries }).to_string()
}

fn table_of(members: &[Member], result: &str) -> Table {
    let mut table = Table::with([("email", 0), ("why", 1), ("result", 0)]);
    for member in members {
        let person = [ADA, SAM]
            .into_iter()
            .find(|person| person.id == member.employee_id);
        table.add_row([
            person.map_or("-", |person| person.email).to_owned(),
            member.reason.clone(),
            member.skipped.clone().unwrap_or_else(|| result.to_owned()),
        ]);
    }
    table
}

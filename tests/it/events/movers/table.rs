//! The table of docs/events, for both providers and each encoding: a joiner, a mover and a leaver, each delivered twice.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{FACTS, app_with, taken};
use crate::support::{FORM, JSON, TestApp, employee, employees, merge_changed};

/// How a report is sent.
#[derive(Clone, Copy, Debug)]
enum Encoding {
    BambooHrJson,
    BambooHrForm,
    MergeJson,
}

/// What the HR system knows of a person.
#[derive(Clone, Copy)]
struct Report {
    hour: u32,
    active: bool,
    ended_on: Option<&'static str>,
    email: &'static str,
    manager: &'static str,
}

const JOINED: Report = Report {
    hour: 1,
    active: true,
    ended_on: None,
    email: "dana@example.com",
    manager: "boss-1",
};

const STEPS: [(Report, &[&str]); 8] = [
    (JOINED, &["employee.created"]),
    (
        Report {
            hour: 2,
            manager: "boss-2",
            ..JOINED
        },
        &["employee.manager_changed"],
    ),
    (
        Report {
            hour: 3,
            email: "ruiz@example.com",
            manager: "boss-2",
            ..JOINED
        },
        &["employee.updated"],
    ),
    (
        Report {
            hour: 4,
            ended_on: Some("2026-11-30"),
            email: "ruiz@example.com",
            manager: "boss-2",
            ..JOINED
        },
        &["employee.updated", "employee.termination_scheduled"],
    ),
    (
        Report {
            hour: 5,
            email: "ruiz@example.com",
            manager: "boss-2",
            ..JOINED
        },
        &["employee.updated", "employee.termination_cancelled"],
    ),
    (
        Report {
            hour: 6,
            active: false,
            ended_on: Some("2026-11-21"),
            email: "ruiz@example.com",
            manager: "boss-2",
        },
        &["employee.updated", "employee.terminated"],
    ),
    (
        Report {
            hour: 7,
            email: "ruiz@example.com",
            manager: "boss-2",
            ..JOINED
        },
        &["employee.updated", "employee.rehired"],
    ),
    (
        Report {
            hour: 8,
            active: false,
            ended_on: Some("2026-11-21"),
            email: "ruiz@example.com",
            manager: "boss-3",
        },
        &[
            "employee.updated",
            "employee.manager_changed",
            "employee.terminated",
        ],
    ),
];

impl Report {
    fn fields(&self) -> Vec<(&'static str, String)> {
        let status = if self.active { "Active" } else { "Inactive" };
        let employment = if self.active {
            "Full-Time"
        } else {
            "Terminated"
        };
        vec![
            ("status", status.to_owned()),
            ("employmentHistoryStatus", employment.to_owned()),
            (
                "terminationDate",
                self.ended_on.unwrap_or("0000-00-00").to_owned(),
            ),
            ("workEmail", self.email.to_owned()),
            ("supervisorId", self.manager.to_owned()),
        ]
    }

    fn body(&self, encoding: Encoding) -> String {
        let at = format!("2026-11-22T{:02}:00:00Z", self.hour);
        match encoding {
            Encoding::BambooHrJson => {
                let fields: serde_json::Map<String, Value> = self
                    .fields()
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), json!(value)))
                    .collect();
                employees(&[employee("7", &at, &["status"], &fields.into())]).to_string()
            }
            Encoding::BambooHrForm => {
                let mut body = format!(
                    "employees[7][action]=Updated&employees[7][timestamp]={}&employees[7][changedFields][]=status",
                    at.replace(':', "%3A")
                );
                for (name, value) in self.fields() {
                    let value = value.replace('@', "%40");
                    write!(body, "&employees[7][{name}]={value}").unwrap();
                }
                body
            }
            Encoding::MergeJson => merge_changed(&json!({
                "id": "7", "modified_at": at, "work_email": self.email, "manager": self.manager,
                "employment_status": if self.active { "ACTIVE" } else { "INACTIVE" },
                "termination_date": self.ended_on.map(|day| format!("{day}T00:00:00Z")),
                "start_date": "2020-01-06T00:00:00Z", "remote_was_deleted": false,
            }))
            .to_string(),
        }
    }
}

async fn send(app: &mut TestApp, encoding: Encoding, body: &str) {
    let (source, content_type) = match encoding {
        Encoding::BambooHrJson => ("bamboohr", JSON),
        Encoding::BambooHrForm => ("bamboohr", FORM),
        Encoding::MergeJson => ("merge", JSON),
    };
    app.send(source, content_type, body).await;
}

#[tokio::test]
async fn each_step_of_a_person_makes_its_events_once() {
    for encoding in [
        Encoding::BambooHrJson,
        Encoding::BambooHrForm,
        Encoding::MergeJson,
    ] {
        let mut app = app_with(FACTS).await;
        app.add_users(&["dana@example.com"]).await;
        for (report, expected) in STEPS {
            let body = report.body(encoding);
            // Twice in one batch, once more later, and with other bytes.
            for again in [1, 2] {
                for _ in 0..again {
                    send(&mut app, encoding, &body).await;
                }
                send(
                    &mut app,
                    encoding,
                    &format!("{body}{}", if again == 1 { "" } else { " " }),
                )
                .await;
                app.work().await;
            }
            let expected: Vec<String> = expected.iter().map(|kind| format!("{kind} 7")).collect();
            assert_eq!(
                taken(&mut app).await,
                expected,
                "{encoding:?} {}",
                report.hour
            );
        }
    }
}

#[tokio::test]
async fn a_delivery_of_thousands_makes_one_event_each() {
    let mut app = app_with("").await;
    let body = |hour: &str, status: &str, employment: &str| {
        let one = |n: usize| {
            let fields = json!({"status": status, "employmentHistoryStatus": employment, "workEmail": format!("u{n}@example.com")});
            employee(
                &n.to_string(),
                &format!("2026-11-22T{hour}:00:00Z"),
                &["status"],
                &fields,
            )
        };
        employees(&(0..5_500).map(one).collect::<Vec<_>>()).to_string()
    };
    app.sql(
        "INSERT INTO users (email) SELECT 'u' || n || '@example.com' FROM generate_series(0, 99) n",
    )
    .await;
    let counts = "SELECT string_agg(type || ' ' || n, ', ' ORDER BY type) FROM
                  (SELECT type, count(*) n, count(DISTINCT employee_id) FROM leaver.outbox GROUP BY 1) c";
    for (hour, status, employment) in [
        ("08", "Active", "Full-Time"),
        ("09", "Inactive", "Terminated"),
    ] {
        for _ in 0..2 {
            app.send("bamboohr", JSON, body(hour, status, employment))
                .await;
            app.work().await;
        }
    }
    assert_eq!(
        app.text(counts).await.unwrap(),
        "employee.created 5500, employee.terminated 5500, employee.updated 5500"
    );
    let in_order = "SELECT count(*) FROM leaver.outbox_people WHERE sequence <> 3";
    assert_eq!(app.count(in_order).await, 0);
}

//! The texts of a position reach nothing but the details of events.

use serde_json::json;

use super::{BUS, CONFIG, FACTS, VARIABLES, app_with, restart_with};
use crate::support::logs::Captured;
use crate::support::{TestApp, employee, merge_changed};

const TEXTS: [&str; 5] = [
    "Zookeeper",
    "Herpetology",
    "boss-4711",
    "Lion tamer",
    "boss-4712",
];

/// Returns each column of the schema `leaver` that has one of the texts.
async fn columns_with_a_text(app: &mut TestApp) -> Vec<String> {
    let columns = "SELECT format('%I.%I', table_schema, table_name) || ' ' || quote_ident(column_name) || ' ' || data_type
                   FROM information_schema.columns WHERE table_schema = 'leaver'";
    let mut found = vec![];
    for column in app.lines(columns).await {
        let parts: Vec<&str> = column.splitn(3, ' ').collect();
        let as_text = match parts[2] {
            "bytea" => format!("encode({}, 'escape')", parts[1]),
            _ => format!("{}::text", parts[1]),
        };
        for text in TEXTS {
            let rows = format!(
                "SELECT count(*) FROM {} WHERE {as_text} LIKE '%{text}%'",
                parts[0]
            );
            if app.count(&rows).await > 0 {
                found.push(format!("{}.{}", parts[0], parts[1]));
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Delivers a mover of each provider.
async fn deliver_movers(app: &mut TestApp) {
    for (hour, title, manager) in [("08", TEXTS[0], TEXTS[2]), ("09", TEXTS[3], TEXTS[4])] {
        let at = format!("2026-11-22T{hour}:00:00Z");
        let fields = json!({"status": "Active", "workEmail": "dana@example.com", "jobTitle": title, "department": TEXTS[1],
                            "supervisorId": manager});
        app.bamboohr(&[employee("7", &at, &["jobTitle"], &fields)])
            .await;
        let record = json!({"id": "m1", "modified_at": at, "employment_status": "ACTIVE", "work_email": "m@example.com",
                            "termination_date": null, "manager": manager});
        app.deliver("merge", &merge_changed(&record)).await;
    }
}

#[tokio::test]
async fn no_text_of_a_position_is_stored() {
    let (logged, _guard) = Captured::start("trace");
    let mut app = app_with(FACTS).await;
    deliver_movers(&mut app).await;
    let text = logged.text();
    assert!(TEXTS.iter().all(|word| !text.contains(word)), "{text}");
    assert_eq!(
        columns_with_a_text(&mut app).await,
        ["leaver.outbox.details"]
    );
    let hashes = "SELECT count(*) FROM leaver.employees WHERE facts #>> '{manager,value}' ~ '^[0-9a-f]{8}:[0-9a-f]{32}$'";
    assert_eq!(app.count(hashes).await, 2);
    let in_data = "SELECT count(*) FROM leaver.outbox WHERE data::text ~ 'Lion|boss|Herp'";
    assert_eq!(app.count(in_data).await, 0);
    assert!(!format!("{:?}", app.settings).contains(VARIABLES[3].1));
}

#[tokio::test]
async fn a_thin_destination_stores_no_text_at_all() {
    let mut app = TestApp::builder()
        .config_file(CONFIG, &VARIABLES)
        .build()
        .await;
    let thin = BUS.replace("full", "thin");
    restart_with(&mut app, &format!("{FACTS}{CONFIG}{thin}"), &VARIABLES).await;
    deliver_movers(&mut app).await;
    assert!(app.count("SELECT count(*) FROM leaver.outbox").await > 2);
    assert_eq!(columns_with_a_text(&mut app).await, Vec::<String>::new());
}
